"""What the tools share: which backends to ask, and one detector trained in a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2lcv.proof.matrix import add_options, chosen

__all__ = ["HERE", "add_options", "chosen", "train"]

HERE = str(Path(__file__).resolve())


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
