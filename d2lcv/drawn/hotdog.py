"""Drawn pictures of hot dogs and of other things, in the layout of the book's `hotdog`.

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
from typing import TYPE_CHECKING

import numpy as np

from ..checks import integers
from .canvas import Canvas, Paint, Points, Sprite, cloud, mix, tone
from .making import make_classes
from .paint import develop, draw_background, place
from .things import THINGS, sausage_skin, upright

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["CLASSES", "draw_hotdog", "make_hotdog"]

VERSION = 1  # count up when the pictures change: older sets are then not served again

CLASSES = ("hotdog", "not-hotdog")
_SPLITS = ("train", "test")


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
    canvas = draw_background(rng, long)[:height, :width]
    if rng.random() < 0.4:
        _lay(rng, canvas, _plate(rng, short * rng.uniform(0.9, 1.2)))
    for _ in range(rng.integers(0, 3)):
        _lay(rng, canvas, _other(rng, short * rng.uniform(0.2, 0.4)))
    thing = _hotdog if label == 0 else _other
    _lay(rng, canvas, thing(rng, short * rng.uniform(0.55, 1.1)))
    for _ in range(rng.integers(0, 2)):
        clutter = THINGS[rng.choice(["leaf", "key", "flower", "carrot", "pencil"])]
        _lay(rng, canvas, clutter(rng, short * rng.uniform(0.15, 0.3)))
    return develop(rng, canvas)


def _lay(rng: Generator, canvas: np.ndarray, sprite: Sprite) -> None:
    """Place what fits into the picture; of a larger thing only a part is seen."""
    height, width = canvas.shape[:2]
    extra = np.maximum(np.subtract(sprite.cover.shape, (height, width)), 0)
    top, left = (int(rng.integers(0, n + 1)) for n in extra)
    part = slice(top, top + height), slice(left, left + width)
    place(rng, canvas, Sprite(sprite.colour[part], sprite.cover[part]))


def _anywhere(rng: Generator, length: float) -> Canvas:
    return Canvas(
        rng, length, rng.uniform(0, 2 * math.pi), False, (1, rng.uniform(0.8, 1))
    )


def _plate(rng: Generator, length: float) -> Sprite:
    s = Canvas(rng, length, 0, False, (1, rng.uniform(0.6, 1)))
    glaze = tone(rng, (228, 226, 222))
    s.ellipse((0, 0), (0.98, 0.98), glaze, 0.05)
    s.ellipse((0, 0), (0.72, 0.72), 0.94 * glaze, 0.03)
    return s.sprite()


# ---- buns, and what is in them -------------------------------------------------------


def _crust(rng: Generator) -> Paint:
    colour = tone(
        rng, [(214, 152, 84), (186, 120, 62), (226, 182, 118)][rng.integers(3)]
    )
    return mix(colour, 0.85 * colour, cloud(rng, 0.6, 0.4, 1.5))


def _in_bun(
    rng: Generator, length: float, fill: Callable[[Canvas, Points], None]
) -> Sprite:
    """A long bun, seen from above or from the side; `fill(sketch, way)` is between."""
    s = _anywhere(rng, length)
    bend, crust = rng.uniform(-0.2, 0.2), _crust(rng)
    crumb = tone(rng, (240, 220, 176), 0.06)
    wide, shut = rng.uniform(0.36, 0.5), rng.uniform(0.12, 0.22)
    ends = rng.uniform(0.66, 0.8)

    def half(y: float, width: float, paint: Paint, shade: float = 0.2) -> None:
        way = [(-ends, bend + y), (0, y - 0.4 * bend), (ends, bend + y)]
        s.stroke(way, [0.85 * width, width, 0.85 * width], paint, shade)

    half(-shut, wide, crust)
    half(-0.7 * shut, 0.8 * wide, crumb, 0.05)
    fill(s, [(-1, bend * 1.15), (0, -0.4 * bend), (1, bend * 1.15)])
    if rng.random() < 0.5:  # seen from the side: the front half hides the lower part
        half(shut + 0.1, wide, crust)
    else:
        half(shut + 0.17, 0.75 * wide, crust)
    return s.sprite()


def _hotdog(rng: Generator, length: float) -> Sprite:
    reach, wide = rng.uniform(0.78, 1.0), rng.uniform(0.24, 0.34)
    sauces = [(236, 190, 40), (190, 36, 28), (240, 232, 200)]

    def fill(s: Canvas, way: Points) -> None:
        line = [(reach * x, y) for x, y in way]
        s.stroke(line, [0.85 * wide, wide, 0.85 * wide], sausage_skin(rng, 0.4), 0.14)
        for _ in range(rng.integers(0, 3)):
            _sauce(rng, s, way, tone(rng, sauces[rng.integers(3)]))

    return _in_bun(rng, length, fill)


def _sauce(rng: Generator, s: Canvas, way: Points, colour: np.ndarray) -> None:
    """A wavy line along the way."""
    x = np.linspace(-0.7, 0.7, 22)
    middle = np.interp(np.abs(x), [0, 1], [way[1][1], way[0][1]])
    wave = rng.uniform(0.04, 0.09) * np.sin(rng.uniform(12, 24) * x + rng.uniform(0, 6))
    shift = rng.uniform(-0.05, 0.02)
    s.stroke(
        list(zip(x, middle + wave + shift, strict=True)),
        rng.uniform(0.06, 0.09),
        colour,
        0.03,
    )


def _sandwich(rng: Generator, length: float) -> Sprite:
    """A bun with lettuce, cheese or tomatoes, with sauce now and then; no sausage."""

    def fill(s: Canvas, way: Points) -> None:
        middle = way[1][1]
        x = np.linspace(-0.85, 0.85, 18)
        frill = np.where(np.arange(18) % 2, 0.12, 0.24) + middle
        green = tone(rng, (110, 170, 60))
        edge = (
            list(zip(x, -frill, strict=True)),
            list(zip(x[::-1], frill[::-1], strict=True)),
        )
        s.curve(
            [*edge[0], *edge[1]], mix(green, 0.7 * green, cloud(rng, 0.2, 0.4, 2)), 0.06
        )
        slices = [(206, 52, 40), (242, 196, 70), (226, 150, 140)]
        paint = tone(rng, slices[rng.integers(3)])
        for at in np.linspace(-0.6, 0.6, rng.integers(3, 6)):
            s.ellipse((at, middle + rng.uniform(-0.05, 0.1)), (0.2, 0.17), paint, 0.05)
        if rng.random() < 0.4:
            _sauce(rng, s, way, tone(rng, (236, 190, 40)))

    return _in_bun(rng, length, fill)


def _empty_bun(rng: Generator, length: float) -> Sprite:
    """A bun that is closed or only filled with sauce."""

    def fill(s: Canvas, way: Points) -> None:
        if rng.random() < 0.5:
            _sauce(rng, s, way, tone(rng, (236, 190, 40)))

    return _in_bun(rng, length, fill)


def _odd_bun(rng: Generator, length: float) -> Sprite:
    """A carrot, a cucumber or a banana in a bun."""
    inside = [(232, 124, 40), (70, 130, 60), (244, 214, 90)][rng.integers(3)]

    def fill(s: Canvas, way: Points) -> None:
        colour = tone(rng, inside)
        s.stroke(
            way,
            [0.12, 0.26, 0.3, 0.24],
            mix(colour, 0.8 * colour, cloud(rng, 0.3, 0.3, 2)),
            0.14,
        )

    return _in_bun(rng, length, fill)


def _sausages(rng: Generator, length: float) -> Sprite:
    """One to three sausages side by side, with sauce now and then."""
    s = _anywhere(rng, length)
    count, bend, wide = (
        rng.integers(1, 4),
        rng.uniform(-0.3, 0.3),
        rng.uniform(0.26, 0.36),
    )
    for k in range(count):
        y = (k - (count - 1) / 2) * rng.uniform(1.0, 1.5) * wide
        shift = rng.uniform(-0.15, 0.15)
        way = [
            (-0.8 + shift, y + bend),
            (shift, y - 0.4 * bend),
            (0.8 + shift, y + bend),
        ]
        s.stroke(way, [0.9 * wide, wide, 0.9 * wide], sausage_skin(rng), 0.14)
        if rng.random() < 0.4:
            way = [(-1, y + bend), (0, y - 0.4 * bend), (1, y + bend)]
            _sauce(rng, s, way, tone(rng, (236, 190, 40)))
    return s.sprite()


def _burger(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 0.9 * length, 0.3)
    crust, green = _crust(rng), tone(rng, (110, 170, 60))
    s.stroke([(-0.62, 0.5), (0.62, 0.5)], 0.34, crust, 0.15)
    s.stroke([(-0.72, 0.22), (0.72, 0.22)], 0.3, tone(rng, (110, 62, 40)), 0.1)
    s.polygon(
        [(-0.85, 0.08), (0.85, 0.08), (0.5, 0.3), (0.1, 0.12), (-0.4, 0.32)],
        tone(rng, (242, 190, 60)),
        0.04,
    )
    x = np.linspace(-0.9, 0.9, 15)
    frill = list(zip(x, np.where(np.arange(15) % 2, 0.02, 0.16), strict=True))
    s.curve([*frill, (0.85, -0.08), (-0.85, -0.08)], green, 0.05)
    dome = [(-0.85, -0.05), (-0.7, -0.5), (-0.25, -0.75), (0.25, -0.75), (0.7, -0.5)]
    s.curve([*dome, (0.85, -0.05), (0, 0.02)], crust, 0.3)
    for _ in range(14):
        x, y = rng.uniform(-0.5, 0.5), rng.uniform(-0.65, -0.2)
        s.ellipse((x, y), (0.05, 0.03), (244, 228, 186), 0)
    return s.sprite()


_MAKERS = {
    _sausages: 5,
    _sandwich: 5,
    _empty_bun: 3,
    _odd_bun: 2,
    _burger: 2,
    THINGS["banana"]: 2,
    THINGS["bread"]: 3,
    THINGS["carrot"]: 1,
    THINGS["snake"]: 1,
    THINGS["donut"]: 1,
    THINGS["pencil"]: 1,
}
_OTHERS = [make for make, times in _MAKERS.items() for _ in range(times)]


def _other(rng: Generator, length: float) -> Sprite:
    """Anything but a hot dog."""
    return _OTHERS[rng.integers(len(_OTHERS))](rng, length)
