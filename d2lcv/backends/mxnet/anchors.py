"""Anchors in MXNet."""

import math

import mxnet as mx
from mxnet import autograd, np, npx

from ...anchors import CENTER_SCALE, MAX_LOG_GROWTH, SIZE_SCALE
from .boxes import box_center_to_corner, box_corner_to_center

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
    height, width = data.shape[-2:]
    ctx, w = data.ctx, height / width
    y = (np.arange(height, ctx=ctx).reshape(-1, 1, 1, 1) + 0.5) / height
    x = (np.arange(width, ctx=ctx).reshape(-1, 1, 1) + 0.5) / width
    corners = (
        np.array([(-a * w, -b, a * w, b) for a, b in shapes], ctx=ctx) / 2
    )  # (K, 4)
    # the rows last: one pass over all anchors, (H, W, K, 4)
    row = x * np.array([1, 0, 1, 0], ctx=ctx) + corners
    return (y * np.array([0, 1, 0, 1], ctx=ctx) + row).reshape(1, -1, 4)


def assign_anchor_to_bbox(ground_truth, anchors, device, iou_threshold):
    classes = np.zeros_like(ground_truth[:, :1])
    labels = np.expand_dims(np.concatenate((classes, ground_truth), axis=1), 0)
    assigned = assign_anchors(anchors, labels, iou_threshold)[0]  # (A,)
    return assigned if device is None else assigned.as_in_ctx(device)


def assign_anchors(anchors, labels, iou_threshold):
    """(A, 4), (B, G, 5) → (B, A) indices of label rows, −1 where none."""
    (B, G), A = labels.shape[:2], len(anchors)
    if not B * G * A:
        return np.full((B, A), -1, dtype=np.int32, ctx=anchors.ctx)
    with autograd.pause():
        iou = _iou(labels[..., 1:].reshape(-1, 4), anchors).reshape(B, G, A)
        iou -= 2 * (labels[..., :1] < 0)
        box = iou.argmax(axis=1)  # every anchor's best box
        best = npx.pick(iou, box, axis=1).astype(np.float32)
        enough = best >= iou_threshold
        assigned = np.where(enough, box, -1).astype(np.int32)
        image, box, anchor = _one_anchor_per_box(iou)
        assigned[image, anchor] = box
        return assigned


def _iou(boxes1, boxes2):
    # one kernel, without gradients: here none are wanted
    boxes1, boxes2 = boxes1.as_nd_ndarray(), boxes2.as_nd_ndarray()
    return mx.nd.contrib.box_iou(boxes1, boxes2).as_np_ndarray()


def _one_anchor_per_box(iou):
    """The greedy matching of iou (B, G, A): image, box and anchor index of its pairs.

    Taking pairs by falling IoU gives the one stable matching, and so does this (Gale and
    Shapley, 1962): every box asks its best anchor, an anchor keeps the best box that
    asks, the others strike that anchor and ask again. A few rounds serve all images.
    """
    B, G, _ = iou.shape
    anchor = iou.argmax(axis=2)  # (B, G)
    best = npx.pick(iou, anchor)
    earlier = np.tril(np.ones((G, G), ctx=iou.ctx), -1).astype(bool)
    while True:
        mine, rival = best.reshape(B, G, 1), best.reshape(B, 1, G)
        same = anchor.reshape(B, G, 1) == anchor.reshape(B, 1, G)
        # & and | do not broadcast booleans; * and + do
        lost = (same * ((rival > mine) + (rival == mine) * earlier)).any(axis=2)
        image, box = np.nonzero(lost * (best >= 0))
        if not len(box):
            image, box = np.nonzero(best >= 0)
            return image, box, anchor[image, box]
        iou[image, box, anchor[image, box]] = -1
        row = iou[image, box]  # (boxes that lost, A)
        anchor[image, box] = row.argmax(axis=1)
        best[image, box] = row.max(axis=1)


def offset_boxes(anchors, assigned_bb, eps):
    (a, a_size), (b, b_size) = (
        np.split(box_corner_to_center(x), 2, axis=-1) for x in (anchors, assigned_bb)
    )
    a_size = np.maximum(a_size, eps)
    center = (b - a) / a_size / CENTER_SCALE
    growth = np.log(eps + np.maximum(b_size, 0) / a_size) / SIZE_SCALE
    return np.concatenate((center, growth), axis=-1)


def offset_inverse(anchors, offset_preds):
    anchors = box_corner_to_center(anchors)
    a, size = anchors[..., :2], anchors[..., 2:]
    shift, growth = offset_preds[..., :2], offset_preds[..., 2:]
    center = a + shift * CENTER_SCALE * size
    size = size * np.exp(np.minimum(growth * SIZE_SCALE, MAX_LOG_GROWTH))
    return box_center_to_corner(np.concatenate((center, size), axis=-1))


def multibox_target(anchors, labels, iou_threshold):
    anchors = anchors[0]  # (A, 4)
    with autograd.pause():
        assigned = assign_anchors(anchors, labels, iou_threshold)  # (B, A)
        positive = assigned >= 0
        classes = np.zeros_like(assigned)
        offsets = np.zeros((*assigned.shape, 4), dtype=anchors.dtype, ctx=anchors.ctx)
        image, anchor = np.nonzero(positive)
        if len(image):  # MXNet refuses to index labels without rows, even nowhere
            rows = labels[image, assigned[image, anchor]]  # (number of positives, 5)
            classes[image, anchor] = rows[:, 0].astype(np.int32) + 1
            offsets[image, anchor] = offset_boxes(anchors[anchor], rows[:, 1:], 1e-6)
        masks = np.repeat(positive.astype(np.float32), 4, axis=1)
        return offsets.reshape(len(labels), -1), masks, classes
