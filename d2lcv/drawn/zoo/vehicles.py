"""What carries people, on roads, on water and in the air, seen from the side."""

from __future__ import annotations

import math

import numpy as np

from ..canvas import Canvas, Colour, Paint, mix, path, pick, ramp, stripes, tone, vivid

_TYRE, _STEEL, _LAMP, _RED = (
    (36, 36, 40),
    (172, 174, 180),
    (250, 242, 206),
    (196, 44, 38),
)


def _lacquer(c: Canvas, colour: Colour | None = None) -> np.ndarray:
    """Grey, white or black as often as any strong colour."""
    if colour is not None:
        return np.asarray(colour, np.float32)
    if c.rng.random() < 0.4:
        return pick(c.rng, (222, 222, 224), (150, 154, 160), (60, 62, 68), spread=0.06)
    return 0.85 * vivid(c.rng)


def _white(c: Canvas) -> np.ndarray:
    return tone(c.rng, (238, 237, 233), 0.04)


def _glass(c: Canvas) -> Paint:
    sky = tone(c.rng, (150, 176, 192))
    return mix(sky, 0.45 * sky, stripes(c.rng.uniform(2, 5), 0.6, c.rng.uniform(0, 6)))


def _box(c: Canvas, sides: tuple[float, ...], paint: Paint, depth: float = 0.1) -> None:
    """A rectangle; sides: left, top, right, bottom."""
    x1, y1, x2, y2 = sides
    c.polygon([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], paint, depth)


def _wheels(c: Canvas, y: float, r: float, *places: float) -> None:
    for x in places:
        c.ellipse((x, y), (1.22 * r, 1.22 * r), (28, 28, 30), 0)
        c.ellipse((x, y), (r, r), _TYRE, 0.05)
        c.ellipse((x, y), (0.58 * r, 0.58 * r), _STEEL, 0.06)
        if c.scale > 40:
            c.ellipse((x, y), (0.2 * r, 0.2 * r), (90, 92, 96), 0.03)


def car(c: Canvas, lacquer: Colour | None = None) -> None:
    """A saloon, a hatchback or an estate."""
    rng, paint, glass = c.rng, _lacquer(c, lacquer), _glass(c)
    roof = rng.uniform(-0.36, -0.28)
    rear, tail = [(0.36, 0.62), (0.62, 0.84), (0.8, 0.9)][rng.integers(3)]
    body = [*path("-96 26, -97 10, -90 2, -52 -5"), (-0.26, roof + 0.03)]
    body += [(-0.1, roof), (rear - 0.1, roof), (rear, roof + 0.04), (tail, -0.06)]
    body += [*path("95 -3, 98 10, 96 28, 90 34, -90 34")]
    c.polygon(body, paint, 0.16, gloss=0.4)
    high = roof + 0.065
    front = [(-0.42, -0.04), (-0.22, high), (0.06, high), (0.06, -0.04)]
    c.polygon(front, glass, 0.03)
    back = [(0.12, -0.04), (0.12, high), (rear - 0.06, high), (tail - 0.12, -0.04)]
    c.polygon(back, glass, 0.03)
    if c.scale > 40:
        for x in (-0.36, 0.09, 0.5):
            c.stroke([(x, -0.02), (x, 0.3)], 0.012, 0.55 * paint, 0)
        for x in (-0.02, 0.4):
            c.stroke([(x - 0.07, 0.05), (x, 0.05)], 0.025, 0.6 * paint, 0)
        c.stroke(path("-90 30, 92 30"), 0.04, 0.45 * paint, 0.03)
    c.ellipse((-0.91, 0.1), (0.065, 0.055), _LAMP, 0)
    c.ellipse((0.94, 0.08), (0.045, 0.07), _RED, 0)
    _wheels(c, 0.34, 0.165, -0.58, 0.6)


def bus(c: Canvas, lacquer: Colour | None = None) -> None:
    rng, glass, top = c.rng, _glass(c), c.rng.uniform(-0.46, -0.36)
    paint: Paint = _lacquer(c, lacquer)
    if rng.random() < 0.5:
        paint = mix(paint, _white(c), ramp(-0.06, -0.02))
    body = [(-0.98, 0.36), (-0.97, top + 0.1), (-0.93, top + 0.02), (-0.88, top)]
    body += [(0.94, top), (0.98, top + 0.04), (0.98, 0.36)]
    c.polygon(body, paint, 0.12, gloss=0.2)
    high = top + 0.1
    c.polygon([(-0.96, 0), (-0.94, high), (-0.82, high), (-0.82, 0)], glass, 0)
    count = int(rng.integers(4, 7))
    wide = 1.43 / count
    for k in range(count):
        x = -0.5 + k * wide
        _box(c, (x + 0.02, high, x + wide - 0.02, -0.06), glass, 0.02)
    _box(c, (-0.76, high, -0.54, 0.33), glass, 0.02)  # the door
    c.stroke([(-0.65, high), (-0.65, 0.33)], 0.018, _TYRE, 0)
    c.ellipse((-0.95, 0.24), (0.035, 0.05), _LAMP, 0)
    c.ellipse((0.96, 0.22), (0.025, 0.07), _RED, 0)
    _wheels(c, 0.36, 0.135, -0.4, 0.62)


