"""Painting for the drawn sets: backgrounds, shaded things, shadows, exposure.

Pictures are (h, w, 3) uint8 arrays. Whatever varies is drawn from the generator `rng`, so
that a picture depends on its seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .canvas import Sprite, stretch

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL import Image, ImageDraw

# ---- the background ------------------------------------------------------------------


def draw_background(rng: Generator, size: int) -> np.ndarray:
    """A soft mixture of colours, a pattern, and flat shapes; (size, size, 3) uint8."""
    from PIL import ImageDraw, ImageFilter

    cells = 64  # most of the arithmetic is done small: this is what takes the time
    field = stretch(muted(rng, rng.uniform(20, 235, (3, 3, 3))), cells).astype(int)
    for coarse, strength in ((7, 40), (20, 26), (64, 18)):
        noise = rng.normal(0, rng.uniform(0, strength), (coarse, coarse, 3))
        field += stretch(muted(rng, noise) + 128, cells).astype(int) - 128
    image = overlay(stretch(field, size), draw_pattern(rng, size))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(3, 14)):
        scribble(rng, pen, size)
    blur = ImageFilter.BoxBlur(rng.uniform(0.3, 1.4) * size / 256)
    return np.array(image.filter(blur))


def overlay(image: np.ndarray, pattern: np.ndarray | None) -> Image.Image:
    """Lighten and darken an (size, size, 3) uint8 picture by a pattern."""
    from PIL import Image

    if pattern is not None:
        image = np.clip(image + pattern[:, :, None], 0, 255).astype(np.uint8)
    return Image.fromarray(image)


def muted(rng: Generator, colours: np.ndarray) -> np.ndarray:
    """Take most of the colour away: most surfaces in photographs are nearly grey."""
    grey = colours.mean(-1, keepdims=True)
    return grey + rng.beta(1.2, 2.5) * (colours - grey)


def draw_pattern(rng: Generator, size: int) -> np.ndarray | None:
    """Stripes, checks, ripples, or nothing; (size, size) int16."""
    kind, strength = rng.integers(4), rng.uniform(0, 30)
    angle, frequency = rng.uniform(0, math.pi), rng.uniform(10, 70)
    if kind == 0:
        return None
    y, x = np.ogrid[:size, :size]
    x, y = (x / size).astype(np.float32), (y / size).astype(np.float32)
    wave = np.sin(frequency * (x * math.cos(angle) + y * math.sin(angle)))
    across = y * math.cos(angle) - x * math.sin(angle)
    if kind == 1:
        wave = np.sign(wave * np.sin(frequency * across))
    elif kind == 2:
        along = x * math.cos(angle) + y * math.sin(angle)
        wave = np.sin(frequency * along + 3 * np.sin(7 * across))
    return (strength * wave).astype(np.int16)


def any_colour(rng: Generator) -> tuple[int, int, int]:
    """Any colour, a yellow one in four cases."""
    if rng.random() < 0.25:
        return tuple(yellow(rng).astype(int).tolist())
    return tuple(muted(rng, rng.uniform(10, 246, 3)).astype(int).tolist())


def yellow(rng: Generator) -> np.ndarray:
    red = rng.uniform(190, 255)
    return np.array([red, red * rng.uniform(0.72, 0.98), rng.uniform(20, 110)])


def scribble(rng: Generator, pen: ImageDraw.ImageDraw, size: int) -> None:
    """Draw one flat shape: an ellipse, a polygon, a line or an arc."""
    centre = rng.uniform(0, size, 2)
    radius = size * rng.uniform(0.03, 0.22)
    colour = any_colour(rng)
    width = max(1, round(size * rng.uniform(0.005, 0.04)))
    bounds = [*(centre - radius), *(centre + radius * rng.uniform(0.5, 1, 2))]
    kind = rng.integers(5)
    if kind == 0:
        pen.ellipse(bounds, colour)
    elif kind == 1:
        start = rng.uniform(0, 360)
        pen.arc(bounds, start, start + rng.uniform(60, 300), colour, width)
    elif kind == 2:
        pen.line([*centre, *rng.uniform(0, size, 2)], colour, width)
    else:
        corners = rng.integers(3, 7)
        turns = np.sort(rng.uniform(0, 2 * math.pi, corners))
        points = centre + radius * np.stack([np.cos(turns), np.sin(turns)], 1)
        pen.polygon([tuple(point) for point in points.tolist()], colour)


# ---- things that lie in the picture --------------------------------------------------


def place(rng: Generator, canvas: np.ndarray, sprite: Sprite) -> np.ndarray:
    """Lay `sprite` somewhere on `canvas`, with a shadow; return its pixels."""
    height, width = sprite.cover.shape
    top = rng.integers(0, canvas.shape[0] - height + 1)
    left = rng.integers(0, canvas.shape[1] - width + 1)
    cast_shadow(rng, canvas, sprite.cover, top, left)
    region = canvas[top : top + height, left : left + width]
    cover = sprite.cover[:, :, None]
    region[:] = region + cover * (np.clip(sprite.colour, 0, 255) - region) + 0.5
    mask = np.zeros(canvas.shape[:2], bool)
    mask[top : top + height, left : left + width] = sprite.cover >= 0.5
    return mask


def cast_shadow(
    rng: Generator, canvas: np.ndarray, cover: np.ndarray, top: int, left: int
) -> None:
    """Darken what lies beside and below the thing, softly."""
    from PIL import Image, ImageFilter

    soft = max(canvas.shape) / 64
    margin = math.ceil(soft)
    shadow = np.pad((255 * rng.uniform(0, 0.55) * cover).astype(np.uint8), margin)
    blurred = Image.fromarray(shadow).filter(ImageFilter.BoxBlur(soft))
    top += round(soft * rng.uniform(-1, 2)) - margin
    left += round(soft * rng.uniform(-1.5, 1.5)) - margin
    rows = slice(max(top, 0), min(top + shadow.shape[0], canvas.shape[0]))
    columns = slice(max(left, 0), min(left + shadow.shape[1], canvas.shape[1]))
    part = np.asarray(blurred, np.float32)[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    canvas[rows, columns] = canvas[rows, columns] * (1 - part[:, :, None] / 255)


@dataclass
class Tube:
    """A bent tube seen from above, in its own coordinates at every pixel.

    `along` runs from 0 to 1 over the length, `across` from −1 (inner side) to 1 (outer
    side), `light` from −1 to 1 over the picture's direction of light.
    """

    along: np.ndarray
    across: np.ndarray
    cover: np.ndarray
    light: np.ndarray


def bent_tube(
    rng: Generator,
    length: float,
    bend: float,
    half_width: Callable[[np.ndarray], np.ndarray],
    skew: float = 0.0,
) -> Tube:
    """Lay out a tube in a random direction; its box is `length` pixels on one side.

    It follows a circle of radius 1 over an angle of `bend`; `half_width` gives its half
    thickness along the way in the same unit, `skew` winds the circle into a spiral.
    """

    def radius(along: np.ndarray) -> np.ndarray:
        return 1 + skew * (along - 0.5)

    turn, mirror = rng.uniform(0, 2 * math.pi), rng.choice([-1.0, 1.0])
    shape = np.array(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    ) @ np.diag([mirror, rng.uniform(0.85, 1)])
    along = np.linspace(0, 1, 65)
    angle = bend * (along - 0.5)
    sides = [radius(along) + side * half_width(along) for side in (-1, 1)]
    outline = np.stack([(s * np.sin(angle), -s * np.cos(angle)) for s in sides], 1)
    outline = shape @ outline.reshape(2, -1)  # (2, 130)
    low, high = outline.min(1), outline.max(1)
    scale = length / (high - low).max()

    width, height = np.ceil((high - low) * scale).astype(int) + 2
    middle = (low + high) / 2
    y = (np.arange(height)[:, None] - (height - 1) / 2) / scale + middle[1]
    x = (np.arange(width)[None, :] - (width - 1) / 2) / scale + middle[0]
    back = np.linalg.inv(shape)
    u, v = back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y
    along = np.arctan2(u, -v) / bend + 0.5
    distance = np.hypot(u, v)
    half = half_width(along)
    beside = distance - radius(along)
    inside = np.minimum(half - np.abs(beside), bend * (0.5 - np.abs(along - 0.5)))
    across = np.clip(beside / np.maximum(half, 1e-6), -1, 1)
    sun = rng.uniform(0, 2 * math.pi)
    outward = (u * math.cos(sun) + v * math.sin(sun)) / np.maximum(distance, 1e-6)
    return Tube(along, across, np.clip(inside * scale + 0.5, 0, 1), across * outward)


def shade(tube: Tube, colour: np.ndarray) -> np.ndarray:
    """Light a round tube of one colour; (h, w, 3)."""
    facing = np.sqrt(1 - tube.across**2)
    brightness = 0.62 + 0.4 * facing + 0.22 * tube.light
    return brightness[:, :, None] * colour


def blend(colour: np.ndarray, other: np.ndarray, weight: np.ndarray) -> None:
    colour += weight[:, :, None] * (other - colour)


def ball(rng: Generator, diameter: float, colour: np.ndarray) -> Sprite:
    """A ball, an egg or a ring."""
    height = max(4, round(0.7 * diameter))
    width = max(4, round(0.7 * diameter * rng.uniform(0.6, 1)))
    y = np.linspace(-1, 1, height + 2)[:, None] * (height + 2) / height
    x = np.linspace(-1, 1, width + 2)[None, :] * (width + 2) / width
    distance = np.hypot(x, y)
    hole = rng.choice([0, 0, 0.5, 0.7])
    inside = np.minimum(1 - distance, distance - hole if hole else 1)
    sun = rng.uniform(0, 2 * math.pi)
    facing = np.sqrt(np.clip(1 - distance**2, 0, 1))
    brightness = 0.6 + 0.4 * facing + 0.25 * (x * math.cos(sun) + y * math.sin(sun))
    cover = np.clip(inside * width / 2 + 0.5, 0, 1)
    return Sprite(brightness[:, :, None] * colour, cover)


def stick(rng: Generator, length: float, colour: np.ndarray) -> Sprite:
    """A straight stick, with a tip of another colour now and then."""
    thick = rng.uniform(0.006, 0.02)
    tube = bent_tube(rng, length, 0.1, lambda along: np.full_like(along, thick))
    shaded = shade(tube, colour)
    if rng.random() < 0.5:
        blend(shaded, rng.uniform(20, 240, 3), (tube.along > 0.85).astype(float))
    return Sprite(shaded, tube.cover)


# ---- the whole picture ---------------------------------------------------------------


def develop(rng: Generator, canvas: np.ndarray) -> np.ndarray:
    """Vary exposure and colour cast, as different cameras do."""
    from PIL import Image

    gain = rng.uniform(0.8, 1.12) * rng.uniform(0.94, 1.06, (3, 1))
    curves = np.clip(gain * np.arange(256), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(canvas).point(curves.ravel().tolist()))
