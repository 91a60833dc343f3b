"""One set of blood cells in all the forms that people have, and what is refused in each."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from d2lcv.datasets.detection import DetectionDataset

CLASSES = ("Platelets", "RBC", "WBC")
COLOURS = ((90, 60, 150), (220, 110, 110), (120, 90, 200))
FORMS = ("csv", "coco", "voc", "yolo")


def draw_cells(seed, width, height):
    """A picture and its rows (class, x1, y1, x2, y2), many of them."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), (240, 225, 215))
    pen, rows = ImageDraw.Draw(image), []
    for label, count, side in (
        (1, int(rng.integers(8, 20)), 24),
        (2, 1, 48),
        (0, 2, 8),
    ):
        for _ in range(count if seed else 0):  # the first picture has no cells
            x, y = (int(rng.integers(0, n - side + 1)) for n in (width, height))
            box = (x, y, x + side, y + side - int(rng.integers(0, 4)))
            pen.ellipse((*box[:2], box[2] - 1, box[3] - 1), fill=COLOURS[label])
            rows.append((label, *box))
    return image, rows


def cells(split):
    first = 0 if split == "train" else 100
    return {
        f"cell{i}.png": draw_cells(first + i, 128, 96 if i % 2 else 128)
        for i in range(12 if split == "train" else 3)
    }


def write(form, root):
    """Both splits in one of the forms."""
    root = Path(root)
    for split in ("train", "val"):
        {"csv": as_csv, "coco": as_coco, "voc": as_voc, "yolo": as_yolo}[form](
            root, split, cells(split)
        )
    return root


def save(pictures, folder):
    folder.mkdir(parents=True)
    for name, (image, _) in pictures.items():
        image.save(folder / name)


def as_csv(root, split, pictures):
    save(pictures, root / f"cells_{split}" / "images")
    lines = ["img_name,label,xmin,ymin,xmax,ymax"]
    for name, (_, rows) in pictures.items():
        lines += [f"{name},{c},{x1},{y1},{x2},{y2}" for c, x1, y1, x2, y2 in rows]
        lines += [] if rows else [f"{name},-1,,,,"]
    (root / f"cells_{split}" / "label.csv").write_text("\n".join(lines) + "\n")
    (root / "classes.txt").write_text("\n".join(CLASSES))


def as_coco(root, split, pictures):
    save(pictures, root / f"{split}2017")
    images, annotations = [], []
    for i, (name, (image, rows)) in enumerate(pictures.items()):
        size = {"width": image.width, "height": image.height}
        images.append({"id": 10 + i, "file_name": name} | size)
        annotations += [
            {
                "id": len(annotations) + k,
                "image_id": 10 + i,
                "category_id": (3, 7, 20)[c],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "iscrowd": 0,
            }
            for k, (c, x1, y1, x2, y2) in enumerate(rows, 1)
        ]
    categories = [{"id": k, "name": CLASSES[(3, 7, 20).index(k)]} for k in (20, 3, 7)]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    (root / "annotations").mkdir(exist_ok=True)
    path = root / "annotations" / f"instances_{split}2017.json"
    path.write_text(json.dumps(content))


def as_voc(root, split, pictures):
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    stems = []
    for name, (image, rows) in pictures.items():
        stem = f"{split}_{name.removesuffix('.png')}"
        stems.append(stem)
        image.save(root / "JPEGImages" / f"{stem}.png")
        objects = "".join(
            f"<object><name>{CLASSES[c]}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for c, x1, y1, x2, y2 in rows
        )
        size = f"<width>{image.width}</width><height>{image.height}</height>"
        (root / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.png</filename><size>{size}</size>{objects}"
            "</annotation>"
        )
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(stems))


def as_yolo(root, split, pictures):
    save(pictures, root / "images" / split)
    (root / "labels" / split).mkdir(parents=True)
    for name, (image, rows) in pictures.items():
        lines = []
        for c, x1, y1, x2, y2 in rows:
            x, y = (x1 + x2) / 2 / image.width, (y1 + y2) / 2 / image.height
            w, h = (x2 - x1) / image.width, (y2 - y1) / image.height
            lines.append(f"{c} {x:.8f} {y:.8f} {w:.8f} {h:.8f}")
        if lines:  # no file for a picture without objects
            path = root / "labels" / split / name.replace(".png", ".txt")
            path.write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text(
        f"train: images/train\nnc: 3  # classes\nnames: {list(CLASSES)}\n"
    )


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return {form: write(form, tmp_path_factory.mktemp(form)) for form in FORMS}


# ---- one set, four forms -------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_what_was_drawn(sets, form):
    for is_train, split in ((True, "train"), (False, "val")):
        dataset = DetectionDataset.from_folder(sets[form], is_train)
        drawn = cells(split)
        assert dataset.classes == CLASSES and dataset.num_classes == 3
        assert len(dataset) == len(drawn) and dataset.num_clipped == 0
        truth = dataset.truth
        for i, (image, rows) in enumerate(drawn.values()):
            np.testing.assert_array_equal(dataset.pixels(i), np.asarray(image))
            np.testing.assert_allclose(truth[i], np.reshape(rows, (-1, 5)), atol=1e-3)
            assert (dataset.labels[i, len(rows) :, 0] == -1).all()


