"""Drawn pictures with one banana each, in the layout of the book's `banana-detection`.

The lesson needs pictures in which one object must be found among many others. Here it
is a banana on a table, in a bowl, in a kitchen or in the grass, partly hidden now and
then. Around it are things that share its colour (lemons, courgettes, yellow cups), its
bent form (peppers, croissants) or both (crescents, the hull of a toy boat), so that
neither a colour threshold nor the outline alone finds it.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..checks import integers
from .backdrops import Scene, kitchen, meadow, room, table
from .canvas import Canvas, Sprite
from .making import draw_all, make_set, save_png
from .zoo.food import (
    apple,
    banana,
    carrot,
    courgette,
    croissant,
    cucumber,
    lemon,
    lemon_half,
    moon,
    orange,
    pear,
    pepper,
    tomato,
)
from .zoo.household import ball, bottle, bowl, cup, glazed, jar, plate, toy_boat
from .zoo.plants import dandelion, leaf, mushroom, tuft

__all__ = ["draw_banana", "make_bananas"]

VERSION = 4  # count up when the pictures change: older sets are then not served again

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
        (size, size), bool, of which it is the tight box: those that are visible.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    place = (table, kitchen, meadow, room)[rng.choice(4, p=[0.45, 0.2, 0.2, 0.15])]
    scene = place(rng, (size, size))
    length = size * rng.uniform(0.38, 0.62)
    fruit = _drawn(scene, banana, length, "lies")
    height, width = fruit.cover.shape
    in_bowl = place is not meadow and scene.horizon > 0 and rng.random() < 0.3
    first = max(scene.horizon, 0) + 0.2 * size  # the row of what is farthest
    low = max(0.8 * size if in_bowl else first, height)
    y = rng.uniform(min(low, size), size)
    x = rng.uniform(width / 2, size - width / 2)

    things = _GARDEN if place is meadow else _HOUSE
    known = 0
    for row in sorted([y, *rng.uniform(first, 1.1 * size, rng.integers(1, 6))]):
        if row == y:
            known = (_in_bowl if in_bowl else _lying)(scene, fruit, x, y)
            continue
        draw, lengths, pose = things[rng.integers(len(things))]
        reach = length * lengths * scene.near(row) / scene.near(y)
        if reach > size or (scene.horizon < 0 and pose == "stands"):
            continue
        thing, at = _drawn(scene, draw, reach, pose), rng.uniform(0, size)
        if not known or scene.hidden(thing, at, row, known) < 0.2:
            scene.put(thing, at, row, lies=pose != "stands")
    mask = scene.owner == known
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return scene.photograph(), box, mask


# Name, length in bananas, and pose: as it is turned, upright, or flat as a plate
_HOUSE = [
    (lemon, 0.5, "lies"),
    (lemon_half, 0.4, "lies"),
    (orange, 0.45, "lies"),
    (apple, 0.48, "stands"),
    (pear, 0.55, "lies"),
    (tomato, 0.4, "stands"),
    (cucumber, 1.2, "lies"),
    (courgette, 1.0, "lies"),
    (carrot, 0.9, "lies"),
    (pepper, 0.8, "lies"),
    (croissant, 0.75, "lies"),
    (moon, 0.7, "lies"),
    (cup, 0.6, "stands"),
    (cup, 0.6, "stands"),
    (bowl, 1.0, "stands"),
    (plate, 1.3, "flat"),
    (bottle, 1.6, "stands"),
    (jar, 0.7, "stands"),
    (toy_boat, 0.9, "stands"),
]
_GARDEN = [
    *((lemon, 0.5, "lies"), (apple, 0.48, "stands"), (ball, 0.8, "stands")),
    *((dandelion, 0.9, "stands"), (dandelion, 0.7, "stands"), (tuft, 0.8, "stands")),
    *((tuft, 0.6, "stands"), (leaf, 0.6, "lies"), (mushroom, 0.5, "stands")),
    *((courgette, 1.0, "lies"), (toy_boat, 0.9, "stands"), (cup, 0.6, "stands")),
]


def _drawn(
    scene: Scene, draw: Callable[[Canvas], None], length: float, pose: str
) -> Sprite:
    rng, flat = scene.rng, pose == "flat" and scene.horizon > 0
    turn = rng.normal(0, 0.04)
    if pose == "lies":  # on a table that is seen from the side, more or less across
        turn = rng.integers(2) * math.pi + rng.normal(0, 0.4)
        turn = turn if scene.horizon > 0 else rng.uniform(0, 2 * math.pi)
    squeeze = (rng.uniform(0.9, 1), 0.45 if flat else rng.uniform(0.9, 1))
    c = scene.canvas(length, turn, bool(rng.random() < 0.5), squeeze)
    draw(c)
    return c.sprite()


def _lying(scene: Scene, fruit: Sprite, x: float, y: float) -> int:
    return scene.put(fruit, x, y, lies=True)


def _in_bowl(scene: Scene, fruit: Sprite, x: float, y: float) -> int:
    """Other fruit and this one in a bowl, whose front hides the foot of it."""
    rng, glaze = scene.rng, glazed(scene.rng)
    c = scene.canvas(1.1 * max(fruit.cover.shape))
    bowl(c, glaze)
    scene.put(c.sprite(), x, y)
    half = c.scale  # pixels of half the bowl
    for at in rng.uniform(-0.5, 0.5, rng.integers(1, 4)):
        other = _drawn(
            scene, (lemon, orange, apple)[rng.integers(3)], 0.8 * half, "lies"
        )
        scene.put(other, x + at * half, y - 0.5 * half, 0.5, lies=True)
    known = scene.put(fruit, x, y - 0.5 * half, 0.5, lies=True)
    c = scene.canvas(2 * half)
    bowl(c, glaze, front=True)
    scene.put(c.sprite(), x, y, shadow=0)
    return known
