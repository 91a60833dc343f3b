"""Minibatches: which examples, in which order, as what; and the banana set's loaders."""

import csv
import itertools
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from d2lcv import loading
from d2lcv.drawn.bananas import make_bananas
from d2lcv.loading import EpochOrder


class Numbers:
    """A set whose i-th example is i in several forms; it notes what is read."""

    def __init__(self, length, broken=()):
        self.length, self.broken, self.read = length, broken, []

    def __len__(self):
        return self.length

    def example(self, i):
        self.read.append(i)
        if i in self.broken:
            raise ValueError(f"picture {i} is torn")
        return np.full((2, 3), i, np.float32), np.array([i, -i]), np.array(i)


def expected_order(seed, epoch, length):
    order = np.arange(length)
    np.random.default_rng([seed, epoch]).shuffle(order)
    return order.tolist()


def batches(d2l, loader):
    """The examples' numbers, by batch."""
    return [d2l.numpy(batch[2]).tolist() for batch in loader]


def in_batches(order, size):
    return [order[i : i + size] for i in range(0, len(order), size)]


# ---- order ---------------------------------------------------------------------------


def test_order_value(d2l):
    d2l.seed(5)
    order = EpochOrder(20, shuffle=True)
    assert len(order) == 20
    passes = [list(order) for _ in range(3)]
    assert passes == [expected_order(5, epoch, 20) for epoch in range(3)]
    assert all(sorted(p) == list(range(20)) for p in passes)
    assert list(EpochOrder(4, shuffle=False)) == [0, 1, 2, 3]
    assert all(type(i) is int for i in passes[0])


def test_loader_order(d2l):
    """Each pass has the next order, and one only, whatever is asked in between."""
    d2l.seed(7)
    loader = d2l.loader(Numbers(11), 4, shuffle=True)
    for epoch in range(3):
        assert len(loader) == 3
        assert batches(d2l, loader) == in_batches(expected_order(7, epoch, 11), 4)


def test_loader_order_of_equal_seeds(d2l):
    def run(seed):
        d2l.seed(seed)
        loader = d2l.loader(Numbers(30), 7, shuffle=True)
        d2l.rand((3,))  # what is drawn elsewhere is nothing to the order
        d2l.cls_predictor(1, 1, 1)
        return batches(d2l, loader) + batches(d2l, loader)

    assert run(1) == run(1) != run(2)


def test_loader_without_shuffling(d2l):
    loader = d2l.loader(Numbers(5), 2)
    for _ in range(2):
        assert batches(d2l, loader) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    "length,size,sizes",
    [
        (1, 1, [1]),
        (1, 10, [1]),
        (6, 3, [3, 3]),
        (7, 3, [3, 3, 1]),
        (7, 100, [7]),
    ],
)
def test_loader_keeps_the_last_batch(d2l, length, size, sizes):
    loader = d2l.loader(Numbers(length), size, shuffle=True)
    assert len(loader) == len(sizes)
    got = batches(d2l, loader)
    assert [len(batch) for batch in got] == sizes
    assert sorted(itertools.chain(*got)) == list(range(length))


def test_loader_interrupted(d2l):
    """A pass that was left is over; the next one is whole."""
    d2l.seed(3)
    loader = d2l.loader(Numbers(12), 2, shuffle=True)
    for batch in loader:
        assert d2l.numpy(batch[2]).tolist() == expected_order(3, 0, 12)[:2]
        break
    first = next(iter(loader))
    assert d2l.numpy(first[2]).tolist() == expected_order(3, 1, 12)[:2]
    assert batches(d2l, loader) == in_batches(expected_order(3, 2, 12), 2)


def test_loader_two_passes_at_once(d2l):
    d2l.seed(4)
    loader = d2l.loader(Numbers(6), 2, shuffle=True)
    one = iter(loader)
    got = [next(one)]
    other = batches(d2l, loader)
    got += list(one)
    assert [d2l.numpy(b[2]).tolist() for b in got] == in_batches(
        expected_order(4, 0, 6), 2
    )
    assert other == in_batches(expected_order(4, 1, 6), 2)


