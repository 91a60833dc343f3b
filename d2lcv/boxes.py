"""Bounding boxes: two ways to write one down, and how much two of them overlap.

A corner box is (x1, y1, x2, y2), upper left and lower right, x to the right and y down; a
centre box is (cx, cy, width, height). Any unit will do, as long as it is one.
"""

from __future__ import annotations

from typing import Any

from .backends import Tensor, backend
from .checks import as_given, floats

__all__ = ["box_center_to_corner", "box_corner_to_center", "box_iou"]


def box_corner_to_center(boxes: Tensor) -> Tensor:
    """Corner boxes (x1, y1, x2, y2) as centre boxes (cx, cy, w, h).

    Args:
        boxes: (..., 4), usually (n, 4); one box of shape (4,) is allowed. Integers
            become float32 (`docs/numbers.md`).

    Returns:
        A tensor of the same shape.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: the last axis is not 4.
    """
    (corners,) = floats(boxes=(boxes, "... 4"))
    return as_given(backend.boxes.box_corner_to_center(corners), boxes)


def box_center_to_corner(boxes: Tensor) -> Tensor:
    """Centre boxes (cx, cy, w, h) as corner boxes (x1, y1, x2, y2).

    The inverse of `box_corner_to_center`; same arguments, errors and shape.
    """
    (centers,) = floats(boxes=(boxes, "... 4"))
    return as_given(backend.boxes.box_center_to_corner(centers), boxes)


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union (Jaccard index) of every pair of corner boxes.

    Args:
        boxes1: (n, 4).
        boxes2: (m, 4), in the same unit.

    Returns:
        (n, m), each in [0, 1]. A box whose corners are swapped is empty, and a pair whose
        union has no area has IoU 0. Finite boxes never give NaN: where float32 does not
        hold an area, it is computed in float64, which does (sides from 1e−150 to 1e150).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a shape other than (n, 4).
    """
    a, b = floats(boxes1=(boxes1, "n 4"), boxes2=(boxes2, "m 4"))
    iou = backend.boxes.box_iou(*with_areas(a, b))
    if iou.dtype != a.dtype:
        iou = backend.tensors.astype(iou, a.dtype)
    return as_given(iou, boxes1, boxes2)


# The areas of boxes with sides in this range are float32 of full precision.
_SHORTEST, _LONGEST = 1e-15, 1e15


def with_areas(*boxes: Any) -> tuple[Any, ...]:
    """Corner boxes (..., 4) in a type that holds their areas: float64 if float32 does not.

    A compiled step cannot look, and computes in the type that it has.
    """
    t = backend.tensors
    if all(x.dtype == t.float64 for x in boxes) or all(map(_areas_fit, boxes)):
        return boxes
    return tuple(t.astype(x, t.float64) for x in boxes)


def _areas_fit(boxes: Any) -> bool:
    longest = backend.tensors.extent(boxes)
    if longest is None:
        return True
    if not longest < _LONGEST / 2:
        return False
    corners = backend.tensors.numpy(boxes)
    sides = corners[..., 2:] - corners[..., :2]
    return not ((sides > 0) & (sides < _SHORTEST)).any()
