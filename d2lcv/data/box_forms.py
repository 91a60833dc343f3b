"""Labelled pictures in the forms that people have: COCO, Pascal VOC, YOLO; and which it is.

Each reader gives a `BoxSet`, checked as that of `read_csv`: what cannot be is an error that
names the file, the place in it, and what was expected.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..checks import check_path, check_text, described, flag, listed, texts
from ..words import did_you_mean
from .boxes import (
    BoxSet,
    Object,
    Picture,
    StrPath,
    checked_picture,
    class_names,
    existing_folder,
    pack,
    read_csv,
)
from .pictures import SUFFIXES, natural
from .tables import read_lines, read_text

__all__ = ["find_form", "read_coco", "read_voc", "read_yolo"]

_LISTS = ("images", "annotations", "categories")
_SPLITS = {True: ("train",), False: ("val", "valid", "validation")}


def number(value: Any, name: str, place: str) -> float:
    """A finite number of a text or of JSON."""
    try:
        if isinstance(value, bool):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise ValueError(f"{place}: {name} must be a number, got {value!r}")
    return result


def _mark(value: Any, name: str, place: str) -> bool:
    """Yes or no, in the ways that programs write it; nothing is no."""
    text = "" if value is None else str(value).strip().lower()
    if text in ("", "0", "0.0", "false"):
        return False
    if text in ("1", "1.0", "true"):
        return True
    raise ValueError(f"{place}: {name} must be 0 or 1, got {value!r}")


# ---- COCO ------------------------------------------------------------------------------


def read_coco(annotations: StrPath, images: StrPath | None = None) -> BoxSet:
    """Read COCO's JSON: lists of images, annotations and categories.

    Classes are the categories by their ids. A crowd (`iscrowd` 1) is no object of its own;
    `ignore` 1 marks a difficult one. A box without width or height is left out, with a
    warning that says how many. An image without annotations is one without objects.

    Args:
        annotations: the JSON file.
        images: the folder that its `file_name`s are in; None: that of the file.
    """
    path = check_path("annotations", annotations)
    folder = path.parent if images is None else check_path("images", images)
    if path.is_dir():
        raise IsADirectoryError(
            f"annotations: expected a JSON file in COCO's form, got the folder {path}; "
            "name the file, or open a folder with DetectionDataset.from_folder"
        )
    content = _json(path)
    ids, classes = _categories(content["categories"], path)
    objects: dict[Picture, list[Object]] = {}
    by_id: dict[Any, list[Object]] = {}
    for i, image in enumerate(content["images"]):
        place = f"{path}, images[{i}]"
        _has(image, ("id", "file_name"), place)
        if image["id"] in by_id:
            raise ValueError(f"{place}: the id {image['id']} is there twice")
        picture = Picture(
            str(folder / str(image["file_name"])),
            place,
            _said_size(image.get("height"), image.get("width"), place),
        )
        objects[picture] = by_id[image["id"]] = []
    empty = []
    for i, annotation in enumerate(content["annotations"]):
        place = f"{path}, annotations[{i}]"
        _has(annotation, ("image_id", "category_id", "bbox"), place)
        for key, known in (("image_id", by_id), ("category_id", ids)):
            if annotation[key] not in known:
                raise ValueError(f"{place}: there is no {key} {annotation[key]!r}")
        box = annotation["bbox"]
        if not isinstance(box, list) or len(box) != 4:
            raise ValueError(
                f"{place}: bbox must be [x, y, width, height], got {box!r}"
            )
        x, y, width, height = (number(value, "bbox", place) for value in box)
        if width == 0 or height == 0:
            empty.append(place)
            continue
        area = annotation.get("area")
        if area is not None and number(area, "area", place) < 0:
            raise ValueError(f"{place}: area must be at least 0, got {area}")
        by_id[annotation["image_id"]].append(
            Object(
                ids[annotation["category_id"]],
                (x, y, x + width, y + height),
                place,
                difficult=_mark(annotation.get("ignore"), "ignore", place),
                crowd=_mark(annotation.get("iscrowd"), "iscrowd", place),
                area=None if area is None else float(area),
            )
        )
    if empty:
        warnings.warn(
            f"{empty[0]}: the bbox has no width or no height; such boxes are left out, "
            f"{len(empty)} of {len(content['annotations'])}. Programs that count them find "
            "lower numbers",
            stacklevel=3,
        )
    return pack(path, objects, classes)


def _json(path: Path) -> dict[str, list[Any]]:
    expected = "expected COCO's annotations, a JSON object with " + ", ".join(_LISTS)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; {expected}")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: {expected}, got a {type(content).__name__}")
    for key in _LISTS:
        if not isinstance(content.get(key), list):
            raise ValueError(
                f"{path}: {expected}, all of them lists; got {', '.join(content)}"
            )
    return content


def _has(entry: Any, keys: Sequence[str], place: str) -> None:
    if not isinstance(entry, dict) or not set(keys) <= set(entry):
        got = ", ".join(entry) if isinstance(entry, dict) else repr(entry)
        raise ValueError(f"{place}: expected {', '.join(keys)}, got {got}")
    for key in keys:
        if key.endswith("id") and not isinstance(entry[key], (int, str)):
            raise ValueError(f"{place}: {key} must be a number, got {entry[key]!r}")


def _categories(entries: list[Any], path: Path) -> tuple[dict[Any, int], list[str]]:
    """{id: class} and the names of the classes, which are in the order of the ids."""
    for i, entry in enumerate(entries):
        _has(entry, ("id", "name"), f"{path}, categories[{i}]")
    ordered = sorted(entries, key=lambda entry: natural(str(entry["id"])))
    names = [str(entry["name"]) for entry in ordered]
    ids = {entry["id"]: i for i, entry in enumerate(ordered)}
    if not names or len(set(names)) < len(names) or len(ids) < len(names):
        raise ValueError(
            f"{path}: expected categories, each with an id and a name of its own: {names}"
        )
    return ids, names


def _said_size(height: Any, width: Any, place: str) -> tuple[int, int] | None:
    """What the labels say of a picture's size; nothing, or 0, is nothing."""
    if not height or not width:
        return None
    return int(number(height, "height", place)), int(number(width, "width", place))


