"""The chapters about transposed convolution and segmentation, from end to end."""

import json
import re

import numpy as np
import pytest
from chapter_runs import ROOT, Run, colors_of, near, runs_of
from conftest import require_framework
from PIL import Image

from d2lcv.drawn.voc import make_voc
from d2lcv.proof.inputs import WORKED

FIGURES = {
    "transposed_conv": ["copies", "copies-of-stride-2", "matrices", "enlarged"],
    "semantic_segmentation": [
        *("pictures-and-labels", "classes", "shares", "crops", "batch"),
        "flipped-crops",
    ],
}


def options(name, folder):
    if name != "semantic_segmentation":
        return ()
    make_voc(folder / "VOCdevkit" / "VOC2012", 24, 8)
    return "--data", str(folder), "--batch-size", "4"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return runs_of(tmp_path_factory, options)


# ---- both ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_there_and_not_blank(runs, name):
    run = runs(name)
    assert run.figures() == FIGURES[name]
    for figure, pixels in run.pictures().items():
        height, width = pixels.shape[:2]
        assert 600 <= width <= 1600 and 150 <= height <= 800, (figure, pixels.shape)
        assert colors_of(pixels) > 30 and pixels.std() > 15, figure


@pytest.mark.parametrize("name", FIGURES)
def test_result_is_reported(runs, name):
    run = runs(name)
    result = json.loads((run.folder / "result.json").read_text())
    assert result["chapter"] == name and result["preset"] == "quick"
    assert result["metrics"]
    assert run.output.splitlines()[0].startswith(f"{name}: ")
    assert "\nresult  " in run.output


@pytest.mark.parametrize("name", FIGURES)
def test_text_has_its_parts(name):
    """A summary, exercises, a solution; prose before most pieces of code."""
    text = (ROOT / "chapters" / f"{name}.py").read_text(encoding="utf-8")
    for part in ("# ## Summary", "# ## Exercises", "# ### Answer"):
        assert part in text, part
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    kinds = ["prose" if cell.startswith(" [markdown]") else "code" for cell in cells]
    assert kinds[0] == "prose" and kinds.count("prose") >= kinds.count("code") / 2


# ---- transposed convolution ----------------------------------------------------------


def test_transposed_conv_prints_the_worked_examples(runs):
    run, worked = runs("transposed_conv"), WORKED["trans_conv"]
    for label in ("trans_conv(X, K):\n", "by the layer:\n"):
        near(run.values(label), worked["expected"], 0)
    near(run.values("padding 1:\n"), worked["padding_1"], 0)
    near(run.values("stride 2:\n"), worked["stride_2"], 0)


def test_transposed_conv_prints_the_matrices(runs):
    run, worked = runs("transposed_conv"), WORKED["conv_as_matmul"]
    near(run.values("\ncorr2d(X, K):\n"), worked["corr2d"], 0)
    near(run.values("kernel2matrix(K):\n"), worked["kernel_matrix"], 0)
    near(run.values("W times X:"), worked["corr2d"], 0)
    for label in (
        *("trans_conv(Y, K):\n", "W transposed times Y:", "by a convolution:\n"),
        "gradient of Σ Y · corr2d(X, K):\n",
    ):
        near(run.values(label), worked["trans_conv_of_Y"], 0)


def test_transposed_conv_prints_shapes_and_kernel(runs):
    run = runs("transposed_conv")
    near(run.values("\nX:"), [1, 10, 16, 16], 0)
    near(run.values("\nf(X):"), [1, 20, 6, 6], 0)
    near(run.values("g(f(X)):"), [1, 10, 16, 16], 0)
    expected = WORKED["bilinear_kernel"]["diagonal_filter"]
    near(run.values("a bilinear kernel:\n"), expected, 5e-5)
    assert "(50, 64) → (100, 128)" in run.output
    result = json.loads((run.folder / "result.json").read_text())["metrics"]
    assert result["bilinear_slope"] == pytest.approx(2, abs=1e-5)
    assert result["not_zero"] == 9 * 30**2 / (30**2 * 32**2)


@pytest.mark.once
def test_transposed_conv_of_a_photograph(tmp_path):
    require_framework()
    photo = np.full((80, 120, 3), (200, 30, 90), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    run = Run(
        "transposed_conv", tmp_path / "out", "--image", str(tmp_path / "photo.png")
    )
    assert "bilinear: (20, 30) → (40, 60)" in run.output


# ---- semantic segmentation -----------------------------------------------------------


def test_segmentation_counts_and_shapes(runs):
    run = runs("semantic_segmentation")
    sizes = {"train": [], "val": []}
    for path in (run.folder.parent / "VOCdevkit" / "VOC2012" / "JPEGImages").iterdir():
        with Image.open(path) as image:
            sizes[path.name.partition("_")[0]].append(image.size)
    left = {
        split: sum(width >= 128 and height >= 96 for width, height in found)
        for split, found in sizes.items()
    }
    result = json.loads((run.folder / "result.json").read_text())["metrics"]
    assert result["train_examples"] == left["train"] < 24
    assert result["val_examples"] == left["val"]
    assert f"read {left['train']} examples\nread {left['val']} examples" in run.output
    assert f"too small for the crop: {24 - left['train']} and" in run.output
    assert "one example: (3, 96, 128) (96, 128)" in run.output
    assert "a batch: (4, 3, 96, 128) (4, 96, 128)" in run.output
    assert "table: 16777216 entries, 16 MiB, uint8" in run.output


def test_segmentation_shares_are_those_of_the_labels(runs):
    run = runs("semantic_segmentation")
    folder = run.folder.parent / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    labels = [np.asarray(Image.open(p)) for p in sorted(folder.glob("train*"))]
    pixels = np.concatenate([label.ravel() for label in labels])
    result = json.loads((run.folder / "result.json").read_text())["metrics"]
    share = (pixels == 0).sum() / (pixels != 255).sum()
    assert result["background"] == pytest.approx(share, abs=1e-9)
    void = (labels[0] == 255).mean()
    assert f"void: {void:.1%} of the pixels" in run.output
    (window,) = re.findall(r"rows (\d+) to \d+, columns (\d+) to \d+:", run.output)
    top, column = map(int, window)
    part = np.where(labels[0] == 255, 0, labels[0])[
        top : top + 10, column : column + 10
    ]
    assert part.any() and not part.all()
    text = run.output.partition(f"columns {column} to {column + 9}:")[2]
    printed = text.partition("]]")[0].replace("[", " ").replace("]", " ").split()
    near([float(x) for x in printed], part, 0)
