"""Runs of the chapters' scripts, each in a process of its own, as a reader runs them."""

import ast
import contextlib
import functools
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from conftest import require_framework
from PIL import Image

from d2lcv.lesson import page as pages

ROOT = Path(__file__).parents[2]


class Run:
    """A finished run of a chapter: its output and the folder it wrote to."""

    def __init__(self, name, folder, *options):
        self.folder = folder
        done = subprocess.run(
            [
                *(sys.executable, str(ROOT / "chapters" / f"{name}.py")),
                *("--out", str(folder), *options),
            ],
            cwd=folder.parent,  # the script finds nothing by accident
            env={**os.environ, "MPLBACKEND": "agg"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        self.output = done.stdout

    def values(self, label):
        """The array that is printed after a label."""
        return parse(self.output, label)

    def figures(self):
        return re.findall(r"^figure: .*?([\w-]+)\.png$", self.output, re.MULTILINE)

    def pictures(self):
        """{figure: its pixels (height, width, 3)}."""
        found = {}
        for name in self.figures():
            with Image.open(self.folder / f"{name}.png") as image:
                found[name] = np.asarray(image.convert("RGB"))
        return found


def shown(d2l, chapter):
    """The code that a chapter's page shows, by the statements in its text that do."""
    text = (ROOT / "chapters" / f"{chapter}.py").read_text(encoding="utf-8")
    printed = io.StringIO()
    pages.page.start()
    with contextlib.redirect_stdout(printed):
        for statement in ast.parse(text).body:
            if "d2l.show_source(" in ast.unparse(statement):
                module = ast.Module([statement], [])
                exec(compile(module, chapter, "exec"), {"d2l": d2l})
    pages.page.start()
    return printed.getvalue()


def parse(output, label):
    """The numbers inside the first brackets after `label`, which must be there once."""
    _, found, text = output.partition(label)
    assert found, f"{label!r} is not printed"
    assert label not in text, f"{label!r} is printed twice"
    start = min(i for i in (text.find("["), text.find("(")) if i >= 0)
    assert text[:start].strip() == "", f"{label!r} has no numbers after it"
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] in "[(") - (text[end] in ")]")
        if depth == 0:
            break
    number = r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
    return np.array([float(x) for x in re.findall(number, text[start : end + 1])])


def runs_of(tmp_path_factory, options):
    """Name → the chapter's run, made when it is first asked for.

    `options(name, folder)` are its options; the folder is for data.
    """
    require_framework()

    @functools.cache
    def run(name):
        folder = tmp_path_factory.mktemp(name)
        return Run(name, folder / "out", *options(name, folder))

    return run


def colors_of(pixels):
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def near(actual, expected, atol=1e-5):
    """Printed with six digits: one unit of the last one, or what the case allows."""
    np.testing.assert_allclose(
        actual, np.asarray(expected, dtype=np.float64).reshape(-1), rtol=0, atol=atol
    )
