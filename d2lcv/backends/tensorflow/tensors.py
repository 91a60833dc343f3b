"""The vocabulary in TensorFlow."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow import (
    abs,
    cos,
    exp,
    eye,
    float32,
    float64,
    int32,
    int64,
    is_tensor,
    matmul,
    maximum,
    minimum,
    reshape,
    sin,
    sqrt,
    tanh,
    where,
)
from tensorflow import clip_by_value as clip
from tensorflow import range as arange
from tensorflow.math import log
from tensorflow.nn import relu, sigmoid, softmax

from ...tensors import FOR_TOPICS, VOCABULARY
from .layers import as_raised, forget, often, outside

__all__ = [*VOCABULARY, *FOR_TOPICS]


def is_module(x):
    return isinstance(x, keras.Layer)


def tensor(data, dtype=None, device=None):
    with tf.device(device):
        x = tf.identity(tf.convert_to_tensor(data))
        return x if dtype is None else tf.cast(x, dtype)


def _shape(sizes):
    """The shape that was given as one tuple or as separate integers."""
    return sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes


def zeros(*shape, dtype=float32, device=None):
    with tf.device(device):
        return tf.zeros(_shape(shape), dtype)


def ones(*shape, dtype=float32, device=None):
    with tf.device(device):
        return tf.ones(_shape(shape), dtype)


def rand(*shape, device=None):
    with tf.device(device):
        return tf.random.uniform(_shape(shape))


def randn(*shape, device=None):
    with tf.device(device):
        return tf.random.normal(_shape(shape))


def normal(mean=0.0, std=1.0, size=()):
    return tf.random.normal(size, mean, std)


def linspace(start, stop, num):
    return tf.linspace(tf.cast(start, float32), tf.cast(stop, float32), num)


def meshgrid(*axes):
    return tf.meshgrid(*axes, indexing="ij")


def transpose(x, axes=None):
    return tf.transpose(x, axes)


def stack(tensors, axis=0):
    return tf.stack(tuple(tensors), axis)


def concat(tensors, axis=0):
    return tf.concat(tuple(tensors), axis)


def size(x):
    n = x.shape.num_elements()
    return tf.size(x) if n is None else n  # a compiled step may not know its shape


def reduce_sum(x, axis=None):
    return tf.reduce_sum(x, axis)


def reduce_mean(x, axis=None):
    return tf.reduce_mean(x, axis)


def argmax(x, axis=None):
    # TensorFlow's own default is axis 0
    return tf.argmax(tf.reshape(x, [-1]) if axis is None else x, axis or 0)


def numpy(x):
    # NumPy has no bfloat16
    return (tf.cast(x, float32) if x.dtype == tf.bfloat16 else x).numpy()


def detach(x):
    return tf.stop_gradient(x)


def home(x):
    return x.device


def astype(x, dtype):
    return tf.cast(x, dtype)


def to(x, device):
    if isinstance(x, keras.layers.Layer):
        return x  # its variables are on the first GPU, if there is one, from the start
    with tf.device(device):
        return tf.identity(x)


def as_float(x):
    x = tf.convert_to_tensor(x)
    return x if x.dtype.is_floating else tf.cast(x, float32)


def type_name(x):
    return x.dtype.name


def extent(x):
    """The largest absolute value: NaN if one is NaN, 0 of nothing, None if unknown."""
    if not tf.executing_eagerly():
        return None
    # in NumPy: a maximum of TensorFlow may lose a NaN
    return float(np.abs(numpy(x).astype("float64")).max(initial=0))


def try_gpu(i=0):
    return f"/GPU:{i}" if len(tf.config.list_logical_devices("GPU")) > i else "/CPU:0"


def try_all_gpus():
    gpus = tf.config.list_logical_devices("GPU")
    return [f"/GPU:{i}" for i in range(len(gpus))] or ["/CPU:0"]


def device_name(device=None):
    kind, _, i = (device or try_gpu()).rpartition("/")[2].partition(":")
    if kind != "GPU":
        return "cpu"
    gpu = tf.config.list_physical_devices("GPU")[int(i)]
    return tf.config.experimental.get_device_details(gpu)["device_name"]


def synchronize():
    tf.test.experimental.sync_devices()
