"""Argument checks, and the rules for numbers (`docs/numbers.md`), each in one place.

What was wrong is said as: the argument, what was expected, what was given. Shapes are
written as in the documentation, `"B 4A"`: a letter is a size that must be the same
wherever it stands, a number is itself, `4A` is four times `A`, `_` is any size, and a
leading `...` is any number of leading axes.
"""

from __future__ import annotations

import inspect
import math
import numbers
import operator
import os
import traceback
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from .backends import backend, framework_of

__all__ = [
    "as_array",
    "as_given",
    "as_numbers",
    "at_least",
    "check_function",
    "check_kind",
    "check_labels",
    "check_module",
    "check_net",
    "check_path",
    "check_picture",
    "check_shapes",
    "check_tensor",
    "check_text",
    "checked",
    "described",
    "finite",
    "flag",
    "floats",
    "image_rows",
    "known_sizes",
    "in_range",
    "integers",
    "interval",
    "judged",
    "label",
    "listed",
    "not_negative",
    "on_device",
    "one_of",
    "pair",
    "positive",
    "positives",
    "real",
    "texts",
    "threshold",
    "whole",
]

# float32 holds every integer up to this one
LARGEST_EXACT = 2**24
HALF = ("float16", "bfloat16")
LARGEST = float(np.finfo(np.float32).max)  # the largest finite float32
LARGEST_SCALE = 1e18  # below it squares are finite in float32
FLOAT = (*HALF, "float32", "float64")
COLUMNS = f"{__package__}.backends."


def described(value: Any) -> str:
    """A value in an error message: its type, and itself where that is short."""
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{name} of shape {tuple(shape)}"
    text = repr(value)
    return f"{name} {text}" if len(text) <= 60 else name


# ---- tensors and their shapes --------------------------------------------------------


