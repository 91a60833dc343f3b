"""The API reference: a page for each module of the public names, for Sphinx.

What stands on a page is taken from where it is kept: names from `d2lcv/__init__.pyi`,
documentation from the docstrings, sources from the columns, and examples from
`docs/examples`, whose outputs `tests/topics/test_examples.py` holds on every backend. The
files there are in the order of the page; a heading names the functions that the example
below it shows.
"""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

import d2lcv
from d2lcv.backends import REGISTRY
from d2lcv.tensors import VOCABULARY

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "docs" / "examples"
PRINT = {"precision": 3, "suppress": True}  # how examples print arrays
HEADING = re.compile(r"^(?=[^\n]+\n-+\n\n>>>)", re.M)

INDEX = """\
API reference
=============

Every public name of ``d2lcv``, by the module that defines it. Tensors are those of the
active framework: what is called ``Tensor`` here is ``{tensors}``, and a ``Module`` its
kind of net or layer. Shapes are written
(batch, channels, height, width), boxes (x1, y1, x2, y2).

Examples begin with these lines, and print the same on {titles}:

.. code-block:: python

   import numpy as np
   import d2lcv as d2l

   np.set_printoptions({options})

.. toctree::
   :hidden:

   {pages}

{contents}
"""


@dataclass(frozen=True)
class Example:
    """Lines as in an interpreter, for some names."""

    names: tuple[str, ...]
    code: str


@dataclass(frozen=True)
class Page:
    """The names of one module, or of one folder of modules."""

    name: str
    names: dict[str, str]  # name → module that defines it
    examples: list[Example]

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(f"d2lcv.{self.name}")


