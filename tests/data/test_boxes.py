"""The reader of labelled pictures: what it reads, and what it refuses."""

import gc
import pickle
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2lcv.datasets.detection import DetectionDataset
from d2lcv.drawn.bananas import draw_banana, make_bananas

from_csv = DetectionDataset.from_csv
HEADER = "img_name,label,xmin,ymin,xmax,ymax"
RACCOON = Path(__file__).parents[3] / "shared" / "data" / "raccoon"


def picture(width, height, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def make_set(root, rows, images=None, split="own_train", header=HEADER):
    """Write a split: the lines of its label.csv, and name -> (width, height)."""
    folder = Path(root) / split
    (folder / "images").mkdir(parents=True)
    for name, (width, height) in (images or {"a.png": (40, 20)}).items():
        Image.fromarray(picture(width, height)).save(folder / "images" / name)
    (folder / "label.csv").write_text("\n".join([header, *rows]) + "\n")
    return root


@pytest.fixture(scope="module")
def bananas(tmp_path_factory):
    return make_bananas(tmp_path_factory.mktemp("data") / "bananas", 4, 2)


# ---- reading -------------------------------------------------------------------------


def test_synthetic_bananas(bananas):
    for is_train, split, count in ((True, "train", 4), (False, "val", 2)):
        folder = from_csv(bananas, is_train)
        assert len(folder) == count
        assert folder.labels.shape == (count, 1, 5)
        assert folder.num_classes == 1
        assert folder.classes == ("banana",)
        for i in range(count):
            pixels, box, _ = draw_banana(i, split)
            image, label = folder.example(i)
            assert image.shape == (3, 256, 256)
            np.testing.assert_array_equal(image, pixels.transpose(2, 0, 1))
            np.testing.assert_allclose(label, [[0, *box / 256]], atol=1e-7)


def test_types_and_range(bananas):
    folder = from_csv(bananas)
    image, label = folder.example(0)
    assert image.dtype == label.dtype == folder.labels.dtype == np.float32
    assert image.flags.c_contiguous
    assert 100 < image.max() <= 255
    assert folder.pixels(0).dtype == np.uint8


def test_fractions_are_of_each_pictures_own_sides(tmp_path):
    images = {"a.png": (40, 20), "b.jpg": (64, 128)}
    make_set(tmp_path, ["a.png,0,10,5,40,20", "b.jpg,0,16,32,48,128"], images)
    folder = from_csv(tmp_path)
    assert folder.labels.tolist() == [
        [[0, 0.25, 0.25, 1, 1]],
        [[0, 0.25, 0.25, 0.75, 1]],
    ]
    assert folder.sizes.tolist() == [[20, 40], [128, 64]]
    assert folder.example(0)[0].shape == (3, 20, 40)
    assert [Path(path).name for path in folder.paths] == ["a.png", "b.jpg"]


def test_class_is_not_divided_with_the_box(tmp_path):
    make_set(tmp_path, ["a.png,7,10,5,20,10"])
    assert from_csv(tmp_path).labels[0, 0, 0] == 7


def test_several_rows_are_gathered_and_padded(tmp_path):
    rows = [
        "a.png,0,0,0,10,10",
        "b.png,2,0,0,20,20",
        "a.png,1,20,10,40,20",  # rows of a picture need not stand together
        "a.png,0,1,2,3,4",
    ]
    make_set(
        tmp_path, rows, {"a.png": (40, 20), "b.png": (40, 40), "unused.png": (8, 8)}
    )
    folder = from_csv(tmp_path)
    assert folder.labels.shape == (2, 3, 5)
    assert folder.labels[0, :, 0].tolist() == [0, 1, 0]
    assert folder.labels[0, 1].tolist() == [1, 0.5, 0.5, 1, 1]
    padding = [-1, 0, 0, 0, 0]
    assert folder.labels[1].tolist() == [[2, 0, 0, 0.5, 0.5], padding, padding]
    assert folder.num_classes == 3
    assert folder.classes == ("0", "1", "2")


NOTHING = ["b.png,-1,0,0,0,0", "b.png,,,,,", "b.png,-1,,,,"]


@pytest.mark.parametrize("row", NOTHING)
def test_a_picture_without_objects(tmp_path, row):
    images = {"a.png": (40, 20), "b.png": (8, 8)}
    make_set(tmp_path, ["a.png,0,0,0,10,10", row], images)
    folder = from_csv(tmp_path)
    assert len(folder) == 2
    assert folder.labels[1].tolist() == [[-1, 0, 0, 0, 0]]
    assert folder.num_classes == 1


def test_only_pictures_without_objects(tmp_path):
    make_set(tmp_path, ["a.png,-1,0,0,0,0"])
    assert from_csv(tmp_path).num_classes == 1


def test_names_of_classes(tmp_path):
    make_set(tmp_path, ["a.png,1,0,0,10,10"])
    (tmp_path / "classes.txt").write_text("cat\n dog \nbird\n\n")
    folder = from_csv(tmp_path)
    assert folder.classes == ("cat", "dog", "bird")
    assert folder.num_classes == 3


def test_both_splits_agree_on_the_classes(tmp_path):
    make_set(tmp_path, ["a.png,4,0,0,10,10"])
    make_set(tmp_path, ["a.png,1,0,0,10,10"], split="own_val")
    assert from_csv(tmp_path, is_train=True).num_classes == 5
    assert from_csv(tmp_path, is_train=False).num_classes == 5


def test_header_in_another_order_with_more_columns_and_spaces(tmp_path):
    header = "label, xmin,ymin,xmax,ymax,img_name,photographer"
    make_set(tmp_path, ["0, 10,5,20,10, a.png ,me", "", " ,,,,,,"], header=header)
    path = tmp_path / "own_train" / "label.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert from_csv(tmp_path).labels.tolist() == [[[0, 0.25, 0.25, 0.5, 0.5]]]


def test_box_touching_the_border_and_box_in_fractions_of_a_pixel(tmp_path):
    make_set(tmp_path, ["a.png,0,0,0,40,20", "a.png,0.0,0.5,1e0,39.5,19"])
    labels = from_csv(tmp_path).labels[0]
    np.testing.assert_allclose(labels[1], [0, 0.0125, 0.05, 0.9875, 0.95], rtol=1e-6)


def test_picture_in_a_folder_of_its_own(tmp_path):
    folder = make_set(tmp_path, ["day/a.png,0,0,0,10,10"]) / "own_train" / "images"
    (folder / "day").mkdir()
    shutil.move(folder / "a.png", folder / "day" / "a.png")
    assert len(from_csv(tmp_path)) == 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_other_colour_modes_become_rgb(tmp_path, mode):
    make_set(tmp_path, ["a.png,0,0,0,10,10"])
    image = Image.fromarray(picture(40, 20)).convert(mode)
    path = tmp_path / "own_train" / "images" / "a.png"
    image.save(path, "JPEG" if mode == "CMYK" else "PNG")
    expected = Image.open(path).convert("RGB")
    folder = from_csv(tmp_path)
    np.testing.assert_array_equal(folder.pixels(0), np.asarray(expected))


@pytest.mark.parametrize("size", [None, (20, 40)])
def test_grey_of_16_bits_keeps_its_upper_ones(tmp_path, size):
    make_set(tmp_path, ["a.png,0,0,0,10,10"])
    grey = picture(40, 20)[..., 0].astype(np.uint16)
    path = tmp_path / "own_train" / "images" / "a.png"
    Image.fromarray(grey * 256 + 99).save(path)
    pixels = from_csv(tmp_path, size=size).pixels(0)
    np.testing.assert_array_equal(pixels, np.stack([grey] * 3, -1))


# ---- resizing ------------------------------------------------------------------------


def test_resizing_keeps_the_labels(tmp_path):
    make_set(tmp_path, ["a.png,0,10,5,40,20"])
    plain, small = from_csv(tmp_path), from_csv(tmp_path, size=(8, 30))
    assert small.example(0)[0].shape == (3, 8, 30)
    np.testing.assert_array_equal(small.labels, plain.labels)
    assert small.sizes.tolist() == [[20, 40]]


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_shrinking_averages(tmp_path, name):
    """Fine black and white stripes become grey: every pixel counts."""
    make_set(tmp_path, [f"{name},0,0,0,10,10"], {name: (8, 8)})
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    path = tmp_path / "own_train" / "images" / name
    Image.fromarray(stripes).save(path, quality=95)
    image, _ = from_csv(tmp_path, size=(32, 32)).example(0)
    np.testing.assert_allclose(image, 127.5, atol=8)


def test_places_stay_when_resized(tmp_path):
    """A bright square stays at its fraction of the picture, for PNG and JPEG."""
    for name in ("a.png", "b.jpg"):
        make_set(tmp_path / name, [f"{name},0,64,128,128,192"], {name: (8, 8)}, "x_val")
        square = np.zeros((256, 256, 3), np.uint8)
        square[128:192, 64:128] = 255
        Image.fromarray(square).save(tmp_path / name / "x_val" / "images" / name)
        for side in (64, 100, 300):
            folder = from_csv(tmp_path / name, False, size=(side, side))
            image, label = folder.example(0)
            y, x = np.nonzero(image[0] > 127)
            found = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) / side
            np.testing.assert_allclose(found, label[0, 1:], atol=1.1 / side)


