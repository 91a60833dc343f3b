"""Image augmentation in TensorFlow."""

import numpy as np
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
    "framework_transforms",
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


def framework_transforms(height, width):
    def change(image):
        image = tf.image.random_flip_left_right(np.asarray(image))  # (H, W, 3)
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            tf.shape(image), [[[0, 0, 1, 1]]], area_range=(0.1, 1),
            aspect_ratio_range=(0.5, 2), min_object_covered=0,
        )  # fmt: skip
        image = tf.image.resize(tf.slice(image, begin, size), (height, width)) / 255
        image = tf.image.random_brightness(image, 0.5)
        image = tf.image.random_contrast(image, 0.5, 1.5)
        image = tf.image.random_saturation(image, 0.5, 1.5)
        image = tf.image.random_hue(image, 0.5)
        return tf.transpose(tf.clip_by_value(image, 0, 1), (2, 0, 1))

    return change
