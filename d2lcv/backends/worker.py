"""Another backend, in a process of its own: calls go in and arrays come out.

Run as a module (`python -m d2lcv.backends.worker paddle`) it is the process; imported, it
is the handle on it. Messages are a length, a JSON head, and NumPy arrays as `.npz`: they
carry nothing executable, and Python and NumPy may be of another version on either side.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import os
import struct
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any, cast

import numpy as np

from . import ENVIRONMENT_VARIABLE, REGISTRY, backend, framework_of, resolve, use

__all__ = ["Worker", "WorkerError", "worker"]

MARK = b"d2l:"  # each message begins with it: what else a process prints is no answer


class WorkerError(RuntimeError):
    """A call failed in the worker (its traceback is in the message), or it died."""


def worker(name: str, python: str | os.PathLike[str] | None = None) -> Worker:
    """Start a subprocess in which `name` is the active backend.

    ```python
    with d2lcv.worker("paddle") as paddle:
        iou = paddle.box_iou(boxes1, boxes2)          # NumPy in, NumPy out
        out = paddle.call("my_module:function", array)  # any importable function
    ```

    Arrays (and tensors of the active backend) become tensors of the worker's backend on
    the way in, and NumPy arrays on the way out, also inside lists, tuples and dicts.

    Args:
        name: the backend, or an alias.
        python: interpreter of another environment, where that framework and `d2lcv` are
            installed; without it this one's.

    Raises:
        ValueError: unknown name.
        WorkerError: the process did not come up (what it printed is in the message).
    """
    return Worker(name, python)


def environment_of(name: str, has_libraries: bool = True) -> dict[str, str]:
    """Variables of a process in which `name` is the backend and this package is found.

    Also where the package is not installed, as in a fresh clone; but never the libraries
    that are installed beside it, for an interpreter that has its own.
    """
    environment = {**os.environ, ENVIRONMENT_VARIABLE: name}
    root = Path(__file__).parents[2]
    if has_libraries or (root / "pyproject.toml").is_file():
        paths = [str(root), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    return environment


class Worker:
    def __init__(self, name: str, python: str | os.PathLike[str] | None = None) -> None:
        self.name = resolve(name)
        if python is not None and not isinstance(python, (str, os.PathLike)):
            raise TypeError(f"python: expected the path of a program, got {python!r}")
        environment = environment_of(self.name, python is None)
        try:
            self._process = subprocess.Popen(
                [
                    str(python or sys.executable),
                    "-m",
                    "d2lcv.backends.worker",
                    self.name,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"the {self.name} worker did not start with python={python!r}: {error}"
            ) from error
        assert self._process.stdin is not None and self._process.stderr is not None
        self._calls, self._errors = self._process.stdin, self._process.stderr
        self._answers = cast(io.BufferedReader, self._process.stdout)
        self._printed: deque[str] = deque(maxlen=40)
        self._relay = threading.Thread(
            target=_pass_on, args=(self._errors, self._printed), daemon=True
        )
        self._relay.start()
        self._turn = threading.Lock()  # one call after the other, whichever thread's
        # a handle that is dropped ends its process, too, which waits for calls till then
        weakref.finalize(self, _close, self._calls)
        try:
            self._exchange(())
        except WorkerError:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call `function` in the worker: a public name of d2lcv, or "module:name".

        A module is an importable name or the path of a `.py` file. Its functions get the
        arguments as NumPy arrays and may return anything made of arrays, numbers, strings,
        lists, tuples and dicts; public names of d2lcv get native tensors.

        Raises:
            WorkerError: the call raised (with its traceback), or the process died.
        """
        if not self.is_running:
            raise WorkerError(f"the {self.name} worker is not running any more")
        return self._exchange(_encode([function, list(args), kwargs]))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)

    def _exchange(self, message: Iterable[Any]) -> Any:
        with self._turn:
            return self._exchange_in_turn(message)

    def _exchange_in_turn(self, message: Iterable[Any]) -> Any:
        try:
            for part in message:
                self._calls.write(part)
            self._calls.flush()
            status, value = _read(self._answers)
        except (BrokenPipeError, EOFError) as error:
            self.close()
            printed = "".join(self._printed).strip()
            raise WorkerError(
                f"the {self.name} worker died with exit status "
                f"{self._process.returncode}{' after' if printed else ''}"
                f"{chr(10) + printed if printed else ''}"
            ) from error
        except BaseException:  # the rest of this answer must not pass for the next one
            self._process.kill()
            self.close()
            raise
        if status == "error":
            raise WorkerError(f"in the {self.name} worker:\n{value}")
        return value

    def close(self) -> None:
        """End the process."""
        _close(self._calls)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._relay.join(1)
        if not self._relay.is_alive():  # else a process of the worker's holds the line
            self._errors.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _close(stream: IO[bytes]) -> None:
    with suppress(OSError):  # of what is still to be written to a dead process
        stream.close()


