"""Pictures, boxes, curves, and where they go in a script and in a notebook."""

import os
import subprocess
import sys
import types
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import FRAMEWORKS
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from d2lcv.figures import (
    Animator,
    bbox_to_rect,
    plt,
    set_axes,
    set_figsize,
    set_output,
    show,
    show_bboxes,
    show_images,
    use_svg_display,
)
from d2lcv.figures.show import _detached


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["d2lcv.figures.show"], "_svg", False)
    with plt.rc_context():
        set_output(tmp_path)
        yield
    plt.close("all")
    _detached.clear()


@pytest.fixture
def picture():
    """Axes that show a black image of 100 × 80 pixels in a figure of 3.5 inches."""
    figure, axes = plt.subplots(figsize=(3.5, 2.5))
    axes.imshow(np.zeros((80, 100, 3), np.uint8))
    figure.canvas.draw()
    return axes


def labels_of(axes):
    """Extents (x0, y0, x1, y1) in pixels of the drawn labels, their borders included."""
    renderer = axes.figure.canvas.get_renderer()
    return [text.get_bbox_patch().get_window_extent(renderer) for text in axes.texts]


def assert_inside(axes):
    frame = axes.bbox.padded(0.5)
    for extent in labels_of(axes):
        x0, y0, x1, y1 = extent.extents
        assert frame.x0 <= x0 < x1 <= frame.x1, extent
        assert frame.y0 <= y0 < y1 <= frame.y1, extent


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


# show_images


def shown(axes):
    """What the axes' image looks like, (H, W, 3) in 0–1."""
    (image,) = axes.images
    return image.to_rgba(image.get_array())[..., :3]


def test_show_images_any_kind_looks_the_same(d2l):
    rgb = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    kinds = [
        rgb,
        rgb.astype(np.int64),
        rgb / 255,
        rgb.astype(np.float32),
        rgb.tolist(),
        Image.fromarray(rgb),
        d2l.tensor(rgb.astype(np.float32)),
        d2l.tensor((rgb / 255).astype(np.float32)),
    ]
    axes = show_images(kinds, 2, 4)
    for ax in axes:
        np.testing.assert_allclose(shown(ax), rgb / 255, atol=1e-6)


def test_show_images_of_one_stacked_tensor(d2l):
    images = d2l.tensor(np.random.default_rng(0).random((3, 4, 5, 3), np.float32))
    axes = show_images(images, 1, 3)
    for ax, image in zip(axes, d2l.numpy(images), strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), image)


def test_show_images_grid_size_and_blank_cells():
    axes = show_images([np.zeros((4, 4, 3))] * 4, 2, 3, scale=1.2)
    assert axes.shape == (6,)
    assert axes[0].figure is plt.gcf()
    np.testing.assert_allclose(axes[0].figure.get_size_inches(), (3.6, 2.4))
    assert [len(ax.images) for ax in axes] == [1, 1, 1, 1, 0, 0]
    assert [ax.axison for ax in axes] == [True] * 4 + [False] * 2
    assert not axes[0].get_xticks().size
    assert not axes[0].get_yticks().size


def test_show_images_of_one_cell_and_of_none():
    assert show_images([np.zeros((4, 4, 3))], 1, 1).shape == (1,)
    assert show_images([], 1, 2).shape == (2,)


def test_show_images_row_titles():
    images = [np.zeros((4, 4, 3))] * 3
    axes = show_images(images, 2, 2, row_titles=["picture", "label"])
    assert [ax.get_ylabel() for ax in axes] == ["picture", "", "label", ""]
    with pytest.raises(ValueError, match="row_titles: expected one for each of 2 rows"):
        show_images(images, 2, 2, row_titles=["picture"])


def test_show_images_grey():
    grey = np.array([[0, 51], [102, 255]], np.uint8)
    axes = show_images(
        [grey, grey / 255, grey[..., None], grey > 60, Image.fromarray(grey)], 1, 5
    )
    values = [shown(ax) for ax in axes]
    expected = np.repeat(grey[..., None] / 255, 3, axis=2)
    for i in (0, 1, 2, 4):
        np.testing.assert_allclose(values[i], expected, atol=1e-2)
    np.testing.assert_allclose(values[3][..., 0], [[0, 0], [1, 1]])


