"""Curves that grow while something is trained."""

from __future__ import annotations

import numbers
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.scale import get_scale_names

from ..checks import at_least, check_text, listed, one_of, real, texts
from ..notebook import kernel
from .show import _activate, _detached, _display, _drawn, _finish_live, plt
from .values import _array, _check_axes, _figsize

__all__ = ["Animator", "set_axes"]


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
    scales = get_scale_names()
    axes.set_xlabel("" if xlabel is None else check_text("xlabel", xlabel))
    axes.set_ylabel("" if ylabel is None else check_text("ylabel", ylabel))
    axes.set_xscale(one_of("xscale", xscale, scales))
    axes.set_yscale(one_of("yscale", yscale, scales))
    for name, limits, set_limits in (
        ("xlim", xlim, axes.set_xlim),
        ("ylim", ylim, axes.set_ylim),
    ):
        if limits is None:
            continue
        limits = [real(name, x) for x in listed(name, limits)]
        if len(limits) != 2 or not np.isfinite(limits).all():
            raise ValueError(f"{name}: expected (low, high) or None, got {limits!r}")
        low, high = limits
        # The curve of a single epoch runs from 1 to 1.
        set_limits((low - 0.5, high + 0.5) if low == high else (low, high))
    if legend is not None:
        axes.legend(texts("legend", legend))
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
        nrows, ncols = at_least("nrows", nrows, 1), at_least("ncols", ncols, 1)
        self._fmts = texts("fmts", fmts)
        if not self._fmts:
            raise ValueError("fmts: expected at least one format, got none")
        self._legend = [] if legend is None else texts("legend", legend)
        # Pyplot would show it a second time at the end of a notebook's cell.
        make = plt.figure if kernel() is None else Figure
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
            try:
                self.lines += self.axes[0].plot([], [], fmt)
            except ValueError as error:
                raise ValueError(f"fmts: {error}") from error
            if self.lines[-1].get_marker() not in ("None", "none", "", " ", None):
                self._marked.add(self.lines[-1])
            self._points.append(([], []))
        if self._legend:
            named = min(len(self.lines), len(self._legend))
            self.axes[0].legend(self.lines[:named], self._legend[:named])

    def _update(self) -> None:
        shell = kernel()
        _drawn.add(self.fig)
        if shell is None and _activate(self.fig):
            return
        if self not in _detached:
            if shell is not None:
                _finish_with_cell(shell)
            _detached.append(self)
        if shell is not None and time.perf_counter() >= self._next:
            self._redraw()

    def _redraw(self, last: bool = False) -> None:
        begun = time.perf_counter()
        self._handle = _display(self.fig, self._handle)
        now = time.perf_counter()
        # A slow figure is drawn less often: a fifth of the time, at most.
        self._next = now + max(self._PAUSE, 4 * (now - begun))
        if last:
            self._handle, self._next = None, 0.0


def _finish_with_cell(shell: Any) -> None:
    def finish() -> None:
        shell.events.unregister("post_execute", finish)
        _finish_live()

    if not _detached:
        shell.events.register("post_execute", finish)


def _scalars(name: str, value: Any) -> list[float | None]:
    """Numbers, or None, from one of them or from several."""
    if value is None or isinstance(value, numbers.Real):
        return [value if value is None else float(value)]
    if not isinstance(value, (list, tuple)):
        value = np.atleast_1d(_array(name, value))
    scalars: list[float | None] = []
    for i, item in enumerate(value):
        array = None if item is None else _array(f"{name}[{i}]", item)
        if array is not None and (array.size != 1 or array.dtype.kind not in "biuf"):
            raise ValueError(
                f"{name}[{i}]: expected one number or None, got shape {array.shape} of "
                f"{array.dtype}"
            )
        scalars.append(None if array is None else float(array.reshape(())))
    return scalars
