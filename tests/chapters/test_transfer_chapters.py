"""The chapters about fine-tuning and dog breeds, from end to end, on small pictures."""

import csv
import json
import math

import numpy as np
import pytest
from chapter_runs import colors_of, runs_of

from d2lcv.drawn.dogs import BREEDS, make_dog_tiny
from d2lcv.drawn.hotdog import make_hotdog

SMALL = ("--image-size", "48", "--resize", "56", "--batch-size", "16")
FIGURES = {
    "fine_tuning": [
        *("pictures", "fine-tuned", "scratch", "frozen", "reused"),
        *("rate-3", "rate-10", "rate-30", "frozen-rate-1", "frozen-rate-30"),
    ],
    "kaggle_dog": ["pictures", "validation", "all-pictures", "top-five", "all-layers"],
}


def options(name, folder):
    data = ("--data", str(folder / "data"), *SMALL, "--exercises", "true")
    if name == "fine_tuning":
        make_hotdog(folder / "data", num_train=6, num_test=5, size=64)
        return *data, "--num-epochs", "2", "--lr", "0.003"
    make_dog_tiny(folder / "data", num_train=84, num_test=12, size=64)
    return *data, "--num-epochs", "3"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return runs_of(tmp_path_factory, options)


def metrics(run):
    return json.loads((run.folder / "result.json").read_text())["metrics"]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_there_and_not_blank(runs, name):
    run = runs(name)
    assert run.figures() == FIGURES[name]
    for figure, pixels in run.pictures().items():
        assert colors_of(pixels) > 30, figure


# ---- fine-tuning ---------------------------------------------------------------------


def test_frozen_features_are_unchanged(runs):
    assert "\nfeatures unchanged: True\n" in runs("fine_tuning").output


def test_fine_tuning_reports_its_networks(runs):
    run = runs("fine_tuning")
    assert "12 pictures to train on, 10 to test\n" in run.output
    assert "classes: ['hotdog', 'not-hotdog']\n" in run.output
    assert "weights of the class 'sausage': shape (128,)\n" in run.output
    found = metrics(run)
    for name, value in found.items():
        size = 12 if name == "train_acc" else 10
        assert 0 <= value <= 1 and value * size == pytest.approx(round(value * size))
    assert f"test accuracy: {found['test_acc']:.3f} fine-tuned, " in run.output
    assert f"epoch 2: test accuracy {found['test_acc']:.3f} fresh, " in run.output


# ---- dog breeds ----------------------------------------------------------------------


def test_dog_submission(runs):
    """Its columns, its rows, and that a row is a distribution."""
    run = runs("kaggle_dog")
    with open(run.folder / "submission.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", *sorted(BREEDS)]
    files = {path.stem for path in (run.folder.parent / "data" / "test").iterdir()}
    assert len(rows) == len(files) == 12 and {row[0] for row in rows} == files
    table = np.array([row[1:] for row in rows], float)
    assert (table > 0).all() and table.std(0).min() > 0
    np.testing.assert_allclose(table.sum(1), 1, atol=1e-6)
    assert metrics(run)["num_submitted"] == 12


def test_dog_chapter_learns(runs):
    """Two pictures of each breed, three passes: a guess costs more."""
    run = runs("kaggle_dog")
    found = metrics(run)
    assert found["guessing_loss"] == pytest.approx(math.log(len(BREEDS)))
    assert found["valid_loss"] < found["guessing_loss"]
    assert "84 labelled pictures, 28 breeds, 1 of each to validate\n" in run.output
    frozen = f"{found['valid_loss']:.3f}"
    assert f"validation loss {frozen}; guessing costs 3.332\n" in run.output
    assert f", and {frozen} with frozen features\n" in run.output


def test_dog_chapter_leaves_its_data_alone(runs):
    """Copies are arranged beside the output."""
    run = runs("kaggle_dog")
    data = run.folder.parent / "data"
    assert {path.name for path in data.iterdir()} == {"labels.csv", "train", "test"}
    parts = {path.name for path in (run.folder / "train_valid_test").iterdir()}
    assert parts == {"train", "valid", "train_valid", "test"}
