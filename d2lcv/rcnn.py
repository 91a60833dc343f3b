"""The R-CNN family: regions of interest, and a small two-stage detector with masks.

The detector is Faster R-CNN (Ren et al., 2015) with the RoI align and the mask head of
Mask R-CNN (He et al., 2017), in the small: one feature map, one set of offsets and one
mask for a region, whatever its class.

Sizes: B images, N regions, A anchors, R regions of an image, G rows of a label, C classes
without background, H × W feature map or image, h × w the size of a pooled region.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .backends import Module, Tensor, backend
from .checks import (
    LARGEST_EXACT,
    as_array,
    as_given,
    at_least,
    check_net,
    checked,
    described,
    finite,
    floats,
    image_rows,
    in_range,
    judged,
    known_sizes,
    listed,
    pair,
    positive,
    real,
    threshold,
)
from .checks import check_picture as check_picture  # the columns' nets ask for it
from .ssd import no_loss
from .weights import initialize

__all__ = [
    "BOX_SIZE",
    "INSTANCE_THRESHOLD",
    "MASK_SIZE",
    "NUM_DETECTIONS",
    "NUM_PROPOSALS",
    "RPN_ANCHORS",
    "RPN_RATIOS",
    "RPN_SIZES",
    "TinyRCNN",
    "box_head_loss",
    "detect_instances",
    "mask_head_loss",
    "mask_iou",
    "paste_masks",
    "propose",
    "roi_align",
    "roi_pool",
    "rpn_loss",
]

RPN_SIZES, RPN_RATIOS = (0.2, 0.3, 0.45), (1,)
RPN_ANCHORS = 3  # of a pixel
PROPOSAL_OVERLAP = float(np.float32(0.7))  # of two that overlap more one is proposed
BOX_SIZE, MASK_SIZE = 7, 14  # cells along a side of a region, for the two heads
NUM_PROPOSALS, NUM_DETECTIONS = 32, 8  # of a picture
INSTANCE_THRESHOLD = 0.05  # what a detection that is no background has at least
LARGEST_REGION = 4096  # pixels of the map along a side, for adaptive sampling


def roi_pool(
    X: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float
) -> Tensor:
    """Greatest value of each cell of a region (Girshick, "Fast R-CNN", 2015).

    The corners are scaled and rounded to whole pixels, halves away from zero; both belong
    to the region, which has at least one pixel. It is cut into h × w cells; where their
    borders fall between pixels, a cell takes both. A cell outside the map is 0. Borders are
    computed in float32, which rounds: with 7, 11, 13 or more cells a cell of some regions
    reaches a pixel further (the last of 7 cells in 57 pixels, the 21st of 28 in 4).

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
        ValueError: a wrong shape, size or scale, a corner that is not finite, or a row of
            an image that is not there. (A compiled step cannot look at rows.)
    """
    given = X
    X, rois, output_size, spatial_scale = _checked(X, rois, output_size, spatial_scale)
    if 0 in X.shape[2:]:
        return as_given(_nothing(X, rois, output_size), given)
    pool = backend.rcnn.roi_pool
    out = backend.tensors.often(pool, X, rois, output_size, spatial_scale)
    return as_given(out, given)


def roi_align(
    X: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool = True,
) -> Tensor:
    """Mean of samples in each cell of a region, nothing rounded (He, "Mask R-CNN", 2017).

    The scaled region is cut into h × w equal cells, and each is the mean of
    `sampling_ratio`² points, spread evenly, at which the map is interpolated bilinearly.
    A point at most one pixel beyond the outermost pixels' middles has the value of the
    border, one further out is 0. An inverted region gives a mirrored result.

    Args:
        X: (B, C, H, W).
        rois: (N, 5) rows (image, x1, y1, x2, y2), as for `roi_pool`.
        output_size: (h, w), or one number for both.
        spatial_scale: size of the map over size of the picture.
        sampling_ratio: points along each side of a cell. 0: as many as a cell has pixels
            there, rounded up; with `aligned`, an empty or inverted region is 0 then. No
            side of a region may be longer than 4096 pixels of the map and than four times
            the map's longer side then, for the work grows with its area.
        aligned: the middle of pixel k lies at k + ½. Without it, as in the first version,
            it lies at k, and a region is at least one pixel wide and high.

    Returns:
        (N, C, h, w). Gradients go to X, not to the corners.

    Raises:
        TypeError: not a tensor of the active framework, or `sampling_ratio` no integer.
        ValueError: a wrong shape, size or scale, a corner that is not finite, a region
            that is too large, or a row of an image that is not there. (A compiled step
            cannot look at rows.)
    """
    given = X
    X, rois, output_size, spatial_scale = _checked(X, rois, output_size, spatial_scale)
    sampling_ratio = at_least("sampling_ratio", sampling_ratio, 0)
    if 0 in X.shape[2:]:
        return as_given(_nothing(X, rois, output_size), given)
    if not sampling_ratio and rois.shape[0] != 0:
        _check_sizes(X, rois, spatial_scale)
        if aligned:
            rois = _empty_ones_outside(rois, spatial_scale)
    align = backend.rcnn.roi_align
    out = backend.tensors.often(
        align, X, rois, output_size, spatial_scale, sampling_ratio, bool(aligned)
    )
    return as_given(out, given)


def _check_sizes(X: Any, rois: Any, spatial_scale: float) -> None:
    """Adaptive sampling of a huge region would end the process, or take for ever."""
    found = backend.tensors.extent((rois[:, 3:] - rois[:, 1:3]) * spatial_scale)
    if found is None:
        return
    most = max(LARGEST_REGION, 4 * X.shape[2], 4 * X.shape[3])
    if not found <= most:
        raise ValueError(
            f"rois: with sampling_ratio 0, expected regions of at most {most} pixels of "
            f"the map along a side, got {found:g}; set a sampling_ratio"
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
    (X,), (rois,) = floats(X=(X, "B C H W")), floats(rois=(rois, "N 5"))
    rois = backend.tensors.astype(rois, X.dtype)
    sizes = pair("output_size", output_size, 1)
    scale = positive("spatial_scale", spatial_scale)
    finite(rois=rois)
    known_sizes(X=X)
    farthest = backend.tensors.extent(rois[:, 1:] * scale)
    if farthest is not None and not farthest <= LARGEST_EXACT:
        raise ValueError(
            f"rois: expected corners within {LARGEST_EXACT} pixels of the map, which "
            f"float32 can tell apart, got {farthest:g}"
        )
    _check_images(rois, X.shape[0])
    if scale > 1:  # which not every framework's operator takes
        rois = backend.tensors.concat([rois[:, :1], rois[:, 1:] * scale], axis=1)
        scale = 1.0
    return X, rois, sizes, scale


def _nothing(X: Any, rois: Any, output_size: tuple[int, int]) -> Any:
    """What a map without pixels gives: frameworks refuse it, or end the process."""
    zeros = backend.tensors.zeros((rois.shape[0], X.shape[1], *output_size))
    return backend.tensors.astype(zeros, X.dtype)


def _check_images(rois: Any, num_images: int) -> None:
    """Compiled operators read whatever memory an index points to."""
    if rois.shape[0] == 0 or backend.tensors.extent(rois) is None:
        return
    image = backend.tensors.numpy(rois)[:, 0]
    if image.min() < 0 or image.max() >= num_images or (image % 1).any():
        raise ValueError(
            f"rois: expected images (first column) from 0 to {num_images - 1}, got "
            f"{image.min():g} to {image.max():g}"
        )


# ---- the detector ----------------------------------------------------------------------


def TinyRCNN(num_classes: int) -> Module:
    """A small two-stage detector: a feature map, a region proposal network, two heads.

    Called with images (B, 3, H, W), float32, of at least 8 × 8 pixels (`ValueError` for
    smaller ones), it gives the first stage: the feature map (B, 64, H/8, W/8), anchors
    (1, A, 4), scores (B, A, 2) of background and object, and offsets (B, 4A). The second
    stage has two modules that take regions cut from the feature map by `roi_align`:

    - `box_head`: (N, 64, 7, 7) → (N, num_classes + 1 + 4), class scores, then offsets;
    - `mask_head`: (N, 64, 14, 14) → (N, 1, 14, 14), scores of the pixels of the object.

    Args:
        num_classes: classes without background, at least 1.

    Returns:
        A module of the active framework, its weights drawn from `d2lcv.seed`.
    """
    num_classes = at_least("num_classes", num_classes, 1)
    return initialize(backend.rcnn.TinyRCNN(num_classes))


def propose(
    anchors: Tensor,
    scores: Tensor,
    offsets: Tensor,
    num: int,
    nms_threshold: float = 0.7,
) -> Tensor:
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
        ValueError: a wrong shape, a number out of its range, or predictions that are not
            finite: the training has diverged. (A compiled step cannot look at them.)
    """
    given = anchors, scores, offsets
    anchors, scores, offsets = floats(
        anchors=(anchors, "1 A 4"), scores=(scores, "B A 2"), offsets=(offsets, "B 4A")
    )
    most = threshold("nms_threshold", nms_threshold)
    num = at_least("num", num, 0)
    in_range("num", num, 1, anchors.shape[1])
    finite(anchors=anchors, scores=scores, offsets=offsets)
    return as_given(backend.rcnn.propose(anchors, scores, offsets, num, most), *given)


