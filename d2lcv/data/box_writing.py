"""Labelled pictures written in the forms that `box_forms` and `boxes` read.

A part of a set is copied whole, its pictures as they are: what is read back has the same
pictures in the same order, the same classes, and the same rows to the last digit; YOLO's
centres and sizes lose what is below 1e-15 of the picture. Only Pascal VOC's form can say
that an object is difficult; none of these has a place for crowds and areas, and a warning
says how many were not written.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ..checks import check_path, check_text, flag
from ..files import make_folder, move_into, workspace
from .boxes import BoxSet, StrPath, class_names
from .pictures import SUFFIXES, natural

__all__ = ["write_csv", "write_voc", "write_yolo"]

_PLAIN = re.compile(r"\w[\w .()+=@-]*")


def write_csv(boxes: BoxSet, folder: StrPath, is_train: bool = True) -> str:
    """`set_train/label.csv`, `set_train/images/` and `classes.txt`, or `set_val/`."""
    root = check_path("folder", folder)
    split = "train" if flag("is_train", is_train) else "val"
    numbers = {str(k) for k in range(len(boxes.classes))}
    for k, name in enumerate(boxes.classes):
        if name in numbers and name != str(k):
            raise ValueError(
                f"classes: the form's labels are numbers, and class {k} is called "
                f"{name!r} like another's number; write another form"
            )
    # a reader takes the only folder of that ending
    part = next((p.name for p in root.glob(f"*_{split}")), f"set_{split}")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["img_name", "label", "xmin", "ymin", "xmax", "ymax"])
    files: dict[str, str | Path] = {}
    for i, name in enumerate(_names(boxes.paths)):
        files[f"{part}/images/{name}"] = Path(boxes.paths[i])
        rows = [[name, label, *box] for label, box in _in_pixels(boxes, i)]
        table.writerows(rows or [[name, -1, "", "", "", ""]])
    files[f"{part}/label.csv"] = text.getvalue()
    written = _write(boxes, root, files, [part])
    _warn_of_marks(boxes, "CSV")
    return written


def write_voc(boxes: BoxSet, folder: StrPath, is_train: bool = True) -> str:
    """`train/`, or `val/`, with pictures and XML files, and `classes.txt` beside it."""
    root = check_path("folder", folder)
    part = "train" if flag("is_train", is_train) else "val"
    files: dict[str, str | Path] = {}
    for i, name in enumerate(_names(boxes.paths)):
        files[f"{part}/{name}"] = Path(boxes.paths[i])
        height, width = boxes.sizes[i].tolist()
        top = ElementTree.Element("annotation")
        ElementTree.SubElement(top, "filename").text = name
        _add(top, "size", {"width": width, "height": height, "depth": 3})
        marks = boxes.difficult[i].tolist()  # as many as rows, with those of padding
        for (label, box), difficult in zip(_in_pixels(boxes, i), marks, strict=False):
            thing = ElementTree.SubElement(top, "object")
            ElementTree.SubElement(thing, "name").text = boxes.classes[label]
            ElementTree.SubElement(thing, "difficult").text = str(int(difficult))
            sides = ("xmin", "ymin", "xmax", "ymax")
            _add(thing, "bndbox", dict(zip(sides, box, strict=True)))
        ElementTree.indent(top)
        text = ElementTree.tostring(top, encoding="unicode")
        files[f"{part}/{Path(name).stem}.xml"] = text + "\n"
    written = _write(boxes, root, files, [part])
    _warn_of_marks(boxes, "Pascal VOC's form", difficult=False)
    return written


def _add(parent: ElementTree.Element, tag: str, values: Mapping[str, object]) -> None:
    group = ElementTree.SubElement(parent, tag)
    for name, value in values.items():
        ElementTree.SubElement(group, name).text = str(value)


def write_yolo(boxes: BoxSet, folder: StrPath, split: str = "") -> str:
    """`images/`, `labels/` and `classes.txt`; `split` is a folder inside the first two."""
    root, split = check_path("folder", folder), check_text("split", split)
    if split and not _PLAIN.fullmatch(split):
        raise ValueError(f"split: expected the name of a folder, got {split!r}")
    images, labels = (f"{part}/{split}".rstrip("/") for part in ("images", "labels"))
    files: dict[str, str | Path] = {}
    for i, name in enumerate(_names(boxes.paths)):
        path = Path(boxes.paths[i])
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(
                f"{path}: the form's pictures end in {', '.join(SUFFIXES)}; save it as "
                "one of these, or write another form"
            )
        files[f"{images}/{name}"] = path
        lines = []
        height, width = boxes.sizes[i].tolist()
        for label, *box in _rows(boxes, i):
            x1, x2 = (x / width for x in box[::2])
            y1, y2 = (y / height for y in box[1::2])
            values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            lines.append(" ".join(map(str, [int(label), *values])) + "\n")
        files[f"{labels}/{Path(name).stem}.txt"] = "".join(lines)
    written = _write(boxes, root, files, [images, labels])
    _warn_of_marks(boxes, "YOLO's form")
    return written


def _rows(boxes: BoxSet, i: int) -> list[list[float]]:
    rows = boxes.rows[i]
    return rows[rows[:, 0] >= 0].tolist()


def _in_pixels(boxes: BoxSet, i: int) -> Iterator[tuple[int, list[float]]]:
    """The classes and boxes of a picture, whole numbers without a point."""
    for label, *box in _rows(boxes, i):
        yield int(label), [int(x) if x.is_integer() else x for x in box]


def _warn_of_marks(boxes: BoxSet, form: str, *, difficult: bool = True) -> None:
    """Say what the form has no place for."""
    lost = {"crowds": int((boxes.crowds[:, :, 0] >= 0).sum())}
    if difficult:
        lost["marks of difficult objects"] = int(boxes.difficult.sum())
    sides = boxes.rows[:, :, 3:] - boxes.rows[:, :, 1:3]
    lost["areas of masks"] = int((abs(boxes.areas - sides.prod(2)) > 1e-3).sum())
    what = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
    if what:
        warnings.warn(
            f"{form} has no place for {what}, which are not written; to_coco keeps them",
            stacklevel=4,
        )


def _names(paths: Sequence[str]) -> list[str]:
    """The pictures' names, or numbers where readers would take these in another order."""
    names = [Path(path).name for path in paths]
    stems = [Path(name).stem for name in names]
    is_plain = all(map(_PLAIN.fullmatch, names))
    is_unique = len({stem.casefold() for stem in stems}) == len(stems)
    is_sorted = all(sorted(x, key=natural) == x for x in (names, stems))
    if is_plain and is_unique and is_sorted:
        return names
    digits = len(str(len(paths) - 1))
    return [f"{i:0{digits}}{Path(path).suffix}" for i, path in enumerate(paths)]


