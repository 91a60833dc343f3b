"""Weights that are the same on every backend: drawn from one seed, saved in one layout.

The canonical layout: convolutions (out, in, kH, kW), dense (out, in), everything float32;
names are the path of the layer and `weight`, `bias`, `running_mean` or `running_var`, as
in `blocks.1.0.weight`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backends import Module, backend
from .checks import check_module, check_path, described, pair
from .files import write_file
from .randomness import next_net

__all__ = [
    "describe",
    "get_weights",
    "image_size_of",
    "initialize",
    "kind_of",
    "load_weights",
    "read_description",
    "read_weights",
    "save_weights",
    "scaling_of",
    "set_weights",
]

COUNT = "num_batches_tracked"
# What a file can say of a net: kind -> the topic of its class, and its arguments; a kind
# that is a function, not a class, marks its nets with `net.kind`
KINDS = {
    "TinySSD": ("ssd", ("num_classes",)),
    "TinyYOLO": ("yolo", ("num_classes", "num_boxes")),
    "TinyRCNN": ("rcnn", ("num_classes",)),
    "ResNet": (
        "classification",
        ("depth", "num_classes", "in_channels", "width", "hidden"),
    ),
    "resnet18": ("classification", ("num_classes", "in_channels", "width")),
    "FCN": (
        "segmentation",
        ("num_classes", "depth", "in_channels", "width", "stride"),
    ),
}
STATE = "optimizer/"  # begins the names of what an optimizer keeps, in a checkpoint
ENTRY, FORMAT = "d2lcv", 2  # one entry: of several the order in the file is chance


def initialize(net: Module, part: str = "") -> Module:
    """Give `net` fresh weights from the seed, and return it.

    With `part` only those whose names start so; the rest stays.

    Matrices and kernels are drawn from U(−a, a), a = √(6/(fan_in + fan_out)) (Glorot and
    Bengio, 2010); biases and running means are 0, scales and running variances 1. Each
    tensor has its own stream of numbers, chosen by its name.
    """
    check_module("net", net)
    slots = backend.weights.slots(net)
    draw({n: slot for n, slot in slots.items() if n.startswith(part)}, next_net())
    return net


def draw(
    slots: Mapping[str, Any], stream_for: Callable[[str], np.random.Generator]
) -> None:
    """Put fresh weights into the slots of a net, each from its stream of numbers."""
    for name, slot in slots.items():
        slot.put(_initial(name, slot.shape, stream_for(name)))


def _initial(
    name: str, shape: tuple[int, ...], stream: np.random.Generator
) -> np.ndarray:
    if len(shape) > 1:
        field = int(np.prod(shape[2:]))
        bound = np.sqrt(6 / (field * (shape[0] + shape[1])))
        return stream.uniform(-bound, bound, shape).astype(np.float32)
    is_one = name.endswith(("weight", "running_var"))
    return np.full(shape, 1 if is_one else 0, np.float32)


def get_weights(net: Module) -> dict[str, np.ndarray]:
    """All weights and statistics of `net` as NumPy arrays in the canonical layout."""
    check_module("net", net)
    return {name: slot.get() for name, slot in backend.weights.slots(net).items()}


def set_weights(
    net: Module, weights: Mapping[str, np.ndarray], part: str = ""
) -> Module:
    """Put arrays in the canonical layout into `net`, all or none, and return it.

    With `part` into those whose names start so; the rest stays.

    Raises:
        ValueError: tensors are missing, superfluous or of another shape (all are listed);
            `net` is then as it was.
    """
    check_module("net", net)
    slots = backend.weights.slots(net)
    slots = {name: slot for name, slot in slots.items() if name.startswith(part)}
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"weights: expected arrays by name, as get_weights gives them, got "
            f"{described(weights)}"
        )
    wrong = [f"missing: {name}" for name in slots if name not in weights]
    wrong += [f"not in this net: {name}" for name in weights if name not in slots]
    wrong += [
        f"{name}: the net has shape {slots[name].shape}, given is {np.shape(array)}"
        for name, array in weights.items()
        if name in slots and tuple(np.shape(array)) != slots[name].shape
    ]
    if wrong:
        raise ValueError("these weights are not of this net:\n  " + "\n  ".join(wrong))
    # all are copied, which may fail, before the first is put
    arrays = {k: np.array(v, np.float32, order="C") for k, v in weights.items()}
    for name, array in arrays.items():
        slots[name].put(array)
    return net


def save_weights(net: Module, path: str | os.PathLike[str]) -> str:
    """Write the weights and statistics of `net` to a safetensors file; returns its path.

    The file is the same whichever backend wrote it, and any of them reads it. It appears
    only when it is whole. It also says what the net is, for `load`: of a `TinySSD`,
    `TinyYOLO`, `TinyRCNN`, `ResNet`, `resnet18` or `FCN` its kind and arguments; of any
    net, if they were set, `net.classes` (names), `net.image_size` ((height, width) of its
    pictures) and `net.scaling` ((mean, std), as for `Normalize`, of pixels from 0 to 1; a
    net without it takes pixels from 0 to 255); and the package's version.

    Raises:
        TypeError: no net, or no path.
        ValueError: `net.scaling` is not two times a number for each channel, the second
            positive.
    """
    check_module("net", net)
    return write(path, get_weights(net), describe(net))


def write(path: Any, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    """Write a safetensors file that says `about` of itself; it appears when it is whole."""
    from safetensors.numpy import save

    path = check_path("path", path)
    arrays = {k: np.asarray(v, order="C") for k, v in sorted(arrays.items())}
    said = json.dumps(about, sort_keys=True)
    write_file(path, save(arrays, metadata={ENTRY: said}))
    return str(path)


def describe(net: Module) -> dict[str, Any]:
    """What a net is, in JSON's words."""
    from . import __version__

    about: dict[str, Any] = {"format": FORMAT, "version": __version__}
    kind = kind_of(net)
    if kind is not None:
        values = {name: int(getattr(net, name)) for name in KINDS[kind][1]}
        about |= {"kind": kind, "arguments": values}
    if getattr(net, "classes", None) is not None:
        about["classes"] = [str(name) for name in net.classes]
    size = image_size_of(net)
    if size is not None:
        about["image_size"] = list(size)
    scaling = scaling_of(net)
    if scaling is not None:
        about["scaling"] = [part.tolist() for part in scaling]
    return about


