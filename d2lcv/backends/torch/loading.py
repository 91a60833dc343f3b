"""Data loading in PyTorch."""

import torch
from torch.utils.data import DataLoader, Dataset

from ...loading import forked, stacked

__all__ = ["loader"]


class _Examples(Dataset):
    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)


def _batch(examples):
    return [torch.from_numpy(array) for array in stacked(examples)]


def loader(examples, order, batch_size, workers):
    return DataLoader(
        _Examples(examples),
        batch_size,
        sampler=order,
        num_workers=forked(workers),
        collate_fn=_batch,
    )
