"""You only look once (Redmon et al., "YOLO", CVPR 2016), in the small.

A detector without anchors: the picture is divided into H × W cells, and one regression
says of each cell what is in it. Sizes: B batch, G objects, C classes, K boxes of a cell.
"""

from __future__ import annotations

from typing import Any

from .backends import Module, Tensor, backend
from .checks import (
    as_given,
    at_least,
    check_labels,
    checked,
    finite,
    floats,
    integers,
    known_sizes,
    not_negative,
    threshold,
    whole,
)
from .checks import check_picture as check_picture  # the columns' nets ask for it
from .weights import initialize

__all__ = ["TinyYOLO", "yolo_decode", "yolo_detection", "yolo_loss", "yolo_target"]


def TinyYOLO(num_classes: int, num_boxes: int = 2) -> Module:
    """A small YOLO: four down-sampling blocks, two convolutions, one number after another.

    Args:
        num_classes: C, classes of objects; there is no background class.
        num_boxes: K, boxes that each cell predicts.

    Returns:
        A module of the active framework, its weights drawn from `d2lcv.seed`. Called with
        images (B, 3, 16H, 16W), float32, of at least 16 × 16 pixels (`ValueError` for
        smaller ones and for no image), it gives numbers (B, H, W, 5K + C): of each box
        x, y, w, h and confidence, then a score for each class, all before the sigmoid or
        softmax of `yolo_decode`.

    Raises:
        ValueError: a number below 1.
    """
    sizes = integers(num_classes=(num_classes, 1), num_boxes=(num_boxes, 1))
    return initialize(backend.yolo.TinyYOLO(*sizes))


def yolo_target(labels: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Which cell answers for which object: the one that holds the object's centre.

    Args:
        labels: (B, G, 5) rows (class, x1, y1, x2, y2), in fractions of the picture; rows
            of a class below 0 are padding.
        height, width: H and W, how many cells there are.

    Returns:
        classes (B, H, W), integers, −1 where no object has its centre; boxes
        (B, H, W, 4), 0 there. Of several objects in one cell the first row counts.
    """
    given = labels
    (labels,) = floats(labels=(labels, "B G 5"))
    finite(labels=labels)
    known_sizes(labels=labels)
    height, width = at_least("height", height, 1), at_least("width", width, 1)
    classes, boxes = backend.yolo.yolo_target(labels, height, width)
    return classes, as_given(boxes, given)


def yolo_decode(preds: Tensor, num_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """From the net's numbers to boxes, confidences and classes.

    The sigmoid of the first two numbers of a box is its centre within the cell, in widths
    and heights of the cell; that of the next two the square roots of its width and height
    in fractions of the picture; that of the fifth the confidence.

    Args:
        preds: (B, H, W, 5K + C), what `TinyYOLO` gives.
        num_classes: C.

    Returns:
        boxes (B, H, W, K, 4), corners in fractions of the picture; confidences
        (B, H, W, K) that there is an object and the box fits; probabilities of the
        classes (B, H, W, C), given that there is one.
    """
    decoded = backend.yolo.yolo_decode(_numbers(preds, num_classes), num_classes)
    return tuple(as_given(x, preds) for x in decoded)


def yolo_loss(
    preds: Tensor,
    classes: Tensor,
    boxes: Tensor,
    num_classes: int,
    coord_weight: float = 5.0,
    noobj_weight: float = 0.5,
) -> Tensor:
    """Loss of each image: squared errors of places, confidences and classes.

    In a cell with an object the box that overlaps it most (the lower index among equals)
    is responsible. Its x, y (in cells), √w and √h shall be those of the object, weighted
    by `coord_weight`; its confidence shall be its IoU with the object. All other
    confidences shall be 0, weighted by `noobj_weight`. The classes of a cell with an
    object shall be 1 for its class and 0 for the others. Summed over all cells.

    Args:
        preds: (B, H, W, 5K + C), what `TinyYOLO` gives.
        classes, boxes: (B, H, W) and (B, H, W, 4), what `yolo_target` gives.
        num_classes: C.
        coord_weight, noobj_weight: 5 and 0.5 in the paper; at least 0.

    Returns:
        (B,).
    """
    given = preds, boxes
    preds = _numbers(preds, num_classes)
    preds, boxes = floats(preds=(preds, "B H W N"), boxes=(boxes, "B H W 4"))
    checked(preds=(preds, "B H W N"), classes=(classes, "B H W"))
    classes = whole("classes", classes)
    check_labels("classes", classes, num_classes, ignore_index=-1)
    coord_weight = not_negative("coord_weight", coord_weight)
    noobj_weight = not_negative("noobj_weight", noobj_weight)
    loss = backend.yolo.yolo_loss(
        preds, classes, boxes, num_classes, coord_weight, noobj_weight
    )
    return as_given(loss, *given)


def yolo_detection(
    preds: Tensor,
    num_classes: int,
    nms_threshold: float = 0.5,
    pos_threshold: float = 0.009999999,
) -> Tensor:
    """Detections of each image: decoded, suppressed, the sure ones first.

    The score of a box is its confidence times the probability of the likeliest class of
    its cell. Non-maximum suppression does not look at classes, as in `multibox_detection`.

    Args:
        preds: (B, H, W, 5K + C), what `TinyYOLO` gives.
        num_classes: C.
        nms_threshold: a box goes if its IoU with a better one is greater.
        pos_threshold: boxes of a lower score are left out.

    Returns:
        (B, H·W·K, 6) rows (class, score, x1, y1, x2, y2), by falling score; the rows that
        are left over are (−1, 0, 0, 0, 0, 0).
    """
    most = threshold("nms_threshold", nms_threshold)
    least = threshold("pos_threshold", pos_threshold)
    given, preds = preds, _numbers(preds, num_classes)
    finite(preds=preds)
    known_sizes(preds=preds)
    rows = backend.yolo.yolo_detection(preds, num_classes, most, least)
    return as_given(rows, given)


def _numbers(preds: Any, num_classes: int) -> Any:
    """Checked predictions: K is a whole number of boxes."""
    (preds,) = floats(preds=(preds, "B H W N"))
    at_least("num_classes", num_classes, 1)
    numbers = preds.shape[-1] - num_classes
    if numbers % 5 or numbers < 5:
        raise ValueError(
            f"preds: expected 5·K + {num_classes} numbers for each cell, "
            f"got shape {tuple(preds.shape)}"
        )
    return preds
