"""The chapters about transposed convolution and segmentation, from end to end."""

import re

import numpy as np
import pytest
from chapter_runs import Run, near
from PIL import Image

from d2lcv.proof.inputs import WORKED

# ---- transposed convolution ----------------------------------------------------------

VOC = "data/VOCdevkit/VOC2012"


@pytest.mark.chapter("transposed_conv")
def test_transposed_conv_prints_the_worked_examples(run):
    worked = WORKED["trans_conv"]
    for label in ("trans_conv(X, K):\n", "by the layer:\n"):
        near(run.values(label), worked["expected"], 0)
    near(run.values("padding 1:\n"), worked["padding_1"], 0)
    near(run.values("stride 2:\n"), worked["stride_2"], 0)


@pytest.mark.chapter("transposed_conv")
def test_transposed_conv_prints_the_matrices(run):
    worked = WORKED["conv_as_matmul"]
    near(run.values("\ncorr2d(X, K):\n"), worked["corr2d"], 0)
    near(run.values("kernel2matrix(K):\n"), worked["kernel_matrix"], 0)
    near(run.values("W times X:"), worked["corr2d"], 0)
    for label in (
        *("trans_conv(Y, K):\n", "W transposed times Y:", "by a convolution:\n"),
        "gradient of Σ Y · corr2d(X, K):\n",
    ):
        near(run.values(label), worked["trans_conv_of_Y"], 0)


@pytest.mark.chapter("transposed_conv")
def test_transposed_conv_prints_shapes_and_kernel(run):
    near(run.values("\nX:"), [1, 10, 16, 16], 0)
    near(run.values("\nf(X):"), [1, 20, 6, 6], 0)
    near(run.values("g(f(X)):"), [1, 10, 16, 16], 0)
    expected = WORKED["bilinear_kernel"]["diagonal_filter"]
    near(run.values("a bilinear kernel:\n"), expected, 5e-5)
    assert "(50, 64) → (100, 128)" in run.output
    result = run.result["metrics"]
    assert result["bilinear_slope"] == pytest.approx(2, abs=1e-5)
    assert result["not_zero"] == 9 * 30**2 / (30**2 * 32**2)


@pytest.mark.once
def test_transposed_conv_of_a_photograph(d2l, tmp_path):
    photo = np.full((80, 120, 3), (200, 30, 90), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    run = Run(
        "transposed_conv", tmp_path / "out", "--image", str(tmp_path / "photo.png")
    )
    assert "bilinear: (20, 30) → (40, 60)" in run.output


# ---- semantic segmentation -----------------------------------------------------------


@pytest.mark.chapter("semantic_segmentation")
def test_segmentation_counts_and_shapes(run):
    sizes = {"train": [], "val": []}
    for path in (run.folder.parent / VOC / "JPEGImages").iterdir():
        with Image.open(path) as image:
            sizes[path.name.partition("_")[0]].append(image.size)
    left = {
        split: sum(width >= 128 and height >= 96 for width, height in found)
        for split, found in sizes.items()
    }
    result = run.result["metrics"]
    assert result["train_examples"] == left["train"] < 24
    assert result["val_examples"] == left["val"]
    assert f"read {left['train']} examples\nread {left['val']} examples" in run.output
    assert f"too small for the crop: {24 - left['train']} and" in run.output
    assert "one example: (3, 96, 128) (96, 128)" in run.output
    assert "a batch: (4, 3, 96, 128) (4, 96, 128)" in run.output
    assert "table: 16777216 entries, 16 MiB, uint8" in run.output


@pytest.mark.chapter("semantic_segmentation")
def test_segmentation_shares_are_those_of_the_labels(run):
    folder = run.folder.parent / VOC / "SegmentationClass"
    labels = [np.asarray(Image.open(p)) for p in sorted(folder.glob("train*"))]
    pixels = np.concatenate([label.ravel() for label in labels])
    result = run.result["metrics"]
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


# ---- fully convolutional ------------------------------------------------------------


@pytest.mark.chapter("fcn")
def test_shapes_are_those_of_the_worked_example(run):
    worked = WORKED["fcn_shapes"]
    assert run.values("scores:").tolist() == worked["output"]
    # the embedded source network is narrower, its map has the size of the example's
    assert run.values("features:").tolist()[2:] == worked["resnet18_features"][2:]


def numbers_after(run, label):
    line = run.output.partition(label)[2].partition("\n")[0]
    return [int(n) for n in re.findall(r"\d+", line)]


@pytest.mark.chapter("fcn")
def test_upsampling_doubles(run):
    before, after = np.reshape(numbers_after(run, "upsampled from "), (2, 2))
    assert after.tolist() == (2 * before).tolist()


@pytest.mark.chapter("fcn")
def test_whole_pictures_get_a_class_for_each_pixel(run):
    *picture, channels, height, width = numbers_after(run, "picture and classes: ")
    assert channels == 3 and picture == [height, width]


@pytest.mark.chapter("fcn")
def test_fcn_measures(run):
    metrics = run.result["metrics"]
    for name in ("test_acc", "train_acc"):
        assert 0 < metrics[name] < 1
    # of the classes that occur one is right, in part: all others have an IoU of 0
    background = metrics["mean_iou_background"]
    assert 0 < background < 1 / 2
    assert 0 < metrics["mean_iou"] < 1


@pytest.mark.once
@pytest.mark.chapter("fcn")
def test_fcn_exercises(run):
    for name in ("mean_iou_16s", "mean_iou_8s", "mean_iou_weighted"):
        assert 0 < run.result["metrics"][name] < 1
