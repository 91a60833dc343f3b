"""Anchor boxes: where they lie, which object each one is for, and how far off it is.

Sizes: B batch, A anchors, G rows of a label, H × W feature map. A label row is
(class, x1, y1, x2, y2), corners in fractions of the image; class −1 marks padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backends import Tensor, backend
from .boxes import with_areas
from .checks import (
    LARGEST_EXACT,
    as_given,
    check_shapes,
    check_tensor,
    finite,
    floats,
    in_range,
    known_sizes,
    on_device,
    positives,
    threshold,
)

__all__ = [
    "assign_anchor_to_bbox",
    "multibox_prior",
    "multibox_target",
    "offset_boxes",
    "offset_inverse",
]

# Offsets are divided by these (SSD, Liu et al. 2016): about unit variance in training.
CENTER_SCALE, SIZE_SCALE = 0.1, 0.2
# Sizes predicted to grow beyond e**30 are cut there: finite predictions, finite boxes.
MAX_LOG_GROWTH = 30.0

MOST_PAIRS = 2**20
"""Overlaps of anchors and objects that are held at a time; each takes about 30 bytes.

Parts of 2²⁴ took up to four times as long in two columns, smaller ones longer in another.
"""


def multibox_prior(
    data: Tensor, sizes: Sequence[float], ratios: Sequence[float]
) -> Tensor:
    """Anchors of every pixel of a feature map (SSD's default boxes).

    A pixel's anchors are (s₁, r₁), (s₂, r₁), …, (sₙ, r₁), (s₁, r₂), …, (s₁, rₘ) in this
    order; pixels are taken row by row. The anchor (s, r) has width s·√r·H/W and height
    s/√r, in fractions of the map, around the pixel's middle ((j+½)/W, (i+½)/H).

    Args:
        data: (B, C, H, W); only H, W and the device matter.
        sizes: n scales, fractions of the map's height.
        ratios: m aspect ratios, width over height.

    Returns:
        (1, H·W·(n+m−1), 4) corner boxes, float32; they may reach beyond [0, 1].

    Raises:
        TypeError: `data` is not a tensor of the active framework.
        ValueError: `data` has not four axes or no pixel, or sizes or ratios are empty or
            not positive.
    """
    check_tensor("data", data)
    check_shapes(data=(data, "B C H W"))
    if 0 in tuple(data.shape)[2:]:
        raise ValueError(f"data: expected at least one pixel, got {tuple(data.shape)}")
    sizes, ratios = positives("sizes", sizes), positives("ratios", ratios)
    prior = backend.anchors.multibox_prior
    return backend.tensors.often(prior, data, sizes, ratios)


def assign_anchor_to_bbox(
    ground_truth: Tensor,
    anchors: Tensor,
    device: Any = None,
    iou_threshold: float = 0.5,
) -> Tensor:
    """Which ground-truth box each anchor is for.

    First every anchor takes the box it overlaps most, if their IoU reaches the threshold.
    Then the pairs are gone through by falling IoU, and each box gets one anchor of its
    own: the pair's anchor is given to the pair's box, and both are struck from the list.
    The second step overrides the first; it ends when boxes or anchors run out. Equal IoU:
    the lower anchor index goes first, then the lower box index.

    Args:
        ground_truth: (G, 4) corner boxes.
        anchors: (A, 4) corner boxes, in the same unit.
        device: where the result shall be (`None`: where the anchors are).
        iou_threshold: in [0, 1]; compared as float32.

    Returns:
        (A,) indices into `ground_truth`, −1 where none; int64 (int32 in MXNet).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a box that is not finite, a threshold outside [0, 1],
            or a device that is not there.
    """
    ground_truth, anchors = floats(
        ground_truth=(ground_truth, "G 4"), anchors=(anchors, "A 4")
    )
    finite(ground_truth=ground_truth, anchors=anchors)
    known_sizes(ground_truth=ground_truth, anchors=anchors)
    least = threshold("iou_threshold", iou_threshold)
    ground_truth, anchors = with_areas(ground_truth, anchors)
    assign = backend.anchors.assign_anchor_to_bbox
    return on_device("device", assign(ground_truth, anchors, None, least), device)


def offset_boxes(anchors: Tensor, assigned_bb: Tensor, eps: float = 1e-6) -> Tensor:
    """Offsets that a detector learns: from each anchor to its ground-truth box.

    ((x_b − x_a)/w_a/0.1, (y_b − y_a)/h_a/0.1, log(eps + w_b/w_a)/0.2,
    log(eps + h_b/h_a)/0.2), with the centres and sizes of anchor a and box b. Widths and
    heights of anchors below `eps` count as `eps`, negative ones of boxes as 0: finite
    boxes have finite offsets.

    Args:
        anchors: (..., A, 4) corner boxes.
        assigned_bb: (..., A, 4) corner boxes, one for each anchor.
        eps: keeps the logarithm finite for empty boxes; in [0, 1].

    Returns:
        (..., A, 4).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or not as many boxes as anchors.
    """
    a, b = floats(anchors=(anchors, "... A 4"), assigned_bb=(assigned_bb, "... A 4"))
    _check_equal_shapes(anchors=a, assigned_bb=b)
    offsets = backend.anchors.offset_boxes(a, b, in_range("eps", eps, 0, 1))
    return as_given(offsets, anchors, assigned_bb)


def _check_equal_shapes(**pair: Any) -> None:
    (first, a), (second, b) = pair.items()
    same = len(a.shape) == len(b.shape) and all(
        m == n or None in (m, n) for m, n in zip(a.shape, b.shape, strict=True)
    )
    if not same:
        raise ValueError(
            f"{second}: expected the shape of {first}, {tuple(a.shape)}, got "
            f"{tuple(b.shape)}"
        )


def offset_inverse(anchors: Tensor, offset_preds: Tensor) -> Tensor:
    """Boxes that the predicted offsets make of the anchors: the inverse of `offset_boxes`.

    Exact, without eps; growth is cut at a factor of e³⁰, so that finite predictions give
    finite boxes.

    Args:
        anchors: (..., A, 4) corner boxes.
        offset_preds: (..., A, 4) offsets, one row for each anchor.

    Returns:
        (..., A, 4) corner boxes.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or not as many offsets as anchors.
    """
    a, p = floats(anchors=(anchors, "... A 4"), offset_preds=(offset_preds, "... A 4"))
    _check_equal_shapes(anchors=a, offset_preds=p)
    return as_given(backend.anchors.offset_inverse(a, p), anchors, offset_preds)


def multibox_target(
    anchors: Tensor, labels: Tensor, iou_threshold: float = 0.5
) -> Tensor:
    """Training targets of all anchors, for a batch of labelled images.

    Args:
        anchors: (1, A, 4) corner boxes, fractions of the image.
        labels: (B, G, 5) rows (class, x1, y1, x2, y2); rows with class < 0 are padding
            and take no anchor.
        iou_threshold: least overlap at which an anchor is for an object, in [0, 1];
            compared as float32.

    Returns:
        offsets (B, 4A), of the anchors' type: `offset_boxes` of the assigned boxes, 0
        elsewhere (labels, which NumPy often makes doubles, do not change the type);
        masks (B, 4A), float32: 1 on the four offsets of every anchor with an object;
        classes (B, A), int64 (int32 in MXNet): 0 background, k+1 for an object of class k.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a box that is not finite, a class that is not a whole
            number up to 2²⁴, or a threshold outside [0, 1]. (A compiled step cannot look
            at values: what it makes of such ones is not defined.)
    """
    (own,) = floats(anchors=(anchors, "1 A 4"))
    a, rows = floats(anchors=(anchors, "1 A 4"), labels=(labels, "B G 5"))
    finite(anchors=a, labels=rows)
    known_sizes(anchors=a, labels=rows)
    _check_classes(rows[..., 0])
    least = threshold("iou_threshold", iou_threshold)
    wide = with_areas(a, rows[..., 1:])[0].dtype
    a, rows = (backend.tensors.astype(x, wide) for x in (a, rows))
    offsets, masks, classes = _targets_in_parts(a, rows, least)
    if offsets.dtype != own.dtype:
        offsets = backend.tensors.astype(offsets, own.dtype)
    return as_given(offsets, anchors), masks, classes


def _targets_in_parts(anchors: Any, labels: Any, least: float) -> list[Any]:
    """Of a few images at a time: the memory that is needed does not grow with the batch."""
    (num_images, most), num_anchors = labels.shape[:2], anchors.shape[1]
    # a compiled step, which may not know its sizes, plans its memory itself
    if None in (num_images, most, num_anchors):
        return backend.anchors.multibox_target(anchors, labels, least)
    if num_images == 0:  # not every framework computes with no image
        t = backend.tensors
        one = t.to(t.astype(t.zeros((1, 1, 5)), anchors.dtype), t.home(anchors))
        return [x[:0] for x in backend.anchors.multibox_target(anchors, one, least)]
    target = backend.anchors.multibox_target
    step = max(1, MOST_PAIRS // max(1, most * num_anchors))
    parts = [
        backend.tensors.often(target, anchors, labels[i : i + step], least)
        for i in range(0, num_images, step)
    ]
    if len(parts) == 1:
        return parts[0]
    return [backend.tensors.concat(same, axis=0) for same in zip(*parts, strict=True)]


def _check_classes(classes: Any) -> None:
    t = backend.tensors
    if t.extent(classes) is None:
        return
    numbers = t.numpy(classes)
    bad = numbers[(numbers > LARGEST_EXACT) | (numbers != np.floor(numbers))]
    if bad.size:
        raise ValueError(
            f"labels: expected whole class numbers up to {LARGEST_EXACT}, got {bad[0]}"
        )
