"""Pictures with a class for each pixel: the layout of Pascal VOC 2012, and your own.

    ROOT/
        ImageSets/Segmentation/train.txt, val.txt    one name per line
        JPEGImages/NAME.jpg
        SegmentationClass/NAME.png                   VOC's palette: a pixel is its class

ROOT may be the folder `VOC2012`, or the one with `VOCdevkit` or `VOC2012` in it. A label
is as large as its picture. 255 is the void: borders of objects, and what is no class.
A label without a palette may hold the classes as grey levels, or VOC's colours.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .boxes import _named

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "IGNORE",
    "VOC_CLASSES",
    "VOC_COLORMAP",
    "VOID_COLOR",
    "VocFolder",
    "color_table",
    "colors_to_classes",
    "find_voc",
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


def colors_to_classes(
    colors: np.ndarray,
    table: np.ndarray,
    channels_first: bool = False,
    dtype: str | np.dtype = "uint8",
) -> np.ndarray:
    """The classes (H, W) of colours (H, W, 3), or (3, H, W), uint8, by a table as above.

    Labels are drawn in runs of one colour: it is looked up once for each run.
    """
    size = colors.shape[1:] if channels_first else colors.shape[:2]
    if 0 in size:
        return np.zeros(size, dtype)
    if channels_first:
        pixels = colors.reshape(3, -1)
        red, green, blue = pixels[:, 1:] != pixels[:, :-1]
        starts = np.flatnonzero(red | green | blue) + 1
    else:
        pixels = np.ascontiguousarray(colors).reshape(-1, 3)
        packed = _packed(pixels)
        starts = np.flatnonzero(packed[1:] != packed[:-1]) + 1
    count = size[0] * size[1]
    is_label = 4 * starts.size < count  # and no photograph
    if is_label:
        starts = np.concatenate([[0], starts])
        pixels = pixels[:, starts] if channels_first else pixels[starts]
    red, green, blue = (pixels if channels_first else pixels.T).astype(np.intp)
    classes: np.ndarray = table[red << 16 | green << 8 | blue].astype(dtype)
    if is_label:
        classes = classes.repeat(np.diff(starts, append=count))
    return classes.reshape(size)


def _packed(pixels: np.ndarray) -> np.ndarray:
    """Each of the pixels (n, 3) as one number, (n,) uint32, to compare them at once."""
    packed = np.empty(len(pixels), np.uint32)
    # a pixel's three bytes and one of the next; the last has no next
    overlapping: np.ndarray = np.ndarray(
        (len(pixels) - 1,), "<u4", pixels, strides=(3,)
    )
    np.bitwise_and(overlapping, 0xFFFFFF, out=packed[:-1])
    packed[-1] = int.from_bytes(pixels[-1].tobytes(), "little")
    return packed


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
        names = _read_names(Path(self.root, _SETS, f"{_split(is_train)}.txt"))
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
        height, width = _size(self._picture(name))
        return height >= crop_size[0] and width >= crop_size[1]

    def image(self, i: int) -> np.ndarray:
        """Read picture i: (H, W, 3), uint8.

        Raises:
            ValueError: the file is not a picture, or torn; it is named.
        """
        from PIL import Image

        from .pictures import as_rgb

        path = self._picture(self.names[i])
        with _named(path), Image.open(path) as image:
            return np.array(as_rgb(image))

    def colors(self, i: int) -> np.ndarray:
        """Read label i as colours: (H, W, 3), uint8.

        Raises:
            ValueError: as for `classes`.
        """
        from PIL import Image

        path = self._label(self.names[i])
        with _named(path), Image.open(path) as label:
            if label.mode == "L":
                colors = voc_palette()[np.asarray(label)]
            else:
                colors = np.array(label.convert("RGB"))
        self._check_size(i, colors)
        return colors

    def classes(self, i: int, void: int = IGNORE) -> np.ndarray:
        """Read label i as classes: (H, W), uint8.

        Args:
            i: which label.
            void: the class of the void.

        Raises:
            ValueError: the file is not a picture, or torn, or of another size than the
                picture; or a class above 20 that is not the void. It is named.
        """
        from PIL import Image

        path = self._label(self.names[i])
        with _named(path), Image.open(path) as label:
            classes = _indices(label)
            if classes is None:
                colors = np.asarray(label.convert("RGB"))
                classes = colors_to_classes(colors, color_table(IGNORE))
        self._check_size(i, classes)
        unknown = (classes >= len(VOC_CLASSES)) & (classes != IGNORE)
        if unknown.any():
            raise ValueError(
                f"{path}: expected classes from 0 to {len(VOC_CLASSES) - 1} and {IGNORE}"
                f" for the void, got {classes[unknown][0]}"
            )
        if void != IGNORE:
            classes[classes == IGNORE] = void
        return classes

    def _check_size(self, i: int, label: np.ndarray) -> None:
        size = _size(self._picture(self.names[i]))
        if label.shape[:2] != size:
            raise ValueError(
                f"{self._label(self.names[i])}: expected the size of its picture, "
                f"{size[1]} × {size[0]} pixels (width × height), got "
                f"{label.shape[1]} × {label.shape[0]}"
            )


def _split(is_train: bool) -> str:
    return "train" if is_train else "val"


def _read_names(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}; expected one picture's name per line"
        )
    names = path.read_text(encoding="utf-8-sig").split()
    if not names:
        raise ValueError(f"{path} has no names: the split is empty")
    for name in names:
        if Path(name).name != name or "\\" in name or name in (".", ".."):
            raise ValueError(
                f"{path}: expected names of pictures without a folder, got {name!r}"
            )
    return names


def _size(path: str) -> tuple[int, int]:
    """Height and width from a picture's header."""
    from PIL import Image

    with _named(path), Image.open(path) as image:
        return image.height, image.width


def _indices(label: Image.Image) -> np.ndarray | None:
    """The numbers in a label, if they are VOC's classes: grey, or with VOC's palette."""
    if label.mode == "L":
        return np.array(label)
    if label.mode != "P":
        return None
    classes = np.array(label)
    palette = np.zeros((256, 3), np.uint8)
    given = np.array(label.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(given)] = given
    used = np.flatnonzero(np.bincount(classes.ravel(), minlength=256))
    is_voc = np.array_equal(palette[used], voc_palette()[used])
    return classes if is_voc else None