# ---- Pascal VOC ------------------------------------------------------------------------


def read_voc(
    annotations: StrPath,
    images: StrPath,
    names: Iterable[str] | StrPath | None = None,
    classes: Sequence[str] | None = None,
) -> BoxSet:
    """Read Pascal VOC's XML files, one for each picture.

    Boxes are in pixels, the first of which is 0; in the files of the VOC challenges
    themselves, whose <database> says so, it is 1, and the last pixel belongs to the box.

    Args:
        annotations: the folder of the XML files.
        images: the folder of the pictures, called as <filename> says, or as the XML file.
        names: which files, with or without `.xml`: a list, or a text file with one on
            each line. None: all, in natural order.
        classes: names of the classes; None: those that occur in any XML file of the
            folder, sorted.
    """
    folder = existing_folder("annotations", annotations)
    place = existing_folder("images", images)
    known = None if classes is None else _class_list(classes)
    files = {path.stem: path for path in sorted(folder.glob("*.xml"))}
    if not files:
        raise FileNotFoundError(f"there is no XML file in {folder}")
    chosen = _chosen(names, files, folder)
    read = {}
    for stem in files if known is None else chosen:
        read[stem] = _read_xml(files[stem])
    if known is None:
        known = sorted({name for _, rows in read.values() for name, *_ in rows})
    objects = {}
    for stem in chosen:
        (filename, size), rows = read[stem]
        path = _picture_of(place, filename, stem, files[stem])
        picture = Picture(path, str(files[stem]), size)
        objects[picture] = [
            Object(_known(name, known, place), box, place, difficult)
            for name, box, place, difficult in rows
        ]
    return pack(folder, objects, known)


def _class_list(classes: Sequence[str]) -> list[str]:
    if isinstance(classes, str):
        raise TypeError(
            f"classes: expected a list of names, got {described(classes)}; write "
            f"[{classes!r}] for one class"
        )
    names = texts("classes", classes)
    if len(set(names)) < len(names):
        raise ValueError(f"classes: expected each name once, got {names}")
    return names


def _chosen(
    names: Iterable[str] | StrPath | None, files: dict[str, Path], folder: Path
) -> list[str]:
    if names is None:
        return sorted(files, key=natural)
    place = f"names: {folder}"
    if isinstance(names, (str, os.PathLike)):
        place = os.fspath(names)
        names = read_lines(
            check_path("names", names), "the names of XML files, one a line"
        )
    chosen = []
    for name in texts("names", listed("names", names)):
        stem = name if name in files else name.removesuffix(".xml")
        if stem not in files:
            raise FileNotFoundError(f"{place}: there is no {folder / f'{stem}.xml'}")
        chosen.append(stem)
    return chosen


