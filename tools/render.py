"""Every chapter as a notebook on each backend, and all of them as one static site.

    python tools/render.py                                  # all chapters, all backends
    python tools/render.py --chapter anchor ssd --backend torch mxnet
    python tools/render.py --python mxnet=/path/to/python --jobs 2
    python tools/render.py --no-execute                     # the site, from what is stored

Needs `pip install -e ".[site]"`, and `ipykernel` in each environment that runs a backend.
Each notebook runs in a process of its own, with D2L_BACKEND set; OMP_NUM_THREADS and
D2L_DATA are taken from the environment. In the folder `build` (`--out`) are then

    notebooks/<backend>/<chapter>.ipynb   executed, with what the run depended on
    runs/<backend>/<chapter>/             working folder: result.json, kernel.log
    site/index.html                       one page per chapter, a tab per framework

A stored notebook is reused until the code of its script, a file of the package that it
loaded, its arguments or a version changes, so a second run takes seconds. A cell that
fails is named with its chapter and backend, the others still run, no site is written, and
the exit status is 1. The site shows no output but that of runs: with `--no-execute` a
chapter without a valid stored run is shown without outputs, and says so. It needs no
network to be read; `python tools/check_site.py` looks at every page with a browser.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import notebooks
import processes

from d2lcv.backends import REGISTRY
from d2lcv.run.chapters import chapters_dir, parts


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    out = Path(options.out)
    try:
        runs = _runs(options)
        if options.execute:
            _probe(runs)
    except (ValueError, ModuleNotFoundError) as error:
        print(f"render: {error}", file=sys.stderr)
        return 2
    if options.execute:
        work = notebooks.execute_all(
            runs, out, options.jobs, options.timeout, options.force, _tell
        )
        try:
            asyncio.run(work)
        except KeyboardInterrupt:
            print("render: ended by Ctrl-C; what is stored is kept", file=sys.stderr)
            return 130
    else:
        files = notebooks.package_files()
        for run in runs:
            why = notebooks.reuse(run, out, files)
            run.state = f"not executed ({why})" if why else run.state
    print(table(runs))
    failures = [run.error for run in runs if run.state == "failed"]
    if failures:
        print("\nFAILED, no site written:", *failures, sep="\n  ")
        return 1
    if not options.site:
        return 0
    import pages

    ok = pages.build(runs, out, options.reference)
    print(f"site: {out / 'site' / 'index.html'}")
    return 0 if ok else 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    processes.add_options(parser)
    parser.add_argument(
        "--chapter", nargs="+", metavar="NAME", help="names of chapters, or scripts"
    )
    parser.add_argument(
        "--execute", action=argparse.BooleanOptionalAction, default=True
    )
    parser.add_argument("--force", action="store_true", help="run again what is stored")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time")
    parser.add_argument(
        "--arguments",
        default="",
        metavar="TEXT",
        help="options of the chapters, in one string: '--preset book'",
    )
    parser.add_argument(
        "--exercises", action="store_true", help="train what the exercises ask for, too"
    )
    parser.add_argument(
        "--timeout", type=float, default=3600, help="seconds for a cell (3600)"
    )
    for part in ("--site", "--reference"):  # of the site
        parser.add_argument(part, action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", default="build", metavar="DIR")
    return parser.parse_args(argv)


def _runs(options: argparse.Namespace) -> list[notebooks.Run]:
    pythons = processes.chosen(options)
    if not options.execute and not options.backend:
        pythons = {name: pythons.get(name) for name in REGISTRY}
    if not pythons:
        raise ValueError(
            "no backend is installed here: name one's --python BACKEND=PATH"
        )
    return [
        notebooks.Run(script, name, python, _arguments(script, options))
        for script in find(options.chapter)
        for name, python in pythons.items()
    ]


def _arguments(script: Path, options: argparse.Namespace) -> str:
    trains = '"exercises":' in script.read_text(encoding="utf-8")
    more = "--exercises true" if options.exercises and trains else ""
    return f"{options.arguments} {more}".strip()


def find(names: list[str] | None) -> list[Path]:
    """Scripts by chapter name or path, all by default, in the order of reading.

    Raises `ValueError`, listing the chapters, for a name that is neither.
    """
    known = {path.stem: path for path in chapters_dir().glob("*.py")}
    scripts = list(known.values())
    if names:
        scripts = [known.get(name) or Path(name).resolve() for name in names]
        for name, script in zip(names, scripts, strict=True):
            if script.suffix != ".py" or not script.is_file():
                raise ValueError(
                    f"chapter: expected a path of a script, or one of "
                    f"{', '.join(sorted(known))}; got {name!r}"
                )
    return [script for paths in parts(scripts).values() for script in paths]


def _probe(runs: list[notebooks.Run]) -> None:
    known: dict[str, dict[str, str]] = {}
    for run in runs:
        if run.backend not in known:
            known[run.backend] = notebooks.probe(run.python, run.backend)
        run.versions = known[run.backend]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table(runs: list[notebooks.Run]) -> str:
    """A row for each notebook: what was done, seconds, and the chapter's metrics."""
    rows = [("chapter", "backend", "state", "seconds", "result")]
    for run in runs:
        seconds = run.meta.get("seconds")
        time = "" if seconds is None else f"{seconds:.0f}"
        rows.append((run.chapter, run.backend, run.state, time, _metrics(run.meta)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return "\n".join(
        "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _metrics(meta: dict[str, Any]) -> str:
    metrics = (meta.get("result") or {}).get("metrics", [])
    return ", ".join(
        f"{name} {'—' if value is None else f'{value:.4g}'}" for name, value in metrics
    )


if __name__ == "__main__":
    sys.exit(main())
