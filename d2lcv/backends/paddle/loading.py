"""Data loading in PaddlePaddle."""

import numpy as np
from paddle.io import BatchSampler, DataLoader, Dataset

__all__ = ["WORKERS_ARE_PROCESSES", "ExampleDataset", "collate", "loader"]

WORKERS_ARE_PROCESSES = True


class ExampleDataset(Dataset):
    """Pictures and what belongs to them, one example at a time, as NumPy arrays."""

    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        try:
            return self.examples.example(i)  # such as an image (3, H, W) and its label
        except Exception as error:
            # any other one ends the loader's thread, which is then waited for for ever
            raise StopIteration from error


def collate(batch):
    # [(image, label), …] → images (B, 3, H, W), labels (B, …); tensors by the loader
    try:
        return [np.stack(part) for part in zip(*batch, strict=True)]
    except Exception as error:
        raise StopIteration from error


class Loader(DataLoader):
    """Ends its worker processes when a pass is left before its end."""

    def __iter__(self):
        batches = super().__iter__()
        try:
            yield from batches
        finally:
            if self.num_workers:
                batches._try_shutdown_all(1)


def loader(examples, order, batch_size, workers=0, collate=collate):
    return Loader(
        ExampleDataset(examples),
        batch_sampler=BatchSampler(sampler=order, batch_size=batch_size),
        num_workers=workers,
        collate_fn=collate,
    )
