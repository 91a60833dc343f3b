"""A training step in TensorFlow."""

import functools
from contextlib import nullcontext

import keras
import numpy as np
import tensorflow as tf

from .distributed import average
from .layers import compiled
from .weights import Slot, slots

__all__ = [
    "PRECISIONS",
    "Stepper",
    "freeze",
    "get_rates",
    "get_state",
    "gradients",
    "make_optimizer",
    "make_step",
    "named_parameters",
    "parameters",
    "predict",
    "set_rates",
    "set_state",
    "train_step",
]

PRECISIONS = {
    "float32": nullcontext
}  # Keras gives bfloat16 to layers when they are made


def train_step(net, loss_of, optimizer, *batch):
    with tf.GradientTape() as tape:
        loss, metrics = loss_of(*batch)
    variables = net.trainable_variables
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return loss, metrics


def make_step(net, loss_of, optimizer):
    optimizer.build(net.trainable_variables)

    @tf.function
    def step(*batch):
        return train_step(net, loss_of, optimizer, *batch)

    return lambda *batch: Mode()(function=lambda _: step(*batch), training=True)


def make_optimizer(groups, rule, momentum=0.0, weight_decay=0.0):
    # Keras has one learning rate for an optimizer: one optimizer for each group
    optimizers = [
        Adam(weight_decay, float(lr), epsilon=1e-8)
        if rule == "adam"
        else SGD(weight_decay, float(lr), float(momentum))
        for _, lr in groups
    ]
    return Optimizers(optimizers, [variables for variables, _ in groups])


class SGD(keras.optimizers.SGD):
    """The velocity does not hold the learning rate, which may change between steps."""

    def __init__(self, decay=0.0, *args, **options):
        super().__init__(*args, **options)
        self.decay = decay  # coupled; Keras's own acts beside the gradient

    def update_step(self, gradient, variable, learning_rate):
        gradient = gradient + self.decay * variable
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            gradient = self.momentum * velocity + gradient
            velocity.assign(gradient)
        variable.assign_sub(learning_rate * gradient)


class Adam(keras.optimizers.Adam):
    """ε is that of the paper's algorithm; Keras has the ε̂ of the text before it."""

    def __init__(self, decay=0.0, *args, **options):
        super().__init__(*args, **options)
        self.decay = decay

    def apply(self, gradients, variables=None):
        t = tf.cast(self.iterations + 1, tf.float64)
        self.first, self.second = 1 - self.beta_1**t, 1 - self.beta_2**t
        super().apply(gradients, variables)

    def update_step(self, gradient, variable, learning_rate):
        gradient = gradient + self.decay * variable
        m = self._momentums[self._get_variable_index(variable)]
        v = self._velocities[self._get_variable_index(variable)]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * gradient**2)
        mean = m / tf.cast(self.first, variable.dtype)
        square = v / tf.cast(self.second, variable.dtype)
        variable.assign_sub(learning_rate * mean / (tf.sqrt(square) + self.epsilon))


class Optimizers:
    """Several optimizers that step together, each with variables of its own."""

    def __init__(self, optimizers, groups=((),), before_step=list):
        self.optimizers, self.before_step = optimizers, before_step
        self.number = {id(v): k for k, group in enumerate(groups) for v in group}
        self.every, self.is_last, self.sums = 1, True, {}  # steps of an update

    def apply_gradients(self, pairs):
        # what the loss does not depend on stays as it is
        pairs = [(g, v) for g, v in pairs if g is not None]
        pairs = [(g, v) for g, v in pairs if self.number_of(v) is not None]
        # those of a gather are sparse
        pairs = [(tf.convert_to_tensor(g), v) for g, v in pairs]
        if self.every == 1:
            return self.apply(pairs)
        for g, v in pairs:
            self.sum_of(v).assign_add(g)
        if self.is_last:
            self.update(self.every)

    def sum_of(self, variable):
        if id(variable) not in self.sums:
            with tf.init_scope():  # outside of the step that is being compiled
                total = tf.Variable(tf.zeros(variable.shape, variable.dtype))
            self.sums[id(variable)] = variable, total
        return self.sums[id(variable)][1]

    def update(self, count):
        self.apply([(total / count, v) for v, total in self.sums.values()])
        for _, total in self.sums.values():
            total.assign(tf.zeros_like(total))

    def apply(self, pairs):
        gradients = self.before_step([g for g, _ in pairs])
        pairs = list(zip(gradients, [v for _, v in pairs], strict=True))
        for k, optimizer in enumerate(self.optimizers):
            mine = [(g, v) for g, v in pairs if self.number_of(v) == k]
            if mine:
                optimizer.apply_gradients(mine)

    def number_of(self, variable):
        """Of its optimizer: the only one has all the variables of a new net, too."""
        return self.number.get(id(variable)) if self.number else 0

    def build(self, variables):
        for k, optimizer in enumerate(self.optimizers):
            mine = [v for v in variables if self.number_of(v) == k]
            if mine and not optimizer.built:
                optimizer.build(mine)


