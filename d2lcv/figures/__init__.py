"""Pictures, boxes and curves, with matplotlib alone."""

from .boxes import bbox_to_rect, show_bboxes
from .charts import show_bars, show_lines, show_matrix
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
    "show_bars",
    "show_bboxes",
    "show_diagram",
    "show_images",
    "show_lines",
    "show_matrix",
    "use_svg_display",
]
