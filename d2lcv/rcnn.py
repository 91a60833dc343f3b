"""The R-CNN family: regions of interest, and a small two-stage detector with masks.

The detector is Faster R-CNN (Ren et al., 2015) with the RoI align and the mask head of
Mask R-CNN (He et al., 2017), in the small: one feature map, one set of offsets and one
mask for a region, whatever its class.

Sizes: B images, N regions, A anchors, R regions of an image, G rows of a label, C classes
without background, H × W feature map or image, h × w the size of a pooled region.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .anchors import multibox_target
from .backends import backend
from .checks import checked, floats, in_range
from .ssd import calc_loss
from .training import predict
from .weights import initialize

__all__ = [
    "BOX_SIZE",
    "MASK_SIZE",
    "RPN_ANCHORS",
    "RPN_RATIOS",
    "RPN_SIZES",
    "TinyRCNN",
    "box_head_loss",
    "detect_instances",
    "mask_head_loss",
    "mask_iou",
    "propose",
    "roi_align",
    "roi_pool",
    "rpn_loss",
]

RPN_SIZES, RPN_RATIOS = (0.2, 0.3, 0.45), (1,)
RPN_ANCHORS = 3  # of a pixel
BOX_SIZE, MASK_SIZE = 7, 14  # cells along a side of a region, for the two heads


def roi_pool(
    X: Any, rois: Any, output_size: int | tuple[int, int], spatial_scale: float
) -> Any:
    """Greatest value of each cell of a region (Girshick, "Fast R-CNN", 2015).

    The corners are scaled and rounded to whole pixels, halves away from zero; both belong
    to the region, which has at least one pixel. It is cut into h × w cells; where their
    borders fall between pixels, a cell takes both. A cell outside the map is 0. Borders are
    computed in float32: with 7, 11, 13 or 14 cells, the last one of a region of some sizes
    (57 pixels in 7 cells is the first) reaches a pixel further.

    Args:
        X: (B, C, H, W).
        rois: (N, 5) rows (image, x1, y1, x2, y2), the image an index into the batch, the
            corners in pixels of the picture.
        output_size: (h, w), or one number for both.
        spatial_scale: size of the map over size of the picture.

    Returns:
        (N, C, h, w). Gradients go to X, not to the corners.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, size or scale, or a row of an image that is not there.
    """
    X, rois, output_size, spatial_scale = _checked(X, rois, output_size, spatial_scale)
    return backend.rcnn.roi_pool(X, rois, output_size, spatial_scale)


def roi_align(
    X: Any,
    rois: Any,
    output_size: int | tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool = True,
) -> Any:
    """Mean of samples in each cell of a region, nothing rounded (He, "Mask R-CNN", 2017).

    The scaled region is cut into h × w equal cells, and each is the mean of
    `sampling_ratio`² points, spread evenly, at which the map is interpolated bilinearly.
    A point less than one pixel beyond the outermost pixels' middles has the value of the
    border, one further out is 0. An inverted region gives a mirrored result.

    Args:
        X: (B, C, H, W).
        rois: (N, 5) rows (image, x1, y1, x2, y2), as for `roi_pool`.
        output_size: (h, w), or one number for both.
        spatial_scale: size of the map over size of the picture.
        sampling_ratio: points along each side of a cell. 0: as many as a cell has pixels
            there, rounded up; with `aligned`, an empty or inverted region is 0 then.
        aligned: the middle of pixel k lies at k + ½. Without it, as in the first version,
            it lies at k, and a region is at least one pixel wide and high.

    Returns:
        (N, C, h, w). Gradients go to X, not to the corners.

    Raises:
        TypeError: not a tensor of the active framework, or `sampling_ratio` no integer.
        ValueError: a wrong shape, size or scale, or a row of an image that is not there.
    """
    X, rois, output_size, spatial_scale = _checked(X, rois, output_size, spatial_scale)
    sampling_ratio = operator.index(sampling_ratio)
    if sampling_ratio < 0:
        raise ValueError(
            f"sampling_ratio: expected at least 0 (0: adaptive), got {sampling_ratio}"
        )
    if aligned and not sampling_ratio and rois.shape[0] != 0:
        rois = _empty_ones_outside(rois, spatial_scale)
    return backend.rcnn.roi_align(
        X, rois, output_size, spatial_scale, sampling_ratio, bool(aligned)
    )


def _empty_ones_outside(rois: Any, spatial_scale: float) -> Any:
    """Where compiled operators, asked for less than one point, would end the process."""
    t = backend.tensors
    start, end = rois[:, 1:3], rois[:, 3:]
    size = t.minimum(end[:, :1] - start[:, :1], end[:, 1:] - start[:, 1:])  # (N, 1)
    start = t.where(size > 0, start, start * 0 - 9 / spatial_scale)
    end = t.where(size > 0, end, end * 0 - 8 / spatial_scale)
    return t.concat([rois[:, :1], start, end], axis=1)


def _checked(
    X: Any, rois: Any, output_size: int | tuple[int, int], spatial_scale: float
) -> tuple[Any, Any, tuple[int, int], float]:
    X, rois = floats(X=(X, "B C H W"), rois=(rois, "N 5"))
    pair = output_size if isinstance(output_size, (tuple, list)) else [output_size] * 2
    sizes = tuple(operator.index(n) for n in pair)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(
            f"output_size: expected one or two positive numbers, got {output_size!r}"
        )
    spatial_scale = float(spatial_scale)
    if not 0 < spatial_scale < math.inf:
        raise ValueError(
            f"spatial_scale: expected a positive number, got {spatial_scale}"
        )
    used = backend.rcnn.image_range(rois)
    if used is not None and not 0 <= used[0] <= used[1] < X.shape[0]:
        raise ValueError(
            f"rois: expected images (first column) from 0 to {X.shape[0] - 1}, got "
            f"{used[0]:g} to {used[1]:g}"
        )
    return X, rois, sizes, spatial_scale


# ---- the detector ----------------------------------------------------------------------


def TinyRCNN(num_classes: int) -> Any:
    """A small two-stage detector: a feature map, a region proposal network, two heads.

    Called with images (B, 3, H, W), float32, it gives the first stage: the feature map
    (B, 64, H/8, W/8), anchors (1, A, 4), scores (B, A, 2) of background and object, and
    offsets (B, 4A). The second stage has two modules that take regions cut from the
    feature map by `roi_align`:

    - `box_head`: (N, 64, 7, 7) → (N, num_classes + 1 + 4), class scores, then offsets;
    - `mask_head`: (N, 64, 14, 14) → (N, 1, 14, 14), scores of the pixels of the object.

    Args:
        num_classes: classes without background, at least 1.

    Returns:
        A module of the active framework, its weights drawn from `d2lcv.seed`.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes: expected at least 1, got {num_classes}")
    return initialize(backend.rcnn.TinyRCNN(num_classes))


