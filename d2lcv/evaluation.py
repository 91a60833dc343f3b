"""How good a detector is: COCO's numbers, Pascal VOC's, curves, and what was confused.

Sizes: N images, n detections and g objects of all images together, crowds among them, P
pairs of both that overlap, K classes with an object, A = 4 ranges of area, T = 10
thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .backends import backend
from .checks import as_array, in_range, listed
from .detection import average_precision

__all__ = ["DetectionScores", "PrecisionRecall", "evaluate_detections"]

# the very numbers of pycocotools: 0.6 is 0.6000000000000001 there
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]], float)
MOST_CLASSES = 5000  # without names: the confusion matrix has the square of it
MOST = 100  # detections of a class in an image that count
COUNTED, DIFFICULT, CROWD = range(3)  # kinds of objects


class PrecisionRecall(NamedTuple):
    """The curve of one class at an IoU of 0.5, one point for each detection that counts.

    Attributes:
        recall, precision: (n,), of the detections down to each one.
        scores: (n,), their confidences, falling.
    """

    recall: np.ndarray
    precision: np.ndarray
    scores: np.ndarray


class DetectionScores(Mapping[str, float]):
    """What `evaluate_detections` found: a mapping with COCO's twelve numbers.

    AP (over the IoU thresholds 0.5, 0.55, … 0.95), AP50, AP75; APs, APm, APl of objects
    up to 32², up to 96² and above 96² square pixels; AR1, AR10, AR100, the recall with so
    many detections of a class in an image; ARs, ARm, ARl. A number that has no object to
    be measured by is −1. `print` shows them as a table.

    Attributes:
        classes: the names of all classes, or their numbers as text.
        by_class: name → {"AP", "AP50", "AP75", "VOC2007", "VOC2010"} of each class that
            has an object.
        voc2007: mean over the classes of the average precision at an IoU of 0.5, read at
            11 points of recall.
        voc2010: the same by all points, which is `mean_average_precision` where there
            are no difficult objects and no crowds.
        curves: name → `PrecisionRecall`, of each class that has an object.
        confusion: (C + 1, C + 1) int64, rows the objects' classes, columns the
            detections'; the last row is background that was taken for an object, the last
            column objects that were missed. Difficult objects and crowds are in none of
            them, nor is what overlaps only these, whatever its class.
    """

    def __init__(
        self,
        numbers: dict[str, float],
        classes: tuple[str, ...],
        by_class: dict[str, dict[str, float]],
        curves: dict[str, PrecisionRecall],
        confusion: np.ndarray,
    ) -> None:
        self._numbers, self.classes, self.by_class = numbers, classes, by_class
        self.curves, self.confusion = curves, confusion
        self.voc2007, self.voc2010 = (
            float(np.mean([row[name] for row in by_class.values()]))
            for name in ("VOC2007", "VOC2010")
        )

    def __getitem__(self, name: str) -> float:
        return self._numbers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in self.items())
        return f"DetectionScores({numbers})"

    def __str__(self) -> str:
        lines = [f"{name:<8}{value:7.3f}" for name, value in self.items()]
        lines += [f"VOC2007 {self.voc2007:7.3f}", f"VOC2010 {self.voc2010:7.3f}"]
        width = max(map(len, self.by_class))
        lines.append(f"\n{'':<{width}}     AP   AP50   AP75")
        for name, row in self.by_class.items():
            values = "".join(f"{row[key]:7.3f}" for key in ("AP", "AP50", "AP75"))
            lines.append(f"{name:<{width}}{values}")
        return "\n".join(lines)

    def show_classes(self) -> Any:
        """Draw the AP and the AP50 of each class as bars; returns the matplotlib Axes."""
        from .figures import show_bars

        bars = {
            key: [row[key] for row in self.by_class.values()] for key in ("AP", "AP50")
        }
        return show_bars(list(self.by_class), bars, "average precision")

    def show_curves(self) -> Any:
        """Draw the precision-recall curve of each class; returns the matplotlib Axes."""
        from .figures import show_lines

        lines = {
            f"{name} ({self.by_class[name]['VOC2010']:.2f})": curve[:2]
            for name, curve in self.curves.items()
        }
        return show_lines(lines, "recall", "precision at IoU 0.5")

    def show_confusion(self) -> Any:
        """Draw the confusion matrix; returns the matplotlib Axes."""
        from .figures import show_matrix

        names = [*self.classes, "background"]
        return show_matrix(self.confusion, names, "detected", "object")


def evaluate_detections(
    found: Sequence[Any],
    truth: Any,
    classes: Sequence[str] | None = None,
    score_threshold: float = 0.5,
    *,
    difficult: Sequence[Any] | None = None,
    crowds: Any = None,
    areas: Sequence[Any] | None = None,
) -> DetectionScores:
    """How good detections are, by every measure in use; all boxes in pixels.

    COCO's numbers are those of its own program, pycocotools (Lin et al., "Microsoft COCO",
    ECCV 2014): at most 100 detections of a class in an image, by falling confidence
    (equal ones: the earlier image first, where that program goes by the images' ids, and
    the lower row), each takes the object of its class that it overlaps most of those that
    are left (equal ones: the higher row), if the IoU is at least the threshold; precision
    is read at 101 points of recall. They are computed in float64, as there, and IoU is
    compared with its thresholds as they are in float64.

    Pascal VOC's (Everingham et al., IJCV 2010) are those of `mean_average_precision`.

    The confusion matrix is of the detections with a confidence of at least
    `score_threshold`: pairs of a detection and an object with an IoU of at least 0.5,
    whatever their classes, are joined by falling IoU, each detection and each object once.

    Difficult objects (Pascal VOC) and crowds (COCO) need not be found, and a detection
    that belongs to one does not count. The overlap with a crowd is the part of the
    detection's box that lies in it.

    - COCO's numbers: a detection takes an object that counts, if it can. Else it belongs
      to a difficult object, which takes one detection, or to a crowd, which takes any
      number.
    - Pascal VOC's: a detection belongs to the object that it overlaps most, difficult or
      not, and to a crowd only if there is no such object.
    - The confusion matrix: a detection that is joined to no object is left out where it
      overlaps one that is difficult or a crowd, of any class.

    `DetectionDataset.evaluate` gives the three last arguments as the labels have them.

    Args:
        found: one (n, 6) array, tensor or list per image, or one (N, n, 6) for all: rows
            (class, confidence, x1, y1, x2, y2); rows of class −1 do not count. What
            `detect` returns is taken, too.
        truth: for each image (g, 5) rows (class, x1, y1, x2, y2), or one (N, G, 5); rows
            of class −1 are padding.
        classes: the names; without them the classes' numbers. Where `detect` has names,
            they must be these.
        score_threshold: of the confusion matrix, in [0, 1].
        difficult: for each image (g,) booleans, whether a row of `truth` is difficult;
            `None`: none is.
        crowds: for each image (k, 5) rows as in `truth`; `None`: there are none.
        areas: for each image (g,) areas in square pixels, by which COCO's numbers tell
            small, medium and large objects: those of their masks. `None`: of the boxes.

    Returns:
        `DetectionScores`, a mapping with COCO's twelve numbers.

    Raises:
        TypeError: what cannot be an array of numbers.
        ValueError: a wrong shape, a number that is not finite, an object whose box is
            inverted, a class without a name, or of 5000 and more where there are none,
            another number of images or of rows in one than in the other, or no object that
            counts.
    """
    if isinstance(getattr(found, "rows", None), np.ndarray):
        raise TypeError(
            "found: expected a list, one entry for each image; write [found]"
        )
    if not backend.tensors.is_tensor(found):
        found = listed("found", found)
    detections, objects = _rows("found", found, 6), _rows("truth", truth, 5)
    if len(detections) != len(objects):
        raise ValueError(
            f"found: expected one set of detections for each of the {len(objects)} images "
            f"of truth, got {len(detections)}"
        )
    in_range("score_threshold", score_threshold, 0, 1)
    if not objects:
        raise ValueError("truth: expected at least one image, got none")
    det = _Boxes.of(detections).real()
    obj = _objects(objects, difficult, crowds, areas)
    counted = obj.kind == COUNTED
    if not counted.any():
        raise ValueError(
            "truth: expected at least one object that counts, got padding rows "
            + ("only" if difficult is None else "and difficult objects only")
        )
    names = _names(classes, det, obj)
    if classes is not None:
        _check_names(found, names)
    confusion = _confusion(det.part(det.score >= score_threshold), obj, len(names))

    det = det.ranked()
    pairs = _pairs(det, obj, same_class=True)
    state = _coco_matches(det, obj, pairs)  # (A, T, n)
    is_right = _voc_matches(det, obj, pairs)  # (n,)
    precision, recall, by_class, curves = [], [], {}, {}
    in_area = _in_area(obj)  # (A, g)
    for c in np.unique(obj.label[counted]):
        mine = det.label == c
        limited = mine & (det.rank < MOST)
        own = counted & (obj.label == c)
        counts = in_area[:, own].sum(1)  # (A,)
        grid, totals = _coco_curves(det.part(limited), state[:, :, limited], counts)
        precision.append(grid)
        recall.append(totals)
        total, judged = int(own.sum()), mine & (is_right >= 0)
        scores, right = det.score[judged], is_right[judged] == 1
        curve = _curve(scores, right, total)
        curves[names[c]] = curve
        by_class[names[c]] = {
            "AP": float(grid[0].mean()),
            "AP50": float(grid[0, 0].mean()),
            "AP75": float(grid[0, 5].mean()),
            "VOC2007": _eleven_points(curve),
            "VOC2010": average_precision(scores, right, total),
        }
    numbers = _twelve(np.stack(precision), np.stack(recall))
    return DetectionScores(numbers, names, by_class, curves, confusion)


# ---- rows ------------------------------------------------------------------------------


def _rows(name: str, images: Any, width: int) -> list[np.ndarray]:
    """Each image's rows, (n, width) float64, of arrays, tensors, lists or `detect`."""
    if backend.tensors.is_tensor(images):
        images = backend.tensors.numpy(images)
    images = listed(name, images)
    return [_image_rows(f"{name}[{i}]", rows, width) for i, rows in enumerate(images)]


