"""The download hub: every way in which a transfer or an archive can go wrong."""

import bz2
import gzip
import hashlib
import http.server
import io
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
from conftest import FRAMEWORKS

from d2lcv.data import archives, hub
from d2lcv.files import workspace

NAMES = "hotdog banana-detection voc2012 cifar10 cifar10_tiny dog_tiny".split()


def zipped(members):
    """A zip archive in memory: name -> bytes, or a ready-made ZipInfo -> bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members, mode="w"):
    """A tar archive in memory: a list of (TarInfo or name, bytes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for member, content in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
            if member.isreg():
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def special(name, kind, target=""):
    """A tar member that is not a file."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def tree(folder):
    """Every file below `folder`, hidden ones too: relative path -> bytes."""
    files = (path for path in Path(folder).rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


GOOD = zipped({"fruit/a.txt": b"apple", "fruit/sub/b.txt": b"banana" * 1000})
GOOD_SHA1 = hashlib.sha1(GOOD).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.body`, or misbehaves as `server.mood` says."""

    def do_GET(self):
        self.server.requests.append(self.path)
        mood = self.server.mood
        if mood == "missing":
            return self.send_error(404)
        if mood == "silent":
            return self.server.release.wait(10)
        length = {"nonsense": "abc", "huge": "9" * 5000, "large": "9" * 15}
        self.send_response(200)
        if mood not in ("endless", "slow"):
            length = length.get(mood, str(len(self.server.body)))
            self.send_header("Content-Length", length)
        self.end_headers()
        try:
            while mood in ("endless", "slow") and not self.server.release.is_set():
                self.wfile.write(b"x" if mood == "slow" else bytes(2**16))
                self.server.release.wait(0.05 if mood == "slow" else 0)
        except OSError:  # the reader has had enough
            return None
        half = len(self.server.body) // 2
        if mood in ("truncated", "stalled"):
            self.wfile.write(self.server.body[:half])
            return mood == "stalled" and self.server.release.wait(10)
        return self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.body, server.mood, server.requests = GOOD, "good", []
    server.release = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/files/fruit.zip"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


# ---- names ---------------------------------------------------------------------------


def test_hub_knows_the_books_archives():
    assert set(NAMES) <= set(hub.DATA_HUB)
    for name, (url, checksum) in hub.DATA_HUB.items():
        own = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
        assert url == own if name == "cifar10" else url.startswith(hub.DATA_URL)
        assert len(bytes.fromhex(checksum)) == (32 if name == "cifar10" else 20)


def test_data_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path / "here"))
    assert hub.data_dir() == str(tmp_path / "here")
    assert not (tmp_path / "here").exists()
    monkeypatch.delenv("D2L_DATA")
    assert "d2lcv" in hub.data_dir()
    assert os.path.isabs(hub.data_dir())


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(hub.UnknownDatasetError) as error:
        hub.download("bananas-detection")
    assert "did you mean 'banana-detection'" in str(error.value)
    assert all(name in str(error.value) for name in NAMES)


@pytest.mark.parametrize(
    "checksum",
    [None, "", "abc", "g" * 40, GOOD_SHA1[:-1]],
    ids=["none", "empty", "short", "no digits", "one digit less"],
)
def test_url_without_a_checksum_is_refused(server, tmp_path, checksum):
    with pytest.raises(ValueError, match="40 or 64 hexadecimal"):
        hub.download(server.url, tmp_path, checksum=checksum)
    assert not server.requests


def test_known_name_with_another_checksum_is_refused(tmp_path):
    with pytest.raises(ValueError, match="in DATA_HUB with the checksum"):
        hub.download("hotdog", tmp_path, checksum=GOOD_SHA1)


@pytest.mark.parametrize("path", ["", "/", "/a/", "/..", "/%2e%2e", "/a%2f.."])
def test_url_without_a_file_name_is_refused(tmp_path, path):
    with pytest.raises(ValueError, match="file name"):
        hub.download(f"http://127.0.0.1:9{path}", tmp_path, checksum=GOOD_SHA1)


