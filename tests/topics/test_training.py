"""Update rules, modes and what a step returns, against NumPy.

For the update rules the loss is linear in the weights, Σ c·net(x): its gradient is the
same at every step, and NumPy knows it.
"""

import itertools
import traceback

import numpy as np
import pytest

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 2, 5, 4)).astype(np.float32)
FACTORS = RNG.normal(size=(2, 2, 5, 4)).astype(np.float32)
MODES = pytest.mark.parametrize("eager", [False, True])


# ---- references ----------------------------------------------------------------------


def np_windows(x):
    """(B, C, H, W) → (B, C, 3, 3, H, W): what a padded 3 × 3 kernel sees."""
    *_, height, width = x.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows = [
        np.stack([padded[..., a : a + height, b : b + width] for b in range(3)], 2)
        for a in range(3)
    ]
    return np.stack(rows, 2)


def np_conv(x, weight, bias=0.0):
    return np.einsum("nihwyx,oihw->noyx", np_windows(x), weight) + np.reshape(
        bias, (-1, 1, 1)
    )


def np_gradients(images, factors):
    """Of the mean of factors·net(images) for a convolution `net`."""
    factors = factors / factors.size
    return {
        "weight": np.einsum("nihwyx,noyx->oihw", np_windows(images), factors),
        "bias": factors.sum((0, 2, 3)),
    }


def np_block(x, w, training):
    """A down-sampling block: its output, and the statistics it then has."""
    after = {}
    for conv, norm in (("0", "1"), ("3", "4")):
        x = np_conv(x, w[f"{conv}.weight"])
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))  # the biased variance
        for name, value in (("mean", mean), ("var", var)):
            key = f"{norm}.running_{name}"
            after[key] = 0.9 * w[key] + 0.1 * value
        if not training:
            mean, var = w[f"{norm}.running_mean"], w[f"{norm}.running_var"]
        scale = w[f"{norm}.weight"] / np.sqrt(var + 1e-5)
        x = (x - mean.reshape(-1, 1, 1)) * scale.reshape(-1, 1, 1)
        x = np.maximum(x + w[f"{norm}.bias"].reshape(-1, 1, 1), 0)
    B, C, H, W = x.shape
    return x.reshape(B, C, H // 2, 2, W // 2, 2).max((3, 5)), after


def clipped(gradients, norm):
    length = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    return {name: g * min(1, norm / length) for name, g in gradients.items()}


class NpSGD:
    def __init__(self, momentum=0.0, weight_decay=0.0, clip_norm=np.inf):
        self.momentum, self.weight_decay, self.v = momentum, weight_decay, {}
        self.clip_norm = clip_norm

    def __call__(self, lr, weights, gradients):
        gradients = clipped(gradients, self.clip_norm)
        for name, w in weights.items():
            g = gradients[name] + self.weight_decay * w
            self.v[name] = self.momentum * self.v.get(name, 0.0) + g
            weights[name] = w - lr * self.v[name]


class NpAdam:
    def __init__(self, weight_decay=0.0):
        self.weight_decay, self.t, self.m, self.v = weight_decay, 0, {}, {}

    def __call__(self, lr, weights, gradients):
        self.t += 1
        for name, w in weights.items():
            g = gradients[name] + self.weight_decay * w
            m = self.m[name] = 0.9 * self.m.get(name, 0.0) + 0.1 * g
            v = self.v[name] = 0.999 * self.v.get(name, 0.0) + 0.001 * g**2
            mean, square = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
            weights[name] = w - lr * mean / (np.sqrt(square) + 1e-8)


# ---- what is trained here ------------------------------------------------------------


def float64(weights):
    return {name: array.astype(np.float64) for name, array in weights.items()}


def make_linear(d2l):
    """A convolution, 2 → 2 channels, whose bias is not 0, so that it can decay."""
    d2l.seed(0)
    net = d2l.cls_predictor(2, 1, 1)
    return d2l.set_weights(
        net, {**d2l.get_weights(net), "bias": np.float32([0.5, -1.5])}
    )


def linear_step(d2l, net):
    def step(images, factors):
        return d2l.reduce_mean(net(images) * factors), None

    return step


def make_block(d2l):
    d2l.seed(0)
    return d2l.down_sample_blk(3, 4)


def block_step(d2l, net):
    def step(images):
        outputs = net(images)
        return d2l.reduce_mean(outputs**2), outputs

    return step


def block_images(seed, batch=4):
    rng = np.random.default_rng(seed)
    return rng.normal(1, 2, (batch, 3, 8, 6)).astype(np.float32)


def check_weights(got, expected, **tolerance):
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, err_msg=name, **tolerance)


