"""Data on the level of files and NumPy arrays: no framework is imported here.

`hub` downloads and verifies, `archives` extracts, `pictures` decodes, `boxes` reads label
files, `voc` and `cifar` two layouts. Import the submodule you need: this package itself
imports none of them, so that `import d2lcv` stays fast.
"""
