"""Pascal VOC's layout: the reader, colours and classes, crops, the drawn set, batches."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import FRAMEWORKS
from PIL import Image

from d2lcv.data import voc
from d2lcv.drawn.sets import synthetic
from d2lcv.drawn.voc import DRAWN_CLASSES, draw_voc, make_voc
from d2lcv.proof.inputs import uniform, whole
from d2lcv.randomness import stream_of

ROOT = Path(__file__).parents[2]

# as the set's documentation has them
COLORS = {
    "background": (0, 0, 0),
    "aeroplane": (128, 0, 0),
    "bicycle": (0, 128, 0),
    "bird": (128, 128, 0),
    "cat": (64, 0, 0),
    "person": (192, 128, 128),
    "potted plant": (0, 64, 0),
    "tv/monitor": (0, 64, 128),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return make_voc(tmp_path_factory.mktemp("drawn") / "VOC2012", 12, 5, size=96)


@pytest.fixture
def copy(drawn, tmp_path):
    """A set that a test may damage."""
    return Path(shutil.copytree(drawn, tmp_path / "VOC2012"))


def folders(root, name):
    return (
        root / "JPEGImages" / f"{name}.jpg",
        root / "SegmentationClass" / f"{name}.png",
    )


# ---- colours and classes -------------------------------------------------------------


@pytest.fixture
def own(d2l, native):
    """Makes an image (H, W, 3) a tensor in the layout of the framework's reader."""
    axes = (2, 0, 1) if native.CHANNELS_FIRST else (0, 1, 2)
    return lambda image: d2l.tensor(image.transpose(axes).copy())


@pytest.fixture
def hwc(d2l, native):
    """Gives it back as an array (H, W, 3)."""
    axes = (1, 2, 0) if native.CHANNELS_FIRST else (0, 1, 2)
    return lambda image: d2l.numpy(image).transpose(axes)


def test_colours_of_the_classes(d2l):
    assert len(d2l.VOC_CLASSES) == len(d2l.VOC_COLORMAP) == 21
    for name, color in COLORS.items():
        assert tuple(d2l.VOC_COLORMAP[d2l.VOC_CLASSES.index(name)]) == color
    assert voc.VOID_COLOR == (224, 224, 192)
    assert len(np.unique(voc.voc_palette(), axis=0)) == 256


def test_table_holds_every_class_and_nothing_else(d2l):
    table = d2l.voc_colormap2label()
    assert table.dtype == np.uint8 and table.nbytes == 2**24
    assert table is d2l.voc_colormap2label()
    for number, (red, green, blue) in enumerate(d2l.VOC_COLORMAP):
        assert table[(red * 256 + green) * 256 + blue] == number
    assert np.count_nonzero(table) == 20
    ignore = d2l.voc_colormap2label("ignore")
    (different,) = np.flatnonzero(ignore != table)
    assert different == (224 * 256 + 224) * 256 + 192 and ignore[different] == 255
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1
    with pytest.raises(
        ValueError, match="void: expected one of 'background', 'ignore'"
    ):
        d2l.voc_colormap2label("void")


