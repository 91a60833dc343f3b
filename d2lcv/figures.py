"""Pictures, boxes and curves, with matplotlib alone.

In a notebook figures appear under the cell, and an `Animator` redraws itself while the
training runs. In a plain script no window opens: `show(name)` writes the current figure
to `<output folder>/<name>.png` and prints the path. What a script drew with this module
and never showed is written when the script ends.

No framework and no IPython is imported here; both are used where they already run.
"""

from __future__ import annotations

import atexit
import io
import itertools
import numbers
import os
import sys
import textwrap
import time
import warnings
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

__all__ = [
    "Animator",
    "Image",
    "bbox_to_rect",
    "plt",
    "set_axes",
    "set_figsize",
    "set_output",
    "show",
    "show_bboxes",
    "show_images",
    "use_svg_display",
]

_DPI = 150
_COLORS = ("b", "g", "r", "m", "c")
_TITLE_SIZES = 6, 10  # points

_output = Path("out")
_numbers = itertools.count(1)
_svg = False
# What this module drew on: written at the end of a script if it was not shown.
_drawn: weakref.WeakSet[Figure] = weakref.WeakSet()
# Figures with new curves that pyplot does not hold (in a notebook, or closed by `show`).
_detached: list[Animator] = []


# Where figures go


def _kernel() -> Any:
    """The IPython shell if this is a notebook's kernel, else None."""
    # Only a program that runs inside IPython has it among its modules.
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if get_shell is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


if _kernel() is None and not plt.get_fignums():
    # A script started from a notebook inherits its MPLBACKEND, one with MPLBACKEND=TkAgg
    # may have no display: nothing is shown here, so draw in memory whatever is set.
    plt.switch_backend("agg")


def use_svg_display() -> None:
    """Show figures of a notebook as SVG, which stays sharp; a script saves PNG as ever."""
    global _svg
    _svg = True
    if _kernel() is None:
        return
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ModuleNotFoundError:
        return
    set_matplotlib_formats("svg")


def set_figsize(figsize: tuple[float, float] = (3.5, 2.5)) -> None:
    """Size of the figures made from now on: (width, height) in inches."""
    size = _figsize(figsize)
    use_svg_display()
    plt.rcParams["figure.figsize"] = size


def set_output(folder: str | os.PathLike[str]) -> None:
    """The folder that `show` writes to in a script (made when first needed).

    Raises `NotADirectoryError` if there is a file of that name.
    """
    global _output, _numbers
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"folder: expected a folder, got the file {path}")
    if path != _output:
        _output, _numbers = path, itertools.count(1)


def show(name: str | None = None) -> Path | None:
    """The end of a figure: show the current one, then close it.

    Args:
        name: what to call the file in a script, without a folder; without it figure-1,
            figure-2, … A file of that name is replaced. A notebook needs no name.

    Returns:
        In a script the path of the PNG file, which is printed too. In a notebook, or
        (with a warning) if there is no figure, None.
    """
    if name is not None and (
        not isinstance(name, str) or name in ("", ".", "..") or set("/\\\0") & set(name)
    ):
        raise ValueError(f"name: expected a file name without a folder, got {name!r}")
    if _kernel() is not None:
        _finish_live()
        if plt.get_fignums():
            figure = plt.gcf()
            _display(figure)
            plt.close(figure)
        return None
    if _detached:
        figure = _detached.pop().fig
    elif plt.get_fignums():
        figure = plt.gcf()
    else:
        warnings.warn("show: there is no open figure to save", stacklevel=2)
        return None
    return _save(figure, name)


def _save(figure: Figure, name: str | None) -> Path:
    name = f"figure-{next(_numbers)}" if name is None else name.removesuffix(".png")
    path = _output / f"{name}.png"
    _output.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI, bbox_inches="tight")
    _drawn.discard(figure)
    plt.close(figure)
    print(f"figure: {path}")
    return path


def _display(figure: Figure, handle: Any = None) -> Any:
    """Put a picture of the figure under the cell, or in the place of an earlier one."""
    from IPython import display

    file = io.BytesIO()
    figure.savefig(file, format="svg" if _svg else "png", bbox_inches="tight")
    data = file.getvalue()
    picture = display.SVG(data.decode()) if _svg else display.Image(data)
    if handle is None:
        return display.display(picture, display_id=True)
    handle.update(picture)
    return handle


