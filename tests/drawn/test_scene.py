"""The drawn scene: the geometry that every number of the box chapters rests on."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import FRAMEWORKS
from PIL import Image

from d2lcv.drawn import scene


@pytest.fixture(scope="module")
def drawn():
    return scene.draw_scene()


def test_scene_shape(drawn):
    picture, masks = drawn
    assert picture.shape == (561, 728, 3) == (*scene.SCENE_SHAPE, 3)
    assert picture.dtype == np.uint8
    assert {name: mask.shape for name, mask in masks.items()} == {
        "dog": (561, 728),
        "cat": (561, 728),
    }


@pytest.mark.parametrize(
    ("animal", "box"), [("dog", (60, 45, 378, 516)), ("cat", (400, 112, 655, 493))]
)
def test_animal_fills_its_box(drawn, animal, box):
    rows, columns = np.nonzero(drawn[1][animal])
    extent = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert extent == box == getattr(scene, f"{animal.upper()}_BOX")
    # an animal, not a frame or a few specks
    x1, y1, x2, y2 = box
    assert 0.4 < drawn[1][animal].sum() / ((x2 - x1) * (y2 - y1)) < 0.95


def test_animals_can_be_told_from_each_other_and_from_the_garden(drawn):
    picture, masks = drawn
    assert not (masks["dog"] & masks["cat"]).any()
    places = {**masks, "garden": ~(masks["dog"] | masks["cat"])}
    means = {name: picture[mask].mean(axis=0) for name, mask in places.items()}
    assert means["dog"][0] - means["dog"][2] > 60  # golden
    assert np.ptp(means["cat"]) < 20  # grey
    assert np.argmax(means["garden"]) == 1  # green
    for mask in places.values():
        assert picture[mask].std() > 20


def test_scene_is_the_same_each_time(drawn):
    np.testing.assert_array_equal(scene.cat_and_dog(), drawn[0])


def test_photograph_is_used_when_given(tmp_path):
    photograph = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    shown = scene.cat_and_dog(tmp_path / "photo.png")
    np.testing.assert_array_equal(shown, photograph)
    Image.fromarray(photograph[..., 0]).save(tmp_path / "grey.png")
    assert scene.cat_and_dog(str(tmp_path / "grey.png")).shape == (30, 40, 3)


def test_photograph_exception(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"image: .*nowhere\.jpg"):
        scene.cat_and_dog("nowhere.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"image: expected a picture .*text\.jpg"):
        scene.cat_and_dog(tmp_path / "text.jpg")


def test_drawing_needs_no_framework():
    code = (
        "import sys; from d2lcv.drawn.scene import cat_and_dog; cat_and_dog();"
        f"print([m for m in {FRAMEWORKS} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
