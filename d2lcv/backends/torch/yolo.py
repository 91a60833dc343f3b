"""YOLO in PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F

from ...yolo import check_picture
from .detection import nms
from .layers import BatchNorm2d
from .ssd import base_net, down_sample_blk

__all__ = ["TinyYOLO", "yolo_decode", "yolo_detection", "yolo_loss", "yolo_target"]


def conv_blk(channels):
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        BatchNorm2d(channels),
        nn.ReLU(),
    )


class TinyYOLO(nn.Module):
    def __init__(self, num_classes, num_boxes):
        super().__init__()
        self.num_classes, self.num_boxes = num_classes, num_boxes
        self.features = nn.Sequential(
            base_net(), down_sample_blk(64, 128), conv_blk(128), conv_blk(128)
        )
        self.head = nn.Conv2d(128, 5 * num_boxes + num_classes, 1)

    def forward(self, X):
        check_picture(X.shape, 16)
        Y = self.head(self.features(X))  # (B, 5K + C, H/16, W/16)
        return Y.permute(0, 2, 3, 1)  # the numbers of a cell stand together


def yolo_target(labels, height, width):
    B, G, _ = labels.shape
    rows = torch.arange(height, device=labels.device)[:, None]
    columns = torch.arange(width, device=labels.device)
    classes = labels.new_full((B, height, width), -1)  # (B, H, W)
    boxes = labels.new_zeros((B, height, width, 4))
    for g in reversed(range(G)):  # of two objects in one cell the first one stays
        label, box = labels[:, g, 0], labels[:, g, 1:]  # (B,), (B, 4)
        row = ((box[:, 1] + box[:, 3]) / 2 * height).long().clamp(0, height - 1)
        column = ((box[:, 0] + box[:, 2]) / 2 * width).long().clamp(0, width - 1)
        here = (rows == row[:, None, None]) & (columns == column[:, None, None])
        here = here & (label >= 0)[:, None, None]  # (B, H, W); padding is nowhere
        classes = torch.where(here, label[:, None, None], classes)
        boxes = torch.where(here[..., None], box[:, None, None], boxes)
    return classes.long(), boxes


def yolo_numbers(preds, num_classes):
    """Of each box x, y in its cell, √w, √h, confidence; of each cell its classes."""
    B, H, W, N = preds.shape
    K = (N - num_classes) // 5
    numbers = torch.sigmoid(preds[..., : 5 * K]).reshape(B, H, W, K, 5)
    return numbers, torch.softmax(preds[..., 5 * K :], dim=-1)  # (B, H, W, C)


def yolo_decode(preds, num_classes):
    numbers, classes = yolo_numbers(preds, num_classes)
    _, H, W, _, _ = numbers.shape
    x, y, root_w, root_h, confidence = numbers.unbind(-1)  # (B, H, W, K) each
    x = (x + torch.arange(W, device=x.device)[:, None]) / W
    y = (y + torch.arange(H, device=y.device)[:, None, None]) / H
    half_w, half_h = root_w**2 / 2, root_h**2 / 2
    corners = (x - half_w, y - half_h, x + half_w, y + half_h)
    return torch.stack(corners, dim=-1), confidence, classes


def overlaps(boxes, others):
    """IoU of each box (..., 4) with the other one at the same place."""
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area, other = ((b[..., 2:] - b[..., :2]).prod(-1) for b in (boxes, others))
    union = area + other - shared
    return shared / torch.where(union > 0, union, 1)  # 0 where both are empty


def yolo_loss(preds, classes, boxes, num_classes, coord_weight, noobj_weight):
    numbers, probs = yolo_numbers(preds, num_classes)
    guesses, confidence, _ = yolo_decode(preds, num_classes)
    _, H, W, K = confidence.shape
    is_object = (classes >= 0).to(preds.dtype)  # (B, H, W)

    # of the boxes of a cell the one that overlaps the object most is responsible
    iou = overlaps(guesses, boxes[..., None, :]).detach()  # (B, H, W, K)
    best = F.one_hot(iou.argmax(-1), K).to(preds.dtype)
    responsible = best * is_object[..., None]

    x, y = ((boxes[..., i] + boxes[..., i + 2]) / 2 for i in (0, 1))
    w, h = (boxes[..., i + 2] - boxes[..., i] for i in (0, 1))
    x = x * W - torch.arange(W, device=x.device)
    y = y * H - torch.arange(H, device=y.device)[:, None]
    truth = torch.stack((x, y, w.sqrt(), h.sqrt()), dim=-1)  # (B, H, W, 4)
    place = ((numbers[..., :4] - truth[..., None, :]) ** 2).sum(-1) * responsible
    sure = (confidence - iou) ** 2 * responsible
    unsure = confidence**2 * (1 - responsible)
    right = F.one_hot(classes.clamp(min=0), num_classes)
    named = ((probs - right) ** 2).sum(-1) * is_object  # (B, H, W)
    boxes_loss = coord_weight * place + sure + noobj_weight * unsure
    return boxes_loss.sum((1, 2, 3)) + named.sum((1, 2))


@torch.no_grad()
def yolo_detection(preds, num_classes, nms_threshold, pos_threshold):
    boxes, confidence, classes = yolo_decode(preds, num_classes)
    B, N = len(boxes), confidence.shape[1:].numel()
    best, label = classes.max(-1)  # (B, H, W)
    scores = (confidence * best[..., None]).reshape(B, N)
    labels = label[..., None].expand_as(confidence).reshape(B, N)
    rows = torch.cat(
        (labels[..., None], scores[..., None], boxes.reshape(B, N, 4)), dim=-1
    )
    rank = torch.full_like(scores, -torch.inf)  # (B, N), of what is removed
    for i in range(B):
        kept = nms(rows[i, :, 2:], scores[i], nms_threshold)
        rank[i, kept] = scores[i, kept]
    rank, order = rank.sort(dim=1, descending=True, stable=True)
    rows = rows.gather(1, order[..., None].expand(-1, -1, 6))
    nothing = rows.new_tensor((-1, 0, 0, 0, 0, 0))  # a row without an object
    return torch.where((rank >= pos_threshold)[..., None], rows, nothing)
