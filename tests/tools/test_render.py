"""Notebooks and pages of the chapters: executed, reused, and a failure that has a name."""

import importlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import require_framework

import d2lcv as d2l
from d2lcv.backends import REGISTRY, backend_name

nbformat, *_, bs4 = (
    pytest.importorskip(name, reason="the extra `site` is not installed")
    for name in "nbformat jupytext nbclient ipykernel sphinx furo bs4".split()
)
require_framework()

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
notebooks, pages, render, stored = (
    importlib.import_module(name) for name in ("notebooks", "pages", "render", "stored")
)
executed, printed = stored.executed, stored.printed

TINY = """\
# %% [markdown]
# # A tiny chapter
#
# It knows that $x^2 \\geq 0$
# % and says so, see [the other](other.py).

# %%
import d2lcv as d2l

run = d2l.Chapter("tiny", quick={"n": 2}, book={"n": 3}, data=())

# %%
print(d2l.source(d2l.box_iou))

# %%
d2l.show_source(d2l.offset_inverse, imports=True, fold="In full")

# %%
d2l.set_figsize((2, 1))
d2l.plt.plot([1, 2])
d2l.show("line")

# %%
whole, half = d2l.tensor([[0.0, 0, 2, 2]]), d2l.tensor([[0.0, 0, 2, 1]])
run.report({"zeta": run.n, "alpha": d2l.box_iou(whole, half)[0, 0]})
"""
OTHER = """\
# %% [markdown]
# # Another chapter

# %%
print(1 + 1)
"""
BAD = """\
# %% [markdown]
# # A bad chapter

# %%
zero = 0

# %%
# it cannot be done
print(1 / zero)
"""


