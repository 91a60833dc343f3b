"""Paddle's DatasetFolder, transforms and DataLoader."""

from paddle.io import DataLoader
from paddle.vision import transforms as T
from paddle.vision.datasets import DatasetFolder


def loader(folder, batch_size, side, mean, std):
    steps = [
        T.RandomResizedCrop(side),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize(mean, std),
    ]
    dataset = DatasetFolder(folder, transform=T.Compose(steps))
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)