def changed(before, after):
    return {name for name in before if (before[name] != after[name]).any()}


# ---- update rules --------------------------------------------------------------------

RULES = {
    "sgd": ("sgd", {}, NpSGD),
    "sgd with momentum": ("sgd", {"momentum": 0.9}, NpSGD),
    "sgd with decay": ("sgd", {"weight_decay": 0.1}, NpSGD),
    "sgd with both": (
        "sgd",
        {"momentum": 0.8, "weight_decay": 0.1},
        NpSGD,
    ),
    "sgd, clipped": ("sgd", {"weight_decay": 0.1, "clip_norm": 0.05}, NpSGD),
    "sgd, shorter": ("sgd", {"clip_norm": 50}, NpSGD),
    "adam": ("adam", {}, NpAdam),
    "adam with decay": ("adam", {"weight_decay": 0.1}, NpAdam),
}


@MODES
@pytest.mark.parametrize("rule", RULES)
def test_update_rule_value(d2l, rule, eager):
    """Five steps, and the learning rate changes after the second and the third."""
    name, options, make = RULES[rule]
    reference = make(**options)
    net = make_linear(d2l)
    expected = float64(d2l.get_weights(net))
    gradients = np_gradients(IMAGES, FACTORS)
    assert min(np.abs(g).max() for g in gradients.values()) > 0.05
    images, factors = d2l.tensor(IMAGES), d2l.tensor(FACTORS)

    trainer = d2l.Trainer(net, name, lr=0.5, eager=eager, **options)
    step = linear_step(d2l, net)
    for lr in (0.1, 0.1, 0.01, 0.05, 0.05):
        trainer.lr = lr
        trainer.step(step, images, factors)
        reference(lr, expected, gradients)
        check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-5)


def test_learning_rate_in_the_velocity(d2l):
    """After a step at η = 1, one at η = 0 changes nothing, and keeps the velocity."""
    net = make_linear(d2l)
    images, factors = d2l.tensor(IMAGES), d2l.tensor(FACTORS)
    trainer = d2l.Trainer(net, "sgd", lr=1.0, momentum=0.5)
    step, gradients = linear_step(d2l, net), np_gradients(IMAGES, FACTORS)
    trainer.step(step, images, factors)
    before = d2l.get_weights(net)
    trainer.lr = 0.0
    trainer.step(step, images, factors)
    check_weights(d2l.get_weights(net), before, rtol=0, atol=0)
    trainer.lr = 1.0
    trainer.step(step, images, factors)
    expected = {k: before[k] - (1 + 0.5 + 0.25) * g for k, g in gradients.items()}
    check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-6)


def test_adam_epsilon_value(d2l):
    """Where ε is as large as the gradient, it matters to what it is added."""
    net = make_linear(d2l)
    before = float64(d2l.get_weights(net))
    small = (FACTORS * 3e-8).astype(np.float32)
    trainer = d2l.Trainer(net, "adam", lr=0.1)
    reference, expected = NpAdam(), dict(before)
    gradients = np_gradients(IMAGES, small)
    for _ in range(2):
        trainer.step(linear_step(d2l, net), d2l.tensor(IMAGES), d2l.tensor(small))
        reference(0.1, expected, gradients)
    moved = np.abs(before["weight"] - expected["weight"])
    assert np.median(moved) > 0.01 and moved.max() < 0.15  # 0.2 without ε
    check_weights(d2l.get_weights(net), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_weight_decay_acts_on_every_parameter(d2l, momentum):
    """Scales and shifts of the batch norm, too; but not on its statistics."""
    net = make_block(d2l)
    before = d2l.get_weights(net)
    before = {k: v + 0.5 if k.endswith(".bias") else v for k, v in before.items()}
    d2l.set_weights(net, before)
    images = block_images(0)
    _, statistics = np_block(images, float64(before), training=True)
    trainer = d2l.Trainer(net, "sgd", lr=0.5, weight_decay=0.2, momentum=momentum)
    trainer.step(lambda X: (d2l.reduce_sum(net(X)) * 0.0, None), d2l.tensor(images))
    expected = {k: v * (1 - 0.5 * 0.2) for k, v in before.items()} | statistics
    check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-5)


