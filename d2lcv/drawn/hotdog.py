"""Drawn pictures of hot dogs and of other food, in the layout of the book's `hotdog`.

    ROOT/
        train/hotdog/0.png …   train/not-hotdog/0.png …
        test/hotdog/0.png …    test/not-hotdog/0.png …

Few pictures, of many sizes. A hot dog is a sausage in a bun; the other pictures show what
shares its parts or its colours: sausages without a bun, buns with something else in them,
bananas, carrots, bread, burgers. So neither a colour nor a single part tells them apart.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np

from ..checks import integers
from .backdrops import Scene, kitchen, meadow, table
from .canvas import Canvas, Sprite
from .making import make_classes
from .zoo import food, household, plants

__all__ = ["CLASSES", "draw_hotdog", "make_hotdog"]

VERSION = 2  # count up when the pictures change: older sets are then not served again

CLASSES = ("hotdog", "not-hotdog")
_SPLITS = ("train", "test")

Thing = Callable[[Canvas], None]


def make_hotdog(
    folder: str | os.PathLike[str],
    num_train: int = 80,
    num_test: int = 200,
    size: int = 200,
    seed: int = 0,
) -> str:
    """Draw the set; picture i of a class depends on seed, split, class and i only.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train, num_test: how many pictures of each class, at least 1.
        size: the longest side that a picture may have in pixels, at least 64.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(
        num_train=(num_train, 1),
        num_test=(num_test, 1),
        size=(size, 64),
        seed=(seed, 0),
    )
    counts = {"train": num_train, "test": num_test}

    def draw(split: str, name: str, index: int) -> np.ndarray:
        return draw_hotdog(name, index, split, size, seed)

    return make_classes("hotdog", folder, counts, CLASSES, draw)


def draw_hotdog(
    name: str, index: int, split: str = "train", size: int = 200, seed: int = 0
) -> np.ndarray:
    """Draw one picture of the class `name`: (h, w, 3), uint8, h and w at most `size`."""
    label = CLASSES.index(name)
    rng = np.random.default_rng([seed, _SPLITS.index(split), label, index])
    long = round(size * rng.uniform(0.6, 1))
    short = round(long * rng.uniform(0.65, 1))
    height, width = (short, long) if rng.random() < 0.7 else (long, short)
    place = (table, kitchen, meadow)[rng.choice(3, p=[0.7, 0.18, 0.12])]
    scene = place(rng, (height, width))
    y = height * rng.uniform(0.78, 0.95)
    if scene.horizon < 0:
        y = height * rng.uniform(0.7, 0.85)
    x, length = width * rng.uniform(0.3, 0.7), short * rng.uniform(0.75, 1.05)
    for row in sorted(
        rng.uniform(max(scene.horizon, 0) + 0.15 * height, y, rng.integers(4))
    ):
        reach = length * rng.uniform(0.3, 0.6) * scene.near(row) / scene.near(y)
        things = _LYING if scene.horizon < 0 else _LYING + _STANDING
        scene.put(_drawn(scene, things, reach), rng.uniform(0, width), row)
    if rng.random() < 0.5:
        above = scene.horizon < 0
        paper = above and rng.random() < 0.5
        dish = household.napkin if paper else household.plate
        dish = scene.drawn(dish, 1.15 * length, squeeze=(1, 1 if above else 0.45))
        scene.put(dish, x, y + 0.3 * len(dish.cover), lies=True)
    thing = _drawn(scene, [food.hot_dog] if label == 0 else _OTHERS, length)
    scene.put(thing, x, y, lies=True)
    return scene.photograph()


def _drawn(scene: Scene, things: list[Thing], length: float) -> Sprite:
    """One of the things; seen from above it is turned by any angle."""
    rng = scene.rng
    draw = things[rng.integers(len(things))]
    turn = rng.integers(2) * math.pi + rng.normal(0, 0.3)
    if scene.horizon < 0:
        turn = rng.uniform(0, 2 * math.pi)
    if draw in _STANDING or draw is food.burger:
        turn = rng.normal(0, 0.04)
    mirror, squeeze = bool(rng.random() < 0.5), (1, rng.uniform(0.85, 1))
    return scene.drawn(draw, length, turn, mirror, squeeze)


# What shares a hot dog's parts or colours comes more often
_OTHERS: list[Thing] = [
    *(food.sausages, food.sausages, food.sausage, *3 * [food.sandwich]),
    *(*3 * [food.empty_bun], *3 * [food.odd_bun], food.burger, food.burger),
    *(food.bread, food.bread, food.banana, food.carrot, food.croissant),
    *(food.pepper, food.donut, food.pizza, food.chips),
]
_LYING: list[Thing] = [
    *(food.lemon_half, food.tomato, plants.leaf, food.pepper, food.chips),
    *(food.donut, food.carrot),
]
_STANDING: list[Thing] = [
    *(household.cup, household.bottle, household.jar, household.bowl)
]
