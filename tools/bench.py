"""Time the package against the plain loops it replaces, side by side in one run.

    python tools/bench.py                        # every installed backend
    python tools/bench.py --backend torch paddle --json bench.json

Each backend runs in a process of its own. The two sides of a row are run in turn, several
times, and the least time of each counts: only their ratio means something. The plain side
is written below in the chapters' vocabulary: one image after the other, one box after the
other, as a first implementation would. A training step is compared with the same step run
eagerly (`Trainer(..., eager=True)`), a loader of augmented pictures with the framework's
own of the same transforms (`plain/`).
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import processes
from PIL import Image

import d2lcv as d2l

# --- the plain side ---------------------------------------------------------------------


def put(x, index, value):
    """`x` with x[index] = value, in place where the framework has that."""
    try:
        x[index] = value
        return x
    except TypeError:  # immutable tensors: through a mask
        mask = np.zeros(tuple(x.shape), bool)
        mask[index] = True
        return d2l.where(d2l.tensor(mask), d2l.astype(d2l.tensor(value), x.dtype), x)


def plain_prior(data, sizes, ratios):
    height, width = data.shape[-2:]
    rows = [
        [s * math.sqrt(r) * height / width / 2, s / math.sqrt(r) / 2]
        for s, r in [(s, ratios[0]) for s in sizes]
        + [(sizes[0], r) for r in ratios[1:]]
    ]
    half = d2l.tensor([[-w, -h, w, h] for w, h in rows])
    cy, cx = d2l.meshgrid(
        (d2l.arange(height, dtype=d2l.float32) + 0.5) / height,
        (d2l.arange(width, dtype=d2l.float32) + 0.5) / width,
    )
    cx, cy = d2l.reshape(cx, (-1,)), d2l.reshape(cy, (-1,))
    centers = d2l.stack([cx, cy, cx, cy], axis=1)
    return d2l.reshape(centers[:, None, :] + half[None], (1, -1, 4))


def plain_iou(boxes1, boxes2):
    area1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    area2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    upper_left = d2l.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    lower_right = d2l.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    sides = d2l.relu(lower_right - upper_left)
    intersection = sides[:, :, 0] * sides[:, :, 1]
    return intersection / (area1[:, None] + area2[None] - intersection)


def plain_target(anchors, labels):
    anchors = anchors[0]
    offsets, masks, classes = [], [], []
    for i in range(len(labels)):
        boxes = labels[i, :, 1:]
        iou = plain_iou(anchors, boxes)
        num_boxes = iou.shape[1]
        hit = d2l.reduce_sum(d2l.astype(iou >= 0.5, d2l.float32), 1) > 0
        best = d2l.astype(d2l.argmax(iou, 1), d2l.int32)
        assigned = d2l.where(
            hit, best, d2l.zeros(tuple(best.shape), dtype=d2l.int32) - 1
        )
        for _ in range(num_boxes):
            flat = int(d2l.argmax(d2l.reshape(iou, (-1,)), 0))
            anchor, box = flat // num_boxes, flat % num_boxes
            assigned = put(assigned, anchor, box)
            iou = put(iou, (slice(None), box), -1.0)
            iou = put(iou, anchor, -1.0)
        index = np.maximum(d2l.numpy(assigned), 0)
        rows = d2l.tensor(d2l.numpy(labels[i])[index])
        mask = d2l.astype(assigned >= 0, d2l.float32)
        a, b = d2l.box_corner_to_center(anchors), d2l.box_corner_to_center(rows[:, 1:])
        offset = d2l.concat(
            [
                10 * (b[:, :2] - a[:, :2]) / a[:, 2:],
                5 * d2l.log(1e-6 + b[:, 2:] / a[:, 2:]),
            ],
            axis=1,
        )
        offsets.append(d2l.reshape(offset * mask[:, None], (-1,)))
        masks.append(d2l.reshape(d2l.stack([mask] * 4, axis=1), (-1,)))
        classes.append(d2l.astype(mask * (rows[:, 0] + 1), d2l.int32))
    return d2l.stack(offsets), d2l.stack(masks), d2l.stack(classes)


def plain_detection(cls_probs, offset_preds, anchors, threshold=0.5):
    results = []
    for i in range(len(cls_probs)):
        probs = cls_probs[i, 1:]
        label = d2l.numpy(d2l.argmax(probs, 0))
        score = d2l.numpy(probs).max(0)
        boxes = d2l.offset_inverse(anchors[0], d2l.reshape(offset_preds[i], (-1, 4)))
        order = np.argsort(-score, kind="stable")
        rest = d2l.tensor(d2l.numpy(boxes)[order])
        index, kept = order, []
        while len(index):
            kept.append(index[0])
            overlap = d2l.numpy(plain_iou(rest[:1], rest)[0]) <= threshold
            overlap[0] = False
            index, rest = index[overlap], rest[d2l.tensor(overlap)]
        removed = np.setdiff1d(np.arange(len(score)), kept)
        order = np.concatenate([kept, removed]).astype(int)
        label = np.where(np.isin(np.arange(len(score)), kept), label, -1)
        rows = np.concatenate([label[:, None], score[:, None], d2l.numpy(boxes)], 1)
        results.append(rows[order])
    return np.stack(results)


def plain_classes(colormap, table):
    """Classes of a coloured label (H, W, 3) by a table of whole numbers."""
    colors = colormap.astype(np.int32)
    return table[(colors[:, :, 0] * 256 + colors[:, :, 1]) * 256 + colors[:, :, 2]]


# --- measuring --------------------------------------------------------------------------


def duel(ours: Callable, plain: Callable, rounds: int) -> tuple[float, float]:
    """Least seconds of each, run in turn after one warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for side, function in zip(times, (ours, plain), strict=True):
            d2l.synchronize()
            start = time.perf_counter()
            results = function()
            _wait(results)
            if turn:
                side.append(time.perf_counter() - start)
    return min(times[0]), min(times[1])


