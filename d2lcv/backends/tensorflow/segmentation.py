"""Semantic segmentation in TensorFlow."""

import keras
import tensorflow as tf

from ...segmentation import IGNORE
from .classification import Features, cross_entropy
from .layers import Conv2d, channels_first, channels_last

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

CHANNEL_AXIS = 0  # of an image


def class_tensor(classes):
    return tf.constant(classes, tf.int64)


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
            matrix.append(tf.reshape(_placed(K, i, j, H, W), (H * W,)))
    return tf.stack(matrix)  # ((H−h+1)·(W−w+1), H·W)


def _placed(part, top, left, H, W):
    # (H, W) zeros with `part` in them: TensorFlow's tensors are not written into
    h, w = part.shape
    around = ((top, H - top - h), (left, W - left - w))
    return tf.pad(part, around)


class PaddedConv2d(Conv2d):
    """Pads all sides alike, by any number of pixels."""

    def __init__(self, filters, kernel_size, strides, margin, use_bias):
        options = {"strides": strides, "padding": "valid", "use_bias": use_bias}
        super().__init__(filters, kernel_size, **options)
        self.margin = margin

    def call(self, inputs):
        p = self.margin
        return super().call(tf.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p))))


class ConvTranspose2d(keras.layers.Conv2DTranspose):
    """Channels first; all sides are cut alike, by any number of pixels."""

    def __init__(self, filters, kernel_size, strides, margin, use_bias):
        options = {"data_format": "channels_first", "use_bias": use_bias}
        super().__init__(filters, kernel_size, strides, **options)
        self.margin = margin

    def call(self, inputs):
        (H, W), (h, w) = inputs.shape[2:], self.kernel_size
        down, across = self.strides
        height, width = down * (H - 1) + h, across * (W - 1) + w
        shape = tf.shape(inputs)[0], height, width, self.filters
        X = channels_last(inputs)
        Y = tf.nn.conv2d_transpose(X, self.kernel, shape, self.strides, "VALID")
        p = self.margin
        Y = Y[:, p : height - p, p : width - p]
        if self.use_bias:
            Y = tf.nn.bias_add(Y, self.bias)
        return channels_first(Y)


def conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
    layer = PaddedConv2d(out_channels, kernel_size, stride, padding, bias)
    layer.build((None, in_channels, None, None))
    return layer


def conv_transpose2d(
    in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True
):
    layer = ConvTranspose2d(out_channels, kernel_size, stride, padding, bias)
    layer.build((None, in_channels, None, None))
    return layer


def bilinear_kernel(in_channels, out_channels, kernel_size):
    reach = (kernel_size + 1) // 2
    distance = tf.abs(tf.range(kernel_size, dtype=tf.float32) - (kernel_size - 1) / 2)
    profile = 1 - distance / reach  # falls from 1 in the middle
    same = tf.eye(in_channels, out_channels)[:, :, None, None]
    return same * (profile[:, None] * profile)  # (in, out, size, size)


class FCN(keras.Model):
    def __init__(self, num_classes, depth=18, in_channels=3, width=64, stride=32):
        super().__init__()
        self.num_classes, self.stride = num_classes, stride
        self.depth, self.in_channels, self.width = depth, in_channels, width
        self.features = Features(depth, in_channels, width)
        # last stage first; by how much each map of scores is enlarged
        channels = [8 * width, 4 * width, 2 * width]
        factors = {32: [32], 16: [2, 16], 8: [2, 2, 8]}[stride]
        self.scores, self.upsamplers = [], []
        for i, s in enumerate(factors):
            score = conv2d(channels[i], num_classes, 1)
            enlarge = conv_transpose2d(
                num_classes, num_classes, 2 * s, s, s // 2, bias=False
            )
            kernel = bilinear_kernel(num_classes, num_classes, 2 * s)
            enlarge.kernel.assign(tf.transpose(kernel, (2, 3, 1, 0)))
            if i > 0:  # added scores start at 0
                score.kernel.assign(tf.zeros_like(score.kernel))
            self.scores.append(score)
            self.upsamplers.append(enlarge)
        self.built = True

    def call(self, X):
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
    return Y[:, :, : tf.shape(X)[2], : tf.shape(X)[3]]


def segmentation_loss(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    losses = cross_entropy(preds, tf.where(known, labels, tf.zeros_like(labels)))
    known = tf.cast(known, losses.dtype)  # (B, H, W)
    count = tf.maximum(tf.reduce_sum(known, (1, 2)), 1)
    return tf.reduce_sum(losses * known, (1, 2)) / count


def predict_tiles(net, X, rows, columns):
    # rows and columns are slices that cover the picture
    total, count = 0, tf.Variable(tf.zeros(X.shape[2:], tf.float64))
    for down in rows:
        for across in columns:
            scores = net(X[:, :, down, across])  # (B, classes, h, w)
            if isinstance(total, int):
                shape = (*scores.shape[:2], *count.shape)
                total = tf.Variable(tf.zeros(shape, tf.float64))
            tile = total[:, :, down, across]
            tile.assign(tile + tf.cast(scores, tf.float64))
            count[down, across].assign(count[down, across] + 1)
    return tf.cast(total / count, tf.float32)


def pixel_accuracy(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    right = (preds == labels) & known
    return int(tf.math.count_nonzero(right)) / int(tf.math.count_nonzero(known))


def mean_iou(preds, labels, ignore_index=IGNORE):
    known = labels != ignore_index
    preds, labels = preds[known], labels[known]
    classes, _ = tf.unique(tf.concat([preds, labels], 0))
    ious = []
    for c in classes:
        both, either = (preds == c) & (labels == c), (preds == c) | (labels == c)
        count = tf.math.count_nonzero
        ious.append(int(count(both)) / int(count(either)))
    return sum(ious) / len(ious)
