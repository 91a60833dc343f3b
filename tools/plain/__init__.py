"""What a practitioner would call instead, for `bench.py` to compare with.

A module for each framework has its own compiled operators, under our names and with our
arguments (a name is missing where there is none), and `predictor(net, X)`: a net that is
called with pictures such as X as fast as the framework calls it. Its loader is that of its
own tutorials:

`loader(folder, batch_size, side, mean, std)` goes through the pictures of a folder with a
sub-folder for each class, shuffled: a random crop resized to `side`, a random flip, numbers
from 0 to 1, normalised; images (B, 3, side, side).
"""
