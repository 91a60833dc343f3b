"""`d2lcv detect`, `classify`, `segment`, `stylize` and `export`: use what was trained.

The first four take photographs, folders of them and videos, and differ by a row of
`COMMANDS`: what makes the net, what is asked of it for a picture, and what is said of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backends import REGISTRY, backend, install_command, use
from ..files import check_writable
from ..weights import kind_of
from .options import Parser, backend_choice

__all__ = ["COMMANDS", "export", "run"]

VIDEOS = {".avi", ".mkv", ".mov", ".mp4", ".webm"}
Objects = dict[str, Any]  # what is said of a picture, in JSON's words


@dataclass
class Command:
    """What one command does with each picture."""

    help: str
    weights: str  # what stands for the net without --weights
    options: Callable[[argparse.ArgumentParser], Any]
    net: Callable[[argparse.Namespace], Any]
    ask: Callable[[Any, Any, argparse.Namespace], Any]
    say: Callable[[Any], tuple[str, Objects]]
    results: str  # the name of the JSON file
    kinds: tuple[str, ...] = ()  # of nets that it takes from files
    takes_videos: bool = True
    labels: Callable[[Any], Any] | None = None  # (H, W) numbers to write, too


# ---- the commands ------------------------------------------------------------------------


def _load(options: argparse.Namespace) -> Any:
    from ..trained import load

    return _named(load(options.weights), options)


def _named(net: Any, options: argparse.Namespace) -> Any:
    kind, taken = kind_of(net), COMMANDS[options.command].kinds
    if kind not in taken:
        fitting = next(name for name, c in COMMANDS.items() if kind in c.kinds)
        raise ValueError(
            f"{options.weights}: expected a net for `d2lcv {options.command}`, "
            f"{' or '.join(taken)}, got a {kind}, which is for `d2lcv {fitting}`"
        )
    names = getattr(net, "classes", None) or [str(i) for i in range(net.num_classes)]
    print("looking for:", ", ".join(names))
    return net


def _load_classifier(options: argparse.Namespace) -> Any:
    if options.weights is not None:
        return _load(options)
    from ..classification import pretrained

    return _named(pretrained(), options)


def _style_network(options: argparse.Namespace) -> Any:
    from ..data.pictures import read_picture
    from ..style import style_network

    if not Path(options.style).is_file():
        raise FileNotFoundError(f"--style: there is no picture {options.style}")
    read_picture(options.style)  # one that cannot be read is no fault of the sources
    return style_network(options.weights or "random")


def _fraction(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return number


def _source(text: str) -> str:
    if not text:  # the path of the current folder, and more likely an unset variable
        raise argparse.ArgumentTypeError("expected a path, got ''")
    return text


def _number(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number, at least {least}, got {text!r}"
            )
        return int(text)

    return read


FORMS = ("plain", "coco")  # of detections.json


def _detect_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold", type=_fraction, default=0.5, help="the least confidence, 0 to 1"
    )
    parser.add_argument(
        "--nms-threshold",
        type=_fraction,
        default=0.5,
        help="of two boxes that overlap by more of their union, 0 to 1, the one of more "
        "confidence stays (default: 0.5)",
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="plain",
        choices=FORMS,
        help="also write detections.json; coco: in the form of COCO's results, "
        "image_id the number of the picture among those given and category_id that of "
        "the class, both from 1",
    )


def _json_option(name: str) -> Callable[[argparse.ArgumentParser], Any]:
    return lambda parser: parser.add_argument(
        "--json", action="store_const", const="plain", help=f"also write {name}.json"
    )


def _stylize_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--style", metavar="PICTURE", required=True, help="how the results are to look"
    )
    parser.add_argument(
        "--height", type=_number(32), default=240, help="of the results, in pixels"
    )
    parser.add_argument(
        "--steps", type=_number(1), default=150, help="of the training of each picture"
    )
    _json_option("styles")(parser)


def _detect(net: Any, picture: Any, options: argparse.Namespace) -> Any:
    from ..trained import detect

    return detect(net, [picture], options.threshold, options.nms_threshold)[0]


def _classify(net: Any, picture: Any, options: argparse.Namespace) -> Any:
    from ..trained import classify

    return classify(net, [picture])[0]


def _segment(net: Any, picture: Any, options: argparse.Namespace) -> Any:
    from ..trained import segment

    return segment(net, [picture])[0]


def _stylize(net: Any, picture: Any, options: argparse.Namespace) -> Any:
    from ..trained import stylize

    return stylize(
        net, [picture], options.style, height=options.height, num_steps=options.steps
    )[0]


def _say_boxes(found: Any) -> tuple[str, Objects]:
    objects = [
        {
            "name": name,
            "class": label,
            "score": round(float(score), 6),
            "box": [round(float(x), 3) for x in box],
        }
        for name, label, score, box in zip(
            found.names, found.classes.tolist(), found.scores, found.boxes, strict=True
        )
    ]
    said = ", ".join(f"{o['name']} {o['score']:.2f}" for o in objects)
    return said or "nothing", {"objects": objects}


def _say_classes(found: Any) -> tuple[str, Objects]:
    classes = [
        {"name": name, "class": label, "score": round(float(score), 6)}
        for name, label, score in list(
            zip(found.names, found.classes.tolist(), found.scores, strict=True)
        )[:5]
    ]
    said = ", ".join(f"{c['name']} {c['score']:.2f}" for c in classes[:3])
    return said, {"classes": classes}


def _say_shares(found: Any) -> tuple[str, Objects]:
    said = ", ".join(f"{name} {share:.0%}" for name, share in found.shares.items())
    shares = {name: round(share, 6) for name, share in found.shares.items()}
    return said, {"shares": shares}


COMMANDS = {
    "detect": Command(
        "find objects on photographs, in folders, videos, or by the camera",
        "a small detector that comes with d2lcv and knows drawn bananas, discs, squares "
        "and triangles",
        _detect_options,
        _load,
        _detect,
        _say_boxes,
        "detections",
        ("TinySSD", "TinyYOLO", "TinyRCNN"),
    ),
    "classify": Command(
        "tell what photographs show",
        "a small classifier that comes with d2lcv and knows drawn things",
        _json_option("classes"),
        _load_classifier,
        _classify,
        _say_classes,
        "classes",
        ("ResNet", "resnet18"),
    ),
    "segment": Command(
        "give each pixel of photographs a class",
        "",
        _json_option("segments"),
        _load,
        _segment,
        _say_shares,
        "segments",
        ("FCN",),
        labels=lambda found: found.classes,
    ),
    "stylize": Command(
        "paint photographs in the style of another picture",
        "filters that are drawn, not learned; imagenet: VGG-19 of the framework",
        _stylize_options,
        _style_network,
        _stylize,
        lambda found: ("painted", {}),
        "styles",
        takes_videos=False,
    ),
}


# ---- their sources and results -----------------------------------------------------------


def _with_form(argv: Sequence[str]) -> Iterator[str]:
    """In `--json PHOTO` the photograph is no form; `coco` is, also beside such a folder."""
    for option, following in zip(argv, [*argv[1:], ""], strict=True):
        yield option
        is_path = following not in ("", *FORMS) and Path(following).exists()
        if option == "--json" and is_path:
            yield "plain"


def run(name: str, argv: Sequence[str]) -> int:
    """One of `COMMANDS`: 0, or 1 if a source could not be read."""
    command = COMMANDS[name]
    if name == "detect":
        argv = list(_with_form(argv))
    options = _parser(name, command).parse_args(argv)
    folder = Path(options.out or f"out/{name}")
    _check_apart(folder, options.sources)
    use(options.backend, options.device)
    entry = backend.entry
    print(f"{entry.title} {entry.version} on {backend.tensors.device_name()}")
    net = command.net(options)
    work = _Work(command, net, options, folder)
    check_writable(work.folder / command.results)
    for source in options.sources:
        try:
            for record in work.records(source):
                if "error" in record:
                    work.fail(record["error"])
                else:
                    work.found.append(record)
                    work.numbers.append(len(work.found) + work.failed)
        except (OSError, ValueError, ModuleNotFoundError) as error:
            work.fail(error)
    if options.json:
        path = work.folder / f"{command.results}.json"
        as_coco = options.json == "coco"
        rows: Any = _as_coco(work.numbers, work.found) if as_coco else work.found
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print(f"{command.results}: {path}")
    failed = f", {work.failed} could not be read" if work.failed else ""
    print(f"pictures in {work.folder}: {len(work.found)}{failed}")
    return 1 if work.failed else 0


def _parser(name: str, command: Command) -> argparse.ArgumentParser:
    parser = Parser(prog=f"d2lcv {name}", description=command.help, allow_abbrev=False)
    sources = "a picture, a folder of pictures"
    if command.takes_videos:
        sources += ", a video, or the number of a camera (0)"
    parser.add_argument(
        "sources", nargs="+", type=_source, metavar="SOURCE", help=sources
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        required=not command.weights,
        help="of d2lcv.save_weights"
        + (f" (default: {command.weights})" if command.weights else ""),
    )
    command.options(parser)
    parser.add_argument(
        "--out", metavar="DIR", help=f"folder for the results (default: out/{name})"
    )
    parser.add_argument(
        "--backend",
        type=backend_choice,
        metavar="NAME",
        help="the framework that computes",
    )
    parser.add_device()
    parser.set_defaults(command=name)
    return parser


def _check_apart(folder: Path, sources: Iterable[str]) -> None:
    """Raise if results would lie beside a source: they could take the place of it."""
    for path in map(Path, sources):
        if not path.exists():
            continue  # which is said later, or a camera
        source = path if path.is_dir() else path.parent
        if source.resolve() == folder.resolve():
            raise ValueError(
                f"--out: {folder} is the folder of {path}, which the results could "
                "overwrite; give them another one"
            )


@dataclass
class _Work:
    """A command at work on its sources."""

    command: Command
    net: Any
    options: argparse.Namespace
    folder: Path

    def __post_init__(self) -> None:
        self.found: list[Objects] = []
        self.numbers: list[int] = []  # of these pictures among all that were given
        self.written: set[Path] = set()
        self.failed = 0

    def fail(self, why: object) -> None:
        self.failed += 1
        print(f"d2lcv: {why}", file=sys.stderr)

    def records(self, source: str) -> Iterator[Objects]:
        """What was found in each picture of a source, which is also drawn and written."""
        from tqdm import tqdm

        from ..data.pictures import SUFFIXES

        path = Path(source)
        if self.command.takes_videos and (
            source.isdecimal() or path.suffix.lower() in VIDEOS
        ):
            yield from self.frames(source)
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
                found = self.command.ask(self.net, file, self.options)
            except (OSError, ValueError) as error:
                yield {"error": str(error)}
                continue
            target = self.target(file.stem)
            drawn = _drawn(found)
            drawn.save(target)
            record = self.record(str(file), found, drawn, target)
            if self.command.labels is not None:
                record["labels"] = self.write_labels(self.command.labels(found), target)
            yield record

    def target(self, stem: str) -> Path:
        target, number = self.folder / f"{stem}.png", 1
        while target in self.written:  # pictures of one name from several folders
            number += 1
            target = self.folder / f"{stem}-{number}.png"
        self.written.add(target)
        return target

    def write_labels(self, labels: Any, target: Path) -> str:
        """A picture whose pixels are the numbers of classes, in 8 bits or, if many, 16."""
        import numpy as np
        from PIL import Image

        path = self.target(f"{target.stem}-classes")
        kind = np.uint8 if labels.max() < 256 else np.uint16
        Image.fromarray(labels.astype(kind)).save(path)
        return str(path)

    def record(self, file: str, found: Any, drawn: Any, target: Path) -> Objects:
        said, objects = self.command.say(found)
        print(f"{file}: {said}")
        width, height = drawn.size
        size = {"width": width, "height": height}
        return {"file": file, "drawn": str(target), **size, **objects}

    def frames(self, source: str) -> Iterator[Objects]:
        """The frames of a video, or of a camera until Ctrl-C, written as one video."""
        import numpy as np
        from tqdm import tqdm

        # what it has to say of a torn file is said once, in our words
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        try:
            import cv2  # type: ignore[import-not-found, unused-ignore]
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "videos and cameras need OpenCV; install it with: "
                + install_command("video")
            ) from error
        cv2.setLogLevel(0)
        if not source.isdecimal() and not Path(source).is_file():
            raise FileNotFoundError(f"there is no video {source}")
        stream = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        if not stream.isOpened():
            raise OSError(
                f"there is no camera {source}"
                if source.isdecimal()
                else f"{source} cannot be read: expected a whole video"
            )
        name = f"camera-{source}" if source.isdecimal() else Path(source).stem
        target = self.folder / f"{name}.mp4"
        writer = None
        bar = tqdm(desc=name, unit=" frames", disable=None)
        number = 0
        try:
            while True:
                read, frame = stream.read()
                if not read:
                    break
                pixels = frame[:, :, ::-1].copy()
                found = self.command.ask(self.net, pixels, self.options)
                drawn = _drawn(found)
                if writer is None:
                    rate = stream.get(cv2.CAP_PROP_FPS) or 25
                    code = cv2.VideoWriter.fourcc(*"mp4v")
                    writer = cv2.VideoWriter(str(target), code, rate, drawn.size)
                writer.write(np.asarray(drawn)[:, :, ::-1])
                record = self.record(f"{source}#{number}", found, drawn, target)
                number += 1
                bar.update()
                yield record
            if not number:
                raise OSError(f"{source} cannot be read: it has no frame")
            promised = int(stream.get(cv2.CAP_PROP_FRAME_COUNT))
            if number < 0.95 * promised:  # many containers promise a few too many
                raise OSError(
                    f"{source}: it ends after {number} of {promised} frames; what was "
                    f"read is in {target}"
                )
        except KeyboardInterrupt:  # the way to end a camera: what was written stays
            print(f"\n{name}: stopped after {number} frames", file=sys.stderr)
        finally:
            bar.close()
            stream.release()
            if writer is not None:
                writer.release()


def _drawn(found: Any) -> Any:
    return found.picture() if hasattr(found, "picture") else found


def _as_coco(numbers: Sequence[int], found: Sequence[Objects]) -> list[Objects]:
    """Rows of COCO's results: images and categories are numbered from 1."""
    rows = []
    for number, record in zip(numbers, found, strict=True):
        for thing in record["objects"]:
            x1, y1, x2, y2 = thing["box"]
            box = [x1, y1, x2 - x1, y2 - y1]
            rows.append(
                {
                    "image_id": number,
                    "file_name": record["file"],
                    "category_id": thing["class"] + 1,
                    "bbox": [round(side, 3) for side in box],
                    "score": thing["score"],
                }
            )
    return rows


