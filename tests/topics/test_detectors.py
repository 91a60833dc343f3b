"""Nets from files that say what they are, and what they find."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from d2lcv.backends import backend_name, installed
from d2lcv.backends.worker import worker


def picture():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((150, 100)))


@pytest.fixture(scope="module")
def file(d2l, tmp_path_factory):
    d2l.seed(1)
    net = d2l.TinySSD(3)
    trainer = d2l.Trainer(net, "adam", lr=1e-3)
    rng = np.random.default_rng(0)
    X = d2l.tensor(rng.uniform(0, 255, (4, 3, 64, 64)).astype(np.float32))
    Y = d2l.tensor(np.tile(np.float32([[1, 0.1, 0.2, 0.6, 0.9]]), (4, 1, 1)))

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), None

    for _ in range(4):
        trainer.step(step, X, Y)
    net.classes, net.image_size = ("ape", "bee", "cow"), (64, 96)
    return d2l.save_weights(net, tmp_path_factory.mktemp("use") / "net.safetensors")


def find(path):
    """Called on each backend."""
    import d2lcv as d2l

    return d2l.detect(d2l.load(path), picture(), threshold=0.01)[0].rows


def test_load_value(d2l, file):
    net = d2l.load(file)
    assert tuple(net.classes) == ("ape", "bee", "cow")
    assert tuple(net.image_size) == (64, 96)
    again = d2l.save_weights(net, Path(file).with_name("again"))
    assert Path(again).read_bytes() == Path(file).read_bytes()


def test_detect_is_multibox_detection_in_pixels(d2l, file):
    net = d2l.load(file)
    image = Image.fromarray(picture())
    X = np.asarray(image.resize((96, 64), Image.Resampling.BILINEAR))
    X = d2l.tensor(X.transpose(2, 0, 1)[None].astype(np.float32))
    anchors, cls_preds, bbox_preds = d2l.predict(net, X)
    probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
    rows = d2l.numpy(d2l.multibox_detection(probs, bbox_preds, anchors))[0]
    rows = rows[rows[:, 0] >= 0]
    (found,) = d2l.detect(net, image, threshold=0.0)
    assert len(found) == len(rows) > 0
    np.testing.assert_allclose(found.scores, rows[:, 1], atol=1e-6)
    expected = rows[:, 2:].clip(0, 1) * [150, 100, 150, 100]
    np.testing.assert_allclose(found.boxes, expected, atol=1e-4)
    assert found.names[0] == ("ape", "bee", "cow")[int(rows[0, 0])]
    few = d2l.detect(net, image, threshold=float(found.scores[1]))[0]
    assert 1 <= len(few) < len(found)


def test_all_kinds_of_pictures_are_the_same(d2l, file, tmp_path):
    net, array = d2l.load(file), picture()
    Image.fromarray(array).save(tmp_path / "a.png")
    kinds = [tmp_path / "a.png", Image.fromarray(array), array, d2l.tensor(array)]
    first, *others = d2l.detect(net, kinds, threshold=0.01)
    for other in others:
        np.testing.assert_array_equal(other.rows, first.rows)
    axes = first.show()
    assert len(axes.patches) == len(first)
    d2l.plt.close("all")


@pytest.mark.parametrize("name", installed())
def test_detections_are_equal_on_all_backends(d2l, file, name):
    if name == backend_name():
        pytest.skip("that is this one")
    with worker(name) as other:
        there = other.call(f"{__file__}:find", file)
    here = find(file)
    np.testing.assert_array_equal(there[:, 0], here[:, 0])
    np.testing.assert_allclose(there[:, 2:], here[:, 2:], atol=1e-2)  # of 150 pixels
    np.testing.assert_allclose(there[:, 1], here[:, 1], atol=1e-4)


def test_file_of_another_program_exception(d2l, tmp_path):
    weights = {"weight": np.zeros(3, np.float32)}
    save_file(weights, tmp_path / "none")
    save_file(weights, tmp_path / "other", metadata={"format": "pt"})
    about = json.dumps({"kind": "Yeti", "arguments": {}})
    save_file(weights, tmp_path / "yeti", metadata={"d2lcv": about})
    save_file(weights, tmp_path / "torn", metadata={"d2lcv": "{"})
    for name, said in (
        ("none", "not written by d2lcv.save_weights"),
        ("other", "'format': 'pt'"),
        ("yeti", "'Yeti'"),
        ("torn", "cannot be read"),
    ):
        with pytest.raises(ValueError) as error:
            d2l.load(tmp_path / name)
        assert said in str(error.value) and str(tmp_path / name) in str(error.value)
    plain = d2l.save_weights(d2l.base_net(), tmp_path / "plain")
    with pytest.raises(ValueError, match="does not say its kind"):
        d2l.load(plain)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        d2l.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "image",
    [3, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.full((1, 1, 3), 256)],
)
def test_detect_exception(d2l, file, image):
    with pytest.raises((TypeError, ValueError), match="images: expected"):
        d2l.detect(d2l.load(file), image)
    with pytest.raises(TypeError, match="net: expected TinySSD"):
        d2l.detect(d2l.base_net(), picture())


def test_detector_of_the_package_finds_drawn_shapes(d2l):
    from d2lcv.drawn.shapes import draw_shapes

    root = Path(d2l.__file__).parent
    net = d2l.load(root / "data" / "weights" / "detector.safetensors")
    assert tuple(net.classes) == ("banana", "disc", "square", "triangle")
    drawn = [draw_shapes(i, "val", 128, seed=9)[:2] for i in range(10)]
    truth = [np.asarray(rows) + [1, 0, 0, 0, 0] for _, rows in drawn]
    found = d2l.detect(net, [image for image, _ in drawn], threshold=0.05)
    assert d2l.evaluate_detections(found, truth, net.classes)["AP50"] > 0.7