def _wait(results) -> None:
    d2l.synchronize()
    for x in results if isinstance(results, tuple) else (results,):
        if d2l.is_tensor(x):  # asynchronous frameworks: until a value is there
            d2l.numpy(x[(0,) * len(x.shape)])


def measure(rounds: int = 5) -> list[list]:
    """Rows (what, our seconds, plain seconds) on the active backend."""
    rng = np.random.default_rng(0)
    d2l.seed(0)
    net = d2l.TinySSD(1)
    image = d2l.tensor(rng.random((1, 3, 256, 256), dtype=np.float32))
    anchors = d2l.predict(net, image)[0]
    rows = []

    def row(what, ours, plain, rounds=rounds):
        rows.append([what, *duel(ours, plain, rounds)])

    fmap = d2l.zeros((1, 8, 128, 128))
    scales = ([0.75, 0.5, 0.25], [1, 2, 0.5])
    row(
        "multibox_prior, 128 × 128 × 5",
        lambda: d2l.multibox_prior(fmap, *scales),
        lambda: plain_prior(fmap, *scales),
    )
    boxes = d2l.tensor(_boxes(rng, 500))
    row(
        "box_iou, 5444 × 500",
        lambda: d2l.box_iou(anchors[0], boxes),
        lambda: plain_iou(anchors[0], boxes),
    )
    for count in (1, 5, 20):
        labels = np.zeros((32, count, 5), np.float32)
        labels[..., 1:] = _boxes(rng, 32 * count).reshape(32, count, 4)
        labels = d2l.tensor(labels)
        row(
            f"multibox_target, 32 × 5444 × {count}",
            lambda labels=labels: d2l.multibox_target(anchors, labels),
            lambda labels=labels: plain_target(anchors, labels),
        )
    _, cls_preds, bbox_preds = d2l.predict(net, image)
    probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
    row(
        "multibox_detection, 5444 untrained",
        lambda: d2l.multibox_detection(probs, bbox_preds, anchors),
        lambda: plain_detection(probs, bbox_preds, anchors),
        max(2, rounds // 2),
    )
    row("voc_label_indices, 8 × 400 × 500", *label_tables())
    X = d2l.tensor(rng.random((8, 3, 256, 256), dtype=np.float32))
    Y = np.zeros((8, 1, 5), np.float32)
    Y[:, 0, 1:] = _boxes(rng, 8)
    Y = d2l.tensor(Y)
    row(
        "TinySSD step, 8 × 256 × 256",
        training_step(X, Y),
        training_step(X, Y, eager=True),
    )
    with tempfile.TemporaryDirectory() as folder:
        for what, count, size, suffix, side in (
            ("96 JPEG 500 × 375 to 224", 96, (500, 375), "jpg", 224),
            ("512 PNG 32 × 32", 512, (32, 32), "png", 32),
        ):
            pictures = draw_pictures(f"{folder}/{suffix}", rng, count, size, suffix)
            row(f"loader, {what}", *loading(pictures, side))
    return rows


def label_tables() -> tuple[Callable, Callable]:
    """Both sides: classes of coloured labels of objects, about 400 × 500 pixels."""
    from d2lcv.drawn.voc import draw_voc

    labels = [d2l.label2image(draw_voc(i, size=500)[1]) for i in range(8)]
    table, wide = d2l.voc_colormap2label(), d2l.voc_colormap2label().astype(np.int64)
    return (
        lambda: tuple(d2l.voc_label_indices(x, table) for x in labels),
        lambda: tuple(plain_classes(x, wide) for x in labels),
    )


def training_step(X, Y, **options) -> Callable:
    net = d2l.TinySSD(1)
    trainer = d2l.Trainer(net, "sgd", lr=0.01, **options)

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), ()

    return lambda: trainer.step(step, X, Y)[0]


