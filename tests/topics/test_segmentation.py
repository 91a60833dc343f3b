"""Segmentation: layers and functions by definition, the net, its loss and its metrics."""

import numpy as np
import pytest

from d2lcv.proof import cases, oracle
from d2lcv.proof.inputs import WORKED, f32, uniform, whole


def close(actual, expected, atol=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


# ---- convolutions of matrices --------------------------------------------------------


def test_matrix_is_the_convolution_and_its_transpose_the_transposed(d2l):
    X, K = f32(uniform(640, 5, 7)), f32(uniform(641, 2, 3))
    matrix = d2l.kernel2matrix(d2l.tensor(K), (5, 7))
    flat = d2l.tensor(X.reshape(-1, 1))
    Y = d2l.matmul(matrix, flat)
    close(d2l.numpy(Y).reshape(4, 5), oracle.corr2d(X, K))
    back = d2l.matmul(d2l.transpose(matrix), Y)
    expected = d2l.trans_conv(d2l.reshape(Y, (4, 5)), d2l.tensor(K))
    close(d2l.numpy(back).reshape(5, 7), d2l.numpy(expected))


def test_layer_is_the_function(d2l):
    X, K = f32(uniform(642, 1, 1, 4, 6)), f32(uniform(643, 1, 1, 3, 3))
    for stride, padding in ((1, 0), (2, 1), (3, 0)):
        layer = d2l.conv_transpose2d(1, 1, 3, stride, padding, bias=False)
        d2l.set_weights(layer, {"weight": K})
        expected = d2l.trans_conv(
            d2l.tensor(X[0, 0]), d2l.tensor(K[0, 0]), stride, padding
        )
        close(d2l.numpy(layer(d2l.tensor(X)))[0, 0], d2l.numpy(expected))


def test_convolution_and_transposed_convolution_are_adjoint(d2l):
    """⟨f(X), Y⟩ = ⟨X, g(Y)⟩ where both have the same kernels."""
    X, Y = f32(uniform(644, 1, 4, 9, 11)), f32(uniform(645, 1, 6, 5, 6))
    f, g = d2l.conv2d(4, 6, 5, 2, 2, bias=False), d2l.conv_transpose2d(6, 4, 5, 2, 2)
    d2l.set_weights(g, d2l.get_weights(f) | {"bias": np.zeros(4)})
    forth = (d2l.numpy(f(d2l.tensor(X))) * Y).sum()
    back = (X * d2l.numpy(g(d2l.tensor(Y)))).sum()
    assert forth == pytest.approx(back, rel=1e-4)


def test_shapes_come_back(d2l):
    """The book's example: 10 → 20 channels, kernel 5, padding 2, stride 3."""
    X = d2l.tensor(f32(uniform(646, 1, 10, 16, 16)))
    f, g = d2l.conv2d(10, 20, 5, 3, 2), d2l.conv_transpose2d(20, 10, 5, 3, 2)
    assert tuple(f(X).shape) == (1, 20, 6, 6)
    assert tuple(g(f(X)).shape) == tuple(X.shape)


def test_integers_are_taken(d2l):
    w = WORKED["conv_as_matmul"]
    X, K = (d2l.tensor(np.array(w[k]).astype(np.int32)) for k in "XK")
    close(d2l.numpy(d2l.corr2d(X, K)), w["corr2d"], 0)
    close(d2l.numpy(d2l.kernel2matrix(K)), w["kernel_matrix"], 0)


def test_bilinear_layer_doubles_a_slope(d2l):
    """A plane stays a plane: away from the border, interpolation is exact."""
    layer = d2l.conv_transpose2d(2, 2, 4, 2, 1, bias=False)
    d2l.set_weights(layer, {"weight": d2l.numpy(d2l.bilinear_kernel(2, 2, 4))})
    y, x = np.mgrid[:6, :8].astype(np.float32)
    X = d2l.tensor(np.stack([3 * x + y, 5 - 2 * x])[None])
    Y = d2l.numpy(layer(X))[0, :, 1:-1, 1:-1]
    y, x = (np.mgrid[1:11, 1:15] + 0.5) / 2 - 0.5
    close(Y, np.stack([3 * x + y, 5 - 2 * x]), 1e-4)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda d, x: d.corr2d(x[:2], x), "no larger than X, 2 × 4, got 4 × 4"),
        (lambda d, x: d.corr2d(x[None], x), r"X: expected shape \(H, W\)"),
        (lambda d, x: d.trans_conv(x, x, 0), "stride: expected at least 1"),
        (
            lambda d, x: d.trans_conv(x, x, 1, 4),
            "padding: expected less than half of 7",
        ),
        (lambda d, x: d.kernel2matrix(x), "at least the kernel's, 4 × 4"),
        (lambda d, x: d.bilinear_kernel(0, 1, 1), "in_channels: expected at least 1"),
        (lambda d, x: d.conv2d(1, 1, 3, 0), "stride: expected at least 1, got 0"),
        (lambda d, x: d.conv_transpose2d(1, 1, 3, 1, -1), "padding: expected at least"),
    ],
)
def test_convolutions_refuse(d2l, call, match):
    with pytest.raises(ValueError, match=match):
        call(d2l, d2l.zeros((4, 4)))


