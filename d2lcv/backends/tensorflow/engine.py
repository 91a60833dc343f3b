"""The training loop of the chapter's classifiers, in TensorFlow."""

import functools

import keras
import tensorflow as tf
from keras.optimizers import Optimizer

from .tensors import to, try_gpu
from .training import predict, train_step

__all__ = [
    "Optimizer",
    "accuracy",
    "devices_of",
    "evaluate_accuracy_gpu",
    "evaluate_accuracy_gpus",
    "number_of_labels",
    "place",
    "split_batch",
    "train_batch_ch13",
    "train_ch13",
]


def accuracy(y_hat, y, ignore=None):
    if y_hat.shape.rank > y.shape.rank:
        y_hat = tf.argmax(y_hat, axis=1)  # scores (B, C, …) → classes (B, …)
    right = tf.cast(tf.cast(y_hat, y.dtype) == y, tf.float32)
    if ignore is not None:
        right = right * tf.cast(y != ignore, tf.float32)
    return tf.reduce_sum(right)


def number_of_labels(y, ignore=None):
    if ignore is None:
        return tf.size(y)
    return tf.reduce_sum(tf.cast(y != ignore, tf.float32))


def split_batch(X, y, devices):
    devices = devices[: len(X)]  # of a small batch the last ones get none
    n, parts = len(X), len(devices)
    sizes = [n // parts + (i < n % parts) for i in range(parts)]
    return (
        [to(part, d) for part, d in zip(tf.split(X, sizes), devices, strict=True)],
        [to(part, d) for part, d in zip(tf.split(y, sizes), devices, strict=True)],
    )


def evaluate_accuracy_gpu(net, data_iter, device=None, ignore=None):
    device = devices_of(net)[0] if device is None else device
    right, total = [], []
    for X, y in data_iter:
        X, y = to(X, device), to(y, device)
        right.append(accuracy(predict(net, X), y, ignore))
        total.append(number_of_labels(y, ignore))
    return sum(map(float, right)) / sum(map(float, total))


def evaluate_accuracy_gpus(net, data_iter, split_f=split_batch, ignore=None):
    devices = devices_of(net)
    right, total = [], []
    for X, y in data_iter:
        for X_part, y_part in zip(*split_f(X, y, devices), strict=True):
            right.append(accuracy(predict(net, X_part), y_part, ignore))
            total.append(number_of_labels(y_part, ignore))
    return sum(map(float, right)) / sum(map(float, total))


@functools.lru_cache(maxsize=2)  # made once, so that a step is compiled once
def batch_loss(net, loss, ignore):
    def loss_of(X_parts, y_parts):
        n = sum(y_part.shape[0] for y_part in y_parts)
        mean, right = 0.0, 0.0
        for X_part, y_part in zip(X_parts, y_parts, strict=True):
            y_hat = net(X_part, training=True)
            value = tf.reduce_mean(loss_values(loss, y_hat, y_part))
            if getattr(loss, "reduction", "mean") == "sum":
                value = value / tf.cast(tf.size(y_part), value.dtype)
            mean = mean + value * (y_part.shape[0] / n)
            right = right + accuracy(y_hat, y_part, ignore)
        return mean, right

    return loss_of


def loss_values(loss, y_hat, y):
    if not isinstance(loss, keras.losses.Loss):
        return loss(y_hat, y)
    # Keras has the labels first, and the classes on the last axis
    if len(y_hat.shape) > len(y.shape) > 1 and y_hat.shape[:-1] != y.shape:
        y_hat = tf.transpose(y_hat, (0, *range(2, len(y_hat.shape)), 1))
    return loss(y, y_hat)


def train_batch_ch13(
    net,
    X,
    y,
    loss,
    trainer,
    devices,
    split_f=split_batch,
    ignore=None,
    step=train_step,
):
    X_parts, y_parts = split_f(X, y, devices)
    n = sum(map(len, y_parts))
    loss_of = batch_loss(net, loss, ignore)
    mean, right = step(net, loss_of, trainer, X_parts, y_parts)
    return mean * n, right


def train_ch13(
    net,
    train_iter,
    test_iter,
    loss,
    trainer,
    num_epochs,
    devices,
    split_f=split_batch,
    ignore=None,
    step=train_step,
    report=print,
    gather=list,
):
    history = []
    # compiled for each shape of a batch once, unless the trainer runs line by line
    forward = net if getattr(trainer, "eager", False) else tf.function(net)
    for epoch in range(num_epochs):
        batches = []  # of each: loss, right ones, examples, labels
        for X, y in train_iter:
            loss_and_right = train_batch_ch13(
                net, X, y, loss, trainer, devices, split_f, ignore, step
            )
            batches.append((*loss_and_right, len(y), number_of_labels(y, ignore)))
        sums = [sum(map(float, column)) for column in zip(*batches, strict=True)]
        loss_sum, right, examples, labels = gather(sums)  # of all processes
        test_acc = None
        if test_iter is not None:
            test_acc = evaluate_accuracy_gpus(forward, test_iter, split_f, ignore)
        history.append((loss_sum / examples, right / max(labels, 1), test_acc))
        report(epoch + 1, *history[-1])
    return history


def devices_of(net):
    return [try_gpu()]  # where TensorFlow makes variables


def place(net, devices):
    return devices[:1]
