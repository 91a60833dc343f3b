"""Detections in MXNet."""

import mxnet as mx
import numpy as onp
from mxnet import autograd, np

from .anchors import offset_inverse
from .boxes import box_iou

__all__ = ["as_kept", "batched_nms", "multibox_detection", "nms"]


def nms(boxes, scores, iou_threshold):
    return batched_nms(boxes, scores, np.zeros_like(scores), iou_threshold)


def batched_nms(boxes, scores, classes, iou_threshold):
    if not len(boxes):
        return np.zeros((0,), dtype=np.int32, ctx=boxes.ctx)
    scores, ctx = scores.asnumpy(), boxes.ctx
    # numbered anew: box_nms reads classes as floats and drops those of class -1
    _, classes = onp.unique(classes.asnumpy(), return_inverse=True)
    among = onp.ones((1, len(scores)), dtype=bool)
    kept = _kept(
        boxes.asnumpy()[None], scores[None], classes[None], iou_threshold, among
    )
    order = _by_falling(scores)
    return np.array(order[kept[0, order]], dtype=np.int32, ctx=ctx)


def as_kept(kept, new_scores, scores):
    return (
        np.array(kept, dtype=np.int32, ctx=scores.ctx),
        np.array(new_scores, dtype=scores.dtype, ctx=scores.ctx),
    )


def multibox_detection(
    cls_probs, offset_preds, anchors, nms_threshold, pos_threshold, background=True
):
    B, _, A = cls_probs.shape
    if not B * A:
        return np.zeros((B, A, 6), dtype=anchors.dtype, ctx=anchors.ctx)
    with autograd.pause():
        boxes = offset_inverse(anchors, offset_preds.reshape(B, A, 4)).asnumpy()
    cls_probs = cls_probs.asnumpy()[:, 1:]
    confidence, label = cls_probs.max(axis=1), cls_probs.argmax(axis=1)  # (B, A)
    is_likely = confidence.astype(onp.float32) >= pos_threshold
    among, classes = is_likely | background, onp.zeros((B, A))
    kept = _kept(boxes, confidence, classes, nms_threshold, among)

    scores = onp.where(is_likely, confidence, 1 - confidence)
    label = onp.where(kept & is_likely, label, -1).astype(boxes.dtype)
    rows = onp.concatenate((onp.stack((label, scores), axis=-1), boxes), axis=-1)
    # a stable sort leaves the removed ones, of equal rank, in the order of their index
    order = _by_falling(onp.where(kept, confidence, -onp.inf))
    rows = rows[onp.arange(B)[:, None], order]
    return np.array(rows, dtype=boxes.dtype, ctx=anchors.ctx)


# What sorts and chooses is NumPy on the host: MXNet's `argsort` is not stable, and one step
# waits for the one before it, so that MXNet takes longer to start them than they take


def _by_falling(scores):
    """The indices that sort (..., n) scores; of equal ones the lower index goes first."""
    return onp.argsort(-scores, axis=-1, kind="stable")


def _kept(boxes, scores, classes, iou_threshold, among):
    """Masks (B, n): what NMS keeps of boxes (B, n, 4), those of mask `among` (B, n)."""
    kept, n = onp.zeros(scores.shape, dtype=bool), among.sum(axis=1).max()
    if not n:
        return kept
    order = _by_falling(onp.where(among, scores, -onp.inf))[:, :n]
    image = onp.arange(len(order))[:, None]
    among, boxes, classes = (x[image, order] for x in (among, boxes, classes))
    if boxes.dtype == onp.float64:
        for i, rows in enumerate(among):
            place = order[i, rows]
            kept[i, place] = _kept_doubles(
                boxes[i, rows], classes[i, rows], iou_threshold
            )
        return kept
    # the sort in box_nms is not stable: it is given n, n - 1, ..., 1 as scores, -1 as none
    number = onp.where(among, onp.arange(n, 0, -1), -1)
    rows = onp.concatenate((number[..., None], classes[..., None], boxes), axis=-1)
    number = mx.nd.contrib.box_nms(
        mx.nd.array(rows, dtype="float32"),
        overlap_thresh=iou_threshold,
        score_index=0,
        id_index=1,
        coord_start=2,
    ).asnumpy()[..., 0]  # -1 for the removed ones, at the end
    image, place = onp.nonzero(number > 0)
    kept[image, order[image, (n - number[image, place]).astype(int)]] = True
    return kept


def _kept_doubles(boxes, classes, iou_threshold):
    """Which of the boxes (n, 4), best first, NMS keeps, overlaps compared as float32."""
    # box_nms would compare them as doubles, with a float32
    boxes = np.array(boxes, dtype="float64")
    iou = box_iou(boxes, boxes).asnumpy().astype(onp.float32)
    covers = (iou > iou_threshold) & (classes[:, None] == classes)
    covers = onp.tril(covers, -1).astype(onp.float32)  # (n, n): worse × better
    kept = onp.ones(len(boxes), dtype=onp.float32)
    while True:  # after k rounds at least the best k are decided
        now = (covers @ kept == 0).astype(onp.float32)
        if (now == kept).all():
            return kept.astype(bool)
        kept = now
