"""Archives: extracted inside one folder, within bounds, all of one or nothing."""

from __future__ import annotations

import errno
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from ..checks import check_path
from ..files import move_into, workspace

__all__ = ["ArchiveError", "HubError", "MAX_BYTES", "UnsafeArchiveError", "extract"]

MAX_BYTES = 16 * 2**30  # VOC 2012, the largest archive of the chapter, has 2 GiB
_MAX_MEMBERS = 500_000  # the full CIFAR-10 competition has 300,000 test images
_MAX_RATIO = 200  # pictures hardly shrink, CSV files shrink about tenfold
_RATIO_FREE = 100 * 2**20  # bytes below which the ratio does not matter
_MAX_DEPTH = 50  # folders in folders
_MAX_NAME = 255  # bytes of a file's name, on all usual file systems


class HubError(Exception):
    """What every error of this module is."""


class ArchiveError(HubError, ValueError):
    """The archive is empty, torn, or not an archive."""


class UnsafeArchiveError(ArchiveError):
    """The archive would write outside its folder, or without bound."""


_TORN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,  # an encrypted member, or a compression that Python cannot read
    ValueError,
    # two members want to be a file and a folder of one name
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)


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
        FileExistsError: a file of the folder has the name of one of the archive's
            folders, or the other way round.
        ArchiveError: the archive is empty, torn, encrypted or not an archive.
        UnsafeArchiveError: a member has an absolute path, climbs with `..`, has a name
            that file systems do not take, or is a link or a device; or the archive is
            larger than `max_bytes`, than 200 times its packed size (from 100 MiB on), or
            has over 500,000 members.
    """
    archive = check_path("archive", archive)
    if not archive.is_file():
        raise FileNotFoundError(f"there is no archive {archive}")
    target = archive.parent if target is None else check_path("target", target)
    target = Path(os.path.abspath(target))
    packed = archive.stat().st_size
    if packed == 0:
        raise ArchiveError(
            f"{archive} is empty (0 bytes); delete it and download again"
        )
    limit = min(max_bytes, max(_RATIO_FREE, _MAX_RATIO * packed))
    # A folder that is there may be all that can be written: its parent need not be
    beside = target / archive.name if target.is_dir() else target
    with workspace(beside) as temporary:
        content = temporary / "content"
        content.mkdir()
        try:
            count = _unpack(archive, content, limit)
        except ArchiveError:
            raise
        except (*_TORN, OSError) as error:
            code = error.errno if isinstance(error, OSError) else None
            if code not in (None, errno.EINVAL) and not isinstance(error, _TORN):
                raise  # this is the disk's trouble, not the archive's
            raise ArchiveError(
                f"{archive} is torn, encrypted, or not a zip or tar archive ({error}); "
                "nothing was extracted. Delete it and download it again"
            ) from error
        if count == 0:
            raise ArchiveError(f"{archive} holds no files")
        move_into(content, target)
    return str(target)


def _unpack(archive: Path, folder: Path, limit: int) -> int:
    """Write all members of `archive` below `folder`; return how many files they are."""
    from tqdm import tqdm

    gate = _Gate(archive, limit)
    options = {"desc": f"extract {archive.name}", "unit": " files", "delay": 1}
    with open(archive, "rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        with zipfile.ZipFile(archive) as source:
            for info in tqdm(source.infolist(), **options):
                kind = stat.S_IFMT(info.external_attr >> 16)
                plain = info.is_dir() or kind in (0, stat.S_IFREG)
                name = gate.admit(info.filename, info.is_dir(), plain, info.file_size)
                info.filename = name + "/" * info.is_dir()
                source.extract(info, folder)
        return gate.files
    if not hasattr(tarfile, "data_filter"):
        raise ArchiveError(
            "this Python cannot extract tar archives safely; update it (3.10.12, 3.11.4 "
            "or later)"
        )
    with tarfile.open(archive) as source:
        # looking for more in an empty archive is an error of Python 3.10
        is_empty = source.firstmember is None  # type: ignore[attr-defined]
        members = () if is_empty else iter(source.next, None)
        for member in tqdm(members, **options):
            source.members = []  # type: ignore[attr-defined]  # else all stay in memory
            plain = member.isdir() or member.isreg()
            member.name = gate.admit(member.name, member.isdir(), plain, member.size)
            source.extract(member, folder, filter="data")
        _check_end(source)
    return gate.files


class _Gate:
    """Lets members of an archive pass, one by one, while they are safe and few enough."""

    def __init__(self, archive: Path, limit: int) -> None:
        self.archive, self.limit = archive, limit
        self.members = self.bytes = self.files = 0

    def admit(self, name: str, is_dir: bool, is_plain: bool, size: int) -> str:
        """Return the name to extract the member under, relative and with slashes.

        The rules of Windows hold everywhere: they include those of other systems.
        """
        self.members += 1
        self.bytes += size
        self.files += not is_dir
        path = PureWindowsPath(name)
        problem = ""
        if path.drive or path.root:
            problem = "has an absolute path"
        elif ".." in path.parts:
            problem = "climbs out of the folder with '..'"
        elif not is_plain:
            problem = "is a link or a device, not a file"
        elif not (path.parts or is_dir):
            problem = "has no name"
        elif len(path.parts) > _MAX_DEPTH:
            problem = f"lies more than {_MAX_DEPTH} folders deep"
        elif any(len(os.fsencode(part)) > _MAX_NAME for part in path.parts):
            problem = f"has a name of more than {_MAX_NAME} bytes"
        if problem:
            short = name if len(name) < 80 else name[:80] + "…"
            raise UnsafeArchiveError(
                f"{self.archive}: the member {short!r} {problem}; nothing was extracted. "
                "Do not use this archive unless you trust where it comes from"
            )
        if self.members > _MAX_MEMBERS:
            raise UnsafeArchiveError(
                f"{self.archive} has more than {_MAX_MEMBERS} members"
            )
        if self.bytes > self.limit:
            raise UnsafeArchiveError(
                f"{self.archive} unpacks to more than {self.limit} bytes, too much for "
                "its packed size or for max_bytes; nothing was extracted. If you trust "
                "it, extract it with another tool"
            )
        return "/".join(path.parts) or "."


def _check_end(source: tarfile.TarFile) -> None:
    """Raise if the archive ends too early: `tarfile` does not mind a missing end.

    A plain archive ends with a block of zeros, a compressed one with a checksum, which
    is compared when it is read.
    """
    if isinstance(source.fileobj, io.BufferedReader):
        source.fileobj.seek(source.offset)
        if source.fileobj.read(tarfile.BLOCKSIZE).count(0) != tarfile.BLOCKSIZE:
            raise tarfile.ReadError("unexpected end of data")
    for _ in range(64):  # what follows the end is padding: never more than a little
        if not source.fileobj.read(2**20):
            break
