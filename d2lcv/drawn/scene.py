"""One picture that is drawn: a dog and a cat in a garden, at known places.

The chapters about boxes need a picture with two objects whose corners are known. This one
has the geometry of the book's photograph, so that the numbers of both are the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ..checks import check_path
from .canvas import Canvas, Paint, Sprite, sampled, texture

__all__ = ["CAT_BOX", "DOG_BOX", "SCENE_SHAPE", "cat_and_dog", "draw_scene"]

SCENE_SHAPE = (561, 728)  # height, width
DOG_BOX = (60, 45, 378, 516)
"""Where the dog of `cat_and_dog` is: x1, y1, x2, y2 in pixels."""
CAT_BOX = (400, 112, 655, 493)
"""Where the cat of `cat_and_dog` is: x1, y1, x2, y2 in pixels."""

Points = Sequence[tuple[float, float]]
Color = tuple[int, int, int]


def cat_and_dog(image: str | os.PathLike[str] = "") -> np.ndarray:
    """A picture with a dog on the left and a cat on the right.

    Args:
        image: the path of a photograph to use instead; empty for the drawn scene, in
            which the dog fills `DOG_BOX` and the cat `CAT_BOX`.

    Returns:
        (H, W, 3), uint8. The drawn scene has H = 561, W = 728.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a picture.
    """
    if isinstance(image, str) and not image:
        return draw_scene()[0]
    image = check_path("image", image)
    if not os.path.isfile(image):
        raise FileNotFoundError(
            f"image: expected the path of a picture, there is no file {image!r}"
        )
    try:
        with Image.open(image) as picture:
            return np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"image: expected a picture that Pillow reads, got {image!r} ({error})"
        ) from error


def draw_scene() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The drawn scene, and which pixels belong to each animal.

    Returns:
        (561, 728, 3), uint8, and {"dog", "cat"}: (561, 728) booleans, whose extent is
        `DOG_BOX` and `CAT_BOX`. The same pixels at every call.
    """
    picture = _garden()
    masks = {}
    for name, draw, box in (("dog", _dog, DOG_BOX), ("cat", _cat, CAT_BOX)):
        animal = _fitted(draw(), box)
        picture = _with_shadow(picture, box)
        picture.paste(animal, box[:2], animal)
        alpha = np.zeros(SCENE_SHAPE, np.uint8)
        x1, y1, x2, y2 = box
        alpha[y1:y2, x1:x2] = np.asarray(animal)[:, :, 3]
        masks[name] = alpha >= 64
    return np.array(picture), masks


def _fitted(animal: Sprite, box: tuple[int, int, int, int]) -> Image.Image:
    """The animal without the empty space around it, in the size of its box."""
    x1, y1, x2, y2 = box
    pixels = np.dstack([np.minimum(animal.colour, 255), 255 * animal.cover])
    image = Image.fromarray((pixels + 0.5).astype(np.uint8))
    # what is fainter than this would be an edge that nobody sees
    solid = image.getchannel("A").point(lambda alpha: 255 * (alpha >= 128))
    return image.resize((x2 - x1, y2 - y1), Image.Resampling.BICUBIC, solid.getbbox())


