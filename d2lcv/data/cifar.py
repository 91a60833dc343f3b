"""The original archive of CIFAR-10, `cifar-10-python.tar.gz`, without running its pickles.

A pickle is a program, and may be any. The one that is run here can make dictionaries,
lists, texts, numbers and arrays of whole numbers, and nothing else: every name it asks
for is refused but those of an array's parts, which are stood in for by classes below.
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["find_cifar10", "read_cifar10"]

FOLDER, ARCHIVE, NAMES = "cifar-10-batches-py", "cifar-10-python.tar.gz", "batches.meta"
TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST = ("test_batch",)

_MAX_BYTES = 64 * 2**20  # a batch has 31 MB
_MAX_TOTAL = 1024 * 2**20  # all of them 186 MB
_MAX_MEMO = 10**6
_MAX_TUPLES = 100


def find_cifar10(source: str | os.PathLike[str]) -> str | None:
    """The original archive, or the folder with its batches, at or in `source`."""
    source = Path(source)
    if source.is_file():
        return str(source)
    for folder in (source, source / FOLDER):
        if (folder / TEST[0]).is_file():
            return str(folder)
    return str(source / ARCHIVE) if (source / ARCHIVE).is_file() else None


def read_cifar10(
    source: str | os.PathLike[str], is_train: bool
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images (N, 32, 32, 3) uint8, classes (N,) int64, and the names of the classes.

    Args:
        source: as `find_cifar10` gives it.
        is_train: the five training batches, or else the test batch.

    Raises:
        FileNotFoundError: a batch is missing.
        ValueError: a file is torn, or is anything but such a batch; it is named.
    """
    wanted = TRAIN if is_train else TEST
    read = _read_folder if os.path.isdir(source) else _read_archive
    files = read(Path(source), (*wanted, NAMES))
    missing = [name for name in (*wanted, NAMES) if name not in files]
    if missing:
        raise FileNotFoundError(f"{source}: there is no {', '.join(missing)} in it")
    values = {
        name: load_pickle(raw, f"{source}: {name}") for name, raw in files.items()
    }
    names = _names(values[NAMES], f"{source}: {NAMES}")
    batches = [_batch(values[n], len(names), f"{source}: {n}") for n in wanted]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return images, labels, names


# ---- files ---------------------------------------------------------------------------


