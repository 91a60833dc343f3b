"""Regions of interest and a two-stage detector in MXNet."""

import mxnet as mx
from mxnet import autograd, np, npx
from mxnet.gluon import nn

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
    if not len(rois):
        return np.zeros((0, X.shape[1], *output_size), dtype=X.dtype, ctx=X.ctx)
    return npx.roi_pooling(
        X, rois.astype(X.dtype), pooled_size=output_size, spatial_scale=spatial_scale
    )


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    if not len(rois):
        return np.zeros((0, X.shape[1], *output_size), dtype=X.dtype, ctx=X.ctx)
    if not aligned:
        return _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, False)
    # MXNet ends the process at a box without a size: inverted ones are turned over, and
    # so is what comes out; empty ones get the least size that float32 can tell from none
    image, start, end = np.split(rois, (1, 3), axis=1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    high = np.maximum(high, low + 3e-7 * (np.abs(low) + 1 / spatial_scale))
    rois = np.concatenate((image, low, high), axis=1)
    out = _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, True)
    inverted = (end < start).reshape(-1, 2, 1, 1, 1)
    out = np.where(inverted[:, 0], np.flip(out, 3), out)
    return np.where(inverted[:, 1], np.flip(out, 2), out)


def _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    return mx.nd.contrib.ROIAlign(
        X.as_nd_ndarray(),
        rois.astype(X.dtype).as_nd_ndarray(),
        pooled_size=output_size,
        spatial_scale=spatial_scale,
        sample_ratio=sampling_ratio or -1,
        aligned=aligned,
    ).as_np_ndarray()


def stop_gradient(x):
    return x.detach()


def roi_rows(boxes):
    """(B, R, 4) → (B·R, 5): each box with the index of its image."""
    B, R, _ = boxes.shape
    image = np.repeat(np.arange(B, ctx=boxes.ctx), R).reshape(-1, 1)
    return np.concatenate((image, boxes.reshape(-1, 4)), axis=1)


def best_objects(rois, labels):
    """The object that each region (B, R, 4) overlaps most, of labels (B, G, 5).

    IoU (B, R), label rows (B, R, 5) and indices among all B·G rows (B·R,).
    """
    (B, R), G = rois.shape[:2], labels.shape[1]
    with autograd.pause():
        rows = labels.reshape(-1, 5)
        iou = box_iou(rois.reshape(-1, 4), rows[:, 1:]) * (rows[:, 0] >= 0)
        same_image = np.repeat(np.eye(B, ctx=rois.ctx), R, axis=0)
        iou = iou * np.repeat(same_image, G, axis=1)
        index = iou.argmax(axis=1)
        return iou.max(axis=1).reshape(B, R), rows[index].reshape(B, R, 5), index


def _sequential(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net


def _conv(in_channels, out_channels):
    return _sequential(
        nn.Conv2D(out_channels, 3, padding=1, use_bias=False, in_channels=in_channels),
        BatchNorm2d(out_channels),
        nn.Activation("relu"),
    )


class TinyRCNN(nn.Block):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.features = _sequential(base_net(), _conv(64, 64), _conv(64, 64))
        # the region proposal network: what SSD does at one scale, with one class
        self.rpn_cls = cls_predictor(64, RPN_ANCHORS, 1)
        self.rpn_bbox = bbox_predictor(64, RPN_ANCHORS)
        self.box_head = _sequential(
            nn.Flatten(),
            nn.Dense(128, in_units=64 * BOX_SIZE**2),
            nn.Activation("relu"),
            nn.Dense(num_classes + 1 + 4, in_units=128),
        )
        self.mask_head = _sequential(
            nn.Conv2D(32, 3, padding=1, in_channels=64),
            nn.Activation("relu"),
            nn.Conv2D(32, 3, padding=1, in_channels=32),
            nn.Activation("relu"),
            nn.Conv2D(1, 3, padding=1, in_channels=32),
        )

    def forward(self, X):
        Y = self.features(X)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)
        scores = flatten_pred(self.rpn_cls(Y)).reshape(len(X), -1, 2)
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))