def check_tensor(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is a tensor of the active framework."""
    if backend.tensors.is_tensor(value):
        return
    active = backend.entry
    other = framework_of(value)
    given = f"{type(value).__module__}.{type(value).__qualname__}"
    if other is not None and other.name != active.name:
        raise TypeError(
            f"{name}: expected a tensor of {active.title} ({active.tensor}), the active "
            f"backend, but got one of {other.title} ({given}); convert it through NumPy "
            f"with d2lcv.tensor(array)"
        )
    raise TypeError(
        f"{name}: expected a tensor of {active.title} ({active.tensor}), got {given}; "
        f"make one with d2lcv.tensor(...)"
    )


def check_module(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is a net, or a layer, of the active framework."""
    if not backend.tensors.is_module(value):
        raise TypeError(
            f"{name}: expected a net of {backend.entry.title}, got {described(value)}"
        )


def check_net(name: str, value: Any) -> None:
    """As `check_module`; what stands for a net and passes its attributes on is one, too."""
    if inspect.isroutine(value) or isinstance(value, type) or not callable(value):
        check_module(name, value)


def check_kind(name: str, value: Any, expected: str, *kinds: type) -> None:
    """Raise `TypeError`, which says what was expected, unless `value` is of a kind."""
    if not isinstance(value, kinds):
        raise TypeError(f"{name}: expected {expected}, got {described(value)}")


def check_function(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` can be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {described(value)}")


def check_path(name: str, value: Any, *, what: str = "a path") -> Path:
    """A path of text; `TypeError` for anything else, `ValueError` if it is none."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name}: expected {what}, got {described(value)}")
    path = os.fsdecode(value)
    if not path or "\0" in path:
        raise ValueError(f"{name}: expected {what}, got {path!r}")
    return Path(path)


def check_text(name: str, value: Any) -> str:
    """A text; `TypeError` for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected text, got {described(value)}")
    return value


def texts(name: str, value: Any) -> list[str]:
    """Several texts, or one, as a list."""
    several = [value] if isinstance(value, str) else listed(name, value)
    return [check_text(f"{name}[{i}]", text) for i, text in enumerate(several)]


def flag(name: str, value: Any) -> bool:
    """True or False, of Python or NumPy, or 1 or 0."""
    if not isinstance(value, (numbers.Integral, np.bool_)) or value not in (0, 1):
        raise TypeError(f"{name}: expected True or False, got {described(value)}")
    return bool(value)


def one_of(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """`value`, which is one of the choices; else `ValueError`, which lists them."""
    plain = value.item() if isinstance(value, np.generic) else value
    if any(type(plain) is type(choice) and plain == choice for choice in choices):
        return plain
    known = ", ".join(map(repr, choices))
    raise ValueError(f"{name}: expected one of {known}, got {described(value)}")


class judged:
    """What a framework says against `names` becomes an error that names them.

    For what only the framework can judge, such as whether a net takes a batch. What this
    package or a reader's own code raises goes through as it is.
    """

    def __init__(self, names: str) -> None:
        self._names, self._framework = names, backend.tensors.as_raised()

    def __enter__(self) -> None:
        self._framework.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._framework.__exit__(kind, error, trace)
        if not isinstance(error, Exception):
            return
        if _is_said_by_framework(error):
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"{self._names}: {backend.entry.title} cannot compute with what was given: "
                f"{type(error).__name__}: {error}"
            ) from error
        short, first = backend.tensors.outside(trace), error.__context__
        if short is not trace:
            if first is not None and (type(first), first.args) == (kind, error.args):
                error.__suppress_context__ = True  # it was tried twice
            raise error.with_traceback(short)


def _is_said_by_framework(error: Exception) -> bool:
    text = str(error)
    # ours, out of a compiled step; or none that another argument would help against
    if __file__ in text or "out of memory" in text.lower():
        return False
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = str(frame.f_globals.get("__name__"))
    said_in = (*backend.entry.packages, "numpy")
    return module.startswith(COLUMNS) or module.partition(".")[0] in said_in


def check_shapes(**arguments: tuple[Any, str]) -> dict[str, int]:
    """Raise `ValueError` unless every `name=(tensor, shape)` fits; returns the sizes.

    Sizes that a framework does not know yet (inside a compiled step) fit anything.
    """
    sizes: dict[str, int] = {}
    for name, (value, expected) in arguments.items():
        shape = tuple(value.shape)
        others = dict(sizes)
        wanted = expected.split()
        tail = shape
        if wanted[:1] == ["..."]:
            wanted = wanted[1:]
            tail = shape[len(shape) - len(wanted) :]
        fits = len(tail) == len(wanted) and all(
            _fits(given, want, sizes) for given, want in zip(tail, wanted, strict=True)
        )
        if not fits:
            known = ", ".join(f"{k} = {v}" for k, v in others.items() if k in expected)
            raise ValueError(
                f"{name}: expected shape ({', '.join(expected.split())}"
                f"{',' if len(expected.split()) == 1 else ''})"
                f"{' with ' + known if known else ''}, got {shape}"
            )
    return sizes


def known_sizes(**tensors: Any) -> None:
    """Raise `ValueError` for a size of −1, which a compiled step does not know yet.

    `None` is one that the framework goes on with.
    """
    for name, x in tensors.items():
        if any(size is not None and size < 0 for size in x.shape):
            raise ValueError(
                f"{name}: expected sizes that are known while a step is compiled, got "
                f"shape {tuple(x.shape)}; name them in its input specification"
            )


def _fits(given: int | None, want: str, sizes: dict[str, int]) -> bool:
    if given is None or given < 0 or want == "_":
        return True
    symbol = want.lstrip("0123456789")
    factor = int(want.removesuffix(symbol) or 1)
    if not symbol:
        return given == factor
    # not `divmod`: torch.compile has none for sizes it does not know
    return given % factor == 0 and sizes.setdefault(symbol, given // factor) == (
        given // factor
    )


def checked(**arguments: tuple[Any, str]) -> tuple[Any, ...]:
    """The tensors of `name=(tensor, shape)`, each checked for framework and shape."""
    for name, (value, _) in arguments.items():
        check_tensor(name, value)
    check_shapes(**arguments)
    return tuple(value for value, _ in arguments.values())


# ---- the types of numbers ------------------------------------------------------------


def floats(**arguments: tuple[Any, str]) -> tuple[Any, ...]:
    """As `checked`, all in the one type to compute in: float32, or float64 if one needs it.

    Half precision and integers become float32. float64 stays, and integers that float32
    does not hold (above 2²⁴) become float64, unless a step is compiled, which cannot look.
    """
    tensors = checked(**arguments)
    t = backend.tensors
    for name, x in zip(arguments, tensors, strict=True):
        if not _is_integer(x) and t.type_name(x) not in FLOAT:
            raise TypeError(f"{name}: expected real numbers, got {t.type_name(x)}")
    dtype = t.float64 if any(map(_needs_double, tensors)) else t.float32
    return tuple(x if x.dtype == dtype else t.astype(x, dtype) for x in tensors)


def _is_integer(x: Any) -> bool:
    return backend.tensors.type_name(x).startswith(("int", "uint", "bool"))


def _needs_double(x: Any) -> bool:
    if _is_integer(x):
        return (backend.tensors.extent(x) or 0) > LARGEST_EXACT
    return backend.tensors.type_name(x) == "float64"


def as_given(result: Any, *tensors: Any) -> Any:
    """`result` in the type of `tensors`, if all are of the same half-precision type."""
    types = {backend.tensors.type_name(x) for x in tensors}
    if len(types) == 1 and types <= set(HALF):
        return backend.tensors.astype(result, tensors[0].dtype)
    return result


def finite(**tensors: Any) -> None:
    """Raise `ValueError` for NaN or infinity (a compiled step cannot look)."""
    for name, x in tensors.items():
        largest = backend.tensors.extent(x)
        if largest is not None and not math.isfinite(largest):
            found = "NaN" if math.isnan(largest) else "infinity"
            raise ValueError(f"{name}: expected finite numbers, got {found}")


def check_labels(
    name: str, labels: Any, num_classes: int, ignore_index: int | None = None
) -> bool:
    """Raise unless `labels`, a tensor, has whole numbers of `num_classes` classes only.

    Whether it could look: inside a compiled step numbers are not known yet.

    Raises:
        TypeError: the labels are not integers.
        ValueError: one is neither a class nor `ignore_index`; it is named.
    """
    t = backend.tensors
    if not _is_integer(labels) or t.type_name(labels) == "bool":
        raise TypeError(
            f"{name}: expected integers, the numbers of classes, got {t.type_name(labels)}"
        )
    if t.extent(labels) is None:
        return False
    array = t.numpy(labels)
    wrong = (array < 0) | (array >= num_classes)
    if ignore_index is not None:
        wrong &= array != ignore_index
    if wrong.any():
        others = "" if ignore_index is None else f", or {ignore_index} to ignore it"
        raise ValueError(
            f"{name}: expected classes from 0 to {num_classes - 1}{others}, got "
            f"{array[wrong][0]}"
        )
    return True


def check_picture(shape: Any, least: int) -> None:
    """Raise `ValueError` if X has no picture, or a side of them is below `least` pixels.

    Sizes that a framework does not know yet (inside a compiled step) fit.
    """
    # in a compiled step the number of pictures may be a tensor
    if any(isinstance(n, int) and n == 0 for n in tuple(shape)[:1]):
        raise ValueError(f"X: expected at least one picture, got shape {tuple(shape)}")
    if any(n is not None and 0 <= n < least for n in tuple(shape)[-2:]):
        raise ValueError(
            f"X: expected pictures of at least {least} × {least} pixels, got shape "
            f"{tuple(shape)}"
        )


def whole(name: str, x: Any) -> Any:
    """`x` as int64; `ValueError` unless its numbers are whole."""
    if _is_integer(x):
        return backend.tensors.astype(x, backend.tensors.int64)
    (x,) = floats(**{name: (x, "...")})  # kernels lack half precision
    finite(**{name: x})
    integers = backend.tensors.astype(x, backend.tensors.int64)
    gap = backend.tensors.extent(x - backend.tensors.astype(integers, x.dtype))
    if gap:
        raise ValueError(f"{name}: expected whole numbers, got fractions")
    return integers


def on_device(name: str, x: Any, device: Any) -> Any:
    """`x` on the device of an argument; where it is if that is `None`."""
    if device is None:
        return x
    try:
        moved = backend.tensors.to(x, device)
        if moved.dtype != x.dtype:  # a type is a place to go to, for some frameworks
            raise TypeError(f"{device!r} is a type of numbers")
        return moved
    except Exception as error:
        raise ValueError(
            f"{name}: expected a device of {backend.entry.title} on this machine, such "
            f"as d2lcv.try_gpu(), got {described(device)}"
        ) from error


# ---- plain numbers -------------------------------------------------------------------


def real(name: str, value: Any) -> float:
    """A real number, of Python or NumPy or in a tensor without axes, as Python's float."""
    if isinstance(value, (numbers.Real, np.bool_)):
        pass
    elif getattr(value, "shape", None) == () and (
        isinstance(value, np.ndarray) or framework_of(value) == backend.entry
    ):
        if not isinstance(value, np.ndarray):
            value = backend.tensors.numpy(value)
        if value.dtype.kind not in "biuf":
            raise TypeError(f"{name}: expected a real number, got {value.dtype}")
    else:
        raise TypeError(f"{name}: expected a real number, got {described(value)}")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name}: expected a smaller number, got {value}") from error


def in_range(name: str, value: Any, low: float, high: float) -> float:
    """`value` as a float; `ValueError` unless low ≤ value ≤ high (NaN is out of range)."""
    number = real(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name}: expected a number in [{low}, {high}], got {value}")
    return number


def not_negative(name: str, value: Any) -> float:
    """`value` as a float; `ValueError` unless it is at least 0 and finite in float32."""
    number = real(name, value)
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{name}: expected a number of at least 0, got {value}")
    return number


def positive(name: str, value: Any) -> float:
    """`value` as a float; `ValueError` unless it is above 0 and finite in float32."""
    number = real(name, value)
    if not 0 < number <= LARGEST:
        raise ValueError(f"{name}: expected a positive number, got {value}")
    return number


def threshold(name: str, value: Any, low: float = 0, high: float = 1) -> float:
    """`value` as float32, the type in which all comparisons are made.

    It is given as Python's float of the same value: a kernel that compares float32 with
    doubles then decides as one that compares float32 with float32.
    """
    return float(np.float32(in_range(name, value, low, high)))


def at_least(name: str, value: Any, least: float, most: float = 2**31 - 1) -> int:
    """An integer of Python or NumPy, from `least` to `most`, as Python's int.

    All frameworks hold integers of 32 bits.
    """
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected an integer, got {described(value)}")
    number = int(value)
    if number < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    if number > most:
        raise ValueError(f"{name}: expected at most {most}, got {value}")
    return number


def label(name: str, value: Any) -> int:
    """An integer that is a label in every framework, as Python's int."""
    return at_least(name, value, -(2**31))


def pair(name: str, value: Any, least: int) -> tuple[int, int]:
    """Two integers not below `least`, (height, width) as a rule; one stands for both."""
    if hasattr(value, "__len__") and not isinstance(value, str):
        value = listed(name, value)
        if len(value) != 2:
            raise ValueError(
                f"{name}: expected an integer or two of them, got {len(value)}"
            )
        first, second = value
    else:
        first = second = value
    return at_least(name, first, least), at_least(name, second, least)


def checked_index(name: str, value: Any, length: int) -> int:
    """An index into `length` examples, from 0; a negative one counts from the end.

    Raises:
        TypeError: no whole number of Python, NumPy or a framework.
        IndexError: there is no such example, which also ends a loop over a set.
    """
    expected = f"{name}: expected a whole number"
    if isinstance(value, slice):
        raise TypeError(
            f"{expected}, got {value}; take several one by one, as in "
            "[dataset[i] for i in range(2)]"
        )
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{expected}, got {described(value)}") from None
    if not -length <= number < length:
        raise IndexError(f"{expected} below {length}, the set's length, got {number}")
    return number % length


def as_numbers(name: str, value: Any) -> np.ndarray:
    """A tensor, an array, a number or lists of these, as an array of their type."""
    if framework_of(value) is not None:
        check_tensor(name, value)
        value = backend.tensors.numpy(value)
    if isinstance(value, (list, tuple)):
        value = [
            backend.tensors.numpy(x)
            if (owner := framework_of(x)) is not None and owner == backend.entry
            else x
            for x in value
        ]
    try:
        numbers = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected rows of equal lengths") from error
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected numbers, got {described(value)}")
    return numbers


def as_array(name: str, value: Any) -> np.ndarray:
    """As `as_numbers`, in float64."""
    return as_numbers(name, value).astype(np.float64)


def image_rows(name: str, images: Any, width: int) -> list[np.ndarray]:
    """Rows of each image: a float64 array (n, width) of finite numbers."""
    if not isinstance(images, (list, tuple)):
        images = as_array(name, images)
        if images.ndim != 3:
            raise ValueError(
                f"{name}: expected shape (N, n, {width}), or a list of arrays "
                f"(n, {width}), got {images.shape}"
            )
    rows = [as_array(f"{name}[{i}]", image) for i, image in enumerate(images)]
    rows = [x.reshape(0, width) if x.shape == (0,) else x for x in rows]
    for i, x in enumerate(rows):
        if x.ndim != 2 or x.shape[1] != width:
            raise ValueError(f"{name}[{i}]: expected shape (n, {width}), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError(f"{name}[{i}]: expected finite numbers")
    return rows


def interval(name: str, value: Any, low: float, high: float) -> tuple[float, float]:
    """Two numbers (a, b), given as such, with low ≤ a ≤ b ≤ high."""
    pairs = listed(name, value)
    if len(pairs) == 2:
        a, b = (real(name, x) for x in pairs)
        if low <= a <= b <= high:
            return a, b
    raise ValueError(
        f"{name}: expected (low, high) with {low:g} ≤ low ≤ high ≤ {high:g}, got "
        f"{described(value)}"
    )


def positives(name: str, values: Any) -> list[float]:
    """At least one number, all above 0 and finite in float32 when they are squared."""
    found = [real(name, x) for x in listed(name, values)]
    if not found or not all(0 < x < LARGEST_SCALE for x in found):
        raise ValueError(
            f"{name}: expected positive numbers below {LARGEST_SCALE:g}, at least one, "
            f"got {described(values)}"
        )
    return found


def listed(name: str, values: Any) -> list[Any]:
    """What has an order, such as a tuple, an array, a shape or a generator, as a list."""
    is_array = hasattr(values, "dtype")
    if isinstance(values, (str, bytes, Mapping, Set)) or (
        is_array and not values.shape
    ):
        pass
    elif isinstance(values, Iterable):
        return list(values)
    raise TypeError(f"{name}: expected a list, got {described(values)}")


def integers(**given: tuple[Any, int]) -> tuple[int, ...]:
    """The integers of `name=(value, least)`, each checked by `at_least`."""
    return tuple(at_least(name, *rule) for name, rule in given.items())