def propose(
    anchors: Any, scores: Any, offsets: Any, num: int, nms_threshold: float = 0.7
) -> Any:
    """The regions of an image that most likely hold an object, whatever its class.

    Args:
        anchors: (1, A, 4), in fractions of the image.
        scores: (B, A, 2) of background and object (logits).
        offsets: (B, 4A).
        num: how many, from 1 to A; where fewer pass NMS, some of the others fill up.
        nms_threshold: of two regions with a greater IoU the better one stays, in [0, 1].

    Returns:
        (B, num, 4) boxes inside [0, 1], likeliest first, without gradient.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or a number out of its range.
    """
    checked(
        anchors=(anchors, "1 A 4"), scores=(scores, "B A 2"), offsets=(offsets, "B 4A")
    )
    in_range("nms_threshold", nms_threshold, 0, 1)
    in_range("num", num, 1, anchors.shape[1])
    t = backend.tensors
    probs = t.transpose(t.softmax(scores, -1), (0, 2, 1))
    rows = backend.detection.multibox_detection(
        probs, offsets, anchors[0], nms_threshold, 0.0
    )
    # a compiled step may have lost the shape
    boxes = t.reshape(rows[:, :num, 2:], (scores.shape[0], num, 4))
    return backend.rcnn.stop_gradient(t.clip(boxes, 0.0, 1.0))


def _pooled(maps: Any, boxes: Any, size: int) -> Any:
    """(B, C, H, W) maps, (B, R, 4) boxes in fractions → (B·R, C, size, size)."""
    t = backend.tensors
    H, W = maps.shape[2:]
    scaled = t.stack([boxes[:, :, i] * n for i, n in enumerate((W, H, W, H))], axis=2)
    rows = backend.rcnn.roi_rows(scaled)
    return backend.rcnn.roi_align(maps, rows, (size, size), 1.0, 2, True)


def _box_predictions(net: Any, pooled: Any, B: int, head: Any) -> tuple[Any, Any]:
    """Class scores (B, R, C+1) and offsets (B, 4R) of B·R pooled regions."""
    t = backend.tensors
    predicted = t.reshape(head(pooled), (B, -1, net.num_classes + 5))
    offsets = predicted[:, :, net.num_classes + 1 :]
    return predicted[:, :, : net.num_classes + 1], t.reshape(offsets, (B, -1))


