"""Minibatches: the framework's own data loader over sets that are read lazily.

A set has `len()` and `example(i)`, the i-th example as a tuple of NumPy arrays; several
threads or processes may ask for examples at once. The order of each epoch is drawn in
NumPy from `d2lcv.seed`, so that all backends see equal batches; and so is whatever
`example` draws from `d2lcv.randomness`, however many workers read.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any, Protocol

import numpy as np

from .backends import backend
from .checks import at_least, described
from .distributed import rank, world_size
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
        epoch, self.epoch = self.epoch, self.epoch + 1
        if self.shuffle:
            return iter(shuffled(self.length, current_seed(), epoch))
        return iter(range(self.length))


def shuffled(length: int, seed: int, epoch: int) -> list[int]:
    """The indices of a set in the order of a pass."""
    indices = np.arange(length)
    np.random.default_rng([seed, epoch]).shuffle(indices)
    return indices.tolist()


INDEX_BITS = 32  # of a key: the lower ones are the index, the upper ones the pass


class EpochKeys(EpochOrder):
    """As `EpochOrder`, with each index in a key that also says which pass it is of.

    A key is a number, which every framework carries to where it reads the example. Of a
    set that is shuffled, each of several processes has every so many-th key; all have
    equally many, for which the first keys may come once more.
    """

    def __init__(self, length: int, shuffle: bool) -> None:
        super().__init__(length, shuffle)
        self.first, self.every = (rank(), world_size()) if shuffle else (0, 1)

    def __len__(self) -> int:
        return -(-self.length // self.every)

    def __iter__(self) -> Iterator[int]:
        epoch = self.epoch
        keys = cycle(keys_of(super().__iter__(), current_seed(), epoch))
        return islice(keys, self.first, len(self) * self.every, self.every)


def keys_of(order: Iterable[int], seed: int, epoch: int) -> list[int]:
    """The keys of the indices of a pass, in their order."""
    this = np.random.SeedSequence([seed, epoch]).generate_state(1)
    above = (int(this[0]) >> 1) << INDEX_BITS  # a key fits into 63 bits
    return [above | i for i in order]


class _Drawn:
    """The examples of a set by their keys, each with random numbers of its own.

    What goes wrong in reading them is noted: each framework has other errors for it.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.errors: list[Exception] = []  # or a queue, where processes read

    def __len__(self) -> int:
        return len(self.examples)

    def example(self, key: int) -> tuple[np.ndarray, ...]:
        with stream_of(key):
            return self.noting(self.examples.example, key % (1 << INDEX_BITS))

    def collate(self, batch: Sequence[tuple[np.ndarray, ...]]) -> Any:
        self.noting(_check_shapes, batch)
        return self.noting(backend.loading.collate, batch)

    def noting(self, function: Callable[[Any], Any], argument: Any) -> Any:
        try:
            return function(argument)
        except BaseException as error:
            noted = _as_error(error)
            if noted is None:
                raise
            put = getattr(self.errors, "put", None) or self.errors.append
            put(noted)
            raise noted from error

    def noted(self) -> Exception | None:
        """The first error since the last time."""
        if isinstance(self.errors, list):
            found, self.errors = self.errors, []
        else:
            found = []
            while not self.errors.empty():
                found.append(self.errors.get())
        return found[0] if found else None


def _as_error(error: BaseException) -> Exception | None:
    """What is to be raised for it; None: it ends the program."""
    in_main = threading.current_thread() is threading.main_thread()
    if isinstance(error, KeyboardInterrupt) and in_main:
        return None
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    # these would end a pass, a thread or the program instead of telling what is wrong
    return RuntimeError(
        f"examples: expected arrays from example(i), it raised {type(error).__name__}"
        + (f": {error}" if str(error) else "")
    )


