"""Cases of image augmentation: what is not random has an oracle, pipelines have rivals.

The oracle computes in float64 from the definitions, pixel by pixel; pictures (PIL images)
are compared exactly, tensors to a hundredth of a grey level.
"""

import colorsys
import math
import pathlib
import tempfile

import numpy as np
from PIL import Image, ImageEnhance

from ..case import Case, enlist
from ..inputs import uniform


def case(name, run, expected=dict, **options):
    enlist(Case(name, "augmentation", run, expected, **options))


# --- images ---------------------------------------------------------------------------


def photo(seed, height, width):
    """Colours that vary smoothly, with an edge and some noise, as uint8 (H, W, 3)."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    turn = uniform(seed, 3, 3)
    waves = [np.sin(9 * (a * x + b * y + c)) for a, b, c in turn]
    image = np.stack(waves, -1) * 90 + 128 + 60 * (x > 0.6)[..., None]
    noise = 20 * uniform(seed + 1, height, width, 3)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


IMAGES = {
    "wide": photo(400, 37, 53),
    "tall": photo(402, 60, 24),
    "tiny": photo(404, 5, 4),
}


def greys_and_corners():
    """Greys have no hue, and the corners of the colour cube are on borders of it."""
    corners = [[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    greys = [[v, v, v] for v in (1, 77, 128, 254)]
    pairs = [[200, 200, 10], [10, 200, 200], [200, 10, 200], [90, 30, 30]]
    return np.array([corners + greys + pairs], np.uint8).reshape(4, 4, 3)


IMAGES["corners"] = greys_and_corners()


# --- oracle ---------------------------------------------------------------------------


def resized(image, height, width):
    """Each new row, then each new column, is a mean under a triangle about its centre."""
    x = image.astype(np.float64)
    for axis, new in ((0, height), (1, width)):
        x = np.moveaxis(x, axis, 0)
        scale = len(x) / new
        rows = []
        for i in range(new):
            weights = [
                max(0.0, 1 - abs(j + 0.5 - (i + 0.5) * scale) / max(scale, 1))
                for j in range(len(x))
            ]
            rows.append(np.tensordot(weights, x, 1) / math.fsum(weights))
        x = np.moveaxis(np.array(rows), 0, axis)
    return x


def grey(x):
    return (0.2989 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2])[..., None]


def blended(x, other, factor):
    return np.clip(factor * x + (1 - factor) * other, 0, 255)


def turned(x, shift):
    """The hue of each pixel, in Python's own colour space conversions."""
    out = np.zeros(x.shape)
    for i, j in np.ndindex(x.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(x[i, j] / 255))
        out[i, j] = colorsys.hsv_to_rgb((h + shift) % 1, s, v)
    return 255 * out


ADJUSTED = {
    "brightness": lambda x, f: np.clip(f * x, 0, 255),
    "contrast": lambda x, f: blended(x, grey(x).mean(), f),
    "saturation": lambda x, f: blended(x, grey(x), f),
    "hue": turned,
}
AMOUNTS = {
    "brightness": (0.0, 0.5, 1.7),
    "contrast": (0.0, 0.6, 1.5),
    "saturation": (0.0, 0.3, 2.0),
    "hue": (-0.5, -0.13, 0.02, 0.5),
}
PICTURE_ADJUSTED = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}


def sides_of(size, height, width):
    if isinstance(size, tuple):
        return size
    if height < width:
        return size, int(size * width / height)
    return int(size * height / width), size


# --- what is not random ---------------------------------------------------------------


def on_tensors(d2l, transform, images=IMAGES):
    transform = transform(d2l)
    return {k: d2l.numpy(transform(d2l.tensor(x))) for k, x in images.items()}


def on_pictures(d2l, transform, images=IMAGES):
    transform = transform(d2l)
    return {k: np.asarray(transform(Image.fromarray(x))) for k, x in images.items()}


def _both(name, transform, on_array, on_picture, images=IMAGES):
    """A case on tensors and one on pictures; the expected is a function of each image."""
    case(
        f"{name}_of_tensors",
        lambda d2l: on_tensors(d2l, transform, images),
        lambda: {k: on_array(x.astype(np.float64)) for k, x in images.items()},
        atol=1e-2,
    )
    case(
        f"{name}_of_pictures",
        lambda d2l: on_pictures(d2l, transform, images),
        lambda: {
            k: np.asarray(on_picture(Image.fromarray(x))) for k, x in images.items()
        },
    )


def _exactly(name, transform, on_array, images=IMAGES):
    """What only moves pixels is the same for both."""
    _both(
        name,
        transform,
        on_array,
        lambda picture: on_array(np.asarray(picture)),
        images,
    )


def middle(x, height, width):
    top, left = round((len(x) - height) / 2), round((x.shape[1] - width) / 2)
    return x[top : top + height, left : left + width]


_exactly(
    "flip_left_right", lambda d2l: d2l.RandomHorizontalFlip(1), lambda x: x[:, ::-1]
)
_exactly("flip_up_down", lambda d2l: d2l.RandomVerticalFlip(1), lambda x: x[::-1])
for sides in ((4, 4), (3, 2), (1, 3)):
    _exactly(
        f"center_crop_{sides[0]}_{sides[1]}",
        lambda d2l, sides=sides: d2l.CenterCrop(sides),
        lambda x, sides=sides: middle(x, *sides),
    )
