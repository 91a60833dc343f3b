"""Use what was trained: nets from files that say what they are, and what they say of
pictures: boxes, classes, a class for every pixel, another style."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .backends import backend
from .checks import at_least, check_module, in_range, pair, positive
from .classification import ResNet
from .detection import multibox_detection
from .files import make_folder
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
    checked_path,
    describe,
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
    "ResNet": ResNet,
    "FCN": _fcn,
}
DETECTOR = Path(__file__).parent / "data" / "weights" / "detector.safetensors"
DETECTOR_SIDE = 256  # of the pictures that a detector sees, unless it says
CLASSIFIER_SIDE = 224
STYLE_LAYERS = (0, 5, 10, 19, 28)  # the first convolutions of VGG-19's blocks
CROPPED = 8 / 7  # what a picture measures before its middle is cut out, as 256 to 224


# ---- nets from files ---------------------------------------------------------------------


def load(path: str | os.PathLike[str] | None = None) -> Any:
    """The net in a file of `save_weights`, on the active backend, whichever wrote it.

    Nets that say what they are can be loaded: those of `TinySSD`, `TinyYOLO`, `ResNet` and
    `FCN`. `load_weights` puts any file's weights into a net that was made before. Without a
    path it is a small `TinySSD` that comes with the package: it was trained on drawn
    pictures and knows bananas, discs, squares and triangles in them.

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
    net: Any,
    path: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
) -> str:
    """Write a net as a program of its framework, which runs without this package.

    With `path` "net" PyTorch writes `net.pt2` (to be read by `torch.export.load`), MXNet
    `net-symbol.json` and `net-0000.params` (`gluon.SymbolBlock.imports`), PaddlePaddle
    `net.json` and `net.pdiparams` (`paddle.jit.load`), TensorFlow the folder `net`
    (`tf.saved_model.load`). The program takes pictures (B, 3, H, W) of any number and of
    one size, and gives what the net gives in evaluation mode: scores, or of a detector what
    `multibox_detection` or `yolo_detection` makes boxes of. Its batch norms, but not
    softmax, scaling and suppression, are inside. Beside it `about-net.json` says what
    `save_weights` says, and the shapes of input and outputs.

    A file in another framework's form is made there: `load` the weights on that backend.

    Args:
        net: a module of the active framework, on the default device.
        path: of the files, without an ending.
        image_size: (height, width) of its pictures, one number for both; if None
            `net.image_size`, or else 256 for detectors and 224 for others.

    Returns:
        The path to load.

    Raises:
        TypeError, ValueError: no net, no path, no size.
        OSError: the place cannot be written to.
    """
    check_module("net", net)
    about, target = describe(net), checked_path(path)
    detectors = backend.ssd.TinySSD, backend.yolo.TinyYOLO
    side = DETECTOR_SIDE if isinstance(net, detectors) else CLASSIFIER_SIDE
    size = pair("image_size", _side(net, side) if image_size is None else image_size, 1)
    t = backend.tensors
    # two pictures: one would be taken for a number that is always one
    X = t.to(t.zeros((2, 3, *size)), t.try_gpu())
    outputs = predict(net, X)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    about["input"] = [None, 3, *size]
    shapes = [[int(n) for n in Y.shape] for Y in outputs]
    about["outputs"] = [[None if n == 2 else n, *rest] for n, *rest in shapes]
    make_folder(target.parent)
    written = backend.weights.export(net, str(target), X)
    text = json.dumps(about, indent=1, sort_keys=True) + "\n"
    # Paddle would take what begins as the program does for a part of it
    target.with_name(f"about-{target.name}.json").write_text(text, encoding="utf-8")
    return written


# ---- pictures ----------------------------------------------------------------------------


def _pictures(images: Any) -> list[Any]:
    several = isinstance(images, (list, tuple))
    return [_picture(image) for image in (images if several else [images])]


def _picture(image: Any) -> Any:
    """A PIL picture in RGB."""
    from PIL import Image

    from .data.pictures import as_rgb, read_picture

    if isinstance(image, (str, os.PathLike)):
        return read_picture(Path(image))
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
    pixels, scaling = np.asarray(picture, np.float32), scaling_of(net)
    if scaling is not None:
        mean, std = (part.astype(np.float32) for part in scaling)
        if len(mean) != 3:
            raise ValueError(
                f"net.scaling: expected numbers for three channels, got {len(mean)}"
            )
        pixels = (pixels / np.float32(255) - mean) / std
    X = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
    return backend.tensors.to(backend.tensors.tensor(X), backend.tensors.try_gpu())


def _side(net: Any, side: int) -> tuple[int, int]:
    height, width = getattr(net, "image_size", None) or (side, side)
    return height, width


