"""Loaders as each framework's own tutorials write them, for `bench.py` to compare with.

`loader(folder, batch_size, side, mean, std)` goes through the pictures of a folder with a
sub-folder for each class, shuffled: a random crop resized to `side`, a random flip, numbers
from 0 to 1, normalised; images (B, 3, side, side).
"""
