"""Reaching the weights of a Keras net and bringing them into the canonical layout."""

import os
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

__all__ = ["EXPORTS_BOXES", "Slot", "export", "manual_seed", "slots"]

EXPORTS_BOXES = True

NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def manual_seed(n, net=None):
    # Python's and NumPy's generators too: Keras draws the seeds of its layers there
    keras.utils.set_random_seed(n % 2**32)
    # a layer that is there already keeps its seed, and how often it drew, in a variable
    states = [] if net is None else net.variables
    states = [v for v in states if v.name.endswith("seed_generator_state")]
    for i, state in enumerate(states):
        state.assign([(n + i) % 2**32, 0])


@dataclass
class Slot:
    """One tensor of a net, read and written as a NumPy array in the canonical layout."""

    variable: keras.Variable
    is_kernel: bool

    @property
    def _axes(self):
        """(kH, kW, in, out) or, transposed, (kH, kW, out, in): the last two go first."""
        *field, last, first = range(len(self.variable.shape))
        return (first, last, *field)

    @property
    def shape(self):
        shape = tuple(self.variable.shape)
        return tuple(shape[i] for i in self._axes) if self.is_kernel else shape

    def get(self):
        array = keras.ops.convert_to_numpy(self.variable)
        array = array.transpose(self._axes) if self.is_kernel else array
        return np.array(array, np.float32, order="C")

    def put(self, array):
        array = array.transpose(np.argsort(self._axes)) if self.is_kernel else array
        self.variable.assign(array)


def slots(net):
    if not net.built and not net.weights:
        raise ValueError(f"{net.name} has no weights yet: call it on a batch first")
    return dict(_slots(net))


def _slots(layer, path=""):
    # those of Keras's containers are no attributes
    children = list(_attributes(layer)) or list(enumerate(getattr(layer, "layers", ())))
    theirs = {id(v) for _, child in children for v in child.weights}
    for v in layer.weights:
        if id(v) not in theirs:
            yield path + NAMES.get(v.name, v.name), Slot(v, v.name == "kernel")
    for name, child in children:
        yield from _slots(child, f"{path}{name}.")


def _attributes(layer):
    """The layers that are public attributes of `layer`, or in lists or dicts there."""
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        items = dict(enumerate(value)) if isinstance(value, list | tuple) else value
        if isinstance(items, dict):
            for key, item in items.items():
                if isinstance(item, keras.Layer):
                    yield f"{name}.{key}", item
        elif isinstance(value, keras.Layer):
            yield name, value


def export(net, path, images, before, after):
    if os.path.isfile(path):  # TensorFlow would say so in a kind of error of its own
        raise NotADirectoryError(f"path: expected a folder, got the file {path}")
    batch = 1 if len(images) == 1 else None
    spec = tf.TensorSpec((batch, *images.shape[1:]), images.dtype)
    module = tf.Module()
    module.net = net

    def predict(images):
        channels = before(tf.unstack(tf.cast(images, tf.float32), axis=-1))
        return after(net(tf.stack(channels, 1), training=False))

    module.predict = tf.function(predict, [spec])
    tf.saved_model.save(module, path, signatures=module.predict.get_concrete_function())
    return path
