"""The TensorFlow column: the only place of the package that imports tensorflow."""

import os

# Read when TensorFlow is loaded: no notes on start-up
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Read when Keras is loaded, which takes what it runs on from a file otherwise
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

if keras.backend.backend() != "tensorflow":
    raise RuntimeError(
        "this backend needs Keras to run on TensorFlow, but Keras runs on "
        f"{keras.backend.backend()!r}; unset KERAS_BACKEND and start a new process"
    )
