"""The documents: what they link to is there, and their tables are complete."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from d2lcv.backends import REGISTRY
from d2lcv.run.chapters import PARTS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
# a path with NAME in it is that of a file that somebody will write
FILE = re.compile(r"`(?!\S*NAME)((?:d2lcv|tests|tools|chapters|docs)/[\w/.]+\.\w+)`")


def missing(text, folder):
    """The links of a document, and the files it names, that lead nowhere."""
    links = [path for path in LINK.findall(text) if not (folder / path).exists()]
    return links + [path for path in FILE.findall(text) if not (ROOT / path).exists()]


def rows(path, head):
    """The first cells of the table below the line that begins with `head`."""
    _, _, table = path.read_text(encoding="utf-8").partition(head)
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [line.split("|")[1].strip() for line in lines]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    assert not missing(path.read_text(encoding="utf-8"), path.parent)


def test_dead_link_exception():
    text = "[a](README.md) [b](gone.md#part) ![c](docs/gone.png) [d](https://d2l.ai)"
    assert missing(text, ROOT) == ["gone.md", "docs/gone.png"]
    assert missing("`tests/gone.py` and `d2lcv/boxes.py`", ROOT) == ["tests/gone.py"]


def test_readme_has_every_chapter():
    named = rows(ROOT / "README.md", "| chapter |")
    assert named == [f"`{name}.py`" for names in PARTS.values() for name in names]


def test_architecture_has_the_whole_grid_and_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in REGISTRY:
        for path in (ROOT / "d2lcv" / "backends" / name).glob("[!_]*.py"):
            assert f"(../{path.relative_to(ROOT).as_posix()})" in text
    for path in (ROOT / "d2lcv").glob("[!_]*.py"):
        assert f"(../d2lcv/{path.name})" in text
    for path in (ROOT / "d2lcv").glob("*/__init__.py"):
        assert f"(../d2lcv/{path.parent.name}" in text


def test_readme_has_every_backend():
    """In the order in which one is chosen, with the Pythons it runs on."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rows(ROOT / "README.md", "| `D2L_BACKEND` |") == [f"`{n}`" for n in REGISTRY]
    for name, entry in REGISTRY.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
        assert f"| {entry.pythons[0]}–{entry.pythons[-1]} |" in row


def test_ci_runs_sessions_that_there_are():
    """Every session that CI names is one of the noxfile's."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    listed = re.search(r"session: \[(.*)\]", workflow)[1].split(", ")
    single = re.findall(r"nox -s (\w+)$", workflow, re.MULTILINE)
    for session in [*listed, *single]:
        assert f"def {session}(" in noxfile, session


def test_ci_takes_what_it_knows():
    """Actions by commit, with the tag beside it; tools by exact versions."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    actions = re.findall(r"uses: (.*)", workflow)
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v[\d.]+", action), action
    installs = re.findall(r"pip install (.*)", workflow)
    assert installs
    for install in installs:
        constraint, file, *tools = install.split()
        assert (constraint, file) == ("-c", "constraints.txt")
        assert all(re.search(rf"^{tool}==", pinned, re.MULTILINE) for tool in tools)


def test_ci_runs_every_backend():
    (command,) = re.findall(
        r"list=\$\((.*)\)", (ROOT / ".github/workflows/ci.yml").read_text()
    )
    answer = subprocess.run(command.split(), cwd=ROOT, capture_output=True, check=True)
    pairs = {(pair["backend"], pair["python"]) for pair in json.loads(answer.stdout)}
    assert pairs == {(b.name, p) for b in REGISTRY.values() for p in b.pythons}
    assert len(pairs) >= 3 * len(REGISTRY)
