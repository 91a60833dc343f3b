"""What only one framework has: the tests in the active one's file of `tests/columns`."""

import importlib

import pytest
from conftest import require_framework

from d2lcv.backends import backend_name

require_framework()
native = importlib.import_module(f"columns.{backend_name()}")
globals().update({k: v for k, v in vars(native).items() if k.startswith("test_")})


@pytest.fixture(autouse=True)
def _no_figures(d2l, tmp_path):
    d2l.set_output(tmp_path)
    yield
    d2l.plt.close("all")
