"""Faults to plant in a worker's backend: what the matrix must see."""

import numpy as np

from d2lcv.backends import backend


def suppresses_on_the_threshold():
    """NMS with `>=` for `>`: above the next smaller float is at or above the threshold."""
    honest = backend.detection.nms

    def nms(boxes, scores, iou_threshold):
        below = np.nextafter(np.float32(iou_threshold), np.float32(0))
        return honest(boxes, scores, float(below))

    backend.detection.nms = nms


def swaps_the_anchors_of_a_pixel():
    """The anchors of each pixel after the first in the other order."""
    honest = backend.anchors.multibox_prior

    def multibox_prior(data, sizes, ratios):
        rows = backend.tensors.numpy(honest(data, sizes, ratios))
        pixels = rows.reshape(-1, len(sizes) + len(ratios) - 1, 4)
        pixels = np.concatenate([pixels[:, :1], pixels[:, :0:-1]], axis=1)
        return backend.tensors.tensor(pixels.reshape(rows.shape))

    backend.anchors.multibox_prior = multibox_prior


def dies():
    """Anchors that take the process with them."""

    def multibox_prior(data, sizes, ratios):
        import os

        os._exit(3)

    backend.anchors.multibox_prior = multibox_prior
