"""The site in a browser: every check passes on a sound site, and sees what it is for."""

import importlib
import json
import pathlib
import shutil
import sys

import pytest

from d2lcv.backends import REGISTRY

nbformat, *_ = (
    pytest.importorskip(name, reason="the extra `site` is not installed")
    for name in ("nbformat", "jupytext", "nbclient", "sphinx", "furo", "selenium")
)

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
check_site, notebooks, pages = (
    importlib.import_module(name) for name in ("check_site", "notebooks", "pages")
)

if reason := check_site.why_not():
    pytest.skip(reason, allow_module_level=True)

ANCHOR = """\
# %% [markdown]
# # An anchor
#
# A formula, $\\frac{a}{b}$, and a long one,
# $$a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u$$

# %%
print("a rather long line of code", "that is wider than the screen of a telephone is")

# %%
figure()
"""
SHORT = """\
# %% [markdown]
# # A short one

# %%
print(1)
"""
PICTURE = (
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="600pt" '
    'height="90pt"><rect width="600" height="90" fill="{}"/></svg>'
)


def executed(script, backend, outputs):
    """A run with the outputs given for each code cell, without a kernel."""
    notebook = notebooks.convert(script)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, output in zip(cells, outputs, strict=True):
        cell.outputs = [nbformat.v4.new_output(**output)]
    notebook.metadata["d2lcv"] = {
        "key": {"framework": "1.0"},
        "files": {},
        "seconds": 1.0,
        "result": None,
    }
    return notebooks.Run(script, backend, state="executed", notebook=notebook)


def text(words):
    return {"output_type": "stream", "name": "stdout", "text": words}


def picture(colour):
    svg = PICTURE.format(colour)
    return {"output_type": "display_data", "data": {"image/svg+xml": svg}}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    anchor, short = folder / "anchor.py", folder / "short.py"
    anchor.write_text(ANCHOR, encoding="utf-8")
    short.write_text(SHORT, encoding="utf-8")
    colours = ("red", "green", "red", "red")
    runs = [
        executed(anchor, name, [text(f"{name} says\n" + "so " * 90), picture(colour)])
        for name, colour in zip(REGISTRY, colours, strict=True)
    ]
    runs += [executed(short, name, [text("1\n")]) for name in REGISTRY]
    assert pages.build(runs, folder / "build")
    return folder / "build" / "site"


def failures(site):
    """Page → names of the checks that fail on it."""
    lines = []
    number = check_site.check(site, lines.append)
    found, page = {}, None
    for line in lines:
        if line.startswith(("ok", "FAILED")):
            page = line[8:].partition(":")[0]
        else:
            found.setdefault(page, set()).add(line.strip().partition(":")[0])
    assert number == sum(map(len, found.values()))
    return found


def test_a_sound_site_passes(site):
    assert failures(site) == {}


@pytest.fixture
def copy(site, tmp_path):
    return pathlib.Path(shutil.copytree(site, tmp_path / "site"))


def spoil(page, old, new):
    content = page.read_text(encoding="utf-8")
    assert old in content
    page.write_text(content.replace(old, new), encoding="utf-8")


def test_each_fault_of_a_page_is_seen_and_named(copy):
    wide = '<p style="width: 500px">wide</p>'
    bare = "<p>costs $x^2$</p>"
    other = '<script src="http://127.0.0.2:9/elsewhere.js"></script>'
    spoil(copy / "short.html", "</article>", f"{wide}{bare}{other}</article>")
    for path in (copy / "_static" / "figures" / "anchor").iterdir():
        path.unlink()
    found = failures(copy)
    assert found["short.html"] == {"phone", "formulas", "console"}
    assert {"pictures", "console"} <= found["anchor.html"]


def test_tabs_that_forget_and_dark_that_is_bright_are_seen(copy):
    script = copy / "_static" / "frameworks.js"
    spoil(script, "localStorage.setItem", "void")
    style = copy / "_static" / "site.css"
    style.write_text(style.read_text() + "body { background: #eee !important; }")
    found = failures(copy)
    assert found["index.html"] == {"light and dark"}
    assert found["the site"] == {"memory"}


def test_tabs_that_do_not_switch_and_a_search_without_words_are_seen(copy):
    script = copy / "_static" / "frameworks.js"
    spoil(script, "root.dataset.framework = name;", "")
    index = copy / "searchindex.js"
    content = index.read_text(encoding="utf-8")
    words = json.loads(content.removeprefix("Search.setIndex(").removesuffix(")"))
    words |= {"terms": {}, "titleterms": {}, "alltitles": {}, "titles": [""] * 3}
    index.write_text(f"Search.setIndex({json.dumps(words)})", encoding="utf-8")
    check_site.SECONDS, before = 3, check_site.SECONDS
    try:
        found = failures(copy)
    finally:
        check_site.SECONDS = before
    assert found["anchor.html"] == {"tabs"}
    assert found["the site"] == {"search", "keyboard"}
