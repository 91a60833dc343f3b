"""The training loop of the chapter's classifiers and of its dense predictions.

It takes the framework's own nets, losses, optimizers and loaders, and those of this
package. Whatever a loss returns, its mean over the batch is minimised: a learning rate
means the same for every loss, batch size and framework.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .backends import Module, Tensor, backend
from .checkpoints import Checkpoint, Epochs
from .checks import (
    at_least,
    check_function,
    check_kind,
    check_net,
    check_path,
    check_shapes,
    check_tensor,
    described,
    floats,
    judged,
    label,
    listed,
    on_device,
)
from .distributed import mean_numbers, mean_statistics, rank, world_size
from .meters import Accumulator, Timer, progress
from .training import FiniteLoss, Trainer, check_outcome

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


def accuracy(y_hat: Tensor, y: Tensor, ignore: int | None = None) -> Tensor:
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
    axes = " ".join("DEFGH"[: len(y.shape) - 1])
    is_scores = len(y_hat.shape) > len(y.shape)
    if is_scores:
        (y_hat,) = floats(y_hat=(y_hat, "..."))
        if tuple(y_hat.shape)[1] == 0:
            raise ValueError(
                f"y_hat: expected at least one class, got {tuple(y_hat.shape)}"
            )
    check_shapes(
        y=(y, f"B {axes}"), y_hat=(y_hat, f"B {'C' if is_scores else ''} {axes}")
    )
    if ignore is not None:
        ignore = label("ignore", ignore)
    return backend.engine.accuracy(y_hat, y, ignore)


def split_batch(
    X: Tensor, y: Tensor, devices: Sequence[Any]
) -> tuple[list[Tensor], list[Tensor]]:
    """A batch in as many parts as there are devices, each moved to its device.

    The parts are equal, or the first ones have one example more. Of a batch smaller than
    the number of devices the last devices get none.

    Returns:
        The parts of X and those of y, two lists.

    Raises:
        ValueError: X and y differ in length, the batch is empty, or there is no device.
    """
    check_tensor("X", X)
    check_tensor("y", y)
    n, num_labels = (tuple(x.shape)[:1] for x in (X, y))
    if not n or n[0] == 0:
        raise ValueError(f"X: expected at least one example, got {tuple(X.shape)}")
    if num_labels != n:
        raise ValueError(
            f"y: expected as many labels as examples, {n[0]}, got {sum(num_labels)}"
        )
    devices = _devices(devices)
    return backend.engine.split_batch(X, y, devices)


def evaluate_accuracy_gpu(
    net: Module, data_iter: Iterable[Any], device: Any = None, ignore: int | None = None
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
    labelled = _Labelled(net, data_iter, ignore)
    on_device("device", backend.tensors.zeros((1,)), device)
    with judged("net, data_iter"):
        return backend.engine.evaluate_accuracy_gpu(net, labelled, device, ignore)


def evaluate_accuracy_gpus(
    net: Module,
    data_iter: Iterable[Any],
    split_f: Split = split_batch,
    ignore: int | None = None,
) -> float:
    """As `evaluate_accuracy_gpu`, on all devices the net is on: parts of `split_f`."""
    check_function("split_f", split_f)
    labelled = _Labelled(net, data_iter, ignore)
    with judged("net, data_iter, split_f"):
        return backend.engine.evaluate_accuracy_gpus(net, labelled, split_f, ignore)


class _Labelled:
    """The batches of an iterator for a net, which must have a label that counts."""

    def __init__(
        self, net: Any, data_iter: Iterable[Any], ignore: Any, name: str = "data_iter"
    ) -> None:
        check_net("net", net)
        _check_batches(name, data_iter)
        self.data_iter, self.ignore, self.name = data_iter, ignore, name
        if ignore is not None:
            label("ignore", ignore)

    def batches(self) -> Iterable[Any]:
        return self.data_iter

    def __iter__(self) -> Iterator[Any]:
        counts = []
        for batch in self.batches():
            X, y = _pair(self.name, batch)
            counts.append(backend.engine.number_of_labels(y, self.ignore))
            yield X, y
        self.labels = sum(map(float, counts))
        if not self.labels:
            raise ValueError(
                f"{self.name}: expected labels to compare with, there are none"
            )


class _Shared(_Labelled):
    """As `_Labelled`; each of several processes takes its batches, if all get some."""

    def batches(self) -> Iterable[Any]:
        is_shared = (_number_of_batches(self.data_iter) or 0) >= world_size()
        first, every = (rank(), world_size()) if is_shared else (0, 1)
        return itertools.islice(self.data_iter, first, None, every)

    def merged(self, accuracy: float) -> float:
        """The accuracy on what all processes took."""
        if world_size() == 1:
            return accuracy
        right, labels = mean_numbers([accuracy * self.labels, self.labels])
        return right / labels


def _check_batches(name: str, data_iter: Any) -> None:
    # an array without axes says that it can be gone through, and cannot
    if not isinstance(data_iter, Iterable) or getattr(data_iter, "shape", 0) == ():
        raise TypeError(f"{name}: expected batches (X, y), got {described(data_iter)}")


def _pair(name: str, batch: Any) -> tuple[Any, Any]:
    """X and y of a batch of the iterator `name`."""
    if not isinstance(batch, (list, tuple)) or len(batch) != 2:
        raise TypeError(f"{name}: expected batches (X, y), got {described(batch)}")
    for x in batch:
        check_tensor(f"{name}: a batch", x)
    return batch[0], batch[1]


def train_batch_ch13(
    net: Module,
    X: Tensor,
    y: Tensor,
    loss: Callable[[Any, Any], Any],
    trainer: Any,
    devices: Sequence[Any],
    split_f: Split = split_batch,
    ignore: int | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of training on one batch; the arguments are those of `train_ch13`.

    Returns:
        The loss summed over the batch's examples (its mean times their number) and the
        number of right predictions, both from before the update: scalar tensors.
    """
    check_net("net", net)
    check_tensor("X", X)
    check_tensor("y", y)
    check_function("split_f", split_f)
    devices = _devices(devices)
    if ignore is not None:
        ignore = label("ignore", ignore)
    _check_step(loss, trainer)
    step = _step(net, loss, trainer)
    with judged("net, X, y, loss, split_f"):
        return backend.engine.train_batch_ch13(
            net, X, y, loss, trainer, devices, split_f, ignore, step
        )


