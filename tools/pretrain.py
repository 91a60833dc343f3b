"""Train the source network that the package ships, `d2lcv.pretrained(18, "source")`.

    python tools/pretrain.py --out source-resnet18.safetensors

A narrow ResNet-18 learns to name the things of the drawn source set: some minutes on one
CPU core. It prints the accuracy on pictures it has not seen.
"""

from __future__ import annotations

import argparse
import time

from tqdm import tqdm

import d2lcv as d2l

# A little less than the 96 pixels it is tested with: what is cut out looks larger
CROP = 80


def loaders(batch_size: int):
    """Batches of the training pictures, cut and mirrored at random, and of the test's."""
    from d2lcv.drawn.sets import synthetic

    folder = synthetic("source")
    numbers = [d2l.ToTensor(), d2l.Normalize(d2l.IMAGENET_MEAN, d2l.IMAGENET_STD)]
    cut = d2l.RandomResizedCrop(CROP, scale=(0.35, 1.0))
    random = d2l.Compose([cut, d2l.RandomHorizontalFlip(), *numbers])
    train = d2l.ImageFolder(f"{folder}/train", random)
    test = d2l.ImageFolder(f"{folder}/test", d2l.Compose(numbers))
    return (
        d2l.loader(train, batch_size, shuffle=True),
        d2l.loader(test, batch_size),
        train.classes,
    )


def train(net, batches, epochs: int, lr: float) -> None:
    trainer = d2l.Trainer(net, "sgd", lr=lr, momentum=0.9, weight_decay=5e-4)

    def step(X, y):
        y_hat = net(X)
        return d2l.reduce_mean(d2l.cross_entropy(y_hat, y)), d2l.accuracy(y_hat, y)

    steps = epochs * len(batches)
    for epoch in range(epochs):
        metric = d2l.Accumulator(3)
        for i, (X, y) in enumerate(tqdm(batches, f"epoch {epoch + 1}", disable=None)):
            done = (epoch * len(batches) + i) / steps
            trainer.lr = lr * d2l.warmup_cosine(done, 0.05)
            loss, right = trainer.step(step, X, y)
            metric.add(float(d2l.numpy(loss)) * len(y), float(right), len(y))
        loss, right = metric[0] / metric[2], metric[1] / metric[2]
        print(
            f"epoch {epoch + 1}: loss {loss:.3f}, train accuracy {right:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, help="the weights file to write")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    d2l.seed(o.seed)
    start = time.perf_counter()
    train_iter, test_iter, classes = loaders(o.batch_size)
    net = d2l.ResNet(18, len(classes), width=16)
    train(net, train_iter, o.epochs, o.lr)
    d2l.save_weights(net, o.out)
    seconds = time.perf_counter() - start
    print("classes:", " ".join(classes))
    accuracy = d2l.evaluate_accuracy_gpu(net, test_iter)
    print(f"test accuracy {accuracy:.3f} after {seconds:.0f} s")


if __name__ == "__main__":
    main()
