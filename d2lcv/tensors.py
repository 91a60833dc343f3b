"""The small vocabulary the chapters are written in.

Each name is the framework's own function where it has one that can be called the same way
(`d2lcv.exp` is `torch.exp`), else the thinnest wrapper around it, in
`backends/<name>/tensors.py`. Native tensors in, native tensors out.

| kind | names |
| --- | --- |
| types | `float32 int32 int64` |
| make | `tensor(data, dtype=None) zeros(shape) ones(shape) arange(n) eye(n)`, |
| | `linspace(start, stop, num) meshgrid(x, y)` (`ij` order), |
| | `rand(shape) randn(shape) normal(mean, std, shape)` |
| shape | `reshape(x, shape) transpose(x, axes=None) stack(xs, axis=0)`, |
| | `concat(xs, axis=0) size(x)` (number of elements, a Python int) |
| compute | `exp log sin cos tanh abs sqrt matmul maximum minimum where(c, a, b)`, |
| | `softmax(x, axis) sigmoid(x) relu(x) clip(x, low, high)` |
| reduce | `reduce_sum(x, axis=None) reduce_mean(x, axis=None) argmax(x, axis=None)` |
| convert | `numpy(x)` (detached copy on the host) `astype(x, dtype)`, |
| | `to(x, device)` (a tensor or a net), |
| | `is_tensor(x) as_float(x)` (integers become float32) |
| devices | `try_gpu(i=0) try_all_gpus() device_name(device=None) synchronize()` |
"""

from __future__ import annotations

from typing import Any

from .backends import backend

VOCABULARY = """
    float32 int32 int64
    tensor zeros ones arange eye linspace meshgrid rand randn normal
    reshape transpose stack concat size
    exp log sin cos tanh abs sqrt matmul maximum minimum where softmax sigmoid relu clip
    reduce_sum reduce_mean argmax
    numpy astype to is_tensor as_float
    try_gpu try_all_gpus device_name synchronize
""".split()

__all__ = list(VOCABULARY)


def __getattr__(name: str) -> Any:
    if name not in VOCABULARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(backend.tensors, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *VOCABULARY])
