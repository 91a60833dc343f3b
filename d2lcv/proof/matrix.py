"""Every case on every backend, and every pair of backends held against each other.

    d2lcv matrix                               # all installed backends
    d2lcv matrix --backend torch paddle --topic boxes anchors
    d2lcv matrix --python mxnet=/path/to/python --html matrix.html

Each backend answers in a process of its own. The table has a row for each case and a
column for each pair: the largest absolute difference of the two answers, beside what the
case allows. A breach is printed with the case, the pair, the element and both values, and
the exit status is 1. A backend that crashes fails its cases and disturbs no other.
"""

from __future__ import annotations

import argparse
import html
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..backends import REGISTRY, installed, resolve
from ..backends.worker import Worker, WorkerError
from .case import compare as compare_answers
from .case import difference
from .cases import by_name


def all_cases() -> dict[str, Any]:
    """Every case by name: those with an oracle, then those without."""
    return by_name


def answer(name: str) -> dict[str, Any]:
    """In a worker: the active backend's answer to one case."""
    import d2lcv

    return all_cases()[name](d2lcv)


@dataclass
class Column:
    """One backend's answers. `sabotage` is a "module.py:function" called first."""

    backend: str
    python: str | None = None
    sabotage: str | None = None
    name: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.name or self.backend

    def start(self) -> Worker:
        worker = Worker(self.backend, self.python)
        if self.sabotage:
            worker.call(self.sabotage)
        return worker

    def run(self, names: list[str]) -> None:
        """Answer all cases; one that kills the process fails alone."""
        worker = None
        for name in names:
            try:
                worker = worker or self.start()
                self.answers[name] = worker.call(f"{__name__}:answer", name)
            except WorkerError as error:
                lines = str(error).strip().splitlines()
                # a traceback says what was wrong last, a death what happened first
                raised = worker is not None and worker.is_running
                self.failures[name] = lines[-1 if raised else 0]
                if worker is None:  # it does not even start
                    self.failures.update(dict.fromkeys(names, self.failures[name]))
                    return
                if not worker.is_running:
                    worker = None
        if worker:
            worker.close()


@dataclass
class Row:
    case: str
    topic: str
    allowed: str
    differences: dict[str, float | None]
    breaches: list[str]


def compare(columns: list[Column], names: list[str]) -> list[Row]:
    """A row for each case that at least two columns were asked."""
    cases = all_cases()
    rows = []
    for name in names:
        case = cases[name]
        row = Row(name, case.topic, _allowed(case), {}, [])
        row.breaches += [
            f"{name}: {c.name} failed: {c.failures[name]}"
            for c in columns
            if name in c.failures
        ]
        for left, right in itertools.combinations(columns, 2):
            pair = f"{left.name}–{right.name}"
            if name not in left.answers or name not in right.answers:
                row.differences[pair] = None
                continue
            a, b = left.answers[name], right.answers[name]
            row.differences[pair] = _largest(a, b)
            try:
                compare_answers(a, b, case)
            except AssertionError as breach:
                row.breaches.append(f"{pair}: {breach}")
        if row.breaches or any(name in c.answers for c in columns):
            rows.append(row)
    return rows


def _largest(a: dict[str, Any], b: dict[str, Any]) -> float | None:
    if a.keys() != b.keys() or any(a[k].shape != b[k].shape for k in a):
        return None
    return max((difference(a[k], b[k]) for k in a), default=0.0)


def _allowed(case: Any) -> str:
    relative = f" + {case.rtol:g}·|v|" if case.rtol else ""
    return f"{case.atol:g}{relative}" if case.atol or case.rtol else "0"


def by_topic(rows: list[Row]) -> list[Row]:
    """The same table with a row per topic: the largest difference of its cases."""
    summary = []
    for topic, group in itertools.groupby(sorted(rows, key=lambda r: r.topic), _topic):
        group = list(group)
        pairs = list(group[0].differences)
        largest: dict[str, float | None] = {}
        for p in pairs:
            known = [d for d in (r.differences[p] for r in group) if d is not None]
            largest[p] = max(known, default=None)
        breaches = [b for r in group for b in r.breaches]
        summary.append(Row(f"{len(group)} cases", topic, "", largest, breaches))
    return summary


def _topic(row: Row) -> str:
    return row.topic


def as_text(rows: list[Row]) -> str:
    pairs = list(rows[0].differences) if rows else []
    width = max([len(f"{r.topic}/{r.case}") for r in rows], default=10)
    lines = [
        f"{'case':<{width}}  {'allowed':>15}  " + "  ".join(f"{p:>17}" for p in pairs)
    ]
    for r in rows:
        cells = "  ".join(f"{_cell(r.differences[p]):>17}" for p in pairs)
        mark = "  BREACH" if r.breaches else ""
        lines.append(
            f"{r.topic + '/' + r.case:<{width}}  {r.allowed:>15}  {cells}{mark}"
        )
    return "\n".join(lines)


def as_html(rows: list[Row]) -> str:
    pairs = list(rows[0].differences) if rows else []
    head = "".join(f"<th>{html.escape(h)}</th>" for h in ["case", "allowed", *pairs])
    body = "\n".join(
        f'<tr class="{"breach" if r.breaches else "ok"}">'
        f"<td>{html.escape(r.topic)}/{html.escape(r.case)}</td><td>{r.allowed}</td>"
        + "".join(f"<td>{_cell(r.differences[p])}</td>" for p in pairs)
        + "</tr>"
        for r in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"


def _cell(value: float | None) -> str:
    return "—" if value is None else ("0" if value == 0 else f"{value:.1e}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options that choose the backends and the interpreters they run in."""
    parser.add_argument("--backend", nargs="+", type=resolve, metavar="NAME")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="interpreter of the environment of one backend",
    )


def chosen(options: argparse.Namespace) -> dict[str, str | None]:
    """Backend → its interpreter (None: this one); all that are installed by default."""
    pythons = {resolve(k): v for k, _, v in (p.partition("=") for p in options.python)}
    known = {*installed(), *pythons}
    names = options.backend or [name for name in REGISTRY if name in known]
    return {name: pythons.get(name) for name in names}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--topic", nargs="+", metavar="TOPIC", help="only these topics")
    parser.add_argument("--case", nargs="+", metavar="CASE", help="only these cases")
    parser.add_argument("--summary", action="store_true", help="a row per topic")
    parser.add_argument("--json", metavar="FILE", help="also write the table as JSON")
    parser.add_argument("--html", metavar="FILE", help="also write it as an HTML table")
    options = parser.parse_args(argv)

    names = [
        name
        for name, case in all_cases().items()
        if (not options.topic or case.topic in options.topic)
        and (not options.case or name in options.case)
    ]
    columns = [Column(*item) for item in chosen(options).items()]
    for column in columns:
        start = time.perf_counter()
        column.run(names)
        print(
            f"{column.name}: {len(column.answers)} cases answered, "
            f"{len(column.failures)} failed, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    rows = compare(columns, names)
    print("\n" + as_text(by_topic(rows) if options.summary else rows))
    if options.json:
        Path(options.json).write_text(json.dumps([vars(r) for r in rows], indent=1))
    if options.html:
        Path(options.html).write_text(as_html(rows), encoding="utf-8")
    breaches = [b for row in rows for b in row.breaches]
    for breach in breaches:
        print("BREACH", breach)
    pairs = len(columns) * (len(columns) - 1) // 2
    print(f"\n{len(rows)} cases, {pairs} pairs of backends, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
