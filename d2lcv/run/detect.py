"""`d2lcv detect`: boxes on photographs, folders of them, videos and the camera."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..backends import use

__all__ = ["main"]

VIDEOS = {".avi", ".mkv", ".mov", ".mp4", ".webm"}


def main(argv: Sequence[str]) -> int:
    """Detect and write pictures; 0, or 1 if a source could not be read."""
    options = _parser().parse_args(argv)
    use(options.backend)
    from ..trained import load

    net = load(options.weights)
    names = getattr(net, "classes", None) or [str(i) for i in range(net.num_classes)]
    print("looking for:", ", ".join(names))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    failed, written = 0, set[Path]()
    for source in options.sources:
        try:
            for record in _source(source, net, options.threshold, folder, written):
                if "error" in record:
                    failed += 1
                    print(f"d2lcv: {record['error']}", file=sys.stderr)
                else:
                    found.append(record)
        except (OSError, ValueError, ModuleNotFoundError) as error:
            failed += 1
            print(f"d2lcv: {error}", file=sys.stderr)
    if options.json:
        path = folder / "detections.json"
        rows: Any = _as_coco(found) if options.json == "coco" else found
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print("detections:", path)
    print(f"{len(found)} pictures in {folder}, {failed} could not be read")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="d2lcv detect", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a picture, a folder of pictures, a video, or the number of a camera (0)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="of d2lcv.save_weights (default: a small detector that comes with d2lcv "
        "and knows drawn bananas, discs, squares and triangles)",
    )
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="the least confidence, 0 to 1"
    )
    parser.add_argument("--out", default="out/detect", help="folder for the results")
    parser.add_argument(
        "--json",
        nargs="?",
        const="plain",
        choices=["plain", "coco"],
        help="also write detections.json; coco: in the form of COCO's results",
    )
    parser.add_argument("--backend", metavar="NAME", help="the framework that computes")
    return parser


def _source(
    source: str, net: Any, threshold: float, folder: Path, written: set[Path]
) -> Iterator[dict[str, Any]]:
    """What was found in each picture of a source, which is also drawn and written."""
    from tqdm import tqdm

    from ..data.pictures import SUFFIXES
    from ..trained import detect

    path = Path(source)
    if source.isdecimal() or path.suffix.lower() in VIDEOS:
        yield from _video(source, net, threshold, folder)
        return
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not files:
            raise FileNotFoundError(f"{path} has no pictures")
    elif path.is_file():
        files = [path]
    else:
        raise FileNotFoundError(f"there is no picture, folder or video {path}")
    for file in tqdm(files, disable=None if len(files) > 1 else True):
        try:
            (found,) = detect(net, [file], threshold)
        except (OSError, ValueError) as error:
            yield {"error": str(error)}
            continue
        target, number = folder / f"{file.stem}.png", 1
        while target in written:  # pictures of one name from several folders
            number += 1
            target = folder / f"{file.stem}-{number}.png"
        written.add(target)
        found.picture().save(target)
        yield _record(str(file), found, target)


def _record(file: str, found: Any, target: Path) -> dict[str, Any]:
    height, width = found.image.shape[:2]
    objects = zip(
        found.names, found.classes.tolist(), found.scores, found.boxes, strict=True
    )
    if found.names:
        said = ", ".join(
            f"{n} {s:.2f}" for n, s in zip(found.names, found.scores, strict=True)
        )
        print(f"{file}: {said}")
    else:
        print(f"{file}: nothing")
    return {
        "file": file,
        "drawn": str(target),
        "width": width,
        "height": height,
        "objects": [
            {
                "name": name,
                "class": label,
                "score": round(float(score), 6),
                "box": [round(float(x), 3) for x in box],
            }
            for name, label, score, box in objects
        ],
    }


def _as_coco(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of COCO's results: images and categories are numbered from 1."""
    rows = []
    for i, record in enumerate(found, 1):
        for thing in record["objects"]:
            x1, y1, x2, y2 = thing["box"]
            rows.append(
                {
                    "image_id": i,
                    "category_id": thing["class"] + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": thing["score"],
                }
            )
    return rows


def _video(
    source: str, net: Any, threshold: float, folder: Path
) -> Iterator[dict[str, Any]]:
    """The frames of a video file, or of a camera until Ctrl-C, written as one video."""
    import numpy as np
    from tqdm import tqdm

    from ..trained import detect

    try:
        import cv2  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "videos and cameras need OpenCV; install it with: "
            'pip install "d2lcv[video]"'
        ) from error
    if not source.isdecimal() and not Path(source).is_file():
        raise FileNotFoundError(f"there is no video {source}")
    stream = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not stream.isOpened():
        raise OSError(f"{source}: the video or camera cannot be opened")
    name = f"camera-{source}" if source.isdecimal() else Path(source).stem
    target = folder / f"{name}.mp4"
    writer = None
    bar = tqdm(desc=name, unit=" frames", disable=None)
    try:
        number = 0
        while True:
            read, frame = stream.read()
            if not read:
                break
            (found,) = detect(net, [frame[:, :, ::-1].copy()], threshold)
            if writer is None:
                rate = stream.get(cv2.CAP_PROP_FPS) or 25
                code = cv2.VideoWriter.fourcc(*"mp4v")
                size = frame.shape[1], frame.shape[0]
                writer = cv2.VideoWriter(str(target), code, rate, size)
            writer.write(np.asarray(found.picture())[:, :, ::-1])
            record = _record(f"{source}#{number}", found, target)
            number += 1
            bar.update()
            yield record
        if not number:
            raise OSError(f"{source}: no frame can be read")
    except KeyboardInterrupt:  # the way to end a camera: what was written stays
        print(f"\n{name}: stopped after {number} frames", file=sys.stderr)
    finally:
        bar.close()
        stream.release()
        if writer is not None:
            writer.release()
