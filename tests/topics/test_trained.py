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


NAMES = ("ape", "bee", "cow")


@pytest.fixture(scope="module")
def classifier(d2l, tmp_path_factory):
    """A file of a ResNet that sees 56 × 84 pixels, the middle of 64 × 96."""
    d2l.seed(2)
    net = d2l.ResNet(18, 3, width=8)
    net.classes, net.image_size = NAMES, (56, 84)
    net.scaling = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    folder = tmp_path_factory.mktemp("classifier")
    return d2l.save_weights(net, folder / "net.safetensors")


@pytest.fixture(scope="module")
def fcn(d2l, tmp_path_factory):
    d2l.seed(3)
    net = d2l.FCN(3, d2l.ResNet(18, 2, width=8), 16)
    net.classes = NAMES
    return d2l.save_weights(net, tmp_path_factory.mktemp("fcn") / "net.safetensors")


def find(path):
    """Called on each backend."""
    import d2lcv as d2l

    return d2l.detect(d2l.load(path), picture(), threshold=0.01)[0].rows


def tell(classifier, fcn):
    """Called on each backend."""
    import d2lcv as d2l

    (first,) = d2l.classify(d2l.load(classifier), picture())
    (second,) = d2l.segment(d2l.load(fcn), picture()[:70, :90])
    return first.classes, first.scores, second.classes, second.scores


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
    np.testing.assert_array_equal(axes.images[0].get_array(), first.picture())
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


def scores_of(d2l, net, pixels, mean, std):
    X = (pixels.astype(np.float64) / 255 - mean) / std
    X = d2l.tensor(X.transpose(2, 0, 1)[None].astype(np.float32))
    return d2l.numpy(d2l.softmax(d2l.predict(net, X), 1))[0]


