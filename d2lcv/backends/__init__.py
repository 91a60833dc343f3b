"""Choose, load and describe a backend.

The rules of this room:

- This file is the only place that knows the backends by name, and it imports none of
  them: whether one is installed is asked of `importlib.util.find_spec`.
- A framework is imported in its own column only (`backends/<name>/`); a column never
  imports another one.
- Every column has the same files, and each file the same public names with the same
  signatures (`tests/grid/test_grid.py` holds them to it).
- A topic module reaches the active column through `backend`: `backend.boxes.box_iou` is
  `box_iou` in `backends/<active>/boxes.py`.
- One framework per process: two of them crash each other by import order. Another one's
  answer is had from a `worker`, a subprocess.
- A new backend is one new column and one entry in `REGISTRY` (`CONTRIBUTING.md`).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

__all__ = [
    "REGISTRY",
    "Backend",
    "Module",
    "Tensor",
    "backend",
    "backend_name",
    "choice",
    "device_of",
    "framework_of",
    "install_command",
    "installed",
    "resolve",
    "use",
]

# What a framework has of its own kind: `torch.Tensor` and `torch.nn.Module`, and so on
Module: TypeAlias = Any
Tensor: TypeAlias = Any

ENVIRONMENT_VARIABLE = "D2L_BACKEND"
DEVICE_VARIABLE = "D2L_DEVICE"
VISIBLE = "CUDA_VISIBLE_DEVICES"  # read by all frameworks when they are loaded


@dataclass(frozen=True)
class Backend:
    """What can be known of a backend without importing it."""

    name: str
    title: str
    package: str  # what `import` and `find_spec` call it
    distribution: str  # what pip calls it
    tensor: str
    aliases: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()  # what its column imports besides `package`
    pythons: tuple[str, ...] = ("3.10", "3.11", "3.12", "3.13")
    form: str = ""  # of the programs that it writes, if that has another name

    @property
    def program(self) -> str:
        return self.form or self.name

    @property
    def packages(self) -> tuple[str, ...]:
        return (self.package, *self.companions)

    @property
    def is_installed(self) -> bool:
        spec = importlib.util.find_spec(self.package)
        # a folder of that name without an `__init__.py` is found, too: it has no origin
        return spec is not None and spec.origin is not None

    @property
    def version(self) -> str | None:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(self.distribution)
        if not self.is_installed:
            return None
        # a build of another name: paddlepaddle-gpu, tensorflow-cpu
        names = importlib.metadata.packages_distributions().get(self.package, ())
        return importlib.metadata.version(names[0]) if names else None

    @property
    def install_command(self) -> str:
        return install_command(self.name)


REGISTRY = {
    entry.name: entry
    for entry in (
        Backend(
            "torch",
            "PyTorch",
            "torch",
            "torch",
            "torch.Tensor",
            ("pytorch",),
            companions=("torchvision",),
        ),
        Backend(
            "mxnet",
            "MXNet",
            "mxnet",
            "mxnet",
            "mxnet.np.ndarray",
            ("mx",),
            pythons=("3.10", "3.11", "3.12"),  # it needs NumPy 1.x
        ),
        Backend(
            "paddle",
            "PaddlePaddle",
            "paddle",
            "paddlepaddle",
            "paddle.Tensor",
            ("paddlepaddle",),
        ),
        Backend(
            "tensorflow",
            "TensorFlow",
            "tensorflow",
            "tensorflow",
            "tf.Tensor",
            ("tf",),
            companions=("keras",),
            form="savedmodel",
        ),
    )
}


def install_command(extra: str) -> str:
    """What installs an extra of this package, by what its metadata requires here."""
    from packaging.requirements import Requirement

    names = []
    with suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires("d2lcv") or ():
            one = Requirement(line)
            when = one.marker
            if when and "extra" in str(when) and when.evaluate({"extra": extra}):
                one.marker = None
                names.append(f'"{one}"')
    checkout = Path(__file__).parents[2]
    if not names and (checkout / "pyproject.toml").is_file():
        return f'pip install -e "{checkout}[{extra}]"'
    return " ".join(["pip install", *(names or [f'"d2lcv[{extra}]"'])])


def resolve(name: str) -> str:
    """The registered name for `name` or one of its aliases.

    Raises `ValueError`, listing the known names, if there is none.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: expected text, got {name!r}")
    wanted = name.strip().lower()
    for entry in REGISTRY.values():
        if wanted == entry.name or wanted in entry.aliases:
            return entry.name
    known = ", ".join(
        "/".join((entry.name, *entry.aliases)) for entry in REGISTRY.values()
    )
    # not `words.did_you_mean`: start.py runs this file where there is no package
    from difflib import get_close_matches

    names = [n for e in REGISTRY.values() for n in (e.name, *e.aliases)]
    near = get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown backend {name!r}; {hint}the known ones are {known}")


def device_of(text: Any) -> str:
    """The device that a text names: `cpu`, `gpu` or a number of these, `gpu:1`.

    Raises `ValueError` for another text, `TypeError` for what is none.
    """
    if not isinstance(text, str):
        raise TypeError(f"device: expected text, got {text!r}")
    device = text.strip().lower()
    if not re.fullmatch("cpu|gpu(:[0-9]{1,3})?", device):
        raise ValueError(
            f"device: expected 'cpu', 'gpu' or the number of one such as 'gpu:1', got "
            f"{text!r}"
        )
    return device


