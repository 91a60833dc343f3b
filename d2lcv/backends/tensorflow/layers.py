"""Layers in TensorFlow, where Keras's conventions are not those of the others."""

import functools
import weakref
from collections import OrderedDict
from contextlib import contextmanager
from types import TracebackType

import keras
import tensorflow as tf

__all__ = [
    "BatchNorm2d",
    "Conv2d",
    "MaxPool2d",
    "StridedConv2d",
    "as_raised",
    "channels_first",
    "channels_last",
    "compiled",
    "convolution",
    "dense",
    "forget",
    "often",
    "outside",
]


def channels_last(X):
    return tf.transpose(X, (0, 2, 3, 1))


def channels_first(X):
    return tf.transpose(X, (0, 3, 1, 2))


class BatchNorm2d(keras.layers.BatchNormalization):
    """Channels first, and the constants of the three other frameworks."""

    def __init__(self, num_features):
        super().__init__(axis=1, momentum=0.9, epsilon=1e-5)
        self.build((None, num_features, None, None))


class Conv2d(keras.layers.Conv2D):
    """Channels first outside: on every CPU TensorFlow has it for channels last only."""

    def __init__(self, filters, kernel_size, **options):
        options = {"padding": "same", "data_format": "channels_first", **options}
        super().__init__(filters, kernel_size, **options)

    def call(self, inputs):
        X, padding = channels_last(inputs), self.padding.upper()
        Y = tf.nn.conv2d(
            X, self.kernel, self.strides, padding, "NHWC", self.dilation_rate
        )
        if self.use_bias:
            Y = tf.nn.bias_add(Y, self.bias)
        return channels_first(Y)


class StridedConv2d(Conv2d):
    """Pads k // 2 on all sides; TensorFlow's "same" pads less above and on the left."""

    def __init__(self, filters, kernel_size, strides, **options):
        super().__init__(
            filters, kernel_size, strides=strides, padding="valid", **options
        )

    def call(self, inputs):
        size, stride = self.kernel_size[0] // 2, self.strides[0]
        # TensorFlow's gradient (2.21, AVX-512) writes past its memory where a stride leaves
        # out the last rows of few channels: they are not padded, or are cut off
        *_, rows, columns = tf.unstack(tf.shape(inputs))
        below, right = (size - (n - 1) % stride for n in (rows, columns))
        if not size:
            return super().call(inputs[:, :, : rows + below, : columns + right])
        around = ((0, 0), (0, 0), (size, below), (size, right))
        return super().call(tf.pad(inputs, around))


class MaxPool2d(keras.layers.MaxPooling2D):
    """Channels first, k // 2 pixels of −∞ on all sides."""

    def __init__(self, pool_size, strides):
        super().__init__(pool_size, strides, data_format="channels_first")

    def call(self, inputs):
        size = self.pool_size[0] // 2
        lowest = inputs.dtype.min
        return super().call(tf.pad(inputs, _around(size), constant_values=lowest))


def _around(size):
    return ((0, 0), (0, 0), (size, size), (size, size))


def convolution(in_channels, out_channels, kernel_size=3, strides=1, use_bias=True):
    """A convolution, symmetrically padded, that has its weights from the start."""
    if strides == 1:
        layer = Conv2d(out_channels, kernel_size, use_bias=use_bias)
    else:
        layer = StridedConv2d(out_channels, kernel_size, strides, use_bias=use_bias)
    layer.build((None, in_channels, None, None))
    return layer


def dense(in_features, out_features):
    """A dense layer that has its weights from the start."""
    layer = keras.layers.Dense(out_features)
    layer.build((None, in_features))
    return layer


# ---- errors --------------------------------------------------------------------------


@contextmanager
def as_raised():
    # both shorten tracebacks, and Keras puts the layer around a step into what is said
    sides = [
        x for x in (keras.config, tf.debugging) if x.is_traceback_filtering_enabled()
    ]
    for side in sides:
        side.disable_traceback_filtering()
    try:
        yield
    finally:
        for side in sides:
            side.enable_traceback_filtering()


def outside(trace):
    frame, following = trace.tb_frame, trace.tb_next
    following = following and outside(following)
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    if following and package in ("keras", "tensorflow"):
        return following
    return TracebackType(following, frame, trace.tb_lasti, trace.tb_lineno)


# ---- compiled where it pays ----------------------------------------------------------


def compiled(function):
    """A graph of the function; AutoGraph, which takes long, only where it must."""
    # each a function of its own: TensorFlow warns of one that it traces often
    function = functools.partial(function)
    graph = tf.function(function, autograph=False)

    def call(*args):
        nonlocal graph
        try:
            return graph(*args)
        except TypeError as first:
            # a tensor decides an `if` or counts a loop of Python
            other = tf.function(function)
            try:
                result = other(*args)
            except TypeError as second:  # the function's own, which AutoGraph rewords
                is_of_graph = isinstance(
                    first, tf.errors.OperatorNotAllowedInGraphError
                )
                raise (second if is_of_graph else first) from None
            graph = other
            return result

    return call


CALLS_BEFORE, MOST_KEPT = 4, 32  # of one function or net
_kept = weakref.WeakKeyDictionary()


def often(function, *args):
    """function(*args), compiled when the like of these arguments has come a few times."""
    if not tf.executing_eagerly():
        return function(*args)
    owner = next((x for x in args if isinstance(x, keras.Layer)), function)
    try:
        forms = _kept.setdefault(owner, OrderedDict())
        key = function.__qualname__, *map(_likeness, args)
        count, graph = forms.pop(key, (0, None))
    except TypeError:  # what has no hash is like nothing else
        return function(*args)
    if count == CALLS_BEFORE:
        graph = compiled(function)
    forms[key] = count + 1, graph
    if len(forms) > MOST_KEPT:
        forms.popitem(last=False)
    if graph is None:
        return function(*args)
    try:
        return graph(*args)
    except Exception:
        # it does not compile, or the plain form says better what is wrong
        forms[key] = CALLS_BEFORE + 1, None
        return function(*args)


def forget():
    """Compile anew: what a function calls may have become another one."""
    _kept.clear()


def _likeness(x):
    if tf.is_tensor(x):
        return tuple(x.shape), x.dtype
    if isinstance(x, keras.Layer):  # of which a part may have been replaced
        return tuple(map(id, x._flatten_layers()))
    return tuple(x) if isinstance(x, list) else x
