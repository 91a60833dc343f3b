"""Random filters for style transfer: a network that was never trained.

What a picture's style is made of, which colours and strokes stand next to each other, can
be measured by random filters, too (Ustyuzhaninov et al., "What does it take to generate
natural textures?", ICLR 2017; He et al., "A powerful generative model using random weights
for the deep image representation", NIPS 2016). Here are some for the layers of VGG-19.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["pink_picture", "random_filters"]

# How much the outputs of a convolution vary over a picture. The losses are built from
# these, so the numbers decide how much each layer counts there; elsewhere it is 1.
SPREAD = {0: 1.05, 5: 1.25, 10: 1.5, 19: 1.7, 28: 1.7, 7: 3.0}
# Each tap of a filter takes so much of the taps beside it: less noise, more picture
SMOOTHNESS = 0.2


def random_filters(plan: Sequence[Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Weights and biases for a network of convolutions, ReLUs and average poolings.

    Filters and thresholds are drawn from normal distributions. Then each layer is scaled
    by one number and shifted, so that over a picture with the statistics of photographs
    (`pink_picture`) its outputs have the spread of `SPREAD` and the drawn thresholds.

    Args:
        plan: the layers: (channels in, channels out) for a 3 × 3 convolution with a
            padding of 1, "relu", or "pool" for an average over 2 × 2.
        seed: chooses the filters.

    Returns:
        {"0.weight": (out, in, 3, 3), "0.bias": (out,), …}, float32, by index in `plan`.
    """
    random = np.random.default_rng(seed)
    weights, X = {}, pink_picture((128, 192), seed)
    for index, layer in enumerate(plan):
        if layer == "relu":
            X = np.maximum(X, 0)
        elif layer == "pool":
            X = _halved(X)
        else:
            in_channels, out_channels = layer
            W = _smoothed(random.standard_normal((out_channels, in_channels, 3, 3)))
            thresholds = random.standard_normal(out_channels)
            Y = _convolved(X, W)
            scale = SPREAD.get(index, 1.0) / np.sqrt(Y.var(axis=(1, 2)).mean())
            W = W * scale
            bias = thresholds * SPREAD.get(index, 1.0) - Y.mean(axis=(1, 2)) * scale
            X = Y * scale + bias[:, None, None]
            weights[f"{index}.weight"] = W.astype(np.float32)
            weights[f"{index}.bias"] = bias.astype(np.float32)
    return weights


def pink_picture(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Noise with the statistics of photographs after `d2lcv.preprocess`: (3, H, W).

    Amplitudes fall like 1/frequency^1.2 (Field, 1987: about 1), and brightness varies more
    than colour. A cut from a larger picture: as in a photograph, the mean is anything.
    """
    random = np.random.default_rng([seed, *shape])
    height, width = shape
    whole = (4 * height, 4 * width)
    rows, columns = (np.fft.fftfreq(n) for n in whole)
    frequency = np.hypot(rows[:, None], columns)
    frequency[0, 0] = np.inf
    noise = np.fft.fft2(random.standard_normal((4, *whole))) / frequency**1.2
    fields = np.fft.ifft2(noise).real
    fields /= fields.std(axis=(1, 2), keepdims=True)
    picture = fields[0] + fields[1:]
    picture *= 1.5 / picture.std(axis=(1, 2), keepdims=True)
    return picture[:, :height, :width]


def _smoothed(W: np.ndarray) -> np.ndarray:
    k = SMOOTHNESS
    blur = np.array([[1, k, 0], [k, 1, k], [0, k, 1]])
    return blur @ W @ blur


def _convolved(X: np.ndarray, W: np.ndarray) -> np.ndarray:
    """(C, H, W) with (K, C, 3, 3) → (K, H, W), zeros around the picture."""
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1)))
    axes: Any = (1, 2)  # NumPy's own types know of one axis only
    windows = sliding_window_view(padded, (3, 3), axes)  # (C, H, W, 3, 3)
    return np.tensordot(W, windows, axes=((1, 2, 3), (0, 3, 4)))


def _halved(X: np.ndarray) -> np.ndarray:
    C, H, W = X.shape
    even = X[:, : H // 2 * 2, : W // 2 * 2]
    return even.reshape(C, H // 2, 2, W // 2, 2).mean(axis=(2, 4))
