"""Image augmentation in PyTorch."""

import torch
from torchvision.transforms import v2

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
    return image.flip(1)


def flip_up_down(image):
    return image.flip(0)


def crop(image, top, left, height, width):
    return image[top : top + height, left : left + width]


def resize(image, height, width):
    channels = image.permute(2, 0, 1)  # torchvision's images are (C, H, W)
    new = v2.functional.resize(channels, [height, width], antialias=True)
    return new.permute(1, 2, 0)  # (height, width, 3)


def _adjusted(adjust, image, amount):
    # torchvision's images are (C, H, W), and floats from 0 to 1
    return adjust(image.permute(2, 0, 1) / 255, amount).permute(1, 2, 0) * 255


def adjust_brightness(image, factor):
    return _adjusted(v2.functional.adjust_brightness, image, factor)


def adjust_contrast(image, factor):
    return _adjusted(v2.functional.adjust_contrast, image, factor)


def adjust_saturation(image, factor):
    return _adjusted(v2.functional.adjust_saturation, image, factor)


def adjust_hue(image, shift):
    return _adjusted(v2.functional.adjust_hue, image, shift)


def add_color(image, rgb):
    return (image + torch.as_tensor(rgb).to(image)).clamp(0, 255)


def to_tensor(image):
    return image.permute(2, 0, 1).contiguous() / 255


def normalize(image, mean, std):
    return v2.functional.normalize(image, mean, std)


def framework_transforms(height, width):
    return v2.Compose(
        [
            v2.ToImage(),  # (3, H, W)
            v2.RandomHorizontalFlip(),
            v2.RandomResizedCrop((height, width), scale=(0.1, 1), ratio=(0.5, 2)),
            v2.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.5),
            v2.ToDtype(torch.float32, scale=True),
            v2.ToPureTensor(),
        ]
    )
