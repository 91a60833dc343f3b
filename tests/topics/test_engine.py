"""The training engine against NumPy, also with each framework's own objects."""

import inspect
import re

import numpy as np
import pytest

from d2lcv import engine
from d2lcv.proof import cases
from d2lcv.proof.case import compare
from d2lcv.proof.cases.engine import (
    IMAGES,
    RATE,
    STEPS,
    TRUTH,
    labels,
    pixel_batches,
    pixel_net,
    pixel_training,
    pixel_weights,
    pixels_by_hand,
    residual_batches,
    residual_net,
)

SIGNATURES = """
    accuracy y_hat y
    evaluate_accuracy_gpu net data_iter device
    evaluate_accuracy_gpus net data_iter split_f
    split_batch X y devices
    train_batch_ch13 net X y loss trainer devices split_f
    train_ch13 net train_iter test_iter loss trainer num_epochs devices split_f
"""


@pytest.fixture(autouse=True)
def _no_figures(d2l, tmp_path):
    d2l.set_output(tmp_path)
    yield
    d2l.plt.close("all")
    engine._step.cache_clear()


@pytest.mark.parametrize("line", SIGNATURES.strip().splitlines())
def test_argument_order(d2l, line):
    name, *wanted = line.split()
    given = inspect.signature(getattr(d2l, name)).parameters
    assert list(given)[: len(wanted)] == wanted
    for parameter in list(given.values())[len(wanted) :]:
        assert parameter.default is not parameter.empty, f"{name}: {parameter}"


# ---- the framework's own ---------------------------------------------------------------


def test_native_losses_and_optimizers(d2l, native):
    """Every reduction takes the same step: the one of the mean."""
    make_optimizer, losses = native.optimizer_and_losses(RATE)
    case = cases.by_name["training_of_pixels"]

    def make_trainer(net):
        return d2l.Trainer(net, "sgd", lr=RATE)

    for loss in [*losses, d2l.cross_entropy]:
        for maker in (make_optimizer, make_trainer):
            answer = pixel_training(d2l, loss, maker)
            compare(answer, case.expected(), case)


# ---- several devices -------------------------------------------------------------------


@pytest.mark.parametrize("n, num", [(8, 2), (7, 3), (2, 5), (1, 1)])
def test_split_batch_value(d2l, n, num):
    X, y = np.arange(n * 2, dtype=np.float32).reshape(n, 2), np.arange(n)
    devices = [d2l.try_gpu()] * num
    X_parts, y_parts = d2l.split_batch(d2l.tensor(X), labels(d2l, y), devices)
    assert len(X_parts) == len(y_parts) == min(n, num)
    sizes = [len(part) for part in y_parts]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1
    assert [len(part) for part in X_parts] == sizes
    assert (np.concatenate([d2l.numpy(part) for part in X_parts]) == X).all()
    assert (np.concatenate([d2l.numpy(part) for part in y_parts]) == y).all()


def test_masks_are_split(d2l):
    masks = np.arange(12).reshape(4, 3) % 2 == 0
    parts, _ = d2l.split_batch(
        d2l.tensor(masks), labels(d2l, np.arange(4)), [d2l.try_gpu()] * 2
    )
    assert [d2l.numpy(part).tolist() for part in parts] == [
        masks[:2].tolist(),
        masks[2:].tolist(),
    ]


def test_split_f_is_used(d2l):
    """The reader's own: here it takes the first half of every batch away."""

    def half(X, y, devices):
        n = len(y) // 2
        return [X[n:]], [y[n:]]

    net = pixel_net(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=RATE)
    args = d2l.cross_entropy, trainer, d2l.try_all_gpus()
    ((X, y), *_) = pixel_batches(d2l)
    loss, right = d2l.train_batch_ch13(net, X, y, *args, half)

    other = pixel_net(d2l)
    trainer = d2l.Trainer(other, "sgd", lr=RATE)
    args = d2l.cross_entropy, trainer, d2l.try_all_gpus()
    wanted = d2l.train_batch_ch13(other, X[2:], y[2:], *args)
    for got, value in zip((loss, right), wanted, strict=True):
        np.testing.assert_allclose(d2l.numpy(got), d2l.numpy(value), rtol=1e-6)
    for name, value in d2l.get_weights(other).items():
        np.testing.assert_allclose(d2l.get_weights(net)[name], value, rtol=1e-6)


