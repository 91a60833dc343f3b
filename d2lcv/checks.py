"""Argument checks: what was wrong, what was expected, what was given.

Shapes are written as in the documentation, `"B 4A"`: a letter is a size that must be the
same wherever it stands, a number is itself, `4A` is four times `A`, `_` is any size, and a
leading `...` is any number of leading axes.
"""

from __future__ import annotations

import re
from typing import Any

from .backends import backend, framework_of

__all__ = ["check_shapes", "check_tensor", "checked", "floats", "in_range"]


def check_tensor(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is a tensor of the active framework."""
    if backend.tensors.is_tensor(value):
        return
    active = backend.entry
    other = framework_of(value)
    given = f"{type(value).__module__}.{type(value).__qualname__}"
    if other is not None and other.name != active.name:
        raise TypeError(
            f"{name}: expected a tensor of {active.title} ({active.tensor}), the active "
            f"backend, but got one of {other.title} ({given}); convert it through NumPy "
            f"with d2lcv.tensor(array)"
        )
    raise TypeError(
        f"{name}: expected a tensor of {active.title} ({active.tensor}), got {given}; "
        f"make one with d2lcv.tensor(...)"
    )


def check_shapes(**arguments: tuple[Any, str]) -> dict[str, int]:
    """Raise `ValueError` unless every `name=(tensor, shape)` fits; returns the sizes.

    Sizes that a framework does not know yet (inside a compiled step) fit anything.
    """
    sizes: dict[str, int] = {}
    for name, (value, expected) in arguments.items():
        shape = tuple(value.shape)
        others = dict(sizes)
        wanted = expected.split()
        tail = shape
        if wanted[:1] == ["..."]:
            wanted = wanted[1:]
            tail = shape[len(shape) - len(wanted) :]
        fits = len(tail) == len(wanted) and all(
            _fits(given, want, sizes) for given, want in zip(tail, wanted, strict=True)
        )
        if not fits:
            known = ", ".join(f"{k} = {v}" for k, v in others.items() if k in expected)
            raise ValueError(
                f"{name}: expected shape ({', '.join(expected.split())}"
                f"{',' if len(expected.split()) == 1 else ''})"
                f"{' with ' + known if known else ''}, got {shape}"
            )
    return sizes


def _fits(given: int | None, want: str, sizes: dict[str, int]) -> bool:
    if given is None or given < 0 or want == "_":
        return True
    symbol = want.lstrip("0123456789")
    factor = int(want.removesuffix(symbol) or 1)
    if not symbol:
        return given == factor
    size, rest = divmod(given, factor)
    return not rest and sizes.setdefault(symbol, size) == size


def checked(**arguments: tuple[Any, str]) -> tuple[Any, ...]:
    """The tensors of `name=(tensor, shape)`, each checked for framework and shape."""
    for name, (value, _) in arguments.items():
        check_tensor(name, value)
    check_shapes(**arguments)
    return tuple(value for value, _ in arguments.values())


def floats(**arguments: tuple[Any, str]) -> tuple[Any, ...]:
    """As `checked`, with integer tensors cast to float32, and all to the widest type."""
    tensors = tuple(backend.tensors.as_float(x) for x in checked(**arguments))
    if all(x.dtype == tensors[0].dtype for x in tensors):
        return tensors
    types = {str(x.dtype): x.dtype for x in tensors}
    widest = max(types, key=lambda name: int(re.findall(r"\d+", name)[-1]))
    return tuple(backend.tensors.astype(x, types[widest]) for x in tensors)


def in_range(name: str, value: float, low: float, high: float) -> None:
    """Raise `ValueError` unless low ≤ value ≤ high (NaN is out of range)."""
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a number in [{low}, {high}], got {value}")
