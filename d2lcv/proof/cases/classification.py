"""Residual networks that other backends judge: forward, gradients, training, freezing."""

import functools

import numpy as np

from ..case import Case, case, enlist
from ..inputs import f32, uniform, whole
from .training import waves

STEPS, CLASSES = 20, 4


def of_any_weights(d2l, net):
    """Fresh weights have biases of 0 and statistics of 0 and 1: here none has."""
    weights = d2l.get_weights(net)
    for i, (name, value) in enumerate(sorted(weights.items())):
        shift = f32(0.2 * uniform(700 + i, *value.shape) - 0.1)
        weights[name] = value + (shift if value.ndim == 1 else 0)
    return d2l.set_weights(net, weights)


def small(d2l):
    """Its blocks begin near the identity: rounding then grows less from step to step."""
    d2l.seed(31)
    net = d2l.ResNet(18, CLASSES, width=8)
    calm = {
        name: value * (0.2 if name.endswith("bn2.weight") else 1)
        for name, value in d2l.get_weights(net).items()
    }
    return d2l.set_weights(net, calm)


@case("classification", atol=1e-4)
def resnet_forward(d2l):
    answer = {}
    for depth in (18, 34):
        d2l.seed(30)
        net = of_any_weights(d2l, d2l.ResNet(depth, 10))
        # sizes that are no multiples of 32 tell symmetric padding from another
        for height, width in ((64, 64), (65, 75)):
            X = np.resize(waves(600, 2), (2, 3, height, width)) / 60
            scores = d2l.predict(net, d2l.tensor(X))
            answer[f"{depth}, {height} x {width}"] = d2l.numpy(scores)
    return answer


@case("classification", atol=1e-4)
def resnet_stages(d2l):
    net = of_any_weights(d2l, small(d2l))
    X = d2l.tensor(waves(601, 2)[:, :, :61, :50] / 60)
    d2l.freeze(net)  # in evaluation mode whichever way it is called
    answer = {f"{i}": d2l.numpy(y) for i, y in enumerate(net.stages(X))}
    return answer | {"features": d2l.numpy(net.features(X))}


@case("classification", atol=1e-4)
def resnet18_small_images_forward(d2l):
    d2l.seed(32)
    net = of_any_weights(d2l, d2l.resnet18(10, 3))
    X = d2l.tensor(waves(602, 2)[:, :, :32, :31] / 60)
    return {"scores": d2l.numpy(d2l.predict(net, X))}


@case("classification", atol=1e-5)
def residual_forward(d2l):
    answer = {}
    for name, arguments in {"same": (3, 3), "down": (3, 6, True, 2)}.items():
        d2l.seed(33)
        net = of_any_weights(d2l, d2l.Residual(*arguments))
        X = d2l.tensor(waves(603, 2)[:, :, :9, :12] / 60)
        answer[name] = d2l.numpy(d2l.predict(net, X))
    return answer


@case("classification", atol=1e-5)
def batch_norm_of_one_value(d2l):
    """One picture whose map has one pixel: the variance is 0, the output the shift."""
    d2l.seed(34)
    net = of_any_weights(d2l, d2l.Residual(2, 3, True))
    trainer = d2l.Trainer(net, "sgd", lr=0.0)

    def step(X):
        Y = net(X)
        return d2l.reduce_mean(Y), Y

    X = d2l.tensor(f32([[[[1.5]], [[-2.0]]]]))
    _, Y = trainer.step(step, X)
    weights = d2l.get_weights(net)
    kept = {name: v for name, v in weights.items() if "running" in name}
    return {"output": d2l.numpy(Y)} | kept


def train(d2l, net, steps, rate, size=8, **options):
    """Losses of `steps` batches of gradient descent."""
    trainer = d2l.Trainer(net, "sgd", lr=rate, **options)

    def step(X, y):
        losses = d2l.cross_entropy(net(X), y)
        return d2l.reduce_mean(losses), losses

    found = []
    for i in range(steps):
        X = d2l.tensor(waves(610 + 10 * i, size) / 60)
        y = d2l.tensor(whole(611 + 10 * i, CLASSES, size))
        found.append(float(d2l.numpy(trainer.step(step, X, y)[0])))
    return np.array(found)


@case("classification", atol=1e-3)
def resnet_first_gradients(d2l):
    # a step of gradient descent with a huge rate: what it moved is the gradient
    net, rate = small(d2l), 1e4
    before = d2l.get_weights(net)
    train(d2l, net, 1, rate)
    moved = {k: (before[k] - v) / rate for k, v in d2l.get_weights(net).items()}
    return {
        k: g / max(np.abs(g).max(), 1e-8)
        for k, g in moved.items()
        if not k.endswith(("running_mean", "running_var"))
    }


# Rates are low: at higher ones a ReLU that rounding has switched grows into another run.
def plain(d2l, net):
    return train(d2l, net, STEPS, 3e-4, momentum=0.9, weight_decay=0.1)


def scaled(d2l, net):
    scales = {"output": 10.0, "features.layer1": 0.0, "features.layer1.1": 0.5}
    return train(d2l, net, STEPS, 1e-4, momentum=0.9, lr_scale=scales)


def frozen(d2l, net):
    d2l.freeze(net.features)
    return train(d2l, net, STEPS, 0.1, weight_decay=1e-3)


@functools.cache
def trained(d2l, run):
    """Losses of 20 steps, and the weights and statistics they leave."""
    net = small(d2l)
    return run(d2l, net), d2l.get_weights(net)


for run in (plain, scaled, frozen):
    for what, index, tolerance in (
        ("losses", 0, {"atol": 0.0, "rtol": 1e-3}),
        ("weights", 1, {"atol": 1e-3, "rtol": 1e-3}),
    ):

        def answer(d2l, run=run, index=index):
            found = trained(d2l, run)[index]
            return found if isinstance(found, dict) else {"loss": found}

        enlist(
            Case(
                f"resnet_{what}_after_20_steps_{run.__name__}",
                "classification",
                answer,
                dict,
                **tolerance,
            )
        )
