"""The README's picture: trained on one backend, the same result on every one.

    python tools/picture.py                           # trains on the first one installed
    python tools/picture.py --train paddle --out docs/picture.png

A single-shot detector and a two-stage one with masks are trained on one backend and saved
(in the folder `--weights`; what is there is not trained again). Every backend loads both
files and looks at the same validation pictures; below each picture are the numbers that it
found, and below all the largest difference between any two backends.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import processes

from d2lcv.backends import REGISTRY
from d2lcv.backends.worker import Worker

HERE = str(Path(__file__).resolve())
SIDE, CONFIDENCE = 128, 0.5
COLOURS = ("#1f6feb", "#e5532d", "#2da44e", "#8250df", "#bf8700")


def detections(path: str, index: int) -> tuple[np.ndarray, None]:
    """In a worker: sure rows (class, confidence, box) on a picture of bananas."""
    import d2lcv as d2l

    net = d2l.load_weights(d2l.TinySSD(1), path)
    image, _ = d2l.BananasDataset(False, size=(SIDE, SIDE)).example(index)
    anchors, cls_preds, bbox_preds = d2l.predict(net, d2l.tensor(image[None]))
    probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
    rows = d2l.numpy(d2l.multibox_detection(probs, bbox_preds, anchors))[0]
    return rows[(rows[:, 0] >= 0) & (rows[:, 1] > CONFIDENCE)], None


def instances(path: str, index: int) -> tuple[np.ndarray, np.ndarray]:
    """In a worker: sure rows, and the masks that go with them, on a picture of shapes."""
    import d2lcv as d2l

    shapes = d2l.ShapesDataset(False)
    net = d2l.load_weights(d2l.TinyRCNN(shapes.num_classes), path)
    X = d2l.tensor(shapes.example(index)[0][None])
    rows, masks = (d2l.numpy(x)[0] for x in d2l.detect_instances(net, X))
    sure = (rows[:, 0] >= 0) & (rows[:, 1] > CONFIDENCE)
    return rows[sure], masks[sure]


def train(name: str, python: str | None, folder: Path) -> dict[str, str]:
    """The weights of both detectors, trained on `name` unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    ssd, rcnn = folder / "tinyssd.safetensors", folder / "tinyrcnn.safetensors"
    if not ssd.exists():
        with Worker(name, python) as worker:
            settings = (800, 0, SIDE, 8, 2e-3)
            worker.call(f"{processes.HERE}:train", *settings, str(ssd))
    if not rcnn.exists():
        run = [python or sys.executable, "-m", "d2lcv", "run", "rcnn"]
        run += ["--backend", name, "--ssd-epochs", "1", "--out", str(folder)]
        subprocess.run(run, check=True)
    return {"detections": str(ssd), "instances": str(rcnn)}


def pictures(indices: dict[str, int]) -> dict[str, tuple[np.ndarray, list[str]]]:
    """The picture (H, W, 3) of each row, and the names of its classes."""
    from d2lcv.datasets.bananas import BananasDataset
    from d2lcv.datasets.shapes import ShapesDataset

    sets = {"detections": BananasDataset(False), "instances": ShapesDataset(False)}
    return {
        row: (sets[row].pixels(i) / 255, list(sets[row].classes))
        for row, i in indices.items()
    }


def largest(answers: dict[str, tuple[np.ndarray, np.ndarray | None]]) -> float:
    """The largest difference between two backends; raises where they found other things."""
    gap = 0.0
    for (left, a), (right, b) in itertools.combinations(answers.items(), 2):
        if len(a[0]) != len(b[0]) or (a[0][:, 0] != b[0][:, 0]).any():
            raise AssertionError(f"{left} and {right} found other things:\n{a}\n{b}")
        for x, y in zip(a, b, strict=True):
            if x is not None and y is not None:
                gap = max(gap, float(np.abs(x - y).max(initial=0.0)))
    return gap