# ---- what is in a batch --------------------------------------------------------------


def test_loader_value(d2l):
    loader = d2l.loader(Numbers(5), 3)
    (X, pair, number), last = loader
    for x in (X, pair, number, *last):
        assert d2l.is_tensor(x)
    assert X.dtype == d2l.float32
    assert pair.dtype == number.dtype
    assert number.dtype in (d2l.int64, d2l.int32)  # MXNet's whole numbers have 32 bits
    assert tuple(X.shape) == (3, 2, 3) and tuple(last[0].shape) == (2, 2, 3)
    expected = np.broadcast_to(np.arange(3)[:, None, None], (3, 2, 3))
    np.testing.assert_array_equal(d2l.numpy(X), expected)
    np.testing.assert_array_equal(d2l.numpy(pair), [[0, 0], [1, -1], [2, -2]])
    np.testing.assert_array_equal(d2l.numpy(last[2]), [3, 4])


def test_loader_batches_are_apart(d2l):
    """A batch that is kept does not change when the next one is made."""
    kept = [batch[0] for batch in d2l.loader(Numbers(6), 2)]
    for i, X in enumerate(kept):
        np.testing.assert_array_equal(d2l.numpy(X)[:, 0, 0], [2 * i, 2 * i + 1])


def test_loader_feeds_a_step(d2l):
    d2l.seed(0)
    net = d2l.cls_predictor(1, 1, 1)

    class Images(Numbers):
        def example(self, i):
            return np.full((1, 4, 4), i, np.float32), np.array(i, np.int64)

    def step(X, numbers):
        return d2l.reduce_mean(net(X)), d2l.reduce_sum(d2l.astype(numbers, d2l.float32))

    trainer = d2l.Trainer(net, "sgd", lr=0.0)
    sums = [
        float(d2l.numpy(trainer.step(step, *batch)[1]))
        for batch in d2l.loader(Images(5), 2)
    ]
    assert sums == [1, 5, 4]


def test_loader_is_lazy(d2l):
    """What is read ahead is a few batches, not the set."""
    numbers = Numbers(1000)
    loader = d2l.loader(numbers, 4)
    assert len(numbers.read) <= 1
    next(iter(loader))
    assert 4 <= len(numbers.read) <= 100
    assert len(loader) == 250
    assert len(numbers.read) <= 100


# ---- what goes wrong -----------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -3])
def test_batch_size_exception(d2l, size):
    with pytest.raises(ValueError, match=f"^batch_size: .*at least 1, got {size}"):
        d2l.loader(Numbers(3), size)


def test_empty_set_exception(d2l):
    with pytest.raises(ValueError, match=r"^examples: .*at least one.*empty"):
        d2l.loader(Numbers(0), 3)


def test_broken_example_exception(d2l):
    """It says what is wrong, does not wait for ever, and spoils no later pass."""
    numbers = Numbers(8, broken=(5,))
    loader = d2l.loader(numbers, 2)
    got = []
    with pytest.raises(Exception, match="picture 5 is torn"):
        for batch in loader:
            got.append(d2l.numpy(batch[2]).tolist())
    assert got == [[0, 1], [2, 3]][: len(got)]
    numbers.broken = ()
    assert batches(d2l, loader) == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("value,count", [(None, 0), ("", 0), ("0", 0), (" 3 ", 3)])
def test_workers_value(d2l, monkeypatch, value, count):
    if value is None:
        monkeypatch.delenv("D2L_WORKERS", raising=False)
    else:
        monkeypatch.setenv("D2L_WORKERS", value)
    assert d2l.get_dataloader_workers() == count


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_workers_exception(d2l, monkeypatch, value):
    monkeypatch.setenv("D2L_WORKERS", value)
    with pytest.raises(ValueError, match=f"^D2L_WORKERS: .*got '{value}'"):
        d2l.get_dataloader_workers()


@pytest.mark.parametrize("method,count", [("fork", 2), ("spawn", 0)])
def test_workers_where_processes_are_not_forked(monkeypatch, method, count):
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda: method)
    if count:
        assert loading.forked(2) == 2
    else:
        with pytest.warns(
            RuntimeWarning, match="D2L_WORKERS=2.*not forked here .spawn"
        ):
            assert loading.forked(2) == 0
    assert loading.forked(0) == 0


