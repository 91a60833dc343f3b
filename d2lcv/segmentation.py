"""Semantic segmentation: transposed convolution, fully convolutional networks, metrics.

Sizes: B images, C classes or channels, H × W image or map, h × w kernel.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from .backends import Module, Tensor, backend
from .checks import (
    as_given,
    as_numbers,
    at_least,
    check_kind,
    check_labels,
    check_net,
    check_tensor,
    checked,
    floats,
    integers,
    judged,
    label,
    one_of,
    pair,
)
from .data.voc import IGNORE, classes_to_colors
from .training import predict
from .weights import get_weights, initialize, set_weights

__all__ = [
    "FCN",
    "Confusion",
    "bilinear_kernel",
    "conv2d",
    "conv_transpose2d",
    "corr2d",
    "kernel2matrix",
    "label2image",
    "mean_iou",
    "pixel_accuracy",
    "predict_tiles",
    "segmentation_loss",
    "trans_conv",
]

STRIDES = (32, 16, 8)


# ---- convolutions of matrices ----------------------------------------------------------


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlation of two matrices: Y[i, j] = Σ_uv K[u, v] · X[i+u, j+v].

    Args:
        X: (H, W).
        K: (h, w), no larger than X.

    Returns:
        (H−h+1, W−w+1), float.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or a kernel larger than X.
    """
    given = X, K
    X, K = floats(X=(X, "H W"), K=(K, "h w"))
    (H, W), (h, w) = X.shape, K.shape
    if not 0 < h <= H or not 0 < w <= W:
        raise ValueError(
            f"K: expected a kernel no larger than X, {H} × {W}, got {h} × {w}"
        )
    return as_given(backend.segmentation.corr2d(X, K), *given)