def _read_folder(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    files = {}
    for name in names:
        if (folder / name).is_file():
            _bounded((folder / name).stat().st_size, f"{folder}: {name}")
            files[name] = (folder / name).read_bytes()
    return files


def _read_archive(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The members with these names; nothing is written to the disk."""
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                total += member.size
                if total > _MAX_TOTAL:
                    raise ValueError(
                        f"{path}: it unpacks to more than {_MAX_TOTAL} bytes"
                    )
                name = Path(member.name).name
                content = archive.extractfile(member) if member.isreg() else None
                if name in names and content is not None:
                    _bounded(member.size, f"{path}: {name}")
                    files[name] = content.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole tar archive: {error}") from error
    return files


def _bounded(size: int, place: str) -> None:
    if size > _MAX_BYTES:
        raise ValueError(f"{place}: expected at most {_MAX_BYTES} bytes, got {size}")


# ---- what is in them -----------------------------------------------------------------


def _names(value: Any, place: str) -> list[str]:
    names = _entry(value, "label_names", place)
    if not isinstance(names, list) or not names:
        raise ValueError(f"{place}: expected a list of names, label_names")
    return [
        n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names
    ]


def _batch(value: Any, num_classes: int, place: str) -> tuple[np.ndarray, np.ndarray]:
    data, labels = (_entry(value, name, place) for name in ("data", "labels"))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
        raise ValueError(f"{place}: expected an array of uint8, data")
    if data.ndim != 2 or data.shape[1] != 3 * 32 * 32:
        raise ValueError(f"{place}: expected data of shape (N, 3072), got {data.shape}")
    whole = isinstance(labels, list) and all(type(label) is int for label in labels)
    if not whole or len(labels) != len(data):
        raise ValueError(f"{place}: expected a list of {len(data)} integers, labels")
    classes = np.array(labels, np.int64)
    if len(classes) and not 0 <= classes.min() <= classes.max() < num_classes:
        raise ValueError(f"{place}: expected labels from 0 to {num_classes - 1}")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), classes


def _entry(value: Any, name: str, place: str) -> Any:
    """The entry of a dictionary whose keys Python 2 wrote as bytes."""
    found = value if isinstance(value, dict) else {}
    if name not in found and name.encode() not in found:
        raise ValueError(f"{place}: expected a dictionary with {name!r}")
    return found.get(name, found.get(name.encode()))


# ---- pickles -------------------------------------------------------------------------


# No sets, no classes to make instances of, no persistent or registered objects
_OPERATIONS = frozenset(
    """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1
    FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES UNICODE
    BINUNICODE SHORT_BINUNICODE LIST EMPTY_LIST APPEND APPENDS DICT EMPTY_DICT SETITEM
    SETITEMS TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 GET BINGET LONG_BINGET PUT BINPUT
    LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD
    """.split()
)


def load_pickle(raw: bytes, place: str) -> dict[Any, Any]:
    """The dictionary in a pickle, whose values are plain or arrays of whole numbers.

    Raises:
        ValueError: it is torn, or asks for anything else; `place` is named.
    """
    try:
        _check_operations(raw)
        value = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
        if type(value) is not dict:
            raise ValueError(f"it is a {type(value).__name__}")
        return {k: v.value if type(v) is _Array else v for k, v in value.items()}
    except Exception as error:  # of a hostile file any may come
        raise ValueError(
            f"{place}: expected a pickled dictionary of plain values and arrays ({error})"
        ) from error


def _check_operations(raw: bytes) -> None:
    """Raise `ValueError` where a few bytes ask for a large memory or a deep stack."""
    tuples = 0
    for operation, argument, _ in pickletools.genops(raw):
        name = operation.name
        if name not in _OPERATIONS:
            raise ValueError(f"it has the operation {name}")
        if "PUT" in name and int(str(argument)) > _MAX_MEMO:
            raise ValueError("it numbers more values than it can have")
        tuples += name.startswith("TUPLE")
        if tuples > _MAX_TUPLES:  # nested, they would overflow the stack
            raise ValueError("it has more tuples than an array needs")


class _Part:
    """What stands in for a part of an array: it can be called, and given a state."""

    def __setstate__(self, state: Any) -> None:
        raise ValueError(f"a state for {type(self).__name__}")


class _Array(_Part):
    value: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        if not isinstance(dtype, _DType) or not isinstance(raw, bytes):
            raise ValueError("an array without a type or values")
        values = np.frombuffer(raw, dtype.value)
        self.value = values.reshape(shape, order="F" if is_fortran else "C")


class _Reconstruct(_Part):
    def __call__(self, kind: Any, shape: Any, code: Any) -> _Array:
        return _Array()


class _DType(_Part):
    def __init__(self, code: Any = None, align: Any = False, copy: Any = True) -> None:
        code = code.decode("ascii") if isinstance(code, bytes) else code
        if code not in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"):
            raise ValueError(f"an array of type {code!r}")
        self.value: np.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1]
        order = order.decode("ascii") if isinstance(order, bytes) else order
        self.value = self.value.newbyteorder(order)


class _Encode(_Part):
    """How Python 3 writes bytes for Python 2."""

    def __call__(self, text: str, encoding: Any = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise ValueError("bytes that are no text")
        return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        parts = {
            ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _Reconstruct,
            ("_codecs", "encode"): _Encode,
        }
        if (module, name) in parts:
            return parts[module, name]()
        if (module, name) == ("numpy", "dtype"):
            return type("dtype", (_DType,), {})  # a class of this file alone
        if (module, name) == ("numpy", "ndarray"):
            return None  # only said, never called
        raise ValueError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise ValueError("it asks for an object outside of the file")
