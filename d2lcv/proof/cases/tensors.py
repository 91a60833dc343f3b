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
