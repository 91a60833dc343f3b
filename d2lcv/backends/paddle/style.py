"""Style transfer in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.vision.transforms import functional as F

from ...style import IMAGENET_MEAN, IMAGENET_STD, VGG19_BLOCKS

__all__ = [
    "SynthesizedImage",
    "VGG19",
    "compute_loss",
    "content_loss",
    "extract_features",
    "gram",
    "postprocess",
    "preprocess",
    "style_loss",
    "tv_loss",
    "zoo_vgg19",
]


def preprocess(pixels):  # (H, W, 3), from 0 to 1
    X = paddle.to_tensor(pixels).transpose((2, 0, 1))
    return F.normalize(X, IMAGENET_MEAN, IMAGENET_STD).unsqueeze(0)


def postprocess(img):
    std = paddle.to_tensor(IMAGENET_STD, img.dtype)
    mean = paddle.to_tensor(IMAGENET_MEAN, img.dtype)
    pixels = img[0].transpose((1, 2, 0)) * std + mean  # (H, W, 3)
    return pixels.clip(0, 1)


class VGG19(nn.Sequential):
    def __init__(self, num_layers=29, width=64, pooling="max"):
        pool = nn.MaxPool2D(2) if pooling == "max" else nn.AvgPool2D(2)
        layers, in_channels = [], 3
        for channels, convolutions in VGG19_BLOCKS:
            channels = channels * width // 64
            for _ in range(convolutions):
                layers += [
                    nn.Conv2D(in_channels, channels, 3, padding=1),
                    nn.ReLU(),
                ]
                in_channels = channels
            layers.append(pool)  # the map is halved
        super().__init__(*layers[:num_layers])


def zoo_vgg19(pretrained):
    return paddle.vision.models.vgg19(pretrained=pretrained)


def extract_features(X, content_layers, style_layers, net):
    contents, styles = [], []
    last = max([*content_layers, *style_layers])
    for i, layer in enumerate(list(net)[: last + 1]):
        X = layer(X)  # (1, C, H, W)
        if i in content_layers:
            contents.append(X)
        if i in style_layers:
            styles.append(X)
    return contents, styles


def content_loss(Y_hat, Y):
    return paddle.square(Y_hat - Y).mean()


def gram(X):
    _, C, H, W = X.shape
    rows = X.reshape((C, H * W))  # one of each channel
    return rows @ rows.T / (C * H * W)


def style_loss(Y_hat, gram_Y):
    return paddle.square(gram(Y_hat) - gram_Y).mean()


def tv_loss(Y_hat):
    down = paddle.abs(Y_hat[:, :, 1:, :] - Y_hat[:, :, :-1, :])
    across = paddle.abs(Y_hat[:, :, :, 1:] - Y_hat[:, :, :, :-1])
    return 0.5 * (down.mean() + across.mean())


def compute_loss(
    X,
    contents_Y_hat,
    styles_Y_hat,
    contents_Y,
    styles_Y_gram,
    content_weight=1.0,
    style_weight=1e3,
    tv_weight=10.0,
):
    contents = [
        content_loss(Y_hat, Y) * content_weight
        for Y_hat, Y in zip(contents_Y_hat, contents_Y)
    ]
    styles = [
        style_loss(Y_hat, gram_Y) * style_weight
        for Y_hat, gram_Y in zip(styles_Y_hat, styles_Y_gram)
    ]
    tv = tv_loss(X) * tv_weight
    return contents, styles, tv, sum(contents) + 10 * sum(styles) + tv


class SynthesizedImage(nn.Layer):
    def __init__(self, img_shape):
        super().__init__()
        self.weight = self.create_parameter(
            img_shape, default_initializer=nn.initializer.Uniform(0, 1)
        )

    def forward(self):
        return self.weight
