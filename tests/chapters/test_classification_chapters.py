"""The chapters about classification from end to end, on a few small pictures."""

import csv
import json
import re

import numpy as np
import pytest
from chapter_runs import colors_of, runs_of

from d2lcv.drawn.cifar10 import CLASSES, make_cifar10, make_cifar10_tiny

SMALL = ("--batch-size", "16", "--width", "4")
CHANGES = "horizontal vertical crops brightness hue jitter composed".split()
FIGURES = {
    "image_augmentation": [
        *("cat", *CHANGES, "pictures", "with-augmentation", "without-augmentation"),
        *("flips-and-hue", "random-crops"),
    ],
    "kaggle_cifar10": [
        *("pictures", "validation", "all-pictures", "predictions"),
        "without-augmentation",
    ],
}


def options(name, folder):
    data = ("--data", str(folder / "data"), "--seed", "3", "--exercises", "true")
    if name == "image_augmentation":
        make_cifar10(folder / "data", num_train=4, num_test=2)
        return *data, *SMALL, "--num-epochs", "2", "--code"
    make_cifar10_tiny(folder / "data", num_train=60, num_test=12)
    return *data, *SMALL, "--num-epochs", "2", "--lr", "0.01"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return runs_of(tmp_path_factory, options)


def result_of(run):
    return json.loads((run.folder / "result.json").read_text())


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_there_and_not_blank(runs, name):
    run = runs(name)
    assert run.figures() == FIGURES[name]
    for figure, pixels in run.pictures().items():
        assert colors_of(pixels) > 30, figure


@pytest.mark.parametrize("name", FIGURES)
def test_result_is_reported(runs, name):
    result = result_of(runs(name))
    assert (result["chapter"], result["preset"], result["seed"]) == (name, "quick", 3)
    for metric, value in result["metrics"].items():
        assert np.isfinite(value), metric
        assert "acc" not in metric or 0 <= value <= 1, metric
    assert result["examples_per_sec"] > 0


# ---- augmentation --------------------------------------------------------------------


def test_augmentation_accuracies_are_shares_of_the_pictures(runs):
    run = runs("image_augmentation")
    assert f"40 pictures to train on, {', '.join(CLASSES)}\n" in run.output
    assert "a batch: (16, 3, 32, 32) (16,)\n" in run.output
    found = result_of(run)["metrics"]
    for name in ("train_acc", "test_acc", "train_acc_without", "test_acc_without"):
        size = 40 if name.startswith("train") else 20
        assert found[name] * size == pytest.approx(round(found[name] * size)), name
    assert found["gap"] == pytest.approx(found["train_acc"] - found["test_acc"])
    assert found["gap_without"] == pytest.approx(
        found["train_acc_without"] - found["test_acc_without"]
    )


def test_augmentation_shows_what_the_framework_does(runs):
    """And that it does nearly what Pillow does."""
    output = runs("image_augmentation").output
    assert output.count("def crop(") == output.count("def adjust_hue(") == 1
    difference = re.search(r"mean difference: ([\d.]+) of 255 grey levels", output)
    assert 0 < float(difference[1]) < 1


def test_augmentation_exercises(runs):
    output = runs("image_augmentation").output
    for name in ("flips and hue", "random crops"):
        assert (
            len(re.findall(rf"^{name}: test accuracy [\d.]+, gap", output, re.M)) == 1
        )


# ---- the competition -----------------------------------------------------------------


def test_competition_is_sorted_beside_the_output(runs):
    """The reader's folder stays as it was."""
    run = runs("kaggle_cifar10")
    data = run.folder.parent / "data"
    assert {p.name for p in data.iterdir()} == {"train", "test", "trainLabels.csv"}
    parts = run.folder / "train_valid_test"
    numbers = {p.name: len(list(p.glob("*/*.png"))) for p in parts.iterdir()}
    assert numbers == {"train": 50, "valid": 10, "train_valid": 60, "test": 12}
    for part, number in numbers.items():
        assert f"\n{part}: {number} pictures\n" in run.output
    with open(data / "trainLabels.csv", newline="") as file:
        _, *rows = csv.reader(file)
    for name, label in rows:
        assert (parts / "train_valid" / label / f"{name}.png").is_file()


def test_competition_submission(runs):
    """A row for each test file, in the order of the ids as numbers."""
    run = runs("kaggle_cifar10")
    with open(run.folder / "submission.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "label"]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 13)]
    assert {row[1] for row in rows} <= set(CLASSES)


def test_competition_validation(runs):
    """Ten pictures are held back: accuracies are tenths."""
    run = runs("kaggle_cifar10")
    found = result_of(run)["metrics"]
    for name in ("valid_acc", "valid_acc_mirrored"):
        assert found[name] * 10 == pytest.approx(round(found[name] * 10)), name
    once = re.search(r"validation accuracy: ([\d.]+) as it is, ([\d.]+)", run.output)
    assert float(once[1]) == pytest.approx(found["valid_acc"], abs=5e-4)
    assert float(once[2]) == pytest.approx(found["valid_acc_mirrored"], abs=5e-4)
