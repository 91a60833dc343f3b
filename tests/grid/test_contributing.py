"""CONTRIBUTING's steps for a chapter and for a backend, taken in a copy of the files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reading import ROOT, relative

from d2lcv.backends import REGISTRY

pytestmark = pytest.mark.once

CHAPTER = """\
# %% [markdown]
# # A stub
#
# It shows one figure.

# %%
import d2lcv as d2l

run = d2l.Chapter("stub", quick={"n": 2}, book={"n": 3}, data=())
d2l.plt.plot([1, run.n])
d2l.show("line")

# %%
run.report({"n": run.n})
"""


class Copy:
    """The repository's files in another folder, and what has been changed there."""

    def __init__(self, root):
        self.root, self.changed = root, set()
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        files = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, files.decode().split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)

    def write(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")
        self.changed.add(name)

    def edit(self, name, pattern, replacement):
        text = (self.root / name).read_text(encoding="utf-8")
        new, number = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert number, f"{name}: nothing matches {pattern!r}"
        self.write(name, new)

    def copy(self, name, new):
        source, target = self.root / name, self.root / new
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        self.changed.add(new)

    def run(self, *arguments, **environment):
        """Standard output of an interpreter that has this copy's package."""
        paths = os.pathsep.join([str(self.root), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": paths, **environment},
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def pytest(self, *arguments, **environment):
        return self.run("-m", "pytest", "-q", "-x", *arguments, **environment)


@pytest.fixture
def copy(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("the files are those that git lists")
    return Copy(tmp_path / "copy")


def named(section, name):
    """The paths that a section of CONTRIBUTING names, with a name for NAME."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    steps = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    paths = set(re.findall(r"`([\w./]+)`", steps.replace("NAME", name)))
    return {path.rstrip("/") for path in paths}


def test_add_a_chapter(d2l, copy):
    copy.write("chapters/stub.py", CHAPTER)
    copy.edit(
        "d2lcv/run/chapters.py", r'^( +)"ssd": .*\n', r'\g<0>\1"stub": "line",' + "\n"
    )
    copy.edit(
        "README.md", r"^\| `ssd.py` \|.*\n", r"\g<0>| `stub.py` | a line |" + "\n"
    )
    table = "tests/chapters/chapter_runs.py"
    copy.edit(table, r'^    "yolo": Small', '    "stub": Small("line"),\n' + r"\g<0>")
    assert copy.changed <= named("Add a chapter", "stub")
    lines = copy.run("-m", "d2lcv", "run").splitlines()
    ssd = next(i for i, line in enumerate(lines) if line.split()[:1] == ["ssd"])
    assert lines[ssd + 1].split() == ["stub", "A", "stub"]
    output = copy.run("-m", "d2lcv", "run", "stub", "--out", "out")
    assert "line.png" in output and (copy.root / "out" / "result.json").is_file()
    files = [f"tests/{name}.py" for name in ("tools/test_docs", "run/test_cli")]
    copy.pytest(*files, "tests/chapters/test_chapters.py", "-k", CHECKS)


CHECKS = """links_lead or readme_has or table_has_every or lists_chapters
    or every_chapter or figures_are and stub""".replace("\n", " ")


def test_a_forgotten_step_is_noticed(d2l, copy):
    copy.write("chapters/stub.py", CHAPTER)
    with pytest.raises(AssertionError, match="stub"):
        copy.pytest("tests/run/test_cli.py", "-k", "table_has_every")


def test_add_a_backend(copy):
    """Its column is a copy of PyTorch's, the registry's first."""
    first, *_ = REGISTRY.values()
    if not first.is_installed:
        pytest.skip(f"{first.title} is not installed")
    entry = (
        f'        Backend("fifth", "Fifth", "{first.package}", "{first.distribution}"'
    )
    entry += f', "{first.tensor}", ("fifthflow",), companions={first.companions!r}),\n'
    registry = "d2lcv/backends/__init__.py"
    copy.edit(registry, r"^    \)\n\}\n", lambda end: entry + end[0])
    copy.copy(f"d2lcv/backends/{first.name}", "d2lcv/backends/fifth")
    for folder in ("tests/columns", "tools/plain"):
        copy.copy(f"{folder}/{first.name}.py", f"{folder}/fifth.py")
    copy.edit(
        "pyproject.toml", r"^all = ", f'fifth = ["{first.distribution}"]\n' + r"\g<0>"
    )
    copy.edit(
        "README.md",
        rf"^\| `{[*REGISTRY][-1]}` \|.*\n",
        r"\g<0>| `fifth` | Fifth | 3.10–3.13 | `pip install` |" + "\n",
    )
    architecture = "docs/architecture.md"
    cell = rf"\[{first.name}\]\(../d2lcv/backends/{first.name}/(\w+).py\)"
    fifth = r"\g<0> | [fifth](../d2lcv/backends/fifth/\1.py)"
    copy.edit(architecture, cell, fifth)
    copy.edit(architecture, rf"^(\| topic .*\| {first.title}) \|", r"\1 | Fifth |")
    assert copy.changed <= named("Add a backend", "fifth")

    grid = [f"tests/grid/test_{part}.py" for part in ("grid", "rooms")]
    # the extras are those of an installation, and the copy is not installed
    known = copy.pytest(
        *(*grid, "tests/tools/test_docs.py", "-k", "not extras_exist"),
        f"--deselect={grid[0]}::test_test_reads_the_registry[{relative(Path(__file__))}]",
        D2L_BACKEND="fifth",
    )
    assert " failed" not in known
    cases = ["tests/proof/test_cases.py", "tests/grid/test_dropin.py", "-k"]
    answers = copy.pytest(*cases, "boxes or dropin", D2L_BACKEND="fifth")
    assert re.search(r"\b\d\d+ passed", answers)
    Path(copy.root / "d2lcv/backends/fifth/boxes.py").unlink()
    with pytest.raises(AssertionError, match=r"boxes\.py|differ"):
        copy.pytest("tests/grid/test_grid.py", "-k", "files_of_the_others")
