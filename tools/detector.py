"""Make the detector in `d2lcv/data/weights`: drawn shapes and bananas.

    D2L_BACKEND=torch python tools/detector.py              # about ten minutes on two cores
    python tools/detector.py --steps 20 --pictures 40 --out /somewhere/else.safetensors

Pictures are drawn: half of them are those of the banana set, the others have up to three
shapes and up to two bananas among other things. A `TinySSD` is trained on them, from the
weights of `--start` if that is given; how good it is on pictures that it has not seen is
printed. The detector that the package has was trained so for the default number of steps,
before there were banana scenes, and from there for `--steps 500` with them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

import d2lcv as d2l
from d2lcv.drawn.backdrops import Scene
from d2lcv.drawn.bananas import draw_banana
from d2lcv.drawn.making import draw_all
from d2lcv.drawn.shapes import CLASSES as SHAPES
from d2lcv.drawn.shapes import draw_shapes
from d2lcv.drawn.zoo import animals, food, household, plants

CLASSES = ("banana", *SHAPES)
SIDE, MOST = 128, 5  # pixels; objects in a picture
OUT = Path(d2l.__file__).parent / "data" / "weights" / "detector.safetensors"
# neither round nor square, nor with three corners: what is no object must be seen, too
OTHERS = [
    *(animals.bird, animals.cat, animals.cow, animals.frog, animals.sheep),
    *(food.carrot, food.pepper, household.bottle, plants.dandelion, plants.leaf),
    *(plants.mushroom, plants.potted_plant),
]


def draw(index: int, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """One picture (128, 128, 3), uint8, and its rows (5, 5): class, box in fractions."""
    rng = np.random.default_rng([index, split == "val"])
    if index % 2:  # a banana where bananas are found
        image, _, mask = draw_banana(index, split, SIDE, seed=1)
        return image, _labelled([0], mask.astype(np.uint8))
    image, rows, number = draw_shapes(index, split, SIDE, seed=1)
    # seen from above: all are near, and lie
    scene = Scene(rng, image.transpose(2, 0, 1) * np.float32(1), -1e6, (0.5, -0.8))
    scene.owner, scene.count = number, len(rows)
    classes = [1 + row[0] for row in rows]
    for _ in range(rng.integers(0, 3)):
        thing, length = OTHERS[rng.integers(len(OTHERS))], rng.uniform(0.15, 0.5)
        classes += [None] * _laid(scene, thing, SIDE * length)
    for _ in range(rng.integers(0, 3)):
        classes += [0] * _laid(scene, food.banana, SIDE * rng.uniform(0.3, 0.85))
    image = np.clip(scene.picture, 0, 255).astype(np.uint8)
    return image.transpose(1, 2, 0), _labelled(classes, scene.owner)


def _labelled(classes: list[int | None], owner: np.ndarray) -> np.ndarray:
    """Rows of class and tight box of the k-th things' pixels, where it has a class."""
    label = np.full((MOST, 5), -1, np.float32)
    known = [(c, owner == k + 1) for k, c in enumerate(classes) if c is not None]
    for row, (c, mask) in zip(label, known, strict=False):
        y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        row[:] = (c, *(np.array([x[0], y[0], x[-1] + 1, y[-1] + 1]) / SIDE))
    return label


def _laid(scene: Scene, thing, length: float) -> bool:
    """Lay a thing where it hides little of the others, if there is such a place."""
    sprite = scene.drawn(thing, length, scene.rng.uniform(0, 2 * np.pi))
    h, w = sprite.cover.shape
    for _ in range(6):
        x, y = scene.rng.uniform((w / 2, h), (SIDE - w / 2, SIDE))
        if all(scene.hidden(sprite, x, y, k + 1) <= 0.25 for k in range(scene.count)):
            return bool(scene.put(sprite, x, y, lies=True))
    return False


def draw_split(count: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    drawn = draw_all(f"pictures, {split}", range(count), lambda i: draw(i, split))
    images, labels = map(np.stack, zip(*drawn, strict=True))
    return images.transpose(0, 3, 1, 2), labels


def mirrored(X: np.ndarray, Y: np.ndarray, rng: np.random.Generator) -> tuple:
    """Each picture from left to right, or as it is."""
    X, Y = X.astype(np.float32), Y.copy()
    for i in np.flatnonzero(rng.random(len(X)) < 0.5):
        X[i] = X[i, :, :, ::-1]
        real = Y[i, :, 0] >= 0
        Y[i, real, 1], Y[i, real, 3] = 1 - Y[i, real, 3], 1 - Y[i, real, 1]
    return d2l.tensor(X), d2l.tensor(Y)


def train(net, images, labels, steps: int, batch_size: int, lr: float) -> None:
    trainer = d2l.Trainer(net, "adam", lr=lr)

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.hard_negative_loss(cls_preds, classes)
        loss = loss + d2l.smooth_l1_loss(bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), None

    rng, started, mean = np.random.default_rng(0), time.perf_counter(), 0.0
    for i in tqdm(range(steps), "training", disable=None):
        trainer.lr = lr * d2l.warmup_cosine(i / steps)
        rows = rng.integers(0, len(images), batch_size)
        loss, _ = trainer.step(step, *mirrored(images[rows], labels[rows], rng))
        mean += (float(d2l.numpy(loss)) - mean) / min(i + 1, 50)
        if (i + 1) % 100 == 0:
            seconds = time.perf_counter() - started
            print(f"step {i + 1}: loss {mean:.3f}, {seconds:.0f} s", flush=True)


def evaluate(net, images, labels):
    """`DetectionScores` of the pictures, in their pixels."""
    found = []
    for i in range(0, len(images), 20):
        X = d2l.tensor(images[i : i + 20].astype(np.float32))
        anchors, cls_preds, bbox_preds = d2l.predict(net, X)
        probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
        found.extend(d2l.numpy(d2l.multibox_detection(probs, bbox_preds, anchors)))
    pixels = np.array([1, 1, SIDE, SIDE, SIDE, SIDE])
    truth = [rows * pixels[1:] for rows in labels]
    return d2l.evaluate_detections([rows * pixels for rows in found], truth, CLASSES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    images, labels = draw_split(options.pictures, "train")
    d2l.seed(0)
    net = d2l.load(options.start) if options.start else d2l.TinySSD(len(CLASSES))
    train(net, images, labels, options.steps, options.batch_size, options.lr)
    net.classes, net.image_size = CLASSES, (SIDE, SIDE)
    print("weights in", d2l.save_weights(net, options.out))
    print(evaluate(net, *draw_split(200, "val")))


if __name__ == "__main__":
    main()
