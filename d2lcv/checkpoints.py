"""A training that was cut goes on: weights, optimizer and random streams in one file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import randomness
from .backends import install_command
from .checks import check_kind, check_path, described
from .distributed import mean_numbers, rank
from .files import make_folder
from .meters import duration
from .training import Trainer
from .weights import (
    STATE,
    describe,
    get_weights,
    read_description,
    read_tensors,
    read_weights,
    set_weights,
    write,
)

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]


def save_checkpoint(
    trainer: Trainer,
    path: str | os.PathLike[str],
    progress: Mapping[str, Any] | None = None,
    loaders: Sequence[Any] = (),
) -> str:
    """Write all that a training needs to go on to one safetensors file; returns its path.

    ```python
    for epoch in range(start, num_epochs):
        for X, Y in train_iter:
            trainer.step(step, X, Y)
        d2lcv.save_checkpoint(trainer, "run.ckpt", {"epoch": epoch + 1}, [train_iter])
    ```

    It has the weights and statistics of the net, what the optimizer keeps of each weight,
    the learning rate, the number of steps, and where the random numbers of the package
    are. It also says what `save_weights` says, so that `load` makes the net from it. Every
    backend reads it, whichever wrote it. The file appears only when it is whole: one that
    was there before stays until then. Of several processes the first one writes.

    In the middle of an accumulation (`Trainer(…, accumulate=k)`) the weights are updated
    first, with the mean of the steps so far, as by `trainer.update()`.

    The framework's own draws (dropout) begin anew, from a number that the seed and the
    steps decide: here, and after `load_checkpoint`. So a training that was cut and one that
    was not draw the same.

    Args:
        trainer: of the net; its net must have had a batch where weights are made by it.
        path: of the file.
        progress: what else is to come back: anything that JSON can say, such as the epochs
            done and their losses.
        loaders: those of `loader` whose order and augmentations are to go on, between two
            of their passes.

    Raises:
        TypeError: no Trainer, no path, a loader that does not count its passes, or
            `progress` is not of JSON's types.
    """
    _check(trainer, loaders)
    if progress is not None:
        check_kind("progress", progress, "what JSON can say, by names", Mapping)
    trainer.update()  # with what is accumulated, if something is
    own = trainer.get_state()
    about = {
        "optimizer": _name(trainer),
        "lr": trainer.lr,
        "steps": trainer.steps,
        "random": randomness.get_state(),
        "passes": [loader.passes for loader in loaders],
        "progress": dict(progress or {}),
    }
    try:
        json.dumps(about)
    except (TypeError, ValueError) as error:
        raise TypeError(f"progress: expected what JSON can say: {error}") from None
    arrays = get_weights(trainer.net) | {STATE + k: v for k, v in own.items()}
    if rank() == 0:
        write(path, arrays, {**describe(trainer.net), "checkpoint": about})
    randomness.begin_anew(trainer.net, trainer.steps)
    return str(path)


def load_checkpoint(
    trainer: Trainer, path: str | os.PathLike[str], loaders: Sequence[Any] = ()
) -> dict[str, Any]:
    """Go on from a file of `save_checkpoint`, whichever backend wrote it.

    ```python
    start = d2lcv.load_checkpoint(trainer, "run.ckpt", [train_iter])["epoch"]
    ```

    The trainer is made as it was made before, of a net of the same kind; then its weights,
    optimizer, learning rate and steps are those of the file, and so are the random streams
    of this process. On the backend that wrote the file the training goes on as if it had
    not been cut, on another one within the tolerances of a training there.

    Returns:
        The `progress` that was saved.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint, or of another net, optimizer or number of loaders.
            The trainer and its net are then as they were.
        TypeError: as of `save_checkpoint`.
    """
    _check(trainer, loaders)
    about = read_description(path).get("checkpoint")
    if not isinstance(about, dict):
        raise ValueError(
            f"{path}: expected a file of d2lcv.save_checkpoint; this one has weights only, "
            "which d2lcv.load and d2lcv.load_weights read"
        )
    if about["optimizer"] != _name(trainer):
        raise ValueError(
            f"trainer: expected the optimizer {about['optimizer']!r} of {path}, got "
            f"{_name(trainer)!r}"
        )
    if len(about["passes"]) != len(loaders):
        raise ValueError(
            f"loaders: expected {len(about['passes'])}, as were saved in {path}, got "
            f"{len(loaders)}"
        )
    trainer.update()  # nothing that is accumulated is left
    tensors = read_tensors(path)
    state = {
        k.removeprefix(STATE): v for k, v in tensors.items() if k.startswith(STATE)
    }
    before = get_weights(trainer.net)
    try:
        set_weights(trainer.net, read_weights(path))
        trainer.set_state(state, about["steps"])
    except ValueError as error:
        set_weights(trainer.net, before)
        raise ValueError(f"{path}: {error}") from None
    if trainer.lr != about["lr"]:
        trainer.lr = about["lr"]
    for loader, passes in zip(loaders, about["passes"], strict=True):
        loader.passes = passes
    randomness.set_state(about["random"])
    randomness.begin_anew(trainer.net, trainer.steps)
    return about["progress"]


@dataclass
class Checkpoint:
    """The file of a training: written after each epoch, and where it goes on from.

    ```python
    checkpoint = d2lcv.Checkpoint("out/run.safetensors", resume=True)
    d2lcv.train_ch13(net, train_iter, test_iter, loss, trainer, 10, checkpoint=checkpoint)
    ```

    Args:
        path: of the file.
        resume: whether to go on from the file. If there is none, the training begins.
        settings: what the training depends on, in JSON's words, such as its batch size. A
            file that was written with others is not gone on from.
        tensorboard: folder for the numbers of each epoch, which TensorBoard shows as
            curves. It needs the package tensorboardX.

    Attributes:
        progress: what is written, or was found in the file: `history`, the numbers of
            each epoch that is done, and others.
    """

    path: str | os.PathLike[str]
    resume: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensorboard: str | os.PathLike[str] | None = None
    progress: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.path = check_path("path", self.path)
        self._board = None
        if self.tensorboard is not None and rank() == 0:
            self._board = _board(check_path("tensorboard", self.tensorboard))

    def draw(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Add the numbers of an epoch to the curves of TensorBoard, if it is asked for."""
        if self._board is not None:
            self._board(epoch, numbers)

    def save(self, trainer: Trainer, loaders: Sequence[Any]) -> None:
        about = {**self.progress, "settings": dict(self.settings)}
        save_checkpoint(trainer, self.path, about, loaders)

    def load(self, trainer: Trainer, loaders: Sequence[Any]) -> bool:
        """Go on from the file, if so it shall be and there is one: whether it was.

        Raises:
            ValueError: as of `load_checkpoint`, or the settings are others.
        """
        there = self.resume and os.path.exists(self.path)
        if mean_numbers([there]) != [there]:
            raise ValueError(
                f"{self.path}: expected it on the machine of every process, or on none; "
                "copy it to the others"
            )
        if not there:
            return False
        about = read_description(self.path).get("checkpoint") or {}
        before = about.get("progress", {}).get("settings", self.settings)
        for name in sorted(before.keys() | self.settings.keys()):
            old, new = before.get(name), self.settings.get(name)
            if old != new:
                raise ValueError(
                    f"{self.path} is of a training with {name} {old!r}, and this one has "
                    f"{new!r}: give the same settings, or do not resume"
                )
        self.progress = load_checkpoint(trainer, self.path, loaders)
        return True