def _check_step(loss: Any, trainer: Any) -> None:
    check_function("loss", loss)
    expected = f"a d2lcv.Trainer or an optimizer of {backend.entry.title}"
    check_kind("trainer", trainer, expected, Trainer, backend.engine.Optimizer)


# Not more than a few: what is kept here keeps its net and optimizer in memory
@functools.lru_cache(maxsize=2)
def _step(net: Any, loss: Any, trainer: Any) -> Callable[..., tuple[Any, Any]]:
    """The column's `train_step` with what `Trainer` has around it."""
    if isinstance(trainer, Trainer):
        if trainer.net is not net:
            raise ValueError(
                "trainer: expected the Trainer of `net`, got another net's"
            )
        return lambda net, loss_of, trainer, *batch: trainer.step(loss_of, *batch)
    several = world_size() > 1
    stepper = backend.training.Stepper(
        net, trainer, check_outcome, True, several, None, 1
    )
    finite, number = FiniteLoss(), itertools.count(1)

    def step(_net: Any, loss_of: Any, _trainer: Any, *batch: Any) -> tuple[Any, Any]:
        mean, right = stepper.step(loss_of, *batch)
        mean_statistics(net)
        finite.add(next(number), mean)
        return mean, right

    return step


def train_ch13(
    net: Module,
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
    checkpoint: Checkpoint | None = None,
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
        checkpoint: `d2lcv.Checkpoint` that is written after each epoch, with a
            `d2lcv.Trainer` only; if it says `resume`, the training goes on from it, and
            ends as if it had not been cut.

    Returns:
        `TrainingResult`. The numbers of each epoch are printed, too. In several processes
        they are those of all together, and the first process prints.

    Raises:
        TypeError: the loss is no function, the trainer no optimizer.
        ValueError: no epoch, no device, an iterator without a batch.
        FloatingPointError: the loss is infinite or NaN, as of `Trainer.step`.
    """
    num_epochs = at_least("num_epochs", num_epochs, 1)
    check_net("net", net)
    _check_batches("train_iter", train_iter)
    check_function("split_f", split_f)
    if before_batch is not None:
        check_function("before_batch", before_batch)
    if ignore is not None:
        ignore = label("ignore", ignore)
    if figure is not None:
        check_path("figure", figure)
    test = None if test_iter is None else _Shared(net, test_iter, ignore, "test_iter")
    _check_step(loss, trainer)
    step = _step(net, loss, trainer)
    devices = backend.engine.place(net, _devices(devices))
    run = _Run(train_iter, test is not None, num_epochs, before_batch, ignore)
    loaders = [x for x in (train_iter, test_iter) if hasattr(x, "passes")]
    epochs = Epochs(num_epochs, trainer, checkpoint, loaders, run.curves)
    done = run.go_on(epochs)

    def report(_: float, loss: float, train_acc: float, test_acc: float | None) -> None:
        row = {"loss": loss, "train_acc": train_acc}
        if test is not None and test_acc is not None:
            row["test_acc"] = test.merged(test_acc)
        epochs.add(row, num_examples=run.num_examples, seconds=run.seconds)

    if done < num_epochs:
        with judged("net, train_iter, test_iter, loss, split_f"):
            backend.engine.train_ch13(
                net,
                run,
                test,
                loss,
                trainer,
                num_epochs - done,
                devices,
                split_f,
                ignore,
                run.watched(step),
                report,
                run.gathered,
            )
    history = [
        (row["loss"], row["train_acc"], row.get("test_acc")) for row in epochs.history
    ]
    result = TrainingResult(
        *history[-1], round(run.num_examples), run.seconds, tuple(history)
    )
    run.curves.close(result, devices, figure)
    return result


def _devices(devices: Any) -> Sequence[Any]:
    if devices is None:
        found = backend.tensors.try_all_gpus()
        # of several processes each takes its own
        return found if world_size() == 1 else [found[rank() % len(found)]]
    single = isinstance(devices, str) or not hasattr(devices, "__len__")
    devices = [devices] if single else listed("devices", devices)
    if not devices:
        raise ValueError("devices: expected at least one, got none")
    if any(device is None for device in devices):
        raise ValueError(f"devices: expected devices, got {devices}")
    for device in devices:
        on_device("devices", backend.tensors.zeros((1,)), device)
    return devices


class _Run:
    """What stands around the loop: its bar, curves and clock, and other processes.

    It is the loop's iterator over the training set.
    """

    def __init__(
        self,
        train_iter: Iterable[Any],
        has_test: bool,
        num_epochs: int,
        before_batch: Callable[[float], None] | None,
        ignore: int | None,
    ) -> None:
        self.train_iter, self.before_batch = train_iter, before_batch
        self.ignore, self.epoch, self.num_examples = ignore, 0, 0.0
        self.curves = _Curves(num_epochs, train_iter, has_test)
        self.timer, self.seconds_before = Timer(), 0.0

    def go_on(self, epochs: Epochs) -> int:
        """Count what was done before a checkpoint, too; how many epochs these are."""
        found = epochs.checkpoint.progress if epochs.checkpoint else {}
        self.num_examples = found.get("num_examples", 0.0)
        self.seconds_before = found.get("seconds", 0.0)
        self.epoch = len(epochs.history)
        return self.epoch

    @property
    def seconds(self) -> float:
        return self.seconds_before + self.timer.sum()

    def __iter__(self) -> Iterator[Any]:
        self.timer.start()
        self.sums = Accumulator(4)  # loss, right ones, examples, labels
        n = self.curves.num_batches
        bar = self.curves.progress(self.train_iter, self.epoch)
        for i, batch in enumerate(bar):
            if self.before_batch is not None:
                self.before_batch(self.epoch + (i / n if n else 0.0))
            yield _pair("train_iter", batch)
            if n and self.curves.is_due(i, n):
                loss, right, examples, labels = self.sums[:]
                done = self.epoch + (i + 1) / n
                self.curves.add(done, (loss / examples, right / max(labels, 1.0)))
        self.epoch += 1
        if not self.sums[2]:
            raise ValueError(
                "train_iter: expected at least one batch, got none in epoch "
                f"{self.epoch}"
                + (" (a generator serves for one epoch only)" if self.epoch > 1 else "")
            )

    def watched(self, step: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
        """`step`, with its loss and right predictions added to the sums for the curves."""

        def watched(net: Any, loss_of: Any, trainer: Any, *parts: Any) -> Any:
            mean, right = step(net, loss_of, trainer, *parts)
            ys = parts[1]
            n = sum(map(len, ys))
            self.sums.add(mean * n, right, n, 0)
            for y in ys:
                labels = backend.engine.number_of_labels(y, self.ignore)
                self.sums.add(0, 0, 0, labels)
            return mean, right

        return watched

    def gathered(self, sums: list[float]) -> list[float]:
        """The sums of an epoch over all processes; its clock stops."""
        sums = [mean * world_size() for mean in mean_numbers(sums)]
        self.timer.stop()
        self.num_examples += sums[2]
        return sums


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
        return progress(batches, f"epoch {epoch + 1}/{self.num_epochs}", rank() == 0)

    def is_due(self, i: int, n: int) -> bool:
        """A point at every fifth of an epoch; the last one comes with the test."""
        return i + 1 < n and (i + 1) % max(1, n // 5) == 0

    def add(self, epochs: float, numbers: Sequence[float]) -> None:
        """Points of the loss, the accuracy in training and, after an epoch, in the test."""
        if self.animator is not None:
            self.animator.add(epochs, numbers)
            axes, loss = self.animator.axes[0], numbers[0]
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
