"""Labelled pictures on disk: what every reader gives, and the reader of CSV files.

The layout is that of the book's `banana-detection`:

    ROOT/
        classes.txt              optional: one class name per line
        anything_train/
            label.csv            img_name,label,xmin,ymin,xmax,ymax
            images/0.png …       PNG, JPEG or another kind that Pillow reads
        anything_val/
            …

A row of `label.csv` is one object: the class counts from 0, or is a name in `classes.txt`;
the box is in pixels of that picture, its right and lower border may be the picture's. A box
that reaches less than a pixel beyond is clipped. A picture with several objects has
several rows. A picture without objects has one row with label −1, or with nothing
after its name. Pictures without a row are not read.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..checks import check_path, flag
from .pictures import read_size
from .tables import read_lines, read_table, refuse

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "BoxSet",
    "Object",
    "Picture",
    "StrPath",
    "checked_picture",
    "class_names",
    "existing_folder",
    "pack",
    "read_csv",
]

StrPath = str | os.PathLike[str]
_BOX = ["xmin", "ymin", "xmax", "ymax"]
_COLUMNS = ["img_name", "label", *_BOX]
_MAX_CLASSES = 10_000  # without names: a larger class is a mistake


class BoxSet(NamedTuple):
    """The pictures and boxes of one split; no picture is read yet.

    Attributes:
        root: what was opened.
        paths: the N files.
        sizes: (N, 2) int64, height and width of each picture on disk.
        rows: (N, G, 5) float64, G the largest number of objects in a picture. A row is
            (class, x1, y1, x2, y2), the box in pixels of the picture on disk. Rows that
            are not needed have class −1 and zeros.
        difficult: (N, G) bool, whether an object is marked as difficult.
        areas: (N, G) float64, the objects' areas in square pixels: those that the labels
            say, else those of the boxes; 0 of rows not needed.
        crowds: (N, K, 5) float64, rows of the same form: regions with many objects. K can
            be 0.
        classes: their names; of classes without names their numbers as text.
        num_clipped: boxes that reached up to a pixel beyond their picture.
    """

    root: str
    paths: list[str]
    sizes: np.ndarray
    rows: np.ndarray
    difficult: np.ndarray
    areas: np.ndarray
    crowds: np.ndarray
    classes: list[str]
    num_clipped: int


class Object(NamedTuple):
    """One object: its class and box, where it is written, for messages, and its marks."""

    label: int
    box: tuple[float, float, float, float]
    place: str
    difficult: bool = False
    crowd: bool = False
    area: float | None = None


class Picture(NamedTuple):
    """A file, where it is named, and its (height, width) as the labels say, if they do."""

    path: str
    place: str
    size: tuple[int, int] | None = None


def existing_folder(name: str, value: StrPath) -> Path:
    """The path of a folder that is there."""
    path = check_path(name, value)
    if path.is_file():
        raise NotADirectoryError(f"{name}: expected a folder, got the file {path}")
    if not path.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {path}")
    return path


def pack(
    root: StrPath, objects: Mapping[Picture, list[Object]], classes: list[str]
) -> BoxSet:
    """Check every picture and every box against its picture, and pack them.

    A box that reaches up to a pixel beyond its picture is clipped; a warning says how many
    were.
    """
    if not objects:
        raise ValueError(f"{os.fspath(root)} has no pictures")
    sizes = np.array([checked_picture(picture) for picture in objects])
    singles, crowds = (
        [[row for row in rows if row.crowd == crowd] for rows in objects.values()]
        for crowd in (False, True)
    )
    most = max(1, *map(len, singles)), max(map(len, crowds))
    packed, areas, clipped = _packed(singles, sizes, most[0])
    regions, _, also_clipped = _packed(crowds, sizes, most[1])
    difficult = np.zeros(areas.shape, bool)
    for marks, rows in zip(difficult, singles, strict=True):
        marks[: len(rows)] = [row.difficult for row in rows]
    num_clipped = clipped + also_clipped
    if num_clipped:
        warnings.warn(
            f"{os.fspath(root)}: {num_clipped} of {sum(map(len, objects.values()))} boxes "
            "reach up to a pixel beyond their pictures and were clipped",
            stacklevel=4,
        )
    paths = [picture.path for picture in objects]
    arrays = (packed, difficult, areas, regions)
    return BoxSet(os.fspath(root), paths, sizes, *arrays, classes, num_clipped)


def _packed(
    objects: list[list[Object]], sizes: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows (N, most, 5), areas (N, most), and how many boxes were clipped."""
    packed = np.zeros((len(objects), most, 5))
    packed[:, :, 0] = -1
    areas = np.zeros(packed.shape[:2])
    num_clipped = 0
    for i, (rows, size) in enumerate(zip(objects, sizes.tolist(), strict=True)):
        for k, row in enumerate(rows):
            box, is_clipped = _checked_box(row, *size)
            num_clipped += is_clipped
            packed[i, k] = row.label, *box
            # rounded: fractions of a picture give 1024.0000000001
            area = round((box[2] - box[0]) * (box[3] - box[1]), 4)
            areas[i, k] = area if row.area is None else row.area
    return packed, areas, num_clipped


def checked_picture(picture: Picture) -> tuple[int, int]:
    """Its height and width, which are those that the labels say."""
    if not os.path.isfile(picture.path):
        raise FileNotFoundError(
            f"{picture.place}: the picture {picture.path} is missing"
        )
    size = read_size(picture.path)
    if picture.size not in (None, size):
        height, width = picture.size or (0, 0)
        raise ValueError(
            f"{picture.place}: the labels are of a picture of {width} × {height} pixels "
            f"(width × height), and {picture.path} has {size[1]} × {size[0]}"
        )
    return size


