"""Training that stays visible: the loop is yours, a step is one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .backends import Module, Tensor, backend
from .checks import (
    at_least,
    check_function,
    check_kind,
    check_module,
    check_net,
    check_picture,
    check_tensor,
    described,
    in_range,
    judged,
    not_negative,
    one_of,
    positive,
    real,
)
from .distributed import mean_statistics, world_size

__all__ = ["FiniteLoss", "Trainer", "freeze", "gradients", "predict", "warmup_cosine"]

OPTIMIZERS = ("sgd", "adam")
PRECISIONS = ("float32", "bfloat16")


class Trainer:
    """An optimizer for `net` with the same update rule on every backend.

    `sgd`: g ← g + λw, v ← μv + g, w ← w − ηv. `adam` (Kingma and Ba, 2015): the same
    coupled λ, β = (0.9, 0.999), ε = 1e-8 added to the root of the corrected second
    moment. η is `lr`, μ `momentum`, λ `weight_decay`, which acts on every parameter.

    ```python
    trainer = d2lcv.Trainer(net, "sgd", lr=0.2, weight_decay=5e-4)

    def step(X, Y):
        loss = ...                # a scalar: the mean over the batch
        return loss, metrics      # metrics: any tensors to report

    for X, Y in train_iter:
        loss, metrics = trainer.step(step, X, Y)
    ```

    Args:
        net: a module of the active framework.
        optimizer: "sgd", "adam", or the framework's own optimizer of the weights of `net`
            (`torch.optim.AdamW(…)`, `gluon.Trainer`, …), which has its rates and options.
        lr: learning rate, also to be read and set as `trainer.lr`: of an own optimizer, it
            is that of its first group, and others keep their ratio to it. `trainer.steps`
            counts the steps.
        momentum: for "sgd".
        weight_decay: coupled L2 penalty.
        lr_scale: factors on the learning rate of parts of the net, by their names, with
            which those of their weights begin up to a dot (see `get_weights`):
            `{"output": 10.0}` lets the layer `output` learn ten times as fast. Of a part
            and one inside of it the longer name counts; with 0 a part is left
            out: it neither learns nor decays.
        clip_norm: the largest norm of the gradients: of all of them together, before the
            penalty. Longer ones are shortened, g ← g·c/‖g‖, and keep their direction.
        accumulate: how many steps have one update, with the mean of their gradients: k
            steps on b pictures are as one on k·b, for a loss that is a mean, in the memory
            of b. Batch norm still normalises each batch by its own.
        precision: "float32", or "bfloat16", in which `net(…)` then computes in training,
            where the framework can: in half the memory, with 8 bits of each number's
            digits. Weights, outputs, loss and predictions stay float32.
        eager: run each line of a step as it comes, in the framework's default layout:
            to print and to debug, or to compare the speed with.
        stop_unless_finite: whether a step whose loss is infinite or NaN is an error; with
            `False` the training goes on.

    Raises:
        ValueError: unknown optimizer, a negative number, momentum with "adam", options
            beside an own optimizer, no `lr` without one, a precision that the framework
            does not have here, or a key of `lr_scale` that is no part of the net.
    """

    def __init__(
        self,
        net: Any,
        optimizer: Any = "sgd",
        *,
        lr: float | None = None,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        lr_scale: Mapping[str, float] | None = None,
        clip_norm: float | None = None,
        accumulate: int = 1,
        precision: str = "float32",
        eager: bool = False,
        stop_unless_finite: bool = True,
    ) -> None:
        check_module("net", net)
        if clip_norm is not None:
            clip_norm = positive("clip_norm", clip_norm)
        accumulate = at_least("accumulate", accumulate, 1)
        precision = one_of("precision", precision, PRECISIONS)
        if precision not in backend.training.PRECISIONS:
            raise ValueError(
                f"precision: {backend.entry.title} has no {precision} for a net that is "
                "made already; train in float32"
            )
        self.precision = precision
        self.net, self.optimizer, self.eager, self.steps = net, optimizer, eager, 0
        if isinstance(optimizer, backend.engine.Optimizer):
            if lr is not None or momentum or weight_decay or lr_scale:
                raise ValueError(
                    "lr, momentum, weight_decay, lr_scale: not beside an optimizer of "
                    "your own; give them to it"
                )
            native = optimizer
        else:
            if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
                raise ValueError(
                    f"optimizer: expected one of {', '.join(OPTIMIZERS)}, or an "
                    f"optimizer of {backend.entry.title}, got {optimizer!r}"
                )
            if lr is None:
                raise ValueError(f"lr: expected a learning rate for {optimizer!r}")
            lr = not_negative("lr", lr)
            momentum = not_negative("momentum", momentum)
            weight_decay = not_negative("weight_decay", weight_decay)
            if momentum and optimizer != "sgd":
                raise ValueError(
                    "momentum: only for the optimizer 'sgd'; 'adam' has its own"
                )
            groups = _rate_groups(net, _factors(net, lr_scale))
            native = backend.training.make_optimizer(
                [(parameters, lr * factor) for factor, parameters in groups.items()],
                optimizer,
                momentum,
                weight_decay,
            )
        self._stepper = backend.training.Stepper(
            net, native, check_outcome, eager, world_size() > 1, clip_norm, accumulate
        )
        self._native = self._stepper.optimizer  # which may be several in one
        if lr is None:
            lr, *others = backend.training.get_rates(self._native)
            self._factors = [1.0, *(rate / lr if lr else 1.0 for rate in others)]
        else:
            self._factors = list(groups)
        self._lr = lr
        self._finite = FiniteLoss() if stop_unless_finite else None

    @property
    def lr(self) -> float:
        if not isinstance(self.optimizer, str):  # a schedule of its own may have set it
            self._lr = backend.training.get_rates(self._native)[0]
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = not_negative("lr", value)
        rates = [self._lr * factor for factor in self._factors]
        backend.training.set_rates(self._native, rates)

    def step(self, function: Callable[..., tuple[Any, Any]], *batch: Any) -> Any:
        """One step: `function(*batch)` in training mode, gradients, new weights.

        `function` returns a scalar loss and anything to report; so does this, with the
        values from before the update, detached from the graph. Unless `eager` was asked
        for, TensorFlow compiles `function` and runs the compiled form: what Python prints
        in it appears once only.

        Raises:
            TypeError: `function` returns something else than two things, or the loss is
                not a tensor of the active framework.
            ValueError: the loss is not one number, or the framework cannot compute what
                `function` asks for.
            FloatingPointError: the loss is infinite or NaN; the error says at which step
                and learning rate. The update is made by then. On a GPU, which is not
                waited for, it may come up to 16 steps late.
        """
        check_function("function", function)
        precise = backend.training.PRECISIONS[self.precision](self.net)
        with judged("function, net, batch"), precise:
            loss, metrics = self._stepper.step(function, *batch)
        mean_statistics(self.net)
        self.steps += 1
        if self._finite is not None:
            self._finite.add(self.steps, loss, self.lr)
        return loss, metrics

    def update(self) -> None:
        """Update the weights with what was accumulated since the last update, if anything.

        For the last steps of a training, where `accumulate` does not divide their number.
        `save_checkpoint` does it, too: nothing that is accumulated has to be kept.
        """
        self._stepper.update()

    def get_state(self) -> dict[str, np.ndarray]:
        """What the optimizer keeps of each weight, as NumPy arrays by kind and name.

        The kinds are `velocity` ("sgd" with momentum), `mean` and `square` (the moments of
        "adam"), of the weight's shape in the canonical layout, and `step`, how many updates
        it had. A key is such as `mean/blocks.1.0.weight`. Before the first step there may
        be none. An own optimizer has its own kinds, which only another of its type reads.
        """
        return backend.training.get_state(self.net, self._native)

    def set_state(self, state: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on from what `get_state` gave after so many steps.

        Raises:
            ValueError: an array is of no weight of this net, or has another shape.
        """
        shapes = {k: s.shape for k, s in backend.weights.slots(self.net).items()}
        for key, array in state.items():
            kind, _, name = key.partition("/")
            shape = () if kind == "step" else shapes.get(name)
            if shape != array.shape and isinstance(self.optimizer, str):
                raise ValueError(
                    f"state: {key} has shape {array.shape}, this net's is {shape}"
                )
        backend.training.set_state(self.net, self._native, state)
        self.steps = steps


