"""The cases as a teacher: right functions are called right, planted mistakes are found."""

import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import bare

from d2lcv.backends import REGISTRY, backend, backend_name
from d2lcv.lesson import lesson_imports
from d2lcv.proof import check as checking

# What a learner may write, in NumPy for all frameworks; each mistake is one replacement.
WRITTEN = {
    "box_iou": """
def box_iou(boxes1, boxes2):
    a, b = numpy(boxes1), numpy(boxes2)
    upper = np.maximum(a[:, None, :2], b[None, :, :2])
    lower = np.minimum(a[:, None, 2:], b[None, :, 2:])
    size = np.maximum(lower - upper, 0)
    both = size[..., 0] * size[..., 1]
    areas = [np.maximum(x[:, 2:] - x[:, :2], 0).prod(axis=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1] - both
    return tensor(both / np.where(union > 0, union, 1))
""",
    "multibox_prior": """
def multibox_prior(data, sizes, ratios):
    height, width = data.shape[-2:]
    pairs = [(s, ratios[0]) for s in sizes] + [(sizes[0], r) for r in ratios[1:]]
    s, r = np.float64(pairs).T
    w, h = s * np.sqrt(r) * height / width, s / np.sqrt(r)
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    x, y = (x[..., None] + 0.5) / width, (y[..., None] + 0.5) / height
    corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=-1)
    return tensor(corners.reshape(1, -1, 4).astype("float32"))
""",
    "assign_anchor_to_bbox": """
def assign_anchor_to_bbox(ground_truth, anchors, device=None, iou_threshold=0.5):
    truth, anchors = numpy(ground_truth), numpy(anchors)
    assigned = np.full(len(anchors), -1)
    if not len(truth) or not len(anchors):
        return tensor(assigned)
    iou = numpy(box_iou(tensor(anchors), tensor(truth)))
    best = np.float32(iou.max(axis=1)) >= np.float32(iou_threshold)
    assigned[best] = iou.argmax(axis=1)[best]
    for _ in range(min(iou.shape)):
        index = iou.argmax()
        anchor, box = index // iou.shape[1], index % iou.shape[1]
        assigned[anchor] = box
        iou[anchor], iou[:, box] = -1, -1
    return tensor(assigned)
""",
    "offset_boxes": """
def offset_boxes(anchors, assigned_bb, eps=1e-6):
    a, b = numpy(anchors), numpy(assigned_bb)
    size_a, size_b = (x[..., 2:] - x[..., :2] for x in (a, b))
    center_a, center_b = ((x[..., 2:] + x[..., :2]) / 2 for x in (a, b))
    size_a, size_b = np.maximum(size_a, eps), np.maximum(size_b, 0)
    center = 10 * (center_b - center_a) / size_a
    growth = 5 * np.log(eps + size_b / size_a)
    return tensor(np.concatenate([center, growth], axis=-1).astype(a.dtype))
""",
    "multibox_target": """
def multibox_target(anchors, labels, iou_threshold=0.5):
    rows, B, A = numpy(labels), len(labels), anchors.shape[1]
    masks = np.zeros((B, A, 4), dtype="float32")
    offsets = np.zeros((B, A, 4), dtype=numpy(anchors).dtype)
    classes = np.zeros((B, A), dtype="int64")
    for i in range(B):
        objects = rows[i][rows[i][:, 0] >= 0]
        assigned = assign(tensor(objects[:, 1:]), anchors[0], None, iou_threshold)
        assigned = numpy(assigned)
        has = assigned >= 0
        chosen = objects[assigned[has]]
        classes[i, has] = chosen[:, 0].astype(int) + 1
        masks[i, has] = 1
        found = offset(tensor(numpy(anchors)[0, has]), tensor(chosen[:, 1:]))
        offsets[i, has] = numpy(found)
    flat = [tensor(x.reshape(B, 4 * A)) for x in (offsets, masks)]
    return (*flat, tensor(classes))
""",
    "nms": """
def nms(boxes, scores, iou_threshold):
    order = np.argsort(-numpy(scores), kind="stable")
    boxes, kept = numpy(boxes), []
    while len(order):
        kept.append(order[0])
        best, left = tensor(boxes[order[:1]]), tensor(boxes[order])
        iou = np.float32(numpy(box_iou(best, left))[0])
        iou[0] = 9
        order = order[~(iou > np.float32(iou_threshold))]
    return tensor(np.array(kept, dtype=np.int32))
""",
}
MISTAKES = """
box_iou | no clamp of the intersection
    np.maximum(lower - upper, 0)
    lower - upper
box_iou | an axis taken twice
    size[..., 1]
    size[..., 0]
box_iou | no union gives NaN
    np.where(union > 0, union, 1)
    union
box_iou | the pairs turned
    (union > 0, union, 1))
    (union > 0, union, 1)).T
multibox_prior | anchors in another order
    + [(sizes[0], r) for r in ratios[1:]]
    + [(sizes[0], r) for r in ratios[:0:-1]]
multibox_prior | pixels by columns
    indexing="ij"
    indexing="xy"
multibox_prior | no half pixel
    x[..., None] + 0.5
    x[..., None]
assign_anchor_to_bbox | > for >=
    >= np.float32
    > np.float32
assign_anchor_to_bbox | the last of equal ones
    iou.argmax()
    iou.size - 1 - iou.ravel()[::-1].argmax()
assign_anchor_to_bbox | index by float division
    index // iou.shape[1], index
    int(np.float32(index) / np.float32(iou.shape[1])), index
offset_boxes | no eps in the logarithm
    np.log(eps + size_b
    np.log(size_b
offset_boxes | scales the other way
    10 * (center
    5 * (center
multibox_target | classes without + 1
    chosen[:, 0].astype(int) + 1
    chosen[:, 0].astype(int)
multibox_target | padding rows taken
    [rows[i][:, 0] >= 0]
    [:]
nms | >= for >
    ~(iou > np
    ~(iou >= np
nms | order of equal scores
    np.argsort(-numpy(scores), kind="stable")
    np.argsort(numpy(scores), kind="stable")[::-1]
"""
MISTAKES = re.findall(r"(\w+) \| (.+)\n +(.+)\n +(.*)\n", MISTAKES)
# What the smallest case says, where it is more than a wrong number.
SAYS = {"no union gives NaN": "it gave NaN"}


