"""Things that can be drawn: food, tools, plants and animals, each a function.

A thing is a function of the generator, which chooses its colours and its pose, and of its
length in pixels; it gives a sprite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .animals import Animal, draw_animal
from .canvas import (
    Canvas,
    Paint,
    Sprite,
    checks,
    cloud,
    dots,
    mix,
    ramp,
    sectors,
    stripes,
    tone,
    vivid,
)
from .paint import Tube, any_colour, bent_tube, blend, shade

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["THINGS", "sausage_skin", "upright"]


def _anywhere(rng: Generator, length: float) -> Canvas:
    """A sketch turned by any angle."""
    squeeze = rng.uniform(0.8, 1, 2)
    return Canvas(rng, length, rng.uniform(0, 2 * math.pi), False, tuple(squeeze))


def upright(rng: Generator, length: float, lean: float = 0.25) -> Canvas:
    """A sketch of something that stands, leaning a little, looking left or right."""
    squeeze = rng.uniform(0.85, 1, 2)
    turn = rng.normal(0, lean)
    return Canvas(rng, length, turn, bool(rng.random() < 0.5), tuple(squeeze))


_BANANA_AT = (0, 0.03, 0.1, 0.16, 0.24, 0.36, 0.52, 0.7, 0.83, 0.92, 0.965, 1)
_BANANA_WIDTH = (0.3, 0.27, 0.24, 0.34, 0.66, 0.93, 1, 0.95, 0.74, 0.42, 0.25, 0.2)


def draw_one(rng: Generator, length: float) -> Sprite:
    """A banana whose box is `length` pixels on its longer side."""
    thick = rng.uniform(0.18, 0.24)

    def half_width(along: np.ndarray) -> np.ndarray:
        return thick * np.interp(along, _BANANA_AT, _BANANA_WIDTH)

    tube = bent_tube(
        rng, length, rng.uniform(1.5, 2.3), half_width, rng.uniform(-0.2, 0.2)
    )
    colour = shade(tube, _ripeness(rng))
    for ridge in (rng.uniform(-0.45, -0.15), rng.uniform(0.3, 0.55)):
        edge = np.exp(-(((tube.across - ridge) / 0.09) ** 2))
        colour *= 1 - 0.13 * edge[:, :, None]
    _speckle(rng, colour, tube)
    stem = np.clip((0.2 - tube.along) / 0.12, 0, 1)
    blend(colour, np.array([150, 150, 60.0]), 0.7 * stem)
    ends = np.clip((0.045 - np.minimum(tube.along, 1 - tube.along)) / 0.02, 0, 1)
    blend(colour, rng.uniform(0.5, 1.3) * np.array([62, 46, 30.0]), ends)
    return Sprite(colour, tube.cover)


def _ripeness(rng: Generator) -> np.ndarray:
    """The colour of the peel: greenish, yellow, or brownish yellow; mostly yellow."""
    stages = np.array([[176, 196, 72], [242, 208, 66], [250, 212, 52], [220, 170, 56]])
    stage = 3 * rng.beta(1.6, 1.6)
    colour = [np.interp(stage, range(4), channel) for channel in stages.T]
    return np.array(colour) * rng.uniform(0.92, 1.05)


def _speckle(rng: Generator, colour: np.ndarray, tube: Tube) -> None:
    """Sprinkle the brown spots of a ripe peel, along the fruit's own coordinates."""
    spots = np.clip(rng.normal(-3.2 + rng.uniform(0, 1.7), 1, (40, 9)), 0, 1)
    row = np.clip(tube.along * 40, 0, 39).astype(int)
    column = np.clip((tube.across + 1) * 4.5, 0, 8).astype(int)
    blend(colour, np.array([120, 80, 35.0]), 0.7 * spots[row, column])


# ---- food ----------------------------------------------------------------------------


