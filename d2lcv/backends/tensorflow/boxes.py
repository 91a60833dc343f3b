"""Boxes in TensorFlow."""

import tensorflow as tf

__all__ = ["box_center_to_corner", "box_corner_to_center", "box_iou"]


def box_corner_to_center(boxes):
    x1, y1, x2, y2 = tf.unstack(boxes, axis=-1)
    return tf.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), axis=-1)


def box_center_to_corner(boxes):
    cx, cy, w, h = tf.unstack(boxes, axis=-1)
    return tf.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), axis=-1)


def box_iou(boxes1, boxes2):
    # one contiguous vector per corner: several times faster than (n, m, 2) broadcasts
    x1, y1, x2, y2 = tf.unstack(boxes1[:, None], axis=-1)  # each (n, 1)
    u1, v1, u2, v2 = tf.unstack(boxes2, axis=-1)  # each (m,)
    area1 = tf.nn.relu(x2 - x1) * tf.nn.relu(y2 - y1)
    area2 = tf.nn.relu(u2 - u1) * tf.nn.relu(v2 - v1)
    width = tf.nn.relu(tf.minimum(x2, u2) - tf.maximum(x1, u1))
    height = tf.nn.relu(tf.minimum(y2, v2) - tf.maximum(y1, v1))
    intersection = width * height
    return tf.math.divide_no_nan(intersection, area1 + area2 - intersection)
