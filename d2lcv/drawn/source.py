"""Drawn pictures of many kinds of things: a source set, on which networks are pre-trained.

    ROOT/
        train/CLASS/0.png …
        test/CLASS/0.png …

It has the part that a million labelled photographs have in the book: a network that tells
these things apart has learned edges, textures, colours and shapes in clutter, which help
with other pictures, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from .canvas import Sprite
from .making import make_classes
from .paint import any_colour, ball, develop, draw_background, place, stick
from .things import THINGS

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["CLASSES", "draw_source", "make_source"]

VERSION = 1  # count up when the pictures change: older sets are then not served again

CLASSES: tuple[str, ...] = tuple(THINGS)
"""The names of the classes, sorted: class k of the source set is `CLASSES[k]`."""

_SPLITS = ("train", "test")


def make_source(
    folder: str | os.PathLike[str],
    num_train: int = 300,
    num_test: int = 25,
    size: int = 96,
    seed: int = 0,
) -> str:
    """Draw the source set; picture i of a class depends on seed, split, class, i only.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train, num_test: how many pictures of each class, at least 1.
        size: the side of a picture in pixels, at least 32.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(
        num_train=(num_train, 1),
        num_test=(num_test, 1),
        size=(size, 32),
        seed=(seed, 0),
    )
    counts = {"train": num_train, "test": num_test}

    def draw(split: str, name: str, index: int) -> np.ndarray:
        return draw_source(name, index, split, size, seed)

    return make_classes("source", folder, counts, CLASSES, draw)


def draw_source(
    name: str, index: int, split: str = "train", size: int = 96, seed: int = 0
) -> np.ndarray:
    """Draw one picture with one thing of the class `name`: (size, size, 3), uint8."""
    label = list(CLASSES).index(name)
    rng = np.random.default_rng([seed, _SPLITS.index(split), label, index])
    canvas = draw_background(rng, size)
    for _ in range(rng.integers(0, 3)):
        place(rng, canvas, _clutter(rng, size * rng.uniform(0.15, 0.35)))
    thing = THINGS[name](rng, size * rng.uniform(0.5, 0.85))
    place(rng, canvas, fitting(thing, size))
    if rng.random() < 0.3:
        place(rng, canvas, _clutter(rng, size * rng.uniform(0.12, 0.25)))
    return develop(rng, canvas)


def fitting(sprite: Sprite, size: int) -> Sprite:
    """The part of it that a picture can show."""
    return Sprite(sprite.colour[:size, :size], sprite.cover[:size, :size])


def _clutter(rng: Generator, length: float) -> Sprite:
    make = ball if rng.random() < 0.5 else stick
    return make(rng, length, np.array(any_colour(rng)))
