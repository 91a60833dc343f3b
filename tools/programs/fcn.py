"""A fully convolutional network: from labelled pictures on disk to a trained net.

FOLDER is laid out as Pascal VOC's: the pictures in `JPEGImages`, a class for each pixel in
`SegmentationClass`, and names of pictures in `ImageSets/Segmentation`, those to train on in
`train.txt`, the others in `val.txt`. A file of a trained ResNet-18's weights, named as
torchvision names them below `features.`, can be given. At the end the mean IoU is printed.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

from d2lcv.augmentation import IMAGENET_MEAN, IMAGENET_STD
from d2lcv.data.voc import IGNORE, VOC_CLASSES
from d2lcv.loading import INDEX_BITS, keys_of, loader, shuffled
from d2lcv.randomness import streams_of_net
from d2lcv.segmentation import FCN, class_ious, confusion_counts, segmentation_loss
from d2lcv.tensors import argmax, numpy, reduce_mean, to, try_gpu
from d2lcv.training import (
    make_optimizer,
    make_step,
    parameters,
    predict,
    set_rates,
    warmup_cosine,
)
from d2lcv.weights import draw, manual_seed, slots


class Crops:
    def __init__(self, folder, part, height, width):
        self.folder, self.height, self.width = Path(folder), height, width
        names = self.folder / "ImageSets" / "Segmentation" / f"{part}.txt"
        self.names = [n for n in names.read_text().split() if self.is_large_enough(n)]

    def is_large_enough(self, name):
        with Image.open(self.folder / "JPEGImages" / f"{name}.jpg") as picture:
            return picture.width >= self.width and picture.height >= self.height

    def __len__(self):
        return len(self.names)

    def example(self, key):
        # the lower bits of a key are the picture's place; the rest makes each pass new
        name = self.names[key % 2**INDEX_BITS]
        with Image.open(self.folder / "JPEGImages" / f"{name}.jpg") as picture:
            pixels = np.array(picture.convert("RGB"))  # (H, W, 3)
        with Image.open(self.folder / "SegmentationClass" / f"{name}.png") as label:
            classes = np.array(label)  # (H, W), numbers of the palette
        rng = np.random.Generator(np.random.Philox(key=key))
        top = rng.integers(len(pixels) - self.height + 1)
        left = rng.integers(pixels.shape[1] - self.width + 1)
        part = slice(top, top + self.height), slice(left, left + self.width)
        mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)
        image = (np.float32(pixels[part]) / 255 - mean) / std
        # (3, height, width) and (height, width)
        return np.ascontiguousarray(image.transpose(2, 0, 1)), np.int64(classes[part])


def initialize(net, file, seed):
    given = load_file(file) if file else {}
    fresh = {}
    for name, slot in slots(net).items():
        if name in given:
            slot.put(given[name])
        elif not name.startswith("upsamplers."):  # they begin as an interpolation
            fresh[name] = slot
    draw(fresh, streams_of_net(seed))


def evaluate(net, pictures, batch_size, device):
    counts = 0
    for X, Y in loader(pictures, range(len(pictures)), batch_size):
        preds = argmax(predict(net, to(X, device)), 1)
        preds, labels = np.int64(numpy(preds)), np.int64(numpy(Y))
        counts += confusion_counts(preds, labels, len(VOC_CLASSES), IGNORE)
    return counts


def main():
    options = argparse.ArgumentParser()
    options.add_argument("folder")
    options.add_argument("--weights", help="of a ResNet-18, to begin from")
    options.add_argument("--height", type=int, default=96, help="of a crop")
    options.add_argument("--width", type=int, default=128)
    options.add_argument("--epochs", type=int, default=14)
    options.add_argument("--batch-size", type=int, default=8)
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--save", help="a file for the weights")
    args = options.parse_args()

    train_set = Crops(args.folder, "train", args.height, args.width)
    val_set = Crops(args.folder, "val", args.height, args.width)
    device = try_gpu()
    manual_seed(args.seed)
    width = (
        len(load_file(args.weights)["features.conv1.weight"]) if args.weights else 64
    )
    net = FCN(len(VOC_CLASSES), depth=18, in_channels=3, width=width, stride=32)
    initialize(net, args.weights, args.seed)
    net = to(net, device)
    optimizer = make_optimizer([(parameters(net), args.lr)], "adam")

    def loss_of(X, Y):
        return reduce_mean(segmentation_loss(net(X), Y, IGNORE)), ()

    step = make_step(net, loss_of, optimizer)
    num_batches = -(-len(train_set) // args.batch_size)
    for epoch in range(args.epochs):
        order = shuffled(len(train_set), args.seed, epoch)
        keys = keys_of(order, args.seed, epoch)
        losses = []
        for i, (X, Y) in enumerate(loader(train_set, keys, args.batch_size)):
            progress = (epoch + i / num_batches) / args.epochs
            set_rates(optimizer, [args.lr * warmup_cosine(progress)])
            losses.append(step(to(X, device), to(Y, device))[0])
        print(f"epoch {epoch + 1}: loss {np.mean([float(x) for x in losses]):.6f}")
    if args.save:
        save_file({name: slot.get() for name, slot in slots(net).items()}, args.save)
    counts = evaluate(net, val_set, args.batch_size, device)
    print(f"pixel accuracy: {np.trace(counts) / counts.sum():.3f}")
    print(f"mean IoU: {np.nanmean(class_ious(counts)):.3f}")
