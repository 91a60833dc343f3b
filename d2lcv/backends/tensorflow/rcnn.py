"""Regions of interest, for which TensorFlow has no operators, and a two-stage detector."""

import keras
import tensorflow as tf

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
from .layers import BatchNorm2d, convolution, dense
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
    _, C, H, W = keras.ops.shape(X)
    x1, y1, x2, y2 = tf.unstack(_rounded(rois[:, 1:] * spatial_scale), axis=1)
    y, in_rows = _pixels(y1, y2, output_size[0], H)  # (N, h, m), (N, h)
    x, in_columns = _pixels(x1, x2, output_size[1], W)  # (N, w, n), (N, w)
    y += tf.cast(rois[:, :1, None], tf.int32) * H  # in the maps one below the other
    place = y[:, :, None, :, None] * W + x[:, None, :, None]
    N, h, w, m, n = keras.ops.shape(place)
    place = tf.reshape(place, (N, h, w, m * n))  # every pixel of every cell

    pixels = tf.reshape(tf.transpose(X, (0, 2, 3, 1)), (-1, C))
    best = tf.argmax(tf.gather(pixels, place), axis=3)  # (N, h, w, C)
    best = tf.gather(place, best, batch_dims=3) * C + tf.range(C)
    # the gradient of a gather goes to one of equal values, that of a maximum to all
    out = tf.gather(tf.reshape(pixels, [-1]), best)
    found = in_rows[:, :, None] & in_columns[:, None]  # (N, h, w)
    return tf.transpose(tf.where(found[..., None], out, 0), (0, 3, 1, 2))


def _rounded(x):
    # `tf.round` rounds halves to even
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _divided(x, n):
    # where `/` is compiled, it multiplies by 1 / n: 21 / 7 is more than 3 then
    return tf.math.divide_no_nan(x, tf.cast(n, x.dtype))


def _pixels(first, last, cells, size):
    """Pixels (N, cells, m) of all cells of lines, and which cells have one."""
    # in float32, as the operators of others: 57 pixels in 7 cells end at 58
    length = _divided(tf.maximum(last - first + 1, 1)[:, None], cells)
    i = tf.range(cells, dtype=length.dtype)
    start = first[:, None] + tf.floor(i * length)
    end = first[:, None] + tf.math.ceil((i + 1) * length)  # (N, cells)
    size = tf.cast(size, length.dtype)
    start, end = (tf.cast(tf.clip_by_value(x, 0, size), tf.int32) for x in (start, end))
    most = tf.reduce_max(tf.concat((tf.reshape(end - start, [-1]), [1]), axis=0))
    # shorter cells repeat their last pixel, which changes no maximum
    pixels = tf.minimum(start[..., None] + tf.range(most), end[..., None] - 1)
    return tf.maximum(pixels, 0), start < end


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    _, _, H, W = keras.ops.shape(X)
    # as from the operators of others, no gradient goes to the boxes
    rois = tf.stop_gradient(tf.cast(rois, X.dtype))
    boxes = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0)
    x1, y1, x2, y2 = tf.unstack(boxes, axis=1)
    least = None if aligned else 1
    rows = _weights(y1, y2 - y1, output_size[0], sampling_ratio, least, H)
    columns = _weights(x1, x2 - x1, output_size[1], sampling_ratio, least, W)
    # bilinear samples and their mean are linear in the rows and in the columns; no product
    # of stacks of unlike shapes, which may write past their memory (docs/frameworks.md)
    maps = tf.transpose(X, (0, 2, 1, 3))  # (B, H, C, W)
    if X.shape[0] == 1:  # a single image is not copied for each region
        sums = tf.einsum("nhy,ycx->nhcx", rows, maps[0])
    else:
        maps = tf.gather(maps, tf.cast(rois[:, 0], tf.int32))
        sums = tf.einsum("nhy,nycx->nhcx", rows, maps)
    return tf.transpose(tf.einsum("nhcx,nwx->nhcw", sums, columns), (0, 2, 1, 3))


