"""Drawn pictures with a class for each pixel, in the layout of Pascal VOC 2012.

Things of thirteen of VOC's classes stand where they belong, as large as they are beside
each other, and hide parts of each other. Pictures vary in size, so that some are smaller
than a crop. A border of the void, two pixels wide, runs along every outline, as
in the original; what is seen through the spokes of a bicycle counts as bicycle.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from ..data.voc import IGNORE, VOC_CLASSES, voc_palette
from .backdrops import PLACES, Scene
from .canvas import Sprite
from .making import draw_all, make_set
from .zoo import animals, household, indoors, plants, vehicles

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["DRAWN_CLASSES", "draw_voc", "make_voc"]

VERSION = 2  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "val")

_THINGS = {
    "aeroplane": (vehicles.aeroplane, 30.0),
    "bicycle": (vehicles.bicycle, 1.8),
    "boat": (vehicles.boat, 6.0),
    "bottle": (household.bottle, 0.35),
    "bus": (vehicles.bus, 8.0),
    "car": (vehicles.car, 4.2),
    "cat": (animals.cat, 0.6),
    "chair": (indoors.chair, 1.0),
    "cow": (animals.cow, 2.4),
    "person": (indoors.person, 1.8),
    "potted plant": (plants.potted_plant, 0.5),
    "sheep": (animals.sheep, 1.4),
    "sofa": (indoors.sofa, 2.0),
}
"""Class -> the thing and its size in metres."""

_THERE = {
    "street": ["bicycle", "bus", "car", "person"],
    "meadow": ["cow", "person", "sheep"],
    "water": ["boat"],
    "sky": ["aeroplane"],
    "room": ["cat", "chair", "person", "potted plant", "sofa"],
    "table": ["bottle", "cat", "potted plant"],
}

_TALL = ("bottle", "chair", "person")  # narrow: seen from nearer

DRAWN_CLASSES: tuple[str, ...] = tuple(sorted(_THINGS, key=VOC_CLASSES.index))
"""Those of VOC's classes that the drawn set has, besides the background."""


def make_voc(
    folder: str | os.PathLike[str],
    num_train: int = 400,
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

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
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
    """Draw one picture and its label; classes take turns as its main thing.

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
    long = round(size * rng.uniform(0.85, 1.1))
    short = round(size * rng.uniform(0.65, 0.85))
    height, width = (short, long) if rng.random() < 0.88 else (long, short)
    main = DRAWN_CLASSES[index % len(DRAWN_CLASSES)]
    places = [name for name, there in _THERE.items() if main in there]
    place = places[rng.choice(len(places))]
    scene = PLACES[place](rng, (height, width))
    there = _THERE[place]
    number = rng.choice(4, p=[0.4, 0.35, 0.15, 0.1])
    others = [there[i] for i in rng.choice(len(there), number)]
    numbers = _stand(rng, scene, [main, *others], in_the_air=place == "sky")
    return scene.photograph(), _label(scene.owner, numbers)


def _stand(
    rng: Generator, scene: Scene, names: list[str], in_the_air: bool
) -> np.ndarray:
    """Put the things, the farthest first; the class of the k-th, 0 of the background."""
    height, width = scene.owner.shape
    tall = names[0] in _TALL
    low, high = rng.uniform(0.8, 1.2 if tall else 1.0) * height, max(scene.horizon, 0)
    metre = min(height, width) * rng.uniform(0.75, 1.15) * (1.3 if tall else 1)
    metre /= _THINGS[names[0]][1] * scene.near(low)
    columns = rng.uniform(0.3, 0.7) + np.arange(len(names)) / len(names)
    columns = columns % 1 * width
    spots = [(low, columns[0], names[0])]
    for name, x in zip(names[1:], columns[1:], strict=True):
        spots.append((high + rng.uniform(0.25, 1.05) * (height - high), x, name))
    numbers = [0]
    for y, x, name in sorted(spots):
        draw, metres = _THINGS[name]
        length = min(metre * metres * scene.near(y), 1.3 * width)
        if length < 0.25 * width:
            continue
        turn = rng.normal(0, 0.25 if in_the_air else 0.03)
        sprite = scene.drawn(draw, length, turn, mirror=bool(rng.random() < 0.5))
        if name == "boat":  # its keel is under water
            under = len(sprite.cover) // 14
            sprite = Sprite(sprite.colour[:-under], sprite.cover[:-under])
        y = rng.uniform(0.4, 0.9) * height if in_the_air else y
        y = max(y, 0.97 * len(sprite.cover))  # heads are in the picture
        scene.put(sprite, x, y, shadow=0 if in_the_air else 1)
        numbers.append(VOC_CLASSES.index(name))
        if name == "bicycle":
            scene.fill_gaps(scene.count, 0.45 * length)
    return np.array(numbers, np.uint8)


def _label(owner: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The classes, and the void wherever the next pixel has another owner."""
    label = numbers[owner]
    across, down = owner[:, 1:] != owner[:, :-1], owner[1:] != owner[:-1]
    label[:, 1:][across] = label[:, :-1][across] = IGNORE
    label[1:][down] = label[:-1][down] = IGNORE
    return label
