"""YOLO in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from ...yolo import check_picture
from .detection import keep
from .ssd import base_net, down_sample_blk

__all__ = ["TinyYOLO", "yolo_decode", "yolo_detection", "yolo_loss", "yolo_target"]


def conv_blk(channels):
    return nn.Sequential(
        nn.Conv2D(channels, channels, 3, padding=1, bias_attr=False),
        nn.BatchNorm2D(channels),
        nn.ReLU(),
    )


class TinyYOLO(nn.Layer):
    def __init__(self, num_classes, num_boxes):
        super().__init__()
        self.num_classes, self.num_boxes = num_classes, num_boxes
        self.features = nn.Sequential(
            base_net(), down_sample_blk(64, 128), conv_blk(128), conv_blk(128)
        )
        self.head = nn.Conv2D(128, 5 * num_boxes + num_classes, 1)

    def forward(self, X):
        check_picture(X.shape, 16)
        Y = self.head(self.features(X))  # (B, 5K + C, H/16, W/16)
        return Y.transpose([0, 2, 3, 1])  # the numbers of a cell stand together


@paddle.no_grad()
def yolo_target(labels, height, width):
    B, G, _ = labels.shape
    rows = paddle.arange(height)[:, None]
    columns = paddle.arange(width)
    classes = paddle.full([B, height, width], -1, labels.dtype)
    boxes = paddle.zeros([B, height, width, 4], labels.dtype)
    for g in reversed(range(G)):  # of two objects in one cell the first one stays
        label, box = labels[:, g, 0], labels[:, g, 1:]  # (B,), (B, 4)
        row = ((box[:, 1] + box[:, 3]) / 2 * height).floor().astype("int64")
        column = ((box[:, 0] + box[:, 2]) / 2 * width).floor().astype("int64")
        row, column = row.clip(0, height - 1), column.clip(0, width - 1)
        here = (rows == row[:, None, None]) & (columns == column[:, None, None])
        here = here & (label >= 0)[:, None, None]  # (B, H, W); padding is nowhere
        classes = paddle.where(here, label[:, None, None], classes)
        boxes = paddle.where(here[..., None], box[:, None, None], boxes)
    return classes.astype("int64"), boxes


def yolo_numbers(preds, num_classes):
    """Of each box x, y in its cell, √w, √h, confidence; of each cell its classes."""
    B, H, W, N = preds.shape
    K = (N - num_classes) // 5
    numbers = F.sigmoid(preds[..., : 5 * K]).reshape([B, H, W, K, 5])
    return numbers, F.softmax(preds[..., 5 * K :], axis=-1)  # (B, H, W, C)


def yolo_decode(preds, num_classes):
    numbers, classes = yolo_numbers(preds, num_classes)
    _, H, W, _, _ = numbers.shape
    x, y, root_w, root_h, confidence = numbers.unbind(-1)  # (B, H, W, K) each
    x = (x + paddle.arange(W, dtype=x.dtype)[:, None]) / W
    y = (y + paddle.arange(H, dtype=y.dtype)[:, None, None]) / H
    half_w, half_h = root_w**2 / 2, root_h**2 / 2
    corners = [x - half_w, y - half_h, x + half_w, y + half_h]
    return paddle.stack(corners, axis=-1), confidence, classes


def overlaps(boxes, others):
    """IoU of each box (..., 4) with the other one at the same place."""
    low = paddle.maximum(boxes[..., :2], others[..., :2])
    high = paddle.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clip(min=0).prod(-1)
    area, other = ((b[..., 2:] - b[..., :2]).prod(-1) for b in (boxes, others))
    union = area + other - shared
    return shared / paddle.where(union > 0, union, paddle.ones_like(union))


def yolo_loss(preds, classes, boxes, num_classes, coord_weight, noobj_weight):
    numbers, probs = yolo_numbers(preds, num_classes)
    guesses, confidence, _ = yolo_decode(preds, num_classes)
    _, H, W, K = confidence.shape
    is_object = (classes >= 0).astype(preds.dtype)  # (B, H, W)

    # of the boxes of a cell the one that overlaps the object most is responsible
    iou = overlaps(guesses, boxes[..., None, :]).detach()  # (B, H, W, K)
    best = F.one_hot(iou.argmax(-1), K).astype(preds.dtype)
    responsible = best * is_object[..., None]

    x, y = ((boxes[..., i] + boxes[..., i + 2]) / 2 for i in (0, 1))
    w, h = (boxes[..., i + 2] - boxes[..., i] for i in (0, 1))
    x = x * W - paddle.arange(W, dtype=x.dtype)
    y = y * H - paddle.arange(H, dtype=y.dtype)[:, None]
    truth = paddle.stack([x, y, w.sqrt(), h.sqrt()], axis=-1)  # (B, H, W, 4)
    place = ((numbers[..., :4] - truth[..., None, :]) ** 2).sum(-1) * responsible
    sure = (confidence - iou) ** 2 * responsible
    unsure = confidence**2 * (1 - responsible)
    right = F.one_hot(classes.clip(min=0), num_classes)
    named = ((probs - right) ** 2).sum(-1) * is_object  # (B, H, W)
    boxes_loss = coord_weight * place + sure + noobj_weight * unsure
    return boxes_loss.sum([1, 2, 3]) + named.sum([1, 2])


@paddle.no_grad()
def yolo_detection(preds, num_classes, nms_threshold, pos_threshold):
    boxes, confidence, classes = yolo_decode(preds, num_classes)
    B, H, W, K = confidence.shape
    N = H * W * K
    best, label = classes.max(-1), classes.argmax(-1).astype(preds.dtype)
    scores = (confidence * best[..., None]).reshape([B, N])
    labels = label[..., None].expand([B, H, W, K]).reshape([B, N])
    rows = paddle.concat(
        [labels[..., None], scores[..., None], boxes.reshape([B, N, 4])], axis=-1
    )
    likely = scores >= pos_threshold
    kept = keep(rows[..., 2:], scores, nms_threshold, likely)
    rank = paddle.where(kept, scores, -float("inf"))
    order = rank.argsort(1, descending=True, stable=True)[..., None]  # (B, N, 1)
    is_object = rank[..., None].take_along_axis(order, 1) >= pos_threshold
    nothing = paddle.to_tensor([-1.0, 0, 0, 0, 0, 0], rows.dtype)  # without an object
    return paddle.where(is_object, rows.take_along_axis(order, 1), nothing)
