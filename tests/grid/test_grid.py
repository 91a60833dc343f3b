"""The grid: a topic's file is the same in every column, and frameworks stay in theirs.

The files are read, not imported, so one run holds all columns to the rules, whichever
frameworks are installed.
"""

import ast
import inspect
import re
import sys

import pytest
import reference
from conftest import FRAMEWORKS
from reading import PACKAGE, ROOT, imported, parse, relative

from d2lcv.backends import REGISTRY
from d2lcv.tensors import FOR_TOPICS, VOCABULARY

BACKENDS = PACKAGE / "backends"
STUB = PACKAGE / "__init__.pyi"
COLUMNS = list(REGISTRY)
ONE, OTHER, *_ = (name for name, entry in REGISTRY.items() if name == entry.package)

# what a column may import besides the standard library, NumPy and the package itself
ROOMS = {name: set(entry.packages) for name, entry in REGISTRY.items()}
LISTS = {"FOR_TOPICS": FOR_TOPICS, "VOCABULARY": VOCABULARY}  # of `tensors`
WITH_METHODS = ("training.py", "weights.py")


# ---- reading ------------------------------------------------------------------------


def files_of(column):
    """{file name: path} of a column."""
    return {path.name: path for path in sorted((BACKENDS / column).glob("*.py"))}


def public_names(tree):
    """What `__all__` holds: strings and whole lists, or a text that is split."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            value = node.value
            if isinstance(value, ast.Call):  # """…""".split()
                assert value.func.attr == "split" and not value.args
                return value.func.value.value.split()
            names = []
            for element in value.elts:
                starred = isinstance(element, ast.Starred)
                names += (
                    LISTS[element.value.id] if starred else [ast.literal_eval(element)]
                )
            return names
    return None


def definitions(tree):
    """{name: node} of the functions and classes on the top level of a module."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def assigned(tree):
    """All names that a module defines or imports on its top level."""
    names = set(definitions(tree))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = getattr(node, "targets", None) or [node.target]
            names |= {t.id for t in targets if isinstance(t, ast.Name)}
    return names


def parameters(function):
    """The names of a function's parameters, as they are written in a signature."""
    a = function.args
    names = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    names += [f"*{a.vararg.arg}"] if a.vararg else []
    names += [f"{arg.arg}=" for arg in a.kwonlyargs]
    return names + ([f"**{a.kwarg.arg}"] if a.kwarg else [])


def methods(tree):
    """{"Class.method": parameters} of a file's public classes, `__init__` included."""
    found = {}
    for name in public_names(tree) or ():
        node = definitions(tree).get(name)
        for member in node.body if isinstance(node, ast.ClassDef) else ():
            if not isinstance(member, ast.FunctionDef):
                continue
            if not member.name.startswith("_") or member.name == "__init__":
                setter = any(
                    isinstance(d, ast.Attribute) for d in member.decorator_list
                )
                key = f"{name}.{member.name}" + (".setter" if setter else "")
                found[key] = parameters(member)
    return found


def is_under(name, parents):
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


def breaches_of_room(tree, path, column):
    """What a file of a column imports and must not."""
    own = {"d2lcv", "numpy", *ROOMS[column], *sys.stdlib_module_names}
    others = {f"d2lcv.backends.{name}" for name in COLUMNS if name != column}
    return {
        name
        for name in imported(tree, path)
        if not is_under(name, own) or is_under(name, others)
    }


def breaches_of_topic(tree, path):
    """The frameworks and columns that a file outside of the columns imports."""
    columns = {f"d2lcv.backends.{name}" for name in COLUMNS}
    return {n for n in imported(tree, path) if is_under(n, FRAMEWORKS | columns)}


def named_backends(tree):
    """Lines where a backend's name or alias stands as a value of its own."""
    known = {name for b in REGISTRY.values() for name in (b.name, *b.aliases)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.strip().lower() in known
    ]


