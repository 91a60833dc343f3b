"""Drawn shapes with boxes and masks, or a folder of your own in their layout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..checks import checked_index
from ..data.boxes import read_csv
from ..data.voc import read_numbers
from .detection import DetectionDataset
from .folders import shapes_folder

__all__ = ["ShapesDataset"]


class ShapesDataset(DetectionDataset):
    """Pictures with boxes, classes and masks, read one at a time: a `DetectionDataset`.

    Args:
        is_train: the training or the validation part.
        data: as for `shapes_folder`.
        size: (height, width) that pictures and masks are resized to; `None`: as they are.

    `example(i)` is the picture (3, H, W), float32 in 0–255, its label (G, 5), rows (class,
    x1, y1, x2, y2) in fractions of the picture, class −1 for padding, and the masks
    (G, H, W) of these rows, float32, 1 inside.

    Raises:
        FileNotFoundError, ValueError: the folder is not laid out as above.
    """

    def __init__(
        self,
        is_train: bool,
        data: str = "synthetic",
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(read_csv(shapes_folder(data), is_train), size)

    def example(self, i: int) -> tuple[np.ndarray, ...]:
        i = checked_index("index", i, len(self))
        image, label = super().example(i)
        height, width = self.sizes[i]
        size = self.size or (height, width)
        number = _read_mask(self.paths[i], (height, width), size)
        rows = np.arange(1, len(label) + 1)[:, None, None]
        return image, label, (number == rows).astype(np.float32)


def _read_mask(
    image_path: str, stored: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """The numbers (H, W) of the objects that a picture's pixels belong to.

    Args:
        image_path: of the picture; its mask is in the folder `masks` beside `images`.
        stored: height and width of the picture on disk, which are the mask's, too.
        size: height and width to give it.
    """
    from PIL import Image

    images, name = os.path.split(image_path)
    path = Path(images).parent / "masks" / Path(name).with_suffix(".png")
    if not path.is_file():
        raise FileNotFoundError(f"{image_path} has no mask: there is no {path}")
    numbers = read_numbers(path)
    if numbers.shape != stored:
        raise ValueError(
            f"{path}: expected the size of its picture, {stored[1]} × {stored[0]} pixels "
            f"(width × height), got {numbers.shape[1]} × {numbers.shape[0]}"
        )
    if stored == size:
        return numbers
    mask = Image.fromarray(numbers)
    return np.asarray(mask.resize(size[::-1], Image.Resampling.NEAREST))
