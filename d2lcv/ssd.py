"""Single-shot multibox detection (Liu et al., "SSD", ECCV 2016), in the small.

Sizes: B batch, A anchors, C classes without background, H × W feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .backends import Module, Tensor, backend
from .checks import (
    as_given,
    at_least,
    check_labels,
    check_module,
    checked,
    floats,
    in_range,
    integers,
    judged,
    listed,
    not_negative,
    positive,
    positives,
)
from .checks import check_picture as check_picture  # the columns' nets ask for it
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
TINY_SSD_LEAST = 64  # pixels of a side: six times halved, one is left
TINY_SSD_ANCHORS = 4  # of a pixel: two sizes and three ratios, less the shared pair


def cls_predictor(num_inputs: int, num_anchors: int, num_classes: int) -> Module:
    """Class scores of every anchor: a 3 × 3 convolution to num_anchors·(num_classes+1).

    Returns the framework's convolution layer, (B, num_inputs, H, W) → (B, …, H, W).
    """
    sizes = integers(
        num_inputs=(num_inputs, 1),
        num_anchors=(num_anchors, 1),
        num_classes=(num_classes, 1),
    )
    return initialize(backend.ssd.cls_predictor(*sizes))


def bbox_predictor(num_inputs: int, num_anchors: int) -> Module:
    """Four offsets of every anchor: a 3 × 3 convolution to num_anchors·4 channels."""
    sizes = integers(num_inputs=(num_inputs, 1), num_anchors=(num_anchors, 1))
    return initialize(backend.ssd.bbox_predictor(*sizes))


def down_sample_blk(in_channels: int, out_channels: int) -> Module:
    """Two of 3 × 3 convolution, batch norm, ReLU; then 2 × 2 max pooling halves the map.

    The convolutions have no bias: the batch norm after them would take it away again.
    """
    sizes = integers(in_channels=(in_channels, 1), out_channels=(out_channels, 1))
    return initialize(backend.ssd.down_sample_blk(*sizes))


def base_net() -> Module:
    """Three down-sampling blocks: (B, 3, H, W) → (B, 64, H/8, W/8)."""
    return initialize(backend.ssd.base_net())


def flatten_pred(pred: Tensor) -> Tensor:
    """(B, K, H, W) predictions as (B, H·W·K): those of one pixel stand together."""
    (pred,) = checked(pred=(pred, "B K H W"))
    _refuse_booleans(pred=pred)
    return backend.ssd.flatten_pred(pred)


def _refuse_booleans(**preds: Tensor) -> None:
    for name, x in preds.items():
        if backend.tensors.type_name(x) == "bool":
            raise TypeError(f"{name}: expected numbers, got bool")


def concat_preds(preds: Sequence[Tensor]) -> Tensor:
    """Predictions of several scales, (B, Kᵢ, Hᵢ, Wᵢ) each, as one (B, Σ Hᵢ·Wᵢ·Kᵢ)."""
    preds = listed("preds", preds)
    if not preds:
        raise ValueError("preds: expected a tensor for each scale, got none")
    named = {f"preds[{i}]": x for i, x in enumerate(preds)}
    checked(**{name: (x, "B _ _ _") for name, x in named.items()})
    _refuse_booleans(**named)
    with judged("preds"):
        return backend.ssd.concat_preds(preds)


def blk_forward(
    X: Tensor,
    blk: Module,
    size: Sequence[float],
    ratio: Sequence[float],
    cls_predictor: Module,
    bbox_predictor: Module,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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
    checked(X=(X, "B C H W"))
    check_picture(X.shape, 1)
    check_module("blk", blk)
    check_module("cls_predictor", cls_predictor)
    check_module("bbox_predictor", bbox_predictor)
    size, ratio = positives("size", size), positives("ratio", ratio)
    with judged("X, blk, cls_predictor, bbox_predictor"):
        return backend.ssd.blk_forward(
            X, blk, size, ratio, cls_predictor, bbox_predictor
        )


def TinySSD(num_classes: int) -> Module:
    """A small single-shot detector with five scales: 32², 16², 8², 4², 1² at 256 × 256.

    `base_net`, three down-sampling blocks of 128 channels and a global max pooling make
    the scales; on each, every pixel has four anchors (`TINY_SSD_SIZES` and
    `TINY_SSD_RATIOS`) and a class and an offset predictor.

    Args:
        num_classes: classes without background.

    Returns:
        A module of the active framework (`isinstance(net, torch.nn.Module)` holds), its
        weights drawn from `d2lcv.seed`. Called with images (B, 3, H, W), float32, of at
        least 64 × 64 pixels (`ValueError` for smaller ones), it gives anchors (1, A, 4),
        class scores (B, A, num_classes+1) and offsets (B, 4A); A = 5444 at 256 × 256.
    """
    return initialize(backend.ssd.TinySSD(at_least("num_classes", num_classes, 1)))


def calc_loss(
    cls_preds: Tensor,
    cls_labels: Tensor,
    bbox_preds: Tensor,
    bbox_labels: Tensor,
    bbox_masks: Tensor,
) -> Tensor:
    """Loss of each image: mean cross-entropy of the classes + mean L1 of the offsets.

    Args:
        cls_preds: (B, A, C+1) scores (logits).
        cls_labels: (B, A), integers of any type from 0 (background) to C.
        bbox_preds, bbox_labels, bbox_masks: (B, 4A); where the mask is 0, no loss.

    Returns:
        (B,). The mean is over all A anchors, whether they have an object or not; 0 if
        there are none.

    Raises:
        TypeError: not a tensor of the active framework, or labels that are no integers.
        ValueError: a wrong shape, or a label that is no class. (A compiled step cannot
            look at labels: what it makes of such ones is not defined.)
    """
    given = cls_preds, bbox_preds, bbox_labels, bbox_masks
    checked(
        cls_preds=(cls_preds, "B A C"),
        cls_labels=(cls_labels, "B A"),
        bbox_preds=(bbox_preds, "B 4A"),
        bbox_labels=(bbox_labels, "B 4A"),
        bbox_masks=(bbox_masks, "B 4A"),
    )
    scores = _scores(cls_preds, cls_labels)
    scores, *offsets = floats(
        cls_preds=(scores, "B A C"),
        bbox_preds=(bbox_preds, "B 4A"),
        bbox_labels=(bbox_labels, "B 4A"),
        bbox_masks=(bbox_masks, "B 4A"),
    )
    loss = no_loss(scores)
    if loss is None:
        loss = backend.ssd.calc_loss(scores, cls_labels, *offsets)
    return as_given(loss, *given)


def no_loss(scores: Any) -> Any:
    """0 for each image where there is no image or no anchor, else None.

    Some frameworks end the process there, or fail much later.
    """
    B, A = tuple(scores.shape)[:2]
    return backend.tensors.zeros((B,)) if 0 in (A, B) else None


def _scores(cls_preds: Any, cls_labels: Any) -> Any:
    """Scores to compute with, of labels that are their classes."""
    (scores,) = floats(cls_preds=(cls_preds, "B A C"))
    checked(cls_preds=(scores, "B A C"), cls_labels=(cls_labels, "B A"))
    if scores.shape[-1] == 0:
        raise ValueError(
            f"cls_preds: expected at least one class, got {tuple(scores.shape)}"
        )
    check_labels("cls_labels", cls_labels, scores.shape[-1])
    return scores


def cls_eval(cls_preds: Tensor, cls_labels: Tensor) -> Tensor:
    """How many anchors have their class right: a scalar tensor.

    `cls_preds` (B, A, C+1) scores, `cls_labels` (B, A) integers from 0 to C; others are
    an error, as in `calc_loss`.
    """
    return backend.ssd.cls_eval(_scores(cls_preds, cls_labels), cls_labels)


def bbox_eval(bbox_preds: Tensor, bbox_labels: Tensor, bbox_masks: Tensor) -> Tensor:
    """Sum of the absolute errors of all offsets whose mask is 1: a scalar tensor.

    All of shape (B, 4A).
    """
    offsets = floats(
        bbox_preds=(bbox_preds, "B N"),
        bbox_labels=(bbox_labels, "B N"),
        bbox_masks=(bbox_masks, "B N"),
    )
    return as_given(
        backend.ssd.bbox_eval(*offsets), bbox_preds, bbox_labels, bbox_masks
    )


def smooth_l1(x: Tensor, sigma: float) -> Tensor:
    """(σx)²/2 where |x| < 1/σ², else |x| − 1/(2σ²), elementwise (Girshick, 2015)."""
    (numbers,) = floats(x=(x, "..."))
    return as_given(backend.ssd.smooth_l1(numbers, positive("sigma", sigma)), x)


def focal_loss(gamma: float, p: Tensor) -> Tensor:
    """−(1 − p)^γ·log p, elementwise; p the probability of the true class (Lin, 2017)."""
    (numbers,) = floats(p=(p, "..."))
    return as_given(backend.ssd.focal_loss(not_negative("gamma", gamma), numbers), p)


def hard_negative_loss(
    cls_preds: Tensor, cls_labels: Tensor, ratio: float = 3
) -> Tensor:
    """Class loss of each image over its objects and the hardest of the background.

    The cross-entropy, summed over the N anchors with an object and those min(⌈ratio·N⌉,
    A − N) of the background whose cross-entropy is largest (equal ones: the lower index
    first), and divided by N. Without an object it is 0 (Liu et al., "SSD", ECCV 2016).

    Args:
        cls_preds: (B, A, C+1) scores (logits).
        cls_labels: (B, A), integers of any type from 0 (background) to C.
        ratio: anchors of the background for each one with an object, at least 0.

    Returns:
        (B,).

    Raises:
        TypeError: not a tensor of the active framework, or labels that are no integers.
        ValueError: a wrong shape, a label that is no class (a compiled step cannot look,
            as in `calc_loss`), or a negative ratio.
    """
    scores = _scores(cls_preds, cls_labels)
    ratio = not_negative("ratio", ratio)
    loss = no_loss(scores)
    if loss is None:
        loss = backend.ssd.hard_negative_loss(scores, cls_labels, ratio)
    return as_given(loss, cls_preds)


def focal_cls_loss(
    cls_preds: Tensor, cls_labels: Tensor, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Class loss of each image that counts easy anchors less: the focal loss.

    −α(1 − p)^γ·log p of each anchor, p the probability of its true class, summed over
    all anchors and divided by the number of those with an object, or by 1 if there are
    none. The weight is α for anchors with an object and 1 − α for the background (Lin et
    al., "Focal Loss for Dense Object Detection", ICCV 2017).

    Args:
        cls_preds: (B, A, C+1) scores (logits).
        cls_labels: (B, A), integers of any type from 0 (background) to C.
        gamma: at least 0; with 0 it is the cross-entropy, weighted.
        alpha: in [0, 1].

    Returns:
        (B,).

    Raises:
        TypeError: not a tensor of the active framework, or labels that are no integers.
        ValueError: a wrong shape, a label that is no class (a compiled step cannot look,
            as in `calc_loss`), or a number out of its range.
    """
    scores = _scores(cls_preds, cls_labels)
    gamma = not_negative("gamma", gamma)
    alpha = in_range("alpha", alpha, 0, 1)
    loss = no_loss(scores)
    if loss is None:
        loss = backend.ssd.focal_cls_loss(scores, cls_labels, gamma, alpha)
    return as_given(loss, cls_preds)


def smooth_l1_loss(
    bbox_preds: Tensor, bbox_labels: Tensor, bbox_masks: Tensor, sigma: float = 1.0
) -> Tensor:
    """Offset loss of each image: `smooth_l1`, summed, per anchor with an object.

    Args:
        bbox_preds, bbox_labels, bbox_masks: (B, 4A); where the mask is 0, no loss.
        sigma: as for `smooth_l1`.

    Returns:
        (B,); 0 for an image without an object. `hard_negative_loss` + `smooth_l1_loss` is
        the loss of SSD (Liu et al., 2016).
    """
    offsets = floats(
        bbox_preds=(bbox_preds, "B 4A"),
        bbox_labels=(bbox_labels, "B 4A"),
        bbox_masks=(bbox_masks, "B 4A"),
    )
    loss = backend.ssd.smooth_l1_loss(*offsets, positive("sigma", sigma))
    return as_given(loss, bbox_preds, bbox_labels, bbox_masks)