def lorry(c: Canvas, lacquer: Colour | None = None) -> None:
    """With a box, a tank or a load of earth."""
    rng, kind = c.rng, c.rng.integers(3)
    _box(c, (-0.9, 0.24, 0.96, 0.36), (52, 52, 58))
    if kind == 0:
        cloth = _lacquer(c) if rng.random() < 0.5 else _white(c)
        folds = mix(cloth, 0.86 * cloth, stripes(22, 0))
        _box(c, (-0.4, rng.uniform(-0.62, -0.48), 0.98, 0.26), folds)
    elif kind == 1:
        tank = path("-40 -30, 20 -34, 94 -30, 98 -4, 94 22, 20 26, -40 22, -42 -4")
        c.curve(tank, _STEEL, 0.2, gloss=0.4)
        _box(c, (0.2, -0.4, 0.36, -0.3), (120, 122, 126))
    else:
        heap = path("-30 -16, 0 -42, 35 -50, 70 -36, 92 -16")
        c.curve(heap, tone(rng, (132, 100, 68)), 0.2)
        c.polygon(path("-40 -20, 98 -20, 90 24, -36 24"), 0.8 * _lacquer(c), 0.1)
    cab = path("-96 32, -97 -2, -88 -40, -80 -44, -46 -44, -46 32")
    c.polygon(cab, _lacquer(c, lacquer), 0.14, gloss=0.3)
    c.polygon(path("-89 -6, -83 -34, -56 -34, -56 -6"), _glass(c), 0.02)
    c.ellipse((-0.94, 0.18), (0.045, 0.05), _LAMP, 0)
    _wheels(c, 0.38, 0.15, -0.68, 0.38, 0.74)


def bicycle(c: Canvas, lacquer: Colour | None = None) -> None:
    paint = _lacquer(c, lacquer)
    angle, r = np.linspace(0, 2 * math.pi, 25), 0.42
    for x in (-0.54, 0.54):
        for spoke in np.arange(0, math.pi, math.pi / 7) if c.scale > 30 else ():
            u, v = 0.95 * r * math.cos(spoke), 0.95 * r * math.sin(spoke)
            c.stroke([(x - u, 0.4 - v), (x + u, 0.4 + v)], 0.012, _STEEL, 0, caps=False)
        ring = np.stack([x + r * np.cos(angle), 0.4 + r * np.sin(angle)], 1)
        c.stroke(ring, 0.075, _TYRE, 0.03, caps=False)
    c.stroke(path("-54 40, -44 0, -36 -36"), 0.055, 0.8 * paint, 0.03)  # the fork
    with c.joined(paint, 0.03):
        for way in ("-4 42, 14 -20, -40 -18", "-40 -18, -4 42, 54 40", "54 40, 14 -20"):
            for end in (0, 1)[: way.count(",")]:
                c.stroke(path(way)[end : end + 2], 0.065, paint)
    c.stroke(path("14 -20, 16 -30"), 0.05, _STEEL, 0.03)
    c.stroke(path("0 -32, 16 -34, 30 -34"), [0.05, 0.07, 0.11], (44, 38, 36), 0.04)
    bars = ("-36 -36, -28 -44, -16 -42", "-36 -36, -52 -40, -50 -24")
    c.stroke(path(bars[c.rng.integers(2)]), 0.055, _TYRE, 0.03)
    c.ellipse((-0.04, 0.42), (0.1, 0.1), (120, 122, 128), 0.04)
    c.stroke(path("-4 42, 4 60"), 0.04, (90, 92, 98), 0.02)
    c.stroke(path("-2 61, 12 61"), 0.05, _TYRE, 0.02)


