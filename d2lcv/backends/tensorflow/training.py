"""A training step in TensorFlow."""

import functools

import keras
import tensorflow as tf

from ...distributed import world_size
from ...training import check_loss, rate_groups
from .distributed import average
from .weights import slots

__all__ = ["Stepper", "freeze", "gradients", "predict"]


class SGD(keras.optimizers.SGD):
    """The velocity does not hold the learning rate, which may change between steps."""

    def update_step(self, gradient, variable, learning_rate):
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            gradient = self.momentum * velocity + gradient
            velocity.assign(gradient)
        variable.assign_sub(learning_rate * gradient)


class Adam(keras.optimizers.Adam):
    """ε is that of the paper's algorithm; Keras has the ε̂ of the text before it."""

    def update_step(self, gradient, variable, learning_rate):
        m = self._momentums[self._get_variable_index(variable)]
        v = self._velocities[self._get_variable_index(variable)]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * gradient**2)
        t = tf.cast(self.iterations + 1, tf.float64)
        first, second = (
            tf.cast(1 - beta**t, variable.dtype) for beta in (self.beta_1, self.beta_2)
        )
        mean, square = m / first, v / second
        variable.assign_sub(learning_rate * mean / (tf.sqrt(square) + self.epsilon))


class Mode(keras.Layer):
    """Keras layers called without `training=` take it from the layer around them: this."""

    def call(self, function, training=None):
        return function(training)


class Stepper:
    def __init__(self, net, optimizer, lr, momentum, weight_decay, eager, factors):
        self.net, self.weight_decay, self.eager = net, weight_decay, eager
        variables = slots(net) if factors else {}
        self.factors = {id(variables[name].variable): f for name, f in factors.items()}
        # Keras has one rate for an optimizer
        self.optimizers = {
            factor: (
                SGD(float(lr * factor), float(momentum))
                if optimizer == "sgd"
                else Adam(float(lr * factor), epsilon=1e-8)
            )
            for factor in {1.0, *factors.values()}
        }
        if net.built:  # else in the first step, which is then compiled twice
            for factor, weights in self._groups().items():
                self.optimizers[factor].build(weights)
        self._lr = lr
        # bounded: a function that is made anew for every step shall not fill the memory
        self._compiled = functools.lru_cache(maxsize=8)(self._compile)

    @property
    def lr(self):
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = value
        for factor, optimizer in self.optimizers.items():
            # a variable, which compiled steps read
            optimizer.learning_rate = value * factor

    def _groups(self):
        return rate_groups(self.net.trainable_variables, self.factors)

    def step(self, function, *batch):
        compiled = self._compiled(function)
        return Mode()(function=lambda _: compiled(*batch), training=True)

    def _compile(self, function):
        def step(*batch):
            with tf.GradientTape() as tape:
                loss, metrics = function(*batch)
            if loss.shape.rank is not None:
                check_loss(loss)
            groups = self._groups()
            gradients = tape.gradient(loss, groups)
            if world_size() > 1:
                gradients = _average(gradients)
            for factor, weights in groups.items():
                # what the loss does not depend on stays as it is
                found = [
                    (g + self.weight_decay * w, w)
                    for g, w in zip(gradients[factor], weights, strict=True)
                    if g is not None
                ]
                if found:
                    self.optimizers[factor].apply_gradients(found)
            return loss, metrics

        return step if self.eager else tf.function(step)


def _average(gradients):
    found = [g for g in tf.nest.flatten(gradients) if g is not None]
    means = iter(average(map(tf.convert_to_tensor, found)))  # a gather's are sparse
    return tf.nest.map_structure(lambda g: g if g is None else next(means), gradients)


def freeze(module):
    # Keras's batch norms then use their running statistics, too
    module.trainable = False
    return module


def gradients(function, *tensors):
    tensors = [tf.identity(x) for x in tensors]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    found = tape.gradient(value, tensors, unconnected_gradients="zero")
    return [tf.convert_to_tensor(g) for g in found]  # those of a gather are sparse


def predict(net, *inputs):
    def evaluate(mode):
        outputs = net(*inputs, training=False)
        # Keras leaves the mode of an inner call to what is called next
        Mode()(function=lambda _: None, training=mode)
        return tf.nest.map_structure(tf.stop_gradient, outputs)

    return Mode()(function=evaluate)
