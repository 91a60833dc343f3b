"""Use what was trained: nets from files that say what they are, and what they say of
pictures: boxes, classes, a class for every pixel, another style."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .backends import REGISTRY, Module, backend
from .checks import (
    at_least,
    check_module,
    check_path,
    described,
    in_range,
    one_of,
    pair,
    positive,
    threshold,
)
from .classification import ResNet, resnet18
from .detection import multibox_detection
from .exchange import GRAPHS, onnx_graph
from .files import check_writable
from .rcnn import (
    INSTANCE_THRESHOLD,
    NUM_DETECTIONS,
    NUM_PROPOSALS,
    TinyRCNN,
    detect_instances,
)
from .segmentation import FCN, label2image, predict_tiles
from .ssd import TinySSD
from .style import (
    SynthesizedImage,
    compute_loss,
    extract_features,
    gram,
    postprocess,
    preprocess,
)
from .training import Trainer, predict
from .weights import (
    describe,
    get_weights,
    image_size_of,
    kind_of,
    load_weights,
    read_description,
    scaling_of,
)
from .yolo import TinyYOLO, yolo_detection

__all__ = [
    "Classification",
    "Detections",
    "Segmentation",
    "classify",
    "detect",
    "export",
    "load",
    "segment",
    "stylize",
]


def _fcn(
    num_classes: int, depth: int, in_channels: int, width: int, stride: int
) -> Any:
    return FCN(num_classes, ResNet(depth, 1, in_channels, width), stride)


KINDS: dict[str, Callable[..., Any]] = {
    "TinySSD": TinySSD,
    "TinyYOLO": TinyYOLO,
    "TinyRCNN": TinyRCNN,
    "ResNet": ResNet,
    "resnet18": resnet18,
    "FCN": _fcn,
}
DETECTOR = Path(__file__).parent / "data" / "weights" / "detector.safetensors"
# What a picture measures that a net sees, unless the net says it
SIDES = {"ResNet": 224, "FCN": 224, "resnet18": 32}
DETECTOR_SIDE = 256
ENDINGS = (".onnx", ".pt2")  # of programs of one file
POS_THRESHOLD = 0.009999999  # of what `multibox_detection` takes for an object
STYLE_LAYERS = (0, 5, 10, 19, 28)  # the first convolutions of VGG-19's blocks
CROPPED = 8 / 7  # what a picture measures before its middle is cut out, as 256 to 224


# ---- nets from files ---------------------------------------------------------------------


def load(path: str | os.PathLike[str] | None = None) -> Module:
    """The net in a file of `save_weights`, on the active backend, whichever wrote it.

    Nets that say what they are can be loaded: those of `TinySSD`, `TinyYOLO`, `TinyRCNN`,
    `ResNet`, `resnet18` and `FCN`. `load_weights` puts any file's weights into a net that
    was made before. Without a path it is a small `TinySSD` that comes with the package: it
    was trained on drawn pictures and knows bananas, discs, squares and triangles in them.

    Returns:
        The net, on the device of `try_gpu()`, with `net.classes`, `net.image_size` and
        `net.scaling` if they were set before saving.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whole safetensors file, one of another program, one of a net
            that does not say what it is, or of a kind that this version does not know.
    """
    path = DETECTOR if path is None else path
    about = read_description(path)
    kind, arguments = about.get("kind"), about.get("arguments") or {}
    if kind not in KINDS:
        raise ValueError(
            f"{path}: expected a net of the kind {', '.join(KINDS)}, got "
            f"{'one that does not say its kind' if kind is None else repr(kind)}; "
            "d2lcv.load_weights(net, path) loads it into a net that you have made"
        )
    try:
        net = KINDS[kind](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: arguments {arguments!r} of {kind}: {error}"
        ) from None
    load_weights(net, path)
    for name in ("classes", "image_size"):
        if about.get(name) is not None:
            setattr(net, name, tuple(about[name]))
    if kind in ("ResNet", "FCN") or about.get("scaling") is not None:
        net.scaling = about.get("scaling")
        scaling_of(net)
    return backend.tensors.to(net, backend.tensors.try_gpu())


def export(
    net: Module,
    path: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
    to: str | None = None,
    nms_threshold: float = 0.5,
) -> str:
    """Write a net as a program from pictures to boxes, which runs without this package.

    With `path` "net" and `to`

    - "onnx", from any backend: `net.onnx`, for ONNX Runtime (`InferenceSession`). It needs
      the package `onnx`;
    - "torch", on PyTorch: `net.pt2` (`torch.export.load`; torchvision must be imported);
    - "savedmodel", on TensorFlow: the folder `net` (`tf.saved_model.load`);
    - "paddle", on PaddlePaddle: `net.json` and `net.pdiparams` (`paddle.jit.load`);
    - "mxnet", on MXNet: `net-symbol.json` and `net-0000.params`
      (`gluon.SymbolBlock.imports`).

    The program takes pictures (B, H, W, 3), whole numbers from 0 to 255 (uint8), of the
    one size of the net; `net.scaling` is inside. Of a `TinySSD` or `TinyYOLO` it gives the
    rows (B, A, 6) of `multibox_detection` or `yolo_detection`: class (−1: none), confidence
    and box in fractions of the picture; of a `TinyRCNN` the rows (B, 8, 6) and masks
    (B, 8, H, W) of `detect_instances`. There B is 1, but for ONNX, and MXNet's suppression
    is no part of a program, so that it gives predictions there: of a `TinyRCNN` those of
    its first stage. Of other nets it gives what the net gives in evaluation mode: scores
    before softmax. ONNX has `TinySSD`, `TinyYOLO`, `ResNet`, `resnet18` and `FCN`.

    What `save_weights` says of the net, shapes, thresholds and whether it gives "boxes" or
    "predictions" stand in the metadata of an ONNX file under "d2lcv" (JSON), and of others
    beside it in `about-net.json`.

    Args:
        net: a module of the active framework, on the default device.
        path: of the files; the ending is added where it is not there.
        image_size: (height, width) of its pictures, one number for both; if None
            `net.image_size`, or else 256 for detectors and 224 for others.
        to: one of the forms; if None the active framework's own.
        nms_threshold: as for `multibox_detection`.

    Returns:
        The path to load.

    Raises:
        TypeError, ValueError: no net, no path, no size, a form that is another
            framework's, or a net that ONNX does not have.
        ModuleNotFoundError: the package `onnx` is not installed.
        OSError: the place cannot be written to.
    """
    check_module("net", net)
    about, target = describe(net), check_path("path", path)
    if target.suffix in ENDINGS:
        target = target.with_suffix("")
    _check_form(about.get("kind"), to)
    size = pair("image_size", _side(net) if image_size is None else image_size, 1)
    kind, channels = kind_of(net), getattr(net, "in_channels", 3)
    most = threshold("nms_threshold", nms_threshold)
    finds = kind in PROGRAMS and (to == "onnx" or backend.weights.EXPORTS_BOXES)
    # two pictures where there may be several: one would be taken for a number that is
    # always one
    batch = 1 if finds else 2
    images = backend.tensors.tensor(np.zeros((batch, *size, channels), np.uint8))
    images = backend.tensors.to(images, backend.tensors.try_gpu())

    def before(channels: Sequence[Any]) -> list[Any]:
        return _scaled_channels(net, channels)

    def after(outputs: Any) -> Any:
        return PROGRAMS[kind](net, outputs, most, size) if finds else outputs  # type: ignore[index]

    try:
        outputs = predict(net, _scaled(net, images))
    except ValueError as error:
        raise ValueError(f"net, image_size: {error}") from error
    shapes = [_shape(Y, batch) for Y in _several(after(outputs))]
    about |= {
        "gives": "boxes" if finds else "predictions",
        "input": [None if to == "onnx" or batch == 2 else 1, *size, channels],
        "outputs": shapes,
    }
    if finds:
        least = INSTANCE_THRESHOLD if kind == "TinyRCNN" else POS_THRESHOLD
        about |= {"nms_threshold": most, "pos_threshold": least}
    check_writable(target)
    if to == "onnx":
        about["outputs"] = [[None, *shapes[0][1:]]]
        maps = [backend.tensors.numpy(Y) for Y in _several(outputs)]
        path = target.with_name(f"{target.name}.onnx")
        path.write_bytes(onnx_graph(about, get_weights(net), maps))
        return str(path)
    written = backend.weights.export(net, str(target), images, before, after)
    text = json.dumps(about, indent=1, sort_keys=True) + "\n"
    # Paddle would take what begins as the program does for a part of it
    target.with_name(f"about-{target.name}.json").write_text(text, encoding="utf-8")
    return written


def _check_form(kind: str | None, to: str | None) -> None:
    forms = {entry.program: entry for entry in REGISTRY.values()}
    if to is not None:
        to = one_of("to", to, ("onnx", *forms))
    if to in forms and forms[to] != backend.entry:
        raise ValueError(
            f"to: {to!r} is written by {forms[to].title}, the active backend is "
            f"{backend.entry.title}: save the weights and load them there, or use "
            f"`d2lcv export FILE --to {to}`, which does"
        )
    if to == "onnx" and kind == "TinyRCNN":
        raise ValueError(
            "to: the second stage of a TinyRCNN is not written in ONNX's operators; "
            "the whole net is exported to torch, savedmodel and paddle"
        )
    if to == "onnx" and kind not in GRAPHS:
        raise ValueError(
            f"net: expected one of {', '.join(GRAPHS)} for ONNX, got "
            f"{kind or 'a net that does not say its kind'}"
        )


def _several(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _shape(Y: Any, batch: int) -> list[int | None]:
    return [None if n == batch == 2 else int(n) for n in Y.shape[:1]] + [
        int(n) for n in Y.shape[1:]
    ]


# ---- pictures ----------------------------------------------------------------------------


def _pictures(images: Any) -> list[Any]:
    several = isinstance(images, (list, tuple))
    return [_picture(image) for image in (images if several else [images])]


def _picture(image: Any) -> Any:
    """A PIL picture in RGB."""
    from PIL import Image

    from .data.pictures import as_rgb, read_picture

    if isinstance(image, (str, os.PathLike)):
        return read_picture(check_path("images", image))
    if isinstance(image, Image.Image):
        return as_rgb(image)
    array = image if isinstance(image, np.ndarray) else None
    if array is None and backend.tensors.is_tensor(image):
        array = backend.tensors.numpy(image)
    if array is None:
        raise TypeError(
            "images: expected paths, PIL pictures, arrays or tensors, got "
            f"{type(image).__qualname__}"
        )
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind not in "iu":
        raise ValueError(
            "images: expected whole numbers of shape (H, W, 3), got "
            f"{array.dtype} of shape {array.shape}"
        )
    if array.size == 0 or array.min() < 0 or array.max() > 255:
        raise ValueError("images: expected pixels from 0 to 255")
    return Image.fromarray(array.astype(np.uint8))


def _batch(net: Any, picture: Any) -> Any:
    """A picture as a batch of one, (1, 3, H, W), its pixels as `net.scaling` says."""
    t = backend.tensors
    images = t.to(t.tensor(np.asarray(picture)[None]), t.try_gpu())
    return _scaled(net, images)


def _scaled(net: Any, images: Any) -> Any:
    """(B, H, W, C) pixels from 0 to 255 → (B, C, H, W) as the net takes them."""
    t = backend.tensors
    channels = [images[..., i] for i in range(images.shape[-1])]
    channels = [t.astype(x, t.float32) for x in channels]
    return t.stack(_scaled_channels(net, channels), 1)


def _scaled_channels(net: Any, channels: Sequence[Any]) -> list[Any]:
    scaling = scaling_of(net)
    if scaling is None:
        return list(channels)
    if len(scaling[0]) != len(channels):
        raise ValueError(
            f"net.scaling: expected numbers for {len(channels)} channels, got "
            f"{len(scaling[0])}"
        )
    numbers = zip(channels, *(part.tolist() for part in scaling), strict=True)
    return [(x / 255 - mean) / std for x, mean, std in numbers]


def _side(net: Any) -> tuple[int, int]:
    side = SIDES.get(kind_of(net) or "", DETECTOR_SIDE)
    return image_size_of(net) or (side, side)


def _names(net: Any, number: int) -> list[str]:
    """Of the classes; their numbers where the net has no names."""
    names = getattr(net, "classes", None)
    if names is not None and len(names) != number:
        raise ValueError(
            f"net.classes: expected {number} names, as many as the net's scores, got "
            f"{len(names)}"
        )
    return [str(name) for name in (names or range(number))]


def _check_kind(net: Any, *kinds: str) -> str:
    kind = kind_of(net)
    if kind not in kinds:
        expected = " or ".join(kinds)
        raise TypeError(f"net: expected {expected}, got {described(net)}")
    return kind


def _check_color(net: Any) -> None:
    if net.in_channels != 3:
        raise ValueError(
            f"net: expected one of coloured pictures, 3 channels, got {net.in_channels}"
        )


# ---- boxes -------------------------------------------------------------------------------


class _Found:
    """What was found in a picture."""

    image: np.ndarray
    scale = 5  # of the figure

    def picture(self) -> Any:
        """The picture, drawn upon, as a PIL image of its size."""
        raise NotImplementedError

    def show(self, scale: float | None = None) -> Any:
        """Draw the picture with what was found in it; returns its axes."""
        from .figures import show_images

        (axes,) = show_images([self.picture()], 1, 1, scale=scale or self.scale)
        return axes


class _Labels:
    """Writes words on a picture, white or black on a colour."""

    def __init__(self, picture: Any) -> None:
        from PIL import ImageDraw, ImageFont

        least = min(picture.size)
        self.pen, self.line = ImageDraw.Draw(picture), max(2, round(least / 150))
        self.font = ImageFont.load_default(max(10, round(least / 30)))

    def box(self, corners: Sequence[float], color: tuple[int, ...]) -> None:
        self.pen.rectangle(tuple(corners), outline=color, width=self.line)

    def write(self, x: float, y: float, text: str, color: tuple[int, ...]) -> float:
        """Writes inside of the corner (x, y); returns where the text ends below."""
        place = x + self.line, max(y + self.line, 0)
        around = self.pen.textbbox(place, text, font=self.font)
        self.pen.rectangle(around, fill=color)
        ink = "white" if sum(color) < 450 else "black"
        self.pen.text(place, text, fill=ink, font=self.font)
        return around[3]


class Detections(_Found):
    """What `detect` found in one picture, the surest first.

    Attributes:
        rows: (n, 6), class, confidence and box, as `evaluate_detections` takes them.
        boxes: (n, 4), corners in pixels of the given picture.
        scores: (n,) confidences.
        classes: (n,) int64.
        names: of the classes.
        masks: (n, H, W) bool, the pixels of each object, from a `TinyRCNN`; else None.
        image: the picture, (H, W, 3) uint8.
    """

    def __init__(
        self,
        image: np.ndarray,
        rows: np.ndarray,
        names: Sequence[str] | None,
        masks: np.ndarray | None = None,
    ) -> None:
        self.image, self.rows, self.masks = image, rows, masks
        self.boxes, self.scores = rows[:, 2:], rows[:, 1]
        self.classes = rows[:, 0].astype(np.int64)
        self.names = [names[c] if names else str(c) for c in self.classes.tolist()]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        found = zip(self.names, self.scores.tolist(), strict=True)
        return f"Detections({', '.join(f'{n} {s:.2f}' for n, s in found)})"

    def picture(self) -> Any:
        """The picture with masks, boxes, names and confidences, as a PIL image."""
        from PIL import Image

        colors = [_color(label) for label in self.classes.tolist()]
        pixels = self.image.astype(np.float32)
        for mask, color in zip([] if self.masks is None else self.masks, colors):  # noqa: B905
            pixels[mask] = (pixels[mask] + color) / 2
        picture = Image.fromarray((pixels + 0.5).astype(np.uint8))
        labels = _Labels(picture)
        found = zip(self.boxes.tolist(), self.names, self.scores, colors, strict=True)
        for box, name, score, color in found:
            labels.box(box, color)
            labels.write(box[0], box[1], f"{name} {score:.2f}", color)
        return picture


def _color(label: int) -> tuple[int, ...]:
    from matplotlib.colors import to_rgb

    return tuple(round(255 * c) for c in to_rgb(f"C{label % 10}"))


def _ssd_rows(net: Any, outputs: Any, nms_threshold: float, size: Any) -> Any:
    t = backend.tensors
    anchors, cls_preds, bbox_preds = outputs
    probs = t.transpose(t.softmax(cls_preds, -1), (0, 2, 1))
    # a program that is written down has no numbers yet
    background = t.extent(probs) is None
    return multibox_detection(
        probs,
        bbox_preds,
        anchors,
        nms_threshold,
        POS_THRESHOLD,
        background=background,
    )


def _yolo_rows(net: Any, outputs: Any, nms_threshold: float, size: Any) -> Any:
    return yolo_detection(outputs, net.num_classes, nms_threshold, POS_THRESHOLD)


def _rcnn_rows(net: Any, outputs: Any, nms_threshold: float, size: Any) -> Any:
    return backend.rcnn.second_stage(
        net,
        outputs,
        size,
        NUM_PROPOSALS,
        NUM_DETECTIONS,
        nms_threshold,
        INSTANCE_THRESHOLD,
    )


# From what a net gives to rows (class, confidence, box): what stands in a program
PROGRAMS = {"TinySSD": _ssd_rows, "TinyYOLO": _yolo_rows, "TinyRCNN": _rcnn_rows}


def detect(
    net: Module, images: Any, threshold: float = 0.5, nms_threshold: float = 0.5
) -> list[Detections]:
    """What a `TinySSD`, `TinyYOLO` or `TinyRCNN` finds in pictures of any size.

    Each picture is resized to `net.image_size`, or else to 256 × 256.

    Args:
        net: a detector, as `load` gives it; its `classes` are the names.
        images: a list of, or one of: a path, a PIL picture, an array or a tensor (H, W, 3)
            of whole numbers from 0 to 255.
        threshold: the least confidence, in [0, 1]; below 0.01 (of a `TinyRCNN` 0.05)
            nothing is found.
        nms_threshold: as for `multibox_detection`.

    Returns:
        One `Detections` for each picture, boxes in its pixels.

    Raises:
        TypeError, ValueError: another net, names that are not those of its classes, what
            is no picture, a number out of its range.
    """
    _check_kind(net, *PROGRAMS)
    in_range("threshold", threshold, 0, 1)
    names = _names(net, net.num_classes)
    return [_detect(net, p, names, threshold, nms_threshold) for p in _pictures(images)]


def _detect(
    net: Any, picture: Any, names: list[str], least: float, nms_threshold: float
) -> Detections:
    from PIL import Image

    height, width = _side(net)
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    X, t, masks = _batch(net, small), backend.tensors, None
    kind = str(kind_of(net))  # a detector, as its caller has made sure
    if kind == "TinyRCNN":  # its public function looks at numbers, too
        found = detect_instances(net, X, nms_threshold=nms_threshold)
        rows, masks = (t.numpy(x)[0] for x in found)
    else:
        outputs = predict(net, X)
        rows = t.numpy(PROGRAMS[kind](net, outputs, nms_threshold, (height, width)))[0]
    found = (rows[:, 0] >= 0) & (rows[:, 1] >= np.float32(least))
    rows, size = rows[found], picture.size
    box = np.clip(rows[:, 2:], 0, 1) * np.tile(size, 2)
    rows = np.concatenate([rows[:, :2], box], axis=1)
    if masks is not None:
        large = [Image.fromarray(m).resize(size) for m in masks[found]]
        large = [np.asarray(m) >= 0.5 for m in large]
        masks = np.reshape(large, (len(rows), *size[::-1])).astype(bool)
    return Detections(np.asarray(picture), rows, names, masks)


# ---- classes -----------------------------------------------------------------------------


class Classification(_Found):
    """The classes that `classify` takes a picture for, the most probable first.

    Attributes:
        classes: (n,) int64.
        scores: (n,) their probabilities.
        names: of the classes.
        image: the picture, (H, W, 3) uint8.
    """

    scale = 3

    def __init__(self, image: np.ndarray, scores: np.ndarray, names: list[str]) -> None:
        self.image = image
        self.classes = np.argsort(-scores, kind="stable")
        self.scores = scores[self.classes]
        self.names = [names[c] for c in self.classes.tolist()]

    def __repr__(self) -> str:
        surest = zip(self.names[:3], self.scores.tolist(), strict=False)
        return f"Classification({', '.join(f'{n} {s:.2f}' for n, s in surest)})"

    def picture(self) -> Any:
        """The picture with its class and probability, as a PIL image of its size."""
        from PIL import Image

        picture = Image.fromarray(self.image)
        text = f"{self.names[0]} {self.scores[0]:.2f}"
        _Labels(picture).write(0, 0, text, _color(int(self.classes[0])))
        return picture


def classify(net: Module, images: Any) -> list[Classification]:
    """What a `ResNet` or a `resnet18` takes pictures of any size for.

    A picture is resized so that it covers 8/7 of `net.image_size`, or else of 224 × 224
    (32 × 32 for a `resnet18`), and its middle of that size is what the net sees, its pixels
    scaled by `net.scaling`.

    Args:
        net: a classifier, as `load` or `pretrained` gives it; its `classes` are the names.
        images: as for `detect`.

    Returns:
        One `Classification` for each picture.

    Raises:
        TypeError, ValueError: another net, names that are not those of its scores, what is
            no picture.
    """
    _check_kind(net, "ResNet", "resnet18")
    _check_color(net)
    return [_classify(net, picture) for picture in _pictures(images)]


def _classify(net: Any, picture: Any) -> Classification:
    t = backend.tensors
    h, w = _side(net)
    scores = t.softmax(predict(net, _batch(net, _middle(picture, h, w))), -1)
    (scores,) = t.numpy(scores)
    return Classification(np.asarray(picture), scores, _names(net, len(scores)))


def _middle(picture: Any, height: int, width: int) -> Any:
    from PIL import Image

    factor = CROPPED * max(height / picture.height, width / picture.width)
    W, H = (max(1, round(factor * side)) for side in picture.size)
    larger = picture.resize((W, H), Image.Resampling.BILINEAR)
    left, top = (W - width) // 2, (H - height) // 2
    return larger.crop((left, top, left + width, top + height))


# ---- a class for every pixel -------------------------------------------------------------


class Segmentation(_Found):
    """The class that `segment` gives each pixel of a picture.

    Attributes:
        classes: (H, W) int64.
        scores: (H, W) the probability of the pixel's class.
        names: of the classes.
        shares: of the pixels, by the names of the classes that occur, the largest first.
        image: the picture, (H, W, 3) uint8.
    """

    def __init__(
        self,
        image: np.ndarray,
        classes: np.ndarray,
        scores: np.ndarray,
        names: list[str],
    ) -> None:
        self.image, self.classes, self.scores = image, classes, scores
        self.names = names
        counts = np.bincount(classes.ravel(), minlength=len(names))
        order = [c for c in np.argsort(-counts, kind="stable").tolist() if counts[c]]
        self.shares = {names[c]: float(counts[c] / classes.size) for c in order}

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {x:.2f}" for name, x in self.shares.items())
        return f"Segmentation({shares})"

    def picture(self) -> Any:
        """The picture under the colours of its classes and their names, as a PIL image.

        Class 0, the background, has no colour; those of the others are Pascal VOC's. The
        five largest are named.
        """
        from PIL import Image

        colored = (self.image.astype(np.float32) + label2image(self.classes)) / 2
        mixed = np.where(self.classes[..., None] > 0, colored, self.image)
        picture = Image.fromarray((mixed + 0.5).astype(np.uint8))
        labels, y = _Labels(picture), 0.0
        for name, share in list(self.shares.items())[:5]:
            color = label2image(np.array(self.names.index(name))).tolist()
            y = labels.write(0, y, f"{name} {share:.0%}", tuple(color))
        return picture


def segment(net: Module, images: Any) -> list[Segmentation]:
    """A class for every pixel of pictures of any size, from an `FCN`.

    A picture is seen in its own size: as a whole, or, if the net has an `image_size`, in
    tiles of that size that overlap by half, as `predict_tiles` joins them.

    Args:
        net: as `load` gives it; its `classes` are the names. Its `scaling` is used.
        images: as for `detect`.

    Returns:
        One `Segmentation` for each picture.

    Raises:
        TypeError, ValueError: another net, names that are not those of its scores, what is
            no picture.
    """
    _check_kind(net, "FCN")
    _check_color(net)
    return [_segment(net, picture) for picture in _pictures(images)]


def _segment(net: Any, picture: Any) -> Segmentation:
    t = backend.tensors
    X = _batch(net, picture)
    height, width = image_size_of(net) or (picture.height, picture.width)
    scores = predict_tiles(net, X, (height, width), (height // 2, width // 2))
    (probs,) = t.numpy(t.softmax(scores, 1))  # (C, H, W)
    names = _names(net, len(probs))
    classes = probs.argmax(0)
    return Segmentation(np.asarray(picture), classes, probs.max(0), names)


# ---- another style -----------------------------------------------------------------------


def stylize(
    net: Module,
    images: Any,
    style: Any,
    *,
    height: int = 240,
    num_steps: int = 150,
    lr: float = 0.3,
) -> list[Any]:
    """Pictures with the colours and strokes of another one (Gatys et al., 2016).

    Each picture is trained, from itself on, by Adam on the losses of `compute_loss`; the
    learning rate falls to a twenty-fifth. `style` is resized to the picture's size.

    Args:
        net: the network that looks, as `style_network` gives it. Its layers 0, 5, 10, 19
            and 28 measure the style, and `net.content_layers`, or else layer 25, the
            content.
        images: as for `detect`: what is to be seen.
        style: one of these: how it is to look.
        height: of the results, whose width keeps the picture's shape; at least 32 pixels,
            as is the width.
        num_steps: of the training of each picture.
        lr: the learning rate of the first step.

    Returns:
        One PIL picture for each of `images`.

    Raises:
        TypeError, ValueError: no net, one without such layers, what is no picture, a
            number out of its range, or a picture that would get too narrow.
    """
    check_module("net", net)
    height = at_least("height", height, 32)
    num_steps, lr = at_least("num_steps", num_steps, 1), positive("lr", lr)
    pictures, style = _pictures(images), _picture(style)
    net = backend.tensors.to(net, backend.tensors.try_gpu())
    return [_stylize(net, p, style, height, num_steps, lr) for p in pictures]


def _stylize(
    net: Any, picture: Any, style: Any, height: int, num_steps: int, lr: float
) -> Any:
    from PIL import Image

    t = backend.tensors
    layers = tuple(getattr(net, "content_layers", (25,)))
    width = round(height * picture.width / picture.height)
    if width < 32:
        raise ValueError(
            f"height: expected results at least 32 pixels wide, got {width} × {height}"
        )
    content_X, style_X = (
        t.to(preprocess(img, (height, width)), t.try_gpu()) for img in (picture, style)
    )
    contents_Y, _ = extract_features(content_X, layers, STYLE_LAYERS, net)
    _, styles_Y = extract_features(style_X, layers, STYLE_LAYERS, net)
    grams = [gram(Y) for Y in styles_Y]
    image = t.to(SynthesizedImage(content_X.shape, content_X), t.try_gpu())
    trainer = Trainer(image, "adam", lr=lr)

    def step() -> tuple[Any, Any]:
        X = image()
        features = extract_features(X, layers, STYLE_LAYERS, net)
        return compute_loss(X, *features, contents_Y, grams)[-1], ()

    for i in range(num_steps):
        trainer.lr = lr * 0.8 ** (15 * i // num_steps)
        trainer.step(step)
    result = t.numpy(postprocess(predict(image)))
    return Image.fromarray((255 * result + 0.5).astype(np.uint8))