def _activate(figure: Figure) -> bool:
    """Make it pyplot's current figure; False if pyplot no longer holds it."""
    number = getattr(figure, "number", None)
    if number is None or not plt.fignum_exists(number):
        return False
    before = plt.gcf()
    if plt.figure(number) is figure:
        return True
    plt.figure(before.number)  # the number has passed to another figure
    return False


def _finish_live() -> None:
    """The last state of every curve that is being drawn in this cell."""
    while _detached:
        _detached.pop(0)._redraw(last=True)


@atexit.register
def _save_unshown() -> None:
    if _kernel() is not None:
        return
    while _detached:
        _save(_detached.pop(0).fig, None)
    for number in plt.get_fignums():
        figure = plt.figure(number)
        if figure in _drawn:
            _save(figure, None)


# What can be drawn


def _array(name: str, x: Any) -> np.ndarray:
    """A NumPy array of an array, a number, a native tensor or (nested) lists of them."""
    if isinstance(x, (np.ndarray, np.generic, numbers.Number)):
        return np.asarray(x)
    if isinstance(x, (list, tuple)):
        plain = not x or isinstance(x[0], (numbers.Number, list, tuple))
        return np.asarray(x if plain else [_array(name, item) for item in x])
    from .checks import check_tensor
    from .tensors import numpy as to_numpy

    check_tensor(name, x)
    return to_numpy(x)


def _figsize(figsize: Any) -> tuple[float, float]:
    size = tuple(figsize) if isinstance(figsize, Iterable) else (figsize,)
    if len(size) != 2 or not all(
        isinstance(inches, numbers.Real) and 0 < float(inches) < float("inf")
        for inches in size
    ):
        raise ValueError(
            f"figsize: expected two positive numbers (width, height) in inches, "
            f"got {figsize!r}"
        )
    return float(size[0]), float(size[1])


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return int(value)


def _check_axes(axes: Any) -> None:
    if not isinstance(axes, Axes):
        raise TypeError(
            f"axes: expected one matplotlib Axes, got "
            f"{type(axes).__module__}.{type(axes).__qualname__}"
        )


# Images


def show_images(
    imgs: Any,
    num_rows: int,
    num_cols: int,
    titles: Sequence[Any] | None = None,
    scale: float = 1.5,
) -> np.ndarray:
    """Draw images in a grid of cells, row by row.

    Args:
        imgs: any mix of native tensors, arrays (H, W, 3), (H, W, 4), (H, W, 1) or
            (H, W), which is grey, and PIL images; or one tensor of them, (N, H, W, C).
            Integers are 0 to 255. Floats are 0 to 1, or 0 to 255 if one of the image's
            values is above 2; values outside are clipped.
        num_rows, num_cols: of the grid. Cells without an image stay blank.
        titles: one for each image, written above it.
        scale: width and height of a cell in inches.

    Returns:
        The axes, (num_rows · num_cols,), those of blank cells included.

    Raises:
        ValueError: more images than cells, another shape, fewer titles than images.
    """
    num_rows, num_cols = _count("num_rows", num_rows), _count("num_cols", num_cols)
    if not isinstance(scale, numbers.Real) or not 0 < scale < float("inf"):
        raise ValueError(f"scale: expected a positive number of inches, got {scale!r}")
    if isinstance(imgs, Image.Image):
        raise TypeError("imgs: expected a list of images, got one; write [img]")
    if hasattr(imgs, "dtype"):
        imgs = _array("imgs", imgs)
    pictures = [_picture(f"imgs[{i}]", img) for i, img in enumerate(imgs)]
    if len(pictures) > num_rows * num_cols:
        raise ValueError(
            f"imgs: expected at most {num_rows} × {num_cols} = {num_rows * num_cols} "
            f"images, got {len(pictures)}"
        )
    # A letter is about 0.6 of its size wide, an inch has 72 points.
    letters = max(int(scale * 72 / (0.6 * _TITLE_SIZES[0])), 1)
    titles = [_wrapped(str(title), letters) for title in titles or ()]
    if titles and len(titles) < len(pictures):
        raise ValueError(
            f"titles: expected one for each of {len(pictures)} images, "
            f"got {len(titles)}"
        )
    figure, axes = plt.subplots(
        num_rows,
        num_cols,
        figsize=(num_cols * scale, num_rows * scale),
        layout="compressed",
        squeeze=False,
    )
    axes = axes.ravel()
    longest = max(map(len, "\n".join(titles).split("\n")))
    fontsize = np.clip(scale * 72 / (0.6 * max(longest, 1)), *_TITLE_SIZES)
    for i, ax in enumerate(axes):
        if i >= len(pictures):
            ax.set_axis_off()
            continue
        ax.imshow(pictures[i], cmap="gray", vmin=0, vmax=_white(pictures[i]))
        ax.set_xticks([])
        ax.set_yticks([])
        if titles:
            ax.set_title(titles[i], fontsize=fontsize, pad=3)
    _drawn.add(figure)
    return axes


