"""Losses that weigh anchors, and soft-NMS: what their values and gradients must be.

The values of random inputs are among the cases; here are those that can be told by hand,
what goes wrong, and training.
"""

import numpy as np
import pytest

from d2lcv.proof import oracle

# (B, A, C+1): p of the true class from 0.9 down to 0.1 for the background of one image
P = np.array([0.5, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2, 0.1])
LOGITS = np.float32(np.stack([np.log(P), np.log(1 - P)], axis=-1)[None])
LABELS = np.array([[1, 0, 0, 0, 0, 0, 0, 0]])


def numbers(d2l, value):
    return np.asarray(d2l.numpy(value), dtype=np.float64)


def test_hard_negative_loss_value(d2l):
    logits, labels = d2l.tensor(LOGITS), d2l.tensor(LABELS)
    for ratio, chosen in ((3, [0.1, 0.2, 0.4]), (1, [0.1]), (0, []), (99, P[1:])):
        loss = numbers(d2l, d2l.hard_negative_loss(logits, labels, ratio))
        expected = -np.log(0.5) - np.log(chosen).sum()
        np.testing.assert_allclose(loss, [expected], rtol=1e-5)
    two = np.array([[1, 1, 0, 0, 0, 0, 0, 0]])
    loss = numbers(d2l, d2l.hard_negative_loss(logits, d2l.tensor(two), 1))
    expected = -np.log([0.5, 0.1, 0.1, 0.2]).sum() / 2
    np.testing.assert_allclose(loss, [expected], rtol=1e-5)


def test_losses_of_an_image_without_objects(d2l):
    logits, labels = d2l.tensor(LOGITS), d2l.tensor(0 * LABELS)
    assert numbers(d2l, d2l.hard_negative_loss(logits, labels)) == [0]
    focal = numbers(d2l, d2l.focal_cls_loss(logits, labels))
    np.testing.assert_allclose(
        focal, [-(0.75 * (1 - P) ** 2 * np.log(P)).sum()], rtol=1e-5
    )
    offsets = d2l.ones((1, 32))
    assert numbers(d2l, d2l.smooth_l1_loss(offsets, offsets, 0 * offsets)) == [0]


def test_losses_stay_finite(d2l):
    sure = d2l.tensor(np.float32([[[90, -90], [-90, 90], [0, 0]]]))
    for labels in ([[0, 1, 0]], [[1, 0, 1]]):
        labels = d2l.tensor(np.array(labels))
        for loss in (
            d2l.hard_negative_loss(sure, labels),
            d2l.focal_cls_loss(sure, labels, 0.5),
            d2l.focal_cls_loss(sure, labels, 0),
        ):
            assert np.isfinite(numbers(d2l, loss)).all()


def test_focal_cls_loss_of_gamma_0_is_the_cross_entropy(d2l):
    logits, labels = d2l.tensor(LOGITS), d2l.tensor(LABELS)
    loss = 2 * numbers(d2l, d2l.focal_cls_loss(logits, labels, 0, 0.5))
    whole = numbers(d2l, d2l.hard_negative_loss(logits, labels, 99))
    np.testing.assert_allclose(loss, whole, rtol=1e-5)


def of_labels(d2l):
    """The functions that take class labels, the rest of their arguments given."""
    zeros = d2l.zeros((1, 32))
    return {
        "calc_loss": lambda p, y: d2l.calc_loss(p, y, zeros, zeros, zeros),
        "hard_negative_loss": d2l.hard_negative_loss,
        "focal_cls_loss": d2l.focal_cls_loss,
        "cls_eval": d2l.cls_eval,
    }


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_label_type(d2l, dtype):
    logits = d2l.tensor(LOGITS)
    expected = {
        "calc_loss": (-np.log(0.5) - np.log(P[1:]).sum()) / 8,
        "hard_negative_loss": -np.log([0.5, 0.1, 0.2, 0.4]).sum(),
        "focal_cls_loss": -0.25 * 0.25 * np.log(0.5)
        - 0.75 * ((1 - P) ** 2 * np.log(P))[1:].sum(),
        "cls_eval": 4,  # the greatest of equal scores is the first: the object is missed
    }
    for name, function in of_labels(d2l).items():
        found = numbers(d2l, function(logits, d2l.tensor(LABELS.astype(dtype))))
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("label", [-100, -1, 2, 255])
def test_label_exception(d2l, label):
    logits, labels = d2l.tensor(LOGITS), LABELS.copy()
    labels[0, 3] = label
    said = rf"^cls_labels: expected classes from 0 to 1, got {label}$"
    for function in of_labels(d2l).values():
        with pytest.raises(ValueError, match=said):
            function(logits, d2l.tensor(labels))
        with pytest.raises(TypeError, match=r"^cls_labels: expected integers"):
            function(logits, d2l.tensor(np.float32(LABELS)))


