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
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from . import ENVIRONMENT_VARIABLE, REGISTRY, framework_of, resolve

__all__ = ["Worker", "WorkerError", "worker"]


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


class Worker:
    def __init__(self, name: str, python: str | os.PathLike[str] | None = None) -> None:
        self.name = resolve(name)
        environment = dict(os.environ, **{ENVIRONMENT_VARIABLE: self.name})
        # its own package even where this one's is not installed, as in a fresh clone
        root = str(Path(__file__).parents[2])
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
        self._process = subprocess.Popen(
            [str(python or sys.executable), "-m", "d2lcv.backends.worker", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._receive()

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call `function` in the worker: a public name of d2lcv, or "module:name".

        A module is an importable name or the path of a `.py` file. Its functions get the
        arguments as NumPy arrays and may return anything made of arrays, numbers, strings,
        lists, tuples and dicts; public names of d2lcv get native tensors.

        Raises:
            WorkerError: the call raised (with its traceback), or the process died.
        """
        if self._process.poll() is not None:
            raise WorkerError(f"the {self.name} worker is not running any more")
        try:
            _send(self._process.stdin, [function, list(args), kwargs])
        except BrokenPipeError as error:
            raise self._death() from error
        return self._receive()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)

    def _receive(self) -> Any:
        try:
            status, value = _read(self._process.stdout)
        except EOFError as error:
            raise self._death() from error
        if status == "error":
            raise WorkerError(f"in the {self.name} worker:\n{value}")
        return value

    def _death(self) -> WorkerError:
        self.close()
        return WorkerError(
            f"the {self.name} worker died with exit status {self._process.returncode}"
        )

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _send(stream: BinaryIO, message: Any) -> None:
    arrays: list[np.ndarray] = []
    head = json.dumps(_pack(message, arrays)).encode()
    body = io.BytesIO()
    np.savez(body, **{str(i): array for i, array in enumerate(arrays)})
    stream.write(struct.pack("<QQ", len(head), body.tell()))
    stream.write(head)
    stream.write(body.getbuffer())
    stream.flush()


def _read(stream: BinaryIO) -> Any:
    head, body = struct.unpack("<QQ", _exactly(stream, 16))
    message = json.loads(_exactly(stream, head))
    with np.load(io.BytesIO(_exactly(stream, body)), allow_pickle=False) as arrays:
        return _unpack(message, arrays)


def _exactly(stream: BinaryIO, count: int) -> bytes:
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
    if framework_of(value) is not None:
        from ..tensors import numpy

        value = numpy(value)
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
        return arrays[str(content)]
    if kind == "dict":
        return {_unpack(k, arrays): _unpack(v, arrays) for k, v in content}
    items = [_unpack(v, arrays) for v in content]
    return tuple(items) if kind == "tuple" else items


def _native(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        from ..tensors import tensor

        return tensor(value)
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


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name).resolve()
    if path.stem not in sys.modules:
        sys.path.insert(0, str(path.parent))
        importlib.import_module(path.stem)
    return sys.modules[path.stem]


def main(name: str) -> None:
    """Answer calls until the other end closes."""
    # frameworks print to standard output, which is the line to the other end
    line = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        from . import backend, use

        use(name)
        assert backend.entry.name in REGISTRY
        _send(line, ["ready", None])
    except Exception:
        _send(line, ["error", traceback.format_exc()])
        return
    while True:
        try:
            function, args, kwargs = _read(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = ["value", _perform(function, args, kwargs)]
            _send(line, answer)
        except Exception:
            _send(line, ["error", traceback.format_exc()])


if __name__ == "__main__":
    main(sys.argv[1])
