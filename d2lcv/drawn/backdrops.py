"""Places in which drawn things stand: a table, a kitchen, a meadow, a street, …

A place is a function `place(rng, (height, width))` that gives a `Scene`: the picture so
far, its horizon and its sun. A thing is drawn on a canvas with the scene's light, and put
where it touches the ground; those that are put later stand in front:

    scene = table(rng, (256, 256))
    thing = scene.drawn(lemon, 90 * scene.near(200), turn=0.2)
    k = scene.put(thing, 120, 200)       # the middle of its lower edge
    scene.owner == k                     # the pixels of the thing that are still visible
    picture = scene.photograph()         # uint8

`near(y)` is how large a thing looks that stands at row y, as a share of its size at the
lower border. Surfaces come from tileable noise with a grain of its own in each direction,
which is made once; what is far away is drawn small, blurred and enlarged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .canvas import Canvas, Sprite, sampled, texture, tone

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL import ImageDraw

    Shape = tuple[int, int]

__all__ = [
    "PLACES",
    "Scene",
    "kitchen",
    "meadow",
    "overlap",
    "room",
    "sky",
    "street",
    "table",
    "water",
]

_FAR = 44  # what is far away is drawn in a picture so wide


@dataclass
class Scene:
    """A picture in the making: (3, H, W) float32, 0 to 255.

    `horizon` is a row, which may lie above the picture; `sun` the direction to the light;
    `owner` has k at the visible pixels of the k-th thing that was put, 0 elsewhere.
    """

    rng: Generator
    picture: np.ndarray
    horizon: float
    sun: tuple[float, float]
    owner: np.ndarray = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.owner = np.zeros(self.picture.shape[1:], np.uint8)

    def near(self, y: float) -> float:
        return max(y - self.horizon, 1) / (len(self.owner) - self.horizon)

    def drawn(
        self,
        draw: Callable[[Canvas], None],
        length: float,
        turn: float = 0.0,
        mirror: bool = False,
        squeeze: tuple[float, float] = (1.0, 1.0),
    ) -> Sprite:
        """The thing in the scene's light."""
        c = Canvas(self.rng, length, turn, mirror, squeeze, self.sun)
        draw(c)
        return c.sprite()

    def put(
        self,
        sprite: Sprite,
        x: float,
        y: float,
        shadow: float = 1.0,
        lies: bool = False,
    ) -> int:
        """Stand a thing at row y, or lay it down, with its shadow; return its number."""
        height, width = sprite.cover.shape
        top, left = round(y - height), round(x - width / 2)
        if shadow:
            away, up, soft = (-0.12, 0.96, 0.06) if lies else (-0.75, 0.3, 0.04)
            away, soft = away * self.sun[0], soft * min(width, height)
            self._cast(sprite.cover, top, left, away, up, soft, 0.6 * shadow)
        self.count += 1
        here, there = overlap(self.owner.shape, sprite.cover.shape, top, left)
        cover = sprite.cover[there]
        region = self.picture[:, here[0], here[1]]
        change = sprite.colour[there].transpose(2, 0, 1) - region
        change *= cover
        region += change
        self.owner[here][cover >= 0.5] = self.count
        return self.count

    def fill_gaps(self, k: int, gap: float) -> None:
        """Thing k owns what lies in its gaps, of rows and of columns, too."""
        own = self.owner == k
        filled = np.ones_like(own)
        for axis in (0, 1):
            at = np.arange(own.shape[axis], dtype=np.float32)
            at = at[:, None] if axis == 0 else at[None, :]
            before = np.maximum.accumulate(np.where(own, at, -np.inf), axis)
            after = np.flip(np.where(own, at, np.inf), axis)
            after = np.flip(np.minimum.accumulate(after, axis), axis)
            filled &= after - before < gap
        self.owner[filled] = k

    def hidden(self, sprite: Sprite, x: float, y: float, k: int) -> float:
        """The share of what is visible of thing k that the sprite would hide at x, y."""
        height, width = sprite.cover.shape
        top, left = round(y - height), round(x - width / 2)
        here, there = overlap(self.owner.shape, sprite.cover.shape, top, left)
        lost = (self.owner[here] == k) & (sprite.cover[there] >= 0.5)
        return lost.sum() / max((self.owner == k).sum(), 1)

    def _cast(
        self,
        cover: np.ndarray,
        top: int,
        left: int,
        away: float,
        up: float,
        soft: float,
        dark: float,
    ) -> None:
        """Darken the ground: the thing's outline, `up` as high, leaning by `away`."""
        from PIL import Image, ImageFilter

        height, width = cover.shape
        soft = max(soft, 1.0)
        margin = math.ceil(2 * soft)
        lean = math.ceil(abs(away) * height)
        out_w, out_h = width + lean + 2 * margin, math.ceil(up * height) + 2 * margin
        low = out_h - margin  # the row of the ground in the shadow's picture
        x0 = margin + (lean if away < 0 else 0)
        # a pixel of the shadow shows the thing at height (low − row) / up
        slope = away / up
        matrix = (1, slope, -x0 - slope * low, 0, 1 / up, height - low / up)
        image = Image.fromarray((255 * cover).astype(np.uint8)).transform(
            (out_w, out_h), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        image = image.filter(ImageFilter.BoxBlur(soft))
        row = top + height - low + round(0.3 * soft)
        here, there = overlap(self.owner.shape, (out_h, out_w), row, left - x0)
        shade = np.asarray(image)[there] * np.float32(dark / 255)
        self.picture[:, here[0], here[1]] *= 1 - shade

    def photograph(self, noise: float | None = None) -> np.ndarray:
        """The picture as a camera gives it: exposure, cast, vignette, softness, noise."""
        from PIL import Image, ImageFilter

        rng, (height, width) = self.rng, self.owner.shape
        warm = rng.normal(0, 0.035)
        gain = rng.uniform(0.85, 1.1) * np.array([1 + warm, 1, 1 - warm])
        light = 1 - rng.uniform(0, 0.3) * _vignette(height, width)
        noise = abs(rng.normal(0, 3)) if noise is None else noise
        rows = (np.arange(height) + rng.integers(512)) % 512
        columns = (np.arange(width) + rng.integers(512)) % 512
        grain = noise * _grain().take(rows, 0).take(columns, 1)
        pixels = np.empty((height, width, 3), np.uint8)
        for k, much in enumerate(gain.tolist()):
            level = much * light
            level *= self.picture[k]
            level += grain
            pixels[..., k] = np.clip(level, 0, 255, out=level)
        if (soft := rng.uniform(-0.5, 0.7)) > 0:
            blurred = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(soft))
            return np.asarray(blurred)
        return pixels


