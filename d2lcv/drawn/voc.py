"""Drawn pictures with a class for each pixel, in the layout of Pascal VOC 2012.

One to three things of seven of VOC's classes lie or stand among clutter that is of none.
Pictures vary in size, so that some are smaller than a crop, and a border of the void, two
to three pixels wide, runs along every outline, as in the original.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from ..data.voc import IGNORE, VOC_CLASSES, voc_palette
from .canvas import Sprite, mix, stripes, tone, vivid
from .making import draw_all, make_set
from .paint import (
    any_colour,
    ball,
    cast_shadow,
    develop,
    draw_background,
    place,
    stick,
)
from .things import THINGS, upright

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["DRAWN_CLASSES", "draw_voc", "make_voc"]

VERSION = 1  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "val")


def make_voc(
    folder: str | os.PathLike[str],
    num_train: int = 300,
    num_val: int = 60,
    size: int = 160,
    seed: int = 0,
) -> str:
    """Draw a set in VOC's layout; picture i depends on seed, split, size and i only.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train, num_val: how many pictures, at least 1 each.
        size: about the longer side of a picture in pixels, at least 64.
        seed: chooses the pictures, at least 0.

    Returns:
        The path of the folder, the counterpart of `VOC2012`. It appears when it is
        complete, and not before.

    Raises:
        FileExistsError: there is something in `folder` already.
        ValueError: a number is too small.
    """
    integers(
        num_train=(num_train, 1), num_val=(num_val, 1), size=(size, 64), seed=(seed, 0)
    )
    counts = {"train": num_train, "val": num_val}
    return make_set(folder, lambda content: _draw_set(content, counts, size, seed))


def _draw_set(folder: Path, counts: dict[str, int], size: int, seed: int) -> None:
    from PIL import Image

    jobs = [(split, i) for split in _SPLITS for i in range(counts[split])]
    lists = folder / "ImageSets" / "Segmentation"
    for made in (folder / "JPEGImages", folder / "SegmentationClass", lists):
        made.mkdir(parents=True)

    def name(split: str, i: int) -> str:
        return f"{split}_{i:06}"

    def draw(job: tuple[str, int]) -> None:
        split, i = job
        pixels, classes = draw_voc(i, split, size, seed)
        path = folder / "JPEGImages" / f"{name(split, i)}.jpg"
        Image.fromarray(pixels).save(path, quality=92)
        label = Image.fromarray(classes)
        label.putpalette(voc_palette().tobytes())  # the mode becomes P
        label.save(folder / "SegmentationClass" / f"{name(split, i)}.png")

    draw_all("voc", jobs, draw)
    for split in _SPLITS:
        names = [name(split, i) for i in range(counts[split])]
        (lists / f"{split}.txt").write_text("\n".join(names) + "\n")


def draw_voc(
    index: int, split: str = "train", size: int = 160, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture and its label.

    Args:
        index: which picture of the split.
        split: "train" or "val".
        size: about the longer side of the picture in pixels.
        seed: chooses the pictures.

    Returns:
        The picture (H, W, 3), uint8, and the classes (H, W), uint8, VOC's numbers, 255
        along outlines.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    side = round(1.1 * size)
    canvas = draw_background(rng, side)
    for _ in range(rng.integers(0, 3)):
        make = ball if rng.random() < 0.5 else stick
        length = side * rng.uniform(0.12, 0.25)
        place(rng, canvas, make(rng, length, np.array(any_colour(rng))))
    rows, columns = _window(rng, side, size)
    label = np.zeros((side, side), np.uint8)
    for _ in range(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15])):
        name = DRAWN_CLASSES[rng.integers(len(DRAWN_CLASSES))]
        length = min(rows.stop - rows.start, columns.stop - columns.start)
        thing = _DRAW[name](rng, length * rng.uniform(0.6, 1.05))
        _lay(rng, canvas, label, thing, VOC_CLASSES.index(name), rows, columns)
    picture = develop(rng, canvas)
    return picture[rows, columns].copy(), label[rows, columns].copy()


def _window(rng: Generator, side: int, size: int) -> tuple[slice, slice]:
    """The part of the canvas that becomes the picture: mostly wider than it is high."""
    long = round(size * rng.uniform(0.85, 1.1))
    short = round(size * rng.uniform(0.65, 0.85))
    height, width = (short, long) if rng.random() < 0.88 else (long, short)
    top = int(rng.integers(side - height + 1))
    left = int(rng.integers(side - width + 1))
    return slice(top, top + height), slice(left, left + width)


def _lay(
    rng: Generator,
    canvas: np.ndarray,
    label: np.ndarray,
    thing: Sprite,
    number: int,
    rows: slice,
    columns: slice,
) -> None:
    """Paint a thing with its shadow, at least its middle in the window, and label it."""
    size = len(canvas)
    height, width = (min(n, size) for n in thing.cover.shape)
    cover = thing.cover[:height, :width]
    top = _start(rng, rows, height, size)
    left = _start(rng, columns, width, size)
    cast_shadow(rng, canvas, cover, top, left)
    part = slice(top, top + height), slice(left, left + width)
    region, colour = canvas[part], np.clip(thing.colour[:height, :width], 0, 255)
    region[:] = region + cover[:, :, None] * (colour - region) + 0.5
    inside = np.zeros(label.shape, np.uint8)
    inside[part] = cover >= 0.5
    outer, inner = _grown(inside), 1 - _grown(1 - inside)
    label[inside > 0] = number
    label[(outer - inner) > 0] = IGNORE


def _start(rng: Generator, window: slice, length: int, size: int) -> int:
    """Where a thing begins: up to a fifth of it may be outside of the window."""
    low, high = window.start - length // 5, window.stop - length + length // 5
    low, high = max(low, 0), min(high, size - length)
    return int(rng.integers(low, max(high, low) + 1)) if low <= size - length else 0


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask, 0 or 1, and the pixels around it."""
    from PIL import Image, ImageFilter

    return np.asarray(Image.fromarray(mask).filter(ImageFilter.MaxFilter(3)))


