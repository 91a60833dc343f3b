"""Residual networks in TensorFlow."""

import keras
import tensorflow as tf

from ...classification import resnet_blocks
from .layers import BatchNorm2d, MaxPool2d, conv2d, dense

__all__ = ["ResNet", "Residual", "cross_entropy", "resnet18", "zoo"]


def _conv(in_channels, out_channels, kernel_size, strides=1):
    return conv2d(in_channels, out_channels, kernel_size, strides, use_bias=False)


class Residual(keras.Model):
    def __init__(self, in_channels, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = _conv(in_channels, num_channels, 3, strides)
        self.bn1 = BatchNorm2d(num_channels)
        self.conv2 = _conv(num_channels, num_channels, 3)
        self.bn2 = BatchNorm2d(num_channels)
        self.downsample = None
        if use_1x1conv:
            self.downsample = conv2d(in_channels, num_channels, 1, strides)
        self.built = True

    def call(self, X):
        Y = tf.nn.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.downsample is not None:
            X = self.downsample(X)
        return tf.nn.relu(Y + X)


class BasicBlock(Residual):
    """The block of the model zoos: its 1 × 1 convolution has a batch norm, too."""

    def __init__(self, in_channels, num_channels, use_1x1conv, strides):
        super().__init__(in_channels, num_channels, False, strides)
        if use_1x1conv:
            self.downsample = keras.Sequential(
                [
                    _conv(in_channels, num_channels, 1, strides),
                    BatchNorm2d(num_channels),
                ]
            )


def resnet18(num_classes, in_channels, width):
    return keras.Sequential(
        [
            keras.Sequential(
                [_conv(in_channels, width, 3), BatchNorm2d(width), keras.layers.ReLU()]
            ),
            *(
                keras.Sequential([Residual(*block) for block in stage])
                for stage in resnet_blocks(18, width)
            ),
            keras.layers.GlobalAveragePooling2D(data_format="channels_first"),
            keras.layers.Flatten(),  # has nothing to do here: the others' has
            dense(8 * width, num_classes),
        ]
    )


class Features(keras.Model):
    def __init__(self, depth, in_channels, width):
        super().__init__()
        self.conv1 = _conv(in_channels, width, 7, 2)
        self.bn1 = BatchNorm2d(width)
        self.pool = MaxPool2d(3, 2)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            keras.Sequential([BasicBlock(*block) for block in stage])
            for stage in resnet_blocks(depth, width)
        )
        self.built = True

    def stages(self, X):
        X = self.pool(tf.nn.relu(self.bn1(self.conv1(X))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            X = layer(X)
            maps.append(X)
        return maps

    def call(self, X):
        return self.stages(X)[-1]


def _output(in_features, num_classes, hidden):
    if not hidden:
        return dense(in_features, num_classes)
    return keras.Sequential(
        [dense(in_features, hidden), keras.layers.ReLU(), dense(hidden, num_classes)]
    )


class ResNet(keras.Model):
    output = None  # else a property of every Keras layer, which cannot be set

    def __init__(self, depth, num_classes, in_channels, width, hidden):
        super().__init__()
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.features = Features(depth, in_channels, width)
        self.output = _output(8 * width, num_classes, hidden)
        self.built = True

    def stages(self, X):
        return self.features.stages(X)

    def call(self, X):
        return self.output(tf.reduce_mean(self.features(X), (2, 3)))


def cross_entropy(y_hat, y):
    classes_last = (0, *range(2, len(y_hat.shape)), 1)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        y, tf.transpose(y_hat, classes_last)
    )


def zoo(depth):
    return None  # Keras has none of this depth
