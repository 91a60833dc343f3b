"""Paddle's DatasetFolder, transforms, DataLoader and operators."""

import paddle
from paddle.io import DataLoader
from paddle.vision import ops
from paddle.vision import transforms as T
from paddle.vision.datasets import DatasetFolder


def loader(folder, batch_size, side, mean, std):
    steps = [
        T.RandomResizedCrop(side),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize(mean, std),
    ]
    dataset = DatasetFolder(folder, transform=T.Compose(steps))
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)


# ---- operators, called as ours -------------------------------------------------------


def nms(boxes, scores, iou_threshold):
    return ops.nms(boxes, iou_threshold, scores)


def batched_nms(boxes, scores, classes, iou_threshold):
    return ops.nms(boxes, iou_threshold, scores, classes, classes.unique().tolist())


def multibox_prior(data, sizes, ratios):
    picture = paddle.zeros([1, 3, 1, 1])
    return ops.prior_box(data, picture, list(sizes), aspect_ratios=list(ratios))


@paddle.no_grad()
def multibox_detection(cls_probs, offset_preds, anchors):
    (B, _, A), results = cls_probs.shape, []
    scale = [0.1, 0.1, 0.2, 0.2]
    offsets = offset_preds.reshape([B, A, 4])
    boxes = ops.box_coder(anchors[0], scale, offsets, "decode_center_size", axis=0)
    for rows, probs in zip(boxes, cls_probs, strict=True):
        results.append(
            ops.matrix_nms(
                rows[None],
                probs[None],
                score_threshold=0.01,
                post_threshold=0.01,
                nms_top_k=400,
                keep_top_k=200,
            )[0]
        )
    return tuple(results)


def offset_inverse(anchors, offset_preds):
    scale = [0.1, 0.1, 0.2, 0.2]
    return ops.box_coder(anchors, scale, offset_preds[None], "decode_center_size")


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio):
    count = paddle.to_tensor([len(rois)], "int32")
    return ops.roi_align(
        X, rois[:, 1:], count, output_size, spatial_scale, sampling_ratio
    )


def roi_pool(X, rois, output_size, spatial_scale):
    count = paddle.to_tensor([len(rois)], "int32")
    return ops.roi_pool(X, rois[:, 1:], count, output_size, spatial_scale)


def predictor(net, X):
    net.eval()
    return paddle.no_grad()(net.forward)


# ---- for `gpu.py` --------------------------------------------------------------------


def place(device):
    paddle.set_device("gpu:0" if "gpu" in str(device) else "cpu")


def waits(call):
    return None


def device_memory():
    gpu = paddle.device.cuda.device_count()
    return paddle.device.cuda.max_memory_allocated() / 2**20 if gpu else None
