"""One small net, trained by one process or by several: the losses are the same.

    D2L_BACKEND=torch python tools/distributed.py                  # one process
    D2L_BACKEND=torch python tools/distributed.py --processes 2    # starts two

`--processes` starts the processes as the framework wants them started, on this machine
(`launch/`). With `--run SCRIPT …` it
starts that script instead. The last line printed is JSON: the loss of each step on the
whole batch, a sum over the weights afterwards, and the epochs of `d2lcv.train_ch13`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

import numpy as np

import d2lcv as d2l
from d2lcv.backends import resolve

# ---- what each process does ----------------------------------------------------------


class Examples:
    """Noise, and the class of each picture, as `d2lcv.loader` wants them."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.X = rng.normal(size=(n, 3, 8, 8)).astype(np.float32)
        self.y = self.X.sum(axis=(2, 3)).argmax(axis=1)

    def __len__(self) -> int:
        return len(self.X)

    def example(self, i: int) -> tuple[np.ndarray, ...]:
        return self.X[i], self.y[i]


def make_net() -> tuple[object, object]:
    """A convolution, the same in every process, and its trainer.

    There is no batch norm: in several processes its means are those of each share.
    """
    d2l.seed(0)
    net = d2l.cls_predictor(3, 1, 2)
    return net, d2l.Trainer(net, "sgd", lr=0.5, momentum=0.9, weight_decay=1e-3)


def loss(scores: object, y: object) -> object:
    """Of the classes of whole pictures, from scores of the pixels."""
    return d2l.cross_entropy(d2l.reduce_mean(d2l.tanh(scores), (2, 3)), y)


def train(steps: int, batch_size: int) -> dict[str, object]:
    """The same batches with a loop of one's own, and with the engine's."""
    rank, world_size = d2l.join_processes()
    share = d2l.shard(Examples(steps * batch_size))
    batches = d2l.loader(share, batch_size // world_size)

    net, trainer = make_net()

    def step(X: object, y: object) -> tuple[object, tuple[()]]:
        return d2l.reduce_mean(loss(net(X), y)), ()

    means = [d2l.process_mean(trainer.step(step, X, y)[0]) for X, y in batches]
    weights = {k: float(np.abs(v).sum()) for k, v in d2l.get_weights(net).items()}

    net, trainer = make_net()
    pixels = [(X, pixel_labels(y)) for X, y in batches]
    run = d2l.train_ch13(net, pixels, None, d2l.cross_entropy, trainer, 2)
    d2l.plt.close("all")  # no file of the curves
    return {
        "rank": rank,
        "processes": world_size,
        "losses": [float(d2l.numpy(mean)) for mean in means],
        "weights": weights,
        "history": [[loss_, train_acc] for loss_, train_acc, _ in run.history],
        "num_examples": run.num_examples,
    }


def pixel_labels(y: object) -> object:
    """The class of a picture as the class of each of its pixels, (B,) → (B, 8, 8)."""
    return d2l.stack([d2l.stack([y] * 8, 1)] * 8, 1)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, metavar="N", help="start so many")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--out", metavar="FILE", help="also write the JSON to FILE")
    parser.add_argument(
        "--run", nargs=argparse.REMAINDER, metavar="SCRIPT", help="start this instead"
    )
    options = parser.parse_args()
    if options.processes:
        own = [str(Path(__file__).resolve()), f"--steps={options.steps}"]
        own += [f"--batch-size={options.batch_size}"]
        own += [f"--out={options.out}"] if options.out else []
        name = resolve(d2l.use())
        launch = importlib.import_module(f"launch.{name}").launch
        return launch(options.processes, options.run or own)
    if options.run:
        parser.error("--run: expected --processes N, too")
    if options.batch_size < 2 or options.steps < 1:
        parser.error("--steps, --batch-size: expected at least 1 and 2")
    result = train(options.steps, options.batch_size)
    if result["rank"] == 0:
        text = json.dumps(result)
        if options.out:
            Path(options.out).write_text(text + "\n", encoding="utf-8")
        print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