def _weights(start, length, cells, samples, least, size):
    """(N, cells, size): what each pixel of a line counts in each cell of a region."""
    length = length if least is None else tf.maximum(length, least)
    cell = _divided(length, cells)[:, None, None]  # (N, 1, 1)
    size = tf.cast(size, cell.dtype)
    count = samples * tf.ones_like(cell) if samples else tf.math.ceil(cell)
    most = tf.reduce_max(tf.concat((tf.reshape(count, [-1]), [1]), axis=0))
    i, k = tf.range(tf.cast(cells, cell.dtype))[:, None], tf.range(most)
    at = start[:, None, None] + cell * (i + (k + 0.5) / tf.maximum(count, 1))
    counts = (k < count) & (at >= -1) & (at <= size)  # (N, cells, most)
    at = tf.clip_by_value(at, 0, size - 1)[..., None]
    hat = tf.nn.relu(1 - tf.abs(at - tf.range(size)))
    weights = tf.where(counts[..., None], hat, 0) / tf.maximum(count, 1)[..., None]
    return tf.reduce_sum(weights, axis=2)


def _conv(in_channels, out_channels):
    return keras.Sequential(
        [
            convolution(in_channels, out_channels, use_bias=False),
            BatchNorm2d(out_channels),
            keras.layers.ReLU(),
        ]
    )


