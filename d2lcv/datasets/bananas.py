"""The banana detection set, or another one in its layout: boxes on pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import backend
from ..data.boxes import DetectionFolder, read_detection_folder
from ..loading import loader
from .folders import banana_folder

__all__ = ["BananasDataset", "load_data_bananas", "read_data_bananas"]


def read_data_bananas(is_train: bool = True, data: str = "synthetic") -> Any:
    """All images of a banana set and their labels.

    Returns:
        A list of uint8 images (3, H, W) and a float32 tensor of labels (N, G, 5), boxes
        in fractions of the image. Everything is in memory at once; see `BananasDataset`.
    """
    images, labels = read_detection_folder(banana_folder(data), is_train)
    tensor = backend.tensors.tensor
    return [tensor(image.transpose(2, 0, 1).copy()) for image in images], tensor(labels)


class BananasDataset:
    """The banana set, read one image at a time.

    Args:
        is_train: the training or the validation part.
        data: as for `banana_folder`.
        size: (height, width) that images are resized to; `None`: as they are.

    `dataset[i]` is the image (3, H, W), float32 in 0–255, and its label (G, 5) as tensors
    of the active framework; `example(i)` is the same in NumPy.
    """

    def __init__(
        self,
        is_train: bool,
        data: str = "synthetic",
        size: tuple[int, int] | None = None,
    ) -> None:
        self.folder = DetectionFolder(banana_folder(data), is_train, size)
        self.num_classes = self.folder.num_classes

    def __len__(self) -> int:
        return len(self.folder)

    def example(self, i: int) -> tuple[np.ndarray, ...]:
        return self.folder.example(i)

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        return tuple(backend.tensors.tensor(array) for array in self.example(i))


def load_data_bananas(
    batch_size: int, data: str = "synthetic", size: tuple[int, int] | None = None
) -> tuple[Any, Any]:
    """Loaders of the banana set's training part, shuffled, and validation part.

    Each gives images (B, 3, H, W), float32 in 0–255, and labels (B, G, 5).
    """
    return (
        loader(BananasDataset(True, data, size), batch_size, shuffle=True),
        loader(BananasDataset(False, data, size), batch_size),
    )
