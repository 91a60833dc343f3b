"""Drawn pictures of dogs, in the layout of the Kaggle competition of dog breeds.

    ROOT/
        labels.csv           id,breed
        train/<id>.jpg       id: 32 hexadecimal digits
        test/<id>.jpg

A breed is a way to be built (legs, ears, muzzle, tail, hair) and a few coats; a dog of it
varies in colour, pose and light. Pictures differ in size.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import integers
from .animals import Animal, darker, draw_animal
from .canvas import Canvas, Paint, cloud, dots, mix, ramp, stretch, tone
from .making import draw_all, make_set
from .paint import ball, develop, draw_background, muted, place, stick

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["BREEDS", "draw_dog", "make_dog_tiny"]

VERSION = 1  # count up when the pictures change: older sets are then not served again

_SPLITS = ("train", "test")

Coat = Callable[["Generator"], Paint]


def make_dog_tiny(
    folder: str | os.PathLike[str],
    num_train: int = 720,
    num_test: int = 24,
    size: int = 160,
    seed: int = 0,
) -> str:
    """Draw a set in the layout described above.

    Args:
        folder: where to make it; it must not exist, or be empty.
        num_train: how many labelled pictures of all breeds together, at least one of each
            breed; breeds differ by at most one picture.
        num_test: how many pictures without a label, at least 1.
        size: the longest side that a picture may have in pixels, at least 64.
        seed: chooses the pictures, at least 0.

    Returns, Raises: as `d2lcv.drawn.making.make_set`.
    """
    integers(
        num_train=(num_train, len(BREEDS)),
        num_test=(num_test, 1),
        size=(size, 64),
        seed=(seed, 0),
    )
    counts = {"train": num_train, "test": num_test}
    breeds = list(BREEDS)
    jobs = [(split, i) for split in _SPLITS for i in range(counts[split])]

    def draw_set(content: Path) -> None:
        for split in _SPLITS:
            (content / split).mkdir()

        def draw(job: tuple[str, int]) -> tuple[str, str, str]:
            from PIL import Image

            split, i = job
            breed = breeds[i % len(breeds)]
            name = _identity(f"{seed} {split} {i}")
            image = Image.fromarray(draw_dog(breed, i, split, size, seed))
            image.save(content / split / f"{name}.jpg", quality=90)
            return split, name, breed

        drawn = draw_all("dogs", jobs, draw)
        rows = sorted((name, breed) for split, name, breed in drawn if split == "train")
        with open(content / "labels.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("id", "breed"), *rows])

    return make_set(folder, draw_set)


def _identity(text: str) -> str:
    """32 hexadecimal digits, as Kaggle names pictures."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def draw_dog(
    breed: str, index: int, split: str = "train", size: int = 160, seed: int = 0
) -> np.ndarray:
    """Draw one dog: (h, w, 3), uint8, the longer side from 0.65 `size` to `size`."""
    label = list(BREEDS).index(breed)
    rng = np.random.default_rng([seed, _SPLITS.index(split), label, index])
    long = round(size * rng.uniform(0.65, 1))
    short = round(long * rng.uniform(0.75, 1))
    height, width = (short, long) if rng.random() < 0.6 else (long, short)
    canvas = _outdoors(rng, long)[:height, :width].copy()
    for _ in range(rng.integers(0, 3)):
        make = ball if rng.random() < 0.5 else stick
        colour = muted(rng, rng.uniform(20, 230, 3))
        place(rng, canvas, make(rng, short * rng.uniform(0.12, 0.3), colour))
    squeeze = (rng.uniform(0.9, 1), rng.uniform(0.9, 1))
    mirror = bool(rng.random() < 0.5)
    length = short * rng.uniform(0.8, 0.95)
    sketch = Canvas(rng, length, rng.normal(0, 0.1), mirror, squeeze)
    draw_animal(sketch, _dog(rng, *BREEDS[breed]))
    sprite = sketch.sprite()
    sprite.colour, sprite.cover = (
        part[:height, :width] for part in (sprite.colour, sprite.cover)
    )
    place(rng, canvas, sprite)
    return develop(rng, canvas)