def _read_xml(path: Path) -> tuple[Any, list[Any]]:
    """((file name, size), [(class name, box, place, whether difficult)]) of one file."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path} is not XML: {error}") from error
    if root.tag != "annotation":
        raise ValueError(f"{path}: expected <annotation>, got <{root.tag}>")
    height, width = (
        (root.findtext(f"size/{side}") or "").strip().removeprefix("0") or None
        for side in ("height", "width")
    )
    size = _said_size(height, width, str(path))
    first = "VOC20" in root.findtext("source/database", "")
    rows = []
    for i, thing in enumerate(root.findall("object"), 1):
        place = f"{path}, object {i}"
        name = (thing.findtext("name") or "").strip()
        if not name:
            raise ValueError(f"{place}: expected a <name>")
        x1, y1, x2, y2 = (
            number((thing.findtext(f"bndbox/{side}") or "").strip(), side, place)
            for side in ("xmin", "ymin", "xmax", "ymax")
        )
        difficult = _mark(thing.findtext("difficult"), "difficult", place)
        rows.append((name, (x1 - first, y1 - first, x2, y2), place, difficult))
    return ((root.findtext("filename") or "").strip(), size), rows


def _picture_of(images: Path, filename: str, stem: str, place: Path) -> str:
    """The picture that the XML file names, or the one called like it."""
    if filename and (images / Path(filename).name).is_file():
        return str(images / Path(filename).name)
    found = [p for p in sorted(images.glob(f"{_literal(stem)}.*")) if _is_picture(p)]
    if len(found) > 1:
        raise ValueError(
            f"{place}: expected one picture {stem}.*, got "
            f"{', '.join(p.name for p in found)}"
        )
    return str(found[0] if found else images / (filename or f"{stem}.jpg"))


def _known(name: str, classes: list[str], place: str) -> int:
    if name not in classes:
        hint = did_you_mean(name, classes)
        raise ValueError(
            f"{place}: expected one of the classes {', '.join(classes)}, got {name!r}"
            f"{hint and f' ({hint})'}"
        )
    return classes.index(name)


def _literal(name: str) -> str:
    """A name as a pattern of `glob` that fits nothing else."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


# ---- YOLO ------------------------------------------------------------------------------


def read_yolo(folder: StrPath, split: str = "") -> BoxSet:
    """Read YOLO's text files: a row is a class and the centre and size of its box.

    They are in fractions of the picture. A row with more numbers is an outline; its box is
    the one around it. A picture without a file, or with an empty one, has no objects.

    Args:
        folder: with `images/` and `labels/`, and `classes.txt` or `data.yaml` there or
            in the folder above.
        split: a folder inside `images/` and inside `labels/`.
    """
    root, split = existing_folder("folder", folder), check_text("split", split)
    images, labels = root / "images" / split, root / "labels" / split
    for part in (images, labels):
        if not part.is_dir():
            raise FileNotFoundError(f"expected a folder {part}, and there is none")
    classes = _yolo_classes(root)
    pictures = sorted(filter(_is_picture, images.iterdir()), key=_by_name)
    if not pictures:
        raise FileNotFoundError(f"there is no picture in {images}")
    stems = {path.stem for path in pictures}
    if len(stems) < len(pictures):
        raise ValueError(f"{images}: two pictures have one name but for the ending")
    for path in sorted(labels.glob("*.txt")):
        if path.stem not in stems and path.name != "classes.txt":
            raise FileNotFoundError(
                f"{path}: there is no picture {path.stem} in {images}"
            )
    objects = {}
    for path in pictures:
        text = labels / f"{path.stem}.txt"
        rows = _yolo_rows(text, classes) if text.is_file() else []
        picture = Picture(str(path), str(text))
        objects[picture] = _in_pixels(picture, rows) if rows else []
    return pack(root, objects, classes)


def _by_name(path: Path) -> Any:
    return natural(path.name)


