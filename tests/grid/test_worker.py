"""Calls in a process of their own: what goes in, what comes out, and what goes wrong."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from d2lcv.backends import REGISTRY, installed, resolve
from d2lcv.backends.worker import Worker, WorkerError

NAME = resolve(os.environ.get("D2L_BACKEND") or next(iter([*installed(), *REGISTRY])))

posix = pytest.mark.skipif(
    os.name != "posix", reason="the interpreter is a script here"
)

FUNCTIONS = """
import os, subprocess, sys, threading, time
import helper_beside_it

def echo(*args, **kwargs):
    return args, kwargs

def describe(x):
    return type(x).__module__, type(x).__name__, str(x.dtype), list(x.shape)

def process():
    return os.getpid()

def parent_of_results(x):
    x *= 2
    return x

def noise(n):
    print("printed")
    sys.stderr.write("complained\\n")
    os.write(1, b"written\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return n + 1

def listen():
    return sys.stdin.read(), subprocess.run(["cat"], capture_output=True).stdout.decode()

def fail(n):
    if n:
        return fail(n - 1)
    raise KeyError("the key that was not there")

def unfit():
    return {1, 2}

def die(status):
    print("last words", flush=True)
    os._exit(status)

def leave():
    sys.exit(3)

def slow(seconds):
    time.sleep(seconds)
    return "slow"

def hold(path):
    with open(path, "w") as line:
        print("here", file=line, flush=True)
        time.sleep(20)
        print("still here", file=line)

def beside():
    return helper_beside_it.VALUE
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    (folder / "helper_beside_it.py").write_text("VALUE = 'from beside it'\n")
    (folder / "functions_of_test.py").write_text(FUNCTIONS)
    return str(folder / "functions_of_test.py")


def script(path, code, flags=""):
    """An executable that takes the arguments of an interpreter and runs `code`."""
    program = path.with_suffix(".code")
    program.write_text(code)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {flags} "{program}" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """An interpreter whose worker loads no framework: it answers in no time."""
    return script(
        tmp_path_factory.mktemp("python") / "light",
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from d2lcv.backends import worker\n"
        "worker.use = lambda name: name\n"
        "worker.backend = SimpleNamespace(entry=SimpleNamespace(name=sys.argv[-1]))\n"
        "worker.main(sys.argv[-1])\n",
    )


@pytest.fixture(scope="module")
def one(light):
    """A worker for the tests that do not end it."""
    with Worker(NAME, python=light) as worker:
        yield worker


@pytest.fixture(scope="module")
def real():
    """A worker with the active backend's framework."""
    with Worker(NAME) as worker:
        yield worker


def check_same(got, given):
    assert type(got) is type(given)
    if isinstance(given, (list, tuple)):
        assert len(got) == len(given)
        for a, b in zip(got, given, strict=True):
            check_same(a, b)
    elif isinstance(given, dict):
        assert list(got) == list(given)
        for key in given:
            check_same(got[key], given[key])
    elif isinstance(given, np.ndarray):
        assert got.dtype == given.dtype and got.shape == given.shape
        np.testing.assert_array_equal(got, given)
    else:
        assert got == given


# ---- what travels --------------------------------------------------------------------

ARRAYS = {
    "float32": np.float32([[1.5, -0.0], [np.pi, 1e-38]]),
    "float64": np.array([np.nan, np.inf, -np.inf, 1e300]),
    "float16": np.float16([0.1, 65504]),
    "int64": np.array([2**63 - 1, -(2**63), 2**53 + 1]),
    "int32": np.int32([[2**31 - 1]]),
    "uint8": np.arange(256, dtype=np.uint8).reshape(2, 4, 32),
    "bool": np.array([[True], [False]]),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 4), np.float32),
    "empty inside": np.zeros((3, 0, 2), np.int64),
    "text": np.array(["Überbiß", "香蕉", "🍌"]),
    "not contiguous": np.arange(24.0).reshape(4, 6)[::2, ::3],
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "complex": np.array([1 + 2j]),
}


