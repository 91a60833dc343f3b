"""Sets of pictures with one class each: folders of your own, and CIFAR-10."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..augmentation import transformed_array
from ..checks import check_function, check_path, checked_index, flag
from .folders import cifar10_folder

__all__ = ["CIFAR10", "ImageFolder"]


class _Pictures:
    """Pictures by index, as a subclass has them, with their classes and a transform."""

    classes: list[str]
    labels: np.ndarray
    transform: Callable[[Any], Any] | None

    def picture(self, i: int) -> Any:
        """Picture i as a PIL image, before the transform."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        i = checked_index("index", i, len(self))
        label = int(self.labels[i])
        picture = self.picture(i)
        return (self.transform(picture) if self.transform else picture), label

    def example(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        i = checked_index("index", i, len(self))
        label = np.array(self.labels[i])
        return transformed_array(self.picture(i), self.transform), label

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self)} pictures of {len(self.classes)} classes, "
            f"transform={self.transform!r})"
        )


class ImageFolder(_Pictures):
    """Pictures in a folder that has a sub-folder for each class; read when asked for.

    Args:
        folder: its sub-folders are the classes. Hidden files are left out, and those that
            are not called like a picture (.png, .jpg, .jpeg, .bmp, .gif, .ppm, .tif,
            .tiff, .webp); pictures in folders below a class belong to it.
        transform: image → image, such as `Compose([…, ToTensor()])`; it is given a PIL
            image in RGB, upright.

    Attributes:
        classes: the names of the sub-folders in natural order: 2 before 10.
        paths: the N files, class by class, in natural order.
        labels: (N,) int64, the index of each file's class in `classes`.

    `folder[i]` is the transformed picture, or the PIL image, and its class as an integer.
    `example(i)` is the same for a loader: as arrays, the picture (3, H, W) float32, which
    is from 0 to 1 when there is no transform, and the class, int64. Pictures of different
    sizes make a batch only if the transform gives them one size.

    Raises:
        FileNotFoundError: there is no such folder, no sub-folder in it, or a class without
            pictures.
        ValueError: when it is read: the file is not a picture, or torn; it is named.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        from ..data.pictures import find_pictures

        folder = check_path("folder", folder)
        if transform is not None:
            check_function("transform", transform)
        self.folder, self.transform = os.fspath(folder), transform
        self.paths, self.classes, self.labels = find_pictures(folder)

    def picture(self, i: int) -> Any:
        from ..data.pictures import read_picture

        i = checked_index("index", i, len(self))
        return read_picture(self.paths[i])


class CIFAR10(_Pictures):
    """CIFAR-10: small pictures, 32 × 32, of ten classes.

    Args:
        is_train: the training or the test part.
        data: as for `cifar10_folder`; or the original archive `cifar-10-binary.tar.gz`, or
            a folder that has it or its batches.
        transform: as for `ImageFolder`.

    Attributes:
        classes, labels: as those of `ImageFolder`.

    Items and examples are those of `ImageFolder`. From a folder of pictures they are read
    one at a time; from the original archive they are kept in memory, 3 kB each, the
    training part 154 MB.
    """

    def __init__(
        self,
        is_train: bool,
        data: str | os.PathLike[str] = "synthetic",
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        from ..data.cifar import find_cifar10, read_cifar10

        is_train = flag("is_train", is_train)
        check_path("data", data)
        if transform is not None:
            check_function("transform", transform)
        self.transform = transform
        self._images = self._folder = None
        folder = os.fspath(data) if os.path.isfile(data) else cifar10_folder(data)
        original = find_cifar10(folder)
        if original is not None:
            self._images, self.labels, self.classes = read_cifar10(original, is_train)
        else:
            part = "train" if is_train else "test"
            self._folder = ImageFolder(os.path.join(folder, part))
            self.labels, self.classes = self._folder.labels, self._folder.classes

    def picture(self, i: int) -> Any:
        from PIL import Image

        i = checked_index("index", i, len(self))
        if self._folder is not None:
            return self._folder.picture(i)
        assert self._images is not None  # it is either of the two
        return Image.fromarray(self._images[i])
