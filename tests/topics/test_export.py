"""What `export` writes is run by its own runtime, and gives what the net gives."""

import json

import numpy as np
import pytest

from d2lcv.drawn.shapes import draw_shapes
from d2lcv.proof import inputs, oracle
from d2lcv.proof.inputs import f32, uniform, whole

NETS = {
    "TinyYOLO": lambda d2l: d2l.TinyYOLO(3),
    "TinyRCNN": lambda d2l: d2l.TinyRCNN(2),
    "ResNet": lambda d2l: d2l.ResNet(18, 10, width=8),
    "FCN": lambda d2l: d2l.FCN(5, d2l.ResNet(18, 10, width=8), 8),
    "style_network": lambda d2l: d2l.style_network(),
}
# what ONNX has, in more forms
GRAPHS = {
    "TinyYOLO": NETS["TinyYOLO"],
    "resnet18": lambda d2l: d2l.resnet18(10, 3, width=8),
    "ResNet": NETS["ResNet"],
    "ResNet-34": lambda d2l: d2l.ResNet(34, 10, width=8, hidden=7),
    "FCN-8": NETS["FCN"],
    "FCN-16": lambda d2l: d2l.FCN(3, d2l.ResNet(18, 10, width=8), 16),
    "FCN-32": lambda d2l: d2l.FCN(3, d2l.ResNet(18, 10, width=8), 32),
}


def pictures(number, height, width):
    return whole(600, 256, number, height, width, 3).astype(np.uint8)


def given(d2l, net, images, gives):
    """What the net gives for uint8 pictures, boxes by the public functions."""
    X = images.astype(np.float64).transpose(0, 3, 1, 2)
    if getattr(net, "scaling", None) is not None:
        mean, std = (np.reshape(x, (1, 3, 1, 1)) for x in net.scaling)
        X = (X / 255 - mean) / std
    X = d2l.tensor(f32(np.ascontiguousarray(X)))
    if gives == "boxes" and hasattr(net, "mask_head"):
        return arrays(d2l, d2l.detect_instances(net, X, nms_threshold=0.5))
    outputs = d2l.predict(net, X)
    if gives == "boxes" and isinstance(outputs, (list, tuple)):
        anchors, scores, offsets = outputs
        probs = d2l.transpose(d2l.softmax(scores, -1), (0, 2, 1))
        outputs = d2l.multibox_detection(probs, offsets, anchors)
    elif gives == "boxes":
        outputs = d2l.yolo_detection(outputs, net.num_classes)
    return arrays(d2l, outputs)


def arrays(d2l, outputs):
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [d2l.numpy(x) for x in outputs]


def same(found, expected, atol=1e-5):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        scale = max(1, np.abs(b).max())
        np.testing.assert_allclose(a, b, atol=atol * scale, rtol=0)


@pytest.fixture(scope="module")
def drawn():
    return np.stack([draw_shapes(i, "val", 128, seed=9)[0] for i in range(20)])


def run_onnx(path, images):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["d2lcv"])
    return session.run(None, {"images": images}), about


@pytest.mark.parametrize("name", NETS)
def test_own_program_gives_the_same(d2l, native, tmp_path, name):
    d2l.seed(0)
    net, images = NETS[name](d2l), pictures(3, 64, 96)
    path = d2l.export(net, tmp_path / "net", (64, 96))
    about = json.loads((tmp_path / "about-net.json").read_text())
    batch, *shape = about["input"]
    assert shape == [64, 96, 3]
    images = images[: batch or 3]  # three pictures, where it takes any number
    found = arrays(d2l, native.exported(path)(d2l.tensor(images)))
    atol = 1e-4 if name == "TinyRCNN" else 1e-5  # one stage after the other
    same(found, given(d2l, net, images, about["gives"]), atol)
    for array, (first, *rest) in zip(found, about["outputs"], strict=True):
        assert list(array.shape[1:]) == rest and (first or 3) in (1, 3)


@pytest.mark.parametrize("name", ["TinyRCNN", "FCN"])
def test_compiled_net_gives_the_same(d2l, native, name):
    d2l.seed(0)
    net, X = NETS[name](d2l), d2l.tensor(f32(255 * uniform(600, 2, 3, 64, 96)))
    expected = arrays(d2l, d2l.predict(net, X))
    same(arrays(d2l, native.compiled(net)(X)), expected)


def rows_of(n):
    return inputs.grid_boxes(610, n), inputs.scores(611, n)


