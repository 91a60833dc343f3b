"""What a reader opens: one module for each data set.

The verbs: `load_` gives a loader, `read_` what is there, `…_folder` the folder of a set,
drawn or downloaded first where needed.
"""
