"""Image augmentation in PaddlePaddle."""

import paddle
from paddle.vision import transforms

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
    return paddle.flip(image, 1)


def flip_up_down(image):
    return paddle.flip(image, 0)


def crop(image, top, left, height, width):
    return image[top : top + height, left : left + width]


def _resize_weights(length, new):
    # row i: the weights of the old pixels in new pixel i, a triangle about its centre
    scale = length / new
    center = (paddle.arange(new, dtype="float64")[:, None] + 0.5) * scale
    old = paddle.arange(length, dtype="float64") + 0.5
    distance = (old - center).abs() / max(scale, 1.0)  # (new, length)
    weights = (1 - distance).clip(min=0)
    return (weights / weights.sum(axis=1, keepdim=True)).astype("float32")


def resize(image, height, width):
    # Paddle's own, of a tensor, has aliasing; rows and columns go by a matrix each
    H, W, _ = image.shape
    rows = _resize_weights(H, height)  # (height, H)
    columns = _resize_weights(W, width)  # (width, W)
    channels = rows @ image.transpose((2, 0, 1)) @ columns.T  # (3, height, width)
    return channels.transpose((1, 2, 0))


def _adjusted(adjust, image, amount):
    # Paddle's images are (C, H, W), and floats from 0 to 1
    return adjust(image.transpose((2, 0, 1)) / 255, amount).transpose((1, 2, 0)) * 255


def adjust_brightness(image, factor):
    return _adjusted(transforms.functional.adjust_brightness, image, factor)


def adjust_contrast(image, factor):
    return _adjusted(transforms.functional.adjust_contrast, image, factor)


def adjust_saturation(image, factor):
    return _adjusted(transforms.functional.adjust_saturation, image, factor)


def adjust_hue(image, shift):
    return _adjusted(transforms.functional.adjust_hue, image, shift)


def add_color(image, rgb):
    return paddle.clip(image + paddle.to_tensor(rgb, image.dtype), 0, 255)


def to_tensor(image):
    return image.transpose((2, 0, 1)) / 255


def normalize(image, mean, std):
    return transforms.functional.normalize(image, mean, std)


def framework_transforms(height, width):
    return transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomResizedCrop((height, width), (0.1, 1), (0.5, 2)),
            transforms.ColorJitter(0.5, 0.5, 0.5, 0.5),
            transforms.ToTensor(),
        ]
    )
