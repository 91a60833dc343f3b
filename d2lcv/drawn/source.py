"""Drawn pictures of many kinds of things: a source set, on which networks are pre-trained.

    ROOT/
        train/CLASS/0.png …
        test/CLASS/0.png …

It has the part that a million labelled photographs have in the book: a network that tells
these things apart has learned edges, textures, colours and shapes in clutter, which help
with other pictures, too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np

from ..checks import integers
from .backdrops import PLACES, Scene
from .canvas import Canvas, Sprite
from .making import make_classes
from .zoo import animals, food, household, indoors, plants, vehicles

__all__ = ["CLASSES", "draw_source", "make_source"]

VERSION = 2  # count up when the pictures change: older sets are then not served again

Thing = Callable[[Canvas], None]

_LYING: list[Thing] = [
    *(food.apple, food.banana, food.bread, food.carrot, food.croissant, food.donut),
    *(food.lemon, food.pepper, food.pizza, food.sausage, household.book),
]
_TABLE, _FIELD = ["table", "table", "kitchen", "room"], ["meadow", "meadow", "street"]
_PLACES: list[tuple[list[Thing], list[str]]] = [
    (_LYING, [*_TABLE, "meadow"]),
    ([household.ball, household.bottle, household.cup, food.burger], _TABLE),
    ([plants.mushroom, plants.potted_plant], ["meadow", "table", "room"]),
    ([indoors.chair, indoors.sofa], ["room"]),
    ([indoors.person, animals.cat], ["room", "street", "meadow"]),
    ([animals.bird, animals.frog], [*_FIELD, "water", "table"]),
    ([animals.cow, animals.deer, animals.horse, animals.sheep], _FIELD),
    ([vehicles.bicycle, vehicles.bus, vehicles.car], ["street", "street", "meadow"]),
    ([vehicles.boat], ["water"]),
    ([vehicles.aeroplane], ["sky", "sky", "street"]),
]
_THINGS = {f.__name__: (f, places) for things, places in _PLACES for f in things}

CLASSES: tuple[str, ...] = tuple(sorted(_THINGS))
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
    label = CLASSES.index(name)
    rng = np.random.default_rng([seed, _SPLITS.index(split), label, index])
    draw, places = _THINGS[name]
    # any place for some: what stands there must not tell what it is
    places = places if rng.random() < 0.7 else list(PLACES)
    scene = PLACES[places[rng.integers(len(places))]](rng, (size, size))
    thing = _drawn(scene, draw, size * rng.uniform(0.55, 0.95))
    middle, half = size * rng.normal(0.5, 0.08), len(thing.cover) / 2
    y = size * rng.normal(0.52, 0.05) + half
    known = 0
    for row in sorted([y, *rng.uniform(0.4 * size, 1.1 * size, rng.integers(0, 4))]):
        if row == y:
            known = scene.put(thing, middle, y, lies=draw in _LYING)
            continue
        other = _CLUTTER[rng.integers(len(_CLUTTER))]
        sprite = _drawn(scene, other, size * rng.uniform(0.1, 0.3))
        x = rng.uniform(0, size)
        if not known or scene.hidden(sprite, x, row, known) < 0.1:
            scene.put(sprite, x, row, lies=other in _LYING)
    return scene.photograph()


_CLUTTER: list[Thing] = [
    *(household.jar, household.bowl, household.plate, food.tomato, food.cucumber),
    *(plants.leaf, plants.tuft, plants.dandelion, household.toy_boat),
]


def _drawn(scene: Scene, draw: Thing, length: float) -> Sprite:
    """What lies is turned by any angle; what stands leans a little."""
    rng = scene.rng
    turn = rng.uniform(0, 2 * math.pi) if draw in _LYING else rng.normal(0, 0.1)
    squeeze = rng.uniform(0.8, 1), rng.uniform(0.8, 1)
    return scene.drawn(draw, length, turn, bool(rng.random() < 0.5), squeeze)
