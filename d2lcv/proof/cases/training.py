"""Cases that only another framework can judge: a network, its gradients, its training.

No oracle answers these; the matrix holds the backends against each other. Tolerances are
those of the design: whole networks 1e-4, gradients and losses 1e-3 relative.
"""

import functools

import numpy as np

from ..case import Case, case, enlist
from ..inputs import boxes, f32, uniform, whole

STEPS, SIDE = 20, 64


def waves(seed, n):
    """Smooth pictures about 0: in noise, gradients cancel and rounding is what is left."""
    across, down, phase, height = uniform(seed, 4, n, 3, 6, 1, 1)
    x = np.arange(SIDE) / SIDE
    angle = 8 * across * x + 8 * down * x[:, None] + phase
    return f32((60 * (height - 0.5) * np.sin(2 * np.pi * angle)).sum(axis=2))


def batch(seed, n):
    """Images and labels of one to three objects, the rest padding."""
    X = waves(seed, n)
    Y = np.zeros((n, 3, 5), np.float32)
    Y[..., 1:] = boxes(seed + 1, n * 3).reshape(n, 3, 4)
    Y[..., 0] = whole(seed + 2, 2, n, 3)
    Y[np.arange(3) > whole(seed + 3, 3, n)[:, None]] = (-1, 0, 0, 0, 0)
    return X, Y


def detector(d2l):
    d2l.seed(11)
    return d2l.TinySSD(2)


def train(d2l, net, steps, size, optimizer, lr, change=None, **options):
    """Losses of `steps` batches of `size`; `change` is (step, learning rate from then)."""
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
        X, Y = batch(1000 + 10 * i, size)
        loss, _ = trainer.step(step, d2l.tensor(X), d2l.tensor(Y))
        losses.append(float(d2l.numpy(loss)))
    return np.array(losses)


@functools.cache
def trained(d2l, *args, **options):
    """Losses of 20 steps, and the weights and statistics they leave."""
    net = detector(d2l)
    return train(d2l, net, STEPS, 8, *args, **options), d2l.get_weights(net)


@case("training", atol=0.0, rtol=0.0)
def initial_weights(d2l):
    return d2l.get_weights(detector(d2l))


@case("training", atol=1e-4)
def forward(d2l):
    X = d2l.tensor(batch(7, 4)[0])
    anchors, cls_preds, bbox_preds = d2l.predict(detector(d2l), X)
    return {
        "anchors": d2l.numpy(anchors),
        "classes": d2l.numpy(cls_preds),
        "offsets": d2l.numpy(bbox_preds),
    }


@case("training", atol=1e-4)
def forward_of_any_weights(d2l):
    """Fresh weights have biases of 0 and statistics of 0 and 1: here none has."""
    net = detector(d2l)
    weights = d2l.get_weights(net)
    for i, (name, value) in enumerate(sorted(weights.items())):
        shift = f32(0.2 * uniform(500 + i, *value.shape) - 0.1)
        weights[name] = value + (shift if value.ndim == 1 else 0)
    d2l.set_weights(net, weights)
    answer = {}
    for side in (64, 96, 128):
        X = d2l.tensor(np.resize(waves(7, 2), (2, 3, side, side)) / 60)
        _, cls_preds, bbox_preds = d2l.predict(net, X)
        answer[f"classes {side}"] = d2l.numpy(cls_preds)
        answer[f"offsets {side}"] = d2l.numpy(bbox_preds)
    return answer


@case("training", atol=1e-3)
def first_gradients(d2l):
    # a step of gradient descent with a huge rate: what it moved is the gradient
    net, rate = detector(d2l), 1e4
    before = d2l.get_weights(net)
    train(d2l, net, 1, 4, "sgd", rate)
    moved = {k: (before[k] - v) / rate for k, v in d2l.get_weights(net).items()}
    return {
        k: g / max(np.abs(g).max(), 1e-8)
        for k, g in moved.items()
        if not k.endswith(("running_mean", "running_var"))
    }


# Rates are low: at higher ones a ReLU that rounding has switched grows into another run.
RUNS = {
    "sgd": (("sgd", 0.005), {}),
    "momentum_and_decay": (
        ("sgd", 0.003, (10, 0.001)),
        {"momentum": 0.9, "weight_decay": 5e-4},
    ),
    "adam": (("adam", 1e-4, (10, 5e-5)), {"weight_decay": 1e-4}),
}
for name, (args, options) in RUNS.items():
    enlist(
        Case(
            f"losses_of_20_steps_{name}",
            "training",
            lambda d2l, args=args, options=options: {
                "loss": trained(d2l, *args, **options)[0]
            },
            dict,
            atol=0.0,
            rtol=1e-3,
        )
    )
    enlist(
        Case(
            f"weights_after_20_steps_{name}",
            "training",
            lambda d2l, args=args, options=options: trained(d2l, *args, **options)[1],
            dict,
            # one ReLU that rounding switched moves a few statistics by 1e-2 in 20 steps
            atol=2e-2,
            rtol=2e-2,
        )
    )


