"""Where the scripts of the chapters are, what they are called, and how one is run."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..words import did_you_mean

__all__ = ["PARTS", "chapter_file", "chapters", "chapters_dir", "parts", "run_chapter"]

PARTS = {
    "Beginning": {
        "introduction": "picture",
    },
    "Learning from few pictures": {
        "image_augmentation": "pictures",
        "fine_tuning": "pictures",
    },
    "Object detection": {
        "bounding_box": "boxes",
        "anchor": "truth-and-anchors",
        "multiscale_object_detection": "scale-040",
        "object_detection_dataset": "batch",
        "ssd": "detections",
        "yolo": "detections",
        "rcnn": "instances",
    },
    "Semantic segmentation": {
        "semantic_segmentation": "pictures-and-labels",
        "transposed_conv": "enlarged",
        "fcn": "whole-pictures",
    },
    "Style transfer": {
        "neural_style": "stages",
    },
    "Competitions": {
        "kaggle_cifar10": "predictions",
        "kaggle_dog": "top-five",
    },
}
"""The one table of chapters, in the order in which they are read: part → chapter → the
figure on its card of the site, as `d2lcv.show` names it. The title is the script's."""

OTHERS = "More"  # where a script stands that no part names
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


def parts(scripts: Iterable[Path] | None = None) -> dict[str, list[Path]]:
    """The scripts (all by default) in the order of reading, by part."""
    found = chapters_dir().glob("*.py") if scripts is None else scripts
    by_name = {path.stem: path for path in found}
    listed = {
        part: [by_name.pop(name) for name in names if name in by_name]
        for part, names in PARTS.items()
    }
    listed[OTHERS] = [by_name[name] for name in sorted(by_name)]
    return {part: paths for part, paths in listed.items() if paths}


def chapters() -> dict[str, str]:
    """Name → title of every chapter, in the order in which they are read."""
    return {path.stem: title(path) for paths in parts().values() for path in paths}


def figure(name: str) -> str:
    """The name of the figure on a chapter's card; empty for its first one."""
    return next((names[name] for names in PARTS.values() if name in names), "")


def chapter_file(name: str) -> Path:
    """The script of the chapter `name`, with or without `.py`, or one of the reader's own.

    Raises `ValueError`, listing the known names, if there is none.
    """
    stem, known = name.removesuffix(".py"), chapters()
    if stem in known:
        return chapters_dir() / f"{stem}.py"
    if stem != name and Path(name).is_file():
        return Path(name)
    hint = did_you_mean(stem, known)
    raise ValueError(
        f"there is no chapter {name!r}; {hint} The known ones are {', '.join(known)}"
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


def title(path: Path) -> str:
    """The first heading of a percent-format script."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("# # "):
                return line[4:].strip()
    return path.stem
