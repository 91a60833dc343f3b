"""Reading the package's sources: what the tests of the grid and of the rooms share."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "d2lcv"


@functools.cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def relative(path):
    return str(path.relative_to(ROOT))


def module_of(path):
    """The dotted name of a file: d2lcv.data.hub, d2lcv.data for its `__init__.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def froms(tree, path):
    """(absolute name of a module, names or None) of all imports, wherever in a file.

    Without those that only type checkers see, below `if TYPE_CHECKING:`.
    """
    return list(_froms(tree, path.relative_to(ROOT).with_suffix("").parts[:-1]))


def _froms(tree, package):
    nodes, for_checkers = list(ast.walk(tree)), set()
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_checkers |= set(ast.walk(node))
        if node in for_checkers:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *filter(None, [node.module])))
            yield stem, [alias.name for alias in node.names]
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", ""))
            in ("import_module", "__import__")
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.args[0].value, None


def imported(tree, path):
    """The absolute names of all modules and names that a file imports."""
    found = set()
    for stem, names in froms(tree, path):
        found |= {stem, *(f"{stem}.{name}" for name in names or ())}
    return found


def uses(tree, path):
    """The modules of the package that a file imports itself."""
    found = set()
    for stem, names in froms(tree, path):
        for name in [stem] if names is None else [f"{stem}.{n}" for n in names]:
            found |= {next((m for m in (name, stem) if m in MODULES), "")}
    return found - {""}
