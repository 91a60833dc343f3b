"""Anchors in PyTorch."""

import math

import torch

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
    options = {"dtype": torch.float32, "device": data.device}
    cy = (torch.arange(height, **options) + 0.5) / height
    cx = (torch.arange(width, **options) + 0.5) / width
    w, h = torch.tensor(shapes, **options).unbind(1)  # (K,) anchors of a pixel
    cy, cx, w = cy[:, None, None], cx[None, :, None], w * height / width
    corners = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    return torch.stack(torch.broadcast_tensors(*corners), -1).reshape(1, -1, 4)


def assign_anchor_to_bbox(ground_truth, anchors, device, iou_threshold):
    labels = torch.nn.functional.pad(ground_truth, (1, 0))[None]  # all of class 0
    assigned = assign_anchors(anchors, labels, iou_threshold)[0]  # (A,)
    return assigned if device is None else assigned.to(device)


@torch.no_grad()
def assign_anchors(anchors, labels, iou_threshold):
    """(A, 4), (B, G, 5) → (B, A) indices of label rows, −1 where none."""
    (B, G), A = labels.shape[:2], len(anchors)
    assigned = torch.full((B, A), -1, device=anchors.device)
    if not G or not A:
        return assigned
    iou = box_iou(labels[..., 1:].reshape(-1, 4), anchors).reshape(B, G, A)
    iou.masked_fill_((labels[..., :1] < 0), -1)
    best, box = iou.max(dim=1)  # every anchor's best box
    assigned = torch.where(best.float() >= iou_threshold, box, assigned)
    image, box, anchor = _one_anchor_per_box(iou)
    assigned[image, anchor] = box
    return assigned


def _one_anchor_per_box(iou):
    """The greedy matching of iou (B, G, A): image, box and anchor index of its pairs.

    Taking pairs by falling IoU gives the one stable matching, and so does this (Gale and
    Shapley, 1962): every box asks its best anchor, an anchor keeps the best box that
    asks, the others strike that anchor and ask again. A few rounds serve all images.
    """
    if torch.compiler.is_compiling():
        return _one_by_one(iou)
    G = iou.shape[1]
    best, anchor = iou.max(dim=2)  # (B, G)
    earlier = torch.ones(G, G, dtype=torch.bool, device=iou.device).tril(-1)
    while True:
        same = (anchor[:, :, None] == anchor[:, None, :]) & (best >= 0)[:, None, :]
        rival, mine = best[:, None, :], best[:, :, None]
        lost = (same & ((rival > mine) | (rival == mine) & earlier)).any(dim=2)
        image, box = (lost & (best >= 0)).nonzero(as_tuple=True)
        if not len(box):
            image, box = (best >= 0).nonzero(as_tuple=True)
            return image, box, anchor[image, box]
        iou[image, box, anchor[image, box]] = -1
        best[image, box], anchor[image, box] = iou[image, box].max(dim=1)


def _one_by_one(iou):
    """The same pairs, the best of all that are left each time: so many rounds are known."""
    G, A = iou.shape[1:]
    boxes, anchors = (torch.arange(n, device=iou.device) for n in (G, A))
    pairs = []
    for _ in range(min(G, A)):
        best, pair = iou.flatten(1).max(dim=1)  # (B,)
        box, anchor = pair // A, pair % A
        pairs.append((torch.where(best >= 0, box, -1), anchor))
        chosen = (boxes == box[:, None])[:, :, None]  # (B, G, 1)
        taken = (anchors == anchor[:, None])[:, None]  # (B, 1, A)
        iou = iou.masked_fill(chosen | taken, -1)
    box, anchor = (torch.stack(column, dim=1) for column in zip(*pairs, strict=False))
    image, turn = (box >= 0).nonzero(as_tuple=True)
    return image, box[image, turn], anchor[image, turn]


def offset_boxes(anchors, assigned_bb, eps):
    a, b = box_corner_to_center(anchors), box_corner_to_center(assigned_bb)
    size = a[..., 2:].clamp(min=eps)
    center = (b[..., :2] - a[..., :2]) / size / CENTER_SCALE
    growth = torch.log(eps + b[..., 2:].clamp(min=0) / size) / SIZE_SCALE
    return torch.cat((center, growth), dim=-1)


def offset_inverse(anchors, offset_preds):
    cx, cy, w, h = box_corner_to_center(anchors).unbind(-1)
    # one vector per number: twice as fast as (..., A, 2)
    dx, dy, dw, dh = offset_preds.unbind(-1)
    cx, cy = cx + dx * CENTER_SCALE * w, cy + dy * CENTER_SCALE * h
    w = w * (dw * SIZE_SCALE).clamp(max=MAX_LOG_GROWTH).exp()
    h = h * (dh * SIZE_SCALE).clamp(max=MAX_LOG_GROWTH).exp()
    return box_center_to_corner(torch.stack((cx, cy, w, h), dim=-1))


@torch.no_grad()
def multibox_target(anchors, labels, iou_threshold):
    anchors = anchors[0]  # (A, 4)
    assigned = assign_anchors(anchors, labels, iou_threshold)  # (B, A)
    positive = assigned >= 0
    classes = torch.zeros_like(assigned)
    offsets = anchors.new_zeros(*assigned.shape, 4)
    image, anchor = positive.nonzero(as_tuple=True)
    rows = labels[image, assigned[image, anchor]]  # (number of positives, 5)
    classes[image, anchor] = rows[:, 0].long() + 1
    offsets[image, anchor] = offset_boxes(anchors[anchor], rows[:, 1:], 1e-6)
    masks = positive[..., None].expand(-1, -1, 4).float()
    return offsets.flatten(1), masks.flatten(1), classes