def _yolo_rows(path: Path, classes: list[str]) -> list[Object]:
    rows = []
    lines = read_text(path, "rows of a class and a box").splitlines()
    for line, text in enumerate(lines, 1):
        place, values = f"{path}, line {line}", text.split()
        if not values:
            continue
        numbers = [number(value, "each value", place) for value in values]
        label, count = numbers[0], len(numbers)
        if count < 5 or count == 6 or count % 2 == 0:
            raise ValueError(
                f"{place}: expected a class, x, y, width, height in fractions of the "
                f"picture, or a class and an outline, got {count} values"
            )
        if label % 1 or not 0 <= label < len(classes):
            raise ValueError(
                f"{place}: expected a class from 0 to {len(classes) - 1}, got {values[0]}"
            )
        if count == 5:
            x, y, width, height = numbers[1:]
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        else:
            xs, ys = numbers[1::2], numbers[2::2]
            box = (min(xs), min(ys), max(xs), max(ys))
        rows.append(Object(int(label), box, place))
    return rows


def _in_pixels(picture: Picture, rows: list[Object]) -> list[Object]:
    """Boxes in fractions as all others are: in pixels of the picture."""
    height, width = checked_picture(picture)
    return [
        Object(label, (x1 * width, y1 * height, x2 * width, y2 * height), place)
        for label, (x1, y1, x2, y2), place, *_ in rows
    ]


def _yolo_classes(root: Path) -> list[str]:
    for folder in (root, root.parent):
        for name in ("classes.txt", "labels/classes.txt"):
            names = class_names(folder / name)
            if names is not None:
                return names
        for name in ("data.yaml", "data.yml", "dataset.yaml"):
            if (folder / name).is_file():
                return _yaml_names(folder / name)
    raise FileNotFoundError(
        f"expected classes.txt or data.yaml in {root} or in the folder above"
    )


def _yaml_names(path: Path) -> list[str]:
    """`names` of a data.yaml: [a, b], a block of `- a`, or of `0: a`."""
    wanted = "the names of the classes, as in names: [cat, dog]"
    expected = f"{path}: expected {wanted}"
    text = read_text(path, wanted)
    lines = [line.split(" #")[0].rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    starts = [i for i, line in enumerate(lines) if re.match(r"names\s*:", line)]
    if len(starts) != 1:
        raise ValueError(f"{expected}; got {len(starts)} entries 'names:'")
    inline = lines[starts[0]].partition(":")[2].strip()
    block = []
    for line in lines[starts[0] + 1 :]:
        if line[0] not in " \t-":
            break
        block.append(line.strip())
    if inline:  # it may go on, until the bracket closes
        text = " ".join([inline, *block])
        if text[0] + text[-1] not in ("[]", "{}"):
            raise ValueError(f"{expected}; got {text!r}")
        block = [part.strip() for part in text[1:-1].split(",") if part.strip()]
        block = [f"- {part}" if text[0] == "[" else part for part in block]
    numbered: dict[int, str] = {}
    for i, line in enumerate(block):
        match = re.fullmatch(r"(?:-\s+|(\d+)\s*:\s*)(.+)", line)
        if not match:
            raise ValueError(f"{expected}; got {line!r}")
        numbered[int(match[1] or i)] = _unquoted(match[2])
    names = [numbered[key] for key in sorted(numbered)]
    if sorted(numbered) != list(range(len(block))) or len(set(names)) < len(names):
        raise ValueError(f"{expected}, each once and counted from 0; got {block}")
    return names


def _unquoted(text: str) -> str:
    if text[0] in "'\"":
        try:
            return str(ast.literal_eval(text))
        except (SyntaxError, ValueError):
            return text.strip(text[0])
    return text


# ---- which form it is ------------------------------------------------------------------


def find_form(root: StrPath, is_train: bool) -> BoxSet:
    """Read the training or the validation split of a folder in any of the four forms.

    - CSV: `*_train/label.csv` with `*_train/images/`;
    - COCO: one JSON file with "train" in its name, in the folder, in `annotations/` (of
      several the one whose name begins with `instances`), or any one in `train/`; the
      pictures beside it, in `train*/`, in `images/train*/` or in `images/`;
    - Pascal VOC: `Annotations/`, `JPEGImages/` (or `images/`) and
      `ImageSets/Main/train.txt`; or `train/` with XML files and pictures;
    - YOLO: `images/train/` and `labels/train/`, or `train/images/` and `train/labels/`,
      with `classes.txt` or `data.yaml`.

    and the same for "val" ("valid", "validation").

    Raises:
        FileNotFoundError: there is no such folder, or none of these is in it.
        ValueError: several are, both splits do not have the same classes, or what `pack`
            and the readers refuse.
    """
    folder, is_train = existing_folder("folder", root), flag("is_train", is_train)
    mine, other = (_forms(folder, train) for train in (is_train, not is_train))
    if len(mine) > 1:
        raise ValueError(
            f"{folder} can be read in several ways: {', '.join(mine)}; take one of "
            "DetectionDataset.from_csv, from_coco, from_voc, from_yolo"
        )
    if not mine:
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:10]) or "nothing"
        word = _SPLITS[is_train][0]
        raise FileNotFoundError(
            f"expected a set with a part {word!r} in {folder}: *_{word}/label.csv, COCO's "
            f"JSON, VOC's XML, or YOLO's images/{word} and labels/{word}; found {there}"
        )
    (form,) = mine
    read = mine[form]()
    if form == "COCO" and form in other:
        named = _categories(
            _json(_coco_file(folder, not is_train))["categories"], folder
        )
        if named[1] != read.classes:
            raise ValueError(
                f"{folder}: both parts must have the same categories, got {read.classes} "
                f"and {named[1]}"
            )
    return read._replace(root=os.fspath(root))


