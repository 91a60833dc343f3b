"""Executed notebooks as a static site: one page per chapter, a tab per framework.

A page has the text and the code once. What a cell put out is shown once, too, where all
frameworks put out the same, else in a tab for each. Pages are MyST Markdown for Sphinx;
outputs stand in `site.json` beside them, from where `web/frameworks.py` takes them.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import notebooks
import reference
from notebooks import Run
from standalone import standalone

from d2lcv.backends import REGISTRY
from d2lcv.lesson.page import MIME
from d2lcv.run import chapters as book

WEB = Path(__file__).resolve().parent / "web"
POINT = 4 / 3  # of a pixel: SVG files have their sizes in points
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.S)

ANSWER = '<details class="answer"><summary>{}</summary>\n\n'
ANSWER_END = "</details>"
INDEX = """\
# Computer vision, in four frameworks

```{{lead}}
```

```{{cards}}
```

{contents}
"""
REFERENCE = """
```{toctree}
:hidden:
:caption: Reference

reference/index
```
"""


def build(runs: list[Run], out: Path, with_reference: bool = True) -> bool:
    """Write the site of these runs to `out/site`; False if Sphinx had complaints."""
    source, site = out / "pages", out / "site"
    for folder in (source, site, out / "doctrees"):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    scripts = {run.script: None for run in runs}
    data: dict[str, Any] = {
        "frameworks": {
            name: entry.title
            for name, entry in REGISTRY.items()
            if any(run.backend == name for run in runs)
        },
        "chapters": {},
        "sources": reference.sources() if with_reference else {},
    }
    if with_reference:
        reference.write(source / "reference")
    for script in scripts:
        own = {run.backend: run for run in runs if run.script == script}
        page = Page(script, own, source, {script.stem for script in scripts})
        (source / f"{script.stem}.md").write_text(page.text(), encoding="utf-8")
        data["chapters"][script.stem] = page.data()
    index = _index(list(scripts)) + REFERENCE * with_reference
    (source / "index.md").write_text(index, encoding="utf-8")
    (source / "site.json").write_text(json.dumps(data), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going"]
    folders = ["-c", str(WEB), "-d", str(out / "doctrees"), str(source), str(site)]
    ok = subprocess.run(command + folders).returncode == 0
    for run in runs:
        _offer(run, site / "downloads")
    return ok


def _offer(run: Run, folder: Path) -> None:
    """The script, the executed notebook and the program, to be downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(run.script, folder)
    if run.notebook:
        path = folder / run.backend / f"{run.chapter}.ipynb"
        notebooks.write(standalone(run), path)
        if program := run.meta.get("program"):
            path.with_suffix(".py").write_text(program, encoding="utf-8")


def _index(scripts: list[Path]) -> str:
    contents = (
        "\n".join([f"```{{toctree}}\n:hidden:\n:caption: {part}\n", *names, "```\n"])
        for part, found in book.parts(scripts).items()
        for names in [[script.stem for script in found]]
    )
    return INDEX.format(contents="\n".join(contents))


