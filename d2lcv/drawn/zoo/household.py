"""Dishes, bottles and toys; they stand, and are seen a little from above."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..canvas import Canvas, Colour, Paint, checks, dots, mix, stripes, tone, vivid

if TYPE_CHECKING:
    from numpy.random import Generator


def glazed(rng: Generator) -> np.ndarray:
    """White, yellow or another colour, less strong than that of toys."""
    kind = rng.random()
    if kind < 0.35:
        return tone(rng, (234, 230, 222))
    return tone(rng, (240, 202, 56)) if kind < 0.6 else 0.62 * vivid(rng) + 60


def cup(c: Canvas, glaze: Colour | None = None) -> None:
    rng = c.rng
    one = glazed(c.rng) if glaze is None else np.asarray(glaze, np.float32)
    textures = [dots(0.3, 0.08), stripes(10, 1.57), checks(8, 0)]
    paint = (
        mix(one, (240, 236, 228), textures[rng.integers(3)])
        if rng.random() < 0.3
        else one
    )
    angle = np.linspace(-1.9, 1.9, 12)
    handle = [(0.52 + 0.32 * math.cos(t), 0.1 + 0.36 * math.sin(t)) for t in angle]
    c.stroke(handle, 0.13, one, 0.06, gloss=0.4)
    foot, drinks = rng.uniform(0.4, 0.58), [(96, 58, 36), (60, 36, 26), (176, 96, 40)]
    body = [(-0.62, -0.6), (0.62, -0.6), (foot, 0.72), (0.3, 0.86), (-0.3, 0.86)]
    c.polygon([*body, (-foot, 0.72)], paint, 0.35, gloss=0.4)
    c.ellipse((0, -0.6), (0.62, 0.22), 1.05 * one, 0.05)
    c.ellipse((0, -0.57), (0.54, 0.17), 0.6 * one, 0.05)
    c.ellipse((0, -0.53), (0.48, 0.12), drinks[rng.integers(3)], 0)


def bowl(c: Canvas, glaze: Colour | None = None, front: bool = False) -> None:
    """Of a bowl that has something in it, the `front` is put again, before that."""
    glaze = glazed(c.rng) if glaze is None else np.asarray(glaze, np.float32)
    if not front:
        c.ellipse((0, -0.2), (0.98, 0.3), glaze, 0.05)
        c.ellipse((0, -0.18), (0.9, 0.25), 0.62 * glaze, 0.3)
    angle = np.linspace(0, math.pi, 24)
    rim = np.stack([0.98 * np.cos(angle), -0.2 + 0.3 * np.sin(angle)], 1)
    lip = np.stack([0.9 * np.cos(angle), -0.18 + 0.25 * np.sin(angle)], 1)
    below = [(-0.86, 0.2), (-0.5, 0.62), (-0.3, 0.68), (0.3, 0.68), (0.5, 0.62)]
    c.polygon([*rim.tolist(), *below, (0.86, 0.2)], glaze, 0.35, gloss=0.35)
    c.polygon(np.concatenate([rim, lip[::-1]]), 1.06 * glaze, 0)


def plate(c: Canvas, glaze: Colour | None = None) -> None:
    """Lies; on a table that is seen from the side, squeeze it."""
    glaze = (
        tone(c.rng, (230, 228, 222)) if glaze is None else np.asarray(glaze, np.float32)
    )
    c.ellipse((0, 0), (0.98, 0.98), glaze, 0.05)
    if c.rng.random() < 0.4:
        c.ellipse((0, 0), (0.92, 0.92), 0.6 * vivid(c.rng), 0)
        c.ellipse((0, 0), (0.87, 0.87), glaze, 0)
    c.ellipse((0, 0), (0.7, 0.7), 0.86 * glaze, 0)
    c.ellipse((0, 0.01), (0.68, 0.68), 0.97 * glaze, 0.04)


def napkin(c: Canvas) -> None:
    """Of paper, white or with checks; it lies."""
    dye = vivid(c.rng)
    paper: Paint = (236, 232, 224)
    if c.rng.random() < 0.6:
        paper = mix(paper, dye, checks(c.rng.uniform(5, 9), 0))
    c.polygon([(-0.9, -0.84), (0.92, -0.88), (0.88, 0.9), (-0.86, 0.86)], paper, 0.03)


def bottle(c: Canvas, glass: Colour | None = None) -> None:
    """Of glass, with a label and what is left in it."""
    rng, colours = c.rng, [(58, 96, 60), (92, 58, 34), (140, 170, 180), (60, 84, 120)]
    glass = tone(rng, colours[rng.integers(4)]) if glass is None else np.asarray(glass)
    wide, neck = rng.uniform(0.24, 0.34), rng.uniform(0.08, 0.11)
    shoulder = rng.uniform(-0.4, -0.15)
    half = [(-neck, -0.9), (-neck, shoulder - 0.18), (-wide, shoulder + 0.12)]
    half += [(-wide, 0.86), (-0.8 * wide, 0.96)]
    c.polygon(half + [(-x, y) for x, y in half[::-1]], glass, 0.2, gloss=0.5)
    cap = vivid(rng) if rng.random() < 0.5 else tone(rng, (180, 150, 90))
    c.polygon([(-neck, -0.98), (neck, -0.98), (neck, -0.84), (-neck, -0.84)], cap, 0.05)
    label, low = tone(rng, (232, 226, 206)), shoulder + rng.uniform(0.25, 0.4)
    mark: Paint = mix(
        label, 0.7 * vivid(rng), stripes(rng.uniform(6, 12), 1.57, share=0.3)
    )
    sides = [(-wide, low), (wide, low), (wide, low + 0.5), (-wide, low + 0.5)]
    c.polygon(sides, mark, 0.2)
    shine = wide * (0.62 if c.sun[0] > 0 else -0.62)
    c.stroke([(shine, shoulder + 0.15), (shine, 0.8)], 0.05, (236, 242, 244), 0)


def jar(c: Canvas) -> None:
    """A jam jar or a tin."""
    rng = c.rng
    body = [
        (-0.5, -0.62),
        (0.5, -0.62),
        (0.54, 0.8),
        (0.3, 0.9),
        (-0.3, 0.9),
        (-0.54, 0.8),
    ]
    c.polygon(body, 0.8 * vivid(rng), 0.3, gloss=0.5)
    label = tone(rng, (236, 230, 214))
    c.polygon([(-0.52, -0.2), (0.52, -0.2), (0.53, 0.5), (-0.53, 0.5)], label, 0.3)
    c.ellipse((0, 0.15), (0.24, 0.2), 0.8 * vivid(rng), 0)
    lid = tone(rng, [(196, 170, 90), (190, 194, 198), (176, 40, 40)][rng.integers(3)])
    c.polygon(
        [(-0.54, -0.84), (0.54, -0.84), (0.54, -0.6), (-0.54, -0.6)], 0.9 * lid, 0.2
    )
    c.ellipse((0, -0.84), (0.54, 0.12), lid, 0.06)


def ball(c: Canvas) -> None:
    one, two = vivid(c.rng), vivid(c.rng)
    often = c.rng.uniform(2.5, 6)
    paint = (
        mix(one, two, stripes(often, c.rng.uniform(0, 3)))
        if c.rng.random() < 0.6
        else one
    )
    c.ellipse((0, 0), (0.92, 0.92), paint, 0.7, gloss=0.4)


def toy_boat(c: Canvas) -> None:
    """A hull as yellow and bent as a banana, with a mast and a sail."""
    rng = c.rng
    c.stroke([(0.02, 0.3), (0.02, -0.96)], 0.06, (120, 84, 56), 0.03)
    sail = tone(rng, (240, 234, 222)) if rng.random() < 0.6 else vivid(rng)
    c.polygon([(0.08, -0.9), (0.7, 0.16), (0.08, 0.2)], sail, 0.15)
    c.polygon([(-0.04, -0.7), (-0.55, 0.16), (-0.04, 0.2)], 0.92 * sail, 0.15)
    hull = tone(rng, (240, 204, 60)) if rng.random() < 0.7 else vivid(rng)
    c.curve(
        [(-0.98, 0.2), (0, 0.36), (0.98, 0.16), (0.6, 0.76), (-0.55, 0.76)], hull, 0.2
    )


def book(c: Canvas) -> None:
    """Lies."""
    cover, page = 0.85 * vivid(c.rng), (236, 230, 212)
    c.polygon([(-0.7, -0.95), (0.74, -0.95), (0.74, 0.98), (-0.7, 0.98)], page, 0.03)
    c.polygon([(-0.74, -0.98), (0.68, -0.98), (0.68, 0.92), (-0.74, 0.92)], cover, 0.04)
    c.polygon([(-0.4, -0.7), (0.4, -0.7), (0.4, -0.35), (-0.4, -0.35)], page, 0)
    c.polygon(
        [(-0.74, -0.98), (-0.62, -0.98), (-0.62, 0.92), (-0.74, 0.92)], 0.75 * cover, 0
    )
