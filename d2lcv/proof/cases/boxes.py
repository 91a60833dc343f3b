"""Conversions of boxes."""

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import NONE, ODD_ONES, WORKED, boxes, f32

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


def _boxes_case(name, rows):
    @case(
        "boxes",
        lambda: {
            "center": oracle.corner_to_center(rows),
            "corner": oracle.center_to_corner(rows),
        },
        name=f"boxes_{name}",
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