def _with_shadow(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    x1, _, x2, y2 = box
    shadow = Image.new("L", picture.size)
    place = (x1 - 8, y2 - 46, x2 + 34, y2 + 12)
    ImageDraw.Draw(shadow).ellipse(place, fill=150)
    shadow = shadow.filter(ImageFilter.GaussianBlur(12))
    return Image.composite(
        Image.new("RGB", picture.size, (38, 66, 30)), picture, shadow
    )


# ---- the garden ----------------------------------------------------------------------


def _gradient(top: Color, bottom: Color, size: tuple[int, int]) -> Image.Image:
    width, height = size
    share = np.linspace(0, 1, height)[:, None]
    rows = (
        ((1 - share) * np.array(top) + share * np.array(bottom))
        .round()
        .astype(np.uint8)
    )
    return Image.fromarray(np.repeat(rows[:, None], width, axis=1))


def _garden() -> Image.Image:
    height, width = SCENE_SHAPE
    horizon = 300
    picture = _gradient((126, 180, 222), (226, 236, 232), (width, height))
    far = ImageDraw.Draw(picture)
    for x, y, rx, ry in (
        (40, 44, 56, 15),
        (78, 34, 40, 19),
        (452, 62, 70, 14),
        (490, 50, 44, 20),
        (640, 34, 52, 11),
    ):
        far.ellipse((x - rx, y - ry, x + rx, y + ry), fill=(246, 249, 250))
    for x, y, r, color in (
        (20, 292, 92, (112, 160, 104)),
        (210, 300, 120, (124, 170, 112)),
        (420, 304, 92, (110, 160, 104)),
        (600, 300, 130, (120, 166, 108)),
        (740, 290, 90, (104, 152, 98)),
    ):
        far.ellipse((x - r, y - 0.62 * r, x + r, y + 0.62 * r), fill=color)
    grass = _gradient((150, 186, 96), (84, 140, 58), (width, height - horizon))
    picture.paste(grass, (0, horizon))
    picture = picture.filter(ImageFilter.GaussianBlur(5))

    near = ImageDraw.Draw(picture)
    for x, y, length, lean, tone in np.random.default_rng(1).random((1500, 5)):
        y = 318 + 252 * y
        depth = (y - 300) / 261
        x, length = x * width, (3 + 15 * depth) * (0.5 + length)
        color = tuple(int(c * (0.82 + 0.34 * tone)) for c in (104, 158, 66))
        top = (x + (lean - 0.5) * length, y - length)
        near.line(((x, y), top), fill=color, width=1 + int(depth + 0.5))
    for x, y, size, kind in np.random.default_rng(5).random((26, 4)):
        x, y, r = x * width, 330 + 226 * y, 1.6 + 1.6 * size
        color = (250, 248, 240) if kind < 0.6 else (246, 214, 92)
        for dx, dy in ((-r, 0), (r, 0), (0, -r), (0, r)):
            near.ellipse((x + dx - r, y + dy - r, x + dx + r, y + dy + r), fill=color)
        near.ellipse((x - r, y - r, x + r, y + r), fill=(232, 168, 52))
    return picture


# ---- how an animal is drawn ----------------------------------------------------------


class _Parts:
    """A canvas for parts in pixels of the scene; the light is at the upper left."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.canvas = Canvas(rng, max(width, height), sun=(-0.6, -0.8))
        self.middle = np.array((width, height)) / 2
        self.tilt, self.neck = 0.0, self.middle  # parts are turned about the neck

    def shape(
        self, points: Points, color: Color, depth: float = 0.0, fur: bool = False
    ) -> None:
        """A closed curve; `depth` says how far its shade reaches into it."""
        paint = self._fur(color) if fur else color
        self.canvas.curve(self._placed(points), paint, self._reach(depth))

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, color: Color, depth: float = 0.0
    ) -> None:
        ((u, v),) = self._placed([(x, y)]).tolist()
        radii = rx / self.canvas.scale, ry / self.canvas.scale
        self.canvas.ellipse((u, v), radii, color, self._reach(depth), self.tilt)

    def line(self, points: Points, color: Color, width: float) -> None:
        """An open curve through the points, with round ends."""
        self.canvas.stroke(self._placed(points), width / self.canvas.scale, color, 0)

    def _reach(self, depth: float) -> float:
        return 1.4 * depth / self.canvas.scale

    def _placed(self, points: Points) -> np.ndarray:
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        turned = (np.array(points) - self.neck) @ [[cos, sin], [-sin, cos]]
        return (turned + self.neck - self.middle) / self.canvas.scale

    def _fur(self, color: Color) -> Paint:
        """Hairs, lighter and darker than the coat."""
        scale, hairs = self.canvas.scale, texture(1.3, 8, 3.0)

        def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            value = 1 + 0.06 * sampled(
                hairs, scale * (u + 0.15 * v) + 999, scale * v + 999
            )
            return value * np.array(color, np.float32)[:, None, None]

        return paint


def _mirrored(points: Points, axis: float) -> Points:
    return [(2 * axis - x, y) for x, y in points]


# ---- the dog -------------------------------------------------------------------------


def _dog() -> Sprite:
    gold, dark, cream = (214, 152, 84), (158, 96, 46), (250, 232, 204)
    black, axis = (44, 32, 30), 152.0
    dog = _Parts(318, 471, seed=2)

    tail = [(216, 430), (262, 422), (292, 388), (300, 344), (318, 330)]
    tail += [(324, 372), (312, 420), (278, 454), (226, 462)]
    dog.shape(tail, gold, depth=12, fur=True)

    body = [(92, 214), (66, 276), (50, 350), (46, 420), (70, 456), (152, 462)]
    body += [(234, 456), (258, 420), (254, 350), (238, 276), (212, 214), (152, 196)]
    dog.shape(body, gold, depth=22, fur=True)
    haunch = [(40, 372), (16, 410), (14, 450), (44, 468), (92, 464), (110, 428)]
    haunch += [(100, 384), (70, 362)]
    foot = [(10, 448), (22, 436), (56, 436), (84, 446), (88, 464), (66, 472), (20, 470)]
    for side in (haunch, _mirrored(haunch, axis)):
        dog.shape(side, gold, depth=18, fur=True)
    for side in (foot, _mirrored(foot, axis)):
        dog.shape(side, (232, 184, 124), depth=8)
    chest = [(152, 214), (112, 226), (98, 268), (112, 320), (134, 352), (152, 364)]
    chest += [(170, 352), (192, 320), (206, 268), (192, 226)]
    dog.shape(chest, cream, depth=16, fur=True)

    leg = [(100, 296), (92, 350), (98, 410), (92, 446), (96, 468), (120, 473)]
    leg += [(146, 468), (149, 440), (142, 380), (146, 320), (128, 292)]
    paw = [(90, 452), (100, 440), (122, 437), (142, 441), (150, 454), (146, 470)]
    paw += [(120, 475), (94, 470)]
    for flip in (False, True):
        legs, paws = (_mirrored(s, axis) if flip else s for s in (leg, paw))
        dog.shape(legs, (222, 164, 98), depth=12, fur=True)
        dog.shape(paws, cream, depth=8)
        for x in (113, 129):
            x = 2 * axis - x if flip else x
            dog.line(((x, 458), (x, 471)), dark, 2)

    collar = [(88, 212), (120, 236), (152, 242), (184, 236), (216, 212), (220, 226)]
    collar += [(188, 252), (152, 259), (116, 252), (84, 226)]
    dog.shape(collar, (196, 52, 52), depth=5)
    dog.ellipse(152, 266, 13, 13, (244, 204, 84), depth=4)

    head = [(152, 2), (104, 10), (68, 44), (56, 92), (60, 140), (84, 188), (118, 216)]
    head += [(152, 222), (186, 216), (220, 188), (244, 140), (248, 92), (236, 44)]
    dog.shape([*head, (200, 10)], gold, depth=20, fur=True)
    blaze = [(152, 6), (138, 30), (136, 74), (130, 118), (152, 130), (174, 118)]
    dog.shape([*blaze, (168, 74), (166, 30)], cream, depth=8, fur=True)
    ear = [(88, 22), (50, 22), (16, 54), (0, 108), (4, 166), (26, 190), (52, 176)]
    ear += [(66, 132), (74, 84), (94, 48)]
    for side in (ear, _mirrored(ear, axis)):
        dog.shape(side, dark, depth=12, fur=True)

    muzzle = [(152, 112), (122, 116), (98, 140), (94, 172), (114, 196), (152, 202)]
    muzzle += [(190, 196), (210, 172), (206, 140), (182, 116)]
    tongue = [(134, 188), (132, 214), (142, 234), (154, 238), (166, 232), (172, 212)]
    dog.shape([*tongue, (170, 188)], (232, 112, 120), depth=6)
    dog.line(((153, 196), (153, 224)), (196, 78, 90), 2)
    dog.shape(muzzle, cream, depth=12, fur=True)
    dog.line(((110, 180), (128, 190), (146, 184), (152, 164)), black, 3)
    dog.line(((194, 180), (176, 190), (158, 184), (152, 164)), black, 3)
    nose = [(152, 124), (130, 126), (124, 138), (136, 154), (152, 162), (168, 154)]
    dog.shape([*nose, (180, 138), (174, 126)], black, depth=5)
    dog.ellipse(143, 134, 6, 3, (150, 140, 140))
    for x, y in ((112, 160), (104, 168), (118, 170)):
        dog.ellipse(x, y, 1.6, 1.6, dark)
        dog.ellipse(2 * axis - x, y, 1.6, 1.6, dark)
    for x in (106, 198):
        dog.ellipse(x, 92, 17, 19, dark)
        dog.ellipse(x, 93, 14, 16, (92, 54, 26))
        dog.ellipse(x, 94, 10, 12, black)
        dog.ellipse(x - 5, 87, 4.5, 5, (255, 255, 255))
        dog.ellipse(x + 5, 100, 2, 2, (220, 210, 200))
    brow = [(88, 66), (102, 57), (118, 62)]
    for side in (brow, _mirrored(brow, axis)):
        dog.line(side, dark, 4)
    return dog.canvas.sprite()


# ---- the cat -------------------------------------------------------------------------


def _cat() -> Sprite:
    grey, stripe, white = (150, 150, 156), (88, 88, 98), (246, 244, 240)
    pink, black, axis = (236, 158, 160), (36, 34, 40), 118.0
    cat = _Parts(255, 381, seed=3)

    body = [(78, 186), (52, 240), (34, 300), (30, 350), (58, 374), (118, 378)]
    body += [(178, 374), (206, 350), (202, 300), (184, 240), (158, 186), (118, 174)]
    cat.shape(body, grey, depth=18, fur=True)
    band = [(50, 252), (64, 258), (82, 256)]
    for dy in (0, 26, 52):
        for side in (band, _mirrored(band, axis)):
            shift = 0.22 * dy if side is band else -0.22 * dy
            cat.line([(x - shift, y + dy) for x, y in side], stripe, 6)
    haunch = [(28, 306), (6, 336), (4, 366), (28, 379), (66, 377), (82, 350)]
    haunch += [(74, 316), (50, 298)]
    for side in (haunch, _mirrored(haunch, axis)):
        cat.shape(side, grey, depth=14, fur=True)
        for dy in (0, 18):
            mark = [(16, 338), (28, 332), (42, 334)]
            mark = mark if side is haunch else _mirrored(mark, axis)
            cat.line([(x, y + dy) for x, y in mark], stripe, 5)
    chest = [(118, 188), (90, 198), (82, 230), (94, 272), (118, 296), (142, 272)]
    cat.shape([*chest, (154, 230), (146, 198)], white, depth=12, fur=True)

    leg = [(80, 254), (76, 300), (80, 340), (76, 362), (82, 378), (98, 381)]
    leg += [(114, 377), (116, 350), (112, 300), (114, 262), (98, 248)]
    paw = [(74, 362), (84, 351), (98, 349), (110, 352), (118, 364), (114, 379)]
    paw += [(96, 383), (78, 379)]
    for flip in (False, True):
        legs, paws = (_mirrored(s, axis) if flip else s for s in (leg, paw))
        cat.shape(legs, (160, 160, 166), depth=9, fur=True)
        for y in (300, 320):
            marks = [(80, y), (92, y + 5), (106, y + 2)]
            cat.line(_mirrored(marks, axis) if flip else marks, stripe, 4.5)
        cat.shape(paws, white, depth=6)
        for x in (91, 103):
            x = 2 * axis - x if flip else x
            cat.line(((x, 368), (x, 378)), grey, 1.8)

    # from behind the right haunch around to the front
    tail = [(206, 340), (236, 322), (244, 286), (232, 256), (240, 240), (256, 252)]
    tail += [(268, 290), (260, 336), (232, 366), (204, 374)]
    cat.shape(tail, grey, depth=8, fur=True)
    for marks in (
        [(234, 268), (246, 264), (260, 262)],
        [(240, 290), (254, 290), (267, 288)],
        [(236, 316), (248, 320), (262, 324)],
        [(224, 334), (234, 344), (246, 354)],
    ):
        cat.line(marks, stripe, 6)

    cat.tilt, cat.neck = 0.09, np.array((axis, 180.0))  # the head
    ear = [(48, 84), (40, 44), (42, 6), (50, 0), (78, 20), (104, 46), (90, 84)]
    inner = [(58, 64), (52, 40), (53, 22), (72, 36), (86, 52), (76, 68)]
    for flip in (False, True):
        outside, inside = (_mirrored(s, axis) if flip else s for s in (ear, inner))
        cat.shape(outside, grey, depth=8, fur=True)
        cat.shape(inside, pink, depth=5)
    head = [(118, 34), (80, 40), (48, 64), (34, 104), (38, 140), (60, 172), (90, 190)]
    head += [(118, 194), (146, 190), (176, 172), (198, 140), (202, 104), (188, 64)]
    cat.shape([*head, (156, 40)], grey, depth=18, fur=True)
    for x, length in ((118, 30), (100, 24), (136, 24)):
        lean = (x - axis) * 0.25
        top = [(x + lean, 42), (x, 42 + 0.6 * length), (x - lean * 0.2, 42 + length)]
        cat.line(top, stripe, 6)
    cheek = [(40, 122), (52, 128), (64, 128)]
    for side in (cheek, _mirrored(cheek, axis)):
        cat.line(side, stripe, 5)
        cat.line(
            [(x + (2 if side is cheek else -2), y + 17) for x, y in side], stripe, 5
        )

    muzzle = [(118, 128), (98, 128), (78, 142), (76, 164), (94, 180), (118, 186)]
    cat.shape(
        [*muzzle, (142, 180), (160, 164), (158, 142), (138, 128)],
        white,
        depth=8,
        fur=True,
    )
    cat.shape(
        [(118, 150), (106, 139), (112, 134), (124, 134), (130, 139)], pink, depth=3
    )
    cat.line(((118, 148), (116, 160), (106, 166), (96, 162)), black, 2.4)
    cat.line(((118, 148), (120, 160), (130, 166), (140, 162)), black, 2.4)
    eye = [(62, 108), (74, 94), (90, 94), (102, 112), (88, 122), (72, 120)]
    for flip in (False, True):
        rim = _mirrored(eye, axis) if flip else eye
        x = 2 * axis - 82 if flip else 82
        middle = np.mean(rim, axis=0)
        lid = [tuple(middle + 1.14 * (np.array(point) - middle)) for point in rim]
        cat.shape(lid, black)
        cat.shape(rim, (164, 196, 84), depth=5)
        cat.ellipse(x, 107, 4.5, 13, black)
        cat.ellipse(x - 5, 101, 3.2, 3.6, (255, 255, 255))
    for y, dy in ((152, -10), (158, 0), (164, 10)):
        whisker = [(90, y), (60, y + 0.4 * dy), (30, y + dy)]
        for side in (whisker, _mirrored(whisker, axis)):
            cat.line(side, (252, 252, 250), 1.4)
    return cat.canvas.sprite()
