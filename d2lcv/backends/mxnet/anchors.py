"""Anchors in MXNet."""

import math

import mxnet as mx
import numpy as onp
from mxnet import autograd, np

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
    cy = (onp.arange(height, dtype="float32") + 0.5) / height
    cx = (onp.arange(width, dtype="float32") + 0.5) / width
    w, h = onp.array(shapes, dtype="float32").T  # (K,) anchors of a pixel
    cy, cx, w = cy[:, None, None], cx[None, :, None], w * height / width
    corners = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    anchors = onp.stack(onp.broadcast_arrays(*corners), axis=-1)  # (H, W, K, 4)
    return np.array(anchors.reshape(1, -1, 4), ctx=data.ctx)


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
    # the overlaps by one kernel, which passes no gradient on: here none is wanted. The
    # rest is NumPy on the host: MXNet takes longer to start an operation than it takes
    boxes = labels[..., 1:].reshape(-1, 4).as_nd_ndarray()
    iou = mx.nd.contrib.box_iou(boxes, anchors.as_nd_ndarray()).asnumpy()
    iou = iou.reshape(B, G, A)
    iou[labels[..., 0].asnumpy() < 0] = -1
    enough = iou.max(axis=1).astype(onp.float32) >= iou_threshold
    assigned = onp.where(enough, iou.argmax(axis=1), -1).astype(onp.int32)
    image, box, anchor = _one_anchor_per_box(iou)
    assigned[image, anchor] = box
    return np.array(assigned, dtype=np.int32, ctx=anchors.ctx)


def _one_anchor_per_box(iou):
    """The greedy matching of iou (B, G, A): image, box and anchor index of its pairs.

    Taking pairs by falling IoU gives the one stable matching, and so does this (Gale and
    Shapley, 1962): every box asks its best anchor, an anchor keeps the best box that
    asks, the others strike that anchor and ask again. A few rounds serve all images.
    """
    G = iou.shape[1]
    anchor, best = iou.argmax(axis=2), iou.max(axis=2)  # (B, G)
    earlier = onp.tri(G, k=-1, dtype=bool)
    while True:
        same = (anchor[:, :, None] == anchor[:, None, :]) & (best >= 0)[:, None, :]
        rival, mine = best[:, None, :], best[:, :, None]
        lost = (same & ((rival > mine) | (rival == mine) & earlier)).any(axis=2)
        image, box = onp.nonzero(lost & (best >= 0))
        if not len(box):
            image, box = onp.nonzero(best >= 0)
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
    a, size = np.split(box_corner_to_center(anchors), 2, axis=-1)
    shift, growth = np.split(offset_preds, 2, axis=-1)
    center = a + shift * CENTER_SCALE * size
    size = size * np.exp(np.minimum(growth * SIZE_SCALE, MAX_LOG_GROWTH))
    return box_center_to_corner(np.concatenate((center, size), axis=-1))


def multibox_target(anchors, labels, iou_threshold):
    anchors = anchors[0]  # (A, 4)
    with autograd.pause():
        assigned = assign_anchors(anchors, labels, iou_threshold).asnumpy()  # (B, A)
        positive = assigned >= 0
        classes = onp.zeros_like(assigned)
        offsets = onp.zeros((*assigned.shape, 4), dtype=anchors.dtype)
        image, anchor = onp.nonzero(positive)
        if len(image):  # MXNet refuses to compute with no rows
            rows = labels.asnumpy()[image, assigned[image, anchor]]  # (positives, 5)
            classes[image, anchor] = rows[:, 0].astype(onp.int32) + 1
            own = anchors.asnumpy()[anchor]
            boxes = (
                np.array(own, dtype=own.dtype),
                np.array(rows[:, 1:], dtype=own.dtype),
            )
            offsets[image, anchor] = offset_boxes(*boxes, 1e-6).asnumpy()
        masks = onp.repeat(positive.astype(onp.float32), 4, axis=1)
        found = offsets.reshape(len(labels), -1), masks, classes
        return tuple(np.array(x, dtype=x.dtype, ctx=anchors.ctx) for x in found)
