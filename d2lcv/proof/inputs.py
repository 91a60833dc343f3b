"""What cases are made of: seeded inputs, odd boxes, and checks of their distances.

Inputs are chosen so that float32 decides as float64 does: either no overlap lies within
1e-5 of a threshold or of the rival it is compared with, or coordinates are multiples of a
power of two, whose overlaps float32 holds exactly (the `check_` functions tell).
"""

import json
import pathlib

import numpy as np

from . import oracle

HERE = pathlib.Path(__file__).parent
WORKED = json.loads((HERE / "worked_examples.json").read_text(encoding="utf-8"))


def uniform(seed, *shape):
    """Numbers in [0, 1): the raw doubles of PCG64, the same in every NumPy."""
    return np.random.Generator(np.random.PCG64(seed)).random(shape)


def whole(seed, n, *shape):
    """Whole numbers from 0 to n − 1."""
    return np.floor(uniform(seed, *shape) * n).astype(np.int64)


def f32(values):
    """A float32 array."""
    return np.asarray(values, dtype=np.float32)


def boxes(seed, n, smallest=0.1, largest=0.6):
    """Boxes about the unit square at any coordinates."""
    u = uniform(seed, n, 4)
    size = smallest + (largest - smallest) * u[:, 2:]
    corner = u[:, :2] * 1.1 - size / 2
    return f32(np.concatenate([corner, corner + size], axis=1))


def grid_boxes(seed, n, cells=8):
    """Boxes inside the unit square on a grid: equal overlaps abound, all exact.

    With 8 cells different overlaps are at least 1/64² apart, far above 1e-5.
    """
    u = uniform(seed, n, 4)
    low = np.floor(u[:, :2] * cells)
    high = low + 1 + np.floor(u[:, 2:] * (cells - low))
    return f32(np.concatenate([low, high], axis=1) / cells)


def scores(seed, n, levels=None):
    """n confidences, all different, or so many levels that there are ties."""
    if levels is None:
        order = np.argsort(uniform(seed, n), kind="stable")
        return f32((order + 0.5) / max(n, 1))
    return f32(whole(seed, levels, n) / levels)


def label_rows(seed, batch, num, classes, pad=()):
    """(batch, num, 5) labels on a grid of 1/64; pad lists (image, row) of padding."""
    rows = grid_boxes(seed, batch * num, 64).reshape(batch, num, 4)
    ids = whole(seed + 1, classes, batch, num, 1)
    labels = np.concatenate([ids, rows], axis=2)
    for image, row in pad:
        labels[image, row] = [-1, 0, 0, 0, 0]
    return f32(labels)


def ssd_anchors():
    """The 5444 anchors of TinySSD, on a grid of 1/4096 that keeps centres exact."""
    w = WORKED["tinyssd_shapes"]
    scales = [
        oracle.multibox_prior(*shape[1:], sizes, ratios)
        for shape, sizes, ratios in zip(
            w["feature_maps"], w["sizes"], w["ratios"], strict=True
        )
    ]
    return f32(np.round(np.concatenate(scales, axis=1)[0] * 4096) / 4096)


NONE = np.zeros((0, 4), dtype=np.float32)
UNIT = [0.0, 0.0, 1.0, 1.0]
POINT = [0.5, 0.5, 0.5, 0.5]
LINE = [0.25, 0.5, 0.75, 0.5]
INVERTED = [0.75, 0.25, 0.25, 0.75]
TWICE_INVERTED = [0.75, 0.75, 0.25, 0.25]
FAR = [4.0, 4.0, 5.0, 5.0]
HALF = [0.0, 0.0, 1.0, 0.5]
ODD_ONES = f32([UNIT, POINT, LINE, INVERTED, TWICE_INVERTED, FAR, HALF, UNIT, [0] * 4])

DISTANCE = 1e-5


def check_threshold(iou, threshold):
    """No overlap is near the threshold, unless on it by construction."""
    gap = np.abs(np.asarray(iou) - threshold)
    if ((gap > 0) & (gap < DISTANCE)).any():
        raise ValueError(f"an overlap lies {gap[gap > 0].min():.2g} from {threshold}")


def check_rivals(values):
    """The greatest value has no rival near it but exact equals."""
    values = np.asarray(values).reshape(-1)
    gap = values.max() - values
    if ((gap > 0) & (gap < DISTANCE)).any():
        raise ValueError(f"the runner-up is {gap[gap > 0].min():.2g} behind")


def check_assignment(truth, anchors, threshold=0.5):
    """Every choice of the assignment is made with some distance."""
    iou = oracle.box_iou(anchors, truth)
    if not iou.size:
        return
    check_threshold(iou, threshold)
    for row in iou[iou.max(axis=1) >= threshold]:
        check_rivals(row)
    for _ in range(min(iou.shape)):
        check_rivals(iou)
        a, b = np.unravel_index(iou.argmax(), iou.shape)
        iou = np.delete(np.delete(iou, a, axis=0), b, axis=1)


def check_targets(anchors, labels):
    """As check_assignment, image by image."""
    for rows in np.asarray(labels):
        check_assignment(rows[rows[:, 0] >= 0, 1:], anchors)


def check_nms(rows, confidence, threshold, classes=None):
    """Every box is removed by a clear overlap, or clearly overlaps no kept one."""
    rows = np.asarray(rows, dtype=np.float64)
    classes = np.zeros(len(rows)) if classes is None else np.asarray(classes)
    confidence = np.asarray(confidence, dtype=np.float64)
    kept = []
    for i in np.argsort(-confidence, kind="stable"):
        rivals = [k for k in kept if classes[k] == classes[i]]
        iou = oracle.box_iou(rows[i : i + 1], rows[rivals])
        if (iou > threshold + DISTANCE).any():
            continue
        check_threshold(iou, threshold)
        kept.append(i)


def check_detection(probs, offsets, anchors, nms_threshold, pos_threshold):
    """As check_nms, and no confidence near the threshold of the positives."""
    for p, o in zip(probs, offsets, strict=True):
        _, confidence = oracle.confidences(p)
        check_threshold(confidence, pos_threshold)
        check_nms(oracle.offset_inverse(anchors, o), confidence, nms_threshold)
