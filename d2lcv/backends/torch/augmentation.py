"""Image augmentation in PyTorch."""

import torch
from torchvision.transforms.v2 import functional as F

__all__ = [
    "add_color",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "crop",
    "flip_left_right",
    "flip_up_down",
    "normalize",
    "resize",
    "to_tensor",
]


def flip_left_right(image):
    return image.flip(1)


def flip_up_down(image):
    return image.flip(0)


def crop(image, top, left, height, width):
    return image[top : top + height, left : left + width]


def resize(image, height, width):
    channels = image.permute(2, 0, 1)  # torchvision's images are (C, H, W)
    return F.resize(channels, [height, width], antialias=True).permute(1, 2, 0)


def _adjusted(adjust, image, amount):
    # … and floats from 0 to 1
    return adjust(image.permute(2, 0, 1) / 255, amount).permute(1, 2, 0) * 255


def adjust_brightness(image, factor):
    return _adjusted(F.adjust_brightness, image, factor)


def adjust_contrast(image, factor):
    return _adjusted(F.adjust_contrast, image, factor)


def adjust_saturation(image, factor):
    return _adjusted(F.adjust_saturation, image, factor)


def adjust_hue(image, shift):
    return _adjusted(F.adjust_hue, image, shift)


def add_color(image, rgb):
    return (image + torch.as_tensor(rgb).to(image)).clamp(0, 255)


def to_tensor(image):
    return image.permute(2, 0, 1).contiguous() / 255


def normalize(image, mean, std):
    return F.normalize(image, mean, std)
