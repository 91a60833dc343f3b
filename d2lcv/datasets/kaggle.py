"""Kaggle competitions of pictures: labels in a file, folders to train from, submissions.

A competition's folder has a file of labels, `train/ID.png` and `test/ID.png` (or .jpg …).
Copies of its pictures are arranged in one folder per class, which readers expect:

    train_valid_test/train/CLASS/        for training while a part is held back
    train_valid_test/valid/CLASS/        the part that is held back
    train_valid_test/train_valid/CLASS/  both
    train_valid_test/test/unknown/       what is to be labelled
"""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import as_array, check_kind, check_path, listed, real, texts
from ..data.pictures import SUFFIXES
from ..data.tables import read_table, refuse
from ..files import make_folder, workspace, write_file

__all__ = [
    "copyfile",
    "read_csv_labels",
    "reorg_test",
    "reorg_train_valid",
    "write_probabilities",
    "write_submission",
]

ARRANGED = "train_valid_test"


def read_csv_labels(fname: str | os.PathLike[str]) -> dict[str, str]:
    """Read a file of labels: a header, whose first column is `id`, then `id,label` lines.

    Returns:
        id → label, in the order of the file; an id is a file name without its ending.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the header is missing, a line has not two values, an id is there twice,
            or there is none; the message names the line.
    """
    path = check_path("fname", fname)
    table = read_table(path, "a CSV file with a header and id,label lines")
    header = [str(name) for name in table.columns]
    if header and (len(header) != 2 or header[0].lower() != "id"):
        raise ValueError(
            f"{path}, line 1: expected a header of two columns such as id,label, got "
            f"{','.join(header)!r}"
        )
    if table.empty:
        raise ValueError(f"{path}: expected id,label lines below the header, got none")
    refuse(path, table, (table == "").any(axis=1), "id,label")
    refuse(
        path, table, table.iloc[:, 0].duplicated(), "an id that was not there before"
    )
    return dict(table.itertuples(index=False, name=None))


def copyfile(
    filename: str | os.PathLike[str], target_dir: str | os.PathLike[str]
) -> str:
    """Copy a file into a folder, which is made if need be.

    Returns:
        The path of the copy.

    Raises:
        FileNotFoundError: there is no such file.
    """
    check_path("filename", filename)
    make_folder(check_path("target_dir", target_dir))
    if not os.path.isfile(filename):
        raise FileNotFoundError(f"filename: there is no file {filename}")
    return str(shutil.copy(filename, target_dir))


# ---- one folder per class ------------------------------------------------------------


def reorg_train_valid(
    data_dir: str | os.PathLike[str],
    labels: Mapping[str, str],
    valid_ratio: float,
    target_dir: str | os.PathLike[str] | None = None,
) -> int:
    """Arrange `train/` by class, and hold a part of every class back for validation.

    With n images of the smallest class, max(⌊n · valid_ratio⌋, 1) of every class go to
    `valid/`, those with the first ids (as numbers, if all are); all others go to `train/`,
    and all go to `train_valid/`. Files are copied. The three folders below
    `target_dir/train_valid_test` are made anew, from whatever an earlier or interrupted
    call has left; other files stay.

    Of a class with a single image that image is in `valid/`, and the class's folder in
    `train/` is empty: a warning names it. Labels without an image are not used: a warning
    says how many. Files that are not called like pictures are left out.

    Args:
        data_dir: the competition's folder.
        labels: id → label for every image in `data_dir/train`.
        valid_ratio: from 0 to below 1.
        target_dir: where the folder with the copies is made, `data_dir` by default.
            Another one is needed where `data_dir` cannot be written, or where two
            programs use it at the same time.

    Returns:
        The number of validation images of each class.

    Raises:
        FileNotFoundError: there is no folder `train`, or no picture in it.
        TypeError: a label is no text.
        ValueError: images have no label, two have one id, a label cannot be the name of a
            folder, or the ratio is out of range. Nothing is changed then.
    """
    valid_ratio = real("valid_ratio", valid_ratio)
    if not 0 <= valid_ratio < 1:
        raise ValueError(f"valid_ratio: expected 0 ≤ ratio < 1, got {valid_ratio}")
    check_path("data_dir", data_dir)
    if target_dir is not None:
        check_path("target_dir", target_dir)
    check_kind("labels", labels, "the label of each id", Mapping)
    images = _images(Path(data_dir, "train"))
    by_class = _by_class(images, labels)
    smallest = min(map(len, by_class.values()))
    num_valid = max(math.floor(smallest * valid_ratio), 1)
    _check_use(images, labels, by_class)
    copies = []
    for label, names in by_class.items():
        for k, name in enumerate(names):
            part = "valid" if k < num_valid else "train"
            copies += [(images[name], f"{p}/{label}") for p in (part, "train_valid")]
    folders = [f"{part}/{label}" for part in ("train", "valid") for label in by_class]
    target = Path(data_dir if target_dir is None else target_dir)
    _arrange(target, copies, ("train", "valid", "train_valid"), folders)
    return num_valid


