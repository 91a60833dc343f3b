"""The machinery of a case: a question to a backend, its right answer, a tolerance.

A case is a function of the public API: given the package it returns named NumPy arrays.
With it come the values it must return, from the worked examples or from the oracle, and
how near they must be; one without them is held to the other backends only.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

ALL = []
by_name = {}


@dataclasses.dataclass(eq=False)
class Case:
    """One question to a backend, its answer and the tolerance of the answer.

    exact: outputs that are floats by type but whole numbers by meaning.
    check: raises ValueError if the inputs lie too near to a decision.
    """

    name: str
    topic: str
    run: Callable
    expect: Callable
    atol: float = 1e-5
    rtol: float = 0.0
    exact: tuple = ()
    check: Callable | None = None
    _expected: dict | None = None

    @property
    def has_answer(self):
        """Whether the right answer is known; else the backends judge each other."""
        return self.expect is not dict

    def __call__(self, d2l):
        """The backend's answer: {name: array}."""
        return {key: np.asarray(value) for key, value in self.run(d2l).items()}

    def expected(self):
        """The right answer: {name: array}, computed once."""
        if self._expected is None:
            answer = self.expect()
            self._expected = {key: np.asarray(value) for key, value in answer.items()}
        return self._expected

    def __repr__(self):
        return f"<case {self.topic}/{self.name}>"


def case(topic, expected=dict, *, name=None, **options):
    """Register a function of the package as a case."""

    def register(run):
        new = Case(
            name=name or run.__name__,
            topic=topic,
            run=run,
            expect=expected,
            **options,
        )
        enlist(new)
        return run

    return register


def enlist(new):
    """Put a case on the list."""
    if new.name in by_name:
        raise ValueError(f"two cases are called {new.name!r}")
    by_name[new.name] = new
    ALL.append(new)


def _kind(array):
    return {"b": "bool", "i": "integer", "u": "integer", "f": "float"}.get(
        array.dtype.kind, str(array.dtype)
    )


def _tolerance(expected, key, case):
    if _kind(expected) != "float" or key in case.exact:
        return np.zeros(expected.shape)
    return case.atol + case.rtol * np.abs(expected.astype(np.float64))


def difference(actual, expected):
    """The largest absolute difference of two arrays of one shape; 0 if empty."""
    if expected.size == 0:
        return 0.0
    gap = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    return float(gap.max())


def compare(actual, expected, case):
    """Raise AssertionError, naming case, key, element and both values, if they differ.

    Also for two backends' answers to one case. Returns the largest difference by key.
    """
    differences = {}
    if actual.keys() != expected.keys():
        raise AssertionError(
            f"{case.name}: keys {sorted(actual)} instead of {sorted(expected)}"
        )
    for key, want in expected.items():
        got = np.asarray(actual[key])
        where = f"{case.name}: {key}"
        if got.shape != want.shape:
            raise AssertionError(f"{where}: shape {got.shape} instead of {want.shape}")
        if _kind(got) != _kind(want):
            raise AssertionError(
                f"{where}: {got.dtype} instead of {_kind(want)} (as {want.dtype})"
            )
        with np.errstate(invalid="ignore"):
            tolerance = _tolerance(want, key, case)
            gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
        bad = ~np.isfinite(got) | ~np.isfinite(want) | ~(gap <= tolerance)
        if bad.any():
            # The worst element, one that is no number before any other.
            excess = np.where(np.isfinite(gap), gap - tolerance, np.inf)
            worst = np.where(bad, excess, -np.inf).argmax()
            index = tuple(int(i) for i in np.unravel_index(worst, want.shape))
            raise AssertionError(
                f"{where}{list(index)}: {got[index]!r} instead of {want[index]!r} "
                f"(difference {gap[index]:.3g}, allowed {tolerance[index]:.3g}; "
                f"{int(bad.sum())} of {bad.size} elements)"
            )
        differences[key] = difference(got, want)
    return differences
