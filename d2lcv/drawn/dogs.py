"""Drawn pictures of dogs, in the layout of the Kaggle competition of dog breeds.

    ROOT/
        labels.csv           id,breed
        train/<id>.jpg       id: 32 hexadecimal digits
        test/<id>.jpg

A breed is a way to be built (legs, ears, muzzle, tail, hair) and a pattern of the coat; a
dog of it varies in colour, pose, place and light. Pictures differ in size.
"""

from __future__ import annotations

import hashlib
import os

import numpy as np

from ..checks import integers
from .backdrops import PLACES
from .making import make_kaggle
from .zoo import household, plants
from .zoo.animals import BREEDS, dog

__all__ = ["BREEDS", "draw_dog", "make_dog_tiny"]

VERSION = 2  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "test")
_PLACES = ("meadow", "meadow", "room", "street")


def make_dog_tiny(
    folder: str | os.PathLike[str],
    num_train: int = 720,
    num_test: int = 24,
    size: int = 160,
    seed: int = 0,
) -> str:
    """Draw a set in the layout described above.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train: how many labelled pictures of all breeds together, at least one of each
            breed; breeds differ by at most one picture.
        num_test: how many pictures without a label, at least 1.
        size: the longest side that a picture may have in pixels, at least 64.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(
        num_train=(num_train, len(BREEDS)),
        num_test=(num_test, 1),
        size=(size, 64),
        seed=(seed, 0),
    )
    counts = {"train": num_train, "test": num_test}

    def draw(split: str, i: int) -> tuple[str, str, np.ndarray]:
        breed, text = BREEDS[i % len(BREEDS)], f"{seed} {split} {i}"
        name = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return f"{name}.jpg", breed, draw_dog(breed, i, split, size, seed)

    return make_kaggle("dogs", folder, counts, ("labels.csv", "id", "breed"), draw)


def draw_dog(
    breed: str, index: int, split: str = "train", size: int = 160, seed: int = 0
) -> np.ndarray:
    """Draw one dog: (h, w, 3), uint8, the longer side from 0.65 `size` to `size`."""
    label = BREEDS.index(breed)
    rng = np.random.default_rng([seed, _SPLITS.index(split), label, index])
    long = round(size * rng.uniform(0.65, 1))
    short = round(long * rng.uniform(0.75, 1))
    height, width = (short, long) if rng.random() < 0.6 else (long, short)
    scene = PLACES[_PLACES[rng.integers(len(_PLACES))]](rng, (height, width))
    behind = [household.ball, plants.potted_plant, plants.tuft, household.bowl]
    low = height * rng.uniform(0.84, 0.98)  # below any horizon
    for _ in range(rng.integers(0, 3)):
        y = rng.uniform(max(scene.horizon, 0) + 0.2 * height, low)
        length = short * rng.uniform(0.25, 0.5) * scene.near(y)
        thing = scene.drawn(behind[rng.integers(4)], length)
        scene.put(thing, rng.uniform(0, width), y)
    mirror = bool(rng.random() < 0.5)
    length, turn = width * rng.uniform(0.7, 1.05), rng.normal(0, 0.05)
    thing = scene.drawn(lambda c: dog(c, breed), length, turn, mirror)
    scene.put(thing, width * rng.normal(0.5, 0.06), low)
    return scene.photograph()
