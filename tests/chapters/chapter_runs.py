"""Runs of the chapters' scripts, each in a process of its own, as a reader runs them."""

import ast
import contextlib
import functools
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from forked import run_script
from PIL import Image

import d2lcv
from d2lcv.backends import REGISTRY
from d2lcv.drawn.bananas import make_bananas
from d2lcv.drawn.cifar10 import make_cifar10, make_cifar10_tiny
from d2lcv.drawn.dogs import make_dog_tiny
from d2lcv.drawn.hotdog import make_hotdog
from d2lcv.drawn.shapes import make_shapes
from d2lcv.drawn.voc import make_voc
from d2lcv.lesson import page as pages

ROOT = Path(__file__).parents[2]


class Run:
    """A run of a chapter: its output and the folders it worked with."""

    def __init__(self, name, folder, *options):
        self.name, self.folder, self.cwd = name, folder, folder.parent / "cwd"
        self.cwd.mkdir(exist_ok=True)  # the script finds nothing by accident
        script = ROOT / "chapters" / f"{name}.py"
        done = run_script(script, "--out", folder, *options, cwd=self.cwd, timeout=500)
        self.output, self.errors = done.stdout, done.stderr
        self.status = done.returncode

    def finished(self):
        """The run itself, which must have come to its end."""
        assert self.status == 0, self.output[-2000:] + self.errors[-4000:]
        return self

    def values(self, label):
        """The array that is printed after a label."""
        return parse(self.output, label)

    @property
    def result(self):
        return json.loads((self.folder / "result.json").read_text())

    def figures(self):
        return re.findall(r"^figure: .*?([\w-]+)\.png$", self.output, re.MULTILINE)

    def pictures(self):
        """{figure: its pixels (height, width, 3)}."""
        found = {}
        for name in self.figures():
            with Image.open(self.folder / f"{name}.png") as image:
                found[name] = np.asarray(image.convert("RGB"))
        return found


class Small(NamedTuple):
    """A chapter's run on little: its figures, options and data, and its exercises'.

    Networks of the exercises, which are half of the work, are trained on the registry's
    first backend; `nox -s site` trains them on all.
    """

    figures: str
    options: str = ""
    draw: Callable = None  # draws its data into a folder
    solved: str = ""  # figures that `--exercises true` adds
    trains: bool = True  # whether its exercises need that option

    @property
    def solves(self):
        first = d2lcv.backend_name() == next(iter(REGISTRY))
        return first and self.trains and self.options.startswith(TRAINED)

    def all_figures(self):
        return f"{self.figures} {self.solved if self.solves else ''}".split()


