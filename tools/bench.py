"""Time the package against plain loops and against compiled operators, in one run.

    python tools/bench.py                                  # every installed backend
    python tools/bench.py --backend torch --only nms roi   # rows with one of these texts
    python tools/bench.py --rounds 9 --json bench.json --markdown bench.md

Each backend runs in a process of its own, on one thread. The sides of a row are run in
turn; of each the median of the processor's time counts, and only their ratio means
something: theirs / ours, above 1 we are faster. `plain` (`loops.py`) takes one image
after the other, one box after the other; of a training step it is the same step run eagerly
in the framework's own layout, and of a loader the framework's own. `compiled` is what
a practitioner would call instead (`plain/torch.py` and its neighbours). The last rows show
how time and memory grow with a size n: as n to the power that is printed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import processes
from PIL import Image

import d2lcv as d2l
from d2lcv.ssd import TINY_SSD_RATIOS, TINY_SSD_SIZES

HERE = str(Path(__file__).resolve())
ONE_THREAD = ("OMP", "MKL", "OPENBLAS", "TF_INTRAOP", "TF_INTEROP")
LEAST = (
    0.02  # seconds of one measurement: a short call is repeated until it takes as much
)
WARM_UP = 6  # calls, after which a framework has compiled what it will
Side = Callable[[], Any]


# --- what is measured -------------------------------------------------------------------


class Material:
    """Inputs, the same on every backend, each made when the first row asks for it."""

    def __init__(self, device: Any = None) -> None:
        self.rng, self.device = np.random.default_rng(0), device
        d2l.seed(0)

    def put(self, x: Any) -> Any:
        """An array as a tensor, or a net, where it is to be."""
        x = d2l.tensor(x) if isinstance(x, np.ndarray) else x
        return x if self.device is None else d2l.to(x, self.device)

    def array(self, *shape: int) -> Any:
        return self.put(self.rng.random(shape, dtype=np.float32))

    def boxes(self, *shape: int) -> Any:
        corner = self.rng.random((*shape, 2)) * 0.6
        side = 0.1 + self.rng.random((*shape, 2)) * 0.3
        return self.put(np.concatenate([corner, corner + side], -1).astype("float32"))

    def labels(self, images: int, objects: int) -> Any:
        boxes = self.boxes(images, objects)
        return d2l.concat(
            [self.put(np.zeros((images, objects, 1), np.float32)), boxes], axis=2
        )

    @cached_property
    def anchors(self) -> Any:
        """The 5444 of TinySSD on 256 × 256."""
        maps = [self.put(np.zeros((1, 1, n, n))) for n in (32, 16, 8, 4, 1)]
        shapes = zip(maps, TINY_SSD_SIZES, TINY_SSD_RATIOS, strict=True)
        return d2l.concat([d2l.multibox_prior(*one) for one in shapes], axis=1)

    def predictions(self, images: int, likely: int) -> tuple[Any, Any, Any]:
        """Of a net that gives so many anchors of an image more than 0.01, to one class."""
        A = self.anchors.shape[1]
        probs = self.rng.random((images, A), dtype=np.float32) * 0.009
        for row in probs:
            chosen = self.rng.choice(A, likely, replace=False)
            row[chosen] = self.rng.random(likely, dtype=np.float32)
        offsets = self.rng.normal(size=(images, 4 * A)).astype(np.float32)
        return (
            self.put(np.stack([1 - probs, probs], 1)),
            self.put(offsets),
            self.anchors,
        )

    def regions(self, n: int, images: int = 1) -> Any:
        image = self.rng.integers(0, images, (n, 1)).astype(np.float32)
        corners = d2l.numpy(self.boxes(n)) * 256
        return self.put(np.concatenate([image, corners], 1))


SCALES = ([0.75, 0.5, 0.25], [1, 2, 0.5])
# The function, its sizes, and its arguments for them
CALLS: dict[str, tuple[list[tuple[int, ...]], Callable[..., tuple[Any, ...]]]] = {
    "box_iou": (
        [(10, 10), (5444, 20), (5444, 500), (100_000, 20)],
        lambda m, a, b: (m.boxes(a), m.boxes(b)),
    ),
    "nms": ([(10,), (1000,), (5444,)], lambda m, n: (m.boxes(n), m.array(n), 0.5)),
    "batched_nms": (
        [(10, 3), (1000, 20), (4000, 200)],
        lambda m, n, C: (
            m.boxes(n),
            m.array(n),
            m.put(m.rng.integers(0, C, n)),
            0.5,
        ),
    ),
    "multibox_prior": (
        [(1, 1), (32, 32), (128, 128)],
        lambda m, h, w: (m.put(np.zeros((1, 8, h, w), np.float32)), *SCALES),
    ),
    "multibox_target": (
        [(1, 10, 10), (1, 5444, 1), (8, 5444, 5), (32, 5444, 20), (32, 5444, 100)],
        lambda m, B, A, G: (m.anchors[:, :A], m.labels(B, G)),
    ),
    "multibox_detection": (
        [(1, 100), (8, 100), (1, 5444)],
        lambda m, B, likely: m.predictions(B, likely),
    ),
    "multibox_detection of the likely": (
        [(1, 100), (8, 100)],
        lambda m, B, likely: m.predictions(B, likely),
    ),
    "offset_boxes": ([(100_000,)], lambda m, n: (m.boxes(n), m.boxes(n))),
    "offset_inverse": ([(100_000,)], lambda m, n: (m.boxes(n), m.array(n, 4))),
    "roi_align": (
        [(1,), (64,), (512,)],
        lambda m, n: (m.array(1, 64, 32, 32), m.regions(n), (7, 7), 1 / 8, 2),
    ),
    "roi_pool": (
        [(1,), (64,), (512,)],
        lambda m, n: (m.array(1, 64, 32, 32), m.regions(n), (7, 7), 1 / 8),
    ),
}
# as loops
SLOW = {
    "multibox_target 32 × 5444 × 100",
    "multibox_detection 8 × 100",
    "multibox_detection of the likely 8 × 100",
}
# How time and memory grow: the function, two sizes n, and its arguments for each
GROWTH: dict[str, tuple[str, tuple[int, int], Callable[..., tuple[Any, ...]]]] = {
    "anchors of 20 objects": (
        "box_iou",
        (20_000, 200_000),
        lambda m, n: (m.boxes(n), m.boxes(20)),
    ),
    "images of 20 objects": (
        "multibox_target",
        (16, 128),
        lambda m, n: (m.anchors, m.labels(n, 20)),
    ),
    "objects of 8 images": (
        "multibox_target",
        (16, 128),
        lambda m, n: (m.anchors, m.labels(8, n)),
    ),
    "images": ("multibox_detection", (2, 8), lambda m, n: m.predictions(n, 100)),
    "classes of 4000 boxes": (
        "batched_nms",
        (20, 200),
        lambda m, n: CALLS["batched_nms"][1](m, 4000, n),
    ),
    "regions": ("roi_align", (64, 512), lambda m, n: CALLS["roi_align"][1](m, n)),
    "regions of a map": (
        "roi_pool",
        (64, 512),
        lambda m, n: CALLS["roi_pool"][1](m, n),
    ),
    "images of 8 regions": ("box_head_loss", (4, 32), lambda m, n: heads(m, n)),
    "boxes": ("soft_nms", (500, 2000), lambda m, n: (m.boxes(n), m.array(n), 0.01)),
    "columns of pixels": ("predict_tiles", (256, 1024), lambda m, n: tiles(m, n)),
    "images of 100": (
        "mean_average_precision",
        (100, 1000),
        lambda m, n: precision(m, n),
    ),
}


def heads(m: Material, images: int) -> tuple[Any, ...]:
    return (
        d2l.TinyRCNN(1),
        m.array(images, 64, 8, 8),
        m.boxes(images, 8),
        m.labels(images, 4),
    )


def tiles(m: Material, side: int) -> tuple[Any, ...]:
    net = d2l.FCN(21, d2l.ResNet(18, 10, width=4))
    return net, m.array(1, 3, 128, side), (64, 64)


def precision(m: Material, images: int, classes: int = 20) -> tuple[Any, ...]:
    """Detections, 100 of an image, and labels, which the first ten of them find."""
    rows = np.zeros((images, 100, 6))
    rows[..., 0] = m.rng.integers(0, classes, (images, 100))
    rows[..., 1] = m.rng.random((images, 100))
    rows[..., 2:] = d2l.numpy(m.boxes(images, 100))
    return rows, np.concatenate([rows[:, :10, :1], rows[:, :10, 2:] + 0.02], 2)


def ssd_step(net: Any, X: Any, Y: Any) -> Any:
    anchors, cls_preds, bbox_preds = net(X)
    offsets, masks, classes = d2l.multibox_target(anchors, Y)
    loss = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
    return d2l.reduce_mean(loss)


def rcnn_step(net: Any, X: Any, Y: Any, masks: Any) -> Any:
    features, anchors, scores, offsets = net(X)
    rpn = d2l.reduce_mean(d2l.rpn_loss(anchors, scores, offsets, Y))
    rois = d2l.concat([Y[:, :, 1:], d2l.propose(anchors, scores, offsets, 32)], axis=1)
    box = d2l.reduce_mean(d2l.box_head_loss(net, features, rois, Y))
    return rpn + box + d2l.mask_head_loss(net, features, rois[:, :8], Y, masks)


def yolo_step(net: Any, X: Any, Y: Any) -> Any:
    preds = net(X)
    classes, boxes = d2l.yolo_target(Y, *preds.shape[1:3])
    return d2l.reduce_mean(d2l.yolo_loss(preds, classes, boxes, 1))


def class_step(net: Any, X: Any, Y: Any) -> Any:
    return d2l.reduce_mean(d2l.cross_entropy(net(X), Y))


def pixel_step(net: Any, X: Any, Y: Any) -> Any:
    return d2l.reduce_mean(d2l.segmentation_loss(net(X), Y))


def classes(m: Material, *shape: int) -> Any:
    return m.put(m.rng.integers(0, 10, shape))


# A net, its loss, and a batch
STEPS: dict[str, tuple[Callable[[], Any], Callable[..., Any], Callable[..., Any]]] = {
    "TinySSD 8 × 128²": (
        lambda: d2l.TinySSD(1),
        ssd_step,
        lambda m: (m.array(8, 3, 128, 128), m.labels(8, 1)),
    ),
    "TinyYOLO 8 × 128²": (
        lambda: d2l.TinyYOLO(1),
        yolo_step,
        lambda m: (m.array(8, 3, 128, 128), m.labels(8, 1)),
    ),
    "TinyRCNN 4 × 128²": (
        lambda: d2l.TinyRCNN(1),
        rcnn_step,
        lambda m: (
            m.array(4, 3, 128, 128),
            m.labels(4, 2),
            m.put((m.rng.random((4, 2, 128, 128)) > 0.5).astype(np.float32)),
        ),
    ),
    "ResNet-18 16 × 64²": (
        lambda: d2l.resnet18(10, 3),
        class_step,
        lambda m: (m.array(16, 3, 64, 64), classes(m, 16)),
    ),
    "FCN 8 × 96 × 128": (
        lambda: d2l.FCN(21, d2l.ResNet(18, 10)),
        pixel_step,
        lambda m: (m.array(8, 3, 96, 128), classes(m, 8, 96, 128)),
    ),
}


def training_step(m: Material, what: str, **options: Any) -> Side:
    make, loss_of, batch = STEPS[what]
    net, batch = m.put(make()), batch(m)
    trainer = d2l.Trainer(net, "sgd", lr=1e-4, **options)

    def step(*batch: Any) -> tuple[Any, tuple[()]]:
        return loss_of(net, *batch), ()

    return lambda: trainer.step(step, *batch)[0]


Row = tuple[str, Callable[[], tuple[Side, dict[str, Side]]]]


def rows(m: Material) -> Iterator[Row]:
    """What, and how to make our side and the others."""
    loops = importlib.import_module("loops")
    compiled = importlib.import_module(f"plain.{d2l.backend_name()}")

    def call(
        name: str, what: str, make: Callable[..., Any], sizes: tuple[int, ...]
    ) -> Any:
        args, others = make(m, *sizes), {}
        for kind, module in (("plain", loops), ("compiled", compiled)):
            if hasattr(module, name) and not (kind == "plain" and what in SLOW):
                others[kind] = partial(getattr(module, name), *args)
        options = {"background": False} if what.partition(" of ")[1] else {}
        return partial(getattr(d2l, name), *args, **options), others

    for name, (all_sizes, make) in CALLS.items():
        for sizes in all_sizes:
            what = f"{name} {' × '.join(map(str, sizes))}"
            yield what, partial(call, name.split()[0], what, make, sizes)
    for what in STEPS:
        yield (
            f"step {what}",
            lambda what=what: (
                training_step(m, what),
                {"plain": training_step(m, what, eager=True)},
            ),
        )
    for images in (1, 8):
        yield (
            f"predict TinySSD {images} × 128²",
            lambda n=images: prediction(m, n, compiled),
        )
    yield "mean_average_precision 1000 × 100, C=20", lambda: average(m)
    yield "voc_label_indices 8 × 400 × 500", lambda: label_tables(loops)
    for what, *sizes in (
        ("96 JPEG 500 × 375 to 224", 96, (500, 375), "jpg", 224),
        ("512 PNG 32 × 32", 512, (32, 32), "png", 32),
    ):
        yield f"loader {what}", lambda sizes=sizes: loading(m.rng, compiled, *sizes)


def prediction(m: Material, images: int, compiled: Any) -> tuple[Side, dict[str, Side]]:
    net, X = m.put(d2l.TinySSD(1)), m.array(images, 3, 128, 128)
    called = compiled.predictor(net, X)
    return lambda: d2l.predict(net, X), {"compiled": lambda: called(X)}


def average(m: Material) -> tuple[Side, dict[str, Side]]:
    args, others = precision(m, 1000), {}
    with suppress(ImportError):
        coco = importlib.import_module("coco")
        others["compiled"] = coco.evaluator(*args)
    return partial(d2l.mean_average_precision, *args), others


def label_tables(loops: Any) -> tuple[Side, dict[str, Side]]:
    """Both sides: classes of coloured labels of objects, about 400 × 500 pixels."""
    from d2lcv.drawn.voc import draw_voc

    labels = [d2l.label2image(draw_voc(i, size=500)[1]) for i in range(8)]
    table, wide = d2l.voc_colormap2label(), d2l.voc_colormap2label().astype(np.int64)
    return (
        lambda: tuple(d2l.voc_label_indices(x, table) for x in labels),
        {"plain": lambda: tuple(loops.voc_label_indices(x, wide) for x in labels)},
    )


def loading(
    rng: Any, compiled: Any, count: int, size: tuple[int, int], suffix: str, side: int
) -> tuple[Side, dict[str, Side]]:
    """A pass through augmented minibatches of 32, ours and the framework's own."""
    folder = tempfile.TemporaryDirectory()
    for i in range(count):  # smooth noise in two classes
        name = f"{folder.name}/{'ab'[i % 2]}"
        os.makedirs(name, exist_ok=True)
        coarse = rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        picture.save(f"{name}/{i}.{suffix}", quality=90)
    mean, std = list(d2l.IMAGENET_MEAN), list(d2l.IMAGENET_STD)
    steps = [
        d2l.RandomResizedCrop(side),
        d2l.RandomHorizontalFlip(),
        d2l.ToTensor(),
        d2l.Normalize(mean, std),
    ]
    data = d2l.ImageFolder(folder.name, d2l.Compose(steps))
    ours = d2l.loader(data, 32, shuffle=True)
    theirs = compiled.loader(folder.name, 32, side, mean, std)

    def one_pass(batches: Any) -> Any:
        for X, _ in batches:
            assert tuple(X.shape[1:]) == (3, side, side)
        return X, folder  # which is kept as long as the sides are

    return lambda: one_pass(ours), {"plain": lambda: one_pass(theirs)}


