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

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from .animals import Animal, darker, draw_animal
from .canvas import (
    Canvas,
    Colour,
    cloud,
    dots,
    mix,
    ramp,
    stretch,
    stripes,
    tone,
    vivid,
)
from .making import draw_all, make_classes, make_set, save_png
from .paint import develop, draw_background, place
from .source import fitting

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["CLASSES", "draw_cifar10", "make_cifar10", "make_cifar10_tiny"]

VERSION = 1  # count up when the pictures change: older sets are then not served again

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
SIDE = 32
_FINE = 2  # pictures are drawn so much larger, then averaged
_SPLITS = ("train", "test", "tiny_train", "tiny_test")


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
    labels = {
        split: np.random.default_rng([seed, code]).permutation(count) % len(CLASSES)
        for code, (split, count) in enumerate(
            (("train", num_train), ("test", num_test))
        )
    }

    def draw_set(content: Path) -> None:
        jobs = [(split, i) for split in labels for i in range(len(labels[split]))]
        for split in labels:
            (content / split).mkdir()

        def draw(job: tuple[str, int]) -> None:
            split, i = job
            image = draw_cifar10(CLASSES[labels[split][i]], i, f"tiny_{split}", seed)
            save_png(image, content / split / f"{i + 1}.png")

        draw_all("cifar10_tiny", jobs, draw)
        rows = [(i + 1, CLASSES[label]) for i, label in enumerate(labels["train"])]
        with open(content / "trainLabels.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("id", "label"), *rows])

    return make_set(folder, draw_set)


def draw_cifar10(
    name: str, index: int, split: str = "train", seed: int = 0
) -> np.ndarray:
    """Draw one picture of the class `name`: (32, 32, 3), uint8."""
    label = CLASSES.index(name)
    rng = np.random.default_rng([seed, _SPLITS.index(split), label, index])
    size = SIDE * _FINE
    canvas = _surroundings(rng, size, name)
    squeeze = (rng.uniform(0.8, 1), rng.uniform(0.8, 1))
    sketch = Canvas(
        rng,
        size * rng.uniform(0.6, 1.1),
        rng.normal(0, 0.2),
        bool(rng.random() < 0.5),
        squeeze,
    )
    _THINGS[name](sketch)
    place(rng, canvas, fitting(sketch.sprite(), size))
    return _reduced(rng, develop(rng, canvas))


def _reduced(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Average blocks of pixels, and add the noise of a small camera."""
    small = image.reshape(SIDE, _FINE, SIDE, _FINE, 3).mean((1, 3))
    grey = small.mean()
    small = grey + rng.uniform(0.6, 1.1) * (small - grey)
    small += rng.normal(0, rng.uniform(0, 7), small.shape)
    return np.clip(small + 0.5, 0, 255).astype(np.uint8)


# ---- surroundings --------------------------------------------------------------------

_SKIES = ((120, 170, 220), (190, 205, 220), (90, 120, 170), (226, 190, 160))
_GROUNDS = {
    "sea": ((50, 90, 130), (70, 120, 140), (40, 70, 90)),
    "road": ((110, 110, 114), (150, 144, 136), (80, 80, 84)),
    "field": ((100, 140, 60), (150, 140, 80), (70, 110, 60), (190, 180, 160)),
}
_USUAL = {"airplane": "sky", "ship": "sea", "automobile": "road", "truck": "road"}


def _surroundings(rng: Generator, size: int, name: str) -> np.ndarray:
    """Sky over ground, mostly where such a thing is found, or something else."""
    usual = rng.random()
    if usual < 0.3:
        return draw_background(rng, size)
    kinds = ["sky", "sea", "road", "field"]
    kind = _USUAL.get(name, "field") if usual < 0.8 else kinds[rng.integers(4)]
    grounds = _GROUNDS.get(kind, _SKIES)
    sky, ground = (
        tone(rng, _SKIES[rng.integers(4)]),
        tone(rng, grounds[rng.integers(3)]),
    )
    rows = np.linspace(0, 1, 24)[:, None, None]
    horizon = rng.uniform(0.2, 0.7)
    below = np.clip((rows - horizon) * 24, 0, 1)
    field = sky * (0.8 + 0.3 * rows) + below * (ground - sky)
    field = field + rng.normal(0, rng.uniform(2, 10), (24, 24, 1))
    field = field + rng.normal(0, 3, (24, 24, 3))
    return stretch(field, size).copy()


# ---- machines ------------------------------------------------------------------------


def _lacquer(rng: Generator) -> np.ndarray:
    """White, grey, black, or any strong colour."""
    if rng.random() < 0.5:
        return tone(rng, np.full(3, rng.choice([235.0, 170.0, 60.0])))
    return vivid(rng) * rng.uniform(0.6, 1)


def _airplane(s: Canvas) -> None:
    rng = s.rng
    colour, second = tone(rng, np.full(3, rng.uniform(150, 240))), _lacquer(rng)
    hull = mix(colour, second, stripes(rng.uniform(5, 12), 1.57, share=0.2))
    s.polygon([(0.45, -0.1), (0.75, -0.52), (0.92, -0.52), (0.82, -0.05)], second, 0.05)
    s.polygon([(0.0, -0.05), (0.45, -0.4), (0.6, -0.4), (0.3, 0)], darker(colour), 0.05)
    wide = rng.uniform(0.22, 0.3)
    s.stroke(
        [(-0.85, 0.03), (0, 0), (0.85, -0.1)], [wide, wide, 0.5 * wide], hull, 0.14
    )
    s.polygon([(-0.92, 0.0), (-0.74, -0.1), (-0.7, 0.0)], (60, 80, 100), 0)
    for x in np.arange(-0.5, 0.5, 0.16):
        s.ellipse((x, -0.03), (0.035, 0.035), (60, 70, 90), 0)
    s.polygon([(-0.15, 0.05), (0.45, 0.5), (0.66, 0.5), (0.3, 0.02)], colour, 0.06)
    s.stroke([(0.05, 0.3), (0.3, 0.3)], 0.13, darker(second), 0.05)
    s.polygon([(0.6, -0.08), (0.86, 0.12), (0.98, 0.12), (0.84, -0.1)], colour, 0.04)


def _wheel(s: Canvas, x: float, y: float, radius: float) -> None:
    s.ellipse((x, y), (radius, radius), (34, 34, 38), 0.04)
    s.ellipse((x, y), (0.5 * radius, 0.5 * radius), (186, 188, 194), 0.03)


def _automobile(s: Canvas) -> None:
    rng = s.rng
    colour = _lacquer(rng)
    roof, hood = rng.uniform(-0.5, -0.38), rng.uniform(-0.1, 0.02)
    back = rng.uniform(0.55, 0.9)
    cabin = [(-0.5, hood + 0.03), (-0.25, roof), (0.3, roof), (back, hood + 0.03)]
    s.polygon(cabin, colour, 0.08)
    glass = [(-0.38, hood + 0.03), (-0.2, roof + 0.07), (0.26, roof + 0.07)]
    s.polygon([*glass, (back - 0.12, hood + 0.03)], (70, 92, 112), 0.03)
    s.polygon(
        [(-0.02, roof), (0.06, roof), (0.06, hood + 0.1), (-0.02, hood + 0.1)],
        colour,
        0,
    )
    body = [(-0.95, hood + 0.12), (-0.5, hood), (0.85, hood), (0.95, hood + 0.15)]
    s.polygon([*body, (0.95, 0.34), (-0.95, 0.34)], colour, 0.14)
    s.ellipse((-0.88, hood + 0.18), (0.07, 0.06), (250, 240, 190), 0)
    s.ellipse((0.9, hood + 0.18), (0.05, 0.06), (200, 40, 40), 0)
    radius = rng.uniform(0.19, 0.24)
    _wheel(s, -0.55, 0.34, radius)
    _wheel(s, 0.55, 0.34, radius)


def _truck(s: Canvas) -> None:
    rng = s.rng
    colour, load = _lacquer(rng), _lacquer(rng)
    top = rng.uniform(-0.75, -0.5)
    if rng.random() < 0.6:
        box = mix(load, 0.8 * load, stripes(rng.uniform(10, 24), 0, share=0.3))
        s.polygon([(-0.3, top), (0.98, top), (0.98, 0.3), (-0.3, 0.3)], box, 0.1)
    else:
        s.polygon([(-0.3, 0.05), (0.98, 0.05), (0.98, 0.3), (-0.3, 0.3)], load, 0.06)
        heap = [(-0.2, 0.05), (0.0, -0.3), (0.4, -0.42), (0.75, -0.25), (0.95, 0.05)]
        s.curve(heap, mix((130, 100, 66), (90, 66, 44), cloud(rng, 0.2, 0.4)), 0.1)
    cab = rng.uniform(-0.55, -0.3)
    front = [(-0.95, 0.32), (-0.95, -0.05), (-0.8, cab), (-0.36, cab), (-0.36, 0.32)]
    s.polygon(front, colour, 0.1)
    window = [(-0.88, -0.06), (-0.77, cab + 0.08), (-0.48, cab + 0.08), (-0.48, -0.06)]
    s.polygon(window, (70, 92, 112), 0.02)
    s.polygon(
        [(-0.98, 0.26), (0.98, 0.26), (0.98, 0.38), (-0.98, 0.38)], (50, 50, 54), 0
    )
    radius = rng.uniform(0.18, 0.22)
    for x in (-0.68, 0.3, 0.74):
        _wheel(s, x, 0.42, radius)


def _ship(s: Canvas) -> None:
    rng = s.rng
    hull, line = _lacquer(rng), _lacquer(rng)
    if rng.random() < 0.35:  # a sailing boat
        s.stroke([(0, -0.95), (0, 0.2)], 0.05, (96, 70, 44), 0)
        cloth = tone(rng, (238, 234, 222)) if rng.random() < 0.6 else vivid(rng)
        s.polygon([(-0.05, -0.9), (-0.05, 0.12), (-0.7, 0.12)], cloth, 0.1)
        s.polygon([(0.05, -0.8), (0.05, 0.12), (0.5, 0.12)], darker(cloth, 0.85), 0.1)
    else:
        white = tone(rng, (232, 230, 224))
        levels = rng.integers(1, 4)
        for k in range(levels):
            low, half = 0.15 - 0.2 * k, 0.55 - 0.14 * k
            block = [
                (0.15 - half, low),
                (0.15 - half, low - 0.2),
                (0.15 + half, low - 0.2),
            ]
            s.polygon([*block, (0.15 + half, low)], white, 0.05)
            s.stroke(
                [(0.2 - half, low - 0.1), (0.1 + half, low - 0.1)],
                0.06,
                (70, 90, 110),
                0,
            )
        x, low = rng.uniform(0, 0.4), 0.15 - 0.2 * levels
        funnel = [
            (x, low),
            (x + 0.03, low - 0.32),
            (x + 0.2, low - 0.32),
            (x + 0.2, low),
        ]
        s.polygon(funnel, mix(line, (40, 40, 44), ramp(low - 0.2, low - 0.22)), 0.05)
        s.stroke([(-0.5, 0.1), (-0.5, -0.45)], 0.04, (90, 84, 80), 0)
    paint = mix(hull, line, ramp(0.34, 0.36))
    bow = [(-0.98, 0.06), (0.9, 0.12), (0.85, 0.5), (-0.62, 0.5)]
    s.polygon(bow, paint, 0.1)


# ---- animals -------------------------------------------------------------------------

_FURS = ((210, 130, 62), (130, 126, 124), (48, 44, 46), (228, 218, 204), (150, 100, 60))


def _fur(rng: Generator, colours: Sequence[Colour] = _FURS) -> np.ndarray:
    return tone(rng, colours[rng.integers(len(colours))])


def _cat(s: Canvas) -> None:
    rng = s.rng
    coat = _fur(rng)
    if rng.random() < 0.5:
        coat = mix(coat, 0.55 * coat, stripes(rng.uniform(18, 26), 0.1, share=0.35))
    draw_animal(
        s,
        Animal(
            coat,
            length=0.44,
            depth=rng.uniform(0.18, 0.24),
            leg=0.34,
            neck=0.2,
            rise=0.8,
            head=0.24,
            muzzle=0.02,
            snout=0.2,
        ),
    )


def _dog(s: Canvas) -> None:
    rng = s.rng
    coat = _fur(rng)
    if rng.random() < 0.4:
        coat = mix(coat, _fur(rng), cloud(rng, 0.6, 0.4))
    draw_animal(
        s,
        Animal(
            coat,
            length=rng.uniform(0.42, 0.55),
            leg=rng.uniform(0.26, 0.46),
            depth=rng.uniform(0.19, 0.26),
            neck=0.24,
            rise=0.9,
            head=0.2,
            muzzle=rng.uniform(0.16, 0.26),
            snout=0.16,
            ear="flop" if rng.random() < 0.7 else "pointed",
            tail=["up", "bushy", "curl"][rng.integers(3)],
        ),
    )


def _deer(s: Canvas) -> None:
    rng = s.rng
    coat = tone(rng, [(166, 106, 60), (130, 90, 60), (190, 132, 80)][rng.integers(3)])
    coat = mix(coat, (232, 220, 200), ramp(0.28, 0.36))
    if rng.random() < 0.4:
        coat = mix(coat, (236, 226, 206), dots(0.16, 0.035))
    draw_animal(
        s,
        Animal(
            coat,
            length=0.42,
            depth=0.18,
            leg=0.55,
            thick=0.08,
            neck=0.42,
            rise=1.05,
            head=0.13,
            muzzle=0.15,
            snout=0.1,
            tail="short",
            legs=(140, 96, 62),
            antlers=bool(rng.random() < 0.65),
        ),
    )


def _horse(s: Canvas) -> None:
    rng = s.rng
    coat = _fur(rng, ((140, 84, 48), (60, 46, 42), (222, 214, 204), (176, 120, 66)))
    hair = _fur(rng, ((40, 34, 34), (210, 190, 160), (90, 56, 36)))
    if rng.random() < 0.25:
        coat = mix(coat, (236, 230, 222), cloud(rng, 0.7, 0.4))
    draw_animal(
        s,
        Animal(
            coat,
            length=0.52,
            depth=0.23,
            leg=0.52,
            thick=0.1,
            neck=0.42,
            rise=0.85,
            head=0.15,
            muzzle=0.26,
            snout=0.15,
            tail="tuft",
            tail_paint=hair,
            mane=hair,
            tuck=0.9,
        ),
    )


def _bird(s: Canvas) -> None:
    rng = s.rng
    coat = _fur(rng) if rng.random() < 0.5 else vivid(rng)
    wing = darker(coat, rng.uniform(0.5, 0.9))
    feathers = mix(wing, darker(wing, 0.6), stripes(14, 0.9))
    beak = tone(rng, (226, 160, 50))
    if rng.random() < 0.4:  # in flight
        s.polygon([(0.45, 0.0), (0.95, -0.12), (0.95, 0.16)], wing, 0.06)
        s.curve(
            [(-0.15, 0), (0.1, -0.85), (0.35, -0.95), (0.35, 0)], darker(feathers), 0.1
        )
        s.stroke([(-0.5, 0), (0, 0.05), (0.55, 0)], [0.2, 0.4, 0.12], coat, 0.15)
        s.polygon([(-0.75, -0.12), (-0.98, -0.02), (-0.75, 0.04)], beak, 0.03)
        s.ellipse((-0.6, -0.06), (0.2, 0.18), coat, 0.1)
        s.curve([(-0.2, 0), (-0.15, 0.5), (0.15, 0.95), (0.35, 0.05)], feathers, 0.1)
        s.ellipse((-0.66, -0.1), (0.05, 0.05), (20, 20, 24), 0)
        return
    breast = mix(coat, (240, 226, 200), ramp(0.0, 0.4))
    s.polygon([(0.4, 0.05), (1.0, 0.1), (1.0, 0.35), (0.5, 0.35)], wing, 0.06)
    leg = rng.uniform(0.75, 0.95)
    for x in (-0.1, 0.12):
        s.stroke([(x, 0.5), (x, leg)], 0.06, beak, 0)
    body = [(-0.5, -0.3), (-0.1, -0.35), (0.4, -0.05), (0.65, 0.2), (0.3, 0.55)]
    s.curve([*body, (-0.2, 0.62), (-0.55, 0.3)], breast, 0.25)
    s.polygon([(-0.76, -0.52), (-1.05, -0.38), (-0.74, -0.3)], beak, 0.04)
    s.ellipse((-0.46, -0.42), (0.33, 0.31), coat, 0.18)
    s.ellipse((-0.58, -0.48), (0.07, 0.07), (20, 20, 24), 0)
    s.curve([(-0.25, -0.05), (0.25, -0.05), (0.75, 0.3), (0.2, 0.38)], feathers, 0.1)


def _frog(s: Canvas) -> None:
    rng = s.rng
    skin = tone(
        rng,
        [(90, 150, 50), (130, 120, 60), (110, 90, 60), (60, 130, 90)][rng.integers(4)],
    )
    coat = mix(skin, 0.6 * skin, cloud(rng, 0.25, rng.uniform(0.1, 0.4)))
    belly = mix(coat, (222, 216, 170), ramp(0.15, 0.4))
    s.stroke(
        [(0.5, 0.1), (0.85, -0.1), (0.55, 0.45), (0.95, 0.55)],
        [0.3, 0.26, 0.16, 0.14],
        darker(coat, 0.85),
        0.08,
    )
    around = [(-0.85, 0.1), (-0.55, -0.28), (-0.1, -0.34), (0.4, -0.12), (0.7, 0.3)]
    s.curve([*around, (0.3, 0.52), (-0.4, 0.5), (-0.8, 0.32)], belly, 0.25)
    s.stroke([(-0.35, 0.3), (-0.3, 0.5), (-0.6, 0.62)], [0.18, 0.14, 0.14], coat, 0.06)
    s.stroke(
        [(0.15, 0.35), (0.7, 0.2), (0.35, 0.58), (0.75, 0.62)],
        [0.3, 0.3, 0.16, 0.14],
        coat,
        0.08,
    )
    s.stroke([(-0.84, 0.18), (-0.6, 0.24), (-0.42, 0.18)], 0.04, (50, 46, 30), 0)
    for x in (-0.3, -0.5):
        s.ellipse((x, -0.32), (0.15, 0.15), skin, 0.06)
        s.ellipse((x - 0.04, -0.34), (0.08, 0.08), (230, 200, 80), 0)
        s.ellipse((x - 0.05, -0.34), (0.04, 0.06), (20, 20, 20), 0)


_THINGS: dict[str, Callable[[Canvas], None]] = {
    "airplane": _airplane,
    "automobile": _automobile,
    "bird": _bird,
    "cat": _cat,
    "deer": _deer,
    "dog": _dog,
    "frog": _frog,
    "horse": _horse,
    "ship": _ship,
    "truck": _truck,
}
