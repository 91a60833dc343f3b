"""Data sets that are drawn, for machines without a network: which there are.

A set is one line in `SETS`: its maker, a function `make_…(folder, …numbers, seed=0)` in
a module of its own, which is imported when the set is asked for. The maker's arguments
with defaults are the set's parameters; the module's `VERSION` is counted up when the
pictures change. `d2lcv.drawn.making` has what makers share.
"""

from __future__ import annotations

import os
from importlib import import_module
from inspect import signature

from ..data.hub import data_dir

__all__ = ["SETS", "synthetic"]

SETS: dict[str, str] = {
    "bananas": "bananas:make_bananas",
    "shapes": "shapes:make_shapes",
    "source": "source:make_source",
    "hotdog": "hotdog:make_hotdog",
    "cifar10": "cifar10:make_cifar10",
    "cifar10_tiny": "cifar10:make_cifar10_tiny",
    "dog_tiny": "dogs:make_dog_tiny",
    "voc": "voc:make_voc",
}
"""Name -> module (of `d2lcv.drawn`) and maker."""


def synthetic(name: str = "bananas", **parameters: int) -> str:
    """Return the folder of a drawn data set, drawing it at the first call.

    Args:
        name: a key of `SETS`, such as `"bananas"`.
        parameters: numbers that the set's maker takes, such as `num_train` and `seed`.
            Every combination has its own folder below `data_dir()/synthetic`.

    Returns:
        The path of the folder.

    Raises:
        ValueError: another name, or a number that the maker refuses.
        TypeError: another parameter.
    """
    if name not in SETS:
        raise ValueError(
            f"there is no synthetic data set {name!r}; there are "
            + ", ".join(map(repr, SETS))
        )
    module_name, maker = SETS[name].split(":")
    module = import_module(f".{module_name}", __package__)
    make = getattr(module, maker)
    given = {p.name: p.default for p in list(signature(make).parameters.values())[1:]}
    if unknown := set(parameters) - set(given):
        raise TypeError(f"{name} have no {sorted(unknown)}; they have {list(given)}")
    given |= parameters
    stamp = "-".join(f"{key.removeprefix('num_')}{given[key]}" for key in given)
    folder = os.path.join(data_dir(), "synthetic", f"{name}-v{module.VERSION}-{stamp}")
    return folder if os.path.isdir(folder) else make(folder, **given)
