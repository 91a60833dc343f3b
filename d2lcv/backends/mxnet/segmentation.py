"""Semantic segmentation in MXNet."""

from mxnet.gluon import nn

from ...segmentation import fcn_scores, fcn_stages
from .classification import Features

__all__ = ["CHANNEL_AXIS", "FCN", "LABEL_DTYPE", "conv2d", "conv_transpose2d"]

CHANNEL_AXIS = -1  # of an image as mx.image reads it
LABEL_DTYPE = "int32"


def conv2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    return nn.Conv2D(
        out_channels,
        kernel_size,
        stride,
        padding,
        use_bias=bias,
        in_channels=in_channels,
    )


def conv_transpose2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    return nn.Conv2DTranspose(
        out_channels,
        kernel_size,
        stride,
        padding,
        use_bias=bias,
        in_channels=in_channels,
    )


class FCN(nn.Block):
    def __init__(self, num_classes, depth, in_channels, width, stride):
        super().__init__()
        self.features = Features(depth, in_channels, width)
        channels, factors = fcn_stages(width, stride)
        self.scores = nn.Sequential()
        self.scores.add(*(conv2d(c, num_classes, 1, 1, 0, True) for c in channels))
        self.upsamplers = nn.Sequential()
        self.upsamplers.add(
            *(
                conv_transpose2d(num_classes, num_classes, 2 * s, s, s // 2, False)
                for s in factors
            )
        )

    def forward(self, X):
        return fcn_scores(X, self.features, self.scores, self.upsamplers)
