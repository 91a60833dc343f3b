"""Single-shot detection in MXNet."""

from mxnet import autograd, gluon, np, npx
from mxnet.gluon import nn

from ...ssd import (
    TINY_SSD_ANCHORS,
    TINY_SSD_CHANNELS,
    TINY_SSD_LEAST,
    TINY_SSD_RATIOS,
    TINY_SSD_SIZES,
    check_picture,
)
from .anchors import multibox_prior
from .layers import BatchNorm2d

__all__ = [
    "TinySSD",
    "base_net",
    "bbox_eval",
    "bbox_predictor",
    "blk_forward",
    "calc_loss",
    "cls_eval",
    "cls_predictor",
    "concat_preds",
    "down_sample_blk",
    "flatten_pred",
    "focal_cls_loss",
    "focal_loss",
    "hard_negative_loss",
    "smooth_l1",
    "smooth_l1_loss",
]


def cls_predictor(num_inputs, num_anchors, num_classes):
    channels = num_anchors * (num_classes + 1)
    return nn.Conv2D(channels, 3, padding=1, in_channels=num_inputs)


def bbox_predictor(num_inputs, num_anchors):
    return nn.Conv2D(num_anchors * 4, 3, padding=1, in_channels=num_inputs)


def flatten_pred(pred):
    B, K, H, W = pred.shape
    return pred.transpose(0, 2, 3, 1).reshape(B, H * W * K)


def concat_preds(preds):
    return np.concatenate([flatten_pred(pred) for pred in preds], axis=1)


def down_sample_blk(in_channels, out_channels):
    blk = nn.HybridSequential()
    for channels in (in_channels, out_channels):
        blk.add(
            nn.Conv2D(out_channels, 3, padding=1, use_bias=False, in_channels=channels),
            BatchNorm2d(out_channels),
            nn.Activation("relu"),
        )
    blk.add(nn.MaxPool2D(2))
    return blk


def base_net():
    blk = nn.HybridSequential()
    blk.add(down_sample_blk(3, 16), down_sample_blk(16, 32), down_sample_blk(32, 64))
    return blk


def blk_forward(X, blk, size, ratio, cls_predictor, bbox_predictor):
    Y = blk(X)  # (B, C', H', W')
    anchors = multibox_prior(Y, size, ratio)  # (1, A, 4)
    return Y, anchors, cls_predictor(Y), bbox_predictor(Y)


class TinySSD(nn.HybridBlock):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.blocks = nn.HybridSequential()
        self.blocks.add(
            base_net(),
            down_sample_blk(64, 128),
            down_sample_blk(128, 128),
            down_sample_blk(128, 128),
            nn.GlobalMaxPool2D(),
        )
        self.cls_predictors = nn.HybridSequential()
        self.bbox_predictors = nn.HybridSequential()
        for channels in TINY_SSD_CHANNELS:
            self.cls_predictors.add(
                cls_predictor(channels, TINY_SSD_ANCHORS, num_classes)
            )
            self.bbox_predictors.add(bbox_predictor(channels, TINY_SSD_ANCHORS))

    def forward(self, X):
        if isinstance(X, np.ndarray):  # else a symbol, which has no shape
            check_picture(X.shape, TINY_SSD_LEAST)
        return super().forward(X)

    def hybrid_forward(self, F, X):
        # compiled, X is a symbol and has no shape: MXNet's operator makes the anchors
        anchors, cls_preds, bbox_preds = [], [], []
        for i, blk in enumerate(self.blocks):
            X = blk(X)  # (B, C', H', W')
            prior = F.npx.multibox_prior(
                X, sizes=TINY_SSD_SIZES[i], ratios=TINY_SSD_RATIOS[i]
            )
            cls, bbox = self.cls_predictors[i](X), self.bbox_predictors[i](X)
            anchors.append(prior)
            # (B, K, H', W') → (B, H'·W'·K)
            cls_preds.append(F.npx.batch_flatten(cls.transpose(0, 2, 3, 1)))
            bbox_preds.append(F.npx.batch_flatten(bbox.transpose(0, 2, 3, 1)))
        anchors = F.np.concatenate(anchors, axis=1)  # (1, A, 4)
        cls_preds = F.np.concatenate(cls_preds, axis=1)  # (B, A·(C+1))
        cls_preds = F.npx.reshape(cls_preds, (-2, -1, self.num_classes + 1))
        return anchors, cls_preds, F.np.concatenate(bbox_preds, axis=1)


def calc_loss(cls_preds, cls_labels, bbox_preds, bbox_labels, bbox_masks):
    # Gluon's losses are means over all axes but the first: (B,)
    cls = gluon.loss.SoftmaxCrossEntropyLoss()(cls_preds, cls_labels)
    bbox = gluon.loss.L1Loss()(bbox_preds * bbox_masks, bbox_labels * bbox_masks)
    return cls + bbox


def cls_eval(cls_preds, cls_labels):
    guesses = cls_preds.argmax(axis=-1).astype(cls_labels.dtype)  # (B, A)
    return (guesses == cls_labels).astype(np.float32).sum()


def bbox_eval(bbox_preds, bbox_labels, bbox_masks):
    return np.abs((bbox_labels - bbox_preds) * bbox_masks).sum()


def hard_negative_loss(cls_preds, cls_labels, ratio):
    log_probs = npx.log_softmax(cls_preds, axis=-1)
    losses = -npx.pick(log_probs, cls_labels, axis=-1)  # (B, A)
    with autograd.pause():
        positive = (cls_labels > 0).astype(losses.dtype)
        num_positive = positive.sum(axis=1, keepdims=True)  # (B, 1)
        # a cross-entropy is never negative: the anchors with an object come last
        negatives = losses * (1 - positive) - positive
        order = np.lexsort((-negatives,))  # unlike MXNet's own argsort a stable one
        rank = np.lexsort((order,)).astype(losses.dtype)  # 0 for the hardest
        hardest = (rank < ratio * num_positive) * (1 - positive)
    loss = (losses * (positive + hardest)).sum(axis=1)
    return loss / np.maximum(num_positive.squeeze(1), 1)


def focal_loss(gamma, p):
    return -((1 - p) ** gamma) * np.log(p)


def focal_cls_loss(cls_preds, cls_labels, gamma, alpha):
    log_probs = npx.log_softmax(cls_preds, axis=-1)
    losses = -npx.pick(log_probs, cls_labels, axis=-1)  # (B, A)
    positive = (cls_labels > 0).astype(losses.dtype)
    # where p is 1 the power has no slope for small γ: keep away from there
    easiness = np.clip(1 - np.exp(-losses), 1e-7, 1) ** gamma
    weights = alpha * positive + (1 - alpha) * (1 - positive)
    loss = (weights * easiness * losses).sum(axis=1)
    return loss / np.maximum(positive.sum(axis=1), 1)


def smooth_l1(x, sigma):
    return npx.smooth_l1(x, scalar=sigma)


def smooth_l1_loss(bbox_preds, bbox_labels, bbox_masks, sigma):
    errors = smooth_l1((bbox_preds - bbox_labels) * bbox_masks, sigma)  # (B, 4A)
    num_positive = bbox_masks.sum(axis=1) / 4
    return errors.sum(axis=1) / np.maximum(num_positive, 1)
