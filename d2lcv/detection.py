"""From scored boxes to detections, and how good the detections are.

Sizes: B batch, A anchors, C classes without background, G rows of a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backends import Tensor, backend
from .boxes import with_areas
from .checks import (
    as_array,
    as_given,
    at_least,
    check_shapes,
    checked,
    finite,
    flag,
    floats,
    image_rows,
    known_sizes,
    one_of,
    positive,
    threshold,
    whole,
)

__all__ = [
    "average_precision",
    "batched_nms",
    "mean_average_precision",
    "multibox_detection",
    "nms",
    "soft_nms",
]


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: the boxes that no better box covers.

    Boxes are gone through by falling score (equal scores: the lower index first); a box
    goes if its IoU with one that was kept is greater than the threshold, both as float32.

    Args:
        boxes: (n, 4) corner boxes. Those in float64 are compared all with all, so that
            memory grows with n².
        scores: (n,), infinite ones allowed; a score that is NaN counts as −∞.
        iou_threshold: in [0, 1].

    Returns:
        (k,) indices of the kept boxes, best score first; int64 (int32 in MXNet).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a box that is not finite, or a threshold outside [0, 1].
    """
    boxes, scores = _scored(boxes, scores)
    most = threshold("iou_threshold", iou_threshold)
    return backend.detection.nms(boxes, scores, most)


def _scored(boxes: Any, scores: Any) -> tuple[Any, Any]:
    """Boxes and scores that can be compared: finite boxes, no NaN among the scores."""
    boxes, scores = floats(boxes=(boxes, "n 4"), scores=(scores, "n"))
    finite(boxes=boxes)
    (boxes,) = with_areas(boxes)
    scores = backend.tensors.astype(scores, boxes.dtype)
    return boxes, backend.tensors.where(scores == scores, scores, -float("inf"))


def batched_nms(
    boxes: Tensor, scores: Tensor, classes: Tensor, iou_threshold: float
) -> Tensor:
    """Class-aware non-maximum suppression: only boxes of one class suppress each other.

    Args:
        boxes: (n, 4) corner boxes.
        scores: (n,), as for `nms`.
        classes: (n,) whole numbers.
        iou_threshold: in [0, 1].

    Returns:
        (k,) indices of the kept boxes of all classes, best score first.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a box that is not finite, a class that is not whole, or
            a threshold outside [0, 1].
    """
    boxes, scores = _scored(boxes, scores)
    checked(classes=(classes, "n"))
    check_shapes(scores=(scores, "n"), classes=(classes, "n"))
    classes = whole("classes", classes)
    most = threshold("iou_threshold", iou_threshold)
    suppress = backend.detection.batched_nms
    return backend.tensors.often(suppress, boxes, scores, classes, most)


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
    method: str = "gaussian",
    iou_threshold: float = 0.3,
) -> tuple[Tensor, Tensor]:
    """Soft non-maximum suppression: an overlap lowers a score instead of removing a box.

    Again and again the box of the highest score s is taken (equal scores: the lower index
    first), and the score of every box that is left is multiplied, by its IoU with the one
    taken (Bodla et al., "Soft-NMS", ICCV 2017). "gaussian": by exp(−IoU²/σ). "linear": by
    1 − IoU where the IoU is at least `iou_threshold`.

    It waits for each number before it takes the next box: a step that is compiled cannot
    have it inside, as it can have `nms`.

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
        TypeError: not a tensor of the active framework, or one of a step that is being
            compiled.
        ValueError: a wrong shape, a box or score that is not finite, a negative score, an
            unknown method, or a number out of its range.
    """
    given = scores
    boxes, scores = floats(boxes=(boxes, "n 4"), scores=(scores, "n"))
    if backend.tensors.extent(boxes) is None:
        raise TypeError(
            "boxes, scores: soft_nms needs their numbers, which a step that is being "
            "compiled does not have yet; call it after the step, or take nms"
        )
    finite(boxes=boxes, scores=scores)
    (boxes,) = with_areas(boxes)
    sigma = positive("sigma", sigma)
    least_score = threshold("score_threshold", score_threshold, 0, float("inf"))
    least_iou = threshold("iou_threshold", iou_threshold)
    method = one_of("method", method, ("gaussian", "linear"))
    corners = backend.tensors.numpy(boxes)
    left = backend.tensors.numpy(scores).copy()
    if not (left >= 0).all():
        raise ValueError(f"scores: expected numbers of at least 0, got {left.min()}")
    # Every pick waits for the one before it: small steps, which the host is best at.
    kept, new_scores, taken = [], [], np.zeros(len(left), dtype=bool)
    for _ in range(len(left)):
        best = int(left.argmax())
        if np.float32(left[best]) < least_score:
            break
        kept.append(best)
        new_scores.append(float(left[best]))
        iou = _overlaps(corners[best], corners)
        if method == "gaussian":
            left *= np.exp(-(iou**2) / sigma)
        else:
            left *= np.where(iou.astype(np.float32) >= least_iou, 1 - iou, 1)
        taken[best] = True
        left[taken] = -1
    indices, new = backend.detection.as_kept(kept, new_scores, scores)
    return indices, as_given(new, given)


