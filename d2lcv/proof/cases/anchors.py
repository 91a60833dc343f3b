"""Overlap, anchor boxes, assignment, offsets and training targets."""

from fractions import Fraction

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import (
    FAR,
    HALF,
    INVERTED,
    LINE,
    NONE,
    ODD_ONES,
    POINT,
    TWICE_INVERTED,
    UNIT,
    WORKED,
    boxes,
    check_assignment,
    check_targets,
    f32,
    grid_boxes,
    label_rows,
    ssd_anchors,
    uniform,
    whole,
)

# --- anchors: overlap ----------------------------------------------------------------


@case("anchors", lambda: {"iou": f32(WORKED["box_iou"]["expected"])})
def worked_box_iou(d2l):
    w = WORKED["box_iou"]
    a, b = d2l.tensor(f32(w["boxes1"])), d2l.tensor(f32(w["boxes2"]))
    return {"iou": d2l.numpy(d2l.box_iou(a, b))}


def _iou_case(name, rows1, rows2, atol=1e-5):
    @case(
        "anchors",
        lambda: {"iou": oracle.box_iou(rows1, rows2)},
        name=f"iou_{name}",
        atol=atol,
    )
    def run(d2l):
        return {"iou": d2l.numpy(d2l.box_iou(d2l.tensor(rows1), d2l.tensor(rows2)))}


_iou_case("none_none", NONE, NONE)
_iou_case("none_many", NONE, boxes(11, 7))
_iou_case("many_none", boxes(11, 7), NONE)
_iou_case("one_one", f32([UNIT]), f32([HALF]))
_iou_case("many_one", boxes(12, 30), boxes(13, 1))
_iou_case("many_many", boxes(14, 300), boxes(15, 40))
_iou_case("thousands_few", boxes(16, 4000), boxes(17, 5))
_iou_case("grid", grid_boxes(18, 60), grid_boxes(19, 50))
_iou_case("odd_ones", ODD_ONES, ODD_ONES)
_iou_case("identical", f32([UNIT] * 5), f32([UNIT] * 3))
_iou_case("disjoint", boxes(20, 10), boxes(21, 8) + f32(5))
_iou_case("touching", f32([UNIT]), f32([[1, 0, 2, 1], [0, 1, 1, 2], [1, 1, 2, 2]]))
_iou_case("pixels", np.round(boxes(22, 50) * 1000), np.round(boxes(23, 20) * 1000))
_iou_case("negative", boxes(24, 20) - f32(7), boxes(25, 20) - f32(7))
# An epsilon in the denominator would show here.
_iou_case("tiny", boxes(26, 20) * f32(2.0**-16), boxes(27, 20) * f32(2.0**-16))
_iou_case(
    "integers",
    np.array([[0, 0, 4, 4], [2, 2, 6, 6], [1, 1, 1, 1]]),
    np.array([[0, 0, 4, 4], [3, 3, 5, 7]]),
)
_iou_case(
    "integers_and_floats", np.array([[0, 0, 4, 4], [2, 2, 6, 6]]), f32([[0.5, 1, 5, 3]])
)
# Half precision is computed in float32: areas above 65504, and below 6e-8.
_IN_HALF = np.array(
    [[0, 0, 300, 300], [0, 0, 300, 150], [0, 0, 0.005, 0.005], [0, 0, 0.005, 0.0025]],
    np.float16,
)
_iou_case("half", _IN_HALF, _IN_HALF, 5e-4)
_iou_case("double", uniform(28, 20, 4), uniform(29, 20, 4), 1e-14)
# Areas that no float32 holds: 1e40, and 1e-40.
_EXTREME = f32([[0, 0, 1, 1], [0, 0, 1, 0.5], [0.5, 0, 1, 1], [-1, -1, 1, 1]])
_EXTREME = f32(np.concatenate([_EXTREME * 1e20, _EXTREME, _EXTREME * 1e-20]))
_iou_case("huge_and_tiny", _EXTREME, _EXTREME)


# --- anchors: prior ------------------------------------------------------------------


