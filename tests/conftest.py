"""Fixtures of all tests: the package on the active backend, a seed, no display."""

import builtins
import importlib
import os
import random
import signal
import sys

import numpy as np
import pytest

from d2lcv.backends import REGISTRY, installed

os.environ.setdefault("MPLBACKEND", "Agg")

FRAMEWORKS = {name for entry in REGISTRY.values() for name in entry.packages}

try:
    import hypothesis
except ModuleNotFoundError:  # only the property tests need it, and they say so
    hypothesis = None
else:
    hypothesis.settings.register_profile(
        "d2lcv",
        deadline=None,  # the first call of a framework takes seconds
        derandomize=True,
        max_examples=60,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("d2lcv")


def require_framework():
    """Skip when there is nothing to test; a backend asked for by name never skips."""
    if os.environ.get("D2L_BACKEND"):
        return
    if not installed():
        pytest.skip(
            f"no framework is installed: one of {', '.join(REGISTRY)} is needed",
            allow_module_level=True,
        )


def bare(code):
    """The names that a program defines where the package cannot be imported."""
    honest = builtins.__import__

    def importer(name, *arguments, **options):
        assert not name.startswith("d2lcv"), f"the program imports {name}"
        return honest(name, *arguments, **options)

    names = {
        "__builtins__": {**vars(builtins), "__import__": importer},
        "__name__": "page",
    }
    exec(compile(code, "page", "exec"), names)
    return names


@pytest.fixture(scope="session")
def d2l():
    """The package, as a reader imports it."""
    require_framework()
    import d2lcv

    return d2lcv


@pytest.fixture(scope="session")
def native(d2l):
    """The active framework in its own words: its file in `tests/columns`."""
    return importlib.import_module(f"columns.{d2l.backend_name()}")


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - what a test leaves unseeded draws from here


@pytest.fixture(autouse=True)
def _signals():
    """A chapter takes the signals that end a program: here they stay the tests'."""
    numbers = signal.SIGINT, signal.SIGTERM
    before, hook = [signal.getsignal(n) for n in numbers], sys.excepthook
    yield
    sys.excepthook = hook
    for n, handler in zip(numbers, before, strict=True):
        signal.signal(n, handler)


@pytest.fixture
def run(d2l, request, tmp_path_factory):
    """The run on little of the chapter that the test is marked with, made once."""
    from chapter_runs import run_of

    (chapter,) = request.node.get_closest_marker("chapter").args
    return run_of(chapter, tmp_path_factory.mktemp).finished()


ROOMS_OF_ALL = {"data", "datasets", "figures"}  # most of them compute in NumPy


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """To one process: the tests of a chapter, which share its run, and those of a file.

    Tests of these rooms that do not ask for the package are the same on every backend.
    """
    for item in items:
        if item.path.parent.name in ROOMS_OF_ALL and "d2l" not in item.fixturenames:
            item.add_marker(pytest.mark.once)
        chapter = item.get_closest_marker("chapter")
        group = chapter.args[0] if chapter else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
