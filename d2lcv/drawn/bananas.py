"""Drawn pictures with one banana each, in the layout of the book's `banana-detection`.

The lesson needs pictures in which one object must be found among many others. Here it
is a banana on a table, in a bowl, in a kitchen or in the grass, partly hidden now and
then. Around it are things that share its colour (lemons, courgettes, yellow cups), its
bent form (peppers, croissants) or both (crescents, the hull of a toy boat), so that
neither a colour threshold nor the outline alone finds it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np

from ..checks import integers
from .backdrops import Scene, kitchen, meadow, room, table
from .canvas import Canvas, Sprite
from .making import make_boxes
from .zoo import food, household, plants

__all__ = ["draw_banana", "make_bananas"]

VERSION = 4  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "val")


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

    def draw(split: str, index: int) -> tuple[dict[str, np.ndarray], list[list[int]]]:
        image, box, _ = draw_banana(index, split, size, seed)
        return {"images": image}, [[0, *box.tolist()]]

    return make_boxes("bananas", folder, counts, ("banana",), draw)


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
    fruit = _drawn(scene, food.banana, length, "lies")
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
            if in_bowl:
                known = _in_bowl(scene, fruit, x, y)
            else:
                known = scene.put(fruit, x, y, lies=True)
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


# The thing, its length in bananas, and its pose: as it is turned, upright, or flat
_CUP, _TOY_BOAT = (household.cup, 0.6, "stands"), (household.toy_boat, 0.9, "stands")
_COURGETTE = (food.courgette, 1.0, "lies")
_HOUSE = [
    *((food.lemon, 0.5, "lies"), (food.lemon_half, 0.4, "lies")),
    *((food.orange, 0.45, "lies"), (food.apple, 0.48, "stands")),
    *((food.pear, 0.55, "lies"), (food.tomato, 0.4, "stands")),
    *((food.cucumber, 1.2, "lies"), _COURGETTE, (food.carrot, 0.9, "lies")),
    *((food.pepper, 0.8, "lies"), (food.croissant, 0.75, "lies")),
    *((food.moon, 0.7, "lies"), _CUP, _CUP, (household.bowl, 1.0, "stands")),
    *((household.plate, 1.3, "flat"), (household.bottle, 1.6, "stands")),
    *((household.jar, 0.7, "stands"), _TOY_BOAT),
]
_GARDEN = [
    *((food.lemon, 0.5, "lies"), (food.apple, 0.48, "stands")),
    *((household.ball, 0.8, "stands"), (plants.dandelion, 0.9, "stands")),
    *((plants.dandelion, 0.7, "stands"), (plants.tuft, 0.8, "stands")),
    *((plants.tuft, 0.6, "stands"), (plants.leaf, 0.6, "lies")),
    *((plants.mushroom, 0.5, "stands"), _COURGETTE, _TOY_BOAT, _CUP),
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
    return scene.drawn(draw, length, turn, bool(rng.random() < 0.5), squeeze)


def _in_bowl(scene: Scene, fruit: Sprite, x: float, y: float) -> int:
    """Other fruit and this one in a bowl, whose front hides the foot of it."""
    rng, glaze = scene.rng, household.glazed(scene.rng)
    half = 0.55 * max(fruit.cover.shape)  # pixels of half the bowl
    back = scene.drawn(lambda c: household.bowl(c, glaze), 2 * half)
    scene.put(back, x, y)
    for at in rng.uniform(-0.5, 0.5, rng.integers(1, 4)):
        other = (food.lemon, food.orange, food.apple)[rng.integers(3)]
        other = _drawn(scene, other, 0.8 * half, "lies")
        scene.put(other, x + at * half, y - 0.5 * half, 0.5, lies=True)
    known = scene.put(fruit, x, y - 0.5 * half, 0.5, lies=True)
    front = scene.drawn(lambda c: household.bowl(c, glaze, front=True), 2 * half)
    scene.put(front, x, y, shadow=0)
    return known
