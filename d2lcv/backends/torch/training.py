"""A training step in PyTorch."""

from contextlib import contextmanager, nullcontext
from functools import partial

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from .distributed import average
from .layers import GappedConv2d
from .weights import Slot, slots

__all__ = [
    "PRECISIONS",
    "Stepper",
    "freeze",
    "get_rates",
    "get_state",
    "gradients",
    "make_optimizer",
    "make_step",
    "named_parameters",
    "parameters",
    "predict",
    "set_rates",
    "set_state",
    "train_step",
]

# Convolutions are faster when channels lie next to each other; but on a CPU the gradients
# of many weights take longer to bring into that layout than it saves
LAYOUT, MOST_WEIGHTS = torch.channels_last, 2_000_000


def train_step(net, loss_of, optimizer, *batch):
    net.train()
    loss, metrics = loss_of(*batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach(), metrics


def make_step(net, loss_of, optimizer):
    def step(*batch):
        return train_step(net, loss_of, optimizer, *batch)

    return step


def make_optimizer(groups, rule, momentum=0.0, weight_decay=0.0):
    # (parameters, learning rate) of each group
    groups = [{"params": params, "lr": lr} for params, lr in groups]
    if rule == "adam":
        return torch.optim.Adam(groups, weight_decay=weight_decay)
    return torch.optim.SGD(groups, momentum=momentum, weight_decay=weight_decay)


def get_rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def set_rates(optimizer, rates):
    for group, lr in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = lr


@torch.no_grad()
def predict(net, *inputs):
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        return net(*inputs)
    finally:
        for module in training:
            module.training = True


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


# ---- what stands around a step -------------------------------------------------------


def parameters(net):
    return list(net.parameters())


def named_parameters(net):
    return {name: slot.tensor for name, slot in slots(net).items()}


class Stepper:
    def __init__(self, net, optimizer, check, eager, several, clip_norm, every):
        self.has_layout = not eager and _gains(net)
        self.net = net.to(memory_format=LAYOUT) if self.has_layout else net
        self.optimizer, self.check = optimizer, check
        self.accumulating = Accumulating(optimizer, every)
        if several:
            optimizer.register_step_pre_hook(_average_gradients)
        if clip_norm is not None:
            optimizer.register_step_pre_hook(partial(_clip, clip_norm))

    def step(self, function, *batch):
        def loss_of(*batch):
            return self.check(function(*batch))

        if self.has_layout:
            batch = tree_map_only(torch.Tensor, _channels_last, batch)
        loss, metrics = train_step(self.net, loss_of, self.accumulating, *batch)
        return loss, tree_map_only(torch.Tensor, torch.Tensor.detach, metrics)

    def update(self):
        self.accumulating.update()


class Accumulating:
    """Steps at every so many-th step, with the mean of their gradients."""

    def __init__(self, optimizer, every):
        self.optimizer, self.every, self.count = optimizer, every, 0

    def zero_grad(self):
        if not self.count:
            self.optimizer.zero_grad()

    def step(self):
        self.count += 1
        if self.count == self.every:
            self.update()

    def update(self):
        if self.count > 1:
            for parameter in _trained(self.optimizer):
                parameter.grad /= self.count
        if self.count:
            self.optimizer.step()
        self.count = 0


@contextmanager
def in_bfloat16(net):
    """Convolutions of `net(…)` compute in bfloat16; what it gives is float32 again."""
    forward, device = net.forward, next(net.parameters()).device.type

    def mixed(*inputs):
        with torch.autocast(device, torch.bfloat16):
            outputs = forward(*inputs)
        return tree_map_only(torch.Tensor, _float, outputs)

    net.forward = mixed
    try:
        yield
    finally:
        del net.forward


def _float(x):
    return x.float() if x.is_floating_point() else x


PRECISIONS = {"float32": nullcontext, "bfloat16": in_bfloat16}


# What is kept of a parameter beside itself: PyTorch's names and those of files
KEPT = {"momentum_buffer": "velocity", "exp_avg": "mean", "exp_avg_sq": "square"}


def get_state(net, optimizer):
    return {
        f"{KEPT.get(kind, kind)}/{name}": Slot(value).get()
        for name, parameter in named_parameters(net).items()
        for kind, value in optimizer.state.get(parameter, {}).items()
        if value is not None
    }


def set_state(net, optimizer, state):
    named, kinds = named_parameters(net), {ours: kind for kind, ours in KEPT.items()}
    optimizer.state.clear()
    for key, array in state.items():
        kind, _, name = key.partition("/")
        value = torch.tensor(array)
        if value.dim():  # in the layout of the parameter; a count of steps has none
            value = torch.empty_like(named[name]).copy_(value).detach()
        optimizer.state[named[name]][kinds.get(kind, kind)] = value


def _gains(net):
    """Whether the layout makes steps of the net faster, and all layers bear it."""
    if any(map(_has_gaps, net.modules())):
        return False
    parameters = list(net.parameters())
    on_cpu = all(p.device.type == "cpu" for p in parameters)
    return not on_cpu or sum(p.numel() for p in parameters) <= MOST_WEIGHTS


def _has_gaps(layer):
    # its gradient would write past its memory: see GappedConv2d
    return (
        isinstance(layer, nn.Conv2d)
        and not isinstance(layer, GappedConv2d)
        and layer.in_channels < 16
        and any(k < s for k, s in zip(layer.kernel_size, layer.stride, strict=True))
    )


def _channels_last(x):
    return x.contiguous(memory_format=LAYOUT) if x.dim() == 4 else x


def _clip(norm, optimizer, args, options):
    nn.utils.clip_grad_norm_(_trained(optimizer), norm)


def _trained(optimizer):
    groups = [group["params"] for group in optimizer.param_groups]
    return [p for group in groups for p in group if p.grad is not None]


def _average_gradients(optimizer, args, options):
    gradients = [p.grad for p in _trained(optimizer)]
    for gradient, mean in zip(gradients, average(gradients), strict=True):
        gradient.copy_(mean)
