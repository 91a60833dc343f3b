"""What `bench.py` compares the package with.

`loops` are the functions as a first implementation has them. The modules of the frameworks
hold what a practitioner would call instead, under our names and with our arguments: the
framework's own compiled operators (a name is missing where there is none), `predictor(net,
X)`, a net called with pictures such as X as fast as the framework calls it, and its loader
as its own tutorials write it:

`loader(folder, batch_size, side, mean, std)` goes through the pictures of a folder with a
sub-folder for each class, shuffled: a random crop resized to `side`, a random flip, numbers
from 0 to 1, normalised; images (B, 3, side, side).
"""
