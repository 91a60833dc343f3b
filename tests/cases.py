"""The one list of cases that the tests of each backend and the matrix both run.

A case is a function of the public API: given the package it returns named NumPy
arrays. With it come the values it must return, from the worked examples or from the
oracle, and how near they must be. Nothing here knows a framework by name.

    for case in cases.ALL:
        if not case.missing(d2l):
            cases.compare(case(d2l), case.expected(), case)

`compare` holds two backends' answers against each other as well and returns the
largest difference by key.

Inputs are chosen so that float32 decides as float64 does: either no overlap lies
within 1e-5 of a threshold or of the rival it is compared with, or coordinates are
multiples of a power of two, whose overlaps float32 holds exactly (`check` tells).
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable

import numpy as np
import oracle

HERE = pathlib.Path(__file__).parent
WORKED = json.loads((HERE / "worked_examples.json").read_text())

ALL = []
by_name = {}


@dataclasses.dataclass(eq=False)
class Case:
    """One question to a backend, its answer and the tolerance of the answer.

    exact: outputs that are floats by type but whole numbers by meaning.
    requires: public names that may not exist yet; without them there is no case.
    check: raises ValueError if the inputs lie too near to a decision.
    """

    name: str
    topic: str
    run: Callable
    expect: Callable
    atol: float = 1e-5
    rtol: float = 0.0
    exact: tuple = ()
    requires: tuple = ()
    check: Callable | None = None
    _expected: dict | None = None

    def __call__(self, d2l):
        """The backend's answer: {name: array}."""
        return {key: np.asarray(value) for key, value in self.run(d2l).items()}

    def expected(self):
        """The right answer: {name: array}, computed once."""
        if self._expected is None:
            answer = self.expect()
            self._expected = {key: np.asarray(value) for key, value in answer.items()}
        return self._expected

    def missing(self, d2l):
        """The required public names that the package does not have."""
        return [name for name in self.requires if not hasattr(d2l, name)]

    def __repr__(self):
        return f"<case {self.topic}/{self.name}>"


def case(topic, expected, *, name=None, requires=(), **options):
    """Register a function of the package as a case."""

    def register(run):
        new = Case(
            name=name or run.__name__,
            topic=topic,
            run=run,
            expect=expected,
            requires=(requires,) if isinstance(requires, str) else tuple(requires),
            **options,
        )
        if new.name in by_name:
            raise ValueError(f"two cases are called {new.name!r}")
        by_name[new.name] = new
        ALL.append(new)
        return run

    return register


# --- comparison -------------------------------------------------------------------


def _kind(array):
    return {"b": "bool", "i": "integer", "u": "integer", "f": "float"}.get(
        array.dtype.kind, str(array.dtype)
    )


def _tolerance(expected, key, case):
    if _kind(expected) != "float" or key in case.exact:
        return np.zeros(expected.shape)
    return case.atol + case.rtol * np.abs(expected.astype(np.float64))


def difference(actual, expected):
    """The largest absolute difference of two arrays of one shape; 0 if empty."""
    if expected.size == 0:
        return 0.0
    gap = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    return float(gap.max())


def compare(actual, expected, case):
    """Raise AssertionError, naming case, key, element and both values, if they differ.

    Also for two backends' answers to one case. Returns the largest difference by key.
    """
    differences = {}
    if actual.keys() != expected.keys():
        raise AssertionError(
            f"{case.name}: keys {sorted(actual)} instead of {sorted(expected)}"
        )
    for key, want in expected.items():
        got = np.asarray(actual[key])
        where = f"{case.name}: {key}"
        if got.shape != want.shape:
            raise AssertionError(f"{where}: shape {got.shape} instead of {want.shape}")
        if _kind(got) != _kind(want):
            raise AssertionError(
                f"{where}: {got.dtype} instead of {_kind(want)} (as {want.dtype})"
            )
        with np.errstate(invalid="ignore"):
            tolerance = _tolerance(want, key, case)
            gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
        bad = ~np.isfinite(got) | ~np.isfinite(want) | ~(gap <= tolerance)
        if bad.any():
            # The worst element, one that is no number before any other.
            excess = np.where(np.isfinite(gap), gap - tolerance, np.inf)
            worst = np.where(bad, excess, -np.inf).argmax()
            index = tuple(int(i) for i in np.unravel_index(worst, want.shape))
            raise AssertionError(
                f"{where}{list(index)}: {got[index]!r} instead of {want[index]!r} "
                f"(difference {gap[index]:.3g}, allowed {tolerance[index]:.3g}; "
                f"{int(bad.sum())} of {bad.size} elements)"
            )
        differences[key] = difference(got, want)
    return differences


# --- inputs -----------------------------------------------------------------------


def uniform(seed, *shape):
    """Numbers in [0, 1): the raw doubles of PCG64, the same in every NumPy."""
    return np.random.Generator(np.random.PCG64(seed)).random(shape)


def whole(seed, n, *shape):
    """Whole numbers from 0 to n − 1."""
    return np.floor(uniform(seed, *shape) * n).astype(np.int64)


def f32(values):
    """A float32 array."""
    return np.asarray(values, dtype=np.float32)


def boxes(seed, n, smallest=0.1, largest=0.6):
    """Boxes about the unit square at any coordinates."""
    u = uniform(seed, n, 4)
    size = smallest + (largest - smallest) * u[:, 2:]
    corner = u[:, :2] * 1.1 - size / 2
    return f32(np.concatenate([corner, corner + size], axis=1))


def grid_boxes(seed, n, cells=8):
    """Boxes inside the unit square on a grid: equal overlaps abound, all exact.

    With 8 cells different overlaps are at least 1/64² apart, far above 1e-5.
    """
    u = uniform(seed, n, 4)
    low = np.floor(u[:, :2] * cells)
    high = low + 1 + np.floor(u[:, 2:] * (cells - low))
    return f32(np.concatenate([low, high], axis=1) / cells)


