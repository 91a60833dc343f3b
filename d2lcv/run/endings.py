"""How a program ends that cannot go on: with a sentence; a traceback is for defects."""

from __future__ import annotations

import io
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

__all__ = ["end_plainly", "is_said_by_us", "leave_pipe"]

PACKAGE = Path(__file__).parents[1]


def is_said_by_us(error: BaseException) -> bool:
    """Whether the package raised it on purpose; anything else is a defect to be traced."""
    from ..data.archives import HubError

    said = (TypeError, ValueError, OSError, ImportError, RuntimeError, HubError)
    if not isinstance(error, (*said, FloatingPointError)):
        return False
    if isinstance(error, ImportError) and error.name:  # the import system said it
        return False
    *_, last = traceback.walk_tb(error.__traceback__)
    return PACKAGE in Path(last[0].f_code.co_filename).parents


def leave_pipe() -> None:
    """Nobody reads on, as in `| head`: what is still to be printed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def end_plainly(program: str) -> None:
    """From now on an error that the package raised is a sentence after the program's name.

    The exit status is 1, as of every error. Letters that the terminal lacks become `?`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # one that is closed is None
            stream.reconfigure(errors="replace")
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            # first, for Python ends by that signal unless something is imported here
            print(f"{program}: interrupted", file=sys.stderr)
        elif isinstance(error, BrokenPipeError):
            leave_pipe()
        elif is_said_by_us(error):
            print(f"{program}: {error}", file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = hook
