"""YOLO: targets, decoding, loss and detections by definition; equal training."""

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import check_nms, f32, label_rows, uniform
from .training import waves

_LABELS = label_rows(900, 4, 5, 3, pad=[(0, 1), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4)])
_SAME_CELL = f32([[[2, 0.25, 0.25, 0.5, 0.5], [0, 0.25, 0.125, 0.5, 0.625]]])
_BORDER = f32([[[1, 0.5, 0.5, 1.5, 1.5], [0, -1, -1, 0.5, 0.5]]])


def _target_case(name, labels, height, width):
    def expected():
        classes, boxes = oracle.yolo_target(labels, height, width)
        return {"classes": classes, "boxes": f32(boxes)}

    @case("yolo", expected, name=f"yolo_target_{name}", atol=0.0)
    def run(d2l):
        classes, boxes = d2l.yolo_target(d2l.tensor(labels), height, width)
        return {"classes": d2l.numpy(classes), "boxes": d2l.numpy(boxes)}


_target_case("many", _LABELS, 7, 5)
_target_case("one_cell", _LABELS, 1, 1)
_target_case("first_of_a_cell", _SAME_CELL, 4, 4)
_target_case("centres_on_and_beyond_the_border", _BORDER, 4, 4)
_target_case("no_objects", np.zeros((2, 0, 5), np.float32), 3, 3)


def _preds(seed, B, H, W, K, C):
    return f32(6 * uniform(seed, B, H, W, 5 * K + C) - 3)


def _decode_case(name, shape, C):
    preds = _preds(910, *shape, C)
    names = ("boxes", "confidence", "classes")

    @case(
        "yolo",
        lambda: dict(zip(names, map(f32, oracle.yolo_decode(preds, C)), strict=True)),
        name=f"yolo_decode_{name}",
    )
    def run(d2l):
        found = d2l.yolo_decode(d2l.tensor(preds), C)
        return {k: d2l.numpy(v) for k, v in zip(names, found, strict=True)}


_decode_case("many", (3, 4, 5, 2), 3)
_decode_case("one_class_one_box", (1, 2, 2, 1), 1)


def _loss_case(name, labels, shape, C, **weights):
    preds = _preds(920, *shape, C)
    classes, boxes = oracle.yolo_target(labels, *shape[1:3])
    boxes = f32(boxes)

    @case(
        "yolo",
        lambda: {"loss": f32(oracle.yolo_loss(preds, classes, boxes, C, **weights))},
        name=f"yolo_loss_{name}",
        rtol=1e-5,
    )
    def run(d2l):
        truth = d2l.yolo_target(d2l.tensor(labels), *shape[1:3])
        loss = d2l.yolo_loss(d2l.tensor(preds), *truth, C, **weights)
        return {"loss": d2l.numpy(loss)}

    @case("yolo", name=f"yolo_loss_{name}_gradient", atol=1e-4, rtol=1e-4)
    def gradient(d2l):
        truth = d2l.yolo_target(d2l.tensor(labels), *shape[1:3])

        def loss(X):
            return d2l.reduce_sum(d2l.yolo_loss(X, *truth, C, **weights))

        (found,) = d2l.gradients(loss, d2l.tensor(preds))
        return {"gradient": d2l.numpy(found)}


_loss_case("many", _LABELS, (4, 7, 5, 2), 3)
_loss_case(
    "other_weights", _LABELS, (4, 3, 3, 3), 3, coord_weight=1.5, noobj_weight=2.0
)
_loss_case("no_objects", np.zeros((2, 0, 5), np.float32), (2, 3, 3, 2), 1)


def _detection_case(name, shape, C, nms, positive):
    preds = _preds(930, *shape, C)

    def check():
        boxes, confidence, classes = oracle.yolo_decode(preds, C)
        scores = (confidence * classes.max(-1)[..., None]).reshape(len(preds), -1)
        for rows, of_rows in zip(boxes.reshape(len(preds), -1, 4), scores, strict=True):
            check_nms(rows, of_rows, nms)

    @case(
        "yolo",
        lambda: {"rows": f32(oracle.yolo_detection(preds, C, nms, positive))},
        name=f"yolo_detection_{name}",
        check=check,
    )
    def run(d2l):
        rows = d2l.yolo_detection(d2l.tensor(preds), C, nms, positive)
        return {"rows": d2l.numpy(rows)}


_detection_case("many", (2, 4, 5, 2), 3, 0.5, 0.2)
_detection_case("all_kept", (1, 2, 3, 1), 2, 1.0, 0.0)
_detection_case("none_sure", (1, 2, 3, 1), 2, 0.5, 1.0)


@case("yolo", atol=0.0)
def yolo_initial_weights(d2l):
    d2l.seed(1)
    return d2l.get_weights(d2l.TinyYOLO(2, 2))


@case("yolo", atol=1e-4)
def yolo_forward(d2l):
    d2l.seed(2)
    net = d2l.TinyYOLO(2, 2)
    X = d2l.tensor(waves(940, 2))
    return {"preds": d2l.numpy(d2l.predict(net, X))}


# The rate is low: at higher ones a switched ReLU or another responsible box grows.
@case("yolo", atol=0.0, rtol=1e-3)
def yolo_losses_of_20_steps(d2l):
    d2l.seed(3)
    net = d2l.TinyYOLO(3, 2)
    trainer = d2l.Trainer(net, "sgd", lr=3e-5)
    X, labels = d2l.tensor(waves(941, 4)), d2l.tensor(_LABELS)

    def step(X, labels):
        preds = net(X)
        classes, boxes = d2l.yolo_target(labels, *preds.shape[1:3])
        return d2l.reduce_mean(d2l.yolo_loss(preds, classes, boxes, 3)), ()

    losses = [trainer.step(step, X, labels)[0] for _ in range(20)]
    return {"loss": np.array([float(d2l.numpy(loss)) for loss in losses])}


@case("yolo", lambda: {"rows": np.zeros((0, 8, 6), np.float32)}, atol=0.0)
def yolo_detection_of_no_pictures(d2l):
    return {"rows": d2l.numpy(d2l.yolo_detection(d2l.zeros((0, 2, 2, 13)), 3))}
