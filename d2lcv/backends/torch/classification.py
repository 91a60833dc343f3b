"""Residual networks in PyTorch."""

import os

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from ...classification import BLOCKS
from .layers import BatchNorm2d, GappedConv2d

__all__ = [
    "ResNet",
    "Residual",
    "cross_entropy",
    "replace_output",
    "resnet18",
    "zoo",
    "zoo_file",
]


def _conv(in_channels, out_channels, strides=1):
    return nn.Conv2d(in_channels, out_channels, 3, strides, padding=1, bias=False)


class Residual(nn.Module):
    def __init__(self, in_channels, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = _conv(in_channels, num_channels, strides)
        self.bn1 = BatchNorm2d(num_channels)
        self.conv2 = _conv(num_channels, num_channels)
        self.bn2 = BatchNorm2d(num_channels)
        self.downsample = None
        if use_1x1conv:
            self.downsample = GappedConv2d(in_channels, num_channels, 1, strides)

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.downsample is not None:
            X = self.downsample(X)
        return F.relu(Y + X)


def resnet18(num_classes, in_channels=1, width=64):
    w = width
    return nn.Sequential(
        nn.Sequential(_conv(in_channels, w), BatchNorm2d(w), nn.ReLU()),
        nn.Sequential(Residual(w, w), Residual(w, w)),  # (B, w, H, W)
        nn.Sequential(Residual(w, 2 * w, True, 2), Residual(2 * w, 2 * w)),
        nn.Sequential(Residual(2 * w, 4 * w, True, 2), Residual(4 * w, 4 * w)),
        nn.Sequential(Residual(4 * w, 8 * w, True, 2), Residual(8 * w, 8 * w)),
        nn.AdaptiveAvgPool2d(1),  # (B, 8w, 1, 1)
        nn.Flatten(),
        nn.Linear(8 * w, num_classes),
    )


class BasicBlock(Residual):
    """The block of the model zoos: its 1 × 1 convolution has a batch norm, too."""

    def __init__(self, in_channels, num_channels, strides):
        super().__init__(in_channels, num_channels, False, strides)
        if strides > 1:
            self.downsample = nn.Sequential(
                GappedConv2d(in_channels, num_channels, 1, strides, bias=False),
                BatchNorm2d(num_channels),
            )


def _stage(number, in_channels, num_channels, strides):
    blocks = [BasicBlock(in_channels, num_channels, strides)]
    for _ in range(number - 1):
        blocks.append(BasicBlock(num_channels, num_channels, 1))
    return nn.Sequential(*blocks)


class Features(nn.Module):
    def __init__(self, depth=18, in_channels=3, width=64):
        super().__init__()
        n, w = BLOCKS[depth], width
        self.conv1 = nn.Conv2d(in_channels, w, 7, 2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(w)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _stage(n[0], w, w, 1)
        self.layer2 = _stage(n[1], w, 2 * w, 2)
        self.layer3 = _stage(n[2], 2 * w, 4 * w, 2)
        self.layer4 = _stage(n[3], 4 * w, 8 * w, 2)

    def stages(self, X):
        X = F.relu(self.bn1(self.conv1(X)))  # (B, w, H/2, W/2)
        X1 = self.layer1(self.pool(X))  # (B, w, H/4, W/4)
        X2 = self.layer2(X1)  # (B, 2w, H/8, W/8)
        X3 = self.layer3(X2)  # (B, 4w, H/16, W/16)
        X4 = self.layer4(X3)  # (B, 8w, H/32, W/32)
        return [X1, X2, X3, X4]

    def forward(self, X):
        return self.stages(X)[-1]


def _output(in_features, num_classes, hidden):
    if not hidden:
        return nn.Linear(in_features, num_classes)
    return nn.Sequential(
        nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )


class ResNet(nn.Module):
    def __init__(self, depth=18, num_classes=1000, in_channels=3, width=64, hidden=0):
        super().__init__()
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.num_classes, self.hidden = num_classes, hidden
        self.features = Features(depth, in_channels, width)
        self.output = _output(8 * width, num_classes, hidden)

    def stages(self, X):
        return self.features.stages(X)

    def forward(self, X):
        return self.output(self.features(X).mean((2, 3)))


def replace_output(net, num_classes, hidden=0):
    new = ResNet(net.depth, num_classes, net.in_channels, net.width, hidden)
    new.features.load_state_dict(net.features.state_dict())
    return new


def cross_entropy(y_hat, y):
    return F.cross_entropy(y_hat, y.long(), reduction="none")


def zoo(depth):
    return models.get_model(f"resnet{depth}", weights="IMAGENET1K_V1")


def zoo_file(depth):
    """Where the weights of `zoo` come from, and where they are kept."""
    url = models.get_model_weights(f"resnet{depth}").IMAGENET1K_V1.url
    return url, os.path.join(torch.hub.get_dir(), "checkpoints", os.path.basename(url))
