"""Ctrl-C, or a scheduler that ends the program: what is done first, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType

__all__ = ["end_cleanly"]

PATIENCE = 3.0  # seconds in which a program that computes comes to hear of a signal


def end_cleanly(last_words: Callable[[], None], waits: bool = False) -> None:
    """At the first SIGINT or SIGTERM call `last_words`, then end by that signal.

    There is no traceback, and the program that started this one sees which signal it was.
    A second signal ends it at once.

    A program that `waits` for other processes inside of its framework hears no signal
    there: it is ended from a thread.
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

    def watch() -> None:
        number = os.read(reader, 1)[0]
        time.sleep(PATIENCE)
        if not received:
            last_words()
            sys.stdout.flush()
            os._exit(128 + number)

    if waits:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    sys.excepthook = hook
