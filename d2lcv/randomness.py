"""Random numbers of NumPy that are the same on every backend and in every worker.

Whoever draws asks for `stream()`. While a loader reads an example, that is a stream of this
example alone, which only the seed, the pass through the set and the index decide: not the
order of reading, nor how many workers read. At all other times it is the one stream of the
process, which `d2lcv.seed` begins anew.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .backends import backend
from .checks import at_least

__all__ = ["current_seed", "next_net", "seed", "stream", "stream_of"]


class _Draws:
    """Where initial weights come from: a seed, and how many nets it has served.

    What is drawn besides, such as augmentations, comes from `stream`.
    """

    seed: int = int(np.random.SeedSequence().generate_state(1)[0])
    nets = 0
    stream: np.random.Generator | None = None


def seed(n: int) -> None:
    """Make what follows repeatable: initial weights, and the framework's own draws.

    Equal seeds give equal networks on all backends, in the order they are made. What the
    framework itself draws (`d2lcv.rand`, dropout) repeats on that framework only.
    """
    n = at_least("n", n, 0, math.inf)
    _Draws.seed, _Draws.nets, _Draws.stream = n, 0, None
    backend.weights.manual_seed(n % 2**31)  # more does not fit everywhere


def current_seed() -> int:
    """The seed of this process: what `seed` was given last, else drawn at its start."""
    return _Draws.seed


def get_state() -> dict[str, Any]:
    """Where the random numbers of this process are, in JSON's words."""
    made = _Draws.stream
    stream = None if made is None else made.bit_generator.state
    return {"seed": _Draws.seed, "nets": _Draws.nets, "stream": stream}


def set_state(state: Mapping[str, Any]) -> None:
    """Go on from what `get_state` gave."""
    _Draws.seed, _Draws.nets, _Draws.stream = state["seed"], state["nets"], None
    if state["stream"] is not None:
        current_stream().bit_generator.state = state["stream"]


def begin_anew(net: Any, *key: int) -> None:
    """Let the framework's own draws in `net` begin anew, as `key` decides."""
    number = np.random.SeedSequence([_Draws.seed, *key]).generate_state(1)[0]
    backend.weights.manual_seed(int(number) % 2**31, net)


def current_stream() -> np.random.Generator:
    """Random numbers of this process, from their beginning after each `seed`."""
    if _Draws.stream is None:
        _Draws.stream = np.random.default_rng([_Draws.seed, zlib.crc32(b"stream")])
    return _Draws.stream


def next_net() -> Callable[[str], np.random.Generator]:
    """The streams of a new net's weights: name of a weight → its stream of numbers."""
    _Draws.nets += 1
    return streams_of_net(_Draws.seed, _Draws.nets)


def streams_of_net(seed: int, number: int = 1) -> Callable[[str], np.random.Generator]:
    """The streams of the weights of the `number`-th net after a seed, by their names."""
    return lambda name: np.random.default_rng([seed, number, zlib.crc32(name.encode())])


def numbered(key: int) -> np.random.Generator:
    """The stream with this number; Philox is made for many, with a key each."""
    return np.random.Generator(np.random.Philox(key=key))


class _Lazy:
    """A generator that is made when it is asked for: most sets draw nothing."""

    def __init__(self, key: int) -> None:
        self.key = key
        self.made: np.random.Generator | None = None

    def generator(self) -> np.random.Generator:
        if self.made is None:
            self.made = numbered(self.key)
        return self.made


# a context of its own in every thread, so readers in parallel do not meet
_example: ContextVar[_Lazy | None] = ContextVar("example", default=None)


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