def _forms(folder: Path, is_train: bool) -> dict[str, Callable[[], BoxSet]]:
    """{name of a form: its reader} of all forms that a folder has this split in."""
    words = _SPLITS[is_train]
    found: dict[str, Callable[[], BoxSet]] = {}
    if any(folder.glob(f"*_{words[0]}/label.csv")):
        found["CSV"] = partial(read_csv, folder, is_train)
    if (file := _coco_file(folder, is_train)) is not None:
        found["COCO"] = partial(read_coco, file, _coco_images(folder, file, words))
    for base in (folder, *sorted(folder.glob("VOCdevkit/VOC*"))):
        for word in words:
            names = base / "ImageSets" / "Main" / f"{word}.txt"
            if names.is_file() and (base / "Annotations").is_dir():
                parts = (base / "Annotations", _voc_images(base), names, None)
                found[f"VOC in {base}"] = partial(read_voc, *parts)
    for word in words:
        part = folder / word
        if any(part.glob("*.xml")):
            found["VOC"] = partial(read_voc, part, part, None, _all_classes(folder))
        if (folder / "labels" / word).is_dir():
            found["YOLO"] = partial(read_yolo, folder, word)
        if (part / "labels").is_dir():
            found["YOLO"] = partial(read_yolo, part, "")
    return found


def _coco_file(folder: Path, is_train: bool) -> Any:
    words = _SPLITS[is_train]
    inside = [p for word in words for p in sorted((folder / word).glob("*.json"))]
    token = re.compile(rf"(^|[^a-z])({'|'.join(words)})([^a-z]|$)")
    beside = [
        path
        for part in (folder, folder / "annotations")
        for path in sorted(part.glob("*.json"))
        if token.search(path.stem.lower())
    ]
    files = inside + beside
    if len(files) > 1:
        files = [p for p in files if p.name.startswith("instances")] or files
    if len(files) > 1:
        raise ValueError(
            f"{folder}: expected one JSON file for {words[0]!r}, found "
            f"{', '.join(p.name for p in files)}"
        )
    return files[0] if files else None


def _coco_images(folder: Path, file: Path, words: Sequence[str]) -> Path:
    """The first of the usual folders that has the first picture."""
    entries = [e for e in _json(file)["images"] if isinstance(e, dict)]
    first = str(entries[0].get("file_name")) if entries else ""
    places = [file.parent]
    for base in (folder, folder / "images"):
        for word in words:
            places += sorted(p for p in base.glob(f"{word}*") if p.is_dir())
    places += [folder / "images", folder]
    return next((place for place in places if (place / first).is_file()), places[0])


def _voc_images(base: Path) -> Path:
    jpeg = base / "JPEGImages"
    return jpeg if jpeg.is_dir() else base / "images"


def _all_classes(folder: Path) -> list[str]:
    """The classes of both splits: those of classes.txt, or all that occur, sorted."""
    names = class_names(folder / "classes.txt")
    if names is not None:
        return names
    files = [
        p
        for words in _SPLITS.values()
        for w in words
        for p in folder.glob(f"{w}/*.xml")
    ]
    return sorted({name for path in files for name, *_ in _read_xml(path)[1]})
