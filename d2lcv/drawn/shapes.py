"""Drawn pictures of shapes with a mask for each: a set for instance segmentation.

    ROOT/
        classes.txt              disc, square, triangle
        shapes_train/
            label.csv            img_name,label,xmin,ymin,xmax,ymax
            images/0.png …
            masks/0.png …        grey: 0 background, k the pixels of the picture's k-th row
        shapes_val/
            …

Images and boxes are laid out as `d2lcv.data.boxes` reads them; a folder of your own
needs the masks besides. Nothing but paths and boxes is held in memory.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from .backdrops import overlap
from .making import make_boxes

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["CLASSES", "draw_shapes", "make_shapes"]

CLASSES = ("disc", "square", "triangle")
MAX_OBJECTS = 3
VERSION = 1  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "val")


def make_shapes(
    folder: str | os.PathLike[str],
    num_train: int = 300,
    num_val: int = 60,
    size: int = 128,
    seed: int = 0,
) -> str:
    """Draw a set in the layout described above; picture i depends on seed, split, i only.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train, num_val: how many pictures, at least 1 each.
        size: the side of a picture in pixels, at least 32.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(
        num_train=(num_train, 1), num_val=(num_val, 1), size=(size, 32), seed=(seed, 0)
    )

    def draw(split: str, index: int) -> tuple[dict[str, np.ndarray], list[list[int]]]:
        image, rows, number = draw_shapes(index, split, size, seed)
        return {"images": image, "masks": number}, rows.tolist()

    counts = {"train": num_train, "val": num_val}
    return make_boxes("shapes", folder, counts, CLASSES, draw)