def _objects(
    truth: list[np.ndarray], difficult: Any, crowds: Any, areas: Any
) -> _Boxes:
    """The objects that count, those that are difficult, and the crowds."""
    obj = _Boxes.of(truth)
    if difficult is not None:
        marks = _column("difficult", difficult, truth)
        _refuse("difficult", marks, np.isin(marks, (0, 1)), "booleans")
        obj = obj._replace(kind=np.where(marks == 1, DIFFICULT, COUNTED))
    if areas is not None:
        sizes = _column("areas", areas, truth)
        right = np.isfinite(sizes) & (sizes >= 0)
        _refuse("areas", sizes, right, "finite areas of at least 0")
        obj = obj._replace(area=sizes)
    if crowds is not None:
        regions = _rows("crowds", crowds, 5)
        if len(regions) != len(truth):
            raise ValueError(
                f"crowds: expected rows for each of the {len(truth)} images of truth, got "
                f"{len(regions)}"
            )
        more = _Boxes.of(regions)
        more = more._replace(kind=np.full(len(more.label), CROWD))
        obj = _Boxes(*map(np.concatenate, zip(obj, more, strict=True)))
    obj = obj.real()
    inverted = np.flatnonzero((obj.size < 0).any(1))
    if len(inverted):
        k = inverted[0]
        name = "crowds" if obj.kind[k] == CROWD else "truth"
        box = [*obj.corner[k], *(obj.corner[k] + obj.size[k])]
        raise ValueError(
            f"{name}[{obj.image[k]}]: expected x1 ≤ x2 and y1 ≤ y2, got "
            f"{', '.join(f'{x:g}' for x in box)}"
        )
    return obj


