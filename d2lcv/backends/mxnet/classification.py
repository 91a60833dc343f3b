"""Residual networks in MXNet."""

import os

from mxnet import base
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import model_store, vision

from ...classification import resnet_blocks
from .layers import BatchNorm2d, _cross_entropy

__all__ = ["ResNet", "Residual", "cross_entropy", "resnet18", "zoo"]


def _conv(in_channels, out_channels, kernel_size, strides=1, use_bias=False):
    return nn.Conv2D(
        out_channels,
        kernel_size,
        strides,
        padding=kernel_size // 2,
        use_bias=use_bias,
        in_channels=in_channels,
    )


def _sequential(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net


class Residual(nn.HybridBlock):
    def __init__(self, in_channels, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = _conv(in_channels, num_channels, 3, strides)
        self.bn1 = BatchNorm2d(num_channels)
        self.conv2 = _conv(num_channels, num_channels, 3)
        self.bn2 = BatchNorm2d(num_channels)
        self.downsample = None
        if use_1x1conv:
            self.downsample = _conv(in_channels, num_channels, 1, strides, True)

    def hybrid_forward(self, F, X):
        Y = F.npx.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.downsample is not None:
            X = self.downsample(X)
        return F.npx.relu(Y + X)


class BasicBlock(Residual):
    """The block of the model zoos: its 1 × 1 convolution has a batch norm, too."""

    def __init__(self, in_channels, num_channels, use_1x1conv, strides):
        super().__init__(in_channels, num_channels, False, strides)
        if use_1x1conv:
            self.downsample = _sequential(
                _conv(in_channels, num_channels, 1, strides), BatchNorm2d(num_channels)
            )


def resnet18(num_classes, in_channels, width):
    return _sequential(
        _sequential(
            _conv(in_channels, width, 3), BatchNorm2d(width), nn.Activation("relu")
        ),
        *(_sequential(*(Residual(*b) for b in s)) for s in resnet_blocks(18, width)),
        nn.GlobalAvgPool2D(),
        nn.Flatten(),
        nn.Dense(num_classes, in_units=8 * width),
    )


class Features(nn.HybridBlock):
    def __init__(self, depth, in_channels, width):
        super().__init__()
        self.conv1 = _conv(in_channels, width, 7, 2)
        self.bn1 = BatchNorm2d(width)
        self.relu = nn.Activation("relu")
        self.pool = nn.MaxPool2D(3, 2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _sequential(*(BasicBlock(*block) for block in stage))
            for stage in resnet_blocks(depth, width)
        )

    def stages(self, X):
        X = self.pool(self.relu(self.bn1(self.conv1(X))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            X = layer(X)
            maps.append(X)
        return maps

    def hybrid_forward(self, F, X):
        return self.stages(X)[-1]


def _output(in_features, num_classes, hidden):
    if not hidden:
        return nn.Dense(num_classes, in_units=in_features)
    return _sequential(
        nn.Dense(hidden, in_units=in_features),
        nn.Activation("relu"),
        nn.Dense(num_classes, in_units=hidden),
    )


class ResNet(nn.HybridBlock):
    def __init__(self, depth, num_classes, in_channels, width, hidden):
        super().__init__()
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.features = Features(depth, in_channels, width)
        self.output = _output(8 * width, num_classes, hidden)

    def stages(self, X):
        return self.features.stages(X)

    def hybrid_forward(self, F, X):
        return self.output(self.features(X).mean(axis=(2, 3)))


def cross_entropy(y_hat, y):
    return _cross_entropy(y_hat, y, axis=1)


def zoo(depth):
    """Where trained weights come from, where they are kept, and how they are loaded."""
    name = f"resnet{depth}_v1"
    server = os.environ.get("MXNET_GLUON_REPO", model_store.apache_repo_url)
    file_name = f"{name}-{model_store.short_hash(name)}"
    file = os.path.join(base.data_dir(), "models", f"{file_name}.params")
    url = f"{server.rstrip('/')}/gluon/models/{file_name}.zip"
    return url, file, lambda: vision.get_model(name, pretrained=True)