def written(d2l, name, text=None):
    """A learner's function."""
    names = {"np": np, "tensor": d2l.tensor, "numpy": d2l.numpy, "box_iou": d2l.box_iou}
    names |= {"assign": d2l.assign_anchor_to_bbox, "offset": d2l.offset_boxes}
    exec(text or WRITTEN[name], names)
    return names[name]


def on_one_backend(rows, but=(), ids=None):
    """Rows that are NumPy's, so the same on every backend, but for some."""
    return [
        pytest.param(
            *row, id=ids and ids[i], marks=[] if i in but else [pytest.mark.once]
        )
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize(
    "name", on_one_backend([[name] for name in WRITTEN], but=(0, 4))
)
def test_a_right_function_is_right(d2l, native, name, capsys):
    result = d2l.check(written(d2l, name), name, seconds=math.inf)
    if name == "multibox_target" and native.COMPILES:
        # one case compiles its step, which NumPy cannot be a part of
        (failure,) = result.failures
        assert failure.case == "first_gradients" and "it raised" in failure.reason
        return
    assert result and result.right == result.total > 8, result
    assert result.failures == [] and result.skipped == []
    told = capsys.readouterr().out
    assert told.startswith(
        f"{name}: {result.total} of {result.total} cases are right; "
    )
    assert told.rstrip().endswith("ours")


@pytest.mark.parametrize(
    ("name", "mistake", "right", "wrong"),
    on_one_backend(MISTAKES, but=(0,), ids=[m[1] for m in MISTAKES]),
)
def test_a_mistake_is_found(d2l, name, mistake, right, wrong, capsys):
    assert WRITTEN[name].count(right) == 1
    result = d2l.check(written(d2l, name, WRITTEN[name].replace(right, wrong)), name)
    assert not result and 0 <= result.right < result.total
    assert len(result.failures) == result.total - result.right
    sizes = [failure.size for failure in result.failures]
    assert sizes == sorted(sizes)
    told = capsys.readouterr().out
    assert f"{result.right} of {result.total} cases are right" in told
    assert f"  {result.failures[0].case}: " in told
    assert "expected " in told and SAYS.get(mistake, "") in told


def test_of_several_calls_that_is_shown_which_was_wrong(d2l):
    """The cases on thresholds call a function many times."""
    text = WRITTEN["nms"].replace("~(iou > np", "~(iou >= np")
    wrong = written(d2l, "nms", text)
    failures = d2l.check(wrong, "nms", quiet=True).failures
    assert any("on_thresholds" in failure.case for failure in failures)
    for failure in failures:
        boxes, scores, most = failure.arguments.values()
        given = d2l.tensor(boxes), d2l.tensor(scores), most
        answers = [d2l.numpy(f(*given)).tolist() for f in (wrong, d2l.nms)]
        assert answers[0] != answers[1], failure.case


@pytest.mark.once
def test_a_function_of_the_package_stands_for_its_name(d2l):
    assert d2l.check(d2l.box_iou, d2l.box_iou, quiet=True).name == "box_iou"
    with pytest.raises(ValueError, match=r"got 'nmss'; did you mean 'nms'\?"):
        d2l.check(d2l.nms, "nmss")


def test_the_smallest_case_shows_arguments_and_both_answers(d2l):
    text = WRITTEN["box_iou"].replace("np.maximum(lower - upper, 0)", "lower - upper")
    failure = d2l.check(written(d2l, "box_iou", text), "box_iou", quiet=True).failures[
        0
    ]
    right = d2l.box_iou(*(d2l.tensor(failure.arguments[f"boxes{i}"]) for i in (1, 2)))
    np.testing.assert_allclose(failure.expected["iou"], d2l.numpy(right), atol=1e-6)
    assert np.abs(failure.got["iou"] - failure.expected["iou"]).max() > 0.01
    for title in ("boxes1, float32", "boxes2, float32", "expected iou", "got iou"):
        assert title in str(failure)


# ---- what a function must not do -----------------------------------------------------


def told(d2l, function, name="box_corner_to_center"):
    result = d2l.check(function, name, quiet=True)
    assert not result and result.right == 0
    return result.failures[0].reason


def test_it_is_told_of_what_it_raises(d2l):
    def raises(boxes):
        x = 1
        return x / (x - 1)

    assert told(d2l, raises) == (
        "it raised ZeroDivisionError in its line 3: division by zero"
    )
    assert "it raised TypeError" in told(d2l, lambda: 1 / 0)


def test_it_is_told_of_changing_its_arguments(d2l, native):
    if not native.MUTABLE:
        pytest.skip("these tensors cannot be changed")

    def changes(boxes):
        result = d2l.box_corner_to_center(boxes)
        boxes[...] = 7
        return result

    assert "it changed its argument boxes" in {
        f.reason for f in d2l.check(changes, "box_corner_to_center", True).failures
    }


def test_it_is_told_of_giving_no_tensor(d2l):
    expected = f"expected {backend.entry.tensor} of {backend.entry.title}"
    right = d2l.box_corner_to_center
    assert told(d2l, lambda boxes: d2l.numpy(right(boxes))) == (
        f"it gave ndarray, {expected}"
    )
    assert told(d2l, lambda boxes: print(end="")).startswith("it gave NoneType, ")

    other = next(b for b in REGISTRY.values() if b.name != backend_name())
    foreign = type("Tensor", (), {"__module__": f"{other.package}.somewhere"})
    assert told(d2l, lambda boxes: foreign()) == (
        f"it gave a tensor of {other.title}, {expected}"
    )


def test_it_is_told_how_many_values_to_give(d2l):
    def two(anchors, labels, iou_threshold=0.5):
        return d2l.multibox_target(anchors, labels, iou_threshold)[:2]

    assert told(d2l, two, "multibox_target") == "it gave 2 values, expected 3"

    def one(anchors, labels, iou_threshold=0.5):
        return d2l.multibox_target(anchors, labels, iou_threshold)[0]

    assert "expected 3 values" in told(d2l, one, "multibox_target")


def test_gradients_belong_to_the_definition_where_a_case_asks(d2l):
    assert d2l.check(d2l.corr2d, "corr2d", quiet=True)

    def cut_off(X, K):
        return d2l.tensor(d2l.numpy(d2l.corr2d(X, K)))

    result = d2l.check(cut_off, "corr2d", quiet=True)
    assert 0 < result.right < result.total
    assert any("gradient" in failure.case for failure in result.failures)


def test_what_is_too_slow_is_not_run_and_said_so(d2l, capsys):
    result = d2l.check(d2l.nms, "nms", seconds=0)
    assert not result and len(result.skipped) == result.total and not result.failures
    assert "would take too long: nms_" in capsys.readouterr().out


def test_a_function_that_waits_is_run_on_large_cases_too(d2l):
    def waits(*arguments):
        time.sleep(0.1)  # what a busy machine takes from it, or a call costs anyway
        return d2l.multibox_prior(*arguments)

    result = d2l.check(waits, "multibox_prior", quiet=True, seconds=30)
    assert result and not result.skipped


def test_slower_and_faster_are_said():
    words = [checking._as_words(x) for x in (1.1, 3, 0.1)]
    assert words == [
        "about as fast as ours",
        "3.0 times slower than ours",
        "10.0 times faster than ours",
    ]


def test_an_exercise_leaves_the_function_as_it_is(d2l, capsys):
    def mine(boxes):
        return boxes

    assert d2l.exercise("box_corner_to_center")(mine) is mine
    assert "0 of" not in capsys.readouterr().out  # an empty set of boxes is right

    @d2l.exercise("box_iou")
    def box_iou(boxes1, boxes2): ...

    assert capsys.readouterr().out == "box_iou: not written yet\n"
    assert not d2l.check(box_iou, quiet=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "no_such", "Trainer", "exp", "_ours"])
