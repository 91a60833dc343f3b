"""Pictures as Pillow has them: reading any of them as RGB, moving and colouring pixels.

A picture is a PIL image of mode RGB, 8 bits a channel. The functions on one are what every
column's `augmentation.py` offers for tensors, under the same names; results are in whole
grey levels, and the same on every backend.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageEnhance, UnidentifiedImageError

__all__ = [
    "SUFFIXES",
    "add_color",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "as_rgb",
    "crop",
    "decode",
    "find_pictures",
    "flip_left_right",
    "flip_up_down",
    "read_labelled",
    "read_picture",
    "read_size",
    "resize",
    "to_array",
]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

_FLIP, _HUES = Image.Transpose, 255  # Pillow's hue is a byte, and 255 is a full turn
# How a picture is turned upright, by the orientation in its EXIF notes
_TURNS = {
    2: _FLIP.FLIP_LEFT_RIGHT,
    3: _FLIP.ROTATE_180,
    4: _FLIP.FLIP_TOP_BOTTOM,
    5: _FLIP.TRANSPOSE,
    6: _FLIP.ROTATE_270,
    7: _FLIP.TRANSVERSE,
    8: _FLIP.ROTATE_90,
}


# ---- reading -------------------------------------------------------------------------


def read_picture(path: str | os.PathLike[str]) -> Image.Image:
    """Read a picture of any kind as RGB, upright as its EXIF orientation says.

    Grey and palette pictures become RGB, 16-bit grey keeps its upper eight bits, an
    alpha channel is dropped. Of an animation it is the first frame.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a picture, or torn, or of numbers whose white is
            unknown; it is named.
    """
    image = decode(path, upright=True)
    with _named(path):
        return as_rgb(image)


def read_labelled(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None
) -> np.ndarray:
    """Read a picture whose boxes or masks lie beside it: (H, W, 3) uint8.

    Args:
        path: of the picture.
        size: (height, width) that it is resized to, bilinearly without aliasing.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as for `read_picture` and `decode`.
    """
    height, width = size or (0, 0)
    image = decode(path, (width, height) if size else None)
    with _named(path):
        image = as_rgb(image)
        if size:
            bilinear = Image.Resampling.BILINEAR
            image = image.resize((width, height), bilinear, reducing_gap=2.0)
        return np.array(image)


def read_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width from a picture's header."""
    with _named(path), Image.open(path) as image:
        return image.height, image.width


def decode(
    path: str | os.PathLike[str],
    draft: tuple[int, int] | None = None,
    upright: bool = False,
) -> Image.Image:
    """Decode a whole file, as it is: the one place in which pictures are opened.

    Args:
        path: of the file.
        draft: (width, height); a JPEG may be decoded at half its size, a quarter …, but
            not below this.
        upright: turn the picture as its EXIF orientation says. Without, one that must be
            turned is refused: its boxes or mask may have been drawn before or after.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a picture, or torn, or must be turned; it is named.
    """
    with _named(path):
        with open(path, "rb") as file:
            raw = file.read()
        with Image.open(io.BytesIO(raw)) as image:
            if image.format == "PNG":
                _check_png(raw)
            if draft:
                image.draft("RGB", draft)
            # Pillow turns a TIFF when it loads it, and keeps no note of that
            is_turned = image.format == "TIFF" and _turn(image) is not None
            image.load()
        turn = _turn(image)
        if upright:
            return image if turn is None else image.transpose(turn)
    if is_turned or turn is not None:
        raise ValueError(
            f"{path}: its EXIF orientation turns it, and its labels may be meant for the "
            "pixels before or after; turn the pixels of the file "
            "(PIL.ImageOps.exif_transpose), check the labels, and save it without"
        )
    return image


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let every way in which a picture can be broken end in one error with its name."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"the picture {path} is missing") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything
        why = "it is none" if isinstance(error, UnidentifiedImageError) else error
        raise ValueError(
            f"{path} cannot be read: expected a whole picture, PNG, JPEG or another kind "
            f"that Pillow reads ({why})"
        ) from error


def _check_png(raw: bytes) -> None:
    """Raise `ValueError` unless all checksums fit: Pillow passes over those of pixels."""
    start = 8
    while start + 12 <= len(raw):
        (length,) = struct.unpack_from(">I", raw, start)
        end = start + 8 + length
        body = memoryview(raw)[start + 4 : end]
        if raw[end : end + 4] != zlib.crc32(body).to_bytes(4, "big"):
            raise ValueError("wrong checksum")
        if bytes(body[:4]) == b"IEND":
            return
        start = end + 4
    raise ValueError("no end")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright, if it is not: only the orientation is looked at."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # notes that cannot be read turn nothing
        return None


