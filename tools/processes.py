"""What the tools share: which backends to ask, and one detector trained in a worker."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2lcv.backends import REGISTRY, installed, resolve

HERE = str(Path(__file__).resolve())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options that choose the backends and the interpreters they run in."""
    parser.add_argument("--backend", nargs="+", type=resolve, metavar="NAME")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="interpreter of the environment of one backend",
    )


def chosen(options: argparse.Namespace) -> dict[str, str | None]:
    """Backend → its interpreter (None: this one); all that are installed by default."""
    pythons = {resolve(k): v for k, _, v in (p.partition("=") for p in options.python)}
    known = {*installed(), *pythons}
    names = options.backend or [name for name in REGISTRY if name in known]
    return {name: pythons.get(name) for name in names}


def train(
    steps: int,
    seed: int,
    side: int,
    batch_size: int,
    lr: float,
    save: str | None = None,
) -> np.ndarray:
    """In a worker: the loss of each step of a TinySSD trained on synthetic pictures."""
    import d2lcv as d2l

    d2l.seed(seed)
    train_iter, _ = d2l.load_data_bananas(batch_size, size=(side, side))
    device = d2l.try_gpu()
    net = d2l.to(d2l.TinySSD(1), device)
    trainer = d2l.Trainer(net, "adam", lr=lr)

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        loss = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(loss), ()

    losses: list[float] = []
    while len(losses) < steps:
        for X, Y in train_iter:
            trainer.lr = lr * d2l.warmup_cosine(len(losses) / steps)
            loss, _ = trainer.step(step, d2l.to(X, device), d2l.to(Y, device))
            losses.append(float(d2l.numpy(loss)))
            if len(losses) == steps:
                break
    if save:
        d2l.save_weights(net, save)
    return np.array(losses)