class TinyRCNN(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.features = keras.Sequential([base_net(), _conv(64, 64), _conv(64, 64)])
        # the region proposal network: what SSD does at one scale, with one class
        self.rpn_cls = cls_predictor(64, RPN_ANCHORS, 1)
        self.rpn_bbox = bbox_predictor(64, RPN_ANCHORS)
        self.box_head = keras.Sequential(
            [
                keras.layers.Flatten(),
                dense(64 * BOX_SIZE**2, 128),
                keras.layers.ReLU(),
                dense(128, num_classes + 1 + 4),
            ]
        )
        self.mask_head = keras.Sequential(
            [
                convolution(64, 32),
                keras.layers.ReLU(),
                convolution(32, 32),
                keras.layers.ReLU(),
                convolution(32, 1),
            ]
        )
        self.built = True

    def call(self, X):
        check_picture(X.shape, 8)
        Y = self.features(X)  # (B, 64, H/8, W/8)
        anchors = multibox_prior(Y, RPN_SIZES, RPN_RATIOS)  # (1, A, 4)
        scores = flatten_pred(self.rpn_cls(Y))
        scores = tf.reshape(scores, (-1, anchors.shape[1], 2))
        return Y, anchors, scores, flatten_pred(self.rpn_bbox(Y))


def propose(anchors, scores, offsets, num, nms_threshold):
    probs = tf.linalg.matrix_transpose(tf.nn.softmax(scores))  # (B, 2, A)
    rows = multibox_detection(probs, offsets, anchors, nms_threshold, 0.0)
    boxes = tf.clip_by_value(rows[:, :num, 2:], 0, 1)
    # a compiled step may have lost the shape
    return tf.stop_gradient(tf.reshape(boxes, (-1, num, 4)))


def rpn_loss(anchors, scores, offsets, labels):
    # one class: 0 for every object, −1 for padding
    one_class = tf.clip_by_value(labels[..., :1], -1, 0)
    one_class = tf.concat((one_class, labels[..., 1:]), axis=-1)
    targets, masks, classes = multibox_target(anchors, one_class, 0.5)
    masks = tf.cast(masks, targets.dtype)
    return calc_loss(scores, classes, offsets, targets, masks)


def _best_objects(rois, labels):
    """IoU (B, R) with the object that each region overlaps most, and its row (B, R)."""
    iou = tf.map_fn(
        lambda image: box_iou(image[0], image[1][:, 1:]),
        (rois, labels),
        fn_output_signature=rois.dtype,
    )  # (B, R, G)
    iou = iou * tf.cast(labels[:, None, :, 0] >= 0, iou.dtype)  # padding: nothing
    return tf.stop_gradient(tf.reduce_max(iou, axis=2)), tf.argmax(iou, axis=2)


def _regions(image, corners):
    """Rows (N, 5) of regions: image indices and corners (N, 4)."""
    image = tf.cast(tf.reshape(image, (-1, 1)), corners.dtype)
    return tf.concat((image, corners), axis=1)


def _cut(maps, boxes, size):
    """(B, C, H, W) maps, (B, R, 4) boxes in fractions → (B·R, C, size, size)."""
    (B, R, _), (H, W) = keras.ops.shape(boxes), keras.ops.shape(maps)[2:]
    corners = tf.reshape(boxes * tf.cast((W, H, W, H), boxes.dtype), (-1, 4))
    rois = _regions(tf.repeat(tf.range(B), R), corners)
    return roi_align(maps, rois, (size, size), 1.0, 2, True)


def _split(predicted, rois, num_classes):
    """(B·R, C+1+4) of the box head → scores (B, R, C+1), offsets (B, 4R)."""
    B, R, _ = keras.ops.shape(rois)
    scores, offsets = tf.split(predicted, (num_classes + 1, 4), axis=1)
    return tf.reshape(scores, (B, R, num_classes + 1)), tf.reshape(offsets, (B, 4 * R))


def box_head_loss(net, features, rois, labels):
    overlap, index = _best_objects(rois, labels)  # (B, R)
    objects = tf.gather(labels, index, batch_dims=1)  # (B, R, 5)
    positive = overlap >= 0.5
    classes = tf.where(positive, tf.cast(objects[..., 0], tf.int64) + 1, 0)
    targets = offset_boxes(rois, objects[..., 1:], 1e-6)  # (B, R, 4)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, rois, net.num_classes)
    targets = tf.reshape(targets, tf.shape(offsets))  # (B, 4R)
    masks = tf.repeat(tf.cast(positive, targets.dtype), 4, axis=1)
    masks = tf.cast(masks, targets.dtype)
    return calc_loss(scores, classes, offsets, targets, masks)


def mask_head_loss(net, features, rois, labels, masks):
    B, G, H, W = keras.ops.shape(masks)
    overlap, index = _best_objects(rois, labels)  # (B, R)
    # the target: the object's mask, cut out of the image as the features are
    place = index + tf.cast(G * tf.range(B)[:, None], index.dtype)
    corners = tf.reshape(rois * tf.cast((W, H, W, H), rois.dtype), (-1, 4))
    pictures = tf.reshape(masks, (-1, 1, H, W))
    cut = roi_align(
        pictures, _regions(place, corners), (MASK_SIZE, MASK_SIZE), 1.0, 1, True
    )
    target = tf.cast(cut >= 0.5, features.dtype)  # (B·R, 1, 14, 14)
    scores = net.mask_head(_cut(features, rois, MASK_SIZE))
    losses = tf.nn.sigmoid_cross_entropy_with_logits(target, scores)
    positive = tf.reshape(tf.cast(overlap >= 0.5, losses.dtype), [-1])  # (B·R,)
    total = tf.reduce_sum(tf.reduce_mean(losses, axis=(1, 2, 3)) * positive)
    return total / (tf.reduce_sum(positive) + 1e-6)


def detect_instances(
    net, X, num_proposals, num_detections, nms_threshold, pos_threshold
):
    numbers = num_proposals, num_detections, nms_threshold, pos_threshold
    return second_stage(net, predict(net, X), keras.ops.shape(X)[2:], *numbers)


def second_stage(
    net, outputs, size, num_proposals, num_detections, nms_threshold, pos_threshold
):
    features, anchors, scores, offsets = outputs
    rois = propose(anchors, scores, offsets, num_proposals, PROPOSAL_OVERLAP)
    predicted = net.box_head(_cut(features, rois, BOX_SIZE))
    scores, offsets = _split(predicted, rois, net.num_classes)
    probs = tf.linalg.matrix_transpose(tf.nn.softmax(scores))  # (B, C+1, R)
    rows = multibox_detection(probs, offsets, rois, nms_threshold, pos_threshold)
    rows = rows[:, :num_detections]  # (B, D, 6)
    boxes = rows[..., 2:]
    scores = net.mask_head(_cut(features, boxes, MASK_SIZE))
    masks = tf.sigmoid(scores)[:, 0]  # (B·D, 14, 14)
    masks = paste_masks(masks, tf.reshape(boxes, (-1, 4)), *size)
    return rows, tf.reshape(masks, (-1, num_detections, *size))


def paste_masks(masks, boxes, height, width):
    # RoI align the other way round: the whole image is a region of the mask
    low, size = boxes[:, :2], tf.clip_by_value(boxes[:, 2:] - boxes[:, :2], 1e-3, 1e3)
    ends = tf.concat((-low / size, (1 - low) / size), axis=1) * masks.shape[-1] + 1
    rois = _regions(tf.range(tf.shape(boxes)[0]), ends)  # (N, 5)
    # a ring of zeros, so that the mask ends where its box does
    framed = tf.pad(masks, ((0, 0), (1, 1), (1, 1)))[:, None]  # (N, 1, h + 2, w + 2)
    return roi_align(framed, rois, (height, width), 1.0, 1, True)[:, 0]
