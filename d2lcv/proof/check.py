"""Whether a function is right: the cases of the package as a teacher.

`check` runs a function in the place of the package's own through every case that calls
it; `exercise` does so where the function is defined; `using` lets the package work with
it.
"""

from __future__ import annotations

import dis
import functools
import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from ..backends import backend, framework_of
from ..words import did_you_mean
from .case import Case, compare

__all__ = ["Failure", "Result", "check", "exercise", "using"]

PACKAGE = __package__.partition(".")[0]
SECONDS = 0.2  # of measuring the speed of one function
SEEN = 10**6  # numbers in the arguments of the calls that are remembered


@dataclass
class Failure:
    """A case in which the function is wrong.

    Attributes:
        case: its name.
        reason: what is wrong, in a sentence.
        arguments: what the function was called with where it first gave something else
            than ours, or the last time.
        expected, got: the right answer and the function's, by name; `got` is empty if
            there was none.
        size: numbers in all arguments.
    """

    case: str
    reason: str
    arguments: dict[str, Any]
    expected: dict[str, Any]
    got: dict[str, Any]
    size: int

    def __str__(self) -> str:
        lines = [f"{self.case}: {self.reason}"]
        for name, value in self.arguments.items():
            lines += _lines(name, value)
        for title, values in (("expected", self.expected), ("got", self.got)):
            for name, value in values.items():
                lines += _lines(f"{title} {name}", value)
        return "\n  ".join(lines)


@dataclass
class Result:
    """What `check` found; true if every case was run and is right.

    Attributes:
        name: the function's.
        right, total: numbers of cases.
        failures: the wrong ones, the smallest first.
        skipped: names of cases that were not run, for the function is too slow.
        speed: its time by the time of ours on the largest case; None if not measured.
    """

    name: str
    right: int = 0
    total: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    speed: float | None = None

    def __bool__(self) -> bool:
        return self.right == self.total

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.right} of {self.total} cases are right"]
        if self.speed is not None:
            lines[0] += f"; {_as_words(self.speed)}"
        if self.skipped:
            lines += [f"not run, for it would take too long: {', '.join(self.skipped)}"]
        if self.failures:
            lines += ["The smallest case that is wrong:", f"  {self.failures[0]}"]
        return "\n".join(lines)


def check(
    function: Callable[..., Any],
    name: str | None = None,
    quiet: bool = False,
    *,
    seconds: float = 60,
) -> Result:
    """Tell whether a function is right, by every case that defines the one of that name.

    The cases (worked examples, ties, nothing, degenerate boxes, random ones, gradients
    where they belong to the definition) are those that hold the frameworks to each other.
    Each is run with `function` in the place of the package's own. Printed are how many are
    right; the smallest one that is not, with the arguments, what was expected and what
    came; and how much slower or faster than ours the function is.

    Args:
        function: takes all that the public function takes, in that order, and gives what
            it gives, in the active framework. The package's checks stand before it:
            numbers come in the types that its documentation says it computes in.
        name: a public function of the package, `"box_iou"`; else the function's own name.
        quiet: print nothing, for graders.
        seconds: cases that would begin after this time, or would by the size of their
            arguments take longer, are not run; `skipped` has them.

    Returns:
        A `Result`: true if every case is right; `right`, `total`, `failures`.

    Raises:
        TypeError: `function` cannot be called.
        ValueError: no such function, or one without cases.
    """
    if not callable(function):
        raise TypeError(f"function: expected a function, got {function!r}")
    # a function of the package stands for its name
    name = getattr(function if name is None else name, "__name__", name or "")
    ours = _ours(name)
    cases = _cases(name)
    if not cases:
        raise ValueError(f"name: expected a function that has cases, got {name!r}")
    if _is_unwritten(function):
        if not quiet:
            print(f"{name}: not written yet")
        return Result(name, total=len(cases))
    runs = _runs(name, ours)
    result = Result(name, total=len(runs))
    begun, largest = time.perf_counter(), None
    least, pace = float("inf"), 0.0  # seconds of the quickest call, and for a number
    for run in runs:
        if max(time.perf_counter() - begun, pace * run.size) > seconds:
            result.skipped.append(run.case.name)
            continue
        start = time.process_time()  # a busy machine does not make a function slow
        watch = _Watch(_public(name), function, run.value)
        failure = _failure(run, name, watch)
        took = time.process_time() - start
        least = min(least, took)
        pace = (took - least) / run.size if run.size > 1000 else 0.0
        if failure is None:
            result.right += 1
            # what was inside of a compiled function has no numbers to measure with
            if not any(map(backend.tensors.is_tensor, run.arguments.values())):
                largest = run
        else:
            result.failures.append(failure)
    if largest is not None and not result.failures:
        result.speed = _speed(function, ours, largest.arguments)
    if not quiet:
        print(result)
    return result


