"""One script in several processes, on this machine or on several; they end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ..backends import backend
from ..backends.worker import environment_of

__all__ = ["check_processes", "launch", "own_number"]

PORT = 29400  # the first that processes of several machines meet at
PATIENCE = 15.0  # seconds that a process has to end when it is told to


def check_processes(n: int, hosts: Sequence[str]) -> None:
    """Raise `ValueError` for what cannot be started, before anything is."""
    most = max(4 * (os.cpu_count() or 1), 8)
    if n > most:
        raise ValueError(
            f"--processes: expected at most {most} on this machine, where more would "
            f"only wait for each other, got {n}"
        )
    if hosts:
        own_number(hosts)


def launch(n: int, script: Sequence[str], hosts: Sequence[str] = ()) -> int:
    """Run a script and its arguments in `n` processes, the way its framework starts them.

    With `hosts`, the same command is to be given on each of them; every machine has `n`.
    The first process that fails ends the others, and a signal to this one ends all.

    Returns:
        The exit status: 0, or that of the process that failed.
    """
    number = own_number(hosts) if hosts else 0
    port = PORT if hosts else free_port(n)
    environment = environment_of(backend.choice()[0])
    # each has its part of the cores
    threads = str(max(1, (os.cpu_count() or 1) // n))
    environment.setdefault("OMP_NUM_THREADS", threads)
    with tempfile.TemporaryDirectory() as folder:
        commands = backend.launch.commands(
            n, list(script), list(hosts), number, port, folder
        )
        status = together(commands, environment)
        if status:
            show_logs(Path(folder))
        return status


def show_logs(folder: Path) -> None:
    """The end of what each process but the first wrote, where a launcher kept that.

    The launcher shows the log of the process that failed first, and where two fail at
    once, that may be the one that only lost its partner.
    """
    for log in sorted(folder.glob("workerlog.[1-9]*")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        number = log.suffix[1:]
        print(
            f"\nprocess {number}, its last lines:",
            *lines[-12:],
            sep="\n",
            file=sys.stderr,
        )


def together(
    commands: Sequence[tuple[Sequence[str], Mapping[str, str | None]]],
    environment: Mapping[str, str],
) -> int:
    """Run all until they end; if one fails, or a signal comes, the others are ended."""

    def start(command: Sequence[str], own: Mapping[str, str | None]) -> Any:
        variables = {**environment, **own}
        return subprocess.Popen(
            [sys.executable, *command],
            env={k: v for k, v in variables.items() if v is not None},
            start_new_session=True,  # Ctrl-C comes once, from here
        )

    def terminated(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminated) if in_main else None
    processes = list[Any]()
    try:
        processes += [start(*command) for command in commands]
        while all(p.poll() in (None, 0) for p in processes):
            if all(p.poll() == 0 for p in processes):
                return 0
            time.sleep(0.1)
        return next(abs(p.returncode) for p in processes if p.poll())
    finally:
        end(processes)
        if in_main:
            signal.signal(signal.SIGTERM, before)


def end(processes: Sequence[Any]) -> None:
    """Tell those that still run to end, and end those that do not."""
    for p in processes:
        if p.poll() is None:
            p.terminate()
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and any(p.poll() is None for p in processes):
        time.sleep(0.1)
    for p in processes:
        if p.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGKILL) if hasattr(os, "killpg") else p.kill()
            p.wait()


def free_port(n: int) -> int:
    """The first of `n` ports of this machine, one after the other, that nobody uses."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if all(_is_free(port + i) for i in range(1, n)):
                return port


def _is_free(port: int) -> bool:
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def own_number(hosts: Sequence[str]) -> int:
    """Which of the hosts this machine is, from 0.

    Raises:
        ValueError: none of them, or more than one, or a name that nobody knows.
    """
    here = [i for i, host in enumerate(hosts) if _is_here(host)]
    if len(here) == 1:
        return here[0]
    named = ", ".join(hosts)
    if here:
        raise ValueError(
            f"--hosts: expected each machine once, and this one is {len(here)} of {named}; "
            "for several processes on one machine there is --processes"
        )
    raise ValueError(
        f"--hosts: expected this machine, {socket.gethostname()}, to be one of {named}; "
        "give the same command on each of them"
    )


def _is_here(host: str) -> bool:
    """Whether a host is this machine: only its own addresses can be taken by a socket."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"--hosts: expected names or addresses of machines, and nobody knows {host!r}"
        ) from error
    for family, kind, _, _, address in found:
        with suppress(OSError), socket.socket(family, kind) as s:
            s.bind((address[0], 0))
            return True
    return False