@pytest.mark.parametrize("form", FORMS[1:])
def test_training_batches_are_the_same(d2l, sets, form):
    batches = {}
    for name in ("csv", form):
        d2l.seed(3)
        dataset = d2l.BananasDataset(True, sets[name], (32, 48))
        batches[name] = [
            [d2l.numpy(x) for x in batch]
            for batch in d2l.loader(dataset, 5, shuffle=True)
        ]
    assert len(batches[form]) == 3
    for mine, expected in zip(batches[form], batches["csv"], strict=True):
        np.testing.assert_array_equal(mine[0], expected[0])
        np.testing.assert_allclose(mine[1], expected[1], atol=1e-6)
        np.testing.assert_array_equal(mine[1][..., 0], expected[1][..., 0])
    assert expected[1].shape[1] > 10  # many boxes


def test_readers_by_name(sets):
    csv = DetectionDataset.from_csv(sets["csv"], size=(64, 64))
    coco = DetectionDataset.from_coco(
        sets["coco"] / "annotations" / "instances_train2017.json",
        sets["coco"] / "train2017",
        size=(64, 64),
    )
    voc = DetectionDataset.from_voc(
        sets["voc"] / "Annotations",
        sets["voc"] / "JPEGImages",
        sets["voc"] / "ImageSets" / "Main" / "train.txt",
        size=(64, 64),
    )
    yolo = DetectionDataset.from_yolo(sets["yolo"], "train", size=(64, 64))
    for dataset in (coco, voc, yolo):
        assert dataset.classes == csv.classes
        np.testing.assert_allclose(dataset.labels, csv.labels, atol=1e-7)
        np.testing.assert_array_equal(dataset.example(3)[0], csv.example(3)[0])
    assert "12 pictures" in repr(coco) and "3 classes" in repr(coco)
    everything = DetectionDataset.from_voc(
        sets["voc"] / "Annotations", sets["voc"] / "JPEGImages"
    )
    assert len(everything) == 15


@pytest.mark.parametrize("form", FORMS)
def test_to_coco_and_back(sets, tmp_path, form):
    dataset = DetectionDataset.from_folder(sets[form])
    path = dataset.to_coco(tmp_path / "deep" / "train.json")
    again = DetectionDataset.from_coco(path)
    assert again.classes == dataset.classes and again.num_clipped == 0
    np.testing.assert_allclose(again.labels, dataset.labels, atol=1e-6)
    np.testing.assert_array_equal(again.pixels(2), dataset.pixels(2))
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["train.json"]


