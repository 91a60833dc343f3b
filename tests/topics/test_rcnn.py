"""Regions of interest, and the small two-stage detector made with them."""

import numpy as np
import pytest

from d2lcv.proof import cases, oracle
from d2lcv.proof.cases.rcnn import MAPS, VARIANTS, regions
from d2lcv.proof.inputs import f32, uniform

# ---- values and gradients ------------------------------------------------------------


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
    weights = uniform(321, *shape) - 0.5

    def scalar(array):
        return float((d2l.numpy(function(d2l.tensor(array))) * weights).sum())

    native = d2l.tensor(f32(weights))
    (gradient,) = d2l.gradients(
        lambda X: d2l.reduce_sum(function(X) * native), d2l.tensor(MAPS)
    )
    assert tuple(gradient.shape) == MAPS.shape
    gradient, step = d2l.numpy(gradient), 1e-3
    for seed in range(4):
        # a step that changes no order of two pixels, else the maximum moves elsewhere
        direction = np.sign(uniform(330 + seed, *MAPS.shape) - 0.5)
        if kind == "pool":
            direction[...] = f32(MAPS)
        moved = f32(step * direction)
        slope = (scalar(MAPS + moved) - scalar(MAPS - moved)) / (2 * step)
        assert slope == pytest.approx((gradient * direction).sum(), abs=2e-2)


