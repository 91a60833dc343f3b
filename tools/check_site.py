"""Look at every page of the site with a browser, as a reader would.

    python tools/check_site.py                       # build/site
    python tools/check_site.py --site build/site --screenshots build/screenshots

Needs Chromium, its driver and Selenium (extra `site`); without them it says so and skips.
The site is served from this machine and may load nothing from elsewhere. Checked are, on
each page: the console is silent; formulas are set; pictures load, in every tab; nothing is
wider than a phone; tabs switch everything at once, and the next page remembers; the code
of any two frameworks stands side by side; its button copies what is seen, and its link
leads to a line; light and dark, with every word legible; and that the search finds what it
should. The exit status is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
]
DESKTOP, PHONE = (1280, 900), (375, 812)
SECONDS = 30  # for a page to become ready

READY = """
const formulas = document.querySelectorAll(".math").length;
return document.readyState === "complete"
  && (!formulas || document.querySelectorAll("mjx-container").length >= formulas);
"""
FORMULAS = """
const empty = [...document.querySelectorAll("mjx-container")].filter(box => {
  const size = box.getBoundingClientRect(); return !(size.width > 0 && size.height > 0);
});
const wrong = document.querySelectorAll("mjx-merror, [data-mjx-error]");
const walk = document.createTreeWalker(document.querySelector("article"), 4);
const bare = [];
while (walk.nextNode()) {
  const node = walk.currentNode;
  if (node.parentElement.closest("pre, code, script, style, mjx-container")) continue;
  if (/\\$|\\\\[(\\[]/.test(node.data)) bare.push(node.data.trim().slice(0, 60));
}
return [empty.length && `${empty.length} without a size`,
        wrong.length && `${wrong.length} with an error`,
        bare.length && `not set: ${bare.join(" | ")}`].filter(Boolean).join("; ");
"""
PICTURES = """
const done = arguments[0];
const images = [...document.querySelectorAll("article img")];
images.forEach(image => { image.loading = "eager"; });
Promise.all(images.map(image => image.decode().catch(() => 0))).then(() => done(
  images.filter(i => !i.naturalWidth).map(i => i.getAttribute("src")).join(", ")));
"""
WIDER = """
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return "";
const wide = [...document.querySelectorAll("article *")].filter(
  node => node.getBoundingClientRect().right > width + 1);
return `${document.documentElement.scrollWidth} > ${width}: `
  + wide.slice(0, 3).map(node => `${node.tagName}.${node.className}`).join(", ");
"""
# Every output shows the chosen framework's panel, and that one alone; all tabs agree
PANELS = """
const name = arguments[0], wrong = [];
const shown = node => node.getClientRects().length > 0;
document.querySelectorAll("[data-for]").forEach(panel => {
  const mine = panel.dataset.for.split(" ").includes(name);
  if (shown(panel) !== mine)
    wrong.push(`${panel.dataset.for} is ${mine ? "hidden" : "shown"}`);
});
document.querySelectorAll("[data-choose]").forEach(tab => {
  if ((tab.getAttribute("aria-selected") === "true") !== (tab.dataset.choose === name))
    wrong.push(`tab ${tab.dataset.choose}`);
});
return wrong.slice(0, 3).join(", ");
"""
# Each block of code shows both frameworks of a pair, next to each other if there is room
PAIR = """
const [first, second] = arguments, wrong = [];
document.querySelectorAll(".output.code").forEach((box, i) => {
  const of = name => box.querySelector(`[data-for~="${name}"]`);
  const [left, right] = [of(first), of(second)];
  if (!left || !right) return wrong.push(`block ${i} lacks one`);
  const shown = [...box.querySelectorAll("[data-for]")].filter(
    panel => panel.querySelector("pre")?.checkVisibility());
  const wanted = new Set([left, right]);
  if (shown.length !== wanted.size || !shown.every(panel => wanted.has(panel)))
    return wrong.push(`block ${i} shows ${shown.map(p => p.dataset.for).join(" and ")}`);
  if (left === right) return;
  // all of a panel, with its place: columns may write a function alike, each in its file
  const code = panel =>
    [...panel.querySelectorAll(".source")].map(part => part.textContent).join();
  if (code(left) === code(right)) wrong.push(`block ${i} shows one code twice`);
  const [p, q] = [left.getBoundingClientRect(), right.getBoundingClientRect()];
  const ordered = innerWidth < 500 ? q.top >= p.bottom
    : q.left >= p.right && Math.abs(p.top - q.top) < 2;
  if (!ordered) wrong.push(`block ${i}: not in their places`);
});
return wrong.slice(0, 3).join("; ");
"""
MIDDLE = 'arguments[0].scrollIntoView({block: "center", behavior: "instant"})'
UNFOLD = 'document.querySelectorAll("details").forEach(d => { d.open = true; })'
LINES = """
const done = arguments[0];
const links = [...document.querySelectorAll(".place a")];
Promise.all([...new Set(links.map(link => link.href))].map(async href => {
  const [address, line] = href.split("#"), answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return answer.ok && page.getElementById(line) ? "" : href;
})).then(lost => done(lost.filter(Boolean).join(", ")));
"""
# Words that stand out too little from what is behind them: WCAG's AA
FAINT = """
const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const light = colour => {
  const [r, g, b] = numbers(colour).map(part);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = node => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    const [, , , alpha = 1] = numbers(colour);
    if (alpha === 1) return colour;
  }
  return "rgb(255, 255, 255)";
};
const faint = new Map();
document.querySelectorAll("article *").forEach(node => {
  const words = [...node.childNodes].some(c => c.nodeType === 3 && c.data.trim());
  const apart = node.closest("option, mjx-container, svg");
  if (!words || apart || !node.checkVisibility()) return;
  const [a, b] = [getComputedStyle(node).color, behind(node)];
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) faint.set(`${a} on ${b}`,
    `${node.textContent.trim().slice(0, 20)} (${ratio.toFixed(1)}: ${a} on ${b})`);
});
return [...faint.values()].slice(0, 4).join("; ");
"""
BRIGHTNESS = """
const colour = getComputedStyle(document.body).backgroundColor;
const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
const text = getComputedStyle(document.querySelector("article h1")).color;
const [x, y, z] = text.match(/[\\d.]+/g).map(Number);
return [(r + g + b) / 765, (x + y + z) / 765];
"""


def why_not() -> str:
    """What is missing for a check in the browser; empty if nothing is."""
    try:
        import selenium  # noqa: F401
    except ModuleNotFoundError:
        return "Selenium is not installed: pip install -e '.[site]'"
    if not _browser() or not shutil.which("chromedriver"):
        return "Chromium or its driver is not installed: packages chromium, chromium-driver"
    return ""


def _browser() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, served from this machine to itself."""
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Reader:
    """A browser with the site in it."""

    def __init__(self, address: str) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = _browser()
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability(
            "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
        )
        service = Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(SECONDS)
        self.address = address

    def close(self) -> None:
        self.driver.quit()

    def ask(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str) -> bool:
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            WebDriverWait(self.driver, SECONDS).until(lambda _: self.ask(script))
        except TimeoutException:
            return False
        return True

    def size(self, width: int, height: int) -> None:
        metrics = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 500,
        }
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [feature]}
        )

    def open(self, page: str) -> bool:
        self.driver.get(self.address + page)
        return self.wait(READY)

    def choose(self, name: str, where: str = ".bar") -> None:
        self.ask(f'document.querySelector(`{where} [data-choose="{name}"]`).click()')

    def complaints(self) -> str:
        """What the console says and what was asked of other machines, since last asked."""
        said = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith((self.address, "data:", "blob:")):
                    said.append(f"asked for {url}")
        return "; ".join(said)

    def shoot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))


