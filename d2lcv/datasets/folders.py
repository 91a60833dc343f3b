"""Where a chapter's data lie: drawn, downloaded, or a folder of your own."""

from __future__ import annotations

import os
from pathlib import Path

from ..data import hub
from ..drawn import sets

__all__ = [
    "banana_folder",
    "cifar10_folder",
    "cifar10_tiny_folder",
    "dog_tiny_folder",
    "find_folder",
    "hotdog_folder",
]

_CLASSES = ("train/*/*", "test/*/*")


def find_folder(
    data: str | os.PathLike[str],
    name: str,
    book: str,
    inside: str | None = None,
    layout: tuple[str, ...] = (),
) -> str:
    """The folder of a data set, made or downloaded first where needed.

    Args:
        data: "synthetic", "book", or the path of a folder.
        name: what `synthetic` calls the set.
        book: what `DATA_HUB` calls it.
        inside: the folder inside the archive, if it is not called like the archive.
        layout: patterns of files that a folder of one's own must have.

    Raises:
        FileNotFoundError: there is no such folder, or it lacks a file.
        HubError: the download failed.
    """
    if data == "synthetic":
        return sets.synthetic(name)
    if data == "book":
        return (
            hub.download_extract(book, inside) if inside else hub.download_extract(book)
        )
    if not os.path.isdir(data):
        expected = f" with {_listed(layout)}" if layout else ""
        raise FileNotFoundError(
            f"data: expected 'synthetic', 'book' or a folder{expected}, and there is none "
            f"at {data!r}"
        )
    missing = [part for part in layout if not any(Path(data).glob(part))]
    if missing:
        raise FileNotFoundError(
            f"data: expected a folder with {_listed(layout)}, and {os.fspath(data)!r} has "
            f"no {_listed(missing)}"
        )
    return os.fspath(data)


def _listed(layout: tuple[str, ...] | list[str]) -> str:
    return ", ".join(layout)


def banana_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a detection set, made or downloaded first where needed.

    Args:
        data: "synthetic" (drawn in seconds, no network), "book" (downloads the book's
            banana set), or the path of a folder in that layout.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    return find_folder(data, "bananas", "banana-detection")


def hotdog_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set with `train/CLASS/` and `test/CLASS/`: hot dogs and others.

    Args:
        data: "synthetic" (160 pictures to train on and 400 to test, drawn in seconds),
            "book" (downloads the book's 2000 and 800 photographs), or the path of a folder
            in that layout, of any classes.

    Raises:
        FileNotFoundError: there is no such folder, or it is not laid out so.
    """
    return find_folder(data, "hotdog", "hotdog", layout=_CLASSES)


def cifar10_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of CIFAR-10, or of a set of its kind.

    Args:
        data: "synthetic" (2000 pictures to train on and 1000 to test, drawn in seconds, in
            folders `train/CLASS/` and `test/CLASS/`), "book" (downloads the original, 170
            MB, and gives the folder of its batches), or the path of a folder in either
            layout, or with the original archive in it.

    Raises:
        FileNotFoundError: there is no such folder, or it is not laid out so.
    """
    from ..data.cifar import FOLDER, find_cifar10

    if data not in ("synthetic", "book") and os.path.isdir(data) and find_cifar10(data):
        return os.fspath(data)
    return find_folder(data, "cifar10", "cifar10", FOLDER, _CLASSES)


def cifar10_tiny_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set laid out as Kaggle's CIFAR-10 competition.

    It has `trainLabels.csv`, `train/ID.png` and `test/ID.png`.

    Args:
        data: "synthetic" (1000 labelled pictures and 20 to label, drawn in seconds), "book"
            (downloads the book's small sample), or the path of a folder in that layout.

    Raises:
        FileNotFoundError: there is no such folder, or it is not laid out so.
    """
    layout = ("trainLabels.csv", "train/*.png", "test/*.png")
    return find_folder(data, "cifar10_tiny", "cifar10_tiny", layout=layout)


def dog_tiny_folder(data: str | os.PathLike[str] = "synthetic") -> str:
    """The folder of a set laid out as Kaggle's competition of dog breeds.

    It has `labels.csv`, `train/ID.jpg` and `test/ID.jpg`.

    Args:
        data: "synthetic" (28 breeds, 720 labelled pictures and 24 to label, drawn in
            seconds), "book" (downloads the book's small sample), or the path of a folder in
            that layout.

    Raises:
        FileNotFoundError: there is no such folder, or it is not laid out so.
    """
    layout = ("labels.csv", "train/*.jpg", "test/*.jpg")
    return find_folder(data, "dog_tiny", "dog_tiny", layout=layout)
