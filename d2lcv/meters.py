"""Measure a training run: `Timer` for seconds, `Accumulator` for running sums.

An `Accumulator` keeps a tensor's value where the tensor is,
so that adding to it does not make the program wait for the device.
"""

from __future__ import annotations

import numbers
import time
from collections.abc import Iterable, Iterator, Sized
from itertools import accumulate
from typing import Any

import numpy as np

from .backends import backend
from .checks import at_least
from .notebook import kernel

__all__ = ["Accumulator", "Timer"]


class Timer:
    """A stopwatch that remembers every interval; it runs from its construction.

    Seconds are read from a monotonic clock. A device may still be computing when `stop`
    is called: read a result back first if its time is to be included.

    Attributes:
        times: the measured intervals, in seconds, oldest first.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.start()

    def start(self) -> None:
        """Begin a new interval now."""
        self._started = time.perf_counter()

    def stop(self) -> float:
        """End the interval, remember it and return its seconds."""
        self.times.append(time.perf_counter() - self._started)
        return self.times[-1]

    def avg(self) -> float:
        """The mean interval in seconds; `RuntimeError` if none was measured yet."""
        if not self.times:
            raise RuntimeError(
                "Timer.avg: expected at least one measured interval, got none; "
                "call stop() first"
            )
        return self.sum() / len(self.times)

    def sum(self) -> float:
        """All intervals together, in seconds (0.0 if there is none)."""
        return float(sum(self.times))

    def cumsum(self) -> list[float]:
        """Seconds up to the end of each interval, as a list of the same length."""
        return [float(seconds) for seconds in accumulate(self.times)]


EVERY = 30.0  # seconds after which a loop says how far it is, where no bar can be shown


def progress(
    iterable: Iterable[Any], text: str, is_shown: bool = True
) -> Iterable[Any]:
    """`iterable` with a bar where there is a screen, else with a line each half minute."""
    from tqdm.auto import tqdm

    if not is_shown:
        return iterable
    # None: off where no terminal is
    bar = tqdm(iterable, text, leave=False, disable=False if kernel() else None)
    return _with_lines(iterable, text) if bar.disable else bar


def _with_lines(iterable: Iterable[Any], text: str) -> Iterator[Any]:
    n = f" of {len(iterable)}" if isinstance(iterable, Sized) else ""
    begun = said = time.perf_counter()
    for i, item in enumerate(iterable):
        now = time.perf_counter()
        if now - said >= EVERY:
            said = now
            print(f"{text}: {i}{n} after {duration(now - begun)}", flush=True)
        yield item


def duration(seconds: float) -> str:
    """A time as people say it: `3.1 s`, `45 s`, `12 min`, `2 h 5 min`."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class Accumulator:
    """`n` running sums: `add` one scalar to each, read them with `[i]`.

    Scalars are numbers, NumPy scalars or native tensors of one element. Tensors are
    summed on their device, without their gradient; only `[i]` waits for the result.

    Args:
        n: how many sums, at least 1.

    Raises:
        ValueError: `n` is below 1; `add` has not exactly `n` values or has a tensor of
            more than one element.
        TypeError: `n` is no integer; a value is no scalar.
    """

    # Sums kept on a device are float32 or int32 as a rule. Moving them into a Python
    # float now and then keeps the one exact and the other from overflowing.
    _ADDS_ON_DEVICE = 256

    def __init__(self, n: int) -> None:
        self._n: int = at_least("n", n, 1)
        self.reset()

    def reset(self) -> None:
        """Set all sums to zero."""
        self._sums = [0.0] * self._n
        self._on_device: list[dict[str, Any]] = [{} for _ in range(self._n)]
        self._adds = 0

    def add(self, *args: Any) -> None:
        """Add one scalar to each sum, in order; nothing is added if one is unfit."""
        if len(args) != self._n:
            raise ValueError(f"add: expected n = {self._n} values, got {len(args)}")
        for i, value in enumerate(args):
            _check_scalar(i, value)
        for i, value in enumerate(args):
            if isinstance(value, (numbers.Real, np.ndarray, np.generic)):
                self._sums[i] += float(np.asarray(value).reshape(()))
            else:
                value = _plain(value)
                sums = self._on_device[i]
                # what can be added without conversion or a move
                key = f"{value.dtype} {backend.tensors.home(value)}"
                # 0 + value is a new tensor: the caller may overwrite theirs.
                sums[key] = sums.get(key, 0) + value
        self._adds += 1
        if self._adds % self._ADDS_ON_DEVICE == 0:
            for i in range(self._n):
                self._collect(i)

    def _collect(self, i: int) -> float:
        self._sums[i] += sum(float(value) for value in self._on_device[i].values())
        self._on_device[i].clear()
        return self._sums[i]

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, idx: int | slice) -> Any:
        """The sum at `idx` as a float (a list of them for a slice)."""
        if isinstance(idx, slice):
            return [self._collect(i) for i in range(self._n)[idx]]
        return self._collect(range(self._n)[idx])


def _check_scalar(i: int, value: Any) -> None:
    if isinstance(value, (numbers.Real, np.bool_)):
        return
    shape = getattr(value, "shape", None)
    if shape is None or not hasattr(value, "dtype"):
        raise TypeError(
            f"add: expected a number or a tensor of one element as value {i}, "
            f"got {type(value).__module__}.{type(value).__qualname__}"
        )
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind not in "biuf":
        raise TypeError(f"add: expected a number as value {i}, got {value.dtype}")
    if any(size != 1 for size in shape):
        raise ValueError(
            f"add: expected one element as value {i}, got shape {tuple(shape)}"
        )


def _plain(value: Any) -> Any:
    """The tensor of shape () without its graph, of a type that sums keep exact."""
    t = backend.tensors
    value = t.detach(value)
    if len(value.shape):
        value = t.reshape(value, ())
    if not any(
        kind in str(value.dtype) for kind in ("float32", "float64", "int32", "int64")
    ):
        value = t.astype(value, t.float32)
    return value
