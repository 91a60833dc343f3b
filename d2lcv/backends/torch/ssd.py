"""Single-shot detection in PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F

from ...ssd import (
    TINY_SSD_ANCHORS,
    TINY_SSD_CHANNELS,
    TINY_SSD_LEAST,
    TINY_SSD_RATIOS,
    TINY_SSD_SIZES,
    check_picture,
)
from .anchors import multibox_prior
from .layers import BatchNorm2d

__all__ = [
    "TinySSD",
    "base_net",
    "bbox_eval",
    "bbox_predictor",
    "blk_forward",
    "calc_loss",
    "cls_eval",
    "cls_predictor",
    "concat_preds",
    "down_sample_blk",
    "flatten_pred",
    "focal_cls_loss",
    "focal_loss",
    "hard_negative_loss",
    "smooth_l1",
    "smooth_l1_loss",
]


def cls_predictor(num_inputs, num_anchors, num_classes):
    return nn.Conv2d(num_inputs, num_anchors * (num_classes + 1), 3, padding=1)


def bbox_predictor(num_inputs, num_anchors):
    return nn.Conv2d(num_inputs, num_anchors * 4, 3, padding=1)


def flatten_pred(pred):
    return pred.permute(0, 2, 3, 1).flatten(1)  # (B, H·W·K)


def concat_preds(preds):
    return torch.cat([flatten_pred(pred) for pred in preds], dim=1)


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


def blk_forward(X, blk, size, ratio, cls_predictor, bbox_predictor):
    Y = blk(X)  # (B, C', H', W')
    anchors = multibox_prior(Y, size, ratio)  # (1, A, 4)
    return Y, anchors, cls_predictor(Y), bbox_predictor(Y)


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
        check_picture(X.shape, TINY_SSD_LEAST)
        anchors, cls_preds, bbox_preds = [], [], []
        for i, blk in enumerate(self.blocks):
            X, prior, cls, bbox = blk_forward(
                X,
                blk,
                TINY_SSD_SIZES[i],
                TINY_SSD_RATIOS[i],
                self.cls_predictors[i],
                self.bbox_predictors[i],
            )
            anchors.append(prior)
            cls_preds.append(cls)
            bbox_preds.append(bbox)
        anchors = torch.cat(anchors, dim=1)  # (1, A, 4)
        cls_preds = concat_preds(cls_preds)  # (B, A·(C+1))
        cls_preds = cls_preds.unflatten(1, (anchors.shape[1], self.num_classes + 1))
        return anchors, cls_preds, concat_preds(bbox_preds)


def calc_loss(cls_preds, cls_labels, bbox_preds, bbox_labels, bbox_masks):
    # PyTorch wants the classes on axis 1: (B, C+1, A)
    cls = F.cross_entropy(cls_preds.mT, cls_labels.long(), reduction="none")  # (B, A)
    bbox = F.l1_loss(
        bbox_preds * bbox_masks, bbox_labels * bbox_masks, reduction="none"
    )  # (B, 4A)
    return cls.mean(dim=1) + bbox.mean(dim=1)


def cls_eval(cls_preds, cls_labels):
    return (cls_preds.argmax(dim=-1) == cls_labels).float().sum()


def bbox_eval(bbox_preds, bbox_labels, bbox_masks):
    return ((bbox_labels - bbox_preds) * bbox_masks).abs().sum()


def hard_negative_loss(cls_preds, cls_labels, ratio):
    losses = F.cross_entropy(cls_preds.mT, cls_labels.long(), reduction="none")
    positive = (cls_labels > 0).to(losses.dtype)  # (B, A)
    num_positive = positive.sum(dim=1, keepdim=True)  # (B, 1)
    # a cross-entropy is never negative: the anchors with an object come last
    negatives = losses.detach() * (1 - positive) - positive
    order = negatives.argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)  # 0 for the hardest
    hardest = (rank < ratio * num_positive) * (1 - positive)
    loss = (losses * (positive + hardest)).sum(dim=1)
    return loss / num_positive.squeeze(1).clamp(min=1)


def focal_loss(gamma, p):
    return -((1 - p) ** gamma) * torch.log(p)


def focal_cls_loss(cls_preds, cls_labels, gamma, alpha):
    losses = F.cross_entropy(cls_preds.mT, cls_labels.long(), reduction="none")
    positive = (cls_labels > 0).to(losses.dtype)  # (B, A)
    # where p is 1 the power has no slope for small γ: keep away from there
    easiness = (1 - torch.exp(-losses)).clamp(1e-7, 1) ** gamma
    weights = alpha * positive + (1 - alpha) * (1 - positive)
    loss = (weights * easiness * losses).sum(dim=1)
    return loss / positive.sum(dim=1).clamp(min=1)


def smooth_l1(x, sigma):
    beta = 1 / sigma**2  # where the parabola meets the line
    return F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=beta)


def smooth_l1_loss(bbox_preds, bbox_labels, bbox_masks, sigma):
    errors = smooth_l1((bbox_preds - bbox_labels) * bbox_masks, sigma)  # (B, 4A)
    num_positive = bbox_masks.sum(dim=1) / 4
    return errors.sum(dim=1) / num_positive.clamp(min=1)
