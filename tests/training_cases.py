"""Cases that only another framework can judge: a network, its gradients, its training.

No oracle answers these; the matrix holds the backends against each other. Tolerances are
those of the design: whole networks 1e-4, gradients and losses 1e-3 relative.
"""

import cases
import numpy as np

STEPS, BATCH, SIDE = 20, 8, 64
ALL = []


def case(**options):
    def register(run):
        ALL.append(cases.Case(run.__name__, "training", run, dict, **options))
        return run

    return register


def batch(seed):
    """Images 0–255 and labels of one to three objects, the rest padding."""
    X = cases.f32(255 * cases.uniform(seed, BATCH, 3, SIDE, SIDE))
    Y = np.zeros((BATCH, 3, 5), np.float32)
    Y[..., 1:] = cases.boxes(seed + 1, BATCH * 3).reshape(BATCH, 3, 4)
    Y[..., 0] = cases.whole(seed + 2, 2, BATCH, 3)
    Y[np.arange(3) > cases.whole(seed + 3, 3, BATCH)[:, None]] = (-1, 0, 0, 0, 0)
    return X, Y


def detector(d2l):
    d2l.seed(11)
    return d2l.TinySSD(2)


def train(d2l, net, steps, optimizer, lr, change=None, **options):
    """Losses of `steps` steps; `change` is (step, learning rate from there on)."""
    trainer = d2l.Trainer(net, optimizer, lr=lr, **options)

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), (d2l.cls_eval(cls_preds, classes),)

    losses = []
    for i in range(steps):
        if change and i == change[0]:
            trainer.lr = change[1]
        X, Y = batch(1000 + 10 * i)
        loss, _ = trainer.step(step, d2l.tensor(X), d2l.tensor(Y))
        losses.append(float(d2l.numpy(loss)))
    return np.array(losses)


def trained(d2l, *args, **options):
    """What 20 steps leave: losses, weights over their greatest, statistics."""
    net = detector(d2l)
    answer = {"loss": train(d2l, net, STEPS, *args, **options)}
    for name, value in d2l.get_weights(net).items():
        answer[name] = value / max(np.abs(value).max(), 1e-3)
    return answer


@case(atol=0.0, rtol=0.0)
def initial_weights(d2l):
    return d2l.get_weights(detector(d2l))


@case(atol=1e-4)
def forward(d2l):
    X = d2l.tensor(batch(7)[0])
    anchors, cls_preds, bbox_preds = d2l.predict(detector(d2l), X)
    return {
        "anchors": d2l.numpy(anchors),
        "classes": d2l.numpy(cls_preds),
        "offsets": d2l.numpy(bbox_preds),
    }


@case(atol=1e-3)
def first_gradients(d2l):
    # a step of gradient descent with a huge rate: what it moved is the gradient
    net, rate = detector(d2l), 1e4
    before = d2l.get_weights(net)
    train(d2l, net, 1, "sgd", rate)
    moved = {k: (before[k] - v) / rate for k, v in d2l.get_weights(net).items()}
    return {
        k: g / np.abs(g).max()
        for k, g in moved.items()
        if not k.endswith(("running_mean", "running_var"))
    }


@case(rtol=1e-3, atol=1e-3)
def twenty_steps_of_sgd(d2l):
    return trained(d2l, "sgd", 0.05)


@case(rtol=1e-3, atol=1e-3)
def twenty_steps_with_momentum_and_decay(d2l):
    return trained(d2l, "sgd", 0.02, (10, 0.01), momentum=0.9, weight_decay=5e-4)


@case(rtol=1e-3, atol=1e-3)
def twenty_steps_of_adam(d2l):
    return trained(d2l, "adam", 1e-3, (10, 5e-4), weight_decay=1e-4)


by_name = {c.name: c for c in ALL}
