"""Detections in MXNet."""

import mxnet as mx
from mxnet import autograd, np, npx

from .anchors import offset_inverse
from .boxes import box_iou

__all__ = ["as_kept", "batched_nms", "multibox_detection", "nms"]


def nms(boxes, scores, iou_threshold):
    return batched_nms(boxes, scores, np.zeros_like(scores), iou_threshold)


def batched_nms(boxes, scores, classes, iou_threshold):
    if not len(boxes):
        return np.zeros((0,), dtype=np.int32, ctx=boxes.ctx)
    with autograd.pause():
        # numbered anew: box_nms reads classes as floats and drops those of class -1
        _, classes = np.unique(classes, return_inverse=True)
        boxes, scores, classes = (
            np.expand_dims(x, 0) for x in (boxes, scores, classes)
        )
        order = _by_falling(scores)[0]
        return order[_kept(boxes, scores, classes, iou_threshold)[0, order]]


def as_kept(kept, new_scores, scores):
    return (
        np.array(kept, dtype=np.int32, ctx=scores.ctx),
        np.array(new_scores, dtype=scores.dtype, ctx=scores.ctx),
    )


def multibox_detection(cls_probs, offset_preds, anchors, nms_threshold, pos_threshold):
    B, _, A = cls_probs.shape
    if not B * A:
        return np.zeros((B, A, 6), dtype=anchors.dtype, ctx=anchors.ctx)
    with autograd.pause():
        cls_probs = cls_probs[:, 1:]
        label = cls_probs.argmax(axis=1)  # (B, A)
        confidence = npx.pick(cls_probs, label, axis=1)
        boxes = offset_inverse(anchors, offset_preds.reshape(B, A, 4))
        kept = _kept(boxes, confidence, np.zeros_like(label), nms_threshold)

        # a stable sort leaves the removed ones, of equal rank, in the order of their index
        order = _by_falling(np.where(kept, confidence, -np.inf))
        is_likely = confidence.astype(np.float32) >= pos_threshold
        is_object = kept * is_likely
        scores = (
            np.where(is_object, label, -1).astype(boxes.dtype),
            np.where(is_likely, confidence, 1 - confidence),
        )
        rows = np.concatenate((np.stack(scores, axis=-1), boxes), axis=-1)
        return rows[_images(rows), order]


def _by_falling(scores):
    """The indices that sort (B, n) scores; of equal ones the lower index goes first."""
    # MXNet's own argsort is not stable; lexsort is, being NumPy's
    return np.lexsort((-scores,)).astype(np.int32)


def _images(x):
    return np.arange(len(x), dtype=np.int32, ctx=x.ctx).reshape(-1, 1)  # (B, 1)


def _kept(boxes, scores, classes, iou_threshold):
    """Which of the boxes (B, n, 4) with scores and classes (B, n) NMS keeps: (B, n)."""
    B, n = scores.shape
    order = _by_falling(scores)
    kept = np.zeros((B, n), dtype=bool, ctx=boxes.ctx)
    if boxes.dtype == np.float64:
        for i in range(B):
            rows = _kept_doubles(
                boxes[i, order[i]], classes[i, order[i]], iou_threshold
            )
            kept[i, order[i]] = rows
        return kept
    boxes, classes = (x[_images(x), order].astype(np.float32) for x in (boxes, classes))
    # the sort in box_nms is not stable either: it is given n, n - 1, ..., 1 as scores
    number = np.broadcast_to(np.arange(n, 0, -1, ctx=boxes.ctx), (B, n))
    rows = np.concatenate((np.stack((number, classes), axis=-1), boxes), axis=-1)
    number = mx.nd.contrib.box_nms(
        rows.as_nd_ndarray(),
        overlap_thresh=iou_threshold,
        score_index=0,
        id_index=1,
        coord_start=2,
    ).as_np_ndarray()[..., 0]  # -1 for the removed ones, at the end
    image, place = np.nonzero(number > 0)
    kept[image, order[image, (n - number[image, place]).astype(np.int32)]] = True
    return kept


def _kept_doubles(boxes, classes, iou_threshold):
    """Which of the boxes (n, 4), best first, NMS keeps, overlaps compared as float32."""
    # box_nms would compare them as doubles, with a float32
    iou = box_iou(boxes, boxes).astype(np.float32)
    covers = (iou > iou_threshold) * (classes.reshape(-1, 1) == classes)
    covers = np.tril(covers.astype(np.float32), -1)  # (n, n): worse × better
    kept = np.ones(len(boxes), ctx=boxes.ctx)
    while True:  # after k rounds at least the best k are decided
        now = (np.dot(covers, kept) == 0).astype(np.float32)
        if (now == kept).all():
            return kept.astype(bool)
        kept = now
