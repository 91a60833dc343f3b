"""Regions of interest and a two-stage detector in PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import ops

from ...rcnn import (
    BOX_SIZE,
    MASK_SIZE,
    PROPOSAL_OVERLAP,
    RPN_ANCHORS,
    RPN_RATIOS,
    RPN_SIZES,
    check_picture,
)
from .anchors import multibox_prior, multibox_target, offset_boxes
from .boxes import box_iou
from .detection import multibox_detection
from .layers import BatchNorm2d
from .ssd import base_net, bbox_predictor, calc_loss, cls_predictor, flatten_pred
from .training import predict

__all__ = [
    "TinyRCNN",
    "box_head_loss",
    "detect_instances",
    "mask_head_loss",
    "paste_masks",
    "propose",
    "roi_align",
    "roi_pool",
    "rpn_loss",
    "second_stage",
]


# The operator's gradient takes longer than two matrix products on a map of few pixels
LARGEST_PRODUCT = 32 * 32


def roi_pool(X, rois, output_size, spatial_scale):
    return ops.roi_pool(X, rois.to(X), output_size, spatial_scale)


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    rois, size = rois.to(X), X.shape[2] * X.shape[3]
    if X.requires_grad and aligned and sampling_ratio and size <= LARGEST_PRODUCT:
        return _sample(X, rois, output_size, spatial_scale, sampling_ratio)
    # torchvision's own default is not aligned
    return ops.roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned)


def _sample(X, rois, output_size, spatial_scale, sampling_ratio):
    B, C, H, W = X.shape
    x1, y1, x2, y2 = (rois[:, 1:] * spatial_scale - 0.5).unbind(1)
    rows = _weights(y1, y2 - y1, output_size[0], sampling_ratio, H)  # (N, h, H)
    columns = _weights(x1, x2 - x1, output_size[1], sampling_ratio, W)  # (N, w, W)
    maps = X.transpose(1, 2).reshape(B, H, C * W).index_select(0, rois[:, 0].long())
    # bilinear samples and their mean are linear in the rows and in the columns
    out = (rows @ maps).reshape(len(rois), -1, W) @ columns.mT  # (N, h·C, w)
    return out.unflatten(1, (-1, C)).transpose(1, 2)  # (N, C, h, w)


def _weights(start, length, cells, samples, size):
    """(N, cells, size): what each pixel of a line counts in each cell of a region."""
    step = (torch.arange(cells * samples).to(start) + 0.5) / (cells * samples)
    at = start[:, None] + length[:, None] * step  # (N, cells·samples)
    counts = (at >= -1) & (at <= size)
    pixels = torch.arange(size).to(start)
    hat = (1 - (at.clamp(0, size - 1)[..., None] - pixels).abs()).clamp(min=0)
    return (hat * counts[..., None]).unflatten(1, (cells, samples)).mean(2)


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
        check_picture(X.shape, 8)
        Y = self.features(X)  # (B, 64, H/8, W/8)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)  # (1, A, 4)
        scores = flatten_pred(self.rpn_cls(Y)).unflatten(1, (anchors.shape[1], 2))
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))


@torch.no_grad()
def propose(anchors, scores, offsets, num, nms_threshold):
    probs = scores.softmax(dim=-1).mT  # (B, 2, A)
    rows = multibox_detection(probs, offsets, anchors, nms_threshold, 0.0)
    return rows[:, :num, 2:].clamp(0, 1)  # (B, num, 4)


def rpn_loss(anchors, scores, offsets, labels):
    # one class: 0 for every object, −1 for padding
    one_class = torch.cat((labels[..., :1].clamp(-1, 0), labels[..., 1:]), dim=-1)
    targets, masks, classes = multibox_target(anchors, one_class, 0.5)
    return calc_loss(scores, classes, offsets, targets, masks)


@torch.no_grad()
def _best_objects(rois, labels):
    """IoU (B, R) with the object that each region overlaps most, and its row (B, R)."""
    pairs = zip(rois, labels)  # noqa: B905 - of one batch
    iou = torch.stack([box_iou(boxes, rows[:, 1:]) for boxes, rows in pairs])
    return (iou * (labels[:, None, :, 0] >= 0)).max(dim=2)  # padding overlaps nothing


def _finite(boxes):
    # a net that has diverged proposes NaN, at which the operator ends the process
    return boxes.nan_to_num(0.0, 0.0, 0.0)


def _cut(maps, boxes, size):
    """(B, C, H, W) maps, (B, R, 4) boxes in fractions → (B·R, C, size, size)."""
    B, _, H, W = maps.shape
    corners = _finite(boxes) * boxes.new_tensor((W, H, W, H))
    image = torch.arange(B, device=maps.device).repeat_interleave(boxes.shape[1])
    rois = torch.cat((image[:, None].to(corners), corners.flatten(0, 1)), dim=1)
    return roi_align(maps, rois, (size, size), 1.0, 2, True)


def _split(predicted, B, num_classes):
    """(B·R, C+1+4) of the box head → scores (B, R, C+1), offsets (B, 4R)."""
    scores, offsets = predicted.split((num_classes + 1, 4), dim=1)
    return scores.reshape(B, -1, num_classes + 1), offsets.reshape(B, -1)


def box_head_loss(net, features, rois, labels):
    overlap, index = _best_objects(rois, labels)  # (B, R)
    objects = labels.gather(1, index[..., None].expand(-1, -1, 5))  # (B, R, 5)
    positive = overlap >= 0.5
    classes = torch.where(positive, objects[..., 0].long() + 1, 0)
    targets = offset_boxes(rois, objects[..., 1:], 1e-6)  # (B, R, 4)
    masks = positive[..., None].expand(-1, -1, 4).to(targets)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, len(rois), net.num_classes)
    return calc_loss(scores, classes, offsets, targets.flatten(1), masks.flatten(1))


def mask_head_loss(net, features, rois, labels, masks):
    (B, G, H, W), R = masks.shape, rois.shape[1]
    overlap, index = _best_objects(rois, labels)  # (B, R)
    # the target: the object's mask, cut out of the image as the features are
    place = (index + G * torch.arange(B, device=index.device)[:, None]).reshape(-1, 1)
    corners = (rois * rois.new_tensor((W, H, W, H))).reshape(-1, 4)
    regions = torch.cat((place.to(corners), corners), dim=1)  # (B·R, 5)
    pictures = masks.reshape(B * G, 1, H, W)
    cut = roi_align(pictures, regions, (MASK_SIZE, MASK_SIZE), 1.0, 1, True)
    target = (cut >= 0.5).to(features)  # (B·R, 1, 14, 14)
    scores = net.mask_head(_cut(features, rois, MASK_SIZE))
    losses = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
    positive = (overlap >= 0.5).to(losses).reshape(B * R)
    return (losses.mean((1, 2, 3)) * positive).sum() / (positive.sum() + 1e-6)


def detect_instances(
    net, X, num_proposals, num_detections, nms_threshold, pos_threshold
):
    numbers = num_proposals, num_detections, nms_threshold, pos_threshold
    return second_stage(net, predict(net, X), X.shape[2:], *numbers)


@torch.no_grad()
def second_stage(
    net, outputs, size, num_proposals, num_detections, nms_threshold, pos_threshold
):
    features, anchors, scores, offsets = outputs
    B, D = features.shape[0], num_detections
    rois = propose(anchors, scores, offsets, num_proposals, PROPOSAL_OVERLAP)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, B, net.num_classes)
    probs = scores.softmax(dim=-1).mT  # (B, C+1, R)
    rows = multibox_detection(probs, offsets, rois, nms_threshold, pos_threshold)
    rows = rows[:, :D]  # (B, D, 6)
    boxes = rows[..., 2:]
    scores = net.mask_head(_cut(features, boxes, MASK_SIZE))
    masks = scores.sigmoid()[:, 0]  # (B·D, 14, 14)
    masks = paste_masks(masks, _finite(boxes).reshape(-1, 4), *size)
    return rows, masks.reshape(B, D, *size)


def paste_masks(masks, boxes, height, width):
    # RoI align the other way round: the whole image is a region of the mask
    low, size = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clamp(1e-3, 1e3)
    ends = torch.cat((-low / size, (1 - low) / size), dim=1) * masks.shape[-1] + 1
    image = torch.arange(len(boxes), device=boxes.device)[:, None]
    rois = torch.cat((image.to(ends), ends), dim=1)  # (N, 5)
    # a ring of zeros, so that the mask ends where its box does
    framed = F.pad(masks, (1, 1, 1, 1))[:, None]  # (N, 1, h + 2, w + 2)
    return roi_align(framed, rois, (height, width), 1.0, 1, True)[:, 0]
