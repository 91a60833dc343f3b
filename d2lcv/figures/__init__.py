"""Pictures, boxes and curves, with matplotlib alone."""

from .boxes import bbox_to_rect, show_bboxes
from .curves import Animator, set_axes
from .diagrams import show_diagram
from .images import Image, show_images
from .show import plt, set_figsize, set_output, show, use_svg_display

__all__ = [
    "Animator",
    "Image",
    "bbox_to_rect",
    "plt",
    "set_axes",
    "set_figsize",
    "set_output",
    "show",
    "show_bboxes",
    "show_diagram",
    "show_images",
    "use_svg_display",
]
