"""The vocabulary."""

import numpy as np

from ..case import case
from ..inputs import boxes, f32, uniform, whole

# --- tensors -------------------------------------------------------------------------


@case(
    "tensors",
    lambda: {"float": f32(boxes(1, 5)), "integer": whole(2, 1000, 3, 2)},
    atol=0.0,
)
def tensor_round_trip(d2l):
    return {
        "float": d2l.numpy(d2l.tensor(boxes(1, 5))),
        "integer": d2l.numpy(d2l.tensor(whole(2, 1000, 3, 2))),
    }


_LEFT, _RIGHT = f32(uniform(3, 4, 3)), f32(uniform(4, 4, 3))


@case(
    "tensors",
    lambda: {
        "stack": np.stack([_LEFT, _RIGHT], axis=1),
        "concat": np.concatenate([_LEFT, _RIGHT], axis=1),
        "reshape": _LEFT.reshape(3, 4),
        "matmul": _LEFT @ _RIGHT.T,
        "exp": np.exp(_LEFT),
        "log": np.log(_LEFT),
        "tanh": np.tanh(_LEFT),
        "abs": np.abs(_LEFT - _RIGHT),
        "mean": _LEFT.mean(),
        "sum": _LEFT.sum(axis=1),
        "argmax": _LEFT.argmax(axis=1),
    },
)
def tensor_vocabulary(d2l):
    a, b = d2l.tensor(_LEFT), d2l.tensor(_RIGHT)
    answers = {
        "stack": d2l.stack([a, b], axis=1),
        "concat": d2l.concat([a, b], axis=1),
        "reshape": d2l.reshape(a, (3, 4)),
        "matmul": d2l.matmul(a, d2l.transpose(b)),
        "exp": d2l.exp(a),
        "log": d2l.log(a),
        "tanh": d2l.tanh(a),
        "abs": d2l.abs(a - b),
        "mean": d2l.reshape(d2l.reduce_mean(a), (1,)),
        "sum": d2l.reduce_sum(a, axis=1),
        "argmax": d2l.argmax(a, axis=1),
    }
    arrays = {key: d2l.numpy(value) for key, value in answers.items()}
    arrays["mean"] = arrays["mean"].reshape(())
    return arrays


# --- the types of numbers: half precision and doubles come back as such ------------------


def _of_types(d2l):
    """{name: a function of a type}; each gives a tensor of real numbers."""

    def ones(t, *shape):
        return d2l.tensor(np.ones(shape, t))

    def labels(*shape):
        return d2l.tensor(np.zeros(shape, np.int64))

    def offsets(t):
        return [ones(t, 1, 16)] * 3

    def scores(t):
        return ones(t, 1, 4, 3)

    return {
        "calc_loss": lambda t: d2l.calc_loss(scores(t), labels(1, 4), *offsets(t)),
        "smooth_l1": lambda t: d2l.smooth_l1(ones(t, 3), 1.0),
        "smooth_l1_loss": lambda t: d2l.smooth_l1_loss(*offsets(t)),
        "bbox_eval": lambda t: d2l.bbox_eval(*offsets(t)),
        "focal_loss": lambda t: d2l.focal_loss(2.0, ones(t, 3)),
        "focal_cls_loss": lambda t: d2l.focal_cls_loss(scores(t), labels(1, 4)),
        "hard_negative_loss": lambda t: d2l.hard_negative_loss(scores(t), labels(1, 4)),
        "cross_entropy": lambda t: d2l.cross_entropy(ones(t, 2, 3), labels(2)),
        "segmentation_loss": lambda t: d2l.segmentation_loss(
            ones(t, 1, 3, 2, 2), labels(1, 2, 2)
        ),
        "corr2d": lambda t: d2l.corr2d(ones(t, 3, 3), ones(t, 2, 2)),
        "trans_conv": lambda t: d2l.trans_conv(ones(t, 3, 3), ones(t, 2, 2)),
        "kernel2matrix": lambda t: d2l.kernel2matrix(ones(t, 2, 2)),
        "content_loss": lambda t: d2l.content_loss(ones(t, 3), ones(t, 3)),
        "gram": lambda t: d2l.gram(ones(t, 1, 2, 2, 2)),
        "style_loss": lambda t: d2l.style_loss(ones(t, 1, 2, 2, 2), ones(t, 2, 2)),
        "tv_loss": lambda t: d2l.tv_loss(ones(t, 1, 3, 2, 2)),
        "postprocess": lambda t: d2l.postprocess(ones(t, 1, 3, 2, 2)),
        "Normalize": lambda t: d2l.Normalize([0.5], [0.5])(ones(t, 1, 2, 2)),
        "yolo_decode": lambda t: d2l.yolo_decode(ones(t, 1, 2, 2, 7), 2)[0],
        "yolo_detection": lambda t: d2l.yolo_detection(ones(t, 1, 2, 2, 7), 2),
        "yolo_target": lambda t: d2l.yolo_target(ones(t, 1, 1, 5), 2, 2)[1],
        "yolo_loss": lambda t: d2l.yolo_loss(
            ones(t, 1, 2, 2, 7), labels(1, 2, 2), ones(t, 1, 2, 2, 4), 2
        ),
        "rpn_loss": lambda t: d2l.rpn_loss(
            ones(t, 1, 1, 4), ones(t, 1, 1, 2), ones(t, 1, 4), ones("float32", 1, 1, 5)
        ),
        "propose": lambda t: d2l.propose(
            ones(t, 1, 1, 4), ones(t, 1, 1, 2), ones(t, 1, 4), 1
        ),
        "paste_masks": lambda t: d2l.paste_masks(ones(t, 1, 4, 4), ones(t, 1, 4), 4, 4),
        "roi_pool": lambda t: d2l.roi_pool(
            ones(t, 1, 1, 4, 4), 0 * ones(t, 1, 5), 2, 1.0
        ),
    }


_TYPES = {"float16": 2, "float32": 4, "float64": 8, "int32": 4}


def _type_case(name):
    @case("tensors", lambda: {"bytes": list(_TYPES.values())}, name=f"types_of_{name}")
    def run(d2l):
        function = _of_types(d2l)[name]
        found = [d2l.numpy(function(t)) for t in _TYPES]
        assert all(np.isfinite(x).all() for x in found)
        return {"bytes": [x.dtype.itemsize for x in found]}


for _name in _of_types(None):
    _type_case(_name)
