"""Options on the command line: a word that is misspelt is answered with the right one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn

__all__ = ["Parser", "did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the known word nearest to `word`; empty if none is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


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
