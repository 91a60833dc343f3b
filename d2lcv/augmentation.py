"""Image augmentation: the same crops, flips and colours on every backend.

A transform is called with an image and gives an image. What is random in it is drawn in
NumPy (`d2lcv.randomness`), once, so that equal seeds give equal augmented images
everywhere. In a loader the draws depend on the seed, the pass and the index of the
example alone.

An image stays what it is on its way through a pipeline, until `ToTensor`:

- a PIL image, or an array (H, W, 3) of uint8, which becomes one, is worked on by Pillow:
  every result is in whole grey levels, and bit for bit the same on all backends;
- a tensor (H, W, 3) of the active framework, grey levels from 0 to 255, is worked on by the
  framework in float32: equal on all backends to a hundredth of a grey level.

The two differ by what Pillow rounds: about one grey level, and up to some twenty in the
hue, of which it keeps 256 steps. Their meaning is torchvision's throughout.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .backends import backend
from .checks import (
    as_array,
    as_given,
    at_least,
    check_function,
    check_tensor,
    floats,
    in_range,
    interval,
    listed,
    pair,
    positive,
    real,
)
from .randomness import stream

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Normalize",
    "PCALighting",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomVerticalFlip",
    "Resize",
    "ToTensor",
    "framework_transforms",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet, of 0 to 1."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue over ImageNet, of 0 to 1."""

# Principal components of ImageNet's colours, 0 to 255 (Krizhevsky et al., NeurIPS 2012)
PCA_VALUES = (55.46, 4.794, 1.148)
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
# The weights of red, green and blue in grey (ITU-R BT.601, as torchvision rounds them)
GREY = (0.2989, 0.587, 0.114)


class Compose:
    """One transform after the other.

    Args:
        transforms: callables, image → image; those of a framework may be among them.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        transforms = listed("transforms", transforms)
        _check_functions(transforms)
        self.transforms = list(transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self) -> str:
        return f"Compose({self.transforms!r})"


class _Transform:
    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"


class _RandomFlip(_Transform):
    def __init__(self, p: float = 0.5) -> None:
        in_range("p", p, 0, 1)
        self.p = p


class RandomHorizontalFlip(_RandomFlip):
    """Exchange left and right, with probability `p`."""

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        return flip_left_right(image) if stream().random() < self.p else image


class RandomVerticalFlip(_RandomFlip):
    """Exchange top and bottom, with probability `p`."""

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        return flip_up_down(image) if stream().random() < self.p else image


class Resize(_Transform):
    """Resize bilinearly; where the image shrinks, without aliasing.

    Args:
        size: an integer is the shorter side, and the other keeps the aspect ratio
            (rounded down); a pair is (height, width).
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = size
        pair("size", size, 1)

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        height, width = _height_width(image)
        if isinstance(self.size, numbers.Integral):
            size, short = int(self.size), min(height, width)
            return _resized(image, *(int(size * n / short) for n in (height, width)))
        return _resized(image, *_sides(self.size))


class CenterCrop(_Transform):
    """Cut out the middle.

    Args:
        size: the side of a square, or (height, width).

    Raises:
        ValueError: the image is smaller than that.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = size
        pair("size", size, 1)

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        height, width = _sides(self.size)
        rows, columns = _spare(image, height, width)
        # halves as torchvision rounds them: to the even number
        return crop(image, round(rows / 2), round(columns / 2), height, width)


class RandomCrop(_Transform):
    """Cut out a part that lies anywhere, each place as likely as the other.

    Args:
        size: the side of a square, or (height, width).

    Raises:
        ValueError: the image is smaller than that.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = size
        pair("size", size, 1)

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        height, width = _sides(self.size)
        top, left = (
            int(stream().integers(n + 1)) for n in _spare(image, height, width)
        )
        return crop(image, top, left, height, width)


