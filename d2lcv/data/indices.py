"""What picks one example of a set."""

from __future__ import annotations

import operator
from typing import Any

from ..checks import described

__all__ = ["checked_index"]


def checked_index(name: str, value: Any, length: int) -> int:
    """An index into `length` examples, from 0; a negative one counts from the end.

    Raises:
        TypeError: no whole number of Python, NumPy or a framework.
        IndexError: there is no such example, which also ends a loop over a set.
    """
    expected = f"{name}: expected a whole number"
    if isinstance(value, slice):
        raise TypeError(
            f"{expected}, got {value}; take several one by one, as in "
            "[dataset[i] for i in range(2)]"
        )
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{expected}, got {described(value)}") from None
    if not -length <= number < length:
        raise IndexError(f"{expected} below {length}, the set's length, got {number}")
    return number % length
