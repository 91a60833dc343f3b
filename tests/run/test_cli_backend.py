"""`python -m d2lcv`: what each backend has to show there."""

import json

from test_cli import run

from d2lcv.backends import REGISTRY
from d2lcv.run.overview import devices


def test_devices_are_those_of_the_backend(d2l):
    expected = [d2l.device_name(device) for device in d2l.try_all_gpus()]
    assert devices(d2l.backend_name()) == expected


def test_run_writes_what_the_chapter_writes(d2l, tmp_path):
    name = d2l.backend_name()
    alias = (REGISTRY[name].aliases or (name,))[0]
    arguments = ["run", "bounding_box", "--backend", alias, "--seed", "5", "--out", "o"]
    done = run(*arguments, cwd=tmp_path, D2L_BACKEND="")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "o" / "result.json").read_text())
    assert (result["chapter"], result["backend"]) == ("bounding_box", name)
    assert result["seed"] == 5
    assert f"result  backend           {name}" in done.stdout