def test_show_images_uniform_grey_is_not_stretched():
    (ax,) = show_images([np.full((2, 2), 0.5)], 1, 1)
    np.testing.assert_allclose(shown(ax), 0.5, atol=1e-2)


def test_show_images_clips_and_replaces_nan():
    image = np.full((1, 4, 3), 0.5)
    image[0, :3] = np.array([-0.2, 1.3, np.nan])[:, None]
    (ax,) = show_images([image], 1, 1)
    np.testing.assert_allclose(ax.images[0].get_array()[0, :, 0], [0, 1, 0, 0.5])


def test_show_images_palette_image_in_its_colours():
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 128, 0, 64])
    image.putpixel((1, 0), 1)
    (ax,) = show_images([image], 1, 1)
    assert ax.images[0].get_array()[0].tolist() == [[0, 0, 0], [128, 0, 64]]


def test_show_images_titles():
    titles = ["cat", 7, "dog"]
    axes = show_images([np.zeros((4, 4))] * 3, 1, 4, titles=titles)
    assert [ax.get_title() for ax in axes] == ["cat", "7", "dog", ""]


def test_show_images_long_titles_do_not_overlap():
    titles = ["west highland white terrier", "american staffordshire terrier"] * 3
    axes = show_images([np.zeros((8, 8))] * 6, 2, 3, titles=titles)
    axes[0].figure.canvas.draw()
    extents = [ax.title.get_window_extent() for ax in axes]
    extents += [ax.get_window_extent() for ax in axes]
    for a, b in combinations(extents, 2):
        assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0)
    assert [ax.get_title().replace("\n", " ") for ax in axes] == titles


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"imgs": [np.zeros((4, 4))] * 5},
            ValueError,
            "at most 2 × 2 = 4 images, got 5",
        ),
        ({"imgs": [np.zeros((3, 8, 8))]}, ValueError, r"imgs\[0\].*\(3, 8, 8\).*last"),
        ({"imgs": [np.zeros((8, 8, 2))]}, ValueError, r"got shape \(8, 8, 2\)$"),
        ({"imgs": [np.zeros((0, 8, 3))]}, ValueError, "at least one pixel"),
        ({"imgs": [np.array([["a"]])]}, TypeError, "integers or floats"),
        ({"imgs": ["cat.png"]}, TypeError, r"imgs\[0\].*str"),
        ({"imgs": Image.new("RGB", (4, 4))}, TypeError, "a list of images"),
        ({"titles": ["a"]}, ValueError, "each of 2 images, got 1"),
        ({"num_rows": 0}, ValueError, "num_rows: expected at least 1, got 0"),
        ({"num_cols": 1.5}, TypeError, "num_cols: expected an integer, got float 1.5"),
        ({"scale": 0}, ValueError, "scale: expected a positive"),
    ],
)
def test_show_images_refuses(change, error, message, d2l):
    arguments = {"imgs": [np.zeros((4, 4))] * 2, "num_rows": 2, "num_cols": 2} | change
    with pytest.raises(error, match=message):
        show_images(**arguments)
    assert not plt.get_fignums(), "no half-made figure is left"


# Boxes


@pytest.mark.parametrize("kind", [list, np.array, "tensor"])
def test_bbox_to_rect(kind, d2l):
    make = d2l.tensor if kind == "tensor" else kind
    rect = bbox_to_rect(make([60.0, 45.0, 378.0, 516.0]), "blue")
    assert rect.get_xy() == (60, 45)
    assert (rect.get_width(), rect.get_height()) == (318, 471)
    assert not rect.get_fill()
    assert rect.get_edgecolor() == to_rgba("blue")


def test_bbox_to_rect_refuses():
    with pytest.raises(ValueError, match=r"bbox: expected shape \(4,\), got \(2, 2\)"):
        bbox_to_rect([[1, 2], [3, 4]], "r")


@pytest.mark.parametrize("kind", ["lists", "array", "tensor", "list of tensors"])
def test_show_bboxes_rectangles(kind, picture, d2l):
    boxes = [[10.0, 20.0, 50.0, 60.0], [0.0, 0.0, 30.0, 5.0]]
    given = {
        "lists": lambda: boxes,
        "array": lambda: np.array(boxes),
        "tensor": lambda: d2l.tensor(boxes),
        "list of tensors": lambda: [d2l.tensor(box) for box in boxes],
    }[kind]()
    limits = picture.axis()
    show_bboxes(picture, given)
    assert [p.get_bbox().extents.tolist() for p in picture.patches] == boxes
    assert not picture.texts
    assert picture.axis() == limits