def check(
    site: Path, tell: Callable[[str], None] = print, shots: Path | None = None
) -> int:
    """Check all pages; the number of failures."""
    found = [*site.glob("*.html"), *site.glob("reference/*.html")]
    pages = [path.relative_to(site).as_posix() for path in sorted(found)]
    pages = [
        "index.html",
        *(p for p in pages if p not in ("index.html", "search.html")),
    ]
    failures = 0
    with served(site) as address:
        reader = Reader(address)
        try:
            for page in pages:
                failures += _report(page, _page(reader, page, shots), tell)
            failures += _report("the site", _whole(reader, pages), tell)
        finally:
            reader.close()
    return failures


def _report(name: str, found: dict[str, str], tell: Callable[[str], None]) -> int:
    wrong = {check: what for check, what in found.items() if what}
    tell(f"{'FAILED' if wrong else 'ok':<7} {name}: {', '.join(found)}")
    for which, what in wrong.items():
        tell(f"        {which}: {what}")
    return len(wrong)


def _page(reader: Reader, page: str, shots: Path | None) -> dict[str, str]:
    """Check → what is wrong, empty if nothing is."""
    found = {}
    reader.size(*DESKTOP)
    reader.prefer("light")
    found["ready"] = "" if reader.open(page) else f"not within {SECONDS} s"
    found["formulas"] = reader.ask(FORMULAS)
    found["pictures"] = reader.driver.execute_async_script(PICTURES)
    found["tabs"] = _tabs(reader)
    found["pairs"] = _pairs(reader)
    found["copies"] = _copies(reader)
    found["lines"] = reader.driver.execute_async_script(LINES)
    found["console"] = reader.complaints()
    found["light and dark"] = _themes(reader, page, shots)
    reader.size(*PHONE)
    reader.open(page)
    wide = []
    for name in frameworks(reader) or [None]:
        if name:
            reader.choose(name)
        wide.append(reader.ask(WIDER))
    wide += [_pairs(reader), reader.ask(WIDER)]
    found["phone"] = "; ".join(filter(None, wide))
    if shots:
        reader.shoot(shots / _shot(page, "phone"))
    return found


