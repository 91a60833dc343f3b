"""Pascal VOC's labelled pixels: colours and classes, equal crops, minibatches.

Images are in the layout of the framework's own reader: (3, H, W), in MXNet (H, W, 3).
NumPy arrays may have either. A data set's examples and batches are (3, H, W) everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from ..augmentation import IMAGENET_MEAN, IMAGENET_STD
from ..backends import backend
from ..checks import (
    as_numbers,
    check_path,
    check_tensor,
    checked_index,
    flag,
    integers,
    one_of,
    pair,
)
from ..data.voc import (
    IGNORE,
    VOC_CLASSES,
    VOC_COLORMAP,
    VocFolder,
    color_table,
    colors_to_classes,
    random_window,
)
from ..loading import loader
from ..randomness import numbered, stream
from .folders import voc_folder

__all__ = [
    "VOC_CLASSES",
    "VOC_COLORMAP",
    "VOCSegDataset",
    "load_data_voc",
    "read_voc_images",
    "voc_colormap2label",
    "voc_label_indices",
    "voc_rand_crop",
]

VOIDS = {"background": 0, "ignore": IGNORE}


# ---- colours and classes ---------------------------------------------------------------


def voc_colormap2label(void: str = "background") -> np.ndarray:
    """The class of each of the 2²⁴ colours: (red·256 + green)·256 + blue is its place.

    Args:
        void: what borders of objects become, "background" as in the book, or "ignore"
            (255), which losses and metrics leave out.

    Returns:
        (2²⁴,) uint8, 16 MiB, made once and shared: it cannot be written to. Colours that
        are of no class are background.

    Raises:
        ValueError: another `void`.
    """
    return color_table(_void(void))


def _void(name: str) -> int:
    return VOIDS[one_of("void", name, VOIDS)]


def voc_label_indices(colormap: Any, colormap2label: np.ndarray) -> Any:
    """The class of each pixel of a coloured label.

    Args:
        colormap: an image of integers from 0 to 255.
        colormap2label: a table as `voc_colormap2label` makes it.

    Returns:
        (H, W): of a tensor one of int64 (int32 in MXNet), of an array one with the
        table's type.

    Raises:
        TypeError: neither an array nor a tensor of the active framework.
        ValueError: not an image of three channels, numbers beyond 0 to 255, or another
            table.
    """
    colormap2label = as_numbers("colormap2label", colormap2label)
    table = np.asarray(colormap2label)
    if table.shape != (2**24,):
        raise ValueError(
            f"colormap2label: expected shape ({2**24},), as of voc_colormap2label(), got "
            f"{table.shape}"
        )
    first = _channels_first("colormap", colormap)
    is_array = isinstance(colormap, np.ndarray)
    colors = _bytes(colormap if is_array else backend.tensors.numpy(colormap))
    if first:
        colors = colors.transpose(1, 2, 0)
    classes = colors_to_classes(colors, table)
    return classes if is_array else backend.segmentation.class_tensor(classes)


def _bytes(colors: np.ndarray) -> np.ndarray:
    """The same colours in uint8."""
    if colors.dtype == np.uint8:
        return colors
    narrow = np.clip(colors, 0, 255).astype(np.uint8)
    if (narrow != colors).any():
        raise ValueError(
            f"colormap: expected integers from 0 to 255, got {colors.dtype} from "
            f"{colors.min()} to {colors.max()}"
        )
    return narrow


def _channels_first(name: str, image: Any) -> bool:
    """Whether an image has its channels first; an array says so by its shape."""
    first = backend.segmentation.CHANNEL_AXIS == 0
    if isinstance(image, np.ndarray):
        first = image.ndim == 3 and image.shape[2] != 3
    else:
        check_tensor(name, image)
    shape = tuple(image.shape)
    if len(shape) != 3 or shape[0 if first else 2] != 3:
        raise ValueError(
            f"{name}: expected shape {'(3, H, W)' if first else '(H, W, 3)'}, got {shape}"
        )
    return first


def voc_rand_crop(feature: Any, label: Any, height: int, width: int) -> tuple[Any, Any]:
    """Cut the same random rectangle out of an image and its label.

    What is drawn depends on `d2lcv.seed`; in a loader, on the seed, the pass through the
    set and the index of the example alone.

    Args:
        feature: an image.
        label: an image of colours, or classes (H, W).
        height, width: of the rectangle, at most those of the image.

    Returns:
        Both crops, views where the framework has them.

    Raises:
        TypeError: neither arrays nor tensors of the active framework.
        ValueError: a wrong shape, or an image or a label that is smaller than the crop.
    """
    height, width = integers(height=(height, 1), width=(width, 1))
    H, W = _size("feature", feature)
    if _size("label", label) != (H, W):
        raise ValueError(
            f"label: expected the image's size, {H} × {W}, got "
            f"{' × '.join(map(str, _size('label', label)))}"
        )
    if height > H or width > W:
        raise ValueError(
            f"height, width: expected a crop within the image, {H} × {W} (height × "
            f"width), got {height} × {width}"
        )
    rows, columns = random_window(H, W, height, width, stream())
    return _cut("feature", feature, rows, columns), _cut("label", label, rows, columns)


def _size(name: str, image: Any) -> tuple[int, int]:
    if not isinstance(image, np.ndarray):
        check_tensor(name, image)
    if len(image.shape) == 2:
        return tuple(image.shape)
    shape = tuple(image.shape)
    return shape[1:] if _channels_first(name, image) else shape[:2]


def _cut(name: str, image: Any, rows: slice, columns: slice) -> Any:
    if len(image.shape) == 3 and _channels_first(name, image):
        return image[:, rows, columns]
    return image[rows, columns]


# ---- pictures and batches --------------------------------------------------------------


class _Images(Sequence):
    """Images that are read when they are asked for; a slice is a list of them."""

    def __init__(self, folder: VocFolder, read: Any) -> None:
        self._folder, self._read = folder, read

    def __len__(self) -> int:
        return len(self._folder)

    @overload
    def __getitem__(self, i: int) -> Any: ...

    @overload
    def __getitem__(self, i: slice) -> list[Any]: ...

    def __getitem__(self, i: int | slice) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        i = checked_index("index", i, len(self))
        return _native(self._read(i))


def _native(image: np.ndarray) -> Any:
    """An array (H, W, 3) as a tensor in the layout of the framework's reader."""
    if backend.segmentation.CHANNEL_AXIS == 0:
        image = image.transpose(2, 0, 1).copy()
    return backend.tensors.tensor(image)