def test_parameters_without_gradient_stay(d2l):
    """What a loss does not depend on neither decays nor rolls on."""
    d2l.seed(0)
    net = d2l.TinySSD(1)
    X = d2l.tensor(RNG.normal(size=(2, 3, 64, 64)).astype(np.float32))
    trainer = d2l.Trainer(net, "sgd", lr=0.1, momentum=0.9, weight_decay=0.1)

    def both(X):
        _, cls_preds, bbox_preds = net(X)
        return d2l.reduce_mean(cls_preds**2) + d2l.reduce_mean(bbox_preds**2), None

    def classes_only(X):
        return d2l.reduce_mean(net(X)[1] ** 2), None

    for function, moves in ((classes_only, False), (both, True), (classes_only, False)):
        before = d2l.get_weights(net)
        trainer.step(function, X)
        moved = changed(before, d2l.get_weights(net))
        boxes = {name for name in before if name.startswith("bbox_predictors")}
        assert len(boxes) == 10
        assert boxes & moved == (boxes if moves else set())
        assert not {n for n in before if n.startswith("cls_predictors")} - moved


@MODES
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_group_without_gradient_stays(d2l, optimizer, eager):
    """All that a factor on the rate is for may be what the loss does not depend on."""
    d2l.seed(0)
    net = d2l.TinySSD(1)
    X = d2l.tensor(RNG.normal(size=(2, 3, 64, 64)).astype(np.float32))
    scale = {"bbox_predictors": 0.5}
    trainer = d2l.Trainer(net, optimizer, lr=0.1, lr_scale=scale, eager=eager)
    before = d2l.get_weights(net)
    for _ in range(2):
        trainer.step(lambda X: (d2l.reduce_mean(net(X)[1] ** 2), None), X)
    moved = changed(before, d2l.get_weights(net))
    assert not {name for name in moved if name.startswith("bbox_predictors")}
    assert {name for name in moved if name.startswith("cls_predictors")}


@MODES
@pytest.mark.parametrize(
    ("gives", "got"),
    [
        (lambda d2l, y: y[0, :, 0, 0], "shape .2,."),  # losses of two pictures
        (lambda d2l, y: d2l.reduce_mean(y), "shape"),
        (lambda d2l, y: None, "NoneType"),
        (lambda d2l, y: (d2l.reduce_mean(y), (), ()), "tuple"),
    ],
)
def test_step_gives_loss_and_metrics(d2l, eager, gives, got):
    net = make_linear(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.1, eager=eager)
    before = d2l.get_weights(net)
    with pytest.raises(TypeError, match=f"function: .*loss, metrics.*got .*{got}"):
        trainer.step(lambda X: gives(d2l, net(X)), d2l.tensor(IMAGES))
    assert not changed(before, d2l.get_weights(net))


@MODES
def test_loss_is_one_number(d2l, eager):
    net = make_linear(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.1, eager=eager)
    before = d2l.get_weights(net)
    with pytest.raises(
        ValueError, match=r"loss: expected one number.*\(2, .*reduce_mean"
    ):
        trainer.step(lambda X: (net(X), None), d2l.tensor(IMAGES))
    assert not changed(before, d2l.get_weights(net))


def test_trainer_moves_its_own_net_only(d2l):
    """And gradients that one step leaves in another net are not in that one's step."""
    net, other = make_linear(d2l), make_linear(d2l)
    start = float64(d2l.get_weights(net))
    trainers = {id(n): d2l.Trainer(n, "sgd", lr=1.0) for n in (net, other)}
    images, factors = d2l.tensor(IMAGES), d2l.tensor(FACTORS)

    def through_both(images, factors):
        return d2l.reduce_mean((net(images) + 3 * other(images)) * factors), None

    gradients = np_gradients(IMAGES, FACTORS)
    trainers[id(net)].step(through_both, images, factors)
    trainers[id(net)].step(through_both, images, factors)
    check_weights(d2l.get_weights(other), start, rtol=0, atol=0)
    expected = {k: start[k] - 2 * gradients[k] for k in start}
    check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-6)
    trainers[id(other)].step(through_both, images, factors)
    check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-6)
    expected = {k: start[k] - 3 * gradients[k] for k in start}
    check_weights(d2l.get_weights(other), expected, rtol=1e-5, atol=1e-6)


# ---- what a step is given and gives --------------------------------------------------


