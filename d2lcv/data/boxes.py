"""Labelled pictures on disk: the layout of the book's `banana-detection`, and your own.

    ROOT/
        classes.txt              optional: one class name per line
        anything_train/
            label.csv            img_name,label,xmin,ymin,xmax,ymax
            images/0.png …       PNG or JPEG
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
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from .pictures import read_labelled, read_size
from .tables import read_lines, read_table, refuse

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "DetectionFolder",
    "checked_size",
    "class_names",
    "read_detection_folder",
]

_BOX = ["xmin", "ymin", "xmax", "ymax"]
_COLUMNS = ["img_name", "label", *_BOX]
_MAX_CLASSES = 10_000  # without names: a larger class is a mistake


class DetectionFolder:
    """The pictures and boxes of one split; pictures are read when they are asked for.

    Args:
        root: the folder that holds the splits.
        is_train: the `…_train` split, or else the `…_val` split.
        size: (height, width) in pixels to which every picture is resized; `None` leaves
            each as it is.

    Attributes:
        paths: the N files, in the order in which `label.csv` names them first.
        labels: (N, G, 5) float32, G the largest number of objects in a picture. A row is
            (class, x1, y1, x2, y2), the box in fractions of the picture's width and
            height. Rows that are not needed have class −1 and zeros.
        sizes: (N, 2) int64, height and width of each picture on disk.
        classes: the names in `classes.txt`, or `None`.
        num_clipped: boxes that reached up to a pixel beyond their picture.
        num_classes: how many names there are, or else the largest class of both splits
            plus one.

    Raises:
        FileNotFoundError: no split, no `label.csv`, or a row names a missing picture.
        ValueError: what `label.csv` or `classes.txt` says cannot be; the message names
            the file, the line, and what was expected. Or a picture cannot be read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        is_train: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.size = checked_size(size)
        self.root = os.fspath(root)
        folder = _find_split(Path(root), "train" if is_train else "val")
        self.classes = class_names(Path(root) / "classes.txt")
        rows = _read_rows(folder / "label.csv", self.classes)
        first = rows.drop_duplicates("img_name").img_name
        self.paths = [str(folder / "images" / name) for name in first]
        for path, line in zip(self.paths, first.index, strict=True):
            if not os.path.isfile(path):
                raise FileNotFoundError(
                    f"{folder / 'label.csv'}, line {line}: the picture {path} is missing"
                )
        self.sizes = np.array([read_size(path) for path in self.paths])
        self.labels, self.num_clipped = _to_labels(
            folder / "label.csv", rows, self.sizes
        )
        self.num_classes = self._count_classes(not is_train)

    def _count_classes(self, other_is_train: bool) -> int:
        """Without names, both splits must agree: look at the other one, too."""
        if self.classes is not None:
            return len(self.classes)
        largest = self.labels[:, :, 0].max()
        try:
            other = _find_split(Path(self.root), "train" if other_is_train else "val")
            largest = max(largest, _read_rows(other / "label.csv", None).label.max())
        except FileNotFoundError:
            pass
        return max(int(largest), 0) + 1

    @property
    def class_names(self) -> list[str]:
        """One name per class: those of `classes.txt`, or else "0", "1", …"""
        return self.classes or [str(index) for index in range(self.num_classes)]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self.example(i)

    def __repr__(self) -> str:
        return (
            f"DetectionFolder({self.root!r}: {len(self)} pictures, "
            f"{int((self.labels[:, :, 0] >= 0).sum())} objects, "
            f"{self.num_classes} classes)"
        )

    def pixels(self, i: int) -> np.ndarray:
        """Read picture i: (h, w, 3) uint8, resized to `size` if there is one.

        Raises:
            ValueError: the file is not a picture, or torn, or its EXIF notes turn it;
                it is named.
        """
        return read_labelled(self.paths[i], self.size)

    def example(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return picture i, (3, h, w) float32 from 0 to 255, and its label (G, 5).

        Raises:
            IndexError: there is no picture i.
            ValueError: the file is not a picture, or torn; it is named.
        """
        pixels = self.pixels(i)
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
        return image, self.labels[i].copy()


def read_detection_folder(
    root: str | os.PathLike[str], is_train: bool = True
) -> tuple[list[np.ndarray], np.ndarray]:
    """Read a whole split at once, as the book does; `DetectionFolder` needs no memory.

    Returns:
        A list of N pictures (h, w, 3), uint8, and the labels (N, G, 5), float32, as in
        `DetectionFolder`.

    Raises:
        FileNotFoundError, ValueError: as `DetectionFolder` does.
    """
    folder = DetectionFolder(root, is_train)
    return [folder.pixels(i) for i in range(len(folder))], folder.labels


# ---- files ---------------------------------------------------------------------------


def _find_split(root: Path, split: str) -> Path:
    """Return the one folder below `root` that is called `…_train` or `…_val`."""
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
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


# ---- labels --------------------------------------------------------------------------


def _to_labels(
    path: Path, rows: DataFrame, sizes: np.ndarray
) -> tuple[np.ndarray, int]:
    """Check every box against its picture, and pack them: (N, G, 5) float32.

    Also how many boxes were clipped.
    """
    picture = rows.groupby("img_name", sort=False).ngroup().to_numpy()
    place = rows.groupby("img_name", sort=False).cumcount().to_numpy()
    labels = np.zeros((len(sizes), place.max() + 1, 5), np.float32)
    labels[:, :, 0] = -1

    is_object = rows.label.to_numpy() >= 0
    rows, picture, place = rows[is_object], picture[is_object], place[is_object]
    limits = sizes[picture][:, [1, 0, 1, 0]]  # width, height, width, height
    boxes = rows[_BOX].to_numpy()
    clipped = np.clip(boxes, 0, limits)
    beyond = np.abs(boxes - clipped).max(axis=1, initial=0)
    flat = (clipped[:, :2] >= clipped[:, 2:]).any(axis=1)
    for wrong, expected in (
        (flat, "xmin < xmax and ymin < ymax within the picture"),
        (beyond > 1, "a box that lies in its picture"),
    ):
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(
                f"{path}, line {rows.index[i]}: expected {expected} of {limits[i, 0]} × "
                f"{limits[i, 1]} pixels (width × height), got "
                + ", ".join(f"{x:g}" for x in boxes[i])
            )
    if beyond.any():
        warnings.warn(
            f"{path}: {np.count_nonzero(beyond)} of {len(boxes)} boxes reach up to a "
            "pixel beyond their pictures and were clipped",
            stacklevel=3,
        )
    labels[picture, place, 0] = rows.label
    labels[picture, place, 1:] = clipped / limits
    return labels, int(np.count_nonzero(beyond))


def checked_size(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        height, width = (int(side) for side in size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise ValueError(f"size must be (height, width) in pixels, got {size!r}")
    return height, width
