"""Image augmentation in TensorFlow."""

import tensorflow as tf

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
    "normalize",
    "resize",
    "to_tensor",
]


def flip_left_right(image):
    return tf.image.flip_left_right(image)


def flip_up_down(image):
    return tf.image.flip_up_down(image)


def crop(image, top, left, height, width):
    return tf.image.crop_to_bounding_box(image, top, left, height, width)


def resize(image, height, width):
    return tf.image.resize(image, (height, width), antialias=True)


# TensorFlow's own adjustments mean something else: an offset for brightness, the mean of
# each channel for contrast, the distance to the brightest channel for saturation
def _blend(image, other, factor):
    return tf.clip_by_value(factor * image + (1 - factor) * other, 0, 255)


def _grey(image):
    return tf.tensordot(image, tf.constant(GREY, image.dtype), 1)[..., None]


def adjust_brightness(image, factor):
    return tf.clip_by_value(factor * image, 0, 255)


def adjust_contrast(image, factor):
    return _blend(image, tf.reduce_mean(_grey(image)), factor)


def adjust_saturation(image, factor):
    return _blend(image, _grey(image), factor)


def adjust_hue(image, shift):
    return tf.image.adjust_hue(image, shift)


def add_color(image, rgb):
    return tf.clip_by_value(image + tf.cast(rgb, image.dtype), 0, 255)


def to_tensor(image):
    return tf.transpose(image, (2, 0, 1)) / 255


def normalize(image, mean, std):
    mean, std = (
        tf.reshape(tf.constant(v, image.dtype), (-1, 1, 1)) for v in (mean, std)
    )
    return (image - mean) / std