@pytest.mark.parametrize("url", ["ftp://host/a.zip", "file:///etc/passwd", "http:///a"])
def test_other_protocols_are_refused(tmp_path, url):
    with pytest.raises(hub.UnknownDatasetError):
        hub.download(url, tmp_path, checksum=GOOD_SHA1)


# ---- download ------------------------------------------------------------------------


def test_download_gives_the_verified_file_and_nothing_else(server, tmp_path, capfd):
    path = hub.download(server.url, tmp_path / "new" / "cache", checksum=GOOD_SHA1)
    assert path == str(tmp_path / "new" / "cache" / "fruit.zip")
    assert tree(tmp_path) == {"new/cache/fruit.zip": GOOD}
    assert "fruit.zip" in capfd.readouterr().err  # the progress bar


def test_download_by_name_into_the_data_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    monkeypatch.setitem(hub.DATA_HUB, "fruit", (server.url, GOOD_SHA1.upper()))
    assert hub.download("fruit") == str(tmp_path / "fruit.zip")


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_right_file_is_not_downloaded_again(server, tmp_path, kind):
    checksum = hashlib.new(kind, GOOD).hexdigest()
    for _ in range(2):
        assert hub.download(server.url, tmp_path, checksum=checksum)
        assert len(server.requests) == 1
    other = checksum[:-1] + ("0" if checksum[-1] != "0" else "1")
    with pytest.raises(hub.ChecksumError, match=other):
        hub.download(server.url, tmp_path, checksum=other)


def test_wrong_file_is_replaced(server, tmp_path):
    (tmp_path / "fruit.zip").write_bytes(GOOD[:-1])
    hub.download(server.url, tmp_path, checksum=GOOD_SHA1)
    assert tree(tmp_path) == {"fruit.zip": GOOD}
    assert len(server.requests) == 1


def test_wrong_file_stays_when_there_is_no_better_one(server, tmp_path):
    (tmp_path / "fruit.zip").write_bytes(b"mine")
    server.mood = "missing"
    mine = hashlib.sha1(b"mine").hexdigest()
    with pytest.raises(hub.DownloadError, match=mine):
        hub.download(server.url, tmp_path, checksum=GOOD_SHA1)
    assert tree(tmp_path) == {"fruit.zip": b"mine"}


def test_wrong_checksum_keeps_nothing(server, tmp_path):
    server.body = b"<html>please log in</html>"
    got = hashlib.sha1(server.body).hexdigest()
    with pytest.raises(hub.ChecksumError) as error:
        hub.download(server.url, tmp_path, checksum=GOOD_SHA1)
    for part in (server.url, got, GOOD_SHA1, "26 bytes", str(tmp_path / "fruit.zip")):
        assert part in str(error.value)
    assert tree(tmp_path) == {}


def test_broken_transfer_keeps_nothing_and_can_be_repeated(server, tmp_path):
    server.mood = "truncated"
    with pytest.raises(hub.DownloadError) as error:
        hub.download(server.url, tmp_path, checksum=GOOD_SHA1)
    assert server.url in str(error.value)
    assert tree(tmp_path) == {}
    server.mood = "good"
    assert (
        Path(hub.download(server.url, tmp_path, checksum=GOOD_SHA1)).read_bytes()
        == GOOD
    )


def test_refusal_names_the_status(server, tmp_path):
    server.mood = "missing"
    with pytest.raises(hub.DownloadError, match="404") as error:
        hub.download(server.url, tmp_path, checksum=GOOD_SHA1)
    assert not isinstance(error.value, hub.OfflineError)
    assert tree(tmp_path) == {}


