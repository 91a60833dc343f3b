"""Labelled pictures on disk: the layout of the book's `banana-detection`, and your own.

    ROOT/
        classes.txt              optional: one class name per line
        anything_train/
            label.csv            img_name,label,xmin,ymin,xmax,ymax
            images/0.png …       PNG or JPEG
        anything_val/
            …

A row of `label.csv` is one object: the class counts from 0, the box is in pixels of that
picture, its right and lower border may be the picture's. A picture with several objects
has several rows. A picture without objects has one row with label −1, or with nothing
after its name. Pictures without a row are not read.
"""

from __future__ import annotations

import csv
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import numpy as np

_COLUMNS = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")


class DetectionFolder:
    """The pictures and boxes of one split; pictures are read when they are asked for.

    Args:
        root: the folder that holds the splits.
        is_train: the `…_train` split, or else the `…_val` split.
        size: (height, width) in pixels to which every picture is resized; `None` leaves
            each as it is. An orientation noted in a JPEG's metadata is not applied.

    Attributes:
        paths: the N files, in the order in which `label.csv` names them first.
        labels: (N, G, 5) float32, G the largest number of objects in a picture. A row is
            (class, x1, y1, x2, y2), the box in fractions of the picture's width and
            height. Rows that are not needed have class −1 and zeros.
        sizes: (N, 2) int64, height and width of each picture on disk.
        classes: the names in `classes.txt`, or `None`.
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
        self.size = _checked_size(size)
        self.root = os.fspath(root)
        folder = _find_split(Path(root), "train" if is_train else "val")
        self.classes = _read_classes(Path(root) / "classes.txt")
        objects = _read_objects(folder / "label.csv")
        self.paths = [str(folder / "images" / name) for name in objects]
        self.sizes = np.array(
            [
                _image_size(path, rows[0])
                for path, rows in zip(self.paths, objects.values(), strict=True)
            ]
        )
        self.labels = _to_labels(objects, self.sizes, self.classes)
        self.num_classes = self._count_classes(not is_train)

    def _count_classes(self, other_is_train: bool) -> int:
        """Without names, both splits must agree: look at the other one, too."""
        if self.classes is not None:
            return len(self.classes)
        largest = self.labels[:, :, 0].max()
        try:
            other = _find_split(Path(self.root), "train" if other_is_train else "val")
            objects = _read_objects(other / "label.csv")
        except FileNotFoundError:
            objects = {}
        others = (row.label for rows in objects.values() for row in rows)
        return max(int(largest), *others, 0) + 1

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
            ValueError: the file is not a picture, or torn; it is named.
        """
        return _read_image(self.paths[i], self.size)

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


class _Object(NamedTuple):
    """One row of a label.csv: class −1 is no object; where it stands, for messages."""

    label: int
    box: tuple[float, float, float, float]
    place: str


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


def _read_classes(path: Path) -> list[str] | None:
    """Read one class name per line; `None` if there is no such file."""
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"{path}: expected one class name per line, each once: {names}"
        )
    return names


