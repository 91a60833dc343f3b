"""Regions of interest, and the small two-stage detector made with them."""

import cases
import numpy as np
import pytest
import rcnn_cases
from rcnn_cases import MAPS, VARIANTS, regions

# ---- values and gradients ------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [c for c in rcnn_cases.ALL if c.expected()], ids=lambda case: case.name
)
def test_roi_value(d2l, case):
    cases.compare(case(d2l), case.expected(), case)


def roi(d2l, kind, variant):
    size, scale, samples, aligned = VARIANTS[variant]
    rois = d2l.tensor(regions(320, 21, scale))
    if kind == "pool":
        return lambda X: d2l.roi_pool(X, rois, size, scale)
    return lambda X: d2l.roi_align(X, rois, size, scale, samples, aligned)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["pool", "align"])
def test_roi_gradient(d2l, kind, variant):
    """Against finite differences, along a few directions; both are piecewise linear."""
    function = roi(d2l, kind, variant)
    shape = tuple(function(d2l.tensor(MAPS)).shape)
    weights = cases.uniform(321, *shape) - 0.5

    def scalar(array):
        return float((d2l.numpy(function(d2l.tensor(array))) * weights).sum())

    native = d2l.tensor(cases.f32(weights))
    (gradient,) = d2l.gradients(
        lambda X: d2l.reduce_sum(function(X) * native), d2l.tensor(MAPS)
    )
    assert tuple(gradient.shape) == MAPS.shape
    gradient, step = d2l.numpy(gradient), 1e-3
    for seed in range(4):
        # a step that changes no order of two pixels, else the maximum moves elsewhere
        direction = np.sign(cases.uniform(330 + seed, *MAPS.shape) - 0.5)
        if kind == "pool":
            direction[...] = cases.f32(MAPS)
        moved = cases.f32(step * direction)
        slope = (scalar(MAPS + moved) - scalar(MAPS - moved)) / (2 * step)
        assert slope == pytest.approx((gradient * direction).sum(), abs=2e-2)


def test_roi_pool_gradient_goes_to_the_first_of_equal_values(d2l):
    X = d2l.ones((1, 1, 4, 4))
    rois = d2l.tensor(cases.f32([[0, 0, 0, 3, 3]]))
    (gradient,) = d2l.gradients(
        lambda X: d2l.reduce_sum(d2l.roi_pool(X, rois, 2, 1.0)), X
    )
    expected = np.zeros((4, 4))
    expected[::2, ::2] = 1
    np.testing.assert_array_equal(d2l.numpy(gradient)[0, 0], expected)


def test_roi_accepts_integers_and_one_size(d2l):
    X = d2l.tensor(np.arange(16).reshape(1, 1, 4, 4))
    rois = d2l.tensor(np.array([[0, 0, 0, 20, 20], [0, 0, 10, 30, 30]]))
    pooled = d2l.numpy(d2l.roi_pool(X, rois, 2, 0.1))
    np.testing.assert_array_equal(
        pooled[:, 0], [[[5, 6], [9, 10]], [[9, 11], [13, 15]]]
    )
    aligned = d2l.numpy(d2l.roi_align(X, rois, [2, 2], 0.1, 2))
    np.testing.assert_allclose(aligned[0, 0], [[0.625, 1.5], [4.125, 5]], atol=1e-5)


def test_roi_does_not_depend_on_the_order_of_the_rows(d2l):
    rois = regions(340, 14)
    order = np.argsort(cases.uniform(341, 14))
    X = d2l.tensor(MAPS)
    for function in (
        lambda r: d2l.roi_pool(X, d2l.tensor(r), 2, 1.0),
        lambda r: d2l.roi_align(X, d2l.tensor(r), 2, 1.0, 2),
    ):
        one, other = d2l.numpy(function(rois)), d2l.numpy(function(rois[order]))
        np.testing.assert_allclose(one[order], other, atol=1e-6)


