"""Options and results of a chapter."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from d2lcv.backends import REGISTRY
from d2lcv.randomness import current_seed
from d2lcv.run.options import SETTINGS

ROOT = Path(__file__).parents[2]
QUICK = {
    "num_epochs": 2,
    "lr": 0.01,
    "optimizer": "adam",
    "decay": 0,
    "flip": True,
    "weights": "source",
}
BOOK = {
    "num_epochs": 20,
    "lr": 0.2,
    "optimizer": "sgd",
    "decay": 5e-4,
    "flip": False,
    "weights": "imagenet",
}
KEYS = ["chapter", "backend", "device", "data", "preset", "seed", "processes"]
KEYS += ["metrics", "examples_per_sec", "seconds"]


@pytest.fixture
def make(d2l, tmp_path, monkeypatch):
    """Make a chapter from an argument line, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def make(line=None, **options):
        argv = None if line is None else line.split()
        return d2l.Chapter("test", QUICK, BOOK, argv=argv, **options)

    yield make
    d2l.set_output("out")


def strict(text):
    """JSON as the standard has it, without NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


# ---- options -------------------------------------------------------------------------


def test_presets_value(make):
    run = make("")
    assert run.preset == "quick"
    assert {key: getattr(run, key) for key in QUICK} == QUICK
    assert (run.name, run.data, run.seed) == ("test", "synthetic", 0)
    run = make("--preset book")
    assert run.preset == "book"
    assert {key: getattr(run, key) for key in BOOK} == BOOK


def test_overrides_value(make):
    run = make("--num-epochs 3 --lr 1e-3 --optimizer sgd --decay 5e-4 --flip false")
    assert (run.num_epochs, run.lr, run.optimizer) == (3, 1e-3, "sgd")
    assert (run.decay, run.flip, run.preset) == (5e-4, False, "quick")
    assert type(run.num_epochs) is int and type(run.lr) is float
    run = make("--preset book --flip TRUE --lr=3")
    assert run.flip is True and run.lr == 3.0 and run.num_epochs == 20
    run = make(f"--data {ROOT} --seed 7")
    assert (run.data, run.seed) == (str(ROOT), 7)


@pytest.mark.parametrize(
    "line,said",
    [
        ("--num-epochs many", "--num-epochs"),
        ("--num-epochs 1.5", "--num-epochs"),
        ("--num-epochs 0", "expected at least 1, got 0"),
        ("--lr nan", "expected at least 0, got nan"),
        ("--seed -1", "expected at least 0, got -1"),
        ("--device cuda", "expected 'cpu', 'gpu' or the number of one"),
        ("--optimizer best", "'sgd', 'adam'"),
        ("--flip perhaps", "expected true or false, got 'perhaps'"),
        ("--preset slow", "'quick', 'book'"),
        ("--data sintetic", "there is no 'sintetic'; did you mean 'synthetic'?"),
        ("--weights imagnet", "there is no 'imagnet'; did you mean 'imagenet'?"),
        ("--no-such-option 1", "--no-such-option"),
        ("stray", "stray"),
        ("--seed x", "--seed"),
    ],
)
def test_options_exception(make, capsys, line, said, tmp_path):
    with pytest.raises(SystemExit) as exit:
        make(line)
    assert exit.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # nothing was begun


END = "from d2lcv.run.endings import end_plainly; end_plainly('c.py'); "
CHAPTER = "import d2lcv; d2lcv.Chapter('c', {}, {}, argv=['--out', 'file'])"


@pytest.mark.once
@pytest.mark.parametrize(
    "code,status,said",
    [
        (CHAPTER, 1, "c.py: cannot make the folder file: File exists; choose one"),
        (END + "print('2 × 2')", 0, ""),
        (END + "[print('much') for _ in range(100000)]", 1, ""),  # nobody reads it
        (
            END + "from d2lcv.checks import at_least; at_least('n', 'x', 1)",
            1,
            "c.py: n:",
        ),
        (END + "1 / 0", 1, "Traceback"),
        (END + "raise KeyboardInterrupt", -signal.SIGINT, "c.py: interrupted"),
    ],
)
def test_a_program_ends_with_a_sentence(tmp_path, code, status, said):
    """A traceback is for defects; a terminal without × and `| head` are none."""
    (tmp_path / "file").touch()
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
        stdout=writer if "much" in code else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr[: len(said)]) == (status, said)
    assert ended.stderr.count("\n") <= 1 or said == "Traceback"


@pytest.mark.once
@pytest.mark.parametrize("path", sorted((ROOT / "chapters").glob("*.py")), ids=str)
def test_each_setting_has_a_sentence(path):
    call = re.search(r"quick=(\{.*?\})", path.read_text(encoding="utf-8"), re.S)
    assert not set(ast.literal_eval(call[1])) - set(SETTINGS)


def test_help(make, capsys):
    with pytest.raises(SystemExit) as exit:
        make("--help", data=("synthetic", "100%"))
    assert exit.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("test.py", "--lr", "quick 0.01, book 0.2", "'synthetic', '100%'"):
        assert part in text


def test_chapter_without_data(make):
    run = make("", data=())
    assert run.data is None
    with pytest.raises(SystemExit):
        make("--data x", data=())


def test_unequal_presets_exception(d2l):
    with pytest.raises(ValueError, match="same settings, only one of them has a, c"):
        d2l.Chapter("test", {"a": 1, "b": 2}, {"b": 2, "c": 3}, argv=[])


def test_command_line(make, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["test.py", "--lr", "0.5"])
    monkeypatch.setenv("D2L_ARGS", "--lr 0.7")
    assert make().lr == 0.5


def test_notebook_arguments(make, monkeypatch):
    """In a notebook the command line is the kernel's; the variable is ours."""
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    package = ModuleType("IPython")
    package.get_ipython = lambda: SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.delenv("D2L_ARGS", raising=False)
    assert make().lr == 0.01
    monkeypatch.setenv("D2L_ARGS", "--preset book --lr 0.7 --out 'a folder'")
    run = make()
    assert (run.preset, run.lr, str(run.out)) == ("book", 0.7, "a folder")
    assert Path("a folder").is_dir()


