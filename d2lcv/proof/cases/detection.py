"""Suppression, and from predictions to boxes."""

import functools
from fractions import Fraction

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import (
    FAR,
    HALF,
    NONE,
    ODD_ONES,
    UNIT,
    WORKED,
    boxes,
    check_detection,
    check_nms,
    check_threshold,
    f32,
    grid_boxes,
    scores,
    ssd_anchors,
    uniform,
    whole,
)
from .anchors import _HUGE, _ZERO_SIZE, TENTHS, overlap, tenths

# --- detection: suppression ----------------------------------------------------------


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


# --- detection: exactly on a threshold, and odd scores ---------------------------------


def _nms_at_tenths(dtype, scale=1.0):
    pairs = [(k, beside) for k in TENTHS for beside in (-1, 0, 1)]

    def expected():
        gone = [overlap(tenths(k, int, by)) > Fraction(k, 10) for k, by in pairs]
        names = ("nms", "batched_nms", "detection", "linear")
        reached = [overlap(tenths(k, int, by)) >= Fraction(k, 10) for k, by in pairs]
        return {**dict.fromkeys(names[:3], gone), "linear": reached}

    @case("detection", expected, name=f"on_thresholds_{dtype}_{scale:g}")
    def run(d2l):
        out = {"nms": [], "batched_nms": [], "detection": [], "linear": []}
        offsets = d2l.tensor(np.zeros((1, 8), dtype))
        probs = d2l.tensor(np.array([[[0.25, 0.5], [0.75, 0.5]]], dtype))
        classes = d2l.tensor(np.zeros(2, np.int64))
        for k, beside in pairs:
            rows = d2l.tensor((tenths(k, "float64", beside) * scale).astype(dtype))
            scores, at = probs[0, 1], k / 10
            kept = d2l.numpy(d2l.nms(rows, scores, at))
            out["nms"].append(len(kept) == 1)
            kept = d2l.numpy(d2l.batched_nms(rows, scores, classes, at))
            out["batched_nms"].append(len(kept) == 1)
            found = d2l.multibox_detection(probs, offsets, rows[None], at)
            out["detection"].append((d2l.numpy(found)[0, :, 0] < 0).any())
            _, new = d2l.soft_nms(rows, scores, method="linear", iou_threshold=at)
            out["linear"].append((d2l.numpy(new) < 0.5).any())
        return {key: np.array(value) for key, value in out.items()}


for _dtype in ("float32", "float64"):
    _nms_at_tenths(_dtype)
# Tenths of a pixel are no float32 and no double: doubles are near enough to be equal
# to the threshold as float32.
_nms_at_tenths("float64", 0.1)


@case("detection", lambda: {"kept": [1, 2, 2, 2, 2, 2, 2]})
def thresholds_of_any_type(d2l):
    """0 takes what overlaps at all; 1, and half of an overlap of a half, nothing."""
    rows, scores = d2l.tensor(f32([UNIT, HALF])), d2l.tensor(f32([0.5, 0.75]))
    given = (0, 1, True, 0.5, np.float32(0.5), np.float64(0.5), np.array(0.5))
    return {"kept": [d2l.size(d2l.nms(rows, scores, t)) for t in given]}


_INFINITE = f32([-np.inf, 0.5, np.inf, -np.inf])
_nms_case(
    "infinite_scores", grid_boxes(94, 4) + f32([[0], [2], [4], [6]]), _INFINITE, 0.5
)
_batched_case(
    "infinite_scores", f32([HALF] * 4), _INFINITE, np.array([0, 0, 1, 1]), 0.5
)
_batched_case("whole_floats", f32([HALF] * 3), scores(95, 3), f32([1, 2, 1]), 0.5)


