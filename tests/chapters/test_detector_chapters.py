"""The chapters that train detectors, from end to end on a few small pictures."""

import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from chapter_runs import CHAPTERS, Run
from safetensors import safe_open

from d2lcv.proof.inputs import WORKED

# ---- SSD -----------------------------------------------------------------------------


@pytest.mark.chapter("ssd")
def test_ssd_result(run, d2l):
    result = run.result
    assert result["data"] == str(run.folder.parent / "data")
    assert {"class_error", "bbox_mae", "mAP@0.5"} <= set(result["metrics"])
    assert 0 < result["metrics"]["class_error"] < 1
    printed = [line.split() for line in run.output.splitlines()[-20:]]
    printed = {row[1]: row[2] for row in printed if row[:1] == ["result"]}
    for name, value in result["metrics"].items():
        assert float(printed[name]) == pytest.approx(value, rel=1e-5)
    assert printed["backend"] == d2l.backend_name()
    rate = result["examples_per_sec"]
    assert float(printed["examples/sec"]) == pytest.approx(rate, abs=0.05)
    # of one epoch of 16 pictures, in less time than the whole run took
    assert 16 / rate < result["seconds"]


@pytest.mark.chapter("ssd")
def test_ssd_prints_what_it_used(run):
    assert "preset quick" in run.output.splitlines()[0]
    assert f"data from {run.folder.parent / 'data'}" in run.output
    assert "16 pictures to train on, 8 to validate" in run.output
    assert "class TinySSD" in run.output and "def calc_loss" in run.output


@pytest.mark.once
@pytest.mark.chapter("ssd")
def test_ssd_exercises(run):
    """Four losses are trained with, and each tells its two measures."""
    number = r"([0-9.e+-]+)"
    line = rf"^(.*): bbox mae {number}, mAP@0\.5 {number} after one pass$"
    found = re.findall(line, run.output, re.M)
    names = ["L1", "smooth L1", "hard negatives", "focal loss"]
    assert [name for name, *_ in found] == names
    for _, error, precision in found:
        assert 0 < float(error) < 1 and 0 <= float(precision) <= 1


@pytest.mark.chapter("ssd")
def test_ssd_weights(run, d2l):
    d2l.seed(3)
    net = d2l.TinySSD(1)
    before = d2l.get_weights(net)
    d2l.load_weights(net, run.folder / "tinyssd.safetensors")
    after = d2l.get_weights(net)
    assert all(np.isfinite(array).all() for array in after.values())
    assert (after["blocks.0.0.1.running_mean"] != 0).any()  # it has seen pictures
    assert (after["blocks.0.0.1.weight"] != before["blocks.0.0.1.weight"]).all()
    _, cls_preds, _ = d2l.predict(net, d2l.zeros((1, 3, 64, 64)))
    assert np.isfinite(d2l.numpy(cls_preds)).all()


FILES = {
    "ssd": ["tinyssd", "banana"],
    "yolo": ["tinyyolo", "banana"],
    "rcnn": ["tinyrcnn", "disc", "square", "triangle"],
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.chapter(n)) for n in FILES]
)
def test_detectors_say_what_they_were_trained_on(run, name):
    """In their weights and their checkpoint: names, and the size of the pictures."""
    for file in (FILES[name][0], "checkpoint"):
        with safe_open(run.folder / f"{file}.safetensors", "numpy") as opened:
            about = json.loads(opened.metadata()["d2lcv"])
        assert about["classes"] == FILES[name][1:]
        assert about["image_size"] == [64, 64]


@pytest.mark.chapter("ssd")
def test_ssd_files(run):
    figures = {f"{name}.png" for name in CHAPTERS["ssd"].figures.split()}
    others = {"receptive_field.svg", "ssd.svg", "result.json"}
    others |= {"tinyssd.safetensors", "checkpoint.safetensors"}
    assert {path.name for path in run.folder.iterdir()} == figures | others


@pytest.mark.once
def test_ssd_bad_option(d2l, tmp_path):
    run = Run("ssd", tmp_path / "out", "--no-such-option")
    assert run.status == 2
    assert "--no-such-option" in run.errors and "usage: ssd.py" in run.errors
    assert not run.folder.exists() and not list(run.cwd.iterdir())


# ---- YOLO ----------------------------------------------------------------------------


@pytest.mark.chapter("yolo")
def test_yolo(run):
    ElementTree.parse(run.folder / "yolo.svg")
    # the objects share a cell: the first one counts
    cells = run.values("classes of the cells:").reshape(4, 4)
    assert cells[1, 1] == 0 and (cells == -1).sum() == 15


@pytest.mark.once
@pytest.mark.chapter("yolo")
def test_yolo_exercises(run):
    assert run.output.count("after one pass") == 3


# ---- R-CNN ---------------------------------------------------------------------------


@pytest.mark.chapter("rcnn")
def test_rcnn_metrics(run):
    expected = {"mAP@0.5", "mask_iou", "mAP@0.5_untrained", "mask_iou_untrained"}
    assert expected <= set(run.result["metrics"])


@pytest.mark.chapter("rcnn")
def test_rcnn_prints_the_worked_examples(run):
    for name, title in (("roi_pool", "RoI pooling"), ("roi_align", "RoI align")):
        lines = [x for x in run.output.splitlines() if x.startswith(f"{title} of")]
        printed = [json.loads(line.partition(" gives ")[2]) for line in lines]
        expected = np.array(WORKED[name]["expected"])[:, 0]
        np.testing.assert_allclose(printed, expected, atol=1e-5)


@pytest.mark.chapter("rcnn")
def test_rcnn_prints_what_runs(run):
    assert "8 pictures to train on, 4 to validate" in run.output
    assert "class TinyRCNN" in run.output and "def mask_head_loss" in run.output


@pytest.mark.chapter("rcnn")
def test_rcnn_weights(run, d2l):
    net = d2l.load_weights(d2l.TinyRCNN(3), run.folder / "tinyrcnn.safetensors")
    assert all(np.isfinite(array).all() for array in d2l.get_weights(net).values())
