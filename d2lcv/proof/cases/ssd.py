"""TinySSD, its parts and losses."""

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import WORKED, f32, uniform, whole

# --- single-shot detection -----------------------------------------------------------


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
)
def ssd_loss(d2l):
    """Whichever argument is a double, too: they are computed in the widest type."""
    inputs = _ssd_inputs(d2l)
    losses = [d2l.calc_loss(*inputs)]
    for i, array in {0: _LOGITS, 2: _OFFSET_PREDS, 3: _OFFSETS, 4: _MASKS}.items():
        double = d2l.tensor(array.astype(np.float64))
        losses.append(d2l.calc_loss(*inputs[:i], double, *inputs[i + 1 :]))
    means = [_number(d2l, loss) for loss in losses]
    assert np.ptp(means) < 1e-6, means
    return {"mean": means[0]}


@case(
    "ssd",
    lambda: {
        "right": float((_LOGITS.argmax(axis=2) == _CLASSES).sum()),
        "error": np.abs((_OFFSETS - _OFFSET_PREDS) * _MASKS).astype(np.float64).sum(),
    },
    rtol=1e-6,
    exact=("right",),
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
)
def smooth_l1_losses(d2l):
    inputs = [d2l.tensor(x) for x in (_OFFSET_PREDS, _OFFSETS, _FEW_MASKS)]
    return {
        f"sigma {sigma}": d2l.numpy(d2l.smooth_l1_loss(*inputs, sigma))
        for sigma in (1, 2)
    }