def draw_shapes(
    index: int, split: str = "train", size: int = 128, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one picture with one to three shapes, which hide little of each other.

    Args:
        index: which picture of the split.
        split: `"train"` or `"val"`.
        size: the side of the picture in pixels.
        seed: chooses the pictures.

    Returns:
        The picture (size, size, 3), uint8; rows (k, 5), int64, of class and box x1, y1,
        x2, y2 in pixels, the right and lower border exclusive, tight about what is
        visible; and (size, size), uint8, with i + 1 at the visible pixels of row i.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    canvas, number = _background(rng, size), np.zeros((size, size), np.uint8)
    classes: list[int] = []
    for _ in range(rng.integers(1, MAX_OBJECTS + 1)):
        label = int(rng.integers(len(CLASSES)))
        cover = _cover(rng, label, size * rng.uniform(0.24, 0.46))
        place = _free_place(rng, number, cover)
        if place is not None:
            classes.append(label)
            _lay(rng, canvas, number, cover, place, len(classes))
    rows = [(c, *_tight_box(number == i + 1)) for i, c in enumerate(classes)]
    return _exposed(rng, canvas), np.array(rows), number


def _background(rng: Generator, size: int) -> np.ndarray:
    """A soft mixture of colours and a pattern, without outlines; (size, size, 3) uint8."""
    field = _stretched(_muted(rng, rng.uniform(20, 235, (3, 3, 3))), size)
    for coarse in (7, 20):
        noise = rng.normal(0, rng.uniform(0, 20), (coarse, coarse, 3))
        field += _stretched(_muted(rng, noise) + 128, size) - 128
    return np.clip(field + _pattern(rng, size) // 2, 0, 255).astype(np.uint8)


def _stretched(values: np.ndarray, size: int) -> np.ndarray:
    """Enlarge an (n, n, 3) array smoothly to (size, size, 3) integers, 0 to 255."""
    from PIL import Image

    small = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return np.array(small.resize((size, size), Image.Resampling.BICUBIC), int)


def _muted(rng: Generator, colours: np.ndarray) -> np.ndarray:
    """Take most of the colour away: most surfaces in photographs are nearly grey."""
    grey = colours.mean(-1, keepdims=True)
    return grey + rng.beta(1.2, 2.5) * (colours - grey)


def _pattern(rng: Generator, size: int) -> np.ndarray:
    """Nothing, checks, ripples or stripes; (size, size, 1), int16."""
    kind, strength = rng.integers(4), rng.uniform(0, 30)
    angle, frequency = rng.uniform(0, math.pi), rng.uniform(10, 70)
    y, x = (v.astype(np.float32) / size for v in np.ogrid[:size, :size])
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    wave = np.sin(frequency * along + (3 * np.sin(7 * across) if kind == 2 else 0))
    if kind == 1:
        wave = np.sign(wave * np.sin(frequency * across))
    return (strength * wave * (kind > 0)).astype(np.int16)[:, :, None]


def _any_colour(rng: Generator) -> np.ndarray:
    """Any colour, a yellow one in four cases; whole numbers."""
    if rng.random() < 0.25:
        red = rng.uniform(190, 255)
        return np.floor([red, red * rng.uniform(0.72, 0.98), rng.uniform(20, 110)])
    return np.floor(_muted(rng, rng.uniform(10, 246, 3)))


def _cover(rng: Generator, label: int, length: float) -> np.ndarray:
    """Coverage (h, w), 0 to 1, of a turned shape about `length` pixels across."""
    from PIL import Image, ImageDraw

    fine = 4  # drawn four times as large, then averaged
    corners = (48, 4, 3)[label]
    radius = length / 2 * fine * (1, 1.2, 1.25)[label]
    turn = rng.uniform(0, 2 * math.pi) + 2 * math.pi * np.arange(corners) / corners
    points = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    points[:, 0] *= rng.uniform(0.9, 1)
    points -= points.min(0) - fine
    width, height = (np.ceil(points.max(0) / fine).astype(int) + 1).tolist()
    image = Image.new("L", (width * fine, height * fine))
    ImageDraw.Draw(image).polygon([tuple(p) for p in points.tolist()], fill=255)
    return np.asarray(image.reduce(fine), np.float32) / 255


def _free_place(
    rng: Generator, number: np.ndarray, cover: np.ndarray
) -> tuple[int, int] | None:
    """Where the shape hides little of those before it: top and left, if anywhere."""
    height, width = cover.shape
    for _ in range(12):
        top = int(rng.integers(0, len(number) - height + 1))
        left = int(rng.integers(0, len(number) - width + 1))
        below = number[top : top + height, left : left + width]
        hidden = np.bincount(below[cover >= 0.5], minlength=MAX_OBJECTS + 1)[1:]
        if (hidden <= 0.1 * np.bincount(number.ravel(), minlength=4)[1:]).all():
            return top, left
    return None


def _lay(
    rng: Generator,
    canvas: np.ndarray,
    number: np.ndarray,
    cover: np.ndarray,
    place: tuple[int, int],
    i: int,
) -> None:
    """Paint the shape with its shadow and a soft gradient, and note its pixels."""
    (top, left), (height, width) = place, cover.shape
    _cast_shadow(rng, canvas, cover, top, left)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    sun = rng.uniform(0, 2 * math.pi)
    light = 1 + 0.25 * (x * math.cos(sun) + y * math.sin(sun))
    colour = np.clip(light[:, :, None] * _any_colour(rng), 0, 255)
    region = canvas[top : top + height, left : left + width]
    region[:] = region + cover[:, :, None] * (colour - region) + 0.5
    number[top : top + height, left : left + width][cover >= 0.5] = i


def _cast_shadow(
    rng: Generator, canvas: np.ndarray, cover: np.ndarray, top: int, left: int
) -> None:
    """Darken what lies beside and below the shape, softly."""
    from PIL import Image, ImageFilter

    soft = len(canvas) / 64
    margin = math.ceil(soft)
    shadow = np.pad((255 * rng.uniform(0, 0.55) * cover).astype(np.uint8), margin)
    blurred = Image.fromarray(shadow).filter(ImageFilter.BoxBlur(soft))
    top += round(soft * rng.uniform(-1, 2)) - margin
    left += round(soft * rng.uniform(-1.5, 1.5)) - margin
    here, there = overlap(canvas.shape, shadow.shape, top, left)
    part = np.asarray(blurred, np.float32)[there][:, :, None]
    canvas[here] = canvas[here] * (1 - part / 255)


def _exposed(rng: Generator, canvas: np.ndarray) -> np.ndarray:
    """Vary exposure and colour cast, as different cameras do."""
    gain = rng.uniform(0.8, 1.12) * rng.uniform(0.94, 1.06, 3)
    return np.clip(gain * canvas, 0, 255).astype(np.uint8)


def _tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