def exercise(name: str, **options: Any) -> Callable[[Any], Any]:
    """Decorate a function to be told whether it is right; it is left as it is.

    ```python
    @d2lcv.exercise("box_iou")
    def box_iou(boxes1, boxes2): ...
    ```

    Args:
        name: the public function that it is to be.
        options: as for `check`.
    """

    def tell(function: Any) -> Any:
        check(function, name, **options)
        return function

    return tell


@contextmanager
def using(**functions: Callable[..., Any]) -> Iterator[None]:
    """Let the package call your functions in the place of its own.

    ```python
    with d2lcv.using(multibox_target=mine):
        train(net)  # its targets are yours
    ```

    Within it the public name, and every call of that function from inside the package,
    goes to yours. What was compiled before keeps what it was compiled with; what is
    compiled within keeps yours.

    Args:
        functions: by the names of public functions, `box_iou=mine`.

    Raises:
        ValueError: no such function.
        TypeError: what is given cannot be called.
    """
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"{name}: expected a function, got {function!r}")
    watches = {name: _Watch(_public(name), f).plain for name, f in functions.items()}
    with _in_place(watches):
        yield


# ---- in the place of ours ------------------------------------------------------------


def _public(name: str) -> Any:
    """The package's function of a name."""
    package = importlib.import_module(PACKAGE)
    value = getattr(package, name, None) if name and isinstance(name, str) else None
    if not isinstance(value, FunctionType) or not value.__module__.startswith(PACKAGE):
        hint = did_you_mean(str(name), dir(package)) or "such as 'box_iou'"
        raise ValueError(
            f"name: expected a public function of {PACKAGE}, got {name!r}; {hint}"
        )
    return value


def _ours(name: str) -> Any:
    """What runs for a name: the column's function, behind the checks, else the topic's.

    A column's function of the topic's name and parameters means the same.
    """
    topic = _public(name)
    try:
        column = getattr(backend, topic.__module__.rpartition(".")[2])
    except ModuleNotFoundError:
        return topic
    native = getattr(column, name, None)
    return native if native and _names(native) == _names(topic) else topic


