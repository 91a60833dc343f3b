"""Random numbers of NumPy that are the same on every backend and in every worker.

Whoever draws asks for `stream()`. While a loader reads an example, that is a stream of this
example alone, which only the seed, the pass through the set and the index decide: not the
order of reading, nor how many workers read. At all other times it is the one stream of the
process, which `d2lcv.seed` begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from .weights import current_stream

__all__ = ["stream", "stream_of"]


class _Lazy:
    """A generator that is made when it is asked for: most sets draw nothing."""

    def __init__(self, key: int) -> None:
        self.key = key
        self.made: np.random.Generator | None = None

    def generator(self) -> np.random.Generator:
        if self.made is None:  # Philox is made for many streams with a key each
            self.made = np.random.Generator(np.random.Philox(key=self.key))
        return self.made


# a context of its own in every thread, so readers in parallel do not meet
_example: ContextVar[_Lazy | None] = ContextVar("d2lcv_example", default=None)


@contextmanager
def stream_of(key: int) -> Iterator[None]:
    """Let `stream()` be the stream with this number, from its beginning, for a while."""
    token = _example.set(_Lazy(key))
    try:
        yield
    finally:
        _example.reset(token)


def stream() -> np.random.Generator:
    """The random numbers to draw from now."""
    example = _example.get()
    return current_stream() if example is None else example.generator()
