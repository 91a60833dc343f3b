"""Semantic segmentation in PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F

from ...segmentation import IGNORE
from .classification import Features
from .layers import GappedConv2d

__all__ = [
    "CHANNEL_AXIS",
    "FCN",
    "bilinear_kernel",
    "class_tensor",
    "conv2d",
    "conv_transpose2d",
    "corr2d",
    "kernel2matrix",
    "mean_iou",
    "pixel_accuracy",
    "predict_tiles",
    "segmentation_loss",
    "trans_conv",
]

CHANNEL_AXIS = 0  # of an image as torchvision reads it


def class_tensor(classes):
    return torch.as_tensor(classes, dtype=torch.int64)


def corr2d(X, K):
    (H, W), (h, w) = X.shape, K.shape
    Y = 0
    for u in range(h):
        for v in range(w):
            Y = Y + K[u, v] * X[u : u + H - h + 1, v : v + W - w + 1]
    return Y  # (H−h+1, W−w+1)


def trans_conv(X, K, stride=1, padding=0):
    (H, W), (h, w) = X.shape, K.shape
    rows, columns = stride * (H - 1) + h, stride * (W - 1) + w
    Y = X.new_zeros((rows, columns))
    for i in range(H):
        for j in range(W):
            top, left = stride * i, stride * j
            Y[top : top + h, left : left + w] += X[i, j] * K
    return Y[padding : rows - padding, padding : columns - padding]


def kernel2matrix(K, input_size=(3, 3)):
    (H, W), (h, w) = input_size, K.shape
    rows, columns = H - h + 1, W - w + 1
    matrix = K.new_zeros((rows * columns, H, W))
    for i in range(rows):
        for j in range(columns):
            matrix[i * columns + j, i : i + h, j : j + w] = K
    return matrix.reshape((rows * columns, H * W))


def conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
    return GappedConv2d(
        in_channels, out_channels, kernel_size, stride, padding, bias=bias
    )


def conv_transpose2d(
    in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True
):
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel_size, stride, padding, bias=bias
    )


def bilinear_kernel(in_channels, out_channels, kernel_size):
    reach = (kernel_size + 1) // 2
    distance = (torch.arange(kernel_size) - (kernel_size - 1) / 2).abs()
    profile = 1 - distance / reach  # falls from 1 in the middle
    same = torch.eye(in_channels, out_channels)[:, :, None, None]
    return same * (profile[:, None] * profile)  # (in, out, size, size)


class FCN(nn.Module):
    def __init__(self, num_classes, depth=18, in_channels=3, width=64, stride=32):
        super().__init__()
        self.num_classes, self.stride = num_classes, stride
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.features = Features(depth, in_channels, width)
        # last stage first; by how much each map of scores is enlarged
        channels = [8 * width, 4 * width, 2 * width]
        factors = {32: [32], 16: [2, 16], 8: [2, 2, 8]}[stride]
        self.scores = nn.ModuleList()
        self.upsamplers = nn.ModuleList()
        for i, s in enumerate(factors):
            score = conv2d(channels[i], num_classes, 1)
            enlarge = conv_transpose2d(
                num_classes, num_classes, 2 * s, s, s // 2, bias=False
            )
            enlarge.weight.data = bilinear_kernel(num_classes, num_classes, 2 * s)
            if i > 0:  # added scores start at 0
                nn.init.zeros_(score.weight)
                nn.init.zeros_(score.bias)
            self.scores.append(score)
            self.upsamplers.append(enlarge)

    def forward(self, X):
        _, X2, X3, X4 = self.features.stages(X)  # at strides 4, 8, 16, 32
        Y = self.scores[0](X4)  # (B, classes, H/32, W/32)
        if self.stride <= 16:
            skip = self.scores[1](X3)  # (B, classes, H/16, W/16)
            Y = _cut(self.upsamplers[0](Y), skip) + skip
        if self.stride == 8:
            skip = self.scores[2](X2)  # (B, classes, H/8, W/8)
            Y = _cut(self.upsamplers[1](Y), skip) + skip
        return _cut(self.upsamplers[-1](Y), X)  # (B, classes, H, W)


def _cut(Y, X):
    # as high and wide as X: where a size is no multiple of 32, Y is larger
    return Y[..., : X.shape[2], : X.shape[3]]


def segmentation_loss(preds, labels, ignore_index=IGNORE):
    labels = labels.long()
    losses = F.cross_entropy(
        preds, labels, ignore_index=ignore_index, reduction="none"
    )  # (B, H, W), 0 where a label is ignored
    known = (labels != ignore_index).sum((1, 2))
    return losses.sum((1, 2)) / known.clamp(min=1)


@torch.no_grad()
def predict_tiles(net, X, rows, columns):
    # rows and columns are slices that cover the picture
    # Apple's GPUs have no float64
    exact = torch.float32 if X.device.type == "mps" else torch.float64
    total, count = 0, X.new_zeros(X.shape[2:], dtype=exact)
    for down in rows:
        for across in columns:
            scores = net(X[:, :, down, across])  # (B, classes, h, w)
            if isinstance(total, int):
                total = count.new_zeros((*scores.shape[:2], *count.shape))
            total[:, :, down, across] += scores
            count[down, across] += 1
    return total.div_(count).float()


def pixel_accuracy(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    right = (preds == labels) & known
    return int(right.sum()) / int(known.sum())


def mean_iou(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    preds, labels = preds[known], labels[known]
    ious = []
    for c in torch.cat([preds, labels]).unique():
        both, either = (preds == c) & (labels == c), (preds == c) | (labels == c)
        ious.append(int(both.sum()) / int(either.sum()))
    return sum(ious) / len(ious)
