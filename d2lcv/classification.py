"""Image classification: residual networks (He et al., "Deep Residual Learning", 2016).

Sizes: B images, C classes or channels, H × W image or feature map.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .augmentation import IMAGENET_MEAN, IMAGENET_STD
from .backends import Module, Tensor, backend
from .checks import (
    as_given,
    check_kind,
    check_labels,
    check_path,
    check_tensor,
    floats,
    integers,
    one_of,
)
from .data.hub import DownloadError, check_reachable
from .weights import get_weights, initialize, read_weights, set_weights

__all__ = [
    "SOURCE_CLASSES",
    "ResNet",
    "Residual",
    "cross_entropy",
    "from_zoo",
    "pretrained",
    "replace_output",
    "resnet18",
]

SOURCE_CLASSES = tuple(
    """
    aeroplane apple ball banana bicycle bird boat book bottle bread burger bus car
    carrot cat chair cow croissant cup deer donut frog horse lemon mushroom pepper
    person pizza potted_plant sausage sheep sofa
    """.split()
)
"""The classes of `pretrained(18, "source")`, in the order of its scores."""

DATA = Path(__file__).parent / "data"
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # of the four stages, by depth


def Residual(
    in_channels: int, num_channels: int, use_1x1conv: bool = False, strides: int = 1
) -> Module:
    """A residual block: ReLU(f(X) + X), f two 3 × 3 convolutions with batch norm.

    Args:
        in_channels: channels of the input.
        num_channels: channels of the output.
        use_1x1conv: add a 1 × 1 convolution of X instead of X itself, which is needed
            where the block changes the number of channels or the size.
        strides: of the first convolution, and of the 1 × 1 one.

    Returns:
        A module of the active framework, (B, in_channels, H, W) → (B, num_channels,
        ⌈H/strides⌉, ⌈W/strides⌉), its weights drawn from `d2lcv.seed`.

    Raises:
        ValueError: a number is not positive, or X and f(X) would differ in shape.
    """
    in_channels, num_channels, strides = integers(
        in_channels=(in_channels, 1),
        num_channels=(num_channels, 1),
        strides=(strides, 1),
    )
    if not use_1x1conv and (in_channels != num_channels or strides != 1):
        raise ValueError(
            f"use_1x1conv: expected True, for a block from {in_channels} to "
            f"{num_channels} channels with stride {strides} changes the shape"
        )
    return initialize(
        backend.classification.Residual(in_channels, num_channels, use_1x1conv, strides)
    )


def resnet18(num_classes: int, in_channels: int = 1, width: int = 64) -> Module:
    """ResNet-18 for small images: a 3 × 3 stem of stride 1 and no max pooling.

    The stem is followed by four stages of two `Residual` blocks with `width`, 2, 4
    and 8·`width` channels, global average pooling and a dense layer.

    Args:
        num_classes: length of the output.
        in_channels: 1 for grey images, 3 for coloured ones.
        width: channels of the first stage; 64 in the book.

    Returns:
        A module of the active framework, (B, in_channels, H, W) → (B, num_classes)
        scores (logits), its weights drawn from `d2lcv.seed`.

    Raises:
        ValueError: a number is not positive.
    """
    sizes = integers(
        num_classes=(num_classes, 1), in_channels=(in_channels, 1), width=(width, 1)
    )
    net = backend.classification.resnet18(*sizes)
    net.kind = "resnet18"  # what a file says of it
    net.num_classes, net.in_channels, net.width = sizes
    return initialize(net)


def ResNet(
    depth: int = 18,
    num_classes: int = 1000,
    in_channels: int = 3,
    width: int = 64,
    hidden: int = 0,
) -> Module:
    """ResNet-18 or ResNet-34 for photographs, layer by layer that of the model zoos.

    A 7 × 7 convolution and a 3 × 3 max pooling, both of stride 2, then four stages of
    residual blocks with `width`, 2, 4 and 8·`width` channels. The module has

    - `features`: images (B, in_channels, H, W) → map (B, 8·width, ⌈H/32⌉, ⌈W/32⌉);
    - `stages(X)`: the list of the four stages' maps, at strides 4, 8, 16 and 32;
    - `output`: the dense layer, applied to the mean of the map over its pixels;
    - `classes`: the names of its classes, a tuple, where `pretrained` knows them, or None;
    - `scaling`: the mean and standard deviation that its pictures are made of, ImageNet's.

    Args:
        depth: 18 or 34.
        num_classes: length of the output.
        in_channels: channels of the images.
        width: channels of the first stage; 64 in the paper.
        hidden: with a number, `output` is a small network: a dense layer to so many
            units, ReLU, and a dense layer to the classes.

    Returns:
        A module of the active framework, (B, in_channels, H, W) → (B, num_classes)
        scores (logits), its weights drawn from `d2lcv.seed`.

    Raises:
        ValueError: another depth, a negative `hidden`, or another number not positive.
    """
    depth = one_of("depth", depth, BLOCKS)
    sizes = integers(
        num_classes=(num_classes, 1),
        in_channels=(in_channels, 1),
        width=(width, 1),
        hidden=(hidden, 0),
    )
    net = backend.classification.ResNet(depth, *sizes)
    net.classes = None
    if in_channels == 3:
        net.scaling = IMAGENET_MEAN, IMAGENET_STD
    return initialize(net)


def cross_entropy(y_hat: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each example, or of each pixel, −log softmax(y_hat)[y].

    Args:
        y_hat: (B, C) scores (logits), or (B, C, H, W) for each pixel.
        y: (B,) or (B, H, W) integers of any type, in [0, C).

    Returns:
        Of the shape of `y`; take `reduce_mean` of it to train. PaddlePaddle gives a value
        beyond 64 as 64, with the right gradient. Inside a compiled step, where numbers
        are not known yet, the loss of a label that is no class is NaN.

    Raises:
        TypeError: not a tensor of the active framework, or labels that are not integers.
        ValueError: shapes that do not fit each other, or a label that is no class.
    """
    check_tensor("y_hat", y_hat)
    check_tensor("y", y)
    scores, labels = tuple(y_hat.shape), tuple(y.shape)
    expected = scores[:1] + scores[2:]
    if len(scores) < 2 or len(labels) != len(expected):
        raise ValueError(
            f"y_hat, y: expected shapes (B, C) and (B,), or (B, C, H, W) and (B, H, W), "
            f"got {scores} and {labels}"
        )
    if any(a != b for a, b in zip(labels, expected, strict=True) if None not in (a, b)):
        raise ValueError(f"y: expected shape {expected}, as y_hat has, got {labels}")
    if scores[1] == 0:
        raise ValueError(f"y_hat: expected at least one class, got shape {scores}")
    t, given = backend.tensors, y_hat
    (y_hat,) = floats(y_hat=(y_hat, "..."))
    if check_labels("y", y, scores[1]):
        if 0 in labels:  # which ends the process on some frameworks
            return as_given(t.zeros(labels), given)
        return as_given(backend.classification.cross_entropy(y_hat, y), given)
    is_class = (y >= 0) & (y < scores[1])
    losses = backend.classification.cross_entropy(y_hat, t.where(is_class, y, 0 * y))
    return as_given(t.where(is_class, losses, float("nan")), given)