TRAINED = "--code --seed"
CHAPTERS = {
    "introduction": Small("picture channels"),
    "image_augmentation": Small(
        "cat horizontal vertical crops brightness hue jitter composed own pictures"
        " with-augmentation without-augmentation",
        f"{TRAINED} 3 --batch-size 20 --width 4 --num-epochs 2",
        lambda folder: make_cifar10(folder, num_train=4, num_test=2),
        solved="flips-and-hue random-crops",
    ),
    "fine_tuning": Small(
        "pictures fine-tuned scratch frozen reused",
        f"{TRAINED} 3 --image-size 48 --resize 56 --batch-size 16 --num-epochs 2"
        " --lr 0.003",
        lambda folder: make_hotdog(folder, num_train=6, num_test=5, size=64),
        solved="rate-3 rate-10 rate-30 frozen-rate-1 frozen-rate-30",
    ),
    "bounding_box": Small("picture boxes mirrored", "--code"),
    "anchor": Small(
        "anchors-of-a-pixel iou truth-and-anchors assignment offset"
        " targets nms soft-nms sizes-and-ratios",
        "--code",
    ),
    "multiscale_object_detection": Small(
        "scale-015 scale-040 scale-080 size-and-scale overlapping", "--code"
    ),
    "object_detection_dataset": Small(
        "batch centres-and-sizes mirrored",
        "--code",
        lambda folder: make_bananas(folder, 40, 8),
    ),
    "ssd": Small(
        "data curves detections one-picture smooth-l1 focal-loss",
        f"{TRAINED} 3 --num-epochs 1 --min-steps 0 --batch-size 8 --image-size 64",
        lambda folder: make_bananas(folder, 16, 8, size=64),
    ),
    "yolo": Small(
        "grid curves detections",
        f"{TRAINED} 3 --num-epochs 2 --min-steps 0 --batch-size 8 --image-size 64",
        lambda folder: make_bananas(folder, 16, 8, size=64),
    ),
    "rcnn": Small(
        "roi data curves instances curve-ssd curve-yolo",
        f"{TRAINED} 3 --num-epochs 1 --ssd-epochs 1 --batch-size 4",
        lambda folder: make_shapes(folder, 8, 4, size=64),
        solved="curves-without-true-boxes",
    ),
    "semantic_segmentation": Small(
        "pictures-and-labels classes shares crops batch flipped-crops",
        "--batch-size 4",
        lambda folder: make_voc(folder / "VOCdevkit" / "VOC2012", 24, 8),
    ),
    "transposed_conv": Small("copies copies-of-stride-2 matrices enlarged"),
    "fcn": Small(
        "upsampling curves predictions whole-pictures",
        f"{TRAINED} 0 --num-epochs 1 --batch-size 4 --height 64 --width 96",
        lambda folder: make_voc(folder / "VOCdevkit" / "VOC2012", 12, 6),
        solved="curves-random-start curves-16s predictions-16s curves-8s predictions-8s"
        " curves-weighted",
    ),
    "neural_style": Small(
        "pictures gram curves stages result content-weight other-choices",
        f"{TRAINED} 3 --num-steps 40 --image-height 72",
        trains=False,
    ),
    "kaggle_cifar10": Small(
        "pictures validation all-pictures predictions",
        f"{TRAINED} 3 --batch-size 10 --width 4 --num-epochs 2 --lr 0.01",
        lambda folder: make_cifar10_tiny(folder, num_train=60, num_test=12),
        solved="without-augmentation",
    ),
    "kaggle_dog": Small(
        "pictures validation all-pictures top-five",
        f"{TRAINED} 3 --image-size 48 --resize 56 --batch-size 16 --num-epochs 3",
        lambda folder: make_dog_tiny(folder, num_train=84, num_test=12, size=64),
        solved="all-layers",
    ),
}


@functools.cache
def run_of(name, temporary):
    """The chapter's run on little, made when a test of this process first asks for it."""
    small, folder = CHAPTERS[name], temporary(name)
    data = folder / "data"
    if small.draw:
        small.draw(data)
    options = [*small.options.split(), *(["--data", str(data)] if small.draw else [])]
    options += ["--exercises", "true"] if small.solves else []
    return Run(name, folder / "out", *options)


def shown(d2l, chapter):
    """The code that a chapter's page shows, by the statements in its text that do."""
    text = (ROOT / "chapters" / f"{chapter}.py").read_text(encoding="utf-8")
    printed = io.StringIO()
    pages.page.start()
    with contextlib.redirect_stdout(printed):
        for statement in ast.parse(text).body:
            if "d2l.show_source(" in ast.unparse(statement):
                module = ast.Module([statement], [])
                exec(compile(module, chapter, "exec"), {"d2l": d2l})
    pages.page.start()
    return printed.getvalue()


def parse(output, label):
    """The numbers inside the first brackets after `label`, which must be there once."""
    _, found, text = output.partition(label)
    assert found, f"{label!r} is not printed"
    assert label not in text, f"{label!r} is printed twice"
    start = min(i for i in (text.find("["), text.find("(")) if i >= 0)
    assert text[:start].strip() == "", f"{label!r} has no numbers after it"
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] in "[(") - (text[end] in ")]")
        if depth == 0:
            break
    number = r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
    return np.array([float(x) for x in re.findall(number, text[start : end + 1])])


def colors_of(pixels):
    return len(np.unique(pixels @ np.array([1, 256, 256**2])))


def near(actual, expected, atol=1e-5):
    """Printed with six digits: one unit of the last one, or what the case allows."""
    np.testing.assert_allclose(
        actual, np.asarray(expected, dtype=np.float64).reshape(-1), rtol=0, atol=atol
    )
