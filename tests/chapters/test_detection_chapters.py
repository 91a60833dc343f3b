"""The chapters about boxes from end to end: what they print, draw and report.

Each runs in a process of its own, as a reader runs it, on the active backend. The numbers
they print are held against the worked examples.
"""

import re

import numpy as np
import pytest
from chapter_runs import Run, near, parse
from PIL import Image

from d2lcv.proof.inputs import WORKED


def test_parse_value():
    text = "a: (1, 5444, 4)\nb:\n[[1.  -2.5]\n [ 3e-06 0.]]\nc: [4]\n"
    assert parse(text, "a:").tolist() == [1, 5444, 4]
    assert parse(text, "b:").tolist() == [1, -2.5, 3e-6, 0]
    with pytest.raises(AssertionError, match="not printed"):
        parse(text, "d:")
    with pytest.raises(AssertionError, match="twice"):
        parse(text + text, "a:")
    with pytest.raises(AssertionError, match="no numbers"):
        parse("a: none\nb: [1]", "a:")


# ---- the numbers ---------------------------------------------------------------------


@pytest.mark.chapter("bounding_box")
def test_bounding_box_values(run):
    worked = WORKED["box_corner_to_center"]
    near(run.values("corners:"), worked["boxes"], 0)
    near(run.values("centres:"), worked["expected"], 0)
    near(run.values("\nround trip:"), worked["boxes"], 0)
    assert "largest error of the round trip: 0.0" in run.output
    near(run.values("mirrored:")[:4], [728 - 378, 45, 728 - 60, 516], 0)
    near(run.values("around both:"), [60, 45, 655, 516], 0)