@case(
    "anchors",
    lambda: {
        "shape": np.array(WORKED["multibox_prior"]["shape"]),
        "at_row250_col250": f32(WORKED["multibox_prior"]["at_row250_col250"]),
        "last": f32(
            oracle.anchors_of_pixel(560, 727, 561, 728, [0.75, 0.5, 0.25], [1, 2, 0.5])
        ),
    },
)
def worked_multibox_prior(d2l):
    w = WORKED["multibox_prior"]
    data = d2l.zeros(tuple(w["data_shape"]))
    anchors = d2l.numpy(d2l.multibox_prior(data, sizes=w["sizes"], ratios=w["ratios"]))
    height, width = w["data_shape"][2:]
    by_pixel = anchors.reshape(height, width, 5, 4)
    return {
        "shape": np.array(anchors.shape),
        "at_row250_col250": by_pixel[250, 250],
        "last": by_pixel[-1, -1],
    }


def _multiscale_case(name):
    w = WORKED[name]

    @case(
        "anchors",
        lambda: {"anchors": f32(w["expected_for_unit_aspect"])},
        name=f"worked_{name}",
    )
    def run(d2l):
        data = d2l.zeros(tuple(w["feature_map"]))
        anchors = d2l.multibox_prior(data, sizes=w["sizes"], ratios=w["ratios"])
        return {"anchors": d2l.numpy(anchors)}


for _name in ("multiscale_prior_4x4", "multiscale_prior_2x2", "multiscale_prior_1x1"):
    _multiscale_case(_name)


def _prior_case(name, shape, sizes, ratios):
    @case(
        "anchors",
        lambda: {"anchors": oracle.multibox_prior(*shape[2:], sizes, ratios)},
        name=f"prior_{name}",
    )
    def run(d2l):
        data = d2l.zeros(shape)
        return {"anchors": d2l.numpy(d2l.multibox_prior(data, sizes, ratios))}


_prior_case("one_pixel", (1, 1, 1, 1), [0.5], [1])
_prior_case("wide", (1, 3, 5, 8), [0.2, 0.4, 0.6], [1, 2, 0.5])
_prior_case("tall", (1, 3, 8, 5), [0.2, 0.4, 0.6], [1, 2, 0.5])
_prior_case("one_row", (1, 1, 1, 7), [0.3, 0.1], [1, 3])
_prior_case("one_column", (1, 1, 7, 1), [0.3, 0.1], [1, 3])
_prior_case("first_ratio_not_one", (1, 2, 4, 6), [0.25, 0.5], [3, 1, 0.2])
_prior_case("one_size_many_ratios", (1, 2, 3, 3), [0.75], [1, 2, 0.5, 3, 1 / 3])
_prior_case("many_sizes_one_ratio", (1, 2, 3, 3), [0.1, 0.3, 0.5, 0.7], [2])
_prior_case("integer_size_and_ratio", (1, 1, 3, 2), [1], [4])
_prior_case("whole_batch", (4, 3, 6, 6), [0.2, 0.272], [1, 2, 0.5])
_prior_case("thousands", (1, 1, 40, 60), [0.2, 0.272], [1, 2, 0.5])


# --- anchors: assignment -------------------------------------------------------------


@case(
    "anchors",
    lambda: {
        "assigned": np.array(
            WORKED["assign_anchor_to_bbox"]["expected"], dtype=np.int64
        )
    },
)
def worked_assign_anchor_to_bbox(d2l):
    w = WORKED["assign_anchor_to_bbox"]
    truth, anchors = d2l.tensor(f32(w["ground_truth"])), d2l.tensor(f32(w["anchors"]))
    assigned = d2l.assign_anchor_to_bbox(
        truth, anchors, d2l.try_gpu(), w["iou_threshold"]
    )
    return {"assigned": d2l.numpy(assigned)}


def _assign_case(name, truth, anchors, threshold=0.5):
    @case(
        "anchors",
        lambda: {"assigned": oracle.assign_anchor_to_bbox(truth, anchors, threshold)},
        name=f"assign_{name}",
        check=lambda: check_assignment(truth, anchors, threshold),
    )
    def run(d2l):
        assigned = d2l.assign_anchor_to_bbox(
            d2l.tensor(truth), d2l.tensor(anchors), d2l.try_gpu(), threshold
        )
        return {"assigned": d2l.numpy(assigned)}