def _apple(rng: Generator, length: float) -> Sprite:
    s = upright(rng, length, 0.5)
    colours = [(196, 36, 36), (122, 176, 52), (222, 178, 60)]
    peel = tone(rng, colours[rng.integers(3)])
    cheek = mix(peel, tone(rng, (206, 60, 44)), cloud(rng, 0.8, 0.3, 2))
    s.stroke([(0, -0.55), (0.04, -0.75), (0.14, -0.95)], 0.1, (90, 60, 36), 0.04)
    s.curve([(0.1, -0.72), (0.4, -0.98), (0.68, -0.86), (0.4, -0.68)], (74, 130, 52))
    around = [(0, -0.58), (-0.38, -0.7), (-0.76, -0.42), (-0.78, 0.1), (-0.5, 0.66)]
    around += [(-0.2, 0.8), (0, 0.72)]
    s.curve(around + [(-x, y) for x, y in around[-2:0:-1]], cheek, 0.45)
    return s.sprite()


def _bread(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    crust = mix(tone(rng, (206, 146, 74)), (160, 98, 44), cloud(rng, 0.5, 0.4, 2))
    wide = rng.uniform(0.45, 0.7)
    s.stroke(
        [(-0.7, 0.1), (0, -0.06), (0.7, 0.1)], [wide, wide * 1.3, wide], crust, 0.3
    )
    for x in np.linspace(-0.55, 0.55, rng.integers(3, 6)):
        slash = [(x - 0.1, -0.24 * wide - 0.1), (x, 0), (x + 0.14, 0.22 * wide + 0.1)]
        s.stroke(slash, [0.02, 0.12, 0.02], (238, 206, 150), 0.05)
    return s.sprite()


def _carrot(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    for x in (-0.2, -0.05, 0.12, 0.26):
        way = [(0, -0.45), (x, -0.75), (2 * x, -1.0)]
        s.stroke(way, [0.06, 0.12, 0.05], tone(rng, (62, 132, 50)), 0.04)
    rings = mix(tone(rng, (236, 122, 32)), (190, 86, 24), stripes(26, 1.57, share=0.15))
    way = [(0, -0.5), (0.04, 0.2), (rng.uniform(-0.2, 0.2), 0.95)]
    s.stroke(way, [0.5, 0.36, 0.04], rings, 0.2)
    return s.sprite()


def _donut(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 0.9 * length)
    angle = np.linspace(0, 2 * math.pi, 60)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)

    def ring(outer: float, inner: float) -> np.ndarray:
        return np.concatenate([outer * circle, inner * circle[::-1]])

    s.polygon(ring(0.9, 0.3), tone(rng, (206, 150, 84)), 0.22)
    icing = [(240, 150, 180), (92, 56, 36), (248, 240, 226), (150, 200, 226)]
    glaze = tone(rng, icing[rng.integers(4)])
    wave = 1 + 0.06 * np.sin(rng.integers(5, 9) * angle + rng.uniform(0, 6))
    outline = np.concatenate([0.78 * wave[:, None] * circle, 0.38 * circle[::-1]])
    s.polygon(outline, glaze, 0.14)
    for _ in range(16):
        turn, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.46, 0.68)
        x, y = far * math.cos(turn), far * math.sin(turn)
        dx, dy = rng.uniform(-0.07, 0.07, 2)
        s.stroke([(x, y), (x + dx, y + dy)], 0.06, vivid(rng), 0)
    return s.sprite()


def _mushroom(rng: Generator, length: float) -> Sprite:
    s = upright(rng, length)
    stem = tone(rng, (232, 220, 196))
    s.stroke([(0, -0.2), (0.03, 0.4), (0, 0.85)], [0.34, 0.3, 0.46], stem, 0.15)
    cap = mix(tone(rng, (196, 48, 36)), (246, 240, 226), dots(0.42, 0.13))
    if rng.random() < 0.4:
        cap = tone(rng, (150, 100, 62))
    dome = [(-0.85, 0.05), (-0.7, -0.45), (-0.3, -0.78), (0.3, -0.78), (0.7, -0.45)]
    s.curve([*dome, (0.85, 0.05), (0.4, 0.14), (-0.4, 0.14)], cap, 0.35)
    return s.sprite()


