"""Folders that are either complete or not there."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ABANDONED = 24 * 3600.0  # seconds after which another machine's leftovers may go
_HOST = re.sub(r"\W", "_", socket.gethostname())[:40]
_WORKSPACE = re.compile(r"\..+\.tmp-(\w+)-(\d{1,9})-\w+")


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents; an error says how to choose another place."""
    with _advised(f"make the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _advised(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"cannot {what}: {error.strerror or error}; choose one that can be written "
            "(for data sets by the environment variable D2L_DATA)"
        ) from error


@contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """Yield a fresh hidden folder beside `target`, removed in the end in any case.

    It is on the same file system as `target`, so that what is finished there can be
    renamed to `target` in one step.
    """
    parent = target.parent
    make_folder(parent)
    _remove_abandoned(parent)
    prefix = f".{target.name[:60]}.tmp-{_HOST}-{os.getpid()}-"
    with _advised(f"write in the folder {parent}"):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_writable(target: Path) -> None:
    """Make the folder of `target` and write beside it, before work is done that is lost."""
    with workspace(target):
        pass


def write_file(path: Path, data: bytes) -> None:
    """Write a file that appears, or replaces the one there is, when it is whole."""
    if path.is_dir():
        raise IsADirectoryError(
            f"expected to write the file {path}, and there is a folder of that name"
        )
    with workspace(path) as folder:
        partial = folder / path.name
        partial.write_bytes(data)
        partial.replace(path)


def _remove_abandoned(parent: Path) -> None:
    """Remove the workspaces that killed processes left in `parent`."""
    for old in parent.iterdir():
        name = _WORKSPACE.fullmatch(old.name)
        if name is None:
            continue
        is_ours = name[1] == _HOST  # of another machine's processes we know nothing
        if (is_ours and not _is_running(int(name[2]))) or _age(old) > _ABANDONED:
            shutil.rmtree(old, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there, the question would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another process was faster
        return 0.0


def move_into(source: Path, target: Path) -> None:
    """Move the folder `source` to `target`; a `target` that is there is filled up.

    A file of the same name is replaced, every other file of `target` stays.

    Raises:
        FileExistsError: a file has the name of a folder, or the other way round. Nothing
            was moved then.
    """
    for path in source.rglob("*"):
        there = target / path.relative_to(source)
        if there.exists() and there.is_dir() != path.is_dir():
            kinds = ("folder", "file") if path.is_dir() else ("file", "folder")
            raise FileExistsError(
                f"expected to write the {kinds[0]} {there}, and there is a {kinds[1]} of "
                "that name; move it away first. Nothing was changed"
            )
    _move(source, target)


def _move(source: Path, target: Path) -> None:
    if not target.is_dir():
        os.replace(source, target)
        return
    for entry in sorted(source.iterdir()):
        goal = target / entry.name
        if entry.is_dir() and goal.is_dir():
            _move(entry, goal)
        else:
            os.replace(entry, goal)