def _pass_on(stream: IO[bytes], printed: deque[str]) -> None:
    for line in stream:
        printed.append(line.decode(errors="replace"))
        with suppress(Exception):  # read on in any case, or the process would wait
            sys.stderr.write(printed[-1])


def _encode(message: Any) -> tuple[Any, ...]:
    arrays: list[np.ndarray] = []
    head = json.dumps(_pack(message, arrays)).encode()
    body = io.BytesIO()
    np.savez(body, *arrays)  # called arr_0, arr_1, …
    return MARK, struct.pack("<QQ", len(head), body.tell()), head, body.getbuffer()


def _send(stream: IO[bytes], message: Any) -> None:
    for part in _encode(message):
        stream.write(part)
    stream.flush()


def _read(stream: io.BufferedReader) -> Any:
    mark = _exactly(stream, len(MARK))
    if mark != MARK:
        raise WorkerError(
            f"expected a message of a worker, got {mark + stream.read1()!r}"
        )
    head, body = struct.unpack("<QQ", _exactly(stream, 16))
    message = json.loads(_exactly(stream, head))
    with np.load(io.BytesIO(_exactly(stream, body)), allow_pickle=False) as arrays:
        return _unpack(message, arrays)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the other end closed the connection")
    return data


def _pack(value: Any, arrays: list[np.ndarray]) -> Any:
    """`value` as JSON; arrays are replaced by their place in `arrays`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_pack(v, arrays) for v in value]}
    if isinstance(value, dict):
        return {
            "dict": [[_pack(k, arrays), _pack(v, arrays)] for k, v in value.items()]
        }
    if framework_of(value) is not None and backend.tensors.is_tensor(value):
        value = backend.tensors.numpy(value)
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    raise TypeError(
        f"a worker exchanges arrays, numbers, strings, lists, tuples and dicts, got "
        f"{type(value).__module__}.{type(value).__qualname__}"
    )


def _unpack(value: Any, arrays: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[f"arr_{content}"]
    if kind == "dict":
        return {_unpack(k, arrays): _unpack(v, arrays) for k, v in content}
    items = [_unpack(v, arrays) for v in content]
    return tuple(items) if kind == "tuple" else items


def _native(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return backend.tensors.tensor(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_native, value))
    if isinstance(value, dict):
        return {k: _native(v) for k, v in value.items()}
    return value


def _perform(function: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    module, _, name = function.rpartition(":")
    if module:
        return getattr(_module(module), name)(*args, **kwargs)
    import d2lcv

    return getattr(d2lcv, name)(*_native(args), **_native(kwargs))


_FILES: dict[Path, ModuleType] = {}


def _module(name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name).resolve()
    if path not in _FILES:
        # its name may be taken, by another file or by the standard library
        alias = str(path) if path.stem in sys.modules else path.stem
        spec = importlib.util.spec_from_file_location(alias, path)
        assert spec is not None and spec.loader is not None  # it ends in .py
        module = sys.modules[alias] = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[alias]
            raise
        _FILES[path] = module
    return _FILES[path]


def main(name: str) -> None:
    """Answer calls until the other end closes."""
    # the line to the other end is ours alone: frameworks print to standard output, and
    # what a function reads or starts must not read from it
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    cast(io.TextIOWrapper, sys.stdout).reconfigure(line_buffering=True)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        use(name)
        assert backend.entry.name in REGISTRY
        _send(answers, ["ready", None])
    except Exception:
        _send(answers, ["error", traceback.format_exc()])
        return
    while True:
        try:
            function, args, kwargs = _read(calls)
        except EOFError:
            return
        try:
            answer = ["value", _perform(function, args, kwargs)]
            _send(answers, answer)
        except Exception:
            _send(answers, ["error", traceback.format_exc()])


def _end_with(parent: int) -> None:
    """End this process, also in the middle of a call, when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
