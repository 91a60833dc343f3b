"""Data loading in PaddlePaddle."""

from paddle.io import BatchSampler, DataLoader, Dataset

__all__ = ["loader"]


class _Examples(Dataset):
    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self.examples.example(i)


def loader(examples, order, batch_size, workers):
    return DataLoader(
        _Examples(examples),
        batch_sampler=BatchSampler(sampler=order, batch_size=batch_size),
        num_workers=workers,
    )
