"""Boxes and their labels over an image."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from .show import _drawn
from .values import _array, _check_axes

__all__ = ["bbox_to_rect", "show_bboxes"]

_COLORS = ("b", "g", "r", "m", "c")


def bbox_to_rect(bbox: Any, color: Any) -> Rectangle:
    """An unfilled matplotlib rectangle for one box.

    Args:
        bbox: (4,), the corners (x1, y1, x2, y2) in pixels.
        color: of the border, any matplotlib colour.
    """
    box = _array("bbox", bbox)
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

    A label stands at its box, inside the axes, beside the labels that are there already.
    It has the colour of its box and white or black letters, whichever can be read.

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
    for i in np.flatnonzero(finite):
        color = palette[i % len(palette)]
        axes.add_patch(bbox_to_rect(boxes[i], color))
        if texts[i]:
            axes.add_artist(_Label(boxes[i], texts[i], color))
    _drawn.add(cast(Figure, axes.get_figure()))


def _texts(labels: Any, count: int) -> list[str]:
    if labels is None or isinstance(labels, (str, numbers.Number)):
        return ["" if labels is None else str(labels)] * count
    if hasattr(labels, "dtype"):
        labels = _array("labels", labels).tolist()
        if not isinstance(labels, list):
            return [str(labels)] * count
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
    if isinstance(colors, str) or not isinstance(colors, Iterable):
        colors = [colors]
    palette = list(colors) or list(_COLORS)
    for color in palette:
        if not is_color_like(color):
            raise ValueError(f"colors: expected matplotlib colours, got {color!r}")
    return palette


class _Label(Text):
    """A box's label, which finds its place when it is drawn.

    Only then the sizes of the axes and of the letters are known: they depend on the
    layout, the resolution and the zoom.
    """

    PAD = 1.5  # points between the letters and the border of the label
    SIZES = 6, 9  # points: in small and in large axes

    def __init__(self, box: np.ndarray, text: str, color: Any) -> None:
        # Contrast with white is above 3:1 up to this luminance.
        linear = np.power(to_rgb(color), 2.2)
        dark = linear @ (0.2126, 0.7152, 0.0722) < 0.3
        super().__init__(
            float(box[0]),
            float(box[1]),
            text,
            color="w" if dark else "k",
            fontsize=self.SIZES[1],
            ha="left",
            va="bottom",
            zorder=3,
            bbox={"facecolor": color, "linewidth": 0, "pad": self.PAD},
        )
        self.box = box

    def draw(self, renderer: Any) -> None:
        axes = cast(Axes, self.axes)
        peers = [t for t in axes.texts if isinstance(t, _Label) and t.get_visible()]
        if peers and peers[0] is self:
            _arrange(axes, peers, renderer)
        super().draw(renderer)


def _arrange(axes: Axes, labels: list[_Label], renderer: Any) -> None:
    """Give each label the free place nearest to its box; pixels, y upwards."""
    left, bottom, right, top = axes.bbox.extents
    pad = renderer.points_to_pixels(_Label.PAD)
    inches = (right - left) / renderer.points_to_pixels(72)
    preferred = float(np.clip(4.5 * inches, *_Label.SIZES))
    taken = np.empty((0, 4))
    for label in labels:
        label.set_fontsize(preferred)
        width, height = _size(label, renderer, pad)
        if width > right - left:
            label.set_fontsize(0.97 * preferred * (right - left) / width)
            width, height = _size(label, renderer, pad)

        corners = axes.transData.transform(label.box.reshape(2, 2).astype(float))
        corners = np.clip(corners, (left, bottom), (right, top))
        (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0)
        # Above the box, inside it, below it; first at its left, then at its right.
        places = [
            (x, y) for x in (x1, x2 - width) for y in (y2, y2 - height, y1 - height, y1)
        ]
        grid = np.meshgrid(
            np.linspace(left, right - width, 16),
            np.arange(bottom, max(top - height, bottom) + 1, height / 2),
        )
        others = np.stack(grid, axis=-1).reshape(-1, 2)
        distance = np.abs(others - (x1, y2)).sum(axis=1)
        places = np.concatenate([places, others[np.argsort(distance, kind="stable")]])
        # The left and lower border win where a label is larger than the axes.
        places = np.minimum(places, (right - width, top - height))
        places = np.maximum(places, (left, bottom))
        overlap = _overlap(places, width, height, taken)
        place = places[np.argmin(overlap)]
        taken = np.vstack([taken, [*place, *(place + (width, height))]])
        x, y = axes.transData.inverted().transform(place + pad)
        label.set_position((x, y))


def _size(label: _Label, renderer: Any, pad: float) -> tuple[float, float]:
    extent = label.get_window_extent(renderer)
    return extent.width + 2 * pad, extent.height + 2 * pad


def _overlap(
    places: np.ndarray, width: float, height: float, taken: np.ndarray
) -> np.ndarray:
    """Area that a label at each of the places (k, 2) shares with those taken (n, 4)."""
    low = np.maximum(places[:, None], taken[None, :, :2])
    high = np.minimum(places[:, None] + (width, height), taken[None, :, 2:])
    sides = np.clip(high - low - 0.01, 0, None)  # touching is not overlapping
    return sides.prod(axis=2).sum(axis=1)
