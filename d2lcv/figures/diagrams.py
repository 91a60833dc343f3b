"""Diagrams of architectures and methods: SVG, in one style, drawn by name.

A diagram is boxes and feature maps joined by arrows on a canvas 640 units wide, so that its
letters can be read at a page's width and on a phone. Colours say what a part is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from html import escape
from pathlib import Path

from ..checks import one_of

__all__ = ["DIAGRAMS", "diagram", "show_diagram"]

WIDTH = 640
INK, PAPER, LINE = "#1f2937", "#ffffff", "#6b7280"
KINDS = {
    "data": ("#dbeafe", "#2563eb", "data"),
    "layer": ("#fef3c7", "#d97706", "learned layers"),
    "frozen": ("#e0f2fe", "#0891b2", "learned before, now fixed"),
    "rule": ("#e5e7eb", "#6b7280", "fixed rule"),
    "loss": ("#fee2e2", "#dc2626", "loss"),
    "result": ("#dcfce7", "#16a34a", "result"),
    "picture": ("#dbeafe", "#2563eb", "once per picture"),
    "region": ("#ffedd5", "#ea580c", "once per region"),
}
"""Kind of a part -> fill, border, and what the legend calls it."""

DIAGRAMS: dict[str, Callable[[], str]] = {}
"""Name -> the function that draws it."""


def diagram(name: str) -> str:
    """The diagram of this name as SVG text.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    return DIAGRAMS[one_of("name", name, DIAGRAMS)]()


def show_diagram(name: str) -> Path | None:
    """Show a diagram: under the cell of a notebook, in a script as an SVG file.

    Args:
        name: a key of `DIAGRAMS`.

    Returns:
        In a script the path of the file, which is printed too; in a notebook None.

    Raises:
        ValueError: there is no diagram of this name.
    """
    from .show import _show_svg

    return _show_svg(diagram(name), name)


# The canvas


class Part:
    """A rectangle on the canvas, by its centre and size."""

    def __init__(self, x: float, y: float, w: float, h: float) -> None:
        self.x, self.y, self.w, self.h = x, y, w, h

    def border(self, towards: Part) -> tuple[float, float]:
        """Where the line to another part's centre leaves this one."""
        dx, dy = towards.x - self.x, towards.y - self.y
        steps = [s / abs(d) for s, d in ((self.w / 2, dx), (self.h / 2, dy)) if d]
        step = min(steps, default=0.0)
        return self.x + step * dx, self.y + step * dy