@cache
def public() -> dict[str, str]:
    """Name → module, as the stub has them."""
    tree = ast.parse((ROOT / "d2lcv" / "__init__.pyi").read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {a.name: f"d2lcv.{n.module}" for n in imports for a in n.names}


def pages() -> list[Page]:
    """By the names of their modules."""
    by_page: dict[str, dict[str, str]] = {}
    for name, module in public().items():
        by_page.setdefault(module.split(".")[1], {})[name] = module
    return [
        Page(n, by_page[n], examples(EXAMPLES / f"{n}.rst")) for n in sorted(by_page)
    ]


def examples(path: Path) -> list[Example]:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = []
    for part in HEADING.split(text)[1:]:
        names, _, code = part.partition("\n")
        found.append(
            Example(tuple(names.split(", ")), code.partition("\n\n")[2].strip())
        )
    return found


def write(folder: Path) -> None:
    """The pages' reStructuredText, in `folder`."""
    folder.mkdir(parents=True)
    contents = []
    for page in pages():
        (folder / f"{page.name}.rst").write_text(_text(page), encoding="utf-8")
        links = ", ".join(
            f":py:obj:`{n} <d2lcv.{n}>`" for e in page.examples for n in e.names
        )
        contents.append(f":doc:`{page.name}`\n   {_about(page)}\n\n   {links}\n")
    *titles, last = (entry.title for entry in REGISTRY.values())
    index = INDEX.format(
        tensors="``, ``".join(entry.tensor for entry in REGISTRY.values()),
        titles=f"{', '.join(titles)} and {last}",
        options=", ".join(f"{key}={value}" for key, value in PRINT.items()),
        pages="\n   ".join(page.name for page in pages()),
        contents="\n".join(contents),
    )
    (folder / "index.rst").write_text(index, encoding="utf-8")


def _about(page: Page) -> str:
    """The first paragraph of a module's documentation, as reStructuredText."""
    first = (page.module.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(restructured(first).split())


def _text(page: Page) -> str:
    doc = restructured((page.module.__doc__ or "").strip())
    pieces = [f"{page.name}\n{'=' * len(page.name)}", doc]
    for example in page.examples:
        pieces += [_entry(name, page.names[name]) for name in example.names]
        code = example.code.replace("\n", "\n   ")
        pieces += [".. rubric:: Example", f".. code-block:: pycon\n\n   {code}"]
    return "\n\n".join(pieces) + "\n"


def _entry(name: str, module: str) -> str:
    if module == "d2lcv.tensors":
        signature, _, text = VOCABULARY[name].partition(": ")
        kind = "function" if signature else "data"
        doc = f"{restructured(text)}\n\n.. sources:: {name}"
        return f".. py:{kind}:: d2lcv.{name}{signature}\n\n   {_indented(doc)}"
    value = getattr(d2lcv, name)
    if isinstance(value, type):
        return f".. autoclass:: d2lcv.{name}\n   :members:"
    if callable(value):
        return f".. autofunction:: d2lcv.{name}"
    if isinstance(value, ModuleType):
        text = f"The module ``{value.__name__}``."
    else:
        defined = _defined(module, name)
        text = restructured(defined[0] if defined else "")
    doc = f"{text}\n\n.. sources:: {name}"
    return f".. py:data:: d2lcv.{name}\n\n   {_indented(doc)}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n   ")


def restructured(text: str) -> str:
    """A docstring's Markdown, which is code between backticks and in fences."""
    parts = re.split(r"(?ms)^( *)```python\n(.*?)^ *```$", text)
    plain = parts[::3]
    fences = zip(parts[1::3], parts[2::3], strict=True)
    blocks = [
        f"{indent}.. code-block:: python\n\n" + re.sub(r"(?m)^(?=.)", "   ", code)
        for indent, code in fences
    ]
    told = [_words(piece) for piece in plain]
    return "".join(a + b for a, b in zip(told, [*blocks, ""], strict=True))


def _words(text: str) -> str:
    pieces = re.split(r"`([^`]+)`", text)
    pieces[::2] = [re.sub(r"([*|\\]|_(?=\W))", r"\\\1", piece) for piece in pieces[::2]]
    for i in range(1, len(pieces), 2):  # a letter may follow code after a mark alone
        end = "\\ " if re.match("[^\\W_]|²", pieces[i + 1]) else ""
        pieces[i] = _code(pieces[i]) + end
    return "".join(pieces)


def _code(code: str) -> str:
    first, *members = code.removeprefix("d2lcv.").removesuffix("()").split(".")
    known = first in public() and (
        not members or isinstance(getattr(d2lcv, first), type)
    )
    if not known or (first in VOCABULARY and first == code):
        return f"``{code}``"
    return f":py:obj:`{code} <d2lcv.{'.'.join([first, *members])}>`"


# ---- sources -----------------------------------------------------------------------------


def sources() -> dict[str, dict[str, Any]]:
    """Name → `topic`, what documents it, and `columns`, what each backend has for it.

    They are given as a file, a line and the code, if there is any.
    """
    found = {}
    for name, module in public().items():
        topic = _defined(module, name)
        row = module.rpartition(".")[2]
        columns = {
            backend: _defined(f"d2lcv.backends.{backend}.{row}", name)
            for backend in REGISTRY
        }
        found[name] = {
            "page": module.split(".")[1],
            "topic": topic and topic[1],
            "columns": {b: place[1] for b, place in columns.items() if place},
        }
    return found


def _defined(module: str, name: str) -> tuple[str, dict[str, Any]] | None:
    """The text below a definition, and its place; an import of ours is followed."""
    path = _file(module)
    if path is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    body = ast.parse("\n".join(lines)).body
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if name not in _bound(node):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            package = module if path.stem == "__init__" else module.rpartition(".")[0]
            dots = "." * node.level + (node.module or "")
            return _defined(resolve_name(dots, package), name)
        line = min(n.lineno for n in [node, *getattr(node, "decorator_list", [])])
        code = "\n".join(lines[line - 1 : node.end_lineno])
        if isinstance(node, ast.ImportFrom):
            code = f"from {node.module} import {name}"
        below = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        text = str(after.value.value) if below else ""
        file = path.relative_to(ROOT).as_posix()
        return text, {"file": file, "line": line, "code": code}
    return None


def _file(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    files = path.with_suffix(".py"), path / "__init__.py"
    return next((file for file in files if file.is_file()), None)


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement defines, or imports from a module."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.ImportFrom | ast.Import):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.AnnAssign):
        return {getattr(node.target, "id", "")}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
