"""`python -m d2lcv`: what it prints, what it runs, and how it fails."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from d2lcv.backends import REGISTRY, installed
from d2lcv.run import chapters as chapters_module
from d2lcv.run import command as cli
from d2lcv.run import overview as overview_module
from d2lcv.run.chapters import PARTS, chapter_file, chapters, chapters_dir, parts
from d2lcv.run.overview import data_entries, devices, overview

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.once


def run(*arguments, cwd=None, **environment):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "d2lcv", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def said(done, status):
    """The one line of an error; there is no traceback, and nothing was printed."""
    assert done.returncode == status, done.stderr
    # a framework may have said something of its own before
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("d2lcv: ")]
    assert "Traceback" not in done.stderr
    return line


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.delenv("D2L_BACKEND", raising=False)
    for entry in REGISTRY.values():
        monkeypatch.setattr(type(entry), "is_installed", False)


@pytest.fixture
def one_backend(monkeypatch):
    """A machine on which the last backend of the registry is the only one."""
    *_, last = REGISTRY
    monkeypatch.delenv("D2L_BACKEND", raising=False)
    here = property(lambda entry: entry.name == last)
    monkeypatch.setattr("d2lcv.backends.Backend.is_installed", here)
    return last


# ---- without a command ---------------------------------------------------------------


def test_overview_names_every_backend(tmp_path, monkeypatch, one_backend):
    monkeypatch.setenv("D2L_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(overview_module, "choice", lambda: (one_backend, "a reason"))
    text, usable = overview()
    assert usable
    for entry in REGISTRY.values():
        (row,) = [r for r in text.splitlines() if r.startswith(f"  {entry.name} ")]
        assert entry.title in row
        assert (entry.install_command in row) == (entry.name != one_backend)
    assert f"active: {one_backend} (a reason)" in text
    assert f"data: {tmp_path / 'none'} (nothing in it yet" in text


def test_overview_says_why():
    require = installed()
    if not require:
        pytest.skip("no framework is installed")
    name = require[-1]
    done = run(D2L_BACKEND=name.upper())
    assert done.returncode == 0, done.stderr
    assert f"active: {name} (D2L_BACKEND is {name.upper()!r})" in done.stdout
    done = run(D2L_BACKEND="")
    assert f"active: {require[0]} (the first installed)" in done.stdout


def test_overview_of_a_wrong_variable():
    done = run(D2L_BACKEND="jax")
    assert done.returncode == 1 and not done.stderr
    assert "active: none: unknown backend 'jax'" in done.stdout
    assert "data: " in done.stdout  # and the rest is there


def test_overview_loads_no_framework():
    code = "import sys; from d2lcv.run.command import main; main([]); main(['run']); "
    code += "print('loaded', sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    loaded = done.stdout[done.stdout.index("loaded") :]
    assert "'d2lcv'" in loaded
    for entry in REGISTRY.values():
        assert f"'{entry.package}'" not in loaded


def test_nothing_installed(nothing_installed, monkeypatch):
    def nothing():
        raise ModuleNotFoundError("d2lcv needs one of its frameworks")

    monkeypatch.setattr(overview_module, "choice", nothing)
    text, usable = overview(with_devices=True)
    assert not usable
    assert "active: none: d2lcv needs one of its frameworks" in text


@pytest.mark.parametrize(
    "code,reason",
    [
        ("import os; os.kill(os.getpid(), 9)", "died of signal 9"),
        ("import sys; sys.exit('no driver')", "no driver"),
        ("raise ImportError('a library is missing')", "a library is missing"),
        ("import time; time.sleep(60)", "no answer in 3 seconds"),
    ],
)
def test_devices_exception(monkeypatch, one_backend, tmp_path, code, reason):
    monkeypatch.setenv("D2L_DATA", str(tmp_path))
    monkeypatch.setattr(overview_module, "_ASK", code)
    with pytest.raises(RuntimeError, match=reason):
        devices(one_backend, timeout=3)
    real, lines = overview_module.devices, []
    monkeypatch.setattr(overview_module, "devices", lambda name: real(name, 3))
    monkeypatch.setattr(overview_module, "choice", lambda: (one_backend, ""))
    text, usable = overview(with_devices=True, say=lines.append)
    assert not usable and lines == text.splitlines()
    assert re.search(rf"{one_backend} .*FAILED: .*{reason}", text)


def test_what_a_framework_prints_is_no_device(monkeypatch, one_backend):
    code = f"print('hello'); print({overview_module._MARK!r} + 'gpu of mine')"
    monkeypatch.setattr(overview_module, "_ASK", code)
    assert devices(one_backend) == ["gpu of mine"]


def test_data_entries(tmp_path):
    for path, size in [
        ("synthetic/bananas/a/1.png", 10),
        ("synthetic/bananas/a/2.png", 20),
        ("synthetic/.bananas.tmp-x/1.png", 99),
        ("hotdog/train/3.png", 5),
        ("hotdog.zip", 7),
        (".hotdog.zip.extracted", 99),
        ("notes.txt", 3),
    ]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(bytes(size))
    assert [tuple(entry) for entry in data_entries(tmp_path)] == [
        ("synthetic/bananas", "drawn", 2, 30),
        ("hotdog", "folder", 1, 5),
        ("hotdog.zip", "download", 1, 7),
        ("notes.txt", "file", 1, 3),
    ]
    assert data_entries(tmp_path / "none") == []


@pytest.mark.parametrize(
    "size,text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 KB"),
        (78.4e6, "78.4 MB"),
        (2e9, "2.0 GB"),
    ],
)
def test_sizes_are_readable(size, text):
    assert overview_module._bytes(size) == text


# ---- chapters ------------------------------------------------------------------------


def test_the_table_has_every_chapter_of_the_folder():
    """And the figure on its card is one that the script shows."""
    assert chapters_dir() == ROOT / "chapters"
    files = {path.stem: path for path in (ROOT / "chapters").glob("*.py")}
    listed = [name for names in PARTS.values() for name in names]
    assert sorted(listed) == sorted(files) and list(chapters()) == listed
    for name, figure in (pair for names in PARTS.values() for pair in names.items()):
        text = files[name].read_text(encoding="utf-8")
        assert f'show("{figure}")' in text, name
        assert f"# # {chapters()[name]}\n" in text, name


def test_run_lists_chapters_by_part(capsys):
    assert cli.main(["run"]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    listed = {part: rows for part, *rows in map(str.splitlines, blocks)}
    assert list(listed) == list(PARTS)
    for part, rows in listed.items():
        assert [row.split()[0] for row in rows] == list(PARTS[part])
    assert "Bounding boxes" in listed["Object detection"][0]


def test_a_chapter_without_a_place_comes_last():
    scripts = [Path("new.py"), *(ROOT / "chapters").glob("*.py")]
    assert list(parts(scripts))[-1] == "More"
    assert parts(scripts)["More"] == [Path("new.py")]


def test_packed_chapters_come_first(tmp_path, monkeypatch):
    (tmp_path / "site" / "_chapters").mkdir(parents=True)
    (tmp_path / "chapters").mkdir()  # of another package that was installed
    monkeypatch.setattr(chapters_module, "_PACKAGE", tmp_path / "site")
    assert chapters_dir() == tmp_path / "site" / "_chapters"
    (tmp_path / "site" / "_chapters" / "mine.py").write_text("print('no title')\n")
    assert chapters() == {"mine": "mine"}
    (tmp_path / "site" / "_chapters" / "mine.py").unlink()
    (tmp_path / "site" / "_chapters").rmdir()
    (tmp_path / "chapters").rmdir()
    with pytest.raises(FileNotFoundError, match="chapters are missing"):
        chapters_dir()


@pytest.mark.parametrize("name", ["bounding_box", "bounding_box.py"])
def test_chapter_file_value(name):
    assert chapter_file(name) == ROOT / "chapters" / "bounding_box.py"


def test_unknown_chapter_exception():
    line = said(run("run", "bounding_bx"), status=2)
    assert "there is no chapter 'bounding_bx'" in line
    assert "did you mean 'bounding_box'?" in line
    assert "object_detection_dataset" in line
    for path in ("../chapters/anchor", "no/anchor.py", "/etc/passwd", ""):
        with pytest.raises(ValueError, match="there is no chapter"):
            chapter_file(path)


def test_options_reach_the_chapter(d2l, tmp_path):
    done = run("run", "bounding_box", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Chapter bounding_box" in done.stdout and "--image" in done.stdout
    done = run("run", "bounding_box", "--imagge", "x", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--imagge" in done.stderr and "did you mean '--image'?" in done.stderr
    done = run("run", "bounding_box", "--image", "/no/such/file", cwd=tmp_path)
    assert done.returncode == 2 and "'/no/such/file'" in done.stderr


def test_process_of_the_chapter_knows_its_backend(monkeypatch, one_backend):
    seen = []
    monkeypatch.setattr(cli, "use", lambda name: one_backend)
    monkeypatch.setattr(
        chapters_module,
        "run_chapter",
        lambda name, arguments: seen.append(
            (name, arguments, os.environ["D2L_BACKEND"])
        ),
    )
    monkeypatch.setenv("D2L_BACKEND", "")
    line = ["run", "anchor", "--backend", "x", "--lr", "0.1", "--size=2", "-h"]
    assert cli.main(line) == 0
    expected = ["--lr", "0.1", "--size=2", "--help"]
    assert seen == [("anchor", expected, one_backend)]


def test_run_chapter_gives_arguments_back(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chapters_module, "chapter_file", lambda name: tmp_path / name)
    (tmp_path / "ends.py").write_text(
        "import sys\nprint(__name__, sys.argv)\nsys.exit(3)\n"
    )
    before = list(sys.argv)
    with pytest.raises(SystemExit) as exit:
        chapters_module.run_chapter("ends.py", ["--a", "b"])
    assert exit.value.code == 3 and sys.argv == before
    path = str(tmp_path / "ends.py")
    assert capsys.readouterr().out == f"__main__ {[path, '--a', 'b']}\n"


def test_backend_exception(tmp_path):
    line = said(run("run", "anchor", "--backend", "jax", cwd=tmp_path), status=2)
    assert "unknown backend 'jax'" in line and [*REGISTRY][-1] in line
    line = said(run("run", "anchor", cwd=tmp_path, D2L_BACKEND="jax"), status=2)
    assert "unknown backend 'jax'" in line
    missing = set(REGISTRY) - set(installed())
    for name in sorted(missing):
        line = said(run("run", "anchor", "--backend", name, cwd=tmp_path), status=1)
        assert REGISTRY[name].install_command in line
    assert not list(tmp_path.iterdir())


def test_defect_keeps_its_traceback(monkeypatch):
    def fails(*_):
        return [][0]

    monkeypatch.setattr(cli, "_overview", fails)
    with pytest.raises(IndexError):
        cli.main([])

    def fails_elsewhere(*_):
        raise ValueError("not from d2lcv")

    monkeypatch.setattr(cli, "_overview", fails_elsewhere)
    with pytest.raises(ValueError, match="not from d2lcv"):
        cli.main([])


def test_interrupt_is_quiet(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_overview", interrupted)
    assert cli.main([]) == 130
    assert capsys.readouterr().err == ""


# ---- usage and tools -----------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["--no-such-option"], ["run", "--preset", "book"]],
)
def test_usage_exception(arguments, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert arguments[-1] in done.stderr or arguments[-2] in done.stderr
    assert "Traceback" not in done.stderr


def test_version():
    import d2lcv

    assert run("--version").stdout == f"d2lcv {d2lcv.__version__}\n"


def test_help(capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(["--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    for word in ("--devices", "run", "matrix", "render", "d2lcv run ssd"):
        assert word in text
    assert cli.main(["run", "--help"]) == 0
    assert "--backend NAME" in capsys.readouterr().out


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A checkout whose render tool writes down its arguments and ends with status 7."""
    monkeypatch.setattr(cli, "PACKAGE", tmp_path / "d2lcv")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "render.py").write_text(
        "import pathlib, sys\n"
        "pathlib.Path(__file__).with_name('said').write_text(repr(sys.argv[1:]))\n"
        "sys.exit(7)\n"
    )
    return tmp_path / "tools"