def _outdoors(rng: Generator, size: int) -> np.ndarray:
    """Grass, floor or snow below a wall or trees; clutter now and then."""
    if rng.random() < 0.3:
        return draw_background(rng, size)
    grounds = [(110, 150, 70), (170, 150, 120), (150, 148, 150), (226, 228, 234)]
    walls = [(150, 180, 210), (120, 140, 100), (190, 176, 160), (140, 120, 110)]
    ground, wall = (
        tone(rng, grounds[rng.integers(4)]),
        tone(rng, walls[rng.integers(4)]),
    )
    rows = np.linspace(0, 1, 40)[:, None, None]
    below = np.clip((rows - rng.uniform(0.3, 0.7)) * 20, 0, 1)
    field = wall + below * (ground - wall)
    field = field + rng.normal(0, rng.uniform(3, 14), (40, 40, 1))
    return stretch(field + rng.normal(0, 3, (40, 40, 3)), size)


def _dog(rng: Generator, build: dict[str, Any], coat: Coat) -> Animal:
    """One dog of a breed: numbers vary a little, the rest does not."""
    varied: dict[str, Any] = {
        key: value * rng.uniform(0.92, 1.08) if isinstance(value, float) else value
        for key, value in build.items()
    }
    paint = coat(rng)
    varied = {
        key: value(rng, paint) if callable(value) else value
        for key, value in varied.items()
    }
    return Animal(paint, **varied)


# ---- coats: functions of rng that give a paint ---------------------------------------


def _plain(*colours: Sequence[float]) -> Coat:
    def coat(rng: Generator) -> Paint:
        colour = tone(rng, colours[rng.integers(len(colours))])
        return mix(colour, 0.86 * colour, cloud(rng, 0.3, 0.4, 1.5))

    return coat


def _patched(
    base: Sequence[float], *others: Sequence[float], share: float = 0.4
) -> Coat:
    def coat(rng: Generator) -> Paint:
        other = tone(rng, others[rng.integers(len(others))])
        return mix(tone(rng, base), other, cloud(rng, 0.7, rng.normal(share, 0.06)))

    return coat


def _spotted(base: Sequence[float], *others: Sequence[float]) -> Coat:
    def coat(rng: Generator) -> Paint:
        other = tone(rng, others[rng.integers(len(others))])
        shift = tuple(rng.uniform(0, 1, 2))
        return mix(tone(rng, base), other, dots(0.14, 0.045, shift))

    return coat


def _saddled(base: Sequence[float], back: Sequence[float], low: float = 0.14) -> Coat:
    """Another colour on the back, down to `low`."""

    def coat(rng: Generator) -> Paint:
        edge = rng.normal(low, 0.03)
        return mix(tone(rng, back), tone(rng, base), ramp(edge, edge + 0.08))

    return coat


def _bellied(base: Sequence[float], low: Sequence[float], edge: float = 0.2) -> Coat:
    """A lighter belly and breast."""

    def coat(rng: Generator) -> Paint:
        at = rng.normal(edge, 0.03)
        return mix(tone(rng, base), tone(rng, low), ramp(at, at + 0.1))

    return coat


def _paint(*colour: float) -> Callable[[Generator, Paint], Paint]:
    """A part of a colour of its own."""
    return lambda rng, coat: tone(rng, colour)


def _dark(share: float) -> Callable[[Generator, Paint], Paint]:
    """A part like the coat, but darker."""
    return lambda rng, coat: darker(coat, share)


_WHITE, _CREAM, _GOLD = (238, 234, 226), (236, 216, 180), (214, 158, 84)
_TAN, _RED, _BROWN = (190, 128, 70), (176, 92, 44), (104, 66, 44)
_BLACK, _GREY, _SILVER = (40, 37, 38), (128, 126, 128), (176, 176, 178)

_SHORT = {"leg": 0.2, "thick": 0.1, "neck": 0.18, "head": 0.17}
_LEAN = {"leg": 0.52, "thick": 0.09, "depth": 0.19, "tuck": 0.3, "neck": 0.34}
_HEAVY = {"leg": 0.42, "thick": 0.15, "depth": 0.28, "head": 0.22, "neck": 0.22}

