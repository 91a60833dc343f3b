"""Scripts, each in a process of its own that does not have to load the framework again.

One process loads it and computes nothing; each script runs in a fork of that process, with
its own folder, options and streams, from its first line to its exit.
"""

import atexit
import functools
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
from pathlib import Path


def run_script(script, *options, cwd, timeout, env=(), without=""):
    """What `subprocess.run` gives for `python script options`, with its texts.

    `env` is what is added to the environment; a package `without` which the script runs
    is imported anew, from where the script's folder has it.
    """
    streams = [cwd.parent / f"std{kind}-of-{cwd.name}" for kind in ("out", "err")]
    command, server = [str(script), *map(str, options)], _server()
    job = {"command": command, "cwd": str(cwd), "streams": [*map(str, streams)]}
    job |= {"seconds": timeout, "env": dict(env), "without": without}
    print(json.dumps(job), file=server.stdin, flush=True)
    status = int(server.stdout.readline())
    texts = [stream.read_text(encoding="utf-8") for stream in streams]
    return subprocess.CompletedProcess(command, status, *texts)


@functools.cache
def _server():
    server = subprocess.Popen(
        [sys.executable, __file__],
        env={**os.environ, "MPLBACKEND": "agg"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # closes what it waits for
    return server


def load():
    """Import what scripts import; nothing is computed, for threads do not fork."""
    import matplotlib.pyplot  # noqa: F401

    from d2lcv import backends

    name = backends.use()
    folder = Path(backends.__file__).parent / name
    for module in pkgutil.iter_modules([str(folder)]):
        getattr(backends.backend, module.name)


def serve(jobs, answers):
    """Fork for each job and answer its exit status; in a fork, return the job."""
    for line in jobs:
        child = os.fork()
        if not child:
            return json.loads(line)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    sys.exit()


def become(job):
    """The process that a shell would have started for a job."""
    signal.alarm(job["seconds"])
    null = os.open(os.devnull, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, file in enumerate([null, *(os.open(f, flags) for f in job["streams"])]):
        os.dup2(file, number)
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    for name in list(sys.modules):
        if name.partition(".")[0] == job["without"]:
            del sys.modules[name]
    sys.argv = job["command"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    return sys.argv[0]


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework says when it is loaded
    load()
    runpy.run_path(become(serve(sys.stdin, answers)), run_name="__main__")