@MODES
def test_step_value(d2l, eager):
    """The loss and the metrics are those of the weights before the update."""
    net = make_linear(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=1.0, eager=eager)

    def step(images, factors):
        outputs = net(images)
        loss = d2l.reduce_mean(outputs * factors)
        pair = (d2l.reduce_sum(outputs), [outputs[0]])
        return loss, {"pair": pair, "sum": d2l.reduce_sum(outputs**2)}

    for _ in range(3):
        w = float64(d2l.get_weights(net))
        outputs = np_conv(IMAGES, w["weight"], w["bias"])
        loss, metrics = trainer.step(step, d2l.tensor(IMAGES), d2l.tensor(FACTORS))
        assert d2l.is_tensor(loss) and tuple(loss.shape) == ()
        np.testing.assert_allclose(
            d2l.numpy(loss), (outputs * FACTORS).mean(), rtol=1e-4, atol=1e-5
        )
        assert sorted(metrics) == ["pair", "sum"]
        total, (first,) = metrics["pair"]
        np.testing.assert_allclose(d2l.numpy(total), outputs.sum(), rtol=1e-4)
        np.testing.assert_allclose(d2l.numpy(first), outputs[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            d2l.numpy(metrics["sum"]), (outputs**2).sum(), rtol=1e-4
        )
        assert changed(w, d2l.get_weights(net)) == {"weight", "bias"}


@pytest.mark.parametrize("kind", ["none", "tensor", "tuple", "list", "dict", "empty"])
def test_step_metrics_kind(d2l, kind):
    net = make_linear(d2l)

    def report(total):
        return {
            "none": None,
            "tensor": total,
            "tuple": (total, total),
            "list": [total, (total, {"x": total})],
            "dict": {"x": total},
            "empty": (),
        }[kind]

    def step(images):
        total = d2l.reduce_sum(net(images))
        return total, report(total)

    loss, metrics = d2l.Trainer(net, "sgd", lr=0.0).step(step, d2l.tensor(IMAGES))

    def check_same(got, expected):
        if isinstance(expected, (list, tuple)):
            assert isinstance(got, (list, tuple)) and len(got) == len(expected)
            for a, b in zip(got, expected, strict=True):
                check_same(a, b)
        elif isinstance(expected, dict):
            assert list(got) == list(expected)
            check_same(got["x"], expected["x"])
        elif expected is None:
            assert got is None
        else:
            assert d2l.is_tensor(got)
            np.testing.assert_array_equal(d2l.numpy(got), d2l.numpy(loss))

    check_same(metrics, report(loss))


def test_step_of_no_picture_leaves_the_weights(d2l):
    net = make_linear(d2l)
    before = d2l.get_weights(net)
    trainer = d2l.Trainer(net, "sgd", lr=0.1)

    def step(images):
        return d2l.reduce_mean(net(images)), ()

    with pytest.raises((ValueError, FloatingPointError)):
        trainer.step(step, d2l.tensor(IMAGES[:0]))
    assert not changed(before, d2l.get_weights(net))


@pytest.mark.parametrize("kind", [ValueError, TypeError, KeyError])
def test_a_readers_error_keeps_its_words(d2l, kind):
    net = make_linear(d2l)
    trainer, words = d2l.Trainer(net, "sgd", lr=0.1), ("of the reader's own",)

    def step(images):
        net(images)
        raise kind(*words)

    for _ in range(2):
        with pytest.raises(kind) as caught:
            trainer.step(step, d2l.tensor(IMAGES))
        assert caught.type is kind and caught.value.args == words
        shown = traceback.TracebackException.from_exception(caught.value)
        assert shown.stack[-1].name == "step" and len(shown.stack) < 20
        assert shown.__context__ is None or shown.__suppress_context__


def test_step_is_detached(d2l):
    """What a step gives does not hold on to the graph, and so not to the memory."""
    net = make_block(d2l)
    result = d2l.Trainer(net, "sgd", lr=0.1).step(
        block_step(d2l, net), d2l.tensor(block_images(0))
    )
    for x in (*result, d2l.predict(net, d2l.tensor(block_images(0)))):
        assert not getattr(x, "requires_grad", False)
        assert getattr(x, "stop_gradient", True) is not False
        assert getattr(x, "grad_fn", None) is None


@MODES
def test_batches_of_other_sizes(d2l, eager):
    net = make_block(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.1, eager=eager)
    step = block_step(d2l, net)
    for seed, batch in enumerate((3, 5, 1, 3, 2)):
        images = block_images(seed, batch)
        expected, _ = np_block(images, float64(d2l.get_weights(net)), training=True)
        loss, outputs = trainer.step(step, d2l.tensor(images))
        np.testing.assert_allclose(d2l.numpy(loss), (expected**2).mean(), rtol=1e-4)
        np.testing.assert_allclose(d2l.numpy(outputs), expected, atol=1e-4)


@MODES
def test_different_functions_in_turn(d2l, eager):
    """Each step runs the function it is given, also one that is made on the spot."""
    net = make_linear(d2l)
    images, gradients = d2l.tensor(IMAGES), np_gradients(IMAGES, FACTORS)
    factors = d2l.tensor(FACTORS)
    trainer = d2l.Trainer(net, "sgd", lr=1.0, eager=eager)
    expected = float64(d2l.get_weights(net))

    def plus(images):
        return d2l.reduce_mean(net(images) * factors), None

    def minus(images):
        return -d2l.reduce_mean(net(images) * factors), None

    for function, sign in ((plus, 1), (minus, -1), (plus, 1), (minus, -1)):
        trainer.step(function, images)
        expected = {k: expected[k] - sign * gradients[k] for k in expected}
        check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-5)
    for scale in (1.0, -2.0, 3.0):
        trainer.step(
            lambda x, s=scale: (s * d2l.reduce_mean(net(x) * factors), None), images
        )
        expected = {k: expected[k] - scale * gradients[k] for k in expected}
        check_weights(d2l.get_weights(net), expected, rtol=1e-5, atol=1e-5)


