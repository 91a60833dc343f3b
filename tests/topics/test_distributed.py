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

TOOL = Path(__file__).parents[2] / "tools" / "distributed.py"
LAUNCHED = (
    "TORCHELASTIC_RUN_ID", "PADDLE_TRAINERS_NUM", "TF_CONFIG", "DMLC_ROLE"
)  # fmt: skip


class Numbers:
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def example(self, i):
        assert 0 <= i < self.n
        return (np.float32(i),)


def pretend(monkeypatch, rank, size):
    monkeypatch.setattr(distributed._Processes, "rank", rank)
    monkeypatch.setattr(distributed._Processes, "size", size)


def numbers_of(share):
    return [int(share.example(i)[0]) for i in range(len(share))]


# ---- in one process --------------------------------------------------------------------


def test_alone(d2l, monkeypatch):
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(distributed._Processes, "joined", False)
    assert d2l.join_processes() == d2l.join_processes() == (0, 1)
    assert (d2l.rank(), d2l.world_size()) == (0, 1)
    examples, x = Numbers(3), d2l.tensor([1.0, 2.0])
    assert d2l.shard(examples) is examples
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
    shares = []
    for rank in range(size):
        pretend(monkeypatch, rank, size)
        shares.append(numbers_of(d2l.shard(Numbers(n))))
    assert len({len(share) for share in shares}) == 1
    # in turn they are the set; what is too much begins it again
    in_turn = [number for numbers in zip(*shares, strict=True) for number in numbers]
    assert in_turn == [i % n for i in range(len(in_turn))]
    assert n <= len(in_turn) < n + size


def test_batches_of_the_shares_are_those_of_the_set(d2l, monkeypatch):
    def batches(examples, batch_size):
        return [
            sorted(d2l.numpy(b[0]).tolist()) for b in d2l.loader(examples, batch_size)
        ]

    whole = batches(Numbers(12), 4)
    parts = []
    for rank in range(2):
        pretend(monkeypatch, rank, 2)
        parts.append(batches(d2l.shard(Numbers(12)), 2))
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == whole


def test_shares_draw_other_numbers(d2l, monkeypatch):
    """Else two processes would augment their examples in the same way."""
    from d2lcv.randomness import stream, stream_of

    class Drawing(Numbers):
        def example(self, i):
            return (stream().random(),)

    drawn = []
    for rank in (0, 1, 0):
        pretend(monkeypatch, rank, 2)
        with stream_of(5):
            drawn.append(d2l.shard(Drawing(4)).example(0)[0])
    assert drawn[0] == drawn[2] != drawn[1]


def test_share_exceptions(d2l, monkeypatch):
    pretend(monkeypatch, 0, 2)
    with pytest.raises(IndexError, match="example 2 of a share of 2"):
        d2l.shard(Numbers(4)).example(2)


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
    out = tmp_path / "result.json"
    environment = {k: v for k, v in os.environ.items() if k not in LAUNCHED}
    environment |= {
        "D2L_BACKEND": name,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        [sys.executable, str(TOOL), f"--out={out}", *options],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())


@pytest.mark.matrix
@pytest.mark.parametrize("name", installed())
def test_two_processes_are_as_one(name, tmp_path):
    """The losses of each step, the weights, and the epochs of `train_ch13`."""
    one = run(name, tmp_path=tmp_path)
    two = run(name, "--processes", "2", tmp_path=tmp_path)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["num_examples"] == two["num_examples"] == 80
    assert len(set(one["losses"])) == 5
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-5)
    np.testing.assert_allclose(two["history"], one["history"], rtol=1e-5)
    for key, value in one["weights"].items():
        np.testing.assert_allclose(two["weights"][key], value, rtol=1e-5)


@pytest.mark.matrix
@pytest.mark.parametrize("name", installed())
def test_failing_process_ends_the_others(name, tmp_path):
    """Within the time limit: nobody waits for ever for the one that is gone."""
    script = tmp_path / "fails.py"
    script.write_text(
        "import d2lcv as d2l\n"
        "rank, _ = d2l.join_processes()\n"
        "assert rank == 0, 'on purpose'\n"
        "d2l.process_mean(d2l.tensor([1.0]))\n"
    )
    environment = os.environ | {"D2L_BACKEND": name, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(TOOL), "--processes", "2", "--run", str(script)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode != 0