def frameworks(reader: Reader) -> list[str]:
    """The names on the page's tabs."""
    return reader.ask(
        'return [...document.querySelectorAll(".bar [data-choose]")]'
        ".map(tab => tab.dataset.choose)"
    )


def _tabs(reader: Reader) -> str:
    """Each framework by the bar, then each by a tab at an output, if there is one."""
    wrong = []
    small = reader.ask('return document.querySelector(".small") !== null')
    for where in [".bar", ".small"] if small else [".bar"]:
        for name in frameworks(reader):
            reader.choose(name, where)
            wrong.append(reader.ask(PANELS, name))
    return "; ".join(filter(None, wrong))


def _pairs(reader: Reader) -> str:
    """Each framework with the next one beside it; then one alone again."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    found = reader.driver.find_elements(By.CSS_SELECTOR, "[data-beside]")
    if not found:
        return ""
    reader.ask(UNFOLD)
    beside = Select(found[0])
    names = [
        o.get_attribute("value") for o in beside.options if o.get_attribute("value")
    ]
    wrong = []
    for first, second in zip(names, names[1:] + names[:1], strict=True):
        reader.choose(first)
        beside.select_by_value(second)
        said = reader.ask(PAIR, first, second)
        wrong.append(said and f"{first} and {second}: {said}")
    beside.select_by_value("")
    wrong.append(reader.ask(PANELS, names[-1]))
    beside.select_by_value(names[0])
    return "; ".join(filter(None, wrong))


def _copies(reader: Reader) -> str:
    """In each tab, the button at the first code that is shown copies that code."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By

    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    reader.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    reader.ask(UNFOLD)
    wrong = []
    for name in frameworks(reader):
        reader.choose(name)
        path = f'.output.code [data-for~="{name}"] .source'
        codes = reader.driver.find_elements(By.CSS_SELECTOR, f"{path} pre")
        if not codes:
            continue
        try:
            button = reader.driver.find_element(By.CSS_SELECTOR, f"{path} .copybtn")
            reader.ask(MIDDLE, button)
            button.click()
        except WebDriverException as error:
            said = (error.msg or "").partition("\n")[0]
            wrong.append(f"{name}: no button to click ({said})")
            continue
        copied = reader.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0])"
        )
        if copied.strip() != codes[0].get_property("textContent").strip():
            wrong.append(f"{name}: {copied[:40]!r}")
    return "; ".join(wrong)


def _shot(page: str, name: str) -> str:
    return f"{page.removesuffix('.html').replace('/', '-')}-{name}.png"