def kind_of(net: Any) -> str | None:
    """The kind of a net, as `KINDS` calls it; None if it is another one."""
    for kind, (topic, _) in KINDS.items():
        made_by = getattr(getattr(backend, topic), kind)
        if isinstance(made_by, type) and isinstance(net, made_by):
            return kind
    marked = getattr(net, "kind", None)
    return marked if isinstance(marked, str) and marked in KINDS else None


def scaling_of(net: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and standard deviation of `net.scaling`, two arrays; None if it has none."""
    given = getattr(net, "scaling", None)
    if given is None:
        return None
    try:
        mean, std = (np.array(tuple(part), np.float64) for part in given)
        fits = mean.shape == std.shape and mean.ndim == 1 and np.isfinite(mean).all()
    except (TypeError, ValueError):
        fits = False
    if not fits or not (np.isfinite(std) & (std > 0)).all():
        raise ValueError(
            "net.scaling: expected (mean, std), each with a number for each channel, std "
            f"positive, got {given!r}"
        )
    return mean, std


def image_size_of(net: Any) -> tuple[int, int] | None:
    """(height, width) of `net.image_size`, where one number stands for both, or None."""
    given = getattr(net, "image_size", None)
    return None if given is None else pair("net.image_size", given, 1)


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[None]:
    from safetensors import SafetensorError

    if not check_path("path", path).is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    try:
        yield
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a whole safetensors file, as d2lcv.save_weights writes it "
            f"({error})"
        ) from error


def read_description(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a file of `save_weights` says of its net.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whole safetensors file, or one of another program.
    """
    from safetensors import safe_open

    with _reading(path), safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    if ENTRY not in metadata:
        raise ValueError(
            f"{path} was not written by d2lcv.save_weights, or by an early version: its "
            f"metadata is {metadata}; d2lcv.load_weights(net, path) loads it into a net "
            "that you have made"
        )
    try:
        about = json.loads(metadata[ENTRY])
    except ValueError as error:
        raise ValueError(
            f"{path}: what it says of its net cannot be read: {error}"
        ) from error
    return about if isinstance(about, dict) else {}


def load_weights(net: Module, path: str | os.PathLike[str]) -> Module:
    """Read a file of `save_weights` into `net`, whichever backend wrote it; returns `net`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a whole safetensors file of float32, or not of this net (the
            tensors that are missing, superfluous or of another shape are listed); `net`
            is then as it was.
    """
    check_module("net", net)
    weights = read_weights(path)
    try:
        return set_weights(net, weights)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The weights in a safetensors file by name, for any net; of a checkpoint, too.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a whole safetensors file of float32.
    """
    return {k: v for k, v in read_tensors(path).items() if not k.startswith(STATE)}


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file by name, with what optimizers keep.

    Those called `num_batches_tracked` are left out: integers that PyTorch counts.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a whole safetensors file of float32.
    """
    from safetensors.numpy import load_file

    with _reading(path):
        try:
            weights = load_file(path)
        except (AttributeError, TypeError) as error:
            # bfloat16, unless something adds it
            raise ValueError(f"{path}: expected float32 tensors: {error}") from error
    weights = {k: v for k, v in weights.items() if not k.endswith(COUNT)}
    for name, array in weights.items():
        if array.dtype != np.float32:
            raise ValueError(
                f"{path}: expected float32 tensors, {name} is {array.dtype}"
            )
    return weights
