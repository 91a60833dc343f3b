"""The vocabulary in PyTorch."""

import os

import numpy as np
import torch
from torch import (
    abs,
    arange,
    clip,
    cos,
    exp,
    eye,
    float32,
    float64,
    int32,
    int64,
    is_tensor,
    linspace,
    log,
    matmul,
    maximum,
    minimum,
    ones,
    rand,
    randn,
    relu,
    reshape,
    sigmoid,
    sin,
    softmax,
    sqrt,
    tanh,
    where,
    zeros,
)

from ...tensors import FOR_TOPICS, VOCABULARY, as_raised, forget, often, outside

__all__ = [*VOCABULARY, *FOR_TOPICS]


def is_module(x):
    return isinstance(x, torch.nn.Module)


def tensor(data, dtype=None, device=None):
    if is_tensor(data):
        return data.detach().clone().to(device=device, dtype=dtype)
    if isinstance(data, (list, tuple)) and any(map(is_tensor, data)):
        return stack([tensor(x, dtype, device) for x in data])
    if isinstance(data, np.ndarray):
        data = data.copy()  # torch refuses the negative strides of a flipped array
    return torch.tensor(data, dtype=dtype, device=device)


def meshgrid(*axes):
    return torch.meshgrid(*axes, indexing="ij")


def normal(mean=0.0, std=1.0, size=()):
    return torch.normal(mean, std, size)


def transpose(x, axes=None):
    return x.permute(*(reversed(range(x.dim())) if axes is None else axes))


def stack(tensors, axis=0):
    return torch.stack(tuple(tensors), dim=axis)


def concat(tensors, axis=0):
    return torch.cat(tuple(tensors), dim=axis)


def size(x):
    return x.numel()


def reduce_sum(x, axis=None):
    return x.sum() if axis is None else x.sum(dim=axis)


def reduce_mean(x, axis=None):
    return x.mean() if axis is None else x.mean(dim=axis)


def argmax(x, axis=None):
    return x.argmax(dim=axis)


def numpy(x):
    # NumPy has no bfloat16
    x = x.detach().cpu()
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy().copy()


def detach(x):
    return x.detach()


def home(x):
    return x.device


def astype(x, dtype):
    return x.to(dtype)


def to(x, device):
    return x.to(device)


def as_float(x):
    return x if x.is_floating_point() else x.float()


def type_name(x):
    return str(x.dtype).removeprefix("torch.")


def extent(x):
    """The largest absolute value: NaN if one is NaN, 0 of nothing, None if unknown."""
    if torch.compiler.is_compiling():
        return None
    low, high = x.detach().aminmax() if x.numel() else (0, 0)
    return max(-float(low), float(high))


def try_gpu(i=0):
    gpus = _gpus()
    return gpus[i] if 0 <= i < len(gpus) else torch.device("cpu")


def try_all_gpus():
    return _gpus() or [torch.device("cpu")]


def _gpus():
    # without one, PyTorch 2.6 fails where it asks for the kind
    if not torch.accelerator.is_available():
        return []
    # NVIDIA's, Intel's ("xpu") or Apple's ("mps")
    kind = torch.accelerator.current_accelerator()
    gpus = [torch.device(kind.type, i) for i in range(torch.accelerator.device_count())]
    wanted, _, number = os.environ.get("D2L_DEVICE", "").partition(":")
    if gpus and number and kind.type != "cuda":  # of NVIDIA's the others are hidden
        gpus = gpus[int(number) :][:1]
    return [] if wanted == "cpu" else gpus


def device_name(device=None):
    device = try_gpu() if device is None else torch.device(device)
    if device.type in ("cuda", "xpu"):
        return getattr(torch, device.type).get_device_name(device)
    return "Apple GPU" if device.type == "mps" else device.type


def synchronize():
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
