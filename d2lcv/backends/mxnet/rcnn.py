"""Regions of interest in MXNet."""

import mxnet as mx
from mxnet import np, npx

__all__ = ["image_range", "roi_align", "roi_pool"]


def image_range(rois):
    # the operators read whatever memory an index points to
    return (rois[:, 0].min().item(), rois[:, 0].max().item()) if len(rois) else None


def roi_pool(X, rois, output_size, spatial_scale):
    if not len(rois):
        return np.zeros((0, X.shape[1], *output_size), dtype=X.dtype, ctx=X.ctx)
    return npx.roi_pooling(
        X, rois.astype(X.dtype), pooled_size=output_size, spatial_scale=spatial_scale
    )


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    if not len(rois):
        return np.zeros((0, X.shape[1], *output_size), dtype=X.dtype, ctx=X.ctx)
    if not aligned:
        return _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, False)
    # MXNet ends the process at a box without a size: inverted ones are turned over, and
    # so is what comes out; empty ones get the least size that float32 can tell from none
    image, start, end = np.split(rois, (1, 3), axis=1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    high = np.maximum(high, low + 3e-7 * (np.abs(low) + 1 / spatial_scale))
    rois = np.concatenate((image, low, high), axis=1)
    out = _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, True)
    inverted = (end < start).reshape(-1, 2, 1, 1, 1)
    out = np.where(inverted[:, 0], np.flip(out, 3), out)
    return np.where(inverted[:, 1], np.flip(out, 2), out)


def _roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    return mx.nd.contrib.ROIAlign(
        X.as_nd_ndarray(),
        rois.astype(X.dtype).as_nd_ndarray(),
        pooled_size=output_size,
        spatial_scale=spatial_scale,
        sample_ratio=sampling_ratio or -1,
        aligned=aligned,
    ).as_np_ndarray()
