"""Training in several processes, one for each device, started by a launcher.

After `join_processes()` every `Trainer` averages its gradients over the processes: equal
weights and equal shares of a batch then take the step that one process takes on the whole
batch. `docs/distributed.md` has the command for each framework.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .backends import Tensor, backend
from .checks import check_tensor
from .randomness import current_seed, seed, stream, stream_of

if TYPE_CHECKING:
    from .loading import Examples

__all__ = ["join_processes", "process_mean", "rank", "shard", "world_size"]


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
    mean = process_mean(backend.tensors.tensor(np.array(halves, np.float32)))
    high, low = (backend.tensors.numpy(mean) * _Processes.size).round()
    seed(int(high) * 2**16 + int(low))


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


class _Shard:
    """Every size-th example of a set; begun again where it ends, so that all are equal."""

    def __init__(self, examples: Examples, rank: int, size: int) -> None:
        self.examples, self.rank, self.size = examples, rank, size

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.size)

    def example(self, i: int) -> tuple[np.ndarray, ...]:
        if not 0 <= i < len(self):
            raise IndexError(f"example {i} of a share of {len(self)}")
        # not the numbers that other processes draw for their i-th example
        with stream_of(int(stream().integers(2**62)) + self.rank):
            return self.examples.example(
                (i * self.size + self.rank) % len(self.examples)
            )


def shard(examples: Examples) -> Any:
    """This process's share of a set, for `loader`: examples rank, rank + world_size, ….

    With shares in batches of b the processes together see batches of b·world_size: those
    that one process sees in this size without shuffling. All shares are equally long; where
    the set's size is no multiple, its first examples are used once more to fill them.

    Alone, it is the set itself.
    """
    if _Processes.size == 1:
        return examples
    return _Shard(examples, _Processes.rank, _Processes.size)