def multibox_detection(
    cls_probs: Tensor,
    offset_preds: Tensor,
    anchors: Tensor,
    nms_threshold: float = 0.5,
    pos_threshold: float = 0.009999999,
    *,
    background: bool = True,
) -> Tensor:
    """Detections of a single-shot detector: offsets applied, one box kept per object.

    An anchor's class is the likeliest one besides the background, its confidence that
    probability. NMS does not look at the class (see `batched_nms` for the variant that
    does) and runs over all anchors, whatever their confidence.

    Args:
        cls_probs: (B, C+1, A) class probabilities, background first.
        offset_preds: (B, 4A) offsets.
        anchors: (1, A, 4) corner boxes.
        nms_threshold: a box goes if its IoU with a better one is greater, both as
            float32; in [0, 1].
        pos_threshold: below this confidence p an anchor is background: its class becomes
            −1 and its confidence 1 − p.
        background: whether NMS looks at these, too, as in the book. With `False` it does
            not: the rows of objects are the same, and those of class −1 stand in another
            order. With a trained net that takes a small part of the time.

    Returns:
        (B, A, 6) rows (class, confidence, x1, y1, x2, y2), class −1 for what NMS or
        `pos_threshold` removed: the boxes NMS kept first, by falling confidence, then
        those it removed, by index.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a number that is not finite (has a training
            diverged?), no class besides the background, or a threshold outside [0, 1].
    """
    given = cls_probs, offset_preds, anchors
    cls_probs, offset_preds, anchors = floats(
        cls_probs=(cls_probs, "B C A"),
        offset_preds=(offset_preds, "B 4A"),
        anchors=(anchors, "1 A 4"),
    )
    finite(cls_probs=cls_probs, offset_preds=offset_preds, anchors=anchors)
    known_sizes(cls_probs=cls_probs)
    if cls_probs.shape[1] is not None and cls_probs.shape[1] < 2:
        raise ValueError(
            "cls_probs: expected the background and at least one class on axis 1, got "
            f"shape {tuple(cls_probs.shape)}"
        )
    most = threshold("nms_threshold", nms_threshold)
    least = threshold("pos_threshold", pos_threshold)
    background = flag("background", background)
    rows = backend.tensors.often(
        backend.detection.multibox_detection,
        cls_probs,
        offset_preds,
        anchors,
        most,
        least,
        background,
    )
    return as_given(rows, *given)


def average_precision(scores: Any, is_true: Any, num_objects: int) -> float:
    """Area under the precision-recall curve, precision made to fall with recall.

    Args:
        scores: (n,) confidences of one class's detections in all images; of equal ones
            the first counts as the better.
        is_true: (n,) whether each found an object that no better one had found.
        num_objects: how many objects there were to find, at least 1.

    Returns:
        A number in [0, 1] (Pascal VOC 2010 and later: all points, no interpolation grid).

    Raises:
        TypeError: `scores` or `is_true` are no arrays of numbers.
        ValueError: a wrong shape, a NaN score, fewer than one object, or more found
            objects than there are.
    """
    scores = as_array("scores", scores)
    is_true = as_array("is_true", is_true)
    num_objects = at_least("num_objects", num_objects, 1)
    _check_finds(scores, is_true, num_objects)
    hits = np.cumsum(is_true[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], hits / num_objects])
    return float(np.sum(np.diff(recall) * precision))


def _check_finds(scores: np.ndarray, is_true: np.ndarray, num_objects: int) -> None:
    for name, x in (("scores", scores), ("is_true", is_true)):
        if x.ndim != 1 or len(x) != len(scores):
            raise ValueError(
                f"{name}: expected shape ({len(scores) if scores.ndim else 'n'},), got "
                f"{x.shape}"
            )
    if np.isnan(scores).any():
        raise ValueError("scores: expected numbers, got NaN")
    if not np.isin(is_true, (0, 1)).all():
        raise ValueError("is_true: expected True or False (or 1 or 0) of each score")
    if is_true.sum() > num_objects:
        raise ValueError(
            f"num_objects: expected at least as many as were found, {int(is_true.sum())}, "
            f"got {num_objects}"
        )