def scores(seed, n, levels=None):
    """n confidences, all different, or so many levels that there are ties."""
    if levels is None:
        order = np.argsort(uniform(seed, n), kind="stable")
        return f32((order + 0.5) / max(n, 1))
    return f32(whole(seed, levels, n) / levels)


def label_rows(seed, batch, num, classes, pad=()):
    """(batch, num, 5) labels on a grid of 1/64; pad lists (image, row) of padding."""
    rows = grid_boxes(seed, batch * num, 64).reshape(batch, num, 4)
    ids = whole(seed + 1, classes, batch, num, 1)
    labels = np.concatenate([ids, rows], axis=2)
    for image, row in pad:
        labels[image, row] = [-1, 0, 0, 0, 0]
    return f32(labels)


def ssd_anchors():
    """The 5444 anchors of TinySSD, on a grid of 1/4096 that keeps centres exact."""
    w = WORKED["tinyssd_shapes"]
    scales = [
        oracle.multibox_prior(*shape[1:], sizes, ratios)
        for shape, sizes, ratios in zip(
            w["feature_maps"], w["sizes"], w["ratios"], strict=True
        )
    ]
    return f32(np.round(np.concatenate(scales, axis=1)[0] * 4096) / 4096)


NONE = np.zeros((0, 4), dtype=np.float32)
UNIT = [0.0, 0.0, 1.0, 1.0]
POINT = [0.5, 0.5, 0.5, 0.5]
LINE = [0.25, 0.5, 0.75, 0.5]
INVERTED = [0.75, 0.25, 0.25, 0.75]
TWICE_INVERTED = [0.75, 0.75, 0.25, 0.25]
FAR = [4.0, 4.0, 5.0, 5.0]
HALF = [0.0, 0.0, 1.0, 0.5]
ODD_ONES = f32([UNIT, POINT, LINE, INVERTED, TWICE_INVERTED, FAR, HALF, UNIT, [0] * 4])

DISTANCE = 1e-5


def check_threshold(iou, threshold):
    """No overlap is near the threshold, unless on it by construction."""
    gap = np.abs(np.asarray(iou) - threshold)
    if ((gap > 0) & (gap < DISTANCE)).any():
        raise ValueError(f"an overlap lies {gap[gap > 0].min():.2g} from {threshold}")


def check_rivals(values):
    """The greatest value has no rival near it but exact equals."""
    values = np.asarray(values).reshape(-1)
    gap = values.max() - values
    if ((gap > 0) & (gap < DISTANCE)).any():
        raise ValueError(f"the runner-up is {gap[gap > 0].min():.2g} behind")


def check_assignment(truth, anchors, threshold=0.5):
    """Every choice of the assignment is made with some distance."""
    iou = oracle.box_iou(anchors, truth)
    if not iou.size:
        return
    check_threshold(iou, threshold)
    for row in iou[iou.max(axis=1) >= threshold]:
        check_rivals(row)
    for _ in range(min(iou.shape)):
        check_rivals(iou)
        a, b = np.unravel_index(iou.argmax(), iou.shape)
        iou = np.delete(np.delete(iou, a, axis=0), b, axis=1)


def check_targets(anchors, labels):
    """As check_assignment, image by image."""
    for rows in np.asarray(labels):
        check_assignment(rows[rows[:, 0] >= 0, 1:], anchors)


def check_nms(rows, confidence, threshold, classes=None):
    """Every box is removed by a clear overlap, or clearly overlaps no kept one."""
    rows = np.asarray(rows, dtype=np.float64)
    classes = np.zeros(len(rows)) if classes is None else np.asarray(classes)
    confidence = np.asarray(confidence, dtype=np.float64)
    kept = []
    for i in np.argsort(-confidence, kind="stable"):
        rivals = [k for k in kept if classes[k] == classes[i]]
        iou = oracle.box_iou(rows[i : i + 1], rows[rivals])
        if (iou > threshold + DISTANCE).any():
            continue
        check_threshold(iou, threshold)
        kept.append(i)


def check_detection(probs, offsets, anchors, nms_threshold, pos_threshold):
    """As check_nms, and no confidence near the threshold of the positives."""
    for p, o in zip(probs, offsets, strict=True):
        _, confidence = oracle.confidences(p)
        check_threshold(confidence, pos_threshold)
        check_nms(oracle.offset_inverse(anchors, o), confidence, nms_threshold)


# --- tensors ----------------------------------------------------------------------


@case(
    "tensors",
    lambda: {"float": f32(boxes(1, 5)), "integer": whole(2, 1000, 3, 2)},
    atol=0.0,
)
def tensor_round_trip(d2l):
    return {
        "float": d2l.numpy(d2l.tensor(boxes(1, 5))),
        "integer": d2l.numpy(d2l.tensor(whole(2, 1000, 3, 2))),
    }


_LEFT, _RIGHT = f32(uniform(3, 4, 3)), f32(uniform(4, 4, 3))


@case(
    "tensors",
    lambda: {
        "stack": np.stack([_LEFT, _RIGHT], axis=1),
        "concat": np.concatenate([_LEFT, _RIGHT], axis=1),
        "reshape": _LEFT.reshape(3, 4),
        "matmul": _LEFT @ _RIGHT.T,
        "exp": np.exp(_LEFT),
        "log": np.log(_LEFT),
        "tanh": np.tanh(_LEFT),
        "abs": np.abs(_LEFT - _RIGHT),
        "mean": _LEFT.mean(),
        "sum": _LEFT.sum(axis=1),
        "argmax": _LEFT.argmax(axis=1),
    },
)
def tensor_vocabulary(d2l):
    a, b = d2l.tensor(_LEFT), d2l.tensor(_RIGHT)
    answers = {
        "stack": d2l.stack([a, b], axis=1),
        "concat": d2l.concat([a, b], axis=1),
        "reshape": d2l.reshape(a, (3, 4)),
        "matmul": d2l.matmul(a, d2l.transpose(b)),
        "exp": d2l.exp(a),
        "log": d2l.log(a),
        "tanh": d2l.tanh(a),
        "abs": d2l.abs(a - b),
        "mean": d2l.reshape(d2l.reduce_mean(a), (1,)),
        "sum": d2l.reduce_sum(a, axis=1),
        "argmax": d2l.argmax(a, axis=1),
    }
    arrays = {key: d2l.numpy(value) for key, value in answers.items()}
    arrays["mean"] = arrays["mean"].reshape(())
    return arrays