def _names(net: Any, number: int) -> list[str]:
    """Of the classes; their numbers where the net has no names."""
    names = getattr(net, "classes", None)
    if names is not None and len(names) != number:
        raise ValueError(
            f"net.classes: expected {number} names, as many as the net's scores, got "
            f"{len(names)}"
        )
    return [str(name) for name in (names or range(number))]


def _check_kind(net: Any, expected: str, *kinds: type) -> None:
    if not isinstance(net, kinds):
        raise TypeError(f"net: expected {expected}, got {type(net).__qualname__}")


def _check_color(net: Any) -> None:
    if net.in_channels != 3:
        raise ValueError(
            f"net: expected one of coloured pictures, 3 channels, got {net.in_channels}"
        )


# ---- boxes -------------------------------------------------------------------------------


class Detections:
    """What `detect` found in one picture, the surest first.

    Attributes:
        rows: (n, 6), class, confidence and box, as `evaluate_detections` takes them.
        boxes: (n, 4), corners in pixels of the given picture.
        scores: (n,) confidences.
        classes: (n,) int64.
        names: of the classes.
        image: the picture, (H, W, 3) uint8.
    """

    def __init__(
        self, image: np.ndarray, rows: np.ndarray, names: Sequence[str] | None
    ) -> None:
        self.image, self.rows = image, rows
        self.boxes, self.scores = rows[:, 2:], rows[:, 1]
        self.classes = rows[:, 0].astype(np.int64)
        self.names = [names[c] if names else str(c) for c in self.classes.tolist()]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        found = zip(self.names, self.scores.tolist(), strict=True)
        return f"Detections({', '.join(f'{n} {s:.2f}' for n, s in found)})"

    def picture(self) -> Any:
        """The picture with boxes, names and confidences, as a PIL image of its size."""
        from matplotlib.colors import to_rgb
        from PIL import Image, ImageDraw, ImageFont

        picture = Image.fromarray(self.image)
        pen, line = ImageDraw.Draw(picture), max(2, round(min(picture.size) / 150))
        font = ImageFont.load_default(max(10, round(min(picture.size) / 30)))
        found = zip(
            self.boxes.tolist(), self.names, self.scores, self.classes, strict=True
        )
        for (x1, y1, x2, y2), name, score, label in found:
            color = tuple(round(255 * c) for c in to_rgb(f"C{label % 10}"))
            pen.rectangle((x1, y1, x2, y2), outline=color, width=line)
            text = f"{name} {score:.2f}"
            place = x1 + line, max(y1 + line, 0)
            pen.rectangle(pen.textbbox(place, text, font=font), fill=color)
            pen.text(place, text, fill="white", font=font)
        return picture

    def show(self, scale: float = 5) -> Any:
        """Draw the picture with boxes, names and confidences; returns its axes."""
        from .figures import show_bboxes, show_images

        (axes,) = show_images([self.image], 1, 1, scale=scale)
        found = zip(self.names, self.scores.tolist(), strict=True)
        colors = [f"C{c % 10}" for c in self.classes.tolist()]
        show_bboxes(axes, self.boxes, [f"{n} {s:.2f}" for n, s in found], colors)
        return axes


def detect(
    net: Any, images: Any, threshold: float = 0.5, nms_threshold: float = 0.5
) -> list[Detections]:
    """What a `TinySSD` or a `TinyYOLO` finds in pictures of any size.

    Each picture is resized to `net.image_size`, or else to 256 × 256.

    Args:
        net: a detector, as `load` gives it; its `classes` are the names.
        images: a list of, or one of: a path, a PIL picture, an array or a tensor (H, W, 3)
            of whole numbers from 0 to 255.
        threshold: the least confidence, in [0, 1].
        nms_threshold: as for `multibox_detection`.

    Returns:
        One `Detections` for each picture, boxes in its pixels.

    Raises:
        TypeError, ValueError: another net, what is no picture, a number out of its range.
    """
    kinds = backend.ssd.TinySSD, backend.yolo.TinyYOLO
    _check_kind(net, "TinySSD or TinyYOLO", *kinds)
    in_range("threshold", threshold, 0, 1)
    pictures = _pictures(images)
    return [_detect(net, picture, threshold, nms_threshold) for picture in pictures]


