"""Executed notebooks as they are offered: they need no other file and no variable.

The first cell installs what is missing and names the framework. The options of the chapter
are an argument in its own cell, prose has no hard line breaks, and links lead to the other
notebooks. Where `[project.urls]` has `Notebooks`, the address of a folder of them on
GitHub, each has a badge that opens it in Colab.
"""

from __future__ import annotations

import ast
import copy
import importlib.metadata
import re
import shlex
from typing import Any

import nbformat
import notebooks

from d2lcv.backends import REGISTRY
from d2lcv.run.chapters import chapters

SETUP = """\
# The framework of this notebook; it and the package are installed if they are missing
import importlib.util

if not all(map(importlib.util.find_spec, {packages})):
    %pip install --quiet "d2lcv[{name}]"

import d2lcv as d2l

d2l.use("{name}")"""
OPTIONS = (
    "`argv` in the next cell has the options of this chapter, as a command line would: "
    '`argv=["--seed", "1"]`, or `argv=["--preset", "book"]` for the sizes of the book.'
    "{data} "
    "Every setting of the presets is an option, too: {settings}."
)
DATA = (
    ' `"--data", "book"` downloads its pictures, `"--data", "FOLDER"` reads your own.'
)
COLAB = "https://colab.research.google.com"


def standalone(run: notebooks.Run) -> Any:
    """The notebook of an executed run, with its outputs."""
    notebook = copy.deepcopy(run.notebook)
    del notebook.metadata[notebooks.META]
    notebook.metadata.setdefault("language_info", {})["name"] = "python"
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _linked(unwrapped(cell.source))
        if "outputs" in cell:  # without warnings and bars, and this machine's paths
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        if call := _chapter_call(cell):
            cell.source = _with_options(cell.source, call, run.arguments)
            cells.append(_cell("markdown", _options(call)))
        cells.append(cell)
    entry = REGISTRY[run.backend]
    setup = SETUP.format(packages=("d2lcv", *entry.packages), name=entry.name)
    if address := colab(run.backend, run.chapter):
        badge = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({address})"
        cells[0].source += f"\n\n{badge}"
    cells.insert(1, _cell("code", setup))
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    notebook.cells = cells
    return notebook


def colab(backend: str, chapter: str) -> str:
    """Where a notebook is opened in Colab; empty while none is published."""
    urls = importlib.metadata.metadata("d2lcv").get_all("Project-URL") or []
    named = dict(url.split(", ", 1) for url in urls)
    folder = named.get("Notebooks", "").rstrip("/")
    path = folder.removeprefix("https://github.com/")
    return f"{COLAB}/github/{path}/{backend}/{chapter}.ipynb" if path != folder else ""


def _cell(kind: str, source: str) -> Any:
    return getattr(nbformat.v4, f"new_{kind}_cell")(source)


def _chapter_call(cell: Any) -> ast.Call | None:
    """The call of `d2l.Chapter` in a cell."""
    if cell.cell_type != "code" or "d2l.Chapter(" not in cell.source:
        return None
    nodes = ast.walk(ast.parse(cell.source))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    return next((c for c in calls if ast.unparse(c.func) == "d2l.Chapter"), None)


def _options(call: ast.Call) -> str:
    """What the options of a chapter are."""
    given = {k.arg: k.value for k in call.keywords}
    quick = ast.literal_eval(given["quick"])
    settings = ", ".join(f"`--{name.replace('_', '-')}`" for name in quick)
    has_book = "data" not in given or "book" in ast.literal_eval(given["data"])
    return OPTIONS.format(data=DATA * has_book, settings=settings)


def _with_options(source: str, call: ast.Call, arguments: str) -> str:
    lines = source.split("\n")
    row, end = (call.end_lineno or 1) - 1, (call.end_col_offset or 1) - 1
    line = lines[row].encode()
    before, after = line[:end].decode(), line[end:].decode()
    argv = f"argv={shlex.split(arguments)!r}"
    # below the other arguments if they have lines of their own
    lines[row] = before + (f", {argv}" if before.strip() else f"    {argv},\n") + after
    return "\n".join(lines)


def _linked(text: str) -> str:
    """Links to chapters as links to their notebooks."""
    names = "|".join(chapters())
    return re.sub(rf"\]\(({names})\.py(#[^)]*)?\)", r"](\1.ipynb\2)", text)


def unwrapped(text: str) -> str:
    """Markdown with a line for each paragraph and each item of a list."""
    lines: list[str] = []
    whole = False  # within a fence or a formula, which keep their lines
    joins = False  # whether the line before goes on
    for line in text.split("\n"):
        is_fence = line.lstrip().startswith("```") or line.count("$$") % 2 == 1
        begins = re.match(r"\s*([-*+] |\d+[.)] |#|>|\||```|\$\$|<|:::|$)", line)
        if joins and not whole and not begins:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
        last = lines[-1]
        whole = whole != is_fence
        alone = re.match(r"\s*(#|\||```|\$\$|:::|$)", last) or last.endswith(
            ("  ", "\\")
        )
        joins = not alone and not is_fence
    return "\n".join(lines)
