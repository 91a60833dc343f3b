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
import processes

from d2lcv.backends import REGISTRY
from d2lcv.backends.worker import Worker


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
    processes.add_options(parser)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--out", default="out/curves.png")
    o = parser.parse_args()
    curves = {}
    for name, python in processes.chosen(o).items():
        with Worker(name, python) as worker:
            curves[name] = worker.call(
                f"{processes.HERE}:train", o.steps, o.seed, o.side, o.batch_size, o.lr
            )
        ends = curves[name][0], curves[name][-20:].mean()
        print(f"{name}: first loss {ends[0]:.6f}, mean of the last 20 {ends[1]:.6f}")
    Path(o.out).parent.mkdir(parents=True, exist_ok=True)
    draw(curves, o.out)
    print(f"figure: {o.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
