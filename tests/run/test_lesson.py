"""The framework's code on the page: what is shown, what is left out, and shown once."""

import ast
import inspect
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from conftest import bare

import d2lcv
from d2lcv.backends import backend, backend_name
from d2lcv.lesson import page as pages
from d2lcv.lesson import reading

ANCHORS = ["box_iou", "offset_boxes", "offset_inverse", "multibox_target"]


@pytest.fixture(autouse=True)
def new_page():
    pages.page.start()
    yield
    pages.page.start()


@pytest.fixture
def notebook(monkeypatch):
    """A notebook's kernel, so to say: the list of what was displayed."""
    shown = []
    module = ModuleType("IPython.display")
    module.display = lambda data, raw: shown.append(data)
    package = ModuleType("IPython")
    package.get_ipython = lambda: SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def defined(code):
    return [node.name for node in ast.parse(code).body if hasattr(node, "name")]


def module(topic):
    """A file of the active column, without documentation, cut by hand."""
    file = Path(d2lcv.__file__).parent / "backends" / backend_name() / f"{topic}.py"
    return file.read_text(encoding="utf-8")


# ---- what is shown -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "topic"),
    [("box_iou", "boxes"), ("nms", "detection"), ("cls_predictor", "ssd")],
)
def test_it_is_the_code_of_the_column(d2l, name, topic):
    shown = d2l.source(getattr(d2l, name), depth=0)
    assert shown.strip() in module(topic)
    assert defined(shown) == [name]
    assert d2l.source(f"{topic}.{name}", depth=0) == shown


def test_what_it_uses_stands_before_it_once(d2l):
    shown = d2l.source(d2l.multibox_target)
    names = defined(shown)
    assert names[-1] == "multibox_target" and len(names) == len(set(names))
    assert {"offset_boxes", "box_corner_to_center"} <= set(names)
    assert names.index("box_corner_to_center") < names.index("offset_boxes")
    assert shown.count("CENTER_SCALE, SIZE_SCALE = 0.1, 0.2\n") == 1
    assert "from ." not in shown and '"""' not in shown


def test_depth_limits_what_is_followed(d2l):
    alone, near, all_of_it = (
        defined(d2l.source(d2l.multibox_target, depth=depth)) for depth in (0, 1, None)
    )
    assert alone == ["multibox_target"]
    assert set(alone) < set(near) < set(all_of_it)
    assert "offset_boxes" in near and "box_corner_to_center" not in near


def test_with_its_imports_it_is_a_program(d2l):
    functions = [getattr(d2l, name) for name in ANCHORS]
    found = reading.pieces(functions)
    names = bare(reading.imports_of(found) + reading.joined(found))
    unit, half = (d2l.tensor([[0.0, 0, 2, h]]) for h in (2.0, 1.0))
    assert float(names["box_iou"](unit, half)[0, 0]) == 0.5
    assert names["box_iou"].__globals__ is not vars(backend.boxes)


def test_a_class_of_the_framework_gives_its_own_code(d2l):
    net = d2l.TinySSD(1)
    assert d2l.source(type(net)) == d2l.source(d2l.TinySSD)
    assert "TinySSD" in defined(d2l.source(type(net)))


def test_a_method_is_shown_without_its_class(d2l):
    shown = d2l.source(d2l.Accumulator.add, depth=0)
    assert shown.startswith("def add(self") and '"""' not in shown


def test_documentation_checks_and_annotations_are_left_out(d2l):
    shown = d2l.source(d2l.focal_loss, depth=0)
    whole = inspect.getsource(inspect.unwrap(d2l.focal_loss))
    for check in ("floats(", "not_negative("):
        assert check in whole and check not in shown
    assert '"""' not in shown and ": Any" not in shown


def test_what_is_compiled_has_a_comment(d2l):
    assert d2l.source(len) == f"# len: compiled code of {backend.entry.title}\n"


def test_other_functions_show_themselves(d2l):
    """Also when they have the name of one of ours, or none of a topic."""

    def box_iou():
        return "mine"

    for name in ("__main__", "my.boxes", "boxes", "d2lcvextra.boxes", "d2lcv.boxes"):
        box_iou.__module__ = name
        assert '"mine"' in d2l.source(box_iou)
    assert d2l.source(json.dumps).startswith("def dumps")


@pytest.mark.parametrize(
    "path", ["", "box_iou", "boxes.", ".box_iou", "boxes.no", "no.box_iou", "a.b.c"]
)
def test_a_text_that_names_nothing_is_refused(d2l, path):
    with pytest.raises(ValueError, match=f"such as .* got {re.escape(repr(path))}"):
        d2l.source(path)


# ---- how the text is cut, on a file made for it --------------------------------------

SAMPLE = '''\
"""A topic."""
from __future__ import annotations
import numpy as np
from d2lcv.checks import floats
from typing import Any
# What it is scaled by.
SCALE: float = 2.0
LOW, HIGH = 0, 1
def _helper(x: Any, factor: float = SCALE) -> Any:
    """Documentation."""
    return np.clip(x * factor, LOW, HIGH)
class Stop(Exception):
    """No more."""
def taught(
    boxes: Any, *more: Any, ratio: float = 1.0
) -> Any:
    """Documentation.

    Of two paragraphs.
    """
    # why it is checked
    (boxes,) = floats(boxes=(boxes, "n 4"))
    _check_ratio(ratio)
    if not ratio > 0:
        raise ValueError("ratio")
    if ratio > 9:
        raise Stop
    if more:  # there are others
        floats(more=(more, "n"))
    if ratio < 1:
        ratio = 1
    else:
        # why it is checked
        _check_ratio(ratio)
    text = """a text"""  # stays
    def inner(LOW):
        return LOW
    return _helper(boxes), inner(1), text
'''


