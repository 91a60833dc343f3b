"""Training in several processes, one for each device, started by a launcher.

After `join_processes()` every `Trainer` averages its gradients over the processes, and
`loader` gives each its share of what is shuffled: equal weights and equal shares of a batch
then take the step that one process takes on the whole batch. `d2lcv run … --processes 2`
starts them; `docs/distributed.md` tells more.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .backends import Module, Tensor, backend
from .checks import check_tensor
from .randomness import current_seed, seed

__all__ = [
    "join_processes",
    "mean_numbers",
    "mean_statistics",
    "process_mean",
    "rank",
    "world_size",
]

STATISTICS = ("running_mean", "running_var")


class _Processes:
    rank, size, joined = 0, 1, False


def join_processes() -> tuple[int, int]:
    """Join the processes that a launcher started: (this one's number, how many).

    To be called once, before anything computes; alone, without a launcher, it is (0, 1)
    and nothing changes. All processes get the first one's seed, so that they make equal
    nets. They must take equally many steps, on batches of equal size.
    """
    if not _Processes.joined:
        _Processes.rank, _Processes.size = backend.distributed.join()
        _Processes.joined = True
        if _Processes.size > 1:
            _share_seed()
    return _Processes.rank, _Processes.size


def _share_seed() -> None:
    # in two halves, since the processes exchange float32
    halves = divmod(current_seed(), 2**16) if _Processes.rank == 0 else (0, 0)
    high, low = (round(mean * _Processes.size) for mean in mean_numbers(halves))
    seed(high * 2**16 + low)


def rank() -> int:
    """The number of this process, from 0; 0 unless `join_processes()` joined others."""
    return _Processes.rank


def world_size() -> int:
    """How many processes train together; 1 unless `join_processes()` joined others."""
    return _Processes.size


def process_mean(x: Tensor) -> Tensor:
    """The mean of a float tensor over the processes; each calls it with its own."""
    check_tensor("x", x)
    return x if _Processes.size == 1 else backend.distributed.average([x])[0]


def mean_numbers(values: Iterable[float]) -> list[float]:
    """The mean of each number over the processes, in float32 if there are several."""
    values = list(values)
    if _Processes.size == 1:
        return values
    mean = process_mean(backend.tensors.tensor(np.array(values, np.float32)))
    return backend.tensors.numpy(mean).tolist()


def mean_statistics(net: Module) -> None:
    """Give the batch norms of `net` the processes' mean statistics: all nets are equal."""
    if _Processes.size == 1:
        return
    slots = backend.weights.slots(net).items()
    slots = [slot for name, slot in slots if name.rpartition(".")[2] in STATISTICS]
    if not slots:
        return
    own = [slot.get() for slot in slots]
    means = np.array(mean_numbers(np.concatenate(own)), np.float32)
    ends = np.cumsum([len(array) for array in own])[:-1]
    for slot, mean in zip(slots, np.split(means, ends), strict=True):
        slot.put(mean)
