"""Anchors in TensorFlow."""

import math

import keras
import tensorflow as tf

from ...anchors import CENTER_SCALE, MAX_LOG_GROWTH, SIZE_SCALE
from .boxes import box_center_to_corner, box_corner_to_center, box_iou

__all__ = [
    "assign_anchor_to_bbox",
    "assign_anchors",
    "multibox_prior",
    "multibox_target",
    "offset_boxes",
    "offset_inverse",
]


def multibox_prior(data, sizes, ratios):
    # the first ratio with every size, then the first size with the other ratios
    pairs = [(s, ratios[0]) for s in sizes] + [(sizes[0], r) for r in ratios[1:]]
    shapes = [(s * math.sqrt(r), s / math.sqrt(r)) for s, r in pairs]
    # Keras gives integers for the sizes that are known when a step is compiled
    height, width = keras.ops.shape(data)[2:]
    H, W = (
        float(n) if isinstance(n, int) else tf.cast(n, tf.float32)
        for n in (height, width)
    )
    cy = (tf.range(H) + 0.5) / H
    cx = (tf.range(W) + 0.5) / W
    half = tf.constant(shapes) * (H / W / 2, 0.5)  # (K, 2) anchors of a pixel
    # the rows last: one pass over all anchors, (H, W, K, 4)
    row = cx[:, None, None] * (1.0, 0.0, 1.0, 0.0) + tf.concat((-half, half), axis=1)
    corners = cy[:, None, None, None] * (0.0, 1.0, 0.0, 1.0) + row
    return tf.reshape(corners, (1, height * width * len(shapes), 4))


def assign_anchor_to_bbox(ground_truth, anchors, device, iou_threshold):
    labels = tf.pad(ground_truth, ((0, 0), (1, 0)))[None]  # (1, G, 5), all of class 0
    with tf.device(device):
        return tf.identity(assign_anchors(anchors, labels, iou_threshold)[0])


def assign_anchors(anchors, labels, iou_threshold):
    """(A, 4), (B, G, 5) → (B, A) indices of label rows, −1 where none."""
    B, G, _ = keras.ops.shape(labels)
    A = keras.ops.shape(anchors)[0]
    if G == 0 or A == 0:
        return tf.fill((B, A), tf.constant(-1, tf.int64))
    iou = box_iou(tf.reshape(labels[..., 1:], (-1, 4)), anchors)
    iou = tf.reshape(iou, (B, G, A))
    iou = tf.where(labels[..., :1] < 0, -tf.ones_like(iou), iou)
    enough = tf.cast(tf.reduce_max(iou, axis=1), tf.float32) >= iou_threshold
    assigned = tf.where(enough, tf.argmax(iou, axis=1), -1)
    pairs, box = _one_anchor_per_box(iou)
    return tf.tensor_scatter_nd_update(assigned, pairs, box)


def _one_anchor_per_box(iou):
    """The greedy matching of iou (B, G, A): its pairs' (image, anchor) and box indices.

    Taking pairs by falling IoU gives the one stable matching, and so does this (Gale and
    Shapley, 1962): every box asks its best anchor, an anchor keeps the best box that
    asks, the others ask their next best. An anchor once asked stays taken, by another
    box each, so that no box asks more than G of them: few rounds, and small ones.
    """
    _, G, A = keras.ops.shape(iou)
    best, anchor = tf.math.top_k(iou, tf.minimum(G, A))  # (B, G, K), ties: low index
    best = tf.pad(best, ((0, 0), (0, 0), (0, 1)), constant_values=-1.0)
    anchor = tf.pad(anchor, ((0, 0), (0, 0), (0, 1)), constant_values=-1)
    earlier = tf.range(G)[None, :] < tf.range(G)[:, None]

    def ask(turn, _):
        mine = tf.gather(best, turn, batch_dims=2)  # (B, G)
        asked = tf.gather(anchor, turn, batch_dims=2)
        same = asked[:, :, None] == asked[:, None, :]
        rival = mine[:, None, :]
        mine = mine[:, :, None]
        wins = (rival > mine) | (rival == mine) & earlier
        lost = tf.reduce_any(same & wins & (mine >= 0) & (rival >= 0), axis=2)
        return turn + tf.cast(lost, tf.int32), tf.reduce_any(lost)

    turn = tf.zeros(tf.shape(iou)[:2], tf.int32)
    turn, _ = tf.while_loop(lambda _, lost: lost, ask, (turn, tf.constant(True)))
    found = tf.where(tf.gather(best, turn, batch_dims=2) >= 0)  # image, box
    asked = tf.gather_nd(tf.gather(anchor, turn, batch_dims=2), found)
    image, box = tf.unstack(found, axis=1)
    return tf.stack((image, tf.cast(asked, tf.int64)), axis=1), box


def offset_boxes(anchors, assigned_bb, eps):
    a, b = box_corner_to_center(anchors), box_corner_to_center(assigned_bb)
    size = tf.maximum(a[..., 2:], eps)
    center = (b[..., :2] - a[..., :2]) / size / CENTER_SCALE
    growth = tf.math.log(eps + tf.nn.relu(b[..., 2:]) / size) / SIZE_SCALE
    return tf.concat((center, growth), axis=-1)


def offset_inverse(anchors, offset_preds):
    a = box_corner_to_center(anchors)
    center = a[..., :2] + offset_preds[..., :2] * CENTER_SCALE * a[..., 2:]
    growth = tf.minimum(offset_preds[..., 2:] * SIZE_SCALE, MAX_LOG_GROWTH)
    return box_center_to_corner(tf.concat((center, a[..., 2:] * tf.exp(growth)), -1))


def multibox_target(anchors, labels, iou_threshold):
    anchors = anchors[0]  # (A, 4)
    assigned = assign_anchors(anchors, labels, iou_threshold)  # (B, A)
    positive = assigned >= 0
    where = tf.where(positive)  # image, anchor
    rows = tf.gather_nd(labels, tf.stack((where[:, 0], assigned[positive]), axis=1))
    offsets = offset_boxes(tf.gather(anchors, where[:, 1]), rows[:, 1:], 1e-6)
    B, A = keras.ops.shape(assigned)
    offsets = tf.scatter_nd(where, offsets, tf.cast((B, A, 4), tf.int64))
    classes = tf.cast(rows[:, 0], tf.int64) + 1
    classes = tf.scatter_nd(where, classes, tf.cast((B, A), tf.int64))
    masks = tf.repeat(tf.cast(positive, tf.float32), 4, axis=1)
    return tf.reshape(offsets, (B, A * 4)), masks, classes
