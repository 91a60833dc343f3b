"""The functions as a first implementation has them: one image, one box after the other."""

import math

import numpy as np

import d2lcv as d2l


def put(x, index, value):
    """`x` with x[index] = value, in place where the framework has that."""
    try:
        x[index] = value
        return x
    except TypeError:  # immutable tensors: through a mask
        mask = np.zeros(tuple(x.shape), bool)
        mask[index] = True
        return d2l.where(d2l.tensor(mask), d2l.astype(d2l.tensor(value), x.dtype), x)


def multibox_prior(data, sizes, ratios):
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


def box_iou(boxes1, boxes2):
    area1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    area2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    upper_left = d2l.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    lower_right = d2l.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    sides = d2l.relu(lower_right - upper_left)
    intersection = sides[:, :, 0] * sides[:, :, 1]
    return intersection / (area1[:, None] + area2[None] - intersection)


def multibox_target(anchors, labels):
    anchors = anchors[0]
    offsets, masks, classes = [], [], []
    for i in range(len(labels)):
        boxes = labels[i, :, 1:]
        iou = box_iou(anchors, boxes)
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


def multibox_detection(cls_probs, offset_preds, anchors, threshold=0.5):
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
            overlap = d2l.numpy(box_iou(rest[:1], rest)[0]) <= threshold
            overlap[0] = False
            index, rest = index[overlap], rest[d2l.tensor(overlap)]
        removed = np.setdiff1d(np.arange(len(score)), kept)
        order = np.concatenate([kept, removed]).astype(int)
        label = np.where(np.isin(np.arange(len(score)), kept), label, -1)
        rows = np.concatenate([label[:, None], score[:, None], d2l.numpy(boxes)], 1)
        results.append(rows[order])
    return np.stack(results)


def voc_label_indices(colormap, table):
    """Classes of a coloured label (H, W, 3) by a table of whole numbers."""
    colors = colormap.astype(np.int32)
    return table[(colors[:, :, 0] * 256 + colors[:, :, 1]) * 256 + colors[:, :, 2]]
