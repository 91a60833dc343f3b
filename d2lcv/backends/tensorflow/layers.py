"""Layers in TensorFlow, where Keras's conventions are not those of the others."""

import keras

__all__ = ["BatchNorm2d"]


class BatchNorm2d(keras.layers.BatchNormalization):
    """Channels first, and the constants of the three other frameworks."""

    def __init__(self, num_features):
        super().__init__(axis=1, momentum=0.9, epsilon=1e-5)
        self.build((None, num_features, None, None))


def conv2d(in_channels, out_channels, use_bias=True):
    """A 3 × 3 convolution that has its weights from the start."""
    layer = keras.layers.Conv2D(
        out_channels,
        3,
        padding="same",
        use_bias=use_bias,
        data_format="channels_first",
    )
    layer.build((None, in_channels, None, None))
    return layer
