"""Single-shot detection in MXNet."""

from mxnet import autograd, np
from mxnet.gluon import nn

from ...ssd import TINY_SSD_ANCHORS, TINY_SSD_CHANNELS, multiscale_preds
from .layers import BatchNorm2d, _cross_entropy

__all__ = [
    "TinySSD",
    "base_net",
    "bbox_predictor",
    "cls_predictor",
    "cross_entropy",
    "down_sample_blk",
    "largest",
]


def _conv3x3(in_channels, channels, use_bias=True):
    return nn.Conv2D(channels, 3, padding=1, use_bias=use_bias, in_channels=in_channels)


def _sequential(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net


def cls_predictor(num_inputs, num_anchors, num_classes):
    return _conv3x3(num_inputs, num_anchors * (num_classes + 1))


def bbox_predictor(num_inputs, num_anchors):
    return _conv3x3(num_inputs, num_anchors * 4)


def down_sample_blk(in_channels, out_channels):
    layers = []
    for channels in (in_channels, out_channels):
        layers += [
            _conv3x3(channels, out_channels, use_bias=False),
            BatchNorm2d(out_channels),
            nn.Activation("relu"),
        ]
    return _sequential(*layers, nn.MaxPool2D(2))


def base_net():
    return _sequential(
        down_sample_blk(3, 16), down_sample_blk(16, 32), down_sample_blk(32, 64)
    )


class TinySSD(nn.Block):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.blocks = _sequential(
            base_net(),
            down_sample_blk(64, 128),
            down_sample_blk(128, 128),
            down_sample_blk(128, 128),
            nn.GlobalMaxPool2D(),
        )
        self.cls_predictors = _sequential(
            *(
                cls_predictor(c, TINY_SSD_ANCHORS, num_classes)
                for c in TINY_SSD_CHANNELS
            )
        )
        self.bbox_predictors = _sequential(
            *(bbox_predictor(c, TINY_SSD_ANCHORS) for c in TINY_SSD_CHANNELS)
        )

    def forward(self, X):
        return multiscale_preds(
            X, self.blocks, self.cls_predictors, self.bbox_predictors, self.num_classes
        )


def cross_entropy(cls_preds, cls_labels):
    return _cross_entropy(cls_preds, cls_labels, axis=-1)


def largest(values, counts):
    """Mask (B, A), float: 1 on the counts[b] largest of each row, lower index first."""
    with autograd.pause():
        order = np.lexsort((-values,))  # unlike MXNet's own argsort a stable one
        rank = np.lexsort((order,)).astype(counts.dtype)
        return (rank < np.expand_dims(counts, 1)).astype(values.dtype)
