"""What tests need of a framework in its own words: one file for each backend.

- `reader(d2l)`: the book's code as a reader of that framework writes it, and what they see
- `optimizer_and_losses(rate)`: makes the optimizer of a net; losses in every reduction
- `adam(net, rate)`: an own optimizer that keeps something of each weight
- `BFLOAT16`: whether a net that is made can compute in it
- `NAMES`, `METHODS`: what tells its code, by what it imports and by what tensors can do
- `TOKENS`: what pages show of it, by subject
- `ZOO`: the module of the framework's own ResNets and their names; None if it has none
- `COMPILES`: steps are compiled; `MUTABLE`: tensors can be written into;
  `CHANNELS_FIRST`: the framework reads a picture as (3, H, W)
- `exported(path)`: an exported program; `compiled(net)`: the net compiled
- `compiled_functions(function)`: a function in every form that the framework compiles;
  none in MXNet, which compiles nets; `REFUSED`: which one of them refuses, and how
- `mode(net)`: what of its modes an export could change
- `parts(net)`: a net and its layers, if each is in a mode of its own; else None
- `test_…`: what only this framework has; `topics/test_columns.py` collects it
"""

from d2lcv.proof.inputs import WORKED

__all__ = ["ANCHORS", "DETECTION", "LABEL", "STEPS", "TARGET", "WORKED"]

TARGET, DETECTION = WORKED["multibox_target"], WORKED["multibox_detection"]
LABEL = TARGET["labels"][0]
ANCHORS = TARGET["anchors"][0]
STEPS = 8
