"""Data loading in PaddlePaddle."""

import functools
import gc

import numpy as np
from paddle.io import BatchSampler, DataLoader, Dataset

__all__ = ["WORKERS_ARE_PROCESSES", "ExampleDataset", "collate", "loader"]

WORKERS_ARE_PROCESSES = True


def ending(function):
    """As `function`; an error ends the pass."""

    @functools.wraps(function)
    def call(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            # any other one ends the loader's thread, which is then waited for for ever
            raise StopIteration from error

    return call


class ExampleDataset(Dataset):
    """Pictures and what belongs to them, one example at a time, as NumPy arrays."""

    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    @ending
    def __getitem__(self, i):
        return self.examples.example(i)  # such as an image (3, H, W) and its label


def collate(batch):
    # [(image, label), …] → images (B, 3, H, W), labels (B, …); tensors by the loader
    return [np.stack(part) for part in zip(*batch, strict=True)]


class WorkersLoader(DataLoader):
    """Workers that neither wait for what they do not have nor outlive a pass."""

    def __iter__(self):
        # a worker that frees its parent's readers would wait for threads it has not
        gc.freeze()
        try:
            batches = super().__iter__()  # forks
        finally:
            gc.unfreeze()
        try:
            yield from batches
        finally:  # also where a pass is left before its end
            batches._try_shutdown_all(1)


def loader(examples, order, batch_size, workers=0, collate=collate):
    make = WorkersLoader if workers else DataLoader
    return make(
        ExampleDataset(examples),
        batch_sampler=BatchSampler(sampler=order, batch_size=batch_size),
        num_workers=workers,
        # seconds that a thread of a pass that was left still waits
        timeout=1 if workers else 0,
        collate_fn=ending(collate),
    )
