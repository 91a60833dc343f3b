"""Regions of interest, for which TensorFlow has no operators, and a two-stage detector."""

import keras
import tensorflow as tf

from ...anchors import multibox_prior
from ...rcnn import BOX_SIZE, RPN_ANCHORS, RPN_RATIOS, RPN_SIZES
from ...ssd import flatten_pred
from .boxes import box_iou
from .layers import BatchNorm2d, conv2d, dense
from .ssd import base_net, bbox_predictor, cls_predictor

__all__ = [
    "TinyRCNN",
    "best_objects",
    "image_range",
    "roi_align",
    "roi_pool",
    "roi_rows",
    "stop_gradient",
]


def image_range(rois):
    if not tf.executing_eagerly() or not len(rois):  # a compiled step has no values yet
        return None
    return float(tf.reduce_min(rois[:, 0])), float(tf.reduce_max(rois[:, 0]))


def roi_pool(X, rois, output_size, spatial_scale):
    _, C, H, W = keras.ops.shape(X)
    image = tf.cast(rois[:, 0], tf.int32)
    x1, y1, x2, y2 = tf.unstack(_rounded(rois[:, 1:] * spatial_scale), axis=1)
    y, in_rows = _pixels(y1, y2, output_size[0], H)  # (N, h, m) each
    x, in_columns = _pixels(x1, x2, output_size[1], W)  # (N, w, n) each
    place = (image[:, None, None] * H + y)[:, :, None, :, None] * W
    place = place + x[:, None, :, None, :]  # (N, h, w, m, n): every pixel of every cell
    inside = in_rows[:, :, None, :, None] & in_columns[:, None, :, None, :]
    shape = (*keras.ops.shape(place)[:3], -1)
    place, inside = tf.reshape(place, shape), tf.reshape(inside, shape)

    pixels = tf.reshape(tf.transpose(X, (0, 2, 3, 1)), (-1, C))
    values = tf.where(inside[..., None], tf.gather(pixels, place), X.dtype.min)
    best = tf.argmax(values, axis=3)  # (N, h, w, C)
    best = tf.gather(place, best, batch_dims=3) * C + tf.range(C)
    # the gradient of a gather goes to one of equal values, that of a maximum to all
    out = tf.gather(tf.reshape(pixels, [-1]), best)
    out = tf.where(tf.reduce_any(inside, axis=3)[..., None], out, 0)
    return tf.transpose(out, (0, 3, 1, 2))


def _rounded(x):
    # `tf.round` rounds halves to even
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _pixels(first, last, cells, size):
    """Pixels (N, cells, m) of all cells of lines, and which of them are pixels of it."""
    # in float32, as the operators of others: 57 pixels in 7 cells end at 58
    length = tf.maximum(last - first + 1, 1)[:, None] / cells
    i = tf.range(cells, dtype=length.dtype)
    start = first[:, None] + tf.floor(i * length)
    end = first[:, None] + tf.math.ceil((i + 1) * length)  # (N, cells)
    start, end = (tf.cast(tf.clip_by_value(x, 0, size), tf.int32) for x in (start, end))
    most = tf.reduce_max(tf.concat((tf.reshape(end - start, [-1]), [1]), axis=0))
    pixels = start[..., None] + tf.range(most)
    return tf.minimum(pixels, size - 1), pixels < end[..., None]


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    _, _, H, W = keras.ops.shape(X)
    # as from the operators of others, no gradient goes to the boxes
    rois = tf.stop_gradient(tf.cast(rois, X.dtype))
    boxes = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0)
    x1, y1, x2, y2 = tf.unstack(boxes, axis=1)
    least = None if aligned else 1
    rows = _weights(y1, y2 - y1, output_size[0], sampling_ratio, least, H)
    columns = _weights(x1, x2 - x1, output_size[1], sampling_ratio, least, W)
    maps = tf.gather(X, tf.cast(rois[:, 0], tf.int32))  # (N, C, H, W)
    # bilinear samples and their mean are linear in the rows and in the columns
    return rows[:, None] @ maps @ tf.linalg.matrix_transpose(columns)[:, None]


def _weights(start, length, cells, samples, least, size):
    """(N, cells, size): what each pixel of a line counts in each cell of a region."""
    length = length if least is None else tf.maximum(length, least)
    cell = (length / cells)[:, None, None]  # (N, 1, 1)
    count = tf.fill(tf.shape(cell), float(samples)) if samples else tf.math.ceil(cell)
    most = tf.reduce_max(tf.concat((tf.reshape(count, [-1]), [1]), axis=0))
    i, k = tf.range(float(cells))[:, None], tf.range(most)
    at = start[:, None, None] + cell * (i + (k + 0.5) / tf.maximum(count, 1))
    counts = (k < count) & (at >= -1) & (at <= size)  # (N, cells, most)
    at = tf.clip_by_value(at, 0, size - 1)[..., None]
    hat = tf.nn.relu(1 - tf.abs(at - tf.range(float(size))))
    weights = tf.where(counts[..., None], hat, 0) / tf.maximum(count, 1)[..., None]
    return tf.reduce_sum(weights, axis=2)


def stop_gradient(x):
    return tf.stop_gradient(x)


def roi_rows(boxes):
    """(B, R, 4) → (B·R, 5): each box with the index of its image."""
    B, R, _ = keras.ops.shape(boxes)
    image = tf.cast(tf.repeat(tf.range(B), R), boxes.dtype)
    return tf.concat((image[:, None], tf.reshape(boxes, (-1, 4))), axis=1)


def best_objects(rois, labels):
    """The object that each region (B, R, 4) overlaps most, of labels (B, G, 5).

    IoU (B, R), label rows (B, R, 5) and indices among all B·G rows (B·R,).
    """
    (B, R), G = keras.ops.shape(rois)[:2], keras.ops.shape(labels)[1]
    rows = tf.reshape(labels, (-1, 5))
    iou = box_iou(tf.reshape(rois, (-1, 4)), rows[:, 1:])
    iou *= tf.cast(rows[:, 0] >= 0, iou.dtype)
    same_image = tf.repeat(tf.repeat(tf.eye(B), R, axis=0), G, axis=1)
    iou = tf.stop_gradient(iou * same_image)
    index = tf.argmax(iou, axis=1)
    overlap = tf.reshape(tf.reduce_max(iou, axis=1), (B, R))
    return overlap, tf.reshape(tf.gather(rows, index), (B, R, 5)), index


def _conv(in_channels, out_channels):
    return keras.Sequential(
        [
            conv2d(in_channels, out_channels, use_bias=False),
            BatchNorm2d(out_channels),
            keras.layers.ReLU(),
        ]
    )


class TinyRCNN(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.features = keras.Sequential([base_net(), _conv(64, 64), _conv(64, 64)])
        # the region proposal network: what SSD does at one scale, with one class
        self.rpn_cls = cls_predictor(64, RPN_ANCHORS, 1)
        self.rpn_bbox = bbox_predictor(64, RPN_ANCHORS)
        self.box_head = keras.Sequential(
            [
                keras.layers.Flatten(),
                dense(64 * BOX_SIZE**2, 128),
                keras.layers.ReLU(),
                dense(128, num_classes + 1 + 4),
            ]
        )
        self.mask_head = keras.Sequential(
            [
                conv2d(64, 32),
                keras.layers.ReLU(),
                conv2d(32, 32),
                keras.layers.ReLU(),
                conv2d(32, 1),
            ]
        )
        self.built = True

    def call(self, X):
        Y = self.features(X)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)
        scores = flatten_pred(self.rpn_cls(Y))
        scores = tf.reshape(scores, (-1, anchors.shape[1], 2))
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))
