"""Pictures with a class for each pixel: the layout of Pascal VOC 2012, and your own.

    ROOT/
        ImageSets/Segmentation/train.txt, val.txt    one name per line
        JPEGImages/NAME.jpg
        SegmentationClass/NAME.png                   VOC's palette: a pixel is its class

ROOT may be the folder `VOC2012`, or the one with `VOCdevkit` or `VOC2012` in it. A label
is as large as its picture. 255 is the void: borders of objects, and what is no class.
A label without a palette may hold the classes as grey levels, or VOC's colours; one with
other numbers or colours is refused.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from .pictures import decode, read_labelled, read_size
from .tables import read_lines

__all__ = [
    "IGNORE",
    "VOC_CLASSES",
    "VOC_COLORMAP",
    "VOID_COLOR",
    "VocFolder",
    "classes_to_colors",
    "color_table",
    "colors_to_classes",
    "find_voc",
    "random_window",
    "read_label",
    "read_numbers",
    "voc_palette",
]

VOC_CLASSES = [
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car"),
    *("cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person"),
    *("potted plant", "sheep", "sofa", "train", "tv/monitor"),
]
"""The 21 classes, background first; a class's place is its number."""

IGNORE = 255  # the class of the void
_SETS = Path("ImageSets", "Segmentation")


