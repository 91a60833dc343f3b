"""Training with what the framework has itself, in PaddlePaddle."""

from paddle.optimizer import Optimizer

from .tensors import try_gpu
from .training import Stepper

__all__ = [
    "NativeStepper",
    "Optimizer",
    "compiled",
    "devices_of",
    "loss_values",
    "place",
    "total",
]


class NativeStepper(Stepper):
    def __init__(self, net, optimizer):
        self.net, self.optimizers = net, {1.0: optimizer}


def compiled(net):
    return net  # runs as it is written


def loss_values(loss, y_hat, y):
    return loss(y_hat, y)


def total(scalars):
    return sum(scalars)


def devices_of(net):
    return [next((x.place for x in net.state_dict().values()), try_gpu())]


def place(net, devices):
    net.to(devices[0])
    return devices[:1]
