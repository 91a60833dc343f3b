"""Layers in MXNet: its conventions are those of the package, by other names."""

from mxnet.gluon import nn

__all__ = ["BatchNorm2d", "sequential"]


class BatchNorm2d(nn.BatchNorm):
    def __init__(self, num_features):
        super().__init__(in_channels=num_features)


def sequential(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net
