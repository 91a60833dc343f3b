"""Use what was trained: nets from files that say what they are, boxes on pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .backends import backend
from .checks import in_range
from .detection import multibox_detection
from .ssd import TinySSD
from .training import predict
from .weights import load_weights, read_description
from .yolo import TinyYOLO, yolo_detection

__all__ = ["Detections", "detect", "load"]

KINDS = {"TinySSD": TinySSD, "TinyYOLO": TinyYOLO}
DETECTOR = Path(__file__).parent / "data" / "weights" / "detector.safetensors"
SIDE = 256  # of the pictures that a detector sees, unless it says


def load(path: str | os.PathLike[str] | None = None) -> Any:
    """The net in a file of `save_weights`, on the active backend, whichever wrote it.

    Nets that say what they are can be loaded: those of `TinySSD` and `TinyYOLO`.
    `load_weights` puts any file's weights into a net that was made before. Without a path
    it is a small `TinySSD` that comes with the package: it was trained on drawn pictures
    and knows bananas, discs, squares and triangles in them.

    Returns:
        The net, on the device of `try_gpu()`, with `net.classes` and `net.image_size` if
        they were set before saving.

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
    return backend.tensors.to(net, backend.tensors.try_gpu())


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
    if not isinstance(net, (backend.ssd.TinySSD, backend.yolo.TinyYOLO)):
        raise TypeError(
            f"net: expected {' or '.join(KINDS)}, got {type(net).__qualname__}"
        )
    in_range("threshold", threshold, 0, 1)
    several = isinstance(images, (list, tuple))
    pictures = [_picture(image) for image in (images if several else [images])]
    return [_detect(net, picture, threshold, nms_threshold) for picture in pictures]


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


def _detect(net: Any, picture: Any, threshold: float, nms_threshold: float) -> Any:
    from PIL import Image

    height, width = getattr(net, "image_size", None) or (SIDE, SIDE)
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(small).transpose(2, 0, 1)[None]  # (1, 3, h, w)
    t = backend.tensors
    X = t.to(t.tensor(np.ascontiguousarray(pixels, np.float32)), t.try_gpu())
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