# --- boxes ------------------------------------------------------------------------


@case(
    "boxes",
    lambda: {
        "center": f32(WORKED["box_corner_to_center"]["expected"]),
        "corner": f32(WORKED["box_corner_to_center"]["boxes"]),
    },
    atol=0.0,
)
def worked_box_corner_to_center(d2l):
    corner = d2l.tensor(f32(WORKED["box_corner_to_center"]["boxes"]))
    center = d2l.box_corner_to_center(corner)
    return {
        "center": d2l.numpy(center),
        "corner": d2l.numpy(d2l.box_center_to_corner(center)),
    }


def _boxes_case(name, rows):
    @case(
        "boxes",
        lambda: {
            "center": oracle.corner_to_center(rows),
            "corner": oracle.center_to_corner(rows),
        },
        name=f"boxes_{name}",
    )
    def run(d2l):
        native = d2l.tensor(rows)
        return {
            "center": d2l.numpy(d2l.box_corner_to_center(native)),
            "corner": d2l.numpy(d2l.box_center_to_corner(native)),
        }


_boxes_case("none", NONE)
_boxes_case("one", f32([[0.1, 0.2, 0.4, 0.9]]))
_boxes_case("one_without_batch", f32([0.1, 0.2, 0.4, 0.9]))
_boxes_case("odd_ones", ODD_ONES)
_boxes_case("many", boxes(10, 2000))
_boxes_case("integers", np.array([[60, 45, 378, 517], [400, 112, 655, 493]]))


# --- anchors: overlap -------------------------------------------------------------


@case("anchors", lambda: {"iou": f32(WORKED["box_iou"]["expected"])})
def worked_box_iou(d2l):
    w = WORKED["box_iou"]
    a, b = d2l.tensor(f32(w["boxes1"])), d2l.tensor(f32(w["boxes2"]))
    return {"iou": d2l.numpy(d2l.box_iou(a, b))}


def _iou_case(name, rows1, rows2):
    @case("anchors", lambda: {"iou": oracle.box_iou(rows1, rows2)}, name=f"iou_{name}")
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


# --- anchors: prior ---------------------------------------------------------------


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


# --- anchors: assignment ----------------------------------------------------------


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


# --- anchors: offsets -------------------------------------------------------------


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


# --- anchors: targets -------------------------------------------------------------


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


# --- detection: suppression -------------------------------------------------------


def _nms_case(name, rows, confidence, threshold):
    @case(
        "detection",
        lambda: {"kept": oracle.nms(rows, confidence, threshold)},
        name=f"nms_{name}",
        check=lambda: check_nms(rows, confidence, threshold),
    )
    def run(d2l):
        kept = d2l.nms(d2l.tensor(rows), d2l.tensor(confidence), threshold)
        return {"kept": d2l.numpy(kept)}


_nms_case("none", NONE, f32([]), 0.5)
_nms_case("one", f32([UNIT]), f32([0.25]), 0.5)
_nms_case("equal_stays", f32([UNIT, HALF]), f32([0.5, 0.75]), 0.5)
_nms_case(
    "equal_stays_at_quarter", f32([UNIT, [0, 0, 0.5, 0.5]]), f32([0.5, 0.75]), 0.25
)
_nms_case("identical", f32([HALF] * 6), f32([0.5, 0.75, 0.25, 0.75, 0, 0.5]), 0.5)
_nms_case("identical_at_1", f32([HALF] * 6), f32([0.5, 0.75, 0.25, 0.75, 0, 0.5]), 1.0)
_nms_case(
    "disjoint", grid_boxes(80, 5) + f32(2 * np.arange(5)[:, None]), scores(81, 5), 0.0
)
_nms_case("touching_at_0", f32([UNIT, [1, 0, 2, 1], [0, 1, 1, 2]]), scores(82, 3), 0.0)
_nms_case("odd_ones", ODD_ONES, scores(83, 9), 0.25)
_nms_case("odd_ones_at_0", ODD_ONES, scores(84, 9), 0.0)
_nms_case("all_scores_equal", grid_boxes(85, 60), f32([0.5] * 60), 0.25)
_nms_case("negative_and_zero_scores", boxes(86, 20), scores(87, 20) - f32(0.5), 0.5)
# Suppressed boxes suppress nothing: b goes for a, and c, which b alone overlaps, stays.
_nms_case(
    "chain",
    f32([[0, 0, 4, 1], [1, 0, 5, 1], [2, 0, 6, 1]]),
    f32([0.75, 0.5, 0.25]),
    0.5,
)
for _threshold in (0.0, 0.25, 0.5, 0.75, 1.0):
    _percent = round(100 * _threshold)
    _nms_case(
        f"ties_at_{_percent}", grid_boxes(88, 200), scores(89, 200, 8), _threshold
    )
for _threshold in (0.3, 0.7):
    _percent = round(100 * _threshold)
    _nms_case(f"many_at_{_percent}", boxes(90, 400), scores(91, 400), _threshold)
_nms_case("pixels", boxes(92, 300) * f32(1000), scores(93, 300), 0.4)
_nms_case("thousands", boxes(94, 3000, 0.2, 0.5), scores(95, 3000), 0.5)
# Sorting is not stable everywhere from about a thousand elements on.
_nms_case("thousands_of_ties", grid_boxes(96, 2500), scores(97, 2500, 16), 0.5)
_nms_case(
    "thousands_disjoint",
    f32([[k, 0, k + 0.5, 1] for k in range(1200)]),
    scores(98, 1200, 4),
    0.5,
)
_nms_case(
    "integers", np.array([[0, 0, 4, 4], [0, 0, 4, 2], [9] * 4]), scores(99, 3), 0.25
)