def labels(kind, height, width):
    """Coloured labels (H, W, 3): blocks, one colour, many edges, or a photograph."""
    colors = np.array([*voc.VOC_COLORMAP, voc.VOID_COLOR, (7, 8, 9)], np.uint8)
    if kind == "photograph":
        return whole(800, 256, height, width, 3).astype(np.uint8)
    cells = {"plain": 1, "blocks": 5, "edges": 64}[kind]
    numbers = whole(801 + cells, len(colors), cells, cells)
    rows, columns = (np.arange(n) * cells // n for n in (height, width))
    return colors[numbers[rows][:, columns]]


@pytest.mark.parametrize("kind", ["plain", "blocks", "edges", "photograph"])
@pytest.mark.parametrize("size", [(60, 70), (1, 1), (1, 3), (5, 1)])
@pytest.mark.parametrize("void", ["background", "ignore"])
def test_classes_by_definition(d2l, own, kind, size, void):
    colors = labels(kind, *size)
    known = {tuple(c): i for i, c in enumerate(voc.VOC_COLORMAP)}
    if void == "ignore":
        known[voc.VOID_COLOR] = 255
    expected = [[known.get(tuple(c), 0) for c in row] for row in colors.tolist()]
    table = d2l.voc_colormap2label(void)
    given = [
        *(colors, colors.astype(np.int64), colors.astype(np.float32)),
        *(own(colors), own(colors.astype(np.int32))),
        *[colors[::-1].transpose(2, 0, 1)[:, ::-1]] * (size[1] != 3),
    ]
    for colormap in given:
        classes = d2l.voc_label_indices(colormap, table)
        assert d2l.is_tensor(classes) == d2l.is_tensor(colormap)
        types = (np.int64, np.int32) if d2l.is_tensor(classes) else (np.uint8,)
        classes = d2l.numpy(classes) if d2l.is_tensor(classes) else classes
        assert classes.dtype in types
        np.testing.assert_array_equal(classes, expected)


def test_classes_refuse(d2l):
    table = d2l.voc_colormap2label()
    with pytest.raises(ValueError, match="colormap: expected shape"):
        d2l.voc_label_indices(d2l.zeros((4, 5)), table)
    with pytest.raises(
        ValueError, match=r"colormap2label: expected shape \(16777216,\)"
    ):
        d2l.voc_label_indices(np.zeros((4, 5, 3), np.uint8), table[:256])
    for number in (256, -1, 0.5):
        with pytest.raises(
            ValueError, match="colormap: expected integers from 0 to 255"
        ):
            d2l.voc_label_indices(np.full((4, 5, 3), number), table)
    with pytest.raises(TypeError, match="colormap: expected a tensor"):
        d2l.voc_label_indices([[[0, 0, 0]]], table)


# ---- crops ---------------------------------------------------------------------------


def test_crops_are_equal_and_everywhere(d2l, own, hwc):
    y, x = np.mgrid[:9, :13]
    image = np.stack([y, x, 0 * x], 2).astype(np.uint8)
    corners = set()
    for _ in range(300):
        pair = d2l.voc_rand_crop(own(image), own(image), 7, 10)
        a, b = (hwc(part) for part in pair)
        assert a.shape == (7, 10, 3)
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a - a[0, 0], image[:7, :10])
        corners.add(tuple(a[0, 0, :2].tolist()))
    assert corners == {(top, left) for top in range(3) for left in range(4)}


def test_crops_repeat_with_the_seed_and_take_arrays_and_classes(d2l, own, hwc):
    image = whole(810, 256, 40, 50, 3).astype(np.uint8)
    crops = []
    for feature in (image, own(image)):
        d2l.seed(4)
        a, b = d2l.voc_rand_crop(feature, image[:, :, 0], 20, 30)
        crops.append(a if isinstance(a, np.ndarray) else hwc(a))
        np.testing.assert_array_equal(crops[-1][:, :, 0], b)
    np.testing.assert_array_equal(*crops)
    whole_image, _ = d2l.voc_rand_crop(image, image, 40, 50)
    np.testing.assert_array_equal(whole_image, image)


def test_crops_refuse(d2l):
    image = np.zeros((8, 9, 3), np.uint8)
    with pytest.raises(ValueError, match="a crop within the image, 8 × 9"):
        d2l.voc_rand_crop(image, image, 8, 10)
    with pytest.raises(ValueError, match="label: expected the image's size, 8 × 9"):
        d2l.voc_rand_crop(image, image[1:], 2, 2)


# ---- the reader ----------------------------------------------------------------------


def test_indices_and_colours_are_one(drawn):
    folder = voc.VocFolder(drawn)
    table = voc.color_table(255)
    for i in range(len(folder)):
        classes = folder.classes(i)
        with Image.open(folders(Path(drawn), folder.names[i])[1]) as label:
            np.testing.assert_array_equal(folder.colors(i), label.convert("RGB"))
        np.testing.assert_array_equal(
            voc.colors_to_classes(folder.colors(i), table), classes
        )
        assert set(np.unique(classes)) >= {0, 255}
        np.testing.assert_array_equal(folder.classes(i, 0), classes % 255)
        assert folder.image(i).shape == (*classes.shape, 3)


def test_labels_of_other_kinds_are_read(copy):
    folder = voc.VocFolder(copy)
    expected = folder.classes(0)
    path = folders(copy, folder.names[0])[1]
    with Image.open(path) as label:
        colors, label = label.convert("RGB"), label.copy()
    reverse = Image.fromarray(255 - expected)  # the same colours in another order
    reverse.putpalette(voc.voc_palette()[::-1].tobytes())
    grey = Image.fromarray(expected)
    wide = Image.fromarray(expected.astype(np.uint16))
    opaque = colors.convert("RGBA")
    for kind in (colors, reverse, grey, label, wide, opaque):
        kind.save(path)
        np.testing.assert_array_equal(folder.classes(0), expected)
        np.testing.assert_array_equal(folder.colors(0), np.asarray(colors))


