"""The layers of the detector against what a convolution is."""

import numpy as np
import pytest


@pytest.mark.parametrize("num_anchors, side", [(1, 3), (1, 4), (2, 8)])
def test_bias_is_of_the_channels_value(d2l, num_anchors, side):
    # 8 channels on maps of 8 × 8 and 4 on 4 × 4: a bias along the wrong axis would fit
    for layer in (d2l.bbox_predictor(2, num_anchors), d2l.cls_predictor(2, 4, 1)):
        weights = d2l.get_weights(layer)
        bias = np.arange(1, len(weights["bias"]) + 1, dtype=np.float32)
        d2l.set_weights(layer, {**weights, "bias": bias})
        Y = d2l.numpy(d2l.predict(layer, d2l.zeros((2, 2, side, side))))
        expected = np.broadcast_to(bias[:, None, None], (2, len(bias), side, side))
        np.testing.assert_array_equal(Y, expected)


@pytest.mark.parametrize("side", [(63, 64), (64, 63), (1, 200)])
def test_tiny_ssd_of_small_pictures(d2l, side):
    d2l.seed(0)
    net = d2l.TinySSD(1)
    said = r"X: expected pictures of at least 64 × 64 pixels, got shape \(2, 3, "
    with pytest.raises(ValueError, match=said):
        net(d2l.zeros((2, 3, *side)))
    anchors, _, _ = d2l.predict(net, d2l.zeros((2, 3, 64, 64)))
    assert tuple(anchors.shape) == (1, 4 * (8**2 + 4**2 + 2**2 + 1 + 1), 4)


@pytest.mark.parametrize("name", ["TinySSD", "TinyYOLO", "TinyRCNN"])
def test_detectors_refuse_no_picture(d2l, name):
    net = getattr(d2l, name)(1)
    with pytest.raises(ValueError, match=r"X: .*expected at least one picture"):
        d2l.predict(net, d2l.zeros((0, 3, 64, 64)))


def test_of_no_picture_there_is_no_prediction(d2l):
    # one framework fails where the result is read, another gives a wrong shape
    layer = d2l.initialize(d2l.cls_predictor(2, 4, 1))
    with pytest.raises(ValueError, match="X: expected at least one picture"):
        d2l.predict(layer, d2l.zeros((0, 2, 4, 4)))


def test_a_scale_of_no_picture_is_refused(d2l):
    layers = [d2l.initialize(d2l.cls_predictor(2, 1, 1)) for _ in range(3)]
    with pytest.raises(ValueError, match="X: expected at least one picture"):
        d2l.blk_forward(d2l.zeros((0, 2, 4, 4)), layers[0], [0.5], [1], *layers[1:])


def test_predictions_are_numbers(d2l):
    mask = d2l.tensor(np.zeros((1, 4, 2, 2), bool))
    with pytest.raises(TypeError, match="pred: expected numbers, got bool"):
        d2l.flatten_pred(mask)
    with pytest.raises(TypeError, match=r"preds\[1\]: expected numbers, got bool"):
        d2l.concat_preds([d2l.zeros((1, 4, 2, 2)), mask])
