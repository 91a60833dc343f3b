"""A training step in PyTorch."""

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from ...distributed import world_size
from ...training import check_loss, rate_groups
from .distributed import average
from .weights import slots

__all__ = ["Stepper", "freeze", "gradients", "predict"]

# Convolutions on CPUs and tensor cores are faster when channels lie next to each other
LAYOUT = torch.channels_last


class Stepper:
    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager, factors):
        self.net = net if eager else net.to(memory_format=LAYOUT)
        self.prepare = (lambda x: x) if eager else _channels_last
        tensors = slots(net)
        factors = {id(tensors[name].tensor): f for name, f in factors.items()}
        groups = [
            {"params": parameters, "factor": factor}
            for factor, parameters in rate_groups(net.parameters(), factors).items()
        ]
        options = {"lr": lr, "weight_decay": weight_decay}
        self.optimizer = (
            torch.optim.SGD(groups, momentum=momentum, **options)
            if optimizer == "sgd"
            else torch.optim.Adam(groups, **options)
        )
        self.lr = lr

    @property
    def lr(self):
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = value
        for group in self.optimizer.param_groups:
            group["lr"] = value * group["factor"]

    def step(self, function, *batch):
        self.net.train()
        self.net.zero_grad()  # of what no group has, too
        loss, metrics = function(*map(self.prepare, batch))
        check_loss(loss)
        loss.backward()
        if world_size() > 1:
            self._average_gradients()
        self.optimizer.step()
        return loss.detach(), tree_map_only(torch.Tensor, torch.Tensor.detach, metrics)

    def _average_gradients(self):
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        for gradient, mean in zip(gradients, average(gradients), strict=True):
            gradient.copy_(mean)


def _channels_last(x):
    is_image = isinstance(x, torch.Tensor) and x.dim() == 4
    return x.contiguous(memory_format=LAYOUT) if is_image else x


def freeze(module):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            # before each call, since `net.train()` would undo a single `eval()`
            layer.register_forward_pre_hook(_evaluate)
    return module


def _evaluate(layer, inputs):
    layer.training = False


def gradients(function, *tensors):
    copies = [x.detach().clone().requires_grad_() for x in tensors]
    value = function(*copies).sum()
    if not value.requires_grad:
        return [torch.zeros_like(x) for x in tensors]
    return list(torch.autograd.grad(value, copies, materialize_grads=True))


@torch.no_grad()
def predict(net, *inputs):
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        return net(*inputs)
    finally:
        for module in training:
            module.training = True