# --- measuring --------------------------------------------------------------------------


clock = time.process_time


def seconds(side: Side, times: int) -> float:
    """The processor's, of a call out of so many."""
    d2l.synchronize()
    start = clock()
    for _ in range(times):
        result = side()
    _wait(result)
    return (clock() - start) / times


def _wait(results: Any) -> None:
    d2l.synchronize()
    for x in results if isinstance(results, (tuple, list)) else (results,):
        if (
            d2l.is_tensor(x) and 0 not in x.shape
        ):  # asynchronous: until a value is there
            d2l.numpy(x[(0,) * len(x.shape)])


def duel(sides: dict[str, Side], rounds: int) -> dict[str, float]:
    """Median of each, run in turn after a warm-up."""
    times = {}
    for name, side in sides.items():
        seconds(side, WARM_UP)
        once = seconds(side, 1)
        times[name] = max(1, min(1000, math.ceil(LEAST / max(once, 1e-6))))
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(seconds(side, times[name]))
    return {name: statistics.median(values) for name, values in found.items()}


def peak(side: Side) -> float | None:
    """MiB above what the process had, at most, while it ran (Linux tells)."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists():
        return None

    def value(key: str) -> float:
        return float(status.read_text().partition(f"{key}:")[2].split()[0]) / 1024

    try:
        clear.write_text("5")
    except OSError:
        return None
    before = value("VmRSS")
    _wait(side())
    return max(0.0, value("VmHWM") - before)


def measure(
    only: list[str], rounds: int = 5, device: Any = None
) -> list[dict[str, Any]]:
    """In a worker: for each row what it is, seconds of each side, and memory."""
    global clock
    if device is not None and d2l.device_name(device) != "cpu":
        clock = time.perf_counter  # the processor waits for it
    m, table = Material(device), []

    def wanted(what: str) -> bool:
        return not only or any(text in what for text in only)

    for what, make in rows(m):
        if wanted(what):
            ours, others = make()
            row = {"what": what, **duel({"ours": ours, **others}, rounds)}
            table.append(row | {"MiB": peak(ours)})
    for what, (name, sizes, make) in GROWTH.items():
        if wanted(f"growth {name}"):
            sides = [partial(getattr(d2l, name), *make(m, n)) for n in sizes]
            memory = [peak(side) for side in sides]
            used = [duel({"ours": side}, max(2, rounds // 2))["ours"] for side in sides]
            power = math.log(used[1] / used[0]) / math.log(sizes[1] / sizes[0])
            what = f"growth {name}, {sizes[0]} to {sizes[1]} {what}"
            row = {"what": what, "ours": used[1], "power": power, "MiB": memory[1]}
            table.append(row | {"MiB of the smaller": memory[0]})
    return table


# --- the table --------------------------------------------------------------------------


def ratios(table: list[dict[str, Any]], kind: str) -> dict[str, float]:
    return {row["what"]: row[kind] / row["ours"] for row in table if kind in row}


def lines(name: str, table: list[dict[str, Any]]) -> Iterator[str]:
    yield f"| {name} | ours, ms | MiB | plain / ours | compiled / ours |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for row in table:
        memory = "" if row["MiB"] is None else f"{row['MiB']:.0f}"
        if "power" in row:
            cells = [f"n^{row['power']:.2f}", ""]
        else:
            cells = [
                f"{row[kind] / row['ours']:.2f}" if kind in row else ""
                for kind in ("plain", "compiled")
            ]
        cells = [row["what"], f"{row['ours'] * 1e3:.3g}", memory, *cells]
        yield f"| {' | '.join(cells)} |"
    for kind in ("plain", "compiled"):
        found = ratios(table, kind)
        if found:
            mean = math.exp(statistics.mean(map(math.log, found.values())))
            worst = min(found, key=found.__getitem__)
            yield ""
            yield f"{kind}: geometric mean {mean:.2f}, worst {found[worst]:.2f} ({worst})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    processes.add_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT")
    parser.add_argument("--json", help="also write the rows to this file")
    parser.add_argument("--markdown", help="also write the tables to this file")
    options = parser.parse_args()
    os.environ |= {f"{name}_NUM_THREADS": "1" for name in ONE_THREAD}
    os.environ |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    tables, texts = {}, []
    for name, python in processes.chosen(options).items():
        with d2l.worker(name, python) as process:
            tables[name] = process.call(f"{HERE}:measure", options.only, options.rounds)
        texts.append("\n".join(lines(name, tables[name])))
        print(f"\n{texts[-1]}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(tables, indent=1))
    if options.markdown:
        Path(options.markdown).write_text("\n\n".join(texts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
