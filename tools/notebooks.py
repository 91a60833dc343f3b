"""Chapter scripts as notebooks: converted, executed on one backend, stored and reused.

Each notebook runs in a kernel process of its own: the interpreter is given, no kernel
needs to be installed by name. What a run depended on is stored with it (the script, the
files of the package that it loaded, its arguments, the versions), so that it is run again
when one of these has changed, and not before.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import Unicode

from d2lcv.backends import REGISTRY
from d2lcv.data.hub import data_dir

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "d2lcv"
META = "d2lcv"  # our entry in a notebook's metadata

# Figures are the same text whenever they are the same picture
MATPLOTLIB = "backend: module://matplotlib_inline.backend_inline\nsvg.hashsalt: d2lcv\n"

PROBE = """
import importlib.metadata, importlib.util, json, platform, sys
try:
    framework = importlib.metadata.version(sys.argv[1])
except importlib.metadata.PackageNotFoundError:
    framework = None
kernel = all(map(importlib.util.find_spec, ("ipykernel", "matplotlib_inline")))
print(json.dumps([platform.python_version(), framework, kernel]))
"""
LOADED = """
import json, sys
print(json.dumps(sorted(
    m.__file__ for n, m in list(sys.modules.items())
    if n.partition(".")[0] == "d2lcv" and getattr(m, "__file__", None)
)))
"""


@dataclass
class Run:
    """One chapter on one backend: what was asked, and what became of it."""

    script: Path
    backend: str
    python: str | None = None  # None: the interpreter of this process
    arguments: str = ""
    state: str = "not executed"  # or executed, reused, failed
    error: str = ""
    notebook: Any = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def chapter(self) -> str:
        return self.script.stem

    @property
    def meta(self) -> dict[str, Any]:
        return self.notebook.metadata[META] if self.notebook else {}

    @property
    def key(self) -> dict[str, str]:
        return {"arguments": self.arguments, **self.versions}


def probe(python: str | None, backend: str) -> dict[str, str]:
    """Versions of Python and of the framework in the environment of an interpreter.

    Raises `ModuleNotFoundError` if the framework or the kernel is not installed there.
    """
    entry, python = REGISTRY[backend], python or sys.executable
    done = subprocess.run(
        [python, "-c", PROBE, entry.distribution],
        capture_output=True,
        text=True,
        check=True,
    )
    version, framework, kernel = json.loads(done.stdout)
    if framework is None:
        raise ModuleNotFoundError(
            f"{backend}: {entry.title} is not installed for {python}; name another "
            f"interpreter with --python {backend}=PATH, or {entry.install_command}"
        )
    if not kernel:
        raise ModuleNotFoundError(
            f"{backend}: {python} cannot run notebooks; pip install ipykernel"
        )
    return {"python": version, "framework": framework}


def convert(script: Path) -> Any:
    """A percent-format script as a notebook without outputs."""
    notebook = jupytext.read(script, fmt="py:percent")
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"  # jupytext draws them at random
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.NotebookNode(kernelspec=kernel)
    return notebook


def _sources(notebook: Any) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _codes(notebook: Any) -> list[str]:
    return [cell.source for cell in _code_cells(notebook)]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def package_files() -> dict[str, str]:
    """Path → digest of every file of the package."""
    files = (p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return {p.relative_to(ROOT).as_posix(): _digest(p) for p in sorted(files)}


def stored(run: Run, folder: Path) -> Path:
    return folder / "notebooks" / run.backend / f"{run.chapter}.ipynb"


def reuse(run: Run, folder: Path, files: dict[str, str]) -> str:
    """Take the stored notebook if nothing that its outputs depend on has changed since.

    Text is always that of the script. Returns why it was not taken; empty if it was.
    """
    path = stored(run, folder)
    if not path.is_file():
        return "not stored"
    notebook = nbformat.read(path, as_version=4)
    meta = notebook.metadata.get(META, {"key": {}, "files": {}})
    new = convert(run.script)
    # what was executed, and not a digest of it: the script may change during a run
    changed = [] if _codes(notebook) == _codes(new) else ["script"]
    changed += [key for key, value in run.key.items() if meta["key"].get(key) != value]
    changed += [
        name for name, value in meta["files"].items() if files.get(name) != value
    ]
    if changed:
        return f"changed: {', '.join(changed)}"
    if _sources(notebook) != _sources(new):
        for cell, executed in zip(_code_cells(new), _code_cells(notebook), strict=True):
            cell.outputs = executed.outputs
            cell.execution_count = executed.execution_count
        new.metadata, notebook = notebook.metadata, new
        write(notebook, path)
    run.notebook, run.state = notebook, "reused"
    return ""


class _Interpreter(KernelSpecManager):
    """Knows one kernel: that of a given interpreter."""

    python = Unicode()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def _environment(run: Run, work: Path) -> dict[str, str]:
    (work / "matplotlibrc").write_text(MATPLOTLIB, encoding="utf-8")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "D2L_BACKEND": run.backend,
        "D2L_DATA": data_dir(),
        "D2L_ARGS": run.arguments,
        "PYTHONPATH": os.pathsep.join(paths),
        "IPYTHONDIR": str(work / "ipython"),
        "MATPLOTLIBRC": str(work / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


async def execute(run: Run, folder: Path, timeout: float) -> None:
    """Run a chapter and store its notebook; a failure is told in `run.error`."""
    files, begun = package_files(), time.perf_counter()
    notebook = convert(run.script)
    last = nbformat.v4.new_code_cell(LOADED)
    notebook.cells.append(last)
    work = (folder / "runs" / run.backend / run.chapter).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    at = 0

    def started(cell: Any, cell_index: int) -> None:
        nonlocal at
        at = cell_index

    interpreter = _Interpreter(python=run.python or sys.executable)
    manager = AsyncKernelManager(kernel_spec_manager=interpreter)
    client = NotebookClient(
        notebook, km=manager, timeout=timeout, on_cell_execute=started
    )
    failed = stored(run, folder).with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    with open(work / "kernel.log", "wb") as log:
        try:
            await client.async_execute(
                cleanup_kc=True,
                env=_environment(run, work),
                cwd=str(work),
                stdout=log,
                stderr=log,
            )
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            run.state, run.error = "failed", _explain(run, notebook, at, error)
            notebook.cells.remove(last)
            write(notebook, failed)
            return
        finally:
            atexit.unregister(client._cleanup_kernel)  # of a kernel that is gone
            if manager.has_kernel:
                await manager.shutdown_kernel(now=True)
    notebook.cells.remove(last)
    loaded = json.loads(last.outputs[0]["text"])
    _without_places(notebook, work)
    notebook.metadata[META] = {
        "backend": run.backend,
        "key": run.key,
        "files": _dependencies(loaded, files),
        "seconds": round(time.perf_counter() - begun, 1),
        "result": _result(work),
        "program": _program(run, work),
    }
    write(notebook, stored(run, folder))
    run.notebook, run.state = notebook, "executed"


def _without_places(notebook: Any, work: Path) -> None:
    """Outputs do not tell where this machine has its folders."""
    places = {data_dir(): "data", str(work): ".", str(ROOT): "."}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            holder, key = output, "text"
            if "data" in output:
                holder, key = output["data"], "text/plain"
            for place, name in places.items():
                if key in holder:
                    holder[key] = holder[key].replace(place, name)


def _dependencies(loaded: list[str], files: dict[str, str]) -> dict[str, str]:
    """Digests, from before the run, of the loaded modules and of all data files."""
    names = {Path(path).resolve().relative_to(ROOT).as_posix() for path in loaded}
    names |= {name for name in files if not name.endswith((".py", ".pyi"))}
    return {name: files[name] for name in sorted(names)}


def _program(run: Run, work: Path) -> str:
    """The chapter as one program of the framework, if there is one; else empty."""
    if not (ROOT / "tools" / "programs" / run.script.name).is_file():
        return ""
    command = [run.python or sys.executable, str(ROOT / "tools" / "program.py")]
    done = subprocess.run(
        [*command, run.chapter],
        env=_environment(run, work),
        stdout=subprocess.PIPE,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


def _result(work: Path) -> dict[str, Any] | None:
    found = sorted(work.glob("**/result.json"))
    if not found:
        return None
    result = json.loads(found[0].read_text(encoding="utf-8"))
    # pairs: a notebook's file keeps the order of lists only
    return {**result, "metrics": list(result["metrics"].items())}


def write(notebook: Any, path: Path) -> None:
    """Write as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(path)


