"""The lesson in a function: the active column's code, and all of ours that it needs.

What is shown is cut out of the files that run. Documentation, checks of arguments and the
annotations of the topics are left out; the definitions that the code uses come before it,
each once, so that the imports and the pieces, in their order, are a program of their own.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import importlib.util
import inspect
import re
import symtable
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..backends import backend

__all__ = ["Piece", "imports_of", "lesson_imports", "pieces", "program", "source"]

ROOT = __package__.partition(".")[0]
COLUMNS = f"{ROOT}.backends"
WIDTH = 78
REFUSALS = ("ImportError", "RuntimeError", "TypeError", "ValueError")
FOLDER = Path(__file__).parents[2]  # of the package
Edit = tuple[int, int, int, int, str]  # from line and byte, to line and byte, new text


@dataclass(frozen=True)
class Piece:
    """One definition as it is shown, and where it stands."""

    module: str
    name: str
    file: str = field(compare=False)
    line: int = field(compare=False)
    code: str = field(compare=False)
    needs: tuple[tuple[str, str], ...] = field(compare=False)  # module, name: ours
    imports: tuple[tuple[str, str], ...] = field(compare=False)  # name, target: others'


def source(function: Any, *, depth: int | None = None) -> str:
    """The lesson: the code that runs on the active backend for a name of the package.

    `source(d2lcv.box_iou)` is `box_iou` as the active column has it, without documentation
    and argument checks, after the helpers, neighbours and constants that it uses: with
    the lines of `lesson_imports` before it, it runs in an empty file. What is the same on
    every backend is given as it stands in its topic. What a framework has compiled
    (`d2lcv.exp` on PyTorch) has no source; a comment says so.

    Args:
        function: a public function, class or method (`d2lcv.Trainer.step`), or, for what
            only a column, `files` or a file of `data` has, the name of the file and its
            own: `"augmentation.adjust_hue"`, `"data.voc.color_table"`.
        depth: how far to follow what the code uses: 0 is the definition alone, 1 has what
            it names as well; without it everything.

    Raises:
        ValueError: a text that is not a file of the columns and a name in it.
    """
    found = pieces([function], depth)
    return joined(found) if found else _elsewhere(function)


def lesson_imports(*functions: Any) -> str:
    """The import lines that `source` of these names needs before it, sorted."""
    return imports_of(pieces(functions))


def pieces(functions: Iterable[Any], depth: int | None = None) -> list[Piece]:
    """The definitions of some names and of what they use, in an order that executes."""
    places = (_place(function) for function in functions)
    return _following([key for key in places if key is not None], depth)


def program(module: str, name: str) -> str:
    """A definition of any module with all that it uses of ours, as a file of its own."""
    opening, found = _opening(), _told_apart(_following([(module, name)]))
    lines = imports_of(found).splitlines(keepends=True)
    imports = "".join(line for line in lines if line.strip() not in opening.split("\n"))
    return f"{opening}\n\n{imports}\n\n{joined(found)}"


def _told_apart(found: list[Piece]) -> list[Piece]:
    """The pieces; of two files' definitions of one name the later has a longer one."""
    first = {piece.name: piece.module for piece in reversed(found)}
    longer = {
        (p.module, p.name): f"{p.name}_of_{p.module.rpartition('.')[2]}"
        for p in found
        if first[p.name] != p.module
    }
    told = []
    for piece in found:
        places = (*piece.needs, (piece.module, piece.name))
        names = {place[1]: longer[place] for place in places if place in longer}
        code = _renamed(piece.code, names)
        if piece.name in names:
            head = rf"(?m)^(def|class) {piece.name}\b"
            code = re.sub(head, rf"\1 {names[piece.name]}", code, count=1)
        told.append(replace(piece, code=code))
    return told


