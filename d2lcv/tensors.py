"""The small vocabulary the chapters are written in.

Each name is the framework's own function where it has one that can be called the same way
(`d2lcv.exp` is `torch.exp`), else the thinnest wrapper around it, in
`backends/<name>/tensors.py`. Native tensors in, native tensors out. What each does is said
in `VOCABULARY`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from .backends import backend

# Name → how it is called, and what it does
VOCABULARY = {
    "float32": ": the type of numbers in single precision.",
    "int32": ": the type of whole numbers of 32 bits.",
    "int64": ": the type of whole numbers of 64 bits.",
    "tensor": "(data, dtype=None, device=None): a tensor of numbers, lists or an array.",
    "zeros": "(shape): a tensor of zeros, float32.",
    "ones": "(shape): a tensor of ones, float32.",
    "arange": "(n): the whole numbers from 0 to n − 1.",
    "eye": "(n): the matrix (n, n) with ones on its diagonal.",
    "linspace": "(start, stop, num): evenly spaced numbers, both ends among them.",
    "meshgrid": "(x, y): the rows and the columns of a grid (len(x), len(y)).",
    "rand": "(shape): numbers drawn evenly from [0, 1).",
    "randn": "(shape): numbers drawn from the standard normal distribution.",
    "normal": "(mean, std, shape): numbers drawn from a normal distribution.",
    "reshape": "(x, shape): the same numbers in another shape.",
    "transpose": "(x, axes=None): the axes in another order; without `axes` reversed.",
    "stack": "(xs, axis=0): tensors of one shape along a new axis.",
    "concat": "(xs, axis=0): tensors joined along an axis that they have.",
    "size": "(x): the number of elements, a Python int.",
    "exp": "(x): e to the power of each element.",
    "log": "(x): the natural logarithm of each element.",
    "sin": "(x): the sine of each element.",
    "cos": "(x): the cosine of each element.",
    "tanh": "(x): the hyperbolic tangent of each element.",
    "abs": "(x): the absolute value of each element.",
    "sqrt": "(x): the square root of each element.",
    "matmul": "(a, b): the product of two matrices.",
    "maximum": "(a, b): the larger of each two elements.",
    "minimum": "(a, b): the smaller of each two elements.",
    "where": "(c, a, b): elements of a where c is true, of b elsewhere.",
    "softmax": "(x, axis): exp(x), divided by its sum along the axis.",
    "sigmoid": "(x): 1 / (1 + exp(−x)).",
    "relu": "(x): x where it is positive, 0 elsewhere.",
    "clip": "(x, low, high): x, moved into [low, high].",
    "reduce_sum": "(x, axis=None): the sum along an axis, or of everything.",
    "reduce_mean": "(x, axis=None): the mean along an axis, or of everything.",
    "argmax": "(x, axis=None): where the largest element is; of equal ones the first.",
    "numpy": "(x): a copy as an array on the host, detached from the graph.",
    "astype": "(x, dtype): x in another type.",
    "to": "(x, device): a tensor or a net, on a device.",
    "is_tensor": "(x): whether x is a tensor of the active framework.",
    "as_float": "(x): x; integers become float32.",
    "try_gpu": "(i=0): GPU number i of those to be used (`use`), or the CPU.",
    "try_all_gpus": "(): all GPUs that are to be used, or the CPU alone, in a list.",
    "device_name": "(device=None): the name of a device, by default the first, as text.",
    "synchronize": "(): wait until the devices have computed what was asked for.",
}

# What else the topics ask a column's `tensors` for
FOR_TOPICS = """
    as_raised detach extent float64 forget home is_module often outside type_name
""".split()

__all__ = list(VOCABULARY)


def often(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args); TensorFlow compiles it when the like comes again and again."""
    return function(*args)


def forget() -> None:
    """Drop what `often` compiled: what it calls may have become another function."""


def as_raised() -> AbstractContextManager[Any]:
    """What is raised inside keeps its words and its place; Keras would change both."""
    return nullcontext()


def outside(trace: TracebackType) -> TracebackType:
    """A traceback without the frames inside of the framework, where these are many."""
    return trace


def __getattr__(name: str) -> Any:
    if name not in VOCABULARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(backend.tensors, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *VOCABULARY])