def test_to_coco_is_read_by_pycocotools(sets, tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    dataset = DetectionDataset.from_folder(sets["csv"])
    data = coco.COCO(dataset.to_coco(tmp_path / "train.json"))
    assert [c["name"] for c in data.loadCats(data.getCatIds())] == list(CLASSES)
    (i,) = data.getImgIds(imgIds=[4])
    boxes = [a["bbox"] for a in data.loadAnns(data.getAnnIds(imgIds=[i]))]
    drawn = cells("train")["cell3.png"][1]
    assert boxes == [[x1, y1, x2 - x1, y2 - y1] for _, x1, y1, x2, y2 in drawn]


def test_perfect_detections_score_one(d2l, sets):
    truth = DetectionDataset.from_folder(sets["coco"]).truth
    found = [np.insert(rows, 1, 0.9, axis=1) for rows in truth]
    scores = d2l.evaluate_detections(found, truth, CLASSES)
    assert scores["AP"] == pytest.approx(1) and scores.voc2010 == pytest.approx(1)


def test_show(d2l, sets):
    dataset = DetectionDataset.from_folder(sets["csv"], size=(64, 64))
    axes = dataset.show([1, 2])
    assert len(axes) == 2
    assert len(axes[0].patches) == len(cells("train")["cell1.png"][1])
    assert {t.get_text() for t in axes[0].texts} == set(CLASSES)
    d2l.plt.close("all")


# ---- the habits of other programs ----------------------------------------------------


def test_layouts_of_exports(tmp_path):
    """train/ and valid/, each with its labels beside the pictures."""
    for form in ("coco", "voc", "yolo"):
        write(form, tmp_path / form)
    coco, voc, yolo = (tmp_path / form for form in ("coco", "voc", "yolo"))
    for split, name in (("train", "train"), ("val", "valid")):
        folder = tmp_path / "coco2" / name
        shutil.copytree(coco / f"{split}2017", folder)
        shutil.copy(
            coco / "annotations" / f"instances_{split}2017.json",
            folder / "_annotations.coco.json",
        )
        folder = tmp_path / "voc2" / name
        folder.mkdir(parents=True)
        for path in [*voc.glob("*/*.xml"), *voc.glob("*/*.png")]:
            if path.name.startswith(split):
                shutil.copy(path, folder)
        for kind in ("images", "labels"):
            shutil.copytree(yolo / kind / split, tmp_path / "yolo2" / name / kind)
    (tmp_path / "yolo2" / "data.yaml").write_text(
        "names:\n  0: Platelets\n  1: 'RBC'\n  2: WBC\n"
    )
    expected = DetectionDataset.from_folder(coco)
    for form in ("coco2", "voc2", "yolo2"):
        for is_train, count in ((True, 12), (False, 3)):
            dataset = DetectionDataset.from_folder(tmp_path / form, is_train)
            assert len(dataset) == count and dataset.classes == CLASSES
            if is_train:
                np.testing.assert_allclose(dataset.labels, expected.labels, atol=1e-7)


@pytest.mark.parametrize(
    "text",
    [
        "names: [a, 'b c', \"d\"]",
        "names:\n- a\n- b c\n- d  # the last\nnc: 3",
        "nc: 3\nnames:\n  0: a\n  1: b c\n  2: d\ntrain: x",
        "names: {0: a, 1: 'b c', 2: d}",
        "names: [\n  'a',\n  'b c',\n  'd'\n  ]",
    ],
)
def test_names_in_data_yaml(tmp_path, text):
    write("yolo", tmp_path)
    (tmp_path / "data.yaml").write_text(text)
    assert DetectionDataset.from_yolo(tmp_path, "train").classes == ("a", "b c", "d")


def test_files_of_the_voc_challenges_count_from_one(tmp_path):
    write("voc", tmp_path)
    path = tmp_path / "Annotations" / "train_cell1.xml"
    before = DetectionDataset.from_folder(tmp_path).truth[1]
    source = "<source><database>The VOC2012 Database</database></source>"
    path.write_text(path.read_text().replace("<size>", f"{source}<size>"))
    with pytest.warns(UserWarning) if (before[:, 1:3] < 1).any() else nullcontext():
        after = DetectionDataset.from_folder(tmp_path).truth[1]
    expected = before - [0, 1, 1, 0, 0]
    np.testing.assert_allclose(after, expected.clip(0), atol=1e-3)


def test_outlines_and_crowds(tmp_path):
    yolo, coco = write("yolo", tmp_path / "yolo"), write("coco", tmp_path / "coco")
    (yolo / "labels" / "train" / "cell0.txt").write_text(
        "1 .1 .2 .5 .2 .5 .75 .25 .5\n"
    )
    dataset = DetectionDataset.from_yolo(yolo, "train")
    np.testing.assert_allclose(dataset.labels[0, 0], [1, 0.1, 0.2, 0.5, 0.75])
    path = coco / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["iscrowd"] = 1
    path.write_text(json.dumps(content))
    dataset = DetectionDataset.from_folder(coco)
    rows = cells("train")["cell1.png"][1]
    assert len(dataset.truth[1]) == len(rows) - 1
    assert dataset.crowds.shape == (12, 1, 5)
    assert dataset.crowds[1, 0].tolist() == list(rows[0])
    assert (dataset.crowds[[0, *range(2, 12)], :, 0] == -1).all()


@pytest.fixture
def marked(tmp_path):
    """The set in COCO's form with a crowd, difficult objects and areas of masks."""
    root = write("coco", tmp_path / "marked")
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    for k, annotation in enumerate(content["annotations"]):
        _, _, width, height = annotation["bbox"]
        annotation["area"] = round(width * height * (0.5 + k % 5 / 10), 2)
        if k % 4 == 1:
            annotation["ignore"] = 1
        if k % 9 == 2:
            annotation["iscrowd"] = 1
    path.write_text(json.dumps(content))
    return root


def test_marks_of_coco_and_back(marked, tmp_path):
    dataset = DetectionDataset.from_folder(marked)
    path = marked / "annotations" / "instances_train2017.json"
    entries = json.loads(path.read_text())["annotations"]
    singles = [e for e in entries if not e["iscrowd"]]
    is_object = dataset.labels[..., 0] >= 0
    assert dataset.areas[is_object].tolist() == [e["area"] for e in singles]
    assert dataset.difficult[is_object].tolist() == ["ignore" in e for e in singles]
    assert (
        not dataset.difficult[~is_object].any() and not dataset.areas[~is_object].any()
    )
    assert (dataset.crowds[..., 0] >= 0).sum() == len(entries) - len(singles) > 5
    again = DetectionDataset.from_coco(dataset.to_coco(tmp_path / "again.json"))
    np.testing.assert_array_equal(again.difficult, dataset.difficult)
    np.testing.assert_allclose(again.areas, dataset.areas, atol=1e-4)
    np.testing.assert_allclose(again.crowds, dataset.crowds, atol=1e-6)
    lost = f"{(dataset.crowds[..., 0] >= 0).sum()} crowds, .* areas of masks"
    with pytest.warns(UserWarning, match=rf"Pascal VOC's form .* {lost}.*not written"):
        path = dataset.to_voc(tmp_path / "voc")
    voc = DetectionDataset.from_folder(path)
    np.testing.assert_array_equal(voc.difficult, dataset.difficult)
    np.testing.assert_allclose(voc.labels, dataset.labels, atol=1e-7)
    assert voc.crowds.shape == (12, 0, 5)
    size = (dataset.labels[..., 3:] - dataset.labels[..., 1:3]).prod(-1)
    area = size * dataset.sizes.prod(1)[:, None]
    np.testing.assert_allclose(voc.areas, area, rtol=1e-5)
    for name, write_it in (("CSV", dataset.to_csv), ("YOLO's", dataset.to_yolo)):
        said = rf"{name}.* {dataset.difficult.sum()} marks of difficult objects"
        with pytest.warns(UserWarning, match=said):
            write_it(tmp_path / name)
    yolo = DetectionDataset.from_yolo(tmp_path / "YOLO's")
    np.testing.assert_allclose(yolo.areas, voc.areas, atol=1e-4)  # whole boxes
    assert (yolo.areas % 1 == 0).all()


def test_evaluate_is_pycocotools_on_the_same_files(d2l, marked):
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    path = marked / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        annotation.pop("ignore", None)  # that program knows crowds only
    path.write_text(json.dumps(content))
    dataset, rng = DetectionDataset.from_folder(marked), np.random.default_rng(0)
    data, found, results = coco.COCO(str(path)), [], []
    for i, image in enumerate(content["images"]):
        boxes = data.loadAnns(data.getAnnIds(imgIds=[image["id"]]))
        rows = np.array(
            [[(3, 7, 20).index(a["category_id"]), *a["bbox"]] for a in boxes]
        )
        rows = rows.reshape(-1, 5).repeat(2, axis=0).astype(float)
        rows[:, 1:] += rng.integers(-3, 4, (len(rows), 4))
        scores = rng.random(len(rows))
        results += [
            {
                "image_id": image["id"],
                "category_id": (3, 7, 20)[int(c)],
                "bbox": box,
                "score": score,
            }
            for (c, *box), score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]
        rows[:, 3:] += rows[:, 1:3]
        found.append(np.insert(rows, 1, scores, axis=1))
        assert str(dataset.paths[i]).endswith(image["file_name"])
    evaluation = cocoeval.COCOeval(data, data.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    got = dataset.evaluate(found)
    np.testing.assert_allclose(list(got.values()), evaluation.stats, atol=1e-6)
    assert got.classes == CLASSES and 0.1 < got["AP"] < 0.9
    without = d2l.evaluate_detections(found, dataset.truth)
    assert abs(without["AP"] - got["AP"]) > 1e-3  # what lies in crowds was wrong


@pytest.mark.parametrize("width", [1920, 4032])
def test_whole_boxes_of_large_pictures_stay_whole(tmp_path, width):
    """Fractions in float32 do not hold them; the boxes themselves are kept."""
    save({"a.png": (Image.new("RGB", (width, 100)), ())}, tmp_path / "images")
    boxes = [[x, 3, width - x, 90] for x in range(width - 1)]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 100, "width": width}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 1, "bbox": box}
            for i, box in enumerate(boxes, 1)
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    dataset = DetectionDataset.from_coco(tmp_path / "a.json", tmp_path / "images")
    expected = [[0, x, y, x + w, y + h] for x, y, w, h in boxes]
    assert dataset.truth[0].tolist() == expected
    again = json.loads(Path(dataset.to_coco(tmp_path / "b.json")).read_text())
    assert [a["bbox"] for a in again["annotations"]] == boxes
    for back in (
        DetectionDataset.from_coco(tmp_path / "b.json"),
        DetectionDataset.from_csv(dataset.to_csv(tmp_path / "csv")),
    ):
        assert back.truth[0].tolist() == expected
        np.testing.assert_array_equal(back.labels, dataset.labels)