def _checked_box(row: Object, height: int, width: int) -> tuple[np.ndarray, bool]:
    """The box within its picture, and whether it had to be clipped."""
    x1, y1, x2, y2 = row.box
    got = f"got {x1:g}, {y1:g}, {x2:g}, {y2:g}"
    limits = np.array([width, height, width, height])
    box = np.clip(row.box, 0, limits)
    beyond = np.abs(box - row.box).max()
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"{row.place}: expected xmin < xmax and ymin < ymax, {got}")
    if beyond > 1 or box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError(
            f"{row.place}: the box must lie in its picture of {width} × {height} "
            f"pixels (width × height) or reach at most a pixel beyond it, {got}"
        )
    return box, bool(beyond > 1e-3)  # the last digit of a number does not count


# ---- CSV -----------------------------------------------------------------------------


def read_csv(root: StrPath, is_train: bool) -> BoxSet:
    """Read the `…_train` split of a folder that is laid out as above, or the `…_val` one.

    Without `classes.txt` there are as many classes as the largest of both splits says.
    """
    existing_folder("folder", root)
    folder = _find_split(Path(root), "train" if flag("is_train", is_train) else "val")
    path, names = folder / "label.csv", class_names(Path(root) / "classes.txt")
    rows = _read_rows(path, names)
    pictures: dict[str, Picture] = {}
    objects: dict[Picture, list[Object]] = {}
    for line, name, label, *box in rows[["img_name", "label", *_BOX]].itertuples():
        place = f"{path}, line {line}"
        file = str(folder / "images" / name)
        found = objects.setdefault(pictures.setdefault(name, Picture(file, place)), [])
        if label >= 0:
            found.append(Object(int(label), (box[0], box[1], box[2], box[3]), place))
    if names is None:
        names = _numbers(Path(root), rows, "val" if is_train else "train")
    return pack(path, objects, names)._replace(root=os.fspath(root))


def _find_split(root: Path, split: str) -> Path:
    """Return the one folder below `root` that is called `…_train` or `…_val`."""
    found = sorted(p for p in root.iterdir() if p.is_dir() and _is_split(p, split))
    if len(found) == 1:
        return found[0]
    expected = f"expected one folder *_{split} with images/ and label.csv below {root}"
    if found:
        raise ValueError(f"{expected}, found {', '.join(p.name for p in found)}")
    there = ", ".join(sorted(p.name for p in root.iterdir())[:10]) or "nothing"
    raise FileNotFoundError(f"{expected}, found {there}")


def _is_split(path: Path, split: str) -> bool:
    return path.name.endswith(f"_{split}") and not path.name.startswith(".")


def _numbers(root: Path, rows: DataFrame, other: str) -> list[str]:
    """The classes of both splits, which count from 0."""
    largest = rows.label.max()
    try:
        table = _find_split(root, other) / "label.csv"
        largest = max(largest, _read_rows(table, None).label.max())
    except FileNotFoundError:
        pass  # a split alone
    return [str(index) for index in range(max(int(largest), 0) + 1)]


def class_names(path: Path) -> list[str] | None:
    """Read one class name per line; `None` if there is no such file."""
    if not path.is_file():
        return None
    names = read_lines(path, "one class name per line")
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"{path}: expected one class name per line, each once: {names}"
        )
    return names


def _read_rows(path: Path, classes: list[str] | None) -> DataFrame:
    """The objects of a label.csv: names, classes (−1 is none), boxes; by line."""
    import pandas as pd

    header = f"the columns {','.join(_COLUMNS)}"
    texts = read_table(path, f"a CSV file with {header}")
    if not set(_COLUMNS) <= set(texts.columns):
        got = ",".join(texts.columns)
        raise ValueError(f"{path}, line 1: expected {header}, got {got!r}")
    texts = texts[_COLUMNS]
    if texts.empty:
        raise ValueError(f"{path} has no rows: the split is empty")

    files = texts.img_name.map(PureWindowsPath)  # with its rules for all systems
    wrong = files.map(lambda file: bool(file.anchor) or ".." in file.parts)
    wrong |= files.map(lambda file: not file.parts)
    refuse(path, texts, wrong, "the name of a file in images/")
    rows = texts[_COLUMNS[1:]].apply(pd.to_numeric, errors="coerce").astype(float)
    rows["img_name"] = files.map(PureWindowsPath.as_posix)

    named = texts.label.map({name: i for i, name in enumerate(classes or [])})
    wrong = named.notna() & rows.label.notna() & (named != rows.label)
    refuse(
        path, texts, wrong, "one class, and the label is one's number, another's name"
    )
    rows.loc[named.notna(), "label"] = named
    rows.loc[(texts[_COLUMNS[1:]] == "").all(axis=1), "label"] = -1
    count = len(classes) if classes else _MAX_CLASSES
    wrong = ~rows.label.isin(range(-1, count))
    expected = (
        f"as label a class from 0 to {count - 1} or -1 for a picture without objects"
    )
    refuse(path, texts, wrong, expected)

    is_object = rows.label >= 0
    for column in _BOX:
        wrong = is_object & ~np.isfinite(rows[column])
        refuse(path, texts, wrong, f"a number as {column}")
    wrong = ~is_object & rows.img_name.duplicated(keep=False)
    refuse(
        path, texts, wrong, "one row for a picture without objects, and it has others"
    )
    return rows
