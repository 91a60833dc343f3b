"""The chapters about classification from end to end, on a few small pictures."""

import csv
import re

import pytest

from d2lcv.drawn.cifar10 import CLASSES

# ---- augmentation --------------------------------------------------------------------


@pytest.mark.chapter("image_augmentation")
def test_augmentation_accuracies_are_shares_of_the_pictures(run):
    assert f"40 pictures to train on, {', '.join(CLASSES)}\n" in run.output
    assert "a batch: (20, 3, 32, 32) (20,)\n" in run.output
    found = run.result["metrics"]
    for name in ("train_acc", "test_acc", "train_acc_without", "test_acc_without"):
        size = 40 if name.startswith("train") else 20
        assert found[name] * size == pytest.approx(round(found[name] * size)), name
    assert found["gap"] == pytest.approx(found["train_acc"] - found["test_acc"])
    assert found["gap_without"] == pytest.approx(
        found["train_acc_without"] - found["test_acc_without"]
    )


@pytest.mark.chapter("image_augmentation")
def test_augmentation_shows_what_the_framework_does(run):
    """And that it does nearly what Pillow does."""
    output = run.output
    assert output.count("def crop(") == output.count("def adjust_hue(") == 1
    difference = re.search(r"mean difference: ([\d.]+) of 255 grey levels", output)
    assert 0 < float(difference[1]) < 1


@pytest.mark.once
@pytest.mark.chapter("image_augmentation")
def test_augmentation_exercises(run):
    output = run.output
    for name in ("flips and hue", "random crops"):
        assert (
            len(re.findall(rf"^{name}: test accuracy [\d.]+, gap", output, re.M)) == 1
        )


# ---- the competition -----------------------------------------------------------------


@pytest.mark.chapter("kaggle_cifar10")
def test_competition_is_sorted_beside_the_output(run):
    """The reader's folder stays as it was."""
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


@pytest.mark.chapter("kaggle_cifar10")
def test_competition_submission(run):
    """A row for each test file, in the order of the ids as numbers."""
    with open(run.folder / "submission.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "label"]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 13)]
    assert {row[1] for row in rows} <= set(CLASSES)


@pytest.mark.chapter("kaggle_cifar10")
def test_competition_validation(run):
    """Ten pictures are held back: accuracies are tenths."""
    found = run.result["metrics"]
    for name in ("valid_acc", "valid_acc_mirrored"):
        assert found[name] * 10 == pytest.approx(round(found[name] * 10)), name
    once = re.search(r"validation accuracy: ([\d.]+) as it is, ([\d.]+)", run.output)
    assert float(once[1]) == pytest.approx(found["valid_acc"], abs=5e-4)
    assert float(once[2]) == pytest.approx(found["valid_acc_mirrored"], abs=5e-4)
