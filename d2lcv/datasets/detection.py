"""Pictures with boxes, in whatever form they lie on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..backends import backend
from ..checks import check_path, checked_index, listed, pair
from ..data.box_forms import find_form, read_coco, read_voc, read_yolo
from ..data.box_writing import write_csv, write_voc, write_yolo
from ..data.boxes import BoxSet, StrPath, read_csv
from ..data.pictures import read_labelled
from ..evaluation import DetectionScores, evaluate_detections
from ..files import write_file

__all__ = ["DetectionDataset"]


class DetectionDataset:
    """Pictures with boxes, read one at a time.

    ```python
    train_set = d2lcv.DetectionDataset.from_coco("train.json", "photos", size=(256, 256))
    for X, Y in d2lcv.loader(train_set, 32, shuffle=True): ...
    ```

    It is opened by `from_coco`, `from_voc`, `from_yolo`, `from_csv`, or by `from_folder`,
    which finds out. They check every label against its picture and read no pixels; all
    raise

    - `TypeError` for a path, a name or a list that is none;
    - `FileNotFoundError` for a file, a folder or a picture that is missing;
    - `IsADirectoryError` for a folder in place of a file, `NotADirectoryError` for a file
      in place of a folder;
    - `ValueError` for what cannot be, which names the file, the place in it, and what was
      expected. Boxes that reach up to a pixel beyond their picture are clipped, with a
      warning that says how many.

    and take `size`, (height, width) that pictures are resized to (`None`: as they are).
    `to_coco`, `to_voc`, `to_yolo` and `to_csv` write a set in another form.
    Pictures whose metadata says that they must be turned are refused when they are read:
    nothing says whether their boxes were drawn before or after.

    `dataset[i]` is the picture (3, H, W), float32 in 0–255, and its label (G, 5) as tensors
    of the active framework; `example(i)` is the same in NumPy. A row of a label is (class,
    x1, y1, x2, y2), the box in fractions of the picture; rows of class −1 are padding.

    `evaluate` measures what was detected in the pictures. Difficult objects (Pascal VOC)
    are in the labels like others, and need not be found. Crowds (COCO), regions with too
    many objects to draw a box around each, are not in the labels: a training takes them
    for background, and what is detected in them does not count.

    Attributes:
        paths: the N files.
        labels: (N, G, 5) float32.
        difficult: (N, G) bool, which rows of `labels` are marked as difficult.
        areas: (N, G) float64, of the objects, in square pixels of the pictures on disk: of
            their masks where COCO's file says so, else of the boxes.
        crowds: (N, K, 5) float64, rows of the same form, boxes in pixels of the pictures
            on disk; K can be 0.
        sizes: (N, 2), height and width of the pictures on disk.
        classes: the names, a tuple; of classes without names their numbers as text.
        num_classes: how many there are.
        num_clipped: boxes that were clipped.
        size: (height, width) or `None`.
    """

    def __init__(self, boxes: BoxSet, size: tuple[int, int] | None = None) -> None:
        self.size = None if size is None else pair("size", size, 1)
        self.root, self.paths, self.sizes = boxes.root, boxes.paths, boxes.sizes
        self._rows, self.difficult, self.areas, self.crowds = boxes[3:7]
        self.labels, self.num_clipped = self._rows.astype(np.float32), boxes.num_clipped
        self.labels[:, :, 1:] = (
            self._rows[:, :, 1:] / np.tile(self.sizes[:, ::-1], 2)[:, None]
        )
        self.classes, self.num_classes = tuple(boxes.classes), len(boxes.classes)

    @classmethod
    def from_csv(
        cls,
        folder: StrPath,
        is_train: bool = True,
        size: tuple[int, int] | None = None,
    ) -> DetectionDataset:
        """The layout of the book's bananas: `*_train/label.csv`, `*_train/images/`.

        A row is `img_name,label,xmin,ymin,xmax,ymax`, in pixels. `classes.txt` beside the
        splits has the names, if there are.
        """
        return DetectionDataset(read_csv(folder, is_train), size)

    @classmethod
    def from_coco(
        cls,
        annotations: StrPath,
        images: StrPath | None = None,
        size: tuple[int, int] | None = None,
    ) -> DetectionDataset:
        """COCO's JSON file, and the folder of the pictures (`None`: that of the file).

        The classes are the categories by their ids. `iscrowd` 1 marks a crowd; `ignore` 1,
        which COCO's own program does not look at, a difficult object; `area` is read. A
        box without width or height is left out, with a warning that says how many.
        """
        return DetectionDataset(read_coco(annotations, images), size)

    @classmethod
    def from_voc(
        cls,
        annotations: StrPath,
        images: StrPath,
        names: Iterable[str] | StrPath | None = None,
        classes: Sequence[str] | None = None,
        size: tuple[int, int] | None = None,
    ) -> DetectionDataset:
        """A folder of Pascal VOC's XML files, and the folder of the pictures.

        Args:
            annotations, images: the folders.
            names: which, with or without `.xml`: a list, or a file with one on each line
                such as `ImageSets/Main/train.txt`; `None`: all.
            classes: a list of names; `None`: those that occur in the folder, sorted.
            size: as above.
        """
        return DetectionDataset(read_voc(annotations, images, names, classes), size)

    @classmethod
    def from_yolo(
        cls,
        folder: StrPath,
        split: str = "",
        size: tuple[int, int] | None = None,
    ) -> DetectionDataset:
        """A folder with `images/`, `labels/`, and `classes.txt` or `data.yaml`.

        `split` is a folder inside both, such as "train".
        """
        return DetectionDataset(read_yolo(folder, split), size)

    @classmethod
    def from_folder(
        cls,
        folder: StrPath,
        is_train: bool = True,
        size: tuple[int, int] | None = None,
    ) -> DetectionDataset:
        """The training or the validation part of a folder in any of the four forms.

        They are looked for as `d2lcv.data.box_forms.find_form` says: `*_train/label.csv`;
        a JSON file with "train" in its name; `ImageSets/Main/train.txt`, or `train/` with
        XML files; `images/train/` or `train/images/`. A folder that can be read in
        several ways is refused.
        """
        return DetectionDataset(find_form(folder, is_train), size)

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.root!r}: {len(self)} pictures, "
            f"{int((self.labels[:, :, 0] >= 0).sum())} objects, "
            f"{self.num_classes} classes)"
        )

    def pixels(self, i: int) -> np.ndarray:
        """Read picture i: (h, w, 3) uint8, resized to `size` if there is one.

        Raises:
            TypeError: the index is no whole number.
            IndexError: there is no picture i.
            ValueError: the file is not a picture, or torn; it is named.
        """
        i = checked_index("index", i, len(self))
        return read_labelled(self.paths[i], self.size)

    def example(self, i: int) -> tuple[np.ndarray, ...]:
        """Picture i, (3, h, w) float32 from 0 to 255, and its label (G, 5)."""
        i = checked_index("index", i, len(self))
        pixels = self.pixels(i)
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
        return image, self.labels[i].copy()

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        return tuple(backend.tensors.tensor(array) for array in self.example(i))

    @property
    def truth(self) -> list[np.ndarray]:
        """Each picture's objects: (g, 5), boxes in its pixels; difficult ones, too.

        Padding is left out: `difficult[i, :g]` and `areas[i, :g]` belong to them.
        """
        return _objects_of(self._rows)

    def evaluate(
        self, found: Sequence[Any], score_threshold: float = 0.5
    ) -> DetectionScores:
        """`evaluate_detections` of these pictures, with all that the labels say.

        ```python
        scores = val_set.evaluate(d2lcv.detect(net, val_set.paths, threshold=0.01))
        ```

        Args:
            found: what was detected in each picture, as for `evaluate_detections`, boxes
                in pixels of the pictures on disk, also if the set has a `size`.
            score_threshold: of the confusion matrix, in [0, 1].

        Raises:
            TypeError, ValueError: as `evaluate_detections`.
            ValueError: there is no object that counts.
        """
        truth = self.truth
        if not ((self._rows[:, :, 0] >= 0) & ~self.difficult).any():
            raise ValueError(
                f"{self.root}: expected a set with an object that counts, got "
                f"{sum(map(len, truth))} objects, {int(self.difficult.sum())} of them "
                f"difficult, and {int((self.crowds[:, :, 0] >= 0).sum())} crowds"
            )
        counts = list(map(len, truth))
        return evaluate_detections(
            found,
            truth,
            self.classes,
            score_threshold,
            difficult=[x[:n] for x, n in zip(self.difficult, counts, strict=True)],
            crowds=_objects_of(self.crowds),
            areas=[x[:n] for x, n in zip(self.areas, counts, strict=True)],
        )

    def show(self, indices: Sequence[int] | None = None, scale: float = 2.5) -> Any:
        """Draw pictures with their boxes and names; returns the axes of `show_images`.

        Args:
            indices: a list, which pictures; `None`: the first eight.
            scale: width and height of a picture in inches.

        Raises:
            TypeError: `indices` is no list of whole numbers.
            IndexError: there is no such picture.
        """
        from ..figures import show_bboxes, show_images

        given = range(min(8, len(self))) if indices is None else indices
        chosen = [
            checked_index(f"indices[{k}]", i, len(self))
            for k, i in enumerate(listed("indices", given))
        ]
        columns = max(1, min(4, len(chosen)))
        pictures = [self.pixels(i) for i in chosen]
        axes = show_images(
            pictures, max(1, -(-len(chosen) // columns)), columns, scale=scale
        )
        for ax, i, picture in zip(axes, chosen, pictures, strict=False):
            height, width = picture.shape[:2]
            rows = self.labels[i, self.labels[i, :, 0] >= 0]
            names = [self.classes[int(c)] for c in rows[:, 0]]
            boxes = rows[:, 1:] * np.array([width, height, width, height])
            show_bboxes(ax, boxes, names, [f"C{int(c) % 10}" for c in rows[:, 0]])
        return axes

    def to_coco(self, path: StrPath) -> str:
        """Write the labels as COCO's JSON, and return its path.

        The pictures stay where they are: `file_name` is the way to them from the file's
        folder, so that `from_coco(path)` reads the same set. Sizes are those on disk.
        Difficult objects have `ignore` 1, which COCO's own program does not look at.

        Raises:
            TypeError, ValueError: `path` is none.
            IsADirectoryError: it is a folder.
            FileExistsError: there is such a file.
        """
        target = check_path("path", path)
        if target.is_file():
            raise FileExistsError(
                f"path: expected a file that is not there yet, and {target} is; choose "
                "another name, or remove it"
            )
        folder = os.path.abspath(target.parent)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for i, (height, width) in enumerate(self.sizes.tolist()):
            name = os.path.relpath(self.paths[i], folder).replace(os.sep, "/")
            images.append(
                {"id": i + 1, "file_name": name, "height": height, "width": width}
            )
            for rows, crowd in ((self._rows[i], 0), (self.crowds[i], 1)):
                for k, row in enumerate(rows[rows[:, 0] >= 0].tolist()):
                    label, x1, y1, x2, y2 = row
                    sides = x1, y1, x2 - x1, y2 - y1
                    box = [round(x, 6) for x in sides]  # 5.3, not 5.300000000000001
                    area = box[2] * box[3] if crowd else float(self.areas[i, k])
                    annotations.append(
                        {
                            "id": len(annotations) + 1,
                            "image_id": i + 1,
                            "category_id": int(label) + 1,
                            "bbox": box,
                            "area": round(area, 4),
                            "iscrowd": crowd,
                        }
                    )
                    if not crowd and self.difficult[i, k]:
                        annotations[-1]["ignore"] = 1
        categories = [{"id": k, "name": name} for k, name in enumerate(self.classes, 1)]
        content = {
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        write_file(target, (json.dumps(content) + "\n").encode())
        return str(target)

    def to_csv(self, folder: StrPath, is_train: bool = True) -> str:
        """Write the set for `from_csv`, pictures included, and return the folder.

        It has `set_train/label.csv`, boxes in pixels of the pictures on disk, copies of
        these in `set_train/images/`, and `classes.txt`; with `is_train=False` the part is
        `set_val`. `from_csv(folder, is_train)` gives the same pictures and rows. Pictures
        keep their names, but are numbered where two would have one, or where they would
        be read in another order. The form has no place for marks of difficult objects,
        crowds and areas of masks; a warning says how many there were.

        Raises:
            TypeError, ValueError: `folder` is no path; a class has a name that the form
                cannot hold; the other part has other classes.
            FileExistsError, NotADirectoryError: the part is there, or a file is in its
                place. Nothing was changed then.
            FileNotFoundError: a picture is missing.
        """
        return write_csv(self._boxes(), folder, is_train)

    def to_voc(self, folder: StrPath, is_train: bool = True) -> str:
        """Write the set as Pascal VOC's XML, pictures included, and return the folder.

        The XML files and copies of the pictures are in `train/`, or in `val/`, and the
        names in `classes.txt` beside it. `from_folder(folder, is_train)` gives the same
        pictures and rows, as does `from_voc(part, part, classes=…)`. Boxes are in pixels
        of the pictures on disk, the first of which is 0; <difficult> is written, and
        nothing of crowds. Names, warning and errors are those of `to_csv`.
        """
        return write_voc(self._boxes(), folder, is_train)

    def to_yolo(self, folder: StrPath, split: str = "") -> str:
        """Write the set in YOLO's form, pictures included, and return the folder.

        It has copies of the pictures in `images/`, a text file for each in `labels/`,
        rows of a class and the box's centre and size in fractions of the picture, and
        `classes.txt`. `split`, such as "train", is a folder inside both.
        `from_yolo(folder, split)` gives the same pictures and rows. Names, warning and
        errors are those of `to_csv`; and ValueError for a picture whose name has an
        ending that `from_yolo` does not look for.
        """
        return write_yolo(self._boxes(), folder, split)

    def _boxes(self) -> BoxSet:
        rows = (self._rows, self.difficult, self.areas, self.crowds)
        names = (list(self.classes), self.num_clipped)
        return BoxSet(self.root, self.paths, self.sizes, *rows, *names)


def _objects_of(rows: np.ndarray) -> list[np.ndarray]:
    """Each picture's rows without padding."""
    return [own[own[:, 0] >= 0] for own in rows]
