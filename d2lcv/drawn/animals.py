"""Four-legged animals in side view, built from a few numbers: cats, dogs, horses, …"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .canvas import Canvas, Paint, Points

if TYPE_CHECKING:
    from numpy.random import Generator

_GROUND = 0.82
_BLACK = (26, 22, 22)


@dataclass
class Animal:
    """How an animal is built, in units of half the picture's length.

    `length` and `depth` are half the body's; `rise` is the angle of the neck in radians.
    Ears: "pointed", "flop", "round", "long". Tails: "up", "down", "curl", "bushy",
    "short", "tuft". Paints: `coat` all over, `legs`, `face` and `ears` if they differ.
    """

    coat: Paint
    length: float = 0.5
    depth: float = 0.23
    leg: float = 0.45
    thick: float = 0.12
    neck: float = 0.28
    rise: float = 0.9
    head: float = 0.18
    muzzle: float = 0.2
    snout: float = 0.15
    ear: str = "pointed"
    tail: str = "up"
    legs: Paint | None = None
    face: Paint | None = None
    ears: Paint | None = None
    tail_paint: Paint | None = None
    mane: Paint | None = None
    nose: Paint = _BLACK
    antlers: bool = False
    horns: bool = False
    udder: bool = False
    tuck: float = 0.7  # how far down the belly reaches, 1 is as far as the chest
    fur: float = 0.0  # how shaggy the outline is


def draw_animal(sketch: Canvas, animal: Animal) -> None:
    """Draw the animal looking left, in a pose of its own."""
    rng, a = sketch.rng, animal
    middle = _GROUND - a.leg - 0.85 * a.depth
    legs = a.coat if a.legs is None else a.legs
    swing = rng.uniform(-0.13, 0.13, 4)
    _leg(sketch, a, -0.62 * a.length, middle, swing[0], darker(legs))
    _leg(sketch, a, 0.66 * a.length, middle, swing[1], darker(legs), hind=True)
    _tail(sketch, a, middle)
    _body(sketch, a, middle)
    _leg(sketch, a, -0.8 * a.length, middle, swing[2], legs)
    _leg(sketch, a, 0.84 * a.length, middle, swing[3], legs, hind=True)
    _head(sketch, a, middle, a.rise + rng.normal(0, 0.12))


def darker(paint: Paint, share: float = 0.72) -> Paint:
    if callable(paint):
        return lambda u, v: share * paint(u, v)
    return share * np.asarray(paint, np.float32)


def _leg(
    sketch: Canvas,
    a: Animal,
    x: float,
    middle: float,
    swing: float,
    paint: Paint,
    hind: bool = False,
) -> None:
    hip, thick = middle + 0.15 * a.depth, a.thick
    knee = x + 0.45 * swing + (0.05 if hind else -0.01), _GROUND - 0.55 * a.leg
    foot = x + swing, _GROUND - 0.02
    widths = [2.3 * thick if hind else 1.7 * thick, 1.15 * thick, 0.8 * thick, thick]
    heel = foot[0] + (0.05 if hind else 0), _GROUND - 0.25 * a.leg
    sketch.stroke([(x, hip), knee, heel, foot], widths, paint, 0.08)
    toe = foot[0] - 0.4 * thick, _GROUND - 0.03
    sketch.ellipse(toe, (0.75 * thick, 0.4 * thick), paint, 0.05)


def _body(sketch: Canvas, a: Animal, middle: float) -> None:
    n, d = a.length, a.depth
    around = [(-1.0, -0.55), (-0.4, -0.92), (0.3, -0.9), (0.85, -0.88), (1.08, -0.3)]
    around += [(1.02, 0.45), (0.6, 0.95 * a.tuck), (0.0, a.tuck + 0.1), (-0.6, 1.0)]
    around += [(-1.08, 0.4)]
    outline = [(x * n, middle + y * d) for x, y in around]
    if a.fur:
        outline = ragged(sketch.rng, outline, a.fur)
        sketch.polygon(outline, a.coat, 0.2)
    else:
        sketch.curve(outline, a.coat, 0.2)
    if a.udder:
        place = 0.45 * n, middle + 1.05 * d
        sketch.ellipse(place, (0.15, 0.09), (232, 168, 160), 0.05)


def ragged(rng: Generator, outline: Points, strength: float) -> Points:
    """The smooth outline with a fringe of fur."""
    from .canvas import smooth

    line = smooth(outline)
    out = line - line.mean(0)
    out /= np.hypot(*out.T)[:, None]
    fringe = (
        strength
        * rng.uniform(0, 1, (len(line), 1))
        * (np.arange(len(line)) % 2)[:, None]
    )
    return line + fringe * out


def _tail(sketch: Canvas, a: Animal, middle: float) -> None:
    paint = a.coat if a.tail_paint is None else a.tail_paint
    x, y = 0.97 * a.length, middle - 0.6 * a.depth
    wag = sketch.rng.uniform(-0.06, 0.06)
    if a.tail == "short":
        way, width = [(0, 0), (0.06, -0.03), (0.12, -0.06 + wag)], [0.12, 0.1]
    elif a.tail == "down":
        way = [(0, 0.05), (0.12, 0.12), (0.17, 0.35), (0.2 + wag, 0.5)]
        width = [0.09, 0.07, 0.05]
    elif a.tail == "tuft":
        way = [(0, 0.02), (0.1, 0.1), (0.13, 0.35), (0.12 + wag, 0.62)]
        width = [0.06, 0.12, 0.16, 0.05]
    elif a.tail == "curl":
        way = [(-0.04, 0), (0.1, -0.16), (0.02, -0.3), (-0.12, -0.22), (-0.05, -0.14)]
        width = [0.13, 0.15, 0.13, 0.1]
    elif a.tail == "bushy":
        way = [(0, 0), (0.16, -0.06), (0.3, -0.2 + wag), (0.36, -0.38)]
        width = [0.12, 0.2, 0.22, 0.05]
    else:
        way = [(0, 0), (0.15, -0.08), (0.24, -0.3), (0.2 + wag, -0.52)]
        width = [0.09, 0.07, 0.05]
    sketch.stroke([(x + dx, y + dy) for dx, dy in way], width, paint, 0.08)


def _head(sketch: Canvas, a: Animal, middle: float, rise: float) -> None:
    face = a.coat if a.face is None else a.face
    ears = darker(face, 0.85) if a.ears is None else a.ears
    start = -0.72 * a.length, middle - 0.25 * a.depth
    x = -0.8 * a.length - a.neck * math.cos(rise)
    y = middle - 0.4 * a.depth - a.neck * math.sin(rise)
    r = a.head
    if a.mane is not None:
        back = [(start[0] + 0.16, start[1] - 0.2), ((x + start[0]) / 2 + 0.14, y + 0.1)]
        sketch.stroke([*back, (x + 0.1, y - 0.08)], [0.1, 0.16, 0.14], a.mane, 0.06)
    _ear(sketch, a, x + 0.1 * r, y, r, darker(ears, 0.8))
    if a.horns:
        for shift in (-0.3, 0.25):
            way = [(x + shift * r, y - 0.6 * r), (x + (shift - 0.3) * r, y - 1.1 * r)]
            way.append((x + (shift - 0.2) * r, y - 1.6 * r))
            sketch.stroke(way, [0.36 * r, 0.26 * r, 0.06 * r], (206, 196, 172), 0.03)
    if a.antlers:
        _antlers(sketch, x, y - 0.7 * r)
    width = [1.7 * a.depth, 1.5 * r, 1.4 * r]
    sketch.stroke(
        [start, ((x + start[0]) / 2, (y + start[1]) / 2), (x, y)], width, a.coat
    )
    nose = x - 0.55 * r - a.muzzle, y + 0.45 * r
    sketch.stroke([(x, y + 0.1 * r), nose], [1.5 * r, a.snout], face, 0.1)
    sketch.ellipse((x, y), (r, 0.88 * r), face, 0.12)
    sketch.ellipse(
        (nose[0] - 0.25 * a.snout, nose[1] - 0.15 * a.snout),
        (0.28 * a.snout, 0.25 * a.snout),
        a.nose,
        0,
    )
    sketch.ellipse((x - 0.42 * r, y - 0.18 * r), (0.17 * r, 0.19 * r), _BLACK, 0)
    sketch.ellipse(
        (x - 0.47 * r, y - 0.24 * r), (0.06 * r, 0.06 * r), (240, 240, 240), 0
    )
    _ear(sketch, a, x + 0.35 * r, y, r, ears)


def _ear(sketch: Canvas, a: Animal, x: float, y: float, r: float, paint: Paint) -> None:
    if a.ear == "pointed":
        tip = x + 0.15 * r, y - 1.75 * r
        sketch.polygon(
            [(x - 0.42 * r, y - 0.6 * r), tip, (x + 0.5 * r, y - 0.35 * r)], paint, 0.06
        )
    elif a.ear == "round":
        sketch.ellipse((x + 0.1 * r, y - 0.75 * r), (0.4 * r, 0.45 * r), paint, 0.06)
    elif a.ear == "long":
        way = [
            (x, y - 0.6 * r),
            (x + 0.15 * r, y - 1.5 * r),
            (x + 0.45 * r, y - 2.5 * r),
        ]
        sketch.stroke(way, [0.45 * r, 0.7 * r, 0.25 * r], paint, 0.06)
    else:
        way = [
            (x, y - 0.65 * r),
            (x + 0.45 * r, y - 0.1 * r),
            (x + 0.35 * r, y + 1.0 * r),
        ]
        sketch.stroke(way, [0.5 * r, 0.75 * r, 0.6 * r], paint, 0.06)


def _antlers(sketch: Canvas, x: float, y: float) -> None:
    for shift, colour in ((0.0, (92, 70, 46)), (0.07, (132, 102, 66))):
        base = x + shift
        stem = [(base, y), (base + 0.06, y - 0.2), (base + 0.2, y - 0.42)]
        sketch.stroke(stem, [0.07, 0.045], colour, 0.03)
        for share, length in ((0.35, 0.2), (0.7, 0.18)):
            fork = base + 0.15 * share, y - 0.36 * share
            tip = fork[0] - 0.6 * length, fork[1] - length
            sketch.stroke([fork, tip], [0.05, 0.03], colour, 0.03)
