"""What can be drawn: arrays, counts and sizes, checked."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..backends import backend
from ..checks import check_tensor, listed, positive


def _array(name: str, x: Any) -> np.ndarray:
    """A NumPy array of an array, a number, a native tensor or (nested) lists of them."""
    if isinstance(x, (np.ndarray, np.generic, numbers.Number)):
        return np.asarray(x)
    if not isinstance(x, (list, tuple)):
        check_tensor(name, x)
        return backend.tensors.numpy(x)
    plain = not x or isinstance(x[0], (numbers.Number, list, tuple))
    try:
        return np.asarray(x if plain else [_array(name, item) for item in x])
    except ValueError as error:
        raise ValueError(f"{name}: expected rows of equal lengths") from error


def _figsize(figsize: Any) -> tuple[float, float]:
    size = listed("figsize", figsize)
    if len(size) != 2:
        raise ValueError(
            f"figsize: expected two numbers (width, height) in inches, got {figsize!r}"
        )
    return positive("figsize", size[0]), positive("figsize", size[1])


def _check_axes(axes: Any) -> None:
    if not isinstance(axes, Axes):
        raise TypeError(
            f"axes: expected one matplotlib Axes, got "
            f"{type(axes).__module__}.{type(axes).__qualname__}"
        )
