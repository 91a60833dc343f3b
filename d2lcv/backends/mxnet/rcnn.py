"""Regions of interest and a two-stage detector in MXNet."""

import warnings

import mxnet as mx
from mxnet import autograd, gluon, np, npx
from mxnet.gluon import nn

from ...rcnn import (
    BOX_SIZE,
    MASK_SIZE,
    PROPOSAL_OVERLAP,
    RPN_ANCHORS,
    RPN_RATIOS,
    RPN_SIZES,
    check_picture,
)
from .anchors import multibox_target, offset_boxes
from .boxes import box_iou
from .detection import multibox_detection
from .layers import BatchNorm2d
from .ssd import base_net, bbox_predictor, calc_loss, cls_predictor
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
    with autograd.pause():
        image, start, end = rois[:, :1], rois[:, 1:3], rois[:, 3:]
        low, high = np.minimum(start, end), np.maximum(start, end)
        high = np.maximum(high, low + 3e-7 * (np.abs(low) + 1 / spatial_scale))
        rois = np.concatenate((image, low, high), axis=1)
        inverted = (end < start).reshape(-1, 2, 1, 1, 1)
    out = _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, True)
    if not inverted.any():
        return out
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


class TinyRCNN(nn.HybridBlock):
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
        if isinstance(X, np.ndarray):  # else a symbol, which has no shape
            check_picture(X.shape, 8)
        with warnings.catch_warnings():
            # MXNet misses the heads in what it compiles: they are called on their own
            warnings.filterwarnings("ignore", ".*is not used by any computation")
            return super().forward(X)

    def hybrid_forward(self, F, X):
        # compiled, X is a symbol and has no shape: MXNet's operator makes the anchors
        Y = self.features(X)  # (B, 64, H/8, W/8)
        anchors = F.npx.multibox_prior(Y, sizes=RPN_SIZES, ratios=RPN_RATIOS)
        scores, offsets = self.rpn_cls(Y), self.rpn_bbox(Y)
        # (B, K, H/8, W/8) → (B, H·W·K/64)
        scores = F.npx.batch_flatten(scores.transpose(0, 2, 3, 1))
        scores = F.npx.reshape(scores, (-2, -1, 2))  # (B, A, 2)
        offsets = F.npx.batch_flatten(offsets.transpose(0, 2, 3, 1))  # (B, 4A)
        return Y, anchors, scores, offsets


def propose(anchors, scores, offsets, num, nms_threshold):
    with autograd.pause():
        probs = npx.softmax(scores, axis=-1).transpose(0, 2, 1)  # (B, 2, A)
        rows = multibox_detection(probs, offsets, anchors, nms_threshold, 0.0)
        return rows[:, :num, 2:].clip(0, 1)  # (B, num, 4)


def rpn_loss(anchors, scores, offsets, labels):
    # one class: 0 for every object, −1 for padding
    one_class = np.concatenate((labels[..., :1].clip(-1, 0), labels[..., 1:]), axis=-1)
    targets, masks, classes = multibox_target(anchors, one_class, 0.5)
    return calc_loss(scores, classes, offsets, targets, masks)


def _best_objects(rois, labels):
    """IoU (B, R) with the object that each region overlaps most, and its row (B, R)."""
    with autograd.pause():
        pairs = zip(rois, labels)  # noqa: B905 - of one batch
        iou = np.stack([box_iou(boxes, rows[:, 1:]) for boxes, rows in pairs])
        iou = iou * (labels[:, None, :, 0] >= 0)  # padding overlaps nothing
        return iou.max(axis=2), iou.argmax(axis=2)


def _finite(boxes):
    # a net that has diverged proposes NaN, at which the operator ends the process
    return np.nan_to_num(boxes, nan=0.0, posinf=0.0, neginf=0.0)


def _regions(image, corners):
    """Rows (N, 5) of an operator: image indices (N,) and corners (N, 4)."""
    image = image.reshape(-1, 1).astype(corners.dtype)
    return np.concatenate((image, corners), axis=1)


def _cut(maps, boxes, size):
    """(B, C, H, W) maps, (B, R, 4) boxes in fractions → (B·R, C, size, size)."""
    (B, _, H, W), R = maps.shape, boxes.shape[1]
    corners = _finite(boxes) * np.array([W, H, W, H], dtype=boxes.dtype, ctx=boxes.ctx)
    image = np.repeat(np.arange(B, ctx=boxes.ctx), R)
    rois = _regions(image, corners.reshape(-1, 4))
    return roi_align(maps, rois, (size, size), 1.0, 2, True)


