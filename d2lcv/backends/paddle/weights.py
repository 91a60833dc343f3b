"""Reaching the weights of a PaddlePaddle net in the canonical layout."""

from dataclasses import dataclass

import paddle
from paddle import nn

__all__ = ["Slot", "export", "manual_seed", "slots"]

STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}


def manual_seed(n):
    paddle.seed(n)


@dataclass
class Slot:
    """One tensor of a net, read and written as a NumPy array in the canonical layout."""

    tensor: paddle.Tensor
    transposed: bool = False

    @property
    def shape(self):
        return tuple(self.tensor.shape)[:: -1 if self.transposed else 1]

    def get(self):
        array = self.tensor.astype("float32").numpy()
        return array.T.copy() if self.transposed else array

    def put(self, array):
        self.tensor.set_value(array.T if self.transposed else array)


def slots(net):
    # dense weights are (in, out) here
    dense = {
        id(layer.weight)
        for layer in net.sublayers(include_self=True)
        if isinstance(layer, nn.Linear)
    }
    return {
        _canonical(name): Slot(tensor, id(tensor) in dense)
        for name, tensor in net.state_dict().items()
    }


def _canonical(name):
    path, dot, last = name.rpartition(".")
    return path + dot + STATISTICS.get(last, last)


def export(net, path, X):
    training = net.training
    net.eval()
    spec = paddle.static.InputSpec([None, *X.shape[1:]], X.dtype)
    try:
        paddle.jit.save(net, path, input_spec=[spec])
    finally:
        if training:
            net.train()
    return path
