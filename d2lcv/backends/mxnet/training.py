"""A training step in MXNet."""

import math

import mxnet as mx
from mxnet import autograd, gluon, np
from mxnet.gluon import nn

from ...distributed import world_size
from ...training import check_loss, rate_groups
from .distributed import average
from .weights import slots

__all__ = ["Stepper", "freeze", "gradients", "predict"]


class Momentum(mx.optimizer.Optimizer):
    """SGD whose momentum, unlike in `mx.optimizer.SGD`, does not contain the rate."""

    def __init__(self, momentum, **options):
        super().__init__(**options)
        self.momentum = momentum

    def create_state(self, index, weight):
        return mx.nd.zeros_like(weight)

    def update(self, index, weight, grad, state):
        self._update_count(index)
        state *= self.momentum
        state += self.rescale_grad * grad + self._get_wd(index) * weight
        weight -= self._get_lr(index) * state


class Adam(mx.optimizer.Adam):
    """Adds epsilon after the second moment is corrected, not before as its base does."""

    def update(self, index, weight, grad, state):
        self._update_count(index)
        t = self._index_update_count[index]
        root = math.sqrt(1 - self.beta2**t)
        mx.nd.adam_update(
            weight,
            grad,
            *state,
            out=weight,
            lr=self._get_lr(index) * root / (1 - self.beta1**t),
            wd=self._get_wd(index),
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon * root,
            rescale_grad=self.rescale_grad,
        )


class Stepper:
    last = None  # the loss of the step before

    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager, factors):
        self.net = net
        net.hybridize(not eager, static_alloc=not eager)
        parameters = slots(net)
        factors = {id(parameters[name].parameter): f for name, f in factors.items()}
        groups = rate_groups(net.collect_params().values(), factors)
        # a trainer for each: a factor of its own is left behind in the parameters
        self.trainers = {}
        for factor, parameters in groups.items():
            options = {"learning_rate": lr * factor, "wd": weight_decay}
            rule = _rule(optimizer, momentum, options)
            self.trainers[factor] = gluon.Trainer(parameters, rule)
        self._lr = lr

    @property
    def lr(self):
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = value
        for factor, trainer in self.trainers.items():
            trainer.set_learning_rate(value * factor)

    def step(self, function, *batch):
        if self._has_several_devices():
            # one without a part of this batch shall not add what it has of another
            self.net.collect_params().zero_grad()
        with autograd.record():
            loss, metrics = function(*batch)
        check_loss(loss)
        loss.backward()
        if world_size() > 1:
            self._average_gradients()
        for trainer in self.trainers.values():
            # what has no gradient, since the loss does not depend on it, stays as it is
            trainer.step(1, ignore_stale_grad=True)
        if self.last is not None:
            self.last.wait_to_read()  # else steps queue up, with all their batches
        self.last = loss.detach()
        return self.last, _detach(metrics)

    def _has_several_devices(self):
        parameters = self.net.collect_params().values()
        return any(p._data is not None and len(p.list_ctx()) > 1 for p in parameters)

    def _average_gradients(self):
        parameters = self.net.collect_params().values()
        gradients = [p.grad() for p in parameters if p.grad_req != "null"]
        for gradient, mean in zip(gradients, average(gradients), strict=True):
            gradient[:] = mean


def _rule(optimizer, momentum, options):
    if optimizer == "adam":
        return Adam(**options)
    return Momentum(momentum, **options) if momentum else mx.optimizer.SGD(**options)


def _detach(x):
    if isinstance(x, (list, tuple)):
        return type(x)(map(_detach, x))
    if isinstance(x, dict):
        return {key: _detach(value) for key, value in x.items()}
    return x.detach() if isinstance(x, np.ndarray) else x


def freeze(module):
    for parameter in module.collect_params().values():
        parameter.grad_req = "null"
    module.apply(_use_running_statistics)
    module.hybridize(False)  # forgets what was compiled before
    return module


def _use_running_statistics(layer):
    if isinstance(layer, nn.BatchNorm):
        layer._kwargs["use_global_stats"] = True


def gradients(function, *tensors):
    copies = [x.copy() for x in tensors]
    for x in copies:
        x.attach_grad()
    with autograd.record(train_mode=False):
        # a sum of all of them, so that there is a gradient of each
        value = function(*copies).sum() + sum((0 * x).sum() for x in copies)
    value.backward()
    return [x.grad for x in copies]


def predict(net, *inputs):
    with autograd.pause(train_mode=False):
        return net(*inputs)
