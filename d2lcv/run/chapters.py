"""Where the scripts of the chapters are, what they are called, and how one is run."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

__all__ = ["chapter_file", "chapters", "chapters_dir", "run_chapter"]

ORDER = """
    image_augmentation fine_tuning bounding_box anchor multiscale_object_detection
    object_detection_dataset ssd rcnn semantic_segmentation transposed_conv fcn
    neural_style kaggle_cifar10 kaggle_dog
""".split()
"""The chapters in the order in which they are read."""

_PACKAGE = Path(__file__).parents[1]


def chapters_dir() -> Path:
    """The folder of the scripts: the package's own, or in a checkout the one beside it.

    Raises `FileNotFoundError` if there is neither.
    """
    packed, beside = _PACKAGE / "_chapters", _PACKAGE.parent / "chapters"
    for folder in (packed, beside):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"the chapters are missing: neither {packed} nor {beside} is a folder; "
        "install d2lcv again"
    )


def chapters() -> dict[str, str]:
    """Name → title of every chapter, in the order in which they are read."""
    found = {path.stem: path for path in chapters_dir().glob("*.py")}
    names = [name for name in ORDER if name in found]
    names += sorted(found.keys() - set(ORDER))
    return {name: _title(found[name]) for name in names}


def chapter_file(name: str) -> Path:
    """The script of the chapter `name`, with or without `.py`.

    Raises `ValueError`, listing the known names, if there is none.
    """
    stem, known = name.removesuffix(".py"), chapters()
    if stem in known:
        return chapters_dir() / f"{stem}.py"
    near = get_close_matches(stem, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"there is no chapter {name!r}; {hint}The known ones are {', '.join(known)}"
    )


def run_chapter(name: str, arguments: Sequence[str] = ()) -> None:
    """Run a chapter in this process, as `python chapters/NAME.py ARGUMENTS` would.

    Raises what the chapter raises, `SystemExit` for a wrong option included.
    """
    path = str(chapter_file(name))
    before = sys.argv
    sys.argv = [path, *arguments]
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        sys.argv = before


def _title(path: Path) -> str:
    """The first heading of a percent-format script."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("# # "):
                return line[4:].strip()
    return path.stem
