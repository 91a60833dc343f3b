"""The training loop of the chapter's classifiers, in PyTorch."""

from itertools import chain

from torch.optim import Optimizer

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
    if y_hat.dim() > y.dim():
        y_hat = y_hat.argmax(dim=1)  # scores (B, C, …) → classes (B, …)
    right = y_hat.type(y.dtype) == y
    if ignore is not None:
        right = right & (y != ignore)
    return right.float().sum()


def number_of_labels(y, ignore=None):
    return y.numel() if ignore is None else (y != ignore).float().sum()


def split_batch(X, y, devices):
    devices = devices[: len(X)]  # of a small batch the last ones get none
    parts = len(devices)
    return (
        [part.to(d) for part, d in zip(X.tensor_split(parts), devices, strict=True)],
        [part.to(d) for part, d in zip(y.tensor_split(parts), devices, strict=True)],
    )


def evaluate_accuracy_gpu(net, data_iter, device=None, ignore=None):
    device = devices_of(net)[0] if device is None else device
    right, total = [], []
    for X, y in data_iter:
        X, y = X.to(device), y.to(device)
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
        mean, right = 0.0, 0.0
        for X_part, y_part in zip(X_parts, y_parts, strict=True):
            y_hat = net(X_part)
            value = loss(y_hat, y_part).mean()
            if getattr(loss, "reduction", "mean") == "sum":
                value = value / y_part.numel()
            mean = mean + value * (len(y_part) / n)
            right = right + accuracy(y_hat, y_part, ignore)
        return mean, right

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
    tensors = chain(net.parameters(), net.buffers())
    return [next((x.device for x in tensors), try_gpu())]


def place(net, devices):
    # one of them: nn.DataParallel loses what copies of a net write into their buffers
    net.to(devices[0])
    return devices[:1]
