"""The canvas: things are drawn from shaded parts, and come with their mask.

A thing of the zoo is a function of a canvas, with its colours as keywords; what they
leave open is chosen with `c.rng`. It draws parts in the thing's own coordinates (x right,
y down, about −1 to 1; what stands looks left, its feet are lowest), back to front:

    def lemon(c: Canvas, peel: Colour | None = None) -> None:
        peel = tone(c.rng, (240, 214, 60)) if peel is None else peel
        c.ellipse((0, 0), (0.9, 0.7), peel, 0.4, gloss=0.4)

The canvas has the size (`length` pixels from −1 to 1), the pose (`turn`, `mirror`,
`squeeze`) and where the light is. `c.sprite()` is what was drawn, with its coverage, the
mask. How a thing is put into a picture, with shadows and occlusion, stands in `backdrops`.

A part is an outline and a paint: a colour, or a function of the coordinates that gives
one, such as `mix(first, second, weight)`, so that textures turn and grow with the thing.
`depth` says how far the shade of a bulging part reaches inward; 0 is flat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL import Image

Points = Sequence[Any] | np.ndarray  # of x, y
Colour = Sequence[float] | np.ndarray  # red, green, blue from 0 to 255
Weight = Callable[[np.ndarray, np.ndarray], np.ndarray]
Paint = Weight | Colour

TILE = 256  # the side of a texture, a power of two


@dataclass
class Sprite:
    """A small picture with its coverage: (h, w, 3) 0 to 255, and (h, w) 0 to 1."""

    colour: np.ndarray
    cover: np.ndarray


class Canvas:
    """A transparent picture of about `length` pixels; parts cover those drawn before.

    Args:
        rng: chooses what the thing leaves open.
        length: how many pixels the span from −1 to 1 has.
        turn: the angle in radians by which the thing is turned.
        mirror: draw left for right.
        squeeze: how much narrower and lower the thing is.
        sun: the direction to the light in the picture, x and y; mostly from above if None.
    """

    def __init__(
        self,
        rng: Generator,
        length: float,
        turn: float = 0.0,
        mirror: bool = False,
        squeeze: tuple[float, float] = (1.0, 1.0),
        sun: tuple[float, float] | None = None,
    ) -> None:
        self.rng, self.scale = rng, float(length) / 2
        side = math.ceil(1.7 * length) + 2
        self._premultiplied = np.zeros((3, side, side), np.float32)
        self._cover = np.zeros((side, side), np.float32)
        cos, sin = math.cos(turn), math.sin(turn)
        flip = np.diag([-squeeze[0] if mirror else squeeze[0], squeeze[1]])
        self._matrix = self.scale * np.array([[cos, -sin], [sin, cos]]) @ flip
        self._back = np.linalg.inv(self._matrix)
        if sun is None:
            angle = rng.normal(-math.pi / 2, 0.8)
            sun = math.cos(angle), math.sin(angle)
        self.sun = sun
        self._joined: list[np.ndarray] | None = None

    @contextmanager
    def joined(
        self, paint: Paint, depth: float = 0.15, gloss: float = 0.0
    ) -> Iterator[None]:
        """What is drawn meanwhile becomes one part of this paint, without seams."""
        self._joined = []
        yield
        outlines, self._joined = self._joined, None
        self._fill(outlines, paint, depth, gloss)

    def polygon(
        self, points: Points, paint: Paint, depth: float = 0.15, gloss: float = 0.0
    ) -> None:
        """A closed outline with corners; `gloss`, 0 to 1, is how bright it shines."""
        self._fill(np.asarray(points, float), paint, depth, gloss)

    def curve(
        self, points: Points, paint: Paint, depth: float = 0.15, gloss: float = 0.0
    ) -> None:
        """A smooth closed outline through the points."""
        self._fill(smooth(points), paint, depth, gloss)

    def ellipse(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        paint: Paint,
        depth: float = 0.15,
        turn: float = 0.0,
        gloss: float = 0.0,
    ) -> None:
        x, y = radii[0] * _CIRCLE[0], radii[1] * _CIRCLE[1]
        cos, sin = math.cos(turn), math.sin(turn)
        outline = np.stack([cos * x - sin * y, sin * x + cos * y], 1)
        self._fill(outline + np.asarray(centre), paint, depth, gloss)

    def stroke(
        self,
        points: Points,
        widths: float | Sequence[float],
        paint: Paint,
        depth: float = 0.1,
        caps: bool = True,
        gloss: float = 0.0,
    ) -> None:
        """A smooth line of this width, or of widths that change from start to end."""
        line = smooth(points, closed=False)
        widths = [widths] if isinstance(widths, int | float) else widths
        half = np.interp(_even(len(line)), _even(len(widths)), widths) / 2
        ahead = np.concatenate([line[1:2] - line[:1], line[2:] - line[:-2]])
        ahead = np.concatenate([ahead, line[-1:] - line[-2:-1]])
        ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
        aside = half[:, None] * ahead[:, ::-1] * [-1, 1]
        sides = [line + aside, (line - aside)[::-1]]
        if caps:
            bows = []
            for end, out in ((-1, ahead[-1]), (0, -ahead[0])):
                left = np.array([-out[1], out[0]])
                bow = _BOW[0] * left + _BOW[1] * out
                bows.append(line[end] + half[end] * bow)
            sides = [sides[0], bows[0], sides[1], bows[1]]
        self._fill(np.concatenate(sides), paint, depth, gloss)

    def sprite(self) -> Sprite:
        """What was drawn, without the empty space around it."""
        solid = self._cover > 0.02
        rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        cover = self._cover[part]
        colour = self._premultiplied[:, part[0], part[1]] / np.maximum(cover, 1e-3)
        return Sprite(colour.transpose(1, 2, 0), cover)

    def _fill(
        self,
        outline: np.ndarray | list[np.ndarray],
        paint: Paint,
        depth: float,
        gloss: float,
    ) -> None:
        from PIL import Image, ImageDraw

        outlines = outline if isinstance(outline, list) else [outline]
        if self._joined is not None:
            self._joined += outlines
            return
        side = len(self._cover)
        shapes = [outline @ self._matrix.T + side / 2 for outline in outlines]
        dots = np.concatenate(shapes)
        low = [max(math.floor(v) - 1, 0) for v in dots.min(0).tolist()]
        high = [min(math.ceil(v) + 2, side) for v in dots.max(0).tolist()]
        width, height = high[0] - low[0], high[1] - low[1]
        if min(width, height) < 1:
            return
        fine = 4 if max(width, height) < 128 else 2  # drawn larger, then averaged
        image = Image.new("L", (width * fine, height * fine))
        pen = ImageDraw.Draw(image)
        for dots in shapes:
            pen.polygon(((dots - low) * fine).ravel().tolist(), fill=255)
        image = image.reduce(fine)
        mask = _values(image)

        if callable(paint):
            x = np.arange(low[0], high[0])[None, :] + 0.5 - side / 2
            y = np.arange(low[1], high[1])[:, None] + 0.5 - side / 2
            u, v = (row[0] * x + row[1] * y for row in self._back)
            colour = paint(u.astype(np.float32), v.astype(np.float32))
        else:
            colour = _planes(paint)
        if depth:
            light = self._light(image, depth)
            colour = colour * light
            if gloss:
                light *= 5
                light -= 5.4
                colour += 255 * gloss * np.maximum(light, 0, out=light) ** 2
        part = slice(low[1], high[1]), slice(low[0], high[0])
        below, cover = self._premultiplied[:, part[0], part[1]], self._cover[part]
        change = np.minimum(colour, 255) - below
        change *= mask
        below += change
        cover += mask * (1 - cover)

    def _light(self, mask: Image.Image, depth: float) -> np.ndarray:
        """How bright a bulging surface is: dark to its rim, and away from the sun."""
        from PIL import ImageFilter

        reach = max(depth * self.scale, 0.5)
        blur = ImageFilter.BoxBlur(reach / 1.5)
        soft = _values(mask.filter(blur).filter(blur))
        slope = np.zeros_like(soft)
        slope[:, 1:-1] = self.sun[0] * (soft[:, 2:] - soft[:, :-2])
        slope[1:-1] += self.sun[1] * (soft[2:] - soft[:-2])
        slope *= 0.27 * reach
        np.minimum(slope, 0.33, out=slope)
        soft *= 0.45
        soft += 0.6
        soft -= np.maximum(slope, -0.33, out=slope)
        return soft


_TURN = np.linspace(0, 2 * math.pi, 40, endpoint=False)
_CIRCLE = np.cos(_TURN), np.sin(_TURN)
_HALF = np.linspace(0, math.pi, 9)[1:-1, None]
_BOW = np.cos(_HALF), np.sin(_HALF)
_STEPS = np.linspace(0, 1, 6, endpoint=False)[:, None, None]
_SQUARED, _CUBED = _STEPS**2, _STEPS**3


@lru_cache(256)
def _even(count: int) -> np.ndarray:
    return np.linspace(0, 1, count)


def _values(image: Image.Image) -> np.ndarray:
    """Those of a grey picture, 0 to 1; several times faster than `asarray(image) / 255`."""
    grey = np.frombuffer(image.tobytes(), np.uint8).reshape(image.size[::-1])
    return np.divide(grey, np.float32(255), dtype=np.float32)


def smooth(points: Points, closed: bool = True) -> np.ndarray:
    """A smooth curve through all the points (Catmull and Rom, 1974); (n, 2)."""
    p = np.asarray(points, float)
    if closed:
        around = np.concatenate([p[-1:], p, p[:2]])
        before, after, last = around[:-3], around[2:-1], around[3:]
    else:
        before, after = np.concatenate([p[:1], p[:-2]]), p[1:]
        last, end, p = np.concatenate([p[2:], p[-1:]]), p[-1:], p[:-1]
    curve = 0.5 * (
        2 * p
        + (after - before) * _STEPS
        + (2 * before - 5 * p + 4 * after - last) * _SQUARED
        + (3 * p - before - 3 * after + last) * _CUBED
    )
    curve = curve.transpose(1, 0, 2).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, end])


@lru_cache(256)
def path(text: str) -> np.ndarray:
    """Points from a text of pairs in hundredths: "-97 36, 40 42"; (n, 2)."""
    return np.array([pair.split() for pair in text.split(",")], float) / 100


# ---- paints: functions of (u, v) that give (3, h, w); weights give (h, w) ------------


def _planes(colour: Colour) -> np.ndarray:
    return np.asarray(colour, np.float32)[:, None, None]


def mix(first: Paint, second: Paint, weight: Weight) -> Weight:
    """`first` where the weight is 0, `second` where it is 1."""

    def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a, b = (p(u, v) if callable(p) else _planes(p) for p in (first, second))
        return a + weight(u, v) * (b - a)

    return paint


def ramp(low: float, high: float, across: tuple[float, float] = (0.0, 1.0)) -> Weight:
    """A weight that grows from 0 at `low` to 1 at `high`, downwards or along `across`."""
    return lambda u, v: np.clip(
        (across[0] * u + across[1] * v - low) / (high - low), 0, 1
    )


def stripes(
    frequency: float, angle: float, phase: float = 0.0, share: float = 0.5
) -> Weight:
    """A weight of parallel stripes with soft edges; `share` of the surface is 1."""
    cos, sin, level = math.cos(angle), math.sin(angle), math.cos(math.pi * share)

    def weight(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        wave = np.cos(frequency * (cos * u + sin * v) + phase)
        return np.clip((wave - level) * 5 + 0.5, 0, 1)

    return weight


def checks(frequency: float, angle: float) -> Weight:
    cos, sin = math.cos(angle), math.sin(angle)

    def weight(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        first = np.sin(frequency * (cos * u + sin * v))
        second = np.sin(frequency * (cos * v - sin * u))
        return np.clip(6 * first * second + 0.5, 0, 1)

    return weight


def dots(
    spacing: float, radius: float, shift: tuple[float, float] = (0.0, 0.0)
) -> Weight:
    """A weight of dots in a staggered grid."""

    def weight(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        row = np.floor((v + shift[1]) / spacing)
        x = (u + shift[0]) / spacing + 0.5 * (row % 2)
        x, y = x - np.floor(x) - 0.5, (v + shift[1]) / spacing - row - 0.5
        return np.clip((radius - spacing * np.hypot(x, y)) * 12 / radius, 0, 1)

    return weight


@lru_cache(16)
def texture(across: float, along: float, rough: float = 2.0) -> np.ndarray:
    """Noise that can be tiled, with a grain of so many pixels; mean 0, deviation 1.

    The larger `rough`, the fewer details are finer than the grain.
    """
    noise = np.random.default_rng(1).normal(0, 1, (TILE, TILE))
    y, x = np.fft.fftfreq(TILE)[:, None], np.fft.fftfreq(TILE)[None, :]
    weight = (1 + (3 * x * across) ** 2 + (3 * y * along) ** 2) ** (-rough / 2)
    weight[0, 0] = 0
    values = np.fft.ifft2(weight * np.fft.fft2(noise)).real
    return np.round(values / values.std(), 2).astype(np.float32, "C")


def sampled(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The texture at these columns and rows, which may be anywhere."""
    row, column = (at.astype(np.intp) & (TILE - 1) for at in (y, x))
    return values.ravel().take(TILE * row + column, mode="wrap")  # the fastest mode


