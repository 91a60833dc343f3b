"""Bounding boxes: two ways to write one down, and how much two of them overlap.

A corner box is (x1, y1, x2, y2), upper left and lower right, x to the right and y down; a
centre box is (cx, cy, width, height). Any unit will do, as long as it is one.
"""

from __future__ import annotations

from typing import Any

from .backends import backend
from .checks import floats

__all__ = ["box_center_to_corner", "box_corner_to_center", "box_iou"]


def box_corner_to_center(boxes: Any) -> Any:
    """Corner boxes (x1, y1, x2, y2) as centre boxes (cx, cy, w, h).

    Args:
        boxes: (..., 4), usually (n, 4); one box of shape (4,) is allowed. Integers are
            cast to float32.

    Returns:
        A tensor of the same shape.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: the last axis is not 4.
    """
    (boxes,) = floats(boxes=(boxes, "... 4"))
    return backend.boxes.box_corner_to_center(boxes)


def box_center_to_corner(boxes: Any) -> Any:
    """Centre boxes (cx, cy, w, h) as corner boxes (x1, y1, x2, y2).

    The inverse of `box_corner_to_center`; same arguments, errors and shape.
    """
    (boxes,) = floats(boxes=(boxes, "... 4"))
    return backend.boxes.box_center_to_corner(boxes)


def box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union (Jaccard index) of every pair of corner boxes.

    Args:
        boxes1: (n, 4).
        boxes2: (m, 4), in the same unit.

    Returns:
        (n, m), each in [0, 1]. A box whose corners are swapped is empty, and a pair whose
        union has no area has IoU 0: boxes whose areas are finite never give NaN.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a shape other than (n, 4).
    """
    boxes1, boxes2 = floats(boxes1=(boxes1, "n 4"), boxes2=(boxes2, "m 4"))
    return backend.boxes.box_iou(boxes1, boxes2)
