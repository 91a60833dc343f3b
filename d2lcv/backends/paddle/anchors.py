"""Anchors in PaddlePaddle."""

import math

import paddle

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
    height, width = data.shape[-2:]
    options = {"dtype": "float32", "device": data.place}
    cy = (paddle.arange(height, **options) + 0.5) / height
    cx = (paddle.arange(width, **options) + 0.5) / width
    w, h = paddle.to_tensor(shapes, "float32", data.place).unbind(1)  # of a pixel
    cy, cx, w = cy[:, None, None], cx[None, :, None], w * height / width
    corners = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]
    return paddle.stack(paddle.broadcast_tensors(corners), axis=-1).reshape([1, -1, 4])


def assign_anchor_to_bbox(ground_truth, anchors, device, iou_threshold):
    classes = paddle.zeros_like(ground_truth[:, :1])
    labels = paddle.concat([classes, ground_truth], axis=1)[None]  # (1, G, 5)
    assigned = assign_anchors(anchors, labels, iou_threshold)[0]  # (A,)
    return assigned if device is None else assigned.to(device)


@paddle.no_grad()
def assign_anchors(anchors, labels, iou_threshold):
    """(A, 4), (B, G, 5) → (B, A) indices of label rows, −1 where none."""
    (B, G), A = labels.shape[:2], anchors.shape[0]
    if not G or not A:
        return paddle.full([B, A], -1, dtype="int64")
    iou = box_iou(labels[..., 1:].reshape([-1, 4]), anchors).reshape([B, G, A])
    iou = iou.masked_fill(labels[..., :1] < 0, -1)
    enough = iou.max(1).astype("float32") >= iou_threshold
    assigned = paddle.where(enough, iou.argmax(1), -1)
    image, box, anchor = _one_anchor_per_box(iou)
    return assigned.index_put((image, anchor), box)


def _one_anchor_per_box(iou):
    """The greedy matching of iou (B, G, A): image, box and anchor index of its pairs.

    Taking pairs by falling IoU gives the one stable matching, and so does this (Gale and
    Shapley, 1962): every box asks its best anchor, an anchor keeps the best box that
    asks, the others strike that anchor and ask again. A few rounds serve all images.
    """
    if not paddle.in_dynamic_mode():
        return _one_by_one(iou)
    G = iou.shape[1]
    anchor = iou.argmax(2)  # (B, G)
    best = iou.take_along_axis(anchor[..., None], 2).squeeze(2)
    earlier = paddle.ones([G, G]).tril(-1).astype("bool")
    while True:
        same = (anchor[:, :, None] == anchor[:, None, :]) & (best >= 0)[:, None, :]
        rival, mine = best[:, None, :], best[:, :, None]
        lost = (same & ((rival > mine) | (rival == mine) & earlier)).any(2)
        image, box = (lost & (best >= 0)).nonzero(as_tuple=True)
        if not len(box):
            image, box = (best >= 0).nonzero(as_tuple=True)
            return image, box, anchor[image, box]
        iou[image, box, anchor[image, box]] = -1
        rows = iou[image, box]
        best[image, box], anchor[image, box] = rows.max(1), rows.argmax(1)


def _one_by_one(iou):
    """The same pairs, the best of all that are left each time: so many rounds are known."""
    G, A = iou.shape[1:]
    boxes, anchors, pairs = paddle.arange(G), paddle.arange(A), []
    for _ in range(min(G, A)):
        rows = iou.flatten(1)
        best, pair = rows.max(1), rows.argmax(1)  # (B,)
        box, anchor = pair // A, pair % A
        pairs.append((paddle.where(best >= 0, box, -1), anchor))
        chosen = (boxes == box[:, None])[:, :, None]  # (B, G, 1)
        taken = (anchors == anchor[:, None])[:, None]  # (B, 1, A)
        iou = iou.masked_fill(chosen | taken, -1)
    box, anchor = (paddle.stack(column, axis=1) for column in zip(*pairs, strict=False))
    image, turn = (box >= 0).nonzero(as_tuple=True)
    return image, box[image, turn], anchor[image, turn]


def offset_boxes(anchors, assigned_bb, eps):
    a, b = box_corner_to_center(anchors), box_corner_to_center(assigned_bb)
    size = a[..., 2:].clip(min=eps)
    center = (b[..., :2] - a[..., :2]) / size / CENTER_SCALE
    growth = paddle.log(eps + b[..., 2:].clip(min=0) / size) / SIZE_SCALE
    return paddle.concat([center, growth], axis=-1)


def offset_inverse(anchors, offset_preds):
    a = box_corner_to_center(anchors)
    center = a[..., :2] + offset_preds[..., :2] * CENTER_SCALE * a[..., 2:]
    growth = (offset_preds[..., 2:] * SIZE_SCALE).clip(max=MAX_LOG_GROWTH)
    return box_center_to_corner(
        paddle.concat([center, a[..., 2:] * growth.exp()], axis=-1)
    )


@paddle.no_grad()
def multibox_target(anchors, labels, iou_threshold):
    anchors = anchors[0]  # (A, 4)
    assigned = assign_anchors(anchors, labels, iou_threshold)  # (B, A)
    positive = assigned >= 0
    classes = paddle.zeros_like(assigned)
    offsets = paddle.zeros([*assigned.shape, 4], dtype=anchors.dtype)
    image, anchor = positive.nonzero(as_tuple=True)
    rows = labels[image, assigned[image, anchor]]  # (number of positives, 5)
    classes = classes.index_put((image, anchor), rows[:, 0].astype("int64") + 1)
    found = offset_boxes(anchors[anchor], rows[:, 1:], 1e-6)
    offsets = offsets.index_put((image, anchor), found)
    masks = positive[..., None].expand_as(offsets).astype("float32")
    return offsets.flatten(1), masks.flatten(1), classes