@pytest.mark.parametrize(
    ("written", "is_crowd"),
    [(1, True), (True, True), ("1", True), (0, False), ("0", False), ("false", False)]
    + [(None, False), (2, None), ("x", None), ([0], None)],
)
def test_how_programs_write_a_mark(tmp_path, written, is_crowd):
    root = write("coco", tmp_path)
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][3]["iscrowd"] = written
    path.write_text(json.dumps(content))
    if is_crowd is None:
        with pytest.raises(
            ValueError, match=r"annotations\[3\]: iscrowd must be 0 or 1"
        ):
            DetectionDataset.from_folder(root)
        return
    crowds = DetectionDataset.from_folder(root).crowds
    assert (crowds[..., 0] >= 0).sum() == is_crowd


def test_to_coco_replaces_nothing(sets, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="expected a file that is not there yet"):
        DetectionDataset.from_folder(sets["csv"]).to_coco(path)
    assert path.read_text() == "mine"


def test_a_set_without_an_object_that_counts_measures_nothing(tmp_path):
    root = write("coco", tmp_path)
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"] = [content["annotations"][0] | {"iscrowd": 1}]
    path.write_text(json.dumps(content))
    dataset = DetectionDataset.from_folder(root)
    with pytest.raises(
        ValueError, match=r"that counts, got 0 objects, .* and 1 crowds"
    ):
        dataset.evaluate([[]] * len(dataset))


def test_boxes_without_a_side_in_coco_are_left_out(tmp_path):
    root = write("coco", tmp_path)
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][3]["bbox"][3] = 0
    path.write_text(json.dumps(content))
    count = len(content["annotations"])
    with pytest.warns(UserWarning, match=rf"annotations\[3\].*left out, 1 of {count}"):
        dataset = DetectionDataset.from_folder(root)
    assert (dataset.labels[..., 0] >= 0).sum() == count - 1


