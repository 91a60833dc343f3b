"""Whether a notebook is what runs this program."""

import sys
from typing import Any

__all__ = ["kernel"]


def kernel() -> Any:
    """The IPython shell if this is a notebook's kernel, else None.

    A program that only has IPython or its kernel among its modules is no notebook.
    """
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if get_shell is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None
