"""Residual networks in TensorFlow."""

import keras
import tensorflow as tf

from ...classification import BLOCKS
from .layers import BatchNorm2d, MaxPool2d, convolution, dense

__all__ = [
    "ResNet",
    "Residual",
    "cross_entropy",
    "replace_output",
    "resnet18",
    "zoo",
    "zoo_file",
]


def _conv(in_channels, out_channels, kernel_size, strides=1):
    return convolution(in_channels, out_channels, kernel_size, strides, use_bias=False)


class Residual(keras.Model):
    def __init__(self, in_channels, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = _conv(in_channels, num_channels, 3, strides)
        self.bn1 = BatchNorm2d(num_channels)
        self.conv2 = _conv(num_channels, num_channels, 3)
        self.bn2 = BatchNorm2d(num_channels)
        self.downsample = None
        if use_1x1conv:
            self.downsample = convolution(in_channels, num_channels, 1, strides)
        self.built = True

    def call(self, X):
        Y = tf.nn.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.downsample is not None:
            X = self.downsample(X)
        return tf.nn.relu(Y + X)


def resnet18(num_classes, in_channels=1, width=64):
    w = width
    net = keras.Sequential(
        [
            keras.Sequential(
                [_conv(in_channels, w, 3), BatchNorm2d(w), keras.layers.ReLU()]
            ),
            keras.Sequential([Residual(w, w), Residual(w, w)]),  # (B, w, H, W)
            keras.Sequential([Residual(w, 2 * w, True, 2), Residual(2 * w, 2 * w)]),
            keras.Sequential([Residual(2 * w, 4 * w, True, 2), Residual(4 * w, 4 * w)]),
            keras.Sequential([Residual(4 * w, 8 * w, True, 2), Residual(8 * w, 8 * w)]),
            keras.layers.GlobalAveragePooling2D(data_format="channels_first"),
            keras.layers.Flatten(),  # has nothing to do here: the others' has
            dense(8 * w, num_classes),
        ]
    )
    # the variables are made here: a first step that makes them is compiled twice
    net.build((None, in_channels, None, None))
    return net


class BasicBlock(Residual):
    """The block of the model zoos: its 1 × 1 convolution has a batch norm, too."""

    def __init__(self, in_channels, num_channels, strides):
        super().__init__(in_channels, num_channels, False, strides)
        if strides > 1:
            self.downsample = keras.Sequential(
                [
                    _conv(in_channels, num_channels, 1, strides),
                    BatchNorm2d(num_channels),
                ]
            )


def _stage(number, in_channels, num_channels, strides):
    blocks = [BasicBlock(in_channels, num_channels, strides)]
    for _ in range(number - 1):
        blocks.append(BasicBlock(num_channels, num_channels, 1))
    return keras.Sequential(blocks)


class Features(keras.Model):
    def __init__(self, depth=18, in_channels=3, width=64):
        super().__init__()
        n, w = BLOCKS[depth], width
        self.conv1 = _conv(in_channels, w, 7, 2)
        self.bn1 = BatchNorm2d(w)
        self.pool = MaxPool2d(3, 2)
        self.layer1 = _stage(n[0], w, w, 1)
        self.layer2 = _stage(n[1], w, 2 * w, 2)
        self.layer3 = _stage(n[2], 2 * w, 4 * w, 2)
        self.layer4 = _stage(n[3], 4 * w, 8 * w, 2)
        self.built = True

    def stages(self, X):
        X = tf.nn.relu(self.bn1(self.conv1(X)))  # (B, w, H/2, W/2)
        X1 = self.layer1(self.pool(X))  # (B, w, H/4, W/4)
        X2 = self.layer2(X1)  # (B, 2w, H/8, W/8)
        X3 = self.layer3(X2)  # (B, 4w, H/16, W/16)
        X4 = self.layer4(X3)  # (B, 8w, H/32, W/32)
        return [X1, X2, X3, X4]

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

    def __init__(self, depth=18, num_classes=1000, in_channels=3, width=64, hidden=0):
        super().__init__()
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.num_classes, self.hidden = num_classes, hidden
        self.features = Features(depth, in_channels, width)
        self.output = _output(8 * width, num_classes, hidden)
        self.built = True

    def stages(self, X):
        return self.features.stages(X)

    def call(self, X):
        return self.output(tf.reduce_mean(self.features(X), (2, 3)))


def replace_output(net, num_classes, hidden=0):
    new = ResNet(net.depth, num_classes, net.in_channels, net.width, hidden)
    new.features.set_weights(net.features.get_weights())
    return new


def cross_entropy(y_hat, y):
    if len(y_hat.shape) > 2:  # (B, C, H, W) → (B, H, W, C)
        y_hat = tf.transpose(y_hat, (0, *range(2, len(y_hat.shape)), 1))
    labels = tf.cast(y, tf.int64)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, y_hat)


def zoo(depth):
    raise ValueError(f"Keras has no ResNet-{depth}")


def zoo_file(depth):
    return None  # Keras has none of this depth