@pytest.mark.parametrize("size", [(0, 8), (8,), (8, 8, 3), 0, "ab", (None, 8)])
def test_sizes_that_are_none(bananas, size):
    with pytest.raises((TypeError, ValueError), match="size: expected"):
        from_csv(bananas, size=size)


# ---- the object ----------------------------------------------------------------------


def test_it_is_a_sequence(bananas):
    folder = from_csv(bananas)
    assert len(folder) == 4
    np.testing.assert_array_equal(folder.example(-1)[0], folder.example(3)[0])
    with pytest.raises(IndexError):
        folder.example(4)
    assert "4 pictures" in repr(folder)


def test_an_example_is_its_own(bananas):
    folder = from_csv(bananas)
    image, label = folder.example(0)
    image[:], label[:] = 0, 9
    assert folder.example(0)[0].any()
    assert folder.labels[0, 0, 0] == 0


def test_it_can_be_sent_to_another_process(bananas):
    folder = from_csv(bananas, size=(16, 16))
    copy = pickle.loads(pickle.dumps(folder))
    np.testing.assert_array_equal(copy.example(1)[0], folder.example(1)[0])


def test_memory_does_not_hold_pixels(bananas):
    """Reading every picture many times leaves less than one picture behind."""
    folder = from_csv(bananas)
    folder.example(0)
    assert len(pickle.dumps(folder)) < 5000
    gc.collect()
    tracemalloc.start()
    for _ in range(10):
        for i in range(len(folder)):
            folder.example(i)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 256 * 256 * 3