def trans_conv(X: Tensor, K: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Transposed convolution of matrices: each X[i, j] lays a copy of X[i, j]·K, summed.

    The copy of X[i, j] has its corner at (stride·i, stride·j); then `padding` rows and
    columns are taken away on every side (Dumoulin and Visin, 2016).

    Args:
        X: (H, W).
        K: (h, w).
        stride: pixels between the corners of neighbouring copies, at least 1.
        padding: at least 0, and less than would leave nothing.

    Returns:
        (stride·(H−1) + h − 2·padding, stride·(W−1) + w − 2·padding), float.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or a number out of its range.
    """
    given = X, K
    X, K = floats(X=(X, "H W"), K=(K, "h w"))
    stride, padding = integers(stride=(stride, 1), padding=(padding, 0))
    (H, W), (h, w) = X.shape, K.shape
    if 0 in (H, W, h, w):
        raise ValueError(
            f"X, K: expected at least one number, got {H} × {W} and {h} × {w}"
        )
    smaller = min(stride * (H - 1) + h, stride * (W - 1) + w)
    if 2 * padding >= smaller:
        raise ValueError(
            f"padding: expected less than half of {smaller}, got {padding}"
        )
    return as_given(backend.segmentation.trans_conv(X, K, stride, padding), *given)


def kernel2matrix(K: Tensor, input_size: tuple[int, int] = (3, 3)) -> Tensor:
    """The matrix that correlates: its product with X, flattened, is `corr2d(X, K)`.

    Its transpose makes the transposed convolution, `trans_conv`, in the same way.

    Args:
        K: (h, w).
        input_size: (H, W) of X, at least h and w.

    Returns:
        ((H−h+1)·(W−w+1), H·W), float; (4, 9) for a 2 × 2 kernel on 3 × 3.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, or a kernel larger than X.
    """
    given = K
    (K,) = floats(K=(K, "h w"))
    (H, W), (h, w) = pair("input_size", input_size, 1), K.shape
    if h == 0 or w == 0:
        raise ValueError(f"K: expected at least one number, got {h} × {w}")
    if h > H or w > W:
        raise ValueError(
            f"input_size: expected at least the kernel's, {h} × {w}, got {H} × {W}"
        )
    return as_given(backend.segmentation.kernel2matrix(K, (H, W)), given)


# ---- layers ----------------------------------------------------------------------------


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
) -> Module:
    """A convolution layer of the active framework, its weights drawn from `d2lcv.seed`.

    (B, in_channels, H, W) → (B, out_channels, H', W') with
    H' = ⌊(H + 2·padding − kernel_size)/stride⌋ + 1, W' alike. Its weights are
    (out_channels, in_channels, kernel_size, kernel_size) in `d2lcv.get_weights`.
    """
    sizes = _checked_layer(in_channels, out_channels, kernel_size, stride, padding)
    return initialize(backend.segmentation.conv2d(*sizes, bool(bias)))


def conv_transpose2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
) -> Module:
    """A transposed convolution layer, its weights drawn from `d2lcv.seed`.

    (B, in_channels, H, W) → (B, out_channels, H', W') with
    H' = stride·(H − 1) + kernel_size − 2·padding, W' alike: `trans_conv` of every input
    channel with a kernel for every output channel, summed over the input channels. Its
    weights are (in_channels, out_channels, kernel_size, kernel_size) in
    `d2lcv.get_weights`, on every backend.
    """
    sizes = _checked_layer(in_channels, out_channels, kernel_size, stride, padding)
    return initialize(backend.segmentation.conv_transpose2d(*sizes, bool(bias)))


def _checked_layer(
    in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int
) -> tuple[int, ...]:
    return integers(
        in_channels=(in_channels, 1),
        out_channels=(out_channels, 1),
        kernel_size=(kernel_size, 1),
        stride=(stride, 1),
        padding=(padding, 0),
    )


def bilinear_kernel(in_channels: int, out_channels: int, kernel_size: int) -> Tensor:
    """Weights of a transposed convolution that enlarges by bilinear interpolation.

    Kernel (c, c) falls linearly from its middle, in both directions; those of different
    channels are 0. With kernel 2s, stride s and padding s/2 a picture grows s-fold (Long
    et al., "Fully Convolutional Networks", 2015).

    Returns:
        (in_channels, out_channels, kernel_size, kernel_size), float32, a native tensor.
    """
    sizes = integers(
        in_channels=(in_channels, 1),
        out_channels=(out_channels, 1),
        kernel_size=(kernel_size, 1),
    )
    return backend.segmentation.bilinear_kernel(*sizes)


# ---- the fully convolutional network ---------------------------------------------------


def FCN(num_classes: int, backbone: Module, stride: int = 32) -> Module:
    """A fully convolutional network: class scores for every pixel of an image.

    A 1 × 1 convolution turns the map of the backbone's last stage, 32 times smaller than
    the image, into scores of the classes, and a transposed convolution of stride 32
    enlarges them. With `stride` 16 the scores are first doubled, and those of the stage
    before, made by a 1 × 1 convolution of their own, are added; with 8 once more (Long et
    al., "Fully Convolutional Networks", 2015). All transposed convolutions start as
    bilinear interpolation; the added scores start at 0, so that the finer nets start as
    the coarse one. Initial scores and biases are drawn from `d2lcv.seed`.

    The parts are `features`, `scores` and `upsamplers`, which are also the first part of
    the names of their weights. Its `scaling` is that of the backbone.

    Args:
        num_classes: with the background.
        backbone: a `ResNet`. Its features are copied: training one net leaves the other
            as it is.
        stride: 32, 16 or 8.

    Returns:
        A module of the active framework, on the default device: images (B, C, H, W) →
        scores (B, num_classes, H, W). H and W may be any: where they are no multiple of
        32, the maps are larger at the bottom and on the right, and what is over is cut.

    Raises:
        TypeError: `backbone` is not a `ResNet`.
        ValueError: another stride, or fewer than one class.
    """
    num_classes = at_least("num_classes", num_classes, 1)
    stride = one_of("stride", stride, STRIDES)
    check_kind("backbone", backbone, "a ResNet of d2lcv", backend.classification.ResNet)
    net = backend.segmentation.FCN(
        num_classes, backbone.depth, backbone.in_channels, backbone.width, stride
    )
    net.scaling = getattr(backbone, "scaling", None)
    initialize(net, "scores.0.")
    given = get_weights(backbone).items()
    copied = {name: value for name, value in given if name.startswith("features.")}
    return set_weights(net, copied, "features.")


def segmentation_loss(
    preds: Tensor, labels: Tensor, ignore_index: int = IGNORE
) -> Tensor:
    """Cross-entropy of each image, the mean over its pixels that have a label.

    Args:
        preds: (B, C, H, W) scores (logits).
        labels: (B, H, W) integers of any type in [0, C), or `ignore_index` where nothing
            is known: such a pixel gives no loss and no gradient.

    Returns:
        (B,); 0 for an image without a labelled pixel. Inside a compiled step, where
        numbers are not known yet, NaN for an image with a label that is no class.

    Raises:
        TypeError: not a tensor of the active framework, or labels that are not integers.
        ValueError: a wrong shape, or a label that is neither a class nor `ignore_index`.
    """
    given = preds
    (preds,) = floats(preds=(preds, "B C H W"))
    checked(preds=(preds, "B C H W"), labels=(labels, "B H W"))
    ignore_index = label("ignore_index", ignore_index)
    t, C = backend.tensors, preds.shape[1]
    if C == 0:
        raise ValueError(f"preds: expected at least one class, got {preds.shape}")
    if check_labels("labels", labels, C, ignore_index):
        if 0 in tuple(labels.shape):  # which ends the process on some frameworks
            return as_given(t.zeros((labels.shape[0],)), given)
        loss = backend.segmentation.segmentation_loss(preds, labels, ignore_index)
        return as_given(loss, given)
    none = (labels != ignore_index) & ((labels < 0) | (labels >= C))
    losses = backend.segmentation.segmentation_loss(
        preds, t.where(none, 0 * labels, labels), ignore_index
    )
    count = t.reduce_sum(t.reduce_sum(t.astype(none, t.float32), 2), 1)
    return as_given(t.where(count > 0, float("nan"), losses), given)


def predict_tiles(
    net: Any,
    X: Tensor,
    tile: int | tuple[int, int],
    overlap: int | tuple[int, int] = 0,
) -> Tensor:
    """Scores of images of any size: overlapping tiles, whose scores are averaged.

    The image is covered with equal tiles that overlap by at least `overlap`; the last of
    a row or column ends where the image does. A tile is never larger than the image: one
    that fits as a whole is predicted at once.

    Args:
        net: called as `d2lcv.predict(net, tile)`, (B, C, h, w) → (B, classes, h, w); or
            a plain function of a tile.
        X: (B, C, H, W).
        tile: (height, width) of a tile, or one number for both.
        overlap: pixels, down and across, or one number for both; less than the tile.

    Returns:
        (B, classes, H, W), float32, without gradient.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape or size, or a net whose output has another size.
    """
    checked(X=(X, "B C H W"))
    tile, overlap = pair("tile", tile, 1), pair("overlap", overlap, 0)
    if overlap[0] >= tile[0] or overlap[1] >= tile[1]:
        raise ValueError(
            f"overlap: expected less than the tile, {tile[0]} × {tile[1]}, got "
            f"{overlap[0]} × {overlap[1]}"
        )
    _, _, H, W = X.shape
    if 0 in tuple(X.shape):
        raise ValueError(f"X: expected at least one pixel, got {tuple(X.shape)}")
    rows = list(_spans(H, tile[0], overlap[0]))
    columns = list(_spans(W, tile[1], overlap[1]))

    is_plain = inspect.isroutine(net)  # has no modes
    if not is_plain:
        check_net("net", net)

    def scores_of(part: Any) -> Any:
        scores = net(part) if is_plain else predict(net, part)
        check_tensor("net: its scores", scores)
        if tuple(scores.shape)[2:] != tuple(part.shape)[2:]:
            raise ValueError(
                f"net: expected scores as large as the tile, "
                f"{tuple(part.shape)[2:]}, got {tuple(scores.shape)[2:]}"
            )
        return scores

    with judged("net, X"):
        return backend.segmentation.predict_tiles(scores_of, X, rows, columns)


def _spans(size: int, tile: int, overlap: int) -> Iterator[slice]:
    """Slices of `tile` pixels that cover `size`, evenly spread."""
    tile = min(tile, size)
    number = 1 if tile == size else -(-(size - overlap) // (tile - overlap))
    for i in range(number):
        start = (size - tile) * i // max(number - 1, 1)
        yield slice(start, start + tile)


# ---- metrics and colours ---------------------------------------------------------------


class Confusion:
    """How often a pixel of each class was taken for each class, over many images.

    ```python
    confusion = d2lcv.Confusion(21)
    for X, Y in val_iter:
        confusion.add(d2lcv.predict(net, X), Y)
    print(confusion.pixel_accuracy, confusion.mean_iou)
    ```

    Args:
        num_classes: with the background.
        ignore_index: label of pixels that do not count.

    Attributes:
        counts: (num_classes, num_classes) int64; rows are labels, columns predictions.
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE) -> None:
        self.num_classes = num_classes = at_least("num_classes", num_classes, 1)
        self.ignore_index = label("ignore_index", ignore_index)
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def add(self, preds: Any, labels: Any) -> None:
        """Count the pixels of one or more images.

        Args:
            preds: classes, of the shape of `labels`; or scores, (B, num_classes, H, W)
                or (num_classes, H, W), the greatest of which counts.
            labels: (B, H, W) or (H, W), integers. Tensors or arrays, both of them.

        Raises:
            TypeError: classes that are not integers, such as a soft mask.
            ValueError: shapes that do not fit, scores of one channel, or a class that
                there is not.
        """
        preds, labels = _as_classes(preds, labels, self.num_classes)
        self.counts += confusion_counts(
            preds, labels, self.num_classes, self.ignore_index
        )

    @property
    def pixel_accuracy(self) -> float:
        """Share of the counted pixels whose class is right; NaN where none was counted."""
        total = int(self.counts.sum())
        return int(np.trace(self.counts)) / total if total else float("nan")

    @property
    def iou(self) -> np.ndarray:
        """IoU of each class, (num_classes,); NaN for one neither labelled nor predicted."""
        return class_ious(self.counts)

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the classes that are labelled or predicted; NaN where none is."""
        iou = self.iou[~np.isnan(self.iou)]
        return float(iou.mean()) if iou.size else float("nan")


def confusion_counts(
    preds: np.ndarray, labels: np.ndarray, num_classes: int, ignore_index: int = IGNORE
) -> np.ndarray:
    """`Confusion.counts` of arrays of classes of one shape."""
    counted = labels != ignore_index
    preds, labels = preds[counted], labels[counted]
    _check_range("preds", preds, num_classes)
    _check_range("labels", labels, num_classes)
    pairs = np.bincount(labels * num_classes + preds, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def class_ious(counts: np.ndarray) -> np.ndarray:
    """`Confusion.iou` of its counts."""
    right = np.diag(counts)
    union = counts.sum(0) + counts.sum(1) - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def pixel_accuracy(preds: Any, labels: Any, ignore_index: int = IGNORE) -> float:
    """Share of the labelled pixels whose class is right; NaN where none is labelled.

    `preds` and `labels` are those of `Confusion.add`, which adds up over batches.
    """
    masks = _known_masks(preds, labels, ignore_index)
    if not masks:
        return float("nan")
    return backend.segmentation.pixel_accuracy(*masks, ignore_index)


def mean_iou(preds: Any, labels: Any, ignore_index: int = IGNORE) -> float:
    """Mean intersection over union of the classes that occur; NaN where none does.

    A class that neither labels nor predictions have does not count. `preds` and `labels`
    are those of `Confusion.add`, which adds up over batches.
    """
    masks = _known_masks(preds, labels, ignore_index)
    if not masks:
        return float("nan")
    return backend.segmentation.mean_iou(*masks, ignore_index)


def _known_masks(preds: Any, labels: Any, ignore_index: int) -> tuple[Any, ...]:
    """Both as tensors of classes; nothing where no pixel is labelled."""
    ignore_index = label("ignore_index", ignore_index)
    preds, labels = _as_classes(preds, labels)
    known = labels != ignore_index
    if not known.any():
        return ()
    _check_range("preds", preds[known])
    _check_range("labels", labels[known])
    return tuple(backend.tensors.tensor(x) for x in (preds * known, labels))


def _as_classes(
    preds: Any, labels: Any, num_classes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of classes, of one shape; of scores the greatest counts."""
    preds, labels = as_numbers("preds", preds), as_numbers("labels", labels)
    if preds.ndim == labels.ndim + 1 > 2 and num_classes in (None, preds.shape[-3]):
        if preds.shape[-3] == 1:
            raise ValueError(
                f"preds: expected scores of two classes or more, got one channel, "
                f"{preds.shape}; give its classes, such as those above a threshold"
            )
        preds = preds.argmax(-3)
    if preds.shape != labels.shape:
        scores = f"{num_classes} classes" if num_classes else "each class"
        raise ValueError(
            f"preds: expected classes of shape {labels.shape}, as labels have, or "
            f"scores of {scores}, got {preds.shape}"
        )
    for name, classes in (("preds", preds), ("labels", labels)):
        if classes.dtype.kind not in "biu":
            raise TypeError(
                f"{name}: expected classes, integers, got {classes.dtype}; of a soft "
                f"mask give those above a threshold"
            )
    return preds.astype(np.int64), labels.astype(np.int64)


def _check_range(
    name: str, classes: np.ndarray, num_classes: int | None = None
) -> None:
    if not classes.size:
        return
    least, greatest = classes.min(), classes.max()
    if least < 0 or (num_classes and greatest >= num_classes):
        to = f" to {num_classes - 1}" if num_classes else ""
        raise ValueError(
            f"{name}: expected classes from 0{to}, got {least} to {greatest}"
        )


def label2image(classes: Any) -> Any:
    """The colours of VOC's classes for a map of classes.

    Args:
        classes: (..., H, W) integers from 0 to 255; 255, the void, is cream.

    Returns:
        (..., H, W, 3), uint8: an array of an array, else a tensor.

    Raises:
        ValueError: a number below 0 or above 255.
    """
    array = as_numbers("classes", classes)
    if array.size and not 0 <= array.min() <= array.max() <= 255:
        raise ValueError(
            f"classes: expected integers from 0 to 255, got {array.min()} to "
            f"{array.max()}"
        )
    colors = classes_to_colors(array)
    return colors if isinstance(classes, np.ndarray) else backend.tensors.tensor(colors)
