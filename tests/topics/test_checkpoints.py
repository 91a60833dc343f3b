"""Trainings that are cut and go on: as if they had not been cut, and on any backend."""

import importlib
import json

import numpy as np
import pytest

from d2lcv.randomness import current_seed, stream

OPTIMIZERS = pytest.mark.parametrize(
    "optimizer,options",
    [
        ("sgd", {"momentum": 0.9, "weight_decay": 0.01}),
        ("adam", {"weight_decay": 0.01}),
    ],
    ids=["sgd", "adam"],
)
EPOCHS, BATCHES = 3, 3


class Pictures:
    """Pictures with noise that is drawn anew in each pass."""

    def __len__(self):
        return 2 * BATCHES

    def example(self, i):
        image = np.random.default_rng(i).normal(size=(3, 8, 8))
        return (np.float32(image + stream().normal(size=image.shape)),)


class Training:
    """A small net with batch norms, its Trainer and its loader, from a seed."""

    def __init__(self, d2l, optimizer="adam", dropout=False, **options):
        d2l.seed(4)
        self.d2l, self.losses, self.epoch = d2l, [], 0
        self.net = d2l.to(d2l.down_sample_blk(3, 4), d2l.try_gpu())
        if dropout:
            native = importlib.import_module(f"columns.{d2l.backend_name()}")
            self.net = native.with_dropout(self.net)
        if optimizer == "own":
            native = importlib.import_module(f"columns.{d2l.backend_name()}")
            optimizer = native.adam(self.net, 0.01)
        else:
            options = {"lr": 0.01, "lr_scale": {"0": 3.0}, **options}
        self.trainer = d2l.Trainer(self.net, optimizer, **options)
        self.train_iter = d2l.loader(Pictures(), 2, shuffle=True)

    def step(self, X):
        return self.d2l.reduce_mean(self.net(X) ** 2), None

    def run(self, path, steps=None):
        """Train to the end, or until so many steps are made; save after each epoch."""
        while self.epoch < EPOCHS:
            rate = 0.01 * (1 + stream().random()) / (1 + self.epoch)
            for (X,) in self.train_iter:
                if len(self.losses) == steps:
                    return
                self.trainer.lr = rate
                X = self.d2l.to(X, self.d2l.try_gpu())
                self.losses.append(float(self.trainer.step(self.step, X)[0]))
            self.epoch += 1
            progress = {"epoch": self.epoch, "losses": self.losses}
            self.d2l.save_checkpoint(self.trainer, path, progress, [self.train_iter])

    def resume(self, path):
        progress = self.d2l.load_checkpoint(self.trainer, path, [self.train_iter])
        self.epoch, self.losses = progress["epoch"], progress["losses"]


@OPTIMIZERS
def test_a_cut_training_equals_the_uncut_one(d2l, tmp_path, optimizer, options):
    whole = Training(d2l, optimizer, **options)
    whole.run(tmp_path / "whole")
    drawn = stream().normal()
    # anywhere after the first epoch, in the midst of an epoch or between two
    cut = int(np.random.default_rng(len(optimizer)).integers(BATCHES, EPOCHS * BATCHES))
    Training(d2l, optimizer, **options).run(tmp_path / "cut", cut)
    d2l.seed(99)  # another process, which has drawn
    resumed = Training(d2l, optimizer, **options)
    resumed.resume(tmp_path / "cut")
    assert len(resumed.losses) == cut // BATCHES * BATCHES
    resumed.run(tmp_path / "cut")
    np.testing.assert_allclose(resumed.losses, whole.losses, rtol=0, atol=1e-6)
    after, expected = (d2l.get_weights(t.net) for t in (resumed, whole))
    for name, array in expected.items():
        np.testing.assert_allclose(after[name], array, rtol=0, atol=1e-6)
    assert resumed.trainer.lr == pytest.approx(whole.trainer.lr)
    assert resumed.trainer.steps == EPOCHS * BATCHES
    assert current_seed() == 4 and stream().normal() == drawn


def test_a_cut_training_draws_as_the_uncut_one(d2l, tmp_path):
    """Dropout, which the framework draws; in Keras each layer has its own generator."""
    whole = Training(d2l, "sgd", dropout=True)
    whole.run(tmp_path / "whole")
    Training(d2l, "sgd", dropout=True).run(tmp_path / "cut", BATCHES + 1)
    resumed = Training(d2l, "sgd", dropout=True)
    resumed.resume(tmp_path / "cut")
    resumed.run(tmp_path / "cut")
    np.testing.assert_allclose(resumed.losses, whole.losses, rtol=0, atol=1e-6)
    assert len(set(whole.losses)) == EPOCHS * BATCHES


def test_train_ch13_goes_on(d2l, tmp_path, capsys):
    class Labelled(Pictures):
        def example(self, i):
            return (*super().example(i), np.full((6, 6), i % 2, np.int64))

    def train(num_epochs, checkpoint):
        d2l.seed(2)
        net = d2l.to(d2l.conv2d(3, 2, 3), d2l.try_gpu())  # of each pixel
        trainer = d2l.Trainer(net, "sgd", lr=1e-3, momentum=0.9)
        loaders = [d2l.loader(Labelled(), 3, shuffle=True) for _ in range(2)]
        run = d2l.train_ch13(
            net, *loaders, d2l.cross_entropy, trainer, num_epochs, checkpoint=checkpoint
        )
        d2l.plt.close("all")
        return run

    whole = train(2, None)
    train(1, d2l.Checkpoint(tmp_path / "run"))  # a rate that does not fall: cut here
    said = capsys.readouterr().out.splitlines()[-3]
    assert said.startswith("epoch 1/1: loss ") and "test acc" in said
    resumed = train(2, d2l.Checkpoint(tmp_path / "run", resume=True))
    np.testing.assert_allclose(resumed.history, whole.history, rtol=0, atol=1e-6)
    assert resumed.num_examples == whole.num_examples == 4 * BATCHES
    again = train(2, d2l.Checkpoint(tmp_path / "run", resume=True))  # nothing is to do
    assert again.history == resumed.history and again.seconds == resumed.seconds


