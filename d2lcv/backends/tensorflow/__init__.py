"""The TensorFlow column: the only place of the package that imports tensorflow."""

import os
import platform
import tempfile
from contextlib import contextmanager

# Read when TensorFlow is loaded: few notes
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Read when Keras is loaded, which takes what it runs on from a file otherwise
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if platform.machine() in ("x86_64", "AMD64"):
    # TensorFlow takes oneDNN, which halves the time of a step, on some processors only
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # What oneDNN has for AVX-512 writes past its memory (docs/frameworks.md)
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


@contextmanager
def _quiet():
    """Keeps what libraries write on the way in (TensorFlow 2.21 heeds no level there)."""
    with tempfile.TemporaryFile() as notes:
        screen = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(screen, notes.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


with _quiet():
    import keras

if keras.backend.backend() != "tensorflow":
    raise RuntimeError(
        "this backend needs Keras to run on TensorFlow, but Keras runs on "
        f"{keras.backend.backend()!r}; unset KERAS_BACKEND and start a new process"
    )
