"""Random inputs against the oracle: boxes, anchors and detection.

Coordinates are eighths inside the unit square. Areas are then whole numbers of 64ths,
overlaps p/q with q ≤ 64, exact where they tie and at least 1/64² apart where they do
not: float32 decides as the oracle does, on the thresholds too, which are dyadic.
"""

from unittest.mock import patch

import numpy as np
import pytest

from d2lcv.proof import oracle
from d2lcv.proof.case import Case, compare
from d2lcv.proof.cases.anchors import ULPS

pytest.importorskip("hypothesis")

from hypothesis import example, given
from hypothesis import strategies as st

EIGHTH = st.integers(0, 8)
THRESHOLDS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
MOST_BOXES, MOST_ANCHORS = 5, 8

# Sizes come from few values, so that a framework that compiles by shape is not
# compiling all the time; none, one, and fewer or more of the one than of the other.
FEW = st.sampled_from([0, 1, 2, MOST_BOXES])
SOME = st.sampled_from([0, 1, 3, MOST_ANCHORS])


@st.composite
def grid(draw, count=SOME):
    """(n, 4) boxes, degenerate and inverted ones among them."""
    n = draw(count)
    rows = draw(st.lists(st.tuples(*[EIGHTH] * 4), min_size=n, max_size=n))
    return np.array(rows, dtype=np.float32).reshape(n, 4) / np.float32(8)


@st.composite
def column(draw, n, values, dtype=np.float32):
    """n values."""
    drawn = draw(st.lists(values, min_size=n, max_size=n))
    return np.array(drawn, dtype=dtype).reshape(n)


@st.composite
def labelled(draw):
    """(batch, rows, 5) labels; a class below 0 is padding, whatever its box."""
    batch, rows = draw(st.sampled_from([1, 2])), draw(FEW)
    boxes = draw(grid(st.just(batch * rows)))
    classes = draw(column(batch * rows, st.integers(-2, 3)))
    return np.concatenate([classes[:, None], boxes], axis=1).reshape(batch, rows, 5)


@st.composite
def scored(draw, classes=3):
    """(boxes, scores, classes) with many ties."""
    boxes = draw(grid())
    scores = draw(column(len(boxes), st.integers(0, 4))) / np.float32(4)
    ids = draw(column(len(boxes), st.integers(0, classes - 1), np.int64))
    return boxes, scores, ids


def held(actual, expected, exact=(), rtol=0.0):
    """Compare by the rules of the cases."""
    case = Case("property", "tests", None, None, rtol=rtol, exact=exact)
    actual = {key: np.asarray(value) for key, value in actual.items()}
    compare(actual, {k: np.asarray(v) for k, v in expected.items()}, case)


@given(grid())
def test_corner_and_center(d2l, boxes):
    center = d2l.box_corner_to_center(d2l.tensor(boxes))
    corner = d2l.box_center_to_corner(center)
    held(
        {"center": d2l.numpy(center), "corner": d2l.numpy(corner)},
        {"center": oracle.corner_to_center(boxes), "corner": boxes},
    )


@given(grid(), grid(FEW))
def test_box_iou(d2l, boxes1, boxes2):
    a, b = d2l.tensor(boxes1), d2l.tensor(boxes2)
    expected = oracle.box_iou(boxes1, boxes2)
    held({"iou": d2l.numpy(d2l.box_iou(a, b))}, {"iou": expected})
    held({"iou": d2l.numpy(d2l.box_iou(b, a))}, {"iou": expected.T})


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.integers(1, 16), min_size=1, max_size=3),
    st.lists(st.sampled_from([1, 2, 0.5, 3, 1 / 3]), min_size=1, max_size=3),
)
def test_multibox_prior(d2l, height, width, sixteenths, ratios):
    sizes = [s / 16 for s in sixteenths]
    anchors = d2l.multibox_prior(d2l.zeros((1, 1, height, width)), sizes, ratios)
    expected = oracle.multibox_prior(height, width, sizes, ratios)
    held({"anchors": d2l.numpy(anchors)}, {"anchors": expected})


@given(grid(FEW), grid(), THRESHOLDS)
def test_assign_anchor_to_bbox(d2l, truth, anchors, threshold):
    assigned = d2l.assign_anchor_to_bbox(
        d2l.tensor(truth), d2l.tensor(anchors), d2l.try_gpu(), threshold
    )
    expected = oracle.assign_anchor_to_bbox(truth, anchors, threshold)
    held({"assigned": d2l.numpy(assigned)}, {"assigned": expected})


@st.composite
def pairs(draw):
    """As many boxes as anchors."""
    anchors = draw(grid())
    return anchors, draw(grid(st.just(len(anchors))))