def _check_shapes(examples: Sequence[tuple[np.ndarray, ...]]) -> None:
    for part in zip(*examples, strict=True):
        shapes = sorted({np.shape(array) for array in part})
        if len(shapes) > 1:
            raise ValueError(
                f"examples: expected one shape in a batch, got {shapes[0]} and "
                f"{shapes[-1]}; of pictures, size=(height, width) of a set that takes it, "
                "or else a transform such as Resize((height, width)), makes them one"
            )


class _Loader:
    """A framework's loader, `native`, with the errors that Python's readers raised."""

    def __init__(
        self, drawn: _Drawn, order: EpochOrder, make: Callable[[], Any]
    ) -> None:
        self._drawn, self._order = drawn, order
        self._make, self.native = make, make()

    @property
    def passes(self) -> int:
        """How many passes have begun; to be set where a training goes on."""
        return self._order.epoch

    @passes.setter
    def passes(self, number: int) -> None:
        self._order.epoch = number

    def __len__(self) -> int:
        return len(self.native)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "native":
            raise AttributeError(name)
        return getattr(self.native, name)  # what readers ask their framework's loader

    def __call__(self) -> _Loader:
        return (
            self  # as readers of Paddle's loaders begin a pass: `for X, Y in loader()`
        )

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.native)
        while True:
            try:
                batch = next(batches, None)
            except Exception as error:
                self.native = self._make()  # some cannot be used again
                noted = self._drawn.noted()
                if noted is None:
                    raise RuntimeError(
                        f"examples: the framework's loader failed: {error}"
                    ) from error
                raise noted from None
            if batch is None:
                break
            yield batch
        noted = self._drawn.noted()
        if noted is not None:
            self.native = self._make()
            raise noted


def get_dataloader_workers() -> int:
    """How many workers read for a loader: none, unless `D2L_WORKERS` says so.

    They are processes, or threads where MXNet and TensorFlow read; without a number
    TensorFlow chooses its own. There are never more than batches, or than four for each
    core. Decoding keeps up with training on a CPU, and processes forked after a framework
    has started its threads can hang.
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
            stacklevel=3,
        )
        return 0
    return workers


def loader(examples: Examples, batch_size: int, shuffle: bool = False) -> Any:
    """The framework's data loader over `examples`: `for X, Y in loader(…)`.

    It gives native tensors. The last batch of an epoch may be smaller; none is dropped.
    `len()` of it is the number of batches, `passes` how often it was begun, and `native`
    the framework's loader itself.

    What `example` raises comes through in the pass as it is; the next pass is a new one.

    Of several processes (`join_processes`), each reads its share of a set that is shuffled,
    and the whole of one that is not. With batches of b they together train on the batches
    of b·world_size that one process has: the same examples, augmented in the same way. All
    shares are equally long; where the set's size is no multiple of their number, up to
    world_size − 1 examples are read twice in a pass.

    Raises:
        ValueError: the set is empty, or the batch size is not positive.
        TypeError: the batch size is no whole number.
    """
    batch_size = at_least("batch_size", batch_size, 1)
    if not (hasattr(examples, "example") and hasattr(examples, "__len__")):
        raise TypeError(
            "examples: expected a set with len() and example(i), got "
            f"{described(examples)}"
        )
    if not len(examples):
        raise ValueError("examples: expected at least one, the set is empty")
    workers = get_dataloader_workers()
    if backend.loading.WORKERS_ARE_PROCESSES:
        workers = forked(workers)
    # more than there are batches would have nothing to do
    most = max(4 * (os.cpu_count() or 1), 8)
    drawn, keys = _Drawn(examples), EpochKeys(len(examples), shuffle)
    workers = min(workers, -(-len(keys) // batch_size), most)
    if workers and backend.loading.WORKERS_ARE_PROCESSES:
        drawn.errors = multiprocessing.SimpleQueue()  # type: ignore[assignment]

    def make() -> Any:
        return backend.loading.loader(drawn, keys, batch_size, workers, drawn.collate)

    return _Loader(drawn, keys, make)