def _split(predicted, B, num_classes):
    """(B·R, C+1+4) of the box head → scores (B, R, C+1), offsets (B, 4R)."""
    scores, offsets = np.split(predicted, (num_classes + 1,), axis=1)
    return scores.reshape(B, -1, num_classes + 1), offsets.reshape(B, -1)


def box_head_loss(net, features, rois, labels):
    overlap, index = _best_objects(rois, labels)  # (B, R)
    image = np.arange(len(rois), ctx=rois.ctx).reshape(-1, 1).astype(index.dtype)
    objects = labels[image, index]  # (B, R, 5)
    positive = (overlap >= 0.5).astype(rois.dtype)
    classes = ((objects[..., 0] + 1) * positive).astype(np.int32)
    targets = offset_boxes(rois, objects[..., 1:], 1e-6)  # (B, R, 4)
    masks = np.repeat(positive, 4, axis=1)  # (B, 4R)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, len(rois), net.num_classes)
    return calc_loss(scores, classes, offsets, targets.reshape(masks.shape), masks)


def mask_head_loss(net, features, rois, labels, masks):
    (B, G, H, W), R = masks.shape, rois.shape[1]
    overlap, index = _best_objects(rois, labels)  # (B, R)
    # the target: the object's mask, cut out of the image as the features are
    first = np.arange(0, B * G, G, ctx=rois.ctx).reshape(B, 1).astype(index.dtype)
    corners = rois * np.array([W, H, W, H], dtype=rois.dtype, ctx=rois.ctx)
    regions = _regions(first + index, corners.reshape(-1, 4))  # (B·R, 5)
    pictures = masks.reshape(B * G, 1, H, W)
    cut = roi_align(pictures, regions, (MASK_SIZE, MASK_SIZE), 1.0, 1, True)
    target = (cut >= 0.5).astype(features.dtype)  # (B·R, 1, 14, 14)
    scores = net.mask_head(_cut(features, rois, MASK_SIZE))
    # Gluon's losses are means over all axes but the first: (B·R,)
    losses = gluon.loss.SigmoidBinaryCrossEntropyLoss()(scores, target)
    positive = (overlap >= 0.5).astype(losses.dtype).reshape(B * R)
    return (losses * positive).sum() / (positive.sum() + 1e-6)


def detect_instances(
    net, X, num_proposals, num_detections, nms_threshold, pos_threshold
):
    numbers = num_proposals, num_detections, nms_threshold, pos_threshold
    return second_stage(net, predict(net, X), X.shape[2:], *numbers)


def second_stage(
    net, outputs, size, num_proposals, num_detections, nms_threshold, pos_threshold
):
    features, anchors, scores, offsets = outputs
    B, D = features.shape[0], num_detections
    rois = propose(anchors, scores, offsets, num_proposals, PROPOSAL_OVERLAP)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, B, net.num_classes)
    probs = npx.softmax(scores, axis=-1).transpose(0, 2, 1)  # (B, C+1, R)
    rows = multibox_detection(probs, offsets, rois, nms_threshold, pos_threshold)
    rows = rows[:, :D]  # (B, D, 6)
    boxes = rows[..., 2:]
    scores = net.mask_head(_cut(features, boxes, MASK_SIZE))
    masks = npx.sigmoid(scores)[:, 0]  # (B·D, 14, 14)
    masks = paste_masks(masks, _finite(boxes).reshape(-1, 4), *size)
    return rows, masks.reshape(B, D, *size)


def paste_masks(masks, boxes, height, width):
    # RoI align the other way round: the whole image is a region of the mask
    low, size = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clip(1e-3, 1e3)
    ends = np.concatenate((-low / size, (1 - low) / size), axis=1)
    ends = ends * masks.shape[-1] + 1
    rois = _regions(np.arange(len(boxes), ctx=boxes.ctx), ends)  # (N, 5)
    # a ring of zeros, so that the mask ends where its box does
    framed = np.pad(masks, ((0, 0), (1, 1), (1, 1)))[:, None]  # (N, 1, h + 2, w + 2)
    return roi_align(framed, rois, (height, width), 1.0, 1, True)[:, 0]
