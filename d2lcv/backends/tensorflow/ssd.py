"""Single-shot detection in TensorFlow."""

import keras
import tensorflow as tf

from ...ssd import TINY_SSD_ANCHORS, TINY_SSD_CHANNELS, multiscale_preds
from .layers import BatchNorm2d, conv2d

__all__ = [
    "TinySSD",
    "base_net",
    "bbox_predictor",
    "cls_predictor",
    "cross_entropy",
    "down_sample_blk",
    "largest",
]


def cls_predictor(num_inputs, num_anchors, num_classes):
    return conv2d(num_inputs, num_anchors * (num_classes + 1))


def bbox_predictor(num_inputs, num_anchors):
    return conv2d(num_inputs, num_anchors * 4)


def down_sample_blk(in_channels, out_channels):
    layers = []
    for channels in (in_channels, out_channels):
        layers += [
            conv2d(channels, out_channels, use_bias=False),
            BatchNorm2d(out_channels),
            keras.layers.ReLU(),
        ]
    pool = keras.layers.MaxPooling2D(2, data_format="channels_first")
    return keras.Sequential([*layers, pool])


def base_net():
    return keras.Sequential(
        [down_sample_blk(3, 16), down_sample_blk(16, 32), down_sample_blk(32, 64)]
    )


class TinySSD(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.blocks = [
            base_net(),
            down_sample_blk(64, 128),
            down_sample_blk(128, 128),
            down_sample_blk(128, 128),
            keras.layers.GlobalMaxPooling2D(
                data_format="channels_first", keepdims=True
            ),
        ]
        self.cls_predictors = [
            cls_predictor(c, TINY_SSD_ANCHORS, num_classes) for c in TINY_SSD_CHANNELS
        ]
        self.bbox_predictors = [
            bbox_predictor(c, TINY_SSD_ANCHORS) for c in TINY_SSD_CHANNELS
        ]
        self.built = True

    def call(self, X):
        return multiscale_preds(
            X, self.blocks, self.cls_predictors, self.bbox_predictors, self.num_classes
        )


def cross_entropy(cls_preds, cls_labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(cls_labels, cls_preds)


def largest(values, counts):
    """Mask (B, A), float: 1 on the counts[b] largest of each row, lower index first."""
    order = tf.argsort(values, direction="DESCENDING", stable=True)
    rank = tf.argsort(order)
    counts = tf.cast(counts, tf.float32)[:, None]
    return tf.cast(tf.cast(rank, tf.float32) < counts, values.dtype)