def names_in_texts(tree):
    """Lines where a backend's name or alias is a word of a text that is no docstring."""
    known = {n for b in REGISTRY.values() for n in (b.name, b.package, *b.aliases)}
    word = re.compile(rf"\b({'|'.join(sorted(known))})\b", re.IGNORECASE)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in texts
        and word.search(node.value)
    ]


def dispatches(tree):
    """{(topic, name)} of every `backend.topic.name`, and of `t.name` for its alias."""
    found, aliases = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_topic(node.value):
            aliases[node.targets[0].id] = node.value.attr
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if is_topic(node.value):
                found.add((node.value.attr, node.attr))
            elif isinstance(node.value, ast.Name) and node.value.id in aliases:
                found.add((aliases[node.value.id], node.attr))
    return found


def is_topic(node):
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "backend"
        and node.attr not in ("entry", "choose", "default")
    )


SHARED = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent.name not in COLUMNS and path != BACKENDS / "__init__.py"
]
CHAPTERS = sorted((ROOT / "chapters").glob("*.py"))
TOOLS = [ROOT / "noxfile.py", *sorted((ROOT / "tools").glob("*.py"))]
TOOLS += [*sorted((ROOT / "tools" / "web").glob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TESTS = [path for path in TESTS if path.parent.name != "columns"]


# ---- every row is one lesson --------------------------------------------------------


def test_columns_are_those_of_the_registry():
    folders = [p.name for p in BACKENDS.iterdir() if p.is_dir() and p.name[0] != "_"]
    assert set(folders) == set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS)
def test_column_has_the_files_of_the_others(column):
    here = set(files_of(column))
    for other in COLUMNS:
        assert here == set(files_of(other)), f"{column} and {other} differ"


@pytest.mark.parametrize("column", COLUMNS)
def test_column_has_the_names_of_the_others(column):
    for name, path in files_of(column).items():
        here = public_names(parse(path))
        if name in ("__init__.py", "layers.py"):  # a column's own
            continue
        assert here is not None, f"{relative(path)} has no __all__"
        assert len(here) == len(set(here)), f"{relative(path)}: a name twice"
        for other in COLUMNS:
            path_there = files_of(other).get(name)
            if path_there:
                there = public_names(parse(path_there))
                assert set(here) == set(there), f"{name} of {column} and {other}"


@pytest.mark.parametrize("column", COLUMNS)
def test_column_defines_what_it_names(column):
    for path in files_of(column).values():
        tree = parse(path)
        assert set(public_names(tree) or ()) <= assigned(tree), relative(path)


@pytest.mark.parametrize("column", COLUMNS)
def test_layers_are_those_that_cells_use(column):
    """It need not be equal to the others, and `__all__` says what is in it."""
    files = files_of(column)
    layers = parse(files.pop("layers.py"))
    own = {name for name in definitions(layers) if name[0] != "_"}
    names = set(public_names(layers))
    prefix = f"d2lcv.backends.{column}.layers."
    used = {n for p in files.values() for n in imported(parse(p), p)}
    assert own <= names, own - names
    for name in names:
        inside = any(
            isinstance(node, ast.Name) and node.id == name for node in ast.walk(layers)
        )
        assert prefix + name in used or inside, f"{name} is used nowhere"


def signatures(path):
    """{name: parameters} of the public functions a file defines, and of its methods."""
    tree = parse(path)
    found = {
        name: parameters(node)
        for name, node in definitions(tree).items()
        if isinstance(node, ast.FunctionDef) and name in (public_names(tree) or ())
    }
    return found | (methods(tree) if path.name in WITH_METHODS else {})


@pytest.mark.parametrize("column", COLUMNS)
def test_column_has_the_signatures_of_the_others(column):
    different = []
    for name, path in files_of(column).items():
        if name == "layers.py":
            continue
        here = signatures(path)
        for other in COLUMNS:
            there = signatures(files_of(other).get(name, path))
            # what one of them takes from its framework as it is has no signature to read
            both = here.keys() & there.keys()
            if name in WITH_METHODS:
                both |= {key for key in here.keys() ^ there.keys() if "." in key}
            different += [
                f"{name}: {key}, {column} {here.get(key)}, {other} {there.get(key)}"
                for key in sorted(both)
                if here.get(key) != there.get(key)
            ]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("column", COLUMNS)
def test_column_has_what_the_topics_ask_for(column):
    files = files_of(column)
    wanted = {pair for path in SHARED for pair in dispatches(parse(path))}
    assert ("boxes", "box_iou") in wanted and ("tensors", "transpose") in wanted
    for topic, name in sorted(wanted):
        assert f"{topic}.py" in files, f"{column} has no {topic}.py"
        assert name in public_names(parse(files[f"{topic}.py"])), f"{topic}.{name}"


# ---- frameworks stay in their columns ------------------------------------------------


@pytest.mark.parametrize("column", COLUMNS)
def test_column_imports_its_own_framework_only(column):
    imports_own = False
    for path in files_of(column).values():
        tree = parse(path)
        assert not breaches_of_room(tree, path, column), relative(path)
        imports_own |= any(is_under(n, ROOMS[column]) for n in imported(tree, path))
    assert imports_own  # else the test above saw nothing


@pytest.mark.parametrize("folder", ["tools/plain", "tests/columns"])
def test_columns_outside_the_package(folder):
    """A file for each backend, and in it no framework but its own."""
    files = {path.stem: path for path in (ROOT / folder).glob("[!_]*.py")}
    assert sorted(files) == sorted(COLUMNS)
    for column, path in files.items():
        found = {n for n in imported(parse(path), path) if is_under(n, FRAMEWORKS)}
        assert all(is_under(n, ROOMS[column]) for n in found), relative(path)


@pytest.mark.parametrize("path", TOOLS, ids=relative)
def test_tool_knows_no_framework(path):
    assert not breaches_of_topic(parse(path), path)
    assert not named_backends(parse(path))


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_test_reads_the_registry(path):
    """What it must know of a framework is in `tests/columns`."""
    assert not breaches_of_topic(parse(path), path)
    assert not names_in_texts(parse(path))


@pytest.mark.parametrize("path", [*SHARED, *CHAPTERS], ids=relative)
def test_topic_or_chapter_imports_no_framework(path):
    assert not breaches_of_topic(parse(path), path)


@pytest.mark.parametrize("path", [*SHARED, *CHAPTERS], ids=relative)
def test_topic_or_chapter_names_no_backend(path):
    assert not named_backends(parse(path))


def test_columns_do_not_document_again():
    """What a public name means is said once, in the topic module."""
    for path in [p for column in COLUMNS for p in files_of(column).values()]:
        tree = parse(path)
        topic = PACKAGE / path.name
        if not topic.exists() or path.name == "__init__.py":
            continue
        shared = definitions(parse(topic))
        for name, node in definitions(tree).items():
            if isinstance(node, ast.FunctionDef) and name in shared:
                assert ast.get_docstring(node) is None, f"{relative(path)}: {name}"


# ---- the public names ----------------------------------------------------------------


def stub_imports():
    """{public name: module below d2lcv} as the stub has it."""
    found = {}
    for node in parse(STUB).body:
        if ast.unparse(node) == "__version__: str":
            continue
        assert isinstance(node, ast.ImportFrom) and node.level == 1, ast.unparse(node)
        for alias in node.names:
            assert alias.asname == alias.name, f"{alias.name}: not marked as public"
            assert alias.name not in found, f"{alias.name} is there twice"
            found[alias.name] = node.module
    return found


def test_stub_lists_what_modules_declare():
    for name, module in stub_imports().items():
        path = PACKAGE / (module.replace(".", "/") + ".py")
        if not path.exists():
            path = PACKAGE / module.replace(".", "/") / "__init__.py"
        tree = parse(path)
        declared = VOCABULARY
        if module != "tensors":
            declared = public_names(tree) or assigned(tree)
        assert name in declared, f"d2lcv.{module} does not declare {name}"


def test_stub_has_the_whole_vocabulary():
    here = [name for name, module in stub_imports().items() if module == "tensors"]
    assert sorted(here) == sorted(VOCABULARY)


@pytest.mark.parametrize("name", stub_imports())
def test_public_name_resolves_and_is_documented(d2l, name):
    value = getattr(d2l, name)
    module = getattr(value, "__module__", None) or ""
    in_column = any(module.startswith(f"d2lcv.backends.{c}.") for c in COLUMNS)
    if module.startswith("d2lcv.") and not in_column:
        assert inspect.getdoc(value), f"{name} has no docstring"


@pytest.mark.once
def test_every_public_name_has_an_example_that_uses_it():
    """On the page of its module, in `docs/examples`."""
    pages = reference.pages()
    found = [(p.name, n, e) for p in pages for e in p.examples for n in e.names]
    assert all(f"d2l.{name}" in example.code for _, name, example in found)
    places = {name: module.split(".")[0] for name, module in stub_imports().items()}
    assert sorted(places.items()) == sorted((name, page) for page, name, _ in found)


# ---- the rules above can be broken ---------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"import {OTHER}",
        f"import {OTHER}.nn as nn",
        f"from {OTHER} import nn",
        f"def f():\n    import {OTHER}",
        f"import importlib\nimportlib.import_module('{OTHER}')",
        f"from ..{OTHER} import boxes",
        f"from .. import {OTHER}",
        f"from ...backends.{OTHER}.boxes import box_iou",
        f"import d2lcv.backends.{OTHER}",
        "import scipy",
    ],
)
def test_room_exception(code):
    path = BACKENDS / ONE / "boxes.py"
    assert breaches_of_room(ast.parse(code), path, ONE)
    for allowed in (
        f"import {ONE}",
        "from ...anchors import X",
        "from .boxes import y",
    ):
        assert not breaches_of_room(ast.parse(allowed), path, ONE)