def _opening() -> str:
    """What the active column does before anything is imported, for its framework only.

    Without its checks, and without the functions that name this package.
    """
    file = _file(f"{COLUMNS}.{backend.entry.name}")
    about, *body = ast.parse("\n".join(file.lines)).body
    refusals = [s for s in body if isinstance(s, ast.If) and all(map(_refuses, s.body))]
    functions = [s for s in body if isinstance(s, ast.FunctionDef)]
    own = [s for s in functions if repr(ROOT) in ast.unparse(s)]
    names = {f"{s.name}()" for s in own}
    calls = [s for s in body if ast.unparse(s) in names]
    dropped = (about, *refusals, *own, *calls)
    edits = [_dropped(statement, file.lines, "") for statement in dropped]
    code = _edited(file.lines, 1, len(file.lines), edits).rstrip()
    return re.sub("  # noqa.*", "", code)  # for our own linter


def _following(starts: list[tuple[str, str]], depth: int | None = None) -> list[Piece]:
    within = dict.fromkeys(starts)
    border = starts
    while border and (depth is None or depth > 0):
        needed = [key for place in border for key in _piece(*place).needs]
        border = [key for key in dict.fromkeys(needed) if key not in within]
        within |= dict.fromkeys(border)
        depth = None if depth is None else depth - 1
    ordered: dict[tuple[str, str], Piece] = {}

    def visit(key: tuple[str, str], path: tuple[tuple[str, str], ...] = ()) -> None:
        if key in ordered or key in path or key not in within:
            return
        for needed in _piece(*key).needs:
            visit(needed, (*path, key))
        ordered[key] = _piece(*key)

    for key in starts:
        visit(key)
    return list(ordered.values())


def joined(found: Iterable[Piece]) -> str:
    """Pieces as one text, constants close together."""
    text = last = ""
    for code in (piece.code for piece in found):
        close = all(re.match(r"\w+[\w, ]* = ", part) for part in (last, code))
        text += ("\n" if close else "\n\n\n") + code if last else code
        last = code
    return f"{text}\n" if text else ""


def imports_of(found: Iterable[Piece], without: Iterable[tuple[str, str]] = ()) -> str:
    """The import lines of some pieces: modules first, then names from modules."""
    whole: set[str] = set()
    names: dict[str, set[str]] = {}
    for name, target in {p for piece in found for p in piece.imports} - {*without}:
        module, _, attribute = target.partition(":")
        if attribute:
            alias = "" if attribute == name else f" as {name}"
            names.setdefault(module, set()).add(f"{attribute}{alias}")
        elif name == module.partition(".")[0]:
            whole.add(f"import {module}")
        else:
            whole.add(f"import {module} as {name}")
    lines = [f"from {m} import {', '.join(sorted(names[m]))}" for m in sorted(names)]
    return "".join(f"{line}\n" for line in sorted(whole) + lines)


def _place(function: Any) -> tuple[str, str] | None:
    """Module and name of what a column has for it, else its own; None: not ours."""
    if isinstance(function, str):
        return _of_column(function)
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", None) or ""
    if not module.startswith(f"{ROOT}.") or "<" in name:
        return None
    return _native(module, name) or (module, name)


def _of_column(path: str) -> tuple[str, str]:
    topic, _, name = path.partition(".")
    module = f"{COLUMNS}.{backend.entry.name}.{topic}"
    if topic == "data":  # what is NumPy for everybody
        topic, _, name = name.partition(".")
        module = f"{ROOT}.data.{topic}"
    elif topic == "files":
        module = f"{ROOT}.files"
    is_there = topic.isidentifier() and importlib.util.find_spec(module) is not None
    if not is_there or not _file(module).has(name):
        raise ValueError(
            f"function: expected a file of the columns and a name in it, such as "
            f"'augmentation.adjust_hue', got {path!r}"
        )
    return module, name


def _native(module: str, name: str) -> tuple[str, str] | None:
    """Where the active column has `name` of a topic."""
    column = _column(module)
    return (column.module, name) if column and column.has(name) else None


def _column(module: str) -> _File | None:
    """The active column's file of a topic."""
    column = f"{COLUMNS}.{backend.entry.name}.{module.rpartition('.')[2]}"
    if module.startswith(f"{COLUMNS}.") or importlib.util.find_spec(column) is None:
        return None
    return _file(column)


