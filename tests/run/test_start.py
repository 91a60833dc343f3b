"""`start.py` on a machine whose Python, pip and nox are stubs: nothing is installed."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from d2lcv.backends import REGISTRY

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform == "win32", reason="the stub is a shell script"),
]
ROOT = Path(__file__).parents[2]
MINE = "{}.{}".format(*sys.version_info)
FIRST, SECOND, *_ = (name for name, entry in REGISTRY.items() if MINE in entry.pythons)


class Machine:
    """A checkout in which `start.py` can be called; `calls` are the commands it ran."""

    def __init__(self, folder, monkeypatch):
        self.root, self.calls, self.status = folder, [], 0
        for path in ("start.py", "pyproject.toml", "d2lcv/backends/__init__.py"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
        shutil.copytree(ROOT / "chapters", folder / "chapters")
        monkeypatch.delenv("D2L_BACKEND", raising=False)
        monkeypatch.setattr(subprocess, "call", self.call)

    def call(self, command, env, cwd):
        if command[1:3] == ["-m", "venv"]:
            self.put_python(Path(command[3]))
        self.calls.append((" ".join(command[1:]), env.get("D2L_BACKEND")))
        return self.status

    def put_python(self, folder, version=MINE):
        python = folder / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)

    def start(self, *arguments):
        """The commands of one call of `start.py`."""
        self.calls = []
        runpy.run_path(str(self.root / "start.py"))["main"](list(arguments))
        return self.calls

    def refusal(self, *arguments):
        code = runpy.run_path(str(self.root / "start.py"))
        with pytest.raises((code["Failure"], ValueError)) as caught:
            code["main"](list(arguments))
        return str(caught.value)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def made(machine, name=".venv"):
    return (f"-m venv {machine.root / name}", None)


def installed(backend):
    return (f"-m pip install --quiet -e .[{backend}]", None)


def test_a_new_machine_gets_an_environment_a_framework_and_the_detector(machine):
    ran = ("-m d2lcv run ssd", FIRST)
    assert machine.start() == [made(machine), installed(FIRST), ran]
    assert machine.start() == [ran]
    assert machine.start("anchor", "--backend", SECOND, "--seed", "1") == [
        installed(SECOND),
        ("-m d2lcv run anchor --seed 1", SECOND),
    ]
    assert machine.start(f"--backend={SECOND}") == [("-m d2lcv run ssd", SECOND)]
    assert machine.start("detect", "a b.jpg") == [("-m d2lcv detect a b.jpg", FIRST)]


def test_the_backend_that_is_there_is_taken(machine):
    machine.start("--backend", SECOND)
    assert machine.start("--preset", "book") == [
        ("-m d2lcv run ssd --preset book", SECOND)
    ]


def test_tests_have_an_environment_of_their_own(machine):
    ran = ("-m nox -s lint", None)
    assert machine.start("--test", "-s", "lint") == [
        made(machine, ".venv-test"),
        ("-m pip install --quiet nox uv", None),
        ran,
    ]
    assert machine.start("--test", "-s", "lint") == [ran]
    assert not (machine.root / ".venv").exists()


def test_new_requirements_are_installed(machine):
    machine.start()
    project = machine.root / "pyproject.toml"
    project.write_text(project.read_text() + "\n# changed\n")
    assert machine.start()[0] == installed(FIRST)


def test_an_installation_that_failed_is_tried_again(machine):
    machine.status = 1
    assert "failed, with status 1" in machine.refusal()
    machine.status = 0
    assert machine.start()[-2:] == [installed(FIRST), ("-m d2lcv run ssd", FIRST)]


def test_a_broken_environment_is_made_anew(machine):
    machine.start()
    (machine.root / ".venv" / "bin" / "python").unlink()
    assert machine.start()[:2] == [made(machine), installed(FIRST)]


def test_an_environment_of_another_python_is_named_and_left_as_it_is(machine):
    machine.start()
    machine.put_python(machine.root / ".venv", "3.9")
    said = machine.refusal()
    assert str(machine.root / ".venv") in said and "python3.9 start.py" in said
    assert (machine.root / ".venv" / "bin" / "python").is_file()


def test_an_environment_of_somebody_else_is_used_or_left_as_it_is(machine):
    folder = machine.root / ".venv"
    folder.mkdir()
    said = machine.refusal()
    assert str(folder) in said and "has not made it" in said
    assert folder.is_dir() and not machine.calls
    machine.put_python(folder)
    assert machine.start() == [installed(FIRST), ("-m d2lcv run ssd", FIRST)]


def test_a_dry_run_changes_nothing(machine, capsys):
    assert machine.start("--dry-run") == []
    assert not (machine.root / ".venv").exists()
    printed = capsys.readouterr().out
    for words in (f"-e '.[{FIRST}]'", f"D2L_BACKEND={FIRST}", "-m d2lcv run ssd"):
        assert words in printed


def test_refusals_say_what_to_do(machine, monkeypatch):
    assert FIRST in machine.refusal("--backend", "no_such")
    narrow = min(REGISTRY.values(), key=lambda entry: len(entry.pythons))
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    said = machine.refusal("--backend", narrow.name)
    assert narrow.title in said and f"python{narrow.pythons[-1]}" in said
    assert "no framework runs on Python 3.99" in machine.refusal()
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert "3.10 or later" in machine.refusal()
    assert not machine.calls
