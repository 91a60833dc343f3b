"""`d2lcv detect`: pictures, folders and JSON from the command line; torn ones are named."""

import json

import numpy as np
import pytest
from PIL import Image

from d2lcv.drawn.bananas import draw_banana
from d2lcv.run import command as cli


@pytest.fixture
def pictures(d2l, tmp_path, monkeypatch):
    """Two drawn bananas and a torn picture between them."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    boxes = {}
    for i in (0, 2):
        pixels, boxes[i], _ = draw_banana(i, "val")
        Image.fromarray(pixels).save(folder / f"{i}.png")
    whole = (folder / "0.png").read_bytes()
    (folder / "1.png").write_bytes(whole[: len(whole) // 2])
    return folder, boxes


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)


def test_folder_with_a_torn_picture(pictures, capsys):
    folder, boxes = pictures
    line = ["detect", str(folder), "--json", "--out", "out", "--threshold", "0.2"]
    assert cli.main(line) == 1  # one could not be read, the others were done
    said = capsys.readouterr()
    assert "1.png" in said.err and said.err.count("d2lcv:") == 1
    assert "looking for: banana" in said.out and "2 pictures" in said.out
    found = json.loads((folder.parent / "out" / "detections.json").read_text())
    assert [record["file"][-5:] for record in found] == ["0.png", "2.png"]
    for record in found:
        with Image.open(folder.parent / record["drawn"]) as drawn:
            assert drawn.size == (record["width"], record["height"]) == (256, 256)
        box = boxes[int(record["file"][-5])]
        bananas = [o["box"] for o in record["objects"] if o["name"] == "banana"]
        assert max(overlap(b, box) for b in bananas) > 0.5


def test_coco_results(pictures, capsys):
    folder, _ = pictures
    files = [str(folder / "0.png"), str(folder / "0.png")]
    line = ["detect", *files, "--json", "coco", "--out", "out", "--threshold", "0.2"]
    assert cli.main(line) == 0
    rows = json.loads((folder.parent / "out" / "detections.json").read_text())
    assert {row["image_id"] for row in rows} == {1, 2}
    assert (folder.parent / "out" / "0-2.png").is_file()
    for row in rows:
        assert len(row["bbox"]) == 4 and min(row["bbox"][2:]) > 0
        assert 0.2 <= row["score"] <= 1


def test_sources_that_are_not_there(pictures, capsys):
    (pictures[0].parent / "empty").mkdir()
    assert cli.main(["detect", "nowhere.png", "empty", "nowhere.mp4"]) == 1
    said = capsys.readouterr().err
    assert "nowhere.png" in said and "empty has no pictures" in said
    assert "no video nowhere.mp4" in said or "d2lcv[video]" in said


def test_weights_of_another_program(pictures, capsys):
    (pictures[0].parent / "w.safetensors").write_bytes(b"no weights at all")
    assert cli.main(["detect", "x.png", "--weights", "w.safetensors"]) == 1
    assert "not a whole safetensors file" in capsys.readouterr().err


def test_yolo_files_can_be_loaded(d2l, tmp_path):
    d2l.seed(0)
    net = d2l.TinyYOLO(2, 3)
    net.classes = ("cat", "dog")
    loaded = d2l.load(d2l.save_weights(net, tmp_path / "yolo.safetensors"))
    assert loaded.classes == ("cat", "dog") and loaded.num_boxes == 3
    for name, array in d2l.get_weights(net).items():
        np.testing.assert_array_equal(array, d2l.get_weights(loaded)[name])
    (found,) = d2l.detect(loaded, np.zeros((40, 60, 3), np.uint8), 0.0)
    assert found.boxes.shape[1] == 4 and (found.boxes <= [60, 40, 60, 40]).all()
