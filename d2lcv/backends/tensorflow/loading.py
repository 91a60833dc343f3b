"""Data loading in TensorFlow."""

import numpy as np
import tensorflow as tf

__all__ = ["WORKERS_ARE_PROCESSES", "ExampleDataset", "collate", "loader"]

WORKERS_ARE_PROCESSES = False
SMALL = 2**16  # bytes of an example that is read as fast as Python is entered for it


class ExampleDataset:
    """Pictures and what belongs to them, by the functions that `tf.data` maps."""

    def __init__(self, examples, collate):
        self.examples, self.collate = examples, collate
        self.first = [np.asarray(array) for array in examples.example(0)]

    def __len__(self):
        return len(self.examples)

    def read(self, i):
        """Such as an image (3, H, W) and its label."""
        return self._call(lambda i: self.examples.example(int(i)), i)

    def read_batch(self, indices):
        """Such as images (B, 3, H, W) and their labels (B, …)."""

        def read(indices):
            return self.collate([self.examples.example(int(i)) for i in indices])

        return self._call(read, indices, batch_axes=1)

    def _call(self, function, argument, batch_axes=0):
        types = [x.dtype for x in self.first]
        tensors = tf.numpy_function(function, [argument], types)
        # what comes out of Python has no rank until it is told
        ranks = [[None] * (x.ndim + batch_axes) for x in self.first]
        return tuple(map(tf.ensure_shape, tensors, ranks))


def collate(batch):
    # [(image, label), …] → images (B, 3, H, W), labels (B, …)
    return [np.stack(part) for part in zip(*batch, strict=True)]


def loader(examples, order, batch_size, workers=0, collate=collate):
    dataset = ExampleDataset(examples, collate)

    def start(_):
        keys = tf.numpy_function(lambda: np.array(list(order), np.int64), [], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(keys, [None]))

    # the order of a pass is asked for when it begins
    keys = tf.data.Dataset.range(1).flat_map(start)
    if sum(x.nbytes for x in dataset.first) > SMALL:
        data = keys.map(dataset.read, workers or tf.data.AUTOTUNE).batch(batch_size)
    else:  # a batch in one call; several threads would wait for each other's Python
        data = keys.batch(batch_size).map(dataset.read_batch, workers or None)
    num_batches = -(-len(order) // batch_size)
    data = data.apply(tf.data.experimental.assert_cardinality(num_batches))
    return data.prefetch(1)
