"""What a page shows, pasted in its order into an empty file, is a program.

It runs where the package cannot be imported, and gives the worked examples. A chapter's
names stand in the table in the order in which its page teaches them. Nets get the weights
of the package's own, and give what these give.
"""

import ast
import importlib

import numpy as np
import pytest
from chapter_runs import ROOT, near, shown
from conftest import bare
from PIL import Image

from d2lcv.backends import backend
from d2lcv.lesson import reading
from d2lcv.proof import inputs
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
from d2lcv.weights import initialize


class Page:
    """The functions that a page defines; they are given arrays and give arrays."""

    def __init__(self, d2l, names):
        self.d2l, self.names = d2l, names

    def __call__(self, name, *arguments):
        return self.arrays(self.names[name](*map(self.native, arguments)))

    def arrays(self, found):
        if isinstance(found, tuple | list):
            return [*map(self.arrays, found)]
        return self.d2l.numpy(found) if self.d2l.is_tensor(found) else found

    def native(self, value):
        if isinstance(value, tuple | list):
            return [*map(self.native, value)]
        return self.d2l.tensor(value) if isinstance(value, np.ndarray) else value

    def net(self, name, *arguments, ours=None):
        """A net of the page, with the weights of `ours` or fresh ones."""
        net = initialize(self.names[name](*arguments))
        return self.d2l.set_weights(net, self.d2l.get_weights(ours)) if ours else net

    def of_net(self, net, *inputs):
        """What a net gives in evaluation."""
        predict = self.names.get("predict", self.d2l.predict)
        return self.arrays(predict(net, *map(self.native, inputs)))

    def same(self, net, ours, *shape):
        """A net gives what the package's own gives; returned as a list of arrays."""
        X = uniform(*shape)
        given = self.of_net(net, X)
        given = given if isinstance(given, list) else [given]
        expected = self.arrays(self.d2l.predict(ours, self.native(X)))
        expected = expected if isinstance(expected, list) else [expected]
        for one, other in zip(given, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        return given

    def learns(self, net, loss, *batch):
        """Steps of the page on one batch make the loss smaller; no weight stays."""
        training, before = backend.training, self.d2l.get_weights(net)
        make = self.names.get("make_optimizer", training.make_optimizer)
        optimizer = make([(training.parameters(net), 1e-3)], "sgd")
        losses = [
            self.arrays(
                self.names["train_step"](
                    net,
                    lambda *batch: (self.d2l.reduce_mean(loss(*batch)), ()),
                    optimizer,
                    *map(self.native, batch),
                )[0]
            )
            for _ in range(3)
        ]
        assert losses[2] < losses[0]
        after = self.d2l.get_weights(net)
        return {name for name in after if not np.array_equal(after[name], before[name])}


def uniform(*shape):
    return inputs.uniform(0, *shape).astype(np.float32)


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


def batches_of_five(page):
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


def object_detection_dataset(page):
    batches_of_five(page)
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
    crop, rng = page.names["RandomResizedCrop"]((20, 11)), np.random.default_rng(1)
    crop.scale, crop.ratio = (0.2, 0.6), (0.5, 2.0)
    assert page.arrays(crop(page.native(image))).shape == (20, 11, 3)
    for top, left, h, w in (crop.draw_box(rng, 400, 300) for _ in range(50)):
        assert 0 <= top <= 400 - h and 0 <= left <= 300 - w
        assert 0.19 < h * w / 120000 < 0.61 and 0.49 < w / h < 2.03
    jitter = page.names["ColorJitter"](brightness=0.5, hue=0.1)
    steps = dict(jitter.draw_steps(rng))
    assert set(steps) == {"brightness", "hue"} and 0.5 <= steps["brightness"] <= 1.5
    flip = page.names["RandomHorizontalFlip"](p=1)
    near(page.arrays(flip(page.native(image))).ravel(), image[:, ::-1], 0)
    # a class, red and green pixels that are all alike, and blue ones that are not
    record = np.uint8([3, *[1] * 1024, *[2] * 1024, *[*range(256)] * 4])
    (picture,), labels = page.names["read_records"]([record.tobytes()])
    assert labels == [3] and picture.shape == (32, 32, 3)
    assert picture[5, 7].tolist() == [1, 2, 5 * 32 + 7]
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


def ssd(page):
    shapes = WORKED["tinyssd_shapes"]
    ours = page.d2l.TinySSD(shapes["num_classes"])
    net = page.net("TinySSD", shapes["num_classes"], ours=ours)
    given = page.same(net, ours, 1, *shapes["input"][1:])
    for array, name in zip(given, ("anchors", "cls_preds", "bbox_preds"), strict=True):
        assert [*array.shape] == [1, *shapes[name][1:]]
    worked = WORKED["concat_preds"]
    maps = [np.zeros(worked[name], np.float32) for name in ("Y1", "Y2")]
    assert [*page("concat_preds", maps).shape] == worked["result"]
    worked = WORKED["smooth_l1"]
    for sigma in (10, 1, 0.5):
        found = page("smooth_l1", np.float32(worked["x"]), sigma)
        near(found, worked[f"sigma_{sigma}"])
    worked = WORKED["focal_loss"]
    for gamma in (0, 1, 5):
        found = page("focal_loss", gamma, np.float32(worked["p"]))
        near(found, worked[f"gamma_{gamma}"])

    # two anchors; equal scores cost log 2 each, half of the offsets are wrong by 3
    scores, classes = np.zeros((1, 2, 2), np.float32), np.int64([[1, 0]])
    offsets, masks = np.full((1, 8), 3, np.float32), np.float32([[1] * 4 + [0] * 4])
    zeros = np.zeros((1, 8), np.float32)
    loss = page("calc_loss", scores, classes, offsets, zeros, masks)
    near(loss, np.log(2) + 1.5)
    scores[0, 0, 1] = 1
    assert page("cls_eval", scores, classes) == 2
    assert page("bbox_eval", offsets, zeros, masks) == 12

    anchors = given[0].shape[1]
    targets = (
        page.native(np.zeros((1, anchors), np.int64)),
        *(
            page.native(np.full((1, 4 * anchors), value, np.float32))
            for value in (0, 1)
        ),
    )

    def loss(X):
        _, scores, offsets = net(X)
        classes, labels, masks = targets
        return page.names["calc_loss"](scores, classes, offsets, labels, masks)

    assert page.learns(net, loss, uniform(1, *shapes["input"][1:]))


def yolo(page):
    # the middle (0.25, 0.4) lies in row 1 and column 1 of 4 × 4 cells
    labels = np.float32([[[2, 0.1, 0.2, 0.4, 0.6], [-1, 0, 0, 0, 0]]])
    classes, boxes = page("yolo_target", labels, 4, 4)
    expected = np.full((1, 4, 4), -1)
    expected[0, 1, 1] = 2
    near(classes.ravel(), expected, 0)
    near(boxes[0, 1, 1], labels[0, 0, 1:])

    ours = page.d2l.TinyYOLO(3, 2)
    net = page.net("TinyYOLO", 3, 2, ours=ours)
    (numbers,) = page.same(net, ours, 1, 3, 64, 32)
    assert numbers.shape == (1, 4, 2, 13)

    # σ(0) is one half: the middle of the one cell, a quarter of the picture's sides
    zeros, box = np.zeros((1, 1, 1, 7), np.float32), [0.375, 0.375, 0.625, 0.625]
    boxes, confidence, probs = page("yolo_decode", zeros, 2)
    near(boxes.ravel(), box)
    near([*confidence.ravel(), *probs.ravel()], [0.5, 0.5, 0.5])
    found = page("yolo_detection", zeros, 2, 0.5, 0.1)
    near(found.ravel(), [0, 0.25, *box])
    nothing = np.full((1, 1, 1), -1), np.zeros((1, 1, 1, 4), np.float32)
    near(page("yolo_loss", zeros, *nothing, 2, 5.0, 0.5), 0.5 * 0.5**2)
    # the very box: confidence and classes are wrong by a half each
    right = np.zeros((1, 1, 1), np.int64), np.float32(box).reshape(1, 1, 1, 4)
    near(page("yolo_loss", zeros, *right, 2, 5.0, 0.5), 3 * 0.5**2)


def rcnn(page):
    X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    worked = WORKED["roi_pool"]
    rois = np.float32(worked["rois_batchindex_x1_y1_x2_y2"])
    near(page("roi_pool", X, rois, (2, 2), 0.1).ravel(), worked["expected"])
    aligned = page("roi_align", X, rois, (2, 2), 0.1, 2, True)
    near(aligned.ravel(), WORKED["roi_align"]["expected"])

    ours = page.d2l.TinyRCNN(4)
    net = page.net("TinyRCNN", 4, ours=ours)
    features, anchors, scores, offsets = page.same(net, ours, 2, 3, 64, 64)
    assert features.shape == (2, 64, 8, 8)
    rois = page("propose", anchors, scores, offsets, 5, 0.7)
    assert rois.shape == (2, 5, 4) and (rois >= 0).all() and (rois <= 1).all()
    padding = np.full((2, 1, 5), -1, np.float32)
    zeros = np.zeros_like(scores), np.zeros_like(offsets)
    near(page("rpn_loss", anchors, *zeros, padding), [np.log(2)] * 2)
    assert page("box_head_loss", net, features, rois, padding).shape == (2,)
    masks = np.zeros((2, 1, 64, 64), np.float32)
    near(page("mask_head_loss", net, features, rois, padding, masks).ravel(), 0)
    rows, masks = page("detect_instances", net, uniform(2, 3, 64, 64), 5, 3, 0.5, 0.01)
    assert rows.shape == (2, 3, 6) and masks.shape == (2, 3, 64, 64)


def semantic_segmentation(page):
    classes = np.uint8([[0, 1, 255], [255, 20, 0]])
    colors = page.names["classes_to_colors"](classes)
    aeroplane, border, background = [128, 0, 0], [224, 224, 192], [0, 0, 0]
    assert colors[0].tolist() == [background, aeroplane, border]
    for void in (0, 255):
        table = page.names["color_table"](void)
        found = page.names["colors_to_classes"](colors, table)
        assert found.tolist() == np.where(classes == 255, void, classes).tolist()
    draw = np.random.default_rng(0)
    windows = [page.names["random_window"](5, 7, 3, 6, draw) for _ in range(60)]
    assert {(r.stop - r.start, c.stop - c.start) for r, c in windows} == {(3, 6)}
    assert {(r.start, c.start) for r, c in windows} == {
        (r, c) for r in range(3) for c in range(2)
    }
    batches_of_five(page)


def transposed_conv(page):
    worked = WORKED["trans_conv"]
    X, K = np.float32(worked["X"]), np.float32(worked["K"])
    near(page("trans_conv", X, K).ravel(), worked["expected"])
    near(page("trans_conv", X, K, 1, 1).ravel(), worked["padding_1"])
    near(page("trans_conv", X, K, 2).ravel(), worked["stride_2"])
    for stride, padding, name in ((1, 0, "expected"), (1, 1, "padding_1")):
        layer = page.net("conv_transpose2d", 1, 1, 2, stride, padding, False)
        page.d2l.set_weights(layer, {"weight": K[None, None]})
        near(page.of_net(layer, X[None, None]).ravel(), worked[name])
    worked = WORKED["conv_as_matmul"]
    X, K = np.float32(worked["X"]), np.float32(worked["K"])
    near(page("corr2d", X, K).ravel(), worked["corr2d"])
    near(page("kernel2matrix", K).ravel(), worked["kernel_matrix"])


def fcn(page):
    worked = WORKED["bilinear_kernel"]
    kernel = page("bilinear_kernel", 3, 3, 4)
    near(kernel[1, 1].ravel(), worked["diagonal_filter"])
    near(kernel[0, 1].ravel(), np.zeros(16), 0)
    near(page("bilinear_kernel", 1, 1, 3).ravel(), worked["kernel_size_3"])

    for stride in (32, 8):
        ours = page.d2l.FCN(3, page.d2l.ResNet(18, 5, width=16), stride)
        net = page.net("FCN", 3, 18, 3, 16, stride, ours=ours)
        (scores,) = page.same(net, ours, 1, 3, 64, 96)
        assert scores.shape == (1, 3, 64, 96)
    # equal scores cost log 3 for every pixel that has a label
    labels = np.int64([[[0, 1], [2, 255]]])
    zeros = np.zeros((1, 3, 2, 2), np.float32)
    near(page("segmentation_loss", zeros, labels), np.log(3))
    X = uniform(1, 3, 64, 64)
    one = page("predict_tiles", net, X, [slice(0, 64)], [slice(0, 64)])
    two = page("predict_tiles", net, X, [slice(0, 64)] * 2, [slice(0, 64)])
    near(one.ravel(), two.ravel())

    def loss(X, Y):
        return page.names["segmentation_loss"](net(X), Y)

    labels = np.arange(2 * 64 * 96).reshape(2, 64, 96) // 500 % 3
    assert page.learns(net, loss, uniform(2, 3, 64, 96), labels)


def neural_style(page):
    X = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    gram = WORKED["gram"]["expected"]
    near(page("gram", X).ravel(), gram)
    near(page("tv_loss", X), WORKED["tv_loss"]["expected"])
    near(page("content_loss", X, X + 3), 9)
    near(page("style_loss", X, np.float32(gram) - 2), 4)
    losses = page("compute_loss", X, [X], [X], [X + 3], [np.float32(gram) - 2])
    near(losses[3], 9 + 10 * 4e3 + 10 * 2, 0.1)

    pixels = uniform(4, 6, 3)
    back = page("postprocess", page.names["preprocess"](pixels))
    near(back.ravel(), pixels.ravel())
    net, layers = page.net("VGG19", 8, 8), ([7], [0, 5])
    image = page.net("SynthesizedImage", (1, 3, 16, 16))
    page.d2l.set_weights(image, {"weight": uniform(1, 3, 16, 16)})
    (content,), styles = page("extract_features", uniform(1, 3, 16, 16), *layers, net)
    assert content.shape == (1, 16, 8, 8)
    assert [style.shape for style in styles] == [(1, 8, 16, 16), (1, 16, 8, 8)]
    assert page.learns(image, lambda: page.names["tv_loss"](image())) == {"weight"}


def fine_tuning(page):
    source = page.net("ResNet", 18, 5, 3, 16)
    net = initialize(page.names["replace_output"](source, 2), "output")
    before, after = map(page.d2l.get_weights, (source, net))
    features = {name for name in after if name.startswith("features.")}
    assert features and all(np.array_equal(before[n], after[n]) for n in features)
    assert after["output.weight"].shape == (2, 128)
    batch = uniform(4, 3, 64, 64), np.int64([0, 1, 1, 0])

    def loss(X, y):
        return page.d2l.cross_entropy(net(X), y)

    changed = page.learns(net, loss, *batch)
    assert "output.weight" in changed and changed & features

    net = initialize(page.names["replace_output"](source, 2), "output")
    page.names["freeze"](net.features)
    changed = page.learns(net, loss, *batch)
    assert changed == {"output.weight", "output.bias"}


def kaggle_cifar10(page, folder):
    residual = page.net("Residual", 3, 3)
    assert page.of_net(residual, uniform(4, 3, 6, 6)).shape == (4, 3, 6, 6)
    halved = page.net("Residual", 3, 6, True, 2)
    assert page.of_net(halved, uniform(4, 3, 6, 6)).shape == (4, 6, 3, 3)
    ours = page.d2l.resnet18(10, 3, width=16)
    net = page.net("resnet18", 10, 3, 16, ours=ours)
    page.same(net, ours, 2, 3, 32, 32)
    loss = page.d2l.cross_entropy
    batch = uniform(2, 3, 32, 32), np.int64([3, 7])
    assert page.learns(net, lambda X, y: loss(net(X), y), *batch)

    labels = {str(i): "cat" if i % 3 else "dog" for i in range(1, 13)}
    for part, names in (("train", labels), ("test", ["1", "10", "2"])):
        (folder / part).mkdir()
        for name in names:
            Image.new("RGB", (2, 2)).save(folder / part / f"{name}.png")
    # the smallest class has 4 pictures, a quarter of which is one
    assert page.names["reorg_train_valid"](folder, labels, 0.25) == 1
    page.names["reorg_test"](folder)
    made = folder / "train_valid_test"
    sizes = {
        part: sum(1 for _ in (made / part).glob("*/*.png"))
        for part in ("train", "valid", "train_valid", "test")
    }
    assert sizes == {"train": 10, "valid": 2, "train_valid": 12, "test": 3}
    file = page.names["write_submission"](folder / "s.csv", ["10", "2"], ["a", "b"])
    with open(file, encoding="utf-8") as lines:
        assert lines.read().split() == ["id,label", "2,b", "10,a"]


def kaggle_dog(page):
    source = page.net("ResNet", 18, 5, 3, 16)
    net = initialize(page.names["replace_output"](source, 4, 16), "output")
    page.names["freeze"](net.features)
    loss = page.d2l.cross_entropy
    batch = uniform(4, 3, 64, 64), np.int64([0, 3, 1, 2])
    changed = page.learns(net, lambda X, y: loss(net(X), y), *batch)
    assert changed and all(name.startswith("output.") for name in changed)


# Chapter → what its worked examples are, and the names in the order of the page
PAGES = {
    bounding_box: ["box_corner_to_center", "box_center_to_corner"],
    anchor: [
        *("multibox_prior", "box_iou", "assign_anchor_to_bbox", "offset_boxes"),
        *("multibox_target", "offset_inverse", "nms", "multibox_detection"),
    ],
    multiscale_object_detection: ["multibox_prior"],
    image_augmentation: [
        *("flip_left_right", "flip_up_down", "RandomHorizontalFlip", "crop", "resize"),
        *("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue"),
        *("ColorJitter", "Compose", "read_records", "to_tensor", "ToTensor"),
        *("normalize", "Normalize", "ExampleDataset", "loader"),
        *("Residual", "resnet18", "train_step", "split_batch", "accuracy"),
        *("train_batch_ch13", "join", "average", "evaluate_accuracy_gpu", "train_ch13"),
    ],
    object_detection_dataset: ["ExampleDataset", "loader", "flip_left_right"],
    ssd: [
        *("cls_predictor", "bbox_predictor", "flatten_pred", "concat_preds"),
        *("down_sample_blk", "base_net", "blk_forward", "TinySSD", "calc_loss"),
        *("cls_eval", "bbox_eval", "train_step", "predict", "multibox_detection"),
    ],
    yolo: ["yolo_target", "TinyYOLO", "yolo_decode", "yolo_loss"],
    rcnn: [
        *("roi_pool", "roi_align", "TinyRCNN", "propose", "rpn_loss"),
        *("box_head_loss", "mask_head_loss", "detect_instances"),
    ],
    semantic_segmentation: [
        *("color_table", "colors_to_classes", "random_window"),
        *("ExampleDataset", "loader", "classes_to_colors"),
    ],
    transposed_conv: ["trans_conv", "conv_transpose2d", "corr2d", "kernel2matrix"],
    fcn: [
        *("bilinear_kernel", "FCN", "segmentation_loss", "train_step"),
        *("predict", "predict_tiles"),
    ],
    neural_style: [
        *("preprocess", "postprocess", "VGG19", "extract_features", "content_loss"),
        *("gram", "style_loss", "tv_loss", "compute_loss", "SynthesizedImage"),
        "train_step",
    ],
    fine_tuning: ["zoo", "replace_output", "make_optimizer", "train_step", "freeze"],
    kaggle_cifar10: [
        *("reorg_train_valid", "reorg_test", "Residual", "resnet18", "train_step"),
        "write_submission",
    ],
    kaggle_dog: ["replace_output", "freeze", "train_step"],
}
CHAPTERS = sorted(file.stem for file in (ROOT / "chapters").glob("*.py"))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_a_page_shows_is_a_program(d2l, chapter):
    """It executes, no name is missing or stands for two things, no check is shown."""
    code = shown(d2l, chapter)
    names = bare(code)
    assert [n for n in reading._globals(code) if n not in names] == []
    defined = [node.name for node in ast.parse(code).body if hasattr(node, "name")]
    assert len(set(defined)) == len(defined)
    assert '"""' not in code and "backend." not in code and "d2l." not in code


@pytest.mark.parametrize("examples", PAGES, ids=lambda function: function.__name__)
def test_the_program_gives_the_worked_examples(d2l, examples, tmp_path):
    code = shown(d2l, examples.__name__)
    defined = [node.name for node in ast.parse(code).body if hasattr(node, "name")]
    assert [name for name in defined if name in PAGES[examples]] == PAGES[examples]
    page = Page(d2l, bare(code))
    d2l.seed(0)
    examples(page, tmp_path) if examples is kaggle_cifar10 else examples(page)