def _wrapped(text: str, letters: int) -> str:
    return "\n".join(textwrap.fill(line, letters) for line in text.splitlines())


def _picture(name: str, img: Any) -> np.ndarray:
    """What imshow takes: (H, W), (H, W, 3) or (H, W, 4), uint8 or floats in 0–1."""
    if isinstance(img, Image.Image):
        img = _pil_array(img)
    array = _array(name, img)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; the channels come last, so transpose it by (1, 2, 0)"
        raise ValueError(
            f"{name}: expected an image (H, W, 3), (H, W, 4), (H, W, 1) or (H, W), "
            f"got shape {array.shape}{hint}"
        )
    if 0 in array.shape:
        raise ValueError(f"{name}: expected at least one pixel, got {array.shape}")
    if array.dtype == bool:
        return array.astype(np.float32)
    if array.dtype.kind in "iu":
        return np.clip(array, 0, 255).astype(np.uint8)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: expected integers or floats, got dtype {array.dtype}")
    array = array.astype(np.float32)
    # Above 1 may be the overshoot of an augmentation; above 2 is a scale of 0 to 255.
    if np.max(array, initial=0, where=np.isfinite(array)) > 2:
        array = array / 255
    return np.nan_to_num(np.clip(array, 0, 1), nan=0.0)


def _pil_array(img: Image.Image) -> np.ndarray:
    if img.mode.startswith("I;16"):
        return np.asarray(img).astype(np.float32) / 65535
    if img.mode in ("1", "L", "I", "F", "RGB", "RGBA"):
        return np.asarray(img)
    transparent = img.mode in ("LA", "PA", "La", "RGBa") or "transparency" in img.info
    return np.asarray(img.convert("RGBA" if transparent else "RGB"))


def _white(picture: np.ndarray) -> float:
    return 255 if picture.dtype == np.uint8 else 1


# Boxes


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


# Curves


def set_axes(
    axes: Axes,
    xlabel: str | None,
    ylabel: str | None,
    xlim: Sequence[float] | None,
    ylim: Sequence[float] | None,
    xscale: str,
    yscale: str,
    legend: str | Sequence[str] | None,
) -> None:
    """Name and scale the axes of a plot, with a grid and, if there is one, a legend.

    Limits are (low, high) in units of the data; None leaves them to the data. The legend
    names the lines that are drawn already, in their order.
    """
    _check_axes(axes)
    axes.set_xlabel(xlabel or "")
    axes.set_ylabel(ylabel or "")
    axes.set_xscale(xscale)
    axes.set_yscale(yscale)
    for name, limits, set_limits in (
        ("xlim", xlim, axes.set_xlim),
        ("ylim", ylim, axes.set_ylim),
    ):
        if limits is None:
            continue
        limits = tuple(limits) if isinstance(limits, Iterable) else (limits,)
        if len(limits) != 2:
            raise ValueError(f"{name}: expected (low, high) or None, got {limits!r}")
        low, high = limits
        # The curve of a single epoch runs from 1 to 1.
        set_limits((low - 0.5, high + 0.5) if low == high else (low, high))
    if legend:
        axes.legend([legend] if isinstance(legend, str) else list(legend))
    axes.grid(True)


