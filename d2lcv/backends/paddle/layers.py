"""Layers in PaddlePaddle: its conventions are those of the package."""

from paddle.nn import BatchNorm2D as BatchNorm2d

__all__ = ["BatchNorm2d"]
