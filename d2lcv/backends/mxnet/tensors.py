"""The vocabulary in MXNet."""

import numpy as onp
from mxnet import gluon, np, npx
from mxnet.numpy import (
    abs,
    arange,
    argmax,
    clip,
    cos,
    exp,
    eye,
    float32,
    float64,
    int32,
    int64,
    linspace,
    log,
    matmul,
    maximum,
    minimum,
    reshape,
    sin,
    sqrt,
    tanh,
    transpose,
)
from mxnet.numpy_extension import relu, sigmoid

from ...tensors import FOR_TOPICS, VOCABULARY, as_raised, forget, often, outside

__all__ = [*VOCABULARY, *FOR_TOPICS]

WIDER = {"int16": int32, "uint16": int32, "uint32": int64, "uint64": int64}


def is_tensor(x):
    return isinstance(x, np.ndarray)


def is_module(x):
    return isinstance(x, gluon.Block)


def tensor(data, dtype=None, device=None):
    if isinstance(data, (list, tuple)) and any(map(is_tensor, data)):
        return stack([tensor(x, dtype, device) for x in data])
    if is_tensor(data):
        return np.array(data, dtype=dtype or data.dtype, ctx=device or data.ctx)
    if dtype is None and not isinstance(data, onp.ndarray):
        # left to itself, np.array makes floats of Python's integers and booleans too
        data = onp.asarray(data)
        dtype = {"i": int32, "b": bool}.get(data.dtype.kind, float32)
    elif dtype is None:  # integers that MXNet does not have become wider ones
        dtype = WIDER.get(data.dtype.name)
    return np.array(data, dtype=dtype, ctx=device)


def _shape(sizes):
    return tuple(*sizes) if isinstance(sizes[0], (list, tuple)) else sizes


def zeros(*shape, dtype=float32, device=None):
    return np.zeros(_shape(shape), dtype=dtype, ctx=device)


def ones(*shape, dtype=float32, device=None):
    return np.ones(_shape(shape), dtype=dtype, ctx=device)


def rand(*shape, device=None):
    return np.random.uniform(size=_shape(shape), ctx=device)


def randn(*shape, device=None):
    return np.random.normal(size=_shape(shape), ctx=device)


def normal(mean=0.0, std=1.0, size=()):
    return np.random.normal(mean, std, size)


def meshgrid(*axes):
    return np.meshgrid(*axes, indexing="ij")


def stack(tensors, axis=0):
    return np.stack(tuple(tensors), axis=axis)


def concat(tensors, axis=0):
    return np.concatenate(tuple(tensors), axis=axis)


def size(x):
    return x.size


def where(condition, x, y):
    # with a number in place of a tensor MXNet's gradient goes to the other elements, and
    # broadcasting one over no elements ends the process
    if is_tensor(x) and not is_tensor(y):
        y = np.full_like(x, y)
    elif is_tensor(y) and not is_tensor(x):
        x = np.full_like(y, x)
    return np.where(condition, x, y)


def softmax(x, axis=-1):
    return npx.softmax(x, axis=axis)


def reduce_sum(x, axis=None):
    return x.sum(axis=axis)


def reduce_mean(x, axis=None):
    return x.mean(axis=axis)


def numpy(x):
    return x.asnumpy()


def detach(x):
    return x.detach()


def home(x):
    return x.ctx


def astype(x, dtype):
    return x.astype(dtype)


def to(x, device):
    if isinstance(x, gluon.Block):
        x.collect_params().reset_ctx(device)
        return x
    return x.as_in_ctx(device)


def as_float(x):
    return x if onp.issubdtype(x.dtype, onp.floating) else x.astype(float32)


def type_name(x):
    return onp.dtype(x.dtype).name


def extent(x):
    """The largest absolute value: NaN if one is NaN, 0 of nothing."""
    return float(onp.abs(x.asnumpy().astype(float64)).max(initial=0))


def try_gpu(i=0):
    return npx.gpu(i) if npx.num_gpus() > i else npx.cpu()


def try_all_gpus():
    return [npx.gpu(i) for i in range(npx.num_gpus())] or [npx.cpu()]


def device_name(device=None):
    device = try_gpu() if device is None else device
    return str(device) if device.device_type == "gpu" else "cpu"


def synchronize():
    npx.waitall()