def _refuse(name: str, numbers: np.ndarray, right: np.ndarray, what: str) -> None:
    if not right.all():
        raise ValueError(f"{name}: expected {what}, got {numbers[~right][0]:g}")


def _column(name: str, given: Any, truth: list[np.ndarray]) -> np.ndarray:
    """(g,) float64, one number for each row of truth, padding too."""
    if backend.tensors.is_tensor(given):
        given = backend.tensors.numpy(given)
    given = listed(name, given)
    if len(given) != len(truth):
        raise ValueError(
            f"{name}: expected a list for each of the {len(truth)} images of truth, got "
            f"{len(given)}"
        )
    columns = []
    for i, (values, rows) in enumerate(zip(given, truth, strict=True)):
        column = as_array(f"{name}[{i}]", values)
        if column.shape != (len(rows),):
            raise ValueError(
                f"{name}[{i}]: expected shape ({len(rows)},), one for each row of "
                f"truth[{i}], got {column.shape}"
            )
        columns.append(column)
    return np.concatenate(columns)


def _image_rows(name: str, rows: Any, width: int) -> np.ndarray:
    if backend.tensors.is_tensor(rows):
        rows = backend.tensors.numpy(rows)
    elif isinstance(rows, (list, tuple)):
        tensors = any(map(backend.tensors.is_tensor, rows))
        rows = [backend.tensors.numpy(r) for r in rows] if tensors else rows
    else:
        rows = getattr(rows, "rows", rows)  # what `detect` found
    try:
        array = np.array(rows, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name}: expected rows of {width} numbers, got "
            f"{type(rows).__qualname__} ({error})"
        ) from None
    if not array.size:
        array = array.reshape(0, width)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name}: expected shape (n, {width}), got {array.shape}")
    array[array[:, 0] <= -1] = -1  # padding, whatever it is filled with
    label = array[:, 0]
    wrong = ~np.isfinite(array).all(1) | (label % 1 != 0) | (label >= 2**31)
    if wrong.any():
        raise ValueError(
            f"{name}: expected whole classes and finite numbers, got a row "
            f"{array[wrong][0].tolist()}"
        )
    return array


