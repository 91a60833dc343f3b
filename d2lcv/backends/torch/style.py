"""Style transfer in PyTorch."""

import torch
from torch import nn
from torchvision import models

from ...style import vgg19_plan

__all__ = ["SynthesizedImage", "VGG19", "layers", "zoo_vgg19"]


class VGG19(nn.Sequential):
    def __init__(self, num_layers, width, pooling):
        plan = vgg19_plan(num_layers, width)
        super().__init__(*(_layer(step, pooling) for step in plan))


def _layer(step, pooling):
    if step == "relu":
        return nn.ReLU()
    if step == "pool":
        return nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
    return nn.Conv2d(*step, kernel_size=3, padding=1)


def layers(net):
    return list(net)


def zoo_vgg19(pretrained):
    return models.vgg19(weights="IMAGENET1K_V1" if pretrained else None)


class SynthesizedImage(nn.Module):
    def __init__(self, img_shape):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(img_shape))

    def forward(self):
        return self.weight