@given(pairs())
def test_offset_boxes(d2l, both):
    anchors, truth = both
    offsets = d2l.offset_boxes(d2l.tensor(anchors), d2l.tensor(truth))
    expected = oracle.offset_boxes(anchors, truth)
    held({"offsets": d2l.numpy(offsets)}, {"offsets": expected}, rtol=ULPS)


@given(pairs())
def test_offset_inverse(d2l, both):
    anchors, eighths = both
    offsets = eighths * np.float32(16) - np.float32(8)
    boxes = d2l.offset_inverse(d2l.tensor(anchors), d2l.tensor(offsets))
    expected = oracle.offset_inverse(anchors, offsets)
    held({"boxes": d2l.numpy(boxes)}, {"boxes": expected})


@given(grid(), labelled(), st.sampled_from([1, 2**24]))
def test_multibox_target(d2l, anchors, labels, most_pairs):
    """Of the whole batch at a time, and of one image."""
    with patch("d2lcv.anchors.MOST_PAIRS", most_pairs):
        parts = d2l.multibox_target(d2l.tensor(anchors[None]), d2l.tensor(labels))
    names = ("offsets", "mask", "classes")
    held(
        dict(zip(names, map(d2l.numpy, parts), strict=True)),
        dict(zip(names, oracle.multibox_target(anchors, labels), strict=True)),
        exact=("mask",),
        rtol=ULPS,
    )


@given(scored(), THRESHOLDS)
def test_nms(d2l, inputs, threshold):
    boxes, scores, _ = inputs
    kept = d2l.nms(d2l.tensor(boxes), d2l.tensor(scores), threshold)
    expected = oracle.nms(boxes, scores, threshold)
    held({"kept": d2l.numpy(kept)}, {"kept": expected})


@given(scored(), THRESHOLDS)
def test_batched_nms(d2l, inputs, threshold):
    kept = d2l.batched_nms(*map(d2l.tensor, inputs), threshold)
    held({"kept": d2l.numpy(kept)}, {"kept": oracle.batched_nms(*inputs, threshold)})


@st.composite
def predicted(draw):
    """(class probabilities, anchors) of two images and two classes."""
    anchors = draw(grid())
    quarters = draw(column(2 * 3 * len(anchors), st.integers(0, 4)))
    return quarters.reshape(2, 3, len(anchors)) / np.float32(4), anchors


@given(predicted(), THRESHOLDS, THRESHOLDS)
def test_multibox_detection(d2l, inputs, nms_threshold, pos_threshold):
    probs, anchors = inputs
    offsets = np.zeros((2, 4 * len(anchors)), dtype=np.float32)
    thresholds = nms_threshold, pos_threshold
    out = d2l.multibox_detection(
        d2l.tensor(probs), d2l.tensor(offsets), d2l.tensor(anchors[None]), *thresholds
    )
    expected = oracle.multibox_detection(probs, offsets, anchors, *thresholds)
    actual = d2l.numpy(out)
    held(
        {"rows": actual, "class": actual[..., 0]},
        {"rows": expected, "class": expected[..., 0]},
        exact=("class",),
    )


# --- finite in, finite out --------------------------------------------------------


ANY = st.floats(-1e6, 1e6, width=32)
N = 4


def anything(*shape):
    """Any finite numbers at all, in the place of boxes."""
    size = int(np.prod(shape))
    lists = st.lists(ANY, min_size=size, max_size=size)
    return lists.map(lambda v: np.array(v, dtype=np.float32).reshape(shape))


def zeros(*shape):
    return np.zeros(shape, dtype=np.float32)


@given(anything(N, 4), anything(N, 4), anything(N, 4), anything(N, 3))
@example(zeros(N, 4), zeros(N, 4), zeros(N, 4), zeros(N, 3))
def test_finite_in_finite_out(d2l, anchors, boxes, preds, probs):
    a, b, p = map(d2l.tensor, (anchors, boxes, preds))
    iou = d2l.numpy(d2l.box_iou(a, b))
    assert ((iou >= 0) & (iou <= 1 + 1e-6)).all()
    results = [d2l.offset_boxes(a, b), d2l.offset_inverse(a, p)]
    classes = np.array([0, -1, 2, 1], dtype=np.float32)[:, None]
    labels = np.concatenate([classes, boxes], axis=1)[None]
    results += d2l.multibox_target(d2l.tensor(anchors[None]), d2l.tensor(labels))
    results.append(
        d2l.multibox_detection(
            d2l.tensor(np.ascontiguousarray(probs.T[None])),
            d2l.tensor(preds.reshape(1, -1)),
            d2l.tensor(anchors[None]),
        )
    )
    for result in results:
        assert np.isfinite(d2l.numpy(result)).all()
    kept = d2l.numpy(d2l.nms(a, d2l.tensor(probs[:, 0].copy()), 0.5)).tolist()
    assert len(set(kept)) == len(kept) >= 1
