"""What a type checker knows of the public names: `nox -s types`."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy.api", reason="mypy is not installed: nox -s types has it")
from mypy import api

from d2lcv.backends import REGISTRY

ROOT = Path(__file__).parents[2]

RIGHT = f"""\
import d2lcv as d2l

boxes = d2l.zeros((2, 4))
iou = d2l.box_iou(boxes, boxes)
with d2l.worker("{next(iter(REGISTRY))}") as other:
    other.box_iou(boxes, boxes)
seconds: float = d2l.Timer().stop()
name: str = d2l.backend_name()
version: str = d2l.__version__
trainer = d2l.Trainer(d2l.TinySSD(1), "sgd", lr=0.2)
"""
# each line with what must be said of it
WRONG = {
    "d2l.box_iou(boxes)": 'Missing positional argument "boxes2"',
    "d2l.box_iou(boxes, boxes, 0.5)": "Too many arguments",
    "d2l.nms(boxes, boxes, iou_treshold=0.5)": "Unexpected keyword argument",
    "d2l.box_uoi(boxes, boxes)": 'Module has no attribute "box_uoi"',
    "d2l.TinySSD('1')": 'has incompatible type "str"; expected "int"',
    "count: int = d2l.Timer().stop()": 'expression has type "float"',
    "d2l.worker(3)": 'has incompatible type "int"; expected "str"',
    "reveal_type(d2l.box_iou)": '"def (boxes1: Any, boxes2: Any) -> Any"',
}


def check(tmp_path, code):
    """What mypy says of a reader's script: {number of a line: message}."""
    script = tmp_path / "script.py"
    script.write_text(code, encoding="utf-8")
    options = ["--python-executable", sys.executable, "--cache-dir", str(tmp_path)]
    options += ["--config-file=", "--strict", "--follow-imports=silent", "script.py"]
    out, err, _ = api.run(options)
    assert not err
    said: dict[int, str] = {}
    for line in out.splitlines():
        if line.startswith("script.py:"):
            _, number, text = line.split(":", 2)
            said[int(number)] = said.get(int(number), "") + text
    return said


@pytest.fixture(autouse=True)
def _reader(tmp_path, monkeypatch):
    """A reader's folder: the package is found as an import finds it."""
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


def test_public_names_are_typed(tmp_path):
    said = check(tmp_path, RIGHT + "\n".join(WRONG) + "\n")
    first = RIGHT.count("\n") + 1
    assert said.keys() == set(range(first, first + len(WRONG))), said
    for number, (line, expected) in enumerate(WRONG.items(), first):
        assert expected in said[number], line