@MODES
def test_step_that_raises(d2l, eager):
    """The error comes through, nothing is updated, and the next step is a good one."""
    net = make_block(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.1, eager=eager)
    before = d2l.get_weights(net)

    def fail(images):
        raise ValueError("not these images")

    with pytest.raises(ValueError, match="not these images"):
        trainer.step(fail, d2l.tensor(block_images(0)))
    check_weights(d2l.get_weights(net), before, rtol=0, atol=0)
    expected, _ = np_block(block_images(1), float64(before), training=False)
    got = d2l.predict(net, d2l.tensor(block_images(1)))
    np.testing.assert_allclose(d2l.numpy(got), expected, atol=1e-4)
    _, got = trainer.step(block_step(d2l, net), d2l.tensor(block_images(1)))
    expected, statistics = np_block(block_images(1), float64(before), training=True)
    np.testing.assert_allclose(d2l.numpy(got), expected, atol=1e-4)
    after = d2l.get_weights(net)
    for name, array in statistics.items():
        np.testing.assert_allclose(after[name], array, rtol=1e-4, atol=1e-5)


# ---- training mode and evaluation mode -----------------------------------------------


@MODES
def test_mode_value(d2l, eager):
    """Steps normalise by the batch and keep statistics; predictions use and leave them."""
    net = make_block(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.1, eager=eager)
    step = block_step(d2l, net)
    for seed in range(3):
        images = block_images(seed)
        w = d2l.get_weights(net)
        getattr(net, "eval", lambda: None)()  # where a net has a mode, a step sets it
        expected, statistics = np_block(images, float64(w), training=True)
        _, got = trainer.step(step, d2l.tensor(images))
        np.testing.assert_allclose(d2l.numpy(got), expected, rtol=1e-4, atol=1e-4)
        after = d2l.get_weights(net)
        assert changed(w, after) == set(w)
        for name, array in statistics.items():
            np.testing.assert_allclose(after[name], array, rtol=1e-4, atol=1e-5)

        expected, _ = np_block(images, float64(after), training=False)
        got = d2l.numpy(d2l.predict(net, d2l.tensor(images)))
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
        check_weights(d2l.get_weights(net), after, rtol=0, atol=0)


def test_running_variance_is_the_biased_one(d2l):
    """On a batch so small that the two differ by a third."""
    net = make_block(d2l)
    images = block_images(0, batch=1)[:, :, :2, :2]
    before = d2l.get_weights(net)
    trainer = d2l.Trainer(net, "sgd", lr=0.0)
    trainer.step(lambda X: (d2l.reduce_mean(net(X)), None), d2l.tensor(images))
    outputs = np_conv(images, before["0.weight"])
    variance = outputs.var((0, 2, 3))
    got = d2l.get_weights(net)["1.running_var"]
    np.testing.assert_allclose(got, 0.9 + 0.1 * variance, rtol=1e-5)
    unbiased = 0.9 + 0.1 * outputs.var((0, 2, 3), ddof=1)
    assert np.abs(got - unbiased).max() > 0.01