def test_labels_of_numbers_or_colours_of_no_class_are_refused(copy):
    """None of them is taken for background."""
    folder = voc.VocFolder(copy)
    classes = folder.classes(0)
    path = folders(copy, folder.names[0])[1]
    colors = folder.colors(0)
    other = Image.fromarray(classes)
    other.putpalette(bytes(range(256)) * 3)
    kinds = {
        "another palette": (other, "colours of VOC's classes"),
        "one bit": (Image.fromarray(classes > 0), "one number per pixel"),
        "grey as RGB": (Image.fromarray(np.dstack([classes] * 3)), "colours of VOC's"),
        "blue first": (Image.fromarray(colors[:, :, ::-1].copy()), "colours of VOC's"),
        "alpha": (Image.fromarray(classes).convert("LA"), "one number per pixel"),
        "sixteen bits": (
            Image.fromarray(classes.astype(np.uint16) * 257),
            "from 0 to 20",
        ),
    }
    for kind, (label, said) in kinds.items():
        label.save(path)
        with pytest.raises(ValueError, match=rf"{path.name}: expected .*{said}"):
            folder.classes(0)
            pytest.fail(kind)


@pytest.mark.parametrize("below", [".", "..", "../.."])
def test_folder_is_found(tmp_path, drawn, below):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    shutil.copytree(drawn, root)
    assert voc.VocFolder((root / below).resolve()).names


def test_broken_sets_are_told(copy):
    folder = voc.VocFolder(copy)
    picture, label = folders(copy, folder.names[0])
    whole_picture, whole_label = picture.read_bytes(), label.read_bytes()
    picture.write_bytes(whole_picture[:700])
    with pytest.raises(ValueError, match=f"{picture.name} cannot be read"):
        folder.image(0)
    label.write_bytes(whole_label[:100])
    with pytest.raises(ValueError, match=f"{label.name} cannot be read"):
        folder.classes(0)
    picture.write_bytes(whole_picture)
    other = folders(copy, folder.names[1])
    with Image.open(other[1]) as wrong, Image.open(picture) as right:
        size, expected = wrong.size, right.size
        wrong.resize((size[0] + 1, size[1])).save(label)
    message = rf"{label.name}: expected the size of its picture, {expected[0]} × "
    for read in (folder.classes, folder.colors):
        with pytest.raises(ValueError, match=message):
            read(0)
    Image.new("L", expected, 77).save(label)
    with pytest.raises(ValueError, match=f"{label.name}: expected classes .* got 77"):
        folder.classes(0)
    label.unlink()
    with pytest.raises(FileNotFoundError, match=label.name):
        folder.classes(0)
    picture.unlink()
    with pytest.raises(FileNotFoundError, match=picture.name):
        voc.VocFolder(copy, True, (10, 10))


def test_broken_lists_are_told(copy):
    names = copy / "ImageSets" / "Segmentation" / "train.txt"
    names.write_text("../../secret\n")
    with pytest.raises(
        ValueError, match=r"train\.txt: expected names .* '../../secret'"
    ):
        voc.VocFolder(copy)
    for text in ("Käse\n".encode("latin-1"), "a\nb\n".encode("utf-16")):
        names.write_bytes(text)
        with pytest.raises(ValueError, match=r"train\.txt is not text in UTF-8"):
            voc.VocFolder(copy)
    names.write_text("my picture\n\n b \n", encoding="utf-8-sig")
    assert voc.VocFolder(copy).names == ["my picture", "b"]
    names.write_text("\n")
    with pytest.raises(ValueError, match=r"train\.txt has no names"):
        voc.VocFolder(copy)
    names.unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no .*train\.txt"):
        voc.VocFolder(copy)
    shutil.rmtree(copy / "ImageSets")
    with pytest.raises(FileNotFoundError, match="ImageSets/Segmentation, JPEGImages"):
        voc.VocFolder(copy)
    with pytest.raises(FileNotFoundError, match="it is no folder"):
        voc.VocFolder(copy / "none")


# ---- the drawn set -------------------------------------------------------------------


def test_drawn_pictures_have_all_classes_and_borders():
    seen, borders = set(), []
    for i in range(30):
        picture, classes = draw_voc(i, "val")
        assert picture.dtype == classes.dtype == np.uint8
        assert picture.shape == (*classes.shape, 3)
        assert min(classes.shape) >= 100 and max(classes.shape) <= 176
        seen |= set(np.unique(classes).tolist())
        # from a thing to the background there is always some of the void
        a, b = classes[:, 1:], classes[:, :-1]
        assert not ((a == 0) & (b > 0) & (b < 255)).any()
        assert not ((b == 0) & (a > 0) & (a < 255)).any()
        borders.append((classes == 255).mean())
    assert seen == {0, 255, *(voc.VOC_CLASSES.index(name) for name in DRAWN_CLASSES)}
    assert 0.02 < np.mean(borders) < 0.1


