"""The chapters in the book's order; their titles are their first headings."""

from __future__ import annotations

import re
from pathlib import Path

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"

# part → chapter → the figure on its card, as `d2lcv.show` names it
PARTS: dict[str, dict[str, str]] = {
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
OTHERS = "More"  # where a script stands that no part names


def parts(scripts: list[Path]) -> dict[str, list[Path]]:
    """The scripts in the book's order, by part; parts without a script are left out."""
    by_name = {script.stem: script for script in scripts}
    listed = {
        part: [by_name.pop(name) for name in names if name in by_name]
        for part, names in PARTS.items()
    }
    listed[OTHERS] = sorted(by_name.values())
    return {part: found for part, found in listed.items() if found}


def find(names: list[str] | None) -> list[Path]:
    """Scripts by chapter name or path, all by default, in the book's order.

    Raises `ValueError`, listing the chapters, for a name that is neither.
    """
    known = {path.stem: path for path in CHAPTERS.glob("*.py")}
    scripts = list(known.values())
    if names:
        scripts = [known.get(name) or Path(name).resolve() for name in names]
        for name, script in zip(names, scripts, strict=True):
            if script.suffix != ".py" or not script.is_file():
                raise ValueError(
                    f"chapter: expected a path of a script, or one of "
                    f"{', '.join(sorted(known))}; got {name!r}"
                )
    return [script for part in parts(scripts).values() for script in part]


def title(script: Path) -> str:
    """The first heading of a chapter script."""
    heading = re.search(r"^# # (.+)$", script.read_text(encoding="utf-8"), re.M)
    return heading[1].strip() if heading else script.stem


def figure(name: str) -> str:
    """The name of the figure on a chapter's card; empty for its first one."""
    return next((names[name] for names in PARTS.values() if name in names), "")