class _Boxes(NamedTuple):
    """The rows of all images: in which each is, its class, confidence, corner and size."""

    image: np.ndarray  # (n,)
    label: np.ndarray  # (n,)
    score: np.ndarray  # (n,), 1 for objects
    corner: np.ndarray  # (n, 2)
    size: np.ndarray  # (n, 2)
    area: np.ndarray  # (n,)
    kind: np.ndarray  # (n,) COUNTED, DIFFICULT or CROWD
    rank: np.ndarray  # (n,) among those of its image and class, once they are ranked

    @staticmethod
    def of(images: list[np.ndarray]) -> _Boxes:
        rows = np.concatenate(images)
        image = np.repeat(np.arange(len(images)), [len(x) for x in images])
        corner, size = rows[:, -4:-2], rows[:, -2:] - rows[:, -4:-2]
        score = rows[:, 1] if rows.shape[1] == 6 else np.ones(len(rows))
        label, zeros = rows[:, 0].astype(np.int64), np.zeros(len(rows), np.int64)
        return _Boxes(image, label, score, corner, size, size.prod(1), zeros, zeros)

    def real(self) -> _Boxes:
        """Without the rows that are padding."""
        return self.part(self.label >= 0)

    def part(self, which: np.ndarray) -> _Boxes:
        return _Boxes(*(array[which] for array in self))

    def ranked(self) -> _Boxes:
        """By image, class and falling confidence, each with its rank."""
        rows = self.part(np.lexsort((-self.score, self.label, self.image)))
        key = np.stack([rows.image, rows.label], 1)
        new = np.ones(len(key), bool)
        new[1:] = (key[1:] != key[:-1]).any(1)
        place = np.arange(len(key))
        rank = place - np.maximum.accumulate(np.where(new, place, 0))
        return rows._replace(rank=rank)


