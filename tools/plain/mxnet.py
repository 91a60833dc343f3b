"""Gluon's ImageFolderDataset, transforms and DataLoader."""

from mxnet import gluon
from mxnet.gluon.data.vision import ImageFolderDataset
from mxnet.gluon.data.vision import transforms as T


def loader(folder, batch_size, side, mean, std):
    steps = [
        T.RandomResizedCrop(side),
        T.RandomFlipLeftRight(),
        T.ToTensor(),
        T.Normalize(mean, std),
    ]
    dataset = ImageFolderDataset(folder).transform_first(T.Compose(steps))
    return gluon.data.DataLoader(dataset, batch_size, shuffle=True)