def replace_output(net: Module, num_classes: int, hidden: int = 0) -> Module:
    """A new `ResNet` with a copy of the features of `net` and a fresh output part.

    Nothing is shared: training one of them leaves the other as it is.

    Args:
        net: a `ResNet`.
        num_classes: length of the new output.
        hidden: as for `ResNet`: 0 for a dense layer, else the units of a layer before it.

    Returns:
        A net like `net`, on the default device; its output part is drawn from
        `d2lcv.seed`.

    Raises:
        TypeError: `net` is not a `ResNet`.
        ValueError: `num_classes` is not positive, or `hidden` is negative.
    """
    check_kind("net", net, "a ResNet of d2lcv", backend.classification.ResNet)
    sizes = integers(num_classes=(num_classes, 1), hidden=(hidden, 0))
    new = backend.classification.replace_output(net, *sizes)
    new.classes, new.scaling = None, getattr(net, "scaling", None)
    return initialize(new, "output.")


# ---- networks that were trained already ------------------------------------------------

# How the parts are called: by torchvision and PaddlePaddle, by Gluon, and here
ZOO_NAMES = (
    ("fc.", "output."),
    ("features.0.", "conv1."),
    ("features.1.", "bn1."),
    ("features.4.", "layer1."),
    ("features.5.", "layer2."),
    ("features.6.", "layer3."),
    ("features.7.", "layer4."),
    (".body.0.", ".conv1."),
    (".body.1.", ".bn1."),
    (".body.3.", ".conv2."),
    (".body.4.", ".bn2."),
)