def draw_pictures(folder: str, rng, count: int, size: tuple, suffix: str) -> str:
    """Smooth noise in two classes."""
    for i in range(count):
        name = f"{folder}/{'ab'[i % 2]}"
        os.makedirs(name, exist_ok=True)
        coarse = rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        picture.save(f"{name}/{i}.{suffix}", quality=90)
    return folder


def loading(folder: str, side: int) -> tuple[Callable, Callable]:
    """A pass through augmented minibatches of 32, ours and the framework's own."""
    mean, std = list(d2l.IMAGENET_MEAN), list(d2l.IMAGENET_STD)
    steps = [
        d2l.RandomResizedCrop(side),
        d2l.RandomHorizontalFlip(),
        d2l.ToTensor(),
        d2l.Normalize(mean, std),
    ]
    ours = d2l.loader(d2l.ImageFolder(folder, d2l.Compose(steps)), 32, shuffle=True)
    plain = importlib.import_module(f"plain.{d2l.backend_name()}")
    theirs = plain.loader(folder, 32, side, mean, std)

    def one_pass(batches):
        for X, _ in batches:
            assert tuple(X.shape[1:]) == (3, side, side)
        return X

    return lambda: one_pass(ours), lambda: one_pass(theirs)


def _boxes(rng, n: int) -> np.ndarray:
    corner, side = rng.random((n, 2)) * 0.6, 0.1 + rng.random((n, 2)) * 0.3
    return np.concatenate([corner, corner + side], 1).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    processes.add_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="also write the rows to this file")
    options = parser.parse_args()
    table = {}
    for name, python in processes.chosen(options).items():
        with d2l.worker(name, python) as process:
            rows = process.call(f"{os.path.abspath(__file__)}:measure", options.rounds)
        table[name] = rows
        print(f"\n{name:<38}{'plain ms':>10}{'ours ms':>10}{'ratio':>8}")
        for what, ours, plain in rows:
            print(
                f"{what:<38}{plain * 1e3:>10.2f}{ours * 1e3:>10.2f}{plain / ours:>7.1f}×"
            )
        targets = [plain / ours for what, ours, plain in rows if "target" in what]
        mean = math.exp(sum(map(math.log, targets)) / len(targets))
        print(f"{'multibox_target, geometric mean':<58}{mean:>7.1f}×", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(table, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
