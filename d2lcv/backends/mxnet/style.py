"""Style transfer in MXNet."""

from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from ...style import vgg19_plan

__all__ = ["SynthesizedImage", "VGG19", "layers", "zoo_vgg19"]


class VGG19(nn.HybridSequential):
    def __init__(self, num_layers, width, pooling):
        super().__init__()
        self.add(*(_layer(step, pooling) for step in vgg19_plan(num_layers, width)))


def _layer(step, pooling):
    if step == "relu":
        return nn.Activation("relu")
    if step == "pool":
        return nn.MaxPool2D(2) if pooling == "max" else nn.AvgPool2D(2)
    in_channels, channels = step
    return nn.Conv2D(channels, 3, padding=1, in_channels=in_channels)


def layers(net):
    return list(net)


def zoo_vgg19(pretrained):
    return vision.vgg19(pretrained=pretrained)


class SynthesizedImage(nn.Block):
    def __init__(self, img_shape):
        super().__init__()
        self.weight = self.params.get("weight", shape=img_shape)

    def forward(self):
        return self.weight.data()
