"""A training step in MXNet."""

import itertools
import math
from contextlib import nullcontext

import mxnet as mx
import numpy as onp
from mxnet import autograd, gluon, np
from mxnet.gluon import nn

from .distributed import average
from .weights import slots

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

PRECISIONS = {"float32": nullcontext}  # its bfloat16 is a state of the whole process


def train_step(net, loss_of, optimizer, *batch):
    with autograd.record():
        loss, metrics = loss_of(*batch)
    loss.backward()
    # by 1, since the loss is a mean already; what has no gradient stays as it is
    optimizer.step(1, ignore_stale_grad=True)  # a gluon.Trainer, or several
    return loss.detach(), metrics


def make_step(net, loss_of, optimizer):
    hybridize(net)

    def step(*batch):
        return train_step(net, loss_of, optimizer, *batch)

    return step


def hybridize(net):
    # part by part: in one graph of all, a part that the loss does not depend on would
    # get gradients of 0, and decay
    net.hybridize(False)
    for part in net._children.values() or [net]:
        part.hybridize(static_alloc=True)


def make_optimizer(groups, rule, momentum=0.0, weight_decay=0.0):
    # a trainer for each learning rate: one that a parameter has is a factor in
    # MXNet, and stays with it
    trainers = []
    for params, lr in groups:
        options = {"learning_rate": lr, "wd": weight_decay}
        if rule == "adam":
            optimizer = Adam(**options)
        elif momentum:
            optimizer = Momentum(momentum, **options)
        else:
            optimizer = mx.optimizer.SGD(**options)
        trainers.append(gluon.Trainer(params, optimizer))
    return Trainers(trainers)


class Trainers:
    """Several trainers that step together."""

    def __init__(self, trainers, before_step=lambda: None):
        self.trainers, self.before_step = trainers, before_step
        # how many steps have one update, and those since the last one
        self.every, self.count = 1, 0
        self.sums = {}

    def step(self, batch_size, ignore_stale_grad=False):
        self.count += 1
        if self.every > 1:
            self.add()
        if self.count == self.every:
            self.update(batch_size, ignore_stale_grad)

    def add(self):
        for trainer in self.trainers:
            for p in trainer._params:
                if p.grad_req == "null":
                    continue
                for i, data in enumerate(p.list_data()):
                    if data._fresh_grad:
                        gradient, key = p.list_grad()[i], (p.name, i)
                        *_, before = self.sums.get(key, [0])
                        self.sums[key] = data, gradient, before + gradient
                        data._fresh_grad = False

    def update(self, batch_size=1, ignore_stale_grad=True):
        for data, gradient, total in self.sums.values():
            gradient[:] = total / self.count
            data._fresh_grad = True
        self.sums, self.count = {}, 0
        self.before_step()
        for trainer in self.trainers:
            trainer.step(batch_size, ignore_stale_grad)


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


def get_rates(optimizer):
    return [trainer.learning_rate for trainer in optimizer.trainers]


def set_rates(optimizer, rates):
    for trainer, lr in zip(optimizer.trainers, rates, strict=True):
        trainer.set_learning_rate(lr)


def predict(net, *inputs):
    with autograd.pause(train_mode=False):
        return net(*inputs)


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


# ---- what stands around a step -------------------------------------------------------


def parameters(net):
    return list(net.collect_params().values())


def named_parameters(net):
    return {name: slot.parameter for name, slot in slots(net).items()}