def test_show_bboxes_one_box_and_none(picture):
    show_bboxes(picture, np.zeros((0, 4)), [])
    show_bboxes(picture, [])
    assert not picture.patches
    show_bboxes(picture, [1, 2, 3, 4], "one", "w")
    assert len(picture.patches) == len(picture.texts) == 1


def test_show_bboxes_default_colours_start_again(picture):
    show_bboxes(picture, [[i, i, i + 9, i + 9] for i in range(7)])
    colours = [patch.get_edgecolor() for patch in picture.patches]
    assert colours == [to_rgba(c) for c in "bgrmcbg"]


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        ("w", "www"),
        (["r", "k"], "rkr"),
        ((1.0, 0.0, 0.0), "rrr"),
        ([(1.0, 0.0, 0.0), "k"], "rkr"),
    ],
)
def test_show_bboxes_colours(colors, expected, picture):
    show_bboxes(picture, [[i, i, i + 9, i + 9] for i in range(3)], colors=colors)
    colours = [patch.get_edgecolor() for patch in picture.patches]
    assert colours == [to_rgba(c) for c in expected]


def test_show_bboxes_labels(picture, d2l):
    boxes = [[i * 30, 20, i * 30 + 20, 60] for i in range(3)]

    def texts(labels):
        for text in list(picture.texts):
            text.remove()
        show_bboxes(picture, boxes, labels)
        return [text.get_text() for text in picture.texts]

    assert texts(["dog", None, 0.5]) == ["dog", "0.5"]
    assert texts(["dog"]) == ["dog"]
    assert texts("cat") == ["cat"] * 3
    assert texts(0) == ["0"] * 3
    assert texts(np.array([1, 2, 3])) == ["1", "2", "3"]
    assert texts([d2l.tensor(0.5), d2l.tensor(1.0)]) == ["0.5", "1.0"]
    assert texts(d2l.tensor(0.25)) == ["0.25"] * 3


@pytest.mark.parametrize("color", [*"bgrmcykw", "lime", "navy", "0.5", (1.0, 0.8, 0.2)])
def test_label_can_be_read_on_its_colour(color, picture):
    show_bboxes(picture, [[10, 10, 50, 50]], "dog", color)
    (text,) = picture.texts
    assert text.get_bbox_patch().get_facecolor() == to_rgba(color)

    def luminance(c):  # as defined by the WCAG
        rgb = np.array(to_rgba(c)[:3])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    low, high = sorted([luminance(color), luminance(text.get_color())])
    assert (high + 0.05) / (low + 0.05) > 3
    if color in ("w", "k"):
        assert text.get_color() == {"w": "k", "k": "w"}[color]


BORDER = [
    [-20, -30, 20, 20],
    [90, -10, 120, 20],
    [80, 70, 130, 95],
    [-30, 60, 10, 100],
    [0, 0, 100, 80],
    [99, 79, 100, 80],
    [150, 10, 180, 30],
    [-90, 40, -50, 60],
]


@pytest.mark.parametrize("box", BORDER)
@pytest.mark.parametrize("figsize", [(3.5, 2.5), (7, 2), (1, 1)])
def test_label_of_a_box_at_or_beyond_the_border_is_inside(box, figsize):
    figure, axes = plt.subplots(figsize=figsize)
    axes.imshow(np.zeros((80, 100, 3)))
    show_bboxes(axes, [box], "banana=0.98")
    figure.canvas.draw()
    assert_inside(axes)


def test_label_stands_at_its_box(picture):
    show_bboxes(picture, [[20, 40, 50, 70]], "dog")
    picture.figure.canvas.draw()
    (extent,) = labels_of(picture)
    x, y = picture.transData.transform((20, 40))
    assert extent.x0 == pytest.approx(x, abs=1)
    assert extent.y0 == pytest.approx(y, abs=1), "on the upper edge"


def test_label_wider_than_the_axes_is_made_to_fit():
    figure, axes = plt.subplots(figsize=(1.2, 1.2))
    axes.imshow(np.zeros((80, 100, 3)))
    show_bboxes(axes, [[10, 10, 50, 50]], "a label of more than thirty letters")
    figure.canvas.draw()
    assert_inside(axes)


