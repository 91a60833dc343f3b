"""The drawn bananas: layout, boxes, determinism, and that they are worth learning."""

import csv
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2lcv.drawn import bananas
from d2lcv.drawn import sets as synthetic
from d2lcv.drawn.bananas import draw_banana, make_bananas

SIZE = 256


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small set: 6 pictures to train on, 3 to validate on."""
    return make_bananas(tmp_path_factory.mktemp("set") / "bananas", 6, 3, seed=5)


@pytest.fixture(scope="module")
def drawn():
    return [draw_banana(index) for index in range(60)]


def rows(folder, split):
    with open(Path(folder, f"bananas_{split}", "label.csv"), newline="") as file:
        return list(csv.reader(file))


def tree(folder):
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


# ---- the files -----------------------------------------------------------------------


def test_layout(made):
    pictures = [f"bananas_train/images/{i}.png" for i in range(6)]
    pictures += [f"bananas_val/images/{i}.png" for i in range(3)]
    labels = ["bananas_train/label.csv", "bananas_val/label.csv"]
    assert set(tree(made)) == {*pictures, *labels, "classes.txt"}
    for name in pictures:
        with Image.open(Path(made, name)) as image:
            assert (image.format, image.mode, image.size) == (
                "PNG",
                "RGB",
                (SIZE, SIZE),
            )


@pytest.mark.parametrize(("split", "count"), [("train", 6), ("val", 3)])
def test_labels(made, split, count):
    header, *body = rows(made, split)
    assert header == ["img_name", "label", "xmin", "ymin", "xmax", "ymax"]
    assert [row[0] for row in body] == [f"{i}.png" for i in range(count)]
    for i, row in enumerate(body):
        label, *box = map(int, row[1:])  # whole numbers, as the original has
        assert label == 0
        assert box == draw_banana(i, split, SIZE, seed=5)[1].tolist()


def test_files_hold_the_drawn_pixels(made):
    for split, i in (("train", 0), ("train", 5), ("val", 2)):
        with Image.open(Path(made, f"bananas_{split}/images/{i}.png")) as image:
            drawn = draw_banana(i, split, SIZE, seed=5)[0]
            np.testing.assert_array_equal(np.asarray(image), drawn)


def test_same_seed_same_bytes_whatever_the_number(made, tmp_path):
    again = tree(make_bananas(tmp_path / "again", 3, 4, seed=5))
    before = tree(made)
    shared = [name for name in again if name in before and name.endswith(".png")]
    assert len(shared) == 6
    assert all(again[name] == before[name] for name in shared)


def test_seed_split_and_index_all_matter():
    first = draw_banana(0, "train", 64, 0)[0]
    for other in ((1, "train", 64, 0), (0, "val", 64, 0), (0, "train", 64, 1)):
        assert (draw_banana(*other)[0] != first).mean() > 0.5


def test_progress_is_shown_on_a_terminal_only(tmp_path, capsys, monkeypatch):
    make_bananas(tmp_path / "quiet", 1, 1, size=32)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    make_bananas(tmp_path / "few", 1, 1, size=32)
    assert "2/2" in capsys.readouterr().err


@pytest.mark.parametrize("size", [32, 100, 300])
def test_other_sizes(size):
    image, box, mask = draw_banana(3, size=size)
    assert image.shape == (size, size, 3)
    assert mask.shape == (size, size)
    assert box.max() <= size


# ---- the boxes -----------------------------------------------------------------------


def test_boxes_are_tight_around_the_banana(drawn):
    for _, (x1, y1, x2, y2), mask in drawn:
        y, x = np.nonzero(mask)
        assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (x1, y1, x2, y2)
        assert mask.sum() > 0.15 * (x2 - x1) * (y2 - y1)


def test_boxes_are_where_the_pixels_change(monkeypatch):
    """Paint the same bananas in another colour: the change fills the box."""
    plain = [draw_banana(index)[0] for index in range(12)]

    def painted(c, draw=bananas.food.banana):
        draw(c)
        purple = np.array([200, 0, 255])[:, None, None]
        c._premultiplied[:] = purple * c._cover

    monkeypatch.setattr(bananas.food, "banana", painted)
    for index, before in enumerate(plain):
        after, box, _ = draw_banana(index)
        y, x = np.nonzero((np.abs(after.astype(int) - before) > 30).any(2))
        change = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
        # by half-covered pixels at the rim, and by what a soft lens makes of them
        grown = (change - box) * [-1, -1, 1, 1]
        assert (grown >= 0).all()
        assert (grown <= 3).all()


def test_sizes_and_places_vary(drawn):
    boxes = np.array([box for _, box, _ in drawn]) / SIZE
    longer = (boxes[:, 2:] - boxes[:, :2]).max(1)
    assert longer.min() > 0.22
    assert longer.max() < 0.65
    assert np.ptp(longer) > 0.2
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (np.ptp(centres, axis=0) > 0.55).all()


# ---- the pictures --------------------------------------------------------------------


def is_yellow(image):
    red, green, blue = np.moveaxis(image.astype(int), 2, 0)
    return (red > 100) & (green > 0.6 * red) & (blue < 0.6 * green)


def test_bananas_are_mostly_yellow(drawn):
    shares = [is_yellow(image)[mask].mean() for image, _, mask in drawn]
    assert np.median(shares) > 0.6


def test_colour_alone_does_not_find_them(drawn):
    """The box around all yellow pixels is nearly never the banana's."""
    found = 0
    for image, (x1, y1, x2, y2), _ in drawn:
        y, x = np.nonzero(is_yellow(image))
        guess = x.min(), y.min(), x.max() + 1, y.max() + 1
        width = min(x2, guess[2]) - max(x1, guess[0])
        height = min(y2, guess[3]) - max(y1, guess[1])
        shared = max(width, 0) * max(height, 0)
        both = (x2 - x1) * (y2 - y1) + (guess[2] - guess[0]) * (guess[3] - guess[1])
        found += shared / (both - shared) > 0.5
    assert found < 0.3 * len(drawn)


