"""Single-shot detection: from pictures and boxes on disk to a trained net.

FOLDER has two parts, `…_train` and `…_val`. Each has its pictures in `images` and their
boxes in `label.csv`: img_name, label, xmin, ymin, xmax, ymax, in pixels, a row for each
object. At the end the mean average precision on the second part is printed.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.numpy import save_file

from d2lcv.anchors import multibox_target
from d2lcv.detection import mean_average_precision, multibox_detection
from d2lcv.loading import loader, shuffled
from d2lcv.randomness import streams_of_net
from d2lcv.ssd import TinySSD, calc_loss
from d2lcv.tensors import numpy, reduce_mean, softmax, to, transpose, try_gpu
from d2lcv.training import (
    make_optimizer,
    make_step,
    parameters,
    predict,
    set_rates,
    warmup_cosine,
)
from d2lcv.weights import draw, manual_seed, slots


class Pictures:
    def __init__(self, folder, part, side):
        (folder,) = Path(folder).glob(f"*_{part}")
        self.rows, self.side = pd.read_csv(folder / "label.csv"), side
        self.names = self.rows.img_name.unique()
        self.paths = [folder / "images" / name for name in self.names]
        self.most = self.rows.groupby("img_name").size().max()  # objects of a picture

    def __len__(self):
        return len(self.paths)

    def example(self, i):
        # a picture (3, side, side) from 0 to 255, its objects (G, 5) in fractions
        size = (self.side, self.side)
        with Image.open(self.paths[i]) as picture:
            width, height = picture.size
            picture.draft("RGB", size)
            picture = picture.convert("RGB")
        pixels = np.array(picture.resize(size, Image.BILINEAR, reducing_gap=2.0))
        rows = self.rows[(self.rows.img_name == self.names[i]) & (self.rows.label >= 0)]
        label = np.full((self.most, 5), [-1, 0, 0, 0, 0], np.float32)  # padding
        label[: len(rows), 0] = rows.label
        boxes = rows[["xmin", "ymin", "xmax", "ymax"]] / [width, height, width, height]
        label[: len(rows), 1:] = boxes
        return np.float32(pixels.transpose(2, 0, 1)), label


def evaluate(net, pictures, batch_size, device):
    detections, labels = [], []
    for X, Y in loader(pictures, range(len(pictures)), batch_size):
        anchors, cls_preds, bbox_preds = predict(net, to(X, device))
        cls_probs = transpose(softmax(cls_preds, -1), (0, 2, 1))
        found = multibox_detection(cls_probs, bbox_preds, anchors, 0.5, 0.01)
        detections.extend(numpy(found))
        labels.extend(numpy(Y))
    return mean_average_precision(detections, labels, 0.5)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("folder")
    options.add_argument("--side", type=int, default=128, help="of a picture")
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--steps", type=int, default=600, help="at least")
    options.add_argument("--batch-size", type=int, default=8)
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--save", help="a file for the weights")
    args = options.parse_args()

    train_set = Pictures(args.folder, "train", args.side)
    val_set = Pictures(args.folder, "val", args.side)
    device = try_gpu()
    manual_seed(args.seed)
    net = TinySSD(num_classes=int(train_set.rows.label.max()) + 1)
    draw(slots(net), streams_of_net(args.seed))
    net = to(net, device)
    optimizer = make_optimizer([(parameters(net), args.lr)], "adam")

    def loss_of(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = multibox_target(anchors, Y, 0.5)
        losses = calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return reduce_mean(losses), ()

    step = make_step(net, loss_of, optimizer)
    num_batches = -(-len(train_set) // args.batch_size)
    num_epochs = max(args.epochs, -(-args.steps // num_batches))
    for epoch in range(num_epochs):
        order = shuffled(len(train_set), args.seed, epoch)
        losses = []
        for i, (X, Y) in enumerate(loader(train_set, order, args.batch_size)):
            progress = (epoch + i / num_batches) / num_epochs
            set_rates(optimizer, [args.lr * warmup_cosine(progress)])
            losses.append(step(to(X, device), to(Y, device))[0])
        print(f"epoch {epoch + 1}: loss {np.mean([float(x) for x in losses]):.6f}")
    if args.save:
        save_file({name: slot.get() for name, slot in slots(net).items()}, args.save)
    result = evaluate(net, val_set, args.batch_size, device)
    print(f"mAP@0.5: {result:.3f}")
