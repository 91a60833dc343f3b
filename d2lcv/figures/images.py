"""Images in a grid."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..checks import at_least, listed, positive
from ..data.pictures import as_rgb
from .show import _drawn, plt
from .values import _array

__all__ = ["Image", "show_images"]

_TITLE_SIZES = 6, 10  # points


def show_images(
    imgs: Any,
    num_rows: int,
    num_cols: int,
    titles: Sequence[Any] | None = None,
    scale: float = 1.5,
    *,
    row_titles: Sequence[Any] | None = None,
) -> np.ndarray:
    """Draw images in a grid of cells, row by row.

    Args:
        imgs: any mix of native tensors, arrays (H, W, 3), (H, W, 4), (H, W, 1) or
            (H, W), which is grey, and PIL images; or one tensor of them, (N, H, W, C).
            Integers are 0 to 255. Floats are 0 to 1, or 0 to 255 if one of the image's
            values is above 2; values outside are clipped.
        num_rows, num_cols: of the grid. Cells without an image stay blank.
        titles: one for each image, written above it.
        scale: width and height of a cell in inches.
        row_titles: one for each row, written along its left side.

    Returns:
        The axes, (num_rows · num_cols,), those of blank cells included.

    Raises:
        ValueError: more images than cells, another shape, fewer titles than images, or not
            as many row titles as rows.
    """
    num_rows, num_cols = (
        at_least("num_rows", num_rows, 1),
        at_least("num_cols", num_cols, 1),
    )
    scale = positive("scale", scale)
    if isinstance(imgs, Image.Image):
        raise TypeError("imgs: expected a list of images, got one; write [img]")
    if hasattr(imgs, "dtype"):
        imgs = _array("imgs", imgs)
    imgs = listed("imgs", imgs)
    pictures = [_picture(f"imgs[{i}]", img) for i, img in enumerate(imgs)]
    if len(pictures) > num_rows * num_cols:
        raise ValueError(
            f"imgs: expected at most {num_rows} × {num_cols} = {num_rows * num_cols} "
            f"images, got {len(pictures)}"
        )
    # A letter is about 0.6 of its size wide, an inch has 72 points.
    letters = max(int(scale * 72 / (0.6 * _TITLE_SIZES[0])), 1)
    titles = [] if titles is None else listed("titles", titles)
    titles = [_wrapped(str(title), letters) for title in titles]
    if titles and len(titles) < len(pictures):
        raise ValueError(
            f"titles: expected one for each of {len(pictures)} images, "
            f"got {len(titles)}"
        )
    rows = [] if row_titles is None else listed("row_titles", row_titles)
    if rows and len(rows) != num_rows:
        raise ValueError(
            f"row_titles: expected one for each of {num_rows} rows, got {len(rows)}"
        )
    figure, axes = plt.subplots(
        num_rows,
        num_cols,
        figsize=(num_cols * scale, num_rows * scale),
        layout="compressed",
        squeeze=False,
    )
    axes = axes.ravel()
    longest = max(map(len, "\n".join(titles).split("\n")))
    fontsize = np.clip(scale * 72 / (0.6 * max(longest, 1)), *_TITLE_SIZES)
    for i, ax in enumerate(axes):
        if i >= len(pictures):
            ax.set_axis_off()
            continue
        ax.imshow(pictures[i], cmap="gray", vmin=0, vmax=_white(pictures[i]))
        ax.set_xticks([])
        ax.set_yticks([])
        if titles:
            ax.set_title(titles[i], fontsize=fontsize, pad=3)
    for ax, title in zip(axes[::num_cols], rows, strict=bool(rows)):
        ax.set_ylabel(str(title), fontsize=_TITLE_SIZES[1])
    _drawn.add(figure)
    return axes


def _wrapped(text: str, letters: int) -> str:
    return "\n".join(textwrap.fill(line, letters) for line in text.splitlines())


def _picture(name: str, img: Any) -> np.ndarray:
    """What imshow takes: (H, W), (H, W, 3) or (H, W, 4), uint8 or floats in 0–1."""
    if isinstance(img, Image.Image):
        img = _pil_array(img)
    array = _array(name, img)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; the channels come last, so transpose it by (1, 2, 0)"
        raise ValueError(
            f"{name}: expected an image (H, W, 3), (H, W, 4), (H, W, 1) or (H, W), "
            f"got shape {array.shape}{hint}"
        )
    if 0 in array.shape:
        raise ValueError(f"{name}: expected at least one pixel, got {array.shape}")
    if array.dtype == bool:
        return array.astype(np.float32)
    if array.dtype.kind in "iu":
        return np.clip(array, 0, 255).astype(np.uint8)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: expected integers or floats, got dtype {array.dtype}")
    array = array.astype(np.float32)
    # Above 1 may be the overshoot of an augmentation; above 2 is a scale of 0 to 255.
    if np.max(array, initial=0, where=np.isfinite(array)) > 2:
        array = array / 255
    return np.nan_to_num(np.clip(array, 0, 1), nan=0.0)


def _pil_array(img: Image.Image) -> np.ndarray:
    if img.mode in ("1", "L", "I", "F", "RGB", "RGBA"):
        return np.asarray(img)
    transparent = img.mode in ("LA", "PA", "La", "RGBa") or "transparency" in img.info
    return np.asarray(img.convert("RGBA") if transparent else as_rgb(img))


def _white(picture: np.ndarray) -> float:
    return 255 if picture.dtype == np.uint8 else 1
