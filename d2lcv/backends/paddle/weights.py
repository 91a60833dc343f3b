"""Reaching the weights of a PaddlePaddle net in the canonical layout."""

from dataclasses import dataclass

import paddle
from paddle import nn

__all__ = ["EXPORTS_BOXES", "Slot", "export", "manual_seed", "slots"]

EXPORTS_BOXES = True

STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}


def manual_seed(n, net=None):
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
        array = paddle.to_tensor(array.T if self.transposed else array)
        self.tensor.set_value(array.astype(self.tensor.dtype))


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


class Program(nn.Layer):
    def __init__(self, net, before, after):
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, images):
        channels = self.before(images.astype("float32").unbind(-1))
        return self.after(self.net(paddle.stack(channels, 1)))


def export(net, path, images, before, after):
    training = [layer for layer in net.sublayers(include_self=True) if layer.training]
    batch = 1 if len(images) == 1 else None
    spec = paddle.static.InputSpec([batch, *images.shape[1:]], images.dtype)
    program = Program(net, before, after)
    program.eval()
    try:
        paddle.jit.save(program, path, input_spec=[spec])
    finally:
        for layer in training:
            layer.training = True
    return path
