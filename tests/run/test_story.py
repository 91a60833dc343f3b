"""Trained on one framework, used and gone on with on all others: the same boxes everywhere
(`docs/using.md` tells it)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2lcv.backends import backend_name, installed
from d2lcv.backends.worker import worker
from d2lcv.drawn.shapes import draw_shapes

ROOT = Path(__file__).parents[2]
SIZE = 390, 260  # of the photograph

pytestmark = pytest.mark.once


def batch(d2l, first):
    drawn = [draw_shapes(i, "train", 128, seed=5)[:2] for i in range(first, first + 8)]
    X = np.stack([image.transpose(2, 0, 1) for image, _ in drawn]).astype(np.float32)
    most = max(len(rows) for _, rows in drawn)
    Y = np.full((8, most, 5), -1, np.float32)
    for image, (_, rows) in zip(Y, drawn, strict=True):
        image[: len(rows)] = np.asarray(rows) / [1, 128, 128, 128, 128]
        image[: len(rows), 0] += 1  # the detector's class 0 is the banana
    return d2l.tensor(X), d2l.tensor(Y)


def train(d2l, trainer, first, steps):
    """The losses of some steps."""

    def step(X, Y):
        anchors, cls_preds, bbox_preds = trainer.net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        losses = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(losses), None

    batches = (batch(d2l, 8 * i) for i in range(first, first + steps))
    losses = [trainer.step(step, X, Y)[0] for X, Y in batches]
    return np.array([float(d2l.numpy(loss)) for loss in losses])


def go_on(path, photograph):
    """Called on each backend: boxes from the file, and the losses of what follows."""
    import d2lcv as d2l

    net = d2l.load(path)
    rows = d2l.detect(net, photograph, threshold=0.3)[0].rows
    trainer = d2l.Trainer(net, "sgd", lr=1.0, momentum=0.9)
    start = d2l.load_checkpoint(trainer, path)["steps"]
    return rows, train(d2l, trainer, start, 2)


@pytest.fixture(scope="module")
def story(d2l, tmp_path_factory):
    """A checkpoint of the wheel's detector after more training here, and a photograph."""
    folder = tmp_path_factory.mktemp("story")
    photograph = str(folder / "photograph.png")
    image = Image.fromarray(draw_shapes(1, "val", 128, seed=9)[0])
    image.resize(SIZE, Image.Resampling.BICUBIC).save(photograph)
    net = d2l.load()
    trainer = d2l.Trainer(net, "sgd", lr=0.01, momentum=0.9)
    train(d2l, trainer, 0, 3)
    path = d2l.save_checkpoint(trainer, folder / "run.safetensors", {"steps": 3})
    return path, photograph, *go_on(path, photograph)


def check(rows, expected):
    np.testing.assert_array_equal(rows[:, 0], expected[:, 0])
    np.testing.assert_allclose(rows[:, 1], expected[:, 1], atol=1e-4)
    sides = np.tile(SIZE, 2)
    np.testing.assert_allclose(rows[:, 2:] / sides, expected[:, 2:] / sides, atol=1e-4)


def test_there_is_something_to_see(story):
    _, _, rows, losses = story
    assert len(rows) >= 3 and np.isfinite(losses).all()


@pytest.mark.parametrize("name", installed()[:-1])
def test_others_go_on(story, name):
    if name == backend_name():
        pytest.skip("that is this one")
    path, photograph, rows, losses = story
    with worker(name) as other:
        there, later = other.call(f"{__file__}:go_on", path, photograph)
    check(there, rows)
    np.testing.assert_allclose(later, losses, rtol=1e-3)


@pytest.mark.parametrize("name", installed()[-1:])
def test_command_line(story, name, tmp_path):
    path, photograph, rows, _ = story
    line = ["detect", photograph, "--weights", path, "--threshold", "0.3", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "d2lcv", *line, "--backend", name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((tmp_path / "out/detect/detections.json").read_text())
    found = [(o["class"], o["score"], *o["box"]) for o in record["objects"]]
    check(np.array(found), rows)


def test_onnxruntime(d2l, story, tmp_path):
    """Nothing but the file, the runtime and Pillow."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path, photograph, rows, _ = story
    program = d2l.export(d2l.load(path), tmp_path / "detector", to="onnx")

    session = runtime.InferenceSession(program)
    _, height, width, _ = session.get_inputs()[0].shape
    image = Image.open(photograph).convert("RGB")
    small = image.resize((width, height), Image.Resampling.BILINEAR)
    (found,) = session.run(None, {"images": np.asarray(small)[None]})
    found = found[0][(found[0, :, 0] >= 0) & (found[0, :, 1] >= 0.3)]
    found[:, 2:] = found[:, 2:].clip(0, 1) * np.tile(image.size, 2)
    check(found, rows)
