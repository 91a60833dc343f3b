"""Training with what the framework has itself, in TensorFlow."""

import functools

import keras
import tensorflow as tf
from keras.optimizers import Optimizer

from .tensors import try_gpu
from .training import Stepper

__all__ = [
    "NativeStepper",
    "Optimizer",
    "compiled",
    "devices_of",
    "loss_values",
    "place",
    "total",
]


class NativeStepper(Stepper):
    def __init__(self, net, optimizer):
        self.net, self.optimizers, self.factors = net, {1.0: optimizer}, {}
        self.weight_decay, self.eager = 0.0, False
        self._compiled = functools.lru_cache(maxsize=8)(self._compile)

    def step(self, function, *batch):
        if not self.net.built:  # its weights are made in the first call
            self.net(batch[0])
        if not self.optimizers[1.0].built:
            self.optimizers[1.0].build(self.net.trainable_variables)
        return super().step(function, *batch)


def compiled(net):
    return tf.function(net)  # for each shape of a batch once


def loss_values(loss, y_hat, y):
    if not isinstance(loss, keras.losses.Loss):
        return loss(y_hat, y)
    # Keras has the labels first, and the classes on the last axis
    if len(y_hat.shape) > len(y.shape) > 1 and y_hat.shape[:-1] != y.shape:
        y_hat = tf.transpose(y_hat, (0, *range(2, len(y_hat.shape)), 1))
    return loss(y, y_hat)


def total(scalars):
    return tf.add_n(scalars)


def devices_of(net):
    return [try_gpu()]  # where TensorFlow makes variables


def place(net, devices):
    return devices[:1]
