"""What is here: the installed backends, their devices, and the data folder.

Nothing in this module loads a framework into this process: versions are read from the
metadata of the installed packages, and devices are asked for in subprocesses.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__
from ..backends import ENVIRONMENT_VARIABLE, REGISTRY, Backend, choice
from ..data.hub import DATA_HUB, data_dir

__all__ = ["DataEntry", "data_entries", "devices", "overview"]

DEVICE_SECONDS = 120.0  # a framework that is loaded for the first time reads gigabytes
_MARK = "d2lcv-device:"  # what else a framework prints is no device
_ASK = f"""
import d2lcv
for device in d2lcv.try_all_gpus():
    print({_MARK!r} + d2lcv.device_name(device))
"""


class DataEntry(NamedTuple):
    """A data set, or an archive, in the data folder."""

    name: str  # its path in the folder
    kind: str  # "drawn" by the package, "download", or "folder"
    files: int
    size: int  # bytes


def devices(name: str, timeout: float = DEVICE_SECONDS) -> list[str]:
    """Names of the devices of a backend, asked for in a subprocess.

    Raises `RuntimeError` with the reason if the framework cannot be loaded, dies, or
    does not answer in `timeout` seconds.
    """
    root = str(Path(__file__).parents[2])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        ENVIRONMENT_VARIABLE: name,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"no answer in {timeout:g} seconds") from error
    if done.returncode:
        raise RuntimeError(_reason(done.returncode, done.stderr))
    lines = done.stdout.splitlines()
    return [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]


def _reason(status: int, printed: str) -> str:
    lines = printed.strip().splitlines() or ["it printed nothing"]
    if status < 0:  # killed by a signal; what it said first is nearest to the cause
        return f"died of signal {-status}: {lines[0].strip()}"
    return lines[-1].strip()


def data_entries(folder: str | os.PathLike[str] | None = None) -> list[DataEntry]:
    """What is in the data folder: drawn sets, archives, and folders from archives."""
    root = Path(folder if folder is not None else data_dir())
    drawn = root / "synthetic"
    archives = {url.rpartition("/")[2] for url, _ in DATA_HUB.values()}
    found = []
    for path in [*_listed(drawn), *(p for p in _listed(root) if p != drawn)]:
        kind = "drawn" if path.parent == drawn else "folder"
        if path.is_file():
            kind = "download" if path.name in archives else "file"
        files, size = _measure(path)
        found.append(DataEntry(path.relative_to(root).as_posix(), kind, files, size))
    return found


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # hidden ones are stamps, and sets that are being made
    return sorted(path for path in folder.iterdir() if path.name[0] != ".")


def _measure(path: Path) -> tuple[int, int]:
    """Number of files and their bytes, of a file or of everything below a folder."""
    if not path.is_dir():
        return 1, path.lstat().st_size
    files = size = 0
    for folder, _, names in os.walk(path):
        files += len(names)
        size += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
    return files, size


def overview(
    with_devices: bool = False, say: Callable[[str], Any] = str
) -> tuple[str, bool]:
    """The text of `python -m d2lcv`, and whether a backend can be used.

    Args:
        with_devices: also ask each installed backend for its devices, all at once, each
            in a subprocess; that takes seconds. One that fails is told with its reason.
        say: is given each line of the text as soon as it is known.
    """
    lines = []

    def tell(line: str) -> None:
        lines.append(line)
        say(line)

    tell(f"d2lcv {__version__}, Python {platform.python_version()}")
    tell("")
    usable = _backends(with_devices, tell)
    for line in ("", *_data()):
        tell(line)
    return "\n".join(lines), usable


def _backends(with_devices: bool, tell: Callable[[str], None]) -> bool:
    tell("backends:")
    rows = _table((e.name, e.title, _state(e)) for e in REGISTRY.values())
    failed, waiting = False, {}
    with ThreadPoolExecutor(len(rows)) as pool:
        for row, entry in zip(rows, REGISTRY.values(), strict=True):
            if with_devices and entry.is_installed:
                waiting[pool.submit(_answer, entry)] = row
            else:
                tell(row)
        for answer in as_completed(waiting):  # the quickest framework speaks first
            tell(f"{waiting[answer]}  {answer.result()}")
            failed |= answer.result().startswith("FAILED")
    try:
        name, reason = choice()
        tell(f"active: {name} ({reason})")
    except (ValueError, ModuleNotFoundError) as error:
        tell(f"active: none: {error}")
        return False
    return not failed


def _state(entry: Backend) -> str:
    if not entry.is_installed:
        return f"not installed: {entry.install_command}"
    return entry.version or "?"


def _answer(entry: Backend) -> str:
    try:
        return ", ".join(devices(entry.name))
    except RuntimeError as error:
        return f"FAILED: {error}"


def _data() -> list[str]:
    entries = data_entries()
    rows = [(e.name, e.kind, f"{e.files} files", _bytes(e.size)) for e in entries]
    total = _bytes(sum(e.size for e in entries)) if entries else "nothing in it yet"
    return [f"data: {data_dir()} ({total}; D2L_DATA names another)", *_table(rows)]


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns; a row's last cell may be of any length."""
    rows = list(rows)
    widths = [0] * max((len(row) for row in rows), default=0)
    for row in rows:
        for i, cell in enumerate(row[:-1]):
            widths[i] = max(widths[i], len(cell))
    return [
        "  " + "  ".join(f"{cell:<{widths[i]}}" for i, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
