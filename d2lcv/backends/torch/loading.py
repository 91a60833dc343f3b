"""Data loading in PyTorch."""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

__all__ = ["WORKERS_ARE_PROCESSES", "ExampleDataset", "collate", "loader"]

WORKERS_ARE_PROCESSES = True


class ExampleDataset(Dataset):
    """Pictures and what belongs to them, one example at a time, as NumPy arrays."""

    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)  # such as an image (3, H, W) and its label


def collate(batch):
    # [(image, label), …] → images (B, 3, H, W), labels (B, …)
    return [torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True)]


def loader(examples, order, batch_size, workers=0, collate=collate):
    return DataLoader(
        ExampleDataset(examples),
        batch_size,
        sampler=order,  # the indices of a pass
        num_workers=workers,
        collate_fn=collate,
    )
