"""All that needs a GPU, in one command: is it right there, how fast, and in what memory?

    python tools/gpu.py                                   # every backend that sees a GPU
    python tools/gpu.py --backend torch --json gpu.json --markdown docs/gpu.md
    python tools/gpu.py --device cpu --topic boxes --only nms --preset none   # to try it

For each backend: the cases of the matrix on the device against its own CPU, the rows of
`bench.py` in elapsed time, training steps in each precision, how often a call waits for the
device, the detector of the SSD chapter at the book's preset, and the peak of the device's
memory. The exit status is 1 if a case differs, 2 if there is no GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bench
import processes

import d2lcv as d2l
from d2lcv.proof.matrix import Column, all_cases, compare

HERE = str(Path(__file__).resolve())
CHAPTER = Path(HERE).parents[1] / "chapters" / "ssd.py"
STEP_OPTIONS: dict[str, dict[str, Any]] = {
    "float32": {},
    "eager": {"eager": True},
    "bfloat16": {"precision": "bfloat16"},
}


# --- in a worker --------------------------------------------------------------------------


def _own() -> Any:
    return importlib.import_module(f"plain.{d2l.backend_name()}")


def device() -> str:
    """The name of the GPU, "cpu" if there is none."""
    return d2l.device_name(d2l.try_gpu())


def place() -> None:
    """From here on tensors are made on the first GPU."""
    _own().place(d2l.try_gpu())


def speed(only: list[str], rounds: int) -> list[dict[str, Any]]:
    return bench.measure(only, rounds, d2l.try_gpu())


def steps(rounds: int, whats: list[str]) -> list[dict[str, Any]]:
    """Seconds of a training step, as it is, eager, in bfloat16."""
    m, rows = bench.Material(d2l.try_gpu()), []
    for what in whats:
        for name, options in STEP_OPTIONS.items():
            try:
                step = bench.training_step(m, what, **options)
            except ValueError as error:  # a precision that the framework does not have
                rows.append({"step": what, "as": name, "why not": str(error)[:60]})
                continue
            seconds = bench.duel({"step": step}, rounds)["step"]
            rows.append({"step": what, "as": name, "ms": round(seconds * 1e3, 2)})
    return rows


def waits() -> dict[str, int | None]:
    """How often a call waits for the device; None where the framework does not tell."""
    m = bench.Material(d2l.try_gpu())
    args = m.predictions(4, 100)
    calls = {
        "multibox_target": lambda: d2l.multibox_target(m.anchors, m.labels(4, 5)),
        "multibox_detection": lambda: d2l.multibox_detection(*args),
        "training step": bench.training_step(m, "TinySSD 8 × 128²"),
    }
    return {name: _own().waits(call) for name, call in calls.items()}


def memory() -> float | None:
    """MiB of the device that this process had at most."""
    return _own().device_memory()


# --- here ---------------------------------------------------------------------------------


def cases(name: str, python: str | None, topics: list[str], on_gpu: bool) -> list[str]:
    """What differs between the device and the CPU."""
    names = [n for n, case in all_cases().items() if not topics or case.topic in topics]
    sides = [Column(name, python)]
    if on_gpu:
        sides.append(Column(name, python, f"{HERE}:place", "device"))
    for side in sides:
        side.run(names)
    rows = compare(sides, names)
    print(
        f"{len(rows)} cases on {' and '.join(side.name for side in sides)}", flush=True
    )
    return [breach for row in rows for breach in row.breaches]


def chapter(name: str, python: str | None, preset: str) -> dict[str, Any]:
    """The SSD chapter on its drawn pictures: seconds, and the end of what it prints."""
    start = time.perf_counter()
    done = subprocess.run(
        [python or sys.executable, str(CHAPTER), "--preset", preset],
        env=os.environ | {d2l.backends.ENVIRONMENT_VARIABLE: name},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    tail = (done.stdout + done.stderr[-500:] * bool(done.returncode)).splitlines()[-12:]
    seconds = round(time.perf_counter() - start, 1)
    return {"seconds": seconds, "status": done.returncode, "prints": tail}


def report(name: str, found: dict[str, Any]) -> str:
    lines = [f"## {name} on {found['device']}", "", *bench.lines(name, found["speed"])]
    lines += ["", "| step | as | ms |", "| --- | --- | ---: |"]
    for row in found["steps"]:
        number = row.get("ms", row.get("why not"))
        lines.append(f"| {row['step']} | {row['as']} | {number} |")
    lines += ["", f"Waits for the device: {found['waits']}"]
    lines += [f"Peak of the device's memory: {found['memory']} MiB"]
    lines += [f"Cases that differ: {found['breaches'] or 'none'}"]
    if "chapter" in found:
        done = found["chapter"]
        lines += [f"ssd.py: {done['seconds']} s, exit status {done['status']}"]
        lines += ["```text", *done["prints"], "```"]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    processes.add_options(parser)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--topic", nargs="+", default=[], help="only cases of these")
    parser.add_argument("--only", nargs="+", default=[], help="only rows of bench.py")
    parser.add_argument("--step", nargs="*", default=list(bench.STEPS), metavar="NET")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="book", help="of ssd.py, or none")
    parser.add_argument("--json", help="also write all numbers to this file")
    parser.add_argument("--markdown", help="also write the tables to this file")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name, python in processes.chosen(options).items():
        with d2l.worker(name, python) as worker:
            seen = worker.call(f"{HERE}:device")
            if options.device == "gpu" and seen == "cpu":
                print(f"{name} sees no GPU here", file=sys.stderr)
                continue
            if options.device == "gpu":
                worker.call(f"{HERE}:place")
            found[name] = {
                "device": seen,
                "speed": worker.call(f"{HERE}:speed", options.only, options.rounds),
                "steps": worker.call(f"{HERE}:steps", options.rounds, options.step),
                "waits": worker.call(f"{HERE}:waits") if seen != "cpu" else {},
                "memory": worker.call(f"{HERE}:memory"),
            }
        on_gpu = options.device == "gpu"
        found[name]["breaches"] = cases(name, python, options.topic, on_gpu)
        if options.preset != "none":
            found[name]["chapter"] = chapter(name, python, options.preset)
        print(report(name, found[name]), flush=True)
    if not found:
        print(
            "No GPU: nothing was measured. `--device cpu` runs the same on the CPU.",
            file=sys.stderr,
        )
        return 2
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    if options.markdown:
        texts = [report(*item) for item in found.items()]
        Path(options.markdown).write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return int(any(one["breaches"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