@pytest.mark.parametrize(
    "code",
    [
        *(f"from {package} import ops" for package in sorted(FRAMEWORKS)),
        f"import {ONE}",
        f"from .backends.{ONE} import boxes",
        f"from .backends import {ONE}",
        f"def f():\n    import {OTHER} as other",
    ],
)
def test_topic_exception(code):
    assert breaches_of_topic(ast.parse(code), PACKAGE / "boxes.py")
    allowed = ast.parse("import numpy\nfrom .backends import backend")
    assert not breaches_of_topic(allowed, PACKAGE / "boxes.py")


@pytest.mark.parametrize(
    "code",
    [
        f"if backend_name() == {ONE!r}: pass",
        f"x = {{{OTHER!r}: 1}}[name]",
        f"if name in ('x', {REGISTRY[OTHER].aliases[0]!r}): pass",
        f"match name:\n    case {OTHER!r}: pass",
    ],
)
def test_named_backend_exception(code):
    assert named_backends(ast.parse(code))
    assert not named_backends(ast.parse(f'"""Runs on {ONE} and on {OTHER}."""'))


@pytest.mark.parametrize("code", ["x = {!r}", "f('import {}, x')", "f'{{y}} {}'"])
def test_name_in_a_text_exception(code):
    assert names_in_texts(ast.parse(code.format(ONE)))
    for allowed in (f"'''Runs on {ONE}.'''", f"x = '{ONE}vision'", f"x = 1  # {ONE}"):
        assert not names_in_texts(ast.parse(allowed))


def test_parameters_value():
    tree = ast.parse("def f(a, /, b=1, *c, d, **e): pass")
    assert parameters(tree.body[0]) == ["a", "b", "*c", "d=", "**e"]