def test_loss_exception(d2l):
    logits, labels = d2l.tensor(LOGITS), d2l.tensor(LABELS)
    with pytest.raises(ValueError, match="ratio: expected a number of at least 0"):
        d2l.hard_negative_loss(logits, labels, -1)
    with pytest.raises(ValueError, match=r"gamma: expected .* at least 0, got -2"):
        d2l.focal_cls_loss(logits, labels, -2)
    with pytest.raises(ValueError, match=r"alpha: expected a number in \[0, 1\]"):
        d2l.focal_cls_loss(logits, labels, 2, 1.5)
    with pytest.raises(ValueError, match="cls_labels: expected shape"):
        d2l.hard_negative_loss(logits, labels[:, :3])
    with pytest.raises(ValueError, match="bbox_masks: expected shape"):
        d2l.smooth_l1_loss(d2l.ones((1, 8)), d2l.ones((1, 8)), d2l.ones((1, 4)))
    with pytest.raises(TypeError, match="cls_preds"):
        d2l.focal_cls_loss(LOGITS, labels)


STEPS = 6


@pytest.mark.parametrize("kind", ["hard negatives", "focal"])
def test_training_with_each_loss(d2l, kind):
    """In a step as a chapter writes it, compiled where the framework compiles."""
    d2l.seed(0)
    net = d2l.TinySSD(1)
    trainer = d2l.Trainer(net, "sgd", lr=0.05)
    X = d2l.tensor(np.random.default_rng(0).random((2, 3, 64, 64), np.float32))
    Y = d2l.tensor(np.float32([[[0, 0.1, 0.2, 0.4, 0.6]], [[0, 0.3, 0.3, 0.9, 0.8]]]))

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        if kind == "focal":
            loss = d2l.focal_cls_loss(cls_preds, classes)
        else:
            loss = d2l.hard_negative_loss(cls_preds, classes)
        loss = loss + d2l.smooth_l1_loss(bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), ()

    losses = [float(numbers(d2l, trainer.step(step, X, Y)[0])) for _ in range(STEPS)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]
    for values in d2l.get_weights(net).values():
        assert np.isfinite(values).all()


# --- soft-NMS ---------------------------------------------------------------------

BOXES = np.float32([[0, 0, 4, 2], [0, 0, 2, 2], [8, 8, 9, 9]])  # the first two: IoU 1/2


def test_soft_nms_value(d2l):
    boxes, scores = d2l.tensor(BOXES), d2l.tensor(np.float32([0.9, 0.8, 0.7]))
    kept, new = d2l.soft_nms(boxes, scores)
    assert d2l.numpy(kept).tolist() == [0, 2, 1]
    expected = [0.9, 0.7, 0.8 * np.exp(-0.25 / 0.5)]
    np.testing.assert_allclose(d2l.numpy(new), expected, rtol=1e-6)
    kept, new = d2l.soft_nms(boxes, scores, method="linear")
    assert d2l.numpy(kept).tolist() == [0, 2, 1]
    np.testing.assert_allclose(d2l.numpy(new), [0.9, 0.7, 0.4], rtol=1e-6)
    kept, new = d2l.soft_nms(boxes, scores, method="linear", iou_threshold=0.6)
    assert d2l.numpy(kept).tolist() == [0, 1, 2]
    np.testing.assert_allclose(d2l.numpy(new), [0.9, 0.8, 0.7], rtol=1e-6)
    kept, _ = d2l.soft_nms(boxes, scores, score_threshold=0.5)
    assert d2l.numpy(kept).tolist() == [0, 2]


def test_soft_nms_indices_are_those_of_nms(d2l):
    boxes, scores = d2l.tensor(BOXES), d2l.tensor(np.float32([0.9, 0.8, 0.7]))
    kept, new = d2l.soft_nms(boxes, scores)
    assert kept.dtype == d2l.nms(boxes, scores, 0.5).dtype
    assert new.dtype == scores.dtype
    none, no_scores = d2l.soft_nms(boxes[:0], scores[:0])
    assert none.dtype == kept.dtype and tuple(none.shape) == (0,)
    assert tuple(no_scores.shape) == (0,)


def test_soft_nms_of_a_thousand_boxes_is_quick(d2l):
    rng = np.random.default_rng(3)
    corner, size = rng.random((1000, 2)), rng.random((1000, 2)) / 4
    rows = np.float32(np.concatenate([corner, corner + size], axis=1))
    confidence = np.float32(rng.permutation(1000) / 1000)
    kept, new = d2l.soft_nms(d2l.tensor(rows), d2l.tensor(confidence))
    wanted, expected = oracle.soft_nms(rows, confidence)
    assert len(d2l.numpy(kept)) == len(wanted)
    np.testing.assert_allclose(d2l.numpy(new), expected, atol=1e-5)
    assert (np.diff(d2l.numpy(new)) <= 0).all()


def test_soft_nms_exception(d2l):
    boxes, scores = d2l.tensor(BOXES), d2l.tensor(np.float32([0.9, 0.8, 0.7]))
    with pytest.raises(
        ValueError, match="method: expected one of 'gaussian', 'linear'"
    ):
        d2l.soft_nms(boxes, scores, method="cosine")
    with pytest.raises(ValueError, match="sigma: expected a positive number, got 0"):
        d2l.soft_nms(boxes, scores, 0)
    with pytest.raises(ValueError, match="scores: expected numbers of at least 0"):
        d2l.soft_nms(boxes, scores - 1)
    with pytest.raises(ValueError, match="score_threshold"):
        d2l.soft_nms(boxes, scores, 0.5, -1)
    with pytest.raises(ValueError, match="scores: expected shape"):
        d2l.soft_nms(boxes, scores[:2])
