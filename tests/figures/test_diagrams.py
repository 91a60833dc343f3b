"""Diagrams: valid SVG, inside their canvas, letters that can be read on a phone."""

import xml.etree.ElementTree as ElementTree

import pytest

from d2lcv.figures.diagrams import DIAGRAMS, WIDTH, diagram, show_diagram
from d2lcv.figures.show import set_output

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_everything_is_inside_the_canvas(name):
    root = ElementTree.fromstring(diagram(name))
    _, _, width, height = map(float, root.get("viewBox").split())
    assert width == WIDTH and root.find(f"{SVG}title").text
    rects = [r for r in root.iter(f"{SVG}rect") if r.get("width") != "100%"]
    assert len(rects) > 3
    for rect in rects:
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height, rect.attrib
    for line in root.iter(f"{SVG}line"):
        ends = [float(line.get(key)) for key in ("x1", "x2", "y1", "y2")]
        assert min(ends) >= 0 and max(ends[:2]) <= width and max(ends[2:]) <= height


@pytest.mark.parametrize("name", DIAGRAMS)
def test_letters_can_be_read_at_390_pixels(name):
    root = ElementTree.fromstring(diagram(name))
    sizes = [float(text.get("font-size")) for text in root.iter(f"{SVG}text")]
    assert sizes and min(sizes) * 390 / WIDTH >= 7.5


def test_a_script_gets_a_file(tmp_path, capsys):
    set_output(tmp_path)
    path = show_diagram("ssd")
    assert path == tmp_path / "ssd.svg" and str(path) in capsys.readouterr().out
    ElementTree.parse(path)


def test_unknown_name_exception():
    with pytest.raises(ValueError, match=r"name: .*'residual'.*'nothing'"):
        show_diagram("nothing")
