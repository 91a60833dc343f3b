"""Semantic segmentation in PaddlePaddle."""

from paddle import nn

from ...segmentation import fcn_scores, fcn_stages
from .classification import Features

__all__ = ["CHANNEL_AXIS", "FCN", "LABEL_DTYPE", "conv2d", "conv_transpose2d"]

CHANNEL_AXIS = 0  # of an image
LABEL_DTYPE = "int64"


def conv2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    return nn.Conv2D(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        bias_attr=None if bias else False,
    )


def conv_transpose2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    return nn.Conv2DTranspose(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        bias_attr=None if bias else False,
    )


class FCN(nn.Layer):
    def __init__(self, num_classes, depth, in_channels, width, stride):
        super().__init__()
        self.features = Features(depth, in_channels, width)
        channels, factors = fcn_stages(width, stride)
        self.scores = nn.LayerList(
            [conv2d(c, num_classes, 1, 1, 0, True) for c in channels]
        )
        self.upsamplers = nn.LayerList(
            [
                conv_transpose2d(num_classes, num_classes, 2 * s, s, s // 2, False)
                for s in factors
            ]
        )

    def forward(self, X):
        return fcn_scores(X, self.features, self.scores, self.upsamplers)
