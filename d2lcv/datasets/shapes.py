"""Drawn shapes with boxes and masks, or a folder of your own in their layout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..data.boxes import DetectionFolder
from ..drawn.sets import synthetic

__all__ = ["ShapesDataset", "shapes_folder"]


class ShapesDataset:
    """Pictures with boxes, classes and masks, read one at a time.

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
        self.folder = DetectionFolder(shapes_folder(data), is_train, size)
        self.num_classes = self.folder.num_classes
        self.class_names = self.folder.class_names

    def __len__(self) -> int:
        return len(self.folder)

    def example(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, label = self.folder.example(i)
        number = _read_mask(self.folder.paths[i], image.shape[1:])
        rows = np.arange(1, len(label) + 1)[:, None, None]
        return image, label, (number == rows).astype(np.float32)


def _read_mask(image_path: str, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers (H, W) of the objects that a picture's pixels belong to."""
    from PIL import Image

    image = Path(image_path)
    path = (image.parents[1] / "masks" / image.name).with_suffix(".png")
    if not path.is_file():
        raise FileNotFoundError(f"{image} has no mask: there is no {path}")
    with Image.open(path) as mask:
        if mask.mode not in ("L", "P"):
            raise ValueError(
                f"{path}: expected one 8-bit number per pixel, got mode {mask.mode}"
            )
        if mask.size != (shape[1], shape[0]):
            mask = mask.resize((shape[1], shape[0]), Image.Resampling.NEAREST)
        return np.asarray(mask)


def shapes_folder(data: str = "synthetic") -> str:
    """The folder of a set of shapes, drawn first where needed.

    Args:
        data: "synthetic" (300 pictures to train on, 60 to validate, drawn in seconds), or
            the path of a folder in that layout.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if data == "synthetic":
        return synthetic("shapes")
    if os.path.isdir(data):
        return data
    raise FileNotFoundError(
        f"data: expected 'synthetic' or a folder, and there is none at {data!r}"
    )