# ---- a whole run -----------------------------------------------------------------------


def run_pixels(d2l, batches, num_epochs=1, test_iter=None, **options):
    net = pixel_net(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=RATE)
    loss = d2l.cross_entropy
    result = d2l.train_ch13(
        net, batches, test_iter, loss, trainer, num_epochs, **options
    )
    return net, trainer, result


def test_run_value(d2l, capsys):
    """The last batch is smaller: means are over examples and pixels, not over batches."""
    expected = pixels_by_hand()
    batches = pixel_batches(d2l)
    net, _, result = run_pixels(d2l, batches, test_iter=batches[:2])
    np.testing.assert_allclose(result.loss, expected["loss"].sum() / 20, rtol=1e-5)
    assert result.train_acc == expected["right"].sum() / TRUTH.size
    assert result.num_examples == 20
    assert result.history == ((result.loss, result.train_acc, result.test_acc),)
    assert result.examples_per_sec == result.num_examples / result.seconds

    scores = [d2l.numpy(d2l.predict(net, X)) for X, _ in batches[:2]]
    right = [(s.argmax(1) == y).mean() for s, y in zip(scores, TRUTH, strict=False)]
    assert result.test_acc == pytest.approx(np.mean(right))

    _, first, second = capsys.readouterr().out.strip().splitlines()
    numbers = [float(n) for n in re.findall(r"[\d.]+", first)]
    assert numbers == [round(v, 3) for v in result.history[0]]
    assert first.startswith("loss ") and ", train acc " in first and "test acc" in first
    assert second.startswith(f"{result.examples_per_sec:.1f} examples/sec on ")


def test_run_of_uneven_batches_value(d2l):
    """A rate of 0: both epochs are of one net, and any order of examples is."""
    batches = pixel_batches(d2l)[:2]
    uneven = [batches[0], tuple(part[:1] for part in batches[1])]
    net = pixel_net(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.0)
    args = d2l.cross_entropy, trainer, 2
    result = d2l.train_ch13(net, uneven, None, *args)
    scores = [d2l.numpy(d2l.predict(net, X)) for X, _ in uneven]
    scores = np.concatenate(scores).astype(np.float64)
    truth = np.concatenate([TRUTH[0], TRUTH[1, :1]])
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(np.take_along_axis(p, truth[:, None], 1)).mean()
    for epoch in result.history:
        assert epoch[0] == pytest.approx(loss, rel=1e-5)
        assert epoch[1] == pytest.approx((scores.argmax(1) == truth).mean())
        assert epoch[2] is None
    assert result.num_examples == 10 and len(result.history) == 2


def test_run_from_one_batch_up(d2l, capsys):
    for n in (1, 2, 6):
        batches = (pixel_batches(d2l) * 2)[:n]
        _, _, result = run_pixels(d2l, batches, 2)
        assert result.num_examples == 2 * 4 * n
        assert "test acc" not in capsys.readouterr().out


def test_run_of_a_loader_without_length(d2l):
    class Endless:
        def __iter__(self):
            return iter(pixel_batches(d2l))

    _, _, result = run_pixels(d2l, Endless(), 2)
    assert result.num_examples == 2 * STEPS * 4


def test_examples_per_second_are_of_all_training(d2l, monkeypatch):
    """A clock that a batch moves by a second each and an evaluation by a hundred."""
    clock = [0.0]
    monkeypatch.setattr("d2lcv.meters.time.perf_counter", lambda: clock[0])

    def taking(seconds):
        for batch in pixel_batches(d2l):
            clock[0] += seconds
            yield batch

    class Slow:
        def __init__(self, seconds):
            self.seconds = seconds

        def __iter__(self):
            return taking(self.seconds)

    _, _, result = run_pixels(d2l, Slow(1.0), 3, Slow(100.0))
    assert result.seconds == 3 * STEPS
    assert result.examples_per_sec == 4


