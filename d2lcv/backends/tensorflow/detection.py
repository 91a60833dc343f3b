"""Detections in TensorFlow."""

import keras
import tensorflow as tf

from .anchors import offset_inverse
from .boxes import box_iou

__all__ = ["as_kept", "batched_nms", "multibox_detection", "nms"]


def nms(boxes, scores, iou_threshold):
    kept = _nms(_not_inverted(boxes), _ranks(scores), iou_threshold)
    return tf.cast(kept, tf.int64)


def _not_inverted(boxes):
    """TensorFlow would turn inverted boxes over; for us they are empty."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return tf.concat((low, tf.maximum(low, high)), axis=-1)


def _nms(boxes, scores, iou_threshold):
    n = tf.size(scores)
    if boxes.dtype == tf.float64:  # which the other kernel does not take
        iou = tf.cast(box_iou(boxes, boxes), tf.float32)
        return tf.image.non_max_suppression_overlaps(iou, scores, n, iou_threshold)
    return tf.image.non_max_suppression(boxes, scores, n, iou_threshold)


def _ranks(scores):
    """n for the best score, …, 1: TensorFlow takes a box scored −∞ for none at all."""
    order = tf.argsort(scores, direction="DESCENDING", stable=True)  # (..., n)
    return tf.cast(tf.shape(scores)[-1] - tf.argsort(order), tf.float32)


def keep(boxes, scores, iou_threshold):
    """Masks (B, n) of what NMS keeps of each boxes (B, n, 4) and scores (B, n)."""

    def keep_of(image):
        kept = _nms(*image, iou_threshold)[:, None]
        return tf.scatter_nd(
            kept, tf.ones_like(kept[:, 0], tf.bool), tf.shape(image[1])
        )

    images = (_not_inverted(boxes), scores)
    kept = tf.map_fn(keep_of, images, fn_output_signature=tf.bool)
    return tf.reshape(kept, tf.shape(scores))  # of no images the shape is forgotten


def batched_nms(boxes, scores, classes, iou_threshold):
    if boxes.shape[0] == 0:
        return tf.zeros((0,), tf.int64)
    boxes, ranks = _not_inverted(boxes), _ranks(scores)

    def with_those_of(kept, label):
        own = tf.where(classes == label, ranks, -float("inf"))  # the others are none
        more = _nms(boxes, own, iou_threshold)[:, None]
        return tf.tensor_scatter_nd_update(kept, more, tf.ones_like(more[:, 0], bool))

    # one NMS per class
    kept = tf.foldl(with_those_of, tf.unique(classes).y, tf.zeros_like(ranks, tf.bool))
    kept = tf.where(kept)[:, 0]
    order = tf.argsort(tf.gather(scores, kept), direction="DESCENDING", stable=True)
    return tf.gather(kept, order)


def as_kept(kept, new_scores, scores):
    with tf.device(scores.device):
        return tf.constant(kept, tf.int64), tf.constant(new_scores, scores.dtype)


def multibox_detection(
    cls_probs, offset_preds, anchors, nms_threshold, pos_threshold, background=True
):
    B, _, A = keras.ops.shape(cls_probs)
    confidence = tf.reduce_max(cls_probs[:, 1:], axis=1)  # (B, A)
    label = tf.argmax(cls_probs[:, 1:], axis=1)
    is_likely = tf.cast(confidence, tf.float32) >= pos_threshold
    boxes = offset_inverse(anchors, tf.reshape(offset_preds, (B, A, 4)))
    # a box scored −∞ does not exist for NMS
    ranks = tf.where(is_likely | background, _ranks(confidence), -float("inf"))
    kept = keep(boxes, ranks, nms_threshold)

    # a stable sort leaves the removed ones, of equal rank, in the order of their index
    rank = tf.where(kept, confidence, -float("inf"))
    order = tf.argsort(rank, direction="DESCENDING", stable=True)
    is_object = kept & is_likely
    rows = tf.stack(
        (
            tf.cast(tf.where(is_object, label, -1), confidence.dtype),
            tf.where(is_likely, confidence, 1 - confidence),
            *tf.unstack(boxes, axis=-1),
        ),
        axis=-1,
    )
    return tf.gather(rows, order, batch_dims=1)
