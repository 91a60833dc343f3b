"""Kaggle folders and submissions: nothing lost, nothing twice, whatever happened before."""

import collections
import csv
import math
import os
import random
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from d2lcv.datasets.kaggle import (
    copyfile,
    read_csv_labels,
    reorg_test,
    reorg_train_valid,
    write_probabilities,
    write_submission,
)

SIZES = {"cat": 7, "dog": 5, "frog": 6}


def make(root, sizes, suffix=".png", test=3):
    """A competition's folder: each file holds its own name. Gives id → label."""
    labels = {}
    for folder in ("train", "test"):
        (Path(root) / folder).mkdir(parents=True)
    every = [label for label, size in sizes.items() for _ in range(size)]
    for number, label in enumerate(every, 1):
        labels[str(number)] = label
        (Path(root) / "train" / f"{number}{suffix}").write_text(f"train {number}")
    for number in range(1, test + 1):
        (Path(root) / "test" / f"{number}{suffix}").write_text(f"test {number}")
    return labels


def tree(root):
    paths = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def arranged(root, part):
    """{(label, name of file)} of one part."""
    folder = Path(root, "train_valid_test", part)
    return {tuple(name.split("/")) for name in tree(folder)}


def check_split(root, labels, ratio, returned):
    """Everything that must hold, from the definition."""
    smallest = min(collections.Counter(labels.values()).values())
    assert returned == max(math.floor(smallest * ratio), 1)
    both = {(label, f"{name}.png") for name, label in labels.items()}
    train, valid = arranged(root, "train"), arranged(root, "valid")
    assert arranged(root, "train_valid") == both
    assert train | valid == both and not train & valid
    counts = collections.Counter(label for label, _ in valid)
    assert counts == dict.fromkeys(set(labels.values()), returned)
    for name, text in tree(Path(root, "train_valid_test")).items():
        assert text == f"train {Path(name).stem}" or name.startswith("test/")
    folders = {p.name for p in Path(root, "train_valid_test", "train").iterdir()}
    assert folders == set(labels.values())


# ---- labels --------------------------------------------------------------------------


def test_read_csv_labels_value(tmp_path):
    path = tmp_path / "trainLabels.csv"
    path.write_bytes('\ufeffid,label\r\n1,frog\r\n\r\n"a,b", dog \r\n007,cat'.encode())
    assert read_csv_labels(path) == {"1": "frog", "a,b": "dog", "007": "cat"}
    assert list(read_csv_labels(str(path))) == ["1", "a,b", "007"]


@pytest.mark.parametrize(
    "text,said",
    [
        ("id,label\n1,frog\n2\n", r"line 3: expected id,label, got '2,'"),
        ("id,label\n1,frog,3\n", r"Expected 2 fields in line 2, saw 3"),
        ("1,frog\n2,cat\n", r"line 1: expected a header .*, got '1,frog'"),
        ("id;label\n1;frog\n", r"line 1: expected a header .*, got 'id;label'"),
        ("id,label\n1,\n", r"line 2: expected id,label"),
        ("id,label\n1,cat\n2,dog\n1,cat\n", r"line 4: expected an id .* got '1,cat'"),
        ("id,label\n", "got none"),
        ("", "got none"),
        (b"id,label\n1,\xff\xfe\n", "UTF-8"),
    ],
)
def test_read_csv_labels_exception(tmp_path, text, said):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=said):
        read_csv_labels(path)


def test_read_csv_labels_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"labels\.csv; expected a CSV file"):
        read_csv_labels(tmp_path / "labels.csv")


def test_copyfile_value(tmp_path):
    (tmp_path / "1.png").write_bytes(b"\x89PNG")
    copy = copyfile(tmp_path / "1.png", tmp_path / "deep" / "folder")
    assert Path(copy) == tmp_path / "deep" / "folder" / "1.png"
    assert Path(copy).read_bytes() == b"\x89PNG"
    assert (tmp_path / "1.png").is_file()
    with pytest.raises(FileNotFoundError):
        copyfile(tmp_path / "2.png", tmp_path)


# ---- arranging -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "ratio,expected", [(0.1, 1), (0, 1), (0.2, 1), (0.4, 2), (0.79, 3), (0.99, 4)]
)
def test_reorg_train_valid_value(tmp_path, ratio, expected):
    labels = make(tmp_path, SIZES)
    returned = reorg_train_valid(str(tmp_path), labels, ratio)
    assert returned == expected
    check_split(tmp_path, labels, ratio, returned)
    # the originals stay, and there is nothing else
    assert {p.name for p in tmp_path.iterdir()} == {"train", "test", "train_valid_test"}
    assert tree(tmp_path / "train") == {f"{i}.png": f"train {i}" for i in range(1, 19)}


