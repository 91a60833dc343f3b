"""The wheel: what is in it, and that it works where there is no checkout."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from d2lcv.backends import REGISTRY

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.once

if importlib.util.find_spec("hatchling") is None:
    pytest.skip(
        "hatchling, which builds the wheel, is not installed (extra 'test')",
        allow_module_level=True,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(out),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder with nothing but what the wheel has."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    return folder


def run(site, cwd, *arguments):
    """Run an interpreter in an empty folder, with the wheel before all else."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def files_below(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_has_the_package_and_the_chapters_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {f"d2lcv/{name}" for name in files_below(ROOT / "d2lcv")}
    chapters = {
        f"d2lcv/_chapters/{name}"
        for name in files_below(ROOT / "chapters")
        if name.endswith(".py")
    }
    assert {"d2lcv/py.typed", "d2lcv/__init__.pyi"} <= names
    assert "d2lcv/_chapters/ssd.py" in chapters
    assert names == package | chapters


def test_metadata(wheel):
    import d2lcv

    folder = f"d2lcv-{d2lcv.__version__}.dist-info"
    metadata = wheel.read(f"{folder}/METADATA").decode()
    assert f"\nVersion: {d2lcv.__version__}\n" in metadata
    scripts = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "d2lcv = d2lcv.__main__:main" in scripts
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()


def test_import_is_of_the_wheel(site, tmp_path):
    code = (
        "import d2lcv, d2lcv.run.chapters as c; print(d2lcv.__file__, c.chapters_dir())"
    )
    status, out, err = run(site, tmp_path, "-c", code)
    assert status == 0, err
    package = site / "d2lcv"
    assert out.split() == [str(package / "__init__.py"), str(package / "_chapters")]


def test_command_line_outside_of_a_checkout(site, tmp_path):
    status, out, err = run(site, tmp_path, "-m", "d2lcv", "run")
    assert status == 0, err
    listed = {line.split()[0] for line in out.splitlines() if line[:1] == " "}
    assert listed == {path.stem for path in (ROOT / "chapters").glob("*.py")}
    status, out, err = run(site, tmp_path, "-m", "d2lcv", "render")
    assert (status, out) == (1, "")
    assert (
        err.startswith("d2lcv: 'render' works in a checkout") and err.count("\n") == 1
    )


def test_matrix_runs_outside_of_a_checkout(d2l, site, tmp_path):
    line = (
        "-m",
        "d2lcv",
        "matrix",
        "--backend",
        d2l.backend_name(),
        "--topic",
        "boxes",
    )
    status, out, err = run(site, tmp_path, *line)
    assert status == 0, err
    assert re.search(r"\d+ cases, 0 pairs of backends, 0 breaches", out)


def test_chapter_runs_outside_of_a_checkout(d2l, site, tmp_path):
    status, _, err = run(site, tmp_path, "-m", "d2lcv", "run", "bounding_box")
    assert status == 0, err
    name = d2l.backend_name()
    out = tmp_path / "out" / f"bounding_box-{name}"
    result = json.loads((out / "result.json").read_text())
    assert (result["backend"], result["metrics"]["round_trip_error"]) == (name, 0)
    assert list(out.glob("*.png")) or list(out.glob("*.svg"))


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_worker_leaves_another_interpreter_its_own_libraries(site, tmp_path):
    """Installed beside NumPy, the package does not push that NumPy on a worker."""
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\nprintf "%s" "$PYTHONPATH" > said\nexit 3\n')
    other.chmod(0o755)
    code = (
        "import os, sys; from d2lcv.backends.worker import Worker, WorkerError\n"
        "os.environ['PYTHONPATH'] = 'mine'\n"
        f"try: Worker(sys.argv[1], {str(other)!r})\n"
        "except WorkerError as error: print(error)"
    )
    status, out, err = run(site, tmp_path, "-c", code, next(iter(REGISTRY)))
    assert status == 0 and "died with exit status 3" in out, err
    assert (tmp_path / "said").read_text() == "mine"
