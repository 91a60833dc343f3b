"""The style transfer chapter from its start to its end, on small pictures."""

import numpy as np
import pytest
from chapter_runs import Run
from PIL import Image

from d2lcv.drawn.painting import autumn_painting
from d2lcv.drawn.scene import cat_and_dog


@pytest.mark.chapter("neural_style")
def test_result(run):
    metrics = run.result["metrics"]
    ratio = metrics["style_loss_before"] / metrics["style_loss"]
    assert metrics["style_ratio"] == pytest.approx(ratio) and ratio >= 10
    # nearer to the style than it was far from it, and not far from the content
    assert 0 < metrics["content_loss"] < metrics["style_loss_before"] / 4
    assert "network: random filters" in run.output
    assert "content: drawn" in run.output and "style: drawn" in run.output
    assert "def gram" in run.output and "def compute_loss" in run.output


@pytest.mark.chapter("neural_style")
def test_picture(run):
    """Its colours are the style's, its shapes the content's."""
    with Image.open(run.folder / "picture.png") as image:
        result = np.asarray(image.convert("RGB")).astype(float)
    assert result.shape == (72, round(72 * 728 / 561), 3)
    assert "a picture again: (72, 93, 3)" in run.output
    content, style = (
        np.asarray(Image.fromarray(img).resize((93, 72))).astype(float)
        for img in (cat_and_dog(), autumn_painting())
    )

    def colour_distance(a, b):
        a, b = (x.reshape(-1, 3) for x in (a, b))
        means = np.abs(a.mean(0) - b.mean(0)).sum()
        return means + np.abs(a.std(0) - b.std(0)).sum()

    assert colour_distance(result, style) < 0.6 * colour_distance(content, style)
    edges = [np.hypot(*np.gradient(x.mean(2)))[4:-4, 4:-4] for x in (result, content)]
    assert np.corrcoef(*(e.reshape(-1) for e in edges))[0, 1] > 0.3


@pytest.mark.chapter("neural_style")
def test_own_pictures_and_weights(d2l, tmp_path):
    """A whole VGG-19 from a file; with the book's shape of the picture."""
    d2l.seed(8)
    weights = d2l.save_weights(d2l.VGG19(29), tmp_path / "vgg.safetensors")
    for name, colour in (("red", (250, 40, 30)), ("blue", (30, 60, 240))):
        picture = np.full((50, 70, 3), colour, np.uint8)
        picture[10:30, 20:40] = 90
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pictures = ("--content", "../red.png", "--style", str(tmp_path / "blue.png"))
    size = ("--image-height", "32", "--image-width", "48", "--num-steps", "2")
    options = (*pictures, *size, "--weights", str(weights))
    run = Run("neural_style", tmp_path / "out", *options).finished()
    assert f"network: VGG-19, its weights from {weights}" in run.output
    assert "content: ../red.png (50, 70, 3)" in run.output
    assert "for the network: (1, 3, 32, 48)" in run.output
    assert "content features: [(1, 512, 4, 6)]" in run.output


@pytest.mark.once
def test_missing_weights(d2l, tmp_path):
    run = Run("neural_style", tmp_path / "out", "--weights", "none.file")
    assert run.status != 0 and "none.file" in run.errors.splitlines()[-1]
