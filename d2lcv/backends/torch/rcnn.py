"""Regions of interest in PyTorch."""

from torchvision import ops

__all__ = ["image_range", "roi_align", "roi_pool"]


def image_range(rois):
    # the operators read whatever memory an index points to
    return (rois[:, 0].min().item(), rois[:, 0].max().item()) if len(rois) else None


def roi_pool(X, rois, output_size, spatial_scale):
    return ops.roi_pool(X, rois.to(X), output_size, spatial_scale)


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned):
    # torchvision's own default is not aligned
    return ops.roi_align(
        X, rois.to(X), output_size, spatial_scale, sampling_ratio, aligned
    )
