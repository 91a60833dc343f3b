"""YOLO in TensorFlow."""

import keras
import tensorflow as tf

from ...yolo import check_picture
from .detection import keep
from .layers import BatchNorm2d, convolution
from .ssd import base_net, down_sample_blk

__all__ = ["TinyYOLO", "yolo_decode", "yolo_detection", "yolo_loss", "yolo_target"]


def conv_blk(channels):
    return keras.Sequential(
        [
            convolution(channels, channels, use_bias=False),
            BatchNorm2d(channels),
            keras.layers.ReLU(),
        ]
    )


class TinyYOLO(keras.Model):
    def __init__(self, num_classes, num_boxes):
        super().__init__()
        self.num_classes, self.num_boxes = num_classes, num_boxes
        self.features = keras.Sequential(
            [base_net(), down_sample_blk(64, 128), conv_blk(128), conv_blk(128)]
        )
        self.head = convolution(128, 5 * num_boxes + num_classes, 1)
        self.built = True

    def call(self, X):
        check_picture(X.shape, 16)
        Y = self.head(self.features(X))  # (B, 5K + C, H/16, W/16)
        return tf.transpose(Y, (0, 2, 3, 1))  # the numbers of a cell stand together


def yolo_target(labels, height, width):
    B, G, _ = keras.ops.shape(labels)
    rows = tf.range(height, dtype=labels.dtype)[:, None]
    columns = tf.range(width, dtype=labels.dtype)
    classes = tf.fill((B, height, width), tf.cast(-1, labels.dtype))
    boxes = tf.zeros((B, height, width, 4), labels.dtype)
    for g in reversed(range(G)):  # of two objects in one cell the first one stays
        label, box = labels[:, g, 0], labels[:, g, 1:]  # (B,), (B, 4)
        row = tf.floor((box[:, 1] + box[:, 3]) / 2 * height)
        column = tf.floor((box[:, 0] + box[:, 2]) / 2 * width)
        row = tf.clip_by_value(row, 0, height - 1)[:, None, None]
        column = tf.clip_by_value(column, 0, width - 1)[:, None, None]
        here = (rows == row) & (columns == column)
        here = here & (label >= 0)[:, None, None]  # (B, H, W); padding is nowhere
        classes = tf.where(here, label[:, None, None], classes)
        boxes = tf.where(here[..., None], box[:, None, None], boxes)
    return tf.cast(classes, tf.int64), boxes


def yolo_numbers(preds, num_classes):
    """Of each box x, y in its cell, √w, √h, confidence; of each cell its classes."""
    B, H, W, N = keras.ops.shape(preds)
    K = (N - num_classes) // 5
    numbers = tf.reshape(tf.sigmoid(preds[..., : 5 * K]), (B, H, W, K, 5))
    return numbers, tf.nn.softmax(preds[..., 5 * K :])  # (B, H, W, C)


def yolo_decode(preds, num_classes):
    numbers, classes = yolo_numbers(preds, num_classes)
    _, H, W, _, _ = numbers.shape
    x, y, root_w, root_h, confidence = tf.unstack(numbers, axis=-1)
    x = (x + tf.range(W, dtype=x.dtype)[:, None]) / W  # (B, H, W, K)
    y = (y + tf.range(H, dtype=y.dtype)[:, None, None]) / H
    half_w, half_h = root_w**2 / 2, root_h**2 / 2
    corners = (x - half_w, y - half_h, x + half_w, y + half_h)
    return tf.stack(corners, axis=-1), confidence, classes


def overlaps(boxes, others):
    """IoU of each box (..., 4) with the other one at the same place."""
    low = tf.maximum(boxes[..., :2], others[..., :2])
    high = tf.minimum(boxes[..., 2:], others[..., 2:])
    shared = tf.reduce_prod(tf.maximum(high - low, 0), -1)
    area, other = (tf.reduce_prod(b[..., 2:] - b[..., :2], -1) for b in (boxes, others))
    return tf.math.divide_no_nan(shared, area + other - shared)


def yolo_loss(preds, classes, boxes, num_classes, coord_weight, noobj_weight):
    numbers, probs = yolo_numbers(preds, num_classes)
    guesses, confidence, _ = yolo_decode(preds, num_classes)
    _, H, W, K = confidence.shape
    is_object = tf.cast(classes >= 0, preds.dtype)  # (B, H, W)

    # of the boxes of a cell the one that overlaps the object most is responsible
    iou = tf.stop_gradient(overlaps(guesses, boxes[..., None, :]))  # (B, H, W, K)
    best = tf.one_hot(tf.argmax(iou, -1), K, dtype=preds.dtype)
    responsible = best * is_object[..., None]

    x, y = ((boxes[..., i] + boxes[..., i + 2]) / 2 for i in (0, 1))
    w, h = (boxes[..., i + 2] - boxes[..., i] for i in (0, 1))
    x = x * W - tf.range(W, dtype=x.dtype)
    y = y * H - tf.range(H, dtype=y.dtype)[:, None]
    truth = tf.stack((x, y, tf.sqrt(w), tf.sqrt(h)), axis=-1)  # (B, H, W, 4)
    wrong = (numbers[..., :4] - truth[..., None, :]) ** 2
    place = tf.reduce_sum(wrong, -1) * responsible
    sure = (confidence - iou) ** 2 * responsible
    unsure = confidence**2 * (1 - responsible)
    right = tf.one_hot(classes, num_classes, dtype=preds.dtype)
    named = tf.reduce_sum((probs - right) ** 2, -1) * is_object  # (B, H, W)
    boxes_loss = coord_weight * place + sure + noobj_weight * unsure
    return tf.reduce_sum(boxes_loss, (1, 2, 3)) + tf.reduce_sum(named, (1, 2))


def yolo_detection(preds, num_classes, nms_threshold, pos_threshold):
    boxes, confidence, classes = yolo_decode(preds, num_classes)
    B, H, W, K = keras.ops.shape(confidence)  # how many pictures may not be known
    N = H * W * K
    best = tf.reduce_max(classes, -1)[..., None]
    label = tf.cast(tf.argmax(classes, -1), preds.dtype)[..., None]
    scores = tf.reshape(confidence * best, (B, N, 1))
    labels = tf.reshape(tf.broadcast_to(label, (B, H, W, K)), (B, N, 1))
    rows = tf.concat((labels, scores, tf.reshape(boxes, (B, N, 4))), axis=-1)
    scores = tf.cast(scores[..., 0], tf.float32)  # (B, N)
    kept = keep(rows[..., 2:], scores, nms_threshold) & (scores >= pos_threshold)
    rank = tf.where(kept, scores, -float("inf"))
    order = tf.argsort(rank, direction="DESCENDING", stable=True)
    is_object = tf.gather(kept, order, batch_dims=1)[..., None]
    nothing = tf.constant((-1, 0, 0, 0, 0, 0), rows.dtype)  # a row without an object
    return tf.where(is_object, tf.gather(rows, order, batch_dims=1), nothing)
