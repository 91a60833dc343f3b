"""Several processes: their shares, their mean, and that together they are as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from d2lcv import distributed
from d2lcv.backends import backend, installed
from d2lcv.randomness import stream
from d2lcv.weights import read_weights

SCRIPT = Path(__file__).with_name("in_processes.py")
LAUNCHED = (
    "TORCHELASTIC_RUN_ID", "PADDLE_TRAINERS_NUM", "TF_CONFIG", "DMLC_ROLE"
)  # fmt: skip


class Drawing:
    """Its numbers, each with a fraction that is drawn as an augmentation is."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def example(self, i):
        assert 0 <= i < self.n
        return (np.float32(i + 0.9 * stream().random()),)


def pretend(monkeypatch, rank, size):
    monkeypatch.setattr(distributed._Processes, "rank", rank)
    monkeypatch.setattr(distributed._Processes, "size", size)


def numbers_of(loader):
    return [
        float(number)
        for batch in loader
        for number in backend.tensors.numpy(batch[0]).ravel()
    ]


# ---- in one process --------------------------------------------------------------------


def test_alone(d2l, monkeypatch):
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(distributed._Processes, "joined", False)
    assert d2l.join_processes() == d2l.join_processes() == (0, 1)
    assert (d2l.rank(), d2l.world_size()) == (0, 1)
    x = d2l.tensor([1.0, 2.0])
    assert d2l.process_mean(x) is x
    with pytest.raises(TypeError, match="x: expected a tensor"):
        d2l.process_mean(1.0)


def test_tensorflow_alone_in_its_cluster(d2l, monkeypatch):
    """A cluster of one worker, as some platforms set it up, is no cluster."""
    config = {"cluster": {"worker": ["127.0.0.1:1"]}, "task": {"index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    monkeypatch.setattr(distributed._Processes, "joined", False)
    assert d2l.join_processes() == (0, 1)


@pytest.mark.parametrize("n, size", [(6, 2), (7, 3), (2, 3), (1, 4)])
def test_shares_value(d2l, monkeypatch, n, size):
    """In turn they are the batches of one process; what is too much begins them again."""
    d2l.seed(1)
    whole = numbers_of(d2l.loader(Drawing(n), 1, shuffle=True))
    shares = []
    for rank in range(size):
        pretend(monkeypatch, rank, size)
        d2l.seed(1)
        shares.append(numbers_of(d2l.loader(Drawing(n), 1, shuffle=True)))
        assert len(numbers_of(d2l.loader(Drawing(n), 1))) == n  # not shuffled: all
    in_turn = [number for numbers in zip(*shares, strict=True) for number in numbers]
    assert in_turn == [whole[i % n] for i in range(len(in_turn))]
    assert n <= len(in_turn) < n + size
    assert {int(number) for number in in_turn} == set(range(n))


def test_batches_of_the_shares_are_those_of_the_set(d2l, monkeypatch):
    def batches(batch_size):
        d2l.seed(2)
        loader = d2l.loader(Drawing(12), batch_size, shuffle=True)
        return [d2l.numpy(numbers).tolist() for (numbers,) in loader]

    whole = batches(4)
    parts = []
    for rank in range(2):
        pretend(monkeypatch, rank, 2)
        parts.append(batches(2))
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == list(
        map(sorted, whole)
    )


def test_step_takes_the_mean_of_the_gradients(d2l, monkeypatch):
    """Another process whose gradients are three times ours: the step doubles."""

    def moved():
        d2l.seed(0)
        net = d2l.cls_predictor(2, 1, 1)
        before = d2l.get_weights(net)
        trainer = d2l.Trainer(net, "sgd", lr=0.1)
        X = d2l.tensor(np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4))
        trainer.step(lambda X: (d2l.reduce_mean(net(X)), None), X)
        return {k: v - before[k] for k, v in d2l.get_weights(net).items()}

    alone = moved()
    monkeypatch.setattr(
        backend.training, "average", lambda gs: [(g + 3 * g) / 2 for g in gs]
    )
    pretend(monkeypatch, 0, 2)
    together = moved()
    assert np.abs(alone["weight"]).min() > 0.01
    for name, value in alone.items():
        np.testing.assert_allclose(together[name], 2 * value, rtol=1e-4, atol=1e-6)


# ---- in two ----------------------------------------------------------------------------


def run(name, *options, tmp_path):
    """The status and output of `d2lcv run` with the small chapter, and its result."""
    out = tmp_path / f"out{len(options)}"
    environment = {k: v for k, v in os.environ.items() if k not in LAUNCHED}
    environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "d2lcv", "run", str(SCRIPT), "--backend", name),
            *("--out", str(out), *options),
        ],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    path = out / "result.json"
    result = json.loads(path.read_text()) if path.exists() else None
    return done.returncode, done.stdout + done.stderr, result, out


@pytest.mark.matrix
@pytest.mark.parametrize("name", installed())
def test_two_processes_are_as_one(name, tmp_path):
    """With shuffled, augmented examples: losses, accuracies, weights, one set of files."""
    status, said, one, whole = run(name, tmp_path=tmp_path)
    assert status == 0 and "batches 3 of 8" in said, said
    status, said, two, shared = run(name, "--processes", "2", tmp_path=tmp_path)
    assert status == 0 and said.count("batches 3 of 4") == 1, said
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["metrics"].pop("apart") == one["metrics"].pop("apart") == 0
    assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-5)
    assert one["metrics"]["loss 0"] != one["metrics"]["loss 1"]
    assert sorted(p.name for p in shared.iterdir()) == sorted(
        p.name for p in whole.iterdir()
    )
    for file in ("net", "checkpoint"):
        a, b = (read_weights(path / f"{file}.safetensors") for path in (whole, shared))
        for key, value in a.items():
            np.testing.assert_allclose(b[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.matrix
@pytest.mark.parametrize("name", installed())
@pytest.mark.parametrize("how", ["exit", "error"])
def test_failing_process_ends_the_others(name, how, tmp_path):
    """Within the time limit: nobody waits for ever for the one that is gone."""
    options = "--processes", "2", "--fail", how
    status, said, result, _ = run(name, *options, tmp_path=tmp_path)
    assert status not in (0, 2)
    assert {"exit": "on purpose", "error": "ZeroDivisionError"}[how] in said
    assert result is None or result["interrupted"]
