"""What a page has shown: code is put before the reader once.

A notebook shows it in colours, a script only when it is asked to (`--code`), and the site,
which is made from notebooks, as a block with its place in the files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..notebook import kernel
from .reading import Piece, imports_of, joined, pieces, source

__all__ = ["MIME", "Page", "page", "show_source"]

# What the site reads: {"fold", "imports", "pieces": [{"name", "file", "line", "code"}]}
MIME = "application/vnd.d2lcv.source+json"


@dataclass
class Page:
    """The state of the page: `prints` says whether a script shows code."""

    prints: bool = True
    pieces: set[Piece] = field(default_factory=set)
    imports: set[tuple[str, str]] = field(default_factory=set)

    def start(self, prints: bool = True) -> None:
        """A new page, on which nothing has been shown."""
        self.prints = prints
        self.pieces.clear()
        self.imports.clear()


page = Page()


def show_source(
    *functions: Any, imports: bool = True, depth: int | None = None, fold: str = ""
) -> None:
    """Put the lesson on the page: the framework's code of some names of the package.

    In a notebook the code is coloured; a script prints it only if it was started with
    `--code`, and outside of chapters it is always printed. What the page has shown before,
    a helper of two functions for example, is not shown again.

    Args:
        functions: as for `source`.
        imports: begin with the import lines that the code needs and the page lacks.
        depth: as for `source`.
        fold: a title, under which the code is folded away until it is clicked; for what
            is second-rank.

    Raises:
        ValueError: a text that is not a file of the columns and a name in it.
    """
    every = pieces(functions, depth)
    new = [piece for piece in every if piece not in page.pieces]
    head = imports_of(every, without=page.imports) if imports else ""
    foreign = [source(f) for f in functions if not pieces([f], 0)]  # compiled code
    page.pieces |= set(new)
    if imports:
        page.imports |= {pair for piece in every for pair in piece.imports}
    text = "\n\n".join(filter(None, [head, joined(new), *foreign]))
    if not text:
        return
    if kernel():
        _display(text, head, new, foreign, fold)
    elif page.prints:
        print(text)


def _display(
    text: str, head: str, new: list[Piece], foreign: list[str], fold: str
) -> None:
    from IPython.display import display

    parts = [
        {"name": p.name, "file": p.file, "line": p.line, "code": p.code} for p in new
    ]
    parts += [{"name": "", "file": "", "line": 0, "code": code} for code in foreign]
    data = {"fold": fold, "imports": head, "pieces": parts}
    html = _coloured(text)
    if fold:
        html = f"<details><summary>{fold}</summary>{html}</details>"
    display({"text/plain": text, "text/html": html, MIME: data}, raw=True)


def _coloured(text: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    looks = "background: #f6f8fa; color: #24292f; padding: .6em .8em; overflow-x: auto"
    style = HtmlFormatter(noclasses=True, nobackground=True, cssstyles=looks)
    return highlight(text, PythonLexer(), style)
