"""Residual networks in PyTorch."""

import os

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from ...classification import resnet_blocks
from .layers import BatchNorm2d

__all__ = ["ResNet", "Residual", "cross_entropy", "resnet18", "zoo"]


def _conv(in_channels, out_channels, kernel_size, strides=1):
    return nn.Conv2d(
        in_channels, out_channels, kernel_size, strides, kernel_size // 2, bias=False
    )


class Residual(nn.Module):
    def __init__(self, in_channels, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = _conv(in_channels, num_channels, 3, strides)
        self.bn1 = BatchNorm2d(num_channels)
        self.conv2 = _conv(num_channels, num_channels, 3)
        self.bn2 = BatchNorm2d(num_channels)
        self.downsample = None
        if use_1x1conv:
            self.downsample = nn.Conv2d(in_channels, num_channels, 1, strides)

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.downsample is not None:
            X = self.downsample(X)
        return F.relu(Y + X)


class BasicBlock(Residual):
    """The block of the model zoos: its 1 × 1 convolution has a batch norm, too."""

    def __init__(self, in_channels, num_channels, use_1x1conv, strides):
        super().__init__(in_channels, num_channels, False, strides)
        if use_1x1conv:
            self.downsample = nn.Sequential(
                _conv(in_channels, num_channels, 1, strides), BatchNorm2d(num_channels)
            )


def resnet18(num_classes, in_channels, width):
    return nn.Sequential(
        nn.Sequential(_conv(in_channels, width, 3), BatchNorm2d(width), nn.ReLU()),
        *(nn.Sequential(*(Residual(*b) for b in s)) for s in resnet_blocks(18, width)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, num_classes),
    )


class Features(nn.Module):
    def __init__(self, depth, in_channels, width):
        super().__init__()
        self.conv1 = _conv(in_channels, width, 7, 2)
        self.bn1 = BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*(BasicBlock(*block) for block in stage))
            for stage in resnet_blocks(depth, width)
        )

    def stages(self, X):
        X = self.pool(F.relu(self.bn1(self.conv1(X))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            X = layer(X)
            maps.append(X)
        return maps

    def forward(self, X):
        return self.stages(X)[-1]


def _output(in_features, num_classes, hidden):
    if not hidden:
        return nn.Linear(in_features, num_classes)
    return nn.Sequential(
        nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )


class ResNet(nn.Module):
    def __init__(self, depth, num_classes, in_channels, width, hidden):
        super().__init__()
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.features = Features(depth, in_channels, width)
        self.output = _output(8 * width, num_classes, hidden)

    def stages(self, X):
        return self.features.stages(X)

    def forward(self, X):
        return self.output(self.features(X).mean((2, 3)))


def cross_entropy(y_hat, y):
    return F.cross_entropy(y_hat, y.long(), reduction="none")


def zoo(depth):
    """Where trained weights come from, where they are kept, and how they are loaded."""
    weights = models.get_model_weights(f"resnet{depth}").IMAGENET1K_V1
    name = os.path.basename(weights.url)
    file = os.path.join(torch.hub.get_dir(), "checkpoints", name)
    return (
        weights.url,
        file,
        lambda: models.get_model(f"resnet{depth}", weights=weights),
    )