def mottle(
    rng: Generator, grain: float, share: float, sharpness: float = 4.0
) -> Weight:
    """A weight of random blots; `grain` is their size, `share` of the surface is 1."""
    x, y = rng.uniform(0, TILE, 2)
    level = NormalDist().inv_cdf(1 - min(max(share, 0.001), 0.999))

    def weight(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        field = sampled(texture(24, 24), 24 * u / grain + x, 24 * v / grain + y)
        return np.clip((field - level) * sharpness + 0.5, 0, 1)

    return weight


def tone(rng: Generator, colour: Colour, spread: float = 0.12) -> np.ndarray:
    """A colour near this one: a little lighter or darker, warmer or colder."""
    gain = rng.uniform(1 - spread, 1 + spread) * rng.normal(1, spread / 3, 3)
    return np.clip(np.asarray(colour) * gain, 0, 255).astype(np.float32)


def pick(rng: Generator, *colours: Colour, spread: float = 0.12) -> np.ndarray:
    """A tone of one of the colours."""
    return tone(rng, colours[rng.integers(len(colours))], spread)


def vivid(rng: Generator) -> np.ndarray:
    """A strong colour of any hue."""
    hue, low = rng.uniform(0, 6), rng.uniform(20, 90)
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (low + wheel * (rng.uniform(190, 255) - low)).astype(np.float32)