def test_classify_is_the_forward_pass(d2l, classifier):
    net, image = d2l.load(classifier), picture()[:64, :96]  # resized to itself
    expected = scores_of(d2l, net, image[4:60, 6:90], (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    (found,) = d2l.classify(net, [image])
    np.testing.assert_allclose(found.scores, np.sort(expected)[::-1], atol=1e-5)
    assert found.classes.tolist() == np.argsort(-expected).tolist()
    assert found.names == [NAMES[c] for c in found.classes]
    assert "(" + found.names[0] in repr(found)
    drawn = found.picture()
    assert drawn.size == (96, 64) and (np.asarray(drawn) != image).any(2).mean() > 0.01
    np.testing.assert_array_equal(found.show().images[0].get_array(), drawn)
    d2l.plt.close("all")


def test_classify_any_size(d2l, classifier):
    """Of one colour all sizes look the same; nearly so does a picture that is larger."""
    net, color = d2l.load(classifier), np.uint8([200, 30, 90])
    sizes = [(64, 96), (40, 300), (300, 40), (1, 1)]
    first, *others = d2l.classify(net, [np.full((*s, 3), color) for s in sizes])
    for other in others:
        np.testing.assert_allclose(other.scores, first.scores, atol=1e-6)
    small = Image.fromarray(picture()).resize((96, 64), Image.Resampling.BICUBIC)
    large = small.resize((480, 320), Image.Resampling.BICUBIC)
    a, b = d2l.classify(net, [small, large])
    np.testing.assert_allclose(a.scores, b.scores, atol=0.05)


def test_segment_is_the_forward_pass(d2l, fcn):
    net, image = d2l.load(fcn), picture()[:50, :71]
    mean, std = d2l.IMAGENET_MEAN, d2l.IMAGENET_STD
    expected = scores_of(d2l, net, image, mean, std)
    (found,) = d2l.segment(net, image)
    np.testing.assert_array_equal(found.classes, expected.argmax(0))
    np.testing.assert_allclose(found.scores, expected.max(0), atol=1e-5)
    share = (expected.argmax(0) == 1).mean()
    assert found.shares.get("bee", 0) == pytest.approx(share)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.picture().size == (71, 50)
    background = found.classes == 0
    background[:, :60] = background[40:] = False  # where the names are
    np.testing.assert_array_equal(
        np.asarray(found.picture())[background], image[background]
    )
    assert len(found.show().images) == 1
    d2l.plt.close("all")


def test_segment_by_tiles(d2l, fcn):
    """Two tiles of 64 × 64 cover 64 × 96; where they overlap, scores are averaged."""
    net, image = d2l.load(fcn), picture()[:64, :96]
    X = (image / 255 - d2l.IMAGENET_MEAN) / d2l.IMAGENET_STD
    X = X.transpose(2, 0, 1)[None].astype(np.float32)
    left, right = (
        d2l.numpy(d2l.predict(net, d2l.tensor(np.ascontiguousarray(x))))[0]
        for x in (X[..., :64], X[..., 32:])
    )
    middle = (left[..., 32:] + right[..., :32]) / 2
    scores = np.concatenate([left[..., :32], middle, right[..., 32:]], 2)
    probs = np.exp(scores) / np.exp(scores).sum(0)
    net.image_size = (64, 64)
    (found,) = d2l.segment(net, image)
    np.testing.assert_allclose(found.scores, probs.max(0), atol=1e-5)


@pytest.mark.parametrize("name", installed())
def test_classes_are_equal_on_all_backends(d2l, classifier, fcn, name):
    if name == backend_name():
        pytest.skip("that is this one")
    with worker(name) as other:
        there = other.call(f"{__file__}:tell", classifier, fcn)
    here = tell(classifier, fcn)
    np.testing.assert_array_equal(there[0], here[0])
    np.testing.assert_allclose(there[1], here[1], atol=1e-4)
    assert (there[2] == here[2]).mean() > 0.999
    np.testing.assert_allclose(there[3], here[3], atol=1e-4)


def test_small_classifier(d2l, tmp_path):
    """A `resnet18` from its file; it sees the middle of 32 × 32."""
    net = d2l.resnet18(3, 3, width=4)
    net.classes = NAMES
    loaded = d2l.load(d2l.save_weights(net, tmp_path / "small.safetensors"))
    image = np.asarray(Image.fromarray(picture()).resize((37, 37)))
    X = d2l.tensor(image[2:34, 2:34].transpose(2, 0, 1)[None].astype(np.float32))
    scores = d2l.numpy(d2l.softmax(d2l.predict(net, X), 1))[0]
    (found,) = d2l.classify(loaded, image)
    np.testing.assert_allclose(found.scores, np.sort(scores)[::-1], atol=1e-5)
    assert found.names[0] == NAMES[scores.argmax()]


def test_masks(d2l, tmp_path):
    """A `TinyRCNN` from its file: masks in the picture's pixels, within their boxes."""
    d2l.seed(4)
    net = d2l.TinyRCNN(2)
    net.image_size = (64, 96)
    loaded = d2l.load(d2l.save_weights(net, tmp_path / "rcnn.safetensors"))
    image = Image.fromarray(picture())
    X = np.asarray(image.resize((96, 64), Image.Resampling.BILINEAR), np.float32)
    X = d2l.tensor(np.ascontiguousarray(X.transpose(2, 0, 1)[None]))
    rows, masks = map(d2l.numpy, d2l.detect_instances(net, X, nms_threshold=0.5))
    sure = rows[0, :, 0] >= 0
    (found,) = d2l.detect(loaded, image, threshold=0)
    assert len(found) == sure.sum() > 0
    np.testing.assert_allclose(found.scores, rows[0, sure, 1], atol=1e-5)
    assert found.masks.shape == (len(found), 100, 150) and found.masks.dtype == bool
    shares = (masks[0, sure] >= 0.5).mean((1, 2))
    np.testing.assert_allclose(found.masks.mean((1, 2)), shares, atol=0.02)
    for (x1, y1, x2, y2), mask in zip(found.boxes, found.masks, strict=True):
        y, x = np.nonzero(mask)
        assert not len(x) or (x.min() >= x1 - 3 and x.max() <= x2 + 3)
        assert not len(y) or (y.min() >= y1 - 3 and y.max() <= y2 + 3)
    drawn, plain = np.asarray(found.picture(), int), np.asarray(image, int)
    assert (
        found.masks.any() and (drawn != plain).any(2)[found.masks.any(0)].mean() > 0.9
    )
    nothing = d2l.detect(loaded, image, threshold=1)[0]
    assert nothing.masks.shape == (0, 100, 150)


def test_stylize_value(d2l):
    """The result is nearer in style than the picture itself, and still the picture."""
    net = d2l.style_network()
    content, style = d2l.cat_and_dog(), d2l.autumn_painting()
    (result,) = d2l.stylize(net, content, style, height=48, num_steps=30)
    width = round(48 * content.shape[1] / content.shape[0])
    assert result.size == (width, 48)

    def loss(image):
        X, Y = (d2l.preprocess(x, (48, width)) for x in (image, style))
        pairs = [
            d2l.extract_features(Z, [], [0, 5, 10, 19, 28], net)[1] for Z in (X, Y)
        ]
        grams = [[d2l.numpy(d2l.gram(Z)) for Z in features] for features in pairs]
        return sum(np.mean((a - b) ** 2) for a, b in zip(*grams, strict=True))

    assert loss(result) < 0.5 * loss(content)
    small = np.asarray(d2l.Image.fromarray(content).resize((width, 48)), float)
    seen = np.corrcoef(small.mean(2).ravel(), np.asarray(result, float).mean(2).ravel())
    assert seen[0, 1] > 0.5


def test_what_is_said_of_a_net_exception(d2l, classifier, fcn):
    net = d2l.load(classifier)
    with pytest.raises(TypeError, match="net: expected FCN"):
        d2l.segment(net, picture())
    with pytest.raises(TypeError, match="net: expected ResNet or resnet18"):
        d2l.classify(d2l.load(fcn), picture())
    net.classes = ("one", "two")
    with pytest.raises(ValueError, match=r"net.classes: expected 3 names"):
        d2l.classify(net, picture())
    net.scaling = (0, 0, 0), (1, 1, 0)
    with pytest.raises(ValueError, match=r"net.scaling: expected \(mean, std\)"):
        d2l.classify(net, picture())
    grey = d2l.ResNet(18, 3, in_channels=1, width=4)
    with pytest.raises(ValueError, match="3 channels, got 1"):
        d2l.classify(grey, picture())
    with pytest.raises(ValueError, match="height: expected at least 32"):
        d2l.stylize(d2l.style_network(), picture(), picture(), height=8)
    with pytest.raises(ValueError, match="at least 32 pixels wide, got 13 × 40"):
        d2l.stylize(d2l.style_network(), picture()[:, :33], picture(), height=40)


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
    net = d2l.resnet18(2, 3, width=4)
    net.kind = None
    plain = d2l.save_weights(net, tmp_path / "plain")
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


@pytest.mark.once
def test_one_number_is_the_size_of_both_sides(d2l, file, tmp_path):
    net = d2l.load(file)
    net.image_size = 64
    picture = np.zeros((50, 70, 3), np.uint8)
    (one,) = d2l.detect(net, picture, 0.0)
    loaded = d2l.load(d2l.save_weights(net, tmp_path / "net.safetensors"))
    assert tuple(loaded.image_size) == (64, 64)
    (other,) = d2l.detect(loaded, picture, 0.0)
    np.testing.assert_array_equal(one.rows, other.rows)
    net.image_size = "64"
    with pytest.raises((TypeError, ValueError), match=r"net\.image_size: expected"):
        d2l.detect(net, picture)