# ---- things that the source set does not have ------------------------------------------


def _boat(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 1.05 * length, 0.08)
    hull = mix(vivid(rng), (240, 236, 228), stripes(9, 1.57))
    hull = hull if rng.random() < 0.5 else tone(rng, (120, 78, 46))
    mast = rng.uniform(-0.15, 0.15)
    s.stroke([(mast, 0.45), (mast, -0.98)], 0.06, (110, 84, 60), 0.03)
    sail = tone(rng, (240, 236, 226)) if rng.random() < 0.6 else vivid(rng)
    s.polygon([(mast + 0.06, -0.9), (0.8, 0.32), (mast + 0.06, 0.34)], sail, 0.2)
    if rng.random() < 0.7:
        s.polygon([(mast - 0.06, -0.7), (-0.7, 0.32), (mast - 0.06, 0.34)], sail, 0.2)
    s.polygon([(-0.95, 0.42), (0.98, 0.42), (0.7, 0.85), (-0.65, 0.85)], hull, 0.18)
    return s.sprite()


def _car(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 1.15 * length, 0.06)
    paint = vivid(rng) if rng.random() < 0.7 else tone(rng, (200, 200, 204))
    glass = tone(rng, (96, 122, 140))
    roof, back = rng.uniform(-0.52, -0.4), rng.uniform(0.5, 0.85)
    cabin = [(-0.62, 0.02), (-0.35, roof), (0.35, roof), (back, 0.02)]
    s.polygon(cabin, 0.92 * paint, 0.1)
    high = roof + 0.08
    s.polygon([(-0.5, 0.0), (-0.3, high), (-0.05, high), (-0.05, 0.0)], glass, 0.06)
    s.polygon([(0.05, 0.0), (0.05, high), (0.3, high), (back - 0.14, 0)], glass, 0.06)
    around = [(-0.98, 0.1), (-0.6, -0.04), (0.8, -0.04), (0.98, 0.12)]
    s.polygon([*around, (0.98, 0.42), (-0.98, 0.42)], paint, 0.2)
    s.ellipse((-0.92, 0.16), (0.06, 0.07), (250, 240, 190), 0)
    s.ellipse((0.93, 0.16), (0.05, 0.07), (200, 40, 36), 0)
    for x in (-0.55, 0.55):
        s.ellipse((x, 0.42), (0.23, 0.23), (34, 34, 38), 0.08)
        s.ellipse((x, 0.42), (0.11, 0.11), (178, 180, 186), 0.04)
    return s.sprite()


def _potted_plant(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 1.05 * length, 0.06)
    green = tone(rng, [(70, 132, 52), (96, 150, 70), (60, 110, 70)][rng.integers(3)])
    for turn in np.linspace(-1.25, 1.25, rng.integers(5, 9)) + rng.normal(0, 0.1):
        reach = rng.uniform(0.75, 1.05)
        tip = 0.8 * reach * math.sin(turn), 0.2 - 1.15 * reach * math.cos(turn)
        bend = 0.35 * tip[0], 0.2 + 0.55 * (tip[1] - 0.2)
        shade = green * rng.uniform(0.75, 1.15)
        leaf = mix(shade, 0.72 * shade, stripes(16, turn))
        s.stroke([(0, 0.3), bend, tip], [0.07, 0.3, 0.03], leaf, 0.08)
    pot = tone(rng, (188, 98, 60)) if rng.random() < 0.6 else vivid(rng)
    s.polygon([(-0.36, 0.25), (0.36, 0.25), (0.26, 0.95), (-0.26, 0.95)], pot, 0.16)
    s.polygon([(-0.42, 0.16), (0.42, 0.16), (0.4, 0.34), (-0.4, 0.34)], pot, 0.08)
    return s.sprite()


_DRAW: dict[str, Callable[[Generator, float], Sprite]] = {
    **{name: THINGS[name] for name in ("bird", "bottle", "cat", "sheep")},
    "boat": _boat,
    "car": _car,
    "potted plant": _potted_plant,
}

DRAWN_CLASSES: tuple[str, ...] = tuple(sorted(_DRAW, key=VOC_CLASSES.index))
"""Those of VOC's classes that the drawn set has, besides the background."""