_assign_case("none_none", NONE, NONE)
_assign_case("no_boxes", NONE, boxes(30, 6))
_assign_case("no_anchors", boxes(30, 6), NONE)
_assign_case("one_one", f32([UNIT]), f32([HALF]), 0.75)
_assign_case("more_boxes_than_anchors", grid_boxes(31, 9), grid_boxes(32, 4))
_assign_case("as_many_boxes_as_anchors", grid_boxes(33, 6), grid_boxes(34, 6))
_assign_case("odd_ones", ODD_ONES, ODD_ONES[::-1].copy())
_assign_case("odd_ones_at_0", ODD_ONES, ODD_ONES[::-1].copy(), 0.0)
_assign_case("identical", f32([HALF] * 3), f32([HALF] * 5))
_assign_case("disjoint", grid_boxes(35, 3), grid_boxes(36, 5) + f32(4))
_assign_case("partly_disjoint", f32([FAR, HALF, FAR]), f32([HALF, UNIT, POINT, UNIT]))
_assign_case("equal_is_taken", f32([UNIT]), f32([HALF, UNIT, [0, 0, 0.5, 1], POINT]))
_assign_case("equal_is_taken_at_1", f32([UNIT, HALF]), f32([HALF, UNIT] * 3), 1.0)
_assign_case(
    "equal_is_taken_at_quarter", f32([UNIT]), f32([[0, 0, 0.5, 0.5]] * 3), 0.25
)
for _threshold in (0.0, 0.25, 0.5, 0.75, 1.0):
    _percent = round(100 * _threshold)
    _assign_case(
        f"ties_at_{_percent}", grid_boxes(37, 7), grid_boxes(38, 80), _threshold
    )
for _threshold in (0.3, 0.7):
    _percent = round(100 * _threshold)
    _assign_case(f"many_at_{_percent}", boxes(39, 5), boxes(40, 200), _threshold)
_assign_case("thousands", boxes(41, 6), boxes(42, 3000))
_assign_case("thousands_of_ties", grid_boxes(43, 12), grid_boxes(44, 2500))
_assign_case("ssd_anchors", grid_boxes(45, 4, 64), ssd_anchors())
_assign_case(
    "integers",
    np.array([[0, 0, 4, 4], [5, 5, 9, 9]]),
    np.array([[0, 0, 4, 3], [5] * 4]),
)


# --- anchors: exactly on a threshold -----------------------------------------------------

TENTHS = range(1, 10)
WIDTH = 10_000


def tenths(k, dtype, beside=0):
    """Two boxes whose overlap is k/10, and by `beside` of 1/10000 more."""
    part = k * WIDTH // 10 + beside
    return np.array([[0, 0, WIDTH, 1], [0, 0, part, 1]], dtype)


def overlap(boxes):
    """The overlap of the two, exactly."""
    return Fraction(int(boxes[1][2]), int(boxes[0][2]))


def _thresholds_case(dtype):
    """Of two anchors the other one is the box's own: this one is taken by the threshold."""
    pairs = [(k, beside) for k in TENTHS for beside in (-1, 0, 1)]

    def expected():
        reached = [
            overlap(tenths(k, dtype, beside)) >= Fraction(k, 10) for k, beside in pairs
        ]
        return {"assigned": [[0, 0 if r else -1] for r in reached], "targets": reached}

    @case("anchors", expected, name=f"on_thresholds_{dtype}")
    def run(d2l):
        assigned, targets = [], []
        for k, beside in pairs:
            anchors = d2l.tensor(tenths(k, dtype, beside))
            truth = anchors[:1]
            found = d2l.assign_anchor_to_bbox(truth, anchors, None, k / 10)
            assigned.append(d2l.numpy(found))
            labels = d2l.tensor(np.array([[[0, 0, 0, WIDTH, 1]]], dtype))
            _, _, classes = d2l.multibox_target(anchors[None], labels, k / 10)
            targets.append(d2l.numpy(classes)[0, 1] == 1)
        return {"assigned": np.stack(assigned), "targets": np.array(targets)}


for _dtype in ("float32", "float64", "int32"):
    _thresholds_case(_dtype)


# --- anchors: a great number -------------------------------------------------------------