def test_the_first_ids_as_numbers_are_held_back(tmp_path):
    labels = make(tmp_path, {"cat": 12})
    assert reorg_train_valid(tmp_path, labels, 0.25) == 3
    names = {name for _, name in arranged(tmp_path, "valid")}
    assert names == {"1.png", "2.png", "3.png"}  # and not 1, 10, 11


def test_copies_in_another_folder(tmp_path):
    """The competition's own folder may be one that cannot be written."""
    data, target = tmp_path / "data", tmp_path / "out"
    labels = make(data, SIZES)
    before = tree(data)
    data.chmod(0o555)
    returned = reorg_train_valid(data, labels, 0.4, target)
    reorg_test(data, target_dir=str(target))
    data.chmod(0o755)
    assert tree(data) == before
    check_split(target, labels, 0.4, returned)
    unknown = {("unknown", f"{i}.png") for i in (1, 2, 3)}
    assert arranged(target, "test") == unknown
    assert [p.name for p in target.iterdir()] == ["train_valid_test"]


def test_reorg_properties():
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    sizes = st.dictionaries(st.sampled_from("abcdef"), st.integers(2, 9), min_size=1)

    @hypothesis.given(
        sizes, st.floats(0, 1, exclude_max=True), sizes, st.floats(0, 0.9)
    )
    def holds(first, ratio, second, other_ratio):
        with tempfile.TemporaryDirectory() as root:
            labels = make(root, first)
            check_split(root, labels, ratio, reorg_train_valid(root, labels, ratio))
            before = tree(root)
            reorg_train_valid(root, labels, ratio)
            assert tree(root) == before  # a second time, the same
            shutil.rmtree(Path(root, "train"))
            shutil.rmtree(Path(root, "test"))
            labels = make(root, second)  # other pictures: nothing is left of the first
            returned = reorg_train_valid(root, labels, other_ratio)
            check_split(root, labels, other_ratio, returned)

    holds()


def test_order_of_the_directory_and_of_the_labels_does_not_matter(
    tmp_path, monkeypatch
):
    labels = make(tmp_path, SIZES)
    reorg_train_valid(tmp_path, labels, 0.5)
    before = tree(tmp_path)
    iterdir, shuffled = Path.iterdir, random.Random(3)

    def disordered(path):
        entries = list(iterdir(path))
        shuffled.shuffle(entries)
        return iter(entries)

    monkeypatch.setattr(Path, "iterdir", disordered)
    for _ in range(3):
        items = list(labels.items())
        shuffled.shuffle(items)
        reorg_train_valid(tmp_path, dict(items), 0.5)
        assert tree(tmp_path) == before


