"""The canvas and the places: light, shadows, occlusion, masks."""

import numpy as np
import pytest

from d2lcv.drawn.backdrops import PLACES, Scene
from d2lcv.drawn.canvas import TILE, Canvas, mottle, texture

pytestmark = pytest.mark.once
SUN = (-0.6, -0.8)  # from the upper left


def empty(height=80, width=120):
    grey = np.full((3, height, width), 200, np.float32)
    return Scene(np.random.default_rng(0), grey, -10.0, SUN)


def square(scene, length, colour=(90, 60, 40)):
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    return scene.drawn(lambda c: c.polygon(corners, colour, 0), length)


def extent(mask):
    y, x = np.nonzero(mask)
    return x.min(), y.min(), x.max() + 1, y.max() + 1


def test_a_thing_stands_where_it_is_put():
    scene = empty()
    assert scene.put(square(scene, 40), 60, 70) == 1  # 20 pixels wide and high
    x1, y1, x2, y2 = extent(scene.owner == 1)
    assert abs(x1 - 50) <= 1 and abs(x2 - 70) <= 1
    assert abs(y1 - 50) <= 1 and abs(y2 - 70) <= 1
    np.testing.assert_allclose(scene.picture[:, 60, 60], (90, 60, 40))


def test_what_is_put_later_hides_what_it_covers():
    scene = empty()
    first = scene.put(square(scene, 40), 60, 60)
    whole = (scene.owner == first).sum()
    other = square(scene, 40)
    expected = scene.hidden(other, 70, 60, first)
    second = scene.put(other, 70, 60)
    left = (scene.owner == first).sum()
    assert expected == pytest.approx(1 - left / whole) == pytest.approx(0.5, abs=0.06)
    assert (scene.owner == second).sum() == whole


@pytest.mark.parametrize("x,y", [(0, 60), (119, 80), (60, 5), (-90, 40), (60, 300)])
def test_what_leaves_the_picture_is_cut(x, y):
    scene = empty()
    scene.put(square(scene, 60), x, y)
    assert scene.picture.shape == (3, 80, 120) and (scene.owner > 0).mean() < 0.1


@pytest.mark.parametrize("lies", [False, True])
def test_shadows_fall_away_from_the_sun(lies):
    scene = empty()
    scene.put(square(scene, 50), 60, 70, lies=lies)
    x1, y1, x2, y2 = extent(scene.owner == 1)
    lost = 200 - scene.picture[0]
    left, right = lost[y1:y2, x1 - 8 : x1 - 1], lost[y1:y2, x2 + 1 : x2 + 8]
    assert right.mean() > 2 * left.mean() and right.max() > 10
    before = scene.picture.copy()
    scene.put(square(scene, 1), 5, 5, shadow=0)
    assert (before[:, 20:] == scene.picture[:, 20:]).all()


def test_what_is_nearer_is_larger():
    scene = PLACES["meadow"](np.random.default_rng(4), (90, 120))
    near = [scene.near(y) for y in range(90)]
    assert near == sorted(near) and scene.near(90) == 1


def test_a_bulging_part_is_bright_towards_the_sun():
    bright = []
    for sun in (SUN, (0.6, -0.8)):
        c = Canvas(np.random.default_rng(0), 80, sun=sun)
        c.ellipse((0, 0), (0.9, 0.9), (120, 120, 120), 0.4, gloss=0.5)
        colour = c.sprite().colour[..., 0]
        middle = colour.shape[1] // 2
        bright.append(colour[:, :middle].mean() > colour[:, middle:].mean())
    assert bright == [True, False]


@pytest.mark.parametrize("name", PLACES)
def test_places(name):
    for shape in ((40, 64), (96, 60)):
        one, two = (
            PLACES[name](np.random.default_rng(7), shape).photograph() for _ in range(2)
        )
        assert one.shape == (*shape, 3) and one.dtype == np.uint8
        np.testing.assert_array_equal(one, two)
        assert one.std() > 4


def test_a_texture_can_be_tiled():
    values = texture(20, 5)
    inside = np.abs(np.diff(values, axis=1)).mean()
    assert np.abs(values[:, 0] - values[:, -1]).mean() < 1.3 * inside
    assert values.shape == (TILE, TILE) and abs(values.std() - 1) < 0.01
    along = np.abs(np.diff(values, axis=0)).mean()
    assert along > 2 * inside  # the grain is longer from left to right


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_mottle_covers_its_share(share):
    u, v = np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-1, 1, 200))
    weight = mottle(np.random.default_rng(3), 0.08, share, 20)
    assert weight(u, v).mean() == pytest.approx(share, abs=0.06)
