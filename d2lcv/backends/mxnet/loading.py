"""Data loading in MXNet."""

import numpy as onp
from mxnet import gluon, np

from ...loading import stacked

__all__ = ["loader"]


class _Examples(gluon.data.Dataset):
    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)


def _batch(examples):
    # whole numbers are int32 in MXNet, as those of its own functions are
    narrow = {onp.dtype(onp.int64): onp.int32}
    return [np.array(x, dtype=narrow.get(x.dtype, x.dtype)) for x in stacked(examples)]


def loader(examples, order, batch_size, workers):
    # threads, since a process forked after MXNet has started its own can hang
    return gluon.data.DataLoader(
        _Examples(examples),
        batch_size,
        sampler=order,
        num_workers=workers,
        thread_pool=True,
        batchify_fn=_batch,
    )
