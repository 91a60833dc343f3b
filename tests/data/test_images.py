"""Sets of pictures with a class each: folders, CIFAR-10, and what can be wrong."""

import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from d2lcv.data import cifar as cifar_archive
from d2lcv.data import pictures
from d2lcv.proof.cases.augmentation import photo


def save(path, seed=1, height=12, width=16, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo(seed, height, width)).save(path, **options)


def touch(path, data=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# ---- folders: which files, which classes ---------------------------------------------


def test_folder_value(d2l, tmp_path):
    for i, name in enumerate(
        ["class10/b.png", "class2/1.png", "class2/10.PNG", "class2/9.png"]
    ):
        save(tmp_path / name, seed=10 * i)
    dataset = d2l.ImageFolder(str(tmp_path))
    assert dataset.classes == ["class2", "class10"]
    names = [os.path.relpath(path, tmp_path) for path in dataset.paths]
    order = ["class2/1.png", "class2/9.png", "class2/10.PNG", "class10/b.png"]
    assert [name.replace(os.sep, "/") for name in names] == order
    assert dataset.labels.tolist() == [0, 0, 0, 1] and len(dataset) == 4
    seeds = [10, 30, 20, 0]
    for i, (image, label) in enumerate(dataset):
        assert isinstance(image, Image.Image) and image.mode == "RGB"
        assert type(label) is int and label == dataset.labels[i]
        np.testing.assert_array_equal(np.asarray(image), photo(seeds[i], 12, 16))
    assert "4 pictures of 2 classes" in repr(dataset)


def test_folder_leaves_out_what_is_no_picture(d2l, tmp_path):
    for name in (
        "a/1.png",
        "a/.hidden.png",
        ".git/1.png",
        "b/deep/er/2.jpeg",
        "b/.x/3.png",
    ):
        save(tmp_path / name)
    for name in ("a/notes.txt", "a/png", "a/._1.png", "b/1.png.part", "labels.csv"):
        touch(tmp_path / name)
    dataset = d2l.ImageFolder(tmp_path)
    assert [os.path.basename(path) for path in dataset.paths] == ["1.png", "2.jpeg"]
    assert dataset.classes == ["a", "b"]


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jpg", "png", "ppm", "tiff", "webp"])
def test_folder_reads_formats(d2l, tmp_path, suffix):
    flat = np.full((6, 8, 3), (200, 30, 90), np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(flat).save(tmp_path / "a" / f"1.{suffix}")
    image, _ = d2l.ImageFolder(tmp_path)[0]
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image).astype(int) - flat).max() <= 6


@pytest.mark.parametrize(
    "names,order",
    [
        (["b", "a", "B"], ["B", "a", "b"]),
        (["10", "9", "1"], ["1", "9", "10"]),
        (["n2x", "n10a", "n2b"], ["n2b", "n2x", "n10a"]),
        (["x", "1", "x1", "01"], ["01", "1", "x", "x1"]),
        (["4-2", "4-10", "4"], ["4", "4-2", "4-10"]),
    ],
)
def test_natural_order(names, order):
    assert sorted(names, key=pictures.natural) == order


# ---- pictures of all kinds -----------------------------------------------------------


def read(tmp_path, image, **options):
    image.save(tmp_path / "1.png", **options)
    got = pictures.read_picture(tmp_path / "1.png")
    assert got.mode == "RGB"
    return np.asarray(got)


