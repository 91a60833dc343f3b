"""Weights travel: train on each backend, detect on every other, compare.

    python tools/travel.py                       # all directed pairs of installed backends
    python tools/travel.py --steps 200 --python mxnet=/path/to/python

A detector is trained on each backend and saved; every backend loads every file and
detects on the same validation pictures. The surer detections must be the same: classes
and order exactly, boxes and confidences within 1e-4. The exit status is 1 if not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import processes

from d2lcv.backends.worker import Worker

HERE = str(Path(__file__).resolve())
SIDE, CONFIDENCE, TOLERANCE = 128, 0.1, 1e-4


def detect(path: str, num_images: int) -> np.ndarray:
    """In a worker: detections of the net in `path` on the first validation pictures."""
    import d2lcv as d2l

    net = d2l.load_weights(d2l.TinySSD(1), path)
    pictures = d2l.BananasDataset(False, size=(SIDE, SIDE))
    X = d2l.tensor(np.stack([pictures.example(i)[0] for i in range(num_images)]))
    anchors, cls_preds, bbox_preds = d2l.predict(net, X)
    probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
    return d2l.numpy(d2l.multibox_detection(probs, bbox_preds, anchors))


def same(home: np.ndarray, away: np.ndarray) -> tuple[int, float]:
    """Number of detections, and their largest difference; raises where they differ."""
    count, largest = 0, 0.0
    for i, (a, b) in enumerate(zip(home, away, strict=True)):
        a, b = (x[(x[:, 0] >= 0) & (x[:, 1] >= CONFIDENCE)] for x in (a, b))
        if len(a) != len(b) or (a[:, 0] != b[:, 0]).any():
            raise AssertionError(f"picture {i}: other detections:\n{a}\n{b}")
        gap = np.abs(a - b).max(initial=0.0)
        if not gap <= TOLERANCE:
            raise AssertionError(f"picture {i}: detections differ by {gap}:\n{a}\n{b}")
        count, largest = count + len(a), max(largest, float(gap))
    return count, largest


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    processes.add_options(parser)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=20)
    o = parser.parse_args()
    pythons = processes.chosen(o)
    found: dict[tuple[str, str], np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(Path(folder) / f"{name}.safetensors") for name in pythons}
        settings = (o.steps, o.seed, SIDE, 8, 2e-3)
        for name, python in pythons.items():
            with Worker(name, python) as worker:
                worker.call(f"{processes.HERE}:train", *settings, files[name])
        for there, python in pythons.items():
            with Worker(there, python) as worker:
                for home, file in files.items():
                    found[home, there] = worker.call(f"{HERE}:detect", file, o.images)
    breaches = 0
    print(f"{'trained on':<12}{'detects on':<12}{'detections':>10}{'difference':>12}")
    for home in pythons:
        for there in pythons:
            if home == there:
                continue
            try:
                count, gap = same(found[home, home], found[home, there])
                print(f"{home:<12}{there:<12}{count:>10}{gap:>12.1e}")
            except AssertionError as breach:
                breaches += 1
                print(f"{home:<12}{there:<12}  BREACH {breach}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