BREEDS: dict[str, tuple[dict[str, Any], Coat]] = {
    "afghan_hound": (
        _LEAN
        | {
            "ear": "flop",
            "tail": "curl",
            "fur": 0.14,
            "muzzle": 0.28,
            "legs": _paint(*_CREAM),
            "mane": _paint(*_CREAM),
        },
        _plain(_GOLD, _CREAM),
    ),
    "airedale": (
        {
            "leg": 0.46,
            "ear": "flop",
            "tail": "up",
            "muzzle": 0.26,
            "snout": 0.2,
            "legs": _paint(*_TAN),
            "face": _paint(*_TAN),
        },
        _saddled(_TAN, _BLACK, 0.2),
    ),
    "basenji": (
        {"leg": 0.46, "length": 0.42, "tail": "curl", "legs": _paint(*_WHITE)},
        _bellied(_RED, _WHITE),
    ),
    "beagle": (
        {
            "leg": 0.34,
            "ear": "flop",
            "tail": "up",
            "face": _paint(*_TAN),
            "legs": _paint(*_WHITE),
            "ears": _paint(150, 90, 46),
        },
        _patched(_WHITE, _BLACK, share=0.45),
    ),
    "bernese_mountain_dog": (
        _HEAVY
        | {
            "ear": "flop",
            "tail": "bushy",
            "fur": 0.07,
            "legs": _paint(*_RED),
            "face": _paint(60, 50, 46),
        },
        _bellied(_BLACK, _WHITE, 0.24),
    ),
    "border_collie": (
        {
            "leg": 0.4,
            "ear": "pointed",
            "tail": "bushy",
            "fur": 0.08,
            "muzzle": 0.22,
            "legs": _paint(*_WHITE),
            "face": _paint(*_BLACK),
        },
        _patched(_BLACK, _WHITE, share=0.3),
    ),
    "boston_bull": (
        {
            "leg": 0.36,
            "length": 0.4,
            "muzzle": 0.04,
            "snout": 0.26,
            "head": 0.24,
            "tail": "short",
            "neck": 0.18,
            "face": _paint(*_BLACK),
        },
        _bellied(_BLACK, _WHITE, 0.18),
    ),
    "boxer": (
        _HEAVY
        | {
            "depth": 0.24,
            "ear": "flop",
            "tail": "short",
            "muzzle": 0.08,
            "snout": 0.3,
            "face": _dark(0.5),
            "legs": _paint(*_WHITE),
        },
        _plain(_TAN, _RED),
    ),
    "cardigan": (
        _SHORT
        | {"ear": "pointed", "tail": "bushy", "head": 0.2, "legs": _paint(*_WHITE)},
        _bellied(_GOLD, _WHITE, 0.52),
    ),
    "chow": (
        _HEAVY
        | {
            "depth": 0.3,
            "tail": "curl",
            "fur": 0.16,
            "muzzle": 0.08,
            "head": 0.27,
            "snout": 0.3,
            "ear": "round",
            "length": 0.42,
        },
        _plain(_RED, (190, 110, 56)),
    ),
    "dachshund": (
        _SHORT
        | {
            "leg": 0.14,
            "length": 0.62,
            "depth": 0.17,
            "ear": "flop",
            "tail": "up",
            "muzzle": 0.27,
            "snout": 0.11,
        },
        _plain(_BROWN, (120, 70, 40)),
    ),
    "dalmatian": (
        {
            "leg": 0.46,
            "ear": "flop",
            "tail": "up",
            "face": _paint(*_WHITE),
            "ears": _paint(*_BLACK),
        },
        _spotted(_WHITE, _BLACK),
    ),
    "doberman": (
        _LEAN
        | {
            "ear": "pointed",
            "tail": "short",
            "muzzle": 0.26,
            "depth": 0.21,
            "legs": _paint(*_TAN),
        },
        _bellied(_BLACK, _TAN, 0.3),
    ),
    "french_bulldog": (
        _SHORT
        | {
            "leg": 0.24,
            "length": 0.4,
            "depth": 0.25,
            "muzzle": 0.02,
            "snout": 0.28,
            "head": 0.27,
            "tail": "short",
            "thick": 0.14,
        },
        _plain(_GREY, (96, 92, 96)),
    ),
    "german_shepherd": (
        {
            "leg": 0.42,
            "tail": "bushy",
            "muzzle": 0.26,
            "face": _paint(60, 50, 44),
            "ears": _paint(*_BLACK),
            "fur": 0.04,
        },
        _saddled(_TAN, _BLACK),
    ),
    "golden_retriever": (
        {"leg": 0.38, "ear": "flop", "tail": "bushy", "fur": 0.07, "depth": 0.25},
        _plain(_GOLD, (226, 182, 116)),
    ),
    "great_dane": (
        _LEAN
        | {
            "leg": 0.58,
            "depth": 0.22,
            "length": 0.46,
            "ear": "flop",
            "tail": "down",
            "muzzle": 0.26,
            "snout": 0.19,
        },
        _patched(_WHITE, _BLACK, share=0.3),
    ),
    "italian_greyhound": (
        _LEAN
        | {
            "leg": 0.56,
            "depth": 0.15,
            "thick": 0.06,
            "ear": "flop",
            "tail": "down",
            "muzzle": 0.24,
            "snout": 0.09,
            "head": 0.13,
        },
        _plain(_SILVER, _GREY),
    ),
    "komondor": (
        _HEAVY | {"ear": "flop", "tail": "tuft", "fur": 0.22, "mane": _paint(*_WHITE)},
        _plain(_WHITE, (226, 218, 200)),
    ),
    "labrador_retriever": (
        {
            "leg": 0.38,
            "ear": "flop",
            "tail": "up",
            "depth": 0.25,
            "thick": 0.14,
            "snout": 0.19,
        },
        _plain(_BLACK, (50, 46, 46)),
    ),
    "malamute": (
        _HEAVY
        | {
            "tail": "curl",
            "fur": 0.08,
            "face": _paint(*_WHITE),
            "legs": _paint(*_WHITE),
            "ears": _paint(*_GREY),
        },
        _bellied((92, 92, 98), _WHITE, 0.14),
    ),
    "pomeranian": (
        _SHORT
        | {
            "length": 0.34,
            "depth": 0.28,
            "fur": 0.2,
            "tail": "curl",
            "muzzle": 0.1,
            "snout": 0.1,
            "head": 0.21,
            "ear": "pointed",
        },
        _plain((222, 140, 66), _GOLD),
    ),
    "pug": (
        _SHORT
        | {
            "leg": 0.24,
            "length": 0.42,
            "depth": 0.26,
            "muzzle": 0.03,
            "snout": 0.24,
            "head": 0.25,
            "tail": "curl",
            "ear": "flop",
            "face": _dark(0.35),
            "ears": _paint(*_BLACK),
        },
        _plain(_CREAM, (222, 196, 152)),
    ),
    "saint_bernard": (
        _HEAVY
        | {
            "depth": 0.31,
            "ear": "flop",
            "tail": "bushy",
            "fur": 0.06,
            "snout": 0.26,
            "legs": _paint(*_WHITE),
        },
        _patched(_WHITE, _RED, share=0.5),
    ),
    "samoyed": (
        {
            "leg": 0.38,
            "depth": 0.28,
            "tail": "curl",
            "fur": 0.12,
            "muzzle": 0.18,
            "ear": "pointed",
        },
        _plain(_WHITE),
    ),
    "scotch_terrier": (
        _SHORT
        | {
            "ear": "pointed",
            "tail": "up",
            "fur": 0.14,
            "muzzle": 0.24,
            "snout": 0.22,
            "length": 0.44,
        },
        _plain(_BLACK, (60, 58, 60)),
    ),
    "standard_poodle": (
        {
            "leg": 0.5,
            "ear": "round",
            "tail": "tuft",
            "fur": 0.1,
            "muzzle": 0.25,
            "snout": 0.1,
            "thick": 0.14,
            "mane": _dark(0.95),
        },
        _spotted((120, 84, 60), (96, 64, 44)),
    ),
    "yorkshire_terrier": (
        _SHORT
        | {
            "length": 0.36,
            "ear": "pointed",
            "tail": "up",
            "fur": 0.1,
            "muzzle": 0.1,
            "face": _paint(*_GOLD),
            "legs": _paint(*_GOLD),
        },
        _saddled(_GOLD, (92, 96, 108), 0.5),
    ),
}
"""Breed -> how it is built (fields of `Animal`) and its coat; the names are sorted."""
