"""Image augmentation: from folders of small pictures on disk to a trained ResNet-18.

FOLDER has two parts, `train` and `test`, each with a folder of pictures for every class,
all of one size. In training half of the pictures, drawn anew in each pass, are mirrored. At
the end the accuracy on the second part is printed.
"""

import argparse
import re
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from d2lcv.classification import cross_entropy, resnet18
from d2lcv.engine import evaluate_accuracy_gpu
from d2lcv.loading import INDEX_BITS, keys_of, loader, shuffled
from d2lcv.randomness import streams_of_net
from d2lcv.tensors import reduce_mean, to, try_gpu
from d2lcv.training import (
    make_optimizer,
    make_step,
    parameters,
    set_rates,
    warmup_cosine,
)
from d2lcv.weights import draw, manual_seed, slots


def in_order(folder):
    """What is in a folder, 2 before 10."""
    parts = re.compile(r"(\d+)")
    return sorted(
        Path(folder).iterdir(),
        key=lambda path: [int(p) if p.isdigit() else p for p in parts.split(path.name)],
    )


class Pictures:
    def __init__(self, folder, part, mirrored):
        self.classes, self.mirrored = in_order(Path(folder) / part), mirrored
        pairs = enumerate(map(in_order, self.classes))
        self.examples = [(path, label) for label, paths in pairs for path in paths]

    def __len__(self):
        return len(self.examples)

    def example(self, key):
        # the lower bits of a key are the picture's place; the rest makes each pass new
        path, label = self.examples[key % 2**INDEX_BITS]
        with Image.open(path) as picture:
            pixels = np.float32(picture.convert("RGB")) / 255  # (H, W, 3)
        rng = np.random.Generator(np.random.Philox(key=key))
        if self.mirrored and rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)), np.int64(label)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("folder")
    options.add_argument("--width", type=int, default=8, help="of the first stage")
    options.add_argument("--epochs", type=int, default=12)
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--lr", type=float, default=6e-3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--save", help="a file for the weights")
    args = options.parse_args()

    train_set = Pictures(args.folder, "train", mirrored=True)
    test_set = Pictures(args.folder, "test", mirrored=False)
    device = try_gpu()
    manual_seed(args.seed)
    net = resnet18(len(train_set.classes), in_channels=3, width=args.width)
    draw(slots(net), streams_of_net(args.seed))
    net = to(net, device)
    optimizer = make_optimizer([(parameters(net), args.lr)], "adam")

    def loss_of(X, y):
        return reduce_mean(cross_entropy(net(X), y)), ()

    step = make_step(net, loss_of, optimizer)
    num_batches = -(-len(train_set) // args.batch_size)
    for epoch in range(args.epochs):
        order = shuffled(len(train_set), args.seed, epoch)
        keys = keys_of(order, args.seed, epoch)
        losses = []
        for i, (X, y) in enumerate(loader(train_set, keys, args.batch_size)):
            progress = (epoch + i / num_batches) / args.epochs
            set_rates(optimizer, [args.lr * warmup_cosine(progress)])
            losses.append(step(to(X, device), to(y, device))[0])
        print(f"epoch {epoch + 1}: loss {np.mean([float(x) for x in losses]):.6f}")
    if args.save:
        save_file({name: slot.get() for name, slot in slots(net).items()}, args.save)
    batches = loader(test_set, range(len(test_set)), args.batch_size)
    print(f"test accuracy: {evaluate_accuracy_gpu(net, batches, device):.3f}")