@case("detection", lambda: {"apart": [1, 3, 0, 2], "one_place": [1], "batched": [1, 2]})
def nan_scores_are_the_lowest(d2l):
    """As if they were −∞: after every number, and before it by the index only."""
    apart = f32([[k, 0, k + 1, 1] for k in range(4)])
    scores = d2l.tensor(f32([np.nan, 0.5, -np.inf, -3]))
    same = d2l.tensor(f32([HALF] * 4))
    classes = d2l.tensor(np.array([0, 0, 1, 0]))
    return {
        "apart": d2l.numpy(d2l.nms(d2l.tensor(apart), scores, 0.5)),
        "one_place": d2l.numpy(d2l.nms(same, scores, 0.5)),
        "batched": d2l.numpy(d2l.batched_nms(same, scores, classes, 0.5)),
    }


def _kept_case(name, dtype, rows, threshold=0.4):
    """NMS in another type, of boxes that it holds exactly."""
    confidence = scores(190, len(rows))

    @case(
        "detection",
        lambda: dict.fromkeys(
            ("kept", "of_one_class"), oracle.nms(rows, confidence, threshold)
        ),
        name=name,
        check=lambda: check_nms(rows, confidence, threshold),
    )
    def run(d2l):
        native = d2l.tensor(rows.astype(dtype)), d2l.tensor(confidence)
        classes = d2l.tensor(np.zeros(len(rows), np.int32))
        return {
            "kept": d2l.numpy(d2l.nms(*native, threshold)),
            "of_one_class": d2l.numpy(d2l.batched_nms(*native, classes, threshold)),
        }


_kept_case("nms_of_half", "float16", grid_boxes(191, 200, 16))
_kept_case("nms_of_doubles", "float64", np.float64(boxes(192, 300)))
_kept_case("nms_of_integers", "int32", grid_boxes(193, 200, 16) * f32(16))
_kept_case("nms_of_huge", "float32", boxes(194, 100) * f32(1e25))
_kept_case("nms_of_tiny", "float32", boxes(194, 100) * f32(1e-25))
_kept_case(
    "nms_chain_double", "float64", np.float64([[k, 0, k + 4, 1] for k in range(300)])
)


@case(
    "detection",
    lambda: {"detection": [2, 4, 8], "soft_nms": [2, 4, 8], "class": [0.0, 0.0, 0.0]},
    exact=("class",),
)
def detection_types(d2l):
    """Bytes of a number in the result."""
    out = {"detection": [], "soft_nms": [], "class": []}
    for dtype in ("float16", "float32", "float64"):
        probs = d2l.tensor(np.array([[[0.25], [0.75]]], dtype))
        rows = d2l.tensor(np.array([[0, 0, 300, 300]], dtype))
        offsets = d2l.tensor(np.zeros((1, 4), dtype))
        found = d2l.numpy(d2l.multibox_detection(probs, offsets, rows[None]))
        out["detection"].append(found.dtype.itemsize)
        out["class"].append(found[0, 0, 0])
        _, new = d2l.soft_nms(rows, probs[0, 1])
        out["soft_nms"].append(d2l.numpy(new).dtype.itemsize)
    return out


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


# --- detection: from predictions to boxes --------------------------------------------


def _columns(rows):
    rows = np.asarray(rows)
    return {"class": rows[..., 0], "confidence": rows[..., 1], "box": rows[..., 2:]}


def _detection(d2l, probs, offsets, anchors, *thresholds, **options):
    tensors = map(d2l.tensor, (probs, offsets, anchors[None]))
    out = d2l.multibox_detection(*tensors, *thresholds, **options)
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
    def both(detection):
        """As in the book, and among the likely anchors alone."""
        lean = detection(probs, offsets, anchors, nms, positive, background=False)
        whole = detection(probs, offsets, anchors, nms, positive)
        return {**whole, **{f"lean {key}": value for key, value in lean.items()}}

    @case(
        "detection",
        lambda: both(lambda *a, **k: _columns(oracle.multibox_detection(*a, **k))),
        name=f"detection_{name}",
        exact=("class", "lean class"),
        check=lambda: check_detection(probs, offsets, anchors, nms, positive),
    )
    def run(d2l):
        return both(functools.partial(_detection, d2l))


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
_detection_case(
    "double",
    np.float64(distinct_probabilities(153, 2, 2, 60)),
    np.float64(moved(154, 2, 60)),
    np.float64(boxes(155, 60)),
    0.4,
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
