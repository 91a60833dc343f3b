"""The TensorFlow column: the only place of the package that imports tensorflow."""

import os

# Read when TensorFlow is loaded: no notes on start-up
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Keras chooses what it runs on when it is imported, by default from a file
_NAME = __name__.rpartition(".")[2]
os.environ.setdefault("KERAS_BACKEND", _NAME)

import keras

if keras.backend.backend() != _NAME:
    raise RuntimeError(
        f"the backend {_NAME!r} needs Keras to run on it, but Keras runs on "
        f"{keras.backend.backend()!r}; start a new process with KERAS_BACKEND={_NAME}"
    )
