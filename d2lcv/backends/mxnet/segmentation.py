"""Semantic segmentation in MXNet."""

from mxnet import np
from mxnet.gluon import nn

from ...segmentation import IGNORE
from .classification import Features, cross_entropy
from .layers import sequential

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

CHANNEL_AXIS = -1  # of an image as mx.image reads it


def class_tensor(classes):
    return np.array(classes, dtype="int32")


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
    Y = 0
    for i in range(H):
        for j in range(W):
            Y = Y + _placed(X[i, j] * K, stride * i, stride * j, rows, columns)
    return Y[padding : rows - padding, padding : columns - padding]


def kernel2matrix(K, input_size=(3, 3)):
    (H, W), (h, w) = input_size, K.shape
    matrix = []
    for i in range(H - h + 1):
        for j in range(W - w + 1):
            matrix.append(np.reshape(_placed(K, i, j, H, W), (H * W,)))
    return np.stack(matrix)  # ((H−h+1)·(W−w+1), H·W)


def _placed(part, top, left, H, W):
    # (H, W) zeros with `part` in them: MXNet records no writing into a part
    h, w = part.shape
    around = ((top, H - top - h), (left, W - left - w))
    return np.pad(part, around)


def conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
    return nn.Conv2D(
        out_channels,
        kernel_size,
        stride,
        padding,
        use_bias=bias,
        in_channels=in_channels,
    )


def conv_transpose2d(
    in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True
):
    return nn.Conv2DTranspose(
        out_channels,
        kernel_size,
        stride,
        padding,
        use_bias=bias,
        in_channels=in_channels,
    )


def bilinear_kernel(in_channels, out_channels, kernel_size):
    reach = (kernel_size + 1) // 2
    distance = np.abs(np.arange(kernel_size) - (kernel_size - 1) / 2)
    profile = 1 - distance / reach  # falls from 1 in the middle
    same = np.eye(in_channels, out_channels)[:, :, None, None]
    return same * (profile[:, None] * profile)  # (in, out, size, size)


class FCN(nn.HybridBlock):
    def __init__(self, num_classes, depth=18, in_channels=3, width=64, stride=32):
        super().__init__()
        self.num_classes, self.stride = num_classes, stride
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.features = Features(depth, in_channels, width)
        # last stage first; by how much each map of scores is enlarged
        channels = [8 * width, 4 * width, 2 * width]
        factors = {32: [32], 16: [2, 16], 8: [2, 2, 8]}[stride]
        self.scores, self.upsamplers = sequential(), sequential()
        for i, s in enumerate(factors):
            score = conv2d(channels[i], num_classes, 1)
            enlarge = conv_transpose2d(
                num_classes, num_classes, 2 * s, s, s // 2, bias=False
            )
            enlarge.initialize()
            enlarge.weight.set_data(bilinear_kernel(num_classes, num_classes, 2 * s))
            if i > 0:  # added scores start at 0
                score.initialize("zeros")
            self.scores.add(score)
            self.upsamplers.add(enlarge)

    def hybrid_forward(self, F, X):
        _, X2, X3, X4 = self.features.stages(X)  # at strides 4, 8, 16, 32
        Y = self.scores[0](X4)  # (B, classes, H/32, W/32)
        if self.stride <= 16:
            skip = self.scores[1](X3)  # (B, classes, H/16, W/16)
            Y = _cut(F, self.upsamplers[0](Y), skip) + skip
        if self.stride == 8:
            skip = self.scores[2](X2)  # (B, classes, H/8, W/8)
            Y = _cut(F, self.upsamplers[1](Y), skip) + skip
        return _cut(F, self.upsamplers[-1](Y), X)  # (B, classes, H, W)


def _cut(F, Y, X):
    # as high and wide as X: where a size is no multiple of 32, Y is larger
    Y, X = Y.as_nd_ndarray(), X.as_nd_ndarray()
    return F.slice_like(Y, X, axes=(2, 3)).as_np_ndarray()


def segmentation_loss(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    losses = cross_entropy(preds, labels * known)  # (B, H, W)
    count = np.maximum(known.astype(losses.dtype).sum(axis=(1, 2)), 1)
    return (losses * known).sum(axis=(1, 2)) / count


def predict_tiles(net, X, rows, columns):
    # rows and columns are slices that cover the picture
    total, count = 0, np.zeros(X.shape[2:], dtype="float64", ctx=X.ctx)
    for down in rows:
        for across in columns:
            scores = net(X[:, :, down, across])  # (B, classes, h, w)
            if isinstance(total, int):
                shape = (*scores.shape[:2], *count.shape)
                total = np.zeros(shape, dtype="float64", ctx=X.ctx)
            total[:, :, down, across] += scores.astype("float64")
            count[down, across] += 1
    total /= count  # in place
    return total.astype("float32")


def pixel_accuracy(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    right = (preds == labels) * known
    return int(right.sum()) / int(known.sum())


def mean_iou(preds, labels, ignore_index=IGNORE):
    known, ious = labels != ignore_index, []
    for c in range(int(np.maximum(preds, labels * known).max()) + 1):
        both = (preds == c) * (labels == c) * known
        either = ((preds == c) + (labels == c)) * known
        if int(either.sum()) > 0:
            ious.append(int(both.sum()) / int(either.sum()))
    return sum(ious) / len(ious)