for size in (3, 20, 90, (64, 30), (7, 200), (1, 1)):
    _both(
        "resize_" + "_".join(map(str, np.ravel(size))),
        lambda d2l, size=size: d2l.Resize(size),
        lambda x, size=size: resized(x, *sides_of(size, *x.shape[:2])),
        lambda picture, size=size: picture.resize(
            sides_of(size, picture.height, picture.width)[::-1],
            Image.Resampling.BILINEAR,
        ),
    )


def adjusted_picture(picture, name, amount):
    """By Pillow's enhancers; the hue by hand, of 256 steps as Pillow has them."""
    if name in PICTURE_ADJUSTED:
        return PICTURE_ADJUSTED[name](picture).enhance(amount)
    pixels = np.array(picture.convert("HSV"))
    pixels[..., 0] = (pixels[..., 0].astype(int) + math.trunc(amount * 255)) % 256
    return Image.fromarray(pixels, "HSV").convert("RGB")


for name, amount in [(n, a) for n, amounts in AMOUNTS.items() for a in amounts]:
    _both(
        f"{name}_{amount}",
        lambda d2l, name=name, amount=amount: d2l.ColorJitter(
            **{name: (amount, amount)}
        ),
        lambda x, name=name, amount=amount: ADJUSTED[name](x, amount),
        lambda picture, name=name, amount=amount: adjusted_picture(
            picture, name, amount
        ),
    )


def to_tensor(d2l):
    transform = d2l.Compose([d2l.ToTensor(), d2l.Normalize(*NORMALIZE)])
    answer = {}
    for name, image in IMAGES.items():
        for kind, given in (("tensor", d2l.tensor(image)), ("array", image)):
            answer[f"{name}_{kind}"] = d2l.numpy(d2l.ToTensor()(given))
            answer[f"{name}_{kind}_normalized"] = d2l.numpy(transform(given))
    return answer


NORMALIZE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def to_tensor_expected():
    answer = {}
    for name, image in IMAGES.items():
        x = image.transpose(2, 0, 1) / 255
        mean, std = (np.reshape(v, (3, 1, 1)) for v in NORMALIZE)
        for kind in ("tensor", "array"):
            answer[f"{name}_{kind}"] = x
            answer[f"{name}_{kind}_normalized"] = (x - mean) / std
    return answer


case("to_tensor", to_tensor, to_tensor_expected, atol=1e-5)


# --- random pipelines: another backend judges -----------------------------------------


def everything(d2l, *last):
    return d2l.Compose(
        [
            d2l.Resize(40),
            d2l.RandomResizedCrop((18, 22), scale=(0.1, 1.0), ratio=(0.5, 2.0)),
            d2l.RandomHorizontalFlip(),
            d2l.RandomVerticalFlip(),
            d2l.ColorJitter(0.5, 0.5, 0.5, 0.3),
            d2l.PCALighting(),
            d2l.RandomCrop((16, 20)),
            d2l.ToTensor(),
            *last,
        ]
    )


def drawn_pipeline(d2l, make):
    """The same image ten times."""
    d2l.seed(21)
    transform = everything(d2l)
    images = [d2l.numpy(transform(make(d2l, IMAGES["wide"]))) for _ in range(10)]
    return {"images": np.stack(images)}


case(
    "drawn_pipeline_of_tensors",
    lambda d2l: drawn_pipeline(d2l, lambda d2l, x: d2l.tensor(x)),
    atol=1e-2 / 255,
)
case(
    "drawn_pipeline_of_pictures",
    lambda d2l: drawn_pipeline(d2l, lambda d2l, x: Image.fromarray(x)),
    atol=1e-6,
)


def make_folder(root):
    """Photographs of two classes: paths are `root/{cat,dog}/{i}.{png,jpg}`."""
    for label, name in enumerate(("cat", "dog")):
        folder = pathlib.Path(root, name)
        folder.mkdir(parents=True)
        for i in range(7):
            image = Image.fromarray(photo(420 + 20 * label + i, 40 + 3 * i, 60 - 2 * i))
            image.save(folder / (f"{i}.jpg" if i % 2 else f"{i}.png"))
    return str(root)


def loader_of_two_epochs(d2l):
    """A shuffled, augmented loader, twice through."""
    d2l.seed(22)
    answer = {}
    with tempfile.TemporaryDirectory() as root:
        transform = everything(d2l, d2l.Normalize(*NORMALIZE))
        dataset = d2l.ImageFolder(make_folder(f"{root}/set"), transform)
        loader = d2l.loader(dataset, 4, shuffle=True)
        for epoch in range(2):
            batches = [(d2l.numpy(X), d2l.numpy(y)) for X, y in loader]
            X, y = (np.concatenate(part) for part in zip(*batches, strict=True))
            answer |= {f"images_{epoch}": X, f"labels_{epoch}": y}
    return answer


case("loader_of_two_epochs", loader_of_two_epochs, atol=1e-5)
