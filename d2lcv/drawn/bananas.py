"""Drawn pictures with one banana each, in the layout of the book's `banana-detection`.

The lesson needs pictures in which one object must be found among many others. Here it
is a banana: a bent, tapered, shaded tube with dark ends. Around it lie things that
share its colour (yellow balls, sticks and rings) or its shape (bent things of other
colours), so that neither a colour threshold nor the outline alone finds it.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from .canvas import Sprite
from .making import draw_all, make_set, save_png
from .paint import (
    Tube,
    any_colour,
    ball,
    bent_tube,
    blend,
    develop,
    draw_background,
    place,
    shade,
    stick,
    yellow,
)

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["draw_banana", "make_bananas"]

VERSION = 3  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "val")
_HEADER = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")


def make_bananas(
    folder: str | os.PathLike[str],
    num_train: int = 1000,
    num_val: int = 100,
    size: int = 256,
    seed: int = 0,
) -> str:
    """Draw a set of banana pictures in the layout of the book's `banana-detection`.

    `folder` then has `bananas_train` and `bananas_val`, each with `images/0.png`, …
    and `label.csv`: one row per picture, class 0 and the corners of the box in pixels.
    Picture i depends on `seed`, its split and i only, not on how many there are.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train: how many pictures to train on, at least 1.
        num_val: how many pictures to validate on, at least 1.
        size: the side of a picture in pixels, at least 32.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(
        num_train=(num_train, 1), num_val=(num_val, 1), size=(size, 32), seed=(seed, 0)
    )
    counts = {"train": num_train, "val": num_val}
    return make_set(folder, lambda content: _draw_set(content, counts, size, seed))


def _draw_set(folder: Path, counts: dict[str, int], size: int, seed: int) -> None:
    jobs = [(split, index) for split in _SPLITS for index in range(counts[split])]
    for split in _SPLITS:
        (folder / f"bananas_{split}" / "images").mkdir(parents=True)
    (folder / "classes.txt").write_text("banana\n")

    def draw(job: tuple[str, int]) -> np.ndarray:
        split, index = job
        image, box, _ = draw_banana(index, split, size, seed)
        save_png(image, folder / f"bananas_{split}" / "images" / f"{index}.png")
        return box

    boxes = draw_all("bananas", jobs, draw)
    for split in _SPLITS:
        rows = [
            (f"{index}.png", 0, *box.tolist())
            for (of, index), box in zip(jobs, boxes, strict=True)
            if of == split
        ]
        with open(folder / f"bananas_{split}" / "label.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([_HEADER, *rows])


def draw_banana(
    index: int, split: str = "train", size: int = 256, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one picture with one banana.

    Args:
        index: which picture of the split.
        split: `"train"` or `"val"`.
        size: the side of the picture in pixels.
        seed: chooses the pictures.

    Returns:
        The picture (size, size, 3), uint8; the banana's box (4,), int64, as x1, y1, x2,
        y2 in pixels, the right and lower border exclusive; and the banana's pixels
        (size, size), bool, of which it is the tight box.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    canvas = draw_background(rng, size)
    for _ in range(rng.integers(1, 5)):
        place(rng, canvas, _distractor(rng, size))
    mask = place(rng, canvas, draw_one(rng, size * rng.uniform(0.3, 0.55)))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return develop(rng, canvas), box, mask


_BANANA_AT = (0, 0.03, 0.1, 0.16, 0.24, 0.36, 0.52, 0.7, 0.83, 0.92, 0.965, 1)
_BANANA_WIDTH = (0.3, 0.27, 0.24, 0.34, 0.66, 0.93, 1, 0.95, 0.74, 0.42, 0.25, 0.2)


def draw_one(rng: Generator, length: float) -> Sprite:
    """A banana whose box is `length` pixels on its longer side."""
    thick = rng.uniform(0.18, 0.24)

    def half_width(along: np.ndarray) -> np.ndarray:
        return thick * np.interp(along, _BANANA_AT, _BANANA_WIDTH)

    tube = bent_tube(
        rng, length, rng.uniform(1.5, 2.3), half_width, rng.uniform(-0.2, 0.2)
    )
    colour = shade(tube, _ripeness(rng))
    for ridge in (rng.uniform(-0.45, -0.15), rng.uniform(0.3, 0.55)):
        edge = np.exp(-(((tube.across - ridge) / 0.09) ** 2))
        colour *= 1 - 0.13 * edge[:, :, None]
    _speckle(rng, colour, tube)
    stem = np.clip((0.2 - tube.along) / 0.12, 0, 1)
    blend(colour, np.array([150, 150, 60.0]), 0.7 * stem)
    ends = np.clip((0.045 - np.minimum(tube.along, 1 - tube.along)) / 0.02, 0, 1)
    blend(colour, rng.uniform(0.5, 1.3) * np.array([62, 46, 30.0]), ends)
    return Sprite(colour, tube.cover)


def _ripeness(rng: Generator) -> np.ndarray:
    """The colour of the peel: greenish, yellow, or brownish yellow; mostly yellow."""
    stages = np.array([[176, 196, 72], [242, 208, 66], [250, 212, 52], [220, 170, 56]])
    stage = 3 * rng.beta(1.6, 1.6)
    colour = [np.interp(stage, range(4), channel) for channel in stages.T]
    return np.array(colour) * rng.uniform(0.92, 1.05)


def _speckle(rng: Generator, colour: np.ndarray, tube: Tube) -> None:
    """Sprinkle the brown spots of a ripe peel, along the fruit's own coordinates."""
    spots = np.clip(rng.normal(-3.2 + rng.uniform(0, 1.7), 1, (40, 9)), 0, 1)
    row = np.clip(tube.along * 40, 0, 39).astype(int)
    column = np.clip((tube.across + 1) * 4.5, 0, 8).astype(int)
    blend(colour, np.array([120, 80, 35.0]), 0.7 * spots[row, column])


def _distractor(rng: Generator, size: int) -> Sprite:
    """A shaded thing that is no banana."""
    length = size * rng.uniform(0.12, 0.42)
    kind = rng.integers(4)
    if kind == 0:
        return ball(rng, length, yellow(rng))
    if kind == 1:
        return ball(rng, length, np.array(any_colour(rng)))
    if kind == 2:
        return stick(rng, length, np.array(any_colour(rng)))
    return _pepper(rng, length)


_PEPPERS = (
    (200, 40, 30),
    (40, 110, 45),
    (110, 45, 130),
    (60, 90, 190),
    (225, 225, 220),
)


def _pepper(rng: Generator, length: float) -> Sprite:
    """A bent thing, pointed or blunt, in any colour but yellow."""
    thick, taper = rng.uniform(0.08, 0.25), rng.uniform(0, 0.95)

    def half_width(along: np.ndarray) -> np.ndarray:
        return thick * (1 - taper * np.clip(along, 0, 1) ** 2)

    tube = bent_tube(
        rng, length, rng.uniform(0.9, 2.8), half_width, rng.uniform(-0.3, 0.3)
    )
    colour = np.array(_PEPPERS[rng.integers(len(_PEPPERS))]) * rng.uniform(0.7, 1.2)
    return Sprite(shade(tube, colour), tube.cover)
