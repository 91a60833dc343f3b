"""Gluon's ImageFolderDataset, transforms and DataLoader, and MXNet's kernels."""

import mxnet as mx
from mxnet import autograd, gluon, np, npx
from mxnet.gluon.data.vision import ImageFolderDataset
from mxnet.gluon.data.vision import transforms as T


def loader(folder, batch_size, side, mean, std):
    steps = [
        T.RandomResizedCrop(side),
        T.RandomFlipLeftRight(),
        T.ToTensor(),
        T.Normalize(mean, std),
    ]
    dataset = ImageFolderDataset(folder).transform_first(T.Compose(steps))
    return gluon.data.DataLoader(dataset, batch_size, shuffle=True)


# ---- kernels, called as ours ---------------------------------------------------------


def _kernel(name, *arrays, **options):
    arrays = [x.as_nd_ndarray() for x in arrays]
    return getattr(mx.nd.contrib, name)(*arrays, **options).as_np_ndarray()


def box_iou(boxes1, boxes2):
    return _kernel("box_iou", boxes1, boxes2)


def nms(boxes, scores, iou_threshold):
    rows = np.concatenate((scores[:, None], boxes), axis=1)
    return _kernel(
        "box_nms", rows, overlap_thresh=iou_threshold, score_index=0, coord_start=1
    )


def batched_nms(boxes, scores, classes, iou_threshold):
    classes = classes.astype("float32")
    rows = np.concatenate((classes[:, None], scores[:, None], boxes), axis=1)
    return _kernel(
        "box_nms",
        rows,
        overlap_thresh=iou_threshold,
        id_index=0,
        score_index=1,
        coord_start=2,
    )


def multibox_prior(data, sizes, ratios):
    return npx.multibox_prior(data, sizes=sizes, ratios=ratios)


def multibox_target(anchors, labels):
    scores = np.zeros((len(labels), 2, anchors.shape[1]))
    return tuple(npx.multibox_target(anchors, labels, scores))


def multibox_detection(cls_probs, offset_preds, anchors):
    return npx.multibox_detection(cls_probs, offset_preds, anchors, nms_threshold=0.5)


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio):
    return _kernel(
        "ROIAlign",
        X,
        rois,
        pooled_size=output_size,
        spatial_scale=spatial_scale,
        sample_ratio=sampling_ratio,
        aligned=True,
    )


def roi_pool(X, rois, output_size, spatial_scale):
    return npx.roi_pooling(
        X, rois, pooled_size=output_size, spatial_scale=spatial_scale
    )


def predictor(net, X):
    net.hybridize(static_alloc=True, static_shape=True)
    return lambda X: _evaluated(net, X)


def _evaluated(net, X):
    with autograd.predict_mode():
        return net(X)


# ---- for `gpu.py` --------------------------------------------------------------------


def place(device):
    mx.Context._default_ctx.value = device


def waits(call):
    return None


def device_memory():
    if not mx.context.num_gpus():
        return None
    free, total = mx.context.gpu_memory_info()
    return (total - free) / 2**20  # now, not at most
