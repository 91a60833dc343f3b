"""Data sets that are drawn, for machines without a network.

The lesson needs pictures in which one object must be found among many others. Here it
is a banana: a bent, tapered, shaded tube with dark ends. Around it lie things that
share its colour (yellow balls, sticks and rings) or its shape (bent things of other
colours), so that neither a colour threshold nor the outline alone finds it.
"""

from __future__ import annotations

import csv
import math
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2lcv.data._files import workspace
from d2lcv.data.hub import data_dir

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL import Image, ImageDraw

VERSION = 3  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "val")
_HEADER = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")


def synthetic(name: str = "bananas", **parameters: int) -> str:
    """Return the folder of a drawn data set, drawing it at the first call.

    Args:
        name: `"bananas"`, the only set there is.
        parameters: `num_train`, `num_val`, `size`, `seed` of `make_bananas`. Every
            combination has its own folder below `data_dir()/synthetic`.

    Returns:
        The path of the folder.

    Raises:
        ValueError: another name, or a parameter that `make_bananas` refuses.
        TypeError: another parameter.
    """
    if name != "bananas":
        raise ValueError(f"there is no synthetic data set {name!r}; there is 'bananas'")
    given = {"num_train": 1000, "num_val": 100, "size": 256, "seed": 0}
    if unknown := set(parameters) - set(given):
        raise TypeError(f"bananas have no {sorted(unknown)}; they have {list(given)}")
    given |= parameters
    stamp = "train{num_train}-val{num_val}-{size}px-seed{seed}".format(**given)
    folder = os.path.join(data_dir(), "synthetic", f"bananas-v{VERSION}-{stamp}")
    return folder if os.path.isdir(folder) else make_bananas(folder, **given)


def make_bananas(
    folder: str | os.PathLike[str],
    num_train: int = 1000,
    num_val: int = 100,
    size: int = 256,
    seed: int = 0,
) -> str:
    """Draw a set of banana pictures in the layout of the book's `banana-detection`.

    `folder` then has `bananas_train` and `bananas_val`, each with `images/0.png`, …
    and `label.csv`: one row per picture, class 0 and the corners of the box in pixels.
    Picture i depends on `seed`, its split and i only, not on how many there are.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train: how many pictures to train on, at least 1.
        num_val: how many pictures to validate on, at least 1.
        size: the side of a picture in pixels, at least 32.
        seed: chooses the pictures, at least 0.

    Returns:
        The path of the folder. It appears when it is complete, and not before.

    Raises:
        FileExistsError: there is something in `folder` already.
        ValueError: a number is too small.
    """
    for label, value, least in (
        ("num_train", num_train, 1),
        ("num_val", num_val, 1),
        ("size", size, 32),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"{label} must be at least {least}, got {value}")
    target = Path(os.path.abspath(folder))
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise FileExistsError(
            f"{target} is there already; choose another folder, or delete it first"
        )
    with workspace(target) as temporary:
        content = temporary / "content"
        _draw_set(content, {"train": num_train, "val": num_val}, size, seed)
        _publish(content, target)
    return str(target)


def _publish(content: Path, target: Path) -> None:
    """Rename the finished set; if another process was faster, its set is the same."""
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()  # Windows does not rename onto an empty folder
    try:
        os.rename(content, target)
    except OSError:
        if not (target / "bananas_val" / "label.csv").is_file():
            raise


