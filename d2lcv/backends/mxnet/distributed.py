"""Several processes in MXNet: workers and a server that adds up what they send."""

import atexit
import os

import mxnet as mx
import numpy as onp
from mxnet import np

__all__ = ["average", "join"]

# The server's client, and the lengths it knows, filled by `join` and `average`
STORE, LENGTHS = [], set()


def join():
    if os.environ.get("DMLC_ROLE") != "worker":
        return 0, 1
    store = mx.kv.create("dist_sync")
    STORE.append(store)
    atexit.register(STORE.clear)  # closed too late, its threads abort the process
    return store.rank, store.num_workers


def average(tensors):
    """The mean of each over the processes, sent as one vector."""
    store = STORE[0]
    vector = np.concatenate([x.reshape(-1) for x in tensors])
    if vector.size not in LENGTHS:
        store.init(vector.size, np.zeros_like(vector))
        LENGTHS.add(vector.size)
    store.pushpull(vector.size, vector)
    ends = onp.cumsum([x.size for x in tensors])
    parts = np.split(vector / store.num_workers, ends[:-1].tolist())
    return [part.reshape(x.shape) for part, x in zip(parts, tensors, strict=True)]
