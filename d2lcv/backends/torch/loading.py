"""Data loading in PyTorch."""

from torch.utils.data import DataLoader, Dataset

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
        _Examples(examples), batch_size, sampler=order, num_workers=workers
    )
