"""`gpu.py` says clearly that there is no GPU, and runs on a CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from d2lcv.backends import backend_name

TOOL = Path(__file__).parents[2] / "tools" / "gpu.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, TOOL, "--backend", backend_name(), *map(str, arguments)],
        env=os.environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
    )


@pytest.mark.once
def test_refusal(d2l):
    if d2l.device_name(d2l.try_gpu()) != "cpu":
        pytest.skip("there is a GPU")
    done = run()
    assert done.returncode == 2 and not done.stdout
    assert "sees no GPU here" in done.stderr and "--device cpu" in done.stderr


@pytest.mark.once
def test_run_on_a_cpu(d2l, tmp_path):
    small = "--topic boxes --step --rounds 1 --preset none --device cpu".split()
    done = run(*small, "--only", "box_iou 10 ", "--json", tmp_path / "found.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads((tmp_path / "found.json").read_text()).values()
    assert [row["what"] for row in found["speed"]] == ["box_iou 10 × 10"]
    assert not found["breaches"] and found["device"]
    assert f"## {backend_name()} on" in done.stdout
