"""From scored boxes to detections, and how good the detections are.

Sizes: B batch, A anchors, C classes without background, G rows of a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backends import backend
from .checks import check_shapes, checked, floats, in_range

__all__ = [
    "average_precision",
    "batched_nms",
    "mean_average_precision",
    "multibox_detection",
    "nms",
    "soft_nms",
]


def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Non-maximum suppression: the boxes that no better box covers.

    Boxes are gone through by falling score (equal scores: the lower index first); a box
    goes if its IoU with one that was kept is greater than the threshold.

    Args:
        boxes: (n, 4) corner boxes.
        scores: (n,).
        iou_threshold: in [0, 1].

    Returns:
        (k,) indices of the kept boxes, best score first; int64 (int32 in MXNet).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape or a threshold outside [0, 1].
    """
    boxes, scores = floats(boxes=(boxes, "n 4"), scores=(scores, "n"))
    in_range("iou_threshold", iou_threshold, 0, 1)
    return backend.detection.nms(boxes, scores, iou_threshold)


def batched_nms(boxes: Any, scores: Any, classes: Any, iou_threshold: float) -> Any:
    """Class-aware non-maximum suppression: only boxes of one class suppress each other.

    Args:
        boxes: (n, 4) corner boxes.
        scores: (n,).
        classes: (n,) integers.
        iou_threshold: in [0, 1].

    Returns:
        (k,) indices of the kept boxes of all classes, best score first.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape or a threshold outside [0, 1].
    """
    boxes, scores = floats(boxes=(boxes, "n 4"), scores=(scores, "n"))
    checked(classes=(classes, "n"))
    check_shapes(scores=(scores, "n"), classes=(classes, "n"))
    in_range("iou_threshold", iou_threshold, 0, 1)
    return backend.detection.batched_nms(boxes, scores, classes, iou_threshold)


def soft_nms(
    boxes: Any,
    scores: Any,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
    method: str = "gaussian",
    iou_threshold: float = 0.3,
) -> tuple[Any, Any]:
    """Soft non-maximum suppression: an overlap lowers a score instead of removing a box.

    Again and again the box of the highest score s is taken (equal scores: the lower index
    first), and the score of every box that is left is multiplied, by its IoU with the one
    taken (Bodla et al., "Soft-NMS", ICCV 2017). "gaussian": by exp(−IoU²/σ). "linear": by
    1 − IoU where the IoU is at least `iou_threshold`.

    Args:
        boxes: (n, 4) corner boxes.
        scores: (n,), not negative.
        sigma: width of the Gaussian, positive; the smaller, the harsher.
        score_threshold: a box goes when its score falls below.
        method: "gaussian" or "linear".
        iou_threshold: for "linear", in [0, 1].

    Returns:
        (k,) indices of the kept boxes and (k,) their new scores, best first; indices are
        int64 (int32 in MXNet).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a negative score, an unknown method, or a number out of
            its range.
    """
    boxes, scores = floats(boxes=(boxes, "n 4"), scores=(scores, "n"))
    if not sigma > 0:
        raise ValueError(f"sigma: expected a positive number, got {sigma}")
    in_range("score_threshold", score_threshold, 0, float("inf"))
    in_range("iou_threshold", iou_threshold, 0, 1)
    if method not in ("gaussian", "linear"):
        raise ValueError(f"method: expected 'gaussian' or 'linear', got {method!r}")
    iou = backend.tensors.numpy(backend.boxes.box_iou(boxes, boxes))
    left = backend.tensors.numpy(scores).copy()
    if not (left >= 0).all():
        raise ValueError(f"scores: expected numbers of at least 0, got {left.min()}")
    if method == "gaussian":
        factors = np.exp(-(iou**2) / sigma)
    else:
        factors = np.where(iou >= iou_threshold, 1 - iou, 1)
    # Every pick waits for the one before it: small steps, which the host is best at.
    kept, new_scores = [], []
    for _ in range(len(left)):
        best = int(left.argmax())
        if left[best] < score_threshold:
            break
        kept.append(best)
        new_scores.append(float(left[best]))
        left *= factors[best]
        left[best], factors[:, best] = -1, 1  # taken, and stays so
    return backend.detection.as_kept(kept, new_scores, scores)


def multibox_detection(
    cls_probs: Any,
    offset_preds: Any,
    anchors: Any,
    nms_threshold: float = 0.5,
    pos_threshold: float = 0.009999999,
) -> Any:
    """Detections of a single-shot detector: offsets applied, one box kept per object.

    An anchor's class is the likeliest one besides the background, its confidence that
    probability. NMS does not look at the class (see `batched_nms` for the variant that
    does) and runs over all anchors, whatever their confidence.

    Args:
        cls_probs: (B, C+1, A) class probabilities, background first.
        offset_preds: (B, 4A) offsets.
        anchors: (1, A, 4) corner boxes.
        nms_threshold: a box goes if its IoU with a better one is greater, in [0, 1].
        pos_threshold: below this confidence p an anchor is background: its class becomes
            −1 and its confidence 1 − p.

    Returns:
        (B, A, 6) rows (class, confidence, x1, y1, x2, y2), class −1 for what NMS or
        `pos_threshold` removed: the boxes NMS kept first, by falling confidence, then
        those it removed, by index.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, no class besides the background, or a threshold
            outside [0, 1].
    """
    cls_probs, offset_preds, anchors = floats(
        cls_probs=(cls_probs, "B C A"),
        offset_preds=(offset_preds, "B 4A"),
        anchors=(anchors, "1 A 4"),
    )
    if cls_probs.shape[1] is not None and cls_probs.shape[1] < 2:
        raise ValueError(
            "cls_probs: expected the background and at least one class on axis 1, got "
            f"shape {tuple(cls_probs.shape)}"
        )
    in_range("nms_threshold", nms_threshold, 0, 1)
    in_range("pos_threshold", pos_threshold, 0, 1)
    return backend.detection.multibox_detection(
        cls_probs, offset_preds, anchors[0], nms_threshold, pos_threshold
    )