def as_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB; itself, if it has it already.

    Raises:
        ValueError: its pixels are 32-bit integers or floats, whose white may be anything.
    """
    if image.mode == "RGB":
        return image
    # Pillow reads 16 bits of PPM, and its older versions those of PNG, as 32
    is_wide = image.mode == "I" and image.format in ("PNG", "PPM")
    if image.mode.startswith("I;16") or is_wide:
        # Pillow would clip 16 bits instead of scaling them
        grey = np.clip(np.asarray(image, np.int64) >> 8, 0, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(
            f"expected a picture of 8 or 16 bits a channel, got one of mode "
            f"{image.mode}, whose white may be 1, 255 or another number; convert it first"
        )
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def find_pictures(
    folder: str | os.PathLike[str],
) -> tuple[list[str], list[str], np.ndarray]:
    """The pictures below a folder that has a sub-folder for each class.

    Returns:
        The N paths, class by class; the names of the classes; and the classes of the
        paths (N,), int64. Names are in natural order: numbers in them count as numbers,
        so 2 comes before 10. Pictures in folders below a class belong to it. Files that
        are not called like a picture (`SUFFIXES`) and hidden ones are left out.

    Raises:
        FileNotFoundError: there is no such folder, or no sub-folder in it, or one
            without pictures.
    """
    root = Path(folder)
    expected = "expected a folder with one sub-folder of pictures for each class"
    if not root.is_dir():
        raise FileNotFoundError(f"{expected}, and there is no folder {root}")
    names = [p.name for p in root.iterdir() if p.is_dir() and p.name[0] != "."]
    if not names:
        there = ", ".join(sorted(p.name for p in root.iterdir())[:5]) or "nothing"
        raise FileNotFoundError(f"{expected}; in {root} there is {there}")
    classes = sorted(names, key=natural)
    paths: list[str] = []
    counts = []
    for name in classes:
        found = _pictures_below(root / name)
        if not found:
            raise FileNotFoundError(
                f"{expected}; in {root / name} there is no picture "
                f"({', '.join(SUFFIXES)})"
            )
        paths += found
        counts.append(len(found))
    return paths, classes, np.repeat(np.arange(len(classes)), counts)


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A key to sort names by, in which numbers count as numbers: 2 before 10."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(not n, int(n or 0), text) for n, text in parts], name


def _pictures_below(folder: Path) -> list[str]:
    found, seen = [], set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # a link leads back to it
            folders[:] = []
            continue
        seen.add(place)
        folders[:] = sorted((f for f in folders if f[0] != "."), key=natural)
        found += [
            os.path.join(parent, name)
            for name in sorted(files, key=natural)
            if name[0] != "." and name.lower().endswith(SUFFIXES)
        ]
    return found


# ---- pixels --------------------------------------------------------------------------


def to_array(
    image: Image.Image,
    mean: Sequence[float] = (0, 0, 0),
    std: Sequence[float] = (1, 1, 1),
) -> np.ndarray:
    """(3, H, W) float32 from 0 to 1, less the mean, by the standard deviation."""
    pixels = np.asarray(image).transpose(2, 0, 1)
    array = np.divide(pixels, np.float32(255), order="C", dtype=np.float32)
    if any(mean):
        array -= np.array(mean, np.float32)[:, None, None]
    if set(std) != {1}:
        array /= np.array(std, np.float32)[:, None, None]
    return array


def flip_left_right(image: Image.Image) -> Image.Image:
    return image.transpose(_FLIP.FLIP_LEFT_RIGHT)


def flip_up_down(image: Image.Image) -> Image.Image:
    return image.transpose(_FLIP.FLIP_TOP_BOTTOM)


def crop(
    image: Image.Image, top: int, left: int, height: int, width: int
) -> Image.Image:
    return image.crop((left, top, left + width, top + height))


def resize(image: Image.Image, height: int, width: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BILINEAR)


def adjust_brightness(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def adjust_contrast(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(factor)


def adjust_saturation(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Color(image).enhance(factor)


def adjust_hue(image: Image.Image, shift: float) -> Image.Image:
    turned = [(hue + int(shift * _HUES)) % 256 for hue in range(256)]
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(turned), saturation, value)).convert("RGB")


def add_color(image: Image.Image, rgb: np.ndarray) -> Image.Image:
    levels = np.arange(256) + np.asarray(rgb)[:, None]
    return image.point(np.clip(np.rint(levels), 0, 255).astype(int).ravel().tolist())