def test_picture_modes(tmp_path, recwarn):
    rgb = photo(3, 9, 11)
    grey = rgb[..., 0]
    three = np.stack([grey] * 3, -1)
    np.testing.assert_array_equal(read(tmp_path, Image.fromarray(grey)), three)
    wide = Image.fromarray(grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read(tmp_path, wide), three)
    alpha = np.dstack([rgb, np.full_like(grey, 128)])
    np.testing.assert_array_equal(read(tmp_path, Image.fromarray(alpha, "RGBA")), rgb)
    palette = Image.fromarray(rgb // 128 * 255).quantize(8)
    np.testing.assert_array_equal(read(tmp_path, palette), rgb // 128 * 255)
    bits = Image.fromarray(grey > 99)
    np.testing.assert_array_equal(read(tmp_path, bits), (three > 99) * 255)
    colours = palette.getcolors()
    transparent = read(tmp_path, palette, transparency=bytes([0] * len(colours)))
    np.testing.assert_array_equal(transparent, rgb // 128 * 255)
    assert not [w for w in recwarn if "ransparency" in str(w.message)]


@pytest.mark.parametrize(
    "orientation,turn",
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (4, lambda x: x[::-1]),
        (5, lambda x: x.transpose(1, 0, 2)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.rot90(x, 2).transpose(1, 0, 2)),
        (8, lambda x: np.rot90(x)),
    ],
)
def test_picture_orientation(tmp_path, orientation, turn):
    """The pixels on disk, turned as the EXIF standard says of each value."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = photo(4, 24, 32)
    path = tmp_path / "1.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=95, subsampling=0)
    stored = np.asarray(Image.open(path))
    np.testing.assert_array_equal(np.asarray(pictures.read_picture(path)), turn(stored))


# ---- as arrays and batches -----------------------------------------------------------


def test_example_value(d2l, tmp_path):
    save(tmp_path / "a" / "1.png", seed=5)
    save(tmp_path / "b" / "1.png", seed=6)
    dataset = d2l.ImageFolder(tmp_path)
    image, label = dataset.example(1)
    assert type(image) is type(label) is np.ndarray
    assert image.dtype == np.float32 and label.dtype == np.int64 and label.shape == ()
    np.testing.assert_allclose(image, photo(6, 12, 16).transpose(2, 0, 1) / 255, 1e-6)
    with pytest.raises(IndexError):
        dataset[2]
    with pytest.raises(IndexError):
        dataset.example(2)


def test_batches_value(d2l, tmp_path):
    for i in range(5):
        save(tmp_path / "ab"[i % 2] / f"{i}.png", seed=i, height=10 + i, width=20 - i)
    transform = d2l.Compose([d2l.Resize((6, 8)), d2l.ToTensor()])
    dataset = d2l.ImageFolder(tmp_path, transform)
    batches = list(d2l.loader(dataset, 3))
    assert [tuple(X.shape) for X, _ in batches] == [(3, 3, 6, 8), (2, 3, 6, 8)]
    for X, y in batches:
        assert d2l.is_tensor(X) and X.dtype == d2l.float32
        assert d2l.is_tensor(y) and len(y.shape) == 1
        assert y.dtype in (d2l.int64, d2l.int32)  # MXNet's whole numbers have 32 bits
    assert np.concatenate([d2l.numpy(y) for _, y in batches]).tolist() == [
        0,
        0,
        0,
        1,
        1,
    ]
    for i, seed in enumerate([0, 2, 4, 1, 3]):
        picture = Image.fromarray(photo(seed, 10 + seed, 20 - seed))
        small = np.asarray(picture.resize((8, 6), Image.Resampling.BILINEAR))
        X = d2l.numpy(batches[i // 3][0])[i % 3]
        np.testing.assert_allclose(X, small.transpose(2, 0, 1) / 255, atol=1e-6)


def test_pictures_of_different_sizes_exception(d2l, tmp_path):
    """Without a transform that gives them one size there is no batch, and no waiting."""
    save(tmp_path / "a" / "1.png", height=12)
    save(tmp_path / "a" / "2.png", height=13)
    with pytest.raises(Exception, match=r"\(3, 12, 16\) and \(3, 13, 16\).*Resize"):
        list(d2l.loader(d2l.ImageFolder(tmp_path), 2))
    assert len(list(d2l.loader(d2l.ImageFolder(tmp_path), 1))) == 2


# ---- memory --------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_pictures(d2l, tmp_path, monkeypatch):
    """Two hundred pictures of 480 kB: few are open at a time, none is kept."""
    save(tmp_path / "a" / "0.png", height=400, width=400)
    for i in range(1, 200):
        os.link(tmp_path / "a" / "0.png", tmp_path / "a" / f"{i}.png")
    reads = []
    read_picture = pictures.read_picture
    monkeypatch.setattr(
        pictures, "read_picture", lambda path: reads.append(path) or read_picture(path)
    )
    transform = d2l.Compose([d2l.Resize(8), d2l.ToTensor()])
    dataset = d2l.ImageFolder(tmp_path, transform)
    assert len(dataset) == 200 and not reads
    for _ in range(3):
        dataset.example(0)  # what is made once is made before
    tracemalloc.start()
    try:
        for i in range(200):
            dataset.example(i)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000 and peak < 5_000_000
    assert len(reads) == 203

    reads.clear()
    batch = iter(d2l.loader(dataset, 4))
    next(batch)
    assert 4 <= len(reads) <= 100
    assert len(set(map(id, dataset.__dict__.values()))) < 10  # no cache of pictures


# ---- what is refused -----------------------------------------------------------------


def broken(path, how):
    """A file called like a picture that cannot be read."""
    save(path, height=40, width=40)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "text": b"<html>404 not found</html>",
            "header": whole[:20],
            "cut": whole[: len(whole) * 2 // 3],
            "torn": whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2),
        }[how]
    )


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("how", ["empty", "text", "header", "cut", "torn"])
def test_corrupt_picture_exception(d2l, tmp_path, how, suffix):
    save(tmp_path / "a" / "1.png")
    broken(tmp_path / "a" / f"2 broken.{suffix}", how)
    dataset = d2l.ImageFolder(
        tmp_path, d2l.Compose([d2l.Resize((8, 8)), d2l.ToTensor()])
    )
    dataset.example(0)
    for fails in (lambda: dataset[1], lambda: dataset.example(1)):
        with pytest.raises(ValueError, match=r"2 broken.... cannot be read"):
            fails()
    with pytest.raises(Exception, match=r"2 broken.... cannot be read"):
        list(d2l.loader(dataset, 1))


def test_picture_that_is_gone_exception(d2l, tmp_path):
    save(tmp_path / "a" / "1.png")
    dataset = d2l.ImageFolder(tmp_path)
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1\.png is missing"):
        dataset[0]


WORKERS = """
import sys
import d2lcv as d2l

if __name__ == "__main__":
    transform = d2l.Compose([d2l.RandomResizedCrop(8), d2l.ToTensor()])
    dataset = d2l.ImageFolder(sys.argv[1], transform)
    d2l.seed(3)
    loader = d2l.loader(dataset, 2, shuffle=True)
    if len(sys.argv) > 2:
        try:
            list(loader)
        except Exception as error:
            print("raised", "bad.png cannot be read" in str(error))
    else:
        for _ in range(2):
            images = [x for X, _ in loader for x in d2l.numpy(X).astype("float64")]
            print(" ".join(f"{image.sum():.4f}" for image in images))
"""


def run_with_workers(d2l, tmp_path, count, *arguments):
    (tmp_path / "script.py").write_text(WORKERS)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), *map(str, arguments)],
        env={
            **os.environ,
            "D2L_BACKEND": d2l.backend_name(),
            "D2L_WORKERS": str(count),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_workers_draw_the_same(d2l, tmp_path):
    """Whoever reads an example draws what belongs to it, in this epoch."""
    for i in range(7):
        save(tmp_path / "set" / "a" / f"{i}.png", seed=i, height=20, width=20)
    none = run_with_workers(d2l, tmp_path, 0, tmp_path / "set")[-2:]
    assert len(none[0].split()) == 7 and none[0] != none[1]
    assert len(set(none[0].split())) == 7
    assert run_with_workers(d2l, tmp_path, 2, tmp_path / "set")[-2:] == none


def test_corrupt_picture_out_of_a_worker(d2l, tmp_path):
    for i in range(5):
        save(tmp_path / "set" / "a" / f"{i}.png")
    broken(tmp_path / "set" / "a" / "bad.png", "cut")
    lines = run_with_workers(d2l, tmp_path, 2, tmp_path / "set", "broken")
    assert "raised True" in lines


def test_folder_exception(d2l, tmp_path):
    expected = "expected a folder with one sub-folder of pictures for each class"
    with pytest.raises(
        FileNotFoundError, match=f"{expected}, and there is no folder .*none"
    ):
        d2l.ImageFolder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=f"{expected}; in .* there is nothing"):
        d2l.ImageFolder(tmp_path)
    save(tmp_path / "cat.png")
    with pytest.raises(
        FileNotFoundError, match=rf"{expected}; in .* there is cat\.png"
    ):
        d2l.ImageFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        d2l.ImageFolder(tmp_path / "cat.png")
    save(tmp_path / "a" / "1.png")
    touch(tmp_path / "empty class" / "notes.txt")
    with pytest.raises(
        FileNotFoundError, match=r"empty class there is no picture.*\.png"
    ):
        d2l.ImageFolder(tmp_path)


# ---- CIFAR-10: the original archive --------------------------------------------------

NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def batch_of(seed, n):
    """As the original: rows of 3072 bytes, all red, all green, all blue; labels."""
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
    return data, [int(v) for v in rng.integers(0, 10, n)]


def as_python2(value):
    """Pickled as Python 2 did for the original: its strings are Python 3's bytes."""
    out = [b"\x80\x02"]

    def text(value):
        return b"T" + struct.pack("<i", len(value)) + value

    def write(value):
        if isinstance(value, dict):
            out.append(b"}(")
            for key, item in value.items():
                write(key)
                write(item)
            out.append(b"u")
        elif isinstance(value, list):
            out.append(b"](")
            for item in value:
                write(item)
            out.append(b"e")
        elif isinstance(value, np.ndarray):
            out.append(
                b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00t"
            )
            out.append(text(b"b") + b"\x87R(K\x01")
            out.append(
                b"(" + b"".join(b"J" + struct.pack("<i", s) for s in value.shape) + b"t"
            )
            out.append(b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R")
            out.append(
                b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            )
            out.append(b"\x89" + text(value.tobytes()) + b"tb")
        elif isinstance(value, bytes):
            out.append(text(value))
        else:
            out.append(b"J" + struct.pack("<i", value))

    write(value)
    return b"".join(out) + b"."


WRITERS = {
    "python2": as_python2,
    **{f"protocol{p}": lambda value, p=p: pickle.dumps(value, p) for p in (2, 3, 4)},
}


def cifar_files(write, sizes=(3, 2, 2, 2, 2), test=4):
    files = {"batches.meta": write({b"label_names": [n.encode() for n in NAMES]})}
    for i, n in enumerate((*sizes, test)):
        data, labels = batch_of(i, n)
        name = f"data_batch_{i + 1}" if i < 5 else "test_batch"
        files[name] = write({b"batch_label": b"one", b"labels": labels, b"data": data})
    return files


def tar_of(path, files, **options):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            for key, value in options.get(name, {}).items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return path


def place(root, files, layout):
    """In a folder, as an archive, or extracted, as people have it."""
    if layout == "archive":
        return tar_of(root / "cifar-10-python.tar.gz", files)
    if layout == "folder of the archive":
        return tar_of(root / "cifar-10-python.tar.gz", files).parent
    folder = root / "cifar-10-batches-py"
    for name, data in files.items():
        touch(folder / name, data)
    return folder if layout == "batches" else root


@pytest.mark.parametrize(
    "layout", ["archive", "folder of the archive", "batches", "parent"]
)
@pytest.mark.parametrize("writer", WRITERS)
def test_cifar_value(d2l, tmp_path, writer, layout):
    place_ = place(tmp_path, cifar_files(WRITERS[writer]), layout)
    for is_train, seeds in ((True, range(5)), (False, [5])):
        dataset = d2l.CIFAR10(is_train, place_)
        sizes = (3, 2, 2, 2, 2, 4)
        parts = [batch_of(seed, sizes[seed]) for seed in seeds]
        labels = [label for _, part in parts for label in part]
        rows = np.concatenate([data for data, _ in parts])
        assert dataset.classes == NAMES and len(dataset) == len(rows)
        assert dataset.labels.tolist() == labels and dataset.labels.dtype == np.int64
        for i, (image, label) in enumerate(dataset):
            assert image.size == (32, 32) and label == labels[i]
            red, green, blue = (
                rows[i, 1024 * c :][:1024].reshape(32, 32) for c in range(3)
            )
            np.testing.assert_array_equal(
                np.asarray(image), np.stack([red, green, blue], -1)
            )


def test_cifar_batches(d2l, tmp_path):
    place_ = place(tmp_path, cifar_files(as_python2), "archive")
    transform = d2l.Compose([d2l.RandomHorizontalFlip(), d2l.ToTensor()])
    loader = d2l.loader(d2l.CIFAR10(True, place_, transform), 4, shuffle=True)
    shapes = [(tuple(X.shape), tuple(y.shape)) for X, y in loader]
    assert shapes == [((4, 3, 32, 32), (4,))] * 2 + [((3, 3, 32, 32), (3,))]
    with pytest.raises(IndexError):
        d2l.CIFAR10(False, place_)[4]


def test_cifar_is_one_byte_a_value(d2l, tmp_path):
    place_ = place(tmp_path, cifar_files(as_python2, sizes=(400,) * 5), "batches")
    tracemalloc.start()
    try:
        dataset = d2l.CIFAR10(True, place_)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(dataset) == 2000
    assert 2000 * 3072 <= kept < 2000 * 3072 * 1.3 + 500_000


def test_cifar_of_pictures(d2l, tmp_path):
    """A folder of PNG files in the place of the archive: read when they are asked for."""
    for part in ("train", "test"):
        for i, name in enumerate(NAMES[: 3 if part == "train" else 2]):
            save(tmp_path / part / name / "0.png", seed=i, height=32, width=32)
    dataset = d2l.CIFAR10(True, tmp_path)
    assert dataset.classes == NAMES[:3] and dataset.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(np.asarray(dataset[2][0]), photo(2, 32, 32))
    assert len(d2l.CIFAR10(False, str(tmp_path))) == 2
    broken(tmp_path / "train" / NAMES[1] / "0.png", "cut")
    with pytest.raises(ValueError, match=r"automobile.0\.png cannot be read"):
        dataset.example(1)


# ---- CIFAR-10: archives that are wrong -----------------------------------------------


def with_batch(tmp_path, raw, name="data_batch_2"):
    return place(tmp_path, cifar_files(as_python2) | {name: raw}, "archive")


@pytest.mark.parametrize("layout", ["archive", "batches"])
def test_cifar_missing_batch_exception(d2l, tmp_path, layout):
    files = cifar_files(as_python2)
    del files["data_batch_3"]
    with pytest.raises(FileNotFoundError, match="there is no data_batch_3 in it"):
        d2l.CIFAR10(True, place(tmp_path, files, layout))


def test_cifar_torn_archive_exception(d2l, tmp_path):
    path = place(tmp_path, cifar_files(as_python2), "archive")
    whole = path.read_bytes()
    for raw in (whole[: len(whole) // 2], b"", b"no archive at all", whole[:300]):
        path.write_bytes(raw)
        with pytest.raises(
            (ValueError, FileNotFoundError), match=r"cifar-10-python\.tar\.gz"
        ):
            d2l.CIFAR10(True, path)


DATA, LABELS = batch_of(0, 3)


@pytest.mark.parametrize(
    "value,match",
    [
        ([], "a list"),
        ({b"labels": LABELS}, "'data'"),
        ({b"data": DATA}, "'labels'"),
        ({b"data": DATA[:2], b"labels": LABELS}, "list of 2 integers"),
        ({b"data": DATA[:, :99], b"labels": LABELS}, r"\(N, 3072\).*\(3, 99\)"),
        ({b"data": DATA.ravel(), b"labels": LABELS}, r"\(N, 3072\)"),
        ({b"data": b"bytes", b"labels": LABELS}, "array of uint8"),
        ({b"data": DATA, b"labels": [0, 1, 10]}, "labels from 0 to 9"),
        ({b"data": DATA, b"labels": [0, 1, -1]}, "labels from 0 to 9"),
        ({b"data": DATA, b"labels": b"012"}, "list of 3 integers"),
    ],
)
def test_cifar_batch_exception(d2l, tmp_path, value, match):
    path = with_batch(tmp_path, as_python2(value))
    with pytest.raises(ValueError, match=f"data_batch_2: .*{match}"):
        d2l.CIFAR10(True, path)


def test_cifar_of_floats_exception(d2l, tmp_path):
    raw = pickle.dumps({"data": DATA.astype(np.float32), "labels": LABELS}, 2)
    with pytest.raises(ValueError, match=r"data_batch_2: .*'f4'"):
        d2l.CIFAR10(True, with_batch(tmp_path, raw))


class Evil:
    """Pickled as a call of what it is given."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker):
    """Pickles that would write a file, or do other things, when they are loaded."""
    command = f"touch {marker}"
    calls = {
        "os.system": Evil(os.system, command),
        "eval": Evil(eval, f"open({str(marker)!r}, 'w')"),
        "exec": Evil(exec, f"open({str(marker)!r}, 'w')"),
        "open": Evil(open, str(marker), "w"),
        "subprocess": Evil(subprocess.Popen, ["touch", str(marker)]),
        "getattr": Evil(getattr, np.ndarray, "tofile"),
        "numpy.fromfile": Evil(np.fromfile, "/dev/zero"),
        "numpy.frombuffer": Evil(np.frombuffer, b"1234"),
        "numpy.zeros": Evil(np.zeros, 2**40),
        "ndarray": Evil(np.ndarray, (2**40,)),
        "object": np.array([Evil(os.system, command)], dtype=object),
        "in a list": [Evil(os.system, command)],
        "an object": Image.new("RGB", (1, 1)),
        "a set": {1, 2},
        "complex": 1j,
        "float array": np.zeros(3),
        "structured": np.zeros(3, dtype=[("a", "u1")]),
    }
    raw = {
        name: pickle.dumps({"data": value, "labels": []}, protocol)
        for name, value in calls.items()
        for protocol in (2,)
    }
    raw["protocol 4"] = pickle.dumps(Evil(os.system, command), 4)
    raw["protocol 0"] = pickle.dumps(Evil(os.system, command), 0)
    raw["text"] = f"cos\nsystem\n(S'{command}'\ntR.".encode()
    raw["inst"] = f"(S'{command}'\nios\nsystem\n.".encode()
    raw["obj"] = f"(cos\nsystem\nS'{command}'\no.".encode()
    raw["persistent"] = b"P1\n."
    raw["dotted"] = b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.__new\x93."  # and torn
    raw["a path in numpy"] = b"\x80\x04\x8c\x05numpy\x94\x8c\x10core.os.system\x94\x93."
    raw["module of parts"] = b"\x80\x02cd2lcv.data.cifar_archive\nos.system\n."
    raw["a memory of 32 GB"] = b"\x80\x02Nr\xff\xff\xff\x7f."
    raw["bytes of 1 TB"] = b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x."
    raw["frame of 1 TB"] = b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N."
    raw["array of 1 TB"] = as_python2({b"data": DATA, b"labels": []}).replace(
        struct.pack("<i", 3072), struct.pack("<i", 2**31 - 1)
    )
    raw["nested tuples"] = b"\x80\x02}(" + b")" + b"\x85" * 10**6 + b"K\x00u."
    raw["nested lists"] = b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b"."
    raw["state of a function"] = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}X\x01\x00\x00\x00aK\x01sb."
    )
    raw["state of a class"] = b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb."
    raw["nothing"] = b""
    raw["noise"] = bytes(range(256))
    raw["no end"] = pickle.dumps({"data": 1})[:-1]
    return raw


ATTACKS = sorted(attacks("x"))


@pytest.mark.parametrize("name", ATTACKS)
def test_pickle_attack(tmp_path, name):
    """Refused with the file's name; nothing was run, and no great memory asked for."""
    marker = tmp_path / "was-here"
    raw = attacks(marker)[name]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="archive: batch: "):
            value = cifar_archive.load_pickle(raw, "archive: batch")
            cifar_archive._batch(value, 10, "archive: batch")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not marker.exists()
    assert peak < 200 * 2**20


def test_attacks_are_attacks(tmp_path):
    """Python's own loader would have run them."""
    marker = tmp_path / "was-here"
    for name in (
        "os.system",
        "eval",
        "exec",
        "open",
        "text",
        "inst",
        "obj",
        "protocol 4",
    ):
        pickle.loads(attacks(marker)[name])
        assert marker.exists(), name
        marker.unlink()
    assert "GLOBAL" in {
        op.name for op, _, _ in pickletools.genops(attacks(marker)["eval"])
    }


def test_pickle_attack_in_an_archive(d2l, tmp_path):
    marker = tmp_path / "was-here"
    for name in ("data_batch_2", "batches.meta"):
        path = with_batch(tmp_path, attacks(marker)["os.system"], name)
        with pytest.raises(ValueError, match=rf"tar\.gz: {name}: .*system"):
            d2l.CIFAR10(True, path)
    assert not marker.exists()


def test_archive_writes_nothing(d2l, tmp_path):
    """Members that point elsewhere, links, and others' names are passed over."""
    files = cifar_files(as_python2)
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in files.items():
            for prefix in ("../../", "/", "cifar-10-batches-py/"):
                info = tarfile.TarInfo(prefix + name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    before = sorted(tmp_path.rglob("*"))
    assert len(d2l.CIFAR10(True, path)) == 11
    assert sorted(tmp_path.rglob("*")) == before


def test_archive_that_is_too_large_exception(d2l, tmp_path, monkeypatch):
    path = place(tmp_path, cifar_files(as_python2), "archive")
    monkeypatch.setattr(cifar_archive, "_MAX_BYTES", 5000)
    with pytest.raises(ValueError, match="expected at most 5000 bytes"):
        d2l.CIFAR10(True, path)
    monkeypatch.setattr(cifar_archive, "_MAX_BYTES", 10**6)
    monkeypatch.setattr(cifar_archive, "_MAX_TOTAL", 9000)
    with pytest.raises(ValueError, match="unpacks to more than 9000"):
        d2l.CIFAR10(True, path)


@pytest.mark.parametrize("data", ["no/such/folder", "Synthetic"])
def test_cifar_place_exception(d2l, data):
    with pytest.raises(FileNotFoundError, match="data: "):
        d2l.CIFAR10(True, data)


def test_cifar_synthetic(d2l):
    dataset = d2l.CIFAR10(False)
    assert dataset.classes == NAMES and len(dataset) >= 100
    image, label = dataset[len(dataset) - 1]
    assert image.size == (32, 32) and label == 9
