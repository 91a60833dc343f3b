"""The PyTorch column: the only place of the package that imports torch."""

import os

# Read when torch is loaded: threads that spin while they wait starve each other on a
# machine that has other work, and a training step takes five times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
