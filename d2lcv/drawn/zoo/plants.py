"""Plants: in a pot, in the grass, and what falls from a tree."""

from __future__ import annotations

import math

import numpy as np

from ..canvas import Canvas, mix, mottle, stripes, tone, vivid


def potted_plant(c: Canvas) -> None:
    rng, greens = c.rng, [(70, 128, 52), (96, 146, 70), (60, 108, 70)]
    green = tone(rng, greens[rng.integers(3)])
    for turn in np.linspace(-1.25, 1.25, rng.integers(6, 10)) + rng.normal(0, 0.1):
        reach = rng.uniform(0.75, 1.05)
        tip = 0.8 * reach * math.sin(turn), 0.2 - 1.15 * reach * math.cos(turn)
        bend = 0.35 * tip[0], 0.2 + 0.55 * (tip[1] - 0.2)
        shade = green * rng.uniform(0.75, 1.15)
        leaf = mix(shade, 0.72 * shade, stripes(16, turn))
        c.stroke([(0, 0.3), bend, tip], [0.07, 0.28, 0.03], leaf, 0.08, gloss=0.2)
    pot = tone(rng, (188, 100, 62)) if rng.random() < 0.6 else 0.9 * vivid(rng)
    c.polygon([(-0.36, 0.25), (0.36, 0.25), (0.26, 0.95), (-0.26, 0.95)], pot, 0.2)
    c.polygon([(-0.42, 0.16), (0.42, 0.16), (0.4, 0.34), (-0.4, 0.34)], pot, 0.1)


def dandelion(c: Canvas) -> None:
    """A yellow flower on its stalk."""
    rng, tilt = c.rng, c.rng.uniform(-0.25, 0.25)
    c.stroke([(0.1, 0.98), (0, 0.2), (tilt, -0.5)], 0.09, (108, 146, 70), 0.04)
    gold = tone(rng, (246, 206, 40))
    for turn in np.arange(14) * 0.449:
        petal = 0.3 * math.cos(turn) + tilt, 0.26 * math.sin(turn) - 0.56
        c.ellipse(petal, (0.22, 0.09), gold * rng.uniform(0.85, 1.05), 0.04, turn)
    c.ellipse((tilt, -0.58), (0.2, 0.17), 0.9 * gold, 0.08)


def tuft(c: Canvas) -> None:
    """Blades of grass, which hide the foot of what stands behind them."""
    rng, green = c.rng, tone(c.rng, (104, 142, 58))
    for x in rng.uniform(-0.7, 0.7, 9):
        lean = x + rng.uniform(-0.35, 0.35)
        way = [(x, 0.98), ((x + lean) / 2, 0.3), (1.2 * lean, rng.uniform(-0.9, 0.2))]
        c.stroke(way, [0.09, 0.07, 0.01], green * rng.uniform(0.75, 1.2), 0)


def leaf(c: Canvas) -> None:
    """A fallen leaf; it lies."""
    rng, colours = (
        c.rng,
        [(196, 160, 60), (196, 110, 44), (150, 80, 50), (110, 140, 60)],
    )
    colour = tone(rng, colours[rng.integers(4)])
    x = np.linspace(-0.9, 0.8, 20)
    wide = rng.uniform(0.3, 0.5) * np.sin(np.pi * (x + 0.9) / 1.72)
    edge = [*zip(x, -wide, strict=True), *zip(x[::-1], wide[::-1], strict=True)]
    c.polygon(edge, mix(colour, 0.75 * colour, mottle(rng, 0.25, 0.3, 2)), 0.12)
    c.stroke([(-0.85, 0), (1, 0.05)], [0.02, 0.07], 0.6 * colour, 0)


def mushroom(c: Canvas) -> None:
    stem = tone(c.rng, (230, 218, 196))
    c.stroke([(0, -0.2), (0.03, 0.4), (0, 0.85)], [0.34, 0.3, 0.46], stem, 0.15)
    cap = tone(
        c.rng, [(150, 100, 62), (196, 56, 42), (206, 170, 110)][c.rng.integers(3)]
    )
    dome = [(-0.85, 0.05), (-0.7, -0.45), (-0.3, -0.78), (0.3, -0.78), (0.7, -0.45)]
    c.curve([*dome, (0.85, 0.05), (0.4, 0.14), (-0.4, 0.14)], cap, 0.4, gloss=0.2)