def rpn_loss(
    anchors: Tensor, scores: Tensor, offsets: Tensor, labels: Tensor
) -> Tensor:
    """Loss of the proposals, (B,): `calc_loss` with one class, object or background.

    Args:
        anchors, scores, offsets: (1, A, 4), (B, A, 2), (B, 4A), from `TinyRCNN`.
        labels: (B, G, 5) rows (class, x1, y1, x2, y2), class −1 for padding.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape.
    """
    given = anchors, scores, offsets
    anchors, scores, offsets = floats(
        anchors=(anchors, "1 A 4"), scores=(scores, "B A 2"), offsets=(offsets, "B 4A")
    )
    checked(scores=(scores, "B A 2"), labels=(labels, "B G 5"))
    labels = backend.tensors.astype(labels, anchors.dtype)
    finite(anchors=anchors, labels=labels)
    loss = no_loss(scores)
    if loss is None:
        loss = backend.rcnn.rpn_loss(anchors, scores, offsets, labels)
    return as_given(loss, *given)


def box_head_loss(
    net: Module, features: Tensor, rois: Tensor, labels: Tensor
) -> Tensor:
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
        ValueError: a wrong shape, a region or label that is not finite, or a class that
            the net does not know. (A compiled step cannot look at numbers.)
    """
    _check_net(net, "num_classes", "box_head")
    checked(
        features=(features, "B C H W"), rois=(rois, "B R 4"), labels=(labels, "B G 5")
    )
    t = backend.tensors
    features = _map("features", features)
    rois, labels = (t.astype(x, features.dtype) for x in (rois, labels))
    finite(rois=rois, labels=labels)
    if 0 in tuple(rois.shape):
        return _no_loss(features)
    if labels.shape[1] == 0:
        labels = t.concat([0 * rois[:, :1, :1] - 1] * 5, axis=2)  # a row of padding
    _check_classes(labels, net.num_classes)
    with judged("net, features"):
        return backend.rcnn.box_head_loss(net, features, rois, labels)


def _check_net(net: Any, *parts: str) -> None:
    """What has the parts of a `TinyRCNN` is one."""
    if not all(hasattr(net, part) for part in parts):
        raise TypeError(f"net: expected a TinyRCNN, got {described(net)}")


def _map(name: str, features: Any) -> Any:
    """A map to cut regions out of: compiled operators end the process where it is empty."""
    (features,) = floats(**{name: (features, "B C H W")})
    if 0 in tuple(features.shape)[1:]:
        raise ValueError(
            f"{name}: expected at least one channel and one pixel, got "
            f"{tuple(features.shape)}"
        )
    return features


def _no_loss(features: Any) -> Any:
    """0 for each image, with a gradient, which is 0 too."""
    if features.shape[0] == 0:
        return backend.tensors.zeros((0,))
    for _ in features.shape[1:]:
        features = backend.tensors.reduce_sum(features, 1)
    return 0 * features


def _check_classes(labels: Any, num_classes: int) -> None:
    if backend.tensors.extent(labels) is None:
        return
    classes = backend.tensors.numpy(labels)[..., 0]
    wrong = classes[(classes >= num_classes) | (classes % 1 != 0)]
    if wrong.size:
        raise ValueError(
            f"labels: expected classes from 0 to {num_classes - 1}, or −1 for padding, "
            f"got {wrong[0]:g}"
        )


def mask_head_loss(
    net: Module, features: Tensor, rois: Tensor, labels: Tensor, masks: Tensor
) -> Tensor:
    """Loss of the masks of regions that hold an object: a scalar.

    The target is the object's mask, cut out of the image as the features are, by RoI
    align. The binary cross-entropy of its pixels is averaged over these regions.

    Args:
        net, features, rois, labels: as for `box_head_loss`.
        masks: (B, G, H, W) of the objects of `labels`, 1 inside.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, a region or label that is not finite, or a class that
            the net does not know. (A compiled step cannot look at numbers.)
    """
    _check_net(net, "num_classes", "mask_head")
    checked(
        features=(features, "B C _ _"),
        rois=(rois, "B R 4"),
        labels=(labels, "B G 5"),
        masks=(masks, "B G H W"),
    )
    t = backend.tensors
    features = _map("features", features)
    rois, labels, masks = (t.astype(x, features.dtype) for x in (rois, labels, masks))
    finite(rois=rois, labels=labels)
    _check_classes(labels, net.num_classes)
    if 0 in tuple(rois.shape) + tuple(masks.shape):
        one = _no_loss(features) if features.shape[0] else t.zeros((1,))
        return t.reduce_sum(one)
    with judged("net, features, masks"):
        return backend.rcnn.mask_head_loss(net, features, rois, labels, masks)


def detect_instances(
    net: Module,
    X: Tensor,
    num_proposals: int = NUM_PROPOSALS,
    num_detections: int = NUM_DETECTIONS,
    nms_threshold: float = 0.3,
    pos_threshold: float = INSTANCE_THRESHOLD,
) -> tuple[Tensor, Tensor]:
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
        ValueError: a wrong shape, a number out of its range, or predictions that are not
            finite.
    """
    check_net("net", net)
    _check_net(net, "num_classes", "box_head", "mask_head")
    checked(X=(X, "B 3 H W"))
    if X.shape[0] == 0:
        raise ValueError(f"X: expected at least one picture, got {tuple(X.shape)}")
    num_proposals = at_least("num_proposals", num_proposals, 1)
    num_detections = at_least("num_detections", num_detections, 0)
    in_range("num_detections", num_detections, 1, num_proposals)
    least = threshold("pos_threshold", pos_threshold)
    most = threshold("nms_threshold", nms_threshold)
    with judged("net, X"):
        rows, masks = backend.rcnn.detect_instances(
            net, X, num_proposals, num_detections, most, least
        )
    found = backend.tensors.extent(rows)
    if found is not None and not math.isfinite(found):
        raise ValueError(
            f"net: expected finite predictions, got {found}; its weights or X are not "
            f"finite, as after a training that has diverged"
        )
    return rows, masks