PROBS = np.stack([p / p.sum(0) for p in 0.1 + uniform(613, 2, 3, 12)])
BOXES, OTHERS = inputs.boxes(612, 5), inputs.boxes(614, 5)
X = f32(uniform(615, 2, 3, 8, 8))
ROIS = f32([[0, 0.5, 0.5, 9, 12], [1, 3, 2, 14, 7], [0, 2, 4, 6, 15]])
CHOSEN = np.array([0, 1, 0, 2, 1] * 4)
# objects that want the same anchors, padding between them, and more of them than anchors
WANTED = inputs.boxes(619, 9)
ROWS = np.concatenate([np.zeros((2, 6, 1)), WANTED[np.array([[0] * 6, [3] * 6])]], 2)
ROWS[0, :, 3:] += np.linspace(0, 0.02, 6)[:, None]
ROWS[:, 1, 0], ROWS[1, 2:, 0] = -1, [1, 0, 2, -1]
LOGITS, CLASSES = f32(4 * uniform(620, 2, 12, 3) - 2), whole(621, 3, 2, 12)
PREDS, LABELS = (f32(4 * uniform(seed, 2, 48) - 2) for seed in (622, 623))
MASKS = f32(np.repeat(CLASSES > 0, 4, axis=1))
CELLS = f32(4 * uniform(624, 2, 3, 3, 12) - 2)
SEEN = oracle.yolo_target(ROWS, 3, 3)
# Of public functions: arrays, other arguments, and the answer where it is not the oracle's
COMPILED = {
    "box_iou": ((BOXES, inputs.boxes(614, 7)),),
    "box_corner_to_center": ((BOXES,), (), oracle.corner_to_center),
    "box_center_to_corner": ((BOXES,), (), oracle.center_to_corner),
    "multibox_prior": (
        (X[:, :, :4, :6],),
        ([0.5, 0.3], [1, 2]),
        lambda X, *shapes: oracle.multibox_prior(4, 6, *shapes),
    ),
    "offset_boxes": ((BOXES, OTHERS),),
    "offset_inverse": ((BOXES, f32(uniform(616, 5, 4))),),
    "assign_anchor_to_bbox": ((f32(ROWS[0, :, 1:]), WANTED),),
    "multibox_target": ((WANTED[None], f32(ROWS)),),
    "multibox_target of few anchors": ((WANTED[None, :4], f32(ROWS)),),
    "nms": (rows_of(20), (0.3,)),
    "batched_nms": ((*rows_of(20), CHOSEN), (0.3,)),
    "nms of doubles": (tuple(x.astype(np.float64) for x in rows_of(20)), (0.3,)),
    "batched_nms of doubles": (
        (*(x.astype(np.float64) for x in rows_of(20)), CHOSEN),
        (0.3,),
    ),
    "multibox_detection": (
        (f32(PROBS), f32(uniform(617, 2, 48) - 0.5), inputs.boxes(618, 12)[None]),
        (0.2, 0.4),
    ),
    "calc_loss": ((LOGITS, CLASSES, PREDS, LABELS, MASKS),),
    "hard_negative_loss": ((LOGITS, CLASSES),),
    "focal_cls_loss": ((LOGITS, CLASSES),),
    "smooth_l1_loss": ((PREDS, LABELS, MASKS),),
    "roi_pool": ((X, ROIS), ((2, 2), 0.5)),
    "roi_align": ((X, ROIS), ((2, 2), 0.5, 2)),
    "yolo_target": ((f32(ROWS),), (3, 3)),
    "yolo_decode": ((CELLS,), (2,)),
    "yolo_loss": ((CELLS, SEEN[0] % 2, f32(SEEN[1])), (2,)),
    "yolo_detection": ((CELLS,), (2, 0.4, 0.05)),
    "gram": ((X[:1],),),
    "tv_loss": ((X[:1],),),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_function_gives_the_right_answer(d2l, native, name):
    arrays, others, answer = (*COMPILED[name], (), None)[:3]
    public = getattr(d2l, name.split()[0])
    right = (answer or getattr(oracle, name.split()[0]))(*arrays, *others)

    def one(a):
        return public(a, *others)

    def two(a, b):
        return public(a, b, *others)

    def three(a, b, c):
        return public(a, b, c, *others)

    def five(a, b, c, d, e):
        return public(a, b, c, d, e, *others)

    # not every framework compiles `*tensors`
    function = {1: one, 2: two, 3: three, 5: five}[len(arrays)]
    function(*map(d2l.tensor, arrays))  # its file is imported at its first call
    for compiled in native.compiled_functions(function):
        try:
            found = compiled(*map(d2l.tensor, arrays))
        except Exception as error:
            said = native.REFUSED.get(name) or native.REFUSED.get(name.split()[0])
            if said is None or said not in str(error):
                raise
            continue
        several = isinstance(right, tuple)
        pairs = zip(found, right, strict=True) if several else [(found, right)]
        for own, expected in pairs:
            np.testing.assert_allclose(d2l.numpy(own), expected, atol=1e-5, rtol=1e-5)


def test_soft_nms_says_that_it_cannot_be_compiled(d2l, native):
    soft_nms = d2l.soft_nms

    def function(boxes, scores):
        return soft_nms(boxes, scores)

    # the last one: `torch.compile` says it in words of its own
    for compiled in native.compiled_functions(function)[-1:]:
        with pytest.raises(TypeError, match="being compiled does not have yet"):
            compiled(*map(d2l.tensor, rows_of(5)))


@pytest.mark.once  # the graph is written from the weights, which are the same
@pytest.mark.parametrize("name", GRAPHS)
def test_onnx_gives_the_same(d2l, tmp_path, name):
    pytest.importorskip("onnx")
    d2l.seed(0)
    net, images = GRAPHS[name](d2l), pictures(2, 64, 90)
    path = d2l.export(net, tmp_path / "net", (64, 90), to="onnx")
    found, about = run_onnx(path, images)
    same(found, given(d2l, net, images, about["gives"]))
    assert about["kind"] == name.partition("-")[0]
    assert about["input"] == [None, 64, 90, 3]


@pytest.mark.once
def test_onnx_lacks_a_second_stage(d2l, tmp_path):
    with pytest.raises(ValueError, match="second stage of a TinyRCNN is not written"):
        d2l.export(d2l.TinyRCNN(2), tmp_path / "net", to="onnx")


def test_detector_is_the_same_in_every_form(d2l, native, tmp_path, drawn):
    """The detections of `detect` on twenty pictures."""
    net = d2l.load()
    expected = [found.rows for found in d2l.detect(net, list(drawn), threshold=0.3)]
    assert sum(map(len, expected)) > 30
    path = d2l.export(net, tmp_path / "own")
    about = json.loads((tmp_path / "about-own.json").read_text())
    program = native.exported(path)
    own = [arrays(d2l, program(d2l.tensor(x[None]))) for x in drawn]
    if about["gives"] == "boxes":
        check_rows(np.concatenate([rows for (rows,) in own]), expected)
    for outputs, image in zip(own, drawn, strict=True):
        same(outputs, given(d2l, net, image[None], about["gives"]))
    pytest.importorskip("onnx")
    path = d2l.export(net, tmp_path / "net", to="onnx")
    (rows,), about = run_onnx(path, drawn)
    assert about["gives"] == "boxes" and about["classes"] == list(net.classes)
    check_rows(rows, expected)


def check_rows(rows, expected):
    for found, right in zip(rows, expected, strict=True):
        found = found[(found[:, 0] >= 0) & (found[:, 1] >= np.float32(0.3))]
        found[:, 2:] = found[:, 2:].clip(0, 1) * 128
        np.testing.assert_array_equal(found[:, 0], right[:, 0])
        np.testing.assert_allclose(found, right, atol=1e-4 * 128)


def test_what_an_export_says(d2l, native, tmp_path):
    """The net stays as it was; the file beside says what its pixels are."""
    net = d2l.ResNet(18, 2, width=4)
    net.classes, net.image_size = ("ape", "bee"), (64, 96)
    before = native.mode(net)
    d2l.export(net, tmp_path / "net")
    assert native.mode(net) == before
    about = json.loads((tmp_path / "about-net.json").read_text())
    assert about["kind"] == "ResNet" and about["classes"] == ["ape", "bee"]
    assert about["input"] == [None, 64, 96, 3] and about["scaling"][0][0] == 0.485
    assert about["gives"] == "predictions" and about["outputs"] == [[None, 2]]


@pytest.mark.once
def test_a_path_with_its_ending(d2l, tmp_path):
    pytest.importorskip("onnx")
    path = d2l.export(d2l.resnet18(2), tmp_path / "net.onnx", 32, to="onnx")
    assert path == str(tmp_path / "net.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_export_exception(d2l, tmp_path):
    with pytest.raises(TypeError, match="net: expected"):
        d2l.export(3, tmp_path / "net")
    with pytest.raises(TypeError, match="path: expected"):
        d2l.export(d2l.TinySSD(1), 3)
    with pytest.raises(ValueError, match="image_size: expected"):
        d2l.export(d2l.TinySSD(1), tmp_path / "net", (1, 2, 3))
    with pytest.raises(ValueError, match="image_size: expected at least 1"):
        d2l.export(d2l.TinySSD(1), tmp_path / "net", 0)
    with pytest.raises(ValueError, match="to: expected one of 'onnx'"):
        d2l.export(d2l.TinySSD(1), tmp_path / "net", to="zip")
    others = {e.program for e in d2l.backends.REGISTRY.values()}
    others.discard(d2l.backends.REGISTRY[d2l.backend_name()].program)
    for form in others:
        with pytest.raises(ValueError, match="the active backend is"):
            d2l.export(d2l.TinySSD(1), tmp_path / "net", to=form)
    with pytest.raises(ValueError, match="net: expected one of TinySSD"):
        d2l.export(d2l.base_net(), tmp_path / "net", to="onnx")
    with pytest.raises(ValueError, match="nms_threshold"):
        d2l.export(d2l.TinySSD(1), tmp_path / "net", nms_threshold=2)
    assert not list(tmp_path.iterdir())
