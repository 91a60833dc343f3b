"""The original archive of CIFAR-10, `cifar-10-binary.tar.gz`: its records as arrays."""

from __future__ import annotations

import os
import tarfile
import zlib
from pathlib import Path

import numpy as np

__all__ = ["find_cifar10", "read_cifar10", "read_records"]

FOLDER, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
TRAIN, TEST = [f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]
NAMES = "batches.meta.txt"

_RECORD = 1 + 3 * 32 * 32  # bytes
_MAX_BYTES = 64 * 2**20  # a batch has 31 MB


def find_cifar10(source: str | os.PathLike[str]) -> str | None:
    """The original archive, or the folder with its batches, at or in `source`.

    Raises:
        ValueError: what is there is the archive of Python's pickles.
    """
    source = Path(source)
    if source.is_file():
        return str(source)
    for folder in (source, source / FOLDER):
        if (folder / TEST[0]).is_file():
            return str(folder)
    if (source / ARCHIVE).is_file():
        return str(source / ARCHIVE)
    for pickled in ("test_batch", "cifar-10-batches-py", "cifar-10-python.tar.gz"):
        if (source / pickled).exists():
            raise ValueError(
                f"{source / pickled}: expected the binary version of CIFAR-10, "
                f"{ARCHIVE} or its folder {FOLDER}; this is the one for Python, whose "
                "files are programs and are not run"
            )
    return None


def read_records(files: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The images (N, 32, 32, 3), uint8, and classes (N,), int64, of whole batches."""
    # a record is a byte for the class, then all red pixels, all green and all blue ones
    records = np.frombuffer(b"".join(files), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1), records[:, 0].astype(np.int64)


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
    batches = TRAIN if is_train else TEST
    wanted = [*batches, NAMES]
    read = _read_folder if os.path.isdir(source) else _read_archive
    files = read(Path(source), wanted)
    if missing := [name for name in wanted if name not in files]:
        raise FileNotFoundError(f"{source}: there is no {', '.join(missing)} in it")
    names = files[NAMES].decode("utf-8", "replace").split()
    if not names:
        raise ValueError(f"{source}: {NAMES}: expected one class name per line")
    for name in batches:
        labels = files[name][::_RECORD]
        if not labels or len(files[name]) % _RECORD or max(labels) >= len(names):
            raise ValueError(
                f"{source}: {name}: expected records of {_RECORD} bytes, the first a "
                f"class from 0 to {len(names) - 1}"
            )
    return *read_records([files[name] for name in batches]), names


def _read_folder(folder: Path, names: list[str]) -> dict[str, bytes]:
    files = {}
    for name in names:
        if (folder / name).is_file():
            with open(folder / name, "rb") as file:
                files[name] = file.read(_MAX_BYTES)
    return files


def _read_archive(path: Path, names: list[str]) -> dict[str, bytes]:
    """The members with these names; nothing is written to the disk."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in names and member.isreg() and name not in files:
                    content = archive.extractfile(member)
                    files[name] = content.read(_MAX_BYTES) if content else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole tar archive: {error}") from error
    return files