@cache
def voc_palette() -> np.ndarray:
    """VOC's palette, (256, 3) uint8, not to be written to.

    The bits of a number, three by three, are the highest bits of red, green and blue,
    then the next lower ones.
    """
    number, palette = np.arange(256), np.zeros((256, 3), np.uint8)
    for level in range(3):
        for channel in range(3):
            bit = (number >> (3 * level + channel)) & 1
            palette[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


VOC_COLORMAP: list[list[int]] = voc_palette()[: len(VOC_CLASSES)].tolist()
"""The colours [red, green, blue] of the 21 classes in a label."""
VOID_COLOR = tuple(voc_palette()[IGNORE].tolist())  # (224, 224, 192)


@cache
def color_table(void: int = 0) -> np.ndarray:
    """The class of each of the 2²⁴ colours, uint8, made once: not to be written to.

    Colour (red, green, blue) is at (red·256 + green)·256 + blue. The void's colour has the
    class `void`, and a colour of no class is background.
    """
    table = np.zeros(2**24, np.uint8)
    places = voc_palette()[: len(VOC_CLASSES)].astype(np.int64) @ [2**16, 2**8, 1]
    table[places] = np.arange(len(VOC_CLASSES))
    table[int(np.dot(VOID_COLOR, [2**16, 2**8, 1]))] = void
    table.flags.writeable = False
    return table


def colors_to_classes(colors: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The classes (H, W) of colours (H, W, 3) by a table as above."""
    red, green, blue = (colors[:, :, c].astype(np.intp) for c in range(3))
    return table.take((red * 256 + green) * 256 + blue)


def classes_to_colors(classes: np.ndarray) -> np.ndarray:
    """The colours (..., 3), uint8, of classes (...)."""
    return voc_palette()[classes.astype(np.int64)]


def random_window(
    H: int, W: int, height: int, width: int, draw: np.random.Generator
) -> tuple[slice, slice]:
    """Rows and columns of a rectangle at a random place of an H × W picture."""
    top, left = (int(draw.integers(n + 1)) for n in (H - height, W - width))
    return slice(top, top + height), slice(left, left + width)


# ---- labels on disk --------------------------------------------------------------------


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """Read VOC's classes from a label: (H, W) uint8, the void is 255.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a picture, or torn, or has numbers or colours that are not
            VOC's; it is named.
    """
    image = decode(path)
    if image.mode == "P" and not _has_voc_palette(image):
        image = image.convert("RGB")
    if image.mode in ("RGB", "RGBA"):
        colors = np.asarray(image.convert("RGB"))
        classes = colors_to_classes(colors, color_table(IGNORE))
        wrong = (voc_palette()[classes] != colors).any(axis=2)
        if wrong.any():
            raise ValueError(
                f"{path}: expected the colours of VOC's classes, got "
                f"{colors[wrong][0].tolist()} (red, green, blue), which is of none"
            )
        return classes
    classes = _numbers(path, image)
    wrong = (classes >= len(VOC_CLASSES)) & (classes != IGNORE)
    if wrong.any():
        raise ValueError(
            f"{path}: expected classes from 0 to {len(VOC_CLASSES) - 1} and {IGNORE} for "
            f"the void, got {classes[wrong][0]}"
        )
    return classes.astype(np.uint8)


def read_numbers(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture whose pixels are numbers, with any palette or none: (H, W).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a picture, or torn, or of colours; it is named.
    """
    return _numbers(path, decode(path))


def _numbers(path: str | os.PathLike[str], image: Image.Image) -> np.ndarray:
    if image.mode not in ("L", "P") and not image.mode.startswith("I;16"):
        raise ValueError(
            f"{path}: expected one number per pixel, of 8 or 16 bits, got mode "
            f"{image.mode}"
        )
    return np.array(image)


def _has_voc_palette(image: Image.Image) -> bool:
    """Whether all numbers in the picture have VOC's colours."""
    palette = np.zeros((256, 3), np.uint8)
    given = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(given)] = given
    used = np.flatnonzero(image.histogram())
    return np.array_equal(palette[used], voc_palette()[used])


# ---- folders ---------------------------------------------------------------------------


def find_voc(folder: str | os.PathLike[str]) -> str:
    """The folder with VOC's layout: `folder`, or one named as the archive has it in there.

    Raises:
        FileNotFoundError: there is none.
    """
    for below in ("", "VOC2012", "VOCdevkit/VOC2012"):
        root = Path(folder, below)
        if (root / _SETS).is_dir():
            return str(root)
    expected = "ImageSets/Segmentation, JPEGImages and SegmentationClass"
    raise FileNotFoundError(
        f"expected a folder with {expected} at {folder}, or below it in VOC2012 or "
        f"VOCdevkit/VOC2012; "
        + ("there is none" if Path(folder).is_dir() else "it is no folder")
    )


class VocFolder:
    """The pictures and labels of one split; they are read when they are asked for.

    Args:
        folder: as for `find_voc`.
        is_train: the names in `train.txt`, or else in `val.txt`.
        crop_size: (height, width); smaller pictures are left out.

    Attributes:
        names: those of the pictures that are left.
        num_filtered: how many were left out.

    Raises:
        FileNotFoundError: no such folder, no list of names, or a picture is missing.
        ValueError: an empty list, or a picture that cannot be read; the file is named.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        is_train: bool = True,
        crop_size: tuple[int, int] | None = None,
    ) -> None:
        self.root = find_voc(folder)
        names = _read_names(
            Path(self.root, _SETS, f"{'train' if is_train else 'val'}.txt")
        )
        self.names = [n for n in names if self._is_large_enough(n, crop_size)]
        self.num_filtered = len(names) - len(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"VocFolder({self.root!r}: {len(self)} pictures)"

    def _picture(self, name: str) -> str:
        return os.path.join(self.root, "JPEGImages", f"{name}.jpg")

    def _label(self, name: str) -> str:
        return os.path.join(self.root, "SegmentationClass", f"{name}.png")

    def _is_large_enough(self, name: str, crop_size: tuple[int, int] | None) -> bool:
        if crop_size is None:
            return True
        height, width = read_size(self._picture(name))
        return height >= crop_size[0] and width >= crop_size[1]

    def image(self, i: int) -> np.ndarray:
        """Read picture i: (H, W, 3), uint8.

        Raises:
            ValueError: the file is not a picture, or torn, or its EXIF notes turn it; it
                is named.
        """
        return read_labelled(self._picture(self.names[i]))

    def colors(self, i: int) -> np.ndarray:
        """Read label i as colours: (H, W, 3), uint8.

        Raises:
            ValueError: as for `classes`.
        """
        return voc_palette()[self.classes(i)]

    def classes(self, i: int, void: int = IGNORE) -> np.ndarray:
        """Read label i as classes: (H, W), uint8.

        Args:
            i: which label.
            void: the class of the void.

        Raises:
            ValueError: as for `read_label`; or its size is not that of the picture.
        """
        path = self._label(self.names[i])
        classes = read_label(path)
        height, width = read_size(self._picture(self.names[i]))
        if classes.shape != (height, width):
            raise ValueError(
                f"{path}: expected the size of its picture, {width} × {height} pixels "
                f"(width × height), got {classes.shape[1]} × {classes.shape[0]}"
            )
        classes[classes == IGNORE] = void
        return classes


def _read_names(path: Path) -> list[str]:
    names = read_lines(path, "one picture's name per line")
    if not names:
        raise ValueError(f"{path} has no names: the split is empty")
    for name in names:
        if Path(name).name != name or "\\" in name or name in (".", ".."):
            raise ValueError(
                f"{path}: expected names of pictures without a folder, got {name!r}"
            )
    return names
