"""Mean average precision."""

from fractions import Fraction

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import FAR, UNIT, boxes, check_threshold, f32, label_rows, uniform, whole
from .anchors import _PAD, TENTHS, overlap, tenths

# --- detection: mean average precision -----------------------------------------------


def check_map(detections, labels, threshold):
    """No overlap near the threshold; no two objects of a class that one box hits."""
    for rows, truth in zip(detections, labels, strict=True):
        for label in set(truth[:, 0][truth[:, 0] >= 0].tolist()):
            iou = oracle.box_iou(
                rows[rows[:, 0] == label, 2:], truth[truth[:, 0] == label, 1:]
            )
            check_threshold(iou, threshold)
            if ((iou >= threshold).sum(axis=1) > 1).any():
                raise ValueError("a detection hits two objects")


def _map_case(name, detections, labels, threshold=0.5, check=check_map):
    detections = [f32(rows).reshape(-1, 6) for rows in detections]
    labels = f32(labels)

    @case(
        "detection",
        lambda: {"map": oracle.mean_average_precision(detections, labels, threshold)},
        name=f"map_{name}",
        check=check and (lambda: check(detections, labels, threshold)),
    )
    def run(d2l):
        return {"map": d2l.mean_average_precision(detections, labels, threshold)}


def _guesses(seed, labels, wobble):
    """Each object once or twice, shifted a little, and as many wrong rows."""
    out = []
    for image, rows in enumerate(labels):
        seeds = 1000 * seed + 10 * image
        real = rows[rows[:, 0] >= 0]
        real = np.concatenate([real, real[: len(real) // 2]])
        near = real[:, 1:] + wobble * (uniform(seeds, len(real), 4) - 0.5)
        wrong = boxes(seeds + 1, len(real) + 2)
        ids = np.concatenate([real[:, 0], whole(seeds + 2, 5, len(wrong)) - 1.0])
        together = np.concatenate([near, wrong])
        confidence = uniform(seeds + 3, len(ids))
        out.append(
            np.concatenate([ids[:, None], confidence[:, None], together], axis=1)
        )
    return out


_ONE_TRUTH = [[[0, *UNIT]]]
_TWO_TRUTHS = [[[0, *UNIT], [0, 2, 2, 3, 3]]]
_HIT, _MISS, _OTHER = [0, 0.5, *UNIT], [0, 0.75, *FAR], [0, 0.25, 2, 2, 3, 3]
_map_case("perfect", [[_HIT, _OTHER]], _TWO_TRUTHS)
_map_case("nothing_found", [[]], _TWO_TRUTHS)
_map_case("half_found", [[_HIT]], _TWO_TRUTHS)
_map_case("miss_first", [[_MISS, _HIT, _OTHER]], _TWO_TRUTHS)
_map_case("found_twice", [[[0, 0.75, *UNIT], _HIT, _OTHER]], _TWO_TRUTHS)
_map_case("removed_rows", [[[-1, 0.9, *UNIT], _HIT, [-1, 0.1, *FAR]]], _ONE_TRUTH)
_map_case("wrong_class", [[[1, 0.5, *UNIT]]], _ONE_TRUTH)
_map_case("class_not_in_labels", [[[7, 0.9, *FAR], _HIT]], _ONE_TRUTH)
_map_case("right_box_wrong_image", [[_OTHER], [_HIT]], [*_TWO_TRUTHS, [_PAD, _PAD]])
_map_case("low_threshold", [[[0, 0.5, 0, 0, 1, 0.4]]], _ONE_TRUTH, 0.3)
_map_case("high_threshold", [[[0, 0.5, 0, 0, 1, 0.7]]], _ONE_TRUTH, 0.75)
# By image, then by row: hit, miss, hit.
_map_case(
    "equal_scores",
    [[[0, 0.5, *UNIT], [0, 0.5, *FAR]], [[0, 0.5, *UNIT]]],
    [*_ONE_TRUTH, *_ONE_TRUTH],
)
# The best object of the second box is taken; that it also overlaps the other object
# by enough does not help it.
_map_case(
    "second_best_object",
    [[[0, 0.9, 0, 0, 1, 1], [0, 0.8, 0, 0, 1, 0.9]]],
    [[[0, *UNIT], [0, 0, 0, 1, 0.6]]],
    check=None,
)
_MAP_LABELS = label_rows(160, 8, 4, 3, pad=[(0, 0), (1, 1), (1, 3), (5, 2)])
_MAP_LABELS[3] = _PAD
_map_case("many", _guesses(161, _MAP_LABELS, 0.2), _MAP_LABELS)
_map_case("many_at_75", _guesses(162, _MAP_LABELS, 0.1), _MAP_LABELS, 0.75)


# --- mean average precision: types, and exactly on a threshold --------------------------


def _map_at_tenths(dtype):
    pairs = [(k, beside) for k in TENTHS for beside in (-1, 0, 1)]

    def expected():
        reached = [overlap(tenths(k, int, by)) >= Fraction(k, 10) for k, by in pairs]
        return {"map": np.array(reached, dtype=np.float64)}

    @case("detection", expected, name=f"map_on_thresholds_{dtype}", atol=0.0)
    def run(d2l):
        found = []
        for k, beside in pairs:
            whole, part = tenths(k, dtype, beside)
            rows = np.array([[0, 1, *part]], dtype)
            objects = np.array([[[0, *whole]]], dtype)
            found.append(d2l.mean_average_precision([rows], objects, k / 10))
            native = d2l.mean_average_precision(
                [d2l.tensor(rows)], d2l.tensor(objects), np.float32(k / 10)
            )
            if native != found[-1]:
                raise AssertionError("tensors are judged otherwise than arrays")
        return {"map": np.array(found)}


for _dtype in ("float32", "float64", "int32"):
    _map_at_tenths(_dtype)


@case("detection", lambda: {"map": np.full(6, 0.75)}, atol=0.0)
def map_of_any_type(d2l):
    """Two classes: one found at once, the other after a miss."""
    labels = [[[0, 0, 0, 300, 300], [1, 400, 400, 500, 500]], [[0, 0, 0, 200, 200]]]
    found = [
        [[0, 4, 0, 0, 300, 300], [1, 3, 0, 0, 9, 9], [1, 2, 400, 400, 500, 500]],
        [[0, 1, 0, 0, 200, 200]],
    ]
    given = [(found, labels)]
    for dtype in ("float16", "float32", "float64", "int64"):
        given.append([[np.array(x, dtype) for x in both] for both in (found, labels)])
    given.append([[d2l.tensor(f32(x)) for x in both] for both in (found, labels)])
    return {"map": np.array([d2l.mean_average_precision(*both) for both in given])}


@case("detection", lambda: {"ap": np.array([1.0, 0.5, 0.0, 0.5])}, atol=0.0)
def average_precision_of_any_type(d2l):
    return {
        "ap": np.array(
            [
                d2l.average_precision([0.5], [True], 1),
                d2l.average_precision(d2l.tensor(f32([0.5, 0.25])), [0, 1], 1),
                d2l.average_precision([], [], 1),
                d2l.average_precision(np.array([3, 2]), np.array([True, False]), 2),
            ]
        )
    }
