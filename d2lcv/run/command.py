"""`python -m d2lcv`: what is here, the chapters, and the tools of a checkout."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .. import __version__
from ..backends import ENVIRONMENT_VARIABLE, REGISTRY, use
from . import trained
from .endings import is_said_by_us, leave_pipe
from .options import Parser, number

PACKAGE = Path(__file__).parents[1]
TOOLS = {"render": "make notebooks and the site (in a checkout)"}
EPILOG = """\
without a command: the installed backends, which one is active and why, and the data folder

  d2lcv run                              the chapters and their titles
  d2lcv run ssd --backend paddle         one of them; its own options may follow
  d2lcv run ssd --processes 2            in two processes; also for a script of your own
  d2lcv run ssd --help                   what these are
  d2lcv detect PHOTO                     boxes on a photograph, by a small detector
  d2lcv export FILE --to onnx            a net as a program, for a runtime
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 failed, 2 wrong usage."""
    parser, run = _parsers()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command is None:
        parser.error(f"unknown argument {rest[0]!r}")
    try:
        if options.command is None:
            return _overview(options.devices)
        if options.command != "run":
            return _commands()[options.command][1](rest)
        if options.help and options.chapter is None:
            run.print_help()
            return 0
        return _run(options, rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `d2lcv | head`: nobody reads on
        leave_pipe()
        return 1
    except Exception as error:
        if not is_said_by_us(error):
            raise
        return _fail(str(error))


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    parser = Parser(
        prog="d2lcv",
        description="Computer vision from Dive into Deep Learning on four frameworks.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"d2lcv {__version__}")
    parser.add_argument(
        "--devices",
        action="store_true",
        help="also the devices of each backend (loads each in a subprocess: seconds)",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run a chapter, or list them",
        description="Run a chapter; without a name, list them.",
        usage="d2lcv run [CHAPTER | SCRIPT.py] [--backend NAME] [--processes N] "
        "[--hosts A,B] [options of the chapter]",
        add_help=False,  # `run ssd --help` is a question to the chapter
        allow_abbrev=False,
    )
    run.add_argument(
        "chapter",
        nargs="?",
        metavar="CHAPTER",
        help="its name: ssd; or the path of a script of your own",
    )
    run.add_argument(
        "--backend",
        metavar="NAME",
        help=f"{', '.join(REGISTRY)}, or an alias (default: {ENVIRONMENT_VARIABLE}, "
        "else the first installed)",
    )
    run.add_argument(
        "--processes",
        type=partial(number, int, 1),
        metavar="N",
        help="train in so many processes, which share each batch (default: 1)",
    )
    run.add_argument(
        "--hosts",
        type=_hosts,
        metavar="A,B",
        help="machines with so many processes each; give the command on all of them",
    )
    run.add_argument("-h", "--help", action="store_true", help="or of the chapter")
    for name, (text, _) in _commands().items():
        commands.add_parser(name, help=text, add_help=False, allow_abbrev=False)
    return parser, run


def _hosts(text: str) -> list[str]:
    hosts = text.split(",")
    if not all(hosts) or len(set(hosts)) < len(hosts):
        raise argparse.ArgumentTypeError(
            f"expected different machines with commas between them, got {text!r}"
        )
    return hosts


def _commands() -> dict[str, tuple[str, Callable[[list[str]], int]]]:
    """What each command besides `run` says of itself, and what takes its arguments."""
    return {
        "matrix": ("compare every case on every installed backend", _matrix),
        **{
            name: (command.help, partial(trained.run, name))
            for name, command in trained.COMMANDS.items()
        },
        "export": ("write a net as a program: ONNX and others", trained.export),
        **{name: (text, partial(_tool, name)) for name, text in TOOLS.items()},
    }


def _overview(with_devices: bool) -> int:
    from .overview import overview

    _, usable = overview(with_devices, say=partial(print, flush=True))
    return 0 if usable else 1


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    from .chapters import chapter_file, chapters, parts, run_chapter, title
    from .processes import check_processes, launch

    if options.chapter is None:
        if rest:
            return _fail(f"{rest[0]!r} needs a chapter before it", status=2)
        width = max(map(len, chapters()), default=0)
        for i, (part, scripts) in enumerate(parts().items()):
            print(("\n" if i else "") + part)
            for script in scripts:
                print(f"  {script.stem:<{width}}  {title(script)}")
        return 0
    n, hosts = options.processes or 1, options.hosts or []
    try:
        script = chapter_file(options.chapter)
        name = use(options.backend)
        if (n > 1 or hosts) and not options.help:
            check_processes(n, hosts)
            return launch(n, [str(script), *rest], hosts)
    except ValueError as error:  # no such chapter, backend or machine
        return _fail(str(error), status=2)
    os.environ[ENVIRONMENT_VARIABLE] = name  # for processes that the chapter starts
    run_chapter(options.chapter, [*rest, *(["--help"] if options.help else [])])
    return 0


def _matrix(rest: list[str]) -> int:
    from ..proof.matrix import main

    return main(rest)


def _tool(name: str, rest: list[str]) -> int:
    tool = PACKAGE.parent / "tools" / f"{name}.py"
    if not tool.is_file():
        return _fail(
            f"{name!r} works in a checkout of the repository, where tools/{name}.py and "
            f"what it reads are; the installed package at {PACKAGE} has neither. Clone "
            'the repository and install it there with: pip install -e ".[all]"'
        )
    return subprocess.run([sys.executable, str(tool), *rest]).returncode


def _fail(message: str, status: int = 1) -> int:
    print(f"d2lcv: {message}", file=sys.stderr)
    return status
