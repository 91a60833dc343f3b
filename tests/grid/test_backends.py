"""Choosing, loading and describing a backend."""

import ast
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from d2lcv import backends
from d2lcv.backends import (
    REGISTRY,
    Backend,
    framework_of,
    install_command,
    resolve,
)

PACKAGE = Path(backends.__file__).parents[1]
NAMES = list(REGISTRY)
FIRST, SECOND, *_, LAST = NAMES
ALIASES = [(alias, b.name) for b in REGISTRY.values() for alias in b.aliases]


@pytest.fixture
def fresh():
    """A process in which nothing is chosen and nothing is loaded, so to say."""
    return backends._Active()


@pytest.fixture
def have(monkeypatch):
    """Say which frameworks are installed: `have("paddle", "mxnet")`."""
    monkeypatch.delenv("D2L_BACKEND", raising=False)

    def install(*names):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: (
                ModuleSpec(name, None, origin="here") if name in names else None
            ),
        )

    return install


def run(code, **environment):
    """Standard output of `code` in a new interpreter."""
    keep = {k: v for k, v in os.environ.items() if k not in ("D2L_BACKEND",)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**keep, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- names --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_resolve_name(name):
    assert resolve(name) == name
    assert resolve(f" {name.upper()} ") == name


@pytest.mark.parametrize("alias,name", ALIASES)
def test_resolve_alias(alias, name):
    assert resolve(alias) == name
    assert resolve(alias.title()) == name


@pytest.mark.parametrize("name", ["jax", "", "torch2", "d2l"])
def test_resolve_exception(name):
    with pytest.raises(ValueError) as error:
        resolve(name)
    assert repr(name) in str(error.value)
    for known in [*NAMES, *(alias for alias, _ in ALIASES)]:
        assert known in str(error.value)


# ---- choosing ------------------------------------------------------------------------


def test_default_is_the_first_installed(fresh, have):
    have(*reversed(NAMES[1:]))
    assert fresh.default() == SECOND
    have(LAST)
    assert fresh.default() == LAST
    assert backends.installed() == [LAST]


def test_default_is_the_variable(fresh, have, monkeypatch):
    have(*NAMES)
    alias, name = ALIASES[-1]
    monkeypatch.setenv("D2L_BACKEND", f" {alias.upper()} ")
    assert fresh.choose(fresh.default()) == name
    monkeypatch.setenv("D2L_BACKEND", "")
    assert fresh.choose(fresh.default()) == FIRST


def test_choice_outranks_the_variable(fresh, have, monkeypatch):
    have(*NAMES)
    monkeypatch.setenv("D2L_BACKEND", LAST)
    loaded = []
    monkeypatch.setattr(backends.importlib, "import_module", loaded.append)
    fresh.choose(SECOND)
    assert loaded == []
    assert fresh.entry.name == SECOND
    assert loaded == [f"d2lcv.backends.{SECOND}"]


def test_unknown_variable_exception(fresh, have, monkeypatch):
    have(*NAMES)
    monkeypatch.setenv("D2L_BACKEND", "jax")
    with pytest.raises(ValueError, match=f"'jax'.*{FIRST}.*{LAST}"):
        fresh.entry  # noqa: B018


def test_choice_can_change_before_the_first_call(fresh, have):
    have(*NAMES)
    assert fresh.choose(SECOND) == SECOND
    alias, name = ALIASES[-1]
    assert fresh.choose(alias) == fresh.choose(name) == name


@pytest.mark.parametrize("name", NAMES)
def test_not_installed_exception(fresh, have, name):
    have(*(n for n in NAMES if n != name))
    with pytest.raises(ModuleNotFoundError) as error:
        fresh.choose(name)
    assert REGISTRY[name].install_command in str(error.value)
    assert REGISTRY[name].title in str(error.value)


def test_extras_exist():
    """What the install commands name is in the package's metadata."""
    import importlib.metadata

    extras = importlib.metadata.metadata("d2lcv").get_all("Provides-Extra")
    assert {*NAMES, "all"} <= set(extras)


def test_install_command_value(monkeypatch):
    """What the metadata requires for an extra on this Python; without it, the checkout."""
    lines = ["numpy", "a>=1; extra == 'x'", "b[c]; extra == 'x'", "d; extra == 'y'"]
    lines.append("e; python_version < '3' and extra == 'x'")
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    assert install_command("x") == 'pip install "a>=1" "b[c]"'
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: None)
    assert install_command("x") == f'pip install -e "{PACKAGE.parent}[x]"'


def test_none_installed_exception(fresh, have):
    have()
    with pytest.raises(ModuleNotFoundError) as error:
        fresh.default()
    for name in NAMES:
        assert REGISTRY[name].install_command in str(error.value)


def test_a_leftover_folder_is_not_installed(tmp_path, monkeypatch):
    (tmp_path / "leftover_framework").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    entry = Backend("x", "X", "leftover_framework", "x", "x.Tensor")
    assert not entry.is_installed
    (tmp_path / "leftover_framework" / "__init__.py").touch()
    importlib.invalidate_caches()
    assert entry.is_installed
    assert entry.version is None


def test_second_backend_exception(d2l):
    active = d2l.backend_name()
    other = next(name for name in NAMES if name != active)
    with pytest.raises(RuntimeError) as error:
        d2l.use(other)
    for part in (active, other, "d2lcv.worker", f"D2L_BACKEND={other}"):
        assert part in str(error.value)
    assert d2l.backend_name() == active
    assert d2l.use(active) == active
    assert [d2l.use(alias) for alias, name in ALIASES if name == active] == [active]


def test_unknown_name_after_the_first_call_exception(d2l):
    d2l.backend_name()
    with pytest.raises(ValueError, match="unknown backend 'jax'"):
        d2l.use("jax")


