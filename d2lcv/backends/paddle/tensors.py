"""The vocabulary in PaddlePaddle."""

import functools
import math

import numpy as np
import paddle
from paddle import (
    abs,
    cos,
    exp,
    float32,
    float64,
    int32,
    int64,
    is_tensor,
    log,
    matmul,
    maximum,
    meshgrid,
    minimum,
    sin,
    sqrt,
    tanh,
    where,
)
from paddle.nn.functional import relu, sigmoid

from ...tensors import FOR_TOPICS, VOCABULARY, as_raised, forget, often, outside

__all__ = [*VOCABULARY, *FOR_TOPICS]


def plain(function):
    """An array where a number belongs ends Paddle's process: it becomes numbers."""

    def number(value):
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else value

    @functools.wraps(function)
    def call(*values, **named):
        named = {name: number(value) for name, value in named.items()}
        return function(*map(number, values), **named)

    return call


def sized(count):
    """A maker of `count(…)` numbers, refused if 64 bits do not hold their bytes.

    Paddle allots what is left of the bytes then and writes past it.
    """

    def made(function):
        @functools.wraps(function)
        def call(*values, **named):
            try:
                numbers = count(*values)
            except TypeError:  # Paddle says what is wrong
                numbers = 0
            if numbers > 2**60:
                raise ValueError(
                    f"{function.__name__}: expected a tensor that memory holds, got one of "
                    f"{numbers:.0e} numbers"
                )
            return function(*values, **named)

        return plain(call)

    return made


def _numbers(shape, *others):
    return math.prod(shape if isinstance(shape, tuple | list) else [shape])


arange = sized(lambda *ends: max(ends[:2]))(paddle.arange)
clip = plain(paddle.clip)
eye = sized(lambda n, *others: n * n)(paddle.eye)
linspace = sized(lambda start, stop, num, *others: num)(paddle.linspace)
ones = sized(_numbers)(paddle.ones)
rand = sized(_numbers)(paddle.rand)
randn = sized(_numbers)(paddle.randn)
reshape = plain(paddle.reshape)
zeros = sized(_numbers)(paddle.zeros)
softmax = plain(paddle.nn.functional.softmax)


def is_module(x):
    return isinstance(x, paddle.nn.Layer)


# Integers that Paddle does not have; those of 16 bits it takes for a bfloat16's bits
WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}


def tensor(data, dtype=None, device=None):
    if is_tensor(data):
        return data.detach().clone().to(device=device, dtype=dtype)
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.name in WIDER:
        data = data.astype(WIDER[data.dtype.name])
    return paddle.to_tensor(data, dtype=dtype, place=device)


@sized(lambda mean=0.0, std=1.0, size=(): _numbers(size))
def normal(mean=0.0, std=1.0, size=()):
    return paddle.normal(mean, std, size)


@plain
def transpose(x, axes=None):
    return x.transpose(list(reversed(range(x.ndim))) if axes is None else axes)


@plain
def stack(tensors, axis=0):
    return paddle.stack(list(tensors), axis)


@plain
def concat(tensors, axis=0):
    return paddle.concat(list(tensors), axis)


def size(x):
    return int(x.size)


@plain
def reduce_sum(x, axis=None):
    return x.sum(axis)


@plain
def reduce_mean(x, axis=None):
    return x.mean(axis)


@plain
def argmax(x, axis=None):
    return x.argmax(axis)


def numpy(x):
    # NumPy has no bfloat16
    return (x.astype("float32") if x.dtype == paddle.bfloat16 else x).numpy()


def detach(x):
    return x.detach()


def home(x):
    return x.place


def astype(x, dtype):
    return x.astype(dtype)


def to(x, device):
    return x.to(device)


def as_float(x):
    return x if x.is_floating_point() else x.astype("float32")


def type_name(x):
    return str(x.dtype).removeprefix("paddle.")


def extent(x):
    """The largest absolute value: NaN if one is NaN, 0 of nothing, None if unknown."""
    if not paddle.in_dynamic_mode():
        return None
    # in NumPy: Paddle's own reductions may lose a NaN
    return float(np.abs(numpy(x).astype("float64")).max(initial=0))


def try_gpu(i=0):
    return try_all_gpus()[i] if _num_gpus() > i else paddle.CPUPlace()


def try_all_gpus():
    return [paddle.CUDAPlace(i) for i in range(_num_gpus())] or [paddle.CPUPlace()]


def _num_gpus():
    return paddle.device.cuda.device_count()


def device_name(device=None):
    device = try_gpu() if device is None else device
    if isinstance(device, paddle.CUDAPlace):
        return paddle.device.cuda.get_device_name(device)
    return "cpu"


def synchronize():
    if _num_gpus():
        paddle.device.synchronize()
