"""Data loading in TensorFlow."""

import numpy as np
import tensorflow as tf

from ...loading import stacked

__all__ = ["loader"]


def loader(examples, order, batch_size, workers):
    first = [np.asarray(array) for array in examples.example(0)]

    def read(indices):
        return stacked([examples.example(int(i)) for i in indices])

    def batch(indices):
        tensors = tf.numpy_function(read, [indices], [array.dtype for array in first])
        # what comes out of Python has no shape until it is told
        return tuple(
            tf.ensure_shape(x, [None] * (1 + array.ndim))
            for x, array in zip(tensors, first, strict=True)
        )

    def keys(_):
        key = tf.numpy_function(lambda: np.array(list(order), np.int64), [], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(key, (None,)))

    # all at once, when a pass begins: each call into Python takes its time
    indices = tf.data.Dataset.range(1).flat_map(keys)
    batches = indices.batch(batch_size).map(
        batch, num_parallel_calls=workers or tf.data.AUTOTUNE
    )
    num_batches = -(-len(order) // batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(num_batches)).prefetch(
        1
    )