def _detect(net: Any, picture: Any, threshold: float, nms_threshold: float) -> Any:
    from PIL import Image

    t = backend.tensors
    height, width = _side(net, DETECTOR_SIDE)
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    X = _batch(net, small)
    if isinstance(net, backend.yolo.TinyYOLO):
        rows = yolo_detection(predict(net, X), net.num_classes, nms_threshold)
    else:
        anchors, cls_preds, bbox_preds = predict(net, X)
        probs = t.transpose(t.softmax(cls_preds, -1), (0, 2, 1))
        rows = multibox_detection(probs, bbox_preds, anchors, nms_threshold)
    rows = t.numpy(rows)[0]
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 1] >= np.float32(threshold))]
    box = np.clip(rows[:, 2:], 0, 1) * np.tile([picture.width, picture.height], 2)
    rows = np.concatenate([rows[:, :2], box], axis=1)
    return Detections(np.asarray(picture), rows, getattr(net, "classes", None))


# ---- classes -----------------------------------------------------------------------------


class Classification:
    """The classes that `classify` takes a picture for, the most probable first.

    Attributes:
        classes: (n,) int64.
        scores: (n,) their probabilities.
        names: of the classes.
        image: the picture, (H, W, 3) uint8.
    """

    def __init__(self, image: np.ndarray, scores: np.ndarray, names: list[str]) -> None:
        self.image = image
        self.classes = np.argsort(-scores, kind="stable")
        self.scores = scores[self.classes]
        self.names = [names[c] for c in self.classes.tolist()]

    def __repr__(self) -> str:
        surest = zip(self.names[:3], self.scores.tolist(), strict=False)
        return f"Classification({', '.join(f'{n} {s:.2f}' for n, s in surest)})"

    def show(self, scale: float = 3) -> Any:
        """Draw the picture under its class and probability; returns its axes."""
        from .figures import show_images

        title = f"{self.names[0]} {self.scores[0]:.2f}"
        (axes,) = show_images([self.image], 1, 1, [title], scale=scale)
        return axes


def classify(net: Any, images: Any) -> list[Classification]:
    """What a `ResNet` takes pictures of any size for.

    A picture is resized so that it covers 8/7 of `net.image_size`, or else of 224 × 224,
    and its middle of that size is what the net sees, its pixels scaled by `net.scaling`.

    Args:
        net: a classifier, as `load` or `pretrained` gives it; its `classes` are the names.
        images: as for `detect`.

    Returns:
        One `Classification` for each picture.

    Raises:
        TypeError, ValueError: another net, names that are not those of its scores, what is
            no picture.
    """
    _check_kind(net, "ResNet", backend.classification.ResNet)
    _check_color(net)
    return [_classify(net, picture) for picture in _pictures(images)]


def _classify(net: Any, picture: Any) -> Classification:
    t = backend.tensors
    h, w = _side(net, CLASSIFIER_SIDE)
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


class Segmentation:
    """The class that `segment` gives each pixel of a picture.

    Attributes:
        classes: (H, W) int64.
        scores: (H, W) the probability of the pixel's class.
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
        counts = np.bincount(classes.ravel(), minlength=len(names))
        order = [c for c in np.argsort(-counts, kind="stable").tolist() if counts[c]]
        self.shares = {names[c]: float(counts[c] / classes.size) for c in order}

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {x:.2f}" for name, x in self.shares.items())
        return f"Segmentation({shares})"

    def picture(self) -> Any:
        """The picture under the colours of its classes, as a PIL image of its size.

        Class 0, the background, has no colour; those of the others are Pascal VOC's.
        """
        from PIL import Image

        colored = (self.image.astype(np.float32) + label2image(self.classes)) / 2
        mixed = np.where(self.classes[..., None] > 0, colored, self.image)
        return Image.fromarray(np.uint8(mixed + 0.5))

    def show(self, scale: float = 5) -> Any:
        """Draw the picture under the colours of its classes; returns its axes."""
        from .figures import show_images

        title = ", ".join(
            f"{name} {x:.0%}" for name, x in list(self.shares.items())[:3]
        )
        (axes,) = show_images([self.picture()], 1, 1, [title], scale=scale)
        return axes


def segment(net: Any, images: Any) -> list[Segmentation]:
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
    _check_kind(net, "FCN", backend.segmentation.FCN)
    _check_color(net)
    return [_segment(net, picture) for picture in _pictures(images)]


def _segment(net: Any, picture: Any) -> Segmentation:
    t = backend.tensors
    X = _batch(net, picture)
    height, width = getattr(net, "image_size", None) or (picture.height, picture.width)
    scores = predict_tiles(net, X, (height, width), (height // 2, width // 2))
    (probs,) = t.numpy(t.softmax(scores, 1))  # (C, H, W)
    names = _names(net, len(probs))
    classes = probs.argmax(0)
    return Segmentation(np.asarray(picture), classes, probs.max(0), names)


# ---- another style -----------------------------------------------------------------------


def stylize(
    net: Any,
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
    return Image.fromarray(np.uint8(255 * result + 0.5))