def mean_average_precision(
    detections: Sequence[Any], labels: Any, iou_threshold: float = 0.5
) -> float:
    """Mean average precision (mAP) of detections against labels.

    In each image a class's detections are gone through by falling confidence (equal
    ones: by image, then by row); one is right if the object of its class that it overlaps
    most (equal overlaps: the first) has an IoU of at least the threshold, both as
    float32, and was not found before (Pascal VOC). The average precision of a class is
    over all images, and the mean is over the classes that the labels contain. All
    detections count: there is no limit per image.

    Args:
        detections: for each image (n, 6) rows (class, confidence, x1, y1, x2, y2) as
            from `multibox_detection`; rows of class −1 are not looked at.
        labels: for each image (G, 5) rows (class, x1, y1, x2, y2), class −1 padding; one
            array (N, G, 5), or a list of arrays of different G. Both may be tensors,
            arrays or lists, of any type of number.
        iou_threshold: in [0, 1].

    Returns:
        A Python float in [0, 1].

    Raises:
        TypeError: not numbers.
        ValueError: a wrong shape, a number that is not finite, not as many images in one
            as in the other, no object at all, or a threshold outside [0, 1].
    """
    detections = image_rows("detections", detections, 6)
    labels = image_rows("labels", labels, 5)
    if len(detections) != len(labels):
        raise ValueError(
            f"detections: expected as many images as labels has, {len(labels)}, got "
            f"{len(detections)}"
        )
    iou_threshold = threshold("iou_threshold", iou_threshold)
    found, objects = _stacked(detections, 6), _stacked(labels, 5)
    classes, numbers = np.unique(objects[:, 1], return_counts=True)
    if not len(classes):
        raise ValueError("labels: expected at least one object, got padding rows only")
    found = found[np.isin(found[:, 1], classes)]
    is_true = _first_finds(found, objects, iou_threshold)
    precisions = []
    for label, number in zip(classes, numbers, strict=True):
        own = found[:, 1] == label
        precisions.append(average_precision(found[own, 2], is_true[own], number))
    return float(np.mean(precisions))


def _stacked(images: list[np.ndarray], width: int) -> np.ndarray:
    """The rows of all images, the number of the image before each; none of a class < 0."""
    image = np.repeat(np.arange(len(images)), [len(rows) for rows in images])
    stacked = np.column_stack([image, np.concatenate([np.empty((0, width)), *images])])
    return stacked[stacked[:, 1] >= 0]


def _first_finds(
    found: np.ndarray, objects: np.ndarray, least_iou: float
) -> np.ndarray:
    """Whether each row of `found` (n, 7) finds an object (m, 6) not found by a better one.

    Rows are (image, class, confidence, box), those of `objects` without the confidence. A
    class of an image is a run of sorted objects: each detection is paired with all of its.
    """
    objects = objects[np.lexsort(objects[:, 1::-1].T)]
    kinds = np.concatenate([objects[:, :2], found[:, :2]])
    kinds = np.unique(kinds, axis=0, return_inverse=True)[1].reshape(-1)
    own, wanted = kinds[: len(objects)], kinds[len(objects) :]
    start = np.searchsorted(own, wanted)
    count = np.searchsorted(own, wanted, side="right") - start
    row = np.repeat(np.arange(len(found)), count)  # the detection of each pair
    before = np.repeat(count.cumsum() - count, count)
    index = start[row] + np.arange(len(row)) - before  # and its object
    iou = _overlaps(found[row, 3:], objects[index, 2:])

    # a stable sort leaves the first of equal overlaps, and of equal confidences, first
    order = np.lexsort((-iou, row))
    row, first = np.unique(row[order], return_index=True)
    best = order[first]
    is_enough = iou[best].astype(np.float32) >= np.float32(least_iou)
    row, index = row[is_enough], index[best][is_enough]
    order = np.argsort(-found[row, 2], kind="stable")
    _, first = np.unique(index[order], return_index=True)
    is_true = np.zeros(len(found), dtype=bool)
    is_true[row[order][first]] = True
    return is_true


def _overlaps(boxes1: np.ndarray, boxes2: np.ndarray) -> np.ndarray:
    """`box_iou` of pairs: scores of every backend are judged by the same numbers."""
    upper_left = np.maximum(boxes1[..., :2], boxes2[:, :2])
    lower_right = np.minimum(boxes1[..., 2:], boxes2[:, 2:])
    intersection = np.prod((lower_right - upper_left).clip(0), axis=-1)
    areas1, areas2 = (
        np.prod((b[..., 2:] - b[..., :2]).clip(0), -1) for b in (boxes1, boxes2)
    )
    union = areas1 + areas2 - intersection
    return np.divide(
        intersection, union, out=np.zeros_like(intersection), where=union > 0
    )