SCRIPT = """
import sys
import numpy as np
import d2lcv as d2l

class Numbers:
    def __len__(self):
        return 11
    def example(self, i):
        return np.full((2,), i, np.float32), np.array([i])

if __name__ == "__main__":
    d2l.predict(d2l.cls_predictor(1, 1, 1), d2l.zeros((1, 1, 9, 9)))  # threads are up
    d2l.seed(2)
    loader = d2l.loader(Numbers(), 4, shuffle=True)
    for _ in range(2):
        print([d2l.numpy(batch[1])[:, 0].tolist() for batch in loader])
"""


def printed(d2l, tmp_path, script):
    """The lines of a script that reads with two workers, in a process of its own."""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        env={**os.environ, "D2L_BACKEND": d2l.backend_name(), "D2L_WORKERS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_loader_with_workers(d2l, tmp_path):
    lines = printed(d2l, tmp_path, SCRIPT)
    expected = [str(in_batches(expected_order(2, epoch, 11), 4)) for epoch in (0, 1)]
    assert lines[-2:] == expected


LEAVING = """
import multiprocessing, os, time
import numpy as np
import d2lcv as d2l

def files():
    return len(os.listdir("/proc/self/fd"))

class Numbers:
    broken = True
    def __len__(self):
        return 40
    def example(self, i):
        if i == 35 and self.broken:
            raise ValueError("picture 35 is torn")
        return (np.array([i]),)

if __name__ == "__main__":
    numbers = Numbers()
    loader = d2l.loader(numbers, 2)
    for i in range(30):
        next(iter(loader))
        if i == 1:
            before = files()
    print(len(multiprocessing.active_children()))
    patience = time.monotonic() + 60
    while files() > before and time.monotonic() < patience:
        time.sleep(0.1)  # threads of the passes end at their next look
    print(files() <= before)
    for i in range(2):
        try:
            list(loader)
        except ValueError as error:
            print(type(error).__name__, "picture 35 is torn" in str(error))
    numbers.broken = False
    print(len(list(loader)))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files")
def test_passes_with_workers_end(d2l, tmp_path):
    """One that is left keeps no process and no file; a torn picture spoils no other."""
    lines = printed(d2l, tmp_path, LEAVING)
    children, few_files, *rest = lines[-5:]
    assert int(children) <= 2 and few_files == "True"
    assert rest == ["ValueError True", "ValueError True", "20"]


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyError])
def test_what_an_example_raises_comes_through(d2l, error):
    """Also what would end a pass early, a thread, or the program."""

    class Raising(Numbers):
        def example(self, i):
            if i == 5:
                raise error("on purpose")
            return super().example(i)

    loader = d2l.loader(Raising(8), 2)
    for _ in range(2):
        wanted = KeyError if error is KeyError else RuntimeError
        with pytest.raises(wanted, match="on purpose"):
            list(loader)


def test_examples_of_different_shapes_exception(d2l):
    class Growing(Numbers):
        def example(self, i):
            return (np.zeros((1 + i // 3, 2), np.float32),)

    loader = d2l.loader(Growing(4), 2)
    with pytest.raises(ValueError, match=r"examples: expected one shape.*Resize"):
        list(loader)


@pytest.mark.parametrize("size", [2.5, "2", None, True])
def test_batch_size_type_exception(d2l, size):
    with pytest.raises(TypeError, match=r"^batch_size: expected an integer, got"):
        d2l.loader(Numbers(3), size)


def test_workers_are_not_more_than_batches(d2l, monkeypatch):
    asked = []
    monkeypatch.setenv("D2L_WORKERS", "1000")
    monkeypatch.setattr(
        loading.backend.loading, "loader", lambda *args: asked.append(args[3])
    )
    d2l.loader(Numbers(4), 2)
    d2l.loader(Numbers(10**6), 2)
    assert asked[0] == 2
    assert asked[1] <= max(8, 4 * os.cpu_count())


# ---- the banana set ------------------------------------------------------------------


@pytest.fixture(scope="module")
def bananas(tmp_path_factory):
    return make_bananas(tmp_path_factory.mktemp("data") / "set", 12, 4, size=64)


def read_split(folder, split):
    """Pixels and label rows of a split, read with PIL and csv alone."""
    root = f"{folder}/bananas_{split}"
    with open(f"{root}/label.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    images = [np.array(Image.open(f"{root}/images/{row['img_name']}")) for row in rows]
    corners = ("xmin", "ymin", "xmax", "ymax")
    boxes = [[float(row[corner]) for corner in corners] for row in rows]
    return np.stack(images).transpose(0, 3, 1, 2), np.array(boxes) / 64


def test_load_data_bananas_value(d2l, bananas):
    d2l.seed(6)
    train_iter, val_iter = d2l.load_data_bananas(5, bananas)
    assert len(train_iter) == 3 and len(val_iter) == 1

    images, boxes = read_split(bananas, "val")
    ((X, Y),) = val_iter
    assert X.dtype == Y.dtype == d2l.float32
    np.testing.assert_array_equal(d2l.numpy(X), images)
    assert images.max() > 100
    assert tuple(Y.shape) == (4, 1, 5)
    np.testing.assert_array_equal(d2l.numpy(Y)[:, 0, 0], 0)
    np.testing.assert_allclose(d2l.numpy(Y)[:, 0, 1:], boxes, atol=1e-6)

    images, boxes = read_split(bananas, "train")
    for epoch in range(2):
        order = expected_order(6, epoch, 12)
        X, Y = (
            np.concatenate(x) for x in zip(*map_numpy(d2l, train_iter), strict=True)
        )
        np.testing.assert_array_equal(X, images[order])
        np.testing.assert_allclose(Y[:, 0, 1:], boxes[order], atol=1e-6)


def map_numpy(d2l, data_iter):
    return [[d2l.numpy(x) for x in batch] for batch in data_iter]


def test_load_data_bananas_size(d2l, bananas):
    _, val_iter = d2l.load_data_bananas(3, bananas, size=(32, 48))
    (X, Y), last = val_iter
    assert tuple(X.shape) == (3, 3, 32, 48) and tuple(last[0].shape) == (1, 3, 32, 48)
    images, boxes = read_split(bananas, "val")
    # halving in height is near the mean of two rows; widths are not compared
    rows = images[:3].reshape(3, 3, 32, 2, 64).mean((3, 4))
    np.testing.assert_allclose(d2l.numpy(X).mean(3), rows, atol=8)
    np.testing.assert_allclose(d2l.numpy(Y)[:, 0, 1:], boxes[:3], atol=1e-6)


def test_bananas_dataset_value(d2l, bananas):
    dataset = d2l.BananasDataset(False, bananas)
    images, boxes = read_split(bananas, "val")
    assert len(dataset) == 4 and dataset.num_classes == 1
    for i in (0, 3):
        X, Y = dataset[i]
        assert d2l.is_tensor(X) and d2l.is_tensor(Y)
        assert X.dtype == Y.dtype == d2l.float32
        np.testing.assert_array_equal(d2l.numpy(X), images[i])
        np.testing.assert_allclose(d2l.numpy(Y), [[0, *boxes[i]]], atol=1e-6)
        array, label = dataset.example(i)
        np.testing.assert_array_equal(array, images[i])
        assert type(array) is type(label) is np.ndarray
    with pytest.raises(IndexError):
        dataset[4]
    assert len(list(dataset)) == 4
    assert len(d2l.BananasDataset(True, bananas)) == 12


def test_read_data_bananas_value(d2l, bananas):
    for is_train, split, count in ((True, "train", 12), (False, "val", 4)):
        images, labels = d2l.read_data_bananas(is_train, bananas)
        expected, boxes = read_split(bananas, split)
        assert isinstance(images, list) and len(images) == count
        for x, y in zip(images, expected, strict=True):
            assert d2l.is_tensor(x)
            assert d2l.numpy(x).dtype == np.uint8
            np.testing.assert_array_equal(d2l.numpy(x), y)
        assert labels.dtype == d2l.float32 and tuple(labels.shape) == (count, 1, 5)
        np.testing.assert_allclose(d2l.numpy(labels)[:, 0, 1:], boxes, atol=1e-6)


def make_photos(root):
    """Photographs of several sizes and formats, with no, one or two animals each."""
    photos = {
        "a.jpg": (90, 60, [(0, 9, 6, 45, 60), (1, 0, 0, 90, 30)]),
        "b.jpeg": (50, 80, [(1, 5, 8, 50, 80)]),
        "c.png": (64, 64, []),
        "d.jpg": (40, 20, [(0, 10, 5, 30, 15)]),
    }
    for split, names in (("train", "abcd"), ("val", "ab")):
        folder = root / f"animals_{split}"
        (folder / "images").mkdir(parents=True)
        lines = ["img_name,label,xmin,ymin,xmax,ymax"]
        for name, (width, height, objects) in photos.items():
            if name[0] not in names:
                continue
            pixels = np.full((height, width, 3), (200, 40, 40), np.uint8)
            pixels[:, width // 2 :] = (40, 40, 200)  # red, and blue on the right
            options = {} if name == "c.png" else {"quality": 95, "subsampling": 0}
            Image.fromarray(pixels).save(folder / "images" / name, **options)
            rows = objects or [(-1, 0, 0, 0, 0)]
            lines += [",".join(map(str, (name, *row))) for row in rows]
        (folder / "label.csv").write_text("\n".join(lines) + "\n")
    return str(root)


def test_photos_value(d2l, tmp_path):
    """Photos become one size; labels are fractions of each, padded to the most."""
    folder = make_photos(tmp_path)
    dataset = d2l.BananasDataset(True, folder, size=(32, 48))
    assert len(dataset) == 4 and dataset.num_classes == 2
    ((X, Y),) = d2l.loader(dataset, 4)
    X, Y = d2l.numpy(X), d2l.numpy(Y)
    assert X.shape == (4, 3, 32, 48)
    expected = [
        [[0, 0.1, 0.1, 0.5, 1], [1, 0, 0, 1, 0.5]],
        [[1, 0.1, 0.1, 1, 1], [-1, 0, 0, 0, 0]],
        [[-1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]],
        [[0, 0.25, 0.25, 0.75, 0.75], [-1, 0, 0, 0, 0]],
    ]
    np.testing.assert_allclose(Y, expected, atol=1e-6)
    left, right = X[..., :18], X[..., -18:]  # away from the border between them
    for half, colour in ((left, (200, 40, 40)), (right, (40, 40, 200))):
        difference = half - np.reshape(colour, (3, 1, 1))
        assert np.abs(difference).max() <= 6  # what JPEG makes of it


def test_photos_are_trained_on(d2l, tmp_path):
    """Padding and a photo without objects pass through the targets."""
    dataset = d2l.BananasDataset(True, make_photos(tmp_path), size=(16, 16))
    ((_, Y),) = d2l.loader(dataset, 4)
    anchors = d2l.multibox_prior(d2l.zeros((1, 1, 4, 4)), [0.5], [1.0])
    offsets, masks, classes = d2l.multibox_target(anchors, Y)
    found = [sorted(set(row) - {0}) for row in d2l.numpy(classes).tolist()]
    assert found == [[1, 2], [2], [], [1]]
    assert np.isfinite(d2l.numpy(offsets)).all()
    assert d2l.numpy(masks)[2].sum() == 0


def test_broken_picture_exception(d2l, tmp_path):
    """The file that cannot be read is named, on whichever way it is met."""
    folder = make_photos(tmp_path)
    picture = tmp_path / "animals_val" / "images" / "b.jpeg"
    whole = picture.read_bytes()
    assert len(whole) > 700
    # cut in the header, which is read at once, and in the pixels, which are read late
    for length in (100, len(whole) - 60):
        picture.write_bytes(whole[:length])
        with pytest.raises(Exception, match=r"b\.jpeg"):
            list(d2l.load_data_bananas(1, folder, size=(16, 16))[1])
