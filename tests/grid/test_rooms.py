"""The rooms of the house: which of them may know which, read from the sources.

A room is a folder of the package, a column, or a module beside them. Each rule is a
function from sources to breaches; a planted breach shows that it sees them.
"""

import ast
import graphlib
import re

import pytest
from reading import MODULES, PACKAGE, froms, parse, uses

from d2lcv.backends import REGISTRY

COLUMNS = {f"d2lcv.backends.{name}" for name in REGISTRY}
# What only a framework's tensors have; a column tells it in its `tensors`
OF_TENSORS = {"detach", "ctx", "as_in_ctx", "asnumpy", "requires_grad", "grad_fn"}
OF_TENSORS |= {"stop_gradient", "is_leaf", "cpu", "cuda", "numpy"}


def room_of(module):
    """d2lcv.data.hub → d2lcv.data; d2lcv.backends.torch.ssd → d2lcv.backends.torch."""
    column = ".".join(module.split(".")[:3])
    return column if column in COLUMNS else ".".join(module.split(".")[:2])


def sources():
    """{module: its tree}."""
    return {module: parse(path) for module, path in MODULES.items()}


def planted(module, code):
    """The same of one module only, with other code in it."""
    return {f"d2lcv.{module}": ast.parse(code)}


def circle(trees):
    """Modules that import each other, the first again at the end; empty if none do."""
    graph = {m: uses(tree, MODULES[m]) - {m} for m, tree in trees.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def private_across_rooms(trees):
    """(module, what) for each `_name` of another room that a module uses."""
    found = []
    for module, tree in trees.items():
        modules = {}  # local name → module of the package
        for stem, names in froms(tree, MODULES[module]):
            for name in names or ():
                if f"{stem}.{name}" in MODULES:
                    modules[name] = f"{stem}.{name}"
                elif is_private(name) and is_elsewhere(stem, module):
                    found.append((module, f"{stem}.{name}"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                owner = modules.get(ast.unparse(node.value), "")
                if is_elsewhere(owner, module):
                    found.append((module, f"{owner}.{node.attr}"))
    return found


def is_private(name):
    return name[0] == "_" and not name.startswith("__")


def is_elsewhere(owner, module):
    return owner.startswith("d2lcv") and room_of(owner) != room_of(module)


def topics_in_cells(trees):
    """(cell, module) for what a cell imports outside its column but its own topic."""
    return {
        (module.rpartition(".")[2], used)
        for module, tree in trees.items()
        if room_of(module) in COLUMNS
        for used in uses(tree, MODULES[module])
        if room_of(used) != room_of(module)
        and used not in ("d2lcv.backends", "d2lcv." + module.rpartition(".")[2])
    }


def framework_knowledge(trees):
    """(module, line) where a file outside the columns asks for what tensors have."""
    return [
        (module, node.lineno)
        for module, tree in trees.items()
        if room_of(module) not in COLUMNS
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and is_of_tensors(node))
        or (isinstance(node, ast.Call) and asks_by_name(node))
    ]


def is_of_tensors(node):
    # `backend.tensors.detach(x)` and the vocabulary's `t.numpy` are no sniffing
    if node.attr not in OF_TENSORS:
        return False
    return ast.unparse(node.value) not in (
        "backend.tensors",
        "t",
        "d2l",
    )


def asks_by_name(node):
    """`hasattr(x, "detach")`, `getattr(x, "place", None)`."""
    called = getattr(node.func, "id", "") in ("hasattr", "getattr")
    names = {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
    return called and bool(names & (OF_TENSORS | {"place", "device"}))


# ---- the rules -----------------------------------------------------------------------


def test_modules_form_no_circle():
    assert not circle(sources())


def test_private_names_stay_in_their_room():
    assert not private_across_rooms(sources())


def test_cells_import_their_own_topic_only():
    assert not topics_in_cells(sources())


def test_columns_alone_know_what_tensors_have():
    assert not framework_knowledge(sources())


# ---- each can be broken --------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    ["from .detection import nms", "def f():\n    from . import detection"],
)
def test_circle_exception(code):
    trees = sources()
    assert "d2lcv.checks" in circle(trees | planted("checks", code))
    for_readers = f"if TYPE_CHECKING:\n    {code.splitlines()[-1].strip()}"
    assert not circle(trees | planted("checks", for_readers))


@pytest.mark.parametrize(
    "code",
    [
        "from .checks import _names",
        "from .data.hub import _read",
        "def f():\n    from . import checks\n    return checks._names",
    ],
)
def test_private_exception(code):
    assert private_across_rooms(planted("boxes", code))
    inside = "from .hub import _read\nfrom ..checks import __doc__"
    assert not private_across_rooms(planted("data.voc", inside))


@pytest.mark.parametrize(
    "code",
    ["from ...anchors import X", "from ...checks import floats", "import d2lcv.data"],
)
def test_topic_exception(code):
    cell = f"backends.{next(iter(REGISTRY))}.boxes"
    assert len(topics_in_cells(planted(cell, code))) == 1
    own = "from ...boxes import X\nfrom .ssd import y\nimport numpy"
    assert not topics_in_cells(planted(cell, own))


@pytest.mark.parametrize(
    "code",
    [
        "x.detach()",
        "hasattr(x, 'place')",
        "getattr(x, 'device', None)",
        "y = x.numpy()",
    ],
)
def test_framework_knowledge_exception(code):
    assert ("d2lcv.boxes", 1) in framework_knowledge(planted("boxes", code))
    assert not framework_knowledge(
        planted("boxes", "backend.tensors.detach(row.place)")
    )


def test_no_module_has_the_name_of_a_public_function():
    """A module `d2lcv.use`, once imported, would take the place of the function."""
    stub = (PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    public = set(re.findall(r" as (\w+)$", stub, re.MULTILINE))
    modules = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert "load" in public and "boxes" in modules
    assert not public & modules