class RandomResizedCrop(_Transform):
    """Cut out a part of random area, shape and place, and resize it.

    The area is drawn evenly, the aspect ratio evenly in its logarithm. If ten attempts
    do not fit into the image, it is the largest part in the middle whose aspect ratio is
    in range.

    Args:
        size: of the result, the side of a square, or (height, width).
        scale: (low, high), the area as a fraction of the image's, from 1e-6 to 1e6.
        ratio: (low, high), width by height, in the same limits.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        pair("size", size, 1)
        scale = interval("scale", scale, 1e-6, 1e6)
        ratio = interval("ratio", ratio, 1e-6, 1e6)
        self.size, self.scale, self.ratio = size, scale, ratio

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        box = self.draw_box(stream(), *_height_width(image))
        return _resized(crop(image, *box), *_sides(self.size))

    def draw_box(
        self, rng: np.random.Generator, height: int, width: int
    ) -> tuple[int, int, int, int]:
        """Draw the part of an image of that size: top, left, height, width."""
        low, high = (math.log(r) for r in self.ratio)
        for _ in range(10):
            area = height * width * rng.uniform(*self.scale)
            ratio = math.exp(rng.uniform(low, high))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
                return int(top), int(left), h, w
        ratio = min(max(width / height, self.ratio[0]), self.ratio[1])
        h = min(height, max(1, round(width / ratio)))
        w = min(width, max(1, round(height * ratio)))
        return (height - h) // 2, (width - w) // 2, h, w


class ColorJitter(_Transform):
    """Change brightness, contrast, saturation and hue, in a random order.

    The image x becomes f·x for brightness, f·x + (1 − f)·g for contrast, where g is the
    mean of its grey levels, and for saturation, where g is the grey level of the pixel.
    The hue turns by h, the whole circle being 1. Values are clipped to 0 to 255.

    Args:
        brightness, contrast, saturation: a number b ≥ 0, then the factor f is drawn from
            [max(0, 1 − b), 1 + b]; or the interval (low, high) itself.
        hue: a number b in [0, 0.5], then h is drawn from [−b, b]; or the interval.
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0,
        contrast: float | tuple[float, float] = 0,
        saturation: float | tuple[float, float] = 0,
        hue: float | tuple[float, float] = 0,
    ) -> None:
        self.brightness = _interval("brightness", brightness)
        self.contrast = _interval("contrast", contrast)
        self.saturation = _interval("saturation", saturation)
        self.hue = _interval("hue", hue, middle=0.0, low=-0.5, high=0.5)

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        for name, amount in self.draw_steps(stream()):
            image = ADJUST[name](image, amount)
        return image

    def draw_steps(self, rng: np.random.Generator) -> list[tuple[str, float]]:
        """Draw what to do, in order; what would change nothing is left out."""
        drawn = {name: float(rng.uniform(*r)) for name, r in vars(self).items()}
        names = [list(drawn)[i] for i in rng.permutation(len(drawn))]
        nothing = {"hue": 0.0}
        return [(n, drawn[n]) for n in names if drawn[n] != nothing.get(n, 1.0)]


class PCALighting(_Transform):
    """Add a colour to the whole image, as the colours of photographs vary.

    It is Σ αᵢ λᵢ vᵢ over the principal components (λᵢ, vᵢ) of ImageNet's pixels, with αᵢ
    drawn from N(0, std) (Krizhevsky et al., NeurIPS 2012). Values are clipped to 0 to 255.
    """

    def __init__(self, std: float = 0.1) -> None:
        in_range("std", std, 0, float("inf"))
        self.std = std

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        alpha = stream().normal(0, self.std, 3)
        return add_color(image, PCA_VECTORS @ (alpha * PCA_VALUES))


