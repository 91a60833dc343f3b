"""The banana detection set, or another one in any form of `DetectionDataset`."""

from __future__ import annotations

from typing import Any

from ..backends import backend
from ..data.box_forms import find_form
from ..loading import loader
from .detection import DetectionDataset
from .folders import banana_folder

__all__ = ["BananasDataset", "load_data_bananas", "read_data_bananas"]


def read_data_bananas(is_train: bool = True, data: str = "synthetic") -> Any:
    """All images of a banana set and their labels.

    Returns:
        A list of uint8 images (3, H, W) and a float32 tensor of labels (N, G, 5), boxes
        in fractions of the image. Everything is in memory at once; see `BananasDataset`.
    """
    dataset, tensor = BananasDataset(is_train, data), backend.tensors.tensor
    pixels = (dataset.pixels(i) for i in range(len(dataset)))
    return [tensor(image.transpose(2, 0, 1).copy()) for image in pixels], tensor(
        dataset.labels
    )


class BananasDataset(DetectionDataset):
    """The banana set, read one image at a time: a `DetectionDataset`.

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
        super().__init__(find_form(banana_folder(data), is_train), size)


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