# --- what an optimizer keeps: NumPy makes the first steps, the backend goes on -----------

KERNEL = f32(uniform(760, 2, 3, 3, 3) - 0.5)
PICTURES = f32(
    uniform(761, 5, 4, 3, 3, 3) - 0.5
)  # of five steps, as large as the kernel
FACTORS = f32(uniform(762, 5, 4, 2) - 0.5)
RULES = {
    "sgd": ("sgd", {"momentum": 0.9}),
    "clipped": ("sgd", {"momentum": 0.9, "clip_norm": 0.5}),
    "adam": ("adam", {}),
}


def kernel_by_hand(rule, steps):
    """The kernel after so many steps of Σ factor·output, and what is kept of it."""
    w = KERNEL.astype(np.float64)
    velocity, mean, square = np.zeros((3, *w.shape))
    for t in range(1, steps + 1):
        slope = np.einsum("bo,bijk->oijk", FACTORS[t - 1], PICTURES[t - 1])
        if rule == "clipped":
            slope *= min(1, 0.5 / np.sqrt((slope**2).sum()))
        slope = slope + 0.01 * w
        velocity = 0.9 * velocity + slope
        mean, square = (
            0.9 * mean + 0.1 * slope,
            0.999 * square + 0.001 * slope**2,
        )
        root = np.sqrt(square / (1 - 0.999**t))
        adam = mean / (1 - 0.9**t) / (root + 1e-8)
        w = w - 0.05 * (adam if rule == "adam" else velocity)
    kept = (
        {"mean": mean, "square": square} if rule == "adam" else {"velocity": velocity}
    )
    return w, kept


def kernel_answers():
    answer = {}
    for rule in RULES:
        answer[f"{rule} weight"], kept = kernel_by_hand(rule, 5)
        answer |= {f"{rule} {kind}": value for kind, value in kept.items()}
    return answer


def kernel_of_means():
    """The kernel after updates with the means of two steps, of four."""
    w, slopes = KERNEL.astype(np.float64), []
    for factors, pictures in zip(FACTORS[:4], PICTURES[:4], strict=True):
        slopes.append(np.einsum("bo,bijk->oijk", factors, pictures))
        if len(slopes) == 2:
            w, slopes = w - 0.05 * sum(slopes) / 2, []
    return {"weight": w}


@case("training", kernel_of_means, atol=2e-6)
def optimizer_accumulates(d2l):
    net = d2l.to(d2l.conv2d(3, 2, 3, bias=False), d2l.try_gpu())
    d2l.set_weights(net, {"weight": KERNEL})
    trainer = d2l.Trainer(net, "sgd", lr=0.05, accumulate=2)

    def step(X, factors):
        return d2l.reduce_sum(factors * net(X)[:, :, 0, 0]), ()

    for X, factors in zip(PICTURES[:4], FACTORS[:4], strict=True):
        trainer.step(
            step, *(d2l.to(d2l.tensor(x), d2l.try_gpu()) for x in (X, factors))
        )
    return d2l.get_weights(net)


@case("training", kernel_answers, atol=2e-6)
def optimizer_goes_on(d2l):
    answer = {}
    for rule, (optimizer, options) in RULES.items():
        w, kept = kernel_by_hand(rule, 3)
        net = d2l.to(d2l.conv2d(3, 2, 3, bias=False), d2l.try_gpu())
        d2l.set_weights(net, {"weight": f32(w)})
        trainer = d2l.Trainer(net, optimizer, lr=0.05, weight_decay=0.01, **options)
        state = {f"{kind}/weight": f32(value) for kind, value in kept.items()}
        trainer.set_state({**state, "step/weight": np.float32(3)}, 3)

        def step(X, factors, net=net):
            return d2l.reduce_sum(net(X)[..., 0, 0] * factors), None

        for X, factors in zip(PICTURES[3:], FACTORS[3:], strict=True):
            batch = (d2l.to(d2l.tensor(x), d2l.try_gpu()) for x in (X, factors))
            trainer.step(step, *batch)
        answer[f"{rule} weight"] = d2l.get_weights(net)["weight"]
        state = trainer.get_state()
        answer |= {f"{rule} {kind}": state[f"{kind}/weight"] for kind in kept}
    return answer
