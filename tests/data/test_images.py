"""Sets of pictures with a class each: folders, CIFAR-10, and what can be wrong."""

import io
import os
import struct
import tarfile
import tracemalloc

import numpy as np
import pytest
from forked import run_script
from PIL import Image

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


def test_folder_follows_links(d2l, tmp_path):
    for name in ("set/a/1.png", "elsewhere/2.png", "elsewhere/deep/3.png"):
        save(tmp_path / name)
    (tmp_path / "set" / "a" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set" / "a")
    names = [os.path.basename(p) for p in d2l.ImageFolder(tmp_path / "set").paths]
    assert names == ["1.png", "2.png", "3.png"]


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


def test_other_notes_than_the_orientation_do_not_matter(tmp_path):
    """A camera's name as a fraction, a resolution as bytes: Pillow cannot write them."""
    pixels = photo(4, 24, 32)
    path = tmp_path / "1.jpg"
    entries = [(0x0112, 3, 1, 6 << 16), (0x0110, 5, 1, 8), (0x011A, 1, 1, 9 << 24)]
    notes = b"".join(struct.pack(">HHII", *entry) for entry in sorted(entries))
    notes = struct.pack(">H", len(entries)) + notes + bytes(4)
    exif = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + notes
    Image.fromarray(pixels).save(path, exif=exif)
    stored = np.asarray(Image.open(path))
    got = np.asarray(pictures.read_picture(path))
    np.testing.assert_array_equal(got, np.rot90(stored, -1))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_picture_whose_white_is_unknown(tmp_path, kind):
    Image.fromarray(photo(1, 8, 8)[..., 0].astype(kind)).save(tmp_path / "1.tif")
    with pytest.raises(ValueError, match=r"1\.tif cannot be read.*8 or 16 bits"):
        pictures.read_picture(tmp_path / "1.tif")


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


def run_with_workers(tmp_path, count, *arguments):
    script, cwd = tmp_path / "script.py", tmp_path / "cwd"
    script.write_text(WORKERS)
    cwd.mkdir(exist_ok=True)
    env = {"D2L_WORKERS": str(count)}
    done = run_script(script, *arguments, cwd=cwd, timeout=300, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_workers_draw_the_same(d2l, tmp_path):
    """Whoever reads an example draws what belongs to it, in this epoch."""
    for i in range(7):
        save(tmp_path / "set" / "a" / f"{i}.png", seed=i, height=20, width=20)
    none = run_with_workers(tmp_path, 0, tmp_path / "set")[-2:]
    assert len(none[0].split()) == 7 and none[0] != none[1]
    assert len(set(none[0].split())) == 7
    assert run_with_workers(tmp_path, 2, tmp_path / "set")[-2:] == none


def test_corrupt_picture_out_of_a_worker(d2l, tmp_path):
    for i in range(5):
        save(tmp_path / "set" / "a" / f"{i}.png")
    broken(tmp_path / "set" / "a" / "bad.png", "cut")
    lines = run_with_workers(tmp_path, 2, tmp_path / "set", "broken")
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
ARCHIVE, FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"


def batch_of(seed, n):
    """As the original: records of a label and 3072 bytes, all red, all green, all blue."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    labels = [int(v) for v in rng.integers(0, 10, n)]
    records = [
        bytes([label]) + b"".join(image[..., c].tobytes() for c in range(3))
        for image, label in zip(pixels, labels, strict=True)
    ]
    return pixels, labels, b"".join(records)


def cifar_files(sizes=(3, 2, 2, 2, 2), test=4):
    files = {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    for i, n in enumerate((*sizes, test)):
        name = f"data_batch_{i + 1}.bin" if i < 5 else "test_batch.bin"
        files[name] = batch_of(i, n)[2]
    return files


def place(root, files, layout):
    """In a folder, as an archive, or extracted, as people have it."""
    if "archive" in layout:
        with tarfile.open(root / ARCHIVE, "w:gz") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(f"{FOLDER}/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return root / ARCHIVE if layout == "archive" else root
    for name, data in files.items():
        touch(root / FOLDER / name, data)
    return root / FOLDER if layout == "batches" else root


@pytest.mark.parametrize(
    "layout", ["archive", "folder of the archive", "batches", "parent"]
)
def test_cifar_value(d2l, tmp_path, layout):
    place_ = place(tmp_path, cifar_files(), layout)
    before = sorted(tmp_path.rglob("*"))
    for is_train, seeds in ((True, range(5)), (False, [5])):
        dataset = d2l.CIFAR10(is_train, place_)
        sizes = (3, 2, 2, 2, 2, 4)
        parts = [batch_of(seed, sizes[seed]) for seed in seeds]
        labels = [label for _, part, _ in parts for label in part]
        pixels = np.concatenate([part for part, _, _ in parts])
        assert dataset.classes == NAMES and len(dataset) == len(pixels)
        assert dataset.labels.tolist() == labels and dataset.labels.dtype == np.int64
        for i, (image, label) in enumerate(dataset):
            assert image.size == (32, 32) and label == labels[i]
            np.testing.assert_array_equal(np.asarray(image), pixels[i])
    assert sorted(tmp_path.rglob("*")) == before  # an archive is only read


def test_cifar_batches(d2l, tmp_path):
    place_ = place(tmp_path, cifar_files(), "archive")
    transform = d2l.Compose([d2l.RandomHorizontalFlip(), d2l.ToTensor()])
    loader = d2l.loader(d2l.CIFAR10(True, place_, transform), 4, shuffle=True)
    shapes = [(tuple(X.shape), tuple(y.shape)) for X, y in loader]
    assert shapes == [((4, 3, 32, 32), (4,))] * 2 + [((3, 3, 32, 32), (3,))]
    with pytest.raises(IndexError):
        d2l.CIFAR10(False, place_)[4]


def test_cifar_is_one_byte_a_value(d2l, tmp_path):
    place_ = place(tmp_path, cifar_files(sizes=(400,) * 5), "batches")
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


@pytest.mark.parametrize("layout", ["archive", "batches"])
def test_cifar_missing_batch_exception(d2l, tmp_path, layout):
    files = cifar_files()
    del files["data_batch_3.bin"]
    with pytest.raises(FileNotFoundError, match=r"there is no data_batch_3\.bin in it"):
        d2l.CIFAR10(True, place(tmp_path, files, layout))


def test_cifar_torn_archive_exception(d2l, tmp_path):
    path = place(tmp_path, cifar_files(), "archive")
    whole = path.read_bytes()
    for raw in (whole[: len(whole) // 2], b"", b"no archive at all", whole[:300]):
        path.write_bytes(raw)
        with pytest.raises(
            (ValueError, FileNotFoundError), match=r"cifar-10-binary\.tar\.gz"
        ):
            d2l.CIFAR10(True, path)


@pytest.mark.parametrize(
    "raw", [b"", b"\x01" * 3072, b"\x0a" + b"x" * 3072, b"\x01" * 3073 + b"\x01"]
)
def test_cifar_batch_exception(d2l, tmp_path, raw):
    files = cifar_files() | {"data_batch_2.bin": raw}
    with pytest.raises(
        ValueError, match=r"data_batch_2\.bin: expected records of 3073"
    ):
        d2l.CIFAR10(True, place(tmp_path, files, "archive"))


@pytest.mark.parametrize(
    "name", ["test_batch", "cifar-10-batches-py/test_batch", "cifar-10-python.tar.gz"]
)
def test_cifar_of_pickles_is_not_run(d2l, tmp_path, name):
    """The file would make another one if it were loaded."""
    marker = tmp_path / "was-here"
    touch(tmp_path / name, f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    with pytest.raises(ValueError, match=r"expected the binary version of CIFAR-10"):
        d2l.CIFAR10(True, tmp_path)
    assert not marker.exists()


def test_cifar_synthetic(d2l):
    dataset = d2l.CIFAR10(False)
    assert dataset.classes == NAMES and len(dataset) >= 100
    image, label = dataset[len(dataset) - 1]
    assert image.size == (32, 32) and label == 9