@contextmanager
def _in_place(functions: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """Every global of the package that is a function of ours is another one."""
    ours = {name: _ours(name) for name in functions}
    pairs = [(ours[name], _instead(ours[name], f)) for name, f in functions.items()]
    _replace(pairs)
    try:
        yield
    finally:
        _replace([(other, own) for own, other in pairs])


def _instead(ours: Any, function: Callable[..., Any]) -> Any:
    """`function` in the place of ours; what it calls by that name itself is ours."""
    busy = False

    @functools.wraps(ours)
    def call(*given: Any, **named: Any) -> Any:
        nonlocal busy
        if busy:
            return ours(*given, **named)
        busy = True
        try:
            return function(*given, **named)
        finally:
            busy = False

    return call


def _names(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # compiled
        return []


def _replace(pairs: list[tuple[Any, Any]]) -> None:
    backend.tensors.forget()
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name == PACKAGE or name.startswith(f"{PACKAGE}.")
    ]
    for module in modules:
        for name, value in list(vars(module).items()):
            for old, new in pairs:
                if value is old:
                    setattr(module, name, new)


class _Refused(Exception):
    """The function did what it must not."""


class _Watch:
    """Calls a function in the place of ours, and looks at what it does."""

    def __init__(
        self, ours: Any, function: Callable[..., Any], like: Any = None
    ) -> None:
        self.signature = inspect.signature(ours)
        self.like = like  # what ours gave
        self.function, self.name = function, ours.__name__
        self.arguments: dict[str, Any] = {}
        self.reason = ""
        self.calls = self.size = 0
        self.seen: list[tuple[list[Any], dict[str, Any], Any]] = []

    def bound(self, *given: Any, **named: Any) -> dict[str, Any]:
        bound = self.signature.bind(*given, **named)
        bound.apply_defaults()
        return dict(bound.arguments)

    def plain(self, *given: Any, **named: Any) -> Any:
        return self.function(*self.bound(*given, **named).values())

    def __call__(self, *given: Any, **named: Any) -> Any:
        arguments = self.bound(*given, **named)
        self.arguments = {name: _copied(value) for name, value in arguments.items()}
        self.calls += 1
        self.size += sum(map(_size, arguments.values()))
        try:
            value = self.function(*arguments.values())
        except Exception as error:
            self._refuse(_raised(error, self.function))
        for name, before in self.arguments.items():
            if isinstance(before, np.ndarray) and _changed(before, arguments[name]):
                self._refuse(f"it changed its argument {name}")
        if self.size < SEEN:
            self.seen.append((list(arguments.values()), self.arguments, value))
        if self.like is not None:
            self._look_at(value)
        self.like = self.like if self.like is not None else value
        return value

    def _look_at(self, value: Any) -> None:
        wanted = _parts(self.like)
        if isinstance(value, tuple | list) and len(value) != len(wanted):
            self._refuse(f"it gave {len(value)} values, expected {len(wanted)}")
        if len(wanted) > 1 and not isinstance(value, tuple | list):
            self._refuse(
                f"it gave one {type(value).__name__}, expected {len(wanted)} values"
            )
        for part, like in zip(_parts(value), wanted, strict=True):
            is_tensor = backend.tensors.is_tensor
            if is_tensor(part) or (part is not None and not is_tensor(like)):
                continue
            other = framework_of(part)
            what = f"a tensor of {other.title}" if other else f"{type(part).__name__}"
            active = backend.entry
            self._refuse(f"it gave {what}, expected {active.tensor} of {active.title}")

    def _refuse(self, reason: str) -> None:
        self.reason = reason
        raise _Refused(reason)


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _raised(error: Exception, function: Any) -> str:
    """What a function raised, and in which of its lines."""
    where, trace = "", error.__traceback__
    own = getattr(function, "__code__", None)
    while trace is not None:
        if trace.tb_frame.f_code is own:
            where = f" in its line {trace.tb_lineno - own.co_firstlineno + 1}"
        trace = trace.tb_next
    first = (str(error).strip().splitlines() or [""])[0]
    return f"it raised {type(error).__name__}{where}: {first}"


def _concrete(value: Any) -> np.ndarray | None:
    """The numbers of a tensor; None inside of what is being compiled."""
    try:
        return np.asarray(backend.tensors.numpy(value))
    except Exception:  # each framework has its own for a tensor without values
        return None


def _copied(value: Any) -> Any:
    if backend.tensors.is_tensor(value):
        array = _concrete(value)
        return value if array is None else array.copy()
    return value


def _changed(before: np.ndarray, value: Any) -> bool:
    after = _concrete(value)
    return after is not None and not np.array_equal(
        before, after, equal_nan=before.dtype.kind == "f"
    )


def _size(value: Any) -> int:
    if isinstance(value, tuple | list):
        return sum(map(_size, value))
    if not backend.tensors.is_tensor(value):
        return 1
    return int(np.prod([n or 0 for n in value.shape], dtype=np.int64))


# ---- the cases -----------------------------------------------------------------------


@dataclass
class _Run:
    """A case that calls a function, and how: seen with ours."""

    case: Case
    size: int
    arguments: dict[str, Any]
    value: Any
    expected: dict[str, Any]


def _cases(name: str) -> list[Case]:
    """The cases whose code has a function's name."""
    from .cases import ALL

    return [case for case in ALL if name in _mentioned(case.run)]


def _is_unwritten(function: Any) -> bool:
    """Whether the body of a function is nothing but `...`."""

    def nothing() -> None: ...

    if not isinstance(function, FunctionType):
        return False
    own, empty = (
        [i.opname for i in dis.get_instructions(f)] for f in (function, nothing)
    )
    return own == empty


@functools.cache
def _runs(name: str, ours: Any) -> list[_Run]:
    """The cases that call a function, the smallest first."""
    package = importlib.import_module(PACKAGE)
    found = []
    for case in _cases(name):
        watch = _Watch(_public(name), ours)
        with _in_place({name: watch}):
            answer = case(package)
        if watch.calls:
            expected = case.expected() if case.has_answer else answer
            arguments = watch.arguments
            found.append(_Run(case, watch.size, arguments, watch.like, expected))
    return sorted(found, key=lambda run: run.size)


def _mentioned(run: Any) -> set[str]:
    """The names in a case's code, and in that of the helpers it calls."""
    names: set[str] = set()
    functions, seen = [run], set()
    while functions:
        function = functions.pop()
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        if not function.__module__.startswith(f"{PACKAGE}.proof"):
            continue
        codes = [function.__code__]
        own: set[str] = set()
        while codes:
            code = codes.pop()
            own |= {*code.co_names}
            codes += [c for c in code.co_consts if isinstance(c, CodeType)]
        names |= own
        functions += [function.__globals__.get(n) for n in own]
        functions += [cell.cell_contents for cell in function.__closure__ or ()]
    return names


def _failure(run: _Run, name: str, watch: _Watch) -> Failure | None:
    """What is wrong with the function in a case, if anything."""
    got: dict[str, Any] = {}
    try:
        with _in_place({name: watch}):
            got = run.case(importlib.import_module(PACKAGE))
        compare(got, run.expected, run.case)
        return None
    except AssertionError as error:
        reason = str(error).removeprefix(f"{run.case.name}: ")
        different = [key for key in run.expected if reason.startswith(key)]
        keys = different or list(run.expected)
        expected = {key: run.expected[key] for key in keys}
        got = {key: got[key] for key in keys if key in got}
        if any(v.dtype.kind == "f" and np.isnan(v).any() for v in got.values()):
            reason = f"it gave NaN; {reason}"
    except Exception as error:
        # a framework that compiles wraps what the function raised
        reason = watch.reason or f"with what it gave, {_raised(error, None)[3:]}"
        expected = run.expected
    arguments = _first_wrong(watch, _ours(name)) or watch.arguments or run.arguments
    return Failure(run.case.name, reason, arguments, expected, got, run.size)


def _first_wrong(watch: _Watch, ours: Any) -> dict[str, Any] | None:
    """The arguments of the first of several calls that gave something else than ours."""
    for given, arguments, value in watch.seen if watch.calls > 1 else []:
        if not _agree(_parts(value), _parts(ours(*given))):
            return arguments
    return None


def _agree(parts: list[Any], wanted: list[Any]) -> bool:
    arrays = [[_concrete(x) for x in values] for values in (parts, wanted)]
    if len(parts) != len(wanted) or any(x is None for row in arrays for x in row):
        return len(parts) == len(wanted)  # without numbers nothing can be said
    return all(
        a.shape == b.shape and np.allclose(a, b, 1e-5, 1e-6, equal_nan=True)
        for a, b in zip(*arrays, strict=True)
    )


# ---- what is printed -----------------------------------------------------------------


def _lines(name: str, value: Any) -> list[str]:
    """A value for a reader: short ones in the line, arrays below it."""
    if not isinstance(value, np.ndarray):
        return [f"{name}: {value!r}"]
    with np.printoptions(threshold=60, edgeitems=3, precision=6, suppress=True):
        text = str(value).splitlines() or ["[]"]
    title = f"{name}, {value.dtype} {value.shape}:"
    if len(text) == 1 and len(title) + len(text[0]) < 76:
        return [f"{title} {text[0]}"]
    return [title, *(f"  {line}" for line in text)]


def _as_words(speed: float) -> str:
    if 0.8 < speed < 1.25:
        return "about as fast as ours"
    factor, word = (speed, "slower") if speed > 1 else (1 / speed, "faster")
    return f"{factor:.1f} times {word} than ours"


def _speed(function: Any, ours: Any, arguments: dict[str, Any]) -> float:
    """Its time by ours, of the best of some calls on a case's arguments."""
    t = backend.tensors
    tensors = [
        t.tensor(v) if isinstance(v, np.ndarray) else v for v in arguments.values()
    ]
    times = []
    for call in (ours, function):
        call(*tensors)  # what is compiled at the first call
        t.synchronize()
        best, begun = float("inf"), time.perf_counter()
        while best == float("inf") or time.perf_counter() - begun < SECONDS:
            start = time.perf_counter()
            call(*tensors)
            t.synchronize()
            best = min(best, time.perf_counter() - start)
        times.append(best)
    return times[1] / max(times[0], 1e-9)
