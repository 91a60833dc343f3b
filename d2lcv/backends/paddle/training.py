"""A training step in PaddlePaddle."""

import paddle
from paddle.utils import map_structure

__all__ = ["Stepper", "gradients", "predict"]


class Stepper:
    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager):
        self.net = net
        options = {"parameters": net.parameters(), "weight_decay": weight_decay}
        self.optimizer = (
            paddle.optimizer.Momentum(lr, momentum, **options)
            if optimizer == "sgd"
            else paddle.optimizer.Adam(lr, **options)
        )

    @property
    def lr(self):
        return self.optimizer.get_lr()

    @lr.setter
    def lr(self, value):
        self.optimizer.set_lr(value)

    def step(self, function, *batch):
        self.net.train()
        self.optimizer.clear_grad(set_to_zero=False)  # no gradient is not one of zero
        loss, metrics = function(*batch)
        loss.backward()
        self.optimizer.step()
        return loss.detach(), map_structure(_detached, metrics)


def _detached(x):
    return x.detach() if paddle.is_tensor(x) else x


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
    was_training = net.training
    net.eval()
    try:
        return net(*inputs)
    finally:
        if was_training:
            net.train()