def paste_masks(masks: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Masks of boxes as masks of the whole image, 0 outside of the boxes.

    Args:
        masks: (N, 14, 14), numbers from 0 to 1; other sizes h × h are right, too.
        boxes: (N, 4), in fractions of the image.
        height, width: of the image in pixels.

    Returns:
        (N, height, width).

    Raises:
        TypeError: not a tensor of the active framework, or a size that is no integer.
        ValueError: a wrong shape or size, or a box that is not finite.
    """
    given = masks
    masks, boxes = floats(masks=(masks, "N S S"), boxes=(boxes, "N 4"))
    finite(boxes=boxes)
    height, width = at_least("height", height, 1), at_least("width", width, 1)
    return as_given(backend.rcnn.paste_masks(masks, boxes, height, width), given)


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
        TypeError: not numbers.
        ValueError: a wrong shape, not as many images in one as in the others, or `labels`
            has no object.
    """
    confidence = real("confidence", confidence)
    found = image_rows("detections", detections, 6)
    objects = image_rows("labels", labels, 5)
    inside_of = _inside("masks", masks, found)
    truth_of = _inside("true_masks", true_masks, objects)
    if len(found) != len(objects):
        raise ValueError(
            f"detections: expected as many images as labels has, {len(objects)}, got "
            f"{len(found)}"
        )
    best: list[float] = []
    for rows, inside, label, truth in zip(
        found, inside_of, objects, truth_of, strict=True
    ):
        if truth.shape[1:] != inside.shape[1:]:
            raise ValueError(
                f"masks: expected the size of true_masks, {truth.shape[1:]}, got "
                f"{inside.shape[1:]}"
            )
        inside, truth = inside[None], truth[:, None]  # (1, n, H, W), (G, 1, H, W)
        both = (truth & inside).sum((2, 3))
        either = np.maximum((truth | inside).sum((2, 3)), 1)
        counts = (label[:, None, 0] == rows[:, 0]) & (rows[:, 1] >= confidence)
        overlap = np.where(counts, both / either, 0).max(axis=1, initial=0)
        best.extend(overlap[label[:, 0] >= 0])
    if not best:
        raise ValueError("labels: expected at least one object, got padding rows only")
    return float(np.mean(best))


def _inside(name: str, masks: Any, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Of each image (n, H, W), where its masks, one for each row, are above 0.5."""
    images = listed(name, masks)
    if len(images) != len(rows):
        raise ValueError(
            f"{name}: expected masks of {len(rows)} images, got {len(images)}"
        )
    inside = [as_array(f"{name}[{i}]", image) > 0.5 for i, image in enumerate(images)]
    for i, (image, of) in enumerate(zip(inside, rows, strict=True)):
        if image.ndim != 3 or len(image) != len(of):
            raise ValueError(
                f"{name}[{i}]: expected shape ({len(of)}, H, W), got {image.shape}"
            )
    return inside
