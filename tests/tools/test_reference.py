"""The API reference: every name is on its page, with what the four columns have for it."""

import re

import pytest
import reference

from d2lcv.backends import REGISTRY

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def sources():
    return reference.sources()


def test_every_name_is_on_its_page(tmp_path):
    reference.write(tmp_path / "pages")
    entry = re.compile(r"^\.\. (?:auto|py:)\w+:: d2lcv\.(\w+)", re.M)
    for page in reference.pages():
        text = (tmp_path / "pages" / f"{page.name}.rst").read_text(encoding="utf-8")
        assert sorted(entry.findall(text)) == sorted(page.names)
        assert all(example.code.splitlines()[0] in text for example in page.examples)
    index = (tmp_path / "pages" / "index.rst").read_text(encoding="utf-8")
    assert all(f"<d2lcv.{name}>`" in index for name in reference.public())


def test_what_is_different_in_each_framework_has_all_its_sources(sources):
    for name in ("nms", "TinySSD", "exp", "tensor", "roi_align"):
        places = sources[name]["columns"]
        assert list(places) == list(REGISTRY)
        for backend, place in places.items():
            lines = (reference.ROOT / place["file"]).read_text("utf-8").splitlines()
            assert f"/{backend}/" in place["file"]
            assert lines[place["line"] - 1].split()[0] == place["code"].split()[0]
            assert name in place["code"]


def test_what_is_the_same_has_the_place_that_defines_it(sources):
    for name, file in {
        "warmup_cosine": "d2lcv/training.py",
        "show_images": "d2lcv/figures/images.py",  # and not where it is passed on
        "VOC_CLASSES": "d2lcv/data/voc.py",
        "use": "d2lcv/backends/__init__.py",
    }.items():
        assert sources[name]["topic"]["file"] == file
        assert not sources[name]["columns"]
    assert all(s["topic"] or s["columns"] for s in sources.values())


def test_docstrings_become_restructured_text():
    text = "`d2lcv.nms` of `x*`s, |a|:\n\n```python\nf(*x)\n```\n\n`Trainer.step`"
    assert reference.restructured(text).splitlines() == [
        ":py:obj:`d2lcv.nms <d2lcv.nms>` of ``x*``\\ s, \\|a\\|:",
        "",
        ".. code-block:: python",
        "",
        "   f(*x)",
        "",
        "",
        ":py:obj:`Trainer.step <d2lcv.Trainer.step>`",
    ]
