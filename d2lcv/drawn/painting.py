"""A picture that looks painted: an autumn hillside, to lend its style to others."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .scene import cat_and_dog

__all__ = ["PAINTING_SHAPE", "autumn_painting", "draw_painting"]

PAINTING_SHAPE = (400, 600)  # height, width

_ZOOM = 2  # drawn so much larger, then reduced: smooth edges
_STROKES = ((26, 9, 2600), (17, 6, 5200), (10, 3.5, 9000))  # length, width, how many

_SKY = ((40, 88, 196), (92, 152, 224), (150, 196, 228))
_LEAVES = ((226, 74, 30), (244, 138, 32), (250, 192, 60), (184, 36, 44))
_GROUND = ((232, 104, 36), (246, 176, 52), (198, 54, 52), (110, 74, 158), (92, 108, 52))
_BARK = ((58, 34, 52), (96, 56, 60), (214, 176, 128))


def autumn_painting(image: str | os.PathLike[str] = "") -> np.ndarray:
    """A tree on a hillside in autumn, in strokes of strong colours.

    Args:
        image: the path of a picture to use instead; empty for the drawn one.

    Returns:
        (H, W, 3), uint8. The drawn one has H = 400, W = 600, and the same pixels at every
        call.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a picture.
    """
    return (
        draw_painting() if isinstance(image, str) and not image else cat_and_dog(image)
    )


def draw_painting() -> np.ndarray:
    """The drawn one of `autumn_painting`: strokes over a plain sketch, long ones first."""
    random = np.random.default_rng(7)
    sketch, slopes = _sketch(random)
    height, width = PAINTING_SHAPE
    picture = Image.fromarray(_colours(sketch)).resize((width * _ZOOM, height * _ZOOM))
    brush = ImageDraw.Draw(picture)
    for length, thickness, count in _STROKES:
        for u, v in random.random((count, 2)):
            x, y = int(u * width), int(v * height)
            palette = (_SKY, _GROUND, _LEAVES, _BARK)[sketch[y, x]]
            angle = slopes[y, x] + 0.35 * random.standard_normal()
            scale = 0.6 if palette is _BARK else 1.0
            _stroke(
                brush,
                (u * width, v * height),
                angle,
                scale * length * random.uniform(0.6, 1.2),
                scale * thickness,
                _mixed(palette, v, random),
            )
    picture = picture.filter(ImageFilter.GaussianBlur(0.5 * _ZOOM))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def _sketch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel shows (0 sky, 1 ground, 2 leaves, 3 bark), and how strokes lie."""
    height, width = PAINTING_SHAPE
    y, x = np.mgrid[:height, :width]
    sketch = np.zeros(PAINTING_SHAPE, np.uint8)
    slopes = 0.25 * np.sin(x / 60 + y / 45)
    hill = y > 320 - 0.28 * x + 14 * np.sin(x / 70)
    sketch[hill] = 1
    slopes[hill] = -0.3 + 0.3 * np.sin(x / 50 - y / 35)[hill]

    layer = Image.new("L", (width, height))
    pen = ImageDraw.Draw(layer)
    for cx, cy, reach, count in ((390, 110, 190, 90), (80, 150, 110, 60)):
        for dx, dy, r in random.standard_normal((count, 3)):
            px, py, r = cx + 0.5 * reach * dx, cy + 0.3 * reach * dy, 12 + 6 * abs(r)
            pen.ellipse((px - r, py - 0.7 * r, px + r, py + 0.7 * r), fill=2)
    _tree(pen, (390, 330), -np.pi / 2 + 0.1, 92, 25, random)
    _tree(pen, (92, 345), -np.pi / 2 - 0.15, 70, 13, random)
    drawn = np.asarray(layer)
    sketch = np.where(drawn > 0, drawn, sketch)
    slopes = np.where(sketch == 2, np.sin(x / 23) + np.cos(y / 17), slopes)
    return sketch, np.where(sketch == 3, 1.4 + 0.4 * np.sin(x / 40), slopes)


def _tree(
    pen: ImageDraw.ImageDraw,
    foot: tuple[float, float],
    angle: float,
    length: float,
    thickness: float,
    random: np.random.Generator,
) -> None:
    """A branch, and at its end two or three thinner ones."""
    end = (foot[0] + length * np.cos(angle), foot[1] + length * np.sin(angle))
    pen.line((foot, end), fill=3, width=max(1, round(thickness)))
    if length < 14:
        return
    for turn in np.linspace(-0.6, 0.6, int(random.integers(2, 4))):
        _tree(
            pen,
            end,
            angle + turn + 0.2 * random.standard_normal(),
            length * random.uniform(0.6, 0.8),
            thickness * 0.58,
            random,
        )


def _colours(sketch: np.ndarray) -> np.ndarray:
    """The ground that the strokes are painted on: one colour for each kind of thing."""
    palettes = np.array([p[1] for p in (_SKY, _GROUND, _LEAVES, _BARK)], np.uint8)
    return palettes[sketch]


def _mixed(
    palette: tuple[tuple[int, int, int], ...],
    height: float,
    random: np.random.Generator,
) -> tuple[int, ...]:
    """One of a palette's colours, a little changed; the sky is lighter further down."""
    if palette is _SKY:
        share = np.clip(2.2 * height + 0.25 * random.standard_normal(), 0, 1.999)
        below = int(share)
        colour = np.array(palette[below]) * (1 - share % 1)
        colour = colour + np.array(palette[below + 1]) * (share % 1)
    else:
        colour = np.array(palette[int(random.integers(len(palette)))])
    colour = colour + 10 * random.standard_normal() + 7 * random.standard_normal(3)
    return tuple(int(c) for c in np.clip(colour, 0, 255))


def _stroke(
    brush: ImageDraw.ImageDraw,
    middle: tuple[float, float],
    angle: float,
    length: float,
    thickness: float,
    colour: tuple[int, ...],
) -> None:
    x, y, r = _ZOOM * middle[0], _ZOOM * middle[1], _ZOOM * thickness / 2
    dx, dy = (_ZOOM * length / 2 * f(angle) for f in (np.cos, np.sin))
    ends = ((x - dx, y - dy), (x + dx, y + dy))
    brush.line(ends, fill=colour, width=round(2 * r))
    for px, py in ends:
        brush.ellipse((px - r, py - r, px + r, py + r), fill=colour)
