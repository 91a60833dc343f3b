"""Timer and Accumulator."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from d2lcv import meters
from d2lcv.meters import Accumulator, Timer


class Clock:
    """A clock that shows what it is told to."""

    def __init__(self, *readings):
        self.readings = list(readings)

    def __call__(self):
        return self.readings.pop(0)


class Scalar:
    """A tensor of one element on a device that counts how often it is waited for."""

    dtype = "float32"
    shape = ()
    waits = 0

    def __init__(self, value, device="gpu:0", graph=True):
        self.value, self.device, self.graph = value, device, graph

    def __add__(self, other):
        if isinstance(other, Scalar):
            assert other.device == self.device, "tensors of two devices do not add"
        value = getattr(other, "value", other)
        return Scalar(self.value + value, self.device, self.graph)

    __radd__ = __add__

    def __float__(self):
        Scalar.waits += 1
        return float(self.value)


@pytest.fixture
def waits(monkeypatch):
    """A framework of such tensors, and how often its device was waited for."""
    tensors = SimpleNamespace(
        detach=lambda x: Scalar(x.value, x.device, graph=False),
        home=lambda x: x.device,
    )
    monkeypatch.setattr(meters, "backend", SimpleNamespace(tensors=tensors))
    Scalar.waits = 0
    return lambda: Scalar.waits


def test_timer_intervals(monkeypatch):
    monkeypatch.setattr(time, "perf_counter", Clock(10.0, 12.0, 20.0, 23.0))
    timer = Timer()
    assert timer.stop() == 2.0
    timer.start()
    assert timer.stop() == 3.0
    assert timer.times == [2.0, 3.0]
    assert timer.sum() == 5.0
    assert timer.avg() == 2.5
    assert timer.cumsum() == [2.0, 5.0]


def test_timer_measures_real_time():
    timer = Timer()
    time.sleep(0.02)
    assert 0.015 < timer.stop() < 5


def test_timer_without_interval():
    timer = Timer()
    assert timer.sum() == 0.0
    assert timer.cumsum() == []
    with pytest.raises(RuntimeError, match=r"at least one.*stop\(\)"):
        timer.avg()


def test_accumulator_adds_and_resets():
    total = Accumulator(3)
    total.add(1, 2.5, np.float32(4))
    total.add(True, np.array([0.5]), np.array(1))
    assert [total[0], total[1], total[2]] == [2.0, 3.0, 5.0]
    assert all(type(value) is float for value in total)
    assert (total[-1], total[:2], len(total)) == (5.0, [2.0, 3.0], 3)
    total.reset()
    assert total[:] == [0.0, 0.0, 0.0]
    with pytest.raises(IndexError):
        total[3]


def test_accumulator_waits_for_the_device_only_when_read(waits):
    total = Accumulator(2)
    for _ in range(100):
        total.add(Scalar(0.5), 1)
    assert waits() == 0
    assert total[1] == 100.0
    assert waits() == 0
    assert total[0] == 50.0
    assert waits() == 1
    assert total[0] == 50.0, "reading twice does not count twice"


def test_accumulator_keeps_no_graph(waits):
    total = Accumulator(1)
    total.add(Scalar(1.0))
    (kept,) = total._on_device[0].values()
    assert not kept.graph


def test_accumulator_over_two_devices(waits):
    total = Accumulator(1)
    for i in range(6):
        total.add(Scalar(1.0, device=f"gpu:{i % 2}"))
    assert waits() == 0
    assert total[0] == 6.0
    assert waits() == 2


def test_accumulator_rarely_waits_in_a_long_run(waits):
    total = Accumulator(1)
    for _ in range(10_000):
        total.add(Scalar(1.0))
    assert waits() < 10_000 / 100
    assert total[0] == 10_000.0


def test_accumulator_of_native_tensors(d2l):
    total = Accumulator(3)
    for _ in range(600):
        total.add(
            d2l.tensor(16_000_001.0),
            d2l.tensor(8_000_000, dtype=d2l.int32),
            d2l.tensor([2.0]),
        )
    # Sums in float32 or int32 alone would be off or overflow.
    assert total[0] == pytest.approx(600 * 16_000_001.0, rel=1e-6)
    assert total[1] == 600 * 8_000_000
    assert total[2] == 1200.0


def test_accumulator_is_not_changed_through_the_tensor(d2l):
    value = d2l.tensor(1.0)
    total = Accumulator(1)
    total.add(value)
    value += 5
    assert total[0] == 1.0


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ((1,), ValueError, "expected n = 2 values, got 1"),
        ((1, 2, 3), ValueError, "expected n = 2 values, got 3"),
        ((1, np.ones(3)), ValueError, r"value 1, got shape \(3,\)"),
        ((1, "2"), TypeError, r"value 1, got builtins\.str"),
        ((1, np.array("2")), TypeError, "value 1, got <U1"),
        ((None, 2), TypeError, r"value 0, got builtins\.NoneType"),
    ],
)
def test_accumulator_refuses_and_adds_nothing(values, error, message):
    total = Accumulator(2)
    with pytest.raises(error, match=message):
        total.add(*values)
    assert total[:] == [0.0, 0.0]


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (1.5, TypeError)])
def test_accumulator_needs_a_number_of_sums(n, error):
    with pytest.raises(error, match="n: expected"):
        Accumulator(n)
