"""Single-shot multibox detection (Liu et al., "SSD", ECCV 2016), in the small.

Sizes: B batch, A anchors, C classes without background, H × W feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .anchors import multibox_prior
from .backends import backend
from .checks import check_tensor, checked, floats, in_range
from .weights import initialize

__all__ = [
    "TINY_SSD_RATIOS",
    "TINY_SSD_SIZES",
    "TinySSD",
    "base_net",
    "bbox_eval",
    "bbox_predictor",
    "blk_forward",
    "calc_loss",
    "cls_eval",
    "cls_predictor",
    "concat_preds",
    "down_sample_blk",
    "flatten_pred",
    "focal_cls_loss",
    "focal_loss",
    "hard_negative_loss",
    "multiscale_preds",
    "smooth_l1",
    "smooth_l1_loss",
]

# Scales grow evenly from 0.2; the second of each pair is the geometric mean with the next
TINY_SSD_SIZES = (
    (0.2, 0.272),
    (0.37, 0.447),
    (0.54, 0.619),
    (0.71, 0.79),
    (0.88, 0.961),
)
TINY_SSD_RATIOS = ((1, 2, 0.5),) * 5
TINY_SSD_CHANNELS = (64, 128, 128, 128, 128)
TINY_SSD_ANCHORS = 4  # of a pixel: two sizes and three ratios, less the shared pair


def cls_predictor(num_inputs: int, num_anchors: int, num_classes: int) -> Any:
    """Class scores of every anchor: a 3 × 3 convolution to num_anchors·(num_classes+1).

    Returns the framework's convolution layer, (B, num_inputs, H, W) → (B, …, H, W).
    """
    return initialize(backend.ssd.cls_predictor(num_inputs, num_anchors, num_classes))


def bbox_predictor(num_inputs: int, num_anchors: int) -> Any:
    """Four offsets of every anchor: a 3 × 3 convolution to num_anchors·4 channels."""
    return initialize(backend.ssd.bbox_predictor(num_inputs, num_anchors))


def down_sample_blk(in_channels: int, out_channels: int) -> Any:
    """Two of 3 × 3 convolution, batch norm, ReLU; then 2 × 2 max pooling halves the map.

    The convolutions have no bias: the batch norm after them would take it away again.
    """
    return initialize(backend.ssd.down_sample_blk(in_channels, out_channels))


def base_net() -> Any:
    """Three down-sampling blocks: (B, 3, H, W) → (B, 64, H/8, W/8)."""
    return initialize(backend.ssd.base_net())


def flatten_pred(pred: Any) -> Any:
    """(B, K, H, W) predictions as (B, H·W·K): those of one pixel stand together."""
    (pred,) = checked(pred=(pred, "B K H W"))
    _, K, H, W = pred.shape
    t = backend.tensors
    return t.reshape(t.transpose(pred, (0, 2, 3, 1)), (-1, H * W * K))


def concat_preds(preds: Sequence[Any]) -> Any:
    """Predictions of several scales, (B, Kᵢ, Hᵢ, Wᵢ) each, as one (B, Σ Hᵢ·Wᵢ·Kᵢ)."""
    return backend.tensors.concat([flatten_pred(p) for p in preds], axis=1)


def blk_forward(
    X: Any,
    blk: Any,
    size: Sequence[float],
    ratio: Sequence[float],
    cls_predictor: Any,
    bbox_predictor: Any,
) -> tuple[Any, Any, Any, Any]:
    """One scale of the detector: feature map, its anchors, class and offset predictions.

    Args:
        X: (B, C, H, W) the scale before it.
        blk: layer that makes this scale's feature map.
        size, ratio: sizes and ratios of `multibox_prior`.
        cls_predictor, bbox_predictor: layers of this scale.

    Returns:
        Y (B, C', H', W'), anchors (1, A, 4), class scores (B, …, H', W'), offsets
        (B, …, H', W').
    """
    Y = blk(X)
    return Y, multibox_prior(Y, size, ratio), cls_predictor(Y), bbox_predictor(Y)


def multiscale_preds(
    X: Any, blocks: Any, cls_predictors: Any, bbox_predictors: Any, num_classes: int
) -> tuple[Any, Any, Any]:
    """TinySSD's forward pass: each block makes the next scale, all scales are joined.

    Args:
        X: (B, 3, H, W) images.
        blocks, cls_predictors, bbox_predictors: five layers each.
        num_classes: classes without background.

    Returns:
        anchors (1, A, 4), class scores (B, A, num_classes+1), offsets (B, 4A).
    """
    anchors, cls_preds, bbox_preds = [], [], []
    heads = zip(cls_predictors, bbox_predictors, strict=True)
    scales = zip(blocks, TINY_SSD_SIZES, TINY_SSD_RATIOS, heads, strict=True)
    for block, sizes, ratios, (cls_head, bbox_head) in scales:
        X, *preds = blk_forward(X, block, sizes, ratios, cls_head, bbox_head)
        anchors.append(preds[0])
        cls_preds.append(preds[1])
        bbox_preds.append(preds[2])
    t = backend.tensors
    anchors = t.concat(anchors, axis=1)
    shape = (-1, anchors.shape[1], num_classes + 1)
    return anchors, t.reshape(concat_preds(cls_preds), shape), concat_preds(bbox_preds)


def TinySSD(num_classes: int) -> Any:
    """A small single-shot detector with five scales: 32², 16², 8², 4², 1² at 256 × 256.

    `base_net`, three down-sampling blocks of 128 channels and a global max pooling make
    the scales; on each, every pixel has four anchors (`TINY_SSD_SIZES` and
    `TINY_SSD_RATIOS`) and a class and an offset predictor.

    Args:
        num_classes: classes without background.

    Returns:
        A module of the active framework (`isinstance(net, torch.nn.Module)` holds), its
        weights drawn from `d2lcv.seed`. Called with images (B, 3, H, W), float32, it
        gives anchors (1, A, 4), class scores (B, A, num_classes+1) and offsets (B, 4A);
        A = 5444 at 256 × 256.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes: expected at least 1, got {num_classes}")
    return initialize(backend.ssd.TinySSD(num_classes))


def calc_loss(
    cls_preds: Any, cls_labels: Any, bbox_preds: Any, bbox_labels: Any, bbox_masks: Any
) -> Any:
    """Loss of each image: mean cross-entropy of the classes + mean L1 of the offsets.

    Args:
        cls_preds: (B, A, C+1) scores (logits).
        cls_labels: (B, A) integers, 0 background.
        bbox_preds, bbox_labels, bbox_masks: (B, 4A); where the mask is 0, no loss.

    Returns:
        (B,). The mean is over all A anchors, whether they have an object or not.
    """
    checked(
        cls_preds=(cls_preds, "B A C"),
        cls_labels=(cls_labels, "B A"),
        bbox_preds=(bbox_preds, "B 4A"),
        bbox_labels=(bbox_labels, "B 4A"),
        bbox_masks=(bbox_masks, "B 4A"),
    )
    t = backend.tensors
    cls = backend.ssd.cross_entropy(cls_preds, cls_labels)  # (B, A)
    bbox = t.abs((bbox_preds - bbox_labels) * bbox_masks)  # (B, 4A)
    return t.reduce_mean(cls, 1) + t.reduce_mean(bbox, 1)


def cls_eval(cls_preds: Any, cls_labels: Any) -> Any:
    """How many anchors have their class right: a scalar tensor.

    `cls_preds` (B, A, C+1) scores, `cls_labels` (B, A) integers.
    """
    checked(cls_preds=(cls_preds, "B A C"), cls_labels=(cls_labels, "B A"))
    t = backend.tensors
    guesses = t.astype(t.argmax(cls_preds, -1), cls_labels.dtype)
    return t.reduce_sum(t.astype(guesses == cls_labels, t.float32))


def bbox_eval(bbox_preds: Any, bbox_labels: Any, bbox_masks: Any) -> Any:
    """Sum of the absolute errors of all offsets whose mask is 1: a scalar tensor.

    All of shape (B, 4A).
    """
    checked(
        bbox_preds=(bbox_preds, "B N"),
        bbox_labels=(bbox_labels, "B N"),
        bbox_masks=(bbox_masks, "B N"),
    )
    t = backend.tensors
    return t.reduce_sum(t.abs((bbox_labels - bbox_preds) * bbox_masks))


def smooth_l1(x: Any, sigma: float) -> Any:
    """(σx)²/2 where |x| < 1/σ², else |x| − 1/(2σ²), elementwise (Girshick, 2015)."""
    (x,) = floats(x=(x, "..."))
    if not sigma > 0:
        raise ValueError(f"sigma: expected a positive number, got {sigma}")
    t = backend.tensors
    magnitude = t.abs(x)
    return t.where(
        magnitude < 1 / sigma**2, (sigma * x) ** 2 / 2, magnitude - 0.5 / sigma**2
    )


def focal_loss(gamma: float, p: Any) -> Any:
    """−(1 − p)^γ·log p, elementwise; p the probability of the true class (Lin, 2017)."""
    check_tensor("p", p)
    if not gamma >= 0:
        raise ValueError(f"gamma: expected a number of at least 0, got {gamma}")
    return -((1 - p) ** gamma) * backend.tensors.log(p)


def hard_negative_loss(cls_preds: Any, cls_labels: Any, ratio: float = 3) -> Any:
    """Class loss of each image over its objects and the hardest of the background.

    The cross-entropy, summed over the N anchors with an object and those min(⌈ratio·N⌉,
    A − N) of the background whose cross-entropy is largest (equal ones: the lower index
    first), and divided by N. Without an object it is 0 (Liu et al., "SSD", ECCV 2016).

    Args:
        cls_preds: (B, A, C+1) scores (logits).
        cls_labels: (B, A) integers, 0 background.
        ratio: anchors of the background for each one with an object, at least 0.

    Returns:
        (B,).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape or a negative ratio.
    """
    checked(cls_preds=(cls_preds, "B A C"), cls_labels=(cls_labels, "B A"))
    if not ratio >= 0:
        raise ValueError(f"ratio: expected a number of at least 0, got {ratio}")
    t = backend.tensors
    losses = backend.ssd.cross_entropy(cls_preds, cls_labels)  # (B, A)
    positive = t.astype(cls_labels > 0, losses.dtype)
    num_positive = t.reduce_sum(positive, 1)
    # a cross-entropy is never negative: the anchors with an object come last
    negatives = losses * (1 - positive) - positive
    hardest = backend.ssd.largest(negatives, ratio * num_positive) * (1 - positive)
    return _per_object(losses * (positive + hardest), num_positive)


def focal_cls_loss(
    cls_preds: Any, cls_labels: Any, gamma: float = 2.0, alpha: float = 0.25
) -> Any:
    """Class loss of each image that counts easy anchors less: the focal loss.

    −α(1 − p)^γ·log p of each anchor, p the probability of its true class, summed over
    all anchors and divided by the number of those with an object, or by 1 if there are
    none. The weight is α for anchors with an object and 1 − α for the background (Lin et
    al., "Focal Loss for Dense Object Detection", ICCV 2017).

    Args:
        cls_preds: (B, A, C+1) scores (logits).
        cls_labels: (B, A) integers, 0 background.
        gamma: at least 0; with 0 it is the cross-entropy, weighted.
        alpha: in [0, 1].

    Returns:
        (B,).

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or a number out of its range.
    """
    checked(cls_preds=(cls_preds, "B A C"), cls_labels=(cls_labels, "B A"))
    if not gamma >= 0:
        raise ValueError(f"gamma: expected a number of at least 0, got {gamma}")
    in_range("alpha", alpha, 0, 1)
    t = backend.tensors
    losses = backend.ssd.cross_entropy(cls_preds, cls_labels)  # (B, A)
    positive = t.astype(cls_labels > 0, losses.dtype)
    # where p is 1 the power has no slope for small γ: keep away from there
    easiness = t.clip(1 - t.exp(-losses), 1e-7, 1) ** gamma
    weights = alpha * positive + (1 - alpha) * (1 - positive)
    return _per_object(weights * easiness * losses, t.reduce_sum(positive, 1))


def smooth_l1_loss(
    bbox_preds: Any, bbox_labels: Any, bbox_masks: Any, sigma: float = 1.0
) -> Any:
    """Offset loss of each image: `smooth_l1`, summed, per anchor with an object.

    Args:
        bbox_preds, bbox_labels, bbox_masks: (B, 4A); where the mask is 0, no loss.
        sigma: as for `smooth_l1`.

    Returns:
        (B,); 0 for an image without an object. `hard_negative_loss` + `smooth_l1_loss` is
        the loss of SSD (Liu et al., 2016).
    """
    checked(
        bbox_preds=(bbox_preds, "B 4A"),
        bbox_labels=(bbox_labels, "B 4A"),
        bbox_masks=(bbox_masks, "B 4A"),
    )
    errors = smooth_l1((bbox_preds - bbox_labels) * bbox_masks, sigma)
    return _per_object(errors, backend.tensors.reduce_sum(bbox_masks, 1) / 4)


def _per_object(losses: Any, num_objects: Any) -> Any:
    t = backend.tensors
    return t.reduce_sum(losses, 1) / t.clip(num_objects, 1, float("inf"))
