"""Detections in PaddlePaddle."""

import paddle
from paddle.vision import ops

from .anchors import offset_inverse

__all__ = ["as_kept", "batched_nms", "multibox_detection", "nms"]


def nms(boxes, scores, iou_threshold):
    # `ops.nms` would sort the scores in no certain order of equal ones: sort them here
    order = scores.argsort(descending=True, stable=True)
    return order[ops.nms(boxes[order], iou_threshold)]


def batched_nms(boxes, scores, classes, iou_threshold):
    order = scores.argsort(descending=True, stable=True)
    kept = ops.nms(
        boxes[order],
        iou_threshold,
        scores=paddle.arange(len(order), 0, -1),
        category_idxs=classes[order].astype("int64"),
        categories=classes.unique().tolist(),
    )
    return order[kept]


def as_kept(kept, new_scores, scores):
    return (
        paddle.to_tensor(kept, "int64", scores.place),
        paddle.to_tensor(new_scores, scores.dtype, scores.place),
    )


@paddle.no_grad()
def multibox_detection(cls_probs, offset_preds, anchors, nms_threshold, pos_threshold):
    B, _, A = cls_probs.shape
    confidence, label = cls_probs[:, 1:].max(1), cls_probs[:, 1:].argmax(1)  # (B, A)
    boxes = offset_inverse(anchors, offset_preds.reshape([B, A, 4]))

    # one call for the batch: boxes of different images are of different classes
    image = paddle.arange(B)[:, None].expand([B, A]).flatten()
    kept = paddle.zeros([B * A], dtype="bool")
    kept[
        batched_nms(boxes.reshape([-1, 4]), confidence.flatten(), image, nms_threshold)
    ] = True
    kept = kept.reshape([B, A])

    # a stable sort leaves the removed ones, of equal rank, in the order of their index
    rank = paddle.where(kept, confidence, -float("inf"))
    order = rank.argsort(1, descending=True, stable=True)
    is_object = kept & (confidence >= pos_threshold)
    rows = paddle.stack(
        [
            paddle.where(is_object, label.astype(boxes.dtype), -1.0),
            paddle.where(confidence < pos_threshold, 1 - confidence, confidence),
            *boxes.unbind(-1),
        ],
        axis=-1,
    )
    return rows.take_along_axis(order[..., None], 1)