def test_tool_gets_all_arguments_and_gives_its_status(tools):
    line = ["render", "--backend", *REGISTRY, "--case", "x", "--help"]
    assert cli.main(line) == 7
    assert (tools / "said").read_text() == repr(line[1:])


def test_tool_exception_without_a_checkout(tools, capsys):
    (tools / "render.py").unlink()
    assert cli.main(["render"]) == 1
    line = capsys.readouterr().err
    assert "d2lcv: 'render' works in a checkout" in line and "tools/render.py" in line


def test_tools_of_the_checkout():
    assert (ROOT / "tools" / "render.py").is_file()
    done = run("matrix", "--help")
    assert done.returncode == 0 and "--topic" in done.stdout


@pytest.mark.once
@pytest.mark.parametrize(
    "options,reason",
    [
        ("--processes 0", "expected at least 1, got 0"),
        ("--processes two", "expected an integer, got 'two'"),
        ("--processes 9999", "--processes: expected at most"),
        ("--hosts nobody.invalid", "nobody knows 'nobody.invalid'"),
        ("--hosts 192.0.2.1", "to be one of 192.0.2.1"),
        ("--hosts localhost,127.0.0.1", "this one is 2 of localhost, 127.0.0.1"),
        ("--hosts a,,b", "expected different machines with commas"),
    ],
)
def test_processes_exception(capsys, options, reason):
    """Before anything starts."""
    try:
        status = cli.main(["run", "ssd", *options.split()])
    except SystemExit as end:
        status = end.code
    assert status == 2 and reason in capsys.readouterr().err