def rpn_loss(anchors: Any, scores: Any, offsets: Any, labels: Any) -> Any:
    """Loss of the proposals, (B,): `calc_loss` with one class, object or background.

    Args:
        anchors, scores, offsets: (1, A, 4), (B, A, 2), (B, 4A), from `TinyRCNN`.
        labels: (B, G, 5) rows (class, x1, y1, x2, y2), class −1 for padding.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape.
    """
    checked(
        anchors=(anchors, "1 A 4"),
        scores=(scores, "B A 2"),
        offsets=(offsets, "B 4A"),
        labels=(labels, "B G 5"),
    )
    t = backend.tensors
    one_class = t.concat([t.clip(labels[:, :, :1], -1, 0), labels[:, :, 1:]], axis=2)
    targets, masks, classes = multibox_target(anchors, one_class)
    return calc_loss(scores, classes, offsets, targets, masks)


def box_head_loss(net: Any, features: Any, rois: Any, labels: Any) -> Any:
    """Loss of the classes and offsets of regions, (B,): `calc_loss`, regions as anchors.

    A region is for the object that it overlaps most if their IoU is at least 0.5, else it
    is background.

    Args:
        net: a `TinyRCNN`.
        features: (B, 64, H/8, W/8).
        rois: (B, R, 4), in fractions of the image.
        labels: (B, G, 5).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape.
    """
    checked(
        features=(features, "B C H W"), rois=(rois, "B R 4"), labels=(labels, "B G 5")
    )
    t = backend.tensors
    B, R, _ = rois.shape
    if labels.shape[1] == 0:
        labels = t.concat([0 * rois[:, :1, :1] - 1] * 5, axis=2)  # a row of padding
    overlap, rows, _ = backend.rcnn.best_objects(rois, labels)
    positive = t.astype(overlap >= 0.5, t.float32)  # (B, R)
    classes = t.astype(positive * (rows[:, :, 0] + 1), t.int64)
    masks = t.reshape(t.stack([positive] * 4, axis=2), (B, 4 * R))
    targets = backend.anchors.offset_boxes(rois, rows[:, :, 1:], 1e-6)
    pooled = _pooled(features, rois, BOX_SIZE)
    scores, offsets = _box_predictions(net, pooled, B, net.box_head)
    return calc_loss(scores, classes, offsets, t.reshape(targets, (B, 4 * R)), masks)


def mask_head_loss(net: Any, features: Any, rois: Any, labels: Any, masks: Any) -> Any:
    """Loss of the masks of regions that hold an object: a scalar.

    The target is the object's mask, cut out of the image as the features are, by RoI
    align. The binary cross-entropy of its pixels is averaged over these regions.

    Args:
        net, features, rois, labels: as for `box_head_loss`.
        masks: (B, G, H, W) of the objects of `labels`, 1 inside.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape.
    """
    checked(
        features=(features, "B C _ _"),
        rois=(rois, "B R 4"),
        labels=(labels, "B G 5"),
        masks=(masks, "B G H W"),
    )
    t = backend.tensors
    if labels.shape[1] == 0:
        return 0 * t.reduce_sum(features)
    H, W = masks.shape[2:]
    overlap, _, index = backend.rcnn.best_objects(rois, labels)
    scaled = [rois[:, :, i] * n for i, n in enumerate((W, H, W, H))]
    corners = [t.reshape(x, (-1, 1)) for x in scaled]
    rows = t.concat([t.reshape(t.astype(index, t.float32), (-1, 1)), *corners], axis=1)
    cut = backend.rcnn.roi_align(
        t.reshape(masks, (-1, 1, H, W)), rows, (MASK_SIZE, MASK_SIZE), 1.0, 1, True
    )
    target = t.astype(cut >= 0.5, t.float32)
    x = net.mask_head(_pooled(features, rois, MASK_SIZE))  # (B·R, 1, 14, 14)
    loss = t.relu(x) - x * target + t.log(1 + t.exp(-t.abs(x)))
    loss = t.reduce_mean(t.reshape(loss, (-1, MASK_SIZE**2)), 1)  # (B·R,)
    positive = t.reshape(t.astype(overlap >= 0.5, t.float32), (-1,))
    return t.reduce_sum(loss * positive) / (t.reduce_sum(positive) + 1e-6)


