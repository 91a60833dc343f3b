"""Bars, lines and matrices: what measures look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .show import _drawn, plt

__all__ = ["show_bars", "show_lines", "show_matrix"]


def show_bars(
    names: Sequence[str], values: Mapping[str, Sequence[float]], xlabel: str
) -> Axes:
    """Draw horizontal bars, a group for each name with one bar for each of `values`."""
    figure, axes = plt.subplots(
        figsize=(5, 1 + 0.22 * len(names) * (1 + len(values))), layout="constrained"
    )
    places, height = np.arange(len(names)), 0.8 / len(values)
    for i, (label, row) in enumerate(values.items()):
        bars = axes.barh(places + i * height, row, height, label=label)
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
    axes.set_yticks(places + 0.4 - height / 2, list(names))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xlabel(xlabel)
    axes.legend(loc="lower right")
    _drawn.add(figure)
    return axes


def show_lines(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], xlabel: str, ylabel: str
) -> Axes:
    """Draw curves in the unit square, each with its name."""
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    for label, (x, y) in lines.items():
        axes.plot(x, y, label=label, marker="." if len(x) < 2 else "")
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1.02), ylim=(0, 1.05))
    axes.grid(True)
    axes.legend(fontsize=8)
    _drawn.add(figure)
    return axes


def show_matrix(
    counts: Any, names: Sequence[str], columns: str = "", rows: str = ""
) -> Axes:
    """Draw a matrix of counts; colours are shares of the row, numbers the counts.

    Args:
        counts: (n, n), not negative.
        names: of the n rows, and of the n columns.
        columns, rows: what they are.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(names), len(names)):
        raise ValueError(
            f"counts: expected shape {(len(names), len(names))}, as there are names, got "
            f"{counts.shape}"
        )
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 1.5 + 0.45 * len(names)
    figure, axes = plt.subplots(figsize=(side, side), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            color = "w" if shares[i, j] > 0.5 else "k"
            axes.text(j, i, count, color=color, ha="center", va="center", fontsize=8)
    ticks = np.arange(len(names))
    axes.set_xticks(ticks, list(names), rotation=45, ha="right")
    axes.set_yticks(ticks, list(names))
    axes.set(xlabel=columns, ylabel=rows)
    _drawn.add(figure)
    return axes