# So many that the number of an anchor and box among all pairs is no float32, and
# divided by the number of boxes it would name the anchor after. Every box lies on one
# anchor only, half as large, which it gets by force.
_MILLIONS, _LAST_BOX = 2_042_040, 8
_POSITIVE = _MILLIONS - 1 - 7 * np.arange(_LAST_BOX + 1)


@case(
    "anchors",
    lambda: {
        "shape": np.array([_MILLIONS]),
        "positive": _POSITIVE[::-1],
        "box": np.arange(_LAST_BOX + 1)[::-1],
    },
)
def assign_millions(d2l):
    right = f32(2 * np.arange(_LAST_BOX + 1)[:, None] * [1, 0, 1, 0])
    anchors = np.tile(f32([-2, -2, -1, -1]), (_MILLIONS, 1))
    anchors[_POSITIVE] = f32(HALF) + right
    assigned = d2l.numpy(
        d2l.assign_anchor_to_bbox(
            d2l.tensor(f32(UNIT) + right), d2l.tensor(anchors), d2l.try_gpu(), 0.75
        )
    )
    positive = np.flatnonzero(assigned >= 0)
    return {
        "shape": np.array(assigned.shape),
        "positive": positive,
        "box": assigned[positive],
    }


# --- anchors: offsets ----------------------------------------------------------------


def _offset_case(name, anchors, truth, rtol=0.0, **options):
    @case(
        "anchors",
        lambda: {"offsets": oracle.offset_boxes(anchors, truth, **options)},
        name=f"offset_{name}",
        rtol=rtol,
    )
    def run(d2l):
        offsets = d2l.offset_boxes(d2l.tensor(anchors), d2l.tensor(truth), **options)
        return {"offsets": d2l.numpy(offsets)}


# A few units in the last place of float32, for offsets far above 10.
ULPS = 1e-6

_offset_case("none", NONE, NONE)
_offset_case("one", f32([UNIT]), f32([HALF]))
_offset_case("of_itself", grid_boxes(50, 20), grid_boxes(50, 20))
_offset_case("many", grid_boxes(51, 1000), grid_boxes(52, 1000), ULPS)
_offset_case("other_eps", grid_boxes(53, 9), grid_boxes(54, 9), ULPS, eps=0.125)
_offset_case("of_point", f32([UNIT, HALF]), f32([POINT, LINE]), ULPS)
_offset_case("of_inverted", f32([UNIT, HALF]), f32([INVERTED, TWICE_INVERTED]), ULPS)
_offset_case("from_point", f32([POINT, LINE, POINT]), f32([UNIT, HALF, POINT]), ULPS)
_offset_case("from_inverted", f32([INVERTED, TWICE_INVERTED]), f32([UNIT, HALF]), ULPS)
_offset_case(
    "integers", np.array([[0, 0, 4, 4], [2, 2, 6, 10]]), np.array([[1, 1, 5, 5]] * 2)
)


def _inverse_case(name, anchors, preds, rtol=0.0):
    @case(
        "anchors",
        lambda: {"boxes": oracle.offset_inverse(anchors, preds)},
        name=f"inverse_{name}",
        rtol=rtol,
    )
    def run(d2l):
        decoded = d2l.offset_inverse(d2l.tensor(anchors), d2l.tensor(preds))
        return {"boxes": d2l.numpy(decoded)}


_inverse_case("none", NONE, NONE)
_inverse_case("one", f32([UNIT]), f32([[1, -2, 3, -4]]))
_inverse_case("many", boxes(60, 1000), f32(4 * uniform(61, 1000, 4) - 2))
_inverse_case("of_odd_ones", ODD_ONES, f32(4 * uniform(62, 9, 4) - 2))
_inverse_case("integers", np.array([[0, 0, 4, 4]]), np.array([[1, 2, 0, -1]]))
_inverse_case("tiny_size", f32([UNIT] * 3), f32([[0, 0, -500, -1e30]] * 3))
# e³⁰ ≈ 10¹³ is the greatest factor; the rounding of 0.2·140 = 28 is seen 28-fold.
_inverse_case(
    "cut_off", f32([UNIT] * 2), f32([[0, 0, 1000, 1e30], [9, 9, 150, 151]]), 1e-5
)
_inverse_case("below_cut_off", f32([UNIT]), f32([[0, 0, 140, 100]]), 1e-5)

_FROM, _TO = grid_boxes(63, 300), grid_boxes(64, 300)


