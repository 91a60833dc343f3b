"""YOLO in MXNet."""

from mxnet import autograd, np, npx
from mxnet.gluon import nn

from ...yolo import check_picture
from .detection import nms
from .layers import BatchNorm2d
from .ssd import base_net, down_sample_blk

__all__ = ["TinyYOLO", "yolo_decode", "yolo_detection", "yolo_loss", "yolo_target"]


def conv_blk(channels):
    block = nn.HybridSequential()
    block.add(
        nn.Conv2D(channels, 3, padding=1, use_bias=False, in_channels=channels),
        BatchNorm2d(channels),
        nn.Activation("relu"),
    )
    return block


class TinyYOLO(nn.HybridBlock):
    def __init__(self, num_classes, num_boxes):
        super().__init__()
        self.num_classes, self.num_boxes = num_classes, num_boxes
        self.features = nn.HybridSequential()
        self.features.add(
            base_net(), down_sample_blk(64, 128), conv_blk(128), conv_blk(128)
        )
        self.head = nn.Conv2D(5 * num_boxes + num_classes, 1, in_channels=128)

    def forward(self, X):
        if isinstance(X, np.ndarray):  # else a symbol, which has no shape
            check_picture(X.shape, 16)
        return super().forward(X)

    def hybrid_forward(self, F, X):
        Y = self.head(self.features(X))  # (B, 5K + C, H/16, W/16)
        return Y.transpose(0, 2, 3, 1)  # the numbers of a cell stand together


def yolo_target(labels, height, width):
    B, G, _ = labels.shape
    kind = {"dtype": labels.dtype, "ctx": labels.ctx}
    rows = np.arange(height, **kind).reshape(1, height, 1)
    columns = np.arange(width, **kind).reshape(1, 1, width)
    with autograd.pause():
        classes = np.full((B, height, width), -1, **kind)
        boxes = np.zeros((B, height, width, 4), **kind)
        for g in reversed(range(G)):  # of two objects in one cell the first one stays
            label, box = labels[:, g, 0], labels[:, g, 1:]  # (B,), (B, 4)
            row = np.floor((box[:, 1] + box[:, 3]) / 2 * height)
            column = np.floor((box[:, 0] + box[:, 2]) / 2 * width)
            row = row.clip(0, height - 1).reshape(B, 1, 1)
            column = column.clip(0, width - 1).reshape(B, 1, 1)
            label = label.reshape(B, 1, 1)
            # (B, H, W); padding is nowhere
            here = (rows == row) * (columns == column) * (label >= 0)
            classes = np.where(here, label, classes)
            boxes = np.where(
                here.reshape(B, height, width, 1), box[:, None, None], boxes
            )
        return classes.astype(np.int32), boxes


def yolo_numbers(preds, num_classes):
    """Of each box x, y in its cell, √w, √h, confidence; of each cell its classes."""
    B, H, W, N = preds.shape
    K = (N - num_classes) // 5
    numbers = npx.sigmoid(preds[..., : 5 * K]).reshape(B, H, W, K, 5)
    return numbers, npx.softmax(preds[..., 5 * K :], axis=-1)  # (B, H, W, C)


def yolo_decode(preds, num_classes):
    numbers, classes = yolo_numbers(preds, num_classes)
    _, H, W, _, _ = numbers.shape
    x, y, root_w, root_h, confidence = (numbers[..., i] for i in range(5))
    x = (x + np.arange(W, ctx=x.ctx).reshape(W, 1)) / W  # (B, H, W, K)
    y = (y + np.arange(H, ctx=y.ctx).reshape(H, 1, 1)) / H
    half_w, half_h = root_w**2 / 2, root_h**2 / 2
    corners = (x - half_w, y - half_h, x + half_w, y + half_h)
    return np.stack(corners, axis=-1), confidence, classes


def overlaps(boxes, others):
    """IoU of each box (..., 4) with the other one at the same place."""
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., 2:], others[..., 2:])
    shared = np.maximum(high - low, 0).prod(axis=-1)
    area, other = ((b[..., 2:] - b[..., :2]).prod(axis=-1) for b in (boxes, others))
    union = area + other - shared
    return shared / np.where(union > 0, union, 1)  # 0 where both are empty


def yolo_loss(preds, classes, boxes, num_classes, coord_weight, noobj_weight):
    numbers, probs = yolo_numbers(preds, num_classes)
    guesses, confidence, _ = yolo_decode(preds, num_classes)
    _, H, W, K = confidence.shape
    is_object = (classes >= 0).astype(preds.dtype)  # (B, H, W)

    # of the boxes of a cell the one that overlaps the object most is responsible
    with autograd.pause():
        iou = overlaps(guesses, np.expand_dims(boxes, 3))  # (B, H, W, K)
        responsible = npx.one_hot(iou.argmax(axis=-1), K)
        responsible = responsible * np.expand_dims(is_object, 3)

        x, y = ((boxes[..., i] + boxes[..., i + 2]) / 2 for i in (0, 1))
        w, h = (boxes[..., i + 2] - boxes[..., i] for i in (0, 1))
        x = x * W - np.arange(W, ctx=x.ctx)
        y = y * H - np.arange(H, ctx=y.ctx).reshape(H, 1)
        truth = np.stack((x, y, np.sqrt(w), np.sqrt(h)), axis=-1)  # (B, H, W, 4)
        right = npx.one_hot(np.maximum(classes, 0), num_classes)
    wrong = numbers[..., :4] - np.expand_dims(truth, 3)  # (B, H, W, K, 4)
    place = (wrong**2).sum(axis=-1) * responsible
    sure = (confidence - iou) ** 2 * responsible
    unsure = confidence**2 * (1 - responsible)
    named = ((probs - right) ** 2).sum(axis=-1) * is_object  # (B, H, W)
    boxes_loss = coord_weight * place + sure + noobj_weight * unsure
    return boxes_loss.sum(axis=(1, 2, 3)) + named.sum(axis=(1, 2))


def yolo_detection(preds, num_classes, nms_threshold, pos_threshold):
    with autograd.pause():
        boxes, confidence, classes = yolo_decode(preds, num_classes)
        B, H, W, K = confidence.shape
        N = H * W * K
        best, label = classes.max(axis=-1), classes.argmax(axis=-1)
        scores = (confidence * np.expand_dims(best, 3)).reshape(B, N, 1)
        labels = np.expand_dims(label.astype(preds.dtype), 3)
        labels = np.broadcast_to(labels, (B, H, W, K)).reshape(B, N, 1)
        rows = np.concatenate((labels, scores, boxes.reshape(B, N, 4)), axis=-1)
        found = np.zeros((B, N, 6), dtype=rows.dtype, ctx=rows.ctx)
        found[:, :, 0] = -1  # a row without an object
        for b in range(B):
            kept = rows[b, nms(rows[b, :, 2:], rows[b, :, 1], nms_threshold)]
            number = int((kept[:, 1] >= pos_threshold).sum())  # they come first
            if number:
                found[b, :number] = kept[:number]
        return found