def _hide(device: str) -> None:
    """Let the framework that is loaded next see no other GPU of NVIDIA than the chosen."""
    given = os.environ.get(VISIBLE)
    number = device.partition(":")[2]
    if device == "cpu":
        os.environ[VISIBLE] = "-1"
    elif number:  # of those that are to be seen
        seen = (
            number if given is None else ",".join(given.split(",")[int(number) :][:1])
        )
        os.environ[VISIBLE] = seen


def installed() -> list[str]:
    """Names of the backends whose framework is installed, in the default order."""
    return [entry.name for entry in REGISTRY.values() if entry.is_installed]


def framework_of(value: Any) -> Backend | None:
    """The backend whose framework defines the type of `value`, if any does."""
    root = type(value).__module__.partition(".")[0]
    return next((b for b in REGISTRY.values() if root in b.packages), None)


def _usable(name: str) -> str:
    entry = REGISTRY[resolve(name)]
    if not entry.is_installed:
        raise ModuleNotFoundError(
            f"backend {entry.name!r} needs {entry.title}, which is not installed; "
            f"install it with: {entry.install_command}"
        )
    return entry.name


def _check_gpu(name: str, device: str) -> None:
    """Raise `RuntimeError` if a GPU was asked for and is not there: never in its place
    another one."""
    column = importlib.import_module(f"{__name__}.{name}.tensors")
    if column.device_name() == "cpu":
        raise RuntimeError(
            f"device: {device} was asked for, and {REGISTRY[name].title} sees no such GPU "
            f"here; `d2lcv --devices` shows what it sees"
        )


class _Active:
    """The active column: `backend.<topic>` is its module, imported at first use."""

    def __init__(self) -> None:
        self._chosen: str | None = None
        self._why = ""
        self._loaded: str | None = None

    @property
    def entry(self) -> Backend:
        return REGISTRY[self._load()]

    def choose(self, name: str, why: str = "chosen by d2lcv.use") -> str:
        name = resolve(name)
        if self._loaded not in (None, name):
            raise RuntimeError(
                f"backend {self._loaded!r} is already at work in this process, and "
                f"frameworks do not share one safely; start a new process with "
                f"{ENVIRONMENT_VARIABLE}={name}, or run single calls on the other one "
                f"with d2lcv.worker({name!r})"
            )
        self._chosen, self._why = _usable(name), why
        return name

    def choose_device(self, device: str) -> None:
        device = device_of(device)
        before = os.environ.get(DEVICE_VARIABLE, "").strip().lower()
        if self._loaded is not None and device != before:
            if device.startswith("gpu"):
                _check_gpu(self._loaded, device)
            if ":" in device or (device == "cpu") != (
                self.tensors.device_name() == "cpu"
            ):
                raise RuntimeError(
                    f"device: {self.entry.title} is already at work in this process; "
                    f"choose before the first call that computes, or start a new process "
                    f"with {DEVICE_VARIABLE}={device}"
                )
        os.environ[DEVICE_VARIABLE] = device  # for processes that this one starts, too

    def choice(self) -> tuple[str, str]:
        if self._chosen is not None:
            return self._chosen, self._why
        name = self.default()
        asked = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
        why = f"{ENVIRONMENT_VARIABLE} is {asked!r}" if asked else "the first installed"
        return _usable(name), why

    def default(self) -> str:
        named = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
        if named:
            return named
        found = installed()
        if not found:
            commands = "\n".join(f"  {b.install_command}" for b in REGISTRY.values())
            raise ModuleNotFoundError(
                f"d2lcv needs one of its frameworks, and none is installed; "
                f"choose one:\n{commands}"
            )
        return found[0]

    def _load(self) -> str:
        if self._loaded is None:
            name = self._chosen or self.choose(*self.choice())
            device = os.environ.get(DEVICE_VARIABLE, "").strip()
            if device:  # columns read it, too
                device = os.environ[DEVICE_VARIABLE] = device_of(device)
                _hide(device)
            importlib.import_module(f"{__name__}.{name}")
            if device.startswith("gpu"):
                _check_gpu(name, device)
            self._loaded = name
        return self._loaded

    def __getattr__(self, topic: str) -> ModuleType:
        if topic.startswith("_"):
            raise AttributeError(topic)
        module = importlib.import_module(f"{__name__}.{self._load()}.{topic}")
        setattr(self, topic, module)
        return module


backend = _Active()


def use(name: str | None = None, device: str | None = None) -> str:
    """Choose backend and device of this process, before the first call that computes.

    Args:
        name: `torch`, `mxnet`, `paddle`, `tensorflow` or an alias (`pytorch`,
            `paddlepaddle`, `tf`). Without it: the environment variable `D2L_BACKEND`,
            else the first one installed in that order.
        device: what `try_gpu` and `try_all_gpus` give: `cpu`; `gpu`, all that the
            framework sees, at least one; or `gpu:1`, this one alone, counted from 0.
            Without it: the variable `D2L_DEVICE`, else all GPUs, or the CPU if there is
            none.

    Returns:
        The registered name. Nothing is imported yet.

    Raises:
        ValueError: unknown name, or no such device.
        ModuleNotFoundError: its framework is not installed (says how to install it).
        RuntimeError: another backend, or another device, is already at work in this
            process; or at the first call: there is no such GPU.
    """
    found = backend.choose(name if name is not None else backend.default())
    if device is not None:
        backend.choose_device(device)
    return found


def choice() -> tuple[str, str]:
    """The backend that is active, or would be at the first call, and why it is.

    Nothing is imported. Raises as `use` does.
    """
    return backend.choice()


def backend_name() -> str:
    """The active backend's name (chooses and loads the default one if none is yet)."""
    return backend.entry.name
