"""Reaching the weights of a Gluon net; its layout is the canonical one."""

from dataclasses import dataclass

import mxnet as mx
from mxnet import autograd, gluon, np

__all__ = ["EXPORTS_BOXES", "Slot", "export", "manual_seed", "slots"]

# what sorts and suppresses here is NumPy in part, which no symbol has
EXPORTS_BOXES = False
CANONICAL = {"gamma": "weight", "beta": "bias"}


def manual_seed(n, net=None):
    mx.random.seed(n)


@dataclass
class Slot:
    """One tensor of a net, read and written as a NumPy array in the canonical layout."""

    parameter: gluon.Parameter

    @property
    def shape(self):
        return tuple(self.parameter.shape)

    def get(self):
        return self.parameter.list_data()[0].astype("float32").asnumpy()

    def put(self, array):
        if self.parameter._data is None:  # fresh from its layer's constructor
            self.parameter.initialize()
        self.parameter.set_data(np.array(array, dtype=self.parameter.dtype))


def slots(net):
    # by the path of the layer: collect_params() has the names of a global count instead
    found = {}
    for name, parameter in net._collect_params_with_prefix().items():
        path, _, kind = name.rpartition(".")
        found[f"{path}.{CANONICAL.get(kind, kind)}".lstrip(".")] = Slot(parameter)
    return found


class Program(gluon.HybridBlock):
    def __init__(self, net, channels, before):
        super().__init__()
        self.net, self.channels, self.before = net, channels, before

    def hybrid_forward(self, F, images):
        X = images.astype("float32").transpose(0, 3, 1, 2)
        channels = self.before(F.np.split(X, self.channels, axis=1))
        return self.net(F.np.concatenate(channels, axis=1))


def export(net, path, images, before, after):
    program, compiled = Program(net, images.shape[-1], before), net._active
    program.hybridize()
    with autograd.pause(train_mode=False):
        program(images)  # what is exported is what has run
    program.export(path)
    net.hybridize(compiled)
    return f"{path}-symbol.json"
