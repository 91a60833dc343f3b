"""Detections in PyTorch."""

import math

import torch
from torchvision import ops

from .anchors import offset_inverse

__all__ = ["as_kept", "batched_nms", "multibox_detection", "nms"]


def nms(boxes, scores, iou_threshold):
    if boxes.dtype == torch.float64:
        iou_threshold = _largest_that_stays(iou_threshold)
    return ops.nms(boxes, scores, iou_threshold)


def _largest_that_stays(iou_threshold):
    """The largest double that is not above the threshold when it is a float32."""
    step = max(math.ulp(iou_threshold) * 2**29, 2**-149)  # to the next float32
    middle = iou_threshold + step / 2
    # a number halfway between two is rounded to the even one
    return middle - math.ulp(middle) if iou_threshold / step % 2 else middle


def batched_nms(boxes, scores, classes, iou_threshold):
    if torch.compiler.is_compiling():
        return _moved_apart(boxes, scores, classes, iou_threshold)
    # not `ops.batched_nms`: it moves few boxes of each class elsewhere, by the largest
    # coordinate, and if some are negative the classes still meet
    is_kept = torch.zeros_like(scores, dtype=torch.bool)
    for label in classes.unique():
        (members,) = torch.where(classes == label)
        is_kept[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    (kept,) = torch.where(is_kept)
    return kept[scores[kept].argsort(descending=True, stable=True)]


def _moved_apart(boxes, scores, classes, iou_threshold):
    """One suppression, of each class elsewhere: how many there are is not known."""
    if not len(boxes):
        return nms(boxes, scores, iou_threshold)
    boxes = boxes.double()  # where float32 corners keep their digits when moved
    span = boxes.max() - boxes.min() + 1
    _, classes = classes.unique(return_inverse=True)
    return nms(boxes + (classes * span)[:, None], scores.double(), iou_threshold)


def as_kept(kept, new_scores, scores):
    like = {"device": scores.device}
    return (
        torch.tensor(kept, dtype=torch.int64, **like),
        torch.tensor(new_scores, dtype=scores.dtype, **like),
    )


@torch.no_grad()
def multibox_detection(
    cls_probs, offset_preds, anchors, nms_threshold, pos_threshold, background=True
):
    B, _, A = cls_probs.shape
    confidence, label = cls_probs[:, 1:].max(dim=1)  # (B, A)
    is_likely = confidence.float() >= pos_threshold
    boxes = offset_inverse(anchors, offset_preds.reshape(B, A, 4))

    kept = torch.zeros((B, A), dtype=torch.bool, device=anchors.device)
    for i in range(B):
        (among,) = torch.where(is_likely[i] | background)
        best = nms(boxes[i, among], confidence[i, among], nms_threshold)
        kept[i, among[best]] = True

    # a stable sort leaves the removed ones, of equal rank, in the order of their index
    rank = torch.where(kept, confidence, -torch.inf)
    order = rank.argsort(dim=1, descending=True, stable=True)
    is_object = kept & is_likely
    rows = torch.stack(
        (
            torch.where(is_object, label, -1),
            torch.where(is_likely, confidence, 1 - confidence),
            *boxes.unbind(-1),
        ),
        dim=-1,
    )
    return rows.gather(1, order[..., None].expand(-1, -1, 6))