def _explain(run: Run, notebook: Any, at: int, error: Exception) -> str:
    """Chapter, backend, cell and error."""
    source = notebook.cells[at].source
    text = run.script.read_text(encoding="utf-8")
    start = text.find(source)
    line = f":{text[:start].count(chr(10)) + 1}" if start >= 0 else ""
    if isinstance(error, CellExecutionError):
        what = f"{error.ename}: {error.evalue}"
    elif isinstance(error, CellTimeoutError):
        what = "the cell took longer than --timeout allows"
    else:
        what = "the kernel process died"
    first = next((row for row in source.splitlines() if row.strip()), "")
    where = f"cell {at + 1} of {run.script.name}{line}"
    return f"{run.chapter} on {run.backend}, {where} ({first.strip()}): {what}"


async def execute_all(
    runs: list[Run],
    folder: Path,
    jobs: int = 1,
    timeout: float = 3600,
    force: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Run what is not stored or no longer as stored, `jobs` at a time."""
    room = asyncio.Semaphore(jobs)

    async def one(run: Run) -> None:
        async with room:
            why = "asked for" if force else reuse(run, folder, package_files())
            if not why:
                return
            tell(f"{run.chapter} on {run.backend} … ({why})")
            await execute(run, folder, timeout)
            took = f"{run.meta['seconds']:.0f} s" if run.notebook else "FAILED"
            tell(f"{run.chapter} on {run.backend}: {took}")

    # nbclient's own would end one kernel at Ctrl-C, and the next notebook would begin
    asyncio.get_running_loop().add_signal_handler = _no_signal_handler
    await asyncio.gather(*(one(run) for run in runs))


def _no_signal_handler(*arguments: Any) -> None:
    raise RuntimeError  # with which nbclient goes on without one
