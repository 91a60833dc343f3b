"""The training loop of the chapter's classifiers, in MXNet."""

from mxnet.gluon import Trainer as Optimizer

from .tensors import try_gpu
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
    if y_hat.ndim > y.ndim:
        y_hat = y_hat.argmax(axis=1)  # scores (B, C, …) → classes (B, …)
    right = (y_hat.astype(y.dtype) == y).astype("float32")
    if ignore is not None:
        right = right * (y != ignore).astype("float32")
    return right.sum()


def number_of_labels(y, ignore=None):
    return y.size if ignore is None else (y != ignore).astype("float32").sum()


def split_batch(X, y, devices):
    devices = devices[: len(X)]  # of a small batch the last ones get none
    size, more = divmod(len(X), len(devices))
    # slices, because array_split takes no booleans, such as masks
    ends = [i * size + min(i, more) for i in range(len(devices) + 1)]
    parts = [(slice(*ends[i : i + 2]), d) for i, d in enumerate(devices)]
    return (
        [X[part].as_in_ctx(d) for part, d in parts],
        [y[part].as_in_ctx(d) for part, d in parts],
    )


def evaluate_accuracy_gpu(net, data_iter, device=None, ignore=None):
    device = devices_of(net)[0] if device is None else device
    right, total = [], []
    for X, y in data_iter:
        X, y = X.as_in_ctx(device), y.as_in_ctx(device)
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
    def loss_of(X_parts, y_parts):
        losses, rights = [], []
        for X_part, y_part in zip(X_parts, y_parts, strict=True):
            y_hat = net(X_part)  # by the device's own copy of the weights
            share = len(y_part) / n
            losses.append(loss(y_hat, y_part).mean() * share)
            rights.append(accuracy(y_hat, y_part, ignore))
        home = losses[0].ctx
        return (
            sum(value.as_in_ctx(home) for value in losses),
            sum(right.as_in_ctx(home) for right in rights),
        )

    X_parts, y_parts = split_f(X, y, devices)
    n = sum(map(len, y_parts))
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
            test_acc = evaluate_accuracy_gpus(net, test_iter, split_f, ignore)
        history.append((loss_sum / examples, right / max(labels, 1), test_acc))
        report(epoch + 1, *history[-1])
    return history


def devices_of(net):
    parameters = net.collect_params().values()
    return next((p.list_ctx() for p in parameters), [try_gpu()])


def place(net, devices):
    # an optimizer is made for the number of devices that the net was initialised on
    devices = devices[: len(devices_of(net))]
    if devices_of(net) != devices:
        net.collect_params().reset_ctx(devices)
    return devices