@case("anchors", lambda: {"boxes": _TO})
def offset_round_trip(d2l):
    anchors = d2l.tensor(_FROM)
    offsets = d2l.offset_boxes(anchors, d2l.tensor(_TO))
    return {"boxes": d2l.numpy(d2l.offset_inverse(anchors, offsets))}


_HUGE = f32((uniform(65, 200, 4) - 0.5) * 2 * 10.0 ** (30 * uniform(66, 200, 1)))
_ZERO_SIZE = f32(np.repeat(uniform(67, 200, 2), 2, axis=1)[:, [0, 2, 1, 3]])


@case("anchors", lambda: {"forward": True, "inverse": True})
def offsets_stay_finite(d2l):
    anchors = f32(np.concatenate([boxes(68, 100), _ZERO_SIZE[:100]]))
    forward = d2l.offset_boxes(d2l.tensor(_ZERO_SIZE), d2l.tensor(boxes(69, 200)))
    inverse = d2l.offset_inverse(d2l.tensor(anchors), d2l.tensor(_HUGE))
    return {
        "forward": np.isfinite(d2l.numpy(forward)).all(),
        "inverse": np.isfinite(d2l.numpy(inverse)).all(),
    }


# --- anchors: targets ----------------------------------------------------------------


def _target(d2l, anchors, labels):
    offsets, mask, classes = d2l.multibox_target(
        d2l.tensor(anchors[None]), d2l.tensor(labels)
    )
    return {
        "offsets": d2l.numpy(offsets),
        "mask": d2l.numpy(mask),
        "classes": d2l.numpy(classes),
    }


@case(
    "anchors",
    lambda: {
        "offsets": f32(WORKED["multibox_target"]["bbox_offset"]),
        "mask": f32(WORKED["multibox_target"]["bbox_mask"]),
        "classes": np.array(WORKED["multibox_target"]["class_labels"], dtype=np.int64),
    },
    exact=("mask",),
)
def worked_multibox_target(d2l):
    w = WORKED["multibox_target"]
    return _target(d2l, f32(w["anchors"])[0], f32(w["labels"]))


def _target_case(name, anchors, labels, rtol=ULPS):
    def expected():
        offsets, mask, classes = oracle.multibox_target(anchors, labels)
        return {"offsets": offsets, "mask": mask, "classes": classes}

    @case(
        "anchors",
        expected,
        name=f"target_{name}",
        rtol=rtol,
        exact=("mask",),
        check=lambda: check_targets(anchors, labels),
    )
    def run(d2l):
        return _target(d2l, anchors, labels)


_GRID = grid_boxes(70, 50)
_PAD = [-1.0, 0.0, 0.0, 0.0, 0.0]
_TAKEN = [2.0, *_GRID[7]]
_target_case("one_one", f32([UNIT]), f32([[[0, *HALF]]]))
_target_case("no_rows", _GRID, np.zeros((2, 0, 5), dtype=np.float32))
_target_case("no_anchors", NONE, f32([[[0, *UNIT]]]))
_target_case("no_objects", _GRID, f32([[_PAD] * 3] * 2))
_target_case("padding_after", _GRID, f32([[_TAKEN, _PAD, _PAD]]))
_target_case("padding_before", _GRID, f32([[_PAD, _PAD, _TAKEN]]))
_target_case("padding_between", _GRID, f32([[[0, *_GRID[3]], _PAD, _TAKEN]]))
_target_case(
    "padding_is_not_looked_at",
    _GRID,
    f32([[[-1, *UNIT], [-1, *_GRID[3]], _TAKEN, [-3, 9, 9, 2, 2], [-1, *INVERTED]]]),
)
_target_case(
    "one_image_without_objects",
    _GRID,
    f32([[[0, *_GRID[3]], _TAKEN], [_PAD] * 2, [_PAD, [1, *UNIT]]]),
)
_target_case("more_boxes_than_anchors", grid_boxes(71, 3), label_rows(72, 2, 7, 4))
_target_case("identical_boxes", _GRID, f32([[_TAKEN] * 4]))
_target_case("identical_anchors", f32([HALF] * 6), f32([[[1, *UNIT], [0, *HALF]]]))
_target_case(
    "degenerate_boxes", _GRID, f32([[[0, *POINT], [1, *LINE], [2, *INVERTED], _TAKEN]])
)
_target_case(
    "degenerate_anchors",
    f32([POINT, UNIT, LINE, TWICE_INVERTED, HALF]),
    f32([[[0, *UNIT], [1, *POINT], [2, *FAR], [3, *HALF]]]),
)
_target_case("disjoint", _GRID, f32([[[0, *FAR], [1, *FAR], [2, 7, 7, 8, 8]]]))
_target_case("many_classes", grid_boxes(73, 100), f32([[[79, *UNIT], [40, *HALF]]]))
_target_case(
    "batch",
    grid_boxes(74, 300),
    np.concatenate(
        [
            f32(whole(75, 5, 6, 8, 1)) - f32(1),
            grid_boxes(76, 48).reshape(6, 8, 4),
        ],
        axis=2,
    ),
)
_target_case(
    "ssd",
    ssd_anchors(),
    label_rows(
        77, 4, 5, 3, pad=[(0, 3), (0, 4), (1, 0), (1, 2), *[(2, k) for k in range(5)]]
    ),
)
_target_case(
    "integers",
    np.array([[0, 0, 4, 4], [2, 2, 6, 6], [0, 4, 4, 8]]),
    np.array([[[0, 0, 0, 4, 5], [-1, 0, 0, 0, 0]], [[3, 2, 2, 6, 6], [1, 0, 4, 2, 8]]]),
)


