"""The chapters on YOLO and the introduction from end to end."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from chapter_runs import runs_of


def options(name, folder):
    if name != "yolo":
        return ()
    from d2lcv.drawn.bananas import make_bananas

    data = make_bananas(folder / "set", 16, 8, size=64)
    line = (
        "--num-epochs 2 --min-steps 0 --batch-size 8 --image-size 64 --exercises true"
    )
    return "--data", data, *line.split()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return runs_of(tmp_path_factory, options)


def test_yolo(runs):
    run = runs("yolo")
    assert run.figures() == ["grid", "curves", "detections"]
    ElementTree.parse(run.folder / "yolo.svg")
    result = json.loads((run.folder / "result.json").read_text())
    assert 0 <= result["metrics"]["mAP@0.5"] <= 1
    # the objects share a cell: the first one counts
    cells = run.values("classes of the cells:").reshape(4, 4)
    assert cells[1, 1] == 0 and (cells == -1).sum() == 15
    assert run.output.count("after one pass") == 3


def test_introduction(runs):
    run = runs("introduction")
    assert run.figures() == ["picture", "channels"]
    result = json.loads((run.folder / "result.json").read_text())
    # two squares of side 2, one moved by 1: they share 2 of 6
    assert result["metrics"]["overlap"] == pytest.approx(1 / 3, abs=1e-6)
    assert "numbers: 36,000,000" in run.output
