"""The PyTorch column: the only place of the package that imports torch."""

import os

# Read when torch is loaded: threads that spin while they wait starve each other on a
# machine that has other work, and a training step takes five times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What PyTorch lacks for Apple's GPUs is computed on the CPU
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
