"""Regions of interest: a part of a feature map as a tensor of one size (R-CNN family).

Sizes: B images, N regions, H × W feature map, h × w the size of the result.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from .backends import backend
from .checks import floats

__all__ = ["roi_align", "roi_pool"]


def roi_pool(
    X: Any, rois: Any, output_size: int | tuple[int, int], spatial_scale: float
) -> Any:
    """Greatest value of each cell of a region (Girshick, "Fast R-CNN", 2015).

    The corners are scaled and rounded to whole pixels, halves away from zero; both belong
    to the region, which has at least one pixel. It is cut into h × w cells; where their
    borders fall between pixels, a cell takes both. A cell outside the map is 0.

    Args:
        X: (B, C, H, W).
        rois: (N, 5) rows (image, x1, y1, x2, y2), the image an index into the batch, the
            corners in pixels of the picture.
        output_size: (h, w), or one number for both.
        spatial_scale: size of the map over size of the picture.

    Returns:
        (N, C, h, w). Gradients go to X, not to the corners.

    Raises:
        TypeError: not a tensor of the active framework.
        ValueError: a wrong shape, size or scale, or a row of an image that is not there.
    """
    X, rois, output_size, spatial_scale = _checked(X, rois, output_size, spatial_scale)
    return backend.rcnn.roi_pool(X, rois, output_size, spatial_scale)


def roi_align(
    X: Any,
    rois: Any,
    output_size: int | tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool = True,
) -> Any:
    """Mean of samples in each cell of a region, nothing rounded (He, "Mask R-CNN", 2017).

    The scaled region is cut into h × w equal cells, and each is the mean of
    `sampling_ratio`² points, spread evenly, at which the map is interpolated bilinearly.
    A point less than one pixel beyond the outermost pixels' middles has the value of the
    border, one further out is 0. An inverted region gives a mirrored result.

    Args:
        X: (B, C, H, W).
        rois: (N, 5) rows (image, x1, y1, x2, y2), as for `roi_pool`.
        output_size: (h, w), or one number for both.
        spatial_scale: size of the map over size of the picture.
        sampling_ratio: points along each side of a cell. 0: as many as a cell has pixels
            there, rounded up; with `aligned`, an empty or inverted region is 0 then.
        aligned: the middle of pixel k lies at k + ½. Without it, as in the first version,
            it lies at k, and a region is at least one pixel wide and high.

    Returns:
        (N, C, h, w). Gradients go to X, not to the corners.

    Raises:
        TypeError: not a tensor of the active framework, or `sampling_ratio` no integer.
        ValueError: a wrong shape, size or scale, or a row of an image that is not there.
    """
    X, rois, output_size, spatial_scale = _checked(X, rois, output_size, spatial_scale)
    sampling_ratio = operator.index(sampling_ratio)
    if sampling_ratio < 0:
        raise ValueError(
            f"sampling_ratio: expected at least 0 (0: adaptive), got {sampling_ratio}"
        )
    if aligned and not sampling_ratio and rois.shape[0] != 0:
        rois = _empty_ones_outside(rois, spatial_scale)
    return backend.rcnn.roi_align(
        X, rois, output_size, spatial_scale, sampling_ratio, bool(aligned)
    )


def _empty_ones_outside(rois: Any, spatial_scale: float) -> Any:
    """Where compiled operators, asked for less than one point, would end the process."""
    t = backend.tensors
    start, end = rois[:, 1:3], rois[:, 3:]
    size = t.minimum(end[:, :1] - start[:, :1], end[:, 1:] - start[:, 1:])  # (N, 1)
    start = t.where(size > 0, start, start * 0 - 9 / spatial_scale)
    end = t.where(size > 0, end, end * 0 - 8 / spatial_scale)
    return t.concat([rois[:, :1], start, end], axis=1)


def _checked(
    X: Any, rois: Any, output_size: int | tuple[int, int], spatial_scale: float
) -> tuple[Any, Any, tuple[int, int], float]:
    X, rois = floats(X=(X, "B C H W"), rois=(rois, "N 5"))
    pair = output_size if isinstance(output_size, (tuple, list)) else [output_size] * 2
    sizes = tuple(operator.index(n) for n in pair)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(
            f"output_size: expected one or two positive numbers, got {output_size!r}"
        )
    spatial_scale = float(spatial_scale)
    if not 0 < spatial_scale < math.inf:
        raise ValueError(
            f"spatial_scale: expected a positive number, got {spatial_scale}"
        )
    used = backend.rcnn.image_range(rois)
    if used is not None and not 0 <= used[0] <= used[1] < X.shape[0]:
        raise ValueError(
            f"rois: expected images (first column) from 0 to {X.shape[0] - 1}, got "
            f"{used[0]:g} to {used[1]:g}"
        )
    return X, rois, sizes, spatial_scale