def _elsewhere(function: Any) -> str:
    """The text of what is not ours, where it has one."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        name = getattr(function, "__name__", None) or repr(function)
        return f"# {name}: compiled code of {backend.entry.title}\n"


class _File:
    """What a module of the package defines and imports on its top level."""

    def __init__(self, module: str) -> None:
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None
        path = Path(spec.origin)
        self.module, self.path = module, path.relative_to(FOLDER).as_posix()
        self.package = (
            module if path.name == "__init__.py" else module.rpartition(".")[0]
        )
        self.is_column = module.startswith(f"{COLUMNS}.")
        text = path.read_text(encoding="utf-8")
        self.lines = text.splitlines()
        self.defined: dict[str, ast.stmt] = {}
        self.imported: dict[str, tuple[str, str]] = {}  # name → module, attribute or ""
        for node in ast.parse(text).body:
            self._read(node)

    def _read(self, node: ast.stmt) -> None:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            self.defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in _stored(targets):
                self.defined[name] = node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                self.imported[bound] = (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level + (node.module or "")
            origin = importlib.util.resolve_name(dots, self.package)
            for alias in node.names:
                self.imported[alias.asname or alias.name] = (origin, alias.name)

    def has(self, name: str) -> bool:
        return self.node(name) is not None

    def first(self, name: str) -> str:
        """The name by which a statement that defines several is known."""
        node = self.defined[name]
        return next(n for n, other in self.defined.items() if other is node)

    def node(self, name: str) -> ast.stmt | None:
        """The definition of a name, or of "Class.method"."""
        first, _, member = name.partition(".")
        node = self.defined.get(first)
        if not member:
            return node
        body = node.body if isinstance(node, ast.ClassDef) else []
        return next((n for n in body if getattr(n, "name", "") == member), None)


@functools.cache
def _file(module: str) -> _File:
    return _File(module)


def _stored(targets: Iterable[ast.AST]) -> list[str]:
    return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]


@functools.cache
def _piece(module: str, name: str) -> Piece:
    file = _file(module)
    node = file.node(name)
    if node is None:  # a name that stands in the topic, and elsewhere in the package
        raise ValueError(f"{module} does not define {name}")
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(d.lineno for d in decorators)])
    edits = list(_edits(node, file))
    code = _edited(file.lines, first, node.end_lineno or first, edits)
    above = first - 1
    while above and file.lines[above - 1].lstrip().startswith("# "):
        above -= 1
    comment = [line.strip() for line in file.lines[above : first - 1]]
    code = "\n".join([*comment, textwrap.dedent(code)])
    needs: dict[tuple[str, str], None] = {}
    code, natives = _without_dispatch(code, file)
    imports: dict[tuple[str, str], None] = {}
    renamed = {}
    for used in _globals(code):
        key, target = _resolve(natives.get(used, file), used)
        if key:
            needs[key] = None
            own = file.imported.get(used, ("", used))[1]
            if own != used:
                renamed[used] = own
        elif target:
            alias = _alias(file, used, target)
            imports[alias, target] = None
            if alias != used:
                renamed[used] = alias
    if renamed:
        code = _renamed(code, renamed)
    if not file.is_column:
        code = re.sub(r"def \w+\(\n[^#]*?\n\):", _on_one_line, code)
    needs.pop((module, name), None)
    return Piece(module, name, file.path, first, code, tuple(needs), tuple(imports))


def _without_dispatch(code: str, file: _File) -> tuple[str, dict[str, _File]]:
    """The code with `box_iou` for `backend.boxes.box_iou`; such names → their files."""
    edits, natives = [], {}
    for node in ast.walk(ast.parse(code)) if "backend" in file.imported else ():
        if not isinstance(node, ast.Attribute):
            continue
        room, _, topic = ast.unparse(node.value).partition(".")
        column = _column(topic) if room == "backend" and topic.isidentifier() else None
        if column:
            natives[node.attr] = column
            edits.append(_span(node.lineno, node.col_offset, node, node.attr))
    lines = code.splitlines()
    return _edited(lines, 1, len(lines), edits), natives


def _on_one_line(signature: re.Match[str]) -> str:
    """What the annotations had broken into lines, if it fits without them."""
    head, *arguments, tail = signature[0].split("\n")
    line = head + " ".join(a.strip() for a in arguments).removesuffix(",") + tail
    return line if len(line) <= WIDTH else signature[0]


def _resolve(file: _File, name: str) -> tuple[tuple[str, str] | None, str]:
    """Where a name that a file uses is defined: a place of ours, or `module:attribute`."""
    if name in file.defined:
        return _native(file.module, name) or (file.module, file.first(name)), ""
    if name not in file.imported:
        return None, ""
    module, attribute = file.imported[name]
    if module.partition(".")[0] != ROOT:
        return None, f"{module}:{attribute}" if attribute else module
    if module in (f"{ROOT}.checks", COLUMNS):
        return None, ""
    native = _native(module, attribute)
    if native:
        return native, ""
    column = _column(module)
    if column and column.imported.get(attribute, (module,))[0] != module:
        # what the framework has itself
        return _resolve(column, attribute)
    return _resolve(_file(module), attribute)


@functools.cache
def _bound(column: str) -> dict[str, str]:
    """{name: what it is} of all that a column imports from elsewhere."""
    spec = importlib.util.find_spec(column)
    assert spec is not None and spec.origin is not None
    found: dict[str, str] = {}
    for path in sorted(Path(spec.origin).parent.glob("[!_]*.py")):
        file = _file(f"{column}.{path.stem}")
        for name in file.imported:
            target = _resolve(file, name)[1]
            if target:
                found.setdefault(name, target)
    return found


def _alias(file: _File, name: str, target: str) -> str:
    """The column's own name for what a topic imports, where the topic's means another.

    `np` is NumPy in the topics, and MXNet's in MXNet's column.
    """
    bound = _bound(f"{COLUMNS}.{backend.entry.name}")
    if file.is_column or bound.get(name, target) == target:
        return name
    return next((alias for alias, t in bound.items() if t == target), name)


def _globals(code: str) -> list[str]:
    """Names that a definition takes from around it, in the order of the text."""
    table = symtable.symtable(code, "lesson", "exec")
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    tables = list(table.get_children())
    while tables:
        inner = tables.pop()
        names |= {s.get_name() for s in inner.get_symbols() if s.is_global()}
        tables += inner.get_children()
    walked = [n.id for n in _in_order(ast.parse(code)) if isinstance(n, ast.Name)]
    return [n for n in dict.fromkeys(walked) if n in names and not hasattr(builtins, n)]


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _renamed(code: str, names: dict[str, str]) -> str:
    edits = [
        (n.lineno, n.col_offset, n.lineno, n.col_offset + len(n.id), names[n.id])
        for n in ast.walk(ast.parse(code))
        if isinstance(n, ast.Name) and n.id in names
    ]
    lines = code.splitlines()
    return _edited(lines, 1, len(lines), edits)


def _edited(lines: list[str], first: int, last: int, edits: Iterable[Edit]) -> str:
    """Lines `first` to `last` with parts replaced; lines that lose everything go."""
    parts: list[bytes | None] = [line.encode() for line in lines]
    for top, left, bottom, right, text in sorted(edits, reverse=True):
        head, tail = (parts[top - 1] or b"")[:left], (parts[bottom - 1] or b"")[right:]
        merged = head + text.encode() + tail
        parts[top - 1] = merged if merged.strip() else None
        parts[top:bottom] = [None] * (bottom - top)
    kept = [part.decode() for part in parts[first - 1 : last] if part is not None]
    return "\n".join(line.rstrip() for line in kept)


def _edits(node: ast.stmt, file: _File) -> Iterator[Edit]:
    """What is not shown of a definition."""
    if isinstance(node, ast.AnnAssign):
        yield from _without_annotation(node)
    gone: set[ast.AST] = set()
    for inner in ast.walk(node):
        if inner in gone:
            continue
        if isinstance(inner, ast.FunctionDef) and not file.is_column:
            yield from _without_annotations(inner)
        for statements in _bodies(inner):
            dropped = [s for s in statements if _is_dropped(s, statements, inner, file)]
            gone.update(n for s in dropped for n in ast.walk(s))
            if dropped and dropped == getattr(inner, "orelse", None):  # and "else:"
                body = inner.body[-1]  # type: ignore[attr-defined]
                yield _span(body.end_lineno, body.end_col_offset, dropped[-1], "")
                continue
            for statement in dropped:
                alone = statement is statements[0] and len(dropped) == len(statements)
                last = statement is statements[-1]
                yield _dropped(statement, file.lines, "pass" if alone else "", last)


def _without_annotation(node: ast.AnnAssign) -> Iterator[Edit]:
    if node.value is not None:
        at = node.target
        yield _span(at.end_lineno, at.end_col_offset, node.annotation, "")


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if isinstance(body, list) and body:
            yield body


def _span(line: Any, column: Any, node: ast.AST, text: str) -> Edit:
    end: Any = node
    return (line, column, end.end_lineno, end.end_col_offset, text)


def _without_annotations(function: ast.FunctionDef) -> Iterator[Edit]:
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
    for arg in filter(None, every):
        if arg.annotation is not None:
            start = arg.col_offset + len(arg.arg.encode())
            yield _span(arg.lineno, start, arg.annotation, "")
    given = zip([*a.posonlyargs, *a.args][::-1], a.defaults[::-1], strict=False)
    keywords = zip(a.kwonlyargs, a.kw_defaults, strict=True)
    for arg, default in (*given, *keywords):
        if arg.annotation is not None and default is not None:  # x: int = 1, x=1
            line, column = default.lineno, default.col_offset
            yield (line, column - len(" = "), line, column, "=")
    for inner in ast.walk(function):
        if isinstance(inner, ast.AnnAssign):
            yield from _without_annotation(inner)
    if function.returns is not None:
        # from the bracket that closes the arguments, which stands before the arrow
        yield (
            function.returns.lineno,
            function.returns.col_offset - len(" -> "),
            function.returns.end_lineno or 0,
            function.returns.end_col_offset or 0,
            "",
        )


def _dropped(
    statement: ast.stmt, lines: list[str], text: str, last: bool = False
) -> Edit:
    """A statement, the comments above it and, inside a body, the empty lines below it."""
    first, end = statement.lineno, statement.end_lineno or statement.lineno
    while lines[first - 2].lstrip().startswith("# "):
        first -= 1
    while not last and end < len(lines) and not lines[end].strip():
        end += 1
    indent = statement.col_offset if text else 0
    return (first, indent, end, len(lines[end - 1].encode()), text)


def _is_dropped(
    statement: ast.stmt, body: list[ast.stmt], owner: ast.AST, file: _File
) -> bool:
    is_definition = isinstance(owner, ast.FunctionDef | ast.ClassDef)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        text = isinstance(statement.value.value, str)
        return text and is_definition and statement is body[0]
    if isinstance(statement, ast.Expr):
        return _is_check(statement.value)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return _is_check(statement.value) and _keeps_names(statement)
    if isinstance(statement, ast.If) and not statement.orelse:
        return all(
            _refuses(s) or _is_dropped(s, statement.body, statement, file)
            for s in statement.body
        )
    return False


def _is_check(node: ast.AST) -> bool:
    """A call of a check, of `checks` or of a topic's own."""
    call = node.func if isinstance(node, ast.Call) else None
    name = getattr(call, "id", getattr(call, "attr", ""))
    return name in _checks() or bool(re.match(r"_?check_", name))


@functools.cache
def _checks() -> frozenset[str]:
    return frozenset(_file(f"{ROOT}.checks").defined)


def _keeps_names(statement: ast.Assign) -> bool:
    """`(a, b) = floats(a=(a, …), b=(b, …))`: left out, the names mean what they did."""
    assert isinstance(statement.value, ast.Call)
    call = statement.value
    given = [
        name
        for k in call.keywords
        for name in _stored([k.value])[:1]
        if k.arg is not None
    ]
    if not given and call.args and isinstance(call.args[0], ast.Constant):
        given = _stored(call.args[1:2])  # n = at_least("n", n, 1)
    return _stored(statement.targets) == given


def _refuses(statement: ast.stmt) -> bool:
    """`raise TypeError(…)` or another refusal of arguments."""
    error = statement.exc if isinstance(statement, ast.Raise) else None
    call = error.func if isinstance(error, ast.Call) else None
    return getattr(call, "id", "") in REFUSALS
