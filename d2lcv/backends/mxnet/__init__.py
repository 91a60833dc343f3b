"""The MXNet column: the only place of the package that imports mxnet."""

import numpy as onp

if int(onp.__version__.partition(".")[0]) >= 2:
    raise ImportError(
        f"MXNet 1.9.1, its last release, works with NumPy 1.x only, and NumPy "
        f'{onp.__version__} is installed; help it with: pip install "numpy<2"'
    )
if "bool" not in vars(onp):  # asking with hasattr would warn
    onp.bool = bool  # MXNet still uses the alias that NumPy 1.24 removed, also later

from mxnet import npx

npx.set_np()