def _batched_case(name, rows, confidence, classes, threshold):
    @case(
        "detection",
        lambda: {"kept": oracle.batched_nms(rows, confidence, classes, threshold)},
        name=f"batched_nms_{name}",
        check=lambda: check_nms(rows, confidence, threshold, classes),
    )
    def run(d2l):
        kept = d2l.batched_nms(
            d2l.tensor(rows), d2l.tensor(confidence), d2l.tensor(classes), threshold
        )
        return {"kept": d2l.numpy(kept)}


_batched_case("none", NONE, f32([]), whole(0, 1, 0), 0.5)
_batched_case("one", f32([UNIT]), f32([0.25]), np.array([3]), 0.5)
_batched_case("one_class", boxes(100, 80), scores(101, 80), whole(0, 1, 80), 0.4)
_batched_case(
    "own_class_only", f32([HALF] * 6), scores(102, 6), np.array([0, 1] * 3), 0.5
)
_batched_case(
    "equal_stays", f32([UNIT, HALF] * 2), scores(103, 4), np.array([4, 4, 7, 7]), 0.5
)
_batched_case("odd_ones", ODD_ONES, scores(104, 9), whole(105, 2, 9), 0.25)
for _threshold in (0.0, 0.5, 1.0):
    _percent = round(100 * _threshold)
    _batched_case(
        f"ties_at_{_percent}",
        grid_boxes(106, 150),
        scores(107, 150, 8),
        whole(108, 3, 150),
        _threshold,
    )
# Moving each class to a place of its own loses the digits of the coordinates, and
# boxes left of zero land in the place of the class before.
_batched_case(
    "many_classes", boxes(109, 900), scores(110, 900), whole(111, 90, 900), 0.3
)
_batched_case(
    "distant_class_numbers",
    boxes(112, 200),
    scores(113, 200),
    whole(114, 3, 200) * 100_000,
    0.3,
)
_batched_case(
    "left_of_zero",
    grid_boxes(115, 60) * f32(4) - f32(8),
    scores(116, 60),
    whole(117, 6, 60),
    0.25,
)
# and those of one place, all left of zero, meet if it is only by the largest coordinate
_batched_case(
    "one_place_left_of_zero",
    f32([[-10, -10, 0, 0]] * 4),
    f32([0.5, 0.75, 0.25, 0.625]),
    np.array([0, 1, 0, 3]),
    0.5,
)
_batched_case(
    "pixels", boxes(118, 500) * f32(1000), scores(119, 500), whole(120, 20, 500), 0.4
)
_batched_case(
    "thousands_of_ties",
    grid_boxes(121, 2500),
    scores(122, 2500, 16),
    whole(123, 4, 2500),
    0.5,
)


def check_soft_nms(rows, confidence, **options):
    """No two boxes come near each other in the order, and none to the threshold."""
    _, new = oracle.soft_nms(rows, confidence, **options)
    for gap in (-np.diff(new), np.abs(new - options.get("score_threshold", 0.001))):
        if ((gap > 0) & (gap < 1e-6)).any():
            raise ValueError(f"a score lies {gap[gap > 0].min():.2g} from a decision")
    if options.get("method") == "linear":
        iou = oracle.box_iou(rows, rows)
        check_threshold(iou, options.get("iou_threshold", 0.3))


def _soft_nms_case(name, rows, confidence, **options):
    def named(kept, new):
        return {"kept": kept, "scores": np.asarray(new, dtype=np.float64)}

    @case(
        "detection",
        lambda: named(*oracle.soft_nms(rows, confidence, **options)),
        name=f"soft_nms_{name}",
        requires="soft_nms",
        check=lambda: check_soft_nms(rows, confidence, **options),
    )
    def run(d2l):
        found = d2l.soft_nms(d2l.tensor(rows), d2l.tensor(confidence), **options)
        return named(*map(d2l.numpy, found))


_soft_nms_case("none", NONE, f32([]))
_soft_nms_case("one", f32([UNIT]), f32([0.25]))
_soft_nms_case("one_below", f32([UNIT]), f32([0.25]), score_threshold=0.5)
for _method in ("gaussian", "linear"):
    # of identical boxes a linear step leaves nothing, which is still at least 0
    _soft_nms_case(
        f"identical_{_method}",
        f32([HALF] * 4),
        f32([0.5, 0.75, 0.25, 0.75]),
        method=_method,
        score_threshold=0,
    )
    _soft_nms_case(f"odd_ones_{_method}", ODD_ONES, scores(190, 9), method=_method)
    _soft_nms_case(
        f"many_{_method}",
        boxes(191, 120, 0.2, 0.5),
        scores(192, 120),
        method=_method,
        score_threshold=0.05,
    )
    _soft_nms_case(
        f"ties_{_method}", grid_boxes(193, 8), scores(194, 8, 4), method=_method
    )
_soft_nms_case("harsh", boxes(195, 40), scores(196, 40), sigma=0.05)
_soft_nms_case(
    "linear_at_60",
    boxes(197, 60, 0.3, 0.5),
    scores(198, 60),
    method="linear",
    iou_threshold=0.6,
)
_soft_nms_case(
    "disjoint", grid_boxes(80, 5) + f32(2 * np.arange(5)[:, None]), scores(81, 5, 2)
)


# --- detection: from predictions to boxes -----------------------------------------


def _columns(rows):
    rows = np.asarray(rows)
    return {"class": rows[..., 0], "confidence": rows[..., 1], "box": rows[..., 2:]}


def _detection(d2l, probs, offsets, anchors, *thresholds):
    out = d2l.multibox_detection(
        d2l.tensor(probs), d2l.tensor(offsets), d2l.tensor(anchors[None]), *thresholds
    )
    return _columns(d2l.numpy(out))


@case(
    "detection",
    lambda: _columns(f32(WORKED["multibox_detection"]["expected"])),
    exact=("class",),
)
def worked_multibox_detection(d2l):
    w = WORKED["multibox_detection"]
    return _detection(
        d2l,
        f32(w["cls_probs"]),
        f32(w["offset_preds"]),
        f32(w["anchors"])[0],
        w["nms_threshold"],
    )


