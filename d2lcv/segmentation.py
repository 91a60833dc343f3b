"""Semantic segmentation: transposed convolution, fully convolutional networks, metrics.

Sizes: B images, C classes or channels, H × W image or map, h × w kernel.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .backends import backend
from .checks import floats
from .weights import initialize

__all__ = [
    "bilinear_kernel",
    "conv2d",
    "conv_transpose2d",
    "corr2d",
    "kernel2matrix",
    "trans_conv",
]


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
    Y = sum(
        _placed(K[u, v] * X, u, v, (height, width)) for u in range(h) for v in range(w)
    )
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
    t = backend.tensors
    rows = [
        t.reshape(_placed(K, i, j, (H, W)), (H * W,))
        for i in range(H - h + 1)
        for j in range(W - w + 1)
    ]
    return t.stack(rows)


def _placed(part: Any, top: int, left: int, size: tuple[int, int]) -> Any:
    """A matrix of zeros of `size` with `part` in it; tensors that do not change need it."""
    t = backend.tensors
    (h, w), (H, W) = part.shape, size
    zeros = t.zeros((H, W), dtype=part.dtype) + 0 * part[:1, :1]  # on part's device
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
