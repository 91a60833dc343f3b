"""Animals in side view: those on four legs are built from a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..canvas import (
    Canvas,
    Colour,
    Paint,
    Points,
    dots,
    mix,
    mottle,
    path,
    pick,
    ramp,
    smooth,
    stripes,
    tone,
)

_GROUND = 0.85
_BLACK, _PINK, _WHITE = (34, 30, 32), (226, 158, 152), (238, 235, 228)


@dataclass
class Build:
    """How an animal is built, in units of half the canvas's length.

    `length` and `depth` are half the trunk's, `tuck` is how far down the belly reaches (1
    is as far as the chest), `rise` the angle of the neck, `nod` that of the head, both in
    radians; `fur` is how shaggy it is. Ears: "pointed", "bat", "flop", "side". Tails: "up",
    "curl", "bushy", "short", "tuft", "long", "pompon".
    """

    length: float = 0.47
    depth: float = 0.2
    leg: float = 0.42
    thick: float = 0.1
    neck: float = 0.24
    rise: float = 0.9
    head: float = 0.16
    muzzle: float = 0.2
    snout: float = 0.15
    nod: float = 0.25
    ear: str = "pointed"
    tail: str = "up"
    tuck: float = 0.6
    fur: float = 0.0

    @property
    def middle(self) -> float:
        """Where the middle of the trunk is."""
        return _GROUND - self.leg - 0.85 * self.depth


@dataclass
class Paints:
    """Colours of the parts; those that are None are as the coat."""

    coat: Paint
    legs: Paint | None = None
    face: Paint | None = None
    muzzle: Paint | None = None
    ears: Paint | None = None
    tail: Paint | None = None
    mane: Paint | None = None
    nose: Colour = _BLACK


def four_legged(
    c: Canvas, b: Build, p: Paints, head: bool = True
) -> tuple[float, float]:
    """Draw the animal, looking left; return the middle of its head."""
    rng, length, depth = c.rng, b.length, b.depth
    middle = b.middle
    coat, swing = p.coat, rng.uniform(-0.12, 0.12, 4)
    if p.legs is not None:
        coat = mix(coat, p.legs, ramp(middle + 0.75 * depth, middle + 1.2 * depth))
    with c.joined(darker(coat), 0.1):
        _leg(c, b, -0.52 * length, middle, swing[0])
        _leg(c, b, 0.62 * length, middle, swing[1], hind=True)
    _tail(c, b, middle, coat if p.tail is None else p.tail)
    rise = b.rise + rng.normal(0, 0.1)
    x = -0.78 * length - b.neck * math.cos(rise)
    y = middle - 0.4 * depth - b.neck * math.sin(rise)
    if p.mane is not None:
        crest = [(-0.5 * length, middle - 0.9 * depth)]
        crest += [((x - 0.5 * length) / 2 + 0.1, (y + middle - depth) / 2 - 0.02)]
        c.stroke([*crest, (x + 0.06, y - 0.12)], [0.08, 0.2, 0.12], p.mane, 0.08)
    trunk = [(-1.02, 0.1), (-0.98, -0.5), (-0.62, -0.94), (0.05, -0.84), (0.7, -0.95)]
    trunk += [(1.02, -0.6), (1.04, 0.3), (0.55, b.tuck), (0.0, 0.4 + 0.55 * b.tuck)]
    trunk = [(u * length, middle + v * depth) for u, v in [*trunk, (-0.6, 1.02)]]
    start = -0.68 * length, middle - 0.2 * depth
    half = (x + start[0]) / 2 + 0.02, (y + start[1]) / 2
    with c.joined(coat, 0.17):
        _leg(c, b, -0.76 * length, middle, swing[2])
        _leg(c, b, 0.82 * length, middle, swing[3], hind=True)
        c.polygon(shaggy(c, trunk, b.fur), coat)
        c.stroke([start, half, (x, y)], [1.6 * depth, 1.7 * b.head, 1.4 * b.head], coat)
    if head:
        _head(c, b, p, x, y)
    return x, y


def darker(paint: Paint, share: float = 0.68) -> Paint:
    if callable(paint):
        return lambda u, v: share * paint(u, v)
    return share * np.asarray(paint, np.float32)


def shaggy(c: Canvas, outline: Points, fur: float) -> np.ndarray:
    """The smooth outline, with tufts of fur."""
    line = smooth(outline)
    if not fur:
        return line
    out = line - line.mean(0)
    out /= np.hypot(*out.T)[:, None]
    tufts = c.rng.uniform(0.3, 1, len(line)) * (np.arange(len(line)) % 3 == 0)
    return line + fur * tufts[:, None] * (out + [0, 0.35])


def _leg(
    c: Canvas, b: Build, x: float, middle: float, swing: float, hind: bool = False
) -> None:
    thick, foot = b.thick, (x + swing, _GROUND - 0.4 * b.thick)
    back = 0.32 * b.leg if hind else 0.0
    hip = x - (0.04 if hind else 0), middle + 0.2 * b.depth
    knee = x + 0.4 * swing - 0.15 * back, _GROUND - 0.62 * b.leg
    hock = x + 0.7 * swing + 0.38 * back, _GROUND - 0.34 * b.leg
    widths = [2.9 * thick if hind else 1.9 * thick, 1.4 * thick, 0.85 * thick]
    c.stroke([hip, knee, hock, foot], [*widths, 0.8 * thick], _BLACK)
    c.ellipse((foot[0] - 0.3 * thick, foot[1]), (0.75 * thick, 0.42 * thick), _BLACK)


_TAILS = {
    "short": ("0 0, 6 -3, 10 -5", [0.12, 0.08]),
    "long": ("-2 0, 10 6, 15 35, 12 62", [0.1, 0.2, 0.06]),
    "tuft": ("0 2, 9 10, 11 35, 10 56", [0.05, 0.03, 0.12]),
    "curl": ("-6 0, 9 -16, 0 -30, -14 -22, -6 -13", [0.14, 0.17, 0.15, 0.1]),
    "bushy": ("0 0, 14 4, 28 0, 40 -14", [0.1, 0.2, 0.22, 0.03]),
    "up": ("0 0, 14 -8, 22 -30, 20 -50", [0.1, 0.07, 0.05]),
    "pompon": ("0 0, 10 -15, 13 -28", [0.05, 0.05, 0.24]),
}


def _tail(c: Canvas, b: Build, middle: float, paint: Paint) -> None:
    x, y, wag = 0.95 * b.length, middle - 0.6 * b.depth, c.rng.uniform(-0.06, 0.06)
    way, widths = _TAILS[b.tail]
    points = [(x + u + wag * abs(v), y + v + wag * u) for u, v in path(way)]
    c.stroke(points, widths, paint, 0.1)


def _head(c: Canvas, b: Build, p: Paints, x: float, y: float) -> None:
    r, cos, sin = b.head, math.cos(b.nod), math.sin(b.nod)
    face = p.coat if p.face is None else p.face
    ears = darker(face, 0.8) if p.ears is None else p.ears
    _ear(c, b.ear, x + 0.15 * r, y, 0.95 * r, darker(ears, 0.75))
    reach = 0.6 * r + b.muzzle
    nose = x - cos * reach, y + sin * reach + 0.18 * r
    with c.joined(face, 0.12):
        skull = [
            (1.0, 0.0),
            (0.5, 0.85),
            (-0.5, 0.8),
            (-0.95, 0),
            (-0.5, -0.85),
            (0.5, -0.8),
        ]
        skull = [(x + u * r, y + 0.9 * v * r) for u, v in skull]
        c.polygon(shaggy(c, skull, 0.6 * b.fur), face)
        c.stroke([(x, y + 0.12 * r), nose], [1.45 * r, b.snout], face)
    if p.muzzle is not None:
        middle = x - 0.45 * cos * reach - 0.2 * r, y + 0.5 * sin * reach + 0.24 * r
        c.stroke([middle, nose], [b.snout, 1.08 * b.snout], p.muzzle, 0.1)
    dot = 0.3 * min(b.snout, 0.17)
    c.ellipse(
        (nose[0] - 0.36 * b.snout, nose[1] - 0.2 * b.snout), (dot, dot), p.nose, 0
    )
    _eye(c, x - 0.45 * r, y - 0.22 * r, max(0.17 * r, 0.022))
    if c.scale > 40:  # the mouth
        back = x - 0.5 * cos * reach, y + 0.5 * sin * reach + 0.2 * r + 0.3 * b.snout
        front = nose[0] - 0.3 * b.snout, nose[1] + 0.22 * b.snout
        c.stroke([back, front], 0.014, darker(face, 0.4), 0)
    _ear(c, b.ear, x + 0.4 * r, y, r, ears)


def _eye(c: Canvas, x: float, y: float, r: float) -> None:
    c.ellipse((x, y), (r, 1.1 * r), _BLACK, 0)
    if c.scale > 40:
        c.ellipse((x - 0.3 * r, y - 0.4 * r), (0.35 * r, 0.35 * r), _WHITE, 0)


def _ear(c: Canvas, kind: str, x: float, y: float, r: float, paint: Paint) -> None:
    if kind == "pointed":
        around = [(x - 0.42 * r, y - 0.55 * r), (x + 0.12 * r, y - 1.7 * r)]
        c.polygon([*around, (x + 0.5 * r, y - 0.3 * r)], paint, 0.08)
    elif kind == "bat":
        c.ellipse((x, y - 1.05 * r), (0.32 * r, 0.7 * r), paint, 0.1, turn=0.2)
    elif kind == "flop":
        way = [(x - 0.1 * r, y - 0.6 * r), (x + 0.4 * r, y - 0.1 * r)]
        c.stroke(
            [*way, (x + 0.3 * r, y + 0.95 * r)], [0.5 * r, 0.8 * r, 0.55 * r], paint
        )
    else:
        c.ellipse((x + 0.45 * r, y - 0.6 * r), (0.62 * r, 0.28 * r), paint, 0.1, -0.5)


# ---- farm and forest -----------------------------------------------------------------


def horse(c: Canvas, coat: Paint | None = None) -> None:
    rng, hair = c.rng, pick(c.rng, (46, 34, 28), (30, 28, 30), (226, 208, 170))
    if coat is None:
        browns = [(122, 70, 38), (92, 54, 34), (160, 104, 58)]
        coat = pick(rng, *browns, (64, 58, 56), (214, 208, 198))
    rise = 0.95 if rng.random() < 0.8 else -0.55  # it grazes now and then
    build = Build(
        0.46, 0.21, 0.52, 0.085, 0.4, rise, 0.13, 0.24, 0.13, 0.75, tail="long"
    )
    legs = mix(coat, _BLACK, ramp(0.5, 0.7)) if rng.random() < 0.5 else None
    muzzle = darker(coat, 0.6) if rng.random() < 0.4 else None
    four_legged(c, build, Paints(coat, legs, None, muzzle, None, hair, hair))


def cow(c: Canvas, coat: Paint | None = None) -> None:
    rng = c.rng
    if coat is None:
        spots = pick(rng, (40, 36, 36), (124, 66, 40))
        coat = mix(tone(rng, _WHITE, 0.05), spots, mottle(rng, 0.5, 0.5, 8))
        coat = pick(rng, (140, 84, 50), (176, 122, 76)) if rng.random() < 0.3 else coat
    rise = 0.5 if rng.random() < 0.7 else -0.75
    build = Build(
        0.56, 0.27, 0.4, 0.1, 0.26, rise, 0.16, 0.16, 0.2, 0.7, "side", "tuft"
    )
    c.ellipse((0.36, build.middle + 0.27), (0.14, 0.1), _PINK, 0.1)  # the udder
    build.tuck = 1.0
    x, y = four_legged(c, build, Paints(coat, muzzle=_PINK, nose=(150, 96, 92)))
    for shift in (-0.06, 0.1):
        horn = path("0 -12, -6 -22, -2 -30") + (x + shift, y)
        c.stroke(horn, [0.06, 0.05, 0.015], (222, 212, 186))


def sheep(c: Canvas, wool: Paint | None = None) -> None:
    rng, dark = c.rng, pick(c.rng, (46, 42, 42), (46, 42, 42), (206, 186, 160))
    if wool is None:
        wool = pick(rng, (232, 226, 210), (222, 214, 196), (206, 196, 176))
    rise = 0.6 if rng.random() < 0.65 else -0.6
    build = Build(
        0.44, 0.26, 0.32, 0.075, 0.24, rise, 0.13, 0.13, 0.14, 0.75, "side", "short", 1
    )
    x, y = four_legged(c, build, Paints(wool, dark), head=False)
    middle = build.middle
    with c.joined(mix(wool, darker(wool, 0.86), mottle(rng, 0.12, 0.5, 1.5)), 0.1):
        for angle in np.arange(0, 2 * math.pi, 0.42):
            at = 0.47 * math.cos(angle), middle + 0.24 * math.sin(angle)
            c.ellipse(at, (0.12, 0.11), wool)
        c.ellipse((0, middle), (0.46, 0.25), wool)
        c.stroke([(-0.3, middle - 0.05), (x + 0.06, y + 0.02)], [0.34, 0.22], wool)
    _head(c, build, Paints(dark), x, y)
    c.ellipse((x + 0.06, y - 0.12), (0.11, 0.07), wool, 0.1)


def deer(c: Canvas, coat: Paint | None = None) -> None:
    rng = c.rng
    stag = rng.random() < 0.75
    if coat is None:
        coat = pick(c.rng, (146, 92, 52), (128, 86, 56), (164, 110, 66))
        if not stag:
            coat = mix(coat, (236, 224, 200), dots(0.13, 0.03, (0.03, 0.05)))
    coat = mix(coat, (216, 196, 164), ramp(0.27, 0.36))
    build = Build(0.4, 0.17, 0.54, 0.065, 0.38, 1.1, 0.12, 0.17, 0.1, 0.45, "side")
    build.tail = "short"
    legs = pick(c.rng, (120, 80, 50), (104, 72, 50))
    x, y = four_legged(c, build, Paints(coat, legs, tail=_WHITE))
    for shift in (0.1, 0.0) if stag else ():
        horn, base = tone(rng, (112, 84, 54)), x + shift
        with c.joined(horn, 0.05):
            c.stroke(path("0 -8, 8 -24, 2 -46") + (base, y), [0.055, 0.05, 0.02], horn)
            for share, reach in ((0.3, -0.14), (0.75, -0.12), (0.6, 0.14)):
                at = base + 0.08 * math.sin(3 * share), y - 0.08 - 0.34 * share
                c.stroke([at, (at[0] + reach, at[1] - 0.15)], [0.045, 0.015], horn)


# ---- cats and dogs -------------------------------------------------------------------


def cat(c: Canvas, coat: Paint | None = None, sits: bool | None = None) -> None:
    """Its face is turned to the viewer."""
    rng = c.rng
    fur = pick(c.rng, (208, 130, 66), (136, 132, 130), (46, 42, 46), (226, 214, 196))
    if coat is None:
        band = stripes(rng.uniform(22, 30), rng.normal(0.1, 0.1), share=0.35)
        coat = mix(fur, 0.6 * fur, band) if rng.random() < 0.65 else fur
    white = _WHITE if rng.random() < 0.5 else fur * 0.75 + 60
    if rng.random() < 0.6 if sits is None else sits:
        tail = [*path("30 70, 62 72, 72 40"), (0.6, rng.uniform(0, 0.3))]
        c.stroke(tail, [0.13, 0.12, 0.1], coat, 0.1)
        body = "0 -35, 24 -20, 40 30, 44 74, 20 85, -30 85, -34 30, -28 -10"
        c.curve(path(body), coat, 0.2)
        c.ellipse((0.25, 0.62), (0.22, 0.23), coat, 0.12)
        c.ellipse((-0.1, 0.05), (0.14, 0.26), white, 0.15)
        for foot in (-0.22, 0.02):
            c.stroke([(foot, 0.1), (foot, 0.78)], [0.17, 0.13], coat, 0.1)
            c.ellipse((foot - 0.02, 0.8), (0.1, 0.065), white, 0.08)
        _cat_face(c, np.array((-0.06, -0.45)), 0.32, coat, white)
    else:
        build = Build(0.46, 0.18, 0.34, 0.09, 0.2, 0.75, 0.15, tail="up", tuck=0.75)
        at = four_legged(c, build, Paints(coat, white), head=False)
        _cat_face(c, np.array(at), 0.25, coat, white)


def _cat_face(c: Canvas, at: np.ndarray, r: float, coat: Paint, white: Colour) -> None:
    def there(text: str, side: int = 1) -> np.ndarray:
        return path(text) * (side * r, r) + at

    with c.joined(coat, 0.12):
        for side in (-1, 1):
            c.polygon(there("85 -35, 78 -135, 10 -80", side), coat)
        c.ellipse((at[0], at[1]), (1.05 * r, 0.88 * r), coat)
    for side in (-1, 1):
        c.polygon(there("70 -62, 68 -110, 35 -80", side), _PINK, 0.05)
        (eye, cheek) = there("42 -10, 18 42", side).tolist()
        c.ellipse((cheek[0], cheek[1]), (0.28 * r, 0.22 * r), white, 0.08)
        c.ellipse((eye[0], eye[1]), (0.22 * r, 0.2 * r), (186, 196, 84), 0)
        c.ellipse((eye[0], eye[1]), (0.1 * r, 0.2 * r), _BLACK, 0)
        for whisker in ("30 40, 130 30", "30 40, 130 52") if c.scale > 40 else ():
            c.stroke(there(whisker, side), 0.012, (236, 236, 236), 0)
    c.polygon(there("-12 22, 12 22, 0 36"), _PINK, 0)


def _breed(c: Canvas, name: str) -> tuple[Build, Paints]:
    """The ten differ in ears, tail, legs, muzzle, fur and pattern."""
    rng, dark = c.rng, tone(c.rng, (44, 40, 42))
    white, tan = tone(rng, _WHITE, 0.05), tone(rng, (188, 126, 70))
    if name == "beagle":
        coat = mix(mix(dark, tan, mottle(rng, 0.5, 0.35)), white, ramp(0.26, 0.34))
        return Build(leg=0.34, ear="flop"), Paints(coat, white, tan, white, 0.75 * tan)
    if name == "border_collie":
        coat = mix(dark, white, ramp(-0.28, -0.38, (1.0, 0.15)))
        build = Build(leg=0.38, fur=0.09, tail="bushy")
        return build, Paints(coat, white, dark, white, dark, dark)
    if name == "dachshund":
        coat = pick(rng, (112, 64, 38), (140, 80, 44), (70, 46, 38))
        build = Build(0.62, 0.16, 0.13, 0.1, 0.2, 0.8, 0.14, 0.26, 0.1, ear="flop")
        return replace(build, tuck=0.9), Paints(coat, ears=darker(coat, 0.7))
    if name == "dalmatian":
        coat = mix(white, dark, dots(0.14, 0.042, (rng.uniform(), rng.uniform())))
        return Build(leg=0.46, ear="flop"), Paints(coat, ears=dark)
    if name == "doberman":
        build = Build(0.44, 0.19, 0.52, 0.08, 0.32, 1.0, 0.14, 0.24, 0.11, tail="short")
        coat = mix(dark, tan, ramp(0.36, 0.44))
        return replace(build, tuck=0.2), Paints(coat, tan, dark, tan, dark)
    if name == "french_bulldog":
        coat = pick(rng, (120, 118, 124), (206, 172, 122), (92, 84, 84))
        build = Build(0.4, 0.25, 0.24, 0.14, 0.16, 0.8, 0.24, 0.01, 0.3, ear="bat")
        build = replace(build, tail="short", tuck=0.8)
        return build, Paints(coat, muzzle=darker(coat, 0.5))
    if name == "german_shepherd":
        build = Build(fur=0.04, tail="bushy", muzzle=0.25)
        coat = mix(dark, tan, ramp(0.08, 0.2))
        return build, Paints(coat, tan, tan, dark, dark, dark)
    if name == "golden_retriever":
        coat = pick(rng, (212, 156, 86), (226, 184, 122), (196, 136, 70))
        build = Build(0.47, 0.23, 0.36, 0.12, fur=0.07, ear="flop", tail="bushy")
        return replace(build, snout=0.18), Paints(coat, ears=darker(coat, 0.85))
    if name == "siberian_husky":
        grey = pick(rng, (104, 108, 116), (80, 82, 90), (132, 112, 98))
        coat, tail = (mix(grey, white, ramp(*v)) for v in ((0.16, 0.26), (-0.3, -0.4)))
        build = Build(0.47, 0.23, 0.4, 0.12, fur=0.05, tail="curl", muzzle=0.17)
        return build, Paints(coat, white, white, white, grey, tail)
    coat = pick(rng, (236, 232, 226), (60, 54, 56), (190, 140, 96))  # standard_poodle
    build = Build(0.4, 0.19, 0.48, 0.08, 0.34, 1.1, 0.14, 0.22, 0.1, ear="flop")
    build = replace(build, tail="pompon", tuck=0.3)
    return build, Paints(coat, ears=darker(coat, 0.85))


BREEDS = (
    *("beagle", "border_collie", "dachshund", "dalmatian", "doberman"),
    *("french_bulldog", "german_shepherd", "golden_retriever", "siberian_husky"),
    "standard_poodle",
)


def dog(c: Canvas, breed: str | None = None) -> None:
    """One of `BREEDS`."""
    breed = BREEDS[c.rng.integers(len(BREEDS))] if breed is None else breed
    build, paints = _breed(c, breed)
    for part in ("length", "depth", "leg", "muzzle"):
        setattr(build, part, c.rng.uniform(0.93, 1.07) * getattr(build, part))
    x, y = four_legged(c, build, paints)
    if breed == "standard_poodle":  # its hair is cut into balls
        curl = mix(paints.coat, darker(paints.coat, 0.8), mottle(c.rng, 0.1, 0.5, 1.5))
        middle = build.middle
        with c.joined(curl, 0.12):
            for u, v, r in ((-0.28, middle, 0.25), (-0.1, middle - 0.03, 0.2)):
                c.ellipse((u, v), (r, r), curl)
        for u in (-0.36, 0.38):
            c.ellipse((u, _GROUND - 0.14), (0.11, 0.11), curl, 0.1)
        c.ellipse((x + 0.06, y - 0.16), (0.18, 0.16), curl, 0.12)


# ---- birds and frogs -----------------------------------------------------------------


def bird(c: Canvas, plumage: Colour | None = None, flies: bool = False) -> None:
    rng = c.rng
    kinds = [((96, 128, 178), (232, 206, 110)), ((120, 92, 70), (206, 90, 50))]
    kinds += [((44, 42, 48), (44, 42, 48)), ((132, 106, 82), (216, 204, 184))]
    kinds += [((168, 172, 178), (238, 238, 236)), ((190, 50, 44), (190, 50, 44))]
    back, breast = (tone(rng, colour) for colour in kinds[rng.integers(6)])
    back = back if plumage is None else np.asarray(plumage, np.float32)
    coat = mix(back, breast, ramp(0.0, 0.14, (-0.45, 1.0)))
    beak = pick(c.rng, (226, 160, 50), (70, 62, 56), (232, 140, 40))
    if flies:
        c.polygon(path("5 -5, 36 -88, 50 -30, 30 0"), darker(back), 0.1)
    for x in () if flies else (-0.02, 0.13):
        c.stroke([(x, 0.45), (x - 0.02, 0.82)], 0.045, (176, 116, 60), 0.03)
        c.stroke([(x + 0.06, 0.85), (x - 0.14, 0.85)], 0.045, (176, 116, 60), 0.03)
    tail = path("30 10, 92 12" if flies else "30 10, 92 47")
    c.stroke(tail, [0.26, 0.16], darker(back, 0.75), 0.1, caps=False)
    c.polygon(path("-62 -32, -94 -20, -62 -14"), beak, 0.06)
    body = "-70 -28, -52 -50, -26 -42, 10 -18, 50 12, 42 32, 10 48, -26 42, -50 16, -60 -10"
    c.curve(path(body), coat, 0.25)
    feathers = mix(0.9 * back, 0.64 * back, stripes(15, 0.3 if flies else 1.2))
    lifted, folded = (
        "-25 -5, 2 -95, 25 -70, 35 -35, 32 2",
        "-22 -10, 12 -12, 62 28, 20 26",
    )
    c.curve(path(lifted if flies else folded + ", -12 16"), feathers, 0.12)
    _eye(c, -0.5, -0.28, 0.055)


def frog(c: Canvas, skin: Paint | None = None) -> None:
    rng = c.rng
    green = pick(c.rng, (96, 146, 48), (74, 122, 44), (128, 120, 58), (120, 168, 60))
    if skin is None:
        skin = mix(green, 0.62 * green, mottle(rng, 0.2, rng.uniform(0.1, 0.4)))
    shaded = mix(skin, (214, 210, 150), ramp(0.35, 0.55))
    c.stroke(path("15 50, 10 80, -10 84"), [0.16, 0.1, 0.12], darker(skin))
    c.ellipse((-0.38, -0.4), (0.15, 0.15), darker(skin, 0.85), 0.08)
    body = "-86 -2, -62 -30, -30 -36, 20 -18, 66 30, 74 68, 30 78, -20 66, -62 36"
    c.curve(path(body), shaded, 0.25, gloss=0.3)
    c.ellipse((0.46, 0.5), (0.38, 0.26), skin, 0.15, turn=-0.35, gloss=0.2)
    c.stroke(path("72 66, 30 80, 0 84"), [0.16, 0.13, 0.1], skin, 0.08)
    c.stroke(path("-34 38, -42 62, -36 84"), [0.17, 0.12, 0.1], skin, 0.08)
    c.stroke(path("-30 84, -56 84"), [0.1, 0.06], skin, 0.05)
    c.stroke(path("-84 4, -60 12, -30 6"), 0.025, darker(skin, 0.4), 0)
    c.ellipse((-0.52, -0.36), (0.17, 0.17), skin, 0.08)
    c.ellipse((-0.54, -0.37), (0.12, 0.12), (224, 190, 70), 0)
    c.ellipse((-0.56, -0.37), (0.07, 0.08), _BLACK, 0)
