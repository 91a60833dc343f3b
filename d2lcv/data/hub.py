"""The book's archives: download, verify, extract.

An archive is either complete and verified, or not there: it is downloaded into a
temporary folder, its checksum is compared, and only then it gets its name. Extraction
works the same way, and writes nowhere but into the chosen folder.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit

from ..checks import check_path, check_text, positive
from ..files import workspace
from ..words import did_you_mean
from .archives import ArchiveError, HubError, extract

DATA_URL = "http://d2l-data.s3-accelerate.amazonaws.com/"
"""Where *Dive into Deep Learning* publishes its data."""

DATA_HUB: dict[str, tuple[str, str]] = {
    "hotdog": (
        DATA_URL + "hotdog.zip",
        "fba480ffa8aa7e0febbb511d181409f899b9baa5",
    ),
    "banana-detection": (
        DATA_URL + "banana-detection.zip",
        "5de26c8fce5ccdea9f91267273464dc968d20d72",
    ),
    "voc2012": (
        DATA_URL + "VOCtrainval_11-May-2012.tar",
        "4e443f8a2eca6b1dac8a6c57641b67dd40621a49",
    ),
    "cifar10": (
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    "cifar10_tiny": (
        DATA_URL + "kaggle_cifar10_tiny.zip",
        "2068874e4b9a9f0fb07ebe0ad2b29754449ccacd",
    ),
    "dog_tiny": (
        DATA_URL + "kaggle_dog_tiny.zip",
        "0cb91d09b814ecdc07b50f31f8dcad3e81d6a86d",
    ),
}
"""Name -> (URL, SHA-1 or SHA-256 of the archive). Add your own entries as you like."""

_CONNECT_SECONDS = 5.0
_MAX_BYTES = 8 * 2**30  # VOC 2012, the largest archive of the chapter, has 2 GiB
_MIN_RATE = 2**10  # bytes a second: VOC 2012 would take three weeks
_TAR_SUFFIX = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz|zip)$", re.IGNORECASE)


class UnknownDatasetError(HubError, LookupError):
    """The name is neither in `DATA_HUB` nor a URL."""


class DownloadError(HubError, OSError):
    """The server refused, or the transfer broke off."""


class OfflineError(DownloadError):
    """The server could not be reached at all."""


class ChecksumError(DownloadError):
    """The file arrived, and is not the expected one."""


def data_dir() -> str:
    """Return the folder for data: `D2L_DATA`, or else a per-user cache folder.

    The cache folder is the system's own, `~/.cache/d2lcv` on Linux. Nothing is made.
    """
    chosen = os.environ.get("D2L_DATA")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    from platformdirs import user_cache_dir  # as pooch does, which takes long to import

    return user_cache_dir("d2lcv")


def download(
    name: str,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    checksum: str | None = None,
    timeout: float = 20.0,
) -> str:
    """Return the path of a verified archive, downloading it if it is not there yet.

    Args:
        name: a key of `DATA_HUB`, or a URL together with `checksum`.
        cache_dir: where the file goes; `data_dir()` if not given.
        checksum: the expected SHA-1 or SHA-256, 40 or 64 hexadecimal digits; for a URL
            only.
        timeout: seconds after which a silent server is given up, and one that sends
            less than a kilobyte a second.

    Returns:
        The path of the file. A file that is there with the right checksum is not
        downloaded again; one with a wrong checksum is replaced.

    Raises:
        UnknownDatasetError: `name` is not known; the message lists the known names.
        OfflineError: the server cannot be reached; raised within seconds.
        DownloadError: the server refused, the transfer broke off or was too slow, or
            the file is larger than 8 GiB or than what is free on the disk.
        ChecksumError: what arrived is not the expected file.
        ValueError: a URL without `checksum`, or a checksum that is none.
    """
    timeout = positive("timeout", timeout)
    url, checksum = _source(name, checksum)
    path = _place(url, cache_dir)
    if not path.is_file() or _checksum_of(path, checksum) != checksum:
        _fetch(url, checksum, path, timeout)
    return str(path)


def download_extract(
    name: str,
    folder: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    checksum: str | None = None,
) -> str:
    """Download an archive, extract it where it lies, and return the folder.

    Once extracted, neither the network nor the archive is needed again.

    Args:
        name: as for `download`.
        folder: the folder inside the archive that is wanted; if not given, the one
            that is called like the archive.
        cache_dir: as for `download`.
        checksum: as for `download`.

    Returns:
        `cache_dir/folder`, or else the archive's path without its extension.

    Raises:
        HubError: as `download` and `extract` do.
        ArchiveError: the archive has no such folder.
    """
    url, checksum = _source(name, checksum)
    archive = _place(url, cache_dir)
    if folder is not None:
        check_path("folder", folder)
    target = archive.parent / (folder or _TAR_SUFFIX.sub("", archive.name))
    stamp = archive.with_name(f".{archive.name}.extracted")
    if _read_stamp(stamp) == checksum and target.is_dir():
        return str(target)
    extract(download(name, cache_dir, checksum=checksum), archive.parent)
    if not target.is_dir():
        raise ArchiveError(
            f"{archive} has no folder {target.name!r}; it was extracted into "
            f"{archive.parent}: look there, and pass the right folder="
        )
    stamp.write_text(checksum + "\n")
    return str(target)


# ---- download ------------------------------------------------------------------------


def _source(name: str, checksum: str | None) -> tuple[str, str]:
    """Return the URL and the checksum that `name` stands for."""
    check_text("name", name)
    if name in DATA_HUB:
        url, known = DATA_HUB[name]
        if checksum is not None and checksum.lower() != str(known).lower():
            raise ValueError(
                f"{name!r} is in DATA_HUB with the checksum {known}, but "
                f"checksum={checksum!r} was given; leave it out, or pass the URL instead "
                "of the name"
            )
        checksum = known
    elif re.match(r"https?://[^/]", name):
        url = name
    else:
        raise UnknownDatasetError(_unknown(name))
    if not re.fullmatch(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?", str(checksum or "")):
        raise ValueError(
            f"checksum: that of {url} must be a SHA-1 or SHA-256 of 40 or 64 hexadecimal "
            f"digits, got {checksum!r}: a file is used only after it was verified"
        )
    return url, str(checksum).lower()


def _unknown(name: str) -> str:
    known = "DATA_HUB knows " + ", ".join(sorted(DATA_HUB))
    known = " ".join(filter(None, (did_you_mean(name, DATA_HUB), known)))
    return (
        f"there is no data set {name!r}; {known}. Add an entry "
        "DATA_HUB[name] = (url, checksum), or pass an http(s) URL and checksum="
    )


def _place(url: str, cache_dir: str | os.PathLike[str] | None) -> Path:
    """Return the path at which the file of `url` is kept."""
    file_name = unquote(urlsplit(url).path.rpartition("/")[2])
    if file_name in ("", "..") or file_name != PureWindowsPath(file_name).name:
        raise ValueError(f"name: the URL {url} does not end in a file name")
    chosen = data_dir() if cache_dir is None else cache_dir
    folder = check_path("cache_dir", chosen).expanduser()
    return Path(os.path.abspath(folder)) / file_name


def _checksum_of(path: Path, like: str) -> str:
    """The SHA-1 or SHA-256 of a file, whichever is as long as `like`."""
    import pooch

    return pooch.file_hash(str(path), alg={40: "sha1", 64: "sha256"}[len(like)])


def _read_stamp(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return None


def _fetch(url: str, checksum: str, path: Path, timeout: float) -> None:
    """Download `url` beside `path`, verify it, and only then move it to `path`."""
    import requests

    way_out = (
        f"Run with --data synthetic, which needs no network, or put the file (checksum "
        f"{checksum}) at {path} yourself."
    )
    if path.is_file():
        there = _checksum_of(path, checksum)
        way_out += f" The file that is there has a wrong checksum: {there}."
    with workspace(path) as temporary:
        part = temporary / path.name
        try:
            check_reachable(url)
            _transfer(url, part, timeout)
        except requests.HTTPError as error:
            raise DownloadError(
                f"the server refused {url}: {error}. {way_out}"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise OfflineError(
                f"cannot download {url}: the network failed ({error}). {way_out}"
            ) from error
        except (requests.RequestException, DownloadError) as error:
            raise DownloadError(
                f"the transfer of {url} broke off ({error}); nothing was kept. Try "
                f"again. {way_out}"
            ) from error
        got = _checksum_of(part, checksum)
        if got != checksum:
            size = part.stat().st_size
            raise ChecksumError(
                f"{url} gave a file of {size} bytes with the checksum {got}, expected "
                f"{checksum}; it was thrown away. Either the transfer was tampered with "
                "(a login page, a proxy) or the published file has changed: try again "
                f"later, or put the right file at {path} yourself"
            )
        os.replace(part, path)


def _transfer(url: str, part: Path, timeout: float) -> None:
    """Write what the server sends to `part`, within bounds of size and rate."""
    import requests
    from tqdm import tqdm
    from urllib3.exceptions import HTTPError

    room = min(_MAX_BYTES, int(0.9 * shutil.disk_usage(part.parent).free))
    reply = requests.get(
        url,
        stream=True,
        timeout=(_CONNECT_SECONDS, timeout),
        headers={"Accept-Encoding": "identity"},  # the file itself, and its own size
    )
    with reply, open(part, "wb") as file:
        reply.raise_for_status()
        said = reply.headers.get("Content-Length", "")
        total = int(said) if re.fullmatch("[0-9]{1,15}", said) else None
        # read1 gives what is there, where read would wait for all that is asked for
        read = getattr(reply.raw, "read1", reply.raw.read)
        size = recent = 0
        since = time.monotonic()
        with tqdm(desc=part.name, total=total, unit="B", unit_scale=True) as bar:
            while True:
                if max(size, total or 0) > room:
                    raise DownloadError(
                        f"it has more than {room} bytes, too much for an archive or for "
                        "the disk"
                    )
                try:
                    chunk = read(2**16)
                except HTTPError as error:
                    raise DownloadError(str(error)) from error
                if not chunk:
                    break
                file.write(chunk)
                bar.update(len(chunk))
                size, recent = size + len(chunk), recent + len(chunk)
                seconds = time.monotonic() - since
                if seconds > timeout:
                    if recent < _MIN_RATE * seconds:
                        raise DownloadError(
                            f"{recent} bytes in {seconds:.0f} seconds are too slow"
                        )
                    since, recent = time.monotonic(), 0
        if total is not None and size != total:
            raise DownloadError(f"it ended after {size} of {total} bytes")


def check_reachable(url: str) -> None:
    """Raise within seconds if the server of `url` cannot be reached.

    Without this, a name server that is silent, or several addresses that are tried one
    after the other, can hold an offline reader for minutes.
    """
    import requests

    if requests.utils.get_environ_proxies(url):
        return  # the proxy resolves the name; the connection's own timeout holds
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    outcome: list[str] = []

    def knock() -> None:
        try:
            socket.create_connection((parts.hostname, port), _CONNECT_SECONDS).close()
            outcome.append("")
        except (OSError, UnicodeError) as error:  # no such host, or not a host's name
            outcome.append(str(error))

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    problem = outcome[0] if outcome else f"no answer in {_CONNECT_SECONDS:.0f} seconds"
    if problem:
        raise requests.ConnectionError(f"{parts.hostname}:{port}: {problem}")