def test_a_name_that_is_no_function_of_ours_is_refused(d2l, name):
    with pytest.raises(ValueError, match="name: expected a"):
        d2l.check(len, name)
    with pytest.raises(TypeError, match="function: expected a function, got 3"):
        d2l.check(3, "box_iou")


def test_a_function_without_cases_is_refused(d2l):
    with pytest.raises(ValueError, match="has cases, got 'set_figsize'"):
        d2l.check(len, "set_figsize")


# ---- the package at work with it -----------------------------------------------------


def test_the_package_calls_what_is_used(d2l):
    calls = []

    def counted(name):
        function = getattr(d2l, name)

        def call(*arguments):
            calls.append(name)
            return function(*arguments)  # ours: it does not call itself

        return call

    anchors, labels = d2l.tensor([[[0.0, 0, 1, 1]]]), d2l.tensor([[[0.0, 0, 0, 1, 1]]])
    right = d2l.multibox_target(anchors, labels)
    with d2l.using(offset_boxes=counted("offset_boxes"), nms=counted("nms")):
        inside = d2l.multibox_target(anchors, labels)
        d2l.nms(anchors[0], d2l.tensor([0.5]), 0.5)
    assert calls == ["offset_boxes", "nms"]  # the column's call, and a reader's
    for a, b in zip(right, inside, strict=True):
        np.testing.assert_array_equal(d2l.numpy(a), d2l.numpy(b))
    d2l.multibox_target(anchors, labels)
    d2l.nms(anchors[0], d2l.tensor([0.5]), 0.5)
    assert len(calls) == 2


