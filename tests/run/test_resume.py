"""A chapter that is cut and goes on, the lines of its epochs, and how a signal ends it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from d2lcv import meters
from d2lcv.checkpoints import Checkpoint, Epochs
from d2lcv.meters import duration
from d2lcv.randomness import stream

SETTINGS = {"num_epochs": 4, "lr": 0.1}


class Numbers:
    def __len__(self):
        return 6

    def example(self, i):
        return (np.float32(stream().normal(size=(1, 2, 2)) + i),)


def train(d2l, line, cut=None, number=signal.SIGINT):
    """A small chapter; in epoch `cut`, after the first of three steps, comes a signal."""
    run = d2l.Chapter("small", SETTINGS, SETTINGS, argv=line.split(), data=())
    net = d2l.to(d2l.conv2d(1, 1, 1), run.device)
    trainer = d2l.Trainer(net, "sgd", lr=run.lr, momentum=0.9)
    train_iter = d2l.loader(Numbers(), 2, shuffle=True)
    epochs = run.epochs(run.num_epochs, trainer, train_iter)

    def step(X):
        return d2l.reduce_mean((net(X) - 1) ** 2), None

    for epoch in epochs:
        for (X,) in train_iter:
            trainer.lr = run.lr / (1 + epoch) / 100
            loss, _ = trainer.step(step, d2l.to(X, run.device))
            if epoch == cut:
                os.kill(os.getpid(), number)
        epochs.add({"loss": loss})
    run.report(epochs.last)
    return run, epochs, d2l.get_weights(net)


@pytest.fixture
def folder(d2l, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    d2l.set_output("out")


def result_of(name):
    return json.loads((Path(name) / "result.json").read_text())


def test_a_cut_chapter_equals_the_uncut_one(d2l, folder, capsys):
    _, whole, expected = train(d2l, "--out whole")
    capsys.readouterr()
    with pytest.raises(KeyboardInterrupt):
        train(d2l, "--out cut", cut=2)
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"small: interrupted after epoch 2, as it is in "
        f"{Path('cut', 'checkpoint.safetensors')}; the same command with --resume goes on "
        "from there"
    )
    assert result_of("cut")["metrics"] == whole.history[1]
    assert result_of("cut")["interrupted"] is True
    _, resumed, after = train(d2l, "--out cut --resume")
    np.testing.assert_allclose(
        [row["loss"] for row in resumed.history],
        [row["loss"] for row in whole.history],
        atol=1e-6,
    )
    for name, array in expected.items():
        np.testing.assert_allclose(after[name], array, atol=1e-6)
    assert result_of("cut")["metrics"] == pytest.approx(result_of("whole")["metrics"])
    assert "interrupted" not in result_of("cut")
    longer = train(d2l, "--out cut --resume --num-epochs 5")[1].history
    assert longer[:4] == resumed.history and len(longer) == 5


def test_other_settings_exception(d2l, folder):
    train(d2l, "--out run --num-epochs 1")
    with pytest.raises(ValueError, match=r"with lr 0\.1, and this one has 0\.2"):
        train(d2l, "--out run --lr 0.2 --resume")
    with pytest.raises(ValueError, match="with seed 0, and this one has 1"):
        train(d2l, "--out run --seed 1 --resume")
    assert len(train(d2l, "--out run --lr 0.2")[1].history) == 4  # begun anew


def test_first_epoch_cut(d2l, folder, capsys):
    with pytest.raises(KeyboardInterrupt):
        train(d2l, "--out run", cut=0)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "small: interrupted before the first epoch of a training was done"
    assert result_of("run")["metrics"] == {}
    _, epochs, _ = train(d2l, "--out run --resume")
    assert len(epochs.history) == 4
    assert "is not there yet: beginning with epoch 1" in capsys.readouterr().out


def test_a_signal_ends_the_process(d2l, folder):
    """By that signal, so that who started it knows; in a sentence and no traceback."""
    number = signal.SIGTERM
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import d2lcv, test_resume\n"
        f"test_resume.train(d2lcv, '--out run', 1, {int(number)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "D2L_BACKEND": d2l.backend_name()},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == -number, done.stderr[-2000:]
    assert "small: interrupted after epoch 1, " in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert result_of("run")["interrupted"] is True


# ---- what is said --------------------------------------------------------------------


@pytest.mark.once
def test_lines_of_epochs(capsys):
    drawn = []

    class Animator:
        def add(self, x, y):
            drawn.append((x, y))

    epochs = Epochs(2, None, animator=Animator())
    for epoch in epochs:
        epochs.add({"class_error": 0.125, "mAP@0.5": epoch})
    first, last = capsys.readouterr().out.splitlines()
    time = r"\d+(\.\d)? s"
    assert re.fullmatch(
        rf"epoch 1/2: class error 0\.125, mAP@0\.5 0, {time}, {time} to go", first
    )
    assert re.fullmatch(rf"epoch 2/2: class error 0\.125, mAP@0\.5 1, {time}", last)
    assert drawn == [(1, [0.125, 0.0]), (2, [0.125, 1.0])]
    assert epochs.last == {"class_error": 0.125, "mAP@0.5": 1.0}


@pytest.mark.once
def test_tensorboard(tmp_path):
    """The numbers of each epoch, read again from the file's records."""
    writer = pytest.importorskip("tensorboardX")
    board = Checkpoint(tmp_path / "run", tensorboard=tmp_path / "board")
    board.draw(1, {"loss": 0.5, "accuracy": 0.25})
    board.draw(2, {"loss": 0.125})
    (path,) = (tmp_path / "board").iterdir()
    data, found = path.read_bytes(), []
    while data:  # length, its checksum, an event, its checksum
        length = int.from_bytes(data[:8], "little")
        event = writer.proto.event_pb2.Event.FromString(data[12 : 12 + length])
        found += [(v.tag, v.simple_value, event.step) for v in event.summary.value]
        data = data[16 + length :]
    assert found == [("loss", 0.5, 1), ("accuracy", 0.25, 1), ("loss", 0.125, 2)]


@pytest.mark.once
def test_lines_within_an_epoch(monkeypatch, capsys):
    """In a log, where no bar can be shown, a line tells how far a long loop is."""
    clock = iter([0.0, 10.0, 31.0, 40.0, 100.0])
    monkeypatch.setattr(meters.time, "perf_counter", lambda: next(clock))
    assert list(meters.progress("abcd", "epoch 1/2")) == list("abcd")
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/2: 1 of 4 after 31 s",
        "epoch 1/2: 3 of 4 after 2 min",
    ]


@pytest.mark.once
@pytest.mark.parametrize(
    "seconds,said",
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (3570, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration_value(seconds, said):
    assert duration(seconds) == said