def test_difficult_objects_of_voc(tmp_path):
    root = write("voc", tmp_path)
    path = root / "Annotations" / "train_cell1.xml"
    mark = "<difficult>1</difficult><bndbox>"
    path.write_text(path.read_text().replace("<bndbox>", mark, 1))
    dataset = DetectionDataset.from_folder(root)
    assert np.argwhere(dataset.difficult).tolist() == [[1, 0]]
    assert len(dataset.truth[1]) == len(cells("train")["cell1.png"][1])
    found = [np.insert(rows, 1, 0.9, axis=1) for rows in dataset.truth]
    found[1] = found[1][1:]  # not found, and that is no fault
    assert dataset.evaluate(found)["AR100"] == pytest.approx(1)
    path.write_text(path.read_text().replace("<difficult>1", "<difficult>Unspecified"))
    with pytest.raises(ValueError, match="object 1: difficult must be 0 or 1"):
        DetectionDataset.from_folder(root)


# ---- what is refused -----------------------------------------------------------------


def spoil(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


COCO = "annotations/instances_train2017.json"
BAD_COCO = {
    "not JSON": ("{", "", "is not JSON"),
    "no categories": ('"categories"', '"kinds"', "images, annotations, categories"),
    "a picture twice": (
        '"id": 11',
        '"id": 10',
        r"images\[1\]: the id 10 is there twice",
    ),
    "no such image": (
        '"image_id": 11',
        '"image_id": 99',
        r"annotations\[0\].*image_id 99",
    ),
    "no such class": ('"category_id": 7', '"category_id": 8', "category_id 8"),
    "a text in a box": ('"bbox": [', '"bbox": ["x", ', r"annotations\[0\]: bbox"),
    "a wrong size": (
        '"width": 128',
        '"width": 127',
        r"127 × 128.*cell0\.png has 128 × 128",
    ),
    "equal names": ('"name": "RBC"', '"name": "WBC"', "a name of its own"),
    "no file name": ('"file_name"', '"name"', r"images\[0\]: expected id, file_name"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco(tmp_path, case):
    old, new, match = BAD_COCO[case]
    write("coco", tmp_path)
    spoil(tmp_path / COCO, old, new)
    with pytest.raises(ValueError, match=match) as error:
        DetectionDataset.from_coco(tmp_path / COCO, tmp_path / "train2017")
    assert "instances_train2017.json" in str(error.value)


@pytest.mark.parametrize(
    ("box", "match"),
    [
        ([5, 5, -1, 4], "xmin < xmax"),
        ([100, 5, 40, 4], "128 × "),
        ([-2, 5, 9, 4], "-2"),
    ],
)
def test_bad_box_in_coco(tmp_path, box, match):
    write("coco", tmp_path)
    content = json.loads((tmp_path / COCO).read_text())
    content["annotations"][3]["bbox"] = box
    (tmp_path / COCO).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"annotations\[3\].*{match}"):
        DetectionDataset.from_folder(tmp_path)


def test_categories_that_differ(tmp_path):
    write("coco", tmp_path)
    spoil(tmp_path / COCO.replace("train", "val"), "RBC", "Red")
    with pytest.raises(ValueError, match="the same categories"):
        DetectionDataset.from_folder(tmp_path)


BAD_VOC = {
    "no XML": ("<annotation>", "", "is not XML"),
    "another root": ("annotation>", "notes>", "is not XML|expected <annotation>"),
    "no number": ("<xmin>", "<xmin>x", r"object 1: xmin must be a number, got 'x"),
    "no box": ("bndbox>", "box>", "is not XML|xmin"),
    "no name": ("<name>RBC", "<name>", "object 1: expected a <name>"),
    "mirrored": ("<xmax>", "<xmax>-", "xmin < xmax"),
    "a wrong size": ("<width>1", "<width>2", "pixels"),
}


@pytest.mark.parametrize("case", BAD_VOC)
def test_bad_voc(tmp_path, case):
    old, new, match = BAD_VOC[case]
    write("voc", tmp_path)
    spoil(tmp_path / "Annotations" / "train_cell1.xml", old, new)
    with pytest.raises(ValueError, match=match) as error:
        DetectionDataset.from_folder(tmp_path)
    assert "train_cell1.xml" in str(error.value)


def test_class_of_voc_that_is_not_asked_for(sets):
    with pytest.raises(
        ValueError, match=r"object \d+: .*RBC, WBCs, got 'WBC'.*mean 'WBCs'"
    ):
        DetectionDataset.from_voc(
            sets["voc"] / "Annotations",
            sets["voc"] / "JPEGImages",
            classes=("Platelets", "RBC", "WBCs"),
        )
    with pytest.raises(FileNotFoundError, match=r"none\.xml"):
        DetectionDataset.from_voc(
            sets["voc"] / "Annotations", sets["voc"] / "JPEGImages", names=["none"]
        )


BAD_YOLO = {
    "too few": ("1 0.5 0.5", "got 3 values"),
    "with a confidence": ("1 .5 .5 .2 .2 .9", "got 6 values"),
    "no number": ("1 .5 .5 .2 x", "must be a number"),
    "no such class": ("3 .5 .5 .2 .2", "class from 0 to 2, got 3"),
    "half a class": ("1.5 .5 .5 .2 .2", "class from 0 to 2"),
    "in pixels": ("1 50 50 20 20", "must lie in its picture"),
    "outside": ("1 .95 .5 .2 .2", "must lie in its picture"),
}


@pytest.mark.parametrize("case", BAD_YOLO)
def test_bad_yolo(tmp_path, case):
    row, match = BAD_YOLO[case]
    write("yolo", tmp_path)
    (tmp_path / "labels" / "train" / "cell1.txt").write_text(f"1 .5 .5 .2 .2\n{row}\n")
    with pytest.raises(ValueError, match=rf"cell1\.txt, line 2: .*{match}"):
        DetectionDataset.from_folder(tmp_path)


@pytest.mark.parametrize(
    "text", ["nc: 3", "names: 3", "names: [a, a]", "names:\n  1: a"]
)
def test_bad_data_yaml(tmp_path, text):
    write("yolo", tmp_path)
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"data\.yaml: expected the names"):
        DetectionDataset.from_folder(tmp_path)


def test_labels_without_a_picture(tmp_path):
    write("yolo", tmp_path)
    (tmp_path / "labels" / "train" / "gone.txt").write_text("1 .5 .5 .2 .2\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.txt: there is no picture gone"):
        DetectionDataset.from_folder(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_missing_picture_is_named(tmp_path, form):
    write(form, tmp_path)
    (gone,) = (p for p in tmp_path.rglob("*cell2.png") if "val" not in str(p))
    gone.unlink()
    with pytest.raises(FileNotFoundError, match="cell2"):
        DetectionDataset.from_folder(tmp_path)


def test_folder_of_none_or_of_two_forms(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        DetectionDataset.from_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"'train'.*label\.csv.*found nothing"):
        DetectionDataset.from_folder(tmp_path)
    write("csv", tmp_path)
    write("yolo", tmp_path)
    with pytest.raises(ValueError, match="several ways: CSV, YOLO"):
        DetectionDataset.from_folder(tmp_path)


# ---- indices -------------------------------------------------------------------------

BAD_INDICES = {
    "a slice": (slice(2), r"got slice\(None, 2, None\); take several one by one"),
    "a text": ("a", "got str 'a'"),
    "a list": ([0, 1], r"got list \[0, 1\]"),
    "a float": (1.0, r"got float 1\.0"),
    "a truth value": (True, "got bool True"),
}


@pytest.fixture(scope="module")
def indexed(d2l, sets, tmp_path_factory):
    """A set of each kind that is taken apart by an index."""
    folder = tmp_path_factory.mktemp("classes")
    for part in ("train", "test"):
        for name in "ab":
            (folder / part / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(folder / part / name / "1.png")
    return {
        "boxes": DetectionDataset.from_folder(sets["csv"], False),
        "bananas": d2l.BananasDataset(False, sets["coco"]),
        "shapes": d2l.ShapesDataset(False),
        "folder": d2l.ImageFolder(folder / "train"),
        "cifar": d2l.CIFAR10(True, folder),
        "crops": d2l.VOCSegDataset(False, (32, 48)),
        "images": d2l.read_voc_images(is_train=False)[0],
    }


KINDS = ("boxes", "bananas", "shapes", "folder", "cifar", "crops", "images")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BAD_INDICES)
def test_index_that_is_no_whole_number(indexed, kind, case):
    dataset, (index, said) = indexed[kind], BAD_INDICES[case]
    if kind == "images" and case == "a slice":
        assert len(dataset[index]) == 2  # it is a sequence
        return
    for take in (dataset.__getitem__, getattr(dataset, "example", dataset.__getitem__)):
        with pytest.raises(TypeError, match=f"^index: expected a whole number, {said}"):
            take(index)


@pytest.mark.parametrize("kind", KINDS)
def test_indices_of_numpy_and_from_the_end(d2l, indexed, kind):
    dataset = indexed[kind]

    def picture(index):
        item = dataset[index] if kind == "images" else dataset[index][0]
        return np.asarray(item) if kind in ("folder", "cifar") else d2l.numpy(item)

    last = len(dataset) - 1
    for index in (-1, np.int64(last), np.array(last), np.uint8(last)):
        np.testing.assert_array_equal(picture(index), picture(last))
    np.testing.assert_array_equal(picture(-len(dataset)), picture(0))
    for index in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=rf"^index: .*got {index}"):
            dataset[index]


def test_loop_over_a_set_ends(indexed):
    assert sum(1 for _ in indexed["boxes"]) == 3
    assert sum(1 for _ in indexed["folder"]) == 2


def test_show_of_what_is_no_list(sets):
    dataset = DetectionDataset.from_folder(sets["csv"])
    with pytest.raises(TypeError, match=r"^indices: expected a list, got int 1"):
        dataset.show(1)
    with pytest.raises(TypeError, match=r"^indices\[1\]: .*whole number, got str 'a'"):
        dataset.show([0, "a"])
    with pytest.raises(IndexError, match=r"^indices\[0\]: .*below 12.*got 12"):
        dataset.show([12])


# ---- paths and names that are none ---------------------------------------------------


def test_to_coco_path_exception(sets, tmp_path):
    dataset = DetectionDataset.from_folder(sets["csv"])
    with pytest.raises(TypeError, match=r"^path: expected a path, got NoneType None"):
        dataset.to_coco(None)
    with pytest.raises(IsADirectoryError) as error:
        dataset.to_coco(tmp_path)
    said = f"expected to write the file {tmp_path}, and there is a folder of that name"
    assert str(error.value) == said
    assert not list(tmp_path.iterdir())


def test_folder_in_place_of_a_file(sets):
    folder = sets["coco"]
    with pytest.raises(IsADirectoryError) as error:
        DetectionDataset.from_coco(folder, folder / "train2017")
    said = (
        f"annotations: expected a JSON file in COCO's form, got the folder {folder}; "
    )
    assert str(error.value).startswith(said) and "from_folder" in str(error.value)
    voc = sets["voc"]
    with pytest.raises(IsADirectoryError, match=r"Main is a folder; expected a file"):
        DetectionDataset.from_voc(
            voc / "Annotations", voc / "JPEGImages", voc / "ImageSets" / "Main"
        )


FOLDERS = {
    "csv": DetectionDataset.from_csv,
    "folder": DetectionDataset.from_folder,
    "yolo": DetectionDataset.from_yolo,
    "annotations": lambda path: DetectionDataset.from_voc(path, path.parent),
    "images": lambda path: DetectionDataset.from_voc(path.parent, path),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_file_in_place_of_a_folder(tmp_path, case):
    name = case if case in ("annotations", "images") else "folder"
    path = tmp_path / "some.xml"
    path.write_text("<annotation></annotation>")
    with pytest.raises(NotADirectoryError) as error:
        FOLDERS[case](path)
    assert str(error.value) == f"{name}: expected a folder, got the file {path}"
    with pytest.raises(FileNotFoundError, match=rf"^{name}: there is no folder .*none"):
        FOLDERS[case](tmp_path / "none")


@pytest.mark.parametrize("case", ["coco", "annotations", "images"])
def test_path_that_is_none(sets, case):
    coco, voc = sets["coco"], sets["voc"]
    name, open_it = {
        "coco": ("images", lambda: DetectionDataset.from_coco(coco / COCO, 3)),
        "annotations": ("annotations", lambda: DetectionDataset.from_voc(3, voc)),
        "images": (
            "images",
            lambda: DetectionDataset.from_voc(voc / "Annotations", None),
        ),
    }[case]
    with pytest.raises(TypeError, match=f"^{name}: expected a path, got"):
        open_it()


BAD_NAMES = {
    "a class alone": (
        {"classes": "RBC"},
        r"classes: expected a list of names, got str 'RBC'; write \['RBC'\]",
    ),
    "classes that are numbers": ({"classes": [1]}, r"classes\[0\]: expected text, got"),
    "a number of classes": ({"classes": 3}, "classes: expected a list, got int 3"),
    "a number of names": ({"names": 3}, "names: expected a list, got int 3"),
    "names that are numbers": ({"names": [3]}, r"names\[0\]: expected text, got int 3"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_names_of_voc_exception(sets, case):
    arguments, said = BAD_NAMES[case]
    folders = sets["voc"] / "Annotations", sets["voc"] / "JPEGImages"
    with pytest.raises(TypeError, match=f"^{said}"):
        DetectionDataset.from_voc(*folders, **arguments)


def test_class_of_voc_that_is_there_twice(sets):
    folders = sets["voc"] / "Annotations", sets["voc"] / "JPEGImages"
    with pytest.raises(ValueError, match=r"^classes: expected each name once"):
        DetectionDataset.from_voc(*folders, classes=["RBC", "RBC"])


def test_names_of_voc_with_their_ending(sets, tmp_path):
    folders = sets["voc"] / "Annotations", sets["voc"] / "JPEGImages"
    names = ["train_cell3.xml", "train_cell1"]
    (tmp_path / "names.txt").write_text("\n".join(names))
    for chosen in (names, tmp_path / "names.txt"):
        dataset = DetectionDataset.from_voc(*folders, chosen)
        assert [Path(p).stem for p in dataset.paths] == ["train_cell3", "train_cell1"]
    with pytest.raises(FileNotFoundError, match=r"there is no .*/none\.xml$"):
        DetectionDataset.from_voc(*folders, ["none.xml"])


def test_batch_of_pictures_of_several_sizes(d2l, sets):
    dataset = DetectionDataset.from_folder(sets["csv"])
    loader = d2l.loader(dataset, 2)
    # a framework that makes batches itself says so in its own words
    expected = r"one shape.*size=\(height, width\) of a set|loader failed: .*Shapes are"
    with pytest.raises((ValueError, RuntimeError), match=expected):
        list(loader)


# ---- written and read back -----------------------------------------------------------

WRITTEN = {
    "csv": (
        lambda dataset, folder: dataset.to_csv(folder),
        lambda folder, classes: DetectionDataset.from_csv(folder),
    ),
    "voc": (
        lambda dataset, folder: dataset.to_voc(folder),
        lambda folder, classes: DetectionDataset.from_voc(
            Path(folder, "train"), Path(folder, "train"), classes=classes
        ),
    ),
    "yolo": (
        lambda dataset, folder: dataset.to_yolo(folder),
        lambda folder, classes: DetectionDataset.from_yolo(folder),
    ),
}


def assert_equal_sets(one, other, atol=0):
    assert one.classes == other.classes and one.num_clipped == other.num_clipped == 0
    # a centre and a size in float64 say a corner to about 1e-16
    np.testing.assert_allclose(one.labels, other.labels, rtol=0, atol=atol)
    np.testing.assert_array_equal(one.sizes, other.sizes)
    assert len(one) == len(other)
    for mine, its in zip(one.paths, other.paths, strict=True):
        assert Path(mine).read_bytes() == Path(its).read_bytes()


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("form", FORMS)
def test_sets_written_and_read_back(sets, tmp_path, form, written):
    dataset = DetectionDataset.from_folder(sets[form])
    write_it, read_it = WRITTEN[written]
    folder = write_it(dataset, tmp_path / "deep" / "set")
    assert folder == str(tmp_path / "deep" / "set")
    assert_equal_sets(read_it(folder, CLASSES), dataset)
    names = [Path(p).name for p in read_it(folder, CLASSES).paths]
    assert names == [Path(p).name for p in dataset.paths]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["set"]


@pytest.mark.parametrize("written", WRITTEN)
def test_both_parts_in_one_folder(sets, tmp_path, written):
    parts = {part: DetectionDataset.from_folder(sets["coco"], part) for part in (1, 0)}
    for part, dataset in parts.items():
        split = "train" if part else "val"
        to = getattr(dataset, f"to_{written}")
        to(tmp_path, split if written == "yolo" else bool(part))
    for part, dataset in parts.items():
        assert_equal_sets(DetectionDataset.from_folder(tmp_path, part), dataset)


@st.composite
def coco_sets(draw):
    """Pictures in any order and folder, boxes anywhere, classes without objects."""
    classes = draw(
        st.lists(
            st.text(st.sampled_from("ab é<&>,'\"#:"), min_size=1).map(str.strip),
            min_size=1,
            max_size=4,
            unique=True,
        ).filter(all)
    )
    names = st.sampled_from(["b.png", "a.png", "x/a.png", "A.png", ".c.png", "a,b.png"])
    pictures = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        width, height = draw(st.tuples(*[st.integers(1, 50)] * 2))
        corner, part = st.floats(0, 0.9), st.floats(0.01, 1)
        box = st.tuples(corner, corner, part, part, st.integers(0, len(classes) - 1))
        rows = [
            (x * width, y * height, w * (1 - x) * width, h * (1 - y) * height, c)
            for x, y, w, h, c in draw(st.lists(box, max_size=3))
        ]
        pictures.append((name, width, height, rows))
    return classes, pictures


@settings(max_examples=25, deadline=None)
@given(content=coco_sets())
def test_any_set_written_and_read_back(tmp_path_factory, content):
    classes, pictures = content
    folder = tmp_path_factory.mktemp("any")
    (folder / "x").mkdir()
    images, annotations = [], []
    for i, (name, width, height, rows) in enumerate(pictures):
        Image.new("RGB", (width, height), (i, 0, 0)).save(folder / name)
        images.append({"id": i, "file_name": name})
        annotations += [
            {"image_id": i, "category_id": c, "bbox": box} for *box, c in rows
        ]
    named = [{"id": k, "name": name} for k, name in enumerate(classes)]
    content = {"images": images, "annotations": annotations, "categories": named}
    (folder / "all.json").write_text(json.dumps(content))
    dataset = DetectionDataset.from_coco(folder / "all.json")
    for form, (write_it, read_it) in WRITTEN.items():
        out = write_it(dataset, folder / form)
        atol = 1e-15 if form == "yolo" else 0
        assert_equal_sets(read_it(out, classes), dataset, atol)


@pytest.mark.parametrize("written", WRITTEN)
def test_writing_a_set_exception(sets, tmp_path, written):
    dataset = DetectionDataset.from_folder(sets["csv"])
    to = getattr(dataset, f"to_{written}")
    with pytest.raises(TypeError, match=r"^folder: expected a path, got NoneType None"):
        to(None)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        NotADirectoryError, match=r"^folder: expected a folder, got the"
    ):
        to(tmp_path / "file")
    to(tmp_path / "set")
    with pytest.raises(
        FileExistsError, match=r"^folder: expected a new or empty folder"
    ):
        to(tmp_path / "set")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "classes.txt").write_text("cat\n")
    with pytest.raises(ValueError, match=r"classes\.txt: .*'WBC'\], got \['cat'\]"):
        to(tmp_path / "other")
    dataset.classes = ("a\nb", "c", "d")
    with pytest.raises(
        ValueError, match=r"^classes: .*one line of text each, got 'a.nb"
    ):
        to(tmp_path / "third")
    dataset.classes, dataset.paths = CLASSES, [*dataset.paths[:-1], "gone.png"]
    with pytest.raises(FileNotFoundError, match=r"^the picture gone\.png is missing"):
        to(tmp_path / "third")
    there = sorted(p.name for p in tmp_path.iterdir())
    assert there == ["file", "other", "set"]  # nothing half written


def test_what_one_form_cannot_hold(sets, tmp_path):
    dataset = DetectionDataset.from_folder(sets["csv"])
    dataset.classes = ("1", "0", "2")
    with pytest.raises(ValueError, match=r"^classes: .*class 0 is called '1'"):
        dataset.to_csv(tmp_path / "set")
    dataset.paths = [*dataset.paths[:-1], "x.avif"]
    with pytest.raises(ValueError, match=r"^x\.avif: the form's pictures end in \.bmp"):
        dataset.to_yolo(tmp_path / "set")
    with pytest.raises(ValueError, match=r"^split: expected the name of a folder"):
        dataset.to_yolo(tmp_path / "set", "../train")
    assert not list(tmp_path.iterdir())