def _board(folder: Any) -> Any:
    """What writes the numbers of an epoch to a new file in this folder, at once."""
    try:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "tensorboard: TensorBoard's files need the package tensorboardX; install it "
            f"with: {install_command('tensorboard')}"
        ) from error
    make_folder(folder)
    events = EventsWriter(str(folder / "events"))

    def write(epoch: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            row = {"step": epoch, "wall_time": time.time()}
            events.write_event(Event(**row, summary=scalar(name, value)))
        events.flush()

    return write


class Epochs:
    """The numbers of a training's epochs, from 0 or from where a checkpoint ends.

    ```python
    epochs = Epochs(10, trainer, Checkpoint("run.safetensors", resume=True), [train_iter])
    for epoch in epochs:
        ...
        epochs.add({"loss": loss, "accuracy": accuracy})
    ```

    `add` ends an epoch: it prints a line with its numbers, the seconds it took and the time
    to go, adds them to the curves of `animator`, and writes the checkpoint. `history` has
    the numbers of all epochs, those before the checkpoint included, and `last` the last.
    """

    def __init__(
        self,
        num_epochs: int,
        trainer: Any,
        checkpoint: Checkpoint | None = None,
        loaders: Sequence[Any] = (),
        animator: Any = None,
    ) -> None:
        self.num_epochs, self.trainer, self.animator = num_epochs, trainer, animator
        self.checkpoint, self.loaders = checkpoint, loaders
        self.history: list[dict[str, float]] = []
        self._seconds: list[float] = []
        self._begun = time.perf_counter()
        if checkpoint is None:
            return
        _check(trainer, loaders)
        if checkpoint.load(trainer, loaders):
            self.history = checkpoint.progress["history"]
            for n, row in enumerate(self.history, 1):
                self._draw(n, row)
            self._say(f"going on after epoch {len(self.history)} of {checkpoint.path}")
        elif checkpoint.resume:
            self._say(f"{checkpoint.path} is not there yet: beginning with epoch 1")
        checkpoint.progress["history"] = self.history

    def __iter__(self) -> Iterator[int]:
        self._begun = time.perf_counter()
        yield from range(len(self.history), self.num_epochs)

    @property
    def last(self) -> dict[str, float]:
        return self.history[-1]

    def add(self, numbers: Mapping[str, Any], **more: Any) -> None:
        """End an epoch: `numbers` are printed and drawn, `more` goes into the file only.

        Of several processes, which all call this, the numbers are the means.
        """
        row = dict(
            zip(numbers, mean_numbers(map(float, numbers.values())), strict=True)
        )
        self.history.append(row)
        n = len(self.history)
        self._draw(n, row)
        now = time.perf_counter()
        self._seconds.append(now - self._begun)
        self._begun = now
        said = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items()]
        said.append(duration(self._seconds[-1]))
        if n < self.num_epochs:
            mean = sum(self._seconds) / len(self._seconds)
            said.append(f"{duration(mean * (self.num_epochs - n))} to go")
        self._say(f"epoch {n}/{self.num_epochs}: {', '.join(said)}")
        if self.checkpoint is not None:
            self.checkpoint.progress |= more
            self.checkpoint.save(self.trainer, self.loaders)

    def _draw(self, n: int, row: Mapping[str, float]) -> None:
        if self.animator is not None:
            self.animator.add(n, list(row.values()))
        if self.checkpoint is not None:
            self.checkpoint.draw(n, row)

    def _say(self, text: str) -> None:
        if rank() == 0:
            print(text, flush=True)


def _check(trainer: Any, loaders: Any) -> None:
    if not isinstance(trainer, Trainer):
        raise TypeError(f"trainer: expected a d2lcv.Trainer, got {described(trainer)}")
    if not isinstance(loaders, (list, tuple)):
        raise TypeError(f"loaders: expected a list, got {described(loaders)}")
    for i, loader in enumerate(loaders):
        if not isinstance(getattr(loader, "passes", None), int):
            raise TypeError(
                f"loaders[{i}]: expected one of d2lcv.loader, got {described(loader)}"
            )


def _name(trainer: Trainer) -> str:
    """Of the update rule: a file of one is not for the other."""
    rule = trainer.optimizer
    if isinstance(rule, str):
        return rule
    return f"{type(rule).__module__}.{type(rule).__qualname__}"