class Page:
    """One chapter: its Markdown, and what its cells put out on each backend."""

    def __init__(
        self, script: Path, runs: dict[str, Run], folder: Path, others: set[str]
    ) -> None:
        self.script, self.runs, self.folder, self.others = script, runs, folder, others
        self.cells = notebooks.convert(script).cells
        self.done = {name: run for name, run in runs.items() if run.notebook}

    def text(self) -> str:
        pieces, in_answer = [], False
        for i, cell in enumerate(self.cells):
            if cell.cell_type == "markdown":
                text = _markdown(cell.source, self.others)
                text, in_answer = _folded(text, in_answer)
                pieces.append(text)
            elif cell.cell_type == "code" and cell.source.strip():
                if in_answer and _calls(cell.source, "report"):
                    pieces.append(ANSWER_END)
                    in_answer = False
                pieces.append(_fenced("{code-block} python", _plain(cell.source)))
                pieces.append(f"```{{outputs}} {i}\n```")
        head, *rest = [*pieces, *[ANSWER_END] * in_answer]
        title, _, first = head.partition("\n")
        return "\n\n".join([title, "```{run}\n```", first, *rest]) + "\n"

    def data(self) -> dict[str, Any]:
        outputs = {
            str(i): self._cell(i, cell.source)
            for i, cell in enumerate(self.cells)
            if cell.cell_type == "code"
        }
        return {
            "title": book.title(self.script),
            "part": next(iter(book.parts([self.script]))),
            "number": self._number(),
            "about": self._about(),
            "picture": self._picture(outputs),
            "runs": {name: self._run(name) for name in self.runs},
            "outputs": outputs,
        }

    def _run(self, name: str) -> dict[str, Any] | None:
        if name not in self.done:
            return None
        meta = self.done[name].meta
        result = meta["result"] or {}
        return {
            "version": meta["key"]["framework"],
            "seconds": meta["seconds"],
            "preset": result.get("preset"),
            "device": result.get("device"),
            "program": bool(meta.get("program")),
        }

    def _cell(self, i: int, source: str) -> list[dict[str, Any]]:
        """Groups of backends that put out the same: `for` and `items` of each."""
        if _calls(source, "report") and all(
            r.meta["result"] for r in self.done.values()
        ):
            items = [{"kind": "report", **_report(self.done)}] if self.done else []
            return [{"for": list(self.done), "items": items}] if items else []
        groups: list[dict[str, Any]] = []
        for name, run in self.done.items():
            items = self._items(run.notebook.cells[i].outputs, source)
            same = next((g for g in groups if g["items"] == items), None)
            if same:
                same["for"].append(name)
            else:
                groups.append({"for": [name], "items": items})
        return groups if any(group["items"] for group in groups) else []

    def _items(self, outputs: list[Any], source: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        for output in outputs:
            data = output.get("data", {})
            if output.output_type == "stream":
                if output.name == "stdout":
                    _add_text(items, output.text)
            elif "application/vnd.jupyter.widget-view+json" in data:
                continue  # a progress bar that has come to its end
            elif MIME in data:
                items.append(_lesson(data[MIME], data["text/plain"]))
            elif "image/svg+xml" in data or "image/png" in data:
                items.append(self._image(data))
            elif "text/plain" in data and not data["text/plain"].startswith("<Figure"):
                _add_text(items, data["text/plain"] + "\n")
        names = re.findall(r"\.show\(\s*[\"'](.+?)[\"']", source)
        images = [item for item in items if item["kind"] == "image"]
        for item, name in zip(images, names, strict=False):
            item["name"] = name
        for item in items:
            if item["kind"] == "text":
                item["text"] = item["text"].strip("\n")
                item["kind"] = "code" if _is_source(source, item["text"]) else "text"
        return [item for item in items if item.get("text", "image")]

    def _image(self, data: dict[str, str]) -> dict[str, Any]:
        """Write a picture to a file named by its content; equal pictures are one file."""
        if "image/svg+xml" in data:
            content = METADATA.sub("", data["image/svg+xml"]).encode()
            suffix, size = "svg", _svg_size(content.decode())
        else:
            content = b64decode(data["image/png"])
            suffix, size = "png", _png_size(content)
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"
        path = self.folder / "figures" / "figures" / self.script.stem / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {
            "kind": "image",
            "file": f"_static/figures/{self.script.stem}/{name}",
            "name": "",
            "width": size[0],
            "height": size[1],
        }

    def _picture(self, outputs: dict[str, Any]) -> dict[str, Any] | None:
        images = [
            item
            for groups in outputs.values()
            for item in (groups[0]["items"] if groups else [])
            if item["kind"] == "image"
        ]
        wanted = book.figure(self.script.stem)
        named = [item for item in images if item["name"] == wanted]
        return next(iter(named + images), None)

    def _number(self) -> int:
        """The place in the course, whatever was built; a new script stands at its end."""
        known = list(book.chapters())
        name = self.script.stem
        return 1 + (known.index(name) if name in known else len(known))

    def _about(self) -> str:
        """The first paragraph of the text, plain."""
        paragraphs = re.split(
            r"\n\s*\n", self.cells[0].source.partition("\n")[2].strip()
        )
        text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", " ".join(paragraphs[0].split()))
        return re.sub(r"[*`$]", "", text)


def _lesson(shown: dict[str, Any], text: str) -> dict[str, Any]:
    """What `d2lcv.show_source` put out: code, where it stands, and whether it is folded."""
    places = {p["file"]: p["line"] for p in reversed(shown["pieces"]) if p["file"]}
    return {
        "kind": "code",
        "text": text.strip("\n"),
        "fold": shown["fold"],
        "places": [[file, places[file]] for file in reversed(places)],
    }


def _markdown(text: str, pages: set[str]) -> str:
    """Links to other chapters' scripts become links to their pages, if they have one."""

    def link(found: re.Match[str]) -> str:
        words, name = found.groups()
        return f"[{words}]({name}.md)" if name in pages else words

    return re.sub(r"\[([^]]+)\]\((?:chapters/)?(\w+)\.(?:py|ipynb)\)", link, text)


def _folded(text: str, in_answer: bool) -> tuple[str, bool]:
    """The text with answers folded: from their heading to the next one of any kind."""
    parts = []
    for part in re.split(r"(?m)^(?=#+ )", text):
        answer = re.match(r"### (Answers? .*)\n", part)
        if in_answer and part.startswith("#"):
            parts.append(f"{ANSWER_END}\n\n")
            in_answer = False
        if answer:
            parts.append(ANSWER.format(answer[1]))
            part, in_answer = part[answer.end() :], True
        parts.append(part)
    return "".join(parts), in_answer


def _plain(source: str) -> str:
    """Code without the notes to its formatter."""
    return re.sub(r"[ ]*# fmt: \w+$", "", source, flags=re.M)


def _fenced(info: str, text: str) -> str:
    longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{info}\n{text}\n{fence}"


def _add_text(items: list[dict[str, Any]], text: str) -> None:
    text = ESCAPES.sub("", text)
    lines = [
        line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")
    ]
    text = "\n".join(line.rstrip() for line in lines)
    if items and items[-1]["kind"] == "text":
        items[-1]["text"] += text
    else:
        items.append({"kind": "text", "text": text})


def _tree(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:  # a magic
        return []


def _name(node: ast.AST) -> str:
    call = node.func if isinstance(node, ast.Call) else None
    return getattr(call, "attr", getattr(call, "id", ""))


def _is_source(cell: str, text: str) -> bool:
    """Whether what a cell printed is code: it prints `d2l.source(…)`, and definitions."""
    defined = [isinstance(s, ast.FunctionDef | ast.ClassDef) for s in _tree(text)]
    calls = [node for statement in _tree(cell) for node in ast.walk(statement)]
    return any(_name(c) == "source" for c in calls) and bool(defined) and all(defined)


def _calls(source: str, method: str) -> bool:
    """Whether a cell's last statement is a call of that method."""
    last = _tree(source)[-1:]
    return any(isinstance(s, ast.Expr) and _name(s.value) == method for s in last)


def _report(runs: dict[str, Run]) -> dict[str, Any]:
    """A table: a row for each metric, a column for each backend."""
    results = {name: run.meta["result"] for name, run in runs.items()}
    metrics = [dict(result["metrics"]) for result in results.values()]
    rows = [
        (key, *(_number(values.get(key)) for values in metrics))
        for key in {key: None for values in metrics for key in values}
    ]
    for key, digits in (("examples_per_sec", 1), ("seconds", 0)):
        values = [result.get(key) for result in results.values()]
        if any(value is not None for value in values):
            texts = ["—" if v is None else f"{v:.{digits}f}" for v in values]
            rows.append((key.replace("_per_", "/"), *texts))
    return {"columns": list(results), "rows": rows}


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.6g}"


def _svg_size(text: str) -> tuple[int, int]:
    head = text[text.index("<svg") :].partition(">")[0]
    sizes = dict(re.findall(r'\b(width|height)="([\d.]+)(?:pt)?"', head))
    if len(sizes) < 2:  # a diagram, as wide as its page: its own units are pixels
        box = re.search(r'viewBox="([^"]+)"', head)
        if box is not None:
            _, _, width, height = map(float, box[1].split())
            return round(width), round(height)
    return round(float(sizes["width"]) * POINT), round(float(sizes["height"]) * POINT)


def _png_size(content: bytes) -> tuple[int, int]:
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