def _detection_case(name, probs, offsets, anchors, nms=0.5, positive=0.009999999):
    @case(
        "detection",
        lambda: _columns(
            oracle.multibox_detection(probs, offsets, anchors, nms, positive)
        ),
        name=f"detection_{name}",
        exact=("class",),
        check=lambda: check_detection(probs, offsets, anchors, nms, positive),
    )
    def run(d2l):
        return _detection(d2l, probs, offsets, anchors, nms, positive)


def probabilities(seed, batch, classes, num, levels=1024):
    """(batch, classes + 1, num), multiples of 1/levels; background fills up to 1."""
    raw = np.floor(uniform(seed, batch, classes, num) * levels) / levels
    return f32(np.concatenate([1 - raw.max(axis=1, keepdims=True), raw], axis=1))


def distinct_probabilities(seed, batch, classes, num):
    """As probabilities, and within an image no two confidences are equal."""
    order = np.argsort(uniform(seed, batch, classes * num), axis=1, kind="stable")
    raw = (order.reshape(batch, classes, num) + 0.5) / (classes * num)
    return f32(np.concatenate([1 - raw.max(axis=1, keepdims=True), raw], axis=1))


def still(batch, num):
    """Offsets of zero: the anchors themselves are predicted."""
    return np.zeros((batch, 4 * num), dtype=np.float32)


def moved(seed, batch, num, by=1.5):
    """Offsets in both directions."""
    return f32((2 * uniform(seed, batch, 4 * num) - 1) * by)


_detection_case("no_anchors", np.zeros((2, 3, 0), np.float32), still(2, 0), NONE)
_detection_case("one", f32([[[0.25], [0.75]]]), moved(130, 1, 1), f32([UNIT]))
_detection_case(
    "images_left_of_zero",
    f32([[[0.25], [0.75]], [[0.5], [0.5]]]),
    still(2, 1),
    f32([[-10, -10, 0, 0]]),
)
_detection_case("one_below", f32([[[0.995], [0.005]]]), still(1, 1), f32([UNIT]))
_detection_case(
    "equal_stays", f32([[[0.5] * 2, [0.5, 0.25]]]), still(1, 2), f32([UNIT, HALF])
)
_detection_case(
    "first_of_equal_classes",
    f32([[[0], [0.25], [0.5], [0.5]]]),
    still(1, 1),
    f32([UNIT]),
)
_detection_case(
    "background_is_not_looked_at",
    f32([[[0.9, 0.1], [0.05, 0.5], [0.05, 0.4]]]),
    still(1, 2),
    f32([UNIT, FAR]),
)
_detection_case(
    "identical", probabilities(131, 2, 2, 20, 4), still(2, 20), f32([HALF] * 20)
)
_detection_case("odd_ones", distinct_probabilities(132, 3, 2, 9), still(3, 9), ODD_ONES)
_detection_case(
    "odd_ones_moved", distinct_probabilities(133, 3, 2, 9), moved(134, 3, 9), ODD_ONES
)
_detection_case(
    "all_scores_equal",
    np.full((2, 5, 1500), 0.25, np.float32),
    still(2, 1500),
    grid_boxes(135, 1500),
)
for _threshold in (0.0, 0.5, 1.0):
    _percent = round(100 * _threshold)
    _detection_case(
        f"ties_at_{_percent}",
        probabilities(136, 3, 3, 120, 8),
        still(3, 120),
        grid_boxes(137, 120),
        _threshold,
    )
    _detection_case(
        f"positive_from_{_percent}",
        probabilities(138, 2, 2, 100, 16),
        still(2, 100),
        grid_boxes(139, 100),
        0.25,
        _threshold,
    )
_detection_case(
    "many",
    distinct_probabilities(140, 4, 3, 300),
    moved(141, 4, 300),
    boxes(142, 300),
    0.4,
)
_detection_case(
    "many_classes",
    distinct_probabilities(143, 1, 20, 200),
    moved(144, 1, 200),
    boxes(145, 200),
    0.3,
)
_detection_case(
    "thousands",
    distinct_probabilities(146, 2, 2, 2000),
    moved(147, 2, 2000),
    boxes(148, 2000),
    0.3,
)
_detection_case(
    "ssd",
    distinct_probabilities(149, 1, 1, 5444),
    moved(150, 1, 5444, 0.5),
    ssd_anchors(),
    0.3,
    0.25,
)


@case("detection", lambda: {"shape": np.array([2, 200, 6]), "finite": True})
def detection_stays_finite(d2l):
    anchors = f32(np.concatenate([boxes(151, 100), _ZERO_SIZE[:100]]))
    offsets = np.stack([_HUGE.reshape(-1), -_HUGE.reshape(-1)])
    out = d2l.numpy(
        d2l.multibox_detection(
            d2l.tensor(probabilities(152, 2, 3, 200)),
            d2l.tensor(offsets),
            d2l.tensor(anchors[None]),
        )
    )
    return {"shape": np.array(out.shape), "finite": np.isfinite(out).all()}


# --- detection: mean average precision --------------------------------------------


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


# --- single-shot detection --------------------------------------------------------


def _smooth_l1_case(sigma):
    w = WORKED["smooth_l1"]

    @case(
        "ssd",
        lambda: {"loss": f32(w[f"sigma_{sigma}"])},
        name=f"worked_smooth_l1_{sigma}",
    )
    def run(d2l):
        return {"loss": d2l.numpy(d2l.smooth_l1(d2l.tensor(f32(w["x"])), sigma))}


for _sigma in (10, 1, 0.5):
    _smooth_l1_case(_sigma)


_SMOOTH = f32(6 * uniform(170, 4, 5, 6) - 3)


@case("ssd", lambda: {"loss": oracle.smooth_l1(_SMOOTH, 1.5)})
def smooth_l1_many(d2l):
    return {"loss": d2l.numpy(d2l.smooth_l1(d2l.tensor(_SMOOTH), 1.5))}


