"""The drawn classification sets: layouts, determinism, balance, and that they teach."""

import collections
import csv
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2lcv.data import hub
from d2lcv.datasets import folders
from d2lcv.drawn import backdrops, cifar10, dogs, hotdog, source
from d2lcv.drawn import making as _drawing
from d2lcv.drawn import sets as synthetic

CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck".split()
MAKERS = {
    "source": source.make_source,
    "hotdog": hotdog.make_hotdog,
    "cifar10": cifar10.make_cifar10,
    "cifar10_tiny": cifar10.make_cifar10_tiny,
    "dog_tiny": dogs.make_dog_tiny,
}
FEW = {
    "source": {"num_train": 2, "num_test": 1, "size": 40},
    "hotdog": {"num_train": 4, "num_test": 3},
    "cifar10": {"num_train": 3, "num_test": 2},
    "cifar10_tiny": {"num_train": 25, "num_test": 12},
    "dog_tiny": {"num_train": 25, "num_test": 3},
}
CLASSES = {"source": source.CLASSES, "hotdog": hotdog.CLASSES, "cifar10": CIFAR10}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each set with few pictures."""
    root = tmp_path_factory.mktemp("sets")
    return {name: make(root / name, **FEW[name]) for name, make in MAKERS.items()}


def files(folder):
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


# ---- the registry --------------------------------------------------------------------


@pytest.mark.parametrize("name", synthetic.SETS)
def test_every_set_has_a_maker_a_version_and_numbers(name):
    module_name, maker = synthetic.SETS[name].split(":")
    module = importlib.import_module(f"d2lcv.drawn.{module_name}")
    assert isinstance(module.VERSION, int)
    folder, *numbers = inspect.signature(getattr(module, maker)).parameters.values()
    assert folder.name == "folder" and folder.default is inspect.Parameter.empty
    assert all(isinstance(p.default, int) for p in numbers)
    assert numbers[-1].name == "seed" and numbers[-1].default == 0


@pytest.mark.parametrize("name", ["hotdog", "cifar10_tiny"])
def test_synthetic_makes_a_set_once(name, monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    folder = synthetic.synthetic(name, **FEW[name])
    assert Path(folder).parent == tmp_path / "synthetic"
    stamps = {path: path.stat().st_mtime_ns for path in files(folder).values()}
    assert synthetic.synthetic(name, **FEW[name]) == folder
    assert stamps == {path: path.stat().st_mtime_ns for path in files(folder).values()}
    assert synthetic.synthetic(name, **FEW[name], seed=1) != folder
    module = importlib.import_module(MAKERS[name].__module__)
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    assert synthetic.synthetic(name, **FEW[name]) != folder


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"no synthetic data set 'cats'.*'dog_tiny'"):
        synthetic.synthetic("cats")
    with pytest.raises(TypeError, match=r"hotdog have no \['num_val'\]; .*'num_test'"):
        synthetic.synthetic("hotdog", num_val=3)


# ---- layouts -------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
def test_folders_of_classes(made, name):
    counts = {"train": FEW[name]["num_train"], "test": FEW[name]["num_test"]}
    expected = {
        f"{split}/{label}/{i}.png"
        for split, count in counts.items()
        for label in CLASSES[name]
        for i in range(count)
    }
    found = files(made[name])
    assert set(found) == expected
    for path in found.values():
        with Image.open(path) as image:
            assert image.format == "PNG" and image.mode == "RGB"


def test_sizes_of_pictures(made):
    sizes = {}
    for name in MAKERS:
        paths = [path for path in files(made[name]).values() if path.suffix != ".csv"]
        sizes[name] = np.array([Image.open(path).size for path in paths])
    assert (sizes["source"] == 40).all()
    assert (sizes["cifar10"] == 32).all() and (sizes["cifar10_tiny"] == 32).all()
    for name, size in (("hotdog", 200), ("dog_tiny", 160)):
        longer, shorter = sizes[name].max(1), sizes[name].min(1)
        assert longer.max() <= size and longer.min() >= 0.6 * size
        assert shorter.min() > 0.4 * size
        assert len({tuple(pair) for pair in sizes[name].tolist()}) > 0.8 * len(longer)


def test_layout_of_cifar10_tiny(made):
    root = Path(made["cifar10_tiny"])
    expected = {f"train/{i}.png" for i in range(1, 26)}
    expected |= {f"test/{i}.png" for i in range(1, 13)} | {"trainLabels.csv"}
    assert set(files(root)) == expected
    header, *body = rows(root / "trainLabels.csv")
    assert header == ["id", "label"]
    assert [row[0] for row in body] == [str(i) for i in range(1, 26)]
    counts = collections.Counter(label for _, label in body)
    assert set(counts) == set(CIFAR10) and set(counts.values()) == {2, 3}
    assert [label for _, label in body] != sorted(label for _, label in body)


def test_layout_of_dog_tiny(made):
    root = Path(made["dog_tiny"])
    header, *body = rows(root / "labels.csv")
    assert header == ["id", "breed"]
    assert body == sorted(body) and len(body) == 25
    pictures = set(files(root)) - {"labels.csv"}
    assert {name for name in pictures if name.startswith("train/")} == {
        f"train/{name}.jpg" for name, _ in body
    }
    assert len(pictures) == 28
    assert all(
        re.fullmatch(r"(train|test)/[0-9a-f]{32}\.jpg", name) for name in pictures
    )
    assert len({Path(name).stem for name in pictures}) == 28
    counts = collections.Counter(breed for _, breed in body)
    assert set(counts) == set(dogs.BREEDS) and set(counts.values()) == {2, 3}
    with Image.open(root / sorted(pictures)[0]) as image:
        assert image.format == "JPEG" and image.mode == "RGB"


def test_names_of_classes():
    assert list(cifar10.CLASSES) == CIFAR10
    assert hotdog.CLASSES == ("hotdog", "not-hotdog")
    assert {"banana", "bread", "sausage"} <= set(source.CLASSES)
    for names in (source.CLASSES, dogs.BREEDS):
        assert list(names) == sorted(names) and 10 <= len(names) <= 40
        assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


# ---- determinism ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["source", "hotdog", "cifar10"])
def test_same_seed_same_bytes_whatever_the_number(made, name, tmp_path):
    more = FEW[name] | {"num_train": FEW[name]["num_train"] + 1, "num_test": 1}
    again = files(MAKERS[name](tmp_path / "again", **more))
    before = files(made[name])
    shared = [path for path in before if path in again]
    assert len(shared) == len(CLASSES[name]) * (FEW[name]["num_train"] + 1)
    for path in shared:
        assert again[path].read_bytes() == before[path].read_bytes()


@pytest.mark.parametrize("name", ["cifar10_tiny", "dog_tiny"])
def test_same_seed_same_set(made, name, tmp_path):
    again, before = files(MAKERS[name](tmp_path / "a", **FEW[name])), files(made[name])
    assert set(again) == set(before)
    assert all(again[path].read_bytes() == before[path].read_bytes() for path in again)
    other = files(MAKERS[name](tmp_path / "b", **FEW[name], seed=1))
    same = [path for path in other if path in before]
    assert not any(other[p].read_bytes() == before[p].read_bytes() for p in same)


@pytest.mark.parametrize(
    "draw,first,others",
    [
        (source.draw_source, "carrot", ["cup"]),
        (hotdog.draw_hotdog, "hotdog", ["not-hotdog"]),
        (cifar10.draw_cifar10, "ship", ["truck"]),
        (dogs.draw_dog, "dachshund", ["dalmatian"]),
    ],
    ids=["source", "hotdog", "cifar10", "dog_tiny"],
)
def test_class_index_split_and_seed_all_matter(draw, first, others):
    image = draw(first, 0, "train", seed=0)
    np.testing.assert_array_equal(image, draw(first, 0, "train", seed=0))
    changed = [draw(other, 0, "train", seed=0) for other in others]
    changed += [draw(first, 1), draw(first, 0, "test"), draw(first, 0, seed=1)]
    for other in changed:
        assert other.shape != image.shape or (other != image).mean() > 0.5


def test_train_and_test_pictures_differ(made):
    for name in MAKERS:
        seen = collections.Counter(
            path.read_bytes() for path in files(made[name]).values()
        )
        assert max(seen.values()) == 1


# ---- making --------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_numbers_that_are_too_small(name, tmp_path):
    for number in [*FEW[name], "seed"]:
        with pytest.raises(
            ValueError, match=rf"^{number}: expected at least \d+, got -1"
        ):
            MAKERS[name](tmp_path / "set", **{number: -1})
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for make in MAKERS.values():
        with pytest.raises(FileExistsError, match="there already"):
            make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", MAKERS)
def test_a_crash_leaves_nothing(name, monkeypatch, tmp_path):
    def crash(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_drawing, "_publish", crash)
    with pytest.raises(KeyboardInterrupt):
        MAKERS[name](tmp_path / "set", **FEW[name])
    assert not list(tmp_path.iterdir())


def test_a_faster_process_wins_and_a_strange_folder_does_not(tmp_path):
    def lose(*names):
        def draw(content):
            (content / "train").mkdir()
            for name in names:  # another process gets there first
                (tmp_path / "set" / name).mkdir(parents=True)

        return _drawing.make_set(tmp_path / "set", draw)

    assert lose("train") == str(tmp_path / "set")
    (tmp_path / "set" / "train").rmdir()
    with pytest.raises(OSError):
        lose("elsewhere")


# ---- what they teach -----------------------------------------------------------------


def nearest_mean(train, test):
    """Accuracy of the classifier that compares with the mean of each class."""
    means = np.stack([np.mean(features, 0) for features in train])
    right = [
        np.argmin(((feature - means) ** 2).sum(1)) == label
        for label, features in enumerate(test)
        for feature in features
    ]
    return np.mean(right)


def test_colour_alone_does_not_find_hotdogs():
    def features(name, split, count):
        images = [hotdog.draw_hotdog(name, i, split, size=96) for i in range(count)]
        return [
            np.concatenate([image.mean((0, 1)), image.std((0, 1))]) for image in images
        ]

    train, test = (
        [features(name, split, count) for name in hotdog.CLASSES]
        for split, count in (("train", 80), ("test", 60))
    )
    assert nearest_mean(train, test) < 0.72


def test_pixels_alone_tell_little_of_cifar10():
    def features(name, split, count):
        return [cifar10.draw_cifar10(name, i, split) / 255 for i in range(count)]

    train, test = (
        [[x.ravel() for x in features(name, split, count)] for name in CIFAR10]
        for split, count in (("train", 40), ("test", 15))
    )
    assert nearest_mean(train, test) < 0.5


@pytest.mark.parametrize("split", ["train", "test"])
def test_things_look_left_as_often_as_right(monkeypatch, split):
    mirrored = []

    class Recorded(backdrops.Canvas):
        def __init__(self, rng, length, turn, mirror, *pose):
            mirrored.append(mirror)
            super().__init__(rng, length, turn, mirror, *pose)

    monkeypatch.setattr(backdrops, "Canvas", Recorded)
    for name in CIFAR10:
        for i in range(20):
            cifar10.draw_cifar10(name, i, split)
    assert 0.4 < np.mean(mirrored) < 0.6 and len(mirrored) == 200


def test_a_mirrored_thing_is_its_mirror_image():
    from d2lcv.drawn.canvas import Canvas

    covers = []
    for mirror in (False, True):
        sketch = Canvas(np.random.default_rng(0), 40, 0.0, mirror)
        sketch.polygon([(-0.9, -0.5), (0.2, -0.5), (0.9, 0.6)], (200, 30, 40))
        covers.append(sketch.sprite().cover > 0.5)
    one, other = covers
    assert one.shape == other.shape
    # up to the quarter of a pixel that Pillow adds at the right and below
    assert (one != other[:, ::-1]).mean() < 0.05
    assert (one != other).mean() > 0.3


def test_pictures_are_neither_flat_nor_burnt_out(made):
    for name in MAKERS:
        for path in files(made[name]).values():
            if path.suffix != ".csv":
                image = np.asarray(Image.open(path))
                assert image.std() > 6
                assert np.mean((image < 4) | (image > 251)) < 0.7


# ---- folders -------------------------------------------------------------------------

FOLDERS = {
    "bananas": (folders.banana_folder, ("banana-detection",)),
    "hotdog": (folders.hotdog_folder, ("hotdog",)),
    "cifar10": (folders.cifar10_folder, ("cifar10", "cifar-10-batches-bin")),
    "cifar10_tiny": (folders.cifar10_tiny_folder, ("cifar10_tiny",)),
    "dog_tiny": (folders.dog_tiny_folder, ("dog_tiny",)),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folder_value(made, name, monkeypatch):
    find, book = FOLDERS[name]
    monkeypatch.setattr(synthetic, "synthetic", lambda name: f"drawn {name}")
    monkeypatch.setattr(hub, "download_extract", lambda *names: names)
    assert find() == find("synthetic") == f"drawn {name}"
    assert find("book") == book
    if name in made:
        assert find(made[name]) == find(Path(made[name])) == made[name]


@pytest.mark.parametrize("name", FOLDERS)
def test_folder_exception(name, tmp_path):
    find, _ = FOLDERS[name]
    with pytest.raises((ValueError, FileNotFoundError), match=r"data: expected.*''"):
        find("")
    for data in ("no/such", "Synthetic"):
        said = rf"'synthetic', 'book' or a folder.*'{data}'"
        with pytest.raises(FileNotFoundError, match=said):
            find(data)
    if name == "bananas":  # may be in any form of DetectionDataset
        return
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.png").touch()
    with pytest.raises(FileNotFoundError, match=r"has\s+no .*test/\*"):
        find(tmp_path)


def test_data_that_is_no_folders_name():
    for data in (3, None, ["synthetic"]):
        with pytest.raises(TypeError, match="data: expected a path"):
            folders.hotdog_folder(data)


def test_a_folder_with_the_original_batches_is_cifar10(tmp_path):
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").touch()
    assert folders.cifar10_folder(tmp_path) == str(tmp_path)
