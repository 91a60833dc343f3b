"""Where a chapter's data lie: drawn, downloaded, or a folder of your own."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..checks import check_path, pair
from ..data import hub
from ..data.cifar import FOLDER, find_cifar10
from ..data.voc import find_voc
from ..drawn import sets

__all__ = [
    "banana_folder",
    "cifar10_folder",
    "cifar10_tiny_folder",
    "data_folder",
    "dog_tiny_folder",
    "hotdog_folder",
    "shapes_folder",
    "voc_folder",
]


class _Source(NamedTuple):
    """Where a set comes from, and what a folder of one's own must have."""

    book: str | None  # what `DATA_HUB` calls it; None: it is only drawn
    inside: str | None = None  # its folder, if it is not called like the archive
    layout: tuple[str, ...] = ()  # patterns of files
    accepts: Callable[[str], object] = lambda folder: None  # another layout


_CLASSES = ("train/*/*", "test/*/*")
# What `d2lcv.drawn` calls a set → its source
_SOURCES = {
    "bananas": _Source("banana-detection"),
    "hotdog": _Source("hotdog", None, _CLASSES),
    "cifar10": _Source("cifar10", FOLDER, _CLASSES, find_cifar10),
    "cifar10_tiny": _Source(
        "cifar10_tiny", None, ("trainLabels.csv", "train/*.png", "test/*.png")
    ),
    "dog_tiny": _Source("dog_tiny", None, ("labels.csv", "train/*.jpg", "test/*.jpg")),
    "voc": _Source("voc2012", os.path.join("VOCdevkit", "VOC2012")),
    "shapes": _Source(None),
}


def data_folder(name: str, data: str | os.PathLike[str], **drawn: int) -> str:
    """The folder of a data set, made or downloaded first where needed.

    Args:
        name: what `d2lcv.drawn` calls the set.
        data: "synthetic" (drawn in seconds, no network), "book" (downloads the original),
            or the path of a folder of your own in the set's layout.
        drawn: numbers for the drawn set, if it is drawn.

    Raises:
        TypeError, ValueError: `data` is no text and no path.
        FileNotFoundError: there is no such folder, or it lacks a file.
        HubError: the download failed.
    """
    source = _SOURCES[name]
    check_path("data", data)
    if data == "synthetic":
        return sets.synthetic(name, **drawn)
    if data == "book" and source.book:
        names = (source.book, source.inside) if source.inside else (source.book,)
        return hub.download_extract(*names)
    folder = os.fspath(data)
    expected = (
        f"a folder with {', '.join(source.layout)}" if source.layout else "a folder"
    )
    if not os.path.isdir(folder):
        named = "'synthetic', 'book'" if source.book else "'synthetic'"
        raise FileNotFoundError(
            f"data: expected {named} or {expected}, and there is none at {folder!r}"
        )
    missing = [part for part in source.layout if not any(Path(folder).glob(part))]
    if missing and not source.accepts(folder):
        raise FileNotFoundError(
            f"data: expected {expected}, and {folder!r} has no {', '.join(missing)}"
        )
    return folder


def banana_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a detection set: drawn, the book's bananas, or in that layout.

    `data` and errors are those of `d2lcv.datasets.folders.data_folder`: "synthetic",
    "book" or a path.
    """
    return data_folder("bananas", data)


def hotdog_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set with `train/CLASS/` and `test/CLASS/`: hot dogs and others.

    `data` and errors as for `banana_folder`. 160 pictures to train on and 400 to test are
    drawn, the book has 2000 and 800 photographs; your own may be of any classes.
    """
    return data_folder("hotdog", data)


def cifar10_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of CIFAR-10, or of a set of its kind.

    `data` and errors as for `banana_folder`. 2000 pictures to train on and 1000 to test
    are drawn, in folders `train/CLASS/` and `test/CLASS/`; "book" downloads the original,
    170 MB, and gives the folder of its batches. Your own may be in either layout, or have
    the original archive in it.
    """
    return data_folder("cifar10", data)


def cifar10_tiny_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set laid out as Kaggle's CIFAR-10 competition.

    It has `trainLabels.csv`, `train/ID.png` and `test/ID.png`. `data` and errors as for
    `banana_folder`. 1000 labelled pictures and 20 to label are drawn; "book" downloads the
    book's small sample.
    """
    return data_folder("cifar10_tiny", data)


def dog_tiny_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set laid out as Kaggle's competition of dog breeds.

    It has `labels.csv`, `train/ID.jpg` and `test/ID.jpg`. `data` and errors as for
    `banana_folder`. Ten breeds, 720 labelled pictures and 24 to label are drawn; "book"
    downloads the book's small sample.
    """
    return data_folder("dog_tiny", data)


def shapes_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set of shapes with masks: drawn, or your own in that layout.

    `data` and errors as for `banana_folder`, without "book". 300 pictures to train on and
    60 to validate are drawn.
    """
    return data_folder("shapes", data)


def voc_folder(
    data: str | os.PathLike[str] = "synthetic",
    crop_size: tuple[int, int] | None = None,
) -> str:
    """The folder of a set in VOC's layout.

    Args:
        data: as for `banana_folder`; "book" downloads VOC 2012, 2 GB. Your own may be the
            folder itself or one with `VOCdevkit` in it.
        crop_size: (height, width) of crops that are to fit into the drawn pictures. They
            are about 160 pixels wide, and larger if the crop is; drawing large ones takes
            a minute.

    Raises:
        As `banana_folder`; and FileNotFoundError: the folder is not laid out as VOC's.
    """
    drawn = {}
    if crop_size is not None:
        height, width = pair("crop_size", crop_size, 1)
        # Most of the pictures are at least 0.65 sizes high and 0.85 sizes wide
        size = math.ceil(max(height / 0.65, width / 0.85))
        if size > 160:
            drawn["size"] = size
    return find_voc(data_folder("voc", data, **drawn))