@pytest.mark.parametrize("after_step", [False, True])
def test_predict_restores_the_mode(d2l, after_step):
    net = make_block(d2l)
    images = d2l.tensor(block_images(0))
    if after_step:
        d2l.Trainer(net, "sgd", lr=0.1).step(block_step(d2l, net), images)
    mode = getattr(net, "training", None)
    d2l.predict(net, images)
    assert getattr(net, "training", None) == mode
    with pytest.raises(Exception):  # noqa: B017 - each framework has its own
        d2l.numpy(d2l.predict(net, d2l.zeros((1, 5, 4, 4))))
    assert getattr(net, "training", None) == mode


def test_predict_restores_the_mode_of_each_part(d2l, native):
    """A part that someone has put into evaluation mode remains in it."""
    net = d2l.ResNet(18, 2, width=2)
    if native.parts(net) is None:
        pytest.skip("a mode is of a call, not of a part")
    net.train()
    net.features.eval()
    net.features.bn1.train()
    before = [layer.training for layer in native.parts(net)]
    assert True in before and False in before
    d2l.predict(net, d2l.zeros((1, 3, 32, 32)))
    assert [layer.training for layer in native.parts(net)] == before


@MODES
def test_predict_inside_a_step(d2l, eager):
    """Evaluation mode and no gradients there, training mode before and after it."""
    net = make_block(d2l)
    w = d2l.get_weights(net)
    images = block_images(0)

    def step(X):
        target = d2l.predict(net, X)
        outputs = net(X)
        return d2l.reduce_mean((outputs - target) ** 2), (target, outputs)

    trainer = d2l.Trainer(net, "sgd", lr=0.0, eager=eager)
    loss, (target, outputs) = trainer.step(step, d2l.tensor(images))
    expected, _ = np_block(images, float64(w), training=False)
    np.testing.assert_allclose(d2l.numpy(target), expected, rtol=1e-4, atol=1e-4)
    expected_outputs, statistics = np_block(images, float64(w), training=True)
    np.testing.assert_allclose(d2l.numpy(outputs), expected_outputs, atol=1e-4)
    np.testing.assert_allclose(
        d2l.numpy(loss), ((expected_outputs - expected) ** 2).mean(), rtol=1e-4
    )
    after = d2l.get_weights(net)
    for name, array in statistics.items():  # one update, not two
        np.testing.assert_allclose(after[name], array, rtol=1e-4, atol=1e-5)


def test_predict_of_several_outputs(d2l):
    d2l.seed(0)
    net = d2l.TinySSD(2)
    X = d2l.tensor(RNG.normal(size=(2, 3, 64, 64)).astype(np.float32))
    anchors, cls_preds, bbox_preds = d2l.predict(net, X)
    num_anchors = (64 + 16 + 4 + 1 + 1) * 4
    assert tuple(anchors.shape) == (1, num_anchors, 4)
    assert tuple(cls_preds.shape) == (2, num_anchors, 3)
    assert tuple(bbox_preds.shape) == (2, num_anchors * 4)
    # an image's prediction does not depend on its company, as it does in training
    alone = d2l.predict(net, X[:1])
    np.testing.assert_allclose(
        d2l.numpy(alone[1]), d2l.numpy(cls_preds)[:1], rtol=1e-4, atol=1e-5
    )


def test_training_lowers_the_loss(d2l):
    """Adam on a small regression that a linear net solves."""
    net = make_linear(d2l)
    target = d2l.tensor(np_conv(IMAGES, np.full((2, 2, 3, 3), 0.3), [1, 2]).astype("f"))

    def step(images):
        return d2l.reduce_mean((net(images) - target) ** 2), None

    trainer = d2l.Trainer(net, "adam", lr=0.1)
    losses = [
        float(d2l.numpy(trainer.step(step, d2l.tensor(IMAGES))[0])) for _ in range(60)
    ]
    assert losses[-1] < losses[0] / 50


# ---- the learning rate ---------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_lr_value(d2l, optimizer):
    trainer = d2l.Trainer(make_linear(d2l), optimizer, lr=0.25)
    assert trainer.lr == pytest.approx(0.25)
    for value in (0.125, np.float32(0.5), 2, 0):
        trainer.lr = value
        assert trainer.lr == pytest.approx(float(value))
    assert trainer.net is not None


