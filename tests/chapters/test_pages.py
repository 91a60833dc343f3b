"""What a page shows, pasted in its order into an empty file, is a program.

It runs where the package cannot be imported, and gives the worked examples. A chapter's
names stand in the table in the order in which its page teaches them.
"""

import ast
import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from chapter_runs import ROOT, near
from conftest import bare

from d2lcv.lesson import page as pages
from d2lcv.proof.cases.augmentation import (
    ADJUSTED,
    AMOUNTS,
    IMAGES,
    NORMALIZE,
    resized,
)
from d2lcv.proof.cases.engine import (
    RATE,
    TRUTH,
    pixel_batches,
    pixel_net,
    pixels_by_hand,
)
from d2lcv.proof.inputs import WORKED


def shown(d2l, chapter, capsys):
    """The code that a script prints with `--code`, by the calls in its text."""
    text = (ROOT / "chapters" / f"{chapter}.py").read_text(encoding="utf-8")
    calls = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "d2l.show_source"
    ]
    pages.page.start()
    capsys.readouterr()
    for call in sorted(calls, key=lambda call: call.lineno):
        eval(compile(ast.Expression(call), chapter, "eval"), {"d2l": d2l})
    pages.page.start()
    return capsys.readouterr().out


class Page:
    """The functions that a page defines; they are given arrays and give arrays."""

    def __init__(self, d2l, names):
        self.d2l, self.names = d2l, names

    def __call__(self, name, *arguments):
        found = self.names[name](*map(self.native, arguments))
        several = isinstance(found, tuple | list)
        return [*map(self.d2l.numpy, found)] if several else self.d2l.numpy(found)

    def native(self, value):
        return self.d2l.tensor(value) if isinstance(value, np.ndarray) else value


def bounding_box(page):
    worked = WORKED["box_corner_to_center"]
    centers = page("box_corner_to_center", np.float32(worked["boxes"]))
    near(centers.ravel(), worked["expected"], 0)
    near(page("box_center_to_corner", centers).ravel(), worked["boxes"], 0)


def anchor(page):
    worked = WORKED["multibox_prior"]
    (*_, height, width), sizes = worked["data_shape"], worked["sizes"]
    data = np.zeros((1, 1, height, width), np.float32)
    anchors = page("multibox_prior", data, sizes, worked["ratios"])
    assert list(anchors.shape) == worked["shape"]
    of_pixel = anchors.reshape(height, width, -1, 4)[250, 250]
    near(of_pixel.ravel(), worked["at_row250_col250"])

    worked = WORKED["box_iou"]
    boxes = (np.float32(worked[name]) for name in ("boxes1", "boxes2"))
    near(page("box_iou", *boxes).ravel(), worked["expected"])

    worked = WORKED["assign_anchor_to_bbox"]
    truth, five = (np.float32(worked[name]) for name in ("ground_truth", "anchors"))
    assigned = page("assign_anchor_to_bbox", truth, five, None, 0.5)
    near(assigned, worked["expected"], 0)

    worked = WORKED["multibox_target"]
    five, labels = (np.float32(worked[name]) for name in ("anchors", "labels"))
    five, labels = five.reshape(1, -1, 4), labels.reshape(1, -1, 5)
    offsets, masks, classes = page("multibox_target", five, labels, 0.5)
    near(offsets.ravel(), worked["bbox_offset"])
    near(masks.ravel(), worked["bbox_mask"], 0)
    near(classes.ravel(), worked["class_labels"], 0)

    pair = five[0, 1:2], labels[0, :1, 1:]
    offset = page("offset_boxes", *pair, 1e-6)
    near(offset.ravel(), offsets[0, 4:8])
    near(page("offset_inverse", pair[0], offset).ravel(), pair[1])

    worked = WORKED["multibox_detection"]
    probs, boxes = (np.float32(worked[name]) for name in ("cls_probs", "anchors"))
    probs, boxes = probs.reshape(1, 3, 4), boxes.reshape(1, 4, 4)
    zeros = np.zeros((1, 16), np.float32)
    near(page("nms", boxes[0], probs[0, 1:].max(axis=0), 0.5), [0, 3], 0)
    rows = page("multibox_detection", probs, zeros, boxes, 0.5, 0.01)
    near(rows.ravel(), worked["expected"])


def multiscale_object_detection(page):
    for side, scale in ((4, 0.15), (2, 0.4), (1, 0.8)):
        worked = WORKED[f"multiscale_prior_{side}x{side}"]["expected_for_unit_aspect"]
        data = np.zeros((1, 10, side, side), np.float32)
        near(page("multibox_prior", data, [scale], [1, 2, 0.5]).ravel(), worked)


class Five:
    """A set of five pictures, which have their number as pixels."""

    def __len__(self):
        return 5

    def example(self, i):
        return np.full((3, 4, 4), i, np.float32), np.float32([[i, 0, 0, 1, 1]])


