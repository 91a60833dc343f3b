"""The site in a browser: every check passes on a sound site, and sees what it is for."""

import importlib
import json
import pathlib
import re
import shutil
import sys

import pytest

from d2lcv.backends import REGISTRY
from d2lcv.run.chapters import chapters

for name in ("nbformat", "jupytext", "nbclient", "sphinx", "furo", "selenium"):
    pytest.importorskip(name, reason="the extra `site` is not installed")

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
check_site, pages, stored = (
    importlib.import_module(name) for name in ("check_site", "pages", "stored")
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

# %%
show()

# %%
show_folded()
"""
SHORT = """\
# %% [markdown]
# # A short one
#
# It follows the [section before](anchor.py) with *one* number.

# %%
print(1)
"""
PICTURE = (
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="600pt" '
    'height="90pt"><rect width="600" height="90" fill="{}"/></svg>'
)


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
        stored.executed(
            anchor,
            name,
            [
                [stored.printed(f"{name} says\n" + "so " * 90)],
                [picture(colour)],
                [stored.lesson(name, "box_iou")],
                [stored.lesson(name, "box_corner_to_center", fold="Folded")],
            ],
        )
        for name, colour in zip(REGISTRY, colours, strict=True)
    ]
    one = [[stored.printed("1\n")]]
    runs += [stored.executed(short, name, one) for name in REGISTRY]
    assert pages.build(runs, folder / "build", with_reference=False)
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


def test_cards_have_their_place_in_the_course_and_plain_words(site):
    index = (site / "index.html").read_text(encoding="utf-8")
    cards = re.findall(r'class="number">(\d+)<.*?class="about">([^<]*)<', index)
    place = list(chapters()).index("anchor") + 1  # the other one is of no course
    assert [int(number) for number, _ in cards] == [place, len(chapters()) + 1]
    assert cards[1][1] == "It follows the section before with one number."


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


def test_faults_of_the_code_in_tabs_are_seen_and_named(copy):
    script = copy / "_static" / "frameworks.js"
    spoil(script, 'classList.toggle("beside", beside)', 'classList.remove("beside")')
    lie = (
        'event.clipboardData.setData("text/plain", "another"); event.preventDefault();'
    )
    with script.open("a", encoding="utf-8") as file:
        file.write(f'document.addEventListener("copy", event => {{ {lie} }});')
    place = f"{next(iter(REGISTRY))}/boxes.html"
    spoil(copy / "anchor.html", f"{place}#L-", f"{place}#M-")
    with (copy / "_static" / "site.css").open("a", encoding="utf-8") as file:
        file.write(".output .place a { color: #888 !important; }")
    found = failures(copy)
    assert found == {
        "anchor.html": {"pairs", "copies", "lines", "light and dark", "phone"}
    }


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
    assert found["anchor.html"] == {"tabs", "pairs", "copies", "phone"}
    assert found["the site"] == {"search", "keyboard"}