@pytest.fixture
def scripts(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return [str(tmp_path / f"{name}.py") for name in texts]

    return write


@pytest.fixture
def run(tmp_path, capsys):
    """`tools/render.py` on the active backend: exit status, and what it printed."""

    def run(chapters, *options):
        given = ["--backend", backend_name(), "--out", str(tmp_path / "build")]
        status = render.main(
            [*given, "--no-reference", *options, "--chapter", *chapters]
        )
        return status, capsys.readouterr().out

    return run


def soup(page):
    return bs4.BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def line_of(link):
    """The line of the package that the words of a link name: "d2lcv/boxes.py:7"."""
    file, _, line = link.get_text().partition(":")
    return (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]


def linked_line(link, site):
    """The line to which a link leads, without the number before it."""
    page, _, anchor = link["href"].partition("#")
    line = soup(site / page).find(id=anchor)
    line.select_one(".linenos").extract()
    return line.get_text().rstrip("\n")


def states(table):
    """Chapter → state, from the printed table."""
    rows = [re.split(r"\s{2,}", line) for line in table.splitlines()]
    return {row[0]: row[2] for row in rows[1:] if len(row) > 2}


def test_a_chapter_becomes_a_notebook_and_a_page(scripts, run, tmp_path):
    status, table = run(scripts(tiny=TINY, other=OTHER))
    assert status == 0
    assert states(table) == {"tiny": "executed", "other": "executed"}
    assert "zeta 2, alpha 0.5" in table

    build = tmp_path / "build"
    notebook = build / "notebooks" / backend_name() / "tiny.ipynb"
    cells = nbformat.read(notebook, as_version=4).cells
    assert len(cells) == 6
    source = "".join(output.get("text", "") for output in cells[2].outputs)
    column = ROOT / "d2lcv" / "backends" / backend_name() / "boxes.py"
    assert source.strip() in column.read_text(encoding="utf-8")
    assert "image/svg+xml" in cells[4].outputs[0].data

    page = (build / "site" / "tiny.html").read_text(encoding="utf-8")
    assert r"\(x^2 \geq 0\)" in page and "% and says so" in page
    assert 'href="other.html"' in page
    assert 'class="source"' in page and '<span class="k">def</span>' in page
    assert "base64" not in page
    (picture,) = set(re.findall(r'<img src="(_static/figures/[^"]+)"', page))
    assert (build / "site" / picture).read_text(encoding="utf-8").startswith("<svg")

    fold = soup(build / "site" / "tiny.html").select_one("details.source")
    assert fold.summary.get_text() == "In full"
    imports = d2l.lesson_imports(d2l.offset_inverse)
    lesson = f"{imports}\n\n{d2l.source(d2l.offset_inverse)}"
    assert fold.pre.get_text().strip() == lesson.strip()
    links = fold.select(".place a")
    assert f"d2lcv/backends/{backend_name()}/anchors.py" in str(links)
    for link in links:
        assert line_of(link) in lesson and linked_line(link, build / "site") in lesson

    title = REGISTRY[backend_name()].title
    assert re.search(rf"executed with {title} \d", page)
    assert page.index(">zeta<") < page.index(">alpha<")
    for name in ("tiny.py", f"{backend_name()}/tiny.ipynb"):
        assert f"downloads/{name}" in page
        assert (build / "site" / "downloads" / name).is_file()


def test_a_run_is_reused_until_what_it_depends_on_changes(
    scripts, run, tmp_path, monkeypatch
):
    text = OTHER + "import d2lcv\nd2lcv.box_iou\n"
    chapters = scripts(other=text)
    stored = tmp_path / "build" / "notebooks" / backend_name() / "other.ipynb"

    def state(*options):
        status, table = run(chapters, "--no-site", *options)
        assert status == 0
        return states(table)["other"]

    assert state() == "executed"
    files = nbformat.read(stored, as_version=4).metadata["d2lcv"]["files"]
    assert "d2lcv/boxes.py" in files and "d2lcv/ssd.py" not in files
    others = set(REGISTRY) - {backend_name()}
    assert not [f for f in files for name in others if f"backends/{name}/" in f]

    before = stored.stat().st_mtime_ns
    assert state() == "reused"
    assert stored.stat().st_mtime_ns == before
    assert state("--force") == "executed"
    assert state("--arguments", "--preset book") == "executed"
    assert state("--arguments", "--preset book") == "reused"
    scripts(other=text + "print(3)\n")
    assert state("--no-execute").startswith("not executed (changed: script")

    scripts(other=text)
    assert state() == "executed"
    honest = notebooks.package_files()
    monkeypatch.setattr(
        notebooks, "package_files", lambda: honest | {"d2lcv/ssd.py": "other"}
    )
    assert state("--no-execute") == "reused"
    monkeypatch.setattr(
        notebooks, "package_files", lambda: honest | {"d2lcv/boxes.py": "other"}
    )
    assert state("--no-execute") == "not executed (changed: d2lcv/boxes.py)"


def test_text_may_change_without_a_run(scripts, run, tmp_path):
    """The new text stands between the old outputs; a changed comment in code is code."""
    chapters = scripts(other=OTHER)
    run(chapters, "--no-site")
    text = OTHER.replace("Another", "A better") + "\n# %% [markdown]\n# The end.\n"
    scripts(other=text)
    for _ in range(2):
        _, table = run(chapters, "--no-site", "--no-execute")
        assert states(table) == {"other": "reused"}
    stored = tmp_path / "build" / "notebooks" / backend_name() / "other.ipynb"
    title, code, end = nbformat.read(stored, as_version=4).cells
    assert "A better chapter" in title.source and end.source == "The end."
    assert code.outputs[0].text == "2\n" and code.execution_count == 1
    scripts(other=text.replace("print(1 + 1)", "print(1 + 1)  # two"))
    _, table = run(chapters, "--no-site", "--no-execute")
    assert states(table)["other"].startswith("not executed (changed: script")


def test_a_script_that_changes_during_its_run_is_run_again(scripts, run, tmp_path):
    edit = f"open({str(tmp_path / 'other.py')!r}, 'a').write('print(4)')\n"
    chapters = scripts(other=OTHER + edit)
    assert states(run(chapters, "--no-site")[1])["other"] == "executed"
    _, table = run(chapters, "--no-site", "--no-execute")
    assert states(table)["other"] == "not executed (changed: script)"


def test_a_failing_cell_names_itself_and_stops_no_other(scripts, run, tmp_path):
    chapters = scripts(bad=BAD, other=OTHER)
    status, printed = run(chapters)
    assert status == 1
    assert {"bad": "failed", "other": "executed"}.items() <= states(printed).items()
    where = f"bad on {backend_name()}, cell 3 of bad.py:8 (# it cannot be done)"
    assert f"{where}: ZeroDivisionError: division by zero" in printed
    build = tmp_path / "build"
    assert not (build / "site").exists()
    assert not (build / "notebooks" / backend_name() / "bad.ipynb").exists()
    assert (build / "notebooks" / backend_name() / "bad.failed.ipynb").exists()


def test_a_kernel_that_dies_or_never_ends_is_a_failure(scripts, run):
    chapters = scripts(
        dies="# %%\nimport os\n\nos._exit(3)\n",
        stays="# %%\nimport time\n\ntime.sleep(60)\n",
    )
    status, printed = run(chapters, "--timeout", "5", "--jobs", "2")
    assert status == 1
    assert f"dies on {backend_name()}, cell 1 of dies.py:2" in printed
    assert "the kernel process died" in printed
    assert "longer than --timeout allows" in printed


def test_ctrl_c_ends_it(scripts, tmp_path):
    begun = tmp_path / "begun"
    cell = (
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(300)\n"
    )
    other, long = scripts(
        other=OTHER, long=f"# %% [markdown]\n# # Long\n\n# %%\n{cell}"
    )
    command = [sys.executable, ROOT / "tools" / "render.py", "--chapter", long, other]
    process = subprocess.Popen(
        [*command, "--backend", backend_name(), "--out", tmp_path / "build"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    began, ended = errors.splitlines()
    assert began.startswith("long on ")
    assert ended == "render: ended by Ctrl-C; what is stored is kept"
    assert not list(tmp_path.glob("build/notebooks/*/other.ipynb"))


def test_outputs_do_not_tell_where_the_data_is(scripts, run, tmp_path, monkeypatch):
    monkeypatch.setenv("D2L_DATA", str(tmp_path / "my data"))
    show = "# %%\nimport d2lcv.data.hub as hub\n\nprint(hub.data_dir() + '/set')\n"
    assert run(scripts(where=show), "--no-site")[0] == 0
    stored = tmp_path / "build" / "notebooks" / backend_name() / "where.ipynb"
    (cell,) = nbformat.read(stored, as_version=4).cells
    assert cell.outputs[0].text == "data/set\n"


def test_without_executing_a_page_says_so(scripts, run, tmp_path):
    status, table = run(scripts(other=OTHER), "--no-execute")
    assert status == 0
    assert states(table) == {"other": "not executed (not stored)"}
    page = (tmp_path / "build" / "site" / "other.html").read_text(encoding="utf-8")
    assert "not executed on" in page
    assert 'class="output"' not in page


def test_exercises_are_trained_where_a_chapter_has_some(scripts, run, tmp_path):
    trains = TINY.replace('quick={"n": 2}', 'quick={"n": 2, "exercises": False}')
    trains = trains.replace('book={"n": 3}', 'book={"n": 3, "exercises": False}')
    trains += "print('exercises:', run.exercises)\n"
    status, table = run(scripts(trains=trains, tiny=TINY), "--no-site", "--exercises")
    assert status == 0, table
    notebook = tmp_path / "build" / "notebooks" / backend_name() / "trains.ipynb"
    assert "exercises: True" in notebook.read_text(encoding="utf-8")


def test_an_unknown_chapter_or_interpreter_is_named(run, tmp_path, capsys):
    status, _ = run(["no_such_chapter"])
    assert status == 2
    with pytest.raises(ValueError, match=r"one of anchor.*'no_such_chapter'"):
        render.find(["no_such_chapter"])


def test_equal_outputs_are_shown_once_and_others_in_tabs(tmp_path):
    script = tmp_path / "two.py"
    script.write_text("# %% [markdown]\n# # Two\n\n# %%\na\n\n# %%\nb\n\n# %%\nc\n")
    same, bar = printed("same\n"), printed(" 0%| | 0/6\r100%|#| 6/6\n", "stderr")
    found = [
        [[same], [printed("1\n")], [bar]],
        [[bar, same], [printed("2\n")], []],
        [[same], [printed("1\n")], []],
    ]
    first, second, third, *_ = REGISTRY
    names = (first, second, third)
    runs = {n: executed(script, n, x) for n, x in zip(names, found, strict=True)}
    outputs = pages.Page(script, runs, tmp_path, set()).data()["outputs"]
    shown = [
        [(group["for"], [item["text"] for item in group["items"]]) for group in groups]
        for groups in outputs.values()
    ]
    assert shown == [
        [([first, second, third], ["same"])],
        [([first, third], ["1"]), ([second], ["2"])],
        [],
    ]


def test_each_framework_has_its_code_in_its_tab_and_beside_any_other(tmp_path):
    script = tmp_path / "code.py"
    head = "# %% [markdown]\n# # Code\n# In `box_iou`.\n\n# %%\nd2l.box_iou\n"
    script.write_text(head + "\n# %%\na\n" * 3)
    names = "box_iou", "box_corner_to_center"
    first, *others = REGISTRY
    runs = [
        executed(
            script,
            backend,
            [
                [stored.lesson(backend, names[0])],
                [printed("7\n"), stored.lesson(backend, names[1], fold="Folded")],
                [printed(f"{backend}\n")],
                [stored.lesson(first, names[0])],
            ],
        )
        for backend in REGISTRY
    ]
    assert pages.build(runs, tmp_path)
    site = tmp_path / "site"
    *both, words, same = soup(site / "code.html").select(".output")
    links = [a["href"] for a in soup(site / "code.html").select("a.api")]
    assert links == ["reference/boxes.html#d2lcv.box_iou"] * 2

    for box, name in zip(both, names, strict=True):
        for backend in REGISTRY:
            (panel,) = box.select(f'.panel[data-for="{backend}"]')
            code = panel.select_one(".source pre").get_text()
            file, line, expected = stored.definition(backend, name)
            assert code.strip() == expected
            (link,) = panel.select(".place a")
            assert link.get_text() == f"{file}:{line}"
            assert line_of(link) == linked_line(link, site) == expected.split("\n")[0]
        assert [o["value"] for o in box.select("select[data-beside] option")] == [
            "",
            *REGISTRY,
        ]
    plain, folded = both
    assert not plain.select("details") and len(folded.select("details")) == len(
        REGISTRY
    )
    for fold in folded.select("details"):
        assert (
            fold.summary.get_text() == "Folded"
            and fold.pre
            and "open" not in fold.attrs
        )
        assert fold.parent.select_one("pre.text").get_text() == "7"

    assert words.select(".panel") and not words.select("select")
    assert same.select(".source") and not same.select(".panel, select")

    page = site / "code" / "d2lcv" / "backends" / first / "boxes.html"
    sisters = [a["href"] for a in soup(page).select(".row a")]
    assert [(page.parent / a).resolve() for a in sisters] == [
        site / "code" / "d2lcv" / "backends" / name / "boxes.html" for name in others
    ]
    assert all((page.parent / a).is_file() for a in sisters)

    # the reference: a function, its types, its example, its place in each framework
    entry = soup(site / "reference" / "boxes.html").find(id="d2lcv.box_iou").parent
    assert "boxes1: Tensor" in entry.dt.get_text()
    panels = entry.select(".panel")
    assert [panel["data-for"] for panel in panels] == list(REGISTRY)
    for panel in panels:
        column, topic = panel.select(".place a")
        file, line, _ = stored.definition(panel["data-for"], "box_iou")
        assert column.get_text() == f"{file}:{line}"
        for link in (column, topic):
            assert linked_line(link, site / "reference") == line_of(link)
    example = entry.find_next_sibling(class_="highlight-pycon").get_text()
    assert ">>> print(d2l.numpy(d2l.box_iou(boxes, boxes)))\n[[1." in example


def test_answers_are_folded():
    text = "## Exercises\n\n1. Why?\n\n### Answer to exercise 1\n\nSo."
    head, _, body = pages._folded(text, False)[0].partition("<details")
    assert "1. Why?" in head and "###" not in body
    assert body.endswith("<summary>Answer to exercise 1</summary>\n\n\nSo.")
    for after in ("### Exercise 2: write it yourself\n", "## More\n"):
        assert pages._folded(after, True) == (f"</details>\n\n{after}", False)
    assert pages._folded("And so.", True) == ("And so.", True)


def test_a_chapter_that_is_not_on_the_site_is_named_without_a_link():
    text = "See [one](one.py), [two](chapters/two.ipynb) and [a page](http://x/y.py)."
    expected = "See [one](one.md), two and [a page](http://x/y.py)."
    assert pages._markdown(text, {"one"}) == expected


@pytest.mark.parametrize(
    ("cell", "text", "is_source"),
    [
        ("print(d2l.source(d2l.nms))", "def nms():\n    return 1", True),
        (
            "x = 1\nprint(d2l.source(a))",
            "@jit\nclass A:\n    x = 1\n\ndef b(): ...",
            True,
        ),
        ("print(d2l.source(a), 1)", "def a():\n    return 1\n 1", False),
        ("print(d2l.source(a))\nprint(x)", "def a(): ...\n7", False),
        ("print(x)", "def a(): ...", False),
        ("print(d2l.source(a))", "", False),
        ("%timeit x", "def a(): ...", False),
    ],
)
def test_only_printed_definitions_are_code(cell, text, is_source):
    assert pages._is_source(cell, text) is is_source


def test_output_is_what_a_terminal_would_show():
    items = []
    pages._add_text(items, "old\rnew\n\x1b[31mred\x1b[0m  \n")
    pages._add_text(items, "more\r\n")
    assert items == [{"kind": "text", "text": "new\nred\nmore\n"}]


def test_a_result_keeps_its_order_and_its_gaps(tmp_path):
    (tmp_path / "out").mkdir()
    result = {"metrics": {"b": 1.0, "a": None}}
    (tmp_path / "out" / "result.json").write_text(json.dumps(result))
    assert notebooks._result(tmp_path)["metrics"] == [("b", 1.0), ("a", None)]