def object_detection_dataset(page):
    batches = [
        tuple(map(page.d2l.numpy, batch))
        for batch in page.names["loader"](Five(), [4, 2, 0, 1, 3], 2)
    ]
    assert [images.shape for images, _ in batches] == [
        *[(2, 3, 4, 4)] * 2,
        (1, 3, 4, 4),
    ]
    for i in (0, 1):  # the pictures, and their labels
        order = np.concatenate(
            [batch[i].reshape(-1, (48, 5)[i])[:, 0] for batch in batches]
        )
        near(order, [4, 2, 0, 1, 3], 0)
    picture = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    near(page("flip_left_right", picture).ravel(), picture[:, ::-1].ravel(), 0)


def image_augmentation(page):
    image = IMAGES["wide"].astype(np.float32)  # (37, 53, 3)
    for name, expected in (
        ("flip_left_right", image[:, ::-1]),
        ("flip_up_down", image[::-1]),
    ):
        near(page(name, image).ravel(), expected, 0)
    near(page("crop", image, 3, 5, 20, 7).ravel(), image[3:23, 5:12], 0)
    for size in ((20, 11), (90, 64), (1, 53)):
        near(page("resize", image, *size).ravel(), resized(image, *size), 1e-2)
    for name, amounts in AMOUNTS.items():
        for amount in amounts:
            expected = ADJUSTED[name](image.astype(np.float64), amount)
            near(page(f"adjust_{name}", image, amount).ravel(), expected, 1e-2)
    scaled = image.transpose(2, 0, 1) / 255
    near(page("to_tensor", image).ravel(), scaled)
    mean, std = (np.reshape(v, (3, 1, 1)) for v in NORMALIZE)
    found = page("normalize", scaled.copy(), *map(list, NORMALIZE))
    near(found.ravel(), (scaled - mean) / std)
    drawn, rng = page.names["draw_box"], np.random.default_rng(1)
    crop = SimpleNamespace(scale=(0.2, 0.6), ratio=(0.5, 2.0))
    for top, left, h, w in (drawn(crop, rng, 400, 300) for _ in range(50)):
        assert 0 <= top <= 400 - h and 0 <= left <= 300 - w
        assert 0.19 < h * w / 120000 < 0.61 and 0.49 < w / h < 2.03
    steps = page.names["draw_steps"](SimpleNamespace(a=(0.5, 1.5), b=(1, 1)), rng)
    assert [name for name, _ in steps] == ["a"] and 0.5 <= steps[0][1] <= 1.5
    twice = page.names["Compose"]([lambda x: x + 1, lambda x: 2 * x])
    assert twice(3) == 8

    d2l, names = page.d2l, page.names
    given = names["loader"](Five(), [4, 2, 0, 1, 3], 2)
    near(np.concatenate([d2l.numpy(y)[:, 0, 0] for _, y in given]), [4, 2, 0, 1, 3], 0)
    # a training by the page alone, on two devices that are one, and by hand
    column = importlib.import_module(f"columns.{d2l.backend_name()}")
    make, losses = column.optimizer_and_losses(RATE)
    by_hand, batches, devices = pixels_by_hand(), pixel_batches(d2l), d2l.try_all_gpus()
    net, reports = d2l.to(pixel_net(d2l), devices[0]), []
    history = names["train_ch13"](
        *(net, batches, batches, losses[0], make(net), 1, devices[:1] * 2),
        report=lambda *numbers: reports.append(numbers),
    )
    pixels = sum(y.size for y in TRUTH)
    near(history[0][0], sum(by_hand["loss"]) / sum(map(len, TRUTH)))
    near(history[0][1], sum(by_hand["right"]) / pixels)
    for name, weights in d2l.get_weights(net).items():
        near(weights.ravel(), by_hand[name])
    found = [d2l.numpy(net(X)).argmax(1) for X, _ in batches]
    near(history[0][2], np.mean(np.array(found) == TRUTH))
    near(names["evaluate_accuracy_gpu"](net, batches), history[0][2])
    assert reports == [(1, *history[0])]


# Chapter → what its worked examples are, and the names in the order of the page
PAGES = {
    bounding_box: ["box_corner_to_center", "box_center_to_corner"],
    anchor: [
        *("multibox_prior", "box_iou", "assign_anchor_to_bbox", "offset_boxes"),
        *("multibox_target", "offset_inverse", "nms", "multibox_detection"),
    ],
    multiscale_object_detection: ["multibox_prior"],
    image_augmentation: [
        *("flip_left_right", "flip_up_down", "crop", "resize", "draw_box"),
        *("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue"),
        *(
            "draw_steps",
            "Compose",
            "to_tensor",
            "normalize",
            "ExampleDataset",
            "loader",
        ),
        *("Residual", "resnet18", "train_step", "split_batch", "accuracy"),
        *("train_batch_ch13", "join", "average", "evaluate_accuracy_gpu", "train_ch13"),
    ],
    object_detection_dataset: ["ExampleDataset", "loader", "flip_left_right"],
}


@pytest.mark.parametrize("examples", PAGES, ids=lambda function: function.__name__)
def test_what_a_page_shows_is_a_program(d2l, examples, capsys):
    code = shown(d2l, examples.__name__, capsys)
    body = ast.parse(code).body
    defined = [node.name for node in body if hasattr(node, "name")]
    assert len(set(defined)) == len(defined)
    assert [name for name in defined if name in PAGES[examples]] == PAGES[examples]
    assert '"""' not in code and "backend." not in code and "d2l" not in code
    examples(Page(d2l, bare(code)))