def boat(c: Canvas, lacquer: Colour | None = None) -> None:
    """A sailing boat, or one with a motor and a cabin."""
    rng, paint, white = c.rng, _lacquer(c, lacquer), _white(c)
    hull: Paint = mix(white, paint, ramp(0.5, 0.54)) if rng.random() < 0.5 else paint
    hull = tone(rng, (132, 88, 52)) if rng.random() < 0.25 else hull
    if rng.random() < 0.65:
        mast = (rng.uniform(-0.12, 0.12), 0)
        sail = white if rng.random() < 0.7 else 0.9 * vivid(rng)
        c.stroke(path("0 45, 0 -98") + mast, 0.05, (120, 100, 80), 0.03)
        seams = mix(sail, 0.9 * sail, stripes(16, 1.4, share=0.2))
        c.curve(path("5 -92, 34 -40, 80 28, 5 32") + mast, seams, 0.2)
        if rng.random() < 0.8:
            c.polygon(path("-5 -75, -74 34, -5 30") + mast, 0.94 * sail, 0.2)
    else:
        c.polygon(path("-35 40, -20 -5, 45 -5, 50 40"), white, 0.12)
        c.polygon(path("-25 22, -15 3, 40 3, 42 22"), _glass(c), 0.02)
        c.stroke(path("20 -5, 20 -45"), 0.03, _STEEL, 0.02)
        c.polygon(path("22 -44, 44 -38, 22 -30"), 0.9 * vivid(rng), 0.03)
    side = path("-97 36, -50 42, 40 42, 92 38, 84 66, 60 74, -50 74, -78 62")
    c.curve(side, hull, 0.18)


def ship(c: Canvas, lacquer: Colour | None = None) -> None:
    """A freighter with containers, or a liner with decks and funnels."""
    rng, white = c.rng, _white(c)
    paint = pick(rng, (44, 54, 84), (130, 44, 40), (50, 52, 58), (228, 226, 220))
    if rng.random() < 0.5:
        left, top, right, low = 0.48, -0.36, 0.78, 0.26
        for x in np.arange(-0.66, 0.4, 0.2):
            for y in 0.12 - 0.13 * np.arange(rng.integers(1, 4)):
                _box(c, (x, y, x + 0.185, y + 0.12), 0.85 * vivid(rng), 0.04)
    else:
        left, top, right, low = -0.32, -0.24, 0.67, 0.04
        c.polygon(path("-62 26, -50 2, 78 2, 80 26"), white, 0.08)
        for x in np.arange(-0.46, 0.7, 0.15):
            c.ellipse((x, 0.14), (0.035, 0.035), (70, 90, 110), 0)
        for x in (0.1, 0.38):
            funnel = mix(vivid(rng), _TYRE, ramp(-0.46, -0.48))
            c.polygon(path("0 -20, 4 -56, 20 -56, 18 -20") + (x, 0), funnel, 0.08)
    _box(c, (left, top, right, low), white, 0.08)
    for y in np.arange(top + 0.1, low - 0.04, 0.15):
        _box(c, (left + 0.04, y, right - 0.04, y + 0.06), (74, 96, 116), 0)
    hull = mix(paint if lacquer is None else lacquer, (140, 52, 46), ramp(0.52, 0.54))
    c.polygon(path("-99 16, -70 24, 96 22, 92 62, -78 62"), hull, 0.14)


def aeroplane(c: Canvas, lacquer: Colour | None = None) -> None:
    """An airliner."""
    rng, paint, white = c.rng, _lacquer(c, lacquer), _white(c)
    grey, reach = tone(rng, (176, 180, 188)), (1, rng.uniform(0.8, 1.2))
    c.polygon(path("-20 -6, 20 -6, 46 -42, 34 -42") * reach, 0.8 * grey, 0.06)
    c.polygon(path("60 -8, 80 -50, 97 -50, 90 -6"), paint, 0.08)
    belly = mix(white, paint, ramp(0.04, 0.06)) if rng.random() < 0.4 else white
    body = "-98 4, -90 -6, -70 -12, 0 -13, 60 -12, 98 -10, 70 6, 20 13, -60 13, -90 10"
    c.curve(path(body), belly, 0.12, gloss=0.2)
    c.polygon(path("-90 -3, -83 -8, -74 -8, -76 -3"), (60, 74, 92), 0)
    for x in np.arange(-0.62, 0.62, 0.085) if c.scale > 24 else ():
        c.ellipse((x, -0.03), (0.02, 0.028), (70, 86, 106), 0)
    c.stroke(path("-20 20, 2 22"), [0.15, 0.12], paint, 0.08)  # an engine
    c.polygon(path("-26 5, 16 5, 60 60, 46 60") * reach, grey, 0.08)
    c.polygon(path("70 -4, 86 -4, 100 12, 90 12"), grey, 0.05)
