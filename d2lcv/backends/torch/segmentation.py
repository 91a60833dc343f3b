"""Semantic segmentation in PyTorch."""

from torch import nn

__all__ = ["conv2d", "conv_transpose2d"]


def conv2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=bias)


def conv_transpose2d(in_channels, out_channels, kernel_size, stride, padding, bias):
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel_size, stride, padding, bias=bias
    )
