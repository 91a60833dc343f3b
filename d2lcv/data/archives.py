"""Archives: extracted inside one folder, within bounds, all of one or nothing."""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO

from ..files import move_into, workspace

__all__ = ["ArchiveError", "HubError", "MAX_BYTES", "UnsafeArchiveError", "extract"]

MAX_BYTES = 16 * 2**30  # VOC 2012, the largest archive of the chapter, has 2 GiB
_MAX_MEMBERS = 500_000  # the full CIFAR-10 competition has 300,000 test images
_MAX_RATIO = 200  # pictures hardly shrink, CSV files shrink about tenfold
_RATIO_FREE = 100 * 2**20  # bytes below which the ratio does not matter
_CHUNK = 2**20


class HubError(Exception):
    """What every error of this module is."""


class ArchiveError(HubError, ValueError):
    """The archive is empty, torn, or not an archive."""


class UnsafeArchiveError(ArchiveError):
    """The archive would write outside its folder, or without bound."""


def extract(
    archive: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    max_bytes: int = MAX_BYTES,
) -> str:
    """Extract a zip or tar archive into a folder, all of it or nothing.

    Files of the same name are replaced, other files in the folder stay.

    Args:
        archive: a zip file, or a tar file (plain, gzip, bzip2 or xz).
        target: the folder, made if need be; the archive's own folder if not given.
        max_bytes: the most that the extracted files may take together.

    Returns:
        The path of the folder.

    Raises:
        FileNotFoundError: there is no such archive.
        ArchiveError: the archive is empty, torn, encrypted or not an archive.
        UnsafeArchiveError: a member has an absolute path, climbs with `..`, or is a
            link or a device; or the archive is larger than `max_bytes`, than 200
            times its packed size (from 100 MiB on), or has over 500,000 members.
    """
    archive = Path(archive)
    if not archive.is_file():
        raise FileNotFoundError(f"there is no archive {archive}")
    target = archive.parent if target is None else Path(target)
    target = Path(os.path.abspath(target))
    with workspace(target) as temporary:
        content = temporary / "content"
        content.mkdir()
        _unpack(archive, content, max_bytes)
        move_into(content, target)
    return str(target)


@dataclass
class _Member:
    """One entry of an archive, whatever the format."""

    name: str
    is_dir: bool
    is_file: bool
    size: int
    open: Callable[[], IO[bytes]]


_TORN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression that Python cannot read
    RuntimeError,  # an encrypted zip member
    UnicodeError,
    ValueError,
    # two members that want to be a file and a folder of one name
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)


def _unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    """Write all members of `archive` below `folder`."""
    packed = archive.stat().st_size
    if packed == 0:
        raise ArchiveError(
            f"{archive} is empty (0 bytes); delete it and download again"
        )
    limit = min(max_bytes, max(_RATIO_FREE, _MAX_RATIO * packed))
    try:
        files = _write_members(archive, folder, limit)
    except ArchiveError:
        raise
    except _TORN as error:
        raise ArchiveError(_broken(archive, error)) from error
    except OSError as error:
        if error.errno is not None:  # the disk's trouble, not the archive's
            raise
        raise ArchiveError(_broken(archive, error)) from error
    if files == 0:
        raise ArchiveError(f"{archive} holds no files")


def _broken(archive: Path, error: Exception) -> str:
    return (
        f"{archive} is torn, encrypted, or not a zip or tar archive ({error}); nothing "
        "was extracted. Delete it and download it again"
    )


def _write_members(archive: Path, folder: Path, limit: int) -> int:
    """Write the members one by one; return how many files there were."""
    from tqdm import tqdm

    bar = tqdm(
        _members(archive), desc=f"extract {archive.name}", unit=" files", delay=1
    )
    written = files = 0
    for count, member in enumerate(bar, 1):
        if count > _MAX_MEMBERS:
            raise UnsafeArchiveError(f"{archive} has more than {_MAX_MEMBERS} members")
        path = folder.joinpath(*_safe_parts(archive, member))
        if member.is_dir:
            path.mkdir(parents=True, exist_ok=True)
            continue
        _check_room(archive, written + member.size, limit)
        path.parent.mkdir(parents=True, exist_ok=True)
        written += _write_file(archive, member, path, limit - written)
        files += 1
    return files


def _write_file(archive: Path, member: _Member, path: Path, room: int) -> int:
    """Copy one member, counting the bytes: what its header says is not trusted."""
    written = 0
    with member.open() as source, open(path, "wb") as target:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            _check_room(archive, written, room)
            target.write(chunk)
    if written != member.size:
        raise EOFError(f"{member.name} has {written} of {member.size} bytes")
    return written


def _check_room(archive: Path, size: int, limit: int) -> None:
    if size > limit:
        raise UnsafeArchiveError(
            f"{archive} unpacks to more than {limit} bytes, too much for its packed "
            "size or for max_bytes; nothing was extracted. If you trust it, extract it "
            "with another tool"
        )


def _safe_parts(archive: Path, member: _Member) -> tuple[str, ...]:
    """Return the path of `member` below the target, refusing all that leave it.

    The rules of Windows hold everywhere: they include those of other systems.
    """
    path = PureWindowsPath(member.name)
    if path.drive or path.root:
        problem = "has an absolute path"
    elif ".." in path.parts:
        problem = "climbs out of the folder with '..'"
    elif not (member.is_dir or member.is_file):
        problem = "is a link or a device, not a file"
    else:
        return path.parts
    raise UnsafeArchiveError(
        f"{archive}: the member {member.name!r} {problem}; nothing was extracted. Do "
        "not use this archive unless you trust where it comes from"
    )


def _members(archive: Path) -> Iterator[_Member]:
    with open(archive, "rb") as file:
        is_zip = file.read(2) == b"PK"
    return _zip_members(archive) if is_zip else _tar_members(archive)


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as source:
        for info in source.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            yield _Member(
                info.filename,
                info.is_dir(),
                kind in (0, stat.S_IFREG),
                info.file_size,
                partial(source.open, info),
            )


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as source:
        while (info := _next_member(source)) is not None:
            # else every header stays in memory
            source.members = []  # type: ignore[attr-defined]
            yield _Member(
                info.name,
                info.isdir(),
                info.isreg(),
                info.size,
                partial(_open_member, source, info),
            )
        _check_tar_end(source)


def _open_member(source: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = source.extractfile(info)
    assert file is not None  # only what is no file has none
    return file


def _next_member(source: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return source.next()
    except OSError:
        if source.offset:
            raise
        return None  # Python 3.10 seeks to before the start of a tar without members


def _check_tar_end(source: tarfile.TarFile) -> None:
    """Raise if the archive ends too early: `tarfile` does not mind a missing end.

    A plain tar must go on with a block of zeros. A compressed one must be read up to
    its checksum, which comes last.
    """
    if isinstance(source.fileobj, io.BufferedReader):
        source.fileobj.seek(source.offset)
        if source.fileobj.read(tarfile.BLOCKSIZE).count(0) != tarfile.BLOCKSIZE:
            raise tarfile.ReadError("unexpected end of data")
    for _ in range(64):  # what follows the end is padding: never more than a little
        if not source.fileobj.read(_CHUNK):
            break