# ---- programs ----------------------------------------------------------------------------


def export(argv: Sequence[str]) -> int:
    """`d2lcv export`: a net as a program, on the backend that writes its form."""
    writers = {entry.program: entry.name for entry in REGISTRY.values()}
    parser = Parser(
        prog="d2lcv export",
        description="Write a net as a program from pictures to boxes, or to scores.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "weights",
        nargs="?",
        metavar="FILE",
        help=f"of d2lcv.save_weights (default: {COMMANDS['detect'].weights})",
    )
    parser.add_argument(
        "--to",
        choices=["onnx", *writers],
        default="onnx",
        help="the form (default: onnx, which any backend writes)",
    )
    parser.add_argument(
        "--out", metavar="PATH", help="without an ending (default: out/export/NAME)"
    )
    parser.add_argument(
        "--image-size",
        type=_number(1),
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of its pictures (default: what the net says)",
    )
    parser.add_argument(
        "--backend",
        type=backend_choice,
        metavar="NAME",
        help="for onnx, the framework that reads the net",
    )
    options = parser.parse_args(argv)
    use(options.backend or writers.get(options.to))
    from ..trained import export, load

    name = Path(options.weights or "detector").stem
    size = options.image_size and tuple(options.image_size)
    path = options.out or Path("out/export") / name
    print("program:", export(load(options.weights), path, size, options.to))
    return 0