class Canvas:
    """Shapes as SVG elements; a legend of the kinds that were used comes last."""

    def __init__(self, height: float, title: str) -> None:
        self.height, self.title = height, title
        self.elements: list[str] = []
        self.used: list[str] = []

    def text(
        self, x: float, y: float, text: str, size: float = 15, color: str = INK
    ) -> None:
        """Lines of text about the centre (x, y)."""
        lines = text.split("\n")
        for i, line in enumerate(lines):
            baseline = y + (i - (len(lines) - 1) / 2) * 1.2 * size + 0.35 * size
            self.elements.append(
                f'<text x="{x:g}" y="{baseline:.1f}" font-size="{size:g}" fill="{color}" '
                f'text-anchor="middle">{escape(line)}</text>'
            )

    def rectangle(
        self, x: float, y: float, w: float, h: float, kind: str, radius: float = 2
    ) -> None:
        fill, border, _ = KINDS[kind]
        if kind not in self.used:
            self.used.append(kind)
        self.elements.append(
            f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" '
            f'rx="{radius:g}" fill="{fill}" stroke="{border}" stroke-width="1.5"/>'
        )

    def box(
        self, x: float, y: float, text: str, kind: str, w: float = 0, h: float = 0
    ) -> Part:
        """A box with text, as large as the text needs unless said otherwise."""
        lines = text.split("\n")
        w = w or 8.2 * max(map(len, lines)) + 20
        h = h or 19 * len(lines) + 16
        self.rectangle(x, y, w, h, kind, radius=7)
        self.text(x, y, text)
        return Part(x, y, w, h)

    def maps(
        self, x: float, y: float, side: float, text: str, kind: str = "data"
    ) -> Part:
        """A feature map with several channels, and what it is below it."""
        for shift in (8, 4, 0):
            self.rectangle(x + shift, y - shift, side, side, kind)
        if text:
            self.text(x + 4, y + side / 2 + 10 * (text.count("\n") + 1), text, 13)
        return Part(x + 4, y - 4, side + 8, side + 8)

    def arrow(
        self, start: Part, end: Part, text: str = "", dashed: bool = False
    ) -> None:
        """A line from border to border, with a text beside its middle."""
        (x1, y1), (x2, y2) = start.border(end), end.border(start)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.elements.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{LINE}" stroke-width="1.8" marker-end="url(#head)"{dash}/>'
        )
        if text:
            upright = abs(x2 - x1) < abs(y2 - y1)
            side = 4.2 * len(text) + 6
            self.text(
                (x1 + x2) / 2 + (side if upright else 0),
                (y1 + y2) / 2 - (0 if upright else 11),
                text,
                13,
                LINE,
            )

    def path(self, d: str, dashed: bool = False) -> None:
        """An arrow along an SVG path, for lines that go around other parts."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.elements.append(
            f'<path d="{d}" fill="none" stroke="{LINE}" stroke-width="1.8" '
            f'marker-end="url(#head)"{dash}/>'
        )

    def chain(self, *parts: Part) -> None:
        """An arrow from each part to the next."""
        for start, end in itertools.pairwise(parts):
            self.arrow(start, end)

    def grid(
        self, x: float, y: float, cells: int, side: float, marked: dict[tuple, str]
    ) -> Part:
        """A grid about (x, y); `marked` has kinds for some cells (row, column)."""
        size = side / cells
        for row in range(cells):
            for column in range(cells):
                left, top = x - side / 2 + column * size, y - side / 2 + row * size
                kind = marked.get((row, column))
                fill = KINDS[kind][0] if kind else PAPER
                border = KINDS[kind][1] if kind else LINE
                self.elements.append(
                    f'<rect x="{left:.1f}" y="{top:.1f}" width="{size:.1f}" '
                    f'height="{size:.1f}" fill="{fill}" stroke="{border}"/>'
                )
        return Part(x, y, side, side)

    def svg(self) -> str:
        """The whole drawing, on white paper so that it can be read on a dark page."""
        height, x = self.height, 16.0
        for kind in self.used if len(self.used) > 1 else ():
            fill, border, name = KINDS[kind]
            self.elements.append(
                f'<rect x="{x:g}" y="{height + 2:g}" width="13" height="13" rx="3" '
                f'fill="{fill}" stroke="{border}"/>'
                f'<text x="{x + 19:g}" y="{height + 13:g}" font-size="13" '
                f'fill="{LINE}">{name}</text>'
            )
            x += 19 + 7.2 * len(name) + 16
        if len(self.used) > 1:
            height += 26
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="100%" style="max-width:{WIDTH}px" role="img" '
            f'font-family="Helvetica, Arial, sans-serif"><title>{escape(self.title)}'
            f'</title><defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" '
            f'markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path '
            f'd="M0 0L10 5L0 10z" fill="{LINE}"/></marker></defs><rect width="100%" '
            f'height="100%" rx="8" fill="{PAPER}"/>{"".join(self.elements)}</svg>\n'
        )


def _drawn(title: str, height: float) -> Callable[..., Callable[[], str]]:
    """Register what follows as a diagram: it is given a canvas of that height."""

    def register(draw: Callable[[Canvas], None]) -> Callable[[], str]:
        def make() -> str:
            canvas = Canvas(height, title)
            draw(canvas)
            return canvas.svg()

        DIAGRAMS[draw.__name__] = make
        return make

    return register


# The diagrams


@_drawn("From the course's first boxes to its last competition", 320)
def course(c: Canvas) -> None:
    rows = [
        (36, "Learning from pictures", ["image augmentation", "fine-tuning"]),
        (98, "Where things are", ["bounding boxes", "anchors", "scales", "data set"]),
        (160, "Detectors", ["SSD", "YOLO", "R-CNN family"]),
        (222, "Every pixel", ["segmentation", "transposed conv.", "FCN", "style"]),
        (284, "Competitions", ["CIFAR-10", "dog breeds"]),
    ]
    for y, name, chapters in rows:
        c.text(92, y, name, 15)
        left = 185.0
        for chapter in chapters:
            w = 7.6 * len(chapter) + 26
            c.box(left + w / 2, y, chapter, "data", w, 34)
            left += w + 9


@_drawn("Training and prediction with anchor boxes", 340)
def detection(c: Canvas) -> None:
    picture = c.box(70, 170, "picture", "data")
    net = c.box(190, 170, "network", "layer")
    anchors = c.box(190, 60, "anchors", "rule")
    scores = c.box(330, 140, "class scores", "data")
    offsets = c.box(330, 205, "offsets", "data")
    c.box(70, 60, "labels", "data")
    targets = c.box(345, 60, "targets: class,\noffsets, mask", "rule")
    loss = c.box(550, 100, "loss", "loss", 90)
    inverse = c.box(330, 300, "move anchors\nby offsets", "rule")
    nms = c.box(468, 300, "suppress\ndoubles", "rule")
    found = c.box(575, 300, "boxes", "result")
    c.chain(picture, net, scores)
    c.arrow(net, offsets)
    c.chain(anchors, targets, loss)
    c.path("M70 41 V14 H345 V30")
    c.arrow(scores, loss)
    c.arrow(offsets, loss)
    c.arrow(scores, nms)
    c.chain(offsets, inverse, nms, found)
    c.text(550, 62, "training", 14, LINE)
    c.text(560, 262, "prediction", 14, LINE)


@_drawn("The single-shot detector: five maps, two predictors each", 420)
def ssd(c: Canvas) -> None:
    before = c.box(88, 30, "picture 256 × 256", "data")
    names = ["base network", "block 1", "block 2", "block 3", "global max pooling"]
    sides, pixels = (58, 44, 32, 22, 12), (32, 16, 8, 4, 1)
    joined = Part(546, 225, 150, 60)
    for i, (name, side, n) in enumerate(zip(names, sides, pixels, strict=True)):
        y = 92 + 72 * i
        layer = c.box(88, y, name, "layer", 150, 34)
        c.arrow(before, layer)
        maps = c.maps(212, y, side, "")
        c.text(262, y, f"{n}²", 14)
        heads = c.box(374, y, "classes, offsets", "layer", 130, 32)
        c.arrow(layer, maps)
        c.arrow(Part(266, y, 26, 18), heads)
        c.arrow(heads, joined)
        before = layer
    joined = c.box(546, 225, "5444 anchors:\nscores, offsets", "data", 140, 56)
    nms = c.box(546, 318, "move, suppress", "rule")
    found = c.box(546, 388, "boxes", "result")
    c.chain(joined, nms, found)


@_drawn("YOLO: one regression over a grid", 300)
def yolo(c: Canvas) -> None:
    marked = {(3, 2): "result"}
    grid = c.grid(95, 125, 7, 150, marked)
    c.elements.append(
        '<rect x="42" y="88" width="82" height="72" fill="none" stroke="#16a34a" '
        'stroke-width="3"/><circle cx="84" cy="125" r="4" fill="#16a34a"/>'
    )
    c.text(95, 222, "the cell with the centre\nis responsible", 14)
    net = c.box(255, 125, "convolutions", "layer")
    out = c.maps(390, 125, 84, "S × S cells")
    c.chain(grid, net, out)
    answers = "of each cell:\nB × (x, y, w, h,\nconfidence)\n+ C classes"
    cell = c.box(550, 125, answers, "data")
    c.arrow(out, cell)
    decode = c.box(390, 255, "decode, suppress", "rule")
    found = c.box(560, 255, "boxes", "result")
    c.arrow(cell, decode)
    c.arrow(decode, found)


@_drawn("The fully convolutional network, with its skips", 360)
def fcn(c: Canvas) -> None:
    picture = c.box(80, 36, "picture h × w", "data")
    trunk, maps, scores = [picture], [], []
    for i, (stride, side) in enumerate(((8, 56), (16, 40), (32, 26))):
        y = 105 + 92 * i
        layer = c.box(80, y, f"ResNet to 1/{stride}", "layer", 136, 34)
        c.arrow(trunk[-1], layer)
        trunk.append(layer)
        maps.append(c.maps(196, y, side, ""))
        c.arrow(layer, maps[-1])
        scores.append(c.box(312, y, "1 × 1 conv.", "layer", 100, 34))
        c.arrow(maps[-1], scores[-1])
    up32 = c.box(440, 289, "× 2", "layer", 52, 34)
    sum16 = c.box(440, 197, "+", "rule", 40, 34)
    up16 = c.box(440, 151, "× 2", "layer", 52, 34)
    sum8 = c.box(440, 105, "+", "rule", 40, 34)
    c.chain(scores[2], up32, sum16, up16, sum8)
    c.arrow(scores[1], sum16)
    c.arrow(scores[0], sum8)
    for y, stride, start in ((105, 8, sum8), (197, 16, sum16)):
        c.arrow(start, c.box(560, y, f"× {stride}\nFCN-{stride}s", "result", 84, 46))
    last = c.box(560, 335, "× 32\nFCN-32s", "result", 84, 46)
    c.arrow(scores[2], last)


@_drawn("Fine-tuning: the features are copied, the output layer is new", 300)
def fine_tuning(c: Canvas) -> None:
    columns = (
        (150, "source data\n(many pictures)", "output: source classes"),
        (480, "target data\n(few pictures)", "output: target classes\nnew, high rate"),
    )
    features = []
    for x, data, output in columns:
        below = c.box(x, 262, data, "data", 180)
        layers = c.box(x, 165, "features", "layer", 180, 60)
        above = c.box(x, 60, output, "layer", 200)
        c.chain(below, layers, above)
        features.append(layers)
    c.arrow(features[0], features[1], "copy, low rate")
    c.text(150, 18, "source model", 16)
    c.text(480, 18, "target model", 16)


@_drawn("Frozen features and a small output network", 170)
def frozen_features(c: Canvas) -> None:
    picture = c.box(62, 70, "picture", "data")
    net = c.box(205, 70, "pre-trained\nfeatures", "frozen", 130, 60)
    pooled = c.box(350, 70, "512 numbers", "data")
    head = c.box(480, 70, "small\noutput net", "layer", 110, 60)
    result = c.box(588, 70, "classes", "result")
    c.chain(picture, net, pooled, head, result)
    c.text(205, 135, "computed without gradients", 13, LINE)
    c.text(480, 135, "trained", 13, LINE)


@_drawn("Style transfer: the picture is what is trained", 330)
def style_transfer(c: Canvas) -> None:
    rows = (60, 165, 270)
    names = ("content picture", "our picture", "style picture")
    kinds = ("data", "layer", "data")
    nets = []
    for y, name, kind in zip(rows, names, kinds, strict=True):
        picture = c.box(85, y, name, kind, 140)
        net = c.box(235, y, "network", "frozen", 90)
        c.arrow(picture, net)
        nets.append(net)
    content = c.box(400, 112, "content loss:\nfeatures", "loss", 130)
    style = c.box(400, 218, "style loss:\nGram matrices", "loss", 130)
    tv = c.box(400, 306, "total variation", "loss", 130)
    c.arrow(nets[0], content)
    c.arrow(nets[1], content)
    c.arrow(nets[1], style)
    c.arrow(nets[2], style)
    c.path("M155 176 H172 V306 H332")
    total = c.box(565, 165, "sum", "loss", 70)
    for part in (content, style, tv):
        c.arrow(part, total)
    c.path("M565 146 V16 H6 V165 H13", dashed=True)
    c.text(370, 30, "gradient of the pixels", 13, LINE)


@_drawn("The residual block", 210)
def residual(c: Canvas) -> None:
    x = c.box(40, 100, "X", "data", 44)
    one = c.box(158, 100, "3 × 3 conv.\nbatch norm, ReLU", "layer", 150)
    two = c.box(330, 100, "3 × 3 conv.\nbatch norm", "layer", 110)
    plus = c.box(450, 100, "+", "rule", 40, 36)
    relu = c.box(530, 100, "ReLU", "rule", 64)
    y = c.box(606, 100, "Y", "result", 44)
    c.chain(x, one, two, plus, relu, y)
    c.box(245, 180, "1 × 1 conv. where the shape changes", "layer", 290)
    c.path("M40 118 V180 H98")
    c.path("M392 180 H450 V121")
    c.text(245, 40, "what the block adds to its input", 14, LINE)


@_drawn("The receptive field of one pixel after a down-sampling block", 200)
def receptive_field(c: Canvas) -> None:
    places = (95, 270, 440, 575)
    names = (
        "input: 6 × 6",
        "after conv. 1: 4 × 4",
        "after conv. 2: 2 × 2",
        "pooled: 1",
    )
    steps = ("3 × 3", "3 × 3", "pool")
    parts = []
    for x, seen, name in zip(places, (6, 4, 2, 1), names, strict=True):
        cells = 6 if seen > 1 else 3
        low = (cells - seen) // 2
        marked = {
            (i, j): "result"
            for i in range(low, low + seen)
            for j in range(low, low + seen)
        }
        parts.append(c.grid(x, 90, cells, 114 if cells == 6 else 57, marked))
        c.text(x, 170, name, 14)
    for i, step in enumerate(steps):
        c.arrow(parts[i + 1], parts[i], step)


@_drawn("A convolution gathers, a transposed convolution spreads", 230)
def transposed(c: Canvas) -> None:
    window = {(i, j): "data" for i in (0, 1) for j in (1, 2)}
    wide = c.grid(90, 110, 4, 120, window)
    small = c.grid(240, 110, 3, 90, {(0, 1): "result"})
    c.arrow(wide, small)
    from_ = c.grid(400, 110, 3, 90, {(0, 1): "data"})
    onto = c.grid(560, 110, 4, 120, dict.fromkeys(window, "result"))
    c.arrow(from_, onto)
    c.text(165, 25, "convolution", 16)
    c.text(480, 25, "transposed convolution", 16)
    c.text(165, 202, "a window becomes one pixel", 14, LINE)
    c.text(480, 202, "a pixel becomes a window", 14, LINE)


@_drawn("Three kinds of segmentation of one picture with two cats", 250)
def segmentation_kinds(c: Canvas) -> None:
    rows, left, right = range(10), range(1, 4), range(5, 9)
    one = {(2, 1), (2, 3)} | {(i, j) for i in range(3, 8) for j in left}
    other = {(4, 5), (4, 8)} | {(i, j) for i in range(5, 8) for j in right}
    wall = {(i, j): "data" for i in rows for j in rows}
    floor = {(i, j): "layer" for i in range(6, 10) for j in rows}
    head = {place: "loss" for place in one if place[0] < 5}
    cats = [
        dict.fromkeys(cat, kind) for cat, kind in ((one, "region"), (other, "result"))
    ]
    regions = wall | floor | cats[0] | cats[1] | head
    classes = dict.fromkeys(wall, "rule") | dict.fromkeys(one | other, "region")
    objects = dict.fromkeys(wall, "rule") | cats[0] | cats[1]
    for x, marked, name, what in (
        (108, regions, "image segmentation", "regions without a name"),
        (320, classes, "semantic segmentation", "a class for each pixel"),
        (532, objects, "instance segmentation", "an object for each pixel"),
    ):
        c.grid(x, 125, 10, 180, marked)
        c.text(x, 18, name, 16)
        c.text(x, 236, what, 14, LINE)
    for x, names in ((320, ("cat", "cat")), (532, ("cat 1", "cat 2"))):
        c.text(x - 45, 134, names[0])
        c.text(x + 36, 152, names[1])
        c.text(x, 62, "background")


@_drawn("Several devices: split the batch, sum the gradients, one step", 300)
def data_parallel(c: Canvas) -> None:
    batch = c.box(60, 130, "batch", "data")
    total = c.box(455, 130, "sum of the\ngradients", "rule")
    step = c.box(580, 130, "one step", "result")
    for y, name in ((60, "device 0"), (200, "device 1")):
        half = c.box(175, y, "half", "data", 64)
        net = c.box(310, y, f"{name}: the same\nweights", "layer")
        c.arrow(batch, half)
        c.arrow(half, net)
        c.arrow(net, total)
    c.arrow(total, step)
    c.path("M580 150 V268 H310 V228", dashed=True)
    c.text(450, 283, "new weights to all devices", 13, LINE)


def _two_stages(c: Canvas, proposals: str, pooling: str, mask: bool) -> None:
    """The family from Fast R-CNN on: one map for all regions, and heads."""
    learned = "anchors" in proposals
    picture = c.box(55, 90, "picture", "rule")
    net = c.box(165, 90, "CNN", "picture", 64)
    search = c.box(165, 200, proposals, "picture" if learned else "rule")
    pool = c.box(300, 90, pooling, "region")
    dense = c.box(425, 90, "dense\nlayers", "region")
    c.chain(picture, net, pool, dense)
    c.arrow(net if learned else picture, search)
    c.arrow(search, pool)
    for y, text in ((50, "class: softmax"), (125, "box: offsets")):
        c.arrow(dense, c.box(565, y, text, "region", 130))
    if mask:
        convolutions = c.box(425, 200, "convolutions", "region")
        c.arrow(pool, convolutions)
        c.arrow(convolutions, c.box(565, 200, "mask", "region", 130))


@_drawn("R-CNN: every region goes through the network", 190)
def rcnn(c: Canvas) -> None:
    picture = c.box(55, 95, "picture", "rule")
    search = c.box(165, 95, "selective\nsearch", "rule")
    crop = c.box(282, 95, "crop and\nwarp", "region")
    net = c.box(385, 95, "CNN", "region", 64)
    c.chain(picture, search, crop, net)
    for y, text in ((50, "class: one SVM\nfor each class"), (145, "box: regression")):
        c.arrow(net, c.box(555, y, text, "region", 150))


@_drawn("Fast R-CNN: one feature map for all regions", 240)
def fast_rcnn(c: Canvas) -> None:
    _two_stages(c, "selective\nsearch", "RoI\npooling", mask=False)


@_drawn("Faster R-CNN: proposals from the same features", 240)
def faster_rcnn(c: Canvas) -> None:
    _two_stages(c, "proposals:\nanchors, NMS", "RoI\npooling", mask=False)


@_drawn("Mask R-CNN: nothing rounded, and a mask", 240)
def mask_rcnn(c: Canvas) -> None:
    _two_stages(c, "proposals:\nanchors, NMS", "RoI\nalign", mask=True)