def overlap(
    shape: tuple[int, ...], part: tuple[int, ...], top: int, left: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where the part lies in the picture, and which piece of it."""
    y1, y2 = max(top, 0), max(min(top + part[0], shape[0]), 0)
    x1, x2 = max(left, 0), max(min(left + part[1], shape[1]), 0)
    y1, x1 = min(y1, y2), min(x1, x2)
    there = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
    return (slice(y1, y2), slice(x1, x2)), there


@lru_cache(4)
def _vignette(height: int, width: int) -> np.ndarray:
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return ((x**2 + y**2) / 2).astype(np.float32)


@lru_cache(1)
def _grain() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (512, 512)).astype(np.float32)


# ---- surfaces ------------------------------------------------------------------------


def _ground(shape: Shape, horizon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the rows below the horizon: places on the ground, and how near they are.

    Columns and rows (h, w) and (h, 1) in units of the picture's width at its lower
    border, and the share (h, 1) from 0 at the horizon to 1 there.
    """
    height, width = shape
    rows = np.arange(max(math.ceil(horizon) + 1, 0), height, dtype=np.float32)
    near = ((rows - horizon) / (height - horizon))[:, None]
    x = (np.arange(width, dtype=np.float32)[None, :] / width - 0.5) / near
    return x, 0.6 * (height - horizon) / height / near, near


Surface = Callable[["Generator", np.ndarray, np.ndarray], np.ndarray]
"""A function of the places that gives their colours (3, h, w)."""


def _planes(colour: np.ndarray) -> np.ndarray:
    return colour[:, None, None]


def _wood(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Boards with a grain, running to the left and right or away from the viewer."""
    if rng.random() < 0.4:
        x, y = np.broadcast_arrays(y, x)
    y = y / rng.uniform(0.2, 0.5)
    board = np.floor(y)
    grain = sampled(texture(60, 2.5), 200 * x + 91 * board, 90 * y)
    tint = np.sin(12.9898 * board * board + 4.1) * 0.09
    gap = np.clip(30 * np.minimum(y - board, board + 1 - y) - 0.1, 0.55, 1)
    value = gap * (1 + tint + 0.09 * grain)
    browns = [(176, 124, 78), (134, 88, 54), (206, 168, 122), (98, 66, 46)]
    return value * _planes(tone(rng, browns[rng.integers(4)]))


def _cloth(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A chequered or striped table cloth."""
    often = rng.uniform(5, 11)
    first, second = (np.sin(often * math.pi * v) for v in (x, y))
    first, second = (np.clip(4 * v + 0.5, 0, 1) for v in (first, second))
    share = (first + 0 * second) if rng.random() < 0.3 else 0.5 * (first + second)
    dyes = [
        (176, 42, 44),
        (52, 84, 140),
        (70, 120, 84),
        (120, 120, 128),
        (206, 170, 80),
    ]
    white = _planes(tone(rng, (232, 228, 218), 0.05))
    dye = _planes(tone(rng, dyes[rng.integers(5)]))
    weave = 1 + 0.04 * sampled(texture(1, 1), 300 * x, 300 * y)
    return (white + share * (dye - white)) * weave


def _stone(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Marble, slate or painted wood: a plain top with soft clouds."""
    greys = [(222, 220, 216), (92, 94, 98), (190, 176, 156), (150, 160, 168)]
    colour = _planes(tone(rng, greys[rng.integers(4)]))
    cloud = sampled(texture(60, 40, 2.6), 220 * x, 220 * y)
    speck = sampled(texture(1.5, 1.5), 300 * x, 300 * y)
    veins = np.clip(1 - 6 * np.abs(cloud - 0.3), 0, 1) * rng.uniform(0, 0.25)
    value = 1 + 0.05 * cloud + rng.uniform(0.01, 0.05) * speck - veins
    return value * colour


def _grass(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    greens = [(104, 140, 58), (128, 146, 70), (86, 124, 52)]
    green = _planes(tone(rng, greens[rng.integers(3)]))
    straw = _planes(np.array([190, 180, 104], np.float32))
    blades = sampled(texture(1.2, 7, 2.2), 330 * x, 200 * y)
    patch = np.clip(sampled(texture(40, 24), 120 * x, 120 * y) * 0.25 + 0.2, 0, 0.5)
    return (green + patch * (straw - green)) * (1 + 0.24 * blades)


def _asphalt(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    grey = _planes(tone(rng, (122, 120, 118)))
    value = 1 + 0.09 * sampled(texture(1, 1), 300 * x, 300 * y)
    value += 0.05 * sampled(texture(30, 30), 60 * x, 60 * y)
    colour = value * grey
    at, often = rng.uniform(0.3, 1.2) * rng.choice([-1, 1]), rng.uniform(3, 6)
    line = np.clip(1 - 40 * (np.abs(x - at) - 0.035), 0, 1) * (np.sin(often * y) > -0.2)
    return colour + 0.8 * line * (225 - colour)


def _waves(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    blues = [(62, 104, 140), (70, 128, 140), (88, 112, 128), (40, 84, 120)]
    colour = _planes(tone(rng, blues[rng.integers(4)]))
    swell = sampled(texture(26, 7), 110 * x, 160 * y)
    ripple = sampled(texture(7, 2), 160 * x, 220 * y)
    crest = np.clip(0.5 * (swell + ripple - 1.2), 0, 1)
    return (1 + 0.1 * swell + 0.08 * ripple) * colour + 100 * crest


def _carpet(rng: Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wools = [(150, 132, 112), (120, 84, 78), (96, 108, 120), (186, 176, 158)]
    value = 1 + 0.1 * sampled(texture(2, 2), 300 * x, 300 * y)
    return value * _planes(tone(rng, wools[rng.integers(4)]))


def _place(
    rng: Generator,
    shape: Shape,
    horizon: float,
    surface: Surface,
    far: Callable[[Generator, ImageDraw.ImageDraw, int, int, int], None],
    blur: float = 1.2,
) -> Scene:
    """A surface up to the horizon, and above it what `far` draws, out of focus.

    `far(rng, pen, width, height, horizon)` draws in a small picture. The surface fades
    into its own mean where it is too far for its texture to be seen.
    """
    from PIL import Image, ImageDraw, ImageFilter

    height, width = shape
    sun = rng.choice([-1, 1]) * rng.uniform(0.35, 0.85)
    picture = np.empty((3, height, width), np.float32)
    above = min(max(math.ceil(horizon) + 1, 0), height)
    if above:
        h, low = (max(2, round(n * _FAR / width)) for n in (above, horizon))
        small = Image.new("RGB", (_FAR, h))
        far(rng, ImageDraw.Draw(small), _FAR, h, low)
        small = small.filter(ImageFilter.BoxBlur(blur))
        large = small.resize((width, above), Image.Resampling.BICUBIC)
        picture[:, :above] = np.asarray(large).transpose(2, 0, 1)
    if above < height:
        x, y, near = _ground(shape, horizon)
        colour = surface(rng, x, y)
        mean = _planes(colour.mean((1, 2)))
        colour -= mean
        colour *= np.clip(2.5 * near, 0, min(width / 128, 1))
        np.add(colour, mean, out=picture[:, above:])
    slope = np.linspace(-1, 1, width, dtype=np.float32) * sun
    picture *= 1 + rng.uniform(0.05, 0.22) * slope
    return Scene(rng, picture, horizon, (sun, -math.sqrt(1 - sun * sun)))


# ---- places --------------------------------------------------------------------------


def _inside(rng: Generator, pen: ImageDraw.ImageDraw, w: int, h: int, low: int) -> None:
    """A wall with furniture, a window or pictures, and lamps."""
    walls = [(196, 184, 166), (168, 176, 180), (120, 112, 106), (206, 202, 192)]
    wall = tone(rng, walls[rng.integers(4)]) * rng.uniform(0.5, 1)
    pen.rectangle((0, 0, w, h), _rgb(wall))
    for _ in range(rng.integers(2, 6)):
        x, wide, top = rng.uniform(-0.1, 1) * w, rng.uniform(0.1, 0.4) * w, rng.random()
        kind = rng.random()
        if kind < 0.25:  # a window
            colour, low_edge = tone(rng, (236, 240, 244)), low * rng.uniform(0.6, 0.85)
        elif kind < 0.75:  # something made of wood, or painted
            colour = tone(rng, (120, 84, 56)) if rng.random() < 0.5 else wall * 0.6
            low_edge = low + 2
        else:
            colour, low_edge = rng.uniform(40, 210, 3), low * rng.uniform(0.4, 0.9)
        pen.rectangle(
            (x, top * 0.6 * low, x + wide, max(low_edge, top * low)), _rgb(colour)
        )
    for _ in range(rng.integers(0, 4)):  # lamps, plants, people: soft blots
        x, y, r = rng.uniform(0, w), rng.uniform(0, low), rng.uniform(1, 4)
        blots = [(250, 232, 190), (90, 120, 70), (170, 90, 70)]
        pen.ellipse(
            (x - r, y - r, x + r, y + r), _rgb(tone(rng, blots[rng.integers(3)]))
        )


def _tiles(rng: Generator, pen: ImageDraw.ImageDraw, w: int, h: int, low: int) -> None:
    """A tiled kitchen wall with a cupboard or a shelf."""
    glaze = tone(
        rng, [(228, 226, 220), (196, 214, 214), (222, 206, 176)][rng.integers(3)]
    )
    pen.rectangle((0, 0, w, h), _rgb(glaze))
    side = rng.uniform(3.5, 8)
    for at in np.arange(rng.uniform(0, side), w, side):
        pen.line((at, 0, at, low), _rgb(0.8 * glaze))
    for at in np.arange(low, 0, -side):
        pen.line((0, at, w, at), _rgb(0.8 * glaze))
    if rng.random() < 0.7:
        colour = tone(
            rng, [(128, 86, 54), (236, 234, 228), (90, 110, 120)][rng.integers(3)]
        )
        left, wide = rng.uniform(-0.3, 0.7) * w, rng.uniform(0.4, 0.8) * w
        pen.rectangle((left, 0, left + wide, 0.45 * low), _rgb(colour))
        pen.line((left + wide / 2, 0, left + wide / 2, 0.45 * low), _rgb(0.7 * colour))
    for _ in range(rng.integers(1, 4)):  # jars and tools that stand at the wall
        x, wide, high = (
            rng.uniform(0, w),
            rng.uniform(1.5, 4),
            rng.uniform(3, 0.4 * low + 4),
        )
        pen.rectangle((x, low - high, x + wide, low + 1), _rgb(rng.uniform(40, 200, 3)))


def _heaven(rng: Generator, pen: ImageDraw.ImageDraw, w: int, h: int, low: int) -> None:
    """A blue, grey or red sky with clouds."""
    skies = [((92, 144, 208), (196, 216, 232)), ((150, 164, 178), (206, 210, 212))]
    skies += [((110, 160, 216), (222, 230, 232)), ((120, 120, 160), (240, 190, 150))]
    top, bottom = (np.array(c) for c in skies[rng.choice(4, p=[0.4, 0.2, 0.3, 0.1])])
    low = max(low, 1)
    shares = np.minimum(np.arange(h) / low, 1)[:, None]
    for y, row in enumerate(top + shares * (bottom - top)):
        pen.line((0, y, w, y), _rgb(row))
    for _ in range(rng.integers(0, 7)):
        x, y, r = (
            rng.uniform(0, w),
            rng.uniform(0, 0.8 * low),
            rng.uniform(0.04, 0.15) * w,
        )
        white = _rgb(0.7 * bottom + 0.3 * np.array([255, 255, 255]) + 12)
        for shift in (-0.9, 0, 0.8):
            at, tall = x + shift * r, r * rng.uniform(0.2, 0.45)
            pen.ellipse((at - r, y - tall, at + r, y + tall), white)


def _trees(rng: Generator, pen: ImageDraw.ImageDraw, w: int, h: int, low: int) -> None:
    _heaven(rng, pen, w, h, low)
    high = rng.uniform(0.08, 0.5) * low
    leaves = tone(rng, [(62, 92, 50), (88, 110, 66), (110, 130, 110)][rng.integers(3)])
    for x in np.arange(-2, w + 2, rng.uniform(2, 5)):
        r = high * rng.uniform(0.4, 1)
        colour = leaves * rng.uniform(0.75, 1.2)
        pen.ellipse(
            (x - 0.8 * r, low - 1.7 * r, x + 0.8 * r, low + 0.5 * r), _rgb(colour)
        )


def _houses(rng: Generator, pen: ImageDraw.ImageDraw, w: int, h: int, low: int) -> None:
    _heaven(rng, pen, w, h, low)
    x = -rng.uniform(0, 10)
    fronts = [(176, 120, 96), (206, 190, 160), (150, 148, 144), (222, 214, 204)]
    while x < w:
        wide, high = rng.uniform(8, 18), rng.uniform(0.5, 1.2) * low
        colour = tone(rng, fronts[rng.integers(4)])
        pen.rectangle((x, low - high, x + wide, low + 1), _rgb(colour))
        pane = _rgb(0.45 * colour + 10)
        for y in np.arange(low - high + 2, low - 4, 5):
            for at in np.arange(x + 1.5, x + wide - 2, 4):
                pen.rectangle((at, y, at + 1.6, y + 2.4), pane)
        x += wide
    if rng.random() < 0.6:
        for at in rng.uniform(0, w, 2):
            pen.ellipse((at - 5, low - 14, at + 5, low - 3), (70, 98, 54))
    pen.rectangle((0, low - 2, w, h), _rgb(tone(rng, (160, 156, 150))))  # the pavement


def _shore(rng: Generator, pen: ImageDraw.ImageDraw, w: int, h: int, low: int) -> None:
    _heaven(rng, pen, w, h, low)
    if rng.random() < 0.7:
        x = np.linspace(0, w, 12)
        hills = low - np.abs(rng.normal(0, 0.12 * low, 12)) - 0.5
        ridge = [
            *zip(x.tolist(), hills.tolist(), strict=True),
            (w, low + 1),
            (0, low + 1),
        ]
        pen.polygon(ridge, _rgb(tone(rng, (104, 124, 128))))


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(min(max(level, 0), 255)) for level in colour.tolist())


def table(rng: Generator, shape: Shape) -> Scene:
    """A table top, seen from above or with a room behind it."""
    surface = (_wood, _cloth, _stone)[rng.integers(3)]
    high = -rng.uniform(1, 4) if rng.random() < 0.4 else rng.uniform(0.12, 0.4)
    return _place(rng, shape, high * shape[0], surface, _inside, 2.2)


def kitchen(rng: Generator, shape: Shape) -> Scene:
    """A counter before tiles."""
    surface = (_wood, _stone)[rng.integers(2)]
    return _place(rng, shape, rng.uniform(0.25, 0.5) * shape[0], surface, _tiles, 1.0)


def meadow(rng: Generator, shape: Shape) -> Scene:
    high = -rng.uniform(0.5, 2) if rng.random() < 0.15 else rng.uniform(0.15, 0.55)
    return _place(rng, shape, high * shape[0], _grass, _trees)


def street(rng: Generator, shape: Shape) -> Scene:
    return _place(rng, shape, rng.uniform(0.3, 0.6) * shape[0], _asphalt, _houses, 0.7)


def water(rng: Generator, shape: Shape) -> Scene:
    return _place(rng, shape, rng.uniform(0.25, 0.6) * shape[0], _waves, _shore, 0.8)


def sky(rng: Generator, shape: Shape) -> Scene:
    """No ground; the horizon lies below the picture."""
    scene = _place(rng, shape, 1.2 * shape[0], _grass, _heaven, 1.5)
    scene.horizon = -10.0 * shape[0]  # things are as large wherever they are
    return scene


def room(rng: Generator, shape: Shape) -> Scene:
    surface = (_wood, _carpet)[rng.integers(2)]
    return _place(rng, shape, rng.uniform(0.3, 0.55) * shape[0], surface, _inside, 0.8)


PLACES = {f.__name__: f for f in (table, kitchen, meadow, street, water, sky, room)}
"""Name -> place."""