def test_state_by_hand(d2l):
    """One step of "adam": a tenth of the gradient, a thousandth of its square."""
    d2l.seed(0)
    net = d2l.to(d2l.cls_predictor(1, 1, 1), d2l.try_gpu())
    trainer = d2l.Trainer(net, "adam", lr=0.1)
    X = d2l.to(d2l.tensor(np.full((1, 1, 1, 1), 3, np.float32)), d2l.try_gpu())
    # the gradient of a sum: 3 in the middle of each kernel, 1 at each bias
    trainer.step(lambda X: (d2l.reduce_sum(net(X)), None), X)
    state = trainer.get_state()
    gradient = np.zeros((2, 1, 3, 3))
    gradient[..., 1, 1] = 3
    assert set(state) == {
        f"{kind}/{name}"
        for kind in ("mean", "square", "step")
        for name in ("weight", "bias")
    }
    np.testing.assert_allclose(state["mean/weight"], 0.1 * gradient, rtol=1e-5)
    np.testing.assert_allclose(state["square/weight"], 0.001 * gradient**2, rtol=1e-4)
    np.testing.assert_allclose(state["mean/bias"], [0.1, 0.1], rtol=1e-5)
    assert state["step/weight"] == state["step/bias"] == 1


def test_a_checkpoint_is_a_file_of_weights(d2l, tmp_path):
    d2l.seed(0)
    net = d2l.to(d2l.TinySSD(2), d2l.try_gpu())
    net.classes, net.image_size = ("cat", "dog"), (64, 96)
    path = d2l.save_checkpoint(d2l.Trainer(net, lr=0.1), tmp_path / "net")
    loaded = d2l.load(path)
    assert (loaded.classes, loaded.image_size) == (("cat", "dog"), (64, 96))
    other = d2l.load_weights(d2l.initialize(d2l.TinySSD(2)), path)
    for name, array in d2l.get_weights(net).items():
        np.testing.assert_array_equal(d2l.get_weights(loaded)[name], array)
        np.testing.assert_array_equal(d2l.get_weights(other)[name], array)


def test_wrong_files_exception(d2l, tmp_path):
    training, path = Training(d2l), tmp_path / "run"
    with pytest.raises(FileNotFoundError, match="no weights file"):
        d2l.load_checkpoint(training.trainer, path)
    d2l.save_weights(training.net, path)
    with pytest.raises(ValueError, match="this one has weights only"):
        d2l.load_checkpoint(training.trainer, path)
    d2l.save_checkpoint(training.trainer, path, {}, [training.train_iter])
    with pytest.raises(ValueError, match="loaders: expected 1"):
        d2l.load_checkpoint(training.trainer, path)
    sgd = Training(d2l, "sgd")
    with pytest.raises(ValueError, match="expected the optimizer 'adam'"):
        d2l.load_checkpoint(sgd.trainer, path, [sgd.train_iter])
    other = d2l.to(d2l.initialize(d2l.cls_predictor(3, 2, 1)), d2l.try_gpu())
    before = d2l.get_weights(other)
    with pytest.raises(ValueError, match="missing: weight"):
        d2l.load_checkpoint(d2l.Trainer(other, "adam", lr=1.0), path, [sgd.train_iter])
    for name, array in d2l.get_weights(other).items():
        np.testing.assert_array_equal(array, before[name])


def test_wrong_arguments_exception(d2l, tmp_path):
    training, path = Training(d2l), tmp_path / "run"
    with pytest.raises(TypeError, match=r"trainer: expected a d2lcv\.Trainer"):
        d2l.save_checkpoint(training.net, path)
    with pytest.raises(TypeError, match=r"loaders\[0\]: expected one of d2lcv\.loader"):
        d2l.save_checkpoint(training.trainer, path, {}, [[1, 2]])
    with pytest.raises(TypeError, match="progress: expected what JSON can say"):
        d2l.save_checkpoint(training.trainer, path, {"loss": np.float32(1)})
    state = {"mean/0.weight": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match=r"state: mean/0\.weight has shape \(3,\)"):
        training.trainer.set_state(state, 1)
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file(d2l, tmp_path, monkeypatch):
    training, path = Training(d2l), tmp_path / "run"
    d2l.save_checkpoint(training.trainer, path, {"epoch": 1})

    def full(*arguments, **options):
        raise OSError("no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "write_bytes", full)
        with pytest.raises(OSError, match="no space left"):
            d2l.save_checkpoint(training.trainer, path, {"epoch": 2})
    assert d2l.load_checkpoint(training.trainer, path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_the_file_says_it_in_json(d2l, tmp_path):
    from safetensors import safe_open

    training = Training(d2l)
    path = d2l.save_checkpoint(training.trainer, tmp_path / "run", {"epoch": 2})
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["d2lcv"])["checkpoint"]
    assert about["optimizer"] == "adam" and about["lr"] == 0.01 and about["steps"] == 0
    assert about["random"]["seed"] == 4 and about["progress"] == {"epoch": 2}
