"""The reference's examples: one for every public name, and each prints what it says."""

import contextlib
import doctest
import io

import numpy as np
import pytest
import reference

from d2lcv.drawn import sets
from d2lcv.lesson.page import page

# Enough of each drawn set: the real ones take a minute
SMALL = {
    "bananas": {"num_train": 4, "num_val": 4},
    "cifar10": {"num_train": 1, "num_test": 1},
    "cifar10_tiny": {"num_train": 30, "num_test": 2},
    "dog_tiny": {"num_train": 28, "num_test": 1},
    "hotdog": {"num_train": 1, "num_test": 1},
    "shapes": {"num_train": 1, "num_val": 1},
    "voc": {"num_train": 4, "num_val": 2},
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
EXAMPLES = [example for page in reference.pages() for example in page.examples]
ONCE = {"worker": pytest.mark.once}  # it loads the framework in another process


def told(code, names):
    """What the first line that prints something else has to say; empty if none does."""
    # not doctest's runner: it hides the source of functions, and AutoGraph then fails
    for example in doctest.DocTestParser().get_examples(code):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(example.source, "example", "single"), names)
        got = out.getvalue()
        if not doctest.OutputChecker().check_output(example.want, got, FLAGS):
            return f"{example.source}expected:\n{example.want}got:\n{got}"
    return ""


@pytest.mark.parametrize(
    "example",
    [pytest.param(e, id=e.names[0], marks=ONCE.get(e.names[0], ())) for e in EXAMPLES],
)
def test_example(d2l, example, tmp_path, monkeypatch):
    drawn = sets.synthetic
    monkeypatch.setattr(
        sets, "synthetic", lambda name, **given: drawn(name, **SMALL[name] | given)
    )
    monkeypatch.chdir(tmp_path)
    d2l.seed(0)
    page.start()  # nothing was shown before
    with np.printoptions(**reference.PRINT):
        assert not told(example.code, {"d2l": d2l, "np": np})


def test_wrong_example_is_told():
    assert told(">>> 1 + 1\n3\n", {}) == "1 + 1\nexpected:\n3\ngot:\n2\n"