@pytest.mark.parametrize(
    "options,said",
    [
        (
            {"optimizer": "rmsprop", "lr": 0.1},
            r"^optimizer: .*sgd, adam, .* got 'rmsprop'",
        ),
        ({"optimizer": "SGD", "lr": 0.1}, r"^optimizer: .*got 'SGD'"),
        ({"lr": -0.1}, r"^lr: .*at least 0, got -0\.1"),
        (
            {"lr": 0.1, "precision": "half"},
            r"^precision: .*'float32', 'bfloat16', got str 'h",
        ),
        ({}, r"^lr: expected a learning rate for 'sgd'"),
        ({"lr": 0.1, "clip_norm": 0}, r"^clip_norm: .*positive number, got 0"),
        ({"lr": 0.1, "accumulate": 0}, r"^accumulate: .*at least 1, got 0"),
        ({"lr": float("nan")}, r"^lr: .*at least 0, got nan"),
        ({"lr": 0.1, "momentum": -1}, r"^momentum: .*at least 0, got -1"),
        ({"lr": 0.1, "weight_decay": -1}, r"^weight_decay: .*at least 0, got -1"),
        (
            {"optimizer": "adam", "lr": 0.1, "momentum": 0.9},
            r"^momentum: only for.*sgd",
        ),
    ],
)
def test_trainer_exception(d2l, options, said):
    with pytest.raises(ValueError, match=said):
        d2l.Trainer(make_linear(d2l), **options)


def test_bfloat16(d2l, native):
    """Its products are rounded to 8 bits; loss, weights and predictions are not."""
    net = make_linear(d2l)
    if not native.BFLOAT16:
        with pytest.raises(ValueError, match=r"^precision: .* has no bfloat16"):
            d2l.Trainer(net, lr=0.1, precision="bfloat16")
        return
    before, X = d2l.get_weights(net), d2l.tensor(IMAGES)
    trainer = d2l.Trainer(net, lr=0.1, precision="bfloat16")

    def step(images, factors):
        outputs = net(images)
        return d2l.reduce_mean(outputs * factors), outputs

    loss, outputs = trainer.step(step, X, d2l.tensor(FACTORS))
    exact = np_conv(IMAGES, before["weight"], before["bias"])
    error = np.abs(d2l.numpy(outputs) - exact)
    assert 1e-4 < error.max() < 2**-7 * np.abs(exact).max()
    assert d2l.numpy(outputs).dtype == d2l.numpy(loss).dtype == np.float32
    gradients = np_gradients(IMAGES, FACTORS)
    expected = {name: before[name] - 0.1 * g for name, g in gradients.items()}
    check_weights(d2l.get_weights(net), expected, rtol=0, atol=1e-2)
    after = d2l.get_weights(net)
    exact = np_conv(IMAGES, after["weight"], after["bias"])
    np.testing.assert_allclose(d2l.numpy(d2l.predict(net, X)), exact, atol=1e-5)


def test_own_optimizer_exception(d2l, native):
    net = make_linear(d2l)
    with pytest.raises(ValueError, match=r"^lr, momentum.*: not beside an optimizer"):
        d2l.Trainer(net, native.adam(net, 0.1), lr=0.1)


@pytest.mark.parametrize("value", [-1e-3, float("nan")])
def test_lr_exception(d2l, value):
    trainer = d2l.Trainer(make_linear(d2l), lr=0.25)
    with pytest.raises(ValueError, match=f"^lr: .*at least 0, got {value}"):
        trainer.lr = value
    assert trainer.lr == pytest.approx(0.25)


# ---- the schedule --------------------------------------------------------------------


@pytest.mark.parametrize(
    "progress,warmup,factor",
    [
        (0, 0.1, 0.01),
        (0.05, 0.1, 0.5),
        (0.1, 0.1, 1),
        (0.55, 0.1, 0.5),
        (0.325, 0.1, 0.5 + 0.5**1.5),
        (1, 0.1, 0.01),
        (0, 0, 1),
        (0.5, 0, 0.5),
        (1, 0, 0.01),
        (0.25, 1, 0.25),
        (1, 1, 1),
        (-0.5, 0.1, 0.01),
        (1.5, 0.1, 0.01),
    ],
)
def test_warmup_cosine_value(d2l, progress, warmup, factor):
    assert d2l.warmup_cosine(progress, warmup) == pytest.approx(factor)
    if warmup == 0.1:
        assert d2l.warmup_cosine(progress) == pytest.approx(factor)