def test_labels_of_a_grid_are_inside_at_any_resolution(tmp_path):
    axes = show_images([np.zeros((80, 100, 3))] * 5, 2, 3, titles=list("abcde"))
    for ax in axes[:5]:
        show_bboxes(ax, BORDER[:3], ["banana=0.98", "cat=0.5", "dog"])
    for dpi in (60, 200):
        axes[0].figure.savefig(tmp_path / "x.png", dpi=dpi, bbox_inches="tight")
    axes[0].figure.canvas.draw()
    for ax in axes:
        assert_inside(ax)


def test_labels_do_not_change_the_size_of_the_saved_figure(tmp_path):
    def size(labels):
        axes = plt.figure(figsize=(2, 2)).subplots()
        axes.imshow(np.zeros((80, 100, 3)))
        show_bboxes(axes, BORDER, labels)
        return pixels(show("x")).shape

    assert size("far outside the axes") == size(None)


def test_labels_take_no_room_from_the_images():
    axes = show_images([np.zeros((80, 100, 3))] * 2, 1, 2)
    axes[0].figure.canvas.draw()
    before = [ax.get_position().bounds for ax in axes]
    show_bboxes(axes[1], BORDER, "far outside the axes")
    axes[0].figure.canvas.draw()
    np.testing.assert_allclose([ax.get_position().bounds for ax in axes], before)


def test_show_bboxes_leaves_out_boxes_that_are_not_finite(picture):
    boxes = [[1, 2, 3, 4], [np.nan, 0, 1, 1], [0, 0, np.inf, 1], [5, 6, 7, 8]]
    with pytest.warns(UserWarning, match="2 of 4 boxes left out"):
        show_bboxes(picture, boxes, list("abcd"))
    assert [text.get_text() for text in picture.texts] == ["a", "d"]
    assert picture.patches[1].get_edgecolor() == to_rgba("m"), "the fourth colour"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bboxes": [[1, 2, 3]]}, ValueError, r"shape \(n, 4\).*got \(1, 3\)"),
        ({"bboxes": np.zeros((2, 2, 4))}, ValueError, r"got \(2, 2, 4\)"),
        ({"bboxes": [["a", "b", "c", "d"]]}, TypeError, "bboxes"),
        ({"labels": ["a", "b"]}, ValueError, "each of 1 boxes, got 2"),
        ({"colors": "blu"}, ValueError, "got 'blu'"),
        ({"colors": ["b", 5]}, ValueError, "got 5"),
        ({"axes": [1]}, TypeError, r"axes: expected one .*got builtins\.list"),
    ],
)
def test_show_bboxes_refuses(change, error, message, picture, d2l):
    arguments = {"axes": picture, "bboxes": [[1, 2, 3, 4]]} | change
    with pytest.raises(error, match=message):
        show_bboxes(**arguments)
    assert not picture.patches


# Axes and sizes


def test_set_figsize_holds_for_new_figures():
    set_figsize((5, 1.5))
    np.testing.assert_allclose(plt.figure().get_size_inches(), (5, 1.5))
    set_figsize()
    np.testing.assert_allclose(plt.figure().get_size_inches(), (3.5, 2.5))


@pytest.mark.parametrize("size", [5, (1, 2, 3), (0, 1), (1, "a"), (1, np.nan)])
def test_set_figsize_refuses(size):
    with pytest.raises((TypeError, ValueError), match=r"^figsize: expected .*got"):
        set_figsize(size)


def test_set_axes():
    axes = plt.figure().subplots()
    axes.plot([1, 10], [1, 100])
    axes.plot([1, 10], [2, 50])
    set_axes(axes, "x", "y", [1, 10], (0.1, 1000), "linear", "log", ["a", "b"])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    assert (axes.get_xlim(), axes.get_ylim()) == ((1, 10), (0.1, 1000))
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_xgridlines()[0].get_visible()


def test_set_axes_without_limits_and_legend():
    axes = plt.figure().subplots()
    axes.plot([1, 3], [5, 5])
    set_axes(axes, None, None, None, None, "linear", "linear", None)
    assert axes.get_xlabel() == axes.get_ylabel() == ""
    assert axes.get_legend() is None
    low, high = axes.get_xlim()
    assert low <= 1 < 3 <= high


