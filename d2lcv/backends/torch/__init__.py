"""The PyTorch column: the only place of the package that imports torch."""
