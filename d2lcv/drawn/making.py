"""What all drawn sets share: a folder that appears when complete, threads, a bar."""

from __future__ import annotations

import csv
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..files import workspace

Job = TypeVar("Job")
Result = TypeVar("Result")

_BOXES = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")


def make_set(folder: str | os.PathLike[str], draw: Callable[[Path], Any]) -> str:
    """Let `draw` fill a new folder, and give it the name `folder` when it is complete.

    Returns:
        The path of the folder. It appears when it is complete, and not before.

    Raises:
        FileExistsError: there is something in `folder` already.
        ValueError: a number is too small; the makers check theirs.
    """
    target = Path(os.path.abspath(folder))
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise FileExistsError(
            f"{target} is there already; choose another folder, or delete it first"
        )
    with workspace(target) as temporary:
        content = temporary / "content"
        content.mkdir()
        draw(content)
        _publish(content, target)
    return str(target)


def _publish(content: Path, target: Path) -> None:
    """Rename the finished set; if another process was faster, its set is the same."""
    made = {path.name for path in content.iterdir()}
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()  # Windows does not rename onto an empty folder
    try:
        os.rename(content, target)
    except OSError:
        if not target.is_dir() or {path.name for path in target.iterdir()} != made:
            raise


def draw_all(
    what: str, jobs: Sequence[Job], draw: Callable[[Job], Result]
) -> list[Result]:
    """The results of `draw` for all jobs, in order, with a progress bar on a terminal."""
    from tqdm import tqdm

    # Pillow and NumPy let go of the interpreter lock for most of the work
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        drawn = pool.map(draw, jobs)
        return list(tqdm(drawn, f"drawing {what}", len(jobs), disable=None))


def make_classes(
    what: str,
    folder: str | os.PathLike[str],
    counts: dict[str, int],
    classes: Sequence[str],
    draw: Callable[[str, str, int], np.ndarray],
) -> str:
    """A set of SPLIT/CLASS/0.png … with `draw(split, class, index)`, `counts` of each."""
    jobs = [(s, name, i) for s in counts for name in classes for i in range(counts[s])]

    def fill(content: Path) -> None:
        def one(job: tuple[str, str, int]) -> None:
            split, name, index = job
            _save(draw(*job), content / split / name / f"{index}.png")

        draw_all(what, jobs, one)

    return make_set(folder, fill)


def make_boxes(
    what: str,
    folder: str | os.PathLike[str],
    counts: dict[str, int],
    classes: Sequence[str],
    draw: Callable[[str, int], tuple[dict[str, np.ndarray], list[list[int]]]],
) -> str:
    """A set of WHAT_SPLIT/label.csv and WHAT_SPLIT/images/0.png …, and classes.txt.

    `draw(split, index)` gives the pictures, each with the name of its folder, and rows
    of class, xmin, ymin, xmax, ymax.
    """
    jobs = [(split, i) for split in counts for i in range(counts[split])]

    def fill(content: Path) -> None:
        def one(job: tuple[str, int]) -> list[tuple[Any, ...]]:
            part, name = content / f"{what}_{job[0]}", f"{job[1]}.png"
            pictures, rows = draw(*job)
            for kind, pixels in pictures.items():
                _save(pixels, part / kind / name)
            return [(name, *row) for row in rows]

        drawn = list(zip(jobs, draw_all(what, jobs, one), strict=True))
        for split in counts:
            rows = [row for (of, _), rows in drawn for row in rows if of == split]
            _write_table(content / f"{what}_{split}" / "label.csv", [_BOXES, *rows])
        (content / "classes.txt").write_text("\n".join(classes) + "\n")

    return make_set(folder, fill)


def make_kaggle(
    what: str,
    folder: str | os.PathLike[str],
    counts: dict[str, int],
    table: tuple[str, str, str],
    draw: Callable[[str, int], tuple[str, str, np.ndarray]],
) -> str:
    """A set of train/NAME, test/NAME and a table of the former, as in a competition.

    `table` is the table's file and its columns; `draw(split, index)` gives the picture's
    file name, its label and the picture.
    """
    jobs = [(split, i) for split in counts for i in range(counts[split])]

    def fill(content: Path) -> None:
        def one(job: tuple[str, int]) -> tuple[str, str, str]:
            name, label, pixels = draw(*job)
            _save(pixels, content / job[0] / name)
            return job[0], name.split(".")[0], label

        drawn = draw_all(what, jobs, one)
        rows = [(name, label) for split, name, label in drawn if split == "train"]
        rows.sort(key=lambda row: (len(row[0]), row[0]))  # 2 comes before 10
        _write_table(content / table[0], [table[1:], *rows])

    return make_set(folder, fill)


def _write_table(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        save_png(pixels, path)
    else:
        from PIL import Image

        Image.fromarray(pixels).save(path, quality=90)


def save_png(pixels: np.ndarray, path: Path) -> None:
    """Write an (h, w, 3) or (h, w) uint8 array as a PNG file.

    Pillow tries five filters on each row, which takes most of its time; here all rows
    hold their difference to the row above, and, as noise has no repetitions, zlib looks
    for none.
    """
    height, width = pixels.shape[:2]
    rows = np.full((height, 1 + pixels[0].size), 2, np.uint8)  # 2: the row above
    rows[:, 1:] = pixels.reshape(height, -1)
    rows[1:, 1:] -= rows[:-1, 1:].copy()
    packer = zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY)
    data = packer.compress(rows.tobytes()) + packer.flush()
    head = struct.pack(
        ">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0
    )
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
            file.write(struct.pack(">I", len(content)) + name + content)
            file.write(struct.pack(">I", zlib.crc32(name + content)))
