"""torchvision's ImageFolder and transforms, PyTorch's DataLoader."""

import torch
from torchvision import transforms as T
from torchvision.datasets import ImageFolder


def loader(folder, batch_size, side, mean, std):
    steps = [
        T.RandomResizedCrop(side),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize(mean, std),
    ]
    dataset = ImageFolder(folder, T.Compose(steps))
    return torch.utils.data.DataLoader(dataset, batch_size, shuffle=True)