def detect_instances(
    net: Any,
    X: Any,
    num_proposals: int = 32,
    num_detections: int = 8,
    nms_threshold: float = 0.3,
    pos_threshold: float = 0.05,
) -> tuple[Any, Any]:
    """Boxes, classes and masks of the objects in images: both stages, as for a test.

    Args:
        net: a `TinyRCNN`.
        X: (B, 3, H, W), float32.
        num_proposals: regions of each image that go on to the second stage.
        num_detections: rows kept of each image, at most `num_proposals`.
        nms_threshold, pos_threshold: as for `multibox_detection`.

    Returns:
        (B, num_detections, 6) rows (class, confidence, x1, y1, x2, y2), class −1 for what
        is no object, surest first, and the probability (B, num_detections, H, W) that a
        pixel belongs to the object of the row.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or a number out of its range.
    """
    checked(X=(X, "B 3 H W"))
    in_range("num_detections", num_detections, 1, num_proposals)
    in_range("pos_threshold", pos_threshold, 0, 1)
    in_range("nms_threshold", nms_threshold, 0, 1)
    t = backend.tensors
    (B, _, H, W), D = X.shape, num_detections
    features, anchors, scores, offsets = predict(net, X)
    rois = propose(anchors, scores, offsets, num_proposals)
    pooled = _pooled(features, rois, BOX_SIZE)
    scores, offsets = _box_predictions(
        net, pooled, B, lambda x: predict(net.box_head, x)
    )
    probs = t.transpose(t.softmax(scores, -1), (0, 2, 1))
    rows = backend.detection.multibox_detection(
        probs, offsets, rois, nms_threshold, pos_threshold
    )[:, :D]
    masks = t.sigmoid(
        predict(net.mask_head, _pooled(features, rows[:, :, 2:], MASK_SIZE))
    )
    return rows, t.reshape(_pasted(masks, rows[:, :, 2:], H, W), (B, D, H, W))


def _pasted(masks: Any, boxes: Any, H: int, W: int) -> Any:
    """(B·R, 1, h, w) masks of boxes (B, R, 4) as (B·R, 1, H, W), 0 outside of the boxes.

    RoI align the other way round: the whole image is a region of the mask.
    """
    t = backend.tensors
    B, R, _ = boxes.shape
    # a ring of zeros, so that the mask ends where its box does
    masks = t.concat([masks[:, :, :1] * 0, masks, masks[:, :, :1] * 0], axis=2)
    masks = t.concat([masks[..., :1] * 0, masks, masks[..., :1] * 0], axis=3)
    low, size = boxes[:, :, :2], t.clip(boxes[:, :, 2:] - boxes[:, :, :2], 1e-3, 1e3)
    ends = t.concat([-low / size, (1 - low) / size], axis=2) * MASK_SIZE + 1
    rows = backend.rcnn.roi_rows(t.reshape(ends, (B * R, 1, 4)))
    return backend.rcnn.roi_align(masks, rows, (H, W), 1.0, 1, True)


def mask_iou(
    detections: Sequence[Any],
    masks: Sequence[Any],
    labels: Any,
    true_masks: Sequence[Any],
    confidence: float = 0.5,
) -> float:
    """Mean over all objects of the IoU of their mask and the best mask found for them.

    A mask counts for an object of its row's class if the row's confidence is high enough;
    an object for which there is none counts 0.

    Args:
        detections: (n, 6) rows of each image.
        masks: (n, H, W) of each image, inside where above 0.5.
        labels: (N, G, 5) rows, class −1 for padding.
        true_masks: (G, H, W) of each image.
        confidence: least confidence of a row.

    Returns:
        A Python float in [0, 1].

    Raises:
        ValueError: `labels` has no object.
    """
    best = []
    for rows, found, label, real in zip(
        detections, masks, labels, true_masks, strict=True
    ):
        rows, label = np.asarray(rows), np.asarray(label)
        inside = np.asarray(found)[None] > 0.5  # (1, n, H, W)
        real = np.asarray(real)[:, None] > 0.5  # (G, 1, H, W)
        both = (real & inside).sum((2, 3))
        either = np.maximum((real | inside).sum((2, 3)), 1)
        counts = (label[:, None, 0] == rows[:, 0]) & (rows[:, 1] >= confidence)
        overlap = np.where(counts, both / either, 0).max(axis=1, initial=0)
        best.extend(overlap[label[:, 0] >= 0])
    if not best:
        raise ValueError("labels: expected at least one object, got padding rows only")
    return float(np.mean(best))
