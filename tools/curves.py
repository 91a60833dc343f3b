"""Train the same detector on every backend from one seed, and draw the curves as one.

    python tools/curves.py                       # all installed backends
    python tools/curves.py --steps 250 --out curves.png --python mxnet=/path/to/python

Each backend trains in a process of its own, on the same synthetic pictures in the same
order from the same initial weights. Above: the loss of each step. Below: how far each
backend's loss is from the first one's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from d2lcv.backends import REGISTRY, installed, resolve
from d2lcv.backends.worker import Worker

HERE = str(Path(__file__).resolve())


def losses(steps: int, seed: int, side: int, batch_size: int, lr: float) -> np.ndarray:
    """In a worker: the loss of each training step on the active backend."""
    import d2lcv as d2l

    d2l.seed(seed)
    train_iter, _ = d2l.load_data_bananas(batch_size, size=(side, side))
    net = d2l.to(d2l.TinySSD(1), d2l.try_gpu())
    trainer = d2l.Trainer(net, "adam", lr=lr)

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), ()

    values: list[float] = []
    while len(values) < steps:
        for X, Y in train_iter:
            X, Y = d2l.to(X, d2l.try_gpu()), d2l.to(Y, d2l.try_gpu())
            trainer.lr = lr * d2l.warmup_cosine(len(values) / steps)
            values.append(float(d2l.numpy(trainer.step(step, X, Y)[0])))
            if len(values) == steps:
                break
    return np.array(values)


def draw(curves: dict[str, np.ndarray], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5.5), sharex=True)
    first, *others = curves
    for width, (name, values) in zip((5, 3.4, 2, 1), curves.items(), strict=False):
        above.semilogy(values, linewidth=width, label=REGISTRY[name].title)
    for i, name in enumerate(others):
        gap = np.abs(curves[name] / curves[first] - 1)
        label = f"{REGISTRY[name].title} against {REGISTRY[first].title}"
        below.semilogy(np.maximum(gap, 1e-9), color=f"C{i + 1}", label=label)
    above.set_ylabel("loss")
    below.set_ylabel("relative difference")
    below.set_xlabel("step")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", nargs="+", type=resolve)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--out", default="out/curves.png")
    o = parser.parse_args()
    pythons = {resolve(k): v for k, _, v in (p.partition("=") for p in o.python)}
    names = o.backend or [b for b in REGISTRY if b in {*installed(), *pythons}]
    curves = {}
    for name in names:
        with Worker(name, pythons.get(name)) as worker:
            curves[name] = worker.call(
                f"{HERE}:losses", o.steps, o.seed, o.side, o.batch_size, o.lr
            )
        ends = curves[name][0], curves[name][-20:].mean()
        print(f"{name}: first loss {ends[0]:.6f}, mean of the last 20 {ends[1]:.6f}")
    Path(o.out).parent.mkdir(parents=True, exist_ok=True)
    draw(curves, o.out)
    print(f"figure: {o.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
