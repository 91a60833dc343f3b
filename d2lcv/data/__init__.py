"""Data on the level of files and NumPy arrays: no framework is imported here.

`hub` downloads, verifies and extracts archives; `synthetic` draws data sets on machines
without a network; `detection` reads labelled pictures. Import the submodule you need:
this package itself imports none of them, so that `import d2lcv` stays fast.
"""