def _read_objects(path: Path) -> dict[str, list[_Object]]:
    """Read a label.csv into picture name -> its rows, in the order of the file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}; expected a CSV file with the header "
            + ",".join(_COLUMNS)
        )
    objects: dict[str, list[_Object]] = {}
    for place, row in _read_rows(path):
        rows = objects.setdefault(_checked_name(row["img_name"], place), [])
        rows.append(_parse(row, place))
        if len(rows) > 1 and min(rows[-1].label, rows[0].label) < 0:
            raise ValueError(
                f"{place}: {row['img_name']} has objects, and a row that says that it "
                "has none (label -1)"
            )
    if not objects:
        raise ValueError(f"{path} has no rows: the split is empty")
    return objects


def _read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row with its place, "FILE, line N"."""
    expected = f"expected the columns {','.join(_COLUMNS)}"
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            header = [name.strip() for name in next(reader, [])]
            if not set(_COLUMNS) <= set(header):
                raise ValueError(
                    f"{path}, line 1: {expected}, got {','.join(header)!r}"
                )
            for values in reader:
                place = f"{path}, line {reader.line_num}"
                if not any(value.strip() for value in values):
                    continue
                if len(values) != len(header):
                    raise ValueError(
                        f"{place}: expected {len(header)} values, got {len(values)}"
                    )
                yield place, dict(zip(header, map(str.strip, values), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _checked_name(name: str, place: str) -> str:
    path = PureWindowsPath(name)
    if not name or path.drive or path.root or ".." in path.parts:
        raise ValueError(
            f"{place}: expected the name of a file in images/, got {name!r}"
        )
    return name


def _parse(row: dict[str, str], place: str) -> _Object:
    """Turn the text of a row into numbers; −1 or nothing is no object."""
    nothing = not any(row[column] for column in _COLUMNS[1:])
    label = -1 if nothing else _number(row, "label", place)
    if label != int(label) or label < -1:
        raise ValueError(
            f"{place}: label must be a class 0, 1, …, or -1 for a picture without "
            f"objects, got {row['label']!r}"
        )
    if label < 0:
        return _Object(-1, (0.0, 0.0, 0.0, 0.0), place)
    x1, y1, x2, y2 = (_number(row, column, place) for column in _COLUMNS[2:])
    return _Object(int(label), (x1, y1, x2, y2), place)


def _number(row: dict[str, str], column: str, place: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{place}: {column} must be a number, got {row[column]!r}")
    return value


# ---- labels --------------------------------------------------------------------------


def _to_labels(
    objects: dict[str, list[_Object]], sizes: np.ndarray, classes: list[str] | None
) -> np.ndarray:
    """Check every box against its picture, and pack them: (N, G, 5) float32."""
    most = max(len(rows) for rows in objects.values())
    labels = np.zeros((len(objects), most, 5), np.float32)
    labels[:, :, 0] = -1
    for packed, rows, (height, width) in zip(
        labels, objects.values(), sizes, strict=True
    ):
        for line, row in zip(packed, rows, strict=False):
            if row.label >= 0:
                _check_object(row, int(height), int(width), classes)
                line[0] = row.label
                line[1:] = row.box / np.array([width, height, width, height])
    return labels


def _check_object(
    row: _Object, height: int, width: int, classes: list[str] | None
) -> None:
    x1, y1, x2, y2 = row.box
    got = f"got {x1:g}, {y1:g}, {x2:g}, {y2:g}"
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"{row.place}: expected xmin < xmax and ymin < ymax, {got}")
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        raise ValueError(
            f"{row.place}: the box must lie in its picture of {width} × {height} "
            f"pixels (width × height), {got}"
        )
    if classes is not None and row.label >= len(classes):
        raise ValueError(
            f"{row.place}: class {row.label} has no name; classes.txt has "
            f"{len(classes)}, the first is class 0"
        )


# ---- pictures ------------------------------------------------------------------------


def _checked_size(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        height, width = (int(side) for side in size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise ValueError(f"size must be (height, width) in pixels, got {size!r}")
    return height, width


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Let every way in which a picture can be broken end in one error with its name."""
    from PIL import Image

    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"the picture {path} is missing") from error
    except (
        OSError,  # unknown format, or torn
        SyntaxError,  # a broken PNG chunk
        ValueError,
        EOFError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(
            f"{path} cannot be read: expected a whole PNG or JPEG picture ({error})"
        ) from error


def _image_size(path: str, row: _Object) -> tuple[int, int]:
    """Return height and width from the file's header."""
    from PIL import Image

    if not os.path.isfile(path):
        raise FileNotFoundError(f"{row.place}: the picture {path} is missing")
    with _named(path), Image.open(path) as image:
        return image.height, image.width


def _read_image(path: str, size: tuple[int, int] | None) -> np.ndarray:
    """Read a picture as (h, w, 3) uint8, resized bilinearly without aliasing."""
    from PIL import Image

    from .pictures import as_rgb

    with _named(path), Image.open(path) as image:
        if size is None:
            return np.array(as_rgb(image))
        height, width = size
        image.draft("RGB", (width, height))  # a JPEG can be decoded at half its size
        small = as_rgb(image).resize(
            (width, height), Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        return np.array(small)
