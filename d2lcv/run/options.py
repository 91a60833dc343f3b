"""Options on the command line: what they mean, and what is taken before anything begins.

A word that is misspelt is answered with the right one.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ..backends import device_of, resolve
from ..classification import BLOCKS
from ..training import OPTIMIZERS
from ..words import did_you_mean

__all__ = ["Parser", "backend_choice", "named_or_there", "number"]

CHOICES = {
    "depth": tuple(BLOCKS),
    "optimizer": OPTIMIZERS,
    "schedule": ("constant", "cosine"),
}
SETTINGS = {
    "batch_size": "pictures of a step of training",
    "content": "the picture to paint, instead of the drawn one",
    "decay_steps": "steps after which the learning rate falls",
    "depth": "layers of the pre-trained ResNet",
    "exercises": "also run the exercises that train for themselves",
    "height": "pixels of the pictures from top to bottom",
    "image": "a picture of your own instead of the drawn one",
    "image_height": "pixels of the result from top to bottom",
    "image_size": "pixels along a side of the pictures that the net sees",
    "image_width": "pixels of the result from left to right, 0: as the picture has it",
    "lr": "the learning rate",
    "lr_decay": "the factor by which the learning rate falls",
    "lr_period": "epochs after which the learning rate falls",
    "lr_scratch": "the learning rate of the net that begins with random weights",
    "min_area": "the smallest share of a picture that a random crop keeps",
    "min_steps": "train for more epochs where these have fewer steps",
    "num_epochs": "how often the training goes through its pictures",
    "num_steps": "steps of the training",
    "optimizer": "the rule of the updates",
    "proposals": "regions of a picture that go on to the second stage",
    "resize": "pixels along a side of a picture before its middle is cut out",
    "schedule": "the course of the learning rate",
    "ssd_epochs": "epochs of the detector of one stage that it is compared with",
    "style": "the picture whose style is taken, instead of the drawn one",
    "threshold": "the least confidence of a box that is drawn",
    "valid_ratio": "the share of the pictures that is kept to validate",
    "weight_decay": "how much the weights are drawn to 0",
    "weights": "pre-trained weights, or a file of them",
    "width": "pixels of the pictures from left to right, or channels of the net",
}
FILES = ("content", "image", "style", "weights")


class Parser(argparse.ArgumentParser):
    """As argparse's, with a question for what is misspelt."""

    def error(self, message: str) -> NoReturn:
        given, known = "", list(self._option_string_actions)
        if found := re.search(r"unrecognized arguments: (--[\w-]+)", message):
            given = found[1]
        elif found := re.search(
            r"invalid choice: '(.*?)' \(choose from (.*)\)", message
        ):
            given, known = found[1], re.split(r"[,\s']+", found[2])
        hint = did_you_mean(given, known)
        super().error(f"{message}; {hint}" if hint else message)

    def add_device(self) -> None:
        self.add_argument(
            "--device",
            type=_device,
            metavar="NAME",
            help="cpu, gpu, or one of several: gpu:1 (default: a GPU if there is one)",
        )

    def add_setting(self, key: str, quick: Any, book: Any) -> None:
        """An option for a setting of the presets, which reads a value like theirs."""
        there = partial(named_or_there, (quick, book))
        read = there if key in FILES else _reader(quick, book)
        alone = True if read is _yes_or_no else None  # `--exercises` alone
        values = f" (quick {quick}, book {book})" if (quick, book) != ("", "") else ""
        said = f"{SETTINGS.get(key, '')}{values}".strip()
        self.add_argument(
            f"--{key.replace('_', '-')}",
            type=read,
            choices=CHOICES.get(key),
            nargs=alone and "?",
            const=alone,
            help=said.replace("%", "%%"),
        )


def backend_choice(text: str) -> str:
    """The backend that an option names."""
    try:
        return resolve(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _device(text: str) -> str:
    try:
        return device_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("device: ")) from None


def named_or_there(named: Iterable[str], text: str) -> str:
    """One of these names, or the path of what is there."""
    known = [name for name in dict.fromkeys(named) if name]
    if text in named or (text and Path(text).exists()):
        return text
    expected = " or ".join([*map(repr, known), "a path"])
    hint = did_you_mean(text, known)
    raise argparse.ArgumentTypeError(
        f"expected {expected}, and there is no {text!r}{hint and '; ' + hint}"
    )


def _reader(*examples: Any) -> Callable[[str], Any]:
    """What turns an option's text into a value like those of the presets."""
    kinds = {type(value) for value in examples}
    if kinds == {bool}:
        return _yes_or_no
    if not kinds <= {int, float}:
        return type(examples[0])
    least = 1 if kinds == {int} and min(examples) > 0 else 0
    return partial(number, int if kinds == {int} else float, least)


def number(kind: Callable[[str], float], least: int, text: str) -> float:
    """A number of this kind in a text, not below `least`."""
    try:
        number = kind(text)
    except ValueError:
        a = "an integer" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"expected {a}, got {text!r}") from None
    if not least <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected at least {least}, got {text}")
    return number


def _yes_or_no(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(
            f"expected true or false, got {text!r}"
        ) from None
