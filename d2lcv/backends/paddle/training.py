"""A training step in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.utils import map_structure

from ...distributed import world_size
from ...training import check_loss, rate_groups
from .distributed import average
from .weights import slots

__all__ = ["Stepper", "freeze", "gradients", "predict"]


class Stepper:
    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager, factors):
        self.net = net
        tensors = slots(net)
        factors = {id(tensors[name].tensor): f for name, f in factors.items()}
        # an optimizer for each: a factor of its own is left behind in the parameters
        self.optimizers = {}
        for factor, parameters in rate_groups(net.parameters(), factors).items():
            options = {"parameters": parameters, "weight_decay": weight_decay}
            self.optimizers[factor] = (
                paddle.optimizer.Momentum(lr * factor, momentum, **options)
                if optimizer == "sgd"
                else paddle.optimizer.Adam(lr * factor, **options)
            )
        self._lr = lr

    @property
    def lr(self):
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = value
        for factor, optimizer in self.optimizers.items():
            optimizer.set_lr(value * factor)

    def step(self, function, *batch):
        self.net.train()
        for parameter in self.net.parameters():
            parameter.clear_gradient(False)  # not to zero: that would decay, too
        loss, metrics = function(*batch)
        check_loss(loss)
        loss.backward()
        if world_size() > 1:
            self._average_gradients()
        for optimizer in self.optimizers.values():
            optimizer.step()
        return loss.detach(), map_structure(_detached, metrics)

    def _average_gradients(self):
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        for gradient, mean in zip(gradients, average(gradients), strict=True):
            paddle.assign(mean, gradient)


def _detached(x):
    return x.detach() if paddle.is_tensor(x) else x


def freeze(module):
    for parameter in module.parameters():
        parameter.stop_gradient = True
    for layer in module.sublayers(include_self=True):
        if isinstance(layer, nn.layer.norm._BatchNormBase):
            # before each call, since `net.train()` would undo a single `eval()`
            layer.register_forward_pre_hook(_evaluate)
    return module


def _evaluate(layer, inputs):
    layer.training = False


def gradients(function, *tensors):
    copies = [x.detach().clone() for x in tensors]
    for x in copies:
        x.stop_gradient = False
    value = function(*copies).sum()
    if value.stop_gradient:
        return [paddle.zeros_like(x) for x in tensors]
    found = paddle.grad(value, copies, allow_unused=True)
    return [
        paddle.zeros_like(x) if g is None else g
        for x, g in zip(copies, found, strict=True)
    ]


@paddle.no_grad()
def predict(net, *inputs):
    training = [layer for layer in net.sublayers(include_self=True) if layer.training]
    net.eval()
    try:
        return net(*inputs)
    finally:
        for layer in training:
            layer.training = True
