"""Every case, by topic: what each backend and the matrix run.

for case in cases.ALL:
    compare(case(d2l), case.expected(), case)
"""

from ..case import ALL, by_name
from . import (  # noqa: F401 - each puts its cases on the list
    anchors,
    augmentation,
    average_precision,
    boxes,
    classification,
    detection,
    engine,
    rcnn,
    segmentation,
    ssd,
    style,
    tensors,
    training,
    yolo,
)

__all__ = ["ALL", "by_name", "of_topic"]


def of_topic(topic):
    """The cases of one topic."""
    return [case for case in ALL if case.topic == topic]
