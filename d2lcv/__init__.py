"""Computer vision from *Dive into Deep Learning*: one API, four frameworks.

`import d2lcv as d2l` loads no framework: the first call does (see `d2lcv.use`). The public
names and the modules that define them are listed in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