@pytest.mark.parametrize("broken", ["shutil.copy", "os.replace"])
@pytest.mark.parametrize("moment", range(5))
def test_interrupted_and_repaired(tmp_path, monkeypatch, broken, moment):
    """Whenever it is cut short, no split is mixed, and the next call makes it right."""
    labels = make(tmp_path, SIZES)
    reorg_train_valid(tmp_path, labels, 0.6)
    reorg_test(tmp_path)
    module, name = broken.split(".")
    work = getattr({"shutil": shutil, "os": os}[module], name)
    left = [moment]

    def cut(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return work(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(broken, cut)
        reorg_train_valid(tmp_path, labels, 0.2)
    target = tmp_path / "train_valid_test"
    if (target / "train").is_dir() and (target / "valid").is_dir():
        assert not arranged(tmp_path, "train") & arranged(tmp_path, "valid")
    assert tree(tmp_path / "train") == {f"{i}.png": f"train {i}" for i in range(1, 19)}
    check_split(tmp_path, labels, 0.2, reorg_train_valid(tmp_path, labels, 0.2))
    assert len(arranged(tmp_path, "test")) == 3
    assert {p.name for p in tmp_path.iterdir()} == {"train", "test", "train_valid_test"}


def test_what_a_killed_call_left_is_made_right(tmp_path):
    labels = make(tmp_path, SIZES)
    target = tmp_path / "train_valid_test"
    for part in ("train/cat", "valid/cat", "valid/ghost", "train_valid/dog"):
        (target / part).mkdir(parents=True)
        (target / part / "1.png").write_text("half")
    check_split(tmp_path, labels, 0.3, reorg_train_valid(tmp_path, labels, 0.3))


def test_reorg_test_value(tmp_path):
    make(tmp_path, SIZES, test=12)
    (tmp_path / "test" / ".DS_Store").touch()
    assert reorg_test(str(tmp_path)) is None
    expected = {f"unknown/{i}.png": f"test {i}" for i in range(1, 13)}
    assert tree(tmp_path / "train_valid_test" / "test") == expected
    (tmp_path / "test" / "12.png").unlink()
    reorg_test(tmp_path)
    assert len(arranged(tmp_path, "test")) == 11


def test_the_two_leave_each_other_alone(tmp_path):
    labels = make(tmp_path, SIZES)
    reorg_test(tmp_path)
    reorg_train_valid(tmp_path, labels, 0.1)
    (tmp_path / "train_valid_test" / "notes.txt").write_text("mine")
    reorg_test(tmp_path)
    reorg_train_valid(tmp_path, labels, 0.1)
    parts = {p.name for p in (tmp_path / "train_valid_test").iterdir()}
    assert parts == {"train", "valid", "train_valid", "test", "notes.txt"}


def test_a_class_with_one_image(tmp_path):
    labels = make(tmp_path, {"cat": 4, "lynx": 1})
    with pytest.warns(UserWarning, match="none in train/: lynx"):
        returned = reorg_train_valid(tmp_path, labels, 0.5)
    assert returned == 1
    check_split(tmp_path, labels, 0.5, returned)
    assert arranged(tmp_path, "valid") == {("cat", "1.png"), ("lynx", "5.png")}
    assert not any((tmp_path / "train_valid_test" / "train" / "lynx").iterdir())


def test_labels_without_image_are_counted_and_left_out(tmp_path):
    labels = make(tmp_path, SIZES)
    more = labels | {str(i): "yak" for i in range(100, 108)}
    with pytest.warns(UserWarning, match=r"8 of 26 labels .* 100, 101, .*104, …"):
        returned = reorg_train_valid(tmp_path, more, 0.4)
    check_split(tmp_path, labels, 0.4, returned)


def test_a_usual_set_warns_of_nothing(tmp_path):
    labels = make(tmp_path, SIZES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reorg_train_valid(tmp_path, labels, 0.1)


def no_label(root, labels):
    del labels["3"]


def same_id(root, labels):
    (root / "train" / "3.JPG").touch()


def climbing(root, labels):
    labels["3"] = "../../elsewhere"


def hidden(root, labels):
    labels["3"] = ".."


def of_many_letters(root, labels):
    labels["3"] = "x" * 300


def a_number(root, labels):
    labels["3"] = 7


@pytest.mark.parametrize(
    "spoil,said",
    [
        (of_many_letters, r"names of folders, got 'x+' of 300 letters"),
        (a_number, "names of classes, got 7"),
        (no_label, r"1 of 18\s+have none: 3"),
        (same_id, r"3\.(JPG|png) and 3\.(png|JPG) have the same id"),
        (climbing, r"names of folders, got '\.\./\.\./elsewhere'"),
        (hidden, r"names of folders, got '\.\.'"),
    ],
)
def test_reorg_train_valid_exception(tmp_path, spoil, said):
    labels = make(tmp_path, SIZES)
    reorg_train_valid(tmp_path, labels, 0.4)
    spoil(tmp_path, labels)
    before = tree(tmp_path)
    with pytest.raises(TypeError if spoil is a_number else ValueError, match=said):
        reorg_train_valid(tmp_path, labels, 0.1)
    assert tree(tmp_path) == before


def test_a_folder_called_like_a_picture_is_none(tmp_path):
    labels = make(tmp_path, SIZES)
    for folder in ("train", "test"):
        (tmp_path / folder / "x.png").mkdir()
    check_split(tmp_path, labels, 0.4, reorg_train_valid(tmp_path, labels, 0.4))
    reorg_test(tmp_path)
    assert len(arranged(tmp_path, "test")) == 3


@pytest.mark.parametrize("ratio", [-0.1, 1, 1.5, math.nan])
def test_ratio_exception(tmp_path, ratio):
    labels = make(tmp_path, SIZES)
    with pytest.raises(ValueError, match="valid_ratio: expected 0 ≤ ratio < 1"):
        reorg_train_valid(tmp_path, labels, ratio)


def test_missing_folders(tmp_path):
    for call in (
        lambda: reorg_train_valid(tmp_path, {}, 0.1),
        lambda: reorg_test(tmp_path),
    ):
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            call()
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Thumbs.db").touch()
    for call in (
        lambda: reorg_train_valid(tmp_path, {}, 0.1),
        lambda: reorg_test(tmp_path),
    ):
        with pytest.raises(FileNotFoundError, match="there is no picture"):
            call()
    assert {p.name for p in tmp_path.iterdir()} == {"train", "test"}


# ---- submissions ---------------------------------------------------------------------


def read(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_write_submission_value(tmp_path):
    ids = ["test/unknown/10.png", "2", 1, Path("a") / "3.jpg"]
    path = write_submission(
        tmp_path / "submission.csv", ids, ["ship", "cat", "dog", "a,b"]
    )
    assert Path(path).read_bytes() == b'id,label\n1,dog\n2,cat\n3,"a,b"\n10,ship\n'


def test_ids_that_are_no_numbers_are_sorted_as_texts(tmp_path):
    path = write_submission(
        tmp_path / "s.csv", ["b.x.png", "0a1.png", "10.png"], ["x"] * 3
    )
    assert [row[0] for row in read(path)[1:]] == ["0a1", "10", "b.x"]


def test_submission_in_place_of_a_folder(tmp_path):
    said = f"the file {tmp_path}, and there is a folder of that name"
    with pytest.raises(IsADirectoryError, match=re.escape(said)):
        write_submission(tmp_path, ["1"], ["cat"])
    with pytest.raises(IsADirectoryError, match=re.escape(said)):
        write_probabilities(tmp_path, ["1"], [[1.0]], ["cat"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "ids,labels,error,said",
    [
        (["1", "2"], ["cat"], ValueError, "each of the 2 ids, got 1"),
        (["1", "a/1.png"], ["cat", "dog"], ValueError, "more of 1"),
        ([], [], ValueError, "at least one"),
        (["1"], [3], TypeError, "names of classes, got 3"),
        (["1"], [""], ValueError, "one is empty"),
    ],
)
def test_write_submission_exception(tmp_path, ids, labels, error, said):
    with pytest.raises(error, match=said):
        write_submission(tmp_path / "s.csv", ids, labels)
    assert not list(tmp_path.iterdir())


def test_write_probabilities_value(tmp_path):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (5, 4)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    ids = ["test/e.jpg", "c", "a", "d", "b"]
    classes = ["pug", "boxer", "whippet", "chow"]
    header, *rows = read(write_probabilities(tmp_path / "s.csv", ids, p, classes))
    assert header == ["id", "boxer", "chow", "pug", "whippet"]
    assert [row[0] for row in rows] == ["a", "b", "c", "d", "e"]
    numbers = np.array([row[1:] for row in rows], np.float64)
    np.testing.assert_allclose(numbers.sum(1), 1, atol=1e-9)
    for row, name in zip(numbers, "abcde", strict=True):
        of = ["e", "c", "a", "d", "b"].index(name)
        wanted = [p[of, classes.index(c)] for c in header[1:]]
        np.testing.assert_allclose(row, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "table,said",
    [
        ([[0.5, 0.5]], r"each of the 2 ids, got 1"),
        ([[0.5, 0.5], [0.6, 0.6]], r"that of 'b' has the sum 1\.2.*softmax"),
        ([[1.5, -0.5], [0.5, 0.5]], r"that of 'a' .*smallest is -0\.5"),
        ([[0.5, 0.5], [math.nan, 0.5]], r"that of 'b' has the sum nan"),
        ([[1.0], [1.0]], r"shape \(N, 2\).*got \(2, 1\)"),
        ([0.5, 0.5], r"shape \(N, 2\).*got \(2,\)"),
    ],
)
def test_write_probabilities_exception(tmp_path, table, said):
    with pytest.raises(ValueError, match=said):
        write_probabilities(tmp_path / "s.csv", ["a", "b"], table, ["x", "y"])
    assert not list(tmp_path.iterdir())


def test_softmax_over_the_batch_is_found_out(tmp_path):
    """The trap of copied code: columns sum to 1, rows do not."""
    logits = np.random.default_rng(1).normal(size=(6, 3))
    wrong = np.exp(logits) / np.exp(logits).sum(0)
    with pytest.raises(ValueError, match="axis 1"):
        write_probabilities(tmp_path / "s.csv", range(6), wrong, ["a", "b", "c"])


def test_classes_each_once(tmp_path):
    with pytest.raises(ValueError, match="more of x"):
        write_probabilities(tmp_path / "s.csv", ["a"], [[0.5, 0.5]], ["x", "x"])


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "s.csv"
    write_submission(path, ["1"], ["cat"])

    def full(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="full"):
        write_submission(path, ["1"], ["dog"])
    assert read(path) == [["id", "label"], ["1", "cat"]]
    assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]