def _names(classes: Sequence[str] | None, det: _Boxes, obj: _Boxes) -> tuple[str, ...]:
    largest = int(max(obj.label.max(), det.label.max(initial=0)))
    if classes is None:
        if largest >= MOST_CLASSES:
            raise ValueError(
                f"found, truth: expected classes numbered from 0, below {MOST_CLASSES}, "
                f"got {largest}; give such numbers to the classes that there are"
            )
        return tuple(str(c) for c in range(largest + 1))
    names = tuple(str(name) for name in listed("classes", classes))
    seen = int(det.label.max(initial=0))
    known = int(obj.label[obj.kind != CROWD].max())
    if known < len(names) <= obj.label.max():
        raise ValueError(
            f"crowds: expected classes from 0 to {len(names) - 1} ({', '.join(names)}), "
            f"got {obj.label.max()}"
        )
    if known < len(names) <= seen:
        raise ValueError(
            f"found: expected classes from 0 to {len(names) - 1} ({', '.join(names)}), got "
            f"{seen}; was the net trained with other classes?"
        )
    if largest >= len(names) or len(set(names)) < len(names):
        raise ValueError(
            f"classes: expected a name of its own for each of the classes 0 to {largest}, "
            f"got {list(names)}"
        )
    return names


def _check_names(found: Sequence[Any], names: tuple[str, ...]) -> None:
    """Refuse what a net with other classes has found: its numbers mean something else."""
    for i, image in enumerate(found):
        rows = getattr(image, "rows", None)
        if not isinstance(rows, np.ndarray):  # not from `detect`
            continue
        labels = rows[:, 0].astype(np.int64).tolist()
        for label, name in zip(labels, image.names, strict=True):
            if name not in (names[label], str(label)):
                raise ValueError(
                    f"found[{i}]: expected class {label} to be {names[label]!r} as in "
                    f"classes, got {name!r}; was the net trained with other classes?"
                )


# ---- pairs -----------------------------------------------------------------------------


class _Pairs(NamedTuple):
    """Detections and objects of one image that overlap by half, by detection."""

    detection: np.ndarray  # (P,) indices
    object: np.ndarray  # (P,)
    iou: np.ndarray  # (P,)


def _pairs(det: _Boxes, obj: _Boxes, same_class: bool) -> _Pairs:
    """All pairs of one image (and class) with an IoU of at least the lowest threshold.

    Of a crowd it is the part of the detection that lies in it, in place of the IoU.
    """
    span = int(max(det.label.max(initial=0), obj.label.max(initial=0))) + 1
    keys = [b.image * span + b.label if same_class else b.image for b in (det, obj)]
    order = np.argsort(keys[1], kind="stable")
    first, last = (
        np.searchsorted(keys[1][order], keys[0], side) for side in ("left", "right")
    )
    counts = last - first  # objects to compare with, of each detection
    d = np.repeat(np.arange(len(counts)), counts)
    inside = np.arange(len(d)) - np.repeat(np.cumsum(counts) - counts, counts)
    g = order[np.repeat(first, counts) + inside]
    iou = _iou(
        det.corner[d], det.size[d], obj.corner[g], obj.size[g], obj.kind[g] == CROWD
    )
    near = iou >= THRESHOLDS[0]
    return _Pairs(d[near], g[near], iou[near])


def _iou(
    corner1: np.ndarray,
    size1: np.ndarray,
    corner2: np.ndarray,
    size2: np.ndarray,
    is_crowd: np.ndarray,
) -> np.ndarray:
    """IoU of P boxes with P others, in the steps of pycocotools: equal to the last bit."""
    low, high = (
        np.maximum(corner1, corner2),
        np.minimum(corner1 + size1, corner2 + size2),
    )
    sides = high - low  # (P, 2)
    overlap = np.where((sides > 0).all(1), sides.prod(1), 0)
    union = size1.prod(1) + size2.prod(1) - overlap
    union = np.where(is_crowd, size1.prod(1), union)
    return np.divide(overlap, union, out=np.zeros(len(union)), where=union > 0)


