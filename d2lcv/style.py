"""Style transfer: the content of one picture in the style of another.

Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016. Sizes:
C channels of a layer, H × W its map.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .augmentation import IMAGENET_MEAN, IMAGENET_STD  # noqa: F401 - for the columns
from .backends import Module, Tensor, backend
from .checks import (
    as_array,
    as_given,
    as_numbers,
    at_least,
    check_module,
    check_path,
    check_picture,
    checked,
    floats,
    integers,
    judged,
    listed,
    not_negative,
    one_of,
    pair,
)
from .filters import random_filters
from .randomness import next_net
from .training import freeze
from .weights import get_weights, initialize, read_weights, set_weights

__all__ = [
    "SynthesizedImage",
    "VGG19",
    "compute_loss",
    "content_loss",
    "extract_features",
    "gram",
    "postprocess",
    "preprocess",
    "style_loss",
    "style_network",
    "tv_loss",
    "vgg19_plan",
]

VGG19_BLOCKS = (
    (64, 2),
    (128, 2),
    (256, 4),
    (512, 4),
    (512, 4),
)  # channels, convolutions
STYLE_NETWORK_LAYERS = 29  # up to the first convolution of the last block
RANDOM_WIDTH = 8


# ---- pictures --------------------------------------------------------------------------


def preprocess(img: Any, image_shape: tuple[int, int]) -> Tensor:
    """A picture as a batch of one for the network.

    Args:
        img: a PIL image, or (H, W, 3) in an array or tensor: integers from 0 to 255, or
            floats from 0 to 1.
        image_shape: (height, width) to resize to.

    Returns:
        (1, 3, height, width), float32, each channel with ImageNet's mean and standard
        deviation taken off. Resized by Pillow, so the same on every backend.

    Raises:
        ValueError: not of shape (H, W, 3), or a size that is not positive.
    """
    pixels = _pixels(img)
    height, width = pair("image_shape", image_shape, 1)
    channels = [_resized(pixels[:, :, c], (width, height)) for c in range(3)]
    return backend.style.preprocess(np.stack(channels, axis=2))


def _pixels(img: Any) -> np.ndarray:
    """(H, W, 3) float32 in 0–1."""
    if backend.tensors.is_tensor(img):
        img = backend.tensors.numpy(img)
    elif hasattr(img, "convert"):  # PIL's images, grey ones and others, too
        from .data.pictures import as_rgb

        img = as_rgb(img)
    pixels = as_numbers("img", np.asarray(img) if hasattr(img, "getbands") else img)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"img: expected shape (H, W, 3), got {pixels.shape}")
    scale = 255 if pixels.dtype.kind in "iu" else 1
    return pixels.astype(np.float32) / np.float32(scale)


def _resized(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(channel))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))


def postprocess(img: Any) -> Tensor:
    """What `preprocess` made as a picture again: (1, 3, H, W) → (H, W, 3) in 0–1.

    A tensor; what lies outside of 0–1 is clipped.
    """
    (pixels,) = floats(img=(img, "1 3 H W"))
    return as_given(backend.style.postprocess(pixels), img)


# ---- the network that looks ------------------------------------------------------------


def vgg19_plan(num_layers: int, width: int) -> list[Any]:
    """The first layers of VGG-19's convolutional part, numbered as torchvision does.

    Each is (channels in, channels out) for a 3 × 3 convolution, "relu" or "pool".
    """
    plan: list[Any] = []
    in_channels = 3
    for channels, count in VGG19_BLOCKS:
        for _ in range(count):
            plan += [(in_channels, channels * width // 64), "relu"]
            in_channels = channels * width // 64
        plan.append("pool")
    return plan[:num_layers]


def VGG19(
    num_layers: int = STYLE_NETWORK_LAYERS, width: int = 64, pooling: str = "max"
) -> Module:
    """The convolutional part of VGG-19 (Simonyan and Zisserman, ICLR 2015), from its start.

    Five blocks of 3 × 3 convolutions, each followed by a ReLU, with a 2 × 2 pooling after
    each block. Layer i is layer i of torchvision's `vgg19().features`: the first
    convolutions of the blocks are 0, 5, 10, 19 and 28.

    Args:
        num_layers: how many of the 37 layers.
        width: channels of the first block, 64 in the paper; the others grow with it.
        pooling: "max", as in the paper, or "avg".

    Returns:
        The active framework's own sequence of layers, its weights drawn from
        `d2lcv.seed`.

    Raises:
        ValueError: another number of layers, width or pooling.
    """
    num_layers, width = integers(num_layers=(num_layers, 1), width=(width, 1))
    if num_layers > 37:
        raise ValueError(f"num_layers: expected 1 to 37, got {num_layers}")
    one_of("pooling", pooling, ("max", "avg"))
    return initialize(backend.style.VGG19(num_layers, width, pooling))


def style_network(weights: str | os.PathLike[str] = "random") -> Module:
    """The network whose layers measure content and style, its weights frozen.

    Args:
        weights: "random": an eighth of VGG-19's width, average pooling, and filters that
            are drawn, always the same (`d2lcv.filters`): it needs no file, and is
            fast. "imagenet": VGG-19 as the framework's own collection has it, trained on
            ImageNet, downloaded at the first use. Or the path of a safetensors file of
            VGG-19, its weights named as `save_weights` does or as torchvision does.

    Returns:
        A `VGG19` up to layer 28. `content_layers` of it are the layers that know the
        content best: 25, or 7 of random filters.

    Raises:
        ConnectionError: the download failed.
        FileNotFoundError: there is no such file.
        ValueError: the file is not one of VGG-19, or the framework has none of its own.
    """
    weights = check_path("weights", weights)
    # not by `VGG19` above: these nets do not count among those that the seed serves
    if weights == Path("random"):
        plan = vgg19_plan(STYLE_NETWORK_LAYERS, RANDOM_WIDTH)
        net = backend.style.VGG19(STYLE_NETWORK_LAYERS, RANDOM_WIDTH, "avg")
        net.content_layers = (7,)
        return freeze(set_weights(net, random_filters(plan)))
    net = backend.style.VGG19(STYLE_NETWORK_LAYERS, 64, "max")
    net.content_layers = (25,)
    imagenet = weights == Path("imagenet")
    arrays = get_weights(_from_zoo().features) if imagenet else read_weights(weights)
    try:
        return freeze(set_weights(net, _features(net, arrays)))
    except ValueError as error:
        raise ValueError(f"{weights}: {error}") from None


def _from_zoo() -> Any:
    try:
        return backend.style.zoo_vgg19(pretrained=True)
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"weights: VGG-19's could not be downloaded ({error}); give the path of a file "
            "with them, or 'random' for filters that need none"
        ) from error


def _features(net: Any, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of the weights of a whole VGG-19, its names or ours, that `net` has."""
    names = backend.weights.slots(net)
    plain = {name.removeprefix("features."): array for name, array in weights.items()}
    return {name: array for name, array in plain.items() if name in names}