def _focal_case(gamma):
    w = WORKED["focal_loss"]

    @case(
        "ssd",
        lambda: {"loss": f32(w[f"gamma_{gamma}"])},
        name=f"worked_focal_loss_{gamma}",
    )
    def run(d2l):
        return {"loss": d2l.numpy(d2l.focal_loss(gamma, d2l.tensor(f32(w["p"]))))}


for _gamma in (0, 1, 5):
    _focal_case(_gamma)


_FOCAL = f32(1 - uniform(171, 3, 40))


@case(
    "ssd",
    lambda: {"many": oracle.focal_loss(2, _FOCAL), "certain": np.zeros(1)},
)
def focal_loss_many(d2l):
    return {
        "many": d2l.numpy(d2l.focal_loss(2, d2l.tensor(_FOCAL))),
        "certain": d2l.numpy(d2l.focal_loss(2, d2l.tensor(f32([1])))),
    }


@case("ssd", lambda: {"shape": np.array(WORKED["concat_preds"]["result"])})
def worked_concat_preds(d2l):
    w = WORKED["concat_preds"]
    joined = d2l.concat_preds([d2l.zeros(tuple(w["Y1"])), d2l.zeros(tuple(w["Y2"]))])
    return {"shape": np.array(joined.shape)}


_PREDS = [f32(uniform(172, 2, 6, 3, 4)), f32(uniform(173, 2, 9, 2, 1))]


@case(
    "ssd",
    lambda: {
        "flat": oracle.flatten_pred(_PREDS[0]),
        "joined": oracle.concat_preds(_PREDS),
    },
    atol=0.0,
)
def concat_preds_order(d2l):
    preds = [d2l.tensor(pred) for pred in _PREDS]
    return {
        "flat": d2l.numpy(d2l.flatten_pred(preds[0])),
        "joined": d2l.numpy(d2l.concat_preds(preds)),
    }


@case(
    "ssd",
    lambda: {
        "cls_predictor": np.array([2, 5 * 11, 20, 20]),
        "bbox_predictor": np.array([2, 5 * 4, 20, 20]),
        "down_sample_blk": np.array([2, 10, 10, 10]),
        "base_net": np.array([2, 64, 8, 8]),
    },
)
def ssd_layer_shapes(d2l):
    def shape(layer, *of):
        return np.array(d2l.numpy(layer(d2l.zeros(of))).shape)

    return {
        "cls_predictor": shape(d2l.cls_predictor(8, 5, 10), 2, 8, 20, 20),
        "bbox_predictor": shape(d2l.bbox_predictor(8, 5), 2, 8, 20, 20),
        "down_sample_blk": shape(d2l.down_sample_blk(3, 10), 2, 3, 20, 20),
        "base_net": shape(d2l.base_net(), 2, 3, 64, 64),
    }


def _tinyssd_expected():
    # The shapes of 32 images follow from those of 2; Paddle takes seconds for 32.
    w = WORKED["tinyssd_shapes"]
    rows = sorted(int(row) for row in w["anchor_rows"])
    exact = [
        oracle.multibox_prior(*shape[1:], sizes, ratios)
        for shape, sizes, ratios in zip(
            w["feature_maps"], w["sizes"], w["ratios"], strict=True
        )
    ]
    return {
        "anchors_shape": np.array(w["anchors"]),
        "cls_shape": np.array([2, *w["cls_preds"][1:]]),
        "bbox_shape": np.array([2, *w["bbox_preds"][1:]]),
        "anchor_rows": f32([w["anchor_rows"][str(row)] for row in rows]),
        "anchors": np.concatenate(exact, axis=1),
        "finite": True,
    }


@case("ssd", _tinyssd_expected)
def worked_tinyssd(d2l):
    w = WORKED["tinyssd_shapes"]
    X = d2l.tensor(f32(uniform(174, 2, *w["input"][1:])))
    parts = [d2l.numpy(part) for part in d2l.TinySSD(w["num_classes"])(X)]
    anchors, classes, offsets = parts
    rows = sorted(int(row) for row in w["anchor_rows"])
    return {
        "anchors_shape": np.array(anchors.shape),
        "cls_shape": np.array(classes.shape),
        "bbox_shape": np.array(offsets.shape),
        "anchor_rows": anchors[0, rows],
        "anchors": anchors,
        "finite": all(np.isfinite(part).all() for part in parts),
    }


@case(
    "ssd",
    lambda: {"cls": np.array([1, 344, 5]), "bbox": np.array([1, 4 * 344])},
)
def tinyssd_four_classes(d2l):
    # The smallest picture there is: maps of 8, 4, 2, 1 and 1 pixels a side, of four
    # anchors each.
    _, classes, offsets = d2l.TinySSD(4)(d2l.zeros((1, 3, 64, 64)))
    return {
        "cls": np.array(d2l.numpy(classes).shape),
        "bbox": np.array(d2l.numpy(offsets).shape),
    }


_LOGITS = f32(8 * uniform(175, 3, 50, 4) - 4)
_CLASSES = whole(176, 4, 3, 50)
_OFFSET_PREDS, _OFFSETS = f32(uniform(177, 3, 200)), f32(uniform(178, 3, 200))
_MASKS = f32(np.repeat(whole(179, 2, 3, 50), 4, axis=1))


def _ssd_inputs(d2l):
    return [d2l.tensor(x) for x in (_LOGITS, _CLASSES, _OFFSET_PREDS, _OFFSETS, _MASKS)]


def _number(d2l, value):
    if not isinstance(value, (int, float, np.generic)):
        value = d2l.numpy(value)
    return np.asarray(value, dtype=np.float64).mean()


@case(
    "ssd",
    lambda: {
        "mean": oracle.calc_loss(
            _LOGITS, _CLASSES, _OFFSET_PREDS, _OFFSETS, _MASKS
        ).mean()
    },
    requires="calc_loss",
)
def ssd_loss(d2l):
    return {"mean": _number(d2l, d2l.calc_loss(*_ssd_inputs(d2l)))}