@pytest.fixture
def sample(monkeypatch, tmp_path):
    file = tmp_path / "sample_topic.py"
    file.write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(reading, "FOLDER", tmp_path)
    reading._piece.cache_clear()
    yield "sample_topic"
    for cache in (reading._piece, reading._file):
        cache.cache_clear()


def test_how_a_definition_is_cut(sample):
    piece = reading._piece(sample, "taught")
    assert piece.code == (
        "def taught(boxes, *more, ratio=1.0):\n"
        "    if ratio > 9:\n"
        "        raise Stop\n"
        "    if ratio < 1:\n"
        "        ratio = 1\n"
        '    text = """a text"""  # stays\n'
        "    def inner(LOW):\n"
        "        return LOW\n"
        "    return _helper(boxes), inner(1), text"
    )
    assert piece.needs == ((sample, "Stop"), (sample, "_helper"))
    assert piece.file == "sample_topic.py" and piece.line == 14
    assert reading._piece(sample, "Stop").code == "class Stop(Exception):\n    pass"


def test_constants_and_their_comments(sample):
    helper = reading._piece(sample, "_helper")
    assert helper.code.splitlines()[0] == "def _helper(x, factor=SCALE):"
    assert [name for _, name in helper.needs] == ["SCALE", "LOW"]
    constant = reading._piece(sample, "SCALE").code
    assert constant == "# What it is scaled by.\nSCALE = 2.0"
    assert reading._piece(sample, "LOW").code == "LOW, HIGH = 0, 1"


def test_import_lines_are_sorted_and_joined():
    def piece(name, *imports):
        return reading.Piece("m", name, "m.py", 1, "", (), imports)

    found = [
        piece("a", ("np", "numpy"), ("F", "sparks.nn:functional"), ("nn", "sparks:nn")),
        piece("b", ("sparks", "sparks.distributed"), ("Tensor", "sparks:Tensor")),
    ]
    assert reading.imports_of(found) == (
        "import numpy as np\nimport sparks.distributed\n"
        "from sparks import Tensor, nn\nfrom sparks.nn import functional as F\n"
    )
    assert reading.imports_of(found[:1], without=[("np", "numpy")]).count("import") == 2


def test_numpy_keeps_apart_from_a_framework_of_that_name(d2l):
    """A topic's `np` is NumPy, whatever the column calls so."""
    np = reading._bound(f"{reading.COLUMNS}.{backend_name()}").get("np", "numpy")
    (piece,) = reading.pieces([d2l.average_precision], depth=0)
    targets = {target: name for name, target in piece.imports}
    assert (targets["numpy"] == "np") is (np == "numpy")
    names = bare(
        d2l.lesson_imports(d2l.average_precision) + d2l.source(d2l.average_precision)
    )
    assert callable(names["average_precision"])


# ---- the page ------------------------------------------------------------------------


def test_a_script_prints_code_if_it_is_asked_to(d2l, capsys, tmp_path):
    settings = {"quick": {"n": 1}, "book": {"n": 1}, "data": ()}
    for arguments, is_shown in ([], False), (["--code"], True):
        out = ["--out", str(tmp_path)]
        d2l.Chapter("tiny", **settings, argv=[*arguments, *out])
        capsys.readouterr()
        d2l.show_source(d2l.box_iou)
        assert ("def box_iou" in capsys.readouterr().out) is is_shown


def test_code_is_shown_once_on_a_page(d2l, capsys):
    d2l.show_source(d2l.offset_boxes, imports=True)
    first = capsys.readouterr().out
    assert "box_corner_to_center" in defined(first)
    assert first.startswith(d2l.lesson_imports(d2l.offset_boxes))
    d2l.show_source(d2l.offset_boxes, d2l.offset_inverse, imports=True)
    second = capsys.readouterr().out
    assert not set(defined(first)) & set(defined(second)) and "import" not in second
    assert "offset_inverse" in defined(second)
    d2l.show_source(d2l.offset_boxes)
    assert capsys.readouterr().out == ""
    pages.page.start()
    d2l.show_source(d2l.offset_boxes)
    assert "offset_boxes" in defined(capsys.readouterr().out)


def test_a_notebook_shows_it_in_colours_with_its_place(d2l, notebook, capsys):
    d2l.show_source(d2l.box_iou, imports=True, fold="In full")
    assert capsys.readouterr().out == ""
    (shown,) = notebook
    assert shown["text/plain"].endswith(d2l.source(d2l.box_iou))
    assert "<span style=" in shown["text/html"]
    assert "<summary>In full</summary>" in shown["text/html"]
    data = shown[pages.MIME]
    assert data["imports"] == d2l.lesson_imports(d2l.box_iou)
    (piece,) = data["pieces"]
    assert piece["name"] == "box_iou"
    text = module("boxes").splitlines()
    assert text[piece["line"] - 1].startswith("def box_iou(")
    assert piece["file"] == f"d2lcv/backends/{backend_name()}/boxes.py"


def test_compiled_code_is_shown_as_a_comment(d2l, capsys):
    d2l.show_source(len)
    assert capsys.readouterr().out.startswith("# len: compiled code")
