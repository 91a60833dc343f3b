"""Folders that are either complete or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ABANDONED = 24 * 3600.0  # seconds after which a killed process's leftovers may go


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents; an error says how to choose another place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose one that "
            "can be written (for data sets by the environment variable D2L_DATA)"
        ) from error


@contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """Yield a fresh hidden folder beside `target`, removed in the end in any case.

    It is on the same file system as `target`, so that what is finished there can be
    renamed to `target` in one step.
    """
    make_folder(target.parent)
    prefix = f".{target.name}.tmp-"
    _remove_abandoned(target.parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the workspaces that killed processes left behind."""
    for old in parent.iterdir():
        if old.name.startswith(prefix) and _age(old) > _ABANDONED:
            shutil.rmtree(old, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another process was faster
        return 0.0


def move_into(source: Path, target: Path) -> None:
    """Move the folder `source` to `target`; a `target` that is there is filled up.

    A file of the same name is replaced, every other file of `target` stays.
    """
    if not target.is_dir():
        os.replace(source, target)
        return
    for entry in sorted(source.iterdir()):
        goal = target / entry.name
        if entry.is_dir() and goal.is_dir():
            move_into(entry, goal)
        else:
            os.replace(entry, goal)