@pytest.mark.once
def test_bounding_box_of_a_photograph(d2l, tmp_path):
    photo = np.full((561, 728, 3), (200, 30, 90), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    run = Run("bounding_box", tmp_path / "out", "--image", str(tmp_path / "photo.png"))
    with Image.open(tmp_path / "out" / "picture.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels == (200, 30, 90)).all(axis=2).mean() > 0.5
    near(run.values("centres:"), WORKED["box_corner_to_center"]["expected"], 0)


@pytest.mark.chapter("anchor")
def test_anchor_values_of_priors_and_iou(run):
    worked = WORKED["multibox_prior"]
    near(run.values("anchors:"), worked["shape"], 0)
    near(run.values("anchors of pixel (250, 250):"), worked["at_row250_col250"])
    expected = WORKED["box_iou"]["expected"]
    near(run.values("IoU of the anchors with dog and cat:"), expected)


@pytest.mark.chapter("anchor")
def test_anchor_values_of_the_assignment(run):
    near(run.values("after the first pass:"), [-1, -1, 1, -1, 1], 0)
    picks = re.findall(r"largest IoU left ([\d.]+): anchor (\d) → (\w+)", run.output)
    assert picks == [("0.745908", "4", "cat"), ("0.141723", "1", "dog")]
    struck = [line for line in run.output.splitlines() if "–" in line]
    assert sum(line.count("–") for line in struck) == 6 + 10
    expected = WORKED["assign_anchor_to_bbox"]["expected"]
    near(run.values("after the second pass:"), expected, 0)
    near(run.values("assign_anchor_to_bbox:"), expected, 0)


@pytest.mark.chapter("anchor")
def test_anchor_values_of_the_targets(run):
    worked = WORKED["multibox_target"]
    near(run.values("\noffsets:"), worked["bbox_offset"])
    near(run.values("\nmasks:"), worked["bbox_mask"], 0)
    near(run.values("\nclasses:"), worked["class_labels"], 0)
    dog = np.array(worked["bbox_offset"])[0, 4:8]
    near(run.values("anchor 1 → dog, by hand:"), dog)
    near(run.values("anchor 1 → dog, offset_boxes:"), dog)


@pytest.mark.chapter("anchor")
def test_anchor_values_of_the_detection(run):
    near(run.values("detections:"), WORKED["multibox_detection"]["expected"])
    near(run.values("kept by hand:"), [0, 3], 0)
    near(run.values("kept by nms:"), [0, 3], 0)
    assert re.findall(r"box 0 is taken; box (\d) .*: (\w+)", run.output) == [
        ("3", "stays"),
        ("1", "goes"),
        ("2", "goes"),
    ]
    assert "soft-NMS, gaussian: boxes [0 3 2 1]" in run.output
    for function in ("nms", "box_iou", "multibox_target", "box_corner_to_center"):
        assert run.output.count(f"def {function}(") == 1, function


@pytest.mark.chapter("anchor")
def test_anchor_values_of_the_exercises(run):
    near(run.values("IoU with the moved square and with the half:"), [0.5, 0.5])
    near(run.values("whatever the class:"), [0], 0)
    near(run.values("within each class: "), [0, 1], 0)
    assert "threshold 0.5: [-1  0  1 -1  1]" in run.output
    dogs = re.findall(r"r = [\d.]+: IoU with the dog ([\d.]+)", run.output)
    assert dogs == ["0.68", "0.49", "0.13", "0.41", "0.66"]
    by_hand = re.search(r"soft-NMS by hand: .*", run.output)[0]
    assert by_hand.endswith("[(0, 0.9), (3, 0.9), (2, 0.380703), (1, 0.121892)]")
    near(
        run.values("soft-NMS, gaussian: boxes [0 3 2 1] scores"),
        [0.9, 0.9, 0.380703, 0.121892],
    )


@pytest.mark.chapter("multiscale_object_detection")
@pytest.mark.parametrize(("side", "scale"), [(4, 0.15), (2, 0.4), (1, 0.8)])
def test_multiscale_values(run, side, scale):
    worked = WORKED[f"multiscale_prior_{side}x{side}"]["expected_for_unit_aspect"]
    count = len(worked[0])
    assert f"map of {side} × {side}, scale {scale}: {count} anchors" in run.output
    near(run.values(f"the first pixel's, scale {scale}:"), np.ravel(worked[0][:3]))
    assert count == 3 * side**2


@pytest.mark.chapter("multiscale_object_detection")
def test_multiscale_values_of_the_exercises(run):
    assert "5444 anchors, 4096 of them (75%) first" in run.output
    best = dict(
        re.findall(r"^(.*): best for objects of size ([\d.]+),", run.output, re.M)
    )
    assert "class scores: map (1, 44, 8, 8), flattened (1, 2816)" in run.output
    assert "offsets: map (1, 16, 8, 8), flattened (1, 1024)" in run.output
    assert run.output.count("def multibox_prior(") == 1
    sizes = [float(size) for size in best.values()]
    assert len(sizes) == 3 and sizes == sorted(sizes)  # each scale has its own range


@pytest.mark.chapter("object_detection_dataset")
def test_dataset_values(run):
    assert "a batch: (32, 3, 256, 256) (32, 1, 5)" in run.output
    assert "40 pictures for training, 8 for validation" in run.output
    assert "own batch: (2, 3, 96, 128) (2, 2, 5)" in run.output
    own = run.values("own labels:").reshape(2, 2, 5)
    near(own[1, 1], [-1, 0, 0, 0, 0], 0)
    near(own[0, 0], [0, 20 / 128, 30 / 96, 60 / 128, 70 / 96], 1e-4)
    mirrored = run.values("mirrored labels:").reshape(2, 2, 5)
    near(mirrored[0, 0], [0, 68 / 128, 30 / 96, 108 / 128, 70 / 96], 1e-4)
    near(mirrored[1, 1], own[1, 1], 0)
    assert "largest differences of picture and label: [0.0, 0.0]" in run.output
    assert "class 0: 22% is left: removed" in run.output
    assert "class 1: 100% is left: kept" in run.output


@pytest.mark.chapter("introduction")
def test_introduction_values(run):
    # two squares of side 2, one moved by 1: they share 2 of 6
    overlap = run.result["metrics"]["overlap"]
    assert overlap == pytest.approx(1 / 3, abs=1e-6)
    assert "numbers: 36,000,000" in run.output