@case(
    "ssd",
    lambda: {
        "right": float((_LOGITS.argmax(axis=2) == _CLASSES).sum()),
        "error": np.abs((_OFFSETS - _OFFSET_PREDS) * _MASKS).astype(np.float64).sum(),
    },
    rtol=1e-6,
    exact=("right",),
    requires=("cls_eval", "bbox_eval"),
)
def ssd_eval(d2l):
    logits, classes, *rest = _ssd_inputs(d2l)
    return {
        "right": _number(d2l, d2l.cls_eval(logits, classes)),
        "error": _number(d2l, d2l.bbox_eval(*rest)),
    }


_FEW = np.where(uniform(180, 3, 50) < 0.1, _CLASSES, 0)
_FEW[2] = 0  # an image without an object
_FEW_MASKS = f32(np.repeat(_FEW > 0, 4, axis=1))


@case(
    "ssd",
    lambda: {
        "few": oracle.hard_negative_loss(_LOGITS, _FEW),
        "half": oracle.hard_negative_loss(_LOGITS, _FEW, 0.5),
        "objects_only": oracle.hard_negative_loss(_LOGITS, _FEW, 0),
        "all": oracle.hard_negative_loss(_LOGITS, _CLASSES),
        # all equally hard: the loss is the same whichever are taken
        "ties": oracle.hard_negative_loss(0 * _LOGITS, _FEW),
    },
    rtol=1e-6,
    requires="hard_negative_loss",
)
def hard_negatives(d2l):
    logits, few, all_ = (d2l.tensor(x) for x in (_LOGITS, _FEW, _CLASSES))
    return {
        "few": d2l.numpy(d2l.hard_negative_loss(logits, few)),
        "half": d2l.numpy(d2l.hard_negative_loss(logits, few, 0.5)),
        "objects_only": d2l.numpy(d2l.hard_negative_loss(logits, few, 0)),
        "all": d2l.numpy(d2l.hard_negative_loss(logits, all_)),
        "ties": d2l.numpy(d2l.hard_negative_loss(0 * logits, few)),
    }


def _focal_cls_case(gamma, alpha):
    @case(
        "ssd",
        lambda: {"loss": oracle.focal_cls_loss(_LOGITS, _FEW, gamma, alpha)},
        name=f"focal_cls_loss_{gamma}_{round(100 * alpha)}",
        rtol=1e-6,
        requires="focal_cls_loss",
    )
    def run(d2l):
        logits, labels = d2l.tensor(_LOGITS), d2l.tensor(_FEW)
        return {"loss": d2l.numpy(d2l.focal_cls_loss(logits, labels, gamma, alpha))}


for _gamma, _alpha in ((2, 0.25), (0, 0.5), (5, 0.75), (0.5, 0.0)):
    _focal_cls_case(_gamma, _alpha)


@case(
    "ssd",
    lambda: {
        f"sigma {sigma}": oracle.smooth_l1_loss(
            _OFFSET_PREDS, _OFFSETS, _FEW_MASKS, sigma
        )
        for sigma in (1, 2)
    },
    rtol=1e-6,
    requires="smooth_l1_loss",
)
def smooth_l1_losses(d2l):
    inputs = [d2l.tensor(x) for x in (_OFFSET_PREDS, _OFFSETS, _FEW_MASKS)]
    return {
        f"sigma {sigma}": d2l.numpy(d2l.smooth_l1_loss(*inputs, sigma))
        for sigma in (1, 2)
    }


# --- regions of interest ----------------------------------------------------------


_PICTURE = f32(np.arange(16).reshape(1, 1, 4, 4))


@case("rcnn", lambda: {"out": f32(WORKED["roi_pool"]["expected"])}, requires="roi_pool")
def worked_roi_pool(d2l):
    w = WORKED["roi_pool"]
    out = d2l.roi_pool(
        d2l.tensor(_PICTURE),
        d2l.tensor(f32(w["rois_batchindex_x1_y1_x2_y2"])),
        output_size=tuple(w["output_size"]),
        spatial_scale=w["spatial_scale"],
    )
    return {"out": d2l.numpy(out)}


@case(
    "rcnn", lambda: {"out": f32(WORKED["roi_align"]["expected"])}, requires="roi_align"
)
def worked_roi_align(d2l):
    w = WORKED["roi_align"]
    out = d2l.roi_align(
        d2l.tensor(_PICTURE),
        d2l.tensor(f32(w["rois_batchindex_x1_y1_x2_y2"])),
        output_size=tuple(w["output_size"]),
        spatial_scale=w["spatial_scale"],
        sampling_ratio=w["sampling_ratio"],
        aligned=w["aligned"],
    )
    return {"out": d2l.numpy(out)}


def _roi_case(name, X, rois, size, scale, samples=2, aligned=True):
    @case(
        "rcnn",
        lambda: {"out": oracle.roi_pool(X, rois, size, scale)},
        name=f"roi_pool_{name}",
        requires="roi_pool",
    )
    def pool(d2l):
        out = d2l.roi_pool(d2l.tensor(X), d2l.tensor(rois), size, scale)
        return {"out": d2l.numpy(out)}

    @case(
        "rcnn",
        lambda: {"out": oracle.roi_align(X, rois, size, scale, samples, aligned)},
        name=f"roi_align_{name}",
        requires="roi_align",
    )
    def align(d2l):
        out = d2l.roi_align(
            d2l.tensor(X), d2l.tensor(rois), size, scale, samples, aligned
        )
        return {"out": d2l.numpy(out)}


# Values of both signs: an empty cell is 0 although every value may lie below.
_MAPS = f32(2 * uniform(180, 2, 3, 9, 12) - 1)


def regions(seed, n, batch, width, height):
    """n rows (image, x1, y1, x2, y2) in pixels, some beyond the border."""
    corner = uniform(seed, n, 2) * [width, height] - 2
    size = uniform(seed + 1, n, 2) * [width, height]
    rows = np.concatenate([corner, corner + size], axis=1)
    # Quarters, so that scaling is exact, and never a half below zero.
    rows = np.where(rows < 0, np.floor(rows), np.round(rows * 4) / 4)
    return f32(np.concatenate([whole(seed + 2, batch, n, 1), rows], axis=1))


