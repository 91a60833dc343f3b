"""Data loading in TensorFlow."""

import numpy as np
import tensorflow as tf

__all__ = ["loader"]


def loader(examples, order, batch_size, workers):
    first = [np.asarray(array) for array in examples.example(0)]
    dtypes = [array.dtype for array in first]

    def read(i):
        arrays = tf.numpy_function(lambda i: examples.example(int(i)), [i], dtypes)
        # what comes out of Python has no shape until it is told
        return tuple(
            tf.ensure_shape(x, array.shape)
            for x, array in zip(arrays, first, strict=True)
        )

    index = tf.TensorSpec((), tf.int64)
    indices = tf.data.Dataset.from_generator(lambda: order, output_signature=index)
    batches = indices.map(read, num_parallel_calls=workers or None).batch(batch_size)
    num_batches = -(-len(order) // batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(num_batches)).prefetch(
        1
    )