# ---- the net -------------------------------------------------------------------------


def test_worked_shapes(d2l):
    w = WORKED["fcn_shapes"]
    backbone = d2l.ResNet(18, 10)
    X = d2l.zeros(tuple(w["input"]))
    features = d2l.predict(backbone.features, X)
    assert list(features.shape) == w["resnet18_features"]
    net = d2l.FCN(w["output"][1], backbone)
    assert list(d2l.predict(net, X).shape) == w["output"]
    shape = d2l.get_weights(net)["upsamplers.0.weight"].shape
    assert shape == (21, 21, w["kernel"], w["kernel"])


def small(d2l, stride=32, width=4):
    d2l.seed(5)
    return d2l.FCN(3, d2l.ResNet(18, 10, width=width), stride)


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("size", [(64, 64), (33, 47), (1, 1), (95, 31)])
def test_scores_are_as_large_as_the_image(d2l, stride, size):
    scores = d2l.predict(small(d2l, stride), d2l.zeros((2, 3, *size)))
    assert tuple(scores.shape) == (2, 3, *size)


def test_net_by_its_definition(d2l):
    """Scores of the backbone's maps by hand, enlarged by the oracle, added."""
    net = cases.segmentation.any_weights(d2l, small(d2l, 16), 650)
    weights = d2l.get_weights(net)
    X = d2l.tensor(f32(uniform(651, 1, 3, 64, 96)))
    fine, coarse = map(d2l.numpy, d2l.predict(_Stages(net.features), X)[2:])

    def scores(i, maps):
        kernel = weights[f"scores.{i}.weight"][:, :, 0, 0]
        bias = weights[f"scores.{i}.bias"]
        return np.einsum("oc,bchw->bohw", kernel, maps) + bias[:, None, None]

    def enlarged(i, Y, s):
        kernel = {"weight": weights[f"upsamplers.{i}.weight"]}
        return cases.segmentation.conv_transpose2d(Y, kernel, s, s // 2)

    Y = enlarged(0, scores(0, coarse), 2) + scores(1, fine)
    close(d2l.numpy(d2l.predict(net, X)), enlarged(1, Y, 16), 1e-4)


class _Stages:
    """What `predict` may call: all maps of the backbone, in evaluation mode."""

    def __init__(self, features):
        self.features = features

    def __call__(self, X, **mode):
        return self.features.stages(X)

    def __getattr__(self, name):
        return getattr(self.features, name)


@pytest.mark.parametrize(
    ("stride", "sizes"), [(32, [64]), (16, [4, 32]), (8, [4, 4, 16])]
)
def test_start_is_bilinear_and_added_scores_are_zero(d2l, stride, sizes):
    weights = d2l.get_weights(small(d2l, stride))
    parts = {name.split(".")[0] for name in weights}
    assert parts == {"features", "scores", "upsamplers"}
    for i, size in enumerate(sizes):
        kernel = oracle.bilinear_kernel(3, 3, size)
        close(weights[f"upsamplers.{i}.weight"], kernel)
        score = weights[f"scores.{i}.weight"]
        assert score.shape == (3, 32 // 2**i, 1, 1)
        assert score.any() == (i == 0)


def test_backbone_is_copied(d2l):
    backbone = d2l.ResNet(18, 10, width=4)
    before = d2l.get_weights(backbone)
    net = d2l.FCN(3, backbone)
    given = d2l.get_weights(net)
    for name, value in before.items():
        if name.startswith("features"):
            np.testing.assert_array_equal(given[name], value)
    X, Y = (d2l.tensor(a) for a in cases.segmentation.batch(653, 2))
    trainer = d2l.Trainer(net, "sgd", lr=0.1)

    def step(X, Y):
        return d2l.reduce_mean(d2l.segmentation_loss(net(X), d2l.clip(Y, 0, 2))), ()

    trainer.step(step, X, Y)
    for name, value in d2l.get_weights(backbone).items():
        np.testing.assert_array_equal(value, before[name])
    assert any((given[k] != v).any() for k, v in d2l.get_weights(net).items())


def test_weights_travel_through_a_file(d2l, tmp_path):
    net = small(d2l, 8)
    path = d2l.save_weights(net, tmp_path / "fcn.safetensors")
    d2l.seed(6)
    other = d2l.FCN(3, d2l.ResNet(18, 10, width=4), 8)
    d2l.load_weights(other, path)
    X = d2l.tensor(f32(uniform(654, 1, 3, 40, 50)))
    close(d2l.numpy(d2l.predict(other, X)), d2l.numpy(d2l.predict(net, X)), 1e-6)


def test_net_refuses(d2l):
    backbone = d2l.ResNet(18, 10, width=4)
    with pytest.raises(
        ValueError, match=r"stride: expected one of 32, 16, 8, got int 4"
    ):
        d2l.FCN(3, backbone, 4)
    with pytest.raises(ValueError, match="num_classes: expected at least 1"):
        d2l.FCN(0, backbone)
    with pytest.raises(TypeError, match="backbone: expected a ResNet"):
        d2l.FCN(3, d2l.TinySSD(1))


# ---- tiles ---------------------------------------------------------------------------


def pixelwise(d2l):
    layer = d2l.conv2d(3, 4, 1)
    return d2l.set_weights(
        layer,
        {"weight": f32(uniform(660, 4, 3, 1, 1)), "bias": f32(uniform(661, 4))},
    )


@pytest.mark.parametrize(
    ("size", "tile", "overlap"),
    [
        ((20, 30), 8, 0),
        ((20, 30), 8, 7),
        ((20, 30), (20, 7), (19, 3)),
        ((5, 90), (16, 32), 4),
        ((33, 17), (8, 5), (3, 1)),
        ((1, 1), 4, 1),
    ],
)
def test_tiles_of_a_net_without_neighbours_change_nothing(d2l, size, tile, overlap):
    net, X = pixelwise(d2l), d2l.tensor(f32(uniform(662, 2, 3, *size)))
    expected = d2l.numpy(d2l.predict(net, X))
    close(d2l.numpy(d2l.predict_tiles(net, X, tile, overlap)), expected, 1e-6)


@pytest.mark.parametrize("tile", [(48, 40), (64, 40), 100])
def test_one_tile_is_the_plain_prediction(d2l, tile):
    net, X = small(d2l, 8), d2l.tensor(f32(uniform(663, 1, 3, 48, 40)))
    expected = d2l.numpy(d2l.predict(net, X))
    np.testing.assert_array_equal(
        d2l.numpy(d2l.predict_tiles(net, X, tile, 8)), expected
    )


def test_a_constant_stays_constant(d2l):
    layer = d2l.conv2d(3, 2, 1)
    d2l.set_weights(layer, {"weight": np.zeros((2, 3, 1, 1)), "bias": f32([0.1, -0.7])})
    scores = d2l.numpy(d2l.predict_tiles(layer, d2l.zeros((1, 3, 50, 41)), 16, 11))
    np.testing.assert_array_equal(scores[0, 0], np.full((50, 41), np.float32(0.1)))
    np.testing.assert_array_equal(scores[0, 1], np.full((50, 41), np.float32(-0.7)))


class Recorder:
    """Notes the tiles that a net is asked for."""

    def __init__(self, net):
        self.net, self.sizes = net, []

    def __call__(self, X, **mode):
        self.sizes.append(tuple(X.shape[2:]))
        return self.net(X, **mode)

    def __getattr__(self, name):
        return getattr(self.net, name)


@pytest.mark.parametrize(
    ("size", "tile", "overlap", "count"),
    [((100, 60), 32, 0, 8), ((100, 60), 32, 16, 18), ((64, 64), 32, 0, 4)],
)
def test_tiles_are_as_many_as_needed_and_equal(d2l, native, size, tile, overlap, count):
    net = Recorder(pixelwise(d2l))
    d2l.predict_tiles(net, d2l.zeros((1, 3, *size)), tile, overlap)
    assert set(net.sizes) == {(32, 32)}
    if not native.COMPILES:  # what is compiled runs without Python
        assert len(net.sizes) == count


def test_tiles_refuse(d2l):
    net, X = pixelwise(d2l), d2l.zeros((1, 3, 8, 8))
    with pytest.raises(ValueError, match="overlap: expected less than the tile, 4 × 4"):
        d2l.predict_tiles(net, X, 4, 4)
    with pytest.raises(ValueError, match="tile: expected at least 1, got 0"):
        d2l.predict_tiles(net, X, 0)
    with pytest.raises(ValueError, match=r"scores as large as the tile, \(8, 8\)"):
        d2l.predict_tiles(d2l.conv2d(3, 2, 3), X, 8)


# ---- loss ----------------------------------------------------------------------------


def test_ignored_pixels_give_no_gradient(d2l):
    labels = whole(670, 4, 2, 5, 6)
    labels[:, 2:4] = 255
    Y, preds = d2l.tensor(labels), d2l.tensor(f32(uniform(671, 2, 4, 5, 6)))
    (found,) = d2l.gradients(
        lambda X: d2l.reduce_sum(d2l.segmentation_loss(X, Y)), preds
    )
    found = d2l.numpy(found)
    assert not found[:, :, 2:4].any() and found[:, :, [0, 1, 4]].all()
    # whatever the net says there
    other = d2l.numpy(preds)
    other[:, :, 2:4] += 7
    loss = d2l.segmentation_loss(preds, Y), d2l.segmentation_loss(d2l.tensor(other), Y)
    close(*map(d2l.numpy, loss), 1e-6)


def test_loss_takes_another_ignored_class(d2l):
    labels = whole(672, 3, 1, 4, 4)
    preds, Y = d2l.tensor(f32(uniform(673, 1, 3, 4, 4))), d2l.tensor(labels)
    expected = np.where(labels == 1, 255, labels)
    a = d2l.segmentation_loss(preds, Y, ignore_index=1)
    b = d2l.segmentation_loss(preds, d2l.tensor(expected))
    close(d2l.numpy(a), d2l.numpy(b), 1e-6)


def test_loss_refuses(d2l):
    preds, labels = d2l.zeros((2, 3, 4, 5)), d2l.tensor(np.zeros((2, 5, 4), np.int64))
    with pytest.raises(ValueError, match="labels: expected shape"):
        d2l.segmentation_loss(preds, labels)


# ---- metrics -------------------------------------------------------------------------


def by_definition(preds, labels, classes):
    """Accuracy and mean IoU by loops over sets of pixels."""
    known = labels != 255
    ious = []
    for c in range(classes):
        a, b = (preds == c) & known, (labels == c) & known
        if (a | b).any():
            ious.append((a & b).sum() / (a | b).sum())
    return (preds == labels)[known].mean(), np.mean(ious)


@pytest.mark.parametrize("native", [True, False])
def test_metrics_by_definition(d2l, native):
    preds, labels = whole(680, 6, 3, 9, 8), whole(681, 5, 3, 9, 8)
    preds[preds == 3] = 2  # class 3 is labelled only, class 5 predicted only
    labels[0, :3] = 255
    expected = by_definition(preds, labels, 9)
    make = d2l.tensor if native else np.asarray
    given = make(preds), make(labels)
    assert d2l.pixel_accuracy(*given) == pytest.approx(expected[0], abs=1e-12)
    assert d2l.mean_iou(*given) == pytest.approx(expected[1], abs=1e-12)
    scores = make(f32(np.eye(9)[preds].transpose(0, 3, 1, 2)))
    assert d2l.mean_iou(scores, given[1]) == pytest.approx(expected[1], abs=1e-12)
    confusion = d2l.Confusion(9)
    for i in range(3):
        confusion.add(make(preds[i]), make(labels[i]))
    assert confusion.counts.dtype == np.int64
    assert confusion.counts.sum() == (labels != 255).sum()
    assert confusion.pixel_accuracy == pytest.approx(expected[0], abs=1e-12)
    assert confusion.mean_iou == pytest.approx(expected[1], abs=1e-12)
    assert np.isnan(confusion.iou[6:]).all() and not np.isnan(confusion.iou[:6]).any()


def test_metrics_of_a_worked_example(d2l):
    # background 4 of 5, class 1: 2 of 3; the void does not count
    labels = np.array([[0, 0, 0, 0], [1, 1, 1, 255]])
    preds = np.array([[0, 0, 0, 0], [1, 1, 0, 1]])
    assert d2l.pixel_accuracy(preds, labels) == 6 / 7
    assert d2l.mean_iou(preds, labels) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_metrics_of_nothing_are_no_numbers(d2l):
    void = np.full((2, 3), 255)
    assert np.isnan(d2l.pixel_accuracy(void * 0, void))
    assert np.isnan(d2l.mean_iou(void * 0, void))
    assert np.isnan(d2l.Confusion(3).mean_iou)


def test_metrics_refuse(d2l):
    labels, confusion = np.zeros((2, 3), int), d2l.Confusion(3)
    with pytest.raises(ValueError, match=r"classes of shape \(2, 3\)"):
        confusion.add(np.zeros((3, 2), int), labels)
    with pytest.raises(
        ValueError, match="preds: expected classes from 0 to 2, got 0 to 3"
    ):
        confusion.add(np.array([[0, 1, 2], [3, 0, 0]]), labels)
    with pytest.raises(ValueError, match="labels: expected classes from 0 to 2"):
        confusion.add(labels, labels - 1)
    assert not confusion.counts.any()


# ---- colours -------------------------------------------------------------------------


def test_labels_become_colours(d2l):
    classes = np.array([[0, 15, 20], [255, 1, 2]])
    expected = [
        [[0, 0, 0], [192, 128, 128], [0, 64, 128]],
        [[224, 224, 192], [128, 0, 0], [0, 128, 0]],
    ]
    image = d2l.label2image(classes)
    assert isinstance(image, np.ndarray) and image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)
    native = d2l.label2image(d2l.tensor(classes))
    assert d2l.is_tensor(native)
    np.testing.assert_array_equal(d2l.numpy(native), expected)
    back = d2l.voc_label_indices(image, d2l.voc_colormap2label("ignore"))
    np.testing.assert_array_equal(back, classes)
    with pytest.raises(ValueError, match="classes: expected integers from 0 to 255"):
        d2l.label2image(np.array([[-1]]))
