"""Single-shot detection in PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F

from ...ssd import TINY_SSD_ANCHORS, TINY_SSD_CHANNELS, multiscale_preds
from .layers import BatchNorm2d

__all__ = [
    "TinySSD",
    "base_net",
    "bbox_predictor",
    "cls_predictor",
    "cross_entropy",
    "down_sample_blk",
    "largest",
]


def cls_predictor(num_inputs, num_anchors, num_classes):
    return nn.Conv2d(num_inputs, num_anchors * (num_classes + 1), 3, padding=1)


def bbox_predictor(num_inputs, num_anchors):
    return nn.Conv2d(num_inputs, num_anchors * 4, 3, padding=1)


def down_sample_blk(in_channels, out_channels):
    layers = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            BatchNorm2d(out_channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def base_net():
    return nn.Sequential(
        down_sample_blk(3, 16), down_sample_blk(16, 32), down_sample_blk(32, 64)
    )


class TinySSD(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.blocks = nn.ModuleList(
            [
                base_net(),
                down_sample_blk(64, 128),
                down_sample_blk(128, 128),
                down_sample_blk(128, 128),
                nn.AdaptiveMaxPool2d(1),
            ]
        )
        self.cls_predictors = nn.ModuleList(
            [cls_predictor(c, TINY_SSD_ANCHORS, num_classes) for c in TINY_SSD_CHANNELS]
        )
        self.bbox_predictors = nn.ModuleList(
            [bbox_predictor(c, TINY_SSD_ANCHORS) for c in TINY_SSD_CHANNELS]
        )

    def forward(self, X):
        return multiscale_preds(
            X, self.blocks, self.cls_predictors, self.bbox_predictors, self.num_classes
        )


def cross_entropy(cls_preds, cls_labels):
    return F.cross_entropy(cls_preds.mT, cls_labels, reduction="none")


@torch.no_grad()
def largest(values, counts):
    """Mask (B, A), float: 1 on the counts[b] largest of each row, lower index first."""
    order = values.argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    return (rank < counts[:, None]).to(values.dtype)
