"""People, and the furniture they sit on."""

from __future__ import annotations

import numpy as np

from ..canvas import (
    Canvas,
    Colour,
    Paint,
    checks,
    dots,
    mix,
    path,
    pick,
    stripes,
    tone,
    vivid,
)


def person(c: Canvas, shirt: Paint | None = None) -> None:
    """Standing or walking, in trousers or a skirt; seen from the front."""
    rng = c.rng
    skin = pick(rng, (236, 196, 164), (206, 156, 118), (150, 102, 72), (98, 66, 50))
    hair = pick(rng, (44, 34, 30), (98, 62, 38), (206, 166, 96), (150, 148, 146))
    cloth = 0.85 * vivid(rng) if shirt is None else shirt
    if rng.random() < 0.3:
        cloth = mix(cloth, (236, 232, 224), stripes(30, 1.57))
    dark = pick(rng, (54, 72, 112), (50, 50, 56), (128, 110, 88), (92, 96, 104))
    skirt, bare, long = rng.random(3) < (0.3, 0.4, 0.4)
    shoe, stride = tone(rng, (58, 46, 42)), rng.uniform(0.08, 0.21)
    for side, light in ((-1, 1.0), (1, 0.85)):
        foot = side * stride
        way = [(side * 0.09, 0.02), (foot, 0.48), (foot + 0.02, 0.9)]
        c.stroke(way, [0.19, 0.15, 0.1], light * (skin if skirt else dark), 0.1)
        c.stroke([(foot + 0.03, 0.93), (foot - 0.1, 0.945)], [0.1, 0.07], shoe, 0.05)
    if long:  # hair behind the shoulders
        c.ellipse((0, -0.66), (0.16, 0.22), 0.85 * hair, 0.1)
    if skirt:
        c.polygon(path("-16 -5, 16 -5, 27 38, -27 38"), dark, 0.12)
    chest = path("-20 -50, -8 -56, 8 -56, 20 -50, 16 -20, 18 10, -18 10, -16 -20")
    c.curve(chest * (rng.uniform(0.9, 1.1), 1), cloth, 0.15)
    for side in (-1, 1):
        raised = rng.random() < 0.12
        hand = (0.4, -0.85) if raised else (rng.uniform(0.26, 0.36), 0.05)
        elbow = 0.31, -0.42 if raised else -0.2
        arm = np.array([(0.165, -0.46), elbow, hand]) * (side, 1)
        c.ellipse((arm[2, 0], arm[2, 1]), (0.055, 0.06), skin, 0.05)
        c.stroke(arm, [0.12, 0.1, 0.075], skin if bare else cloth, 0.08)
        if bare:
            c.stroke([arm[0], arm[:2].mean(0)], 0.13, cloth, 0.08)
    c.stroke(path("0 -50, 0 -64"), 0.1, 0.9 * skin, 0.05)
    c.ellipse((0, -0.76), (0.125, 0.155), skin, 0.12)
    cap = "-14 -74, -13 -88, 0 -96, 13 -88, 14 -74, 10 -83, -2 -86, -10 -82"
    c.curve(path(cap), hair, 0.08)
    if c.scale > 35:
        for x in (-0.05, 0.05):
            c.ellipse((x, -0.76), (0.014, 0.016), (40, 34, 34), 0)
        c.stroke(path("-4 -68, 0 -67, 4 -68"), 0.014, (150, 70, 66), 0)


def chair(c: Canvas, wood: Colour | None = None) -> None:
    """Of painted or plain wood, turned a little to the left."""
    rng, browns = c.rng, [(150, 98, 58), (108, 70, 44), (204, 162, 112), (58, 52, 50)]
    paint = pick(rng, *browns, (232, 228, 220), vivid(rng)) if wood is None else wood
    paint, thick = np.asarray(paint), rng.uniform(0.07, 0.1)
    c.stroke(path("-38 5, -40 76"), thick, 0.7 * paint, 0.05)
    c.stroke(path("46 -95, 42 0, 46 80"), thick, 0.85 * paint, 0.05)
    c.stroke(path("0 -98, 4 0"), 0.8 * thick, paint, 0.05)
    if rng.random() < 0.5:
        for y in np.linspace(-0.88, -0.32, rng.integers(3, 5)):
            c.stroke([(0.02, y - 0.03), (0.44, y)], 0.13, 0.95 * paint, 0.05)
    else:
        c.polygon(path("0 -96, 46 -93, 43 -30, 4 -34"), 0.95 * paint, 0.1)
    pad = 0.8 * vivid(rng) if rng.random() < 0.4 else paint
    c.polygon(path("-52 8, -30 -10, 50 -6, 42 14"), pad, 0.08)
    c.polygon(path("-52 8, 42 14, 42 22, -52 16"), 0.75 * paint, 0.05)
    for legs in ("-46 18, -46 92", "36 18, 36 97"):
        c.stroke(path(legs), thick, paint, 0.05)


def sofa(c: Canvas, cover: Colour | None = None) -> None:
    rng, browns = c.rng, [(156, 70, 62), (196, 180, 152), (96, 64, 46)]
    dye = pick(rng, *browns, (120, 124, 132), (70, 92, 124), (86, 110, 84))
    paint: Paint = dye if cover is None else cover
    if rng.random() < 0.25:
        weight = (stripes(18, 0), checks(12, 0.8), dots(0.2, 0.05))[rng.integers(3)]
        paint = mix(paint, 0.75 * dye + 30, weight)
    seats, high = int(rng.integers(2, 4)), rng.uniform(-0.42, -0.3)
    for foot in ("-82 40, -82 50", "82 40, 82 50"):
        c.stroke(path(foot), 0.07, (70, 50, 38), 0.03)
    back = [*path("85 10, 80 30, -80 30, -85 10"), (-0.84, high + 0.04), (-0.6, high)]
    c.curve([*back, (0.6, high), (0.84, high + 0.04)], paint, 0.12)
    half = 0.75 / seats
    for x in np.linspace(-0.76 + half, 0.76 - half, seats):
        for y1, y2 in ((high + 0.07, 0.08), (0.04, 0.22)):
            around = [(-half, y1 + 0.02), (0.04 - half, y1), (half - 0.04, y1)]
            around += [(half, y1 + 0.02), (half, y2), (-half, y2)]
            c.polygon(np.array(around) + (x, 0), paint, 0.1)
    c.polygon(path("-78 22, 78 22, 78 42, -78 42"), paint, 0.1)
    for side in (-1, 1):
        arm = path("74 -2, 80 -10, 92 -10, 99 0, 97 42, 74 42")
        c.polygon(arm * (side, 1), paint, 0.14)
    for x in rng.uniform(-0.6, 0.6, rng.integers(0, 3)):  # cushions
        c.ellipse((x, -0.05), (0.17, 0.15), 0.85 * vivid(rng), 0.15, turn=x)
