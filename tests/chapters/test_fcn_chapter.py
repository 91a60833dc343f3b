"""The chapter about fully convolutional networks, from end to end with few steps."""

import json
import re

import numpy as np
import pytest
from chapter_runs import Run
from conftest import require_framework
from PIL import Image

from d2lcv.drawn.voc import make_voc
from d2lcv.proof.inputs import WORKED

FIGURES = ["upsampling", "curves", "predictions", "whole-pictures"]
SOLUTIONS = [
    "curves-random-start",
    *("curves-16s", "predictions-16s", "curves-8s", "predictions-8s"),
    "curves-weighted",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    require_framework()
    folder = tmp_path_factory.mktemp("fcn")
    make_voc(folder / "VOCdevkit" / "VOC2012", 12, 6)
    options = ("--data", str(folder), "--num-epochs", "1", "--batch-size", "4")
    sizes = ("--height", "64", "--width", "96", "--exercises", "true")
    return Run("fcn", folder / "out", *options, *sizes)


def test_figures_are_there_and_not_blank(run):
    assert run.figures() == FIGURES + SOLUTIONS
    for name in FIGURES + SOLUTIONS:
        with Image.open(run.folder / f"{name}.png") as image:
            assert np.asarray(image.convert("RGB")).std() > 15, name


def test_shapes_are_those_of_the_worked_example(run):
    worked = WORKED["fcn_shapes"]
    assert run.values("scores:").tolist() == worked["output"]
    # the embedded source network is narrower, its map has the size of the example's
    assert run.values("features:").tolist()[2:] == worked["resnet18_features"][2:]


def numbers_after(run, label):
    line = run.output.partition(label)[2].partition("\n")[0]
    return [int(n) for n in re.findall(r"\d+", line)]


def test_upsampling_doubles(run):
    before, after = np.reshape(numbers_after(run, "upsampled from "), (2, 2))
    assert after.tolist() == (2 * before).tolist()


def test_whole_pictures_get_a_class_for_each_pixel(run):
    *picture, channels, height, width = numbers_after(run, "picture and classes: ")
    assert channels == 3 and picture == [height, width]


def test_result_has_the_measures_of_all_answers(run):
    result = json.loads((run.folder / "result.json").read_text())
    metrics = result["metrics"]
    for name in ("test_acc", "train_acc"):
        assert 0 < metrics[name] < 1
    # of the classes that occur one is right, in part: all others have an IoU of 0
    background = metrics["mean_iou_background"]
    assert 0 < background < 1 / 2
    for name in ("mean_iou", "mean_iou_16s", "mean_iou_8s", "mean_iou_weighted"):
        assert 0 < metrics[name] < 1
    assert result["chapter"] == "fcn"