def read_voc_images(
    voc_dir: str = "synthetic", is_train: bool = True
) -> tuple[Sequence[Any], Sequence[Any]]:
    """The pictures of a set and their coloured labels.

    Args:
        voc_dir: as for `voc_folder`.
        is_train: the training or the validation part.

    Returns:
        Two sequences of uint8 images, each read when it is asked for, so that memory does
        not grow with the set; a slice of one is a list.

    Raises:
        FileNotFoundError, ValueError: the folder is not laid out as VOC's.
    """
    check_path("voc_dir", voc_dir)
    folder = VocFolder(voc_folder(voc_dir), flag("is_train", is_train))
    return _Images(folder, folder.image), _Images(folder, folder.colors)


class VOCSegDataset:
    """Random crops of pictures with a class for each pixel, read one at a time.

    Pictures that are smaller than the crop are left out; how many examples remain is
    printed. The drawn set is drawn large enough, all but some upright pictures.
    `dataset[i]` is the image (3, h, w), float32, normalised, and its classes (h, w),
    int64, as tensors of the active framework; `example(i)` is the same in NumPy.
    Training has new crops in every pass, validation the same ones, whatever the seed.

    Args:
        is_train: the training or the validation part.
        crop_size: (height, width).
        voc_dir: as for `voc_folder`.
        void: what borders of objects become, "background" as in the book, or "ignore"
            (255), which `segmentation_loss` and the metrics leave out.

    Attributes:
        names: of the pictures; `num_filtered`: how many were left out.
        classes: names of the classes.

    Raises:
        FileNotFoundError, ValueError: the folder is not laid out as VOC's, or every
            picture is smaller than the crop. When an example is read: a picture or label
            that is torn, or a label of another size than its picture; it is named.
    """

    def __init__(
        self,
        is_train: bool,
        crop_size: tuple[int, int],
        voc_dir: str = "synthetic",
        void: str = "background",
    ) -> None:
        self.crop_size = height, width = pair("crop_size", crop_size, 1)
        self.void = _void(void)
        self.is_train = is_train = flag("is_train", is_train)
        check_path("voc_dir", voc_dir)
        folder = voc_folder(voc_dir, self.crop_size)
        self.folder = VocFolder(folder, is_train, self.crop_size)
        if not len(self.folder):
            raise ValueError(
                f"crop_size: expected one that fits into a picture of "
                f"{self.folder.root}, got {height} × {width} (height × width); all "
                f"{self.folder.num_filtered} are smaller"
            )
        self.names, self.num_filtered = self.folder.names, self.folder.num_filtered
        self.classes = list(VOC_CLASSES)
        print(f"read {len(self)} examples")

    def __len__(self) -> int:
        return len(self.folder)

    def normalize_image(self, img: Any) -> Any:
        """(img / 255 − mean) / deviation of each channel of ImageNet, float32.

        `img` is an image of 0 to 255 in any layout, a tensor or an array.
        """
        shape = (3, 1, 1) if _channels_first("img", img) else (3,)
        mean, std = (
            np.array(x, np.float32).reshape(shape)
            for x in (IMAGENET_MEAN, IMAGENET_STD)
        )
        if isinstance(img, np.ndarray):
            return (img.astype(np.float32) / 255 - mean) / std
        mean, std = backend.tensors.tensor(mean), backend.tensors.tensor(std)
        img = backend.tensors.astype(img, backend.tensors.float32)
        return (img / 255 - mean) / std

    def example(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        i = checked_index("index", i, len(self))
        image, classes = self.folder.image(i), self.folder.classes(i, self.void)
        draw = stream() if self.is_train else numbered(i)
        H, W = classes.shape
        rows, columns = random_window(H, W, *self.crop_size, draw)
        image = self.normalize_image(image[rows, columns])  # (h, w, 3)
        classes = classes[rows, columns].astype(np.int64)  # (h, w)
        return np.ascontiguousarray(image.transpose(2, 0, 1)), classes

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        image, classes = self.example(i)
        label = backend.segmentation.class_tensor(classes)
        return backend.tensors.tensor(image), label


def load_data_voc(
    batch_size: int,
    crop_size: tuple[int, int],
    data: str = "synthetic",
    void: str = "background",
) -> tuple[Any, Any]:
    """Loaders of a set's training part, shuffled, and validation part.

    Each gives images (B, 3, h, w), float32, normalised, and classes (B, h, w), int64
    (int32 in MXNet), of `VOCSegDataset`.

    Args:
        batch_size: at least 1.
        crop_size: (height, width).
        data: as for `voc_folder`.
        void: as for `VOCSegDataset`.
    """
    check_path("data", data)
    return (
        loader(VOCSegDataset(True, crop_size, data, void), batch_size, shuffle=True),
        loader(VOCSegDataset(False, crop_size, data, void), batch_size),
    )