def test_set_axes_of_a_single_epoch():
    axes = plt.figure().subplots()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        set_axes(axes, "epoch", "loss", [1, 1], None, "linear", "linear", None)
    assert axes.get_xlim() == (0.5, 1.5)
    with pytest.raises(ValueError, match=r"ylim: expected \(low, high\)"):
        set_axes(axes, "epoch", "loss", None, [1], "linear", "linear", None)


# Animator


def data(line):
    return list(zip(*map(list, line.get_data()), strict=True))


def test_animator_lines():
    animator = Animator("epoch", "loss", legend=["a", "b"], xlim=[1, 3])
    animator.add(1, (0.5, None))
    animator.add(2, [0.4, 3])
    animator.add(3, (None, 2.0))
    assert [data(line) for line in animator.axes[0].lines] == [
        [(1.0, 0.5), (2.0, 0.4)],
        [(2.0, 3.0), (3.0, 2.0)],
    ]
    legend = animator.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["a", "b"]
    assert animator.axes[0].get_xlim() == (1, 3)
    low, high = animator.axes[0].get_ylim()
    assert low < 0.4 < 3 < high < 10


def test_animator_scalars_of_all_kinds(d2l):
    animator = Animator()
    animator.add(0, 1)
    animator.add(np.int64(1), np.float32(2))
    animator.add(d2l.tensor(2.0), d2l.tensor(3.0))
    animator.add(3.0, [d2l.tensor([4.0])])
    (line,) = animator.axes[0].lines
    assert data(line) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    animator.add(4, d2l.tensor([5.0, 6.0]))
    animator.add([5, 6], [7, 8])
    assert data(animator.axes[0].lines[0])[-2:] == [(4, 5), (5, 7)]
    assert data(animator.axes[0].lines[1]) == [(4, 6), (6, 8)]


def test_animator_formats_start_again():
    animator = Animator(fmts=("k-", "r:"), legend="first")
    animator.add(0, [1, 2, 3])
    lines = animator.axes[0].lines
    assert [line.get_color() for line in lines] == ["k", "r", "k"]
    assert [line.get_linestyle() for line in lines] == ["-", ":", "-"]
    assert len(animator.axes[0].get_legend().get_texts()) == 1


def test_animator_shows_a_single_point():
    animator = Animator(fmts=("k-", "ro"), xlim=[0, 2], ylim=[0, 2])
    animator.add(1, [1, None])
    black = (pixels(show("x")) < 90).all(axis=2)
    rows, columns = black.shape
    assert black[
        rows // 3 : rows // 2 + 10, columns // 2 - 20 : columns // 2 + 60
    ].any()
    animator.add(2, [1, 1])
    markers = [line.get_marker() for line in animator.lines]
    assert markers == ["", "o"], "a line needs none, a chosen one stays"


def test_animator_with_a_value_that_is_not_finite():
    animator = Animator()
    for i, value in enumerate([1.0, np.nan, np.inf, 2.0]):
        animator.add(i, value)
    assert pixels(show("x")).min() < 128
    low, high = animator.axes[0].get_ylim()
    assert -1 < low < 1 < 2 < high < 3


def test_animator_axes_and_size():
    animator = Animator(nrows=2, ncols=3, figsize=(7, 2.5))
    assert animator.axes.shape == (6,)
    np.testing.assert_allclose(animator.fig.get_size_inches(), (7, 2.5))
    assert Animator().axes.shape == (1,)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1, 2, 3], r"as many as in y \(3\), got 2"),
        (1, [np.zeros(2)], r"y\[0\]: expected one number or None, got shape \(2,\)"),
    ],
)
def test_animator_refuses(x, y, message):
    animator = Animator()
    with pytest.raises(ValueError, match=message):
        animator.add(x, y)
    assert not animator.lines
    with pytest.raises(ValueError, match="fmts"):
        Animator(fmts=[])


def test_animator_draws_nothing_before_the_end_and_then_one_file(tmp_path, monkeypatch):
    drawn = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda *a: (drawn.append(a[0]), draw(*a))[1])
    animator = Animator()
    for i in range(50):
        animator.add(i, i)
    assert not drawn
    assert not list(tmp_path.iterdir())
    show("curves")
    assert set(drawn) == {animator.fig}
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_animator_becomes_the_current_figure(tmp_path):
    animator = Animator()
    images = show_images([np.zeros((4, 4))], 1, 1)[0].figure
    animator.add(1, 1)
    assert plt.gcf() is animator.fig
    show("curves")
    assert plt.gcf() is images


