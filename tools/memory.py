"""Peak memory of training on few and on many pictures: it must not grow with the set.

    python tools/memory.py                            # every installed backend
    python tools/memory.py --backend torch --images 100 1000

Each training, of a small FCN on drawn pictures in VOC's layout, runs in a process of its
own and goes through its set once, in batches of equal size. The table has a row for each
backend: the peak of each process, and how much the largest set takes more than the
smallest. Above a tenth the exit status is 1.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

import processes

from d2lcv.backends.worker import Worker

HERE = str(Path(__file__).resolve())
ALLOWED = 0.1


def peak(images: int, batch_size: int = 10, side: int = 64) -> float:
    """In a worker: peak memory of this process in MiB after one pass."""
    import d2lcv as d2l
    from d2lcv.drawn.sets import synthetic

    folder = synthetic("voc", num_train=images, num_val=1, size=2 * side)
    d2l.seed(0)
    net = d2l.FCN(21, d2l.ResNet(18, 10, width=8), 8)
    trainer = d2l.Trainer(net, "sgd", lr=0.01)

    def step(X, Y):
        return d2l.reduce_mean(d2l.segmentation_loss(net(X), Y)), ()

    data = d2l.VOCSegDataset(True, (side, side), folder, "ignore")
    for X, Y in d2l.loader(data, batch_size, shuffle=True):
        if len(X) == batch_size:  # TensorFlow compiles a step for each size
            trainer.step(step, X, Y)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    processes.add_options(parser)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    sizes, worst = sorted(options.images), 0.0
    columns = "".join(f"{f'{n} images':>16}" for n in sizes)
    print(f"{'peak memory, MiB':<20}{columns}{'growth':>10}")
    for name, python in processes.chosen(options).items():
        peaks = []
        for images in sizes:
            with Worker(name, python) as worker:
                peaks.append(worker.call(f"{HERE}:peak", images))
        growth = peaks[-1] / peaks[0] - 1
        worst = max(worst, growth)
        values = "".join(f"{value:>16.0f}" for value in peaks)
        print(f"{name:<20}{values}{growth:>10.1%}", flush=True)
    return int(worst > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