def test_active_backend_is_the_one_asked_for(d2l):
    asked = os.environ.get("D2L_BACKEND", "").strip()
    expected = resolve(asked) if asked else backends.installed()[0]
    assert d2l.backend_name() == expected
    module = type(d2l.zeros((1,))).__module__
    assert module.partition(".")[0] in REGISTRY[expected].packages


# ---- devices -------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["cpu", "gpu", "gpu:0", "gpu:12", " GPU:1 "])
def test_device_of_value(given):
    assert backends.device_of(given) == given.strip().lower()


@pytest.mark.parametrize(
    "given", ["", "tpu", "cuda:0", "gpu:", "gpu:-1", "gpu1", "cpu:0"]
)
def test_device_of_exception(given):
    with pytest.raises(ValueError, match="device: expected 'cpu', 'gpu' or"):
        backends.device_of(given)


@pytest.mark.parametrize(
    "device,given,left",
    [
        ("cpu", None, "-1"),
        ("cpu", "4,7", "-1"),
        ("gpu", None, None),
        ("gpu", "4,7", "4,7"),
        ("gpu:1", None, "1"),
        ("gpu:1", "4,7", "7"),
        ("gpu:2", "4,7", ""),
    ],
)
def test_others_are_hidden_before_the_framework_is_loaded(
    fresh, have, monkeypatch, device, given, left
):
    have(*NAMES)
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    monkeypatch.setenv("D2L_DEVICE", "")
    seen = []

    def load(name):
        seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        return types.SimpleNamespace(device_name=lambda: "a GPU")

    monkeypatch.setattr(backends.importlib, "import_module", load)
    fresh.choose(SECOND)
    fresh.choose_device(device)
    assert os.environ["D2L_DEVICE"] == device  # for processes that this one starts
    assert fresh.entry.name == SECOND and seen[0] == left


def test_a_gpu_that_is_not_there_exception(fresh, have, monkeypatch):
    have(*NAMES)
    monkeypatch.setenv("D2L_DEVICE", "gpu:3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    column = types.SimpleNamespace(device_name=lambda: "cpu")
    monkeypatch.setattr(backends.importlib, "import_module", lambda name: column)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="gpu:3 was asked for, and"):
            fresh.entry  # noqa: B018


def test_device_after_the_first_call(d2l, monkeypatch):
    monkeypatch.setenv("D2L_DEVICE", "")
    here = "cpu" if d2l.device_name() == "cpu" else "gpu"
    assert d2l.use(device=here) == d2l.backend_name()  # as it is
    monkeypatch.setenv("D2L_DEVICE", "")
    with pytest.raises(RuntimeError, match=r"(asked for, and|already at work)"):
        d2l.use(device="gpu:7" if here == "cpu" else "cpu")


def test_cpu_alone_is_seen():
    code = "import d2lcv as d2l; d2l.use(device='cpu'); "
    code += "print(d2l.device_name(), len(d2l.try_all_gpus()))"
    assert run(code).split() == ["cpu", "1"]


# ---- importing -----------------------------------------------------------------------


def test_import_loads_no_framework():
    code = "import json, sys, d2lcv; dir(d2lcv); d2lcv.use('NAME'); "
    code += "print(json.dumps(sorted(sys.modules)))"
    name = backends.installed()[0]
    modules = json.loads(run(code.replace("NAME", name), EAGER_IMPORT=""))
    assert "d2lcv" in modules
    heavy = {package for b in REGISTRY.values() for package in b.packages}
    heavy |= {"numpy", "matplotlib", "PIL", "IPython"}
    assert not heavy & {name.partition(".")[0] for name in modules}


def test_dir_is_the_stub(d2l):
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = {alias.asname for node in imports for alias in node.names}
    assert len(names) > 90
    assert names <= set(dir(d2l))
    assert names == set(d2l.__all__)


def test_unknown_attribute_exception(d2l):
    with pytest.raises(AttributeError, match="no_such_name"):
        d2l.no_such_name  # noqa: B018


# ---- tensors of others ---------------------------------------------------------------


def make_foreign(module):
    return type("Tensor", (), {"__module__": module, "shape": (2, 4)})()


OWNERS = {p: b.name for b in reversed(REGISTRY.values()) for p in b.packages}
FOREIGN = [(p + inner, name) for p, name in OWNERS.items() for inner in ("", ".a.b")]


@pytest.mark.parametrize("module,name", FOREIGN)
def test_framework_of_value(module, name):
    assert framework_of(make_foreign(module)) is REGISTRY[name]


@pytest.mark.parametrize(
    "value", [np.zeros(1), [1.0], 1, None, make_foreign("torchlike.tensor")]
)
def test_framework_of_none(value):
    assert framework_of(value) is None


@pytest.mark.parametrize("module,name", FOREIGN)
def test_foreign_tensor_exception(d2l, module, name):
    active = REGISTRY[d2l.backend_name()]
    good = d2l.zeros((1, 4))
    with pytest.raises(TypeError) as error:
        d2l.box_iou(good, make_foreign(module))
    assert "boxes2" in str(error.value)
    assert active.title in str(error.value)
    if name != active.name:
        assert REGISTRY[name].title in str(error.value)
        assert f"{module}.Tensor" in str(error.value)


@pytest.mark.parametrize(
    "value", [np.zeros((2, 4), np.float32), [[0.0, 0.0, 1.0, 1.0]], None, 3.0]
)
def test_no_tensor_exception(d2l, value):
    with pytest.raises(TypeError) as error:
        d2l.box_iou(value, d2l.zeros((1, 4)))
    message = str(error.value)
    assert "boxes1" in message and "d2lcv.tensor" in message
    assert type(value).__name__ in message
