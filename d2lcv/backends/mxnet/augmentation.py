"""Image augmentation in MXNet."""

import numpy as onp
from mxnet import np, npx
from mxnet.gluon.data.vision import transforms

from ...augmentation import GREY

__all__ = [
    "add_color",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "crop",
    "flip_left_right",
    "flip_up_down",
    "framework_transforms",
    "normalize",
    "resize",
    "to_tensor",
]


def flip_left_right(image):
    return np.flip(image, 1)  # npx.image.flip_left_right errs on odd widths


def flip_up_down(image):
    return np.flip(image, 0)


def crop(image, top, left, height, width):
    return npx.image.crop(image, left, top, width, height)


def _resize_weights(length, new, ctx):
    # row i: the weights of the old pixels in new pixel i, a triangle about its centre
    scale = length / new
    center = (np.arange(new, dtype="float64", ctx=ctx)[:, None] + 0.5) * scale
    old = np.arange(length, dtype="float64", ctx=ctx) + 0.5
    distance = np.abs(old - center) / max(scale, 1.0)  # (new, length)
    weights = np.maximum(1 - distance, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def resize(image, height, width):
    # npx.image.resize has aliasing; rows and columns are resized by a matrix each
    H, W, _ = image.shape
    rows = _resize_weights(H, height, image.ctx)  # (height, H)
    columns = _resize_weights(W, width, image.ctx)  # (width, W)
    channels = image.transpose(2, 0, 1)  # (3, H, W)
    channels = np.matmul(np.matmul(rows, channels), columns.T)
    return channels.transpose(1, 2, 0)  # (height, width, 3)


# MXNet's own, such as npx.image.random_contrast, draw the factor themselves
def _blend(image, other, factor):
    return np.clip(factor * image + (1 - factor) * other, 0, 255)


def _grey(image):
    return np.dot(image, np.array(GREY, ctx=image.ctx))[..., None]


def adjust_brightness(image, factor):
    return np.clip(factor * image, 0, 255)


def adjust_contrast(image, factor):
    return _blend(image, _grey(image).mean(), factor)


def adjust_saturation(image, factor):
    return _blend(image, _grey(image), factor)


def adjust_hue(image, shift):
    # MXNet's own turns the colour in another space (YIQ); this is HSV
    red, green, blue = (image[..., i] for i in range(3))
    value, least = image.max(axis=-1), image.min(axis=-1)
    chroma = value - least
    unit = np.where(chroma > 0, chroma, np.ones_like(chroma))
    sixth = np.where(
        value == red,
        (green - blue) / unit,
        np.where(value == green, (blue - red) / unit + 2, (red - green) / unit + 4),
    )
    # how far each channel is below the brightest, as a function of the hue
    steps = np.array([5.0, 3.0, 1.0], ctx=image.ctx) + (sixth + 6 * shift)[..., None]
    steps = steps - 6 * np.floor(steps / 6)
    below = np.clip(np.minimum(steps, 4 - steps), 0, 1)
    return value[..., None] - chroma[..., None] * below


def add_color(image, rgb):
    return np.clip(image + np.array(rgb, dtype=image.dtype, ctx=image.ctx), 0, 255)


def to_tensor(image):
    return image.transpose(2, 0, 1) / 255


def normalize(image, mean, std):
    return npx.image.normalize(image, mean, std)


def framework_transforms(height, width):
    change = transforms.Compose(
        [
            transforms.RandomFlipLeftRight(),
            transforms.RandomResizedCrop((width, height), (0.1, 1), (0.5, 2)),
            transforms.RandomColorJitter(0.5, 0.5, 0.5, 0.5),
            transforms.ToTensor(),
        ]
    )
    return lambda image: change(np.array(onp.asarray(image), dtype="uint8"))
