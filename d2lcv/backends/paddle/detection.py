"""Detections in PaddlePaddle."""

import paddle
from paddle.vision import ops

from .anchors import offset_inverse
from .boxes import box_iou

__all__ = ["as_kept", "batched_nms", "multibox_detection", "nms"]


def nms(boxes, scores, iou_threshold):
    # `ops.nms` would sort the scores in no certain order of equal ones: sort them here
    order = scores.argsort(descending=True, stable=True)
    if boxes.dtype == paddle.float64:
        classes = paddle.zeros_like(order)
        return order[_kept_doubles(boxes[order], classes, iou_threshold)]
    return order[ops.nms(boxes[order], iou_threshold)]


def _kept_doubles(boxes, classes, iou_threshold):
    """Which of the boxes (n, 4), best first, NMS keeps, overlaps compared as float32."""
    # `ops.nms` would compare them as doubles, with a float32
    covers = box_iou(boxes, boxes).astype("float32") > iou_threshold
    covers = covers & (classes[:, None] == classes)
    covers = covers.astype("float32").triu(1)  # (n, n): better × worse
    kept = paddle.ones_like(classes, "float32")
    # after k rounds at least the best k are decided
    kept, _ = paddle.static.nn.while_loop(
        lambda kept, before: (kept != before).any(),
        lambda kept, _: [(kept @ covers == 0).astype("float32"), kept],
        [kept, paddle.zeros_like(kept)],
    )
    return kept.astype("bool")


def batched_nms(boxes, scores, classes, iou_threshold):
    order = scores.argsort(descending=True, stable=True)
    # compiled, it does not know yet which classes there are
    if boxes.dtype == paddle.float64 or not paddle.in_dynamic_mode():
        return order[_kept_doubles(boxes[order], classes[order], iou_threshold)]
    kept = ops.nms(
        boxes[order],
        iou_threshold,
        scores=paddle.arange(len(order), 0, -1),
        category_idxs=classes[order].astype("int64"),
        categories=classes.unique().tolist(),
    )
    return order[kept]


def keep(boxes, scores, iou_threshold, among):
    """Masks (B, n): what NMS keeps of boxes (B, n, 4), those of mask `among` (B, n)."""
    kept = []
    for i in range(scores.shape[0]):
        place = among[i].nonzero().flatten()
        best = place[nms(boxes[i][place], scores[i][place], iou_threshold)]
        nothing = paddle.zeros([scores.shape[1]])
        kept.append(nothing.scatter(best, paddle.ones_like(best, "float32")))
    return paddle.stack(kept).astype("bool") if kept else scores.astype("bool")


def as_kept(kept, new_scores, scores):
    return (
        paddle.to_tensor(kept, "int64", scores.place),
        paddle.to_tensor(new_scores, scores.dtype, scores.place),
    )


@paddle.no_grad()
def multibox_detection(
    cls_probs, offset_preds, anchors, nms_threshold, pos_threshold, background=True
):
    B, _, A = cls_probs.shape
    confidence, label = cls_probs[:, 1:].max(1), cls_probs[:, 1:].argmax(1)  # (B, A)
    is_likely = confidence.astype("float32") >= pos_threshold
    boxes = offset_inverse(anchors, offset_preds.reshape([B, A, 4]))

    among = paddle.ones_like(is_likely) if background else is_likely
    kept = keep(boxes, confidence, nms_threshold, among)

    # a stable sort leaves the removed ones, of equal rank, in the order of their index
    rank = paddle.where(kept, confidence, -float("inf"))
    order = rank.argsort(1, descending=True, stable=True)
    is_object = kept & is_likely
    rows = paddle.stack(
        [
            paddle.where(is_object, label.astype(boxes.dtype), -1.0),
            paddle.where(is_likely, confidence, 1 - confidence),
            *boxes.unbind(-1),
        ],
        axis=-1,
    )
    return rows.take_along_axis(order[..., None], 1)
