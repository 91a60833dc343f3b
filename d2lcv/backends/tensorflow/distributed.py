"""Several processes in TensorFlow, which find each other by the variable `TF_CONFIG`."""

import json
import os

import tensorflow as tf

__all__ = ["average", "join"]

# The strategy, in a list that `join` fills: TensorFlow wants one of it for a process
STRATEGY = []


def join():
    cluster = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {})
    if len(cluster.get("worker", ())) < 2:
        return 0, 1
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    size = len(cluster["worker"])
    if strategy.num_replicas_in_sync != size:
        raise RuntimeError(
            f"expected one GPU at most in each of {size} processes, TensorFlow sees "
            f"{strategy.num_replicas_in_sync} in all; give each process its own with "
            f"CUDA_VISIBLE_DEVICES"
        )
    STRATEGY.append(strategy)
    return strategy.cluster_resolver.task_id, size


def average(tensors):
    """The mean of each over the processes, sent as one vector."""
    tensors = list(tensors)
    vector = tf.concat([tf.reshape(x, [-1]) for x in tensors], 0)
    vector = STRATEGY[0].reduce("MEAN", vector, axis=None)
    parts = tf.split(vector, [x.shape.num_elements() for x in tensors])
    return [tf.reshape(part, x.shape) for part, x in zip(parts, tensors, strict=True)]