# ---- what a start does ---------------------------------------------------------------


def test_header(d2l, make, capsys):
    make("--seed 3 --data . --out results")
    (line,) = capsys.readouterr().out.splitlines()
    entry = REGISTRY[d2l.backend_name()]
    assert line == (
        f"test: {entry.title} {entry.version} on {d2l.device_name()}, preset quick, "
        f"data ., seed 3, output in results"
    )
    assert re.search(r" \d+\.\d+", line)


def test_output_folder(d2l, make):
    run = make("")
    assert run.out == Path("out") / f"test-{d2l.backend_name()}"
    assert run.out.is_dir()
    run = make("--out deep/er")
    assert run.out == Path("deep/er") and run.out.is_dir()
    d2l.plt.plot([0, 1])
    assert d2l.show("figure") == run.out / "figure.png"
    assert (run.out / "figure.png").stat().st_size > 1000
    (run.out / "result.json").write_text("an earlier run's")
    make("--out deep/er")  # a second run into the same folder is fine
    assert not (run.out / "result.json").exists() and (run.out / "figure.png").exists()


def test_seed_is_set(d2l, make):
    make("--seed 5")
    assert current_seed() == 5
    first = d2l.get_weights(d2l.cls_predictor(1, 1, 1))["weight"]
    make("--seed 6")
    assert current_seed() == 6
    other = d2l.get_weights(d2l.cls_predictor(1, 1, 1))["weight"]
    make("--seed 5")
    again = d2l.get_weights(d2l.cls_predictor(1, 1, 1))["weight"]
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_device(d2l, make):
    assert make("").device == d2l.try_gpu()


def test_progress(make, capsys):
    """All that goes in comes out; where nobody looks there is no bar."""
    run = make("")
    capsys.readouterr()
    assert list(run.progress(range(5), "counting")) == list(range(5))
    assert list(run.progress(iter("ab"), "counting")) == ["a", "b"]
    assert capsys.readouterr().err == ""


# ---- results -------------------------------------------------------------------------


def test_report_value(d2l, make, capsys):
    run = make("--seed 2 --data . --preset book --out results")
    capsys.readouterr()
    metrics = {"class_error": np.float32(0.25), "mAP@0.5": 0.123456789}
    result = run.report(metrics, num_examples=3000, seconds=12.0)
    assert list(result) == KEYS
    assert result["seconds"] > 0
    expected = {
        "chapter": "test",
        "backend": d2l.backend_name(),
        "device": d2l.device_name(),
        "data": ".",
        "preset": "book",
        "seed": 2,
        "processes": 1,
        "metrics": {"class_error": 0.25, "mAP@0.5": 0.123456789},
        "examples_per_sec": 250.0,
        "seconds": result["seconds"],
    }
    assert result == expected
    assert strict(Path("results/result.json").read_text()) == expected
    assert capsys.readouterr().out.splitlines() == [
        "result  class_error   0.25",
        "result  mAP@0.5       0.123457",
        "result  examples/sec  250.0",
        f"result  seconds       {result['seconds']:.0f}",
        f"result  device        {d2l.device_name()}",
        f"result  backend       {d2l.backend_name()}",
    ]


def test_report_of_tensors(d2l, make):
    result = make("").report({"loss": d2l.tensor(0.5)})
    assert result["metrics"] == {"loss": 0.5}
    assert type(result["metrics"]["loss"]) is float


@pytest.mark.parametrize("options", [{}, {"num_examples": 5}, {"seconds": 5.0}])
def test_report_without_rate(make, capsys, options):
    run = make("")
    result = run.report({}, **options)
    assert result["examples_per_sec"] is None and result["metrics"] == {}
    assert strict((run.out / "result.json").read_text())["examples_per_sec"] is None
    assert "examples/sec" not in capsys.readouterr().out


def test_report_of_a_diverged_run(make, capsys):
    """NaN is printed; in the file, which others read, it is null."""
    run = make("")
    result = run.report({"loss": float("nan"), "norm": float("inf"), "x": 1})
    assert result["metrics"]["loss"] != result["metrics"]["loss"]
    metrics = strict((run.out / "result.json").read_text())["metrics"]
    assert metrics == {"loss": None, "norm": None, "x": 1.0}
    assert re.search(r"result +loss +nan\n", capsys.readouterr().out)


def test_report_replaces(make):
    run = make("")
    run.report({"a": 1})
    run.report({"b": 2})
    metrics = strict((run.out / "result.json").read_text())["metrics"]
    assert metrics == {"b": 2.0}