def test_silent_server_is_given_up(server, tmp_path):
    server.mood = "silent"
    start = time.monotonic()
    with pytest.raises(hub.OfflineError):
        hub.download(server.url, tmp_path, checksum=GOOD_SHA1, timeout=0.3)
    assert time.monotonic() - start < 5
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    "mood,said",
    [
        ("stalled", "timed out"),
        ("slow", "too slow"),
        ("endless", "more than 300000 bytes"),
        ("large", "more than 300000 bytes"),
    ],
)
def test_a_server_without_end_is_given_up(server, tmp_path, monkeypatch, mood, said):
    monkeypatch.setattr(hub, "_MAX_BYTES", 300_000)
    server.mood = mood
    with pytest.raises(hub.DownloadError, match=f"broke off.*{said}") as error:
        hub.download(server.url, tmp_path, checksum=GOOD_SHA1, timeout=0.3)
    assert not isinstance(error.value, hub.OfflineError)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("mood", ["nonsense", "huge"])
def test_a_length_that_is_none_does_not_matter(server, tmp_path, mood):
    server.mood = mood
    path = hub.download(server.url, tmp_path, checksum=GOOD_SHA1, timeout=2)
    assert Path(path).read_bytes() == GOOD


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_offline_says_what_failed_and_what_to_do(server, tmp_path):
    url = f"http://127.0.0.1:{free_port()}/fruit.zip"
    with pytest.raises(hub.OfflineError) as error:
        hub.download(url, tmp_path, checksum=GOOD_SHA1)
    for part in (
        url,
        "network failed",
        "--data synthetic",
        str(tmp_path / "fruit.zip"),
    ):
        assert part in str(error.value)
    assert isinstance(error.value, OSError)
    assert tree(tmp_path) == {}


