"""Layers in TensorFlow, where Keras's conventions are not those of the others."""

import keras
import tensorflow as tf

__all__ = ["BatchNorm2d"]


class BatchNorm2d(keras.layers.BatchNormalization):
    """Channels first, and the constants of the three other frameworks."""

    def __init__(self, num_features):
        super().__init__(axis=1, momentum=0.9, epsilon=1e-5)
        self.build((None, num_features, None, None))


class Conv2d(keras.layers.Conv2D):
    """Channels first. Keras (3.15) adds the bias along a width equal to the channels."""

    def __init__(self, filters, kernel_size, **options):
        options = {"padding": "same", "data_format": "channels_first", **options}
        super().__init__(filters, kernel_size, **options)

    def call(self, inputs):
        outputs = self.convolution_op(inputs, self.kernel)
        if not self.use_bias:
            return outputs
        return tf.nn.bias_add(outputs, self.bias, data_format="NCHW")


def conv2d(in_channels, out_channels, use_bias=True):
    """A 3 × 3 convolution that has its weights from the start."""
    layer = Conv2d(out_channels, 3, use_bias=use_bias)
    layer.build((None, in_channels, None, None))
    return layer
