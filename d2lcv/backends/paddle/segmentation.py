"""Semantic segmentation in PaddlePaddle."""

from paddle import nn

__all__ = ["conv2d", "conv_transpose2d"]


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