# ---- what is refused -----------------------------------------------------------------

BAD_ROWS = {
    "no number": ("a.png,0,1,x,3,4", "a number as ymin"),
    "empty number": ("a.png,0,1,,3,4", "a number as ymin"),
    "empty label with a box": ("a.png,,1,2,3,4", "as label a class"),
    "not finite": ("a.png,0,1,2,inf,4", "a number as xmax"),
    "not a number": ("a.png,0,nan,2,3,4", "a number as xmin"),
    "too few values": ("a.png,0,1,2,3", "a number as ymax"),
    "class below -1": ("a.png,-2,1,2,3,4", "a class from 0 to 1 or -1"),
    "class in parts": ("a.png,0.5,1,2,3,4", "a class from 0 to 1 or -1"),
    "class of no name": ("a.png,cat,1,2,3,4", "a class from 0 to 1 or -1"),
    "class without a name": ("a.png,2,1,2,3,4", "a class from 0 to 1 or -1"),
    "number that is a name": ("a.png,1,1,2,3,4", "one's number, another's name"),
    "right of the picture": ("a.png,0,1,2,41.5,4", "40 × 20", "got 1, 2, 41.5, 4"),
    "below the picture": ("a.png,0,1,2,3,22", "40 × 20", "got 1, 2, 3, 22"),
    "left of the picture": ("a.png,0,-2,2,3,4", "must lie in its picture"),
    "above the picture": ("a.png,0,1,-2,3,4", "must lie in its picture"),
    "beside the picture": ("a.png,0,40.1,2,40.9,4", "must lie in its picture"),
    "mirrored": ("a.png,0,9,2,3,4", "xmin < xmax", "9, 2, 3, 4"),
    "upside down": ("a.png,0,1,9,3,4", "ymin < ymax"),
    "without area": ("a.png,0,3,2,3,4", "xmin < xmax"),
    "no name": (",0,1,2,3,4", "name of a file"),
    "name that climbs out": ("../a.png,0,1,2,3,4", "name of a file"),
    "absolute name": ("/a.png,0,1,2,3,4", "name of a file"),
    "none and one": ("a.png,-1,0,0,0,0", "one row for a picture without objects"),
}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_row_is_named(tmp_path, row):
    make_set(tmp_path, ["a.png,0,0,0,40,20", row[0]])
    (tmp_path / "classes.txt").write_text("1\nthing\n")
    with pytest.raises(ValueError) as error:
        from_csv(tmp_path)
    for part in (f"{tmp_path / 'own_train' / 'label.csv'}, line 3: ", *row[1:]):
        assert part in str(error.value)


