#!/usr/bin/env python3
"""One command on a new machine: an environment, a framework in it, and a chapter.

    python3 start.py                            # the detector of chapters/ssd.py
    python3 start.py anchor --backend paddle    # another chapter; its options may follow
    python3 start.py detect PHOTO               # boxes on a photograph
    python3 start.py --test                     # the tests; options of nox may follow

It needs nothing but Python. The environment is the folder .venv (.venv-test for the tests)
beside this file. What is missing there is installed, so that a second call starts at once;
one that is broken is made anew. With --dry-run it says what it would do.
"""

import argparse
import hashlib
import json
import os
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
STAMP = "made-by-start.json"  # what start.py has installed into an environment


class Failure(Exception):
    """What a reader is told; the program ends."""


class Environment:
    """A folder with a Python of its own, made where it is missing or broken."""

    def __init__(self, folder, dry=False):
        self.folder, self.dry = folder, dry
        scripts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        self.python = str(folder.joinpath(*scripts))

    def make(self):
        """Make it where it is missing, or broken and of our making."""
        if not self.folder.exists():
            return self._create("is made")
        mine, theirs = "{}.{}".format(*sys.version_info), self._version()
        if theirs == mine:
            return None
        if theirs:
            raise Failure(
                f"{self.folder} is of Python {theirs}, and this is {mine}: call "
                f"python{theirs} start.py, or delete the folder, and a new one is made"
            )
        if not (self.folder / STAMP).exists():
            raise Failure(
                f"{self.folder} is broken, and start.py has not made it: delete it or "
                "give it another name, and a new one is made"
            )
        if not self.dry:
            shutil.rmtree(self.folder)
        return self._create("is broken and made anew")

    def install(self, requirement, about):
        """Let pip install it, unless it did so for the pyproject.toml that is there."""
        project = (ROOT / "pyproject.toml").read_bytes()
        digest = hashlib.sha256(project).hexdigest()
        done = self._stamp()
        if done.get(requirement) == digest:
            return
        print(f"{about} is installed into {self.folder}, which takes minutes, once.")
        pip = ("-m", "pip", "install", "--quiet")
        self.run(*pip, *requirement.split(), cwd=ROOT)
        if not self.dry:
            self._write({**done, requirement: digest})

    def run(self, *arguments, cwd=None, **variables):
        call([self.python, *arguments], self.dry, cwd, variables)

    def has(self, backend):
        return any(key.endswith(f"[{backend}]") for key in self._stamp())

    def _create(self, why):
        print(f"{self.folder} {why}.")
        if not self.dry:
            self.folder.mkdir()
            self._write({})  # from now on it is ours, whatever becomes of the rest
        call([sys.executable, "-m", "venv", str(self.folder)], self.dry)

    def _version(self):
        """Of its Python; empty if that does not run, or has no pip."""
        question = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
        try:
            answer = subprocess.run(
                [self.python, "-c", question], stdout=subprocess.PIPE, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return ""
        return answer.stdout.decode().strip()

    def _stamp(self):
        try:
            return json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _write(self, done):
        (self.folder / STAMP).write_text(json.dumps(done), encoding="utf-8")


def call(command, dry=False, cwd=None, variables=None):
    """Run a command, after saying so; its failure is ours."""
    variables = variables or {}
    print("$", *(f"{k}={v}" for k, v in variables.items()), shlex.join(command))
    sys.stdout.flush()
    if dry:
        return
    code = subprocess.call(command, env={**os.environ, **variables}, cwd=cwd)
    if code:
        raise Failure(f"that command failed, with status {code}")


def choose(asked, installed=lambda name: False):
    """The backend asked for; else one that is installed, or the first that can be."""
    code = runpy.run_path(str(ROOT / "d2lcv" / "backends" / "__init__.py"))
    python = "{}.{}".format(*sys.version_info)
    possible = [b for b in code["REGISTRY"].values() if python in b.pythons]
    if asked:
        entry = code["REGISTRY"][code["resolve"](asked)]
        if entry not in possible:
            raise Failure(
                f"{entry.title} runs on Python {', '.join(entry.pythons)}, this is "
                f"{python}: call start.py by another one, python{entry.pythons[-1]} "
                "start.py …"
            )
        return entry
    if not possible:
        pythons = sorted({p for b in code["REGISTRY"].values() for p in b.pythons})
        raise Failure(f"no framework runs on Python {python}: take {pythons[-1]}")
    return next((b for b in possible if installed(b.name)), possible[0])


def main(arguments):
    if sys.version_info < (3, 10):
        version = sys.version.split()[0]
        raise Failure(
            f"expected Python 3.10 or later; {sys.executable} is {version}. Call a newer "
            "one by its name, such as python3.12 start.py"
        )
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--backend", default=os.environ.get("D2L_BACKEND", ""))
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    options, rest = parser.parse_known_args(arguments)
    if rest in (["-h"], ["--help"]):
        print(__doc__)
    elif options.test:
        environment = Environment(ROOT / ".venv-test", options.dry_run)
        environment.make()
        environment.install("nox uv", "What runs the tests")
        environment.run("-m", "nox", *rest, cwd=ROOT)
    else:
        environment = Environment(ROOT / ".venv", options.dry_run)
        entry = choose(options.backend, environment.has)
        environment.make()
        environment.install(f"-e .[{entry.name}]", entry.title)
        words = rest if rest and rest[0][0] != "-" else ["ssd", *rest]
        chapter = (ROOT / "chapters" / words[0]).with_suffix(".py").is_file()
        command = (
            ["run"] if chapter else []
        )  # else one of d2lcv's own, such as `detect`
        environment.run("-m", "d2lcv", *command, *words, D2L_BACKEND=entry.name)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, ValueError) as error:
        sys.exit(f"start.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