@posix
@pytest.mark.parametrize("kind", ARRAYS)
def test_array_value(one, functions, kind):
    (got,), none = one.call(f"{functions}:echo", ARRAYS[kind])
    check_same(got, ARRAYS[kind])
    assert none == {}


PLAIN = [
    None,
    True,
    0,
    -(2**80),
    0.1,
    float("inf"),
    "",
    "ligne\nüber 香蕉 🍌 \x00 \ud800 \"'\\",
    [],
    (),
    {},
    [[], ((),), [None, (1, [2.5])]],
    {"a": [1, (2, {"b": None})], 3: "three", (1, 2): "pair", None: 0},
    {"array": 0, "dict": [], "tuple": ()},
    [np.arange(3), {"x": (np.zeros((0, 5)), np.arange(3))}, "text"],
]


@posix
@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_value(one, functions, value):
    args, kwargs = one.call(f"{functions}:echo", value, value, keyword=value)
    check_same(args, (value, value))
    check_same(kwargs, {"keyword": value})


@posix
def test_plain_nan(one, functions):
    ((got,), _) = one.call(f"{functions}:echo", float("nan"))
    assert got != got


@posix
def test_numpy_scalar_value(one, functions):
    (got, is_true), _ = one.call(f"{functions}:echo", np.float32(0.1), np.bool_(True))
    check_same(got, np.array(0.1, np.float32))
    check_same(is_true, np.array(True))


@posix
def test_large_array_value(one, functions):
    """More than the pipe between the processes holds."""
    given = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8)
    check_same(one.call(f"{functions}:echo", given)[0], (given,))


@posix
def test_arguments_stay_the_callers(one, functions):
    given = np.arange(3.0)
    got = one.call(f"{functions}:parent_of_results", given)
    np.testing.assert_array_equal(got, [0, 2, 4])
    np.testing.assert_array_equal(given, [0, 1, 2])
    got += 1  # an array of one's own, to be written to


@posix
@pytest.mark.parametrize(
    "value", [{1, 2}, object(), np.array([object()]), [1, {"x": b"bytes"}]]
)
def test_unfit_argument_exception(one, functions, value):
    with pytest.raises(TypeError, match=r"a worker exchanges arrays.*got"):
        one.call(f"{functions}:echo", value)
    assert one.call(f"{functions}:echo", 1) == ((1,), {})


@posix
def test_unfit_result_exception(one, functions):
    with pytest.raises(WorkerError, match=r"a worker exchanges arrays.*builtins\.set"):
        one.call(f"{functions}:unfit")
    assert one.call(f"{functions}:echo", 1) == ((1,), {})


@posix
def test_threads_share_a_worker(one, functions):
    """Each gets the answers to its own calls."""
    found = {}

    def ask(k):
        found[k] = [one.call(f"{functions}:echo", k) for _ in range(20)]

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [((k,), {})] * 20 for k in range(6)}


# ---- which function ------------------------------------------------------------------


@posix
def test_function_of_a_module(one):
    assert one.call("os.path:basename", "a/b") == "b"
    with pytest.raises(WorkerError, match="no_such_module"):
        one.call("no_such_module:f")


@posix
def test_function_runs_elsewhere(one, functions):
    assert one.call(f"{functions}:process") not in (os.getpid(), None)
    assert one.call(f"{functions}:process") == one.call(f"{functions}:process")


@posix
def test_function_of_a_file(one, functions, tmp_path):
    assert one.call(f"{functions}:beside") == "from beside it"
    with pytest.raises(WorkerError, match="nowhere"):
        one.call(f"{tmp_path / 'nowhere.py'}:f")


