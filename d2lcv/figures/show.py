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
import os
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..checks import check_path
from ..notebook import kernel
from .values import _figsize

if TYPE_CHECKING:
    from .curves import Animator

__all__ = ["plt", "set_figsize", "set_output", "show", "use_svg_display"]

_DPI = 150

_output = Path("out")
_numbers = itertools.count(1)
_svg = False
# What this room drew on: written at the end of a script if it was not shown.
_drawn: weakref.WeakSet[Figure] = weakref.WeakSet()
# Figures with new curves that pyplot does not hold (in a notebook, or closed by `show`).
_detached: list[Animator] = []


if kernel() is None and not plt.get_fignums():
    # A script started from a notebook inherits its MPLBACKEND, one with MPLBACKEND=TkAgg
    # may have no display: nothing is shown here, so draw in memory whatever is set.
    plt.switch_backend("agg")


def use_svg_display() -> None:
    """Show figures of a notebook as SVG, which stays sharp; a script saves PNG as ever."""
    global _svg
    _svg = True
    if kernel() is None:
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
    path = check_path("folder", folder)
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
    if kernel() is not None:
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


def _show_svg(svg: str, name: str) -> Path | None:
    """Put SVG text under the cell of a notebook, or into a file in a script."""
    if kernel() is not None:
        from IPython import display

        display.display(display.SVG(svg))
        return None
    path = _output / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, encoding="utf-8")
    print(f"figure: {path}")
    return path


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
    if kernel() is not None:
        return
    while _detached:
        _save(_detached.pop(0).fig, None)
    for number in plt.get_fignums():
        figure = plt.figure(number)
        if figure in _drawn:
            _save(figure, None)