@pytest.mark.parametrize("warmup", [0, 0.05, 0.1, 0.5, 0.99, 1])
def test_warmup_cosine_rises_and_falls(d2l, warmup):
    steps = np.linspace(0, 1, 1001)
    factors = np.array([d2l.warmup_cosine(p, warmup) for p in steps])
    assert factors.min() >= 0.01 and factors.max() <= 1
    top = factors.argmax()
    assert abs(steps[top] - warmup) <= 0.001
    assert (np.diff(factors[: top + 1]) >= 0).all()
    assert (np.diff(factors[top:]) <= 0).all()
    if 0.05 <= warmup <= 0.5:
        assert np.abs(np.diff(factors)).max() < 0.03  # no jump


@pytest.mark.parametrize("warmup", [-0.1, 1.1, float("nan")])
def test_warmup_cosine_exception(d2l, warmup):
    with pytest.raises(ValueError, match=rf"^warmup: .*\[0, 1\], got {warmup}"):
        d2l.warmup_cosine(0.5, warmup)


def test_a_net_goes_to_a_device(d2l):
    net = d2l.cls_predictor(1, 1, 1)
    assert d2l.to(net, d2l.try_gpu()) is net
    assert d2l.predict(net, d2l.zeros((1, 1, 2, 2))).shape[1] == 2


# ---- a training that diverges ----------------------------------------------------------


@MODES
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_diverging_training_stops(d2l, eager, bad):
    """It says at which step and rate; with the option it goes on."""
    net = make_linear(d2l)
    images = d2l.tensor(IMAGES)
    factors = [d2l.tensor(np.full(IMAGES.shape, f, np.float32)) for f in (1, bad)]
    trainer = d2l.Trainer(net, "sgd", lr=0.25, eager=eager)
    step = linear_step(d2l, net)
    trainer.step(step, images, factors[0])
    trainer.lr = 1e-7
    with pytest.raises(FloatingPointError, match=r"step 2 .* rate 1e-07.*tenth"):
        trainer.step(step, images, factors[1])
        [trainer.step(step, images, factors[1]) for _ in range(16)]  # on a GPU

    net = make_linear(d2l)
    options = {"lr": 0.25, "eager": eager, "stop_unless_finite": False}
    trainer = d2l.Trainer(net, "sgd", **options)
    loss, _ = trainer.step(linear_step(d2l, net), images, factors[1])
    assert not np.isfinite(d2l.numpy(loss))


# ---- accumulation --------------------------------------------------------------------


def accumulated(d2l, tmp_path, parts, accumulate, rule="sgd", cut=False, **options):
    """Weights after steps on a set that is divided into so many batches, and the steps.

    The optimizer is updated once more at the end, by a checkpoint or by `update`.
    """
    net = make_linear(d2l)
    trainer = d2l.Trainer(net, rule, lr=0.1, accumulate=accumulate, **options)
    rng = np.random.default_rng(0)
    seen, X = [], rng.normal(size=(24, 2, 3, 3)).astype(np.float32)
    for batch in np.split(X, parts):
        trainer.step(lambda X: (d2l.reduce_mean(net(X) ** 2), ()), d2l.tensor(batch))
        seen.append(d2l.get_weights(net)["weight"])
    if cut:
        d2l.save_checkpoint(trainer, tmp_path / "cut.safetensors")
    else:
        trainer.update()
    return d2l.get_weights(net), seen


@pytest.mark.parametrize(
    "rule, options",
    [
        ("sgd", {"momentum": 0.9, "weight_decay": 0.1}),
        ("sgd", {"clip_norm": 0.05}),
        ("adam", {}),
        ("sgd", {"eager": True}),
    ],
)
def test_accumulation_is_one_large_batch(d2l, tmp_path, rule, options):
    """Three steps on four pictures and one on twelve, and no change between."""
    whole, _ = accumulated(d2l, tmp_path, 2, 1, rule, **options)
    parts, seen = accumulated(d2l, tmp_path, 6, 3, rule, **options)
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, atol=1e-6)
    changes = [np.abs(b - a).max() > 1e-4 for a, b in itertools.pairwise(seen)]
    assert changes == [False, True, False, False, True]


@pytest.mark.parametrize("cut", [False, True])
def test_what_is_left_of_an_accumulation(d2l, tmp_path, cut):
    """Two steps of four have an update of their own, with their mean."""
    parts, seen = accumulated(d2l, tmp_path, 2, 4, cut=cut)
    whole, _ = accumulated(d2l, tmp_path, 1, 1)
    assert np.abs(seen[0] - seen[1]).max() == 0
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, atol=1e-6)
