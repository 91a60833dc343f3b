"""Minibatches: the framework's own data loader over sets that are read lazily.

A set has `len()` and `example(i)`, the i-th example as a tuple of NumPy arrays; several
threads or processes may ask for examples at once. The order of each epoch is drawn in
NumPy from `d2lcv.seed`, so that all backends see equal batches; and so is whatever
`example` draws from `d2lcv.randomness`, however many workers read.
"""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from .backends import backend
from .randomness import current_seed, stream_of

__all__ = [
    "EpochOrder",
    "get_dataloader_workers",
    "loader",
]


class Examples(Protocol):
    def __len__(self) -> int: ...

    def example(self, i: int) -> tuple[np.ndarray, ...]: ...


class EpochOrder:
    """The indices of a set, in a new order each time they are gone through.

    The n-th pass has the same order on every backend and for every equal seed.
    """

    def __init__(self, length: int, shuffle: bool) -> None:
        self.length, self.shuffle, self.epoch = length, shuffle, 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        indices = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([current_seed(), self.epoch]).shuffle(indices)
        self.epoch += 1
        return iter(indices.tolist())


INDEX_BITS = 32  # of a key: the lower ones are the index, the upper ones the pass


class EpochKeys(EpochOrder):
    """As `EpochOrder`, with each index in a key that also says which pass it is of.

    A key is a number, which every framework carries to where it reads the example.
    """

    def __iter__(self) -> Iterator[int]:
        this = np.random.SeedSequence([current_seed(), self.epoch]).generate_state(1)
        above = (int(this[0]) >> 1) << INDEX_BITS  # a key fits into 63 bits
        return (above | i for i in super().__iter__())


class _Drawn:
    """The examples of a set by their keys, each with random numbers of its own."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def example(self, key: int) -> tuple[np.ndarray, ...]:
        with stream_of(key):
            return self.examples.example(key % (1 << INDEX_BITS))


def stacked(examples: Sequence[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """The arrays of examples as those of a batch: for each part, (B, …).

    Raises:
        ValueError: the examples have parts of different shapes.
    """
    parts = list(zip(*examples, strict=True))
    for part in parts:
        shapes = sorted({np.shape(array) for array in part})
        if len(shapes) > 1:
            raise ValueError(
                f"examples: expected one shape in a batch, got {shapes[0]} and "
                f"{shapes[-1]}; a transform such as Resize((height, width)) makes them one"
            )
    return [np.stack(part) for part in parts]


def get_dataloader_workers() -> int:
    """How many workers read for a loader: none, unless `D2L_WORKERS` says so.

    They are processes, or threads where MXNet and TensorFlow read; without a number
    TensorFlow chooses its own. Decoding keeps up with training on a CPU, and processes
    forked after a framework has started its threads can hang.
    """
    given = os.environ.get("D2L_WORKERS", "").strip() or "0"
    if not given.isdecimal():
        raise ValueError(f"D2L_WORKERS: expected a number of processes, got {given!r}")
    return int(given)


def forked(workers: int) -> int:
    """As many worker processes, or none where they would not begin as copies of this one.

    A process that starts anew has neither this one's backend nor functions of a script.
    """
    if workers and multiprocessing.get_start_method() != "fork":
        warnings.warn(
            f"D2L_WORKERS={workers}: processes are not forked here "
            f"({multiprocessing.get_start_method()}); reading without workers",
            RuntimeWarning,
            stacklevel=4,
        )
        return 0
    return workers


def loader(examples: Examples, batch_size: int, shuffle: bool = False) -> Any:
    """The framework's data loader over `examples`: `for X, Y in loader(…)`.

    It gives native tensors. The last batch of an epoch may be smaller; none is dropped.
    `len()` of it is the number of batches.

    Raises:
        ValueError: the set is empty, or the batch size is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if not len(examples):
        raise ValueError("examples: expected at least one, the set is empty")
    keys = EpochKeys(len(examples), shuffle)
    return backend.loading.loader(
        _Drawn(examples), keys, batch_size, get_dataloader_workers()
    )
