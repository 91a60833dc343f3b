"""Layers in MXNet, where its conventions are not those of the others."""

from mxnet.gluon import nn

__all__ = ["BatchNorm2d"]


class BatchNorm2d(nn.BatchNorm):
    """Epsilon and momentum are the common ones; only the arguments' names are not."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(in_channels=num_features, epsilon=eps, momentum=1 - momentum)
