"""Boxes in MXNet."""

from mxnet import np

__all__ = ["box_center_to_corner", "box_corner_to_center", "box_iou"]


def box_corner_to_center(boxes):
    upper_left, lower_right = boxes[..., :2], boxes[..., 2:]
    center, size = (upper_left + lower_right) / 2, lower_right - upper_left
    return np.concatenate((center, size), axis=-1)


def box_center_to_corner(boxes):
    center, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate((center - size / 2, center + size / 2), axis=-1)


def box_iou(boxes1, boxes2):
    # `mx.nd.contrib.box_iou` is one kernel, but passes no gradient on
    x1, y1, x2, y2 = np.split(boxes1, 4, axis=1)  # each (n, 1)
    u1, v1, u2, v2 = np.split(boxes2.T, 4, axis=0)  # each (1, m)
    area1 = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    area2 = np.maximum(u2 - u1, 0) * np.maximum(v2 - v1, 0)
    width = np.maximum(np.minimum(x2, u2) - np.maximum(x1, u1), 0)
    height = np.maximum(np.minimum(y2, v2) - np.maximum(y1, v1), 0)
    intersection = width * height
    union = area1 + area2 - intersection
    return intersection / (union + (union == 0))
