"""Drawn pictures of the ten classes of CIFAR-10, 32 pixels wide and high.

`make_cifar10` lays them out in folders of classes:

    ROOT/train/airplane/0.png …    ROOT/test/airplane/0.png …

and `make_cifar10_tiny` as the Kaggle competition does:

    ROOT/trainLabels.csv (id,label)    ROOT/train/1.png …    ROOT/test/1.png …

Things look left as often as right, lean, and differ in size, colour, light and place, and
there are few of them to train on: what is learned from a picture should be learned for its
mirror image, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import numpy as np

from ..checks import integers
from .backdrops import PLACES
from .canvas import Canvas
from .making import make_classes, make_kaggle
from .zoo import animals, vehicles

__all__ = ["CLASSES", "draw_cifar10", "make_cifar10", "make_cifar10_tiny"]

VERSION = 2  # count up when the pictures change: older sets are then not served again

SIDE = 32
_SPLITS = ("train", "test", "tiny_train", "tiny_test")


_THINGS: dict[str, tuple[list[Callable[[Canvas], None]], list[str]]] = {
    "airplane": ([vehicles.aeroplane], ["sky", "sky", "street", "water"]),
    "automobile": ([vehicles.car], ["street", "street", "meadow"]),
    "bird": ([animals.bird], ["meadow", "water", "street", "sky"]),
    "cat": ([animals.cat], ["room", "meadow", "street"]),
    "deer": ([animals.deer], ["meadow", "meadow", "street"]),
    "dog": ([animals.dog], ["room", "meadow", "street"]),
    "frog": ([animals.frog], ["meadow", "water", "table"]),
    "horse": ([animals.horse], ["meadow", "meadow", "street"]),
    "ship": ([vehicles.ship, vehicles.ship, vehicles.boat], ["water"]),
    "truck": ([vehicles.lorry], ["street", "street", "meadow"]),
}
"""Class -> what it may be, and where it stands: often, not always, what it is known by."""

CLASSES = list(_THINGS)


def make_cifar10(
    folder: str | os.PathLike[str],
    num_train: int = 200,
    num_test: int = 100,
    seed: int = 0,
) -> str:
    """Draw a set in folders of classes; picture i depends on seed, split, class, i only.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train, num_test: how many pictures of each class, at least 1.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(num_train=(num_train, 1), num_test=(num_test, 1), seed=(seed, 0))
    counts = {"train": num_train, "test": num_test}

    def draw(split: str, name: str, index: int) -> np.ndarray:
        return draw_cifar10(name, index, split, seed)

    return make_classes("cifar10", folder, counts, CLASSES, draw)


def make_cifar10_tiny(
    folder: str | os.PathLike[str],
    num_train: int = 1000,
    num_test: int = 20,
    seed: int = 0,
) -> str:
    """Draw a set in the layout of the Kaggle competition.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train: how many labelled pictures of all classes together, at least 10; classes
            differ by at most one picture.
        num_test: how many pictures without a label, at least 1.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(num_train=(num_train, 10), num_test=(num_test, 1), seed=(seed, 0))
    counts = {"train": num_train, "test": num_test}
    labels = {
        split: np.random.default_rng([seed, code]).permutation(count) % len(CLASSES)
        for code, (split, count) in enumerate(counts.items())
    }

    def draw(split: str, i: int) -> tuple[str, str, np.ndarray]:
        name = CLASSES[labels[split][i]]
        return f"{i + 1}.png", name, draw_cifar10(name, i, f"tiny_{split}", seed)

    table = "trainLabels.csv", "id", "label"
    return make_kaggle("cifar10_tiny", folder, counts, table, draw)


def draw_cifar10(
    name: str, index: int, split: str = "train", seed: int = 0
) -> np.ndarray:
    """Draw one picture of the class `name`: (32, 32, 3), uint8."""
    rng = np.random.default_rng(
        [seed, _SPLITS.index(split), CLASSES.index(name), index]
    )
    things, places = _THINGS[name]
    place, thing = places[rng.integers(len(places))], things[rng.integers(len(things))]
    scene = PLACES[place](rng, (SIDE, SIDE))
    flies = place == "sky" or (place, name) == ("water", "airplane")
    if flies and thing is animals.bird:
        thing = partial(animals.bird, flies=True)
    sprite = scene.drawn(
        thing,
        SIDE * rng.uniform(0.65, 1.15),
        rng.normal(0, 0.25 if flies else 0.08),
        bool(rng.random() < 0.5),
        tuple(rng.uniform(0.85, 1, 2)),
    )
    low = (SIDE + len(sprite.cover)) / 2 + rng.normal(1, 3)
    scene.put(sprite, SIDE * rng.normal(0.5, 0.1), low, shadow=0 if flies else 1)
    return scene.photograph()