def _write(
    boxes: BoxSet, root: Path, files: Mapping[str, str | Path], parts: Sequence[str]
) -> str:
    """Write texts and copy pictures; nothing is changed before all is written."""
    if root.is_file():
        raise NotADirectoryError(f"folder: expected a folder, got the file {root}")
    for part in parts:
        place = root / part
        if place.is_file() or (place.is_dir() and any(place.iterdir())):
            raise FileExistsError(
                f"folder: expected a new or empty folder {place}, and there is something "
                "in it; choose another folder, or move it away"
            )
    _check_classes(boxes.classes, root / "classes.txt")
    target = Path(os.path.abspath(root))
    with workspace(target) as temporary:
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8", newline="\n")
            elif content.is_file():
                shutil.copyfile(content, path)
            else:
                raise FileNotFoundError(f"the picture {content} is missing")
        text = "".join(f"{name}\n" for name in boxes.classes)
        (temporary / "classes.txt").write_text(text, encoding="utf-8", newline="\n")
        make_folder(target)
        move_into(temporary, target)
    return str(root)


def _check_classes(classes: Sequence[str], path: Path) -> None:
    for name in classes:
        if not name.isprintable() or name != name.strip() or not name:
            raise ValueError(
                f"classes: expected names that are one line of text each, got {name!r}"
            )
    there = class_names(path)
    if there not in (None, list(classes)):
        raise ValueError(
            f"{path}: expected the classes of the set that is written, "
            f"{list(classes)}, got {there}; choose another folder"
        )
