"""A training that was cut goes on: weights, optimizer and random streams in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from . import randomness
from .checks import described
from .distributed import rank
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

__all__ = ["load_checkpoint", "save_checkpoint"]


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
    randomness.begin_anew(trainer.steps)
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
    trainer.lr = about["lr"]
    for loader, passes in zip(loaders, about["passes"], strict=True):
        loader.passes = passes
    randomness.set_state(about["random"])
    randomness.begin_anew(trainer.steps)
    return about["progress"]


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
    return rule if isinstance(rule, str) else type(rule).__qualname__
