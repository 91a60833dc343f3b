"""COCO's and Pascal VOC's numbers, held to pycocotools and to worked examples."""

import contextlib
import io

import numpy as np
import pytest

from d2lcv import trained

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
NAMES += ("AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def make_set(seed, images=30, classes=4, most=12, whole=True, ties=True):
    """Objects of all sizes, and detections near to them, near others, and anywhere."""
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(images):
        n = int(rng.integers(0, most))  # 0: an image without objects
        corner = rng.uniform(0, 400, (n, 2))
        size = np.exp(rng.uniform(np.log(8), np.log(300), (n, 2)))
        label = rng.integers(0, classes, n)
        truth.append(np.column_stack([label, corner, corner + size]))
        near = np.repeat(np.arange(n), rng.integers(0, 4, n))
        noise = rng.normal(0, 0.08, (len(near), 4)) * np.tile(size[near], 2)
        boxes = truth[-1][near, 1:] + noise
        labels = np.where(
            rng.random(len(near)) < 0.8, label[near], rng.integers(0, classes)
        )
        corner = rng.uniform(0, 400, (3, 2))
        stray = np.column_stack([corner, corner + rng.uniform(4, 200, (3, 2))])
        boxes = np.concatenate([boxes, stray])
        labels = np.concatenate([labels, rng.integers(0, classes, 3)])
        scores = rng.random(len(boxes))
        if ties:
            scores = np.round(scores, 1)
        boxes[:, 2:] = np.maximum(boxes[:, :2] + 1, boxes[:, 2:])
        found.append(np.column_stack([labels, scores, boxes]))
    if whole:  # of whole pixels many overlaps are equal, and some just at a threshold
        for rows in found + truth:
            rows[:, -4:] = np.round(rows[:, -4:])
    return found, truth


def coco_numbers(found, truth, classes, difficult=None, crowds=(), areas=None):
    """The twelve numbers of pycocotools."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")

    class COCOeval(cocoeval.COCOeval):
        def _prepare(self):
            super()._prepare()  # it overwrites `ignore` by `iscrowd`
            for objects in self._gts.values():
                for row in objects:
                    row["ignore"] = row["ignore"] or row["difficult"]

    def annotation(image, row):
        x1, y1, x2, y2 = row[-4:]
        box = [x1, y1, x2 - x1, y2 - y1]
        return {"image_id": image, "category_id": int(row[0]), "bbox": box}

    def area(row):
        return (row[3] - row[1]) * (row[4] - row[2])

    objects = [
        annotation(i, row)
        | {
            "iscrowd": 0,
            "area": area(row) if areas is None else areas[i][k],
            "difficult": 0 if difficult is None else int(difficult[i][k]),
        }
        for i, rows in enumerate(truth)
        for k, row in enumerate(rows)
        if row[0] >= 0
    ]
    objects += [
        annotation(i, row) | {"iscrowd": 1, "area": area(row), "difficult": 0}
        for i, rows in enumerate(crowds)
        for row in rows
    ]
    results = [
        annotation(i, row) | {"score": row[1]}
        for i, rows in enumerate(found)
        for row in rows
        if row[0] >= 0
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        data = coco.COCO()
        data.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(len(truth))],
            "categories": [{"id": c} for c in range(classes)],
            # an id of 0 counts as not found there
            "annotations": [o | {"id": i} for i, o in enumerate(objects, 1)],
        }
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(NAMES, evaluation.stats, strict=True))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("whole", [True, False])
def test_coco_numbers_are_those_of_pycocotools(d2l, seed, whole):
    found, truth = make_set(seed, whole=whole, ties=seed % 2 == 0)
    expected = coco_numbers(found, truth, 4)
    assert min(expected.values()) > 0 and max(expected.values()) < 1
    got = d2l.evaluate_detections(found, truth)
    assert tuple(got) == NAMES
    assert dict(got) == pytest.approx(expected, abs=1e-6)


def test_crowded_images(d2l):
    """More than a hundred detections of a class in an image: the surest count."""
    rng = np.random.default_rng(0)
    found, truth = make_set(7, images=3, classes=1, most=60)
    corner = rng.integers(0, 400, (260, 2))
    rows = np.column_stack([np.zeros(260), rng.random(260), corner, corner + 40])
    found = [np.concatenate([f, rows]) for f in found]
    expected = coco_numbers(found, truth, 1)
    got = d2l.evaluate_detections(found, truth)
    assert dict(got) == pytest.approx(expected, abs=1e-6)


def make_marks(seed, truth):
    """Difficult objects, crowds around others, and areas of masks."""
    rng = np.random.default_rng(seed)
    difficult = [rng.random(len(rows)) < 0.3 for rows in truth]
    areas = [
        rng.uniform(0.3, 1, len(rows)) * (rows[:, 3:] - rows[:, 1:3]).prod(1)
        for rows in truth
    ]
    crowds = []
    for rows in truth:
        around = rows[rng.random(len(rows)) < 0.3].copy()
        around[:, 1:3] -= 20
        around[:, 3:] += rng.integers(20, 200, (len(around), 2))
        crowds.append(around)
    return difficult, crowds, areas


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "which", [("crowds",), ("difficult",), ("areas",), ("difficult", "crowds", "areas")]
)
def test_marks_are_those_of_pycocotools(d2l, seed, which):
    found, truth = make_set(seed, ties=seed % 2 == 0)
    names = ("difficult", "crowds", "areas")
    marks = dict(zip(names, make_marks(seed, truth), strict=True))
    marks = {name: marks[name] for name in which}
    expected = coco_numbers(found, truth, 4, **marks)
    got = d2l.evaluate_detections(found, truth, **marks)
    assert dict(got) == pytest.approx(expected, abs=1e-6)
    plain = d2l.evaluate_detections(found, truth)
    assert abs(got["AP"] - plain["AP"]) + abs(got["APm"] - plain["APm"]) > 1e-3


def voc_by_hand(found, truth, difficult, c):
    """The rule of the challenges' own program, one detection after the other."""
    rows = [
        (row[1], i, row[2:]) for i, x in enumerate(found) for row in x if row[0] == c
    ]
    taken, hits = set(), []
    for _, i, box in sorted(rows, key=lambda row: -row[0]):
        best, most = None, -1
        for k, row in enumerate(truth[i]):
            if row[0] != c:
                continue
            sides = np.minimum(box[2:], row[3:]) - np.maximum(box[:2], row[1:3])
            overlap = sides.clip(0).prod()
            union = (box[2:] - box[:2]).prod() + (row[3:] - row[1:3]).prod() - overlap
            if overlap / union > most:
                best, most = k, overlap / union
        if most < 0.5:
            hits.append(0)
        elif not difficult[i][best]:
            hits.append(int((i, best) not in taken))
            taken.add((i, best))
    total = sum(
        (rows[:, 0] == c)[~marks].sum()
        for rows, marks in zip(truth, difficult, strict=True)
    )
    return hits, total


@pytest.mark.parametrize("seed", range(4))
def test_difficult_objects_of_pascal_voc(d2l, seed):
    found, truth = make_set(seed, ties=False)
    difficult = make_marks(seed, truth)[0]
    got = d2l.evaluate_detections(found, truth, difficult=difficult)
    for c in range(4):
        hits, total = voc_by_hand(found, truth, difficult, c)
        assert 0 < sum(hits) < total
        curve = got.curves[str(c)]
        np.testing.assert_allclose(curve.recall, np.cumsum(hits) / total)
        expected = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        np.testing.assert_allclose(curve.precision, expected)


def test_worked_example_of_marks(d2l):
    """A cat found, a difficult one found twice, three things in a crowd, one nowhere."""
    truth = [[[0, 0, 0, 10, 10], [0, 20, 0, 30, 10], [-1, 0, 0, 0, 0]]]
    found = [
        [
            *([0, 0.9, 20, 0, 30, 10], [0, 0.8, 20, 0, 30, 9], [0, 0.7, 0, 0, 10, 10]),
            *([0, 0.95, 100 + 20 * k, 100, 110 + 20 * k, 110] for k in range(3)),
            [0, 0.6, 60, 60, 70, 70],
        ]
    ]
    got = d2l.evaluate_detections(
        found,
        truth,
        difficult=[[False, True, False]],
        crowds=[[[0, 90, 90, 190, 190]]],
    )
    curve = got.curves["0"]
    assert curve.scores.tolist() == [0.7, 0.6] and curve.recall.tolist() == [1, 1]
    assert got.voc2010 == pytest.approx(1)
    # COCO: the second one on the difficult cat is wrong, and surer than the true one
    assert got["AP50"] == pytest.approx(1 / 2)
    assert got.confusion.tolist() == [[1, 0], [1, 0]]
    plain = d2l.evaluate_detections(found, truth)
    assert plain.confusion.tolist() == [[2, 0], [5, 0]]


def test_an_object_is_preferred_to_a_crowd(d2l):
    """The whole detection lies in the crowd, and 0.9 of it and of the object overlap."""
    truth, found = [[[0, 0, 0, 10, 10]]], [[[0, 0.9, 0, 0, 10, 9]]]
    got = d2l.evaluate_detections(found, truth, crowds=[[[0, 0, 0, 50, 50]]])
    assert got["AP50"] == pytest.approx(1) and got.voc2010 == pytest.approx(1)
    assert got.confusion.tolist() == [[1, 0], [0, 0]]


def test_one_size_only(d2l):
    """A range without an object is −1, as there."""
    truth, found = [[[0, 10, 10, 30, 30]]], [[[0, 0.9, 10, 10, 30, 31]]]
    expected = coco_numbers(*(list(map(np.array, x)) for x in (found, truth)), 1)
    got = d2l.evaluate_detections(found, truth)
    assert dict(got) == pytest.approx(expected, abs=1e-6)
    assert got["APm"] == got["ARl"] == -1 and got["APs"] == pytest.approx(1.0)


def test_equal_overlaps_and_exact_thresholds(d2l):
    """Whole boxes whose IoU is just k/20 or equal for two objects."""
    truth, found = [], []
    for k in range(10, 20):
        truth.append(np.array([[0, 0, 0, 20, 10], [0, 100, 0, 120, 10]]))
        found.append(
            np.array([[0, 0.5, 0, 0, k, 10], [0, 0.5, 100, 0, 100 + k, 10]], float)
        )
    truth.append(np.array([[0, 0, 0, 40, 40], [0, 20, 0, 60, 40]]))
    found.append(np.array([[0, 0.5, 10, 0, 50, 40], [0, 0.5, 20, 0, 60, 40]], float))
    expected = coco_numbers(found, truth, 1)
    assert dict(d2l.evaluate_detections(found, truth)) == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.parametrize("seed", range(4))
def test_voc_is_mean_average_precision(d2l, seed):
    found, truth = make_set(seed, ties=False)
    labels = np.full((len(truth), 12, 5), -1.0)
    for packed, rows in zip(labels, truth, strict=True):
        packed[: len(rows)] = rows
    got = d2l.evaluate_detections(found, labels)
    expected = d2l.mean_average_precision(found, labels)
    assert 0.1 < expected < 0.95
    assert got.voc2010 == pytest.approx(expected, abs=1e-9)
    by_hand = []
    for curve in got.curves.values():
        levels = np.arange(11) / 10
        reached = [curve.precision[curve.recall >= r - 1e-9] for r in levels]
        by_hand.append(np.mean([max(p, default=0) for p in reached]))
    assert got.voc2007 == pytest.approx(np.mean(by_hand), abs=1e-9)


def test_worked_example(d2l):
    """Two of three cats and a dog; a cat taken for a dog, and one thing that is none."""
    truth = [
        [[0, 0, 0, 100, 100], [1, 200, 0, 300, 100]],
        [[0, 0, 0, 50, 50], [0, 100, 100, 150, 150]],
    ]
    found = [
        [
            [0, 0.9, 0, 0, 100, 100],
            [1, 0.8, 200, 0, 300, 100],
            [0, 0.7, 400, 0, 450, 50],
        ],
        [[0, 0.6, 0, 0, 50, 50], [1, 0.95, 100, 100, 150, 150], [1, 0.1, 0, 0, 9, 9]],
    ]
    got = d2l.evaluate_detections(found, truth, classes=("cat", "dog"))
    cat, dog = got.curves["cat"], got.curves["dog"]
    np.testing.assert_allclose(cat.recall, [1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_allclose(cat.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(cat.scores, [0.9, 0.7, 0.6])
    np.testing.assert_allclose(dog.precision, [0, 1 / 2, 1 / 3])
    # cats: precision 1 up to a recall of 1/3, 2/3 up to 2/3; dogs: 1/2 all along
    assert got.by_class["cat"]["VOC2010"] == pytest.approx(1 / 3 + 2 / 9)
    assert got.by_class["dog"]["VOC2010"] == pytest.approx(1 / 2)
    assert got.by_class["cat"]["VOC2007"] == pytest.approx((4 + 3 * 2 / 3) / 11)
    assert got.by_class["dog"]["VOC2007"] == pytest.approx(1 / 2)
    assert got.confusion.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert "cat" in str(got) and "AR100" in str(got)


def test_confusion_joins_the_greatest_overlaps_first(d2l):
    """Both detections overlap both objects; each object is counted once."""
    truth = [[[0, 0, 0, 100, 10], [1, 10, 0, 110, 10], [2, 500, 0, 510, 10]]]
    found = [
        [[1, 0.9, 2, 0, 102, 10], [0, 0.6, 12, 0, 112, 10], [2, 0.4, 500, 0, 510, 10]]
    ]
    got = d2l.evaluate_detections(found, truth)
    expected = np.zeros((4, 4), int)
    expected[0, 1] = expected[1, 0] = 1
    expected[2, 3] = 1  # seen with a confidence of 0.4 only
    assert got.confusion.tolist() == expected.tolist()
    lower = d2l.evaluate_detections(found, truth, score_threshold=0.3)
    assert lower.confusion[2].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("seed", range(3))
def test_confusion_counts_every_object_and_sure_detection_once(d2l, seed):
    found, truth = make_set(seed)
    counts = d2l.evaluate_detections(found, truth).confusion
    rows = np.concatenate(truth)
    assert counts[:-1].sum(1).tolist() == np.bincount(rows[:, 0].astype(int)).tolist()
    rows = np.concatenate(found)
    sure = rows[rows[:, 1] >= 0.5, 0].astype(int)
    assert counts[:, :-1].sum(0).tolist() == np.bincount(sure, minlength=4).tolist()


def test_tensors_lists_and_padding_are_the_same(d2l):
    found, truth = make_set(1, images=6)
    expected = d2l.evaluate_detections(found, truth)
    most = max(map(len, found))
    padded = np.full((len(found), most, 6), -1, np.float32)
    for packed, rows in zip(padded, found, strict=True):
        packed[: len(rows)] = rows
    for detections in (
        [d2l.tensor(rows.astype(np.float32)) for rows in found],
        [rows.tolist() for rows in found],
        d2l.tensor(padded),
    ):
        got = d2l.evaluate_detections(detections, [rows.tolist() for rows in truth])
        assert dict(got) == pytest.approx(dict(expected), abs=1e-6)


def test_nothing_found(d2l):
    got = d2l.evaluate_detections([[], []], [[[1, 0, 0, 9, 9]], []])
    assert got["AP"] == got["AR100"] == got.voc2007 == got.voc2010 == 0
    assert got.confusion.sum() == got.confusion[1, 2] == 1


ROW, OBJECT = [0, 0.9, 0, 0, 9, 9], [0, 0, 0, 9, 9]
BAD = {
    "found: expected one set": ([[ROW]], [[OBJECT], [OBJECT]], {}),
    "truth: expected at least one object": ([[ROW]], [[]], {}),
    "found[0]: expected shape (n, 6), got (1, 5)": ([[OBJECT]], [[OBJECT]], {}),
    "truth[0]: expected shape (n, 5)": ([[ROW]], [[ROW]], {}),
    "truth[0]: expected x1 ≤ x2 and y1 ≤ y2, got 9, 0, 0, 9": (
        [[ROW]],
        [[[0, 9, 0, 0, 9]]],
        {},
    ),
    "found[0]: expected whole classes": ([[[0, np.nan, 0, 0, 9, 9]]], [[OBJECT]], {}),
    "truth[0]: expected whole classes": ([[ROW]], [[[0.5, 0, 0, 9, 9]]], {}),
    "found: expected classes from 0 to 1 (a, b), got 2": (
        [[[2, *ROW[1:]]]],
        [[OBJECT]],
        {"classes": ["a", "b"]},
    ),
    "classes: expected a name": (
        [[ROW]],
        [[[2, *OBJECT[1:]]]],
        {"classes": ["a", "b"]},
    ),
    "score_threshold": ([[ROW]], [[OBJECT]], {"score_threshold": 2}),
    "found, truth: expected classes numbered from 0, below 5000, got 1000000": (
        [[[1e6, *ROW[1:]]]],
        [[OBJECT]],
        {},
    ),
    "got a row [1000000000000.0,": ([[[1e12, *ROW[1:]]]], [[OBJECT]], {}),
    "truth: expected at least one image": ([], [], {}),
    "found: expected a list": (3, [[OBJECT]], {}),
    "found[0]: expected rows": ([["text"]], [[OBJECT]], {}),
    "truth[0]: expected rows": ([[ROW]], [[OBJECT, [1, 2]]], {}),
    "truth: expected at least one object that counts, got padding rows and difficult": (
        [[ROW]],
        [[OBJECT]],
        {"difficult": [[True]]},
    ),
    "difficult: expected a list for each of the 1 images": (
        [[ROW]],
        [[OBJECT]],
        {"difficult": []},
    ),
    "difficult[0]: expected shape (1,), one for each row of truth[0], got (2,)": (
        [[ROW]],
        [[OBJECT]],
        {"difficult": [[True, False]]},
    ),
    "difficult: expected booleans, got 2": (
        [[ROW]],
        [[OBJECT]],
        {"difficult": [[2]]},
    ),
    "difficult[0]: expected numbers": ([[ROW]], [[OBJECT]], {"difficult": [["no"]]}),
    "areas: expected finite areas of at least 0, got -1": (
        [[ROW]],
        [[OBJECT]],
        {"areas": [[-1]]},
    ),
    "areas: expected finite areas of at least 0, got nan": (
        [[ROW]],
        [[OBJECT]],
        {"areas": [[np.nan]]},
    ),
    "areas: expected a list": ([[ROW]], [[OBJECT]], {"areas": 81}),
    "crowds: expected rows for each of the 1 images": (
        [[ROW]],
        [[OBJECT]],
        {"crowds": [[], []]},
    ),
    "crowds[0]: expected shape (n, 5)": ([[ROW]], [[OBJECT]], {"crowds": [[ROW]]}),
    "crowds[0]: expected x1": ([[ROW]], [[OBJECT]], {"crowds": [[[0, 9, 0, 0, 9]]]}),
    "crowds: expected classes from 0 to 0 (a), got 7": (
        [[ROW]],
        [[OBJECT]],
        {"crowds": [[[7, 0, 0, 9, 9]]], "classes": ["a"]},
    ),
    "truth[0]: expected whole classes and finite numbers, got a row [-0.5,": (
        [[ROW]],
        [[OBJECT, [-0.5, 0, 0, 9, 9]]],
        {},
    ),
}


@pytest.mark.parametrize("said", BAD)
def test_evaluate_detections_exception(d2l, said):
    found, truth, options = BAD[said]
    with pytest.raises((TypeError, ValueError)) as error:
        d2l.evaluate_detections(found, truth, **options)
    assert said in str(error.value)


def test_what_detect_found_has_the_names_of_the_classes(d2l):
    """A net with the same classes in another order does not measure anything."""
    picture = np.zeros((20, 20, 3), np.uint8)
    rows = np.array([[1, 0.9, 0, 0, 9, 9]])
    found = trained.Detections(picture, rows, ("cat", "dog"))
    truth = [[[1, 0, 0, 9, 9]]]
    assert d2l.evaluate_detections([found], truth, ["cat", "dog"])["AP50"] > 0.99
    unnamed = trained.Detections(picture, rows, None)
    assert d2l.evaluate_detections([unnamed], truth, ["cat", "dog"])["AP50"] > 0.99
    with pytest.raises(
        ValueError, match=r"found\[0\]: expected class 1 to be 'cat' .*'dog'"
    ):
        d2l.evaluate_detections(iter([found]), truth, ["dog", "cat"])
    with pytest.raises(TypeError, match=r"found: .* write \[found\]"):
        d2l.evaluate_detections(found, truth)


def test_pictures(d2l):
    found, truth = make_set(2)
    got = d2l.evaluate_detections(found, truth, classes=("cat", "dog", "cow", "emu"))
    axes = got.show_classes()
    assert [t.get_text() for t in axes.get_yticklabels()] == list(got.classes)
    axes = got.show_curves()
    assert len(axes.lines) == 4 and "emu" in axes.get_legend().texts[3].get_text()
    axes = got.show_confusion()
    assert axes.get_xticklabels()[-1].get_text() == "background"
    drawn = sorted(int(text.get_text()) for text in axes.texts)
    assert drawn == sorted(got.confusion[got.confusion > 0].tolist())
    d2l.plt.close("all")