def _draw_set(folder: Path, counts: dict[str, int], size: int, seed: int) -> None:
    from tqdm import tqdm

    jobs = [(split, index) for split in _SPLITS for index in range(counts[split])]
    for split in _SPLITS:
        (folder / f"bananas_{split}" / "images").mkdir(parents=True)
    (folder / "classes.txt").write_text("banana\n")

    def draw(job: tuple[str, int]) -> np.ndarray:
        from PIL import Image

        split, index = job
        image, box, _ = draw_banana(index, split, size, seed)
        path = folder / f"bananas_{split}" / "images" / f"{index}.png"
        Image.fromarray(image).save(path, compress_level=1, compress_type=zlib.Z_RLE)
        return box

    # Pillow and NumPy let go of the interpreter lock for most of the work
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        drawn = pool.map(draw, jobs)
        boxes = list(tqdm(drawn, "drawing bananas", len(jobs), disable=None))
    for split in _SPLITS:
        rows = [
            (f"{index}.png", 0, *box.tolist())
            for (of, index), box in zip(jobs, boxes, strict=True)
            if of == split
        ]
        with open(folder / f"bananas_{split}" / "label.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([_HEADER, *rows])


def draw_banana(
    index: int, split: str = "train", size: int = 256, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one picture with one banana.

    Args:
        index: which picture of the split.
        split: `"train"` or `"val"`.
        size: the side of the picture in pixels.
        seed: chooses the pictures.

    Returns:
        The picture (size, size, 3), uint8; the banana's box (4,), int64, as x1, y1, x2,
        y2 in pixels, the right and lower border exclusive; and the banana's pixels
        (size, size), bool, of which it is the tight box.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    canvas = _background(rng, size)
    for _ in range(rng.integers(1, 5)):
        _place(rng, canvas, _distractor(rng, size))
    mask = _place(rng, canvas, _banana(rng, size * rng.uniform(0.3, 0.55)))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return _develop(rng, canvas), box, mask


# ---- the background ------------------------------------------------------------------


def _background(rng: Generator, size: int) -> np.ndarray:
    """A soft mixture of colours, a pattern, and flat shapes; (size, size, 3) uint8."""
    from PIL import ImageDraw, ImageFilter

    cells = 64  # most of the arithmetic is done small: this is what takes the time
    field = _stretch(_muted(rng, rng.uniform(20, 235, (3, 3, 3))), cells).astype(int)
    for coarse, strength in ((7, 40), (20, 26), (64, 18)):
        noise = rng.normal(0, rng.uniform(0, strength), (coarse, coarse, 3))
        field += _stretch(_muted(rng, noise) + 128, cells).astype(int) - 128
    image = _overlay(_stretch(field, size), _pattern(rng, size))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(3, 14)):
        _scribble(rng, pen, size)
    blur = ImageFilter.BoxBlur(rng.uniform(0.3, 1.4) * size / 256)
    return np.array(image.filter(blur))


def _overlay(image: np.ndarray, pattern: np.ndarray | None) -> Image.Image:
    """Lighten and darken an (size, size, 3) uint8 picture by a pattern."""
    from PIL import Image

    if pattern is not None:
        image = np.clip(image + pattern[:, :, None], 0, 255).astype(np.uint8)
    return Image.fromarray(image)


def _muted(rng: Generator, colours: np.ndarray) -> np.ndarray:
    """Take most of the colour away: most surfaces in photographs are nearly grey."""
    grey = colours.mean(-1, keepdims=True)
    return grey + rng.beta(1.2, 2.5) * (colours - grey)


def _stretch(values: np.ndarray, size: int) -> np.ndarray:
    """Enlarge an (n, n, 3) array smoothly to (size, size, 3) uint8."""
    from PIL import Image

    small = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return np.asarray(small.resize((size, size), Image.Resampling.BICUBIC))


def _pattern(rng: Generator, size: int) -> np.ndarray | None:
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


def _colour(rng: Generator) -> tuple[int, int, int]:
    """Any colour, a yellow one in four cases."""
    if rng.random() < 0.25:
        return tuple(_yellow(rng).astype(int).tolist())
    return tuple(_muted(rng, rng.uniform(10, 246, 3)).astype(int).tolist())


def _yellow(rng: Generator) -> np.ndarray:
    red = rng.uniform(190, 255)
    return np.array([red, red * rng.uniform(0.72, 0.98), rng.uniform(20, 110)])


def _scribble(rng: Generator, pen: ImageDraw.ImageDraw, size: int) -> None:
    """Draw one flat shape: an ellipse, a polygon, a line or an arc."""
    centre = rng.uniform(0, size, 2)
    radius = size * rng.uniform(0.03, 0.22)
    colour = _colour(rng)
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


@dataclass
class _Sprite:
    """A small picture with its coverage: (h, w, 3) 0 to 255, and (h, w) 0 to 1."""

    colour: np.ndarray
    cover: np.ndarray


def _place(rng: Generator, canvas: np.ndarray, sprite: _Sprite) -> np.ndarray:
    """Lay `sprite` somewhere on `canvas`, with a shadow; return its pixels."""
    size, (height, width) = len(canvas), sprite.cover.shape
    top = rng.integers(0, size - height + 1)
    left = rng.integers(0, size - width + 1)
    _cast_shadow(rng, canvas, sprite.cover, top, left)
    region = canvas[top : top + height, left : left + width]
    cover = sprite.cover[:, :, None]
    region[:] = region + cover * (np.clip(sprite.colour, 0, 255) - region) + 0.5
    mask = np.zeros((size, size), bool)
    mask[top : top + height, left : left + width] = sprite.cover >= 0.5
    return mask


def _cast_shadow(
    rng: Generator, canvas: np.ndarray, cover: np.ndarray, top: int, left: int
) -> None:
    """Darken what lies beside and below the thing, softly."""
    from PIL import Image, ImageFilter

    size, soft = len(canvas), len(canvas) / 64
    margin = math.ceil(soft)
    shadow = np.pad((255 * rng.uniform(0, 0.55) * cover).astype(np.uint8), margin)
    blurred = Image.fromarray(shadow).filter(ImageFilter.BoxBlur(soft))
    top += round(soft * rng.uniform(-1, 2)) - margin
    left += round(soft * rng.uniform(-1.5, 1.5)) - margin
    rows = slice(max(top, 0), min(top + len(shadow), size))
    columns = slice(max(left, 0), min(left + shadow.shape[1], size))
    part = np.asarray(blurred, np.float32)[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    canvas[rows, columns] = canvas[rows, columns] * (1 - part[:, :, None] / 255)


@dataclass
class _Tube:
    """A bent tube seen from above, in its own coordinates at every pixel.

    `along` runs from 0 to 1 over the length, `across` from −1 (inner side) to 1 (outer
    side), `light` from −1 to 1 over the picture's direction of light.
    """

    along: np.ndarray
    across: np.ndarray
    cover: np.ndarray
    light: np.ndarray


def _tube(
    rng: Generator,
    length: float,
    bend: float,
    half_width: Callable[[np.ndarray], np.ndarray],
    skew: float = 0.0,
) -> _Tube:
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
    return _Tube(along, across, np.clip(inside * scale + 0.5, 0, 1), across * outward)


_BANANA_AT = (0, 0.03, 0.1, 0.16, 0.24, 0.36, 0.52, 0.7, 0.83, 0.92, 0.965, 1)
_BANANA_WIDTH = (0.3, 0.27, 0.24, 0.34, 0.66, 0.93, 1, 0.95, 0.74, 0.42, 0.25, 0.2)


def _banana(rng: Generator, length: float) -> _Sprite:
    """A banana whose box is `length` pixels on its longer side."""
    thick = rng.uniform(0.18, 0.24)

    def half_width(along: np.ndarray) -> np.ndarray:
        return thick * np.interp(along, _BANANA_AT, _BANANA_WIDTH)

    tube = _tube(rng, length, rng.uniform(1.5, 2.3), half_width, rng.uniform(-0.2, 0.2))
    colour = _shade(tube, _ripeness(rng))
    for ridge in (rng.uniform(-0.45, -0.15), rng.uniform(0.3, 0.55)):
        edge = np.exp(-(((tube.across - ridge) / 0.09) ** 2))
        colour *= 1 - 0.13 * edge[:, :, None]
    _speckle(rng, colour, tube)
    stem = np.clip((0.2 - tube.along) / 0.12, 0, 1)
    _blend(colour, np.array([150, 150, 60.0]), 0.7 * stem)
    ends = np.clip((0.045 - np.minimum(tube.along, 1 - tube.along)) / 0.02, 0, 1)
    _blend(colour, rng.uniform(0.5, 1.3) * np.array([62, 46, 30.0]), ends)
    return _Sprite(colour, tube.cover)


def _ripeness(rng: Generator) -> np.ndarray:
    """The colour of the peel: greenish, yellow, or brownish yellow; mostly yellow."""
    stages = np.array([[176, 196, 72], [242, 208, 66], [250, 212, 52], [220, 170, 56]])
    stage = 3 * rng.beta(1.6, 1.6)
    colour = [np.interp(stage, range(4), channel) for channel in stages.T]
    return np.array(colour) * rng.uniform(0.92, 1.05)


def _shade(tube: _Tube, colour: np.ndarray) -> np.ndarray:
    """Light a round tube of one colour; (h, w, 3)."""
    facing = np.sqrt(1 - tube.across**2)
    brightness = 0.62 + 0.4 * facing + 0.22 * tube.light
    return brightness[:, :, None] * colour


def _blend(colour: np.ndarray, other: np.ndarray, weight: np.ndarray) -> None:
    colour += weight[:, :, None] * (other - colour)


def _speckle(rng: Generator, colour: np.ndarray, tube: _Tube) -> None:
    """Sprinkle the brown spots of a ripe peel, along the fruit's own coordinates."""
    spots = np.clip(rng.normal(-3.2 + rng.uniform(0, 1.7), 1, (40, 9)), 0, 1)
    row = np.clip(tube.along * 40, 0, 39).astype(int)
    column = np.clip((tube.across + 1) * 4.5, 0, 8).astype(int)
    _blend(colour, np.array([120, 80, 35.0]), 0.7 * spots[row, column])


def _distractor(rng: Generator, size: int) -> _Sprite:
    """A shaded thing that is no banana."""
    length = size * rng.uniform(0.12, 0.42)
    kind = rng.integers(4)
    if kind == 0:
        return _ball(rng, length, _yellow(rng))
    if kind == 1:
        return _ball(rng, length, np.array(_colour(rng)))
    if kind == 2:
        return _stick(rng, length, np.array(_colour(rng)))
    return _pepper(rng, length)


def _ball(rng: Generator, diameter: float, colour: np.ndarray) -> _Sprite:
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
    return _Sprite(brightness[:, :, None] * colour, cover)


def _stick(rng: Generator, length: float, colour: np.ndarray) -> _Sprite:
    """A straight stick, with a tip of another colour now and then."""
    thick = rng.uniform(0.006, 0.02)
    tube = _tube(rng, length, 0.1, lambda along: np.full_like(along, thick))
    shaded = _shade(tube, colour)
    if rng.random() < 0.5:
        _blend(shaded, rng.uniform(20, 240, 3), (tube.along > 0.85).astype(float))
    return _Sprite(shaded, tube.cover)


_PEPPERS = (
    (200, 40, 30),
    (40, 110, 45),
    (110, 45, 130),
    (60, 90, 190),
    (225, 225, 220),
)


def _pepper(rng: Generator, length: float) -> _Sprite:
    """A bent thing, pointed or blunt, in any colour but yellow."""
    thick, taper = rng.uniform(0.08, 0.25), rng.uniform(0, 0.95)

    def half_width(along: np.ndarray) -> np.ndarray:
        return thick * (1 - taper * np.clip(along, 0, 1) ** 2)

    tube = _tube(rng, length, rng.uniform(0.9, 2.8), half_width, rng.uniform(-0.3, 0.3))
    colour = np.array(_PEPPERS[rng.integers(len(_PEPPERS))]) * rng.uniform(0.7, 1.2)
    return _Sprite(_shade(tube, colour), tube.cover)


# ---- the whole picture ---------------------------------------------------------------


def _develop(rng: Generator, canvas: np.ndarray) -> np.ndarray:
    """Vary exposure and colour cast, as different cameras do."""
    from PIL import Image

    gain = rng.uniform(0.8, 1.12) * rng.uniform(0.94, 1.06, (3, 1))
    curves = np.clip(gain * np.arange(256), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(canvas).point(curves.ravel().tolist()))