_roi_case("none", _MAPS, np.zeros((0, 5), np.float32), (2, 2), 1.0)
_roi_case("one_pixel", _MAPS, f32([[1, 3, 2, 3, 2], [0, 3, 2, 4, 3]]), (2, 3), 1.0)
_roi_case("inverted", _MAPS, f32([[0, 6, 6, 2, 2]]), (2, 2), 1.0)
_roi_case("outside", _MAPS, f32([[0, 40, 40, 50, 50], [1, 8, 5, 30, 30]]), (2, 2), 1.0)
_roi_case(
    "halves", _MAPS, f32([[0, 0.5, 1.5, 6.5, 7.5], [1, 5, 3, 13, 9]]), (4, 2), 0.5
)
_roi_case("many", _MAPS, regions(181, 40, 2, 12, 9), (3, 2), 1.0)
_roi_case("scaled", _MAPS, regions(184, 40, 2, 48, 36), (7, 7), 0.25, samples=1)
_roi_case("not_aligned", _MAPS, regions(187, 20, 2, 12, 9), (2, 2), 1.0, aligned=False)


# --- segmentation -----------------------------------------------------------------


@case(
    "segmentation",
    lambda: {"out": f32(WORKED["trans_conv"]["expected"])},
    requires="trans_conv",
)
def worked_trans_conv(d2l):
    w = WORKED["trans_conv"]
    out = d2l.trans_conv(d2l.tensor(f32(w["X"])), d2l.tensor(f32(w["K"])))
    return {"out": d2l.numpy(out)}


@case(
    "segmentation",
    lambda: {
        "corr2d": f32(WORKED["conv_as_matmul"]["corr2d"]),
        "matrix": f32(WORKED["conv_as_matmul"]["kernel_matrix"]),
        "back": f32(WORKED["conv_as_matmul"]["trans_conv_of_Y"]),
    },
    requires=("corr2d", "kernel2matrix", "trans_conv"),
)
def worked_conv_as_matmul(d2l):
    w = WORKED["conv_as_matmul"]
    X, K = d2l.tensor(f32(w["X"])), d2l.tensor(f32(w["K"]))
    Y = d2l.corr2d(X, K)
    return {
        "corr2d": d2l.numpy(Y),
        "matrix": d2l.numpy(d2l.kernel2matrix(K)),
        "back": d2l.numpy(d2l.trans_conv(Y, K)),
    }


def _corr_case(name, shape, kernel):
    X, K = f32(uniform(190, *shape)), f32(uniform(191, *kernel) - 0.5)

    @case(
        "segmentation",
        lambda: {"out": oracle.corr2d(X, K)},
        name=f"corr2d_{name}",
        requires="corr2d",
    )
    def corr(d2l):
        return {"out": d2l.numpy(d2l.corr2d(d2l.tensor(X), d2l.tensor(K)))}

    @case(
        "segmentation",
        lambda: {"out": oracle.trans_conv(X, K)},
        name=f"trans_conv_{name}",
        requires="trans_conv",
    )
    def trans(d2l):
        return {"out": d2l.numpy(d2l.trans_conv(d2l.tensor(X), d2l.tensor(K)))}


_corr_case("one_pixel", (1, 1), (1, 1))
_corr_case("kernel_as_large", (3, 4), (3, 4))
_corr_case("unequal_sides", (7, 5), (2, 3))
_corr_case("many", (24, 17), (5, 4))


def _bilinear_case(size, worked, key):
    def expected():
        kernel = np.zeros((3, 3, size, size))
        kernel[range(3), range(3)] = WORKED["bilinear_kernel"][key]
        return {"weights": kernel if worked else oracle.bilinear_kernel(3, 3, size)}

    prefix = "worked_" if worked else ""

    @case(
        "segmentation",
        expected,
        name=f"{prefix}bilinear_kernel_{size}",
        requires="bilinear_kernel",
    )
    def run(d2l):
        return {"weights": d2l.numpy(d2l.bilinear_kernel(3, 3, size))}


_bilinear_case(4, True, "diagonal_filter")
_bilinear_case(3, True, "kernel_size_3")


@case(
    "segmentation",
    lambda: {
        "64": oracle.bilinear_kernel(2, 2, 64),
        "1": oracle.bilinear_kernel(1, 1, 1),
    },
    requires="bilinear_kernel",
)
def bilinear_kernel_sizes(d2l):
    return {
        "64": d2l.numpy(d2l.bilinear_kernel(2, 2, 64)),
        "1": d2l.numpy(d2l.bilinear_kernel(1, 1, 1)),
    }


# --- style ------------------------------------------------------------------------


_TWELVE = f32(np.arange(12).reshape(1, 2, 2, 3))


@case("style", lambda: {"gram": f32(WORKED["gram"]["expected"])}, requires="gram")
def worked_gram(d2l):
    return {"gram": d2l.numpy(d2l.gram(d2l.tensor(_TWELVE)))}


@case("style", lambda: {"loss": f32(WORKED["tv_loss"]["expected"])}, requires="tv_loss")
def worked_tv_loss(d2l):
    return {"loss": d2l.numpy(d2l.tv_loss(d2l.tensor(_TWELVE))).reshape(())}


_FEATURES = f32(uniform(200, 1, 6, 8, 5))


@case("style", lambda: {"gram": oracle.gram(_FEATURES)}, requires="gram")
def gram_many(d2l):
    return {"gram": d2l.numpy(d2l.gram(d2l.tensor(_FEATURES)))}


@case("style", lambda: {"loss": f32(oracle.tv_loss(_FEATURES))}, requires="tv_loss")
def tv_loss_many(d2l):
    return {"loss": d2l.numpy(d2l.tv_loss(d2l.tensor(_FEATURES))).reshape(())}
