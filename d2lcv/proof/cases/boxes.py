"""Conversions of boxes."""

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import NONE, ODD_ONES, WORKED, boxes, f32, uniform

# --- boxes ---------------------------------------------------------------------------


@case(
    "boxes",
    lambda: {
        "center": f32(WORKED["box_corner_to_center"]["expected"]),
        "corner": f32(WORKED["box_corner_to_center"]["boxes"]),
    },
    atol=0.0,
)
def worked_box_corner_to_center(d2l):
    corner = d2l.tensor(f32(WORKED["box_corner_to_center"]["boxes"]))
    center = d2l.box_corner_to_center(corner)
    return {
        "center": d2l.numpy(center),
        "corner": d2l.numpy(d2l.box_center_to_corner(center)),
    }


def _boxes_case(name, rows, **options):
    @case(
        "boxes",
        lambda: {
            "center": oracle.corner_to_center(rows),
            "corner": oracle.center_to_corner(rows),
        },
        name=f"boxes_{name}",
        **options,
    )
    def run(d2l):
        native = d2l.tensor(rows)
        return {
            "center": d2l.numpy(d2l.box_corner_to_center(native)),
            "corner": d2l.numpy(d2l.box_center_to_corner(native)),
        }


_boxes_case("none", NONE)
_boxes_case("one", f32([[0.1, 0.2, 0.4, 0.9]]))
_boxes_case("one_without_batch", f32([0.1, 0.2, 0.4, 0.9]))
_boxes_case("odd_ones", ODD_ONES)
_boxes_case("many", boxes(10, 2000))
_boxes_case("integers", np.array([[60, 45, 378, 517], [400, 112, 655, 493]]))


# --- boxes: the types of numbers -------------------------------------------------------

# In half precision x1 + x2 would be infinite, and in float32 the doubles would be 1e-8 off.
_boxes_case("half", np.array([[32000, 20000, 40000, 24000]], np.float16), atol=0.0)
_boxes_case("double", uniform(11, 50, 4), atol=1e-15)
_boxes_case("small_integers", np.array([[0, 200, 255, 255]], np.uint8), atol=0.0)
# 2²⁴ + 1 is no float32
_boxes_case(
    "large_integers", np.array([[2**24 + 1, 0, 2**24 + 3, 2**25 + 1]]), atol=0.0
)

TYPES = ("float16", "float32", "float64", "uint8", "int32", "int64")


@case(
    "boxes",
    lambda: {
        "types": [2, 4, 8, 4, 4, 4],
        "iou": [2, 4, 8, 4, 4, 4],
        "mixed": [4, 8, 4],
    },
)
def box_types(d2l):
    """Bytes of a number in the result: half precision and doubles come back as such."""

    def size(x):
        return d2l.numpy(x).dtype.itemsize

    of = {t: d2l.tensor(np.array([[0, 0, 4, 4]], t)) for t in TYPES}
    mixed = (("float16", "float32"), ("float64", "int32"), ("uint8", "float16"))
    return {
        "types": [size(d2l.box_corner_to_center(of[t])) for t in TYPES],
        "iou": [size(d2l.box_iou(of[t], of[t])) for t in TYPES],
        "mixed": [size(d2l.box_iou(of[a], of[b])) for a, b in mixed],
    }