def test_before_batch(d2l):
    """It is told the epochs done; a rate of 0 then leaves the weights alone."""
    seen = []
    net = pixel_net(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=RATE)

    def before_batch(epochs):
        seen.append(epochs)
        trainer.lr = 0.0

    batches = pixel_batches(d2l)[:4]
    loss = d2l.cross_entropy
    d2l.train_ch13(net, batches, None, loss, trainer, 2, before_batch=before_batch)
    assert seen == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert (d2l.get_weights(net)["weight"] == pixel_weights()[0]).all()


def test_curves(d2l, tmp_path):
    """Drawn five times per epoch; the numbers of an epoch at its end."""
    drawn = []

    class Animator(d2l.Animator):
        def __init__(self, **options):
            super().__init__(**options)
            drawn.append(options["legend"])

        def add(self, x, y):
            super().add(x, y)
            drawn.append((x, y))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("d2lcv.figures.Animator", Animator)
        batches = pixel_batches(d2l) * 2
        _, _, result = run_pixels(d2l, batches, 1, batches[:1])
    legend, *points = drawn
    assert legend == ["train loss", "train acc", "test acc"]
    assert [x for x, _ in points] == [0.2, 0.4, 0.6, 0.8, 1]
    assert [len(y) for _, y in points] == [2, 2, 2, 2, 3]  # no test within an epoch
    assert tuple(points[-1][1]) == result.history[0]

    run_pixels(d2l, batches[:1], figure="learning")
    assert (tmp_path / "learning.png").exists()


@pytest.mark.parametrize(
    "losses,top", [((0.7, 0.4), 1), ((0.5, 3.2, 2.4), 3.36), ((float("inf"), 0.5), 1)]
)
def test_curves_show_high_losses(d2l, losses, top):
    """Accuracies need 0 to 1; a loss beyond that raises the upper end."""
    curves = engine._Curves(len(losses), [], True)
    for epoch, loss in enumerate(losses, 1):
        curves.add(epoch, (loss, 0.5, 0.5))
    assert curves.animator.axes[0].get_ylim() == pytest.approx((0, top))


def test_ignored_labels_do_not_count(d2l):
    """Neither as right nor as wrong; the loss is told by itself."""
    ((X, _), *_), y = pixel_batches(d2l), TRUTH[0].copy()
    y[:, 2:] = 255
    net = pixel_net(d2l)
    guesses = d2l.numpy(d2l.predict(net, X)).argmax(1)
    expected = (guesses == y)[y != 255].mean()
    assert 0 < expected < 1
    batch = [(X, labels(d2l, y))]
    found = d2l.evaluate_accuracy_gpu(net, batch, ignore=255)
    assert found == pytest.approx(expected)
    assert d2l.evaluate_accuracy_gpus(net, batch, ignore=255) == found

    def mean_score(y_hat, y):
        return d2l.reduce_mean(y_hat) * 0.0

    trainer = d2l.Trainer(net, "sgd", lr=0.0)
    result = d2l.train_ch13(net, batch, batch, mean_score, trainer, 1, ignore=255)
    assert result.train_acc == result.test_acc == pytest.approx(expected)


def test_evaluation_leaves_the_net_alone(d2l):
    """Its statistics are used and kept; so is the mode, where there is one."""
    net = residual_net(d2l)
    (X, y), (X2, y2) = residual_batches(d2l, 2)
    before = d2l.get_weights(net)
    d2l.train_ch13(
        net, [(X, y)], None, d2l.cross_entropy, d2l.Trainer(net, "sgd", lr=0.0), 1
    )
    trained = d2l.get_weights(net)
    assert (
        trained["features.bn1.running_mean"] != before["features.bn1.running_mean"]
    ).any()
    mode = getattr(net, "training", None)
    batches = [(X, y), (X2[:3], y2[:3])]
    share = d2l.evaluate_accuracy_gpu(net, batches)
    assert getattr(net, "training", None) == mode
    for name, value in d2l.get_weights(net).items():
        assert (value == trained[name]).all(), name
    # one by one: with statistics of the batch it would be another answer
    rights = []
    for X, y in batches:
        for i in range(len(y)):
            scores = d2l.numpy(d2l.predict(net, X[i : i + 1]))
            rights.append(scores.argmax() == d2l.numpy(y)[i])
    assert share == pytest.approx(np.mean(rights))
    device = d2l.try_gpu()
    assert d2l.evaluate_accuracy_gpu(net, [(X2, y2)], device) == pytest.approx(
        d2l.evaluate_accuracy_gpus(net, [(X2, y2)])
    )