def average_precision(
    scores: np.ndarray, is_true: np.ndarray, num_objects: int
) -> float:
    """Area under the precision-recall curve, precision made to fall with recall.

    Args:
        scores: (n,) confidences of one class's detections in all images.
        is_true: (n,) whether each found an object that no better one had found.
        num_objects: how many objects there were to find, at least 1.

    Returns:
        A number in [0, 1] (Pascal VOC 2010 and later: all points, no interpolation grid).
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    found = np.cumsum(np.asarray(is_true, dtype=bool)[order])
    precision = found / np.arange(1, len(order) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], found / num_objects])
    return float(np.sum(np.diff(recall) * precision))


def mean_average_precision(
    detections: Sequence[Any], labels: Any, iou_threshold: float = 0.5
) -> float:
    """Mean average precision (mAP) of detections against labels.

    In each image a class's detections are gone through by falling confidence; one is
    right if the object of its class that it overlaps most has an IoU of at least the
    threshold and was not found before (Pascal VOC). The average precision of a class is
    over all images, and the mean is over the classes that the labels contain.

    Args:
        detections: one (n, 6) array or tensor per image, or one (N, n, 6) for all: rows
            (class, confidence, x1, y1, x2, y2); rows of class −1 do not count.
        labels: (N, G, 5) rows (class, x1, y1, x2, y2); rows of class −1 are padding.
        iou_threshold: in [0, 1].

    Returns:
        A Python float in [0, 1].

    Raises:
        ValueError: as many images in one as in the other are needed, and an object.
    """
    labels = _array(labels)
    detections = [_array(d) for d in detections]
    if labels.ndim != 3 or labels.shape[2] != 5:
        raise ValueError(f"labels: expected shape (N, G, 5), got {labels.shape}")
    if len(detections) != len(labels):
        raise ValueError(
            f"expected one set of detections per labelled image, got {len(detections)} "
            f"for {len(labels)}"
        )
    for d in detections:
        if d.ndim != 2 or d.shape[1] != 6:
            raise ValueError(f"detections: expected shape (n, 6) each, got {d.shape}")
    in_range("iou_threshold", iou_threshold, 0, 1)
    classes = np.unique(labels[..., 0][labels[..., 0] >= 0])
    if not len(classes):
        raise ValueError("labels: expected at least one object, got padding rows only")
    return float(
        np.mean([_class_ap(detections, labels, c, iou_threshold) for c in classes])
    )


def _array(x: Any) -> np.ndarray:
    return (
        x
        if isinstance(x, np.ndarray)
        else np.asarray(x if isinstance(x, list) else backend.tensors.numpy(x))
    )


def _class_ap(
    detections: list[np.ndarray], labels: np.ndarray, label: float, threshold: float
) -> float:
    scores, is_true, num_objects = [], [], 0
    for rows, objects in zip(detections, labels, strict=True):
        rows = rows[rows[:, 0] == label]
        rows = rows[np.argsort(-rows[:, 1], kind="stable")]
        objects = objects[objects[:, 0] == label, 1:]
        num_objects += len(objects)
        scores.extend(rows[:, 1])
        is_true.extend(_first_finds(rows[:, 2:], objects, threshold))
    return average_precision(np.array(scores), np.array(is_true), num_objects)


def _first_finds(
    boxes: np.ndarray, objects: np.ndarray, threshold: float
) -> list[bool]:
    """Whether each of `boxes` (n, 4), best first, finds an object not found before."""
    if not len(objects):
        return [False] * len(boxes)
    iou = _iou(boxes, objects)
    found = np.zeros(len(objects), dtype=bool)
    right = []
    for overlaps in iou:
        best = int(overlaps.argmax())
        right.append(bool(overlaps[best] >= threshold and not found[best]))
        found[best] |= right[-1]
    return right


def _iou(boxes1: np.ndarray, boxes2: np.ndarray) -> np.ndarray:
    """`box_iou` of arrays: scores of every backend are judged by the same numbers."""
    upper_left = np.maximum(boxes1[:, None, :2], boxes2[:, :2])
    lower_right = np.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    intersection = np.prod((lower_right - upper_left).clip(0), axis=-1)
    areas1, areas2 = (
        np.prod((b[:, 2:] - b[:, :2]).clip(0), -1) for b in (boxes1, boxes2)
    )
    union = areas1[:, None] + areas2 - intersection
    return np.divide(
        intersection, union, out=np.zeros_like(intersection), where=union > 0
    )