def test_ours_comes_back_after_an_error(d2l):
    before = d2l.box_iou, backend.boxes.box_iou
    with pytest.raises(KeyError), d2l.using(box_iou=lambda boxes1, boxes2: 1):
        assert backend.boxes.box_iou is not before[1]
        raise KeyError
    assert (d2l.box_iou, backend.boxes.box_iou) == before


def test_using_refuses_what_it_cannot_use(d2l):
    with pytest.raises(ValueError, match="got 'no_such'"), d2l.using(no_such=len):
        pass
    with pytest.raises(TypeError, match="expected a function, got 1"), d2l.using(nms=1):
        pass


def losses(d2l, steps=2):
    d2l.seed(3)
    net = d2l.TinySSD(1)
    trainer = d2l.Trainer(net, "sgd", lr=0.1)
    X = d2l.rand((2, 3, 64, 64))
    Y = d2l.tensor(np.float32([[[0, 0.1, 0.1, 0.6, 0.6]], [[0, 0.4, 0.3, 0.9, 0.8]]]))

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        targets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.calc_loss(cls_preds, classes, bbox_preds, targets, masks)
        return d2l.reduce_mean(loss), ()

    return [float(trainer.step(step, X, Y)[0]) for _ in range(steps)]


def test_a_detector_trains_with_a_learners_targets(d2l):
    """Compiled steps too; and a learner's mistake is seen in the losses."""
    names, calls = {}, []
    code = d2l.lesson_imports(d2l.multibox_target) + d2l.source(d2l.multibox_target)
    exec(code, names)

    def mine(anchors, labels, iou_threshold=0.5):
        calls.append(1)
        return names["multibox_target"](anchors, labels, iou_threshold)

    def wrong(anchors, labels, iou_threshold=0.5):
        offsets, masks, classes = mine(anchors, labels, iou_threshold)
        return offsets, masks, classes * 0 + 1  # everything is an object

    ours = losses(d2l)
    with d2l.using(multibox_target=mine):
        theirs = losses(d2l)
    assert calls
    np.testing.assert_allclose(theirs, ours, rtol=1e-6)
    with d2l.using(multibox_target=wrong):
        assert abs(losses(d2l, 1)[0] - ours[0]) > 1e-3


# ---- exercises of the chapters -------------------------------------------------------

ROOT = Path(__file__).parents[2]
EXERCISES = sorted(
    {
        name
        for chapter in (ROOT / "chapters").glob("*.py")
        for name in re.findall(r'@d2l\.exercise\("(\w+)"\)', chapter.read_text("utf-8"))
    }
    - WRITTEN.keys()  # which are tested above
)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_on_the_page_is_right(d2l, name):
    """What `source` shows, as a learner would paste it."""
    public = getattr(d2l, name)
    page = bare(lesson_imports(public) + "\n\n" + d2l.source(public))
    result = d2l.check(page[name], name, quiet=True, seconds=math.inf)
    assert result and result.total > 0, result
