"""Boxes and their labels over an image."""

from __future__ import annotations

import numbers
import warnings
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation

from ..checks import listed
from .show import _drawn
from .values import _array, _check_axes

__all__ = ["bbox_to_rect", "show_bboxes"]

_COLORS = ("b", "g", "r", "m", "c")
_SIZES = 6, 9  # points of a label's letters: in small and in large axes


def bbox_to_rect(bbox: Any, color: Any) -> Rectangle:
    """An unfilled matplotlib rectangle for one box.

    Args:
        bbox: (4,), the corners (x1, y1, x2, y2) in pixels.
        color: of the border, any matplotlib colour.
    """
    box = _array("bbox", bbox)
    _check_color("color", color)
    if box.shape != (4,):
        raise ValueError(f"bbox: expected shape (4,), got {box.shape}")
    x1, y1, x2, y2 = map(float, box)
    return Rectangle(
        (x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linewidth=2
    )


def show_bboxes(
    axes: Axes, bboxes: Any, labels: Any = None, colors: Any = None
) -> None:
    """Draw boxes, with their labels, over what `axes` shows.

    A label stands at the upper left corner of its box, inside the axes. It has the colour
    of its box and white or black letters, whichever can be read.

    Args:
        axes: the matplotlib Axes, as of `plt.imshow(img).axes` or from `show_images`.
        bboxes: (n, 4), a list of n boxes or one box (4,); corners (x1, y1, x2, y2) in
            pixels. Boxes with a coordinate that is not finite are left out, with a
            warning.
        labels: one for each box (None for no label; those that are missing are none), or
            one value for all boxes.
        colors: a list, started again when it is used up, or one colour for all boxes.
            Without it blue, green, red, magenta, cyan.
    """
    _check_axes(axes)
    boxes = _array("bboxes", bboxes)
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else np.atleast_2d(boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f"bboxes: expected shape (n, 4), corners (x1, y1, x2, y2), got {boxes.shape}"
        )
    if boxes.dtype.kind not in "fiu":
        raise TypeError(f"bboxes: expected numbers, got dtype {boxes.dtype}")
    texts = _texts(labels, len(boxes))
    palette = _palette(colors)
    finite = np.isfinite(boxes).all(axis=1)
    if not finite.all():
        warnings.warn(
            f"show_bboxes: {int((~finite).sum())} of {len(boxes)} boxes left out, "
            f"their coordinates are not finite",
            stacklevel=2,
        )
    figure = cast(Figure, axes.get_figure())
    inches = axes.bbox.width / figure.dpi
    fontsize = float(np.clip(4.5 * inches, *_SIZES))
    for i in np.flatnonzero(finite):
        color = palette[i % len(palette)]
        axes.add_patch(bbox_to_rect(boxes[i], color))
        if texts[i]:
            axes.add_artist(_Label(boxes[i], texts[i], color, fontsize))
    _drawn.add(figure)


def _texts(labels: Any, count: int) -> list[str]:
    if labels is None or isinstance(labels, (str, numbers.Number)):
        return ["" if labels is None else str(labels)] * count
    if hasattr(labels, "dtype"):
        labels = _array("labels", labels).tolist()
        if not isinstance(labels, list):
            return [str(labels)] * count
    labels = listed("labels", labels)
    texts = [
        # A native scalar prints as tensor(0.9), its value as 0.9.
        _array("labels", label).item() if hasattr(label, "dtype") else label
        for label in labels
    ]
    if len(texts) > count:
        raise ValueError(
            f"labels: expected at most one for each of {count} boxes, got {len(texts)}"
        )
    texts += [None] * (count - len(texts))
    return ["" if text is None else str(text) for text in texts]


def _palette(colors: Any) -> list[Any]:
    if colors is None:
        return list(_COLORS)
    if is_color_like(colors):
        return [colors]
    palette = [colors] if isinstance(colors, str) else listed("colors", colors)
    palette = palette or list(_COLORS)
    for color in palette:
        _check_color("colors", color)
    return palette


def _check_color(name: str, color: Any) -> None:
    if not is_color_like(color):
        raise ValueError(f"{name}: expected a colour of matplotlib, got {color!r}")


class _Label(Annotation):
    """A box's label: at its upper left corner, or as near to it as the axes allow."""

    PAD = 1.5  # points between the letters and the border of the label

    def __init__(self, box: np.ndarray, text: str, color: Any, fontsize: float) -> None:
        # Contrast with white is above 3:1 up to this luminance.
        linear = np.power(to_rgb(color), 2.2)
        dark = linear @ (0.2126, 0.7152, 0.0722) < 0.3
        super().__init__(
            text,
            (float(box[0]), float(box[1])),
            (0, 0),
            textcoords="offset pixels",
            annotation_clip=False,
            va="bottom",
            color="w" if dark else "k",
            fontsize=fontsize,
            zorder=3,
            bbox={"facecolor": color, "linewidth": 0, "pad": self.PAD},
        )
        self.set_in_layout(False)  # it takes no room from the picture

    def draw(self, renderer: Any) -> None:
        # Only now the sizes of axes and letters are known: they depend on layout and zoom
        pad = renderer.points_to_pixels(self.PAD)
        inside = cast(Axes, self.axes).bbox.padded(-pad)
        self.set_position((pad, pad))
        extent = self.get_window_extent(renderer)
        if extent.width > inside.width:
            fitting = 0.97 * inside.width / extent.width
            self.set_fontsize(fitting * float(self.get_fontsize()))
            extent = self.get_window_extent(renderer)
        right = np.clip(0, inside.x0 - extent.x0, inside.x1 - extent.x1)
        up = np.clip(0, inside.y0 - extent.y0, inside.y1 - extent.y1)
        self.set_position((pad + right, pad + up))
        super().draw(renderer)
