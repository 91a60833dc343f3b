"""The training loop of the chapter's classifiers and of its dense predictions.

It takes the framework's own nets, losses, optimizers and loaders, and those of this
package. Whatever a loss returns, its mean over the batch is minimised: a learning rate
means the same for every loss, batch size and framework.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backends import backend
from .checks import check_shapes, check_tensor
from .distributed import process_mean, rank, world_size
from .meters import Accumulator, Timer
from .training import Trainer, predict

__all__ = [
    "TrainingResult",
    "accuracy",
    "evaluate_accuracy_gpu",
    "evaluate_accuracy_gpus",
    "split_batch",
    "train_batch_ch13",
    "train_ch13",
]

Split = Callable[[Any, Any, Sequence[Any]], tuple[Sequence[Any], Sequence[Any]]]


@dataclass(frozen=True)
class TrainingResult:
    """What a run of `train_ch13` came to.

    Attributes:
        loss, train_acc: means over the last epoch, in training mode, as it went on.
        test_acc: after the last epoch; None if there was no test set.
        num_examples, seconds: trained on in all epochs, and the time that took,
            evaluation not included.
        history: (loss, train_acc, test_acc) of each epoch.
    """

    loss: float
    train_acc: float
    test_acc: float | None
    num_examples: int
    seconds: float
    history: tuple[tuple[float, float, float | None], ...]

    @property
    def examples_per_sec(self) -> float:
        return self.num_examples / self.seconds


def accuracy(y_hat: Any, y: Any, ignore: int | None = None) -> Any:
    """How many predictions are right: a scalar tensor, float32.

    Args:
        y_hat: (B, C) or (B, C, H, W) scores; the highest one is the prediction. Or the
            predicted classes themselves, of the shape of `y`.
        y: (B,) or (B, H, W) labels.
        ignore: a label whose predictions do not count, such as 255.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: the shapes do not fit.
    """
    check_tensor("y_hat", y_hat)
    check_tensor("y", y)
    t = backend.tensors
    axes = " ".join("DEFGH"[: len(y.shape) - 1])
    is_scores = len(y_hat.shape) > len(y.shape)
    check_shapes(
        y=(y, f"B {axes}"), y_hat=(y_hat, f"B {'C' if is_scores else ''} {axes}")
    )
    guesses = t.argmax(y_hat, 1) if is_scores else y_hat
    right = t.astype(t.astype(guesses, y.dtype) == y, t.float32)
    return t.reduce_sum(right if ignore is None else right * _counts(y, ignore))


def _counts(y: Any, ignore: int) -> Any:
    """1.0 where a label counts, 0.0 where it is to be ignored."""
    return backend.tensors.astype(y != ignore, backend.tensors.float32)


def _number(y: Any, ignore: int | None) -> Any:
    t = backend.tensors
    return t.size(y) if ignore is None else t.reduce_sum(_counts(y, ignore))


def split_batch(X: Any, y: Any, devices: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """A batch in as many parts as there are devices, each moved to its device.

    The parts are equal or differ by one example. Of a batch smaller than the number of
    devices the last devices get none.

    Returns:
        The parts of X and those of y, two lists.

    Raises:
        ValueError: X and y differ in length, the batch is empty, or there is no device.
    """
    n = len(X)
    if len(y) != n:
        raise ValueError(f"y: expected as many labels as examples, {n}, got {len(y)}")
    if not n or not len(devices):
        raise ValueError(
            f"expected at least one example and one device, got {n} and {len(devices)}"
        )
    bounds = np.linspace(0, n, min(n, len(devices)) + 1).astype(int).tolist()
    parts = list(zip(bounds, bounds[1:], devices, strict=False))
    to = backend.tensors.to
    return [to(X[a:b], d) for a, b, d in parts], [to(y[a:b], d) for a, b, d in parts]


def evaluate_accuracy_gpu(
    net: Any, data_iter: Iterable[Any], device: Any = None, ignore: int | None = None
) -> float:
    """The share of right predictions, in evaluation mode and without gradients.

    Args:
        net: gives scores (B, C) or (B, C, H, W). It keeps its mode and its statistics.
        data_iter: batches (X, y); y (B,) or (B, H, W).
        device: where batches go; None: where the net is.
        ignore: as for `accuracy`.

    Raises:
        ValueError: there is no batch, or no label that counts.
    """
    devices = backend.engine.devices_of(net)[:1] if device is None else [device]
    return _evaluate(net, data_iter, devices, split_batch, ignore)


def evaluate_accuracy_gpus(
    net: Any,
    data_iter: Iterable[Any],
    split_f: Split = split_batch,
    ignore: int | None = None,
) -> float:
    """As `evaluate_accuracy_gpu`, on all devices the net is on: parts of `split_f`."""
    return _evaluate(net, data_iter, backend.engine.devices_of(net), split_f, ignore)


def _evaluate(
    forward: Any,
    data_iter: Iterable[Any],
    devices: Sequence[Any],
    split_f: Split,
    ignore: int | None,
) -> float:
    sums = Accumulator(2)  # right, all
    for X, y in data_iter:
        for X_part, y_part in zip(*split_f(X, y, devices), strict=True):
            right = accuracy(predict(forward, X_part), y_part, ignore)
            sums.add(right, _number(y_part, ignore))
    if not sums[1]:
        raise ValueError("data_iter: expected labels to compare with, there are none")
    return sums[0] / sums[1]


def train_batch_ch13(
    net: Any,
    X: Any,
    y: Any,
    loss: Callable[[Any, Any], Any],
    trainer: Any,
    devices: Sequence[Any],
    split_f: Split = split_batch,
    ignore: int | None = None,
) -> tuple[Any, Any]:
    """One step of training on one batch; the arguments are those of `train_ch13`.

    Returns:
        The loss summed over the batch's examples (its mean times their number) and the
        number of right predictions, both from before the update: scalar tensors.
    """
    parts = split_f(X, y, devices)
    mean, right = _stepper(net, loss, trainer, ignore)(*parts[0], *parts[1])
    return mean * sum(map(len, parts[1])), right


# Not more than a few: what is kept here keeps its net and optimizer in memory
@functools.lru_cache(maxsize=2)
def _stepper(net: Any, loss: Any, trainer: Any, ignore: int | None) -> Any:
    """(parts of X, parts of y) → mean loss, number right; made once, compiled once."""
    if not callable(loss):
        raise TypeError(f"loss: expected a function of (y_hat, y), got {loss!r}")
    if isinstance(trainer, Trainer):
        if trainer.net is not net:
            raise ValueError(
                "trainer: expected the Trainer of `net`, got another net's"
            )
        stepper = trainer
    elif isinstance(trainer, backend.engine.Optimizer):
        stepper = backend.engine.NativeStepper(net, trainer)
    else:
        raise TypeError(
            f"trainer: expected a d2lcv.Trainer or an optimizer of "
            f"{backend.entry.title}, got {type(trainer).__qualname__}"
        )

    def step(*parts: Any) -> tuple[Any, Any]:
        half = len(parts) // 2
        ys = parts[half:]
        n, losses, rights = sum(map(_length, ys)), [], []
        for X, y in zip(parts[:half], ys, strict=True):
            y_hat = net(X)
            losses.append(_mean_loss(loss, y_hat, y) * (_length(y) / n))
            rights.append(accuracy(y_hat, y, ignore))
        return backend.engine.total(losses), backend.engine.total(rights)

    return functools.partial(stepper.step, step)


def _length(y: Any) -> int:
    return y.shape[0]


def _mean_loss(loss: Any, y_hat: Any, y: Any) -> Any:
    t = backend.tensors
    mean = t.reduce_mean(backend.engine.loss_values(loss, y_hat, y))
    # what the framework's own loss says of itself; one number is a mean otherwise
    return mean / t.size(y) if getattr(loss, "reduction", None) == "sum" else mean


def train_ch13(
    net: Any,
    train_iter: Iterable[Any],
    test_iter: Iterable[Any] | None,
    loss: Callable[[Any, Any], Any],
    trainer: Any,
    num_epochs: int,
    devices: Sequence[Any] | None = None,
    split_f: Split = split_batch,
    *,
    ignore: int | None = None,
    before_batch: Callable[[float], None] | None = None,
    figure: str | None = None,
) -> TrainingResult:
    """Train a classifier, or a net that classifies each pixel, and draw its curves.

    Args:
        net: a module of the active framework, (B, …) → scores (B, C) or (B, C, H, W).
        train_iter: batches (X, y), gone through once per epoch; y (B,) or (B, H, W).
        test_iter: batches to evaluate on after each epoch; None: there are none.
        loss: `d2lcv.cross_entropy`, any function of (y_hat, y), or the framework's own
            loss with any reduction. Its mean over the batch is minimised, also where it
            gives a value for each example or pixel, or is the framework's own and gives
            a sum: the same learning rate fits. (A recipe that minimises the sum needs its
            rate times the batch size.) The one number of a function is taken for a mean.
        trainer: a `d2lcv.Trainer`, or the framework's own optimizer of the weights of
            `net` (`torch.optim.SGD`, `gluon.Trainer`, …).
        num_epochs: at least 1.
        devices: where to train, `d2lcv.try_all_gpus()` by default. MXNet uses all that
            the net was initialised on and splits each batch over them. The others use
            the first; for more see `d2lcv.join_processes`.
        split_f: (X, y, devices) → parts of X, parts of y, as `split_batch`.
        ignore: a label that does not count in the accuracies, such as 255. The loss is
            to leave it out itself.
        before_batch: called before each batch with the epochs done so far, such as 2.25:
            the place to set a learning rate.
        figure: name for the file of the curves, which are then shown; without it they
            wait for `d2lcv.show`.

    Returns:
        `TrainingResult`. Its numbers are printed, too. In several processes they are those
        of all together, and the first process prints.

    Raises:
        TypeError: the loss is no function, the trainer no optimizer.
        ValueError: no epoch, no device, an iterator without a batch.
    """
    if num_epochs < 1:
        raise ValueError(f"num_epochs: expected at least 1, got {num_epochs}")
    devices = backend.engine.place(net, _devices(devices))
    curves = _Curves(num_epochs, train_iter, test_iter is not None)
    batch_args = (net, loss, trainer, devices, split_f, ignore)
    eager = isinstance(trainer, Trainer) and trainer.eager
    forward = net if eager else backend.engine.compiled(net)
    timer, history, num_examples = Timer(), [], 0.0
    for epoch in range(num_epochs):
        timer.start()
        sums = _train_epoch(batch_args, epoch, train_iter, before_batch, curves)
        loss_sum, right, examples, labels = _of_all_processes(sums)
        timer.stop()
        num_examples += examples
        test_acc = None
        if test_iter is not None:
            test_acc = _evaluate(forward, test_iter, devices, split_f, ignore)
        history.append((loss_sum / examples, right / max(labels, 1.0), test_acc))
        curves.add(epoch + 1, *history[-1])
    result = TrainingResult(
        *history[-1], round(num_examples), timer.sum(), tuple(history)
    )
    curves.close(result, devices, figure)
    return result


def _devices(devices: Any) -> Sequence[Any]:
    if devices is None:
        found = backend.tensors.try_all_gpus()
        # of several processes each takes its own
        return found if world_size() == 1 else [found[rank() % len(found)]]
    devices = devices if isinstance(devices, (list, tuple)) else [devices]
    if not devices:
        raise ValueError("devices: expected at least one, got none")
    return devices


def _train_epoch(
    batch_args: tuple[Any, ...],
    epoch: int,
    train_iter: Iterable[Any],
    before_batch: Callable[[float], None] | None,
    curves: _Curves,
) -> list[float]:
    """One pass: sums of loss and right predictions, numbers of examples and labels."""
    net, loss, trainer, devices, split_f, ignore = batch_args
    sums, num_batches = Accumulator(4), curves.num_batches
    for i, (X, y) in enumerate(curves.progress(train_iter, epoch)):
        if before_batch is not None:
            before_batch(epoch + (i / num_batches if num_batches else 0.0))
        batch = train_batch_ch13(net, X, y, loss, trainer, devices, split_f, ignore)
        sums.add(*batch, len(y), _number(y, ignore))
        if num_batches and curves.is_due(i, num_batches):
            done = epoch + (i + 1) / num_batches
            curves.add(done, sums[0] / sums[2], sums[1] / max(sums[3], 1.0), None)
    if not sums[2]:
        raise ValueError(
            f"train_iter: expected at least one batch, got none in epoch {epoch + 1}"
            + (" (a generator serves for one epoch only)" if epoch else "")
        )
    return sums[:]


def _of_all_processes(sums: list[float]) -> list[float]:
    if world_size() == 1:
        return sums
    means = process_mean(backend.tensors.tensor(np.array(sums, np.float32)))
    return [float(v) * world_size() for v in backend.tensors.numpy(means)]


class _Curves:
    """What a run shows of itself; only the first of several processes shows anything."""

    def __init__(self, num_epochs: int, train_iter: Any, has_test: bool) -> None:
        from .figures import Animator

        self.num_epochs, self.num_batches = num_epochs, _number_of_batches(train_iter)
        legend = ["train loss", "train acc", *["test acc"] * has_test]
        self.animator = None
        if rank() == 0:
            self.animator = Animator(
                xlabel="epoch", xlim=[1, num_epochs], ylim=[0, 1], legend=legend
            )

    def progress(self, batches: Iterable[Any], epoch: int) -> Iterable[Any]:
        from tqdm.auto import tqdm

        off = None if rank() == 0 else True  # None: where no terminal is
        text = f"epoch {epoch + 1}/{self.num_epochs}"
        return tqdm(batches, text, leave=False, disable=off)

    def is_due(self, i: int, n: int) -> bool:
        """A point at every fifth of an epoch; the last one comes with the test."""
        return i + 1 < n and (i + 1) % max(1, n // 5) == 0

    def add(
        self, epochs: float, loss: float, train_acc: float, test_acc: float | None
    ) -> None:
        if self.animator is not None:
            self.animator.add(epochs, (loss, train_acc, test_acc))
            axes = self.animator.axes[0]
            if axes.get_ylim()[1] < loss < math.inf:  # the loss is to be seen, too
                axes.set_ylim(0, 1.05 * loss)

    def close(
        self, result: TrainingResult, devices: Sequence[Any], figure: str | None
    ) -> None:
        if self.animator is None:
            return
        if figure is not None:
            from .figures import show

            show(figure)
        test = "" if result.test_acc is None else f", test acc {result.test_acc:.3f}"
        names = ", ".join(backend.tensors.device_name(d) for d in devices)
        names += f" in {world_size()} processes" if world_size() > 1 else ""
        print(f"loss {result.loss:.3f}, train acc {result.train_acc:.3f}{test}")
        print(f"{result.examples_per_sec:.1f} examples/sec on {names}", flush=True)


def _number_of_batches(data_iter: Any) -> int | None:
    try:
        return len(data_iter)
    except TypeError:  # it does not know
        return None