def _themes(reader: Reader, page: str, shots: Path | None) -> str:
    """By the system's preference, and then by the button."""
    wrong = []
    reader.ask('localStorage.removeItem("theme")')
    for scheme in ("light", "dark"):
        reader.prefer(scheme)
        reader.open(page)
        background, text = reader.ask(BRIGHTNESS)
        if (background > 0.5) != (scheme == "light") or abs(background - text) < 0.4:
            wrong.append(f"{scheme}: background {background:.2f}, text {text:.2f}")
        if faint := reader.ask(FAINT):
            wrong.append(f"{scheme}: hard to read: {faint}")
        if shots:
            reader.shoot(shots / _shot(page, scheme))
    reader.prefer("light")
    for _ in range(3):  # the button goes round: automatic, light, dark
        reader.ask('document.querySelector(".theme-toggle").click()')
        if reader.ask("return document.body.dataset.theme") == "dark":
            break
    reader.open(page)
    if reader.ask(BRIGHTNESS)[0] > 0.5:
        wrong.append("dark, chosen by the button, is not remembered")
    reader.ask('localStorage.removeItem("theme")')
    return "; ".join(wrong)


def _whole(reader: Reader, pages: list[str]) -> dict[str, str]:
    reader.size(*DESKTOP)
    return {
        "memory": _memory(reader, pages),
        "links": _links(reader, pages),
        "search": _search(reader, pages),
        "keyboard": _keyboard(reader),
    }


def _memory(reader: Reader, pages: list[str]) -> str:
    """A framework chosen on one page is there on all others."""
    reader.open(pages[0])
    wrong = []
    for name in reversed(frameworks(reader)):
        reader.choose(name)
        for page in pages[1:]:
            reader.open(page)
            said = reader.ask(PANELS, name)
            wrong.append(said and f"{name} on {page}: {said}")
        reader.open(pages[0])
    return "; ".join(filter(None, wrong))


def _links(reader: Reader, pages: list[str]) -> str:
    """The pages are one chain from the first to the last; downloads are there."""
    seen, page = [], pages[0]
    while page and page not in seen:
        seen.append(page)
        reader.open(page)
        page = reader.ask(
            'const next = document.querySelector("a.next-page");'
            "return next && next.pathname.slice(1)"
        )
    missing = sorted(set(pages) - set(seen))
    lost = reader.driver.execute_async_script("""
        const done = arguments[0];
        const links = [...document.querySelectorAll("article a[download]")];
        Promise.all(links.map(link => fetch(link.href).then(
            answer => answer.ok ? "" : link.href))).then(all => done(all.join("")));
    """)
    return "; ".join(
        filter(None, [missing and f"not in the chain: {', '.join(missing)}", lost])
    )


def _search(reader: Reader, pages: list[str]) -> str:
    """A word is found on its page first, a function where it is documented."""
    wrong = []
    for word, page in (("anchor", "anchor.html"), ("box_iou", "reference/boxes.html")):
        if page not in pages:
            continue
        reader.open(f"search.html?q={word}")
        links = '[...document.querySelectorAll("ul.search li a")]'
        reader.wait(f'return {links}.some(a => a.pathname === "/{page}")')
        found = reader.ask(f"return {links}.map(a => a.pathname)")
        if found[:1] != [f"/{page}"]:
            wrong.append(f"{word!r} is found in {', '.join(found[:3]) or 'no page'}")
    return "; ".join(filter(None, [*wrong, reader.complaints()]))


def _keyboard(reader: Reader) -> str:
    """An arrow key moves to the next tab."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    reader.open("index.html")
    names = frameworks(reader)
    if len(names) < 2:
        return ""
    reader.choose(names[0])
    tab = reader.driver.find_element(By.CSS_SELECTOR, ".bar [aria-selected=true]")
    tab.send_keys(Keys.ARROW_RIGHT)
    now = reader.ask("return document.documentElement.dataset.framework")
    return "" if now == names[1] else f"expected {names[1]}, got {now}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", type=Path, default=Path("build/site"))
    parser.add_argument("--screenshots", type=Path, metavar="DIR")
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        print(f"check_site: no site in {options.site}; run tools/render.py first")
        return 2
    if reason := why_not():
        print(f"SKIPPED: {reason}")
        return 0
    failures = check(options.site, shots=options.screenshots)
    print(f"{failures} failed" if failures else "all pages are as they should be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