@functools.cache
def _default_network() -> Any:
    return style_network()


def extract_features(
    X: Tensor,
    content_layers: Sequence[int],
    style_layers: Sequence[int],
    net: Module | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """What the layers of a network make of a picture.

    Args:
        X: (1, 3, H, W), from `preprocess`.
        content_layers, style_layers: indices of layers, from 0.
        net: a sequence of layers, one after the other; `style_network()` if None.

    Returns:
        The outputs of the content layers and those of the style layers, (1, C, H', W')
        each, in the order of the network.

    Raises:
        TypeError: `X` is not a tensor of the active framework.
        ValueError: another shape, or the network has no such layer.
    """
    checked(X=(X, "B 3 _ _"))
    check_picture(X.shape, 1)
    net = _default_network() if net is None else net
    check_module("net", net)
    content_layers, style_layers = (
        [at_least(name, i, 0) for i in listed(name, layers)]
        for name, layers in (
            ("content_layers", content_layers),
            ("style_layers", style_layers),
        )
    )
    wanted = {*content_layers, *style_layers}
    found: tuple[list[Any], list[Any]] = ([], [])
    if wanted:
        with judged("net, X"):
            found = backend.style.extract_features(X, content_layers, style_layers, net)
    if not wanted or [len(Ys) for Ys in found] != [
        len({*layers}) for layers in (content_layers, style_layers)
    ]:
        raise ValueError(
            f"content_layers, style_layers: expected numbers of layers that the net has, "
            f"from 0, got {content_layers} and {style_layers}"
        )
    return found


# ---- losses ----------------------------------------------------------------------------


def content_loss(Y_hat: Tensor, Y: Tensor) -> Tensor:
    """Mean squared difference of two outputs of a layer, of equal shape: a scalar."""
    a, b = floats(Y_hat=(Y_hat, "..."), Y=(Y, "..."))
    _same_shape("Y_hat", a, "Y", b)
    _not_empty("Y_hat", a)
    return as_given(backend.style.content_loss(a, b), Y_hat, Y)


def gram(X: Tensor) -> Tensor:
    """How the channels of a layer's output go together: (1, C, H, W) → (C, C).

    With X as (C, H·W): X·Xᵀ / (C·H·W), the mean product of each two channels, divided by
    C. Where things are in the picture is lost; that is what makes it a measure of style.
    """
    (maps,) = floats(X=(X, "1 C H W"))
    _not_empty("X", maps)
    return as_given(backend.style.gram(maps), X)


def style_loss(Y_hat: Tensor, gram_Y: Tensor) -> Tensor:
    """Mean squared difference of the Gram matrices: a scalar.

    Args:
        Y_hat: (1, C, H, W), the output of a layer.
        gram_Y: (C, C), from `gram` of the style picture's.
    """
    maps, grams = floats(Y_hat=(Y_hat, "1 C H W"), gram_Y=(gram_Y, "C C"))
    _not_empty("Y_hat", maps)
    return as_given(backend.style.style_loss(maps, grams), Y_hat, gram_Y)


def tv_loss(Y_hat: Tensor) -> Tensor:
    """Total variation: half of mean |row − row above| plus mean |column − column before|.

    Of (B, C, H, W) with at least two rows and columns; a scalar. Small for a picture
    without noise.
    """
    (pixels,) = floats(Y_hat=(Y_hat, "B C H W"))
    _check_neighbours("Y_hat", pixels)
    return as_given(backend.style.tv_loss(pixels), Y_hat)


def _check_neighbours(name: str, X: Any) -> None:
    if 1 in tuple(X.shape)[2:]:
        raise ValueError(
            f"{name}: expected at least two rows and columns, got {tuple(X.shape)}"
        )
    _not_empty(name, X)


def _not_empty(name: str, value: Any) -> None:
    if 0 in tuple(value.shape):
        raise ValueError(f"{name}: expected some numbers, got {tuple(value.shape)}")


def _same_shape(name: str, value: Any, other_name: str, other: Any) -> None:
    if tuple(value.shape) != tuple(other.shape):
        raise ValueError(
            f"{name}, {other_name}: expected equal shapes, got {tuple(value.shape)} and "
            f"{tuple(other.shape)}"
        )


def compute_loss(
    X: Tensor,
    contents_Y_hat: Sequence[Tensor],
    styles_Y_hat: Sequence[Tensor],
    contents_Y: Sequence[Tensor],
    styles_Y_gram: Sequence[Tensor],
    *,
    content_weight: float = 1.0,
    style_weight: float = 1e3,
    tv_weight: float = 10.0,
) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
    """Content, style and total variation loss of a picture, and their sum.

    Args:
        X: (1, 3, H, W), the picture.
        contents_Y_hat, styles_Y_hat: its `extract_features`.
        contents_Y: those of the content picture.
        styles_Y_gram: the `gram` of each of the style picture's.
        content_weight, style_weight, tv_weight: factors of the losses.

    Returns:
        The weighted losses: one of each content layer, one of each style layer, the total
        variation, and the sum, in which each style loss counts ten times.

    Raises:
        ValueError: unequal numbers of layers, or shapes that do not fit.
    """
    (X,) = floats(X=(X, "1 3 _ _"))
    _check_neighbours("X", X)
    contents = _layers(
        "contents_Y_hat", contents_Y_hat, "...", "contents_Y", contents_Y, "..."
    )
    for i, (Y_hat, Y) in enumerate(zip(*contents, strict=True)):
        _same_shape(f"contents_Y_hat[{i}]", Y_hat, f"contents_Y[{i}]", Y)
    styles = _layers(
        "styles_Y_hat", styles_Y_hat, "1 C H W", "styles_Y_gram", styles_Y_gram, "C C"
    )
    t, layers = backend.tensors, [[X], *contents, *styles]
    if any(x.dtype == t.float64 for xs in layers for x in xs):  # all losses are added
        layers = [[t.astype(x, t.float64) for x in xs] for xs in layers]
    [[X], contents_Y_hat, contents_Y, styles_Y_hat, styles_Y_gram] = layers
    return backend.style.compute_loss(
        X,
        contents_Y_hat,
        styles_Y_hat,
        contents_Y,
        styles_Y_gram,
        not_negative("content_weight", content_weight),
        not_negative("style_weight", style_weight),
        not_negative("tv_weight", tv_weight),
    )


def _layers(
    name: str, found: Any, shape: str, other: str, given: Any, other_shape: str
) -> tuple[list[Any], list[Any]]:
    """The tensors of two lists that belong together in pairs, each pair of one type."""
    found, given = listed(name, found), listed(other, given)
    if len(found) != len(given):
        raise ValueError(
            f"{name}, {other}: expected as many layers of both, got {len(found)} and "
            f"{len(given)}"
        )
    pairs = [
        floats(**{f"{name}[{i}]": (Y_hat, shape), f"{other}[{i}]": (Y, other_shape)})
        for i, (Y_hat, Y) in enumerate(zip(found, given, strict=True))
    ]
    return [Y_hat for Y_hat, _ in pairs], [Y for _, Y in pairs]


# ---- the picture that is trained ---------------------------------------------------------


def SynthesizedImage(img_shape: Sequence[int], start: Any = None) -> Module:
    """A module whose only parameter, `weight`, is a picture: `net()` gives it.

    Args:
        img_shape: (1, 3, H, W).
        start: the picture to begin with, a tensor or array of that shape; if None, every
            number is drawn from U(0, 1), from `d2lcv.seed`.

    Returns:
        A module of the active framework; `d2lcv.Trainer` trains it as any other.

    Raises:
        ValueError: `start` has another shape.
    """
    shape = tuple(at_least("img_shape", n, 1) for n in listed("img_shape", img_shape))
    if len(shape) != 4:
        raise ValueError(f"img_shape: expected (1, 3, H, W), got {shape}")
    if start is not None:
        start = as_array("start", start)
        if start.shape != shape:
            raise ValueError(f"start: expected shape {shape}, got {start.shape}")
    net = backend.style.SynthesizedImage(shape)
    stream_for = next_net()
    if start is None:
        start = stream_for("weight").uniform(0, 1, shape)
    return set_weights(net, {"weight": np.asarray(start, np.float32)})