def pretrained(depth: int = 18, weights: str | os.PathLike[str] = "source") -> Module:
    """A `ResNet` that has learned already.

    Its images are (B, 3, H, W), 0 to 1, less `IMAGENET_MEAN` and over `IMAGENET_STD`.
    Its `classes` are the names of its scores: `SOURCE_CLASSES`, the names of ImageNet's
    classes for a net of 1000, and None for another file.

    Args:
        depth: 18 or 34.
        weights: "source": a narrow ResNet-18 that tells the `SOURCE_CLASSES` of a drawn set
            apart, part of the package. "imagenet": what the framework's own model zoo has,
            trained on the 1000 classes of ImageNet, downloaded at the first use. Or the
            path of a safetensors file, its tensors named as `save_weights` does or as
            torchvision does.

    Raises:
        ValueError: no such net, or a file that is not one of this depth.
        FileNotFoundError: there is no such file.
        DownloadError: the zoo's weights cannot be had; raised within seconds if its server
            cannot be reached.
    """
    depth, weights = one_of("depth", depth, BLOCKS), check_path("weights", weights)
    if weights == Path("imagenet"):
        return _from_zoo(depth)
    if weights == Path("source"):
        if depth != 18:
            raise ValueError(f"depth: the source network has depth 18, got {depth}")
        net = _from_file(depth, DATA / "weights/source-resnet18.safetensors")
        net.classes, net.image_size = SOURCE_CLASSES, (96, 96)
        return net
    return _from_file(depth, weights)


def from_zoo(model: Any) -> Any:
    """A `ResNet` with a copy of the weights of a model zoo's ResNet-18 or ResNet-34.

    Args:
        model: `torchvision.models.resnet18()`, `paddle.vision.models.resnet18()`,
            `mxnet.gluon.model_zoo.vision.resnet18_v1()` or one of depth 34.

    Raises:
        ValueError: `model` is another kind of net.
    """
    return _of_weights(_renamed(get_weights(model)))


def _from_zoo(depth: int) -> Any:
    way = (
        f"Where there is one, save them, d2lcv.save_weights(d2lcv.pretrained({depth}, "
        f"'imagenet'), 'resnet{depth}.safetensors'), and give the file: d2lcv.pretrained("
        f"{depth}, 'resnet{depth}.safetensors'). A safetensors file with torchvision's "
        f"names serves, too"
    )
    found = backend.classification.zoo_file(depth)
    if found is None:
        raise ValueError(
            f"weights: {backend.entry.title} has no ResNet-{depth} trained on ImageNet. "
            + way
        )
    url, file = found
    try:
        if not os.path.isfile(file):
            check_reachable(url)
        model = backend.classification.zoo(depth)
    except (OSError, RuntimeError, ValueError) as error:
        raise DownloadError(
            f"weights: those of ResNet-{depth} cannot be had from {url} ({error}). {way}"
        ) from error
    return from_zoo(model)


def _from_file(depth: int, path: str | os.PathLike[str]) -> Any:
    arrays = read_weights(path)
    try:
        return _of_weights(_renamed(arrays), depth)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _renamed(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of a zoo's ResNet by our names; ours keep theirs."""
    renamed = {}
    for name, array in arrays.items():
        for theirs, ours in ZOO_NAMES:
            if name.startswith(theirs) or (theirs[0] == "." and theirs in name):
                name = name.replace(theirs, ours)
        inside = name.startswith(("features.", "output."))
        renamed[name if inside else f"features.{name}"] = array
    return renamed


def _of_weights(arrays: Mapping[str, np.ndarray], depth: int | None = None) -> Any:
    """A net of the sizes that the arrays have, with these arrays."""
    if depth is None:
        depth = 34 if "features.layer1.2.conv1.weight" in arrays else 18
    hidden = len(arrays.get("output.0.weight", ()))
    nothing = np.zeros(0)
    first = arrays.get("features.conv1.weight", nothing)
    last = arrays.get("output.2.weight" if hidden else "output.weight", nothing)
    if first.ndim != 4 or last.ndim != 2:
        raise ValueError(f"these weights are not of a ResNet-{depth}")
    net = ResNet(depth, len(last), first.shape[1], first.shape[0], hidden)
    if len(last) == 1000:
        names = (DATA / "imagenet_classes.txt").read_text(encoding="utf-8")
        net.classes = tuple(names.splitlines())
    return set_weights(net, arrays)