@pytest.mark.parametrize("samples", [0, 1, 2])
def test_roi_of_none(d2l, samples):
    X, none = d2l.tensor(MAPS), d2l.zeros((0, 5))
    assert tuple(d2l.roi_pool(X, none, (2, 3), 0.5).shape) == (0, 2, 2, 3)
    assert tuple(d2l.roi_align(X, none, (2, 3), 0.5, samples).shape) == (0, 2, 2, 3)


@pytest.mark.parametrize(
    "change,error,said",
    [
        ({"X": (3, 4, 4)}, ValueError, r"^X: .*\(B, C, H, W\), got \(3, 4, 4\)"),
        ({"rois": (2, 4)}, ValueError, r"^rois: .*\(N, 5\), got \(2, 4\)"),
        ({"output_size": 0}, ValueError, r"^output_size: .*positive.*got 0"),
        ({"output_size": (2, 2, 2)}, ValueError, r"^output_size: .*got \(2, 2, 2\)"),
        ({"output_size": 2.5}, TypeError, "float"),
        ({"spatial_scale": 0}, ValueError, r"^spatial_scale: .*positive.*got 0"),
        ({"spatial_scale": float("nan")}, ValueError, r"^spatial_scale: .*got nan"),
        ({"sampling_ratio": -1}, ValueError, r"^sampling_ratio: .*at least 0.*got -1"),
        ({"sampling_ratio": 1.5}, TypeError, "float"),
    ],
)
def test_roi_exception(d2l, change, error, said):
    given = {"X": (2, 3, 4, 4), "rois": (2, 5), "output_size": 2, "spatial_scale": 1.0}
    given = {**given, "sampling_ratio": 2, **change}
    given["X"], given["rois"] = d2l.zeros(given["X"]), d2l.zeros(given["rois"])
    with pytest.raises(error, match=said):
        d2l.roi_align(**given)
    if "sampling_ratio" not in change:
        del given["sampling_ratio"]
        with pytest.raises(error, match=said):
            d2l.roi_pool(**given)


@pytest.mark.parametrize("image", [-1, 2])
def test_roi_of_an_image_that_is_not_there(d2l, image):
    """A compiled operator would read other memory."""
    X, rois = d2l.zeros((2, 3, 4, 4)), d2l.tensor(cases.f32([[image, 0, 0, 1, 1]]))
    said = rf"^rois: .*from 0 to 1, got {image} to {image}"
    with pytest.raises(ValueError, match=said):
        d2l.roi_pool(X, rois, 2, 1.0)
    with pytest.raises(ValueError, match=said):
        d2l.roi_align(X, rois, 2, 1.0, 2)


def test_roi_takes_tensors_only(d2l):
    with pytest.raises(TypeError, match=r"^X: expected a tensor of"):
        d2l.roi_pool(np.zeros((1, 1, 2, 2)), d2l.zeros((1, 5)), 2, 1.0)
    with pytest.raises(TypeError, match=r"^rois: expected a tensor of"):
        d2l.roi_align(d2l.zeros((1, 1, 2, 2)), np.zeros((1, 5)), 2, 1.0, 2)


# ---- gradients of a function ---------------------------------------------------------


def test_gradients_value(d2l):
    a, b = d2l.tensor(cases.f32([1, -2, 3])), d2l.tensor(cases.f32([[2.0]]))
    to_a, to_b, to_c = d2l.gradients(
        lambda a, b, c: d2l.reduce_sum(a**2) * d2l.reduce_sum(b), a, b, a
    )
    np.testing.assert_allclose(d2l.numpy(to_a), [4, -8, 12])
    np.testing.assert_allclose(d2l.numpy(to_b), [[14]])
    np.testing.assert_array_equal(d2l.numpy(to_c), [0, 0, 0])


def test_gradients_exception(d2l):
    with pytest.raises(ValueError, match=r"^function: .*one element.*got shape \(3,\)"):
        d2l.gradients(lambda x: x * 2, d2l.zeros((3,)))
    with pytest.raises(TypeError, match=r"^tensors\[0\]: expected a tensor"):
        d2l.gradients(lambda x: x, np.zeros(3))