class Stepper:
    last = None  # the loss of the step before

    def __init__(self, net, optimizer, check, eager, several, clip_norm, every):
        if not isinstance(optimizer, Trainers):
            optimizer = Trainers([optimizer])
        elif eager:
            net.hybridize(False)
        else:
            hybridize(net)
        self.net, self.optimizer, self.check = net, optimizer, check

        def before_step():
            if several:
                self._average_gradients()
            if clip_norm is not None:
                _clip(optimizer, clip_norm)

        optimizer.before_step, optimizer.every = before_step, every

    def step(self, function, *batch):
        # MXNet computes no layer of an empty array, and says so where a result is read
        if any(isinstance(x, np.ndarray) and x.shape[:1] == (0,) for x in batch):
            raise ValueError("expected at least one picture, got none")

        def loss_of(*batch):
            return self.check(function(*batch))

        if self._has_several_devices():
            # one without a part of this batch shall not add what it has of another
            self.net.collect_params().zero_grad()
        loss, metrics = train_step(self.net, loss_of, self.optimizer, *batch)
        if self.last is not None:
            self.last.wait_to_read()  # else steps queue up, with all their batches
        self.last = loss
        return loss, _detach(metrics)

    def update(self):
        if self.optimizer.count:
            self.optimizer.update()

    def _has_several_devices(self):
        return any(
            p._data is not None and len(p.list_ctx()) > 1 for p in parameters(self.net)
        )

    def _average_gradients(self):
        gradients = [p.grad() for p in parameters(self.net) if p.grad_req != "null"]
        for gradient, mean in zip(gradients, average(gradients), strict=True):
            gradient[:] = mean


# What is kept of a parameter beside itself, by the names of files
KEPT = {Adam: ("mean", "square"), Momentum: ("velocity",)}


def get_state(net, optimizer):
    state = {}
    for name, parameter, trainer in _trained(net, optimizer):
        i, rule = trainer._param2idx[parameter.name], trainer._optimizer
        if i in trainer._updaters[0].states:
            for kind, value in _kept(rule, trainer._updaters[0].states[i]):
                state[f"{kind}/{name}"] = value.asnumpy()
            device = parameter.list_ctx()[0].device_id
            steps = rule._all_index_update_counts[device][i]
            state[f"step/{name}"] = onp.float32(steps)
    return state


def set_state(net, optimizer, state):
    given = {key.partition("/")[2] for key in state}
    for name, parameter, trainer in _trained(net, optimizer):
        i, rule = trainer._param2idx[parameter.name], trainer._optimizer
        steps = int(state.get(f"step/{name}", 0))
        rule.num_update = max(rule.num_update, steps)
        data = parameter.list_data() if name in given else ()
        for updater, weight in zip(trainer._updaters, data, strict=False):
            rule._set_current_context(weight.ctx.device_id)
            rule._index_update_count[i] = steps
            weight = weight.as_nd_ndarray()
            updater.states[i] = rule.create_state_multi_precision(i, weight)
            updater.states_synced[i] = True
            for kind, value in _kept(rule, updater.states[i]):
                value[:] = state.get(f"{kind}/{name}", 0)


def _trained(net, optimizer):
    for name, slot in slots(net).items():
        for trainer in optimizer.trainers:
            if trainer._update_on_kvstore or len(slot.parameter.list_ctx()) > 1:
                raise ValueError(
                    "trainer: expected a net on one device; what MXNet keeps of a net "
                    "on several is in its key-value store, which cannot be read"
                )
            if slot.parameter.name in trainer._param2idx:
                yield name, slot.parameter, trainer


def _kept(rule, values):
    values = values if isinstance(values, tuple) else (values,)
    kinds = KEPT.get(type(rule), map(str, range(len(values))))
    pairs = zip(kinds, values, strict=True)
    return [(kind, value) for kind, value in pairs if value is not None]


def _clip(optimizer, norm):
    pairs = [
        [(d, g) for d, g in zip(p.list_data(), p.list_grad(), strict=True)]
        for trainer in optimizer.trainers
        for p in trainer._params
        if p.grad_req != "null"
    ]
    # of each parameter its parts, one on each device; old ones are of an earlier step
    parts = [[g for d, g in of_one if d._fresh_grad] for of_one in pairs]
    parts = [of_one for of_one in parts if of_one]
    home = parts[0][0].ctx
    sums = [sum(g.as_in_ctx(home) for g in of_one) for of_one in parts]
    length = np.sqrt(sum((g**2).sum() for g in sums))
    factor = np.minimum(norm / length, 1)
    for gradient in itertools.chain(*parts):
        gradient *= factor.as_in_ctx(gradient.ctx)


def _detach(x):
    if isinstance(x, (list, tuple)):
        return type(x)(map(_detach, x))
    if isinstance(x, dict):
        return {key: _detach(value) for key, value in x.items()}
    return x.detach() if isinstance(x, np.ndarray) else x
