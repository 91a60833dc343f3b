"""Single-shot detection in TensorFlow."""

import keras
import tensorflow as tf

from ...ssd import (
    TINY_SSD_ANCHORS,
    TINY_SSD_CHANNELS,
    TINY_SSD_LEAST,
    TINY_SSD_RATIOS,
    TINY_SSD_SIZES,
    check_picture,
)
from .anchors import multibox_prior
from .layers import BatchNorm2d, convolution

__all__ = [
    "TinySSD",
    "base_net",
    "bbox_eval",
    "bbox_predictor",
    "blk_forward",
    "calc_loss",
    "cls_eval",
    "cls_predictor",
    "concat_preds",
    "down_sample_blk",
    "flatten_pred",
    "focal_cls_loss",
    "focal_loss",
    "hard_negative_loss",
    "smooth_l1",
    "smooth_l1_loss",
]


def cls_predictor(num_inputs, num_anchors, num_classes):
    return convolution(num_inputs, num_anchors * (num_classes + 1))


def bbox_predictor(num_inputs, num_anchors):
    return convolution(num_inputs, num_anchors * 4)


def flatten_pred(pred):
    # Keras gives integers for the sizes that are known when a step is compiled
    B, K, H, W = keras.ops.shape(pred)
    return tf.reshape(tf.transpose(pred, (0, 2, 3, 1)), (B, H * W * K))


def concat_preds(preds):
    return tf.concat([flatten_pred(pred) for pred in preds], axis=1)


def down_sample_blk(in_channels, out_channels):
    layers = []
    for channels in (in_channels, out_channels):
        layers += [
            convolution(channels, out_channels, use_bias=False),
            BatchNorm2d(out_channels),
            keras.layers.ReLU(),
        ]
    pool = keras.layers.MaxPooling2D(2, data_format="channels_first")
    return keras.Sequential([*layers, pool])


def base_net():
    return keras.Sequential(
        [down_sample_blk(3, 16), down_sample_blk(16, 32), down_sample_blk(32, 64)]
    )


def blk_forward(X, blk, size, ratio, cls_predictor, bbox_predictor):
    Y = blk(X)  # (B, C', H', W')
    anchors = multibox_prior(Y, size, ratio)  # (1, A, 4)
    return Y, anchors, cls_predictor(Y), bbox_predictor(Y)


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
        check_picture(X.shape, TINY_SSD_LEAST)
        anchors, cls_preds, bbox_preds = [], [], []
        for i, blk in enumerate(self.blocks):
            X, prior, cls, bbox = blk_forward(
                X,
                blk,
                TINY_SSD_SIZES[i],
                TINY_SSD_RATIOS[i],
                self.cls_predictors[i],
                self.bbox_predictors[i],
            )
            anchors.append(prior)
            cls_preds.append(cls)
            bbox_preds.append(bbox)
        anchors = tf.concat(anchors, axis=1)  # (1, A, 4)
        A, cls_preds = anchors.shape[1], concat_preds(cls_preds)  # (B, A·(C+1))
        cls_preds = tf.reshape(
            cls_preds, (keras.ops.shape(cls_preds)[0], A, self.num_classes + 1)
        )
        return anchors, cls_preds, concat_preds(bbox_preds)


def calc_loss(cls_preds, cls_labels, bbox_preds, bbox_labels, bbox_masks):
    cls = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.cast(cls_labels, tf.int64), cls_preds
    )  # (B, A)
    bbox = tf.abs((bbox_preds - bbox_labels) * bbox_masks)  # (B, 4A)
    return tf.reduce_mean(cls, axis=1) + tf.reduce_mean(bbox, axis=1)


def cls_eval(cls_preds, cls_labels):
    guesses = tf.argmax(cls_preds, axis=-1)  # (B, A)
    right = guesses == tf.cast(cls_labels, guesses.dtype)
    return tf.reduce_sum(tf.cast(right, tf.float32))


def bbox_eval(bbox_preds, bbox_labels, bbox_masks):
    return tf.reduce_sum(tf.abs((bbox_labels - bbox_preds) * bbox_masks))


def hard_negative_loss(cls_preds, cls_labels, ratio):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.cast(cls_labels, tf.int64), cls_preds
    )  # (B, A)
    positive = tf.cast(cls_labels > 0, losses.dtype)
    num_positive = tf.reduce_sum(positive, axis=1, keepdims=True)  # (B, 1)
    # a cross-entropy is never negative: the anchors with an object come last
    negatives = losses * (1 - positive) - positive
    order = tf.argsort(negatives, direction="DESCENDING", stable=True)
    rank = tf.cast(tf.argsort(order), losses.dtype)  # 0 for the hardest
    hardest = tf.cast(rank < ratio * num_positive, losses.dtype) * (1 - positive)
    loss = tf.reduce_sum(losses * (positive + hardest), axis=1)
    return loss / tf.maximum(tf.squeeze(num_positive, 1), 1)


def focal_loss(gamma, p):
    return -((1 - p) ** gamma) * tf.math.log(p)


def focal_cls_loss(cls_preds, cls_labels, gamma, alpha):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.cast(cls_labels, tf.int64), cls_preds
    )  # (B, A)
    positive = tf.cast(cls_labels > 0, losses.dtype)
    # where p is 1 the power has no slope for small γ: keep away from there
    easiness = tf.clip_by_value(1 - tf.exp(-losses), 1e-7, 1) ** gamma
    weights = alpha * positive + (1 - alpha) * (1 - positive)
    loss = tf.reduce_sum(weights * easiness * losses, axis=1)
    return loss / tf.maximum(tf.reduce_sum(positive, axis=1), 1)


def smooth_l1(x, sigma):
    magnitude = tf.abs(x)
    parabola, line = (sigma * x) ** 2 / 2, magnitude - 0.5 / sigma**2
    return tf.where(magnitude < 1 / sigma**2, parabola, line)


def smooth_l1_loss(bbox_preds, bbox_labels, bbox_masks, sigma):
    errors = smooth_l1((bbox_preds - bbox_labels) * bbox_masks, sigma)  # (B, 4A)
    num_positive = tf.reduce_sum(bbox_masks, axis=1) / 4
    return tf.reduce_sum(errors, axis=1) / tf.maximum(num_positive, 1)
