"""Residual networks in MXNet."""

import os

from mxnet import base, npx
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import model_store, vision

from ...classification import BLOCKS
from .layers import BatchNorm2d, sequential

__all__ = [
    "ResNet",
    "Residual",
    "cross_entropy",
    "replace_output",
    "resnet18",
    "zoo",
    "zoo_file",
]


def _conv(in_channels, out_channels, kernel_size, strides=1, use_bias=False):
    return nn.Conv2D(
        out_channels,
        kernel_size,
        strides,
        padding=kernel_size // 2,
        use_bias=use_bias,
        in_channels=in_channels,
    )


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


def resnet18(num_classes, in_channels=1, width=64):
    w = width
    return sequential(
        sequential(_conv(in_channels, w, 3), BatchNorm2d(w), nn.Activation("relu")),
        sequential(Residual(w, w), Residual(w, w)),  # (B, w, H, W)
        sequential(Residual(w, 2 * w, True, 2), Residual(2 * w, 2 * w)),
        sequential(Residual(2 * w, 4 * w, True, 2), Residual(4 * w, 4 * w)),
        sequential(Residual(4 * w, 8 * w, True, 2), Residual(8 * w, 8 * w)),
        nn.GlobalAvgPool2D(),  # (B, 8w, 1, 1)
        nn.Flatten(),
        nn.Dense(num_classes, in_units=8 * w),
    )


class BasicBlock(Residual):
    """The block of the model zoos: its 1 × 1 convolution has a batch norm, too."""

    def __init__(self, in_channels, num_channels, strides):
        super().__init__(in_channels, num_channels, False, strides)
        if strides > 1:
            self.downsample = sequential(
                _conv(in_channels, num_channels, 1, strides), BatchNorm2d(num_channels)
            )


def _stage(number, in_channels, num_channels, strides):
    blocks = [BasicBlock(in_channels, num_channels, strides)]
    for _ in range(number - 1):
        blocks.append(BasicBlock(num_channels, num_channels, 1))
    return sequential(*blocks)


class Features(nn.HybridBlock):
    def __init__(self, depth=18, in_channels=3, width=64):
        super().__init__()
        n, w = BLOCKS[depth], width
        self.conv1 = _conv(in_channels, w, 7, 2)
        self.bn1 = BatchNorm2d(w)
        self.relu = nn.Activation("relu")
        self.pool = nn.MaxPool2D(3, 2, padding=1)
        self.layer1 = _stage(n[0], w, w, 1)
        self.layer2 = _stage(n[1], w, 2 * w, 2)
        self.layer3 = _stage(n[2], 2 * w, 4 * w, 2)
        self.layer4 = _stage(n[3], 4 * w, 8 * w, 2)

    def stages(self, X):
        X = self.relu(self.bn1(self.conv1(X)))  # (B, w, H/2, W/2)
        X1 = self.layer1(self.pool(X))  # (B, w, H/4, W/4)
        X2 = self.layer2(X1)  # (B, 2w, H/8, W/8)
        X3 = self.layer3(X2)  # (B, 4w, H/16, W/16)
        X4 = self.layer4(X3)  # (B, 8w, H/32, W/32)
        return [X1, X2, X3, X4]

    def hybrid_forward(self, F, X):
        return self.stages(X)[-1]


def _output(in_features, num_classes, hidden):
    if not hidden:
        return nn.Dense(num_classes, in_units=in_features)
    return sequential(
        nn.Dense(hidden, in_units=in_features),
        nn.Activation("relu"),
        nn.Dense(num_classes, in_units=hidden),
    )


class ResNet(nn.HybridBlock):
    def __init__(self, depth=18, num_classes=1000, in_channels=3, width=64, hidden=0):
        super().__init__()
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.num_classes, self.hidden = num_classes, hidden
        self.features = Features(depth, in_channels, width)
        self.output = _output(8 * width, num_classes, hidden)

    def stages(self, X):
        return self.features.stages(X)

    def hybrid_forward(self, F, X):
        return self.output(self.features(X).mean(axis=(2, 3)))


def replace_output(net, num_classes, hidden=0):
    new = ResNet(net.depth, num_classes, net.in_channels, net.width, hidden)
    new.features.initialize()
    given = net.features._collect_params_with_prefix()
    for name, parameter in new.features._collect_params_with_prefix().items():
        parameter.set_data(given[name].data(given[name].list_ctx()[0]))
    return new


def cross_entropy(y_hat, y):
    losses = -npx.pick(npx.log_softmax(y_hat, axis=1), y, axis=1)
    # npx.log_softmax passes over NaN and infinity, the maximum does not
    return losses + 0 * y_hat.detach().max(axis=1)


def zoo(depth):
    return vision.get_model(f"resnet{depth}_v1", pretrained=True)


def zoo_file(depth):
    """Where the weights of `zoo` come from, and where they are kept."""
    name = f"resnet{depth}_v1"
    name = f"{name}-{model_store.short_hash(name)}"
    server = os.environ.get("MXNET_GLUON_REPO", model_store.apache_repo_url)
    file = os.path.join(base.data_dir(), "models", f"{name}.params")
    return f"{server.rstrip('/')}/gluon/models/{name}.zip", file
