"""A small chapter, which `test_distributed.py` runs in one process and in two.

Its net has no batch norm, whose means would be those of each share; the second one has, to
see that its statistics are equal in all processes.
"""

import sys

import numpy as np

import d2lcv as d2l
from d2lcv.randomness import stream


class Examples:
    """Noise, augmented by more of it, and the class of each pixel."""

    def __init__(self, seed):
        self.X = np.random.default_rng(seed).normal(size=(24, 3, 4, 4))

    def __len__(self):
        return len(self.X)

    def example(self, i):
        X = self.X[i] + 0.1 * stream().normal()
        return X.astype(np.float32), np.broadcast_to(
            self.X[i].sum((1, 2)).argmax(), (4, 4)
        )


SETTINGS = {"num_epochs": 2, "batch_size": 8, "lr": 0.5, "fail": ""}
run = d2l.Chapter("small", SETTINGS, SETTINGS, data=())
if run.fail and d2l.rank():
    sys.exit("on purpose") if run.fail == "exit" else 1 / 0
train_iter = d2l.loader(Examples(0), run.batch_size, shuffle=True)
test_iter = d2l.loader(Examples(1), 8)
print("batches", len(train_iter), "of", len(next(iter(train_iter))[0]))

net = d2l.cls_predictor(3, 1, 2)
trainer = d2l.Trainer(net, "sgd", lr=run.lr, momentum=0.9, weight_decay=1e-3)
result = d2l.train_ch13(
    net, train_iter, test_iter, d2l.cross_entropy, trainer, 2, figure="curves"
)
trainer = d2l.Trainer(net, "adam", lr=0.1)
epochs = run.epochs(run.num_epochs, trainer, train_iter)
for _ in epochs:
    losses = d2l.Accumulator(1)
    for X, y in train_iter:

        def step(X, y):
            return d2l.reduce_mean(d2l.cross_entropy(net(X), y)), ()

        losses.add(trainer.step(step, X, y)[0])
    epochs.add({"loss": losses[0] / len(train_iter)})

normed = d2l.down_sample_blk(3, 2)
trainer = d2l.Trainer(normed, "sgd", lr=0.1)
trainer.step(lambda X: (d2l.reduce_mean(normed(X) ** 2), ()), X)
apart = sum(
    np.abs(value - d2l.numpy(d2l.process_mean(d2l.tensor(value)))).max()
    for value in d2l.get_weights(normed).values()
)
d2l.save_weights(net, run.out / "net.safetensors")
run.report(
    {
        **{f"loss {n}": row[0] for n, row in enumerate(result.history)},
        **{f"test {n}": row[2] for n, row in enumerate(result.history)},
        **{f"adam {n}": row["loss"] for n, row in enumerate(epochs.history)},
        "apart": apart,
        "num_examples": result.num_examples,
    }
)
