"""What holds for every chapter: on little, from end to end, on the active backend."""

import re

import numpy as np
import pytest
from chapter_runs import CHAPTERS, ROOT, colors_of

from d2lcv.run.chapters import chapters

EVERY = [pytest.param(name, marks=pytest.mark.chapter(name)) for name in CHAPTERS]


@pytest.mark.once
def test_a_group_stays_in_one_process(request):
    """Else a chapter runs in each; some releases of pytest lose the groups silently."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("the tests are not spread by groups")
    assert "@" in request.node.nodeid


@pytest.mark.once
def test_every_chapter_is_in_the_table():
    assert [*CHAPTERS] == [*chapters()]


@pytest.mark.parametrize("name", EVERY)
def test_figures_are_there_and_not_blank(run, name):
    assert run.figures() == CHAPTERS[name].all_figures()
    for figure, pixels in run.pictures().items():
        height, width = pixels.shape[:2]
        assert 250 <= width <= 1800 and 150 <= height <= 900, (figure, pixels.shape)
        assert colors_of(pixels) > 30 and pixels.std() > 10, figure


@pytest.mark.parametrize("name", EVERY)
def test_result_is_reported(run, d2l, name):
    result, small = run.result, CHAPTERS[name]
    assert (result["chapter"], result["preset"]) == (name, "quick")
    assert (result["backend"], result["device"]) == (
        d2l.backend_name(),
        d2l.device_name(),
    )
    assert result["metrics"] and result["seconds"] > 0
    for metric, value in result["metrics"].items():
        assert np.isfinite(value), metric
        shares = "acc" in metric or "mAP" in metric or "iou" in metric
        assert not shares or 0 <= value <= 1, metric
    if "--seed" in small.options:
        assert f"--seed {result['seed']} " in small.options
        assert result["examples_per_sec"] > 0
    assert run.output.splitlines()[0].startswith(f"{name}: ")
    assert "\nresult  " in run.output and "Traceback" not in run.errors


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_written_elsewhere(run, name):
    assert not list(run.cwd.iterdir())


@pytest.mark.once
@pytest.mark.parametrize("name", CHAPTERS)
def test_text_has_its_parts(name):
    """A summary, exercises, an answer to each; prose before most pieces of code."""
    text = (ROOT / "chapters" / f"{name}.py").read_text(encoding="utf-8")
    assert "# ## Summary" in text
    exercises = text.partition("# ## Exercises")[2].partition("# ### ")[0]
    asked = re.findall(r"^# (\d+)\. ", exercises, re.MULTILINE)
    answers = re.findall(r"^# ### Answers? to exercises? (.*)$", text, re.MULTILINE)
    answered = sorted(re.findall(r"\d+", " ".join(answers)))
    assert asked == answered and len(asked) >= 2
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    kinds = "".join("p" if c.startswith(" [markdown]") else "c" for c in cells)
    assert kinds[0] == "p" and kinds.count("p") >= kinds.count("c") / 2
    assert "cccc" not in kinds