class ToTensor:
    """An image as a tensor of the active framework: (3, H, W) float32 from 0 to 1."""

    def __call__(self, image: Any) -> Any:
        image = _check_image("image", image)
        return to_tensor(image)

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize:
    """(x − mean) / std, channel by channel, of a tensor (3, H, W) as `ToTensor` gives it.

    Args:
        mean, std: one number for each channel; the package has `IMAGENET_MEAN` and
            `IMAGENET_STD`.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        _check_channels(mean, std)
        self.mean, self.std = (np.ravel(v).astype(float).tolist() for v in (mean, std))

    def __call__(self, image: Any) -> Any:
        return normalize(image, self.mean, self.std)

    def __repr__(self) -> str:
        return f"Normalize({self.mean!r}, {self.std!r})"


def framework_transforms(height: int, width: int) -> Callable[[Any], Any]:
    """The transforms that the framework itself has: a flip, a crop, and colours.

    They draw from the framework's random numbers, so they differ between backends, and
    mean what each framework means by their names. Crops have an area of 10 % to 100 % and
    are between half and twice as wide as high; colours change by at most a half.

    Args:
        height, width: of the result.

    Returns:
        A function of a PIL image in RGB; it gives a tensor (3, height, width), float32
        from 0 to 1.
    """
    height, width = at_least("height", height, 1), at_least("width", width, 1)
    return backend.augmentation.framework_transforms(height, width)


def transformed_array(image: Any, transform: Callable[[Any], Any] | None) -> np.ndarray:
    """`transform(image)` in NumPy, for loaders; a picture by itself as after `ToTensor`.

    `ToTensor` and `Normalize` at the end are done in NumPy if the image is a picture until
    then: a tensor would be made only to be taken apart.
    """
    from .data.pictures import as_rgb, to_array

    given = transform.transforms if isinstance(transform, Compose) else [transform]
    steps: list[Any] = [step for step in given if step is not None]
    kinds = [type(step) for step in steps]
    body, scale = steps, ()
    # with another number of channels `Normalize` itself says what is wrong
    if kinds[-2:] == [ToTensor, Normalize] and len(steps[-1].mean) == 3:
        body, scale = steps[:-2], (steps[-1].mean, steps[-1].std)
    elif kinds[-1:] == [ToTensor]:
        body = steps[:-1]
    image = Compose(body)(image)
    if _is_picture(image):
        return to_array(as_rgb(image), *scale)
    image = Compose(steps[len(body) :])(image)
    return image if isinstance(image, np.ndarray) else backend.tensors.numpy(image)


# ---- images --------------------------------------------------------------------------


def _check_image(name: str, image: Any) -> Any:
    """The image as transforms work on it: a picture in RGB, or a tensor of floats."""
    from .data import pictures

    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if _is_picture(image):
        return pictures.as_rgb(image)
    check_tensor(name, image)
    if tuple(image.shape)[2:] != (3,):
        raise ValueError(
            f"{name}: expected shape (H, W, 3), got {tuple(image.shape)}; transforms of "
            "images come before ToTensor()"
        )
    return backend.tensors.as_float(image)


def _change(name: str) -> Callable[..., Any]:
    """The function of that name: Pillow's for a picture, the framework's for a tensor."""

    def change(image: Any, *arguments: Any) -> Any:
        from .data import pictures

        work = pictures if _is_picture(image) else backend.augmentation
        return getattr(work, name)(image, *arguments)

    return change


flip_left_right, flip_up_down = _change("flip_left_right"), _change("flip_up_down")
crop, resize, add_color = _change("crop"), _change("resize"), _change("add_color")
adjust_brightness = _change("adjust_brightness")
adjust_contrast = _change("adjust_contrast")
adjust_saturation = _change("adjust_saturation")
adjust_hue = _change("adjust_hue")
ADJUST = {  # what `ColorJitter` draws → what it does
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}


def normalize(image: Any, mean: list[float], std: list[float]) -> Any:
    (pixels,) = floats(image=(image, f"{len(mean)} H W"))
    return as_given(backend.augmentation.normalize(pixels, mean, std), image)


def _check_functions(transforms: list[Any]) -> None:
    for i, transform in enumerate(transforms):
        check_function(f"transforms[{i}]", transform)


def to_tensor(image: Any) -> Any:
    from .data import pictures

    if _is_picture(image):
        return backend.tensors.tensor(pictures.to_array(image))
    return backend.augmentation.to_tensor(image)


def _from_array(array: np.ndarray) -> Any:
    from PIL import Image

    if array.dtype != np.uint8 or array.shape[2:] not in ((), (3,), (4,)):
        raise TypeError(
            "image: expected an array (H, W, 3) of uint8, got one of "
            f"{array.dtype} {array.shape}; d2lcv.tensor(array) may have floats"
        )
    return Image.fromarray(array)


def _is_picture(image: Any) -> bool:
    from PIL import Image

    return isinstance(image, Image.Image)


def _height_width(image: Any) -> tuple[int, int]:
    if _is_picture(image):
        return image.height, image.width
    return int(image.shape[0]), int(image.shape[1])


def _resized(image: Any, height: int, width: int) -> Any:
    if _height_width(image) == (height, width):
        return image
    return resize(image, height, width)


def _spare(image: Any, height: int, width: int) -> tuple[int, int]:
    """By how many rows and columns the image is larger than what is cut out."""
    H, W = _height_width(image)
    if min(H - height, W - width) < 0:
        raise ValueError(
            f"image: expected at least {height} × {width} pixels (height × width) to cut "
            f"out, got {H} × {W}; put Resize() before"
        )
    return H - height, W - width


# ---- arguments -----------------------------------------------------------------------


def _sides(size: Any) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, numbers.Integral) else size
    return int(height), int(width)


def _check_channels(mean: Any, std: Any) -> None:
    numbers_of = [real("mean", x) for x in as_array("mean", mean).ravel()]
    others = [positive("std", x) for x in as_array("std", std).ravel()]
    if len(numbers_of) != len(others):
        raise ValueError(
            f"std: expected as many numbers as mean, {len(numbers_of)}, "
            f"got {len(others)}"
        )


def _interval(
    name: str,
    value: float | tuple[float, float],
    middle: float = 1.0,
    low: float = 0.0,
    high: float = 1e6,
) -> tuple[float, float]:
    """The interval that `value` is the half width of, about `middle`; or `value`."""
    if isinstance(value, (tuple, list)):
        interval(name, value, low, high)
        return float(value[0]), float(value[1])
    in_range(name, value, 0, high)
    half = float(value)
    return max(low, middle - half), min(high, middle + half)
