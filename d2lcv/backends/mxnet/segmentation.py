"""Semantic segmentation in MXNet."""

from mxnet.gluon import nn

__all__ = ["conv2d", "conv_transpose2d"]


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