def reorg_test(
    data_dir: str | os.PathLike[str], target_dir: str | os.PathLike[str] | None = None
) -> None:
    """Copy the pictures in `test/` to `train_valid_test/test/unknown/`, made anew.

    Args:
        data_dir: the competition's folder.
        target_dir: as for `reorg_train_valid`.

    Raises:
        FileNotFoundError: there is no folder `data_dir/test`, or no picture in it.
        ValueError: two pictures have one id.
    """
    check_path("data_dir", data_dir)
    if target_dir is not None:
        check_path("target_dir", target_dir)
    images = _images(Path(data_dir, "test"))
    copies = [(path, "test/unknown") for path in images.values()]
    _arrange(Path(data_dir if target_dir is None else target_dir), copies, ("test",))


def _images(folder: Path) -> dict[str, Path]:
    """id → file of the pictures in a folder, in the order of their ids."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; expected pictures in it")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_named = path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        if not is_named or not path.is_file():
            continue
        if path.stem in found:
            raise ValueError(
                f"{folder}: {found[path.stem].name} and {path.name} have the same id"
            )
        found[path.stem] = path
    if not found:
        raise FileNotFoundError(f"there is no picture in {folder}")
    return {name: found[name] for name in _in_order(found)}


def _in_order(names: Iterable[str]) -> list[str]:
    """Sorted: as numbers if all are, or else as texts."""
    names = list(names)
    if all(name.isascii() and name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _by_class(
    images: Mapping[str, Path], labels: Mapping[str, str]
) -> dict[str, list[str]]:
    """Class → the ids of its images."""
    missing = [name for name in images if name not in labels]
    if missing:
        raise ValueError(
            f"labels: expected one for every image, and {len(missing)} of {len(images)} "
            f"have none: {_some(missing)}"
        )
    by_class: dict[str, list[str]] = {}
    for name in images:
        by_class.setdefault(labels[name], []).append(name)
    for label in by_class:
        if not isinstance(label, str):
            raise TypeError(f"labels: expected names of classes, got {label!r}")
        is_bad = label.startswith(".") or bool(set(label) & set("/\\:\0"))
        if not label or is_bad or len(label.encode()) > 255:
            raise ValueError(
                f"labels: expected names of folders, got {label[:80]!r} of "
                f"{len(label)} letters"
            )
    return {label: by_class[label] for label in sorted(by_class)}


def _check_use(
    images: Mapping[str, Path],
    labels: Mapping[str, str],
    by_class: Mapping[str, list[str]],
) -> None:
    """Say what a person may not have meant."""
    if unused := [name for name in labels if name not in images]:
        warnings.warn(
            f"{len(unused)} of {len(labels)} labels have no image and are not used: "
            f"{_some(unused)}",
            stacklevel=3,
        )
    if single := [label for label, names in by_class.items() if len(names) == 1]:
        warnings.warn(
            "a class with a single image has it in valid/ and none in train/: "
            f"{_some(single)}",
            stacklevel=3,
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _arrange(
    target_dir: Path,
    copies: Sequence[tuple[Path, str]],
    parts: Sequence[str],
    folders: Sequence[str] = (),
) -> None:
    """Make `parts` of the arranged folder anew from copies (file, folder)."""
    from tqdm import tqdm

    target = target_dir / ARRANGED
    with workspace(target) as temporary:
        for folder in {*folders, *(folder for _, folder in copies)}:
            (temporary / folder).mkdir(parents=True)
        for path, folder in tqdm(copies, "copying", unit=" files", delay=1):
            shutil.copy(path, temporary / folder)
        make_folder(target)
        # all old ones go first: an interruption leaves no mixture of old and new
        for part in parts:
            if (target / part).exists():
                os.replace(target / part, temporary / f"old_{part}")
        for part in parts:
            os.replace(temporary / part, target / part)


# ---- submissions ---------------------------------------------------------------------


def write_submission(
    fname: str | os.PathLike[str],
    ids: Sequence[str | os.PathLike[str] | int],
    labels: Sequence[str],
) -> str:
    """Write one predicted label for each test picture, as CIFAR-10's competition wants it.

    The file has the header `id,label` and a line for each picture, in the order of their
    ids, as numbers if all are.

    Args:
        fname: the file to write; another one of this name is replaced.
        ids: the N ids, or the paths of the pictures, whose names have the ids.
        labels: the N predicted labels, as names.

    Returns:
        The path of the file.

    Raises:
        ValueError: not as many labels as ids, an id twice, or an empty name.
        TypeError: a label is not a text.
        IsADirectoryError: `fname` is a folder.
    """
    labels = listed("labels", labels)
    if wrong := [label for label in labels if not isinstance(label, str)]:
        raise TypeError(
            f"labels: expected names of classes, got {wrong[0]!r}; for class k pass the "
            "k-th name"
        )
    if not all(labels):
        raise ValueError("labels: expected names of classes, one is empty")
    rows = dict(zip(_checked_ids(ids, len(labels), "labels"), labels, strict=True))
    return _write(fname, ["id", "label"], [[n, rows[n]] for n in _in_order(rows)])


def write_probabilities(
    fname: str | os.PathLike[str],
    ids: Sequence[str | os.PathLike[str] | int],
    probabilities: Any,
    classes: Sequence[str],
) -> str:
    """Write the probability of every class for each test picture, as for dog breeds.

    The file has the header `id,CLASS,CLASS,…`, classes sorted, and a line for each picture
    in the order of the ids. A line's probabilities sum to 1.

    Args:
        fname: the file to write; another one of this name is replaced.
        ids: the N ids, or the paths of the pictures, whose names have the ids.
        probabilities: (N, C) array, not below 0, each row with the sum 1 up to 1e-3.
        classes: the C names of the columns, in their order.

    Returns:
        The path of the file.

    Raises:
        ValueError: the shapes do not fit, a row is not a distribution (the message names
            its id), or an id or a class is there twice.
        IsADirectoryError: `fname` is a folder.
    """
    table, classes = as_array("probabilities", probabilities), texts("classes", classes)
    if table.ndim != 2 or table.shape[1] != len(classes):
        raise ValueError(
            f"probabilities: expected shape (N, {len(classes)}), one column for each "
            f"class, got {table.shape}"
        )
    if twice := _repeated(classes):
        raise ValueError(f"classes: expected each once, got more of {_some(twice)}")
    names = _checked_ids(ids, len(table), "probabilities")
    sums = table.sum(1)
    # NaN is no distribution, either
    wrong = ~((np.abs(sums - 1) <= 1e-3) & (table >= 0).all(1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"probabilities: expected numbers from 0 with the sum 1 in every row; that of "
            f"{names[row]!r} has the sum {sums[row]:g} and the smallest is "
            f"{table[row].min():g}. Apply softmax over the classes (axis 1)"
        )
    order = np.argsort(np.array(classes))
    table = (table / sums[:, None])[:, order]
    rows = dict(zip(names, table, strict=True))
    lines = [[n, *(f"{p:.10g}" for p in rows[n])] for n in _in_order(rows)]
    return _write(fname, ["id", *(classes[k] for k in order)], lines)


def _checked_ids(
    ids: Sequence[str | os.PathLike[str] | int], count: int, what: str
) -> list[str]:
    """The ids, taken from paths where paths are given."""
    ids = listed("ids", ids)
    names = [_id_of(value) for value in ids]
    if len(names) != count:
        raise ValueError(
            f"{what}: expected one row for each of the {len(names)} ids, got {count}"
        )
    if not names:
        raise ValueError("ids: expected at least one, there is none")
    if twice := _repeated(names):
        raise ValueError(f"ids: expected each once, got more of {_some(twice)}")
    return names


def _id_of(value: str | os.PathLike[str] | int) -> str:
    if isinstance(value, (int, np.integer)):
        return str(value)
    check_path("ids", value)
    path = Path(value)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _write(
    fname: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[str]]
) -> str:
    """Write a CSV file that is complete or not there."""
    check_path("fname", fname)
    target = Path(os.path.abspath(fname))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_file(target, text.getvalue().encode())
    return str(target)