def get_rates(optimizer):
    return [float(one.learning_rate) for one in optimizer.optimizers]


def set_rates(optimizer, rates):
    for one, lr in zip(optimizer.optimizers, rates, strict=True):
        one.learning_rate = lr  # a variable, which compiled steps read


class Mode(keras.Layer):
    """Keras layers called without `training=` take it from the layer around them: this."""

    def call(self, function, training=None):
        return function(training)


def predict(net, *inputs):
    def evaluate(mode):
        outputs = net(*inputs, training=False)
        # Keras leaves the mode of an inner call to what is called next
        Mode()(function=lambda _: None, training=mode)
        return tf.nest.map_structure(tf.stop_gradient, outputs)

    return Mode()(function=evaluate)


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


# ---- what stands around a step -------------------------------------------------------


def parameters(net):
    return net.trainable_variables


def named_parameters(net):
    return {name: slot.variable for name, slot in slots(net).items()}


# What is kept of a variable beside itself: Keras's names and those of files
KEPT = {"momentums": "velocity", "_momentums": "mean", "_velocities": "square"}


def get_state(net, optimizer):
    optimizer.build(net.trainable_variables)
    state = {key: slot.get() for key, slot in _kept(net, optimizer)}
    for name, one in _trained(net, optimizer):
        state[f"step/{name}"] = np.float32(one.iterations)
    return state


def set_state(net, optimizer, state):
    optimizer.build(net.trainable_variables)
    for key, slot in _kept(net, optimizer):
        slot.put(state.get(key, np.zeros(slot.shape, np.float32)))
    for one in optimizer.optimizers:
        steps = [
            state.get(f"step/{n}", 0) for n, o in _trained(net, optimizer) if o is one
        ]
        one.iterations.assign(int(max(steps, default=0)))


def _trained(net, optimizer):
    for name, slot in slots(net).items():
        number = optimizer.number_of(slot.variable)
        if slot.variable.trainable and number is not None:
            yield name, optimizer.optimizers[number]


def _kept(net, optimizer):
    named = slots(net)
    for name, one in _trained(net, optimizer):
        if not isinstance(one, SGD | Adam):
            continue
        i = one._get_variable_index(named[name].variable)
        for kind, ours in KEPT.items():
            if getattr(one, kind, None):
                yield (
                    f"{ours}/{name}",
                    Slot(getattr(one, kind)[i], named[name].is_kernel),
                )
    for k, one in enumerate(optimizer.optimizers):  # of Keras's own all in its order
        for i, v in enumerate(() if isinstance(one, SGD | Adam) else one.variables):
            yield f"{k}.{i}/", Slot(v, False)


class Stepper:
    def __init__(self, net, optimizer, check, eager, several, clip_norm, every):
        if not isinstance(optimizer, Optimizers):
            optimizer, eager = Optimizers([optimizer]), False  # compiled as ours are
        self.net, self.optimizer, self.check = net, optimizer, check
        self.eager = eager

        def before_step(gradients):
            gradients = average(gradients) if several else gradients
            if clip_norm is None:
                return gradients
            return tf.clip_by_global_norm(gradients, clip_norm)[0]

        optimizer.before_step, optimizer.every = before_step, every
        self.count = 0  # steps since the last update
        if net.built:  # else in the first step, which is then compiled twice
            optimizer.build(net.trainable_variables)
        # bounded: a function that is made anew for every step shall not fill the memory
        self._compiled = functools.lru_cache(maxsize=8)(self._compile)

    def step(self, function, *batch):
        self.count = (self.count + 1) % self.optimizer.every
        step = self._compiled(function, self.count == 0)
        return Mode()(function=lambda _: step(*batch), training=True)

    def update(self):
        if self.count:
            self.optimizer.update(self.count)
        self.count = 0

    def _compile(self, function, is_last):
        def loss_of(*batch):
            return self.check(function(*batch))

        def step(*batch):
            self.optimizer.is_last = is_last
            return train_step(self.net, loss_of, self.optimizer, *batch)

        return step if self.eager else compiled(step)
