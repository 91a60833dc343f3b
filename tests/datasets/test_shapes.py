"""The drawn set with masks: what is in it, its layout on disk, and how it is read."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2lcv.datasets.folders import shapes_folder
from d2lcv.datasets.shapes import ShapesDataset
from d2lcv.drawn.shapes import CLASSES, draw_shapes, make_shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_shapes(tmp_path_factory.mktemp("data") / "shapes", 8, 3, size=64)


def test_drawing_value():
    """Boxes are tight about the numbers, classes are those there are."""
    seen = set()
    for index in range(20):
        image, rows, number = draw_shapes(index, "train", 96)
        assert image.shape == (96, 96, 3) and image.dtype == np.uint8
        assert number.shape == (96, 96) and number.dtype == np.uint8
        assert 1 <= len(rows) <= 3 and set(np.unique(number)) == set(
            range(len(rows) + 1)
        )
        for i, (label, x1, y1, x2, y2) in enumerate(rows):
            y, x = np.nonzero(number == i + 1)
            assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (x1, y1, x2, y2)
            seen.add(int(label))
    assert seen == set(range(len(CLASSES)))


def test_drawing_is_the_same_for_the_same_seed():
    for one, other in zip(draw_shapes(3), draw_shapes(3), strict=True):
        np.testing.assert_array_equal(one, other)
    for other in (draw_shapes(3, "val"), draw_shapes(4), draw_shapes(3, seed=1)):
        assert (draw_shapes(3)[0] != other[0]).any()


def test_objects_differ_from_what_is_around():
    """What is inside a mask has a colour of its own, in most pictures."""
    steps = []
    for index in range(20):
        image, _, number = draw_shapes(index)
        inside = image[number == 1].mean(0)
        steps.append(np.abs(inside - image[number == 0].mean(0)).max())
    assert np.median(steps) > 25


def test_layout(folder):
    root = Path(folder)
    assert (root / "classes.txt").read_text().split() == list(CLASSES)
    for split, count in (("train", 8), ("val", 3)):
        for kind in ("images", "masks"):
            names = {p.name for p in (root / f"shapes_{split}" / kind).iterdir()}
            assert names == {f"{i}.png" for i in range(count)}
        with open(root / f"shapes_{split}" / "label.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["img_name", "label", "xmin", "ymin", "xmax", "ymax"]
        image, boxes, number = draw_shapes(0, split, 64)
        stored = np.asarray(Image.open(root / f"shapes_{split}" / "masks" / "0.png"))
        np.testing.assert_array_equal(stored, number)
        stored = np.asarray(Image.open(root / f"shapes_{split}" / "images" / "0.png"))
        np.testing.assert_array_equal(stored, image)
        first = [list(r.values())[1:] for r in rows if r["img_name"] == "0.png"]
        np.testing.assert_array_equal(np.array(first, int), boxes)


def test_dataset_value(folder):
    dataset = ShapesDataset(True, folder)
    assert len(dataset) == 8 and dataset.num_classes == 3
    assert dataset.classes == CLASSES
    for i in range(len(dataset)):
        image, label, masks = dataset.example(i)
        pixels, rows, number = draw_shapes(i, "train", 64)
        np.testing.assert_array_equal(image, pixels.transpose(2, 0, 1))
        assert image.dtype == label.dtype == masks.dtype == np.float32
        assert masks.shape == (len(label), 64, 64)
        for k, mask in enumerate(masks):
            np.testing.assert_array_equal(mask, number == k + 1)
            if k < len(rows):
                np.testing.assert_array_equal(label[k] * [1, 64, 64, 64, 64], rows[k])
            else:
                assert label[k, 0] == -1 and not mask.any()


def test_dataset_resized(folder):
    image, label, masks = ShapesDataset(False, folder, (32, 48)).example(0)
    assert image.shape == (3, 32, 48) and masks.shape[1:] == (32, 48)
    y, x = np.nonzero(masks[0])
    tight = np.array(
        [x.min() / 48, y.min() / 32, (x.max() + 1) / 48, (y.max() + 1) / 32]
    )
    np.testing.assert_allclose(tight, label[0, 1:], atol=1.5 / 32)


def test_dataset_in_a_loader(d2l, folder):
    batches = list(d2l.loader(d2l.ShapesDataset(False, folder), 2))
    assert [tuple(x.shape[0] for x in batch) for batch in batches] == [
        (2,) * 3,
        (1,) * 3,
    ]
    X, Y, masks = batches[0]
    assert tuple(X.shape) == (2, 3, 64, 64) and tuple(Y.shape)[::2] == (2, 5)
    assert tuple(masks.shape) == (2, Y.shape[1], 64, 64)


@pytest.mark.parametrize("problem", ["missing", "colour", "torn", "size"])
def test_mask_exception(tmp_path, problem):
    root = make_shapes(tmp_path / "shapes", 1, 1, size=32)
    path = tmp_path / "shapes" / "shapes_train" / "masks" / "0.png"
    if problem == "missing":
        path.unlink()
    elif problem == "colour":
        Image.new("RGB", (32, 32)).save(path)
    elif problem == "size":
        Image.new("L", (32, 31)).save(path)
    else:
        path.write_bytes(path.read_bytes()[:60])
    dataset = ShapesDataset(True, root)
    error = FileNotFoundError if problem == "missing" else ValueError
    with pytest.raises(error, match=r"masks.0\.png"):
        dataset.example(0)


@pytest.mark.parametrize(
    "options,said",
    [
        ({"num_train": 0}, r"^num_train: .*at least 1, got 0"),
        ({"num_val": -1}, r"^num_val: .*at least 1, got -1"),
        ({"size": 8}, r"^size: .*at least 32, got 8"),
        ({"seed": -1}, r"^seed: .*at least 0, got -1"),
    ],
)
def test_make_exception(tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        make_shapes(tmp_path / "shapes", **options)
    assert not list(tmp_path.iterdir())


def test_make_keeps_what_is_there(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="there already"):
        make_shapes(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_folder_value(folder, monkeypatch, tmp_path):
    assert shapes_folder(folder) == folder
    with pytest.raises(FileNotFoundError, match=r"'synthetic' or a folder.*nowhere"):
        shapes_folder(str(tmp_path / "nowhere"))
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    maker = "d2lcv.drawn.shapes.make_shapes"
    monkeypatch.setattr(maker, lambda folder, num_train=3: str(folder))
    assert shapes_folder() == str(tmp_path / "synthetic" / "shapes-v1-train3")
