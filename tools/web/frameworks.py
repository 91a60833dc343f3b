"""Sphinx extension: outputs by framework, one choice of framework for all pages.

The choice is the attribute `data-framework` of the page's root element, set before the
page is drawn; style rules hide the other frameworks' panels. Tabs only set it. The files
that shown code stands in are pages of their own, with numbered lines to link to.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
# Before the page is drawn: the framework asked for in the address, or chosen before
CHOOSE = """<script>
(function (known) {{
  var asked = new URLSearchParams(location.search).get("framework"), kept = null;
  try {{ kept = localStorage.getItem("d2lcv-framework"); }} catch (error) {{}}
  document.documentElement.dataset.framework =
    [asked, kept].filter(function (name) {{ return known.indexOf(name) >= 0; }})[0]
    || known[0];
}})({names});
</script>
<style>{rules}</style>
<script defer src="{script}"></script>
"""
# Without scripts nothing is hidden, and each panel says whose it is
RULE = (
    'html[data-framework="{name}"] [data-for]:not([data-for~="{name}"]):not(.beside)'
    "{{display:none!important}}"
)


class Markup(nodes.General, nodes.Element):
    """Markup around its children: the attributes `start` and `end`."""


def visit_markup(self: Any, node: Markup) -> None:
    self.body.append(node["start"])


def depart_markup(self: Any, node: Markup) -> None:
    self.body.append(node["end"])


def raw(text: str) -> Markup:
    return Markup(start=text, end="")


def around(start: str, children: list[nodes.Node], end: str) -> Markup:
    node = Markup(start=start, end=end)
    node.extend(children)
    return node


class Site:
    """What `site.json` says."""

    def __init__(self, app: Sphinx) -> None:
        text = (Path(app.srcdir) / "site.json").read_text(encoding="utf-8")
        data = json.loads(text)
        self.frameworks: dict[str, str] = data["frameworks"]
        self.chapters: dict[str, Any] = data["chapters"]
        self.sources: dict[str, Any] = data["sources"]

    def files(self) -> list[str]:
        """The files of the package in which the code that is shown stands."""
        outputs = [o for c in self.chapters.values() for o in c["outputs"].values()]
        items = [i for groups in outputs for group in groups for i in group["items"]]
        files = {file for i in items for file, _ in i.get("places", ())}
        for source in self.sources.values():
            places = [source["topic"], *source["columns"].values()]
            files |= {place["file"] for place in places if place}
        return sorted(files)

    def tabs(self, kind: str) -> str:
        """A tab for each framework. `kind` is a class for looks."""
        buttons = "".join(
            f'<button type="button" role="tab" data-choose="{name}" '
            f'aria-selected="false">{_short(title)}</button>'
            for name, title in self.frameworks.items()
        )
        return (
            f'<div class="frameworks {kind}" role="tablist" aria-label="Framework">'
            f"{buttons}</div>"
        )


def _short(title: str) -> str:
    """The title; of a long one of two words a small screen shows the first."""
    words = re.fullmatch(r"([A-Z][a-z]+)([A-Z][a-z]+)", title)
    if words and len(title) > 10:
        return f'{words[1]}<span class="wide">{words[2]}</span>'
    return html.escape(title)


class SiteDirective(SphinxDirective):
    @property
    def site(self) -> Site:
        return self.env.app.d2lcv_site

    @property
    def chapter(self) -> dict[str, Any]:
        return self.site.chapters[self.env.docname]

    def whose(self, names: list[str]) -> str:
        titles = ", ".join(self.site.frameworks[name] for name in names)
        return f'data-for="{" ".join(names)}" data-title="{titles}"'


class Outputs(SiteDirective):
    """What cell number i put out: once if all frameworks agree, else in tabs."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        groups = self.chapter["outputs"][self.arguments[0]]
        runs = self.chapter["runs"]
        if not groups:
            return []
        if [group["for"] for group in groups] == [list(runs)]:
            return [self._once(groups[0]["items"], len(runs))]
        panels = [
            self._panel(group["for"], [self._item(item) for item in group["items"]])
            for group in groups
        ]
        if missing := [name for name in runs if not runs[name]]:
            note = raw('<p class="same">Not executed in this build.</p>')
            panels.append(self._panel(missing, [note]))
        code = all(any(i["kind"] == "code" for i in g["items"]) for g in groups)
        kind, beside = ("tabbed code", self._beside(groups)) if code else ("tabbed", "")
        start = f'<div class="output {kind}">{self.site.tabs("small")}{beside}'
        return [around(start, panels, "</div>")]

    def _beside(self, groups: list[dict[str, Any]]) -> str:
        """A choice of a second framework, whose code is put beside the first one's."""
        if len(groups) < 2:
            return ""
        names = [name for group in groups for name in group["for"]]
        options = "".join(
            f'<option value="{name}">beside {self.site.frameworks[name]}</option>'
            for name in self.site.frameworks
            if name in names
        )
        return (
            '<select class="beside-choice" data-beside aria-label="side by side with">'
            f'<option value="">side by side with …</option>{options}</select>'
        )

    def _once(self, items: list[dict[str, Any]], number: int) -> nodes.Node:
        end = "</div>"
        if number > 1 and items[0]["kind"] != "report":
            end = f'<p class="same">the same on {_all(number)} frameworks</p></div>'
        return around('<div class="output">', [self._item(item) for item in items], end)

    def _panel(self, names: list[str], children: list[nodes.Node]) -> nodes.Node:
        start = f'<div class="panel" role="tabpanel" {self.whose(names)}>'
        return around(start, children, "</div>")

    def _item(self, item: dict[str, Any]) -> nodes.Node:
        if item["kind"] == "code":
            code = nodes.literal_block(item["text"], item["text"], language="python")
            up = "../" * self.env.docname.count("/")
            links = ", ".join(
                f'<a href="{up}{_code(file)}.html#L-{line}">{file}:{line}</a>'
                for file, line in item.get("places", ())
            )
            end = f'<p class="place">{links}</p></div>' if links else "</div>"
            if not item.get("fold"):
                return around('<div class="source">', [code], end)
            title = html.escape(item["fold"])
            start = f'<details class="source"><summary>{title}</summary><div>'
            return around(start, [code], f"{end}</details>")
        if item["kind"] == "image":
            return raw(self._image(item))
        if item["kind"] == "report":
            return raw(self._report(item))
        text = item["text"]
        short = " short" if text.count("\n") < 3 else ""  # a sentence, not a table
        return raw(f'<pre class="text{short}" tabindex="0">{html.escape(text)}</pre>')

    def _image(self, item: dict[str, Any]) -> str:
        name = item["name"].replace("-", " ")
        alt = f"Figure: {name}" if name else "Figure"
        return (
            f'<a class="figure" href="{item["file"]}">'
            f'<img src="{item["file"]}" alt="{html.escape(alt)}" loading="lazy" '
            f'width="{item["width"]}" height="{item["height"]}"></a>'
        )

    def _report(self, item: dict[str, Any]) -> str:
        titles = self.site.frameworks
        head = "".join(
            f'<th scope="col" data-column="{name}">{_short(titles[name])}</th>'
            for name in item["columns"]
        )
        rows = ""
        for label, *values in item["rows"]:
            cells = "".join(
                f'<td data-column="{name}">{html.escape(value)}</td>'
                for name, value in zip(item["columns"], values, strict=True)
            )
            rows += f'<tr><th scope="row">{html.escape(label)}</th>{cells}</tr>'
        return (
            '<div class="report" tabindex="0"><table><thead><tr><th scope="col">result'
            f"</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


class Sources(Outputs):
    """Below a name of the reference: its code, in a tab for each framework."""

    def run(self) -> list[nodes.Node]:
        source = self.site.sources[self.arguments[0]]
        own, columns = source["topic"], source["columns"]
        names = [name for name in self.site.frameworks if name in columns]
        if not names:
            return [around('<div class="output">', [self._code(own)], "</div>")]
        panels = [self._panel([n], [self._code(columns[n], own)]) for n in names]
        groups = [{"for": [name]} for name in names]
        start = f'<div class="output tabbed code">{self.site.tabs("small")}'
        return [around(start + self._beside(groups), panels, "</div>")]

    def _code(self, *places: dict[str, Any] | None) -> nodes.Node:
        """The first place's code, folded, and a link to each place."""
        found = [place for place in places if place]
        links = [(place["file"], place["line"]) for place in found]
        item = {"kind": "code", "text": found[0]["code"], "fold": "Code"}
        return self._item({**item, "places": links})


def _code(file: str) -> str:
    """The page of a file of the package."""
    return f"code/{file.removesuffix('.py')}"


def code_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The files that blocks of code link to, and links among a row's four files."""
    site = app.d2lcv_site
    files = site.files()
    for file in files:
        code = app.builder.highlighter.highlight_block(
            (ROOT / file).read_text(encoding="utf-8"),
            "python",
            linenos="inline",
            linespans="L",
        )
        links = ""
        for name, title in site.frameworks.items():
            other = re.sub(r"(/backends/)\w+/", rf"\g<1>{name}/", file)
            if other != file and other in files:
                address = app.builder.get_relative_uri(_code(file), _code(other))
                links += f'<li><a href="{address}">{title}</a></li>'
        row = f'<ul class="row">{links}</ul>' if links else ""
        body = f'<section class="file"><h1>{file}</h1>{row}{code}</section>'
        yield _code(file), {"title": file, "body": body}, "page.html"


def _all(number: int) -> str:
    return {2: "both", 3: "all three", 4: "all four"}.get(number, f"all {number}")


class Run(SiteDirective):
    """Under the title: what ran, and what there is to download."""

    def run(self) -> list[nodes.Node]:
        name = self.env.docname
        script = f'<a href="downloads/{name}.py" download>script</a>'
        lines = ""
        for framework, run in self.chapter["runs"].items():
            title = self.site.frameworks[framework]
            what = f"{script} · not executed on {title} in this build"
            if run:
                notebook = f"downloads/{framework}/{name}.ipynb"
                device = f" on {run['device']}" if run["device"] else ""
                what = (
                    f'{script} · <a href="{notebook}" download>notebook</a> · executed '
                    f"with {title} {run['version']}{device} in {run['seconds']:.0f} s"
                )
                if run["preset"]:
                    what += f", preset {run['preset']}"
                if run["program"]:
                    program = f"downloads/{framework}/{name}.py"
                    alone = f"the page as one program of {title}"
                    what += f' · <a href="{program}" download>{alone}</a>'
            lines += f"<p {self.whose([framework])}>{what}</p>"
        return [raw(f'<div class="run">{lines}</div>')]


class Lead(SiteDirective):
    """The first words of the first page."""

    def run(self) -> list[nodes.Node]:
        *others, last = self.site.frameworks.values()
        says = f"This site was built with {last}."
        if others:
            says = (
                f"{', '.join(others)} or {last} does the work, and tests hold them to "
                "the same numbers. Choose yours here or on any page; it is remembered."
            )
        return [
            raw(f'<p class="lead">One text, one program, one interface. {says}</p>')
        ]


class Cards(SiteDirective):
    """Chapters with their pictures."""

    def run(self) -> list[nodes.Node]:
        cards = "".join(map(self._card, self.site.chapters))
        return [raw(f'<div class="cards">{cards}</div>')]

    def _card(self, name: str) -> str:
        chapter = self.site.chapters[name]
        picture = chapter["picture"]
        image = '<span class="none"></span>'
        if picture:
            image = f'<img src="{picture["file"]}" alt="" loading="lazy">'
        title, about = html.escape(chapter["title"]), html.escape(chapter["about"])
        return (
            f'<a class="card" href="{name}.html"><span class="picture">{image}</span>'
            f'<span class="number">{chapter["number"]}</span>'
            f'<span class="part">{html.escape(chapter["part"])}</span>'
            f'<span class="title">{title}</span>'
            f'<span class="about">{about}</span></a>'
        )


def add_to_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    site = app.d2lcv_site
    names = list(site.frameworks)
    context["metatags"] = context.get("metatags", "") + CHOOSE.format(
        names=json.dumps(names),
        rules="".join(RULE.format(name=name) for name in names),
        script=context["pathto"]("_static/frameworks.js", 1),
    )
    reference = pagename.startswith("reference/") and not pagename.endswith("/index")
    shown = pagename in site.chapters or pagename == "index" or reference
    if pagename in site.chapters:
        context["body"] = linked(context["body"], site.sources)
    context["framework_bar"] = site.tabs("bar") if shown and names[1:] else ""


def linked(body: str, sources: dict[str, Any]) -> str:
    """A chapter's page with links from names of the package to their documentation."""

    def link(match: re.Match[str]) -> str:
        before, name = match.groups()
        # without `d2l.` a word such as `size` may be anything
        if name not in sources or not (before or re.search("_|[a-z][A-Z]", name)):
            return match[0]
        href = f"reference/{sources[name]['page']}.html#d2lcv.{name}"
        return f'<a class="api" href="{href}">{match[0]}</a>'

    dotted = r'(<span class="n">d2l</span><span class="o">\.</span>)'
    literal = r'<code class="[^"]*"><span class="pre">(d2l\.)?'
    body = re.sub(rf'{dotted}<span class="n">(\w+)</span>', link, body)
    return re.sub(rf"{literal}(\w+)(?:\(\))?</span></code>", link, body)


def documentation(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """A docstring as reStructuredText, and below that of a public name its sources."""
    from reference import restructured

    lines[:] = restructured("\n".join(lines)).splitlines()


def with_sources(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    if (short := name.removeprefix("d2lcv.")) in app.d2lcv_site.sources:
        lines += ["", f".. sources:: {short}", ""]


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """The files that formulas need, of the many there are."""
    source, target = app.config.MATHJAX, Path(app.outdir) / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)
    for part in ("output/chtml/fonts", "input/tex/extensions"):
        shutil.copytree(source / part, target / part, dirs_exist_ok=True)


def start(app: Sphinx) -> None:
    app.d2lcv_site = Site(app)
    figures = Path(app.srcdir) / "figures"
    if figures.is_dir():
        app.config.html_static_path.append(str(figures))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("MATHJAX", None, "", types=())
    app.add_node(Markup, html=(visit_markup, depart_markup))
    for name, directive in (
        ("outputs", Outputs),
        ("sources", Sources),
        ("run", Run),
        ("lead", Lead),
        ("cards", Cards),
    ):
        app.add_directive(name, directive)
    app.connect("builder-inited", start)
    app.connect("html-page-context", add_to_page)
    app.connect("html-collect-pages", code_pages)
    app.connect("build-finished", copy_mathjax)
    app.connect("autodoc-process-docstring", documentation, priority=100)
    app.connect("autodoc-process-docstring", with_sources, priority=900)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
