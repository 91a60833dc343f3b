"""Data loading in TensorFlow."""

import numpy as np
import tensorflow as tf

from ...loading import stacked

__all__ = ["loader"]

SMALL = 2**16  # bytes of an example that is read as fast as Python is entered for it


def loader(examples, order, batch_size, workers):
    first = [np.asarray(array) for array in examples.example(0)]

    def call(function, *arguments, axes=0):
        """A function of Python; what comes out has no rank until it is told."""
        tensors = tf.numpy_function(function, arguments, [x.dtype for x in first])
        ranks = [[None] * (x.ndim + axes) for x in first]
        return tuple(map(tf.ensure_shape, tensors, ranks))

    def read(i):
        return call(lambda i: examples.example(int(i)), i)

    def read_several(indices):
        return call(
            lambda ii: stacked([examples.example(int(i)) for i in ii]), indices, axes=1
        )

    def start(_):
        keys = tf.numpy_function(lambda: np.array(list(order), np.int64), [], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(keys, [None]))

    # the order of a pass is asked for when it begins
    keys = tf.data.Dataset.range(1).flat_map(start)
    if sum(x.nbytes for x in first) > SMALL:
        data = keys.map(read, workers or tf.data.AUTOTUNE).batch(batch_size)
    else:  # a batch in one call; several threads would wait for each other's Python
        data = keys.batch(batch_size).map(read_several, workers or None)
    num_batches = tf.data.experimental.assert_cardinality(-(-len(order) // batch_size))
    return data.apply(num_batches).prefetch(1)