# ---- COCO ------------------------------------------------------------------------------


def _in_area(boxes: _Boxes) -> np.ndarray:
    """(A, n), whether a box is of each range, both its ends included."""
    return (boxes.area >= AREAS[:, :1]) & (boxes.area <= AREAS[:, 1:])


def _coco_matches(det: _Boxes, obj: _Boxes, pairs: _Pairs) -> np.ndarray:
    """(A, T, n) int8: 1 right, 0 wrong, −1 does not count.

    Objects of another range of area are as difficult ones. The detections of one rank are
    of different images or classes: they do not compete, so one step serves them all.
    """
    real = _in_area(obj) & (obj.kind == COUNTED)  # (A, g)
    is_crowd = obj.kind == CROWD
    level = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    state = np.where(_in_area(det), 0, -1).astype(np.int8)  # (A, n)
    state = np.repeat(state[:, None], len(THRESHOLDS), 1)  # (A, T, n)
    taken = np.zeros((len(AREAS), len(THRESHOLDS), len(obj.label)), bool)
    rank = det.rank[pairs.detection]
    for r in np.unique(rank[rank < MOST]):
        now = np.flatnonzero(rank == r)
        g, iou = pairs.object[now], pairs.iou[now]
        d, starts = np.unique(pairs.detection[now], return_index=True)
        free = (~taken[:, :, g] | is_crowd[g]) & (iou >= level)  # (A, T, P)
        mine = real[:, None, g]
        best = _best(free & mine, iou, starts)  # (A, T, len(d)), −1 for none
        other = _best(free & ~mine, iou, starts)
        state[:, :, d] = np.where(
            best >= 0, 1, np.where(other >= 0, -1, state[:, :, d])
        )
        a, t, i = np.nonzero(np.maximum(best, other) >= 0)
        chosen = np.where(best >= 0, best, other)[a, t, i]
        taken[a, t, g[chosen]] = True
    return state


