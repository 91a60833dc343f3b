"""`d2lcv detect` and the others: pictures, folders, videos and JSON from the command line;
what cannot be read is named."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from d2lcv.backends import REGISTRY
from d2lcv.drawn.bananas import draw_banana
from d2lcv.run import command as cli
from d2lcv.trained import DETECTOR

LAST = [*REGISTRY][-1]
ROOT = Path(__file__).parents[2]


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
    assert "looking for: banana" in said.out and ": 2, 1 could not be read" in said.out
    found = json.loads((folder.parent / "out" / "detections.json").read_text())
    assert [record["file"][-5:] for record in found] == ["0.png", "2.png"]
    for record in found:
        with Image.open(folder.parent / record["drawn"]) as drawn:
            assert drawn.size == (record["width"], record["height"]) == (256, 256)
        box = boxes[int(record["file"][-5])]
        bananas = [o["box"] for o in record["objects"] if o["name"] == "banana"]
        assert max(overlap(b, box) for b in bananas) > 0.5


@pytest.mark.once
def test_json_before_the_photograph(pictures):
    folder, _ = pictures
    Path("coco").mkdir(exist_ok=True)  # and still the name of a form
    line = ["detect", "--json", "coco", str(folder / "0.png"), "--out", "out"]
    assert cli.main(line) == 0
    file, taken = str(folder / "0.png"), []
    for most in ("0.5", "1"):  # no two boxes overlap by more than all
        line = ["detect", "--json", file, "--out", "out", "--threshold", "0.02"]
        assert cli.main([*line, "--nms-threshold", most]) == 0
        (found,) = json.loads((folder.parent / "out" / "detections.json").read_text())
        taken.append(found["objects"])
    boxes = [[o["box"] for o in objects] for objects in taken]
    assert len(boxes[0]) < len(boxes[1])
    pairs = [overlap(a, b) for i, a in enumerate(boxes[0]) for b in boxes[0][:i]]
    assert all(share <= 0.52 for share in pairs)  # rounded to pixels


@pytest.mark.once
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


@pytest.mark.once
def test_coco_numbers_the_pictures_that_were_given(pictures, capsys):
    folder, _ = pictures
    line = [
        "detect",
        str(folder),
        "--json",
        "coco",
        "--out",
        "out",
        "--threshold",
        "0.2",
    ]
    assert cli.main(line) == 1  # the second of the three is torn
    rows = json.loads((folder.parent / "out" / "detections.json").read_text())
    names = {1: "0.png", 3: "2.png"}
    assert {row["image_id"] for row in rows} == {*names}
    assert all(row["file_name"].endswith(names[row["image_id"]]) for row in rows)


@pytest.mark.once
@pytest.mark.parametrize("source", ["photos", "photos/0.png"])
def test_results_do_not_overwrite_the_sources(pictures, capsys, source):
    folder, _ = pictures
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert cli.main(["detect", source, "--out", "out/../photos"]) == 1
    assert "--out: out/../photos is the folder of" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.once
def test_sources_that_are_not_there(pictures, capsys):
    (pictures[0].parent / "empty").mkdir()
    assert cli.main(["detect", "nowhere.png", "empty", "nowhere.mp4"]) == 1
    said = capsys.readouterr().err
    assert "nowhere.png" in said and "empty has no pictures" in said
    assert "no video nowhere.mp4" in said or "opencv" in said or "[video]" in said


@pytest.mark.once
@pytest.mark.parametrize("command", ["detect", "export"])
def test_no_folder_for_the_results(pictures, capsys, command):
    """A file has its name: found out before anything is computed."""
    given, place = pictures[0] / "0.png", pictures[0] / "0.png/out"
    if command == "export":
        given, place = DETECTOR, place / "net"
    assert cli.main([command, str(given), "--out", str(place)]) == 1
    said = capsys.readouterr()
    assert "cannot make the folder" in said.err and ".png:" not in said.out


@pytest.mark.once
def test_text_named_as_a_picture(pictures, capsys):
    (pictures[0].parent / "text.jpg").write_text("no picture")
    assert cli.main(["detect", "text.jpg"]) == 1
    assert "text.jpg cannot be read: expected a" in capsys.readouterr().err


@pytest.mark.once
def test_weights_of_another_program(pictures, capsys):
    (pictures[0].parent / "w.safetensors").write_bytes(b"no weights at all")
    assert cli.main(["detect", "x.png", "--weights", "w.safetensors"]) == 1
    assert "not a whole safetensors file" in capsys.readouterr().err


@pytest.mark.once
@pytest.mark.parametrize(
    "command,fitting", [("segment", "FCN"), ("classify", "ResNet")]
)
def test_net_of_another_command(pictures, capsys, command, fitting):
    line = [command, str(pictures[0]), "--weights", str(DETECTOR)]
    assert cli.main(line) == 1
    said = capsys.readouterr()
    assert f"expected a net for `d2lcv {command}`, {fitting}" in said.err
    assert "got a TinySSD, which is for `d2lcv detect`" in said.err
    assert str(DETECTOR) in said.err and "looking for" not in said.out


@pytest.mark.once
def test_what_computes_is_said(d2l, pictures, capsys):
    entry = REGISTRY[d2l.backend_name()]
    assert cli.main(["detect", str(pictures[0] / "0.png")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{entry.title} {entry.version} on {d2l.device_name()}"


@pytest.mark.once
def test_style_that_cannot_be_read(pictures, capsys):
    """It is said once, not of each picture."""
    folder = pictures[0]
    line = ["stylize", str(folder), "--style", str(folder / "1.png")]
    assert cli.main(line) == 1
    said = capsys.readouterr()
    assert said.err.count("1.png cannot be read") == 1 and "could not" not in said.out


@pytest.mark.once
def test_torn_videos_of_opencv(pictures):
    """One sentence each, and none of the library's own."""
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter("a.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10, (256, 256))
    for i in range(8):
        writer.write(np.ascontiguousarray(draw_banana(i, "val")[0][:, :, ::-1]))
    writer.release()
    whole = Path("a.avi").read_bytes()
    Path("torn.avi").write_bytes(whole[: len(whole) // 2])
    Path("text.mp4").write_text("no video")
    line = ["detect", "a.avi", "torn.avi", "text.mp4", "99"]
    done = subprocess.run(  # OpenCV reads its settings once
        [sys.executable, "-m", "d2lcv", *line],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    said = [x for x in done.stderr.splitlines() if x.startswith(("d2l", "["))]
    assert len(said) == 3, said
    assert "torn.avi: it ends after " in said[0] and " of 8 frames" in said[0]
    assert said[1] == "d2lcv: text.mp4 cannot be read: expected a whole video"
    assert said[2] == "d2lcv: there is no camera 99"


def test_classify(pictures, capsys):
    folder, _ = pictures
    assert cli.main(["classify", str(folder), "--json", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert "1.png" in said.err and ": 2, 1 could not be read" in said.out
    records = json.loads((folder.parent / "out" / "classes.json").read_text())
    assert [r["file"][-5:] for r in records] == ["0.png", "2.png"]
    for record in records:
        assert len(record["classes"]) == 5
        assert record["classes"][0]["score"] > record["classes"][1]["score"]
        with Image.open(folder.parent / record["drawn"]) as drawn:
            assert drawn.size == (256, 256)


def test_segment(d2l, pictures, capsys):
    folder, _ = pictures
    net = d2l.FCN(3, d2l.ResNet(18, 2, width=4), 16)
    net.classes = ("ape", "bee", "cow")
    d2l.save_weights(net, "fcn.safetensors")
    line = ["segment", str(folder / "0.png"), "--weights", "fcn.safetensors", "--json"]
    assert cli.main(line) == 0
    (record,) = json.loads((folder.parent / "out/segment/segments.json").read_text())
    assert sum(record["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert set(record["shares"]) <= {"ape", "bee", "cow"}
    with Image.open(record["labels"]) as labels:
        pixels = np.asarray(labels)
    assert pixels.shape == (record["height"], record["width"])
    for name, share in record["shares"].items():
        of_class = (pixels == net.classes.index(name)).mean()
        assert of_class == pytest.approx(share, abs=1e-4)
    assert cli.main([*line[:2], "--weights", d2l.load().__class__.__name__]) == 1
    assert "no weights file" in capsys.readouterr().err


def test_stylize(pictures, capsys):
    folder, _ = pictures
    line = ["stylize", str(folder / "0.png"), "--style", str(folder / "2.png")]
    assert cli.main([*line, "--height", "48", "--steps", "2"]) == 0
    with Image.open(folder.parent / "out" / "stylize" / "0.png") as drawn:
        assert drawn.size == (48, 48)
    assert cli.main([*line[:3], "nowhere.png"]) == 1
    assert "there is no picture nowhere.png" in capsys.readouterr().err


def test_export(d2l, pictures, capsys):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    assert cli.main(["export", "--out", "there/net"]) == 0
    assert "program: there/net.onnx" in capsys.readouterr().out.replace("\\", "/")
    session = runtime.InferenceSession("there/net.onnx")
    assert session.get_inputs()[0].shape == ["batch", 128, 128, 3]
    form = d2l.backends.REGISTRY[d2l.backend_name()].program
    assert cli.main(["export", "--to", form, "--image-size", "64", "96"]) == 0
    about = json.loads(Path("out/export/about-detector.json").read_text())
    assert about["input"][1:] == [64, 96, 3]


@pytest.mark.once
@pytest.mark.parametrize(
    "line,said",
    [
        (["detect", "x.png", "--treshold", "0.3"], "did you mean '--threshold'?"),
        (["detect", "x.png", "--threshold", "3"], "a number from 0 to 1, got '3'"),
        (["detect", "x.png", "--json", "coc"], "did you mean 'coco'?"),
        (["detct", "x.png"], "did you mean 'detect'?"),
        (["export", "--to", "onx"], "did you mean 'onnx'?"),
        (["stylize", "x.png", "--style", "y", "--height", "8"], "at least 32, got '8'"),
        (["segment", "x.png"], "--weights"),
        (["detect", "x.png", "--device", "tpu"], "'cpu', 'gpu' or the number of one"),
        (["detect", "x.png", "--backend", f"{LAST}x"], f"did you mean '{LAST}'?"),
        (["detect", ""], "SOURCE: expected a path, got ''"),
    ],
)
def test_usage(line, said, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(line)
    assert exit.value.code == 2 and said in capsys.readouterr().err


class Video:
    """What OpenCV gives of a file that promises more frames than it has."""

    CAP_PROP_FPS, CAP_PROP_FRAME_COUNT = 5, 7

    def __init__(self, frames, promised):
        self.frames, self.promised, self.written = list(frames), promised, []

    def setLogLevel(self, level):
        pass

    def VideoCapture(self, source):
        return self

    def isOpened(self):
        return True

    def get(self, what):
        return {5: 25.0, 7: float(self.promised)}[what]

    def read(self):
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self):
        pass

    class VideoWriter:
        written: ClassVar[list] = []

        def __init__(self, *options):
            self.written.clear()

        fourcc = staticmethod(lambda *letters: 0)

        def write(self, frame):
            self.written.append(frame.shape)

        def release(self):
            pass


@pytest.mark.once
@pytest.mark.parametrize("promised", [2, 5])
def test_video_that_ends(pictures, capsys, monkeypatch, promised):
    """Its frames are done; that it ended too early is said."""
    frames = [draw_banana(i, "val")[0][:, :, ::-1] for i in (0, 2)]
    monkeypatch.setitem(sys.modules, "cv2", Video(frames, promised))
    Path("film.mp4").write_bytes(b"film")
    status = cli.main(["detect", "film.mp4", "--json", "--threshold", "0.2"])
    said = capsys.readouterr()
    assert (
        status == (promised == 5) and Video.VideoWriter.written == [(256, 256, 3)] * 2
    )
    records = json.loads(Path("out/detect/detections.json").read_text())
    assert [r["file"] for r in records] == ["film.mp4#0", "film.mp4#1"]
    assert ("film.mp4: it ends after 2 of 5 frames" in said.err) == (promised == 5)


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
