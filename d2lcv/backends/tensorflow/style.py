"""Style transfer in TensorFlow."""

import keras
import tensorflow as tf

from ...style import IMAGENET_MEAN, IMAGENET_STD, VGG19_BLOCKS
from .layers import convolution

__all__ = [
    "SynthesizedImage",
    "VGG19",
    "compute_loss",
    "content_loss",
    "extract_features",
    "gram",
    "postprocess",
    "preprocess",
    "style_loss",
    "tv_loss",
    "zoo_vgg19",
]


def preprocess(pixels):  # (H, W, 3), from 0 to 1
    X = (tf.constant(pixels) - IMAGENET_MEAN) / IMAGENET_STD
    return tf.transpose(X, (2, 0, 1))[tf.newaxis]


def postprocess(img):
    pixels = tf.transpose(img[0], (1, 2, 0)) * IMAGENET_STD + IMAGENET_MEAN
    return tf.clip_by_value(pixels, 0, 1)  # (H, W, 3)


class VGG19(keras.Sequential):
    def __init__(self, num_layers=29, width=64, pooling="max"):
        Pooling = (
            keras.layers.MaxPooling2D
            if pooling == "max"
            else keras.layers.AveragePooling2D
        )
        layers, in_channels = [], 3
        for channels, convolutions in VGG19_BLOCKS:
            channels = channels * width // 64
            for _ in range(convolutions):
                layers += [
                    convolution(in_channels, channels),
                    keras.layers.ReLU(),
                ]
                in_channels = channels
            layers.append(Pooling(2, data_format="channels_first"))  # the map is halved
        super().__init__(layers[:num_layers])


def zoo_vgg19(pretrained):
    raise ValueError(
        "weights: Keras has VGG-19 with other weights: its features are of another size, "
        "and the losses would have to be weighed anew. Give the path of a file with "
        "torchvision's: d2lcv.save_weights(d2lcv.style_network('imagenet'), 'vgg19."
        "safetensors') writes one on a backend that has them"
    )


def extract_features(X, content_layers, style_layers, net):
    contents, styles = [], []
    last = max([*content_layers, *style_layers])
    for i, layer in enumerate(net.layers[: last + 1]):
        X = layer(X)  # (1, C, H, W)
        if i in content_layers:
            contents.append(X)
        if i in style_layers:
            styles.append(X)
    return contents, styles


def content_loss(Y_hat, Y):
    return tf.reduce_mean(tf.square(Y_hat - Y))


def gram(X):
    _, C, H, W = X.shape
    rows = tf.reshape(X, (C, H * W))  # one of each channel
    return tf.matmul(rows, rows, transpose_b=True) / (C * H * W)


def style_loss(Y_hat, gram_Y):
    return tf.reduce_mean(tf.square(gram(Y_hat) - gram_Y))


def tv_loss(Y_hat):
    down = tf.abs(Y_hat[:, :, 1:, :] - Y_hat[:, :, :-1, :])
    across = tf.abs(Y_hat[:, :, :, 1:] - Y_hat[:, :, :, :-1])
    return 0.5 * (tf.reduce_mean(down) + tf.reduce_mean(across))


def compute_loss(
    X,
    contents_Y_hat,
    styles_Y_hat,
    contents_Y,
    styles_Y_gram,
    content_weight=1.0,
    style_weight=1e3,
    tv_weight=10.0,
):
    contents = [
        content_loss(Y_hat, Y) * content_weight
        for Y_hat, Y in zip(contents_Y_hat, contents_Y)
    ]
    styles = [
        style_loss(Y_hat, gram_Y) * style_weight
        for Y_hat, gram_Y in zip(styles_Y_hat, styles_Y_gram)
    ]
    tv = tv_loss(X) * tv_weight
    return contents, styles, tv, sum(contents) + 10 * sum(styles) + tv


class SynthesizedImage(keras.Model):
    def __init__(self, img_shape):
        super().__init__()
        self.weight = self.add_weight(
            shape=img_shape,
            initializer=keras.initializers.RandomUniform(0, 1),
            name="weight",
        )
        self.built = True

    def __call__(self, **options):  # Keras would not call a layer without an input
        return tf.convert_to_tensor(self.weight)
