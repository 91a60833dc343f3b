"""Running a chapter: its options, where its output goes, and its result in one form."""

from __future__ import annotations

import argparse
import atexit
import json
import math
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..backends import DEVICE_VARIABLE, backend, use
from ..checkpoints import Checkpoint, Epochs
from ..checks import check_kind, check_text, texts
from ..distributed import join_processes, rank, world_size
from ..files import check_writable, write_file
from ..lesson.page import page
from ..meters import progress
from ..notebook import kernel
from .endings import end_plainly
from .options import Parser, named_or_there, number
from .signals import end_cleanly

__all__ = ["Chapter"]

ARGUMENTS_VARIABLE = "D2L_ARGS"
# Settings with which a checkpoint may be gone on from though they are others
FREE = ("num_epochs", "min_steps", "threshold", "exercises")


class Chapter:
    """Options and result of one run of a chapter script.

    ```python
    run = d2lcv.Chapter("ssd", quick={"num_epochs": 6}, book={"num_epochs": 20})
    for epoch in range(run.num_epochs):
        ...
    run.report({"mAP@0.5": 0.9}, num_examples=6000, seconds=120.0)
    ```

    Reads the command line (`--preset quick|book`, `--data`, `--seed`, `--device`, `--code`,
    `--out`, and one option for each setting of the presets); in a notebook, the variable
    `D2L_ARGS` instead, unless `argv` is given. Then chooses the backend, joins the
    processes that a launcher started, seeds, and prints what is used.

    Of several processes the first one prints and writes; what the others write is thrown
    away. `batch_size` is then each one's share of a batch.

    Args:
        name: the chapter's name.
        quick: settings of the default preset, which ends in minutes on two CPU cores.
        book: the book's settings, with the same keys.
        data: names accepted by `--data` besides a folder, the default first; empty for a
            chapter without data.
        argv: arguments to read instead of those described above.

    Attributes:
        preset, data, seed, out: the options; each setting is an attribute, too.
        device: where nets and batches go: that of `--device`, or else the first GPU; of
            several processes each has its own.
    """

    def __init__(
        self,
        name: str,
        quick: Mapping[str, Any],
        book: Mapping[str, Any],
        data: Sequence[str] = ("synthetic", "book"),
        argv: Sequence[str] | None = None,
    ) -> None:
        self.name, self.started = check_text("name", name), time.perf_counter()
        check_kind("quick", quick, "settings by name", Mapping)
        check_kind("book", book, "settings by name", Mapping)
        self.settings = {"quick": dict(quick), "book": dict(book)}
        argv = _arguments() if argv is None else texts("argv", argv)
        options = self._parse(texts("data", data), argv)
        if kernel() is None:
            end_plainly(f"{name}.py")
        self.preset, self.data = options.preset, getattr(options, "data", None)
        self.seed, self.resume = options.seed, options.resume
        self._tensorboard = options.tensorboard
        page.start(prints=options.code)
        for key, value in self.settings[self.preset].items():
            given = getattr(options, key)
            setattr(self, key, value if given is None else given)
        self._chosen = {key: getattr(self, key) for key in quick}

        from ..figures import set_output
        from ..randomness import seed

        if options.device is not None:
            use(device=options.device)
        self._join()
        self.out = Path(options.out or Path("out") / f"{name}-{backend.entry.name}")
        self._kept = self.out  # where checkpoints are, which all processes read
        if rank():
            self.out = _private()
        check_writable(self.out / "result.json")
        set_output(self.out)
        # an earlier run's result would be taken for this one's if this one fails
        (self.out / "result.json").unlink(missing_ok=True)
        seed(self.seed)
        self.device = backend.tensors.try_gpu()
        if world_size() > 1:
            devices = backend.tensors.try_all_gpus()
            self.device = devices[rank() % len(devices)]
        self._checkpoint: Checkpoint | None = None
        if kernel() is None:
            end_cleanly(self._interrupted, world_size() > 1)
        print(self._header(), flush=True)

    def _parse(self, data: Sequence[str], argv: Sequence[str]) -> argparse.Namespace:
        parser = Parser(
            prog=f"{self.name}.py",
            description=f"Chapter {self.name}; D2L_BACKEND chooses the framework.",
        )
        parser.add_argument(
            "--preset",
            choices=list(self.settings),
            default="quick",
            help="quick ends in minutes, book has the book's sizes (default: quick)",
        )
        if data:
            named = ", ".join(repr(d) for d in data).replace("%", "%%")
            parser.add_argument(
                "--data",
                type=partial(named_or_there, data),
                default=data[0],
                help=f"{named}, or a folder as the chapter reads it (default: the first)",
            )
        parser.add_argument(
            "--seed",
            type=partial(number, int, 0),
            default=0,
            help="where the random numbers begin (default: 0)",
        )
        parser.add_device()
        parser.add_argument(
            "--code", action="store_true", help="print the framework's code, too"
        )
        parser.add_argument("--out", help="folder for figures and result.json")
        parser.add_argument(
            "--resume",
            action="store_true",
            help="go on from the checkpoints in that folder, if there are some",
        )
        parser.add_argument(
            "--tensorboard",
            metavar="DIR",
            help="also write the numbers of each epoch for TensorBoard",
        )
        quick, book = self.settings["quick"], self.settings["book"]
        if quick.keys() != book.keys():
            raise ValueError(
                f"quick, book: expected the same settings, only one of them has "
                f"{', '.join(sorted(quick.keys() ^ book.keys()))}"
            )
        for key, value in quick.items():
            parser.add_setting(key, value, book[key])
        return parser.parse_args(argv)

    def _join(self) -> None:
        """Be one of several processes, if a launcher started them."""
        n = join_processes()[1]
        if n == 1:
            return
        device = os.environ.get(DEVICE_VARIABLE, "")
        if ":" in device:
            raise ValueError(
                f"--device: expected cpu or gpu for {n} processes, which take a GPU each, "
                f"got {device}"
            )
        if "num_epochs" not in self.settings["quick"]:
            raise ValueError(
                f"--processes: {self.name} does not train on batches, which several "
                "processes could share; run it without"
            )
        size = getattr(self, "batch_size", n)
        if size % n:
            raise ValueError(
                f"--batch-size: expected a multiple of the {n} processes, which share "
                f"each batch, got {size}"
            )
        self.batch_size = size // n

    def _header(self) -> str:
        entry = backend.entry
        data = f", data {self.data}" if self.data is not None else ""
        return (
            f"{self.name}: {entry.title} {entry.version} on "
            f"{backend.tensors.device_name()}{_several()}, preset {self.preset}{data}, "
            f"seed {self.seed}, output in {self.out}"
        )

    def progress(self, iterable: Iterable[Any], description: str) -> Iterable[Any]:
        """`iterable` with a progress bar, or with a line each half minute in a log."""
        return progress(iterable, description, rank() == 0)

    def epochs(
        self,
        num_epochs: int,
        trainer: Any,
        train_iter: Any,
        animator: Any = None,
        name: str = "",
    ) -> Epochs:
        """The epochs of a training; with `--resume` those after its last checkpoint.

        ```python
        epochs = run.epochs(run.num_epochs, trainer, train_iter)
        for epoch in epochs:
            ...
            epochs.add({"loss": loss})  # prints a line and writes the checkpoint
        ```
        """
        return Epochs(
            num_epochs, trainer, self.checkpoint(name), [train_iter], animator
        )

    def checkpoint(self, name: str = "") -> Checkpoint:
        """The checkpoint of a training of this chapter; several have names."""
        path = self._kept / f"{name and name + '-'}checkpoint.safetensors"
        settings = {
            "seed": self.seed,
            "data": self.data,
            **{k: v for k, v in self._chosen.items() if k not in FREE},
        }
        board = self._tensorboard and Path(self._tensorboard, name)
        self._checkpoint = Checkpoint(path, self.resume, settings, board)
        return self._checkpoint

    def report(
        self,
        metrics: Mapping[str, float],
        num_examples: float | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Print the result, write it to `result.json`, and return it.

        Args:
            metrics: name → value.
            num_examples, seconds: examples trained on, and the time that took: their
                quotient is the rate. The result's own `seconds` are of the whole run.
        """
        rate = num_examples / seconds if num_examples and seconds else None
        result = self._result(metrics, rate)
        self._write(result)
        rows = [(name, f"{value:.6g}") for name, value in result["metrics"].items()]
        if rate is not None:
            rows.append(("examples/sec", f"{rate:.1f}"))
        rows += [("seconds", f"{result['seconds']:.0f}")]
        rows += [("device", result["device"]), ("backend", result["backend"])]
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            print(f"result  {name:<{width}}  {value}", flush=True)
        return result

    def _result(
        self, metrics: Mapping[str, float], rate: float | None = None
    ) -> dict[str, Any]:
        return {
            "chapter": self.name,
            "backend": backend.entry.name,
            "device": backend.tensors.device_name(),
            "data": self.data,
            "preset": self.preset,
            "seed": self.seed,
            "processes": world_size(),
            "metrics": {name: float(value) for name, value in metrics.items()},
            "examples_per_sec": rate,
            "seconds": time.perf_counter() - self.started,
        }

    def _write(self, result: Mapping[str, Any]) -> None:
        text = json.dumps(_finite(result), indent=1) + "\n"
        write_file(self.out / "result.json", text.encode())

    def _interrupted(self) -> None:
        """Write what there is when a signal ends the program, and say it."""
        if rank():
            return shutil.rmtree(self.out, ignore_errors=True)
        said, numbers = "before the first epoch of a training was done", {}
        if self._checkpoint and self._checkpoint.progress.get("history"):
            history = self._checkpoint.progress["history"]
            done = self._checkpoint.progress.get("done", f"epoch {len(history)}")
            said = f"after {done}, as it is in {self._checkpoint.path}"
            said += "; the same command with --resume goes on from there"
            numbers = history[-1]
        self._write({**self._result(numbers), "interrupted": True})
        print(f"{self.name}: interrupted {said}", flush=True)


def _several() -> str:
    return f" in {world_size()} processes" if world_size() > 1 else ""


def _private() -> Path:
    """A folder for what is thrown away: of several processes the first one shows it."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    folder = tempfile.mkdtemp(prefix="d2lcv-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _finite(value: Any) -> Any:
    """`value` with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arguments() -> list[str]:
    if kernel():
        return shlex.split(os.environ.get(ARGUMENTS_VARIABLE, ""))
    return sys.argv[1:]
