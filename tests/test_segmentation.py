"""Segmentation: layers and functions by definition, the net, its loss and its metrics."""

import cases
import pytest
import segmentation_cases


@pytest.mark.parametrize(
    "case",
    [c for c in segmentation_cases.ALL if c.expected()],
    ids=lambda case: case.name,
)
def test_case(case, d2l):
    cases.compare(case(d2l), case.expected(), case)
