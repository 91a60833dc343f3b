"""Semantic segmentation in TensorFlow."""

import keras
import tensorflow as tf

from ...segmentation import fcn_scores, fcn_stages
from .classification import Features
from .layers import Conv2d

__all__ = ["CHANNEL_AXIS", "FCN", "LABEL_DTYPE", "conv2d", "conv_transpose2d"]

CHANNEL_AXIS = 0  # of an image
LABEL_DTYPE = "int64"


class PaddedConv2d(Conv2d):
    """Pads all sides alike, by any number of pixels."""

    def __init__(self, filters, kernel_size, strides, margin, use_bias):
        options = {"strides": strides, "padding": "valid", "use_bias": use_bias}
        super().__init__(filters, kernel_size, **options)
        self.margin = margin

    def call(self, inputs):
        p = self.margin
        return super().call(tf.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p))))


class ConvTranspose2d(keras.layers.Conv2DTranspose):
    """Channels first; all sides are cut alike, by any number of pixels."""

    def __init__(self, filters, kernel_size, strides, margin, use_bias):
        options = {"data_format": "channels_first", "use_bias": use_bias}
        super().__init__(filters, kernel_size, strides, **options)
        self.margin = margin

    def call(self, inputs):
        sizes = zip(inputs.shape[2:], self.strides, self.kernel_size, strict=True)
        height, width = (s * (n - 1) + k for n, s, k in sizes)
        outputs = tf.nn.conv2d_transpose(
            inputs,
            self.kernel,
            (tf.shape(inputs)[0], self.filters, height, width),
            self.strides,
            "VALID",  # on a CPU, padding in numbers is for channels last only
            data_format="NCHW",
        )
        p = self.margin
        outputs = outputs[:, :, p : height - p, p : width - p]
        if not self.use_bias:
            return outputs
        return tf.nn.bias_add(outputs, self.bias, data_format="NCHW")


def conv2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    layer = PaddedConv2d(out_channels, kernel_size, stride, padding, bias)
    layer.build((None, in_channels, None, None))
    return layer


def conv_transpose2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    layer = ConvTranspose2d(out_channels, kernel_size, stride, padding, bias)
    layer.build((None, in_channels, None, None))
    return layer


class FCN(keras.Model):
    def __init__(self, num_classes, depth, in_channels, width, stride):
        super().__init__()
        self.features = Features(depth, in_channels, width)
        channels, factors = fcn_stages(width, stride)
        self.scores = [conv2d(c, num_classes, 1, 1, 0, True) for c in channels]
        self.upsamplers = [
            conv_transpose2d(num_classes, num_classes, 2 * s, s, s // 2, False)
            for s in factors
        ]
        self.built = True

    def call(self, X):
        return fcn_scores(X, self.features, self.scores, self.upsamplers)
