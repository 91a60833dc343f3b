"""Data loading in MXNet."""

import numpy as onp
from mxnet import gluon, np

__all__ = ["loader"]


class _Examples(gluon.data.Dataset):
    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)


def _batchify(examples):
    return tuple(np.array(onp.stack(column)) for column in zip(*examples, strict=True))


def loader(examples, order, batch_size, workers):
    # threads: a process forked after MXNet has started its own can hang
    return gluon.data.DataLoader(
        _Examples(examples),
        batch_size,
        sampler=order,
        last_batch="keep",
        batchify_fn=_batchify,
        num_workers=workers,
        thread_pool=True,
    )
