"""Regions of interest and a two-stage detector in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn import functional as F
from paddle.vision import ops

from ...anchors import multibox_prior
from ...rcnn import BOX_SIZE, RPN_ANCHORS, RPN_RATIOS, RPN_SIZES
from ...ssd import flatten_pred
from .boxes import box_iou
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
    boxes, count, back = _by_image(rois.astype(X.dtype), len(X))
    return ops.roi_pool(X, boxes, count, output_size, spatial_scale)[back]


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    rois = rois.astype(X.dtype)
    options = (output_size, spatial_scale, sampling_ratio)
    # The gradient of the operator takes regions below one pixel for one pixel, as is
    # right without `aligned` only: these few are sampled here.
    small = ((rois[:, 3:] - rois[:, 1:3]) * spatial_scale < 1).any(1)
    if not aligned or not small.any():
        return _roi_align(X, rois, *options, aligned)
    parts = [mask.nonzero().flatten() for mask in (~small, small)]
    large, small = (rois[index] for index in parts)
    out = paddle.concat(
        [_roi_align(X, large, *options, True), _sample(X, small, *options)]
    )
    return out[paddle.concat(parts).argsort()]


def _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    boxes, count, back = _by_image(rois, len(X))
    samples = sampling_ratio or -1
    out = ops.roi_align(X, boxes, count, output_size, spatial_scale, samples, aligned)
    return out[back]


def _by_image(rois, num_images):
    """The boxes sorted by their image, how many each image has, and the way back."""
    image = rois[:, 0].astype("int64")
    order = image.argsort(stable=True)
    count = (image == paddle.arange(num_images)[:, None]).sum(1).astype("int32")
    return rois[order, 1:], count, order.argsort()


def _sample(X, rois, output_size, spatial_scale, sampling_ratio):
    x1, y1, x2, y2 = (rois[:, 1:] * spatial_scale - 0.5).unbind(1)
    rows = _weights(y1, y2 - y1, output_size[0], sampling_ratio, X.shape[2])
    columns = _weights(x1, x2 - x1, output_size[1], sampling_ratio, X.shape[3])
    maps = X[rois[:, 0].astype("int64")]  # (N, C, H, W)
    # bilinear samples and their mean are linear in the rows and in the columns
    return rows[:, None] @ maps @ columns[:, None].transpose([0, 1, 3, 2])


def _weights(start, length, cells, samples, size):
    """(N, cells, size): what each pixel of a line counts in each cell of a region."""
    cell = (length / cells)[:, None, None]  # (N, 1, 1)
    count = paddle.full_like(cell, samples) if samples else cell.ceil()
    i = paddle.arange(cells, dtype=cell.dtype)[:, None]
    k = paddle.arange(max(1, int(count.max())), dtype=cell.dtype)
    at = start[:, None, None] + cell * (i + (k + 0.5) / count.clip(min=1))
    counts = (k < count) & (at >= -1) & (at <= size)  # (N, cells, samples)
    pixels = paddle.arange(size, dtype=cell.dtype)
    hat = F.relu(1 - (at.clip(0, size - 1)[..., None] - pixels).abs())
    hat = hat * counts[..., None].astype(hat.dtype)
    return hat.sum(2) / count.clip(min=1)


def stop_gradient(x):
    return x.detach()


def roi_rows(boxes):
    """(B, R, 4) → (B·R, 5): each box with the index of its image."""
    B, R, _ = boxes.shape
    image = paddle.arange(B).repeat_interleave(R)
    return paddle.concat([image[:, None].astype(boxes.dtype), boxes.flatten(0, 1)], 1)


@paddle.no_grad()
def best_objects(rois, labels):
    """The object that each region (B, R, 4) overlaps most, of labels (B, G, 5).

    IoU (B, R), label rows (B, R, 5) and indices among all B·G rows (B·R,).
    """
    (B, R), G = rois.shape[:2], labels.shape[1]
    rows = labels.flatten(0, 1)
    iou = box_iou(rois.flatten(0, 1), rows[:, 1:])
    iou = iou * (rows[:, 0] >= 0).astype(iou.dtype)
    same_image = paddle.eye(B).repeat_interleave(R, 0).repeat_interleave(G, 1)
    iou = iou * same_image
    index = iou.argmax(1)
    return iou.max(1).reshape([B, R]), rows[index].reshape([B, R, 5]), index


def _conv(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2D(in_channels, out_channels, 3, padding=1, bias_attr=False),
        nn.BatchNorm2D(out_channels),
        nn.ReLU(),
    )


class TinyRCNN(nn.Layer):
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
            nn.Conv2D(64, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2D(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2D(32, 1, 3, padding=1),
        )

    def forward(self, X):
        Y = self.features(X)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)
        scores = flatten_pred(self.rpn_cls(Y)).reshape([len(X), -1, 2])
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))
