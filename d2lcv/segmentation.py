"""Semantic segmentation: transposed convolution, fully convolutional networks, metrics.

Sizes: B images, C classes or channels, H × W image or map, h × w kernel.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .backends import backend
from .checks import checked, floats
from .classification import cross_entropy
from .data.voc import IGNORE, voc_palette
from .training import predict
from .weights import get_weights, initialize, set_weights

__all__ = [
    "FCN",
    "Confusion",
    "bilinear_kernel",
    "conv2d",
    "conv_transpose2d",
    "corr2d",
    "fcn_scores",
    "fcn_stages",
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


def corr2d(X: Any, K: Any) -> Any:
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
    X, K = floats(X=(X, "H W"), K=(K, "h w"))
    (H, W), (h, w) = X.shape, K.shape
    if h > H or w > W:
        raise ValueError(
            f"K: expected a kernel no larger than X, {H} × {W}, got {h} × {w}"
        )
    return sum(
        K[u, v] * X[u : u + H - h + 1, v : v + W - w + 1]
        for u in range(h)
        for v in range(w)
    )


def trans_conv(X: Any, K: Any, stride: int = 1, padding: int = 0) -> Any:
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
    X, K = floats(X=(X, "H W"), K=(K, "h w"))
    stride, padding = _at_least("stride", stride, 1), _at_least("padding", padding, 0)
    X = _spread(X, stride)
    h, w = K.shape
    height, width = X.shape[0] + h - 1, X.shape[1] + w - 1
    if 2 * padding >= min(height, width):
        raise ValueError(
            f"padding: expected less than half of {min(height, width)}, got {padding}"
        )
    zeros = _zeros(X, height, width)
    Y = sum(_placed(K[u, v] * X, u, v, zeros) for u in range(h) for v in range(w))
    return Y[padding : height - padding, padding : width - padding]


def kernel2matrix(K: Any, input_size: tuple[int, int] = (3, 3)) -> Any:
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
    (K,) = floats(K=(K, "h w"))
    (H, W), (h, w) = input_size, K.shape
    if h > H or w > W:
        raise ValueError(
            f"input_size: expected at least the kernel's, {h} × {w}, got {H} × {W}"
        )
    t, zeros = backend.tensors, _zeros(K, H, W)
    rows = [
        t.reshape(_placed(K, i, j, zeros), (H * W,))
        for i in range(H - h + 1)
        for j in range(W - w + 1)
    ]
    return t.stack(rows)


def _zeros(like: Any, H: int, W: int) -> Any:
    """(H, W) zeros where the matrix `like` is, on a GPU or not."""
    t, zero = backend.tensors, 0 * like[:1, :1]
    return t.concat([zero] * H, axis=0) + t.concat([zero] * W, axis=1)


def _placed(part: Any, top: int, left: int, zeros: Any) -> Any:
    """`zeros` with `part` in it, put together: not all tensors can be written into."""
    t, (h, w) = backend.tensors, part.shape
    row = t.concat([zeros[:h, :left], part, zeros[:h, left + w :]], axis=1)
    return t.concat([zeros[:top], row, zeros[top + h :]], axis=0)


def _spread(X: Any, stride: int) -> Any:
    """X with stride − 1 zeros between neighbours."""
    t = backend.tensors
    H, W = X.shape
    rows = t.stack([X] + [0 * X] * (stride - 1), axis=1)  # (H, stride, W)
    X = t.reshape(rows, (H * stride, W))
    columns = t.stack([X] + [0 * X] * (stride - 1), axis=2)
    X = t.reshape(columns, (H * stride, W * stride))
    return X[: stride * (H - 1) + 1, : stride * (W - 1) + 1]


def _at_least(name: str, value: int, least: int) -> int:
    value = operator.index(value)
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    return value


# ---- layers ----------------------------------------------------------------------------


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
) -> Any:
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
) -> Any:
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
    return (
        _at_least("in_channels", in_channels, 1),
        _at_least("out_channels", out_channels, 1),
        _at_least("kernel_size", kernel_size, 1),
        _at_least("stride", stride, 1),
        _at_least("padding", padding, 0),
    )


def bilinear_kernel(in_channels: int, out_channels: int, kernel_size: int) -> Any:
    """Weights of a transposed convolution that enlarges by bilinear interpolation.

    Kernel (c, c) falls linearly from its middle, in both directions; those of different
    channels are 0. With kernel 2s, stride s and padding s/2 a picture grows s-fold (Long
    et al., "Fully Convolutional Networks", 2015).

    Returns:
        (in_channels, out_channels, kernel_size, kernel_size), float32, a native tensor.
    """
    weights = _bilinear_kernel(
        _at_least("in_channels", in_channels, 1),
        _at_least("out_channels", out_channels, 1),
        _at_least("kernel_size", kernel_size, 1),
    )
    return backend.tensors.tensor(weights)


def _bilinear_kernel(
    in_channels: int, out_channels: int, kernel_size: int
) -> np.ndarray:
    reach = (kernel_size + 1) // 2
    distance = np.abs(np.arange(kernel_size) - (kernel_size - 1) / 2)
    profile = 1 - distance / reach
    same = np.eye(in_channels, out_channels)[:, :, None, None]
    return (same * np.outer(profile, profile)).astype(np.float32)


# ---- the fully convolutional network ---------------------------------------------------


def FCN(num_classes: int, backbone: Any, stride: int = 32) -> Any:
    """A fully convolutional network: class scores for every pixel of an image.

    A 1 × 1 convolution turns the map of the backbone's last stage, 32 times smaller than
    the image, into scores of the classes, and a transposed convolution of stride 32
    enlarges them. With `stride` 16 the scores are first doubled, and those of the stage
    before, made by a 1 × 1 convolution of their own, are added; with 8 once more (Long et
    al., "Fully Convolutional Networks", 2015). All transposed convolutions start as
    bilinear interpolation; the added scores start at 0, so that the finer nets start as
    the coarse one. Initial scores and biases are drawn from `d2lcv.seed`.

    The parts are `features`, `scores` and `upsamplers`, which are also the first part of
    the names of their weights.

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
    _at_least("num_classes", num_classes, 1)
    if stride not in STRIDES:
        raise ValueError(f"stride: expected one of {STRIDES}, got {stride}")
    if not isinstance(backbone, backend.classification.ResNet):
        raise TypeError(
            f"backbone: expected a ResNet of d2lcv, got {type(backbone).__name__}"
        )
    net = initialize(
        backend.segmentation.FCN(
            num_classes, backbone.depth, backbone.in_channels, backbone.width, stride
        )
    )
    given, weights = get_weights(backbone), get_weights(net)
    for name, value in weights.items():
        part, number, *_ = name.split(".")
        if part == "features":
            weights[name] = given[name]
        elif part == "upsamplers":
            weights[name] = _bilinear_kernel(*value.shape[:3])
        elif number != "0":
            weights[name] = 0 * value
    return set_weights(net, weights)


