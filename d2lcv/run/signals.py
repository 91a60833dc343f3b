"""Ctrl-C, or a scheduler that ends the program: what is done first, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

__all__ = ["end_cleanly"]


def end_cleanly(last_words: Callable[[], None]) -> None:
    """At the first SIGINT or SIGTERM call `last_words`, then end by that signal.

    There is no traceback, and the program that started this one sees which signal it was.
    A second signal ends it at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # Python allows it in the main thread only
    process, received, before = os.getpid(), list[int](), sys.excepthook

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != process:  # a worker that was forked from this one
            os.kill(os.getpid(), number)
        received.append(number)
        last_words()
        raise KeyboardInterrupt

    def hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not received or not issubclass(kind, KeyboardInterrupt):
            return before(kind, error, trace)
        sys.stdout.flush()
        signal.signal(received[0], signal.SIG_DFL)
        os.kill(process, received[0])

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    sys.excepthook = hook