class FiniteLoss:
    """Stops a training that diverges: `add(number, loss)` after each step."""

    STEPS_ON_DEVICE = 16  # between two looks at what another device computes

    def __init__(self) -> None:
        self.unseen = list[tuple[int, Any, float | None]]()
        on_cpu = backend.tensors.device_name() == "cpu"
        self.every = 1 if on_cpu else self.STEPS_ON_DEVICE

    def add(self, step: int, loss: Any, lr: float | None = None) -> None:
        """Note a step's loss; raise `FloatingPointError` if one is not finite."""
        self.unseen.append((step, loss, lr))
        if len(self.unseen) >= self.every:
            self.look()

    def look(self) -> None:
        """Raise `FloatingPointError` if a loss that was noted is not finite."""
        unseen, self.unseen = self.unseen, []
        for step, loss, lr in unseen:
            value = float(loss)
            if not math.isfinite(value):
                rate = "" if lr is None else f" at the learning rate {lr:g}"
                raise FloatingPointError(
                    f"the loss of step {step} is {value}{rate}: the training diverges. "
                    "Try a tenth of the learning rate, and look for NaN in the data; "
                    "Trainer(…, stop_unless_finite=False) goes on all the same"
                )


def check_outcome(outcome: Any) -> tuple[Any, Any]:
    """(loss, metrics) of a step's function, the loss one number: some would sum it."""
    # a vector could be unpacked, too: the losses of two pictures
    if not isinstance(outcome, (tuple, list)) or len(outcome) != 2:
        raise TypeError(
            "function: expected it to return (loss, metrics), where metrics may be (), "
            f"got {described(outcome)}"
        )
    loss, metrics = outcome
    check_tensor("loss", loss)
    try:
        shape = tuple(loss.shape)
    except ValueError:  # inside of a compiled step even its rank can be unknown
        shape = ()
    if any(n not in (1, None) for n in shape):
        raise ValueError(
            f"loss: expected one number, got shape {shape}; its mean is "
            "d2lcv.reduce_mean(loss)"
        )
    return loss, metrics


