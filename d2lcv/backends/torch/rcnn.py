"""Regions of interest and a two-stage detector in PyTorch."""

import torch
from torch import nn
from torchvision import ops

from ...anchors import multibox_prior
from ...rcnn import BOX_SIZE, RPN_ANCHORS, RPN_RATIOS, RPN_SIZES
from ...ssd import flatten_pred
from .boxes import box_iou
from .layers import BatchNorm2d
from .ssd import base_net, bbox_predictor, cls_predictor

__all__ = [
    "TinyRCNN",
    "best_objects",
    "image_range",
    "roi_align",
    "roi_pool",
    "roi_rows",
    "stop_gradient",
]


def image_range(rois):
    # the operators read whatever memory an index points to
    return (rois[:, 0].min().item(), rois[:, 0].max().item()) if len(rois) else None


def roi_pool(X, rois, output_size, spatial_scale):
    return ops.roi_pool(X, rois.to(X), output_size, spatial_scale)


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    # torchvision's own default is not aligned
    return ops.roi_align(
        X, rois.to(X), output_size, spatial_scale, sampling_ratio, aligned
    )


def stop_gradient(x):
    return x.detach()


def roi_rows(boxes):
    """(B, R, 4) → (B·R, 5): each box with the index of its image."""
    B, R, _ = boxes.shape
    image = torch.arange(B, device=boxes.device).repeat_interleave(R)
    return torch.cat((image[:, None].to(boxes), boxes.flatten(0, 1)), dim=1)


@torch.no_grad()
def best_objects(rois, labels):
    """The object that each region (B, R, 4) overlaps most, of labels (B, G, 5).

    IoU (B, R), label rows (B, R, 5) and indices among all B·G rows (B·R,).
    """
    (B, R), G = rois.shape[:2], labels.shape[1]
    rows = labels.flatten(0, 1)
    iou = box_iou(rois.flatten(0, 1), rows[:, 1:]) * (rows[:, 0] >= 0)
    same_image = torch.eye(B, device=rois.device).repeat_interleave(R, 0)
    overlap, index = (iou * same_image.repeat_interleave(G, 1)).max(dim=1)
    return overlap.view(B, R), rows[index].view(B, R, 5), index


def _conv(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class TinyRCNN(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.features = nn.Sequential(base_net(), _conv(64, 64), _conv(64, 64))
        # the region proposal network: what SSD does at one scale, with one class
        self.rpn_cls = cls_predictor(64, RPN_ANCHORS, 1)
        self.rpn_bbox = bbox_predictor(64, RPN_ANCHORS)
        self.box_head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * BOX_SIZE**2, 128),
            nn.ReLU(),
            nn.Linear(128, num_classes + 1 + 4),
        )
        self.mask_head = nn.Sequential(
            nn.Conv2d(64, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 3, padding=1),
        )

    def forward(self, X):
        Y = self.features(X)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)
        scores = flatten_pred(self.rpn_cls(Y)).reshape(len(X), -1, 2)
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))
