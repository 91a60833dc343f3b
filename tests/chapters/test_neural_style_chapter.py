"""The style transfer chapter from its start to its end, on small pictures."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
FIGURES = [
    *("pictures", "gram", "curves", "stages", "result", "content-weight"),
    "other-choices",
]


def run(d2l, folder, *options):
    return subprocess.run(
        [
            *(sys.executable, str(ROOT / "chapters" / "neural_style.py")),
            *("--out", str(folder / "out"), "--code", *options),
        ],
        cwd=folder,  # the script finds nothing by accident
        env={**os.environ, "D2L_BACKEND": d2l.backend_name(), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )


@pytest.fixture(scope="module")
def chapter(d2l, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chapter")
    done = run(
        d2l, folder, "--num-steps", "40", "--image-height", "72", "--exercises", "true"
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / "out", done.stdout


def test_result(d2l, chapter):
    folder, output = chapter
    result = json.loads((folder / "result.json").read_text())
    assert result["chapter"] == "neural_style" and result["preset"] == "quick"
    assert result["backend"] == d2l.backend_name() and result["examples_per_sec"] > 0
    metrics = result["metrics"]
    ratio = metrics["style_loss_before"] / metrics["style_loss"]
    assert metrics["style_ratio"] == pytest.approx(ratio) and ratio >= 10
    # nearer to the style than it was far from it, and not far from the content
    assert 0 < metrics["content_loss"] < metrics["style_loss_before"] / 4
    assert "network: random filters" in output
    assert "content: drawn" in output and "style: drawn" in output
    assert "def gram" in output and "def compute_loss" in output


def test_picture(chapter):
    """Its colours are the style's, its shapes the content's."""
    from d2lcv.drawn.painting import autumn_painting
    from d2lcv.drawn.scene import cat_and_dog

    folder, output = chapter
    with Image.open(folder / "picture.png") as image:
        result = np.asarray(image.convert("RGB")).astype(float)
    assert result.shape == (72, round(72 * 728 / 561), 3)
    assert "a picture again: (72, 93, 3)" in output
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


@pytest.mark.parametrize("name", FIGURES)
def test_figure(chapter, name):
    folder, output = chapter
    assert f"{name}.png" in output
    pixels = np.asarray(Image.open(folder / f"{name}.png").convert("RGB")).astype(int)
    assert pixels.shape[0] > 100 and pixels.shape[1] > 200
    assert pixels.std() > 3


def test_own_pictures_and_weights(d2l, tmp_path):
    """A whole VGG-19 from a file; with the book's shape of the picture."""
    d2l.seed(8)
    weights = d2l.save_weights(d2l.VGG19(29), tmp_path / "vgg.safetensors")
    for name, colour in (("red", (250, 40, 30)), ("blue", (30, 60, 240))):
        picture = np.full((50, 70, 3), colour, np.uint8)
        picture[10:30, 20:40] = 90
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pictures = ("--content", "red.png", "--style", str(tmp_path / "blue.png"))
    size = ("--image-height", "32", "--image-width", "48", "--num-steps", "2")
    done = run(d2l, tmp_path, *pictures, *size, "--weights", weights)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert f"network: VGG-19, its weights from {weights}" in done.stdout
    assert "content: red.png (50, 70, 3)" in done.stdout
    assert "for the network: (1, 3, 32, 48)" in done.stdout
    assert "content features: [(1, 512, 4, 6)]" in done.stdout


@pytest.mark.once
def test_missing_weights(d2l, tmp_path):
    done = run(d2l, tmp_path, "--weights", "none.file")
    assert done.returncode != 0 and "none.file" in done.stderr.splitlines()[-1]


def test_text_has_its_parts():
    """A summary, exercises, a solution; prose before every piece of code."""
    text = (ROOT / "chapters" / "neural_style.py").read_text(encoding="utf-8")
    for part in ("# ## Summary", "# ## Exercises", "# ### Answer"):
        assert part in text, part
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    kinds = "".join("p" if c.startswith(" [markdown]") else "c" for c in cells)
    assert kinds[0] == "p" and "cccc" not in kinds