def _best(allowed: np.ndarray, iou: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Of each run of pairs the one with the greatest IoU, of equals the last; or −1."""
    value = np.where(allowed, iou, -1)  # (A, T, P)
    most = np.maximum.reduceat(value, starts, axis=-1)
    runs = np.diff([*starts, len(iou)])
    is_most = allowed & (value == np.repeat(most, runs, axis=-1))
    return np.maximum.reduceat(
        np.where(is_most, np.arange(len(iou)), -1), starts, axis=-1
    )


def _coco_curves(
    det: _Boxes, state: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of one class: precision (A, T, 101) at `RECALLS`, and recall (A, T, 3).

    The recall is with 1, 10 and 100 detections. Ranges without an object are −1.
    """
    shape = state.shape[:2]
    precision = np.full((*shape, len(RECALLS)), -1.0)
    recall = np.full((*shape, 3), -1.0)
    order = np.argsort(-det.score, kind="stable")
    right = np.cumsum(state[:, :, order] == 1, -1)
    counted = right + np.cumsum(state[:, :, order] == 0, -1)
    falling = right / (counted + np.spacing(1))
    falling = np.maximum.accumulate(falling[:, :, ::-1], -1)[:, :, ::-1]
    for i, most in enumerate((1, 10, MOST)):
        hits = (state[:, :, det.rank < most] == 1).sum(-1)  # (A, T)
        recall[:, :, i] = np.where(
            counts[:, None] > 0, hits / np.maximum(counts, 1)[:, None], -1
        )
    for a, t in np.ndindex(shape):
        if counts[a]:
            # beyond the last recall precision is 0
            padded = np.append(falling[a, t], 0.0)
            reached = np.searchsorted(right[a, t] / counts[a], RECALLS, "left")
            precision[a, t] = padded[reached]
    return precision, recall


def _twelve(precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """The means of precision (K, A, T, 101) and recall (K, A, T, 3) that COCO names."""
    ap = {
        "AP": precision[:, 0],
        "AP50": precision[:, 0, 0],
        "AP75": precision[:, 0, 5],
        "APs": precision[:, 1],
        "APm": precision[:, 2],
        "APl": precision[:, 3],
    }
    ar = {f"AR{n}": recall[:, 0, :, i] for i, n in enumerate((1, 10, MOST))}
    ar |= {f"AR{size}": recall[:, a, :, 2] for a, size in enumerate("sml", 1)}
    return {
        name: float(values[values > -1].mean()) if (values > -1).any() else -1.0
        for name, values in (ap | ar).items()
    }


# ---- Pascal VOC ------------------------------------------------------------------------


def _voc_matches(det: _Boxes, obj: _Boxes, pairs: _Pairs) -> np.ndarray:
    """(n,) int8: 1 right, 0 wrong, −1 does not count.

    Right is that the object it overlaps most, of equals the first, was not found before.
    """
    is_crowd = obj.kind[pairs.object] == CROWD
    order = np.lexsort((pairs.object, -pairs.iou, is_crowd, pairs.detection))
    d, first = np.unique(pairs.detection[order], return_index=True)
    g = pairs.object[order][first]
    by_rank = np.argsort(det.rank[d], kind="stable")
    _, finders = np.unique(g[by_rank], return_index=True)
    state = np.zeros(len(det.label), np.int8)
    state[d[by_rank][finders]] = 1
    state[d[obj.kind[g] != COUNTED]] = -1
    return state


def _curve(scores: np.ndarray, right: np.ndarray, total: int) -> PrecisionRecall:
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    return PrecisionRecall(
        hits / total, hits / np.arange(1, len(order) + 1), scores[order]
    )


def _eleven_points(curve: PrecisionRecall) -> float:
    """Mean of the greatest precision at a recall of at least 0, 0.1, … 1."""
    levels = np.arange(11)[:, None] / 10
    reached = curve.recall >= levels - 1e-12  # 3 of 10 objects are a recall of 0.3
    return float(np.where(reached, curve.precision, 0).max(1, initial=0).mean())


# ---- confusion -------------------------------------------------------------------------


def _confusion(det: _Boxes, obj: _Boxes, num_classes: int) -> np.ndarray:
    """(C + 1, C + 1): pairs of all classes, joined by falling IoU."""
    others = obj.part(obj.kind != COUNTED)
    aside = np.isin(
        np.arange(len(det.label)), _pairs(det, others, same_class=False).detection
    )
    obj = obj.part(obj.kind == COUNTED)
    d, g, iou = _pairs(det, obj, same_class=False)
    order = np.lexsort((g, d, -det.score[d], -iou))
    d, g = d[order], g[order]
    partner = np.full(len(det.label), -1)
    while len(d):
        # a pair that is the first one of both of its members stands before all others
        first = np.zeros((2, len(d)), bool)
        for row, members in zip(first, (d, g), strict=True):
            row[np.unique(members, return_index=True)[1]] = True
        joined = first.all(0)
        partner[d[joined]] = g[joined]
        left = ~np.isin(d, d[joined]) & ~np.isin(g, g[joined])
        d, g = d[left], g[left]
    alone, paired = (partner < 0) & ~aside, partner >= 0
    missed = np.setdiff1d(np.arange(len(obj.label)), partner)
    background = np.array([num_classes])
    real = [
        obj.label[partner[paired]],
        background.repeat(alone.sum()),
        obj.label[missed],
    ]
    seen = [det.label[paired], det.label[alone], background.repeat(len(missed))]
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    np.add.at(counts, (np.concatenate(real), np.concatenate(seen)), 1)
    return counts
