"""The chapters about fine-tuning and dog breeds, from end to end, on small pictures."""

import csv
import math

import numpy as np
import pytest

from d2lcv.drawn.dogs import BREEDS

# ---- fine-tuning ---------------------------------------------------------------------


@pytest.mark.chapter("fine_tuning")
def test_frozen_features_are_unchanged(run):
    assert "\nfeatures unchanged: True\n" in run.output


@pytest.mark.chapter("fine_tuning")
def test_fine_tuning_reports_its_networks(run):
    assert "12 pictures to train on, 10 to test\n" in run.output
    assert "classes: ['hotdog', 'not-hotdog']\n" in run.output
    assert "weights of the class 'sausage': shape (128,)\n" in run.output
    found = run.result["metrics"]
    for name, value in found.items():
        size = 12 if name == "train_acc" else 10
        assert 0 <= value <= 1 and value * size == pytest.approx(round(value * size))
    assert f"test accuracy: {found['test_acc']:.3f} fine-tuned, " in run.output
    assert f"epoch 2: test accuracy {found['test_acc']:.3f} fresh, " in run.output


# ---- dog breeds ----------------------------------------------------------------------


@pytest.mark.chapter("kaggle_dog")
def test_dog_submission(run):
    """Its columns, its rows, and that a row is a distribution."""
    with open(run.folder / "submission.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", *sorted(BREEDS)]
    files = {path.stem for path in (run.folder.parent / "data" / "test").iterdir()}
    assert len(rows) == len(files) == 12 and {row[0] for row in rows} == files
    table = np.array([row[1:] for row in rows], float)
    assert (table > 0).all() and table.std(0).min() > 0
    np.testing.assert_allclose(table.sum(1), 1, atol=1e-6)
    assert run.result["metrics"]["num_submitted"] == 12


@pytest.mark.chapter("kaggle_dog")
def test_dog_chapter_learns(run):
    """Seven pictures of each breed, three passes: a guess costs more."""
    found = run.result["metrics"]
    assert found["guessing_loss"] == pytest.approx(math.log(len(BREEDS)))
    assert found["valid_loss"] < found["guessing_loss"]
    assert "84 labelled pictures, 10 breeds, 1 of each to validate\n" in run.output
    frozen = f"{found['valid_loss']:.3f}"
    assert f"validation loss {frozen}; guessing costs 2.303\n" in run.output


@pytest.mark.once
@pytest.mark.chapter("kaggle_dog")
def test_dog_exercises(run):
    frozen = f"{run.result['metrics']['valid_loss']:.3f}"
    assert f", and {frozen} with frozen features\n" in run.output


@pytest.mark.chapter("kaggle_dog")
def test_dog_chapter_leaves_its_data_alone(run):
    """Copies are arranged beside the output."""
    data = run.folder.parent / "data"
    assert {path.name for path in data.iterdir()} == {"labels.csv", "train", "test"}
    parts = {path.name for path in (run.folder / "train_valid_test").iterdir()}
    assert parts == {"train", "valid", "train_valid", "test"}