def test_drawn_pictures_depend_on_their_numbers_alone(drawn, tmp_path):
    other = make_voc(tmp_path / "set", 2, 1, size=96)
    for name in ("train_000001", "val_000000"):
        pairs = zip(folders(Path(drawn), name), folders(Path(other), name), strict=True)
        for a, b in pairs:
            assert a.read_bytes() == b.read_bytes()
    a, b = (draw_voc(0, size=96, seed=seed)[1] for seed in (0, 1))
    assert not np.array_equal(a, b)


def test_drawn_set_is_registered(monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    folder = synthetic("voc", num_train=2, num_val=1, size=64)
    assert len(voc.VocFolder(folder)) == 2 and len(voc.VocFolder(folder, False)) == 1
    with pytest.raises(ValueError, match="size: expected at least 64"):
        synthetic("voc", size=32)


# ---- sets and batches ----------------------------------------------------------------


def test_images_are_read_when_asked_for(d2l, hwc, drawn):
    features, colors = d2l.read_voc_images(drawn, is_train=False)
    assert len(features) == len(colors) == 5
    assert len(features[0:3] + colors[0:3]) == 6
    folder = voc.VocFolder(drawn, False)
    np.testing.assert_array_equal(hwc(features[4]), folder.image(4))
    np.testing.assert_array_equal(hwc(colors[-1]), folder.colors(4))
    assert sum(1 for _ in features) == 5
    with pytest.raises(IndexError):
        features[5]


def test_small_pictures_are_left_out(d2l, drawn, capsys):
    sizes = [Image.open(p).size for p in sorted(Path(drawn, "JPEGImages").glob("t*"))]
    large = [size for size in sizes if size[0] >= 88 and size[1] >= 64]
    assert 0 < len(large) < len(sizes)
    data = d2l.VOCSegDataset(True, (64, 88), drawn)
    assert len(data) == len(large) == len(data.names)
    assert data.num_filtered == len(sizes) - len(large)
    assert capsys.readouterr().out == f"read {len(large)} examples\n"
    with pytest.raises(ValueError, match=r"crop_size: .* all 12 are smaller"):
        d2l.VOCSegDataset(True, (400, 400), drawn)
    with pytest.raises(ValueError, match="crop_size: expected at least 1"):
        d2l.VOCSegDataset(True, (0, 4), drawn)


@pytest.mark.parametrize("void", ["background", "ignore"])
def test_examples_are_crops_of_picture_and_label(d2l, drawn, void):
    data = d2l.VOCSegDataset(True, (60, 80), drawn, void)
    with stream_of(3):
        image, classes = data.example(2)
    assert image.shape == (3, 60, 80) and image.dtype == np.float32
    assert classes.shape == (60, 80) and classes.dtype == np.int64
    folder, found = voc.VocFolder(drawn), []
    i = folder.names.index(data.names[2])
    pixels, label = folder.image(i), folder.classes(i, {"ignore": 255}.get(void, 0))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    pixels = ((pixels / 255 - mean) / std).transpose(2, 0, 1)
    for top, left in np.ndindex(label.shape[0] - 59, label.shape[1] - 79):
        part = slice(top, top + 60), slice(left, left + 80)
        if np.allclose(pixels[:, part[0], part[1]], image, atol=1e-5):
            found.append(np.array_equal(label[part], classes))
    assert found == [True]
    assert (classes == 255).any() == (void == "ignore")


def test_normalised_in_any_layout(d2l, own, hwc, drawn):
    data = d2l.VOCSegDataset(False, (10, 10), drawn)
    image = whole(820, 256, 6, 7, 3).astype(np.uint8)
    expected = (image / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(data.normalize_image(image), expected, atol=1e-5)
    turned = data.normalize_image(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    np.testing.assert_allclose(turned, expected, atol=1e-5)
    given = data.normalize_image(own(image))
    np.testing.assert_allclose(hwc(given), expected, atol=1e-5)


def test_batches(d2l, drawn):
    def passes(iterator, count=2):
        return [
            [tuple(map(d2l.numpy, batch)) for batch in iterator] for _ in range(count)
        ]

    d2l.seed(9)
    train, val = d2l.load_data_voc(4, (48, 64), drawn, void="ignore")
    first, second = passes(train)
    assert [len(X) for X, _ in first] == [4] * (len(first) - 1) + [len(first[-1][0])]
    X, Y = first[0]
    assert X.shape == (4, 3, 48, 64) and X.dtype == np.float32
    assert Y.shape == (4, 48, 64) and Y.dtype.kind == "i"
    together = [np.concatenate([Y for _, Y in epoch]) for epoch in (first, second)]
    assert (
        len(together[0])
        == len(together[1])
        == len(d2l.VOCSegDataset(True, (48, 64), drawn))
    )
    assert not np.array_equal(*together)
    # validation is the same in each pass; equal seeds give equal passes
    for (a, _), (b, _) in zip(*passes(val), strict=True):
        np.testing.assert_array_equal(a, b)
    d2l.seed(9)
    again = passes(d2l.load_data_voc(4, (48, 64), drawn, void="ignore")[0], 1)[0]
    for (a, c), (b, e) in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(c, e)
    d2l.seed(10)
    other = passes(d2l.load_data_voc(4, (48, 64), drawn, void="ignore")[0], 1)[0]
    assert any((a != b).any() for (a, _), (b, _) in zip(first, other, strict=True))


def test_a_broken_picture_is_named_by_the_loader(d2l, copy):
    picture, _ = folders(copy, voc.VocFolder(copy, False).names[1])
    picture.write_bytes(picture.read_bytes()[:700])
    _, val = d2l.load_data_voc(2, (20, 20), str(copy))
    with pytest.raises(Exception, match=picture.name):
        list(val)


@pytest.mark.once
def test_the_drawn_set_is_as_large_as_the_crop(d2l, monkeypatch):
    """The book's own call: three quarters of its pictures at least are large enough."""
    sizes = []

    def draw(name, size=160):
        sizes.append(size)
        return make_voc(tempfile.mkdtemp() + "/VOC2012", 16, 4, size)

    monkeypatch.setattr("d2lcv.drawn.sets.synthetic", draw)
    X, Y = next(iter(d2l.load_data_voc(4, (320, 480))[0]))
    assert tuple(X.shape) == (4, 3, 320, 480) and tuple(Y.shape) == (4, 320, 480)
    for crop in ((320, 480), (90, 90), (96, 128), (150, 100)):
        assert 12 <= len(d2l.VOCSegDataset(True, crop)) <= 16
    assert sizes == [565, 565, 565, 160, 160, 231]


def test_folder_by_name(d2l, drawn, monkeypatch):
    assert d2l.voc_folder(drawn) == drawn
    assert d2l.voc_folder(str(Path(drawn).parent)) == drawn
    with pytest.raises(FileNotFoundError, match="'synthetic', 'book' or a folder"):
        d2l.voc_folder("elsewhere")
    asked = []
    monkeypatch.setattr(
        "d2lcv.data.hub.download_extract", lambda *args: asked.append(args) or drawn
    )
    assert d2l.voc_folder("book") == drawn
    assert asked == [("voc2012", str(Path("VOCdevkit", "VOC2012")))]


def test_a_net_learns_from_the_drawn_set_and_the_void_does_not_count(d2l, drawn):
    """Whatever the void's class is, loss and gradient are the same."""
    d2l.seed(3)
    net = d2l.conv2d(3, 21, 3, padding=1)
    (X, Y), *_ = d2l.load_data_voc(4, (48, 64), drawn, void="ignore")[1]
    loss = d2l.numpy(d2l.segmentation_loss(net(X), Y))
    preds, labels = d2l.numpy(net(X)), d2l.numpy(Y)
    preds += 5.0 * (uniform(830, *preds.shape) - 0.5) * (labels == 255)[:, None]
    moved = d2l.segmentation_loss(d2l.tensor(preds.astype(np.float32)), Y)
    np.testing.assert_allclose(d2l.numpy(moved), loss, rtol=1e-5)


def test_reading_needs_no_framework_and_no_memory(drawn):
    """The reader in a fresh process: no framework, and nothing of the pictures kept."""
    code = (
        "import sys, json, tracemalloc\n"
        "from d2lcv.data.voc import VocFolder\n"
        f"folder = VocFolder({drawn!r})\n"
        "folder.image(0), folder.classes(0)\n"
        "tracemalloc.start()\n"
        "for i in range(len(folder)): folder.image(i), folder.classes(i)\n"
        "kept, peak = tracemalloc.get_traced_memory()\n"
        f"names = {FRAMEWORKS} & set(sys.modules)\n"
        "print(json.dumps([kept, peak, sorted(names)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept, peak, frameworks = json.loads(done.stdout)
    assert frameworks == [] and kept < 50_000 and peak < 1_000_000