class Animator:
    """Curves that grow while something is trained.

    In a notebook the figure redraws itself under the cell, a few times per second at the
    most. In a script nothing is drawn until `show`, which writes one file.

    Args:
        xlabel, ylabel, xlim, ylim, xscale, yscale: of the first axes, as in `set_axes`.
        legend: names of the lines.
        fmts: matplotlib formats of the lines, started again when they are used up.
        nrows, ncols: of the grid of axes. Curves are drawn in the first one; the others
            are free for use.
        figsize: (width, height) of the figure in inches.

    Attributes:
        fig: the matplotlib Figure.
        axes: (nrows · ncols,), its Axes.
        lines: the curves drawn so far.
    """

    _PAUSE = 0.25  # seconds from one redrawing to the next, at least

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        legend: str | Sequence[str] | None = None,
        xlim: Sequence[float] | None = None,
        ylim: Sequence[float] | None = None,
        xscale: str = "linear",
        yscale: str = "linear",
        fmts: Sequence[str] = ("-", "m--", "g-.", "r:"),
        nrows: int = 1,
        ncols: int = 1,
        figsize: tuple[float, float] = (3.5, 2.5),
    ) -> None:
        nrows, ncols = _count("nrows", nrows), _count("ncols", ncols)
        self._fmts = [fmts] if isinstance(fmts, str) else list(fmts)
        if not self._fmts:
            raise ValueError("fmts: expected at least one format, got none")
        self._legend = [legend] if isinstance(legend, str) else list(legend or [])
        # Pyplot would show it a second time at the end of a notebook's cell.
        make = plt.figure if _kernel() is None else Figure
        self.fig = make(figsize=_figsize(figsize), layout="constrained")
        self.axes = self.fig.subplots(nrows, ncols, squeeze=False).ravel()
        set_axes(self.axes[0], xlabel, ylabel, xlim, ylim, xscale, yscale, None)
        self.lines: list[Line2D] = []
        self._points: list[tuple[list[float], list[float]]] = []
        self._marked: set[Line2D] = set()  # those whose format has a marker
        self._handle: Any = None
        self._next = 0.0

    def add(self, x: Any, y: Any) -> None:
        """Append one point to each line.

        Args:
            x: where; a number for all lines, or one for each.
            y: the values, one for each line; a single number is the first line's. A line
                whose y (or x) is None gets no point. Native scalars are taken too.
        """
        ys = _scalars("y", y)
        xs = _scalars("x", x)
        if len(xs) == 1:
            xs = xs * len(ys)
        if len(xs) != len(ys):
            raise ValueError(
                f"x: expected one number or as many as in y ({len(ys)}), got {len(xs)}"
            )
        self._add_lines(len(ys))
        axes = self.axes[0]
        for line, points, x_i, y_i in zip(
            self.lines, self._points, xs, ys, strict=False
        ):
            if x_i is None or y_i is None:
                continue
            points[0].append(x_i)
            points[1].append(y_i)
            line.set_data(*points)
            # One point alone has no line to be seen by.
            if line not in self._marked:
                line.set_marker("." if len(points[0]) == 1 else "")
            axes.update_datalim([(x_i, y_i)])
        axes.autoscale(enable=None)
        self._update()

    def _add_lines(self, count: int) -> None:
        if count <= len(self.lines):
            return
        for i in range(len(self.lines), count):
            fmt = self._fmts[i % len(self._fmts)]
            self.lines += self.axes[0].plot([], [], fmt)
            if self.lines[-1].get_marker() not in ("None", "none", "", " ", None):
                self._marked.add(self.lines[-1])
            self._points.append(([], []))
        if self._legend:
            named = min(len(self.lines), len(self._legend))
            self.axes[0].legend(self.lines[:named], self._legend[:named])

    def _update(self) -> None:
        kernel = _kernel()
        _drawn.add(self.fig)
        if kernel is None and _activate(self.fig):
            return
        if self not in _detached:
            if kernel is not None:
                _finish_with_cell(kernel)
            _detached.append(self)
        if kernel is not None and time.perf_counter() >= self._next:
            self._redraw()

    def _redraw(self, last: bool = False) -> None:
        begun = time.perf_counter()
        self._handle = _display(self.fig, self._handle)
        now = time.perf_counter()
        # A slow figure is drawn less often: a fifth of the time, at most.
        self._next = now + max(self._PAUSE, 4 * (now - begun))
        if last:
            self._handle, self._next = None, 0.0


def _finish_with_cell(kernel: Any) -> None:
    def finish() -> None:
        kernel.events.unregister("post_execute", finish)
        _finish_live()

    if not _detached:
        kernel.events.register("post_execute", finish)


def _scalars(name: str, value: Any) -> list[float | None]:
    """Numbers, or None, from one of them or from several."""
    if value is None or isinstance(value, numbers.Real):
        return [value if value is None else float(value)]
    if not isinstance(value, (list, tuple)):
        value = np.atleast_1d(_array(name, value))
    scalars: list[float | None] = []
    for i, item in enumerate(value):
        array = None if item is None else _array(f"{name}[{i}]", item)
        if array is not None and array.size != 1:
            raise ValueError(
                f"{name}[{i}]: expected one number or None, got shape {array.shape}"
            )
        scalars.append(None if array is None else float(array.reshape(())))
    return scalars
