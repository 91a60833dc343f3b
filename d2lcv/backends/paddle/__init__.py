"""The PaddlePaddle column: the only place of the package that imports paddle."""

import signal
import warnings
from contextlib import contextmanager

# Paddle warns of a missing compiler cache, and at every batch norm in training
warnings.filterwarnings("ignore", message="No ccache found")
warnings.filterwarnings("ignore", message="When training, we now always track global")


@contextmanager
def _without_ctrl_c():
    """Ctrl-C waits: while Paddle loads, it becomes an ImportError."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


with _without_ctrl_c():
    import paddle


def _leave_as_it_is():
    """`paddle.jit.to_static` is not to rewrite this package, but to record its operators.

    It does not know all of Python: `zip(strict=True)`.
    """
    from pathlib import Path
    from types import ModuleType

    package = ModuleType("d2lcv")
    package.__file__ = str(Path(__file__).parents[2] / "__init__.py")
    paddle.jit.ignore_module([package])


_leave_as_it_is()
