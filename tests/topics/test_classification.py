"""Residual networks, what is done with trained ones, and learning rates of parts."""

import importlib
import itertools

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from d2lcv import classification as module
from d2lcv.backends import backend
from d2lcv.data.hub import DownloadError
from d2lcv.proof import cases
from d2lcv.proof.cases.training import waves

RNG = np.random.default_rng(0)


def images(n=2, height=40, width=35):
    return np.ascontiguousarray(waves(900, n)[:, :, :height, :width] / 60)


def small(d2l, num_classes=3, seed=5):
    d2l.seed(seed)
    return d2l.ResNet(18, num_classes, width=4)


def shaken(d2l, net):
    return cases.classification.of_any_weights(d2l, net)


def scores(d2l, net, X):
    return d2l.numpy(d2l.predict(net, d2l.tensor(X)))


def changed(before, after):
    return {name for name in before if (before[name] != after[name]).any()}


# ---- references in NumPy -------------------------------------------------------------


def np_conv(X, weight, stride, bias=0.0):
    """With k // 2 zeros on all sides."""
    k = weight.shape[2]
    X = np.pad(X, ((0, 0), (0, 0), (k // 2,) * 2, (k // 2,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(X, (k, k), (2, 3))
    windows = windows[:, :, ::stride, ::stride]
    return np.einsum("bihwyx,oiyx->bohw", windows, weight) + np.reshape(
        bias, (-1, 1, 1)
    )


def np_norm(X, w, name):
    mean, var, scale, shift = (
        w[f"{name}.{kind}"].reshape(-1, 1, 1)
        for kind in ("running_mean", "running_var", "weight", "bias")
    )
    return (X - mean) / np.sqrt(var + 1e-5) * scale + shift


def np_pool(X):
    """3 × 3 maxima at every other pixel; outside there is nothing."""
    X = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(X, (3, 3), (2, 3))
    return windows[:, :, ::2, ::2].max((4, 5))


def np_block(X, w, path, stride):
    Y = np.maximum(
        np_norm(np_conv(X, w[f"{path}conv1.weight"], stride), w, f"{path}bn1"), 0
    )
    Y = np_norm(np_conv(Y, w[f"{path}conv2.weight"], 1), w, f"{path}bn2")
    if f"{path}downsample.0.weight" in w:
        X = np_conv(X, w[f"{path}downsample.0.weight"], stride)
        X = np_norm(X, w, f"{path}downsample.1")
    elif f"{path}downsample.weight" in w:
        weight, bias = w[f"{path}downsample.weight"], w[f"{path}downsample.bias"]
        X = np_conv(X, weight, stride, bias)
    return np.maximum(Y + X, 0)


def np_stages(X, w, blocks):
    X = np_conv(X.astype(np.float64), w["features.conv1.weight"], 2)
    X = np_pool(np.maximum(np_norm(X, w, "features.bn1"), 0))
    maps = []
    for stage, number in enumerate(blocks, 1):
        for i in range(number):
            stride = 2 if stage > 1 and i == 0 else 1
            X = np_block(X, w, f"features.layer{stage}.{i}.", stride)
        maps.append(X)
    return maps


def np_output(X, w, name):
    return X.mean((2, 3)) @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def float64(weights):
    return {name: array.astype(np.float64) for name, array in weights.items()}


# ---- networks ------------------------------------------------------------------------


@pytest.mark.parametrize("depth,blocks", [(18, (2, 2, 2, 2)), (34, (3, 4, 6, 3))])
@pytest.mark.parametrize("size", [(64, 64), (37, 50)])
def test_resnet_value(d2l, depth, blocks, size):
    net = shaken(d2l, d2l.ResNet(depth, 5, in_channels=2, width=3))
    X = images(2, *size)[:, :2]
    w = float64(d2l.get_weights(net))
    expected = np_stages(X, w, blocks)
    d2l.freeze(net)  # whichever way it is called, in evaluation mode
    maps = net.stages(d2l.tensor(X))
    assert len(maps) == 4
    for found, right, stride in zip(maps, expected, (4, 8, 16, 32), strict=True):
        assert right.shape[2:] == tuple(-(-n // stride) for n in size)
        np.testing.assert_allclose(d2l.numpy(found), right, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        d2l.numpy(net.features(d2l.tensor(X))), expected[-1], rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        scores(d2l, net, X), np_output(expected[-1], w, "output"), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("arguments", [(3, 3), (3, 5, True), (3, 6, True, 2)])
def test_residual_value(d2l, arguments):
    net = shaken(d2l, d2l.Residual(*arguments))
    X = images(2, 9, 12)
    w = float64(d2l.get_weights(net))
    expected = np_block(X, w, "", arguments[3] if len(arguments) > 3 else 1)
    np.testing.assert_allclose(scores(d2l, net, X), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_resnet18_value(d2l, in_channels):
    d2l.seed(0)
    coloured = (in_channels,) if in_channels > 1 else ()
    net = shaken(d2l, d2l.resnet18(10, *coloured))
    X = images(2, 16, 11)[:, :in_channels]
    w = float64(d2l.get_weights(net))
    Y = np.maximum(np_norm(np_conv(X, w["0.0.weight"], 1), w, "0.1"), 0)
    for stage, i in itertools.product(range(1, 5), range(2)):
        Y = np_block(Y, w, f"{stage}.{i}.", 2 if stage > 1 and i == 0 else 1)
    assert Y.shape == (2, 512, 2, 2)
    expected = np_output(Y, w, "7")
    np.testing.assert_allclose(scores(d2l, net, X), expected, rtol=1e-4, atol=1e-4)


def test_resnet_has_the_zoo_names_and_sizes(d2l):
    """Those that torchvision publishes, with `features.` before, and `output` for `fc`."""
    found = {k: v.shape for k, v in d2l.get_weights(d2l.ResNet()).items()}
    assert found["features.conv1.weight"] == (64, 3, 7, 7)
    assert found["features.layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert found["features.layer2.0.downsample.1.running_var"] == (128,)
    assert found["features.layer4.1.bn2.bias"] == (512,)
    assert found["output.weight"] == (1000, 512)
    learned = [s for k, s in found.items() if "running" not in k]
    assert sum(map(np.prod, learned)) == 11_689_512  # as torchvision says
    deep = {k: v.shape for k, v in d2l.get_weights(d2l.ResNet(34)).items()}
    learned = [s for k, s in deep.items() if "running" not in k]
    assert sum(map(np.prod, learned)) == 21_797_672


def test_equal_seeds_equal_resnets(d2l):
    first, again = (d2l.get_weights(small(d2l)) for _ in range(2))
    assert not changed(first, again)


def test_weights_travel_value(d2l, tmp_path):
    net = shaken(d2l, small(d2l))
    file = d2l.save_weights(net, tmp_path / "net.safetensors")
    other = d2l.load_weights(small(d2l, seed=6), file)
    np.testing.assert_array_equal(
        scores(d2l, net, images()), scores(d2l, other, images())
    )


@pytest.mark.parametrize(
    "name,arguments,match",
    [
        ("ResNet", (50,), r"depth: expected one of 18, 34, got int 50"),
        ("ResNet", (18, 0), "num_classes: expected at least 1, got 0"),
        ("ResNet", (18, 2, 0), "in_channels"),
        ("ResNet", (18, 2, 3, 0), "width"),
        ("resnet18", (0,), "num_classes"),
        ("resnet18", (2, -1), "in_channels"),
        ("Residual", (3, 4), "use_1x1conv: expected True"),
        ("Residual", (3, 3, False, 2), "use_1x1conv: expected True"),
        ("Residual", (3, 3, True, 0), "strides"),
        ("pretrained", (50,), "depth"),
        ("pretrained", (34, "source"), "depth: the source network has depth 18"),
    ],
)
def test_network_exception(d2l, name, arguments, match):
    with pytest.raises(ValueError, match=match):
        getattr(d2l, name)(*arguments)


# ---- cross-entropy -------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5, 4), (2, 3, 6)])
def test_cross_entropy_value(d2l, shape):
    y_hat = 5 * RNG.normal(size=shape).astype(np.float32)
    y = RNG.integers(0, 3, shape[:1] + shape[2:])
    exponentials = np.exp(y_hat.astype(np.float64))
    probs = exponentials / exponentials.sum(1, keepdims=True)
    expected = -np.log(np.take_along_axis(probs, y[:, None], 1)[:, 0])
    for kind in (np.int64, np.int32):
        found = d2l.cross_entropy(d2l.tensor(y_hat), d2l.tensor(y.astype(kind)))
        assert tuple(found.shape) == y.shape
        np.testing.assert_allclose(d2l.numpy(found), expected, rtol=1e-5, atol=1e-5)


def test_cross_entropy_of_sure_scores(d2l):
    """A softmax taken before its logarithm would give infinity."""
    y_hat, y = np.float32([[1000, 900], [900, 950]]), np.array([0, 0])
    found = d2l.numpy(d2l.cross_entropy(d2l.tensor(y_hat), d2l.tensor(y)))
    np.testing.assert_allclose(found, [0, 50], rtol=1e-6, atol=1e-5)
    (gradient,) = d2l.gradients(
        lambda x: d2l.reduce_sum(d2l.cross_entropy(x, d2l.tensor(y))),
        d2l.tensor(np.float32([[1000, 0], [0, 1000]])),
    )
    np.testing.assert_allclose(d2l.numpy(gradient), [[0, 0], [-1, 1]], atol=1e-5)


def test_cross_entropy_gradient(d2l):
    y_hat = RNG.normal(size=(2, 3, 2, 2)).astype(np.float32)
    y = RNG.integers(0, 3, (2, 2, 2))
    labels = d2l.tensor(y)
    (found,) = d2l.gradients(
        lambda x: d2l.reduce_sum(d2l.cross_entropy(x, labels)), d2l.tensor(y_hat)
    )
    exponentials = np.exp(y_hat)
    probs = exponentials / exponentials.sum(1, keepdims=True)
    expected = probs - (y[:, None] == np.arange(3).reshape(1, 3, 1, 1))
    np.testing.assert_allclose(d2l.numpy(found), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "scores_shape,labels_shape",
    [((4,), ()), ((4, 3), (3,)), ((4, 3), (4, 3)), ((2, 3, 5, 4), (2, 4, 5))],
)
def test_cross_entropy_exception(d2l, scores_shape, labels_shape):
    y_hat, y = np.zeros(scores_shape, np.float32), np.zeros(labels_shape, np.int64)
    with pytest.raises(ValueError, match=r"y.*expected shape.*got"):
        d2l.cross_entropy(d2l.tensor(y_hat), d2l.tensor(y))
    with pytest.raises(TypeError, match="y_hat: expected a tensor"):
        d2l.cross_entropy(y_hat, d2l.tensor(y))
    with pytest.raises(TypeError, match="y: expected a tensor"):
        d2l.cross_entropy(d2l.tensor(y_hat), y)


@pytest.mark.parametrize("label", [3, 255, -1, -100])
def test_cross_entropy_of_no_class(d2l, label):
    y_hat, y = d2l.zeros((2, 3)), d2l.tensor(np.array([1, label]))
    with pytest.raises(
        ValueError, match=f"y: expected classes from 0 to 2, got {label}"
    ):
        d2l.cross_entropy(y_hat, y)


def test_cross_entropy_of_no_class_in_a_step(d2l):
    """An error that names it, or, where the step is compiled, a loss that is no number."""
    net = small(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.1, stop_unless_finite=False)

    def step(X, y):
        losses = d2l.cross_entropy(net(X), y)
        return d2l.reduce_mean(losses), losses

    X, y = d2l.tensor(images(2)), d2l.tensor(np.array([1, 3]))
    try:
        _, losses = trainer.step(step, X, y)
    except ValueError as error:
        assert "got 3" in str(error) or "finite" in str(error)
    else:
        assert np.isnan(d2l.numpy(losses)).tolist() == [False, True]


@pytest.mark.parametrize("kind", ["uint8", "int8", "int32", "int64"])
def test_cross_entropy_of_any_integers(d2l, kind):
    y_hat = np.float32([[0, 1, 2], [3, 1, 0]])
    found = d2l.cross_entropy(d2l.tensor(y_hat), d2l.tensor(np.array([2, 0], kind)))
    expected = np.log(np.exp(y_hat).sum(1)) - [2, 3]
    np.testing.assert_allclose(d2l.numpy(found), expected, rtol=1e-5)


def test_cross_entropy_of_labels_that_are_no_integers(d2l):
    with pytest.raises(TypeError, match="y: expected integers"):
        d2l.cross_entropy(d2l.zeros((2, 3)), d2l.zeros((2,)))


@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0, 4)])
def test_cross_entropy_of_nothing(d2l, shape):
    y = np.zeros(shape[:1] + shape[2:], np.int64)
    found = d2l.cross_entropy(d2l.tensor(np.zeros(shape, np.float32)), d2l.tensor(y))
    assert d2l.numpy(found).shape == y.shape


def test_cross_entropy_without_classes(d2l):
    y_hat, y = np.zeros((2, 0), np.float32), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match=r"y_hat: expected at least one class"):
        d2l.cross_entropy(d2l.tensor(y_hat), d2l.tensor(y))


@pytest.mark.parametrize("wild", [np.nan, np.inf])
def test_cross_entropy_of_scores_that_are_no_numbers(d2l, wild):
    y_hat = d2l.tensor(np.float32([[0.1, wild, 0.2], [0, 0, 0]]))
    found = d2l.numpy(d2l.cross_entropy(y_hat, d2l.tensor(np.array([1, 0]))))
    assert not np.isfinite(found[0])
    assert found[1] == pytest.approx(np.log(3), rel=1e-5)


# ---- batch norm over one value per channel -------------------------------------------


def test_batch_norm_of_one_value_per_channel(d2l):
    """By the formula: the mean is the value, the variance 0, the output the shift."""
    net = shaken(d2l, d2l.Residual(2, 3, True))
    before = d2l.get_weights(net)
    X = f32_of([[[[1.5]], [[-2.0]]]])
    trainer = d2l.Trainer(net, "sgd", lr=0.0)

    def step(X):
        Y = net(X)
        return d2l.reduce_mean(Y), Y

    _, Y = trainer.step(step, d2l.tensor(X))
    after = d2l.get_weights(net)
    Z = np_conv(X, before["conv1.weight"], 1)[0, :, 0, 0]
    kept = 0.9 * before["bn1.running_mean"] + 0.1 * Z
    np.testing.assert_allclose(after["bn1.running_mean"], kept, rtol=1e-5, atol=1e-6)
    kept = 0.9 * before["bn1.running_var"]
    np.testing.assert_allclose(after["bn1.running_var"], kept, rtol=1e-5)
    other = np_conv(X, before["downsample.weight"], 1, before["downsample.bias"])
    expected = np.maximum(other + before["bn2.bias"].reshape(-1, 1, 1), 0)
    np.testing.assert_allclose(d2l.numpy(Y), expected, rtol=1e-5, atol=1e-6)


def f32_of(values):
    return np.array(values, np.float32)


# ---- a new output layer, frozen parts ------------------------------------------------


def learn(d2l, net, steps=2, lr=0.1, **options):
    trainer = d2l.Trainer(net, "sgd", lr=lr, **options)
    X, y = d2l.tensor(images(4)), d2l.tensor(np.array([0, 1, 1, 0]))

    def step(X, y):
        y_hat = net(X)
        return d2l.reduce_mean(d2l.cross_entropy(y_hat, y)), y_hat

    return [d2l.numpy(trainer.step(step, X, y)[1]) for _ in range(steps)]


def test_replace_output_copies(d2l):
    source = shaken(d2l, small(d2l, 3))
    before = d2l.get_weights(source)
    new = d2l.replace_output(source, 2)
    weights = d2l.get_weights(new)
    assert changed(before, d2l.get_weights(source)) == set()
    assert isinstance(new, type(source)) and scores(d2l, new, images()).shape == (2, 2)
    assert weights["output.weight"].shape == (2, 32)
    assert not weights["output.bias"].any() and weights["output.weight"].all()
    inside = {name for name in before if name.startswith("features.")}
    assert len(inside) == len(before) - 2
    for name in inside:
        np.testing.assert_array_equal(weights[name], before[name])
    learn(d2l, new)  # nothing of it is the source's
    assert not changed(before, d2l.get_weights(source))
    after = d2l.get_weights(new)
    assert changed(weights, after) == set(weights)


def test_replace_output_with_a_hidden_layer(d2l, tmp_path):
    """Dense, ReLU, dense on the pooled features; a file of it is read as such a net."""
    source = shaken(d2l, small(d2l, 3))
    new = d2l.replace_output(source, 5, hidden=6)
    w = float64(d2l.get_weights(shaken(d2l, new)))
    shapes = {k: v.shape for k, v in w.items() if k.startswith("output.")}
    assert shapes == {
        "output.0.weight": (6, 32),
        "output.0.bias": (6,),
        "output.2.weight": (5, 6),
        "output.2.bias": (5,),
    }
    X = images()
    pooled = np_stages(X, w, (2, 2, 2, 2))[-1].mean((2, 3))
    units = pooled @ w["output.0.weight"].T + w["output.0.bias"]
    assert (units > 0).any() and (units < 0).any()
    expected = np.maximum(units, 0) @ w["output.2.weight"].T + w["output.2.bias"]
    np.testing.assert_allclose(scores(d2l, new, X), expected, rtol=1e-4, atol=1e-4)
    file = d2l.save_weights(new, tmp_path / "new.safetensors")
    read = d2l.pretrained(18, file)
    np.testing.assert_array_equal(scores(d2l, read, X), scores(d2l, new, X))


def test_lr_scale_of_a_hidden_layer(d2l):
    """`output` means all of it: the rest stays where the rate is 0."""
    net = d2l.replace_output(small(d2l), 2, hidden=6)
    before = d2l.get_weights(net)
    learn(d2l, net, lr_scale={"features": 0.0, "output": 10.0}, weight_decay=0.5)
    learned = {name for name in before if "running" not in name}
    moved = changed(before, d2l.get_weights(net)) & learned
    assert moved == {n for n in learned if n.startswith("output.")}


def test_replace_output_draws_from_the_seed(d2l):
    source = small(d2l)
    d2l.seed(7)
    first, second = (d2l.get_weights(d2l.replace_output(source, 2)) for _ in range(2))
    d2l.seed(7)
    again = d2l.get_weights(d2l.replace_output(source, 2))
    assert changed(first, second) == {"output.weight"} and not changed(first, again)


def test_replace_output_exception(d2l):
    with pytest.raises(TypeError, match="net: expected a ResNet"):
        d2l.replace_output(d2l.resnet18(2), 2)
    with pytest.raises(ValueError, match="num_classes"):
        d2l.replace_output(small(d2l), 0)
    with pytest.raises(ValueError, match="hidden: expected at least 0, got -1"):
        d2l.replace_output(small(d2l), 2, hidden=-1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("eager", [False, True])
def test_frozen_features_stay(d2l, optimizer, eager):
    net = shaken(d2l, small(d2l, 2))
    start = d2l.get_weights(net)
    assert d2l.freeze(net.features) is net.features
    trainer = d2l.Trainer(net, optimizer, lr=0.1, weight_decay=0.5, eager=eager)
    X, y = images(4), np.array([0, 1, 1, 0])
    maps = np_stages(X, float64(start), (2, 2, 2, 2))[-1].mean((2, 3))

    def step(X, y):
        y_hat = net(X)
        return d2l.reduce_mean(d2l.cross_entropy(y_hat, y)), y_hat

    for _ in range(3):
        w = float64(d2l.get_weights(net))
        _, y_hat = trainer.step(step, d2l.tensor(X), d2l.tensor(y))
        # in training mode the running statistics are those that count
        expected = maps @ w["output.weight"].T + w["output.bias"]
        np.testing.assert_allclose(d2l.numpy(y_hat), expected, rtol=1e-4, atol=1e-4)
    assert changed(start, d2l.get_weights(net)) == {"output.weight", "output.bias"}


def test_frozen_features_learn_as_softmax_regression(d2l):
    """Gradient descent on the output layer alone, in NumPy."""
    net = shaken(d2l, small(d2l, 2))
    d2l.freeze(net.features)
    w = float64(d2l.get_weights(net))
    maps = np_stages(images(4), w, (2, 2, 2, 2))[-1].mean((2, 3))
    weight, bias = w["output.weight"], w["output.bias"]
    for _ in range(3):
        exponentials = np.exp(maps @ weight.T + bias)
        error = exponentials / exponentials.sum(1, keepdims=True)
        error = (error - np.eye(2)[[0, 1, 1, 0]]) / 4
        weight = weight - 0.3 * (error.T @ maps + 0.1 * weight)
        bias = bias - 0.3 * (error.sum(0) + 0.1 * bias)
    learn(d2l, net, 3, lr=0.3, weight_decay=0.1)
    found = d2l.get_weights(net)
    np.testing.assert_allclose(found["output.weight"], weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["output.bias"], bias, rtol=1e-3, atol=1e-4)


def test_frozen_after_it_was_trained(d2l):
    """A net that was compiled and trained before is frozen, too; the rest goes on."""
    net = small(d2l, 2)
    learn(d2l, net)
    before = d2l.get_weights(net)
    d2l.freeze(net.features.layer1)
    learn(d2l, net)
    moved = changed(before, d2l.get_weights(net))
    inside = {name for name in before if name.startswith("features.layer1.")}
    assert inside and moved == set(before) - inside


# ---- learning rates of parts ---------------------------------------------------------


SCALES = {"features.conv1.weight": 10.0, "features": 0.5, "features.layer2": 0.0}


def factor_of(name):
    """What the scales above say of a weight: the longest start counts."""
    if name == "features.conv1.weight":
        return 10.0
    if name.startswith("features.layer2."):
        return 0.0
    return 0.5 if name.startswith("features.") else 1.0


def test_lr_scale_value(d2l):
    """Decay alone, at rates that change: every weight shrinks as its own rate says."""
    net = shaken(d2l, small(d2l))
    names = [name for name in d2l.get_weights(net) if "running" not in name]
    assert {factor_of(name) for name in names} == {10.0, 0.5, 0.0, 1.0}
    trainer = d2l.Trainer(net, "sgd", lr=0.5, weight_decay=0.25, lr_scale=SCALES)
    X = d2l.tensor(images(2, 33, 33))
    for lr in (0.1, 0.1, 0.02):
        trainer.lr = lr
        assert trainer.lr == lr
        before = float64(d2l.get_weights(net))
        trainer.step(lambda X: (d2l.reduce_sum(net(X)) * 0.0, None), X)
        after = d2l.get_weights(net)
        for name in names:
            expected = before[name] * (1 - lr * factor_of(name) * 0.25)
            np.testing.assert_allclose(after[name], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "optimizer,options",
    [("sgd", {}), ("sgd", {"momentum": 0.9, "weight_decay": 0.1}), ("adam", {})],
)
@pytest.mark.parametrize("eager", [False, True])
def test_lr_scale_is_that_of_a_higher_rate(d2l, optimizer, options, eager):
    """Each part moves as in a net whose whole rate is that of the part."""
    parts = {"weight": 4.0, "bias": 0.5}
    X = images(2, 6, 5)
    factors = d2l.tensor(RNG.normal(size=(2, 4, 6, 5)).astype(np.float32))

    def trained(lr, **more):
        d2l.seed(0)
        net = d2l.cls_predictor(3, 2, 1)
        trainer = d2l.Trainer(net, optimizer, lr=1.0, eager=eager, **options, **more)
        for scale in (1.0, 1.0, 0.5):
            trainer.lr = lr * scale
            # the loss is linear: one part's gradient does not depend on the other
            trainer.step(
                lambda X: (d2l.reduce_mean(net(X) * factors), None), d2l.tensor(X)
            )
        return d2l.get_weights(net)

    start = trained(0.0)
    found = trained(0.1, lr_scale=parts)
    for name, factor in parts.items():
        expected = trained(0.1 * factor)[name]
        assert np.abs(expected - start[name]).max() > 1e-3
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)


def test_lr_scale_leaves_no_trace(d2l):
    """A later trainer of the same net has its own rates."""
    net = d2l.cls_predictor(3, 2, 1)
    d2l.Trainer(net, "sgd", lr=1.0, lr_scale={"weight": 100.0, "bias": 0.0})
    plain = d2l.Trainer(net, "sgd", lr=1.0, weight_decay=0.5)
    d2l.set_weights(net, {k: v + 1 for k, v in d2l.get_weights(net).items()})
    before = d2l.get_weights(net)
    X = d2l.tensor(images(2, 6, 5))
    plain.step(lambda X: (d2l.reduce_sum(net(X)) * 0.0, None), X)
    for name, array in d2l.get_weights(net).items():
        np.testing.assert_allclose(array, before[name] / 2, rtol=1e-5)


def test_lr_scale_zero_keeps_the_rest_of_batch_norm(d2l):
    """A part that is left out is not frozen: its statistics go on."""
    net = small(d2l, 2)
    before = d2l.get_weights(net)
    learn(d2l, net, lr_scale={"features": 0.0}, weight_decay=0.1)
    after = d2l.get_weights(net)
    statistics = {name for name in before if "running" in name}
    assert changed(before, after) == statistics | {"output.weight", "output.bias"}


@pytest.mark.parametrize(
    "scales,match",
    [
        ({"head": 2.0}, r"lr_scale: no weight .* 'head'.*parts are features, output"),
        ({"out": 2.0}, "lr_scale: no weight"),
        ({"output.weight.": 2.0}, "lr_scale: no weight"),
        ({"output": -1.0}, r"lr_scale\['output'\]: expected a number of at least 0"),
        ({"output": float("nan")}, r"lr_scale\['output'\]"),
    ],
)
def test_lr_scale_exception(d2l, scales, match):
    with pytest.raises(ValueError, match=match):
        d2l.Trainer(small(d2l), "sgd", lr=0.1, lr_scale=scales)


# ---- model zoos ----------------------------------------------------------------------


@pytest.fixture
def zoo_model(d2l, native):
    """Makes the framework's own ResNets, with weights and statistics of all kinds."""
    if native.ZOO is None:
        pytest.skip("this framework's model zoo has no ResNet of this depth")
    module_name, name = native.ZOO

    def make(depth):
        model = getattr(importlib.import_module(module_name), name.format(depth))()
        if hasattr(model, "initialize"):
            model.initialize()
            model(d2l.zeros((1, 3, 64, 64)))
        weights = d2l.get_weights(model)
        for key, value in weights.items():
            shift = RNG.uniform(-0.1, 0.1, value.shape) if value.ndim == 1 else 0
            weights[key] = (value + shift).astype(np.float32)
        return d2l.set_weights(model, weights)

    return make


@pytest.mark.parametrize("depth", [18, 34])
def test_from_zoo_value(d2l, zoo_model, depth):
    """The framework's own net and ours see the same in a picture."""
    model = zoo_model(depth)
    net = module.from_zoo(model)
    assert isinstance(net, type(small(d2l))) and net.depth == depth
    X = images(2, 75, 64)
    expected = scores(d2l, model, X)
    assert expected.shape == (2, 1000) and expected.std() > 0.01
    np.testing.assert_allclose(scores(d2l, net, X), expected, atol=1e-4, rtol=1e-4)


def test_from_zoo_copies(d2l, zoo_model):
    model = zoo_model(18)
    before = d2l.get_weights(model)
    net = module.from_zoo(model)
    d2l.set_weights(net, {k: v + 1 for k, v in d2l.get_weights(net).items()})
    assert not changed(before, d2l.get_weights(model))


def test_from_zoo_exception(d2l):
    with pytest.raises(ValueError, match="not of a ResNet"):
        module.from_zoo(d2l.TinySSD(1))


def pretend_zoo(monkeypatch, file, load, url="http://127.0.0.1:9/resnet18.zip"):
    found = (url, str(file))
    monkeypatch.setattr(backend.classification, "zoo_file", lambda depth: found)
    monkeypatch.setattr(backend.classification, "zoo", lambda depth: load())


def test_pretrained_imagenet_value(d2l, monkeypatch, tmp_path, zoo_model):
    """What is kept from an earlier download is used, and no network."""
    model = zoo_model(18)
    url, file = backend.classification.zoo_file(18)
    assert url.startswith("http") and "resnet18" in url and "resnet18" in file
    kept = tmp_path / "kept"
    kept.write_bytes(b"")
    pretend_zoo(monkeypatch, kept, lambda: model)
    net = d2l.pretrained(18, "imagenet")
    X = images(1, 64, 64)
    expected = scores(d2l, model, X)
    np.testing.assert_allclose(scores(d2l, net, X), expected, atol=1e-4, rtol=1e-4)


def test_pretrained_imagenet_offline(d2l, monkeypatch, tmp_path):
    """No download is begun where there is no network; the way by a file is named."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    pretend_zoo(
        monkeypatch, tmp_path / "none", lambda: pytest.fail("must not download")
    )
    with pytest.raises(
        DownloadError, match=r"127\.0\.0\.1.*pretrained\(18, .*safetensors"
    ):
        d2l.pretrained(18, "imagenet")


def test_pretrained_imagenet_that_breaks_off(d2l, monkeypatch, tmp_path):
    def load():
        raise RuntimeError("Retry limit reached")

    kept = tmp_path / "kept"
    kept.write_bytes(b"")
    pretend_zoo(monkeypatch, kept, load)
    with pytest.raises(DownloadError, match=r"Retry limit reached.*safetensors"):
        d2l.pretrained(18, "imagenet")


def test_pretrained_imagenet_where_there_is_none(d2l, monkeypatch):
    monkeypatch.setattr(backend.classification, "zoo_file", lambda depth: None)
    with pytest.raises(
        ValueError, match=r"has no ResNet-34.*pretrained\(34, .*safetensors"
    ):
        d2l.pretrained(34, "imagenet")


# ---- files ---------------------------------------------------------------------------


def by_torchvision_names(weights):
    """As torchvision's `state_dict` has them, the counts of its batch norms included."""
    renamed = {}
    for name, array in weights.items():
        start, _, rest = name.partition(".")
        name = f"fc.{rest}" if start == "output" else rest
        renamed[name] = array
        if name.endswith("running_var"):
            count = name.replace("running_var", "num_batches_tracked")
            renamed[count] = np.array(7, np.int64)
    return renamed


@pytest.mark.parametrize("depth", [18, 34])
def test_pretrained_from_a_file(d2l, tmp_path, depth):
    """Of any width, number of classes and channels, by our names or torchvision's."""
    net = shaken(d2l, d2l.ResNet(depth, 7, in_channels=2, width=4))
    ours = d2l.save_weights(net, tmp_path / "ours.safetensors")
    theirs = tmp_path / "theirs.safetensors"
    save_file(by_torchvision_names(d2l.get_weights(net)), theirs)
    assert {"conv1.weight", "layer1.0.conv1.weight", "fc.weight"} <= set(
        load_file(theirs)
    )
    X = images()[:, :2]
    for file in (ours, theirs):
        found = d2l.pretrained(depth, file)
        assert not changed(d2l.get_weights(net), d2l.get_weights(found))
        np.testing.assert_array_equal(scores(d2l, found, X), scores(d2l, net, X))


def test_pretrained_from_a_file_exception(d2l, tmp_path):
    deep = d2l.save_weights(d2l.ResNet(34, 2, width=2), tmp_path / "34.safetensors")
    with pytest.raises(ValueError, match=r"34\.safetensors.*not of this net"):
        d2l.pretrained(18, deep)
    other = d2l.save_weights(d2l.TinySSD(1), tmp_path / "ssd.safetensors")
    with pytest.raises(ValueError, match=r"ssd\.safetensors.*not of a ResNet-18"):
        d2l.pretrained(18, other)
    with pytest.raises(FileNotFoundError, match="no weights file at"):
        d2l.pretrained(18, tmp_path / "none.safetensors")


# ---- names of classes ----------------------------------------------------------------


def test_pretrained_classes(d2l, tmp_path):
    """Places of ImageNet's names as its users know them; unknown names are not made up."""
    assert d2l.pretrained(18, "source").classes == d2l.SOURCE_CLASSES
    files = {n: tmp_path / f"{n}.safetensors" for n in (7, 1000)}
    for number, file in files.items():
        d2l.save_weights(d2l.ResNet(18, number, width=2), file)
    assert d2l.pretrained(18, files[7]).classes is None
    names = d2l.pretrained(18, files[1000]).classes
    assert len(names) == len(set(names)) == 1000
    known = {0: "tench", 207: "golden retriever", 934: "hotdog", 999: "toilet tissue"}
    assert {i: names[i] for i in known} == known


def test_new_output_has_no_class_names(d2l):
    """They were the old one's."""
    assert d2l.replace_output(d2l.pretrained(18, "source"), 32).classes is None


# ---- the source network --------------------------------------------------------------


def test_source_classes_are_those_of_the_set(d2l):
    from d2lcv.drawn.source import CLASSES

    assert list(d2l.SOURCE_CLASSES) == sorted(CLASSES)


def test_source_network_tells_them_apart(d2l):
    """Eight new pictures of each class; a guess would be right in one of 32."""
    from d2lcv.drawn.source import draw_source

    net = d2l.pretrained(18, "source")
    mean, std = np.float32(d2l.IMAGENET_MEAN), np.float32(d2l.IMAGENET_STD)
    right = []
    for label, name in enumerate(d2l.SOURCE_CLASSES):
        pictures = np.stack([draw_source(name, i, "test", seed=9) for i in range(8)])
        X = ((pictures / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
        guesses = scores(d2l, net, np.ascontiguousarray(X)).argmax(1)
        right.append((guesses == label).mean())
    assert np.mean(right) > 0.7
    assert min(right) > 0