def test_offline_is_fast_when_the_name_server_is_silent(server, tmp_path, monkeypatch):
    def silent(*_):
        server.release.wait(9)
        raise OSError

    monkeypatch.setattr(hub, "_CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(socket, "create_connection", silent)
    start = time.monotonic()
    with pytest.raises(hub.OfflineError, match="no answer"):
        hub.download("http://d2l.invalid/fruit.zip", tmp_path, checksum=GOOD_SHA1)
    assert time.monotonic() - start < 3


def test_a_dead_proxy_is_an_offline_error(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(hub.OfflineError):
        hub.download("http://d2l.invalid/fruit.zip", tmp_path, checksum=GOOD_SHA1)


KILLED = """
import os, sys
from d2lcv.data import hub
def die(source, target):
    os._exit(9)
os.replace = die
hub.download(sys.argv[1], sys.argv[2], checksum=sys.argv[3])
"""


@pytest.mark.skipif(os.name == "nt", reason="asks for a process by its number")
def test_what_a_killed_process_leaves_goes_at_the_next_call(server, tmp_path):
    job = [sys.executable, "-c", KILLED, server.url, str(tmp_path), GOOD_SHA1]
    assert subprocess.run(job, capture_output=True, check=False).returncode == 9
    assert not (tmp_path / "fruit.zip").exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".fruit.zip.tmp-")
    host = left.name.split("-")[1]
    running = tmp_path / f".fruit.zip.tmp-{host}-{os.getpid()}-abc"
    elsewhere = tmp_path / ".fruit.zip.tmp-elsewhere-1-abc"
    for folder in (running, elsewhere, tmp_path / ".fruit.zip.tmp"):
        folder.mkdir()
    with workspace(tmp_path / "another"):
        assert not left.exists() and running.exists() and elsewhere.exists()
    yesterday = time.time() - 25 * 3600
    os.utime(elsewhere, (yesterday, yesterday))
    hub.download(server.url, tmp_path, checksum=GOOD_SHA1)
    names = {".fruit.zip.tmp", running.name, "fruit.zip"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_folder_that_cannot_be_made_names_the_variable(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="D2L_DATA"):
        hub.download(server.url, tmp_path / "file" / "cache", checksum=GOOD_SHA1)


# ---- download and extract ------------------------------------------------------------


def test_download_extract_returns_the_folder_beside_the_archive(server, tmp_path):
    folder = hub.download_extract(server.url, cache_dir=tmp_path, checksum=GOOD_SHA1)
    assert folder == str(tmp_path / "fruit")
    assert tree(folder) == {"a.txt": b"apple", "sub/b.txt": b"banana" * 1000}
    inner = hub.download_extract(
        server.url, "fruit/sub", cache_dir=tmp_path, checksum=GOOD_SHA1
    )
    assert inner == str(tmp_path / "fruit" / "sub")
    assert len(server.requests) == 1


def test_what_is_extracted_needs_neither_network_nor_archive(server, tmp_path):
    arguments = {"cache_dir": tmp_path, "checksum": GOOD_SHA1}
    folder = hub.download_extract(server.url, **arguments)
    (tmp_path / "fruit.zip").unlink()
    server.mood = "missing"
    assert hub.download_extract(server.url, **arguments) == folder


def test_a_folder_that_was_not_finished_is_extracted_again(server, tmp_path):
    (tmp_path / "fruit").mkdir()
    (tmp_path / "fruit" / "a.txt").write_bytes(b"half")
    (tmp_path / "fruit" / "mine.txt").write_bytes(b"mine")
    folder = hub.download_extract(server.url, cache_dir=tmp_path, checksum=GOOD_SHA1)
    assert tree(folder)["a.txt"] == b"apple"
    assert tree(folder)["mine.txt"] == b"mine"


def test_another_version_of_the_archive_is_extracted_again(server, tmp_path):
    hub.download_extract(server.url, cache_dir=tmp_path, checksum=GOOD_SHA1)
    server.body = zipped({"fruit/a.txt": b"avocado"})
    sha1 = hashlib.sha1(server.body).hexdigest()
    folder = hub.download_extract(server.url, cache_dir=tmp_path, checksum=sha1)
    assert tree(folder)["a.txt"] == b"avocado"


def test_archive_without_the_folder_is_an_error(server, tmp_path):
    with pytest.raises(archives.ArchiveError, match="no folder 'nuts'"):
        hub.download_extract(server.url, "nuts", tmp_path, checksum=GOOD_SHA1)


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_the_folder_of_a_tar_archive(server, tmp_path, ending):
    mode = {"tar": "w", "tgz": "w:gz"}.get(ending, "w:" + ending[4:])
    server.body = tarred([("fruit/a.txt", b"apple")], mode)
    sha1 = hashlib.sha1(server.body).hexdigest()
    url = server.url.replace("fruit.zip", f"fruit.{ending}?version=1")
    folder = hub.download_extract(url, cache_dir=tmp_path, checksum=sha1)
    assert folder == str(tmp_path / "fruit")
    assert tree(folder) == {"a.txt": b"apple"}


# ---- extract -------------------------------------------------------------------------


def archive_at(tmp_path, content, name="a.zip"):
    path = tmp_path / "in" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def refused(tmp_path, content, error, match=None, **options):
    """Extract bad content: the named error, the file's name, and nothing left."""
    path = archive_at(tmp_path, content)
    with pytest.raises(error, match=match) as caught:
        archives.extract(path, tmp_path / "out" / "target", **options)
    assert str(path) in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "in"] in (
        [],
        ["out"],
    )
    assert tree(tmp_path) == {"in/a.zip": content}
    assert not (tmp_path / "out" / "target").exists()


def test_extract_makes_the_target(tmp_path):
    target = tmp_path / "new" / "target"
    assert archives.extract(archive_at(tmp_path, GOOD), target) == str(target)
    assert tree(target) == {
        "fruit/a.txt": b"apple",
        "fruit/sub/b.txt": b"banana" * 1000,
    }


def test_extract_beside_the_archive_by_default(tmp_path):
    path = archive_at(tmp_path, GOOD)
    assert archives.extract(path) == str(path.parent)
    assert (path.parent / "fruit" / "a.txt").read_bytes() == b"apple"
    assert path.read_bytes() == GOOD


def test_extract_adds_to_a_folder_and_loses_nothing(tmp_path):
    target = tmp_path / "target"
    (target / "fruit").mkdir(parents=True)
    (target / "fruit" / "a.txt").write_bytes(b"old")
    (target / "fruit" / "c.txt").write_bytes(b"cherry")
    archives.extract(archive_at(tmp_path, GOOD), target)
    assert tree(target) == {
        "fruit/a.txt": b"apple",
        "fruit/c.txt": b"cherry",
        "fruit/sub/b.txt": b"banana" * 1000,
    }


def test_rights_of_members_are_not_taken_over(tmp_path):
    member = tarfile.TarInfo("a.sh")
    member.mode = 0o4666
    archives.extract(archive_at(tmp_path, tarred([(member, b"x")])), tmp_path / "out")
    mode = (tmp_path / "out" / "a.sh").stat().st_mode
    assert not mode & (stat.S_ISUID | stat.S_IWGRP | stat.S_IWOTH)


def test_missing_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.zip"):
        archives.extract(tmp_path / "none.zip", tmp_path / "out")


BIG = [("a/1.txt", os.urandom(3000)), ("a/2.txt", os.urandom(3000))]
TORN = {
    "not an archive": b"<html>please log in</html>",
    "zip header only": GOOD[:100],
    "zip without its end": GOOD[:-30],
    "zip with a wrong byte": GOOD[:45] + b"\0\0" + GOOD[47:],
    "tar in a member": tarred(BIG)[:2000],
    "tar between members": tarred(BIG)[: 512 + 3072],
    "tar header wrong": tarred(BIG)[: 512 + 3072] + b"x" * 4096,
    "gzip cut": tarred(BIG, "w:gz")[:-200],
    "gzip checksum": tarred(BIG, "w:gz")[:-8] + b"\0" * 8,
    "gzip of something else": gzip.compress(b"no tar" * 300),
    "bzip2 cut": tarred(BIG, "w:bz2")[:-200],
    "bzip2 of something else": bz2.compress(b"no tar" * 300),
    "xz cut": tarred(BIG, "w:xz")[:-200],
}


@pytest.mark.parametrize("content", TORN.values(), ids=TORN.keys())
def test_torn_archive_leaves_nothing(tmp_path, content):
    refused(tmp_path, content, archives.ArchiveError, "torn")


def test_empty_file_and_empty_archives(tmp_path):
    refused(tmp_path, b"", archives.ArchiveError, "empty")
    refused(tmp_path, zipped({}), archives.ArchiveError, "holds no files")
    refused(tmp_path, tarred([]), archives.ArchiveError, "holds no files")


def test_encrypted_zip(tmp_path):
    content = bytearray(zipped({"a.txt": b"apple"}))
    content[6] |= 1  # the flag in the local header, and the one in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    refused(tmp_path, bytes(content), archives.ArchiveError, "encrypted")


def test_a_name_that_is_file_and_folder(tmp_path):
    content = tarred([("a", b"file"), ("a/b", b"file")])
    refused(tmp_path, content, archives.ArchiveError)


def test_a_file_in_the_way_of_a_folder(tmp_path):
    """Nothing is changed, neither before nor behind the name."""
    target = tmp_path / "target"
    for there, archive in [
        ("fruit", {"a.txt": b"new", "fruit/b.txt": b"b"}),
        ("fruit/a.txt", {"fruit/a.txt/b": b"b", "a.txt": b"new"}),
        ("a.txt/mine", {"a.txt": b"new", "b.txt": b"b"}),
    ]:
        (target / there).parent.mkdir(parents=True, exist_ok=True)
        (target / there).write_bytes(b"mine")
        path = archive_at(tmp_path, zipped(archive))
        with pytest.raises(FileExistsError, match="Nothing was changed"):
            archives.extract(path, target)
        assert tree(target) == {there: b"mine"}
        shutil.rmtree(target)


def test_a_folder_whose_parent_is_out_of_reach(tmp_path, monkeypatch):
    """A mount point, or one in a folder of others: all that is made is made in it."""
    target = tmp_path / "mounted"
    target.mkdir()
    made = []
    make = tempfile.mkdtemp

    def only_inside(prefix, dir):
        made.append(Path(dir))
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", only_inside)
    archives.extract(archive_at(tmp_path, GOOD), target)
    assert made == [target] and len(tree(target)) == 2


ESCAPES = [
    "../x.txt",
    "a/../../x.txt",
    "/x.txt",
    "//h/x",
    "..\\x.txt",
    "C:x",
    "\\x.txt",
]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("make", [zipped, lambda m: tarred(list(m.items()))])
def test_names_that_leave_the_folder(tmp_path, name, make):
    content = make({"a/good.txt": b"good", name: b"bad"})
    refused(tmp_path, content, archives.UnsafeArchiveError, "nothing was extracted")


@pytest.mark.parametrize(
    "name,said",
    [
        ("", "no name"),
        (".", "no name"),
        ("a/" + "b" * 300, "more than 255 bytes"),
        ("ä" * 200, "more than 255 bytes"),
        ("d/" * 1000 + "x", "50 folders deep"),
    ],
)
def test_names_that_no_file_has(tmp_path, name, said):
    content = tarred([("a/good.txt", b"good"), (name, b"bad")])
    refused(tmp_path, content, archives.UnsafeArchiveError, said)


def test_the_folder_itself_may_be_a_member(tmp_path):
    content = tarred([special("./", tarfile.DIRTYPE), ("./a.txt", b"apple")])
    archives.extract(archive_at(tmp_path, content), tmp_path / "out")
    assert tree(tmp_path / "out") == {"a.txt": b"apple"}


SPECIALS = {
    "symbolic link out": special("a/link", tarfile.SYMTYPE, "../../.."),
    "symbolic link to a file": special("a/link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link out": special("a/link", tarfile.LNKTYPE, "../../secret"),
    "pipe": special("a/pipe", tarfile.FIFOTYPE),
    "device": special("a/device", tarfile.CHRTYPE),
}


@pytest.mark.parametrize("member", SPECIALS.values(), ids=SPECIALS.keys())
def test_links_and_devices(tmp_path, member):
    content = tarred([("a/good.txt", b"good"), member, ("a/link/x.txt", b"bad")])
    refused(tmp_path, content, archives.UnsafeArchiveError, "link or a device")


def test_link_in_a_zip(tmp_path):
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refused(tmp_path, zipped({link: "/etc"}), archives.UnsafeArchiveError, "link")


def test_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_RATIO_FREE", 10_000)
    bomb = bytes(2_000_000)
    refused(tmp_path, zipped({"a": bomb}), archives.UnsafeArchiveError, "too much")
    refused(
        tmp_path, tarred([("a", bomb)], "w:gz"), archives.UnsafeArchiveError, "too much"
    )


def test_bomb_whose_header_lies(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_RATIO_FREE", 10_000)
    content = bytearray(zipped({"a": bytes(2_000_000)}))
    size = (2_000_000).to_bytes(4, "little")
    refused(
        tmp_path, bytes(content.replace(size, b"\x01\0\0\0")), archives.ArchiveError
    )


def test_larger_than_allowed(tmp_path):
    refused(tmp_path, GOOD, archives.UnsafeArchiveError, "5000 bytes", max_bytes=5000)
    path = archive_at(tmp_path, GOOD)
    archives.extract(
        path, tmp_path / "out" / "target", max_bytes=6005
    )  # just what it takes


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MAX_MEMBERS", 10)
    content = tarred([(f"{i}", b"") for i in range(11)])
    refused(tmp_path, content, archives.UnsafeArchiveError, "10 members")


def test_a_crash_while_extracting_leaves_nothing(tmp_path, monkeypatch):
    path = archive_at(tmp_path, GOOD)

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(archives, "move_into", crash)
    with pytest.raises(KeyboardInterrupt):
        archives.extract(path, tmp_path / "target")
    assert tree(tmp_path) == {"in/a.zip": GOOD}


# ---- the package ---------------------------------------------------------------------

LIGHT = f"""
import sys
import d2lcv.data
heavy = {FRAMEWORKS | {"matplotlib", "pandas", "pooch", "PIL", "tqdm"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import d2lcv, d2lcv.data.hub, d2lcv.drawn.sets
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_importing_loads_nothing_heavy():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)
