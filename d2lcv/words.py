"""What several rooms say in the same words."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the known word nearest to `word`; empty if none is near."""
    from difflib import get_close_matches  # few runs misspell anything

    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""
