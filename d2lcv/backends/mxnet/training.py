"""A training step in MXNet."""

import math

import mxnet as mx
from mxnet import autograd, gluon, np

__all__ = ["Stepper", "gradients", "predict"]


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
    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager):
        net.hybridize(not eager, static_alloc=not eager)
        options = {"learning_rate": lr, "wd": weight_decay}
        if optimizer == "adam":
            optimizer = Adam(**options)
        elif momentum:
            optimizer = Momentum(momentum, **options)
        else:
            optimizer = mx.optimizer.SGD(**options)
        self.trainer = gluon.Trainer(net.collect_params(), optimizer)

    @property
    def lr(self):
        return self.trainer.learning_rate

    @lr.setter
    def lr(self, value):
        self.trainer.set_learning_rate(value)

    def step(self, function, *batch):
        with autograd.record():
            loss, metrics = function(*batch)
        loss.backward()
        # what has no gradient, since the loss does not depend on it, stays as it is
        self.trainer.step(1, ignore_stale_grad=True)
        return loss.detach(), _detach(metrics)


def _detach(x):
    if isinstance(x, (list, tuple)):
        return type(x)(map(_detach, x))
    if isinstance(x, dict):
        return {key: _detach(value) for key, value in x.items()}
    return x.detach() if isinstance(x, np.ndarray) else x


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
