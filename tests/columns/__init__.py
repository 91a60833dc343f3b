"""What tests need of a framework in its own words: one file for each backend.

- `reader(d2l)`: the book's code as a reader of that framework writes it, and what they see
- `optimizer_and_losses(rate)`: makes the optimizer of a net; losses in every reduction
- `ZOO`: the module of the framework's own ResNets and their names; None if it has none
"""

from d2lcv.proof.inputs import WORKED

__all__ = ["ANCHORS", "DETECTION", "LABEL", "STEPS", "TARGET", "WORKED"]

TARGET, DETECTION = WORKED["multibox_target"], WORKED["multibox_detection"]
LABEL = TARGET["labels"][0]
ANCHORS = TARGET["anchors"][0]
STEPS = 8
