"""A training step in PaddlePaddle."""

from collections import Counter
from contextlib import nullcontext

import numpy as np
import paddle
from paddle import nn
from paddle.utils import map_structure

from .distributed import average
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

PRECISIONS = {"float32": nullcontext}  # its bfloat16 has no effect on a CPU


def train_step(net, loss_of, optimizer, *batch):
    net.train()
    loss, metrics = loss_of(*batch)
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    return loss.detach(), metrics


def make_step(net, loss_of, optimizer):
    def step(*batch):
        return train_step(net, loss_of, optimizer, *batch)

    return step


def make_optimizer(groups, rule, momentum=0.0, weight_decay=0.0):
    # an optimizer for each learning rate: one that a parameter has is a factor in
    # Paddle, and stays with it
    options = {"weight_decay": weight_decay}
    if rule == "adam":
        return Optimizers(
            [paddle.optimizer.Adam(lr, parameters=p, **options) for p, lr in groups]
        )
    return Optimizers(
        [paddle.optimizer.Momentum(lr, momentum, p, **options) for p, lr in groups]
    )


def trained(optimizer):
    groups = optimizer._param_groups
    if isinstance(groups[0], dict):
        return [p for group in groups for p in group["params"]]
    return groups


class Optimizers:
    """Several optimizers that step together."""

    def __init__(self, optimizers, before_step=lambda: None):
        self.optimizers, self.before_step = optimizers, before_step
        self.steps = Counter()  # of each parameter by its name
        # steps of an update, and those since the last one
        self.every, self.count = 1, 0

    def step(self):
        self.count += 1
        if self.count == self.every:
            self.update()

    def update(self):
        if self.count > 1:
            params = [p for optimizer in self.optimizers for p in trained(optimizer)]
            for p in params:
                if p.grad is not None:
                    paddle.assign(p.grad / self.count, p.grad)
        self.count = 0
        self.before_step()
        for optimizer in self.optimizers:
            self.steps.update(p.name for p in trained(optimizer) if p.grad is not None)
            optimizer.step()

    def clear_grad(self):
        if self.count:
            return
        for optimizer in self.optimizers:
            # zeros would let a parameter without a gradient decay
            optimizer.clear_grad(set_to_zero=False)


def get_rates(optimizer):
    return [one.get_lr() for one in optimizer.optimizers]


def set_rates(optimizer, rates):
    for one, lr in zip(optimizer.optimizers, rates, strict=True):
        one.set_lr(lr)


@paddle.no_grad()
def predict(net, *inputs):
    training = [layer for layer in net.sublayers(include_self=True) if layer.training]
    net.eval()
    try:
        return net(*inputs)
    finally:
        for layer in training:
            layer.training = True


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
    if any(x.dtype == paddle.float16 and x.place.is_cpu_place() for x in tensors):
        raise TypeError("expected float32 or float64: Paddle has no float16 on a CPU")
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


# ---- what stands around a step -------------------------------------------------------


def parameters(net):
    return net.parameters()


def named_parameters(net):
    return {name: slot.tensor for name, slot in slots(net).items()}


class Stepper:
    def __init__(self, net, optimizer, check, eager, several, clip_norm, every):
        if not isinstance(optimizer, Optimizers):
            optimizer = Optimizers([optimizer])
        self.net, self.optimizer, self.check = net, optimizer, check

        def before_step():
            if several:
                self._average_gradients()
            if clip_norm is not None:
                params = [p for one in optimizer.optimizers for p in trained(one)]
                nn.utils.clip_grad_norm_(params, clip_norm)

        optimizer.before_step, optimizer.every = before_step, every

    def step(self, function, *batch):
        def loss_of(*batch):
            return self.check(function(*batch))

        if not self.optimizer.count:
            for parameter in self.net.parameters():
                parameter.clear_gradient(False)  # what another net's step has left
        loss, metrics = train_step(self.net, loss_of, self.optimizer, *batch)
        return loss, map_structure(_detached, metrics)

    def update(self):
        if self.optimizer.count:
            self.optimizer.update()
            self.optimizer.clear_grad()

    def _average_gradients(self):
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        for gradient, mean in zip(gradients, average(gradients), strict=True):
            paddle.assign(mean, gradient)


# What is kept of a parameter beside itself: Paddle's names and those of files
KEPT = {"velocity": "velocity", "moment1": "mean", "moment2": "square"}
POWERS = {"beta1_pow_acc": "_beta1", "beta2_pow_acc": "_beta2"}  # they tell the steps


def get_state(net, optimizer):
    state = {}
    for name, slot in slots(net).items():
        for one in optimizer.optimizers:
            for kind, tensors in one._accumulators.items():
                value = tensors.get(slot.tensor.name)
                if value is None:
                    continue
                if kind in POWERS:
                    state[f"step/{name}"] = np.float32(
                        optimizer.steps[slot.tensor.name]
                    )
                else:
                    kept = Slot(value, slot.transposed)
                    state[f"{KEPT.get(kind, kind)}/{name}"] = kept.get()
    return state


def set_state(net, optimizer, state):
    named = slots(net)
    given = {key.partition("/")[2] for key in state}
    block = paddle.static.default_main_program().global_block()
    for one in optimizer.optimizers:
        one._create_accumulators(block, trained(one))
    for name in given:
        slot = named[name]
        steps = int(state.get(f"step/{name}", 0))
        optimizer.steps[slot.tensor.name] = steps
        for one in optimizer.optimizers:
            for kind, tensors in one._accumulators.items():
                if slot.tensor.name not in tensors:
                    continue
                value, key = tensors[slot.tensor.name], f"{KEPT.get(kind, kind)}/{name}"
                if kind in POWERS:  # as Paddle multiplies them up, in float32
                    factors = np.full(steps + 1, getattr(one, POWERS[kind]), np.float32)
                    value.set_value(np.multiply.accumulate(factors)[-1:])
                elif key in state:
                    Slot(value, slot.transposed).put(state[key])


def _detached(x):
    return x.detach() if paddle.is_tensor(x) else x
