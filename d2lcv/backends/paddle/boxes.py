"""Boxes in PaddlePaddle."""

import paddle

__all__ = ["box_center_to_corner", "box_corner_to_center", "box_iou"]


def box_corner_to_center(boxes):
    x1, y1, x2, y2 = boxes.unbind(-1)
    return paddle.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=-1)


def box_center_to_corner(boxes):
    cx, cy, w, h = boxes.unbind(-1)
    return paddle.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=-1)


def box_iou(boxes1, boxes2):
    # one vector per corner: several times faster than (n, m, 2) broadcasts
    x1, y1, x2, y2 = boxes1[:, None].unbind(-1)  # each (n, 1)
    u1, v1, u2, v2 = boxes2.unbind(-1)  # each (m,)
    area1 = (x2 - x1).clip(min=0) * (y2 - y1).clip(min=0)
    area2 = (u2 - u1).clip(min=0) * (v2 - v1).clip(min=0)
    width = (paddle.minimum(x2, u2) - paddle.maximum(x1, u1)).clip(min=0)
    height = (paddle.minimum(y2, v2) - paddle.maximum(y1, v1)).clip(min=0)
    intersection = width * height
    union = area1 + area2 - intersection
    return intersection / union.clip(min=paddle.finfo(union.dtype).tiny)
