"""Fruit, vegetables and what is baked or grilled; all of it lies and may be turned."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..canvas import (
    Canvas,
    Paint,
    Points,
    Weight,
    dots,
    mix,
    mottle,
    smooth,
    stripes,
    tone,
)

_PROFILE = (0.0, 0.04, 0.1, 0.16, 0.24, 0.36, 0.52, 0.7, 0.83, 0.91, 0.96, 1.0)
_WIDTH = (0.3, 0.25, 0.22, 0.34, 0.68, 0.93, 1.0, 0.95, 0.74, 0.44, 0.26, 0.2)
_PEELS = np.array([[176, 196, 72], [240, 208, 70], [250, 212, 52], [222, 174, 60]])


def _arc(bend: float, points: int) -> tuple[np.ndarray, float]:
    """Points of a circle from x = −0.9 to 0.9, the middle one the highest; its radius."""
    radius = 0.9 / math.sin(bend / 2) if bend < math.pi else 0.9
    angle = np.linspace(-bend / 2, bend / 2, points)
    x, y = radius * np.sin(angle), -radius * np.cos(angle)
    return np.stack([x, y - (y.min() + y.max()) / 2], 1), radius


def banana(c: Canvas, ripe: float | None = None) -> None:
    """From green (0) to brown (1); the stem is on the left, both ends point down."""
    rng = c.rng
    ripe = rng.beta(2, 2) if ripe is None else ripe
    bend, fat = rng.uniform(1.2, 2.2), rng.uniform(0.34, 0.44)
    line, radius = _arc(bend, 17)
    middle = line[8, 1] + radius
    peel = np.array([np.interp(3 * ripe, range(4), channel) for channel in _PEELS.T])
    peel = tone(rng, peel, 0.04)
    spots = mottle(rng, 0.035, 0.2 * ripe * rng.random(), 2)
    high, low = rng.uniform(0.02, 0.4), rng.uniform(-0.6, -0.25)
    stem = np.array(peel * (0.72, 0.86, 0.8), np.float32)[:, None, None]
    bark = np.array([74, 50, 30], np.float32)[:, None, None]

    def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        along = np.arctan2(u, middle - v) / bend + 0.5
        across = (np.hypot(u, v - middle) - radius) / (
            0.5 * fat * np.interp(along, _PROFILE, _WIDTH)
        )
        # a banana has flat sides: each has its own brightness, and an edge between them
        side = np.where(across > high, 1.04, np.where(across > low, 0.97, 0.82))
        for edge in (high, low):
            side -= 0.1 * np.clip(1 - 6 * np.abs(across - edge), 0, 1)
        colour = side.astype(np.float32) * peel[:, None, None]
        colour += np.clip((0.2 - along) / 0.12, 0, 0.8) * (stem - colour)
        brown = 0.75 * spots(u, v) * (np.abs(along - 0.5) < 0.36)
        black = np.clip((0.025 - np.minimum(along, 1.01 - along)) / 0.015, 0, 1)
        return colour + np.maximum(brown, black) * (bark - colour)

    widths = fat * np.interp(np.linspace(0, 1, 24), _PROFILE, _WIDTH)
    c.stroke(line, widths.tolist(), paint, 0.22, gloss=rng.uniform(0, 0.25))


def lemon(c: Canvas, peel: Paint | None = None) -> None:
    peel = tone(c.rng, (244, 216, 62)) if peel is None else peel
    pores = mix(peel, 0.9 * np.asarray(peel), dots(0.13, 0.03))
    half = [(-0.98, 0), (-0.84, -0.12), (-0.5, -0.52), (0, -0.66), (0.5, -0.54)]
    half += [(0.84, -0.13), (0.96, 0)]
    c.curve(_mirrored(half), pores, 0.5, gloss=0.3)


def lemon_half(c: Canvas) -> None:
    """Cut through: segments in a ring of white."""
    c.ellipse((0, 0), (0.9, 0.86), tone(c.rng, (240, 208, 60), 0.05), 0.1)
    c.ellipse((0, 0), (0.8, 0.76), (250, 244, 214), 0)
    for turn in np.arange(8) * math.pi / 4:
        tips = [
            (0.7 * math.cos(turn + d), 0.66 * math.sin(turn + d)) for d in (-0.34, 0.34)
        ]
        c.polygon([(0, 0), *tips], tone(c.rng, (246, 222, 110), 0.05), 0.05)


def orange(c: Canvas, peel: Paint | None = None) -> None:
    peel = tone(c.rng, (240, 146, 40)) if peel is None else peel
    c.ellipse(
        (0, 0), (0.9, 0.87), mix(peel, 0.9 * np.asarray(peel), dots(0.1, 0.025)), 0.6
    )
    c.ellipse((0.1, -0.7), (0.07, 0.05), (96, 110, 50), 0)


def apple(c: Canvas, peel: Paint | None = None) -> None:
    rng, colours = c.rng, [(196, 40, 38), (140, 176, 60), (222, 178, 60)]
    peel = tone(rng, colours[rng.integers(3)]) if peel is None else peel
    cheek = mix(peel, tone(rng, (206, 70, 46)), mottle(rng, 0.8, 0.3, 2))
    around = [(0, -0.62), (-0.38, -0.72), (-0.78, -0.42), (-0.8, 0.1), (-0.5, 0.68)]
    around += [(-0.2, 0.82), (0, 0.76)]
    c.curve(around + [(-x, y) for x, y in around[-2:0:-1]], cheek, 0.5, gloss=0.35)
    c.ellipse((0, -0.58), (0.2, 0.07), 0.5 * np.asarray(tone(rng, (120, 90, 40))), 0)
    c.stroke([(0, -0.58), (0.04, -0.78), (0.12, -0.96)], 0.08, (90, 62, 38), 0.04)


def pear(c: Canvas, peel: Paint | None = None) -> None:
    rng = c.rng
    peel = (
        tone(rng, [(196, 196, 84), (214, 186, 84)][rng.integers(2)])
        if peel is None
        else peel
    )
    freckled = mix(peel, (150, 110, 60), mottle(rng, 0.035, 0.04, 2))
    around = [(0, -0.72), (-0.22, -0.66), (-0.32, -0.3), (-0.62, 0.2), (-0.6, 0.66)]
    around += [(-0.25, 0.92), (0, 0.88)]
    c.stroke([(0, -0.66), (0.05, -0.84), (0.14, -0.98)], 0.07, (90, 62, 38), 0.04)
    c.curve(around + [(-x, y) for x, y in around[-2:0:-1]], freckled, 0.45, gloss=0.2)


def tomato(c: Canvas) -> None:
    c.ellipse((0, 0.05), (0.9, 0.8), tone(c.rng, (204, 50, 36)), 0.6, gloss=0.5)
    for turn in np.arange(5) * 1.257 + c.rng.uniform(0, 1):
        tip = 0.34 * math.cos(turn), 0.18 * math.sin(turn) - 0.6
        c.stroke([(0, -0.62), tip], [0.12, 0.02], (84, 124, 50), 0.04)


def cucumber(c: Canvas) -> None:
    green = tone(c.rng, [(72, 116, 52), (98, 140, 66)][c.rng.integers(2)])
    skin = mix(green, 1.25 * green, stripes(20, 1.57, share=0.3))
    bend, wide = c.rng.uniform(-0.2, 0.2), c.rng.uniform(0.3, 0.42)
    way = [(-0.85, bend), (0, -0.4 * bend), (0.85, bend)]
    c.stroke(way, [0.75 * wide, wide, 0.85 * wide], skin, 0.22, gloss=0.25)


def courgette(c: Canvas) -> None:
    """A yellow one, which is straight where a banana is bent."""
    yellow = tone(c.rng, (238, 204, 60))
    wide = c.rng.uniform(0.26, 0.36)
    c.stroke([(-0.98, 0), (-0.7, 0)], [0.16, 0.2], tone(c.rng, (110, 140, 60)), 0.06)
    c.stroke(
        [(-0.72, 0), (0, 0), (0.84, 0)],
        [0.7 * wide, wide, wide],
        yellow,
        0.22,
        gloss=0.3,
    )


def carrot(c: Canvas) -> None:
    rng = c.rng
    for x in (-0.2, -0.06, 0.1, 0.24):
        way = [(-0.45, 0.2 * x), (-0.75, x), (-1.0, 2 * x)]
        c.stroke(way, [0.05, 0.1, 0.04], tone(rng, (72, 130, 50)), 0.04)
    skin = mix(tone(rng, (234, 126, 38)), (196, 92, 26), stripes(26, 0, share=0.15))
    way = [(-0.5, 0), (0.2, 0.04), (0.95, rng.uniform(-0.15, 0.15))]
    c.stroke(way, [0.4, 0.3, 0.04], skin, 0.2, gloss=0.1)


def pepper(c: Canvas) -> None:
    """A long pepper: bent like a banana, pointed, and of another colour."""
    rng = c.rng
    colours = [(196, 36, 30), (70, 130, 50), (236, 130, 40)]
    line, _ = _arc(rng.uniform(0.4, 1.7), 9)
    line[-1, 0] = 0.98
    skin = tone(rng, colours[rng.integers(3)])
    c.stroke([line[0] - (0.14, -0.1), line[0]], [0.07, 0.12], (84, 120, 48), 0.04)
    c.stroke(line, [0.3, 0.36, 0.3, 0.2, 0.03], skin, 0.2, gloss=0.5)


def croissant(c: Canvas) -> None:
    """Bent like a banana, brown and rolled."""
    bend = c.rng.uniform(1.6, 2.6)
    line, radius = _arc(bend, 9)
    middle, crust = line[4, 1] + radius, _crust(c)

    def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        along = np.arctan2(u, middle - v) / bend + 0.5
        bow = 0.3 * (np.hypot(u, v - middle) - radius) ** 2
        roll = np.abs(np.sin(7 * math.pi * (along + np.sign(along - 0.5) * bow)))
        return (0.6 + 0.45 * np.sqrt(roll)) * crust(u, v)

    c.stroke(line, [0.14, 0.36, 0.56, 0.62, 0.56, 0.36, 0.14], paint, 0.3, gloss=0.15)


def moon(c: Canvas) -> None:
    """A biscuit in the form of a crescent, as yellow as a banana."""
    angle = np.linspace(-1.9, 1.9, 30)
    outer = np.stack([0.9 * np.sin(angle), -0.9 * np.cos(angle)], 1)
    inner = np.stack([0.85 * np.sin(angle), 0.28 - 0.62 * np.cos(angle)], 1)
    dough = tone(c.rng, (240, 212, 110))
    c.polygon(np.concatenate([outer, inner[::-1]]), dough, 0.12)


# ---- what is baked or grilled ----------------------------------------------------------


def _crust(c: Canvas) -> Weight:
    crusts = [(214, 152, 84), (190, 124, 64), (226, 178, 112)]
    colour = tone(c.rng, crusts[c.rng.integers(3)])
    return mix(colour, 0.82 * colour, mottle(c.rng, 0.5, 0.4, 1.5))


def bread(c: Canvas) -> None:
    rng, wide = c.rng, c.rng.uniform(0.45, 0.66)
    way = [(-0.68, 0.04), (0, -0.04), (0.68, 0.04)]
    c.stroke(way, [wide, 1.25 * wide, wide], _crust(c), 0.3)
    for x in np.linspace(-0.5, 0.5, rng.integers(3, 6)):
        slash = [(x - 0.12, -0.42 * wide), (x, -0.05), (x + 0.12, 0.3 * wide)]
        c.stroke(slash, [0.02, 0.12, 0.02], (240, 212, 160), 0.05)


def sausage_skin(c: Canvas, grilled: float = 0.6) -> Paint:
    """Brown to red, now and then with the marks of the grill."""
    rng, colours = c.rng, [(164, 70, 44), (190, 88, 60), (140, 62, 40), (200, 104, 76)]
    skin = tone(rng, colours[rng.integers(4)])
    if rng.random() < grilled:
        return mix(skin, 0.5 * skin, stripes(rng.uniform(14, 22), 0.5, share=0.22))
    return mix(skin, 0.78 * skin, mottle(rng, 0.3, 0.3, 2))


def sausage(c: Canvas) -> None:
    bend, wide = c.rng.uniform(-0.3, 0.3), c.rng.uniform(0.26, 0.36)
    way = [(-0.78, bend), (0, -0.4 * bend), (0.78, bend)]
    for x, y in (way[0], way[2]):
        c.stroke([(x, y), (1.24 * x, 1.15 * y)], [0.12, 0.07], (120, 62, 44), 0.03)
    c.stroke(way, [wide, 1.08 * wide, wide], sausage_skin(c), 0.16, gloss=0.5)


def _mirrored(half: Points) -> list[tuple[float, float]]:
    """The outline that is the same above and below the x axis."""
    return [*half, *((x, -y) for x, y in half[-2:0:-1])]


def sausages(c: Canvas) -> None:
    """Two or three side by side, with mustard now and then, but without a bun."""
    rng = c.rng
    count, bend = rng.integers(2, 4), rng.uniform(-0.25, 0.25)
    for y in (np.arange(count) - (count - 1) / 2) * 0.36:
        shift = rng.uniform(-0.15, 0.15)
        way = [
            (-0.75 + shift, y + bend),
            (shift, y - 0.4 * bend),
            (0.75 + shift, y + bend),
        ]
        c.stroke(way, [0.26, 0.31, 0.26], sausage_skin(c), 0.14, gloss=0.5)
        if rng.random() < 0.4:
            _sauce(c, way)


def _sauce(c: Canvas, way: Points, wide: float = 0.075) -> None:
    """A wavy line of mustard, ketchup or mayonnaise along the way."""
    rng, sauces = c.rng, [(236, 190, 40), (186, 34, 26), (240, 232, 204)]
    line = smooth(way, closed=False)[2:-2]
    phase, often = rng.uniform(0, 6), rng.uniform(5, 9)
    wave = rng.uniform(0.04, 0.08) * np.sin(
        often * np.linspace(0, 6, len(line)) + phase
    )
    line = np.stack([line[:, 0], line[:, 1] + wave], 1)
    c.stroke(line, wide, tone(rng, sauces[rng.integers(3)]), 0.04, gloss=0.4)


def _bun(c: Canvas, fill: Callable[[Canvas, list[tuple[float, float]]], None]) -> None:
    """A long bun, cut open: its back half, what `fill(c, way)` draws, its front half."""
    rng, crust = c.rng, _crust(c)
    bend, end, wide = (
        rng.uniform(-0.12, 0.12),
        rng.uniform(0.66, 0.76),
        rng.uniform(0.4, 0.5),
    )

    def half(y: float, width: float, paint: Paint, depth: float) -> None:
        way = [(-end, bend + y), (0, y - 0.4 * bend), (end, bend + y)]
        c.stroke(way, [0.8 * width, width, 0.8 * width], paint, depth)

    half(-0.2, wide, crust, 0.22)
    half(-0.12, 0.72 * wide, tone(rng, (240, 222, 180), 0.06), 0.05)
    fill(c, [(-1, bend), (0, -0.02 - 0.4 * bend), (1, bend)])
    half(rng.uniform(0.2, 0.26), 0.85 * wide, crust, 0.22)


def hot_dog(c: Canvas) -> None:
    """A sausage in a bun, which looks out on both sides, with sauce on most."""
    rng = c.rng
    reach, wide = rng.uniform(0.84, 0.98), rng.uniform(0.27, 0.34)

    def fill(c: Canvas, way: list[tuple[float, float]]) -> None:
        line = [(reach * x, y) for x, y in way]
        widths = [0.8 * wide, wide, wide, 0.8 * wide]
        c.stroke(line, widths, sausage_skin(c, 0.4), 0.15, gloss=0.5)
        inner = [(0.75 * x, y - 0.03) for x, y in way]
        for _ in range(rng.choice(3, p=[0.2, 0.6, 0.2])):
            _sauce(c, inner)

    if rng.random() < 0.25:
        _lettuce(c, 0.75, 0.04)
    _bun(c, fill)


def sandwich(c: Canvas) -> None:
    """A long bun with lettuce and slices of tomato, cheese or ham; no sausage."""
    rng = c.rng

    def fill(c: Canvas, way: list[tuple[float, float]]) -> None:
        _lettuce(c, 0.82, -0.02)
        slices = [(204, 54, 42), (244, 200, 76), (228, 154, 142)]
        for at in np.linspace(-0.55, 0.55, rng.integers(3, 5)):
            colour = tone(rng, slices[rng.integers(3)])
            c.ellipse(
                (at, rng.uniform(-0.06, 0.06)), (0.24, 0.16), colour, 0.05, gloss=0.3
            )

    _bun(c, fill)


def _lettuce(c: Canvas, reach: float, y: float) -> None:
    x = np.linspace(-reach, reach, 16)
    frill = np.where(np.arange(16) % 2, 0.16, 0.27)
    edge = [
        *zip(x, y - frill, strict=True),
        *zip(x[::-1], y + frill[::-1], strict=True),
    ]
    green = tone(c.rng, (120, 172, 66))
    c.curve(edge, mix(green, 0.72 * green, mottle(c.rng, 0.2, 0.4, 2)), 0.06)


def empty_bun(c: Canvas) -> None:
    """A bun with nothing but sauce in it, or closed."""
    if c.rng.random() < 0.4:
        way = [(-0.72, 0.05), (0, -0.03), (0.72, 0.05)]
        c.stroke(way, [0.44, 0.6, 0.44], _crust(c), 0.3)
        c.stroke(
            [(-0.5, -0.06), (0, -0.1), (0.5, -0.06)],
            [0.02, 0.06, 0.02],
            (240, 214, 164),
            0,
        )
        return
    _bun(c, lambda c, way: _sauce(c, [(0.7 * x, y) for x, y in way], 0.12))


def odd_bun(c: Canvas) -> None:
    """A carrot, a cucumber or a peeled banana in a bun."""
    inside = [(234, 126, 38), (98, 140, 66), (246, 232, 180)][c.rng.integers(3)]

    def fill(c: Canvas, way: list[tuple[float, float]]) -> None:
        colour = tone(c.rng, inside)
        paint = mix(colour, 0.82 * colour, stripes(24, 0, share=0.2))
        c.stroke(way, [0.14, 0.26, 0.3, 0.24], paint, 0.14)

    _bun(c, fill)


def burger(c: Canvas) -> None:
    """Stands: layers between the halves of a round bun with seeds."""
    rng, crust = c.rng, _crust(c)
    c.stroke([(-0.6, 0.55), (0.6, 0.55)], 0.34, crust, 0.2)
    meat = tone(rng, (110, 64, 42))
    c.stroke(
        [(-0.7, 0.28), (0.7, 0.28)],
        0.3,
        mix(meat, 0.7 * meat, mottle(rng, 0.1, 0.4, 2)),
        0.1,
    )
    cheese = [(-0.85, 0.1), (0.85, 0.1), (0.5, 0.34), (0.1, 0.16), (-0.4, 0.36)]
    c.polygon(cheese, tone(rng, (244, 194, 66)), 0.04)
    x = np.linspace(-0.9, 0.9, 15)
    frill = list(zip(x, np.where(np.arange(15) % 2, 0.04, 0.17), strict=True))
    c.curve([*frill, (0.85, -0.06), (-0.85, -0.06)], tone(rng, (112, 168, 62)), 0.05)
    dome = [(-0.85, -0.05), (-0.7, -0.5), (-0.25, -0.75), (0.25, -0.75), (0.7, -0.5)]
    c.curve([*dome, (0.85, -0.05), (0, 0.02)], crust, 0.35, gloss=0.2)
    for x, y in rng.uniform((-0.5, -0.65), (0.5, -0.25), (9, 2)):
        c.ellipse((x, y), (0.05, 0.03), (246, 230, 190), 0)


def donut(c: Canvas) -> None:
    rng, icing = (
        c.rng,
        [(240, 150, 180), (96, 60, 40), (248, 240, 226), (150, 200, 226)],
    )
    angle = np.linspace(0, 2 * math.pi, 50)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    wave = 1 + 0.05 * np.sin(rng.integers(5, 9) * angle + rng.uniform(0, 6))[:, None]
    dough = np.concatenate([0.9 * circle, 0.3 * circle[::-1]])
    c.polygon(dough, tone(rng, (206, 150, 84)), 0.22)
    glaze = np.concatenate([0.8 * wave * circle, 0.36 * circle[::-1]])
    c.polygon(glaze, tone(rng, icing[rng.integers(4)]), 0.16, gloss=0.4)


def pizza(c: Canvas) -> None:
    rng = c.rng
    c.ellipse((0, 0), (0.96, 0.96), _crust(c), 0.15)
    cheese = mix(tone(rng, (240, 200, 96)), (206, 90, 50), mottle(rng, 0.25, 0.35, 2))
    c.ellipse((0, 0), (0.82, 0.82), cheese, 0.04)
    for turn in np.arange(6) * 1.05 + rng.uniform(0, 1):
        far = rng.uniform(0.3, 0.6)
        at = far * math.cos(turn), far * math.sin(turn)
        c.ellipse(at, (0.17, 0.17), tone(rng, (176, 52, 40)), 0.08)


def chips(c: Canvas) -> None:
    """A heap of fried potatoes."""
    gold = tone(c.rng, (238, 190, 90))
    for x, y, turn in c.rng.uniform((-0.5, -0.35, 0), (0.5, 0.35, 3.1), (16, 3)):
        dx, dy = 0.36 * math.cos(turn), 0.3 * math.sin(turn)
        paint = gold * c.rng.uniform(0.82, 1.05)
        c.stroke([(x - dx, y - dy), (x + dx, y + dy)], 0.13, paint, 0.05, caps=False)