def test_row_with_too_many_values_and_an_open_quote(tmp_path):
    for row in ("a.png,0,1,2,3,4,5", 'a.png,0,1,2,3,"4'):
        make_set(tmp_path / row[-1], ["a.png,0,0,0,40,20", row])
        with pytest.raises(ValueError, match=r"label\.csv is not a CSV file: "):
            from_csv(tmp_path / row[-1])


def test_a_class_that_is_a_mistake(tmp_path):
    make_set(tmp_path, ["a.png,1e10,0,0,40,20"])
    with pytest.raises(ValueError, match="from 0 to 9999 or -1"):
        from_csv(tmp_path)


def test_classes_by_name(tmp_path):
    make_set(tmp_path, ["a.png,dog,0,0,40,20", "a.png,0,0,0,9,9", "a.png,1.0,0,0,9,9"])
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert from_csv(tmp_path).labels[0, :, 0].tolist() == [1, 0, 1]


def test_one_picture_by_two_spellings(tmp_path):
    make_set(tmp_path, ["./a.png,0,0,0,40,20", "a.png,0,0,0,9,9", ".\\a.png,0,0,0,9,9"])
    assert from_csv(tmp_path).labels.shape == (1, 3, 5)


def test_box_beyond_the_border_by_a_rounding(tmp_path):
    rows = ["a.png,0,-0.0001,5,40,20.9", "a.png,0,0,0,40,20"]
    make_set(tmp_path, rows)
    with pytest.warns(
        UserWarning, match=r"label\.csv: 1 of 2 boxes reach up to a pixel"
    ):
        labels = from_csv(tmp_path).labels
    assert labels.tolist() == [[[0, 0, 0.25, 1, 1], [0, 0, 0, 1, 1]]]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_picture_that_its_notes_turn(tmp_path, name):
    """Its boxes may be meant before or after: refused. Other notes do not matter."""
    make_set(tmp_path, [f"{name},0,0,0,10,10"], {name: (20, 20)})
    path = tmp_path / "own_train" / "images" / name
    for orientation in (1, 3):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(picture(20, 20)).save(path, exif=exif)
        if orientation == 1:
            assert from_csv(tmp_path).pixels(0).shape == (20, 20, 3)
    for size in (None, (10, 10)):
        with pytest.raises(ValueError, match=f"{name}: its EXIF orientation turns it"):
            from_csv(tmp_path, size=size).pixels(0)


def test_missing_picture(tmp_path):
    make_set(tmp_path, ["a.png,0,0,0,40,20", "b.png,0,0,0,40,20"])
    with pytest.raises(FileNotFoundError, match=r"line 3: the picture .*b\.png"):
        from_csv(tmp_path)


BAD_FILES = {
    "empty": (b"", "expected the columns img_name"),
    "no header": (b"a.png,0,1,2,3,4\n", "expected the columns img_name"),
    "column missing": (b"img_name,label,xmin,ymin,xmax\n", "line 1.*expected"),
    "binary": (bytes(range(128, 256)), "UTF-8"),
    "UTF-16": (HEADER.encode("utf-16"), "UTF-8"),
    "UTF-16 without a mark": (HEADER.encode("utf-16-le"), "UTF-8"),
    "header only": (HEADER.encode() + b"\n\n", "no rows"),
}


