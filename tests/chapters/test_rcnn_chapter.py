"""The R-CNN chapter from its start to its end, on a few pictures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2lcv.drawn.shapes import make_shapes
from d2lcv.proof.inputs import WORKED

ROOT = Path(__file__).parents[2]
FIGURES = [
    *("roi", "data", "curves", "instances", "curve-ssd", "curve-yolo"),
    "curves-without-true-boxes",
]


@pytest.fixture(scope="module")
def chapter(d2l, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chapter")
    data = make_shapes(folder / "shapes", 8, 4, size=64)
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "chapters" / "rcnn.py")),
            *("--num-epochs", "1", "--ssd-epochs", "1", "--batch-size", "4"),
            *(
                "--data",
                data,
                "--seed",
                "3",
                "--code",
                "--exercises",
                "true",
                "--out",
                str(folder / "out"),
            ),
        ],
        cwd=folder,  # the script finds nothing by accident
        env={**os.environ, "D2L_BACKEND": d2l.backend_name(), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / "out", done.stdout


def test_result(d2l, chapter):
    folder, _ = chapter
    result = json.loads((folder / "result.json").read_text())
    assert result["chapter"] == "rcnn" and result["backend"] == d2l.backend_name()
    assert (result["preset"], result["seed"]) == ("quick", 3)
    expected = {"mAP@0.5", "mask_iou", "mAP@0.5_untrained", "mask_iou_untrained"}
    assert expected <= set(result["metrics"])
    for name, value in result["metrics"].items():
        assert 0 <= value <= 1, name
    assert result["examples_per_sec"] > 0


def test_worked_examples_are_printed(chapter):
    _, output = chapter
    for name, title in (("roi_pool", "RoI pooling"), ("roi_align", "RoI align")):
        lines = [x for x in output.splitlines() if x.startswith(f"{title} of")]
        printed = [json.loads(line.partition(" gives ")[2]) for line in lines]
        expected = np.array(WORKED[name]["expected"])[:, 0]
        np.testing.assert_allclose(printed, expected, atol=1e-5)


def test_prints_what_runs(chapter):
    _, output = chapter
    assert "8 pictures to train on, 4 to validate" in output
    assert "class TinyRCNN" in output and "def mask_head_loss" in output


@pytest.mark.parametrize("name", FIGURES)
def test_figure(chapter, name):
    folder, output = chapter
    assert f"{name}.png" in output
    pixels = np.asarray(Image.open(folder / f"{name}.png").convert("RGB")).astype(int)
    assert pixels.shape[0] > 100 and pixels.shape[1] > 200
    assert pixels.std() > 3


def test_weights(d2l, chapter):
    folder, _ = chapter
    net = d2l.load_weights(d2l.TinyRCNN(3), folder / "tinyrcnn.safetensors")
    assert all(np.isfinite(array).all() for array in d2l.get_weights(net).values())
