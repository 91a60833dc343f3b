"""The shape language and the messages of argument checks."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from d2lcv.checks import (
    check_shapes,
    check_tensor,
    checked,
    floats,
    in_range,
)


def of(*shape):
    """Something that has a shape; sizes that are not known yet are None or −1."""
    return SimpleNamespace(shape=shape)


# ---- the shape language --------------------------------------------------------------

FITS = [
    ((2, 3), "B C", {"B": 2, "C": 3}),
    ((), "", {}),
    ((5,), "n", {"n": 5}),
    ((0, 4), "n 4", {"n": 0}),
    ((1, 7, 4), "1 A 4", {"A": 7}),
    ((3, 3), "B B", {"B": 3}),
    ((3, 9), "_ _", {}),
    ((2, 12), "B 4A", {"B": 2, "A": 3}),
    ((2, 0), "B 4A", {"B": 2, "A": 0}),
    ((3, 12), "A 4A", {"A": 3}),
    ((12, 3), "4A A", {"A": 3}),
    ((10, 4), "10 4", {}),
    ((4,), "... 4", {}),
    ((9, 8, 7, 4), "... 4", {}),
    ((0, 4), "... 4", {}),
    ((5, 2, 3), "... H W", {"H": 2, "W": 3}),
    ((), "...", {}),
    ((1, 2, 3), "...", {}),
    ((None, 3), "B C", {"C": 3}),
    ((-1, 3), "2 C", {"C": 3}),
    ((2, None), "B 4A", {"B": 2}),
]


@pytest.mark.parametrize("shape,expected,sizes", FITS)
def test_check_shapes_value(shape, expected, sizes):
    assert check_shapes(x=(of(*shape), expected)) == sizes


MISFITS = [
    ((2,), "B C"),
    ((2, 3, 4), "B C"),
    ((2,), ""),
    ((), "n"),
    ((3, 5), "n 4"),
    ((2, 7, 4), "1 A 4"),
    ((2, 3), "B B"),
    ((2, 13), "B 4A"),
    ((3, 16), "A 4A"),
    ((16, 3), "4A A"),
    ((3,), "... 4"),
    ((), "... 4"),
    ((4, 5), "... 4"),
    ((4,), "... 4 4"),
    ((None, 5), "n 4"),
    ((40,), "4"),
]


@pytest.mark.parametrize("shape,expected", MISFITS)
def test_check_shapes_exception(shape, expected):
    with pytest.raises(ValueError) as error:
        check_shapes(name_of_it=(of(*shape), expected))
    message = str(error.value)
    assert message.startswith("name_of_it: expected shape (")
    for part in expected.split():
        assert part in message
    assert message.endswith(f"got {shape}")


def test_check_shapes_across_arguments():
    assert check_shapes(a=(of(2, 3), "B A"), b=(of(2, 12), "B 4A")) == {"B": 2, "A": 3}
    with pytest.raises(ValueError) as error:
        check_shapes(a=(of(2, 3), "B A"), b=(of(2, 8), "B 4A"))
    assert str(error.value) == (
        "b: expected shape (B, 4A) with B = 2, A = 3, got (2, 8)"
    )


def test_check_shapes_names_only_what_matters():
    with pytest.raises(ValueError) as error:
        check_shapes(
            a=(of(2, 3), "B A"),
            b=(
                of(
                    7,
                ),
                "A",
            ),
        )
    assert str(error.value) == "b: expected shape (A,) with A = 3, got (7,)"
    with pytest.raises(ValueError) as error:
        check_shapes(
            a=(of(2, 3), "B A"),
            b=(
                of(
                    7,
                ),
                "4",
            ),
        )
    assert str(error.value) == "b: expected shape (4,), got (7,)"


def test_check_shapes_first_breach():
    with pytest.raises(ValueError, match=r"^b: "):
        check_shapes(a=(of(2), "n"), b=(of(2), "n m"), c=(of(2), "n m"))


# ---- numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(1), True])
def test_in_range_value(value):
    in_range("threshold", value, 0, 1)


@pytest.mark.parametrize("value", [-1e-9, 1.0000001, float("nan"), float("inf")])
def test_in_range_exception(value):
    with pytest.raises(ValueError) as error:
        in_range("threshold", value, 0, 1)
    assert str(error.value) == f"threshold: expected a number in [0, 1], got {value}"


# ---- tensors -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.zeros(3), [1.0], 2.0, "text", None, of(2, 3)])
def test_check_tensor_exception(d2l, value):
    with pytest.raises(TypeError) as error:
        check_tensor("name_of_it", value)
    message = str(error.value)
    assert message.startswith("name_of_it: expected a tensor of ")
    assert f"{type(value).__module__}.{type(value).__qualname__}" in message
    assert "d2lcv.tensor(" in message


def test_checked_value(d2l):
    a, b = d2l.zeros((2, 3)), d2l.ones((3,))
    assert check_tensor("a", a) is None
    got = checked(a=(a, "B C"), b=(b, "C"))
    assert isinstance(got, tuple) and got[0] is a and got[1] is b


def test_checked_exception(d2l):
    with pytest.raises(TypeError, match=r"^b: "):
        checked(a=(d2l.zeros((2, 3)), "n"), b=(None, "n"))
    with pytest.raises(
        ValueError, match=re.escape("a: expected shape (n,), got (2, 3)")
    ):
        checked(a=(d2l.zeros((2, 3)), "n"), b=(d2l.zeros((2,)), "n"))


def test_floats_value(d2l):
    whole = d2l.tensor(np.array([[0, 1, 2, 3]]), dtype=d2l.int32)
    real = d2l.tensor([[0.5, 1.0, 2.0, 3.0]])
    a, b = floats(a=(whole, "n 4"), b=(real, "n 4"))
    assert a.dtype == b.dtype == d2l.float32
    np.testing.assert_array_equal(d2l.numpy(a), [[0, 1, 2, 3]])
    assert b is real


def test_floats_have_the_widest_type(d2l):
    single, double = (d2l.tensor(np.ones((2, 4), t)) for t in ("float32", "float64"))
    for given in ((single, double), (double, single), (double, double)):
        a, b = floats(a=(given[0], "n 4"), b=(given[1], "n 4"))
        assert "float64" in str(a.dtype) and "float64" in str(b.dtype)


def test_functions_take_mixed_types(d2l):
    """Labels of NumPy are often doubles; what they give does not depend on it."""
    rng = np.random.default_rng(0)
    corner = rng.random((12, 2)) * 0.5
    boxes = np.concatenate([corner, corner + 0.3], 1).astype(np.float32)
    labels = np.concatenate([np.zeros((2, 1)), boxes[3:5]], 1)[None].astype(np.float32)
    scores = rng.permutation(12).astype(np.float32)
    answers = []
    for left in ("float32", "float64"):
        for right in ("float32", "float64"):
            tensors = [
                d2l.tensor(x.astype(t))
                for x, t in ((boxes, left), (labels, right), (scores, right))
            ]
            found = d2l.multibox_target(tensors[0][None], tensors[1])
            assert found[0].dtype == tensors[0].dtype  # the anchors'
            assert found[1].dtype == d2l.float32
            kept = d2l.nms(tensors[0], tensors[2], 0.4)
            answers.append([d2l.numpy(x) for x in (*found, kept)])
    for answer in answers[1:]:
        for a, b in zip(answer, answers[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-5)


# ---- every public function says which argument, what was expected and what was given ---


CALLS = [
    ("box_corner_to_center", [(2, 3)], "boxes", "(..., 4)", (2, 3)),
    ("box_center_to_corner", [(5,)], "boxes", "(..., 4)", (5,)),
    ("box_iou", [(2, 4), (4,)], "boxes2", "(m, 4)", (4,)),
    ("offset_boxes", [(2, 4), (3, 4)], "assigned_bb", "(..., A, 4)", (3, 4)),
    ("offset_inverse", [(2, 3), (2, 4)], "anchors", "(..., A, 4)", (2, 3)),
    ("assign_anchor_to_bbox", [(2, 4), (1, 5, 4)], "anchors", "(A, 4)", (1, 5, 4)),
    ("multibox_target", [(2, 5, 4), (1, 1, 5)], "anchors", "(1, A, 4)", (2, 5, 4)),
    ("multibox_target", [(1, 5, 4), (1, 5)], "labels", "(B, G, 5)", (1, 5)),
    ("nms", [(3, 4), (2,), 0.5], "scores", "(n,) with n = 3", (2,)),
    ("batched_nms", [(3, 4), (3,), (4,), 0.5], "classes", "(n,) with n = 3", (4,)),
    (
        "multibox_detection",
        [(2, 3, 5), (2, 24), (1, 5, 4)],
        "offset_preds",
        "(B, 4A) with B = 2, A = 5",
        (2, 24),
    ),
    ("flatten_pred", [(2, 3, 4)], "pred", "(B, K, H, W)", (2, 3, 4)),
    ("cls_eval", [(2, 5, 3), (2, 4)], "cls_labels", "(B, A) with B = 2, A = 5", (2, 4)),
    ("bbox_eval", [(2, 8), (2, 8), (1, 8)], "bbox_masks", "(B, N)", (1, 8)),
    (
        "calc_loss",
        [(2, 5, 3), (2, 5), (2, 20), (2, 20), (2, 5)],
        "bbox_masks",
        "(B, 4A) with B = 2, A = 5",
        (2, 5),
    ),
]


@pytest.mark.parametrize("name,arguments,argument,expected,given", CALLS)
def test_public_shape_exception(d2l, name, arguments, argument, expected, given):
    values = [d2l.zeros(a) if isinstance(a, tuple) else a for a in arguments]
    with pytest.raises(ValueError) as error:
        getattr(d2l, name)(*values)
    message = str(error.value)
    assert message.startswith(f"{argument}: expected shape {expected}")
    assert message.endswith(f"got {given}")


@pytest.mark.parametrize(
    "sizes,ratios,name",
    [
        ([], [1], "sizes"),
        ([0.5, 0], [1], "sizes"),
        ([0.5], [-1], "ratios"),
        ([0.5], [float("nan")], "ratios"),
        ([float("inf")], [1], "sizes"),
    ],
)
def test_multibox_prior_exception(d2l, sizes, ratios, name):
    with pytest.raises(ValueError) as error:
        d2l.multibox_prior(d2l.zeros((1, 1, 2, 2)), sizes, ratios)
    given = sizes if name == "sizes" else ratios
    assert str(error.value) == (
        f"{name}: expected positive numbers below 1e+18, at least one, got list {given!r}"
    )


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_public_threshold_exception(d2l, value):
    one, score = d2l.tensor([[0.0, 0.0, 1.0, 1.0]]), d2l.tensor([0.5])
    with pytest.raises(ValueError, match=r"^iou_threshold: .*\[0, 1\], got"):
        d2l.nms(one, score, value)
    with pytest.raises(ValueError, match=r"^iou_threshold: .*\[0, 1\], got"):
        d2l.assign_anchor_to_bbox(one, one, iou_threshold=value)
    with pytest.raises(ValueError, match=r"^pos_threshold: .*\[0, 1\], got"):
        d2l.multibox_detection(
            d2l.ones((1, 2, 1)), d2l.zeros((1, 4)), d2l.zeros((1, 1, 4)), 0.5, value
        )


def test_detection_without_classes_exception(d2l):
    with pytest.raises(
        ValueError, match=r"^cls_probs: .*at least one class.*\(1, 1, 2\)"
    ):
        d2l.multibox_detection(
            d2l.ones((1, 1, 2)), d2l.zeros((1, 8)), d2l.zeros((1, 2, 4))
        )


@pytest.mark.parametrize("number", [0, -1])
def test_num_classes_exception(d2l, number):
    with pytest.raises(ValueError, match=f"^num_classes: .*at least 1, got {number}"):
        d2l.TinySSD(number)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_smooth_l1_exception(d2l, value):
    with pytest.raises(ValueError, match=f"^sigma: .*positive.*got {value}"):
        d2l.smooth_l1(d2l.tensor([1.0]), value)


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_focal_loss_exception(d2l, value):
    with pytest.raises(ValueError, match=f"^gamma: .*at least 0, got {value}"):
        d2l.focal_loss(value, d2l.tensor([0.5]))