@pytest.mark.parametrize("kind", ["pool", "align"])
def test_regions_of_whole_cells_are_the_same_however_often(d2l, kind):
    """A column may compile what comes again: 21 pixels are 3 in each of 7 cells then."""
    X, ends = f32(uniform(340, 1, 1, 48, 48)), np.array([7, 14, 21, 28, 42])
    ends -= kind == "pool"  # there the last pixel is a part of the region
    rois = f32(np.stack([0 * ends, 0 * ends, 0 * ends, ends, ends], axis=1))
    options = [(7, 7), 1.0] + [0, False] * (kind == "align")
    if kind == "pool":
        right = oracle.roi_pool(X, rois, *options)
    else:  # as many samples as a cell has pixels
        parts = [
            oracle.roi_align(X, r[None], (7, 7), 1.0, int(r[3]) // 7, False)
            for r in rois
        ]
        right = np.concatenate(parts)
    for _ in range(7):
        found = getattr(d2l, f"roi_{kind}")(d2l.tensor(X), d2l.tensor(rois), *options)
        np.testing.assert_allclose(d2l.numpy(found), right, atol=1e-5)


def test_roi_pool_gradient_goes_to_the_first_of_equal_values(d2l):
    X = d2l.ones((1, 1, 4, 4))
    rois = d2l.tensor(f32([[0, 0, 0, 3, 3]]))
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
    order = np.argsort(uniform(341, 14))
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
        ({"output_size": 0}, ValueError, r"^output_size: .*at least 1, got 0"),
        ({"output_size": (2, 2, 2)}, ValueError, r"^output_size: .*two of them, got 3"),
        ({"output_size": 2.5}, TypeError, r"^output_size: .*got float"),
        ({"spatial_scale": 0}, ValueError, r"^spatial_scale: .*positive.*got 0"),
        ({"spatial_scale": float("nan")}, ValueError, r"^spatial_scale: .*got nan"),
        ({"sampling_ratio": -1}, ValueError, r"^sampling_ratio: .*at least 0.*got -1"),
        ({"sampling_ratio": 1.5}, TypeError, r"^sampling_ratio: .*got float"),
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
    X, rois = d2l.zeros((2, 3, 4, 4)), d2l.tensor(f32([[image, 0, 0, 1, 1]]))
    said = rf"^rois: .*from 0 to 1, got {image} to {image}"
    with pytest.raises(ValueError, match=said):
        d2l.roi_pool(X, rois, 2, 1.0)
    with pytest.raises(ValueError, match=said):
        d2l.roi_align(X, rois, 2, 1.0, 2)


@pytest.mark.parametrize("corner", [float("nan"), float("inf"), -float("inf")])
def test_roi_that_is_not_finite(d2l, corner):
    """Compiled operators would end the process."""
    X, boxes = d2l.zeros((2, 4, 8, 8)), np.zeros((2, 3, 4), np.float32)
    boxes[1, 2, 3] = corner
    rows = d2l.tensor(np.insert(boxes.reshape(-1, 4), 0, 0, axis=1))
    labels, masks = d2l.tensor(LABELS), d2l.zeros((2, 3, 16, 16))
    heads, rois = Heads(d2l, np.zeros((6, 8))), d2l.tensor(boxes)
    for function in (
        lambda: d2l.roi_pool(X, rows, 2, 1.0),
        lambda: d2l.roi_align(X, rows, 2, 1.0, 2),
        lambda: d2l.roi_align(X, rows, 2, 1.0, 0),
        lambda: d2l.box_head_loss(heads, X, rois, labels),
        lambda: d2l.mask_head_loss(heads, X, rois, labels, masks),
    ):
        with pytest.raises(ValueError, match=r"^rois: expected finite numbers, got"):
            function()


def test_huge_region(d2l):
    """With as many samples as it has pixels it would end the process."""
    X, rois = d2l.ones((1, 1, 8, 8)), d2l.tensor(f32([[0, 1, 1, 3e9, 3e9]]))
    long = d2l.tensor(f32([[0, 1, 1, 2, 5000]]))
    with pytest.raises(ValueError, match=r"^rois: .*at most 4096 pixels .*got 4999"):
        d2l.roi_align(X, long, 2, 1.0, 0)
    for far in (rois, d2l.tensor(f32([[0, -3e38, -3e38, 3e38, 3e38]]))):
        for function in (
            lambda far: d2l.roi_align(X, far, 2, 1.0, 2),
            lambda far: d2l.roi_pool(X, far, 2, 1.0),
        ):
            with pytest.raises(ValueError, match=r"^rois: .*within 16777216 pixels"):
                function(far)
    large = d2l.tensor(f32([[0, -1e6, -1e6, 1e6, 1e6]]))
    assert tuple(d2l.roi_align(X, large, 2, 1.0, 2).shape) == (1, 1, 2, 2)
    tall = d2l.tensor(f32([[0, 0, 0, 1, 4096]]))
    assert tuple(d2l.roi_align(X, tall, 2, 1.0, 0).shape) == (1, 1, 2, 2)


def test_detector_that_has_diverged(d2l):
    d2l.seed(0)
    net = d2l.TinyRCNN(1)
    weights = d2l.get_weights(net)
    nan = {key: np.full_like(array, np.nan) for key, array in weights.items()}
    offsets = {key: nan[key] for key in nan if key.startswith("rpn_bbox")}
    X = d2l.tensor(f32(uniform(390, 1, 3, 64, 64)))
    d2l.set_weights(net, {**weights, **offsets})
    with pytest.raises(ValueError, match=r"^net: expected finite predictions, got"):
        d2l.detect_instances(net, X, 4, 2)
    _, tensors = first_stage(d2l)
    with pytest.raises(ValueError, match=r"^offsets: expected finite numbers, got NaN"):
        d2l.propose(*tensors[:2], tensors[2] * float("nan"), 4)


def test_heads_of_nothing(d2l):
    for B, R in ((0, 3), (2, 0)):
        X, rois, labels = (
            d2l.zeros(shape) for shape in ((B, 4, 8, 8), (B, R, 4), (B, 1, 5))
        )
        heads = Heads(d2l, np.zeros((1, 8)))
        box = d2l.numpy(d2l.box_head_loss(heads, X, rois, labels))
        np.testing.assert_array_equal(box, np.zeros(B))
        mask = d2l.mask_head_loss(heads, X, rois, labels, d2l.zeros((B, 1, 9, 9)))
        assert d2l.numpy(mask).item() == 0


def test_head_loss_of_an_unknown_class(d2l):
    labels = LABELS.copy()
    labels[0, 0, 0] = 3
    heads, X = Heads(d2l, np.zeros((6, 8))), d2l.zeros((2, 4, 8, 8))
    with pytest.raises(ValueError, match=r"^labels: .*from 0 to 2.* got 3"):
        d2l.box_head_loss(heads, X, d2l.tensor(ROIS), d2l.tensor(labels))


def test_roi_takes_tensors_only(d2l):
    with pytest.raises(TypeError, match=r"^X: expected a tensor of"):
        d2l.roi_pool(np.zeros((1, 1, 2, 2)), d2l.zeros((1, 5)), 2, 1.0)
    with pytest.raises(TypeError, match=r"^rois: expected a tensor of"):
        d2l.roi_align(d2l.zeros((1, 1, 2, 2)), np.zeros((1, 5)), 2, 1.0, 2)


# ---- gradients of a function ---------------------------------------------------------


def test_gradients_value(d2l):
    a, b = d2l.tensor(f32([1, -2, 3])), d2l.tensor(f32([[2.0]]))
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


# ---- the two-stage detector ----------------------------------------------------------


def test_tiny_rcnn_shape(d2l):
    net = d2l.TinyRCNN(3)
    features, anchors, scores, offsets = d2l.predict(net, d2l.zeros((2, 3, 64, 96)))
    num_anchors = 8 * 12 * 3
    assert tuple(features.shape) == (2, 64, 8, 12)
    assert tuple(anchors.shape) == (1, num_anchors, 4)
    assert tuple(scores.shape) == (2, num_anchors, 2)
    assert tuple(offsets.shape) == (2, num_anchors * 4)
    assert tuple(net.box_head(d2l.zeros((5, 64, 7, 7))).shape) == (5, 8)
    assert tuple(net.mask_head(d2l.zeros((5, 64, 14, 14))).shape) == (5, 1, 14, 14)


def test_tiny_rcnn_equal_seeds(d2l):
    nets = []
    for seed in (1, 1, 2):
        d2l.seed(seed)
        nets.append(d2l.get_weights(d2l.TinyRCNN(2)))
    for name, array in nets[0].items():
        np.testing.assert_array_equal(array, nets[1][name])
    assert (nets[0]["box_head.1.weight"] != nets[2]["box_head.1.weight"]).any()


def test_tiny_rcnn_exception(d2l):
    with pytest.raises(ValueError, match=r"^num_classes: .*at least 1, got 0"):
        d2l.TinyRCNN(0)


def first_stage(d2l):
    """Anchors, scores far apart and offsets of two images, as arrays and as tensors."""
    anchors = d2l.multibox_prior(d2l.zeros((1, 1, 3, 3)), (0.2, 0.4), (1,))
    scores = np.zeros((2, 18, 2))
    scores[..., 1] = np.argsort(uniform(350, 2, 18)) / 4 - 2
    offsets = f32(2 * uniform(351, 2, 72) - 1)
    arrays = d2l.numpy(anchors), f32(scores), offsets
    return arrays, [d2l.tensor(array) for array in arrays]


def test_propose_value(d2l):
    (anchors, scores, offsets), tensors = first_stage(d2l)
    probs = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
    rows = oracle.multibox_detection(
        probs.transpose(0, 2, 1), offsets, anchors, 0.4, 0.0
    )
    boxes = d2l.numpy(d2l.propose(*tensors, 10, 0.4))
    expected = np.asarray(rows)[:, :10, 2:].clip(0, 1)
    np.testing.assert_allclose(boxes, expected, atol=1e-5)
    assert boxes.shape == (2, 10, 4)


@pytest.mark.parametrize(
    "num,threshold,said",
    [
        (0, 0.5, r"^num: .*\[1, 18\], got 0"),
        (19, 0.5, r"^num: .*\[1, 18\], got 19"),
        (5, 1.5, r"^nms_threshold: .*got 1.5"),
    ],
)
def test_propose_exception(d2l, num, threshold, said):
    _, tensors = first_stage(d2l)
    with pytest.raises(ValueError, match=said):
        d2l.propose(*tensors, num, threshold)


LABELS = f32(
    [
        [[1, 0.1, 0.1, 0.5, 0.6], [0, 0.6, 0.5, 0.9, 0.9], [-1, 0, 0, 0, 0]],
        [[2, 0.2, 0.3, 0.8, 0.7], [-1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]],
    ]
)
ROIS = f32(
    [
        [[0.12, 0.1, 0.5, 0.58], [0.6, 0.52, 0.93, 0.9], [0.0, 0.0, 0.3, 0.3]],
        [[0.1, 0.1, 0.5, 0.6], [0.2, 0.33, 0.8, 0.7], [0.0, 0.0, 0.0, 0.0]],
    ]
)
ASSIGNED = np.array([[0, 1, -1], [-1, 0, -1]])  # rows of LABELS, by eye


class Heads:
    """Heads that answer what they are given: the losses are judged alone."""

    num_classes = 3

    def __init__(self, d2l, outputs):
        self.outputs = d2l.tensor(f32(outputs))

    def box_head(self, pooled):
        assert tuple(pooled.shape) == (6, 4, 7, 7)
        return self.outputs

    def mask_head(self, pooled):
        assert tuple(pooled.shape) == (6, 4, 14, 14)
        return self.outputs


def test_box_head_loss_value(d2l):
    outputs = 2 * uniform(360, 6, 8) - 1
    found = d2l.box_head_loss(
        Heads(d2l, outputs),
        d2l.zeros((2, 4, 8, 8)),
        d2l.tensor(ROIS),
        d2l.tensor(LABELS),
    )
    expected = np.zeros(2)
    for b, (image, rows) in enumerate(
        zip(outputs.reshape(2, 3, 8), ASSIGNED, strict=True)
    ):
        for r, row in enumerate(rows):
            logits, offsets = image[r, :4], image[r, 4:]
            label = 0 if row < 0 else int(LABELS[b, row, 0]) + 1
            expected[b] += (np.log(np.exp(logits).sum()) - logits[label]) / 3
            if row >= 0:
                target = oracle.offset_boxes(ROIS[b, r][None], LABELS[b, row, 1:][None])
                expected[b] += np.abs(target[0] - offsets).sum() / 12
    np.testing.assert_allclose(d2l.numpy(found), expected, rtol=1e-4)


def mask_pictures(side=40):
    """Discs inside the boxes of LABELS; nothing for padding."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    low, high = LABELS[..., 1:3, None, None], LABELS[..., 3:, None, None]
    middle, radius = (low + high) / 2, (high - low) / 2 + 1e-9
    distance = np.hypot(
        (x - middle[:, :, 0]) / radius[:, :, 0], (y - middle[:, :, 1]) / radius[:, :, 1]
    )
    return f32(0.9 * (distance < 1))


def test_mask_head_loss_value(d2l):
    logits, masks = 4 * uniform(361, 6, 1, 14, 14) - 2, mask_pictures()
    arguments = [d2l.zeros((2, 4, 8, 8)), *map(d2l.tensor, (ROIS, LABELS, masks))]
    found = d2l.mask_head_loss(Heads(d2l, logits), *arguments)
    terms = []
    for b, r in np.argwhere(ASSIGNED >= 0):
        roi = [[0, *(ROIS[b, r] * 40)]]
        cut = oracle.roi_align(
            masks[b, ASSIGNED[b, r]][None, None], roi, (14, 14), 1, 1
        )
        x, target = logits[3 * b + r, 0], cut[0, 0] >= 0.5
        terms.append((np.log1p(np.exp(x)) - x * target).mean())
    assert len(terms) == 3 and target.any() and not target.all()
    np.testing.assert_allclose(d2l.numpy(found).item(), np.mean(terms), rtol=1e-4)


def test_losses_without_objects(d2l):
    """All padding: everything is background, and there is no mask to learn."""
    nothing = d2l.tensor(np.tile(f32([-1, 0, 0, 0, 0]), (2, 3, 1)))
    maps, rois = d2l.zeros((2, 4, 8, 8)), d2l.tensor(ROIS)
    box = d2l.box_head_loss(Heads(d2l, np.zeros((6, 8))), maps, rois, nothing)
    np.testing.assert_allclose(d2l.numpy(box), np.log(4), rtol=1e-5)
    masks = d2l.zeros((2, 3, 16, 16))
    heads = Heads(d2l, np.ones((6, 1, 14, 14)))
    assert d2l.numpy(d2l.mask_head_loss(heads, maps, rois, nothing, masks)).item() == 0
    _, (anchors, scores, offsets) = first_stage(d2l)
    rpn = d2l.numpy(d2l.rpn_loss(anchors, scores, offsets, nothing))
    assert np.isfinite(rpn).all() and (rpn > 0).all()
    # no rows at all are as rows of padding
    none, no_masks = d2l.zeros((2, 0, 5)), d2l.zeros((2, 0, 16, 16))
    found = d2l.box_head_loss(Heads(d2l, np.zeros((6, 8))), maps, rois, none)
    np.testing.assert_array_equal(d2l.numpy(found), d2l.numpy(box))
    assert d2l.numpy(d2l.mask_head_loss(heads, maps, rois, none, no_masks)).item() == 0
    found = d2l.numpy(d2l.rpn_loss(anchors, scores, offsets, none))
    np.testing.assert_array_equal(found, rpn)


def test_rpn_loss_knows_one_class(d2l):
    _, tensors = first_stage(d2l)
    one = LABELS.copy()
    one[..., 0] = np.minimum(one[..., 0], 0)
    several = d2l.numpy(d2l.rpn_loss(*tensors, d2l.tensor(LABELS)))
    np.testing.assert_array_equal(
        several, d2l.numpy(d2l.rpn_loss(*tensors, d2l.tensor(one)))
    )


def test_detect_instances_shape(d2l):
    d2l.seed(0)
    net = d2l.TinyRCNN(2)
    X = d2l.tensor(f32(255 * uniform(370, 2, 3, 64, 48)))
    rows, masks = d2l.detect_instances(net, X, 9, 5)
    assert tuple(rows.shape) == (2, 5, 6) and tuple(masks.shape) == (2, 5, 64, 48)
    rows, masks = d2l.numpy(rows), d2l.numpy(masks)
    assert np.isfinite(rows).all() and masks.min() >= 0 and masks.max() <= 1
    assert set(rows[..., 0].ravel()) <= {-1, 0, 1}
    for row, mask in zip(rows.reshape(-1, 6), masks.reshape(-1, 64, 48), strict=True):
        x1, y1, x2, y2 = row[2:] * np.tile([48, 64], 2)
        y, x = np.nonzero(mask > 0.5)
        assert ((x + 1 >= x1) & (x <= x2) & (y + 1 >= y1) & (y <= y2)).all()


def test_masks_end_where_their_boxes_do(d2l):
    boxes = d2l.tensor(f32([[0.25, 0.125, 0.75, 1.0], [0.5, 0.5, 0.5, 0.5]]))
    pasted = d2l.numpy(d2l.paste_masks(d2l.ones((2, 14, 14)), boxes, 32, 64))
    expected = np.zeros((32, 64))
    expected[4:32, 16:48] = 1
    np.testing.assert_array_equal(pasted[0] > 0.5, expected)
    assert (pasted[1] > 0.5).sum() <= 1  # an empty box has no more than a point


@pytest.mark.parametrize(
    "name,change,said",
    [
        (
            "box_head_loss",
            {"rois": (2, 3, 5)},
            r"^rois: .*\(B, R, 4\).*got \(2, 3, 5\)",
        ),
        ("box_head_loss", {"labels": (3, 2, 5)}, r"^labels: .*B = 2, got \(3, 2, 5\)"),
        ("box_head_loss", {"features": (2, 8, 8)}, r"^features: .*got \(2, 8, 8\)"),
        (
            "mask_head_loss",
            {"masks": (2, 4, 9, 9)},
            r"^masks: .*G = 2, got \(2, 4, 9, 9\)",
        ),
        ("mask_head_loss", {"rois": (1, 3, 4)}, r"^rois: .*B = 2, got \(1, 3, 4\)"),
    ],
)
def test_head_loss_exception(d2l, name, change, said):
    shapes = {"features": (2, 64, 8, 8), "rois": (2, 3, 4), "labels": (2, 2, 5)}
    if name == "mask_head_loss":
        shapes["masks"] = (2, 2, 9, 9)
    tensors = [d2l.zeros(shape) for shape in (shapes | change).values()]
    with pytest.raises(ValueError, match=said):
        getattr(d2l, name)(Heads(d2l, [0]), *tensors)


@pytest.mark.parametrize(
    "numbers,said",
    [
        ((4, 5), r"^num_detections: .*\[1, 4\], got 5"),
        ((4, 0), r"^num_detections: .*\[1, 4\], got 0"),
        ((4, 4, -0.1), r"^nms_threshold: .*got -0.1"),
        ((4, 4, 0.5, 2), r"^pos_threshold: .*got 2"),
    ],
)
def test_detect_instances_exception(d2l, numbers, said):
    net = d2l.TinyRCNN(1)
    with pytest.raises(ValueError, match=said):
        d2l.detect_instances(net, d2l.zeros((1, 3, 32, 32)), *numbers)
    with pytest.raises(ValueError, match=r"^X: .*\(B, 3, H, W\), got \(1, 32, 32\)"):
        d2l.detect_instances(net, d2l.zeros((1, 32, 32)))


def test_mask_iou_value(d2l):
    labels = f32([[[0, 0, 0, 1, 1], [1, 0, 0, 1, 1], [-1, 0, 0, 0, 0]]])
    real = np.zeros((1, 3, 4, 4))
    real[0, 0, :2] = real[0, 1, 2:] = 1
    rows = f32([[[0, 0.9, 0, 0, 1, 1], [1, 0.4, 0, 0, 1, 1], [1, 0.6, 0, 0, 1, 1]]])
    found = np.zeros((1, 3, 4, 4))
    found[0, 0, :1] = found[0, 1, 2:] = found[0, 2, 1:] = 1
    assert d2l.mask_iou(rows, found, labels, real) == pytest.approx((1 / 2 + 2 / 3) / 2)
    best = d2l.mask_iou(rows, found, labels, real, confidence=0.3)
    assert best == pytest.approx((1 / 2 + 1) / 2)
    assert d2l.mask_iou(rows[:, :0], found[:, :0], labels, real) == 0
    with pytest.raises(ValueError, match="at least one object"):
        d2l.mask_iou(rows, found, labels[:, 2:], real[:, 2:])


def test_training_lowers_all_losses(d2l):
    d2l.seed(0)
    net = d2l.TinyRCNN(3)
    trainer = d2l.Trainer(net, "adam", lr=2e-3)
    X, Y, masks = map(d2l.tensor, cases.rcnn.shapes(380, 4))

    def step(X, Y, masks):
        features, anchors, scores, offsets = net(X)
        rpn = d2l.reduce_mean(d2l.rpn_loss(anchors, scores, offsets, Y))
        rois = d2l.concat(
            [Y[:, :, 1:], d2l.propose(anchors, scores, offsets, 8)], axis=1
        )
        box = d2l.reduce_mean(d2l.box_head_loss(net, features, rois, Y))
        mask = d2l.mask_head_loss(net, features, rois[:, :4], Y, masks)
        return rpn + box + mask, (rpn, box, mask)

    parts = [trainer.step(step, X, Y, masks)[1] for _ in range(15)]
    losses = np.array([[float(d2l.numpy(x)) for x in row] for row in parts])
    assert np.isfinite(losses).all()
    assert (losses[-1] < 0.75 * losses[0]).all(), losses