def test_pictures_are_neither_flat_nor_burnt_out(drawn):
    for image, _, _ in drawn:
        assert image.std() > 8
        assert np.mean((image < 8) | (image > 247)) < 0.6


# ---- asking for a set ----------------------------------------------------------------


def test_synthetic_makes_a_set_once(monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    few = {"num_train": 2, "num_val": 1, "size": 32}
    folder = synthetic.synthetic("bananas", **few)
    assert Path(folder).parent == tmp_path / "synthetic"
    assert len(rows(folder, "train")) == 3
    stamp = os.stat(Path(folder, "bananas_val", "label.csv")).st_mtime_ns
    assert synthetic.synthetic("bananas", **few) == folder
    assert os.stat(Path(folder, "bananas_val", "label.csv")).st_mtime_ns == stamp
    other = synthetic.synthetic("bananas", **few, seed=1)
    assert other != folder
    more = synthetic.synthetic("bananas", **few | {"num_train": 3})
    assert more not in (folder, other)


def test_a_new_version_is_a_new_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    few = {"num_train": 1, "num_val": 1, "size": 32}
    before = synthetic.synthetic("bananas", **few)
    monkeypatch.setattr(bananas, "VERSION", bananas.VERSION + 1)
    assert synthetic.synthetic("bananas", **few) != before


def test_unknown_set_and_parameter(monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="'bananas'"):
        synthetic.synthetic("apples")
    with pytest.raises(TypeError, match="colour"):
        synthetic.synthetic("bananas", colour=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [{"num_train": 0}, {"num_val": 0}, {"size": 31}, {"seed": -1}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_numbers_that_are_too_small(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected at least"):
        make_bananas(tmp_path / "set", **wrong)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="there already"):
        make_bananas(tmp_path, 1, 1)
    assert tree(tmp_path) == {"mine.txt": b"mine"}


def test_an_empty_folder_is_filled(tmp_path):
    assert len(tree(make_bananas(tmp_path / ".", 1, 1, size=32))) == 5


def test_a_crash_leaves_nothing(monkeypatch, tmp_path):
    def draw(index, *arguments):
        if index == 3:
            raise KeyboardInterrupt
        return draw_banana(index, *arguments)

    monkeypatch.setattr(bananas, "draw_banana", draw)
    with pytest.raises(KeyboardInterrupt):
        make_bananas(tmp_path / "set", 5, 1, size=32)
    assert not list(tmp_path.iterdir())


def test_two_at_once_give_one_set(tmp_path):
    errors = []

    def make():
        try:
            make_bananas(tmp_path / "set", 3, 1, size=32)
        except FileExistsError:  # so late that the other one was ready
            pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(tree(tmp_path)) == 7