def _factors(net: Any, lr_scale: Mapping[str, float] | None) -> dict[str, float]:
    """{name of a weight: factor} of all weights that a key of `lr_scale` speaks of."""
    factors: dict[str, float] = {}
    if lr_scale is not None:
        check_kind("lr_scale", lr_scale, "factors by names of parts", Mapping)
    names = list(backend.weights.slots(net)) if lr_scale else []
    # the longest last: it overrides the shorter ones
    for start, factor in sorted(
        (lr_scale or {}).items(), key=lambda item: len(str(item[0]))
    ):
        factor = not_negative(f"lr_scale[{start!r}]", factor)
        found = [n for n in names if n == start or n.startswith(f"{start}.")]
        if not found:
            parts = sorted({name.partition(".")[0] for name in names})
            raise ValueError(
                f"lr_scale: no weight of this net is {start!r} or inside of it; its parts "
                f"are {', '.join(parts)}, and d2lcv.get_weights(net) has all names"
            )
        factors |= dict.fromkeys(found, factor)
    return factors


def _rate_groups(net: Any, factors: Mapping[str, float]) -> dict[float, list[Any]]:
    """The parameters of each factor on the learning rate; those with 0 are in none."""
    named = backend.training.named_parameters(net) if factors else {}
    by_id = {id(named[name]): factor for name, factor in factors.items()}
    groups: dict[float, list[Any]] = {}
    for parameter in backend.training.parameters(net):
        groups.setdefault(by_id.get(id(parameter), 1.0), []).append(parameter)
    groups.pop(0.0, None)
    return groups or {1.0: []}


def freeze(module: Module) -> Module:
    """Keep `module`, a net or a part of one, as it is, and return it.

    Its parameters get no gradient, so that no optimizer changes them, and its batch norms
    use their running statistics, which stay, in training mode, too. Freeze a part before
    the `Trainer` of its net is made.
    """
    check_module("module", module)
    return backend.training.freeze(module)


def predict(net: Any, *X: Any) -> Any:
    """`net(*X)` in evaluation mode and without gradients.

    The mode the net was in is restored. TensorFlow compiles what comes again and again, a
    net with inputs of one shape: what Python prints in it then no longer appears.

    Raises:
        TypeError: `net` is no net of the active framework.
        ValueError: there is no picture in `X`, or the framework cannot compute with it.
    """
    check_net("net", net)
    for x in X:
        if backend.tensors.is_tensor(x):
            # not all frameworks compute a layer of no picture, one of them a wrong shape
            check_picture(x.shape, 0)
    with judged("net, X"):
        return backend.tensors.often(backend.training.predict, net, *X)


def gradients(function: Callable[..., Any], *tensors: Tensor) -> list[Tensor]:
    """Gradients of a scalar function with respect to each of its arguments.

    Args:
        function: called as `function(*tensors)`; returns a tensor of one element.
        tensors: float tensors of the active framework. They are copied: what they come
            from gets no gradient.

    Returns:
        For each tensor one of its shape; zeros where the function does not depend on it.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: what `function` returns has not one element.
    """
    check_function("function", function)
    for i, x in enumerate(tensors):
        check_tensor(f"tensors[{i}]", x)
        if not backend.tensors.type_name(x).startswith(("float", "bfloat")):
            raise TypeError(
                f"tensors[{i}]: expected real numbers, which alone have gradients, got "
                f"{backend.tensors.type_name(x)}"
            )

    def scalar(*copies: Any) -> Any:
        value = function(*copies)
        check_tensor("function's result", value)
        if math.prod(value.shape) != 1:
            raise ValueError(
                f"function: expected a tensor of one element as its result, got shape "
                f"{tuple(value.shape)}"
            )
        return value

    with judged("function, tensors"):
        return backend.training.gradients(scalar, *tensors)


def warmup_cosine(progress: float, warmup: float = 0.1) -> float:
    """Factor of the learning rate: up in a straight line, then down along a cosine.

    Args:
        progress: share of the training that is done; what is beyond [0, 1] counts as 0, 1.
        warmup: share of it after which the factor is 1, in [0, 1].

    Returns:
        A number in [0.01, 1].
    """
    warmup = in_range("warmup", warmup, 0, 1)
    progress = real("progress", progress)
    progress = min(1.0, max(0.0, progress))
    if progress < warmup:
        return max(0.01, progress / warmup)
    falling = (progress - warmup) / (1 - warmup) if warmup < 1 else 0.0
    return max(0.01, (1 + math.cos(math.pi * falling)) / 2)