def test_animator_goes_on_after_show(tmp_path):
    animator = Animator()
    animator.add(1, 1)
    first = pixels(show("first"))
    other = plt.figure()  # it gets the number of the closed one
    animator.add(2, 3)
    second = pixels(show("second"))
    assert data(animator.lines[0]) == [(1, 1), (2, 3)]
    assert (first != second).any() if first.shape == second.shape else True
    assert plt.get_fignums() == [other.number]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.png", "second.png"]


# show in a script


def test_show_writes_the_picture_with_its_box(tmp_path, capsys):
    figure = plt.figure(figsize=(4, 4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.full((100, 100, 3), 255, np.uint8))
    axes.set_axis_off()
    show_bboxes(axes, [[25, 50, 75, 90]], colors="r")
    path = show("box")
    assert path == tmp_path / "box.png"
    assert str(path) in capsys.readouterr().out
    assert not plt.get_fignums()
    image = pixels(path)
    red = (image[..., 0] > 200) & (image[..., 1:] < 100).all(axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    height, width = red.shape
    # Pixel i covers i − ½ to i + ½; the picture has a margin of 0.1 of 4 + 2 · 0.1 inches.
    expected = (4 * (np.array([25, 50, 75, 90]) + 0.5) / 100 + 0.1) / 4.2
    np.testing.assert_allclose(
        [columns[0] / width, rows[0] / height, columns[-1] / width, rows[-1] / height],
        expected,
        atol=0.01,
    )
    assert not red[
        rows[0] + 15 : rows[-1] - 15, columns[0] + 15 : columns[-1] - 15
    ].any()


def test_show_numbers_figures_without_a_name(tmp_path):
    for _ in range(2):
        plt.figure()
        show()
    plt.figure()
    show("named.png")
    plt.figure()
    assert show() == tmp_path / "figure-3.png"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["figure-1.png", "figure-2.png", "figure-3.png", "named.png"]
    set_output(tmp_path / "new" / "folder")
    plt.figure()
    assert show() == tmp_path / "new" / "folder" / "figure-1.png"


def test_show_without_a_figure_warns():
    with pytest.warns(UserWarning, match="no open figure"):
        assert show("nothing") is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", 5])
def test_show_refuses_a_name_that_is_none(name):
    plt.figure()
    with pytest.raises(ValueError, match="name: expected a file name"):
        show(name)
    assert plt.get_fignums(), "the figure is still there"


def test_set_output_refuses_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="folder: expected a folder"):
        set_output(tmp_path / "file")


ROOT = Path(__file__).parents[2]


def script(code, folder, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


SCRIPT = f"""
import sys
import numpy as np
import d2lcv.figures as d2l
d2l.use_svg_display()
axes = d2l.show_images([np.zeros((8, 8))], 1, 1)
d2l.show_bboxes(axes[0], [[1, 1, 5, 5]], "dog")
d2l.show("box")
animator = d2l.Animator()
animator.add([1, 2], [1, 2])
d2l.plt.figure()
loaded = {{m.partition(".")[0] for m in sys.modules}}
unwanted = {FRAMEWORKS | {"IPython", "of_a_notebook"}}
print("loaded:", sorted(loaded & unwanted), d2l.plt.get_backend().lower())
"""


@pytest.mark.parametrize("backend", [None, "TkAgg", "module://of_a_notebook"])
@pytest.mark.once
def test_a_script_needs_no_display_no_ipython_and_no_framework(backend, tmp_path):
    environment = {} if backend is None else {"MPLBACKEND": backend}
    (tmp_path / "of_a_notebook.py").write_text("import IPython")
    done = script(SCRIPT, tmp_path, DISPLAY="", **environment)
    assert done.returncode == 0, done.stderr
    assert "loaded: [] agg" in done.stdout
    # The curves were never shown: they are saved at the end, the empty figure is not.
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["box.png", "figure-1.png"]
    assert done.stdout.count("figure: ") == 2


@pytest.mark.once
def test_a_script_that_fails_keeps_its_curves(tmp_path):
    code = "import d2lcv.figures as f; f.Animator().add(1, 1); raise SystemExit(3)"
    assert script(code, tmp_path).returncode == 3
    assert (tmp_path / "out" / "figure-1.png").exists()


@pytest.mark.once
@pytest.mark.parametrize(
    "drawn",
    [
        "show_bars(['cat'], {'AP': [0.5]}, 'x')",
        "show_lines({'cat': ([0, 1], [1, 0])}, 'x', 'y')",
        "show_matrix([[1, 0], [2, 3]], ['cat', 'dog'])",
    ],
)
def test_charts_that_a_script_never_showed_are_written(tmp_path, drawn):
    done = script(f"from d2lcv.figures.charts import *; {drawn}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "figure-1.png").exists()


# show in a notebook


class Notebook:
    """What there is of IPython in a kernel, as far as figures are concerned."""

    def __init__(self, monkeypatch):
        self.events, self.kernel = self, object()
        self.hooks, self.cell, self.updates = [], [], 0
        package = types.ModuleType("IPython")
        # Matplotlib asks for these.
        package.version_info = 9, 0
        package.core = types.ModuleType("IPython.core")
        package.core.pylabtools = types.ModuleType("IPython.core.pylabtools")
        package.get_ipython = lambda: self
        package.display = types.ModuleType("IPython.display")
        package.display.display = self.display
        package.display.Image = lambda data: ("png", data)
        package.display.SVG = lambda data: ("svg", data)
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", package.display)
        monkeypatch.setitem(sys.modules, "IPython.core", package.core)

    def display(self, picture, display_id):
        assert display_id is True
        self.cell.append(picture)
        place = len(self.cell) - 1
        return types.SimpleNamespace(update=lambda new: self.update(place, new))

    def update(self, place, picture):
        self.cell[place] = picture
        self.updates += 1

    def register(self, event, hook):
        assert event == "post_execute"
        self.hooks.append(hook)

    def unregister(self, event, hook):
        self.hooks.remove(hook)

    def end_cell(self):
        for hook in list(self.hooks):
            hook()
        assert not self.hooks
        cell, self.cell = self.cell, []
        return cell


@pytest.fixture
def notebook(monkeypatch):
    return Notebook(monkeypatch)


def test_show_in_a_notebook_displays_and_closes(notebook, tmp_path, capsys):
    show_images([np.zeros((4, 4))], 1, 1)
    assert show("name") is None
    ((kind, picture),) = notebook.end_cell()
    assert kind == "png"
    assert picture.startswith(b"\x89PNG")
    assert not plt.get_fignums()
    assert not list(tmp_path.iterdir())
    assert not capsys.readouterr().out
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        show()
    assert not notebook.end_cell()


def test_svg_in_a_notebook(notebook, monkeypatch):
    formats = []
    inline = types.ModuleType("matplotlib_inline.backend_inline")
    inline.set_matplotlib_formats = formats.append
    monkeypatch.setitem(
        sys.modules, "matplotlib_inline", types.ModuleType("matplotlib_inline")
    )
    monkeypatch.setitem(sys.modules, "matplotlib_inline.backend_inline", inline)
    use_svg_display()
    assert formats == ["svg"]
    plt.figure().subplots().plot([1, 2])
    show()
    ((kind, picture),) = notebook.end_cell()
    assert kind == "svg"
    assert "</svg>" in picture


def test_animator_in_a_notebook_redraws_in_one_place(notebook, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("d2lcv.figures.curves.time.perf_counter", lambda: clock[0])
    animator = Animator()
    assert not plt.get_fignums(), "else the notebook would show it a second time"
    animator.add(0, 0)
    assert len(notebook.cell) == 1
    first = notebook.cell[0]
    for i in range(1, 100):
        clock[0] += 0.01
        animator.add(i, i)
    assert 2 <= notebook.updates <= 5, "a few times in this second"
    updates = notebook.updates
    (last,) = notebook.end_cell()
    assert notebook.updates == updates + 1, "the last points are drawn"
    assert last != first


def test_animator_in_a_notebook_is_shown_where_it_is_asked_for(notebook):
    animator = Animator()
    animator.add(0, 0)
    show("curves")
    assert notebook.updates == 1
    assert len(notebook.end_cell()) == 1
    show("curves")
    assert not notebook.end_cell(), "it has been shown"
    animator.add(1, 1)
    assert len(notebook.end_cell()) == 1, "a new cell has its own picture"


def test_a_console_of_ipython_is_no_notebook(notebook, tmp_path):
    notebook.kernel = None
    plt.figure()
    assert show("x") == tmp_path / "x.png"
