"""A notebook as it is offered: in an empty folder it runs by itself, to its end."""

import importlib

import pytest
from conftest import require_framework

from d2lcv.backends import REGISTRY, backend_name

for name in ("nbformat", "jupytext", "nbclient", "ipykernel"):
    pytest.importorskip(name, reason="the extra `site` is not installed")

require_framework()

nbformat, nbclient, notebooks, standalone = (
    importlib.import_module(name)
    for name in ("nbformat", "nbclient", "notebooks", "standalone")
)

CHAPTER = """\
# %% [markdown]
# # A chapter
#
# Its text has several
# lines, and it follows [anchors](anchor.py).

# %%
import d2lcv as d2l

run = d2l.Chapter(
    "small",
    quick={"steps": 2},
    book={"steps": 5},
)

# %%
print(d2l.backend_name(), run.seed, run.steps, run.data)
"""
TEXT = """\
# A heading
of one line

A paragraph
of two lines, and a list:
- one
  and a half
- two

$$
a
$$

```
b
c
```
| d | e |
| f | g |"""


@pytest.fixture
def run(tmp_path):
    script = tmp_path / "small.py"
    script.write_text(CHAPTER, encoding="utf-8")
    run = notebooks.Run(script, backend_name(), arguments="--seed 7")
    run.notebook = notebooks.convert(script)
    run.notebook.metadata[notebooks.META] = {}
    return run


def test_offered_notebook_runs_in_an_empty_folder(run, tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    for name in ("D2L_BACKEND", "D2L_ARGS"):
        monkeypatch.delenv(name, raising=False)
    notebook = standalone.standalone(run)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.metadata["language_info"]["name"] == "python"
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, resources={"metadata": {"path": str(folder)}}, kernel_name="python3"
    )
    client.execute()
    (last,) = notebook.cells[-1].outputs
    assert last.text == f"{backend_name()} 7 2 synthetic\n"


@pytest.mark.once
def test_offered_notebook_says_what_a_reader_needs(run):
    title, setup, options, chapter, _ = standalone.standalone(run).cells
    assert title.source.endswith(
        "Its text has several lines, and it follows [anchors](anchor.ipynb)."
    )
    assert all(repr(p) in setup.source for p in REGISTRY[backend_name()].packages)
    assert f'd2l.use("{backend_name()}")' in setup.source
    assert "`--steps`" in options.source and '"--data", "book"' in options.source
    assert "    argv=['--seed', '7'],\n)" in chapter.source


@pytest.mark.once
def test_a_badge_stands_where_notebooks_are_published(run, monkeypatch):
    assert "Colab" not in standalone.standalone(run).cells[0].source
    urls = {"Project-URL": ["Notebooks, https://github.com/o/r/blob/b/f"]}

    class Metadata(dict):
        get_all = dict.get

    monkeypatch.setattr(
        standalone.importlib.metadata, "metadata", lambda _: Metadata(urls)
    )
    address = f"{standalone.COLAB}/github/o/r/blob/b/f/{backend_name()}/small.ipynb"
    assert f"]({address})" in standalone.standalone(run).cells[0].source


@pytest.mark.once
def test_prose_has_a_line_for_each_paragraph():
    assert standalone.unwrapped(TEXT).split("\n\n") == [
        "# A heading\nof one line",
        "A paragraph of two lines, and a list:\n- one and a half\n- two",
        "$$\na\n$$",
        "```\nb\nc\n```\n| d | e |\n| f | g |",
    ]
