"""Data loading in MXNet."""

from mxnet import gluon
from mxnet.gluon.data.dataloader import default_batchify_fn

__all__ = ["loader"]


class _Examples(gluon.data.Dataset):
    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)


def loader(examples, order, batch_size, workers):
    # threads, since a process forked after MXNet has started its own can hang; batches
    # made for the one process then, not for memory that processes share
    return gluon.data.DataLoader(
        _Examples(examples),
        batch_size,
        sampler=order,
        num_workers=workers,
        thread_pool=True,
        batchify_fn=default_batchify_fn,
    )
