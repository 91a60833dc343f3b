"""torchvision: its ImageFolder, transforms and operators; PyTorch's DataLoader."""

import warnings
from functools import partial

import torch
from torchvision import ops
from torchvision import transforms as T
from torchvision.datasets import ImageFolder
from torchvision.models.detection._utils import BoxCoder, SSDMatcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList


def loader(folder, batch_size, side, mean, std):
    steps = [
        T.RandomResizedCrop(side),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize(mean, std),
    ]
    dataset = ImageFolder(folder, T.Compose(steps))
    return torch.utils.data.DataLoader(dataset, batch_size, shuffle=True)


# ---- compiled operators, called as ours ----------------------------------------------

box_iou, nms, batched_nms = ops.box_iou, ops.nms, ops.batched_nms
roi_align, roi_pool = partial(ops.roi_align, aligned=True), ops.roi_pool
center_coder = BoxCoder((10.0, 10.0, 5.0, 5.0))


def multibox_prior(data, sizes, ratios):
    height, width = data.shape[-2:]
    images = ImageList(torch.empty(1, 3, height, width), [(height, width)])
    made = AnchorGenerator((tuple(sizes),), (tuple(ratios),))
    return made(images, [data])


def offset_boxes(anchors, assigned_bb):
    return center_coder.encode_single(assigned_bb, anchors)


def offset_inverse(anchors, offset_preds):
    return center_coder.decode_single(offset_preds, anchors)


def multibox_target(anchors, labels):
    matcher, found = SSDMatcher(0.5), []
    for rows in labels:
        boxes = rows[:, 1:]
        index = matcher(ops.box_iou(boxes, anchors[0]))
        matched = boxes[index.clamp(min=0)]
        offsets = center_coder.encode_single(matched, anchors[0])
        classes = torch.where(index >= 0, rows[index.clamp(min=0), 0] + 1, 0)
        found.append((offsets, index >= 0, classes))
    return tuple(torch.stack(same) for same in zip(*found, strict=True))


@torch.no_grad()
def multibox_detection(cls_probs, offset_preds, anchors):
    # what torchvision's SSD does after its softmax: at most 400 boxes of a class
    results = []
    for probs, offsets in zip(cls_probs, offset_preds, strict=True):
        boxes = center_coder.decode_single(offsets.reshape(-1, 4), anchors[0])
        boxes = ops.clip_boxes_to_image(boxes, (1, 1))
        parts = []
        for label, score in enumerate(probs[1:]):
            (index,) = torch.where(score > 0.01)
            score, best = score[index].topk(min(400, len(index)))
            parts.append(
                (boxes[index[best]], score, torch.full_like(score, label + 1.0))
            )
        rows, score, label = (torch.cat(same) for same in zip(*parts, strict=True))
        kept = ops.batched_nms(rows, score, label, 0.5)
        results.append(torch.cat((label[kept, None], score[kept, None], rows[kept]), 1))
    return tuple(results)


def predictor(net, X):
    net.eval()
    return torch.inference_mode()(net)


# ---- for `gpu.py` --------------------------------------------------------------------

place = torch.set_default_device


def waits(call):
    if not torch.cuda.is_available():
        return None
    call()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            call()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(one.message) for one in seen)


def device_memory():
    gpu = torch.cuda.is_available()
    return torch.cuda.max_memory_allocated() / 2**20 if gpu else None
