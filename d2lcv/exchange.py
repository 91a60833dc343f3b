"""Nets as ONNX graphs: from what a net is and its weights, whichever framework has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import anchors, classification
from .backends import install_command

__all__ = ["GRAPHS", "onnx_graph"]

OPSET, IR = 17, 8  # what runtimes read since 2022
Description = Mapping[str, Any]


class Graph:
    """An ONNX graph that grows by calls; a value of it is a name.

    Layers are named as their weights are in a file of `save_weights`.
    """

    def __init__(self, helper: Any, weights: Mapping[str, np.ndarray]) -> None:
        self.helper, self.weights = helper, weights
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def __call__(
        self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any
    ) -> Any:
        named = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        names = [f"{op}-{len(self.nodes)}-{i}" for i in range(outputs)]
        self.nodes.append(self.helper.make_node(op, named, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: Any, name: str = "") -> str:
        array = np.asarray(value)
        # Python's numbers, in the two types that operators take
        if name == "" and array.dtype == np.float64:
            array = array.astype(np.float32)
        name = name or f"constant-{len(self.constants)}"
        self.constants[name] = array
        return name

    def weight(self, name: str) -> str:
        return self.constant(self.weights[name], name)

    def conv(self, X: str, path: str, strides: int = 1) -> str:
        """Padded by half of the kernel, as all of our convolutions."""
        _, _, size, _ = self.weights[f"{path}.weight"].shape
        given = [X, self.weight(f"{path}.weight")]
        if f"{path}.bias" in self.weights:
            given.append(self.weight(f"{path}.bias"))
        pads = [size // 2] * 4
        return self("Conv", *given, strides=[strides] * 2, pads=pads)

    def norm(self, X: str, path: str) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        given = [self.weight(f"{path}.{part}") for part in parts]
        return self("BatchNormalization", X, *given, epsilon=1e-5)

    def conv_norm(self, X: str, conv: str, norm: str, strides: int = 1) -> str:
        return self("Relu", self.norm(self.conv(X, conv, strides), norm))

    def dense(self, X: str, path: str) -> str:
        weight, bias = self.weight(f"{path}.weight"), self.weight(f"{path}.bias")
        return self("Gemm", X, weight, bias, transB=1)

    def part(self, X: str, first: int, last: int | None, axis: int = -1) -> str:
        """X[..., first:last]"""
        last = np.iinfo(np.int64).max if last is None else last
        return self("Slice", X, [first], [last], [axis])

    def clip(self, X: str, axis_ends: Mapping[int, int]) -> str:
        axes, ends = list(axis_ends), list(axis_ends.values())
        return self("Slice", X, [0] * len(axes), ends, axes)


# ---- nets --------------------------------------------------------------------------------


def _down_sample(g: Graph, X: str, path: str) -> str:
    X = g.conv_norm(X, f"{path}.0", f"{path}.1")
    X = g.conv_norm(X, f"{path}.3", f"{path}.4")
    return g("MaxPool", X, kernel_shape=[2, 2], strides=[2, 2])


def _base_net(g: Graph, X: str, path: str) -> str:
    for i in range(3):
        X = _down_sample(g, X, f"{path}.{i}")
    return X


def _tiny_ssd(g: Graph, X: str, about: Description, outputs: list[np.ndarray]) -> str:
    classes = about["arguments"]["num_classes"] + 1
    probs: list[str] = []
    offsets: list[str] = []
    for i in range(5):
        if i == 0:
            X = _base_net(g, X, "blocks.0")
        elif i < 4:
            X = _down_sample(g, X, f"blocks.{i}")
        else:
            X = g("GlobalMaxPool", X)
        for found, part, n in (
            (probs, "cls_predictors", classes),
            (offsets, "bbox_predictors", 4),
        ):
            Y = g("Transpose", g.conv(X, f"{part}.{i}"), perm=[0, 2, 3, 1])
            found.append(g("Reshape", Y, [0, -1, n]))  # (B, anchors of this map, n)
    scores = g("Softmax", g("Concat", *probs, axis=1), axis=-1)  # (B, A, C+1)
    boxes = _boxes(g, outputs[0][0], g("Concat", *offsets, axis=1))
    objects = g.part(scores, 1, None)
    label = g("ArgMax", objects, axis=-1)  # keeps its axis: (B, A, 1)
    confidence = g("ReduceMax", objects, axes=[-1])
    order, rank = _best_first(g, boxes, confidence, about["nms_threshold"])
    kept = g("Greater", rank, -np.inf)
    row = g("Concat", g("Cast", label, to=1), confidence, boxes, axis=-1)  # (B, A, 6)
    row = g("GatherND", row, order, batch_dims=1)
    label, confidence, boxes = g.part(row, 0, 1), g.part(row, 1, 2), g.part(row, 2, 6)
    likely = g("GreaterOrEqual", confidence, about["pos_threshold"])
    label = g("Where", g("And", kept, likely), label, -1.0)
    confidence = g("Where", likely, confidence, g("Sub", 1.0, confidence))
    return g("Concat", label, confidence, boxes, axis=-1)


def _boxes(g: Graph, priors: np.ndarray, offsets: str) -> str:
    """Corner boxes (B, A, 4) of offsets to the anchors (A, 4), as `offset_inverse`."""
    low, high = priors[:, :2], priors[:, 2:]
    size = g.constant(high - low)
    shift = g("Mul", g.part(offsets, 0, 2), anchors.CENTER_SCALE)
    center = g("Add", (low + high) / 2, g("Mul", shift, size))
    growth = g("Mul", g.part(offsets, 2, 4), anchors.SIZE_SCALE)
    growth = g("Exp", g("Min", growth, anchors.MAX_LOG_GROWTH))
    return _corners(g, center, g("Div", g("Mul", size, growth), 2.0))


def _corners(g: Graph, center: str, half: str) -> str:
    return g("Concat", g("Sub", center, half), g("Add", center, half), axis=-1)


def _best_first(g: Graph, boxes: str, scores: str, threshold: float) -> tuple[str, str]:
    """Boxes (B, A, 4), scores (B, A, 1) → the order (B, A, 1) of the rows: those that
    suppression keeps by falling score, then the others by index; and the score, or −∞ of
    what is removed, (B, A, 1) in this order."""
    number = g("Shape", boxes, start=1, end=2)
    one_class = g("Transpose", scores, perm=[0, 2, 1])  # (B, 1, A)
    found = g(
        "NonMaxSuppression", boxes, one_class, number, np.array([threshold], np.float32)
    )
    kept = g("Gather", found, [0, 2], axis=1)  # (n, 2): picture, box
    scores = g("Squeeze", scores, [-1])
    nothing = g("Expand", -np.inf, g("Shape", scores))
    rank = g("ScatterND", nothing, kept, g("GatherND", scores, kept))
    # of equal ones the lower index comes first, by the definition of TopK
    rank, order = g("TopK", rank, number, axis=1, outputs=2)
    return g("Unsqueeze", order, [-1]), g("Unsqueeze", rank, [-1])


def _tiny_yolo(g: Graph, X: str, about: Description, outputs: list[np.ndarray]) -> str:
    boxes_of_a_cell = about["arguments"]["num_boxes"]
    X = _down_sample(g, _base_net(g, X, "features.0"), "features.1")
    for i in (2, 3):
        X = g.conv_norm(X, f"features.{i}.0", f"features.{i}.1")
    preds = g("Transpose", g.conv(X, "head"), perm=[0, 2, 3, 1])  # (B, H, W, 5K + C)
    _, H, W, _ = outputs[0].shape
    K = boxes_of_a_cell
    numbers = g("Sigmoid", g.part(preds, 0, 5 * K))
    numbers = g("Reshape", numbers, [0, H, W, K, 5])
    columns, rows = np.meshgrid(np.arange(W), np.arange(H))  # (H, W) each
    cells = np.stack((columns, rows), -1)[:, :, None].astype(np.float32)
    center = g("Add", g.part(numbers, 0, 2), cells)
    center = g("Div", center, np.array((W, H), np.float32))
    root = g.part(numbers, 2, 4)
    boxes = _corners(g, center, g("Div", g("Mul", root, root), 2.0))
    classes = g("Softmax", g.part(preds, 5 * K, None), axis=-1)  # (B, H, W, C)
    label = g("Cast", g("ArgMax", classes, axis=-1), to=1)  # (B, H, W, 1)
    label = g("Unsqueeze", label, [-1])
    best = g("Unsqueeze", g("ReduceMax", classes, axes=[-1]), [-1])
    scores = g("Mul", g.part(numbers, 4, 5), best)  # (B, H, W, K, 1)
    label = g("Add", label, g("Mul", scores, 0.0))  # of each of the cell's boxes
    row = g("Concat", label, scores, boxes, axis=-1)
    row = g("Reshape", row, [0, H * W * K, 6])
    boxes, scores = g.part(row, 2, 6), g.part(row, 1, 2)
    order, rank = _best_first(g, boxes, scores, about["nms_threshold"])
    row = g("GatherND", row, order, batch_dims=1)
    nothing = np.array((-1, 0, 0, 0, 0, 0), np.float32)
    return g("Where", g("GreaterOrEqual", rank, about["pos_threshold"]), row, nothing)


def _stages(g: Graph, X: str, about: Description) -> list[str]:
    """The maps of the four stages of a residual network."""
    X = g.conv_norm(X, "features.conv1", "features.bn1", 2)
    X = g("MaxPool", X, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    maps = []
    for stage, number in enumerate(
        classification.BLOCKS[about["arguments"]["depth"]], 1
    ):
        for i in range(number):
            path = f"features.layer{stage}.{i}"
            X = _residual(g, X, path, 2 if stage > 1 and i == 0 else 1)
        maps.append(X)
    return maps


def _residual(g: Graph, X: str, path: str, strides: int) -> str:
    Y = g.conv_norm(X, f"{path}.conv1", f"{path}.bn1", strides)
    Y = g.norm(g.conv(Y, f"{path}.conv2"), f"{path}.bn2")
    if f"{path}.downsample.weight" in g.weights:  # of small images
        X = g.conv(X, f"{path}.downsample", strides)
    elif f"{path}.downsample.0.weight" in g.weights:
        X = g.conv(X, f"{path}.downsample.0", strides)
        X = g.norm(X, f"{path}.downsample.1")
    return g("Relu", g("Add", Y, X))


def _mean(g: Graph, X: str) -> str:
    return g("Flatten", g("GlobalAveragePool", X))


def _res_net(g: Graph, X: str, about: Description, outputs: list[np.ndarray]) -> str:
    X = _mean(g, _stages(g, X, about)[-1])
    if not about["arguments"]["hidden"]:
        return g.dense(X, "output")
    return g.dense(g("Relu", g.dense(X, "output.0")), "output.2")


def _resnet18(g: Graph, X: str, about: Description, outputs: list[np.ndarray]) -> str:
    X = g.conv_norm(X, "0.0", "0.1")
    for stage in range(1, 5):
        for i in (0, 1):
            X = _residual(g, X, f"{stage}.{i}", 2 if stage > 1 and i == 0 else 1)
    return g.dense(_mean(g, X), "7")


def _fcn(g: Graph, X: str, about: Description, outputs: list[np.ndarray]) -> str:
    maps = _stages(g, X, about)[::-1]
    factors = {32: [32], 16: [2, 16], 8: [2, 2, 8]}[about["arguments"]["stride"]]
    Y = g.conv(maps[0], "scores.0")
    for i, s in enumerate(factors):
        weight = g.weight(f"upsamplers.{i}.weight")
        Y = g("ConvTranspose", Y, weight, strides=[s, s], pads=[s // 2] * 4)
        last = i == len(factors) - 1
        other = X if last else g.conv(maps[i + 1], f"scores.{i + 1}")
        # as high and wide as the other: where a size is no multiple of 32, Y is larger
        Y = g("Slice", Y, [0, 0], g("Shape", other, start=2), [2, 3])
        Y = Y if last else g("Add", Y, other)
    return Y


GRAPHS: dict[str, Callable[[Graph, str, Description, list[np.ndarray]], str]] = {
    "TinySSD": _tiny_ssd,
    "TinyYOLO": _tiny_yolo,
    "ResNet": _res_net,
    "resnet18": _resnet18,
    "FCN": _fcn,
}


def onnx_graph(
    about: Description,
    weights: Mapping[str, np.ndarray],
    outputs: list[np.ndarray],
) -> bytes:
    """The file of a net as a program from pictures to boxes or scores.

    Args:
        about: what the net is, as `export` says it.
        weights: as `get_weights` gives them.
        outputs: what the net gives for a batch of its size: anchors, for one.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "ONNX files need the package onnx; install it with: "
            + install_command("onnx")
        ) from error
    g = Graph(helper, weights)
    X = g("Transpose", g("Cast", "images", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    if about.get("scaling"):
        mean, std = (np.array(x, np.float32)[:, None, None] for x in about["scaling"])
        X = g("Div", g("Sub", g("Div", X, 255.0), mean), std)
    GRAPHS[about["kind"]](g, X, about, outputs)
    g.nodes[-1].output[0] = about["gives"]
    graph = helper.make_graph(
        g.nodes,
        "d2lcv",
        [_info(helper, "images", TensorProto.UINT8, about["input"])],
        [_info(helper, about["gives"], TensorProto.FLOAT, about["outputs"][0])],
        [numpy_helper.from_array(a, name) for name, a in g.constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
    model.producer_name, model.producer_version = "d2lcv", about["version"]
    helper.set_model_props(model, {"d2lcv": json.dumps(about, sort_keys=True)})
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _info(helper: Any, name: str, kind: int, shape: list[int | None]) -> Any:
    return helper.make_tensor_value_info(
        name, kind, ["batch" if n is None else n for n in shape]
    )