@pytest.mark.parametrize(("content", "match"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_label_file(tmp_path, content, match):
    make_set(tmp_path, [])
    (tmp_path / "own_train" / "label.csv").write_bytes(content)
    with pytest.raises(ValueError, match=match) as error:
        from_csv(tmp_path)
    assert "label.csv" in str(error.value)


def test_missing_label_file(tmp_path):
    make_set(tmp_path, [])
    (tmp_path / "own_train" / "label.csv").unlink()
    with pytest.raises(FileNotFoundError, match=rf"label\.csv.*{HEADER}"):
        from_csv(tmp_path)


def test_missing_root_and_splits(tmp_path, bananas):
    with pytest.raises(FileNotFoundError, match="no folder"):
        from_csv(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"\*_train.*found nothing"):
        from_csv(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"\*_val.*found images, label\.csv"):
        from_csv(Path(bananas) / "bananas_train", is_train=False)


def test_several_splits_are_ambiguous(tmp_path):
    make_set(tmp_path, ["a.png,0,0,0,10,10"], split="cats_train")
    make_set(tmp_path, ["a.png,0,0,0,10,10"], split="dogs_train")
    with pytest.raises(ValueError, match="cats_train, dogs_train"):
        from_csv(tmp_path)


@pytest.mark.parametrize("text", [b"", b"\n \n", b"cat\ncat\n", b"\xff\xfe"])
def test_bad_class_names(tmp_path, text):
    make_set(tmp_path, ["a.png,0,0,0,10,10"])
    (tmp_path / "classes.txt").write_bytes(text)
    with pytest.raises(ValueError, match=r"classes\.txt"):
        from_csv(tmp_path)


DAMAGES = ["half", "no picture", "empty", "checksum", "end"]  # no checksum in a JPEG


@pytest.mark.parametrize(
    "name,damage",
    [*(("a.png", d) for d in DAMAGES), *(("a.jpg", d) for d in DAMAGES[:3])],
)
def test_broken_picture_is_named(tmp_path, name, damage):
    make_set(tmp_path, [f"{name},0,0,0,10,10"], {name: (200, 200)})
    path = tmp_path / "own_train" / "images" / name
    content = path.read_bytes()
    middle = len(content) // 2
    broken = {"half": content[:middle], "no picture": b"text", "empty": b""}
    broken["end"] = content[:-12]
    broken["checksum"] = content[:-16] + b"0000" + content[-12:]
    path.write_bytes(broken[damage])
    for size in (None, (50, 50)):
        said = f"{name} cannot be read: expected a whole picture, PNG, JPEG or another"
        with pytest.raises(ValueError, match=said):
            from_csv(tmp_path, size=size).example(0)


def test_picture_that_vanished_since(tmp_path):
    make_set(tmp_path, ["a.png,0,0,0,10,10"])
    folder = from_csv(tmp_path)
    Path(folder.paths[0]).unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        folder.example(0)


# ---- real photos ---------------------------------------------------------------------


@pytest.mark.skipif(not RACCOON.is_dir(), reason="the raccoon photos are not here")
@pytest.mark.parametrize(
    ("is_train", "pictures", "boxes", "most"), [(True, 160, 173, 3), (False, 40, 44, 2)]
)
def test_raccoons(is_train, pictures, boxes, most):
    folder = from_csv(RACCOON, is_train, size=(64, 64))
    assert len(folder) == pictures
    assert folder.labels.shape == (pictures, most, 5)
    assert (folder.labels[:, :, 0] >= 0).sum() == boxes
    assert folder.classes == ("raccoon",)
    assert folder.labels[:, :, 1:].min() >= 0
    assert folder.labels[:, :, 1:].max() <= 1
    image, label = folder.example(0)
    assert image.shape == (3, 64, 64)
    if is_train:
        np.testing.assert_allclose(label[0, 1:] * 256, [32, 54, 206, 250])
