"""Notebooks as a run leaves them, made without a kernel."""

import ast
import pathlib

import nbformat
import notebooks

from d2lcv.lesson.page import MIME

ROOT = pathlib.Path(__file__).resolve().parents[2]


def executed(script, backend, outputs):
    """A run with the outputs given for each code cell."""
    notebook = notebooks.convert(script)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, found in zip(cells, outputs, strict=True):
        cell.outputs = [nbformat.v4.new_output(**output) for output in found]
    notebook.metadata["d2lcv"] = {
        "key": {"framework": "1.0"},
        "files": {},
        "seconds": 1.0,
        "result": None,
    }
    return notebooks.Run(script, backend, state="executed", notebook=notebook)


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def definition(backend, name):
    """A function of a column's boxes as it stands in its file, with the place."""
    file = f"d2lcv/backends/{backend}/boxes.py"
    text = (ROOT / file).read_text(encoding="utf-8")
    (node,) = (n for n in ast.parse(text).body if getattr(n, "name", "") == name)
    return file, node.lineno, ast.get_source_segment(text, node)


def lesson(backend, name, fold=""):
    """What `show_source` puts out for a function of a column's boxes."""
    file, line, code = definition(backend, name)
    piece = {"name": name, "file": file, "line": line, "code": code}
    shown = {"fold": fold, "imports": "", "pieces": [piece]}
    data = {"text/plain": code + "\n", MIME: shown}
    return {"output_type": "display_data", "data": data}