@case("anchors", lambda: {"finite": True})
def targets_stay_finite(d2l):
    anchors = f32(np.concatenate([_ZERO_SIZE, ODD_ONES, ODD_ONES * 1e6]))
    rows = f32(np.concatenate([ODD_ONES, -ODD_ONES * 1e6, _ZERO_SIZE[:2]]))
    labels = f32([[[k % 3, *row] for k, row in enumerate(rows)], [_PAD] * len(rows)])
    parts = _target(d2l, anchors, labels)
    return {"finite": all(np.isfinite(part).all() for part in parts.values())}


# --- anchors: the types of numbers -------------------------------------------------------


@case(
    "anchors",
    lambda: {"offsets": [2, 4, 8, 4], "boxes": [2, 4, 8, 4], "targets": [2, 4, 8, 4]},
)
def offset_types(d2l):
    """Bytes of a number in the result, by the type of the anchors."""
    out = {"offsets": [], "boxes": [], "targets": []}
    for dtype in ("float16", "float32", "float64", "int32"):
        anchors = d2l.tensor(np.array([[0, 0, 4, 4], [2, 2, 6, 6]], dtype))
        labels = d2l.tensor(np.array([[[1, 0, 0, 4, 4]]], dtype))
        results = {
            "offsets": d2l.offset_boxes(anchors, anchors),
            "boxes": d2l.offset_inverse(anchors, anchors),
            "targets": d2l.multibox_target(anchors[None], labels)[0],
        }
        for key, value in results.items():
            out[key].append(d2l.numpy(value).dtype.itemsize)
    return out


def _double_case(name, expected, compute):
    """Doubles are doubles throughout: float32 would be some 1e-8 off."""

    @case("anchors", lambda: {"out": expected()}, name=f"{name}_double", atol=1e-12)
    def run(d2l):
        return {"out": compute(d2l)}


_D1, _D2 = (np.float64(boxes(seed, 20)) + 0.1 for seed in (78, 79))
_double_case(
    "offset",
    lambda: oracle.offset_boxes(_D1, _D2),
    lambda d2l: d2l.numpy(d2l.offset_boxes(d2l.tensor(_D1), d2l.tensor(_D2))),
)
_double_case(
    "inverse",
    lambda: oracle.offset_inverse(_D1, _D2),
    lambda d2l: d2l.numpy(d2l.offset_inverse(d2l.tensor(_D1), d2l.tensor(_D2))),
)
_DL = np.concatenate([np.zeros((3, 1)), _D2[:3]], axis=1)[None]
_double_case(
    "target",
    lambda: oracle.multibox_target(_D1, _DL)[0],
    lambda d2l: _target(d2l, _D1, _DL)["offsets"],
)
_target_case("classes_in_float32", _GRID, f32([[[2**24, *_GRID[3]]]]))