def test_step_is_made_once(d2l, native):
    """Where steps are compiled, the loss is traced, not run again for every batch."""
    calls = []

    def loss(y_hat, y):
        calls.append(1)
        return d2l.cross_entropy(y_hat, y)

    net = pixel_net(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=RATE)
    for X, y in pixel_batches(d2l):
        d2l.train_batch_ch13(net, X, y, loss, trainer, d2l.try_all_gpus())
    assert len(calls) == (1 if native.COMPILES else STEPS)


def test_net_is_not_kept(d2l):
    """Not more than two nets with their trainers are, however many are trained."""
    for _ in range(4):
        run_pixels(d2l, pixel_batches(d2l)[:1])
    assert engine._step.cache_info().currsize <= 2


# ---- errors ----------------------------------------------------------------------------


def test_exceptions(d2l):
    batches, loss = pixel_batches(d2l), d2l.cross_entropy
    net = pixel_net(d2l)
    trainer = d2l.Trainer(net, "sgd", lr=0.0)

    def run(**changed):
        named = {
            "net": net,
            "train_iter": batches,
            "test_iter": None,
            "loss": loss,
            "trainer": trainer,
            "num_epochs": 1,
        }
        return d2l.train_ch13(**named | changed)

    with pytest.raises(ValueError, match="num_epochs: expected at least 1, got 0"):
        run(num_epochs=0)
    with pytest.raises(ValueError, match="devices: expected at least one"):
        run(devices=[])
    with pytest.raises(ValueError, match=r"train_iter: .* got none in epoch 1"):
        run(train_iter=[])
    with pytest.raises(ValueError, match=r"none in epoch 2 \(a generator"):
        run(train_iter=iter(batches), num_epochs=2)
    with pytest.raises(ValueError, match="_iter: expected labels"):
        run(test_iter=[])
    with pytest.raises(
        TypeError, match=r"trainer: expected a d2lcv.Trainer .* got str"
    ):
        run(trainer="sgd")
    with pytest.raises(TypeError, match="loss: expected a function"):
        run(loss="mean")
    with pytest.raises(ValueError, match="another net's"):
        run(net=pixel_net(d2l))


def test_diverging_run_stops(d2l, native):
    """With our trainer and with the framework's own optimizer."""
    make_optimizer, _ = native.optimizer_and_losses(RATE)
    batches = pixel_batches(d2l)

    def bad_loss(y_hat, y):
        return d2l.cross_entropy(y_hat, y) * float("nan")

    for make in (make_optimizer, lambda net: d2l.Trainer(net, "sgd", lr=RATE)):
        net = pixel_net(d2l)
        with pytest.raises(FloatingPointError, match=r"step 1 is nan.*diverges"):
            d2l.train_ch13(net, batches * 4, None, bad_loss, make(net), 1)


def test_argument_exceptions(d2l):
    X, y = d2l.tensor(IMAGES[0]), labels(d2l, TRUTH[0])
    devices = d2l.try_all_gpus()
    with pytest.raises(
        ValueError, match="expected as many labels as examples, 4, got 3"
    ):
        d2l.split_batch(X, y[:3], devices)
    with pytest.raises(ValueError, match="devices: expected at least one, got none"):
        d2l.split_batch(X, y, [])
    with pytest.raises(ValueError, match="y_hat: expected shape"):
        d2l.accuracy(X, y[:, :3])
    with pytest.raises(ValueError, match="y_hat: expected shape"):
        d2l.accuracy(X, y[:3])
    with pytest.raises(TypeError, match="y_hat: expected a tensor"):
        d2l.accuracy(IMAGES[0], y)
    with pytest.raises(TypeError, match="y: expected a tensor"):
        d2l.accuracy(X, TRUTH[0])
    with pytest.raises(ValueError, match="_iter: expected labels"):
        d2l.evaluate_accuracy_gpu(pixel_net(d2l), [])
