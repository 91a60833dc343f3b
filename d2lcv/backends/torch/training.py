"""A training step in PyTorch."""

import torch
from torch.utils._pytree import tree_map_only

__all__ = ["Stepper", "gradients", "predict"]

# Convolutions on CPUs and tensor cores are faster when channels lie next to each other
LAYOUT = torch.channels_last


class Stepper:
    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager):
        self.net = net if eager else net.to(memory_format=LAYOUT)
        self.prepare = (lambda x: x) if eager else _channels_last
        options = {"lr": lr, "weight_decay": weight_decay}
        self.optimizer = (
            torch.optim.SGD(net.parameters(), momentum=momentum, **options)
            if optimizer == "sgd"
            else torch.optim.Adam(net.parameters(), **options)
        )

    @property
    def lr(self):
        return self.optimizer.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value):
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def step(self, function, *batch):
        self.net.train()
        self.optimizer.zero_grad()
        loss, metrics = function(*map(self.prepare, batch))
        loss.backward()
        self.optimizer.step()
        return loss.detach(), tree_map_only(torch.Tensor, torch.Tensor.detach, metrics)


def _channels_last(x):
    is_image = isinstance(x, torch.Tensor) and x.dim() == 4
    return x.contiguous(memory_format=LAYOUT) if is_image else x


def gradients(function, *tensors):
    copies = [x.detach().clone().requires_grad_() for x in tensors]
    value = function(*copies).sum()
    if not value.requires_grad:
        return [torch.zeros_like(x) for x in tensors]
    return list(torch.autograd.grad(value, copies, materialize_grads=True))


@torch.no_grad()
def predict(net, *inputs):
    was_training = net.training
    net.eval()
    try:
        return net(*inputs)
    finally:
        net.train(was_training)
