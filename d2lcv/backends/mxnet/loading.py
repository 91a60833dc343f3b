"""Data loading in MXNet."""

import numpy as onp
from mxnet import gluon, np

__all__ = ["WORKERS_ARE_PROCESSES", "ExampleDataset", "collate", "loader"]

WORKERS_ARE_PROCESSES = False


class ExampleDataset(gluon.data.Dataset):
    """Pictures and what belongs to them, one example at a time, as NumPy arrays."""

    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)  # such as an image (3, H, W) and its label


def collate(batch):
    # [(image, label), …] → images (B, 3, H, W), labels (B, …)
    arrays = [onp.stack(part) for part in zip(*batch, strict=True)]
    # whole numbers are int32 in MXNet, as those of its own functions are
    types = ["int32" if x.dtype == onp.int64 else x.dtype for x in arrays]
    return [np.array(x, dtype=kind) for x, kind in zip(arrays, types, strict=True)]


def loader(examples, order, batch_size, workers=0, collate=collate):
    # threads, since a process forked after MXNet has started its own can hang
    return gluon.data.DataLoader(
        ExampleDataset(examples),
        batch_size,
        sampler=order,  # the indices of a pass
        num_workers=workers,
        thread_pool=True,
        batchify_fn=collate,
    )