def fcn_stages(width: int, stride: int) -> tuple[list[int], list[int]]:
    """Channels of the stages that have scores, last first; by how much each is enlarged.

    For a `ResNet` of `width` channels: ([8·width], [32]) at stride 32, ([8·width,
    4·width, 2·width], [2, 2, 8]) at stride 8.
    """
    skips = STRIDES.index(stride)
    return [8 * width // 2**i for i in range(skips + 1)], [2] * skips + [stride]


def fcn_scores(X: Any, features: Any, scores: Any, upsamplers: Any) -> Any:
    """Forward pass of an `FCN`: scores of the deepest map, enlarged, plus the next, …

    Args:
        X: (B, C, H, W).
        features: module with `stages(X)`, the maps at strides 4, 8, 16 and 32.
        scores: 1 × 1 convolutions of the maps, the last map's first.
        upsamplers: transposed convolutions, one after each of `scores`.

    Returns:
        (B, num_classes, H, W).
    """
    maps = features.stages(X)
    Y = scores[0](maps[-1])
    for i in range(1, len(scores)):
        skip = scores[i](maps[-1 - i])
        Y = _cut(upsamplers[i - 1](Y), skip.shape) + skip
    return _cut(upsamplers[len(scores) - 1](Y), X.shape)


def _cut(Y: Any, shape: Sequence[int]) -> Any:
    """Y as high and wide as a tensor of `shape`."""
    return Y[:, :, : shape[2], : shape[3]]


def segmentation_loss(preds: Any, labels: Any, ignore_index: int = IGNORE) -> Any:
    """Cross-entropy of each image, the mean over its pixels that have a label.

    Args:
        preds: (B, C, H, W) scores (logits).
        labels: (B, H, W) integers in [0, C), or `ignore_index` where nothing is known:
            such a pixel gives no loss and no gradient.

    Returns:
        (B,); 0 for an image without a labelled pixel.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape.
    """
    checked(preds=(preds, "B C H W"), labels=(labels, "B H W"))
    t = backend.tensors
    known = t.astype(labels != ignore_index, t.float32)
    losses = cross_entropy(preds, t.where(labels != ignore_index, labels, 0 * labels))
    total = t.reduce_sum(t.reduce_sum(losses * known, 2), 1)
    count = t.reduce_sum(t.reduce_sum(known, 2), 1)
    return total / t.clip(count, 1, float("inf"))


def predict_tiles(
    net: Any,
    X: Any,
    tile: int | tuple[int, int],
    overlap: int | tuple[int, int] = 0,
) -> Any:
    """Scores of images of any size: overlapping tiles, whose scores are averaged.

    The image is covered with equal tiles that overlap by at least `overlap`; the last of
    a row or column ends where the image does. A tile is never larger than the image: one
    that fits as a whole is predicted at once.

    Args:
        net: called as `d2lcv.predict(net, tile)`, (B, C, h, w) → (B, classes, h, w).
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
    tile, overlap = _pair("tile", tile, 1), _pair("overlap", overlap, 0)
    if overlap[0] >= tile[0] or overlap[1] >= tile[1]:
        raise ValueError(
            f"overlap: expected less than the tile, {tile[0]} × {tile[1]}, got "
            f"{overlap[0]} × {overlap[1]}"
        )
    B, _, H, W = X.shape
    rows, columns = (
        list(_spans(*sizes)) for sizes in zip((H, W), tile, overlap, strict=True)
    )
    total, count = None, np.zeros((H, W))
    for down in rows:
        for across in columns:
            part = X[:, :, down, across]
            scores = backend.tensors.numpy(predict(net, part))
            if scores.shape[2:] != tuple(part.shape[2:]):
                raise ValueError(
                    f"net: expected scores as large as the tile, "
                    f"{tuple(part.shape[2:])}, got {scores.shape[2:]}"
                )
            if total is None:
                total = np.zeros((B, scores.shape[1], H, W))
            total[:, :, down, across] += scores
            count[down, across] += 1
    assert total is not None  # an image has at least one tile
    return backend.tensors.tensor((total / count).astype(np.float32))


def _spans(size: int, tile: int, overlap: int) -> Iterator[slice]:
    """Slices of `tile` pixels that cover `size`, evenly spread."""
    tile = min(tile, size)
    number = 1 if tile == size else -(-(size - overlap) // (tile - overlap))
    for i in range(number):
        start = (size - tile) * i // max(number - 1, 1)
        yield slice(start, start + tile)


def _pair(name: str, value: int | tuple[int, int], least: int) -> tuple[int, int]:
    pair = value if isinstance(value, (tuple, list)) else [value] * 2
    if len(pair) != 2:
        raise ValueError(f"{name}: expected one or two numbers, got {value!r}")
    return _at_least(name, pair[0], least), _at_least(name, pair[1], least)


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
        self.num_classes = _at_least("num_classes", num_classes, 1)
        self.ignore_index = ignore_index
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def add(self, preds: Any, labels: Any) -> None:
        """Count the pixels of one or more images.

        Args:
            preds: classes, of the shape of `labels`; or scores, (B, num_classes, H, W)
                or (num_classes, H, W), the greatest of which counts.
            labels: (B, H, W) or (H, W), integers. Tensors or arrays, both of them.

        Raises:
            ValueError: shapes that do not fit, or a class that there is not.
        """
        preds, labels, C = _array(preds), _array(labels), self.num_classes
        if preds.ndim == labels.ndim + 1 > 2 and preds.shape[-3] == C:
            preds = preds.argmax(-3)
        if preds.shape != labels.shape:
            raise ValueError(
                f"preds: expected classes of shape {labels.shape}, as labels have, or "
                f"scores of {C} classes, got {preds.shape}"
            )
        counted = labels != self.ignore_index
        preds, labels = preds[counted].astype(np.int64), labels[counted]
        for name, classes in (("preds", preds), ("labels", labels)):
            if classes.size and not 0 <= classes.min() <= classes.max() < C:
                raise ValueError(
                    f"{name}: expected classes from 0 to {C - 1}, got {classes.min()} "
                    f"to {classes.max()}"
                )
        found = np.bincount(labels.astype(np.int64) * C + preds, minlength=C**2)
        self.counts += found.reshape(self.counts.shape)

    @property
    def pixel_accuracy(self) -> float:
        """Share of the counted pixels whose class is right; NaN where none was counted."""
        total = int(self.counts.sum())
        return int(np.trace(self.counts)) / total if total else float("nan")

    @property
    def iou(self) -> np.ndarray:
        """IoU of each class, (num_classes,); NaN for one neither labelled nor predicted."""
        right = np.diag(self.counts)
        union = self.counts.sum(0) + self.counts.sum(1) - right
        return np.where(union > 0, right / np.maximum(union, 1), np.nan)

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the classes that are labelled or predicted; NaN where none is."""
        iou = self.iou[~np.isnan(self.iou)]
        return float(iou.mean()) if iou.size else float("nan")


def pixel_accuracy(preds: Any, labels: Any, ignore_index: int = IGNORE) -> float:
    """Share of the labelled pixels whose class is right.

    `preds` and `labels` are those of `Confusion.add`, which adds up over batches.
    """
    return _confusion(preds, labels, ignore_index).pixel_accuracy


def mean_iou(preds: Any, labels: Any, ignore_index: int = IGNORE) -> float:
    """Mean intersection over union of the classes that occur.

    A class that neither labels nor predictions have does not count. `preds` and `labels`
    are those of `Confusion.add`, which adds up over batches.
    """
    return _confusion(preds, labels, ignore_index).mean_iou


def _confusion(preds: Any, labels: Any, ignore_index: int) -> Confusion:
    preds, labels = _array(preds), _array(labels)
    if preds.ndim == labels.ndim + 1 > 2:
        preds = preds.argmax(-3)
    known = labels[labels != ignore_index]
    largest = max((int(x.max()) for x in (preds, known) if x.size), default=0)
    confusion = Confusion(max(largest, 0) + 1, ignore_index)
    confusion.add(preds, labels)
    return confusion


def label2image(classes: Any) -> Any:
    """The colours of VOC's classes for a map of classes.

    Args:
        classes: (..., H, W) integers from 0 to 255; 255, the void, is cream.

    Returns:
        (..., H, W, 3), uint8: an array of an array, else a tensor.

    Raises:
        ValueError: a number below 0 or above 255.
    """
    array = _array(classes)
    if array.size and not 0 <= array.min() <= array.max() <= 255:
        raise ValueError(
            f"classes: expected integers from 0 to 255, got {array.min()} to "
            f"{array.max()}"
        )
    colors = voc_palette()[array.astype(np.int64)]
    return colors if isinstance(classes, np.ndarray) else backend.tensors.tensor(colors)


def _array(x: Any) -> np.ndarray:
    return backend.tensors.numpy(x) if backend.tensors.is_tensor(x) else np.asarray(x)