def sausage_skin(rng: Generator, grilled: float = 0.6) -> Paint:
    """The paint of a sausage: brown to red, with the marks of the grill now and then."""
    colours = [(168, 72, 44), (196, 92, 64), (142, 62, 40), (206, 112, 84)]
    skin = tone(rng, colours[rng.integers(4)])
    if rng.random() < grilled:
        return mix(skin, 0.5 * skin, stripes(rng.uniform(14, 22), 0.5, share=0.25))
    return mix(skin, 0.75 * skin, cloud(rng, 0.3, 0.3, 2))


def _sausage(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    bend, wide = rng.uniform(-0.35, 0.35), rng.uniform(0.3, 0.42)
    way = [(-0.78, bend), (0, -bend * 0.4), (0.78, bend)]
    for end in (0, 2):
        tip = way[end]
        knot = tip[0] * 1.24, tip[1] * 1.1
        s.stroke([tip, knot], [0.12, 0.08], (120, 62, 44), 0.03)
    s.stroke(way, [wide, wide * 1.08, wide], sausage_skin(rng), 0.16)
    return s.sprite()


def _watermelon(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    angle = np.linspace(0, math.pi, 30)
    half = np.stack([np.cos(angle), np.sin(angle)], 1)
    shift = np.array([0, -0.45])
    rind = mix((52, 116, 52), (132, 180, 86), sectors(rng.integers(9, 15)))
    s.polygon(0.98 * half + shift, rind, 0.08)
    s.polygon(0.86 * half + shift, (226, 236, 190), 0)
    s.polygon(0.79 * half + shift, tone(rng, (226, 66, 66)), 0.06)
    for turn in np.linspace(0.35, math.pi - 0.35, rng.integers(5, 8)):
        far = rng.uniform(0.35, 0.62)
        x, y = far * math.cos(turn), far * math.sin(turn) - 0.45
        s.ellipse((x, y), (0.06, 0.035), (40, 26, 24), 0, turn)
    return s.sprite()


# ---- things --------------------------------------------------------------------------


def _ball(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 0.85 * length)
    one, two = vivid(rng), rng.choice([vivid(rng), np.full(3, 240.0)])
    pattern = [
        sectors(rng.integers(3, 5), centre=tuple(rng.uniform(-0.4, 0.4, 2))),
        stripes(rng.uniform(5, 9), 0),
        checks(rng.uniform(5, 8), 0.4),
    ][rng.integers(3)]
    s.ellipse((0, 0), (0.95, 0.95), mix(one, two, pattern), 0.6)
    return s.sprite()


def _bottle(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 1.05 * length, 0.6)
    glass = tone(rng, [(44, 110, 62), (120, 72, 36), (110, 160, 190)][rng.integers(3)])
    wide = rng.uniform(0.28, 0.36)
    side = [(0.11, -0.9), (0.12, -0.5), (wide, -0.2), (wide, 0.88)]
    s.polygon([(-x, y) for x, y in side] + side[::-1], glass, 0.14)
    label = mix(vivid(rng), (245, 240, 230), stripes(14, 1.57))
    s.polygon([(-wide, 0.1), (wide, 0.1), (wide, 0.6), (-wide, 0.6)], label, 0.1)
    s.polygon(
        [(-0.14, -1), (0.14, -1), (0.14, -0.84), (-0.14, -0.84)], vivid(rng), 0.05
    )
    s.stroke([(-0.55 * wide, -0.1), (-0.55 * wide, 0.75)], 0.05, (240, 245, 245), 0)
    return s.sprite()


def _candle(rng: Generator, length: float) -> Sprite:
    s = upright(rng, length, 0.15)
    wide = rng.uniform(0.18, 0.34)
    wax = mix(vivid(rng), (246, 240, 222), stripes(12, rng.uniform(0.5, 1.2)))
    if rng.random() < 0.5:
        wax = tone(rng, (240, 228, 200))
    s.polygon([(-wide, -0.3), (wide, -0.3), (wide, 0.95), (-wide, 0.95)], wax, 0.15)
    s.ellipse((0, -0.3), (wide, 0.3 * wide), (250, 240, 214), 0)
    s.stroke([(0, -0.3), (0, -0.45)], 0.04, (40, 34, 30), 0)
    for scale, colour in ((1.0, (250, 150, 40)), (0.65, (255, 226, 110))):
        y = -0.45
        flame = [(0, y), (-0.14 * scale, y - 0.14 * scale), (0, y - 0.5 * scale)]
        s.curve([*flame, (0.14 * scale, y - 0.14 * scale)], colour, 0)
    return s.sprite()


def _clock(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 0.85 * length)
    s.ellipse((0, 0), (0.98, 0.98), vivid(rng) * rng.uniform(0.3, 1), 0.12)
    s.ellipse((0, 0), (0.82, 0.82), tone(rng, (240, 236, 226)), 0.05)
    for turn in np.arange(12) * math.pi / 6:
        x, y = math.sin(turn), -math.cos(turn)
        s.stroke([(0.66 * x, 0.66 * y), (0.76 * x, 0.76 * y)], 0.06, (40, 40, 46), 0)
    for far, width in ((0.42, 0.1), (0.62, 0.06)):
        turn = rng.uniform(0, 2 * math.pi)
        tip = far * math.cos(turn), far * math.sin(turn)
        s.stroke([(0, 0), tip], width, (36, 36, 42), 0)
    s.ellipse((0, 0), (0.07, 0.07), (190, 40, 40), 0)
    return s.sprite()


def _cup(rng: Generator, length: float) -> Sprite:
    s = upright(rng, 0.95 * length)
    one, two = vivid(rng), np.array([244.0, 240, 232])
    texture = [dots(0.3, 0.09), stripes(10, 1.57), checks(8, 0)][rng.integers(3)]
    glaze = mix(one, two, texture) if rng.random() < 0.7 else one
    angle = np.linspace(-1.9, 1.9, 12)
    handle = [(0.5 + 0.36 * math.cos(t), 0.05 + 0.36 * math.sin(t)) for t in angle]
    s.stroke(handle, 0.13, one, 0.06)
    foot = rng.uniform(0.36, 0.58)
    body = [(-0.6, -0.6), (0.6, -0.6), (foot, 0.68), (0, 0.76), (-foot, 0.68)]
    s.polygon(body, glaze, 0.3)
    s.ellipse((0, -0.6), (0.6, 0.17), two, 0.05)
    s.ellipse((0, -0.57), (0.52, 0.12), (92, 56, 34), 0)
    return s.sprite()


def _dice(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 0.95 * length)
    colour, dot = vivid(rng), (245, 242, 236)
    if rng.random() < 0.5:
        colour, dot = np.array([238.0, 234, 224]), (36, 30, 34)
    a, b = np.array([0.78, 0.4]), np.array([-0.78, 0.4])
    top, down = np.array([0, -0.85]), np.array([0, 0.85])
    # the two lower faces hang from the edges of the top one
    faces = [(top, a, b, 1.05), (top + b, a, down, 0.85), (top + a, b, down, 0.65)]
    places = {1: [(0.5, 0.5)], 2: [(0.25, 0.25), (0.75, 0.75)]}
    places[3] = places[1] + places[2]
    places[4] = [*places[2], (0.25, 0.75), (0.75, 0.25)]
    places[5] = places[4] + places[1]
    for corner, one, two, light in faces:
        square = [corner, corner + one, corner + one + two, corner + two]
        s.polygon(square, light * colour, 0.04)
        for p, q in places[int(rng.integers(1, 6))]:
            s.ellipse(tuple(corner + p * one + q * two), (0.09, 0.08), dot, 0)
    return s.sprite()


def _key(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 1.1 * length)
    metal = tone(rng, [(206, 170, 76), (170, 174, 180), (150, 96, 58)][rng.integers(3)])
    s.stroke([(-0.2, 0), (0.92, 0)], 0.13, metal, 0.05, caps=False)
    for x in (0.85, 0.7, 0.5)[: rng.integers(2, 4)]:
        s.polygon([(x, 0), (x - 0.1, 0), (x - 0.1, 0.28), (x, 0.28)], metal, 0.04)
    angle = np.linspace(0, 2 * math.pi, 40)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    ring = np.concatenate([0.38 * circle, 0.2 * circle[::-1]]) - [0.52, 0]
    s.polygon(ring, metal, 0.08)
    return s.sprite()


def _pencil(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 1.15 * length)
    half, colour = rng.uniform(0.09, 0.14), vivid(rng)
    lacquer = mix(colour, 0.7 * colour, stripes(3.14 / half, 1.57, share=0.35))
    s.polygon([(-0.7, -half), (0.6, -half), (0.6, half), (-0.7, half)], lacquer, 0.06)
    s.polygon([(0.6, -half), (0.92, 0), (0.6, half)], (226, 190, 140), 0.04)
    s.polygon([(0.82, -0.3 * half), (0.95, 0), (0.82, 0.3 * half)], 0.6 * colour, 0)
    for x, tint in ((-0.82, (196, 196, 200)), (-0.97, (228, 130, 140))):
        box = [(x, -half), (x + 0.15, -half), (x + 0.15, half), (x, half)]
        s.polygon(box, tint, 0.05)
    return s.sprite()


def _star(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    arms = rng.integers(5, 8)
    turn = np.arange(2 * arms) * math.pi / arms
    far = np.where(np.arange(2 * arms) % 2, rng.uniform(0.38, 0.52), 0.95)
    outline = far[:, None] * np.stack([np.sin(turn), -np.cos(turn)], 1)
    colour = vivid(rng)
    paint = mix(colour, 0.6 * colour, sectors(arms)) if rng.random() < 0.5 else colour
    s.polygon(outline, paint, 0.14)
    return s.sprite()


def _umbrella(rng: Generator, length: float) -> Sprite:
    s = upright(rng, length, 0.4)
    s.stroke([(0, -0.6), (0, 0.75)], 0.06, (70, 52, 40), 0.02)
    s.stroke([(0, 0.7), (0.1, 0.88), (0.22, 0.72)], 0.08, (70, 52, 40), 0.02)
    angle = np.linspace(math.pi, 2 * math.pi, 25)
    dome = np.stack([0.95 * np.cos(angle), 0.85 * np.sin(angle)], 1)
    scallops = [
        (x, -0.13 * abs(math.cos(3.31 * x))) for x in np.linspace(0.95, -0.95, 25)
    ]
    cloth = mix(
        vivid(rng),
        rng.choice([vivid(rng), np.full(3, 240.0)]),
        sectors(rng.integers(5, 8), centre=(0, 0.4)),
    )
    s.polygon([*dome.tolist(), *scallops], cloth, 0.3)
    return s.sprite()


def _wheel(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 0.9 * length)
    s.ellipse((0, 0), (0.98, 0.98), (42, 42, 46), 0.08)
    s.ellipse((0, 0), (0.7, 0.7), any_colour(rng), 0)
    metal = tone(rng, (190, 192, 198))
    for turn in np.arange(spokes := rng.integers(4, 9)) * 2 * math.pi / spokes:
        tip = 0.72 * math.cos(turn), 0.72 * math.sin(turn)
        s.stroke([(0, 0), tip], 0.12, metal, 0.04)
    angle = np.linspace(0, 2 * math.pi, 50)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    s.polygon(np.concatenate([0.76 * circle, 0.66 * circle[::-1]]), metal, 0.05)
    s.ellipse((0, 0), (0.18, 0.18), metal, 0.08)
    return s.sprite()


# ---- plants and small animals --------------------------------------------------------


def _flower(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    petals, colour = rng.integers(5, 12), vivid(rng)
    far = rng.uniform(0.5, 0.58)
    paint = mix(colour, 0.7 * colour, cloud(rng, 0.3, 0.3, 2))
    for turn in np.arange(petals) * 2 * math.pi / petals:
        centre = far * math.cos(turn), far * math.sin(turn)
        s.ellipse(centre, (0.42, min(0.3, 1.9 / petals)), paint, 0.1, turn)
    heart = mix(tone(rng, (236, 190, 50)), (160, 106, 30), dots(0.12, 0.035))
    s.ellipse((0, 0), (0.26, 0.26), heart, 0.12)
    return s.sprite()


def _leaf(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    colours = [(70, 132, 52), (120, 150, 50), (196, 110, 40), (176, 60, 40)]
    green = tone(rng, colours[rng.integers(4)])
    s.stroke([(0.8, 0), (1.1, 0.06)], 0.07, 0.6 * green, 0.03)
    x = np.linspace(-0.95, 0.85, 24)
    wide = rng.uniform(0.35, 0.6) * np.sin(np.pi * (x + 0.95) / 1.8) ** rng.uniform(
        0.7, 1.2
    )
    wide *= 1 + rng.uniform(0, 0.18) * np.where(np.arange(24) % 2, 1, -1)
    s.polygon(
        [*zip(x, -wide, strict=True), *zip(x[::-1], wide[::-1], strict=True)],
        mix(green, 0.75 * green, cloud(rng, 0.25, 0.3, 2)),
        0.12,
    )
    vein = 0.35 * green + 150
    s.stroke([(-0.9, 0), (0.85, 0)], [0.02, 0.06], vein, 0)
    for at in np.linspace(-0.6, 0.6, 5):
        reach = 0.75 * np.interp(at, x, wide)
        for side in (-1, 1):
            s.stroke([(at, 0), (at - 0.2, side * reach)], [0.04, 0.02], vein, 0)
    return s.sprite()


def _butterfly(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, length)
    one, two = vivid(rng), vivid(rng)
    wing = mix(one, two, dots(rng.uniform(0.3, 0.42), 0.1))
    spread = rng.uniform(0.8, 1)
    for side in (-1, 1):
        upper = [(0.05, -0.1), (0.35, -0.75), (0.85, -0.85), (0.92, -0.4), (0.5, 0.05)]
        lower = [(0.05, 0.05), (0.6, 0.05), (0.75, 0.4), (0.5, 0.8), (0.2, 0.55)]
        for part, paint in ((lower, mix(two, one, ramp(0.1, 0.6))), (upper, wing)):
            outline = [(side * x * spread, y) for x, y in part]
            grown = [(1.08 * x, 1.08 * y) for x, y in outline]
            s.curve(grown, (34, 28, 30), 0)
            s.curve(outline, paint, 0.1)
        s.stroke(
            [(0, -0.5), (side * 0.12, -0.75), (side * 0.26, -0.9)],
            0.035,
            (34, 28, 30),
            0,
        )
    s.stroke([(0, -0.5), (0, 0), (0, 0.6)], [0.12, 0.18, 0.06], (50, 38, 34), 0.06)
    return s.sprite()


def _ladybug(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 0.9 * length)
    for side in (-1, 1):
        for y in (-0.3, 0.1, 0.5):
            s.stroke(
                [(0, y), (side * 0.75, y - 0.05), (side * 0.95, y + 0.15)],
                0.07,
                (30, 26, 28),
                0,
            )
    s.ellipse((0, -0.68), (0.38, 0.28), (30, 26, 28), 0.1)
    shell = tone(rng, [(206, 40, 32), (232, 150, 36), (226, 200, 60)][rng.integers(3)])
    s.ellipse((0, 0.08), (0.74, 0.82), shell, 0.45)
    s.stroke([(0, -0.7), (0, 0.88)], 0.05, (30, 26, 28), 0)
    for x, y in ((0.36, -0.3), (0.42, 0.2), (0.28, 0.58)):
        for side in (-1, 1):
            s.ellipse((side * x, y), (0.13, 0.14), (30, 26, 28), 0)
    return s.sprite()


def _snake(rng: Generator, length: float) -> Sprite:
    s = _anywhere(rng, 1.1 * length)
    one, two = vivid(rng) * 0.8, rng.uniform(20, 240, 3)
    skin = mix(one, two, stripes(rng.uniform(12, 20), 0, share=0.4))
    x = np.linspace(-0.85, 0.85, 9)
    y = rng.uniform(0.22, 0.4) * np.sin(rng.uniform(4.5, 6.5) * x + rng.uniform(0, 6))
    way = list(zip(x, y, strict=True))
    s.stroke(way, [0.05, 0.2, 0.24, 0.22, 0.2], skin, 0.08)
    s.ellipse(way[-1], (0.2, 0.15), one, 0.08)
    for side in (-0.07, 0.07):
        s.ellipse((x[-1] + 0.06, y[-1] + side), (0.04, 0.04), (250, 240, 120), 0)
    return s.sprite()


def _bird(rng: Generator, length: float) -> Sprite:
    s = upright(rng, length)
    coat, wing = vivid(rng), 0.7 * vivid(rng)
    breast = mix(coat, (240, 226, 200), ramp(0.0, 0.4))
    s.polygon([(0.4, 0.05), (1.0, 0.1), (1.0, 0.35), (0.5, 0.35)], 0.6 * wing, 0.06)
    for x in (-0.1, 0.12):
        s.stroke([(x, 0.5), (x, 0.9)], 0.05, (196, 130, 50), 0)
    body = [(-0.5, -0.3), (-0.1, -0.35), (0.4, -0.05), (0.65, 0.2), (0.3, 0.55)]
    s.curve([*body, (-0.2, 0.62), (-0.55, 0.3)], breast, 0.25)
    s.polygon([(-0.78, -0.5), (-1.05, -0.36), (-0.76, -0.3)], (236, 160, 40), 0.04)
    s.ellipse((-0.48, -0.42), (0.36, 0.33), coat, 0.18)
    s.ellipse((-0.6, -0.48), (0.07, 0.07), (20, 20, 24), 0)
    feathers = mix(wing, 0.6 * wing, stripes(16, 0.9))
    s.curve([(-0.25, -0.05), (0.25, -0.05), (0.75, 0.3), (0.2, 0.38)], feathers, 0.1)
    return s.sprite()


def _fish(rng: Generator, length: float) -> Sprite:
    s = upright(rng, length, 0.4)
    one, two = vivid(rng), vivid(rng)
    fin = 0.75 * two
    s.polygon([(0.5, 0), (1.0, -0.42), (0.88, 0), (1.0, 0.42)], fin, 0.08)
    s.curve([(-0.3, -0.3), (0.1, -0.75), (0.5, -0.3)], fin, 0.06)
    s.curve([(-0.1, 0.3), (0.2, 0.62), (0.35, 0.25)], fin, 0.06)
    scales = [stripes(9, 0.0), dots(0.2, 0.07), stripes(9, 1.57)][rng.integers(3)]
    tall = rng.uniform(0.34, 0.5)
    body = [(-0.92, 0), (-0.5, -0.85 * tall), (0, -tall), (0.4, -0.5 * tall), (0.68, 0)]
    s.curve(body + [(x, -y) for x, y in body[-2:0:-1]], mix(one, two, scales), 0.22)
    s.ellipse((-0.6, -0.1), (0.12, 0.12), (245, 245, 240), 0)
    s.ellipse((-0.62, -0.1), (0.06, 0.06), (16, 16, 20), 0)
    return s.sprite()


# ---- animals on four legs ------------------------------------------------------------


def _standing(rng: Generator, length: float, animal: Animal) -> Sprite:
    s = upright(rng, 1.05 * length, 0.1)
    draw_animal(s, animal)
    return s.sprite()


def _zebra(rng: Generator, length: float) -> Sprite:
    coat = mix((236, 232, 224), (34, 30, 32), stripes(rng.uniform(22, 30), 0.15))
    legs = mix((236, 232, 224), (34, 30, 32), stripes(34, 1.57))
    return _standing(
        rng,
        length,
        Animal(
            coat,
            legs=legs,
            neck=0.4,
            mane=(40, 36, 36),
            muzzle=0.24,
            head=0.15,
            tail="tuft",
            tuck=0.95,
        ),
    )


def _giraffe(rng: Generator, length: float) -> Sprite:
    coat = mix(tone(rng, (232, 200, 140)), (156, 90, 40), dots(0.24, 0.1))
    return _standing(
        rng,
        length,
        Animal(
            coat,
            length=0.34,
            depth=0.18,
            leg=0.6,
            thick=0.09,
            neck=0.85,
            rise=1.2,
            head=0.12,
            muzzle=0.16,
            snout=0.12,
            tail="tuft",
        ),
    )


def _cow(rng: Generator, length: float) -> Sprite:
    colour = [(34, 30, 30), (140, 78, 44)][rng.integers(2)]
    coat = mix((238, 234, 226), colour, cloud(rng, 0.6, 0.45))
    pink = tone(rng, (226, 170, 160))
    return _standing(
        rng,
        length,
        Animal(
            coat,
            length=0.62,
            depth=0.28,
            leg=0.42,
            thick=0.1,
            neck=0.16,
            rise=0.5,
            ear="flop",
            muzzle=0.12,
            head=0.17,
            snout=0.26,
            face=coat,
            tail="tuft",
            nose=pink,
            horns=True,
            udder=True,
            tuck=1.0,
        ),
    )


def _sheep(rng: Generator, length: float) -> Sprite:
    wool = mix(tone(rng, (232, 226, 210)), (180, 172, 156), dots(0.16, 0.05))
    dark = tone(rng, (56, 48, 46))
    return _standing(
        rng,
        length,
        Animal(
            wool,
            length=0.52,
            depth=0.34,
            leg=0.32,
            legs=dark,
            face=dark,
            neck=0.16,
            rise=0.6,
            ear="flop",
            head=0.17,
            muzzle=0.14,
            tail="short",
            fur=0.1,
            thick=0.09,
            tuck=1.0,
        ),
    )


def _rabbit(rng: Generator, length: float) -> Sprite:
    colours = [(150, 120, 92), (236, 232, 226), (96, 92, 92)]
    coat = tone(rng, colours[rng.integers(3)])
    return _standing(
        rng,
        length,
        Animal(
            coat,
            length=0.42,
            depth=0.32,
            leg=0.2,
            neck=0.2,
            rise=1.0,
            ear="long",
            head=0.22,
            muzzle=0.08,
            snout=0.18,
            tail="short",
            thick=0.14,
            tuck=1.0,
        ),
    )


def _cat(rng: Generator, length: float) -> Sprite:
    colours = [(210, 130, 62), (130, 126, 124), (44, 40, 42), (226, 216, 200)]
    coat = tone(rng, colours[rng.integers(4)])
    if rng.random() < 0.6:
        coat = mix(coat, 0.55 * coat, stripes(rng.uniform(20, 28), 0.1, share=0.35))
    return _standing(
        rng,
        length,
        Animal(
            coat,
            length=0.46,
            depth=0.2,
            leg=0.36,
            neck=0.2,
            rise=0.8,
            head=0.22,
            muzzle=0.03,
            snout=0.18,
            thick=0.11,
        ),
    )


THINGS: dict[str, Callable[[Generator, float], Sprite]] = {
    "apple": _apple,
    "ball": _ball,
    "banana": draw_one,
    "bird": _bird,
    "bottle": _bottle,
    "bread": _bread,
    "butterfly": _butterfly,
    "candle": _candle,
    "carrot": _carrot,
    "cat": _cat,
    "clock": _clock,
    "cow": _cow,
    "cup": _cup,
    "dice": _dice,
    "donut": _donut,
    "fish": _fish,
    "flower": _flower,
    "giraffe": _giraffe,
    "key": _key,
    "ladybug": _ladybug,
    "leaf": _leaf,
    "mushroom": _mushroom,
    "pencil": _pencil,
    "rabbit": _rabbit,
    "sausage": _sausage,
    "sheep": _sheep,
    "snake": _snake,
    "star": _star,
    "umbrella": _umbrella,
    "watermelon": _watermelon,
    "wheel": _wheel,
    "zebra": _zebra,
}
"""Name -> thing; the names are sorted."""