def draw(found, shown, titles, footer: str, path: Path) -> None:
    """A row for each detector, a column for each backend."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    # below each row stand the numbers of as many things as were found in it
    counts = [max(len(rows) for rows, _ in a.values()) for a in found.values()]
    side, line = 2.6, 0.18
    heights = [side + 0.16 + line * count for count in counts]
    width, height = (side + 0.1) * len(titles), sum(heights) + 0.75
    figure = plt.figure(figsize=(width, height))
    top, grid = height - 0.4, []
    for tall in heights:
        bottom = (top - side) / height
        left = [(0.05 + (side + 0.1) * i) / width for i in range(len(titles))]
        box = side / width, side / height
        grid.append([figure.add_axes((x, bottom, *box)) for x in left])
        top -= tall
    for axes_row, (key, answers) in zip(grid, found.items(), strict=True):
        image, classes = shown[key]
        for axes, name in zip(axes_row, titles, strict=True):
            panel(axes, image, classes, *answers[name])
    for axes, title in zip(grid[0], titles.values(), strict=True):
        axes.set_title(title, fontsize=12, fontweight="bold", pad=8)
    figure.text(0.5, 0.12 / height, footer, ha="center", fontsize=10, color="#444444")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, pil_kwargs={"optimize": True})


def panel(axes, image, classes, rows, masks) -> None:
    """A picture with its boxes and masks, and the numbers below it."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    image = image.copy()
    for i in range(len(rows) if masks is not None else 0):
        inside = masks[i] > 0.5
        image[inside] = 0.45 * image[inside] + 0.55 * np.array(to_rgb(_colour(i)))
    axes.imshow(image, extent=(0, 1, 1, 0), interpolation="bilinear")
    lines = []
    for i, (kind, confidence, x1, y1, x2, y2) in enumerate(rows):
        color = _colour(i)
        place = (x1, y1), x2 - x1, y2 - y1
        axes.add_patch(Rectangle(*place, fill=False, color=color, linewidth=2.5))
        lines.append((f"{classes[int(kind)]:<9}{confidence:.6f}", color))
    for i, (line, color) in enumerate(lines):
        place = {
            "xy": (0.5, 0),
            "xytext": (0, -8 - 12 * i),
            "va": "top",
            "ha": "center",
        }
        style = {"family": "monospace", "fontsize": 9.5, "color": color}
        axes.annotate(
            line, **place, **style, xycoords="axes fraction", textcoords="offset points"
        )
    axes.set(xticks=[], yticks=[], aspect=height / width, xlim=(0, 1), ylim=(1, 0))


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    processes.add_options(parser)
    parser.add_argument("--train", metavar="NAME", help="the backend that trains")
    parser.add_argument("--weights", default="out/picture", metavar="FOLDER")
    parser.add_argument("--banana", type=int, default=27, help="number of a picture")
    parser.add_argument("--shapes", type=int, default=47, help="number of a picture")
    parser.add_argument("--out", default="docs/picture.png", metavar="FILE")
    options = parser.parse_args()
    pythons = processes.chosen(options)
    trainer = options.train or next(iter(pythons))
    files = train(trainer, pythons.get(trainer), Path(options.weights))
    indices = {"detections": options.banana, "instances": options.shapes}

    found: dict[str, dict] = {key: {} for key in files}
    for name, python in pythons.items():
        with Worker(name, python) as worker:
            for key, file in files.items():
                found[key][name] = worker.call(f"{HERE}:{key}", file, indices[key])
    gap = max(largest(answers) for answers in found.values())
    footer = (
        f"Trained once, on {REGISTRY[trainer].title}. Confidences, boxes and masks of the "
        f"{len(pythons)} frameworks differ by {gap:.0e} at most."
    )
    titles = {name: REGISTRY[name].title for name in pythons}
    draw(found, pictures(indices), titles, footer, Path(options.out))
    print(footer)
    print(f"{options.out}: {Path(options.out).stat().st_size / 1000:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
