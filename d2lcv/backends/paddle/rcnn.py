"""Regions of interest and a two-stage detector in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn import functional as F
from paddle.vision import ops

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


def roi_pool(X, rois, output_size, spatial_scale):
    def pool(boxes, count):
        return ops.roi_pool(X, boxes, count, output_size, spatial_scale)

    return _by_image(pool, rois.astype(X.dtype), X.shape[0])


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    rois = rois.astype(X.dtype)
    options = (output_size, spatial_scale, sampling_ratio)
    # The gradient of the operator takes regions below one pixel for one pixel, as is
    # right without `aligned` only: these few are sampled here.
    if X.stop_gradient:
        return _roi_align(X, rois, *options, aligned)
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
    options = (output_size, spatial_scale, sampling_ratio or -1, aligned)
    return _by_image(
        lambda boxes, count: ops.roi_align(X, boxes, count, *options), rois, X.shape[0]
    )


def _by_image(operator, rois, num_images):
    """An operator that takes boxes sorted by their image, and how many each image has."""
    image = rois[:, 0].astype("int64")
    count = (image == paddle.arange(num_images)[:, None]).sum(1).astype("int32")
    in_order = paddle.in_dynamic_mode() and not (image[1:] < image[:-1]).any()
    if in_order:  # as they usually are; a program sorts them
        return operator(rois[:, 1:], count)
    order = image.argsort(stable=True)
    return operator(rois[order, 1:], count)[order.argsort()]


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
        check_picture(X.shape, 8)
        Y = self.features(X)  # (B, 64, H/8, W/8)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)  # (1, A, 4)
        scores = flatten_pred(self.rpn_cls(Y)).unflatten(1, [anchors.shape[1], 2])
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))


@paddle.no_grad()
def propose(anchors, scores, offsets, num, nms_threshold):
    probs = F.softmax(scores, axis=-1).transpose([0, 2, 1])  # (B, 2, A)
    rows = multibox_detection(probs, offsets, anchors, nms_threshold, 0.0)
    return rows[:, :num, 2:].clip(0, 1)  # (B, num, 4)


def rpn_loss(anchors, scores, offsets, labels):
    # one class: 0 for every object, −1 for padding
    one_class = paddle.concat([labels[..., :1].clip(-1, 0), labels[..., 1:]], axis=-1)
    targets, masks, classes = multibox_target(anchors, one_class, 0.5)
    return calc_loss(scores, classes, offsets, targets, masks)


@paddle.no_grad()
def _best_objects(rois, labels):
    """IoU (B, R) with the object that each region overlaps most, and its row (B, R)."""
    pairs = zip(rois, labels)  # noqa: B905 - of one batch
    iou = paddle.stack([box_iou(boxes, rows[:, 1:]) for boxes, rows in pairs])
    # padding overlaps nothing
    iou = iou * (labels[:, None, :, 0] >= 0).astype(iou.dtype)  # (B, R, G)
    return iou.max(axis=2), iou.argmax(axis=2)


def _finite(boxes):
    # a net that has diverged proposes NaN, at which other operators end the process
    return paddle.nan_to_num(boxes, 0.0, 0.0, 0.0)


def _cut(maps, boxes, size):
    """(B, C, H, W) maps, (B, R, 4) boxes in fractions → (B·R, C, size, size)."""
    B, _, H, W = maps.shape
    corners = _finite(boxes) * paddle.to_tensor([W, H, W, H], boxes.dtype)
    image = paddle.arange(B).repeat_interleave(boxes.shape[1])
    image = image[:, None].astype(boxes.dtype)
    rois = paddle.concat([image, corners.flatten(0, 1)], axis=1)  # (B·R, 5)
    return roi_align(maps, rois, (size, size), 1.0, 2, True)


def _split(predicted, B, num_classes):
    """(B·R, C+1+4) of the box head → scores (B, R, C+1), offsets (B, 4R)."""
    scores, offsets = predicted.split([num_classes + 1, 4], axis=1)
    return scores.reshape([B, -1, num_classes + 1]), offsets.reshape([B, -1])


def box_head_loss(net, features, rois, labels):
    overlap, index = _best_objects(rois, labels)  # (B, R)
    objects = labels.take_along_axis(index[..., None], 1)  # (B, R, 5)
    positive = overlap >= 0.5
    classes = (objects[..., 0].astype("int64") + 1) * positive.astype("int64")
    targets = offset_boxes(rois, objects[..., 1:], 1e-6)  # (B, R, 4)
    masks = positive[..., None].expand_as(targets).astype(targets.dtype)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, len(rois), net.num_classes)
    return calc_loss(scores, classes, offsets, targets.flatten(1), masks.flatten(1))


def mask_head_loss(net, features, rois, labels, masks):
    B, G, H, W = masks.shape
    overlap, index = _best_objects(rois, labels)  # (B, R)
    # the target: the object's mask, cut out of the image as the features are
    place = (index + G * paddle.arange(B)[:, None]).reshape([-1, 1])
    corners = (rois * paddle.to_tensor([W, H, W, H], rois.dtype)).flatten(0, 1)
    regions = paddle.concat([place.astype(rois.dtype), corners], axis=1)  # (B·R, 5)
    pictures = masks.reshape([B * G, 1, H, W])
    cut = roi_align(pictures, regions, (MASK_SIZE, MASK_SIZE), 1.0, 1, True)
    target = (cut >= 0.5).astype(features.dtype)  # (B·R, 1, 14, 14)
    scores = net.mask_head(_cut(features, rois, MASK_SIZE))
    losses = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
    positive = (overlap >= 0.5).astype(losses.dtype).flatten()  # (B·R,)
    return (losses.mean([1, 2, 3]) * positive).sum() / (positive.sum() + 1e-6)


def detect_instances(
    net, X, num_proposals, num_detections, nms_threshold, pos_threshold
):
    numbers = num_proposals, num_detections, nms_threshold, pos_threshold
    return second_stage(net, predict(net, X), X.shape[2:], *numbers)


@paddle.no_grad()
def second_stage(
    net, outputs, size, num_proposals, num_detections, nms_threshold, pos_threshold
):
    features, anchors, scores, offsets = outputs
    B, D, features = features.shape[0], num_detections, features.detach()
    rois = propose(anchors, scores, offsets, num_proposals, PROPOSAL_OVERLAP)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, B, net.num_classes)
    probs = F.softmax(scores, axis=-1).transpose([0, 2, 1])  # (B, C+1, R)
    rows = multibox_detection(probs, offsets, rois, nms_threshold, pos_threshold)
    rows = rows[:, :D]  # (B, D, 6)
    boxes = rows[..., 2:]
    scores = net.mask_head(_cut(features, boxes, MASK_SIZE))
    masks = F.sigmoid(scores).detach()[:, 0]  # (B·D, 14, 14)
    masks = paste_masks(masks, _finite(boxes).flatten(0, 1), *size)
    return rows, masks.reshape([B, D, *size])


def paste_masks(masks, boxes, height, width):
    # RoI align the other way round: the whole image is a region of the mask
    low, size = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clip(1e-3, 1e3)
    ends = paddle.concat([-low / size, (1 - low) / size], 1) * masks.shape[-1] + 1
    image = paddle.arange(boxes.shape[0])[:, None].astype(ends.dtype)
    rois = paddle.concat([image, ends], axis=1)  # (N, 5)
    # a ring of zeros, so that the mask ends where its box does
    framed = F.pad(masks[:, None], [1, 1, 1, 1])  # (N, 1, h + 2, w + 2)
    return roi_align(framed, rois, (height, width), 1.0, 1, True)[:, 0]