@posix
def test_files_of_one_name(one, tmp_path):
    """And one with the name of a module that is loaded already."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("same", "json"):
            path = tmp_path / folder / f"{name}.py"
            path.write_text(f"def f():\n    return {folder + name!r}\n")
    for folder in ("a", "b", "a"):
        for name in ("same", "json"):
            got = one.call(f"{tmp_path / folder / name}.py:f")
            assert got == folder + name


# ---- what goes wrong -----------------------------------------------------------------


@posix
def test_error_carries_the_traceback(one, functions):
    with pytest.raises(WorkerError) as error:
        one.call(f"{functions}:fail", 2)
    message = str(error.value)
    assert f"in the {NAME} worker" in message
    assert "KeyError: 'the key that was not there'" in message
    assert message.count("in fail") == 3 and "functions_of_test.py" in message
    assert one.call(f"{functions}:echo") == ((), {})


@posix
def test_printing_does_not_disturb(one, functions, capsys):
    assert one.call(f"{functions}:noise", 1) == 2
    assert one.call(f"{functions}:noise", 2) == 3
    printed, deadline = "", time.monotonic() + 20
    while printed.count("from a child") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
        out, err = capsys.readouterr()
        assert out == ""
        printed += err
    for text in ("printed", "complained", "written", "from a child"):
        assert printed.count(text) == 2


@posix
def test_reading_does_not_disturb(one, functions):
    assert one.call(f"{functions}:listen") == ("", "")
    assert one.call(f"{functions}:echo", 1) == ((1,), {})


@posix
@pytest.mark.parametrize("call,status", [(("die", 7), 7), (("leave",), 3)])
def test_dying_exception(light, functions, call, status):
    worker = Worker(NAME, python=light)
    with pytest.raises(WorkerError) as error:
        worker.call(f"{functions}:{call[0]}", *call[1:])
    assert f"the {NAME} worker died with exit status {status}" in str(error.value)
    assert ("last words" in str(error.value)) == (call[0] == "die")
    with pytest.raises(WorkerError, match="not running any more"):
        worker.call(f"{functions}:echo")
    worker.close()


@posix
def test_dying_while_it_is_told_exception(light, functions):
    """The pipe breaks under a message that is longer than what it holds."""
    worker = Worker(NAME, python=light)
    pid = worker.call(f"{functions}:process")
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(WorkerError, match=f"exit status -{signal.SIGKILL:d}"):
        worker.call(f"{functions}:echo", np.zeros(10_000_000))
    timer.join()


@posix
@pytest.mark.parametrize("exception", [KeyboardInterrupt, TimeoutError])
def test_interrupted_call_exception(light, functions, exception):
    """The answer to a call that was given up is not taken for that to the next one."""

    def give_up(*_):
        raise exception("given up")

    worker = Worker(NAME, python=light)
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(exception, match="given up"):
            worker.call(f"{functions}:slow", 2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(WorkerError, match="not running any more"):
        worker.call(f"{functions}:echo", 1)


@posix
def test_close_ends_the_process(light, functions):
    with Worker(NAME, python=light) as worker:
        pid = worker.call(f"{functions}:process")
        os.kill(pid, 0)  # it lives
        assert worker.is_running
    assert not worker.is_running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(WorkerError, match="not running any more"):
        worker.call(f"{functions}:echo")
    worker.close()


@posix
def test_error_in_the_block_closes(light):
    with pytest.raises(ZeroDivisionError), Worker(NAME, python=light) as worker:
        1 / 0  # noqa: B018
    with pytest.raises(WorkerError, match="not running any more"):
        worker.call("os.path:basename", "a")


@posix
def test_dropped_worker_ends(light, functions):
    worker = Worker(NAME, python=light)
    pid = worker.call(f"{functions}:process")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # that it still runs
        del worker
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the process outlived its handle")


@posix
def test_a_worker_ends_with_its_parent(light, functions, tmp_path):
    """In the middle of a call, too. A pipe ends when nobody holds it any more."""
    os.mkfifo(tmp_path / "line")
    call = f"call({functions + ':hold'!r}, {str(tmp_path / 'line')!r})"
    program = (
        f"from d2lcv.backends.worker import Worker\nWorker({NAME!r}, {light!r}).{call}"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    with open(tmp_path / "line") as line:
        assert line.readline() == "here\n"
        parent.kill()
        parent.wait()
        assert line.read() == ""


# ---- what does not come up -----------------------------------------------------------


def test_unknown_name_exception(monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", started.append)
    with pytest.raises(ValueError, match=rf"'jax'.*{'.*'.join(REGISTRY)}"):
        Worker("jax")
    assert not started


def test_no_interpreter_exception(tmp_path):
    with pytest.raises(WorkerError) as error:
        Worker(NAME, python=tmp_path / "nowhere" / "python")
    assert "nowhere" in str(error.value) and NAME in str(error.value)


@posix
@pytest.mark.parametrize("flags", ["-S", "-S -E"])
def test_interpreter_without_packages_exception(tmp_path, monkeypatch, flags):
    """With -S there is nothing but the standard library; with -E not even d2lcv."""
    monkeypatch.chdir(tmp_path)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" {flags} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(WorkerError) as error:
        Worker(NAME, python=python)
    missing = "d2lcv" if "-E" in flags else ""
    assert f"No module named '{missing}" in str(error.value)


@posix
def test_interpreter_without_the_framework_exception(tmp_path):
    python = script(
        tmp_path / "python",
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        f"u.find_spec = lambda n, *a: None if n == {REGISTRY[NAME].package!r} "
        "else find(n, *a)\n"
        "from d2lcv.backends.worker import main\n"
        "main(sys.argv[-1])\n",
    )
    with pytest.raises(WorkerError) as error:
        Worker(NAME, python=python)
    assert REGISTRY[NAME].install_command in str(error.value)


@posix
def test_no_python_at_all_exception(tmp_path):
    """A program that prints something else is not taken at its word."""
    with pytest.raises(WorkerError, match=r"expected a message of a worker.*-m d2lcv"):
        Worker(NAME, python="/bin/echo")


# ---- a framework in another process --------------------------------------------------


def test_native_in_numpy_out(real, d2l, functions):
    rng = np.random.default_rng(0)
    corners = rng.random((2, 7, 2, 2), np.float32)
    boxes = np.concatenate([corners.min(2), corners.max(2)], axis=-1)
    expected = d2l.numpy(d2l.box_iou(d2l.tensor(boxes[0]), d2l.tensor(boxes[1])))
    got = real.box_iou(boxes[0], boxes2=boxes[1])
    assert type(got) is np.ndarray and got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.max() > 0.1
    # a native tensor goes in as well
    again = real.box_iou(d2l.tensor(boxes[0]), d2l.tensor(boxes[1]))
    np.testing.assert_array_equal(again, got)


def test_nested_native(real, d2l):
    maps = [np.random.default_rng(i).random((2, 3, i, i), np.float32) for i in (2, 1)]
    got = real.concat_preds(maps)
    expected = np.concatenate([m.transpose(0, 2, 3, 1).reshape(2, -1) for m in maps], 1)
    np.testing.assert_array_equal(got, expected)
    anchors = np.float32([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]])
    labels = np.float32([[[1, 0, 0, 0.5, 0.5]]])
    answer = real.multibox_target(anchors, labels)
    assert isinstance(answer, tuple) and len(answer) == 3
    assert answer[2].tolist() == [[2, 0]]


def test_module_functions_get_arrays(real, functions):
    got = real.call(f"{functions}:describe", np.zeros((2, 0), np.float32))
    assert got == ("numpy", "ndarray", "float32", [2, 0])


def test_errors_of_the_package(real):
    with pytest.raises(
        WorkerError, match=r"ValueError: boxes2: expected shape \(m, 4\)"
    ):
        real.box_iou(np.zeros((1, 4), np.float32), np.zeros((1, 3), np.float32))
    with pytest.raises(WorkerError, match="no_such_name"):
        real.no_such_name()
    assert real.backend_name() == NAME


def test_name_resolves(real):
    assert real.name == NAME
    assert real.call("d2lcv.backends:resolve", REGISTRY[NAME].aliases[0]) == NAME
