"""Cases of segmentation: layers by definition, gradients, the fully convolutional net."""

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import WORKED, f32, uniform, whole
from .training import waves

# --- layers -----------------------------------------------------------------------


def layer_weights(shape, channels, kernel, bias):
    """Weights and biases of a layer, none of them 0, in the canonical layout."""
    weights = {"weight": f32(uniform(601, *shape, kernel, kernel) - 0.4)}
    return weights | ({"bias": f32(uniform(602, channels) - 0.4)} if bias else {})


def summed(X, kernels, function):
    """`function(x, k)` of every pair of channels, summed over those of the input.

    X is (B, in, H, W), kernels (in, out, h, w).
    """
    return np.array(
        [
            [
                sum(function(x[c], kernels[c, o]) for c in range(len(x)))
                for o in range(kernels.shape[1])
            ]
            for x in X
        ]
    )


def bias_of(weights, channels):
    return weights.get("bias", np.zeros(channels))[:, None, None]


def conv2d(X, weights, stride, padding):
    kernels = weights["weight"].transpose(1, 0, 2, 3)
    X = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))

    def strided(x, k):
        return oracle.corr2d(x, k)[::stride, ::stride]

    return summed(X, kernels, strided) + bias_of(weights, kernels.shape[1])


def conv_transpose2d(X, weights, stride, padding):
    def transposed(x, k):
        return oracle.trans_conv(x, k, stride, padding)

    kernels = weights["weight"]
    return summed(X, kernels, transposed) + bias_of(weights, kernels.shape[1])


def gradients(X, weights, W, stride, padding):
    """Of Σ W · conv_transpose2d(X): each X meets each element of its copy of K."""
    X, kernels = X.astype(np.float64), weights["weight"].astype(np.float64)
    W = np.pad(W, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    of_x, of_k = np.zeros(X.shape), np.zeros(kernels.shape)
    h, w = kernels.shape[2:]
    for b, i, j in np.ndindex(X.shape[0], *X.shape[2:]):
        under = W[b, :, i * stride : i * stride + h, j * stride : j * stride + w]
        of_x[b, :, i, j] = (kernels * under).sum((1, 2, 3))
        of_k += X[b, :, i, j][:, None, None, None] * under
    return {"X": of_x, "weight": of_k}


# name: input (B, in, H, W), out, kernel, stride, padding, bias
LAYERS = {
    "plain": ((2, 3, 4, 5), 2, 3, 1, 0, True),
    "unequal_channels": ((1, 1, 3, 3), 4, 2, 1, 0, False),
    "stride": ((2, 2, 5, 4), 3, 4, 2, 0, True),
    "padding": ((1, 2, 5, 4), 2, 3, 1, 1, True),
    "upsampling": ((1, 3, 3, 5), 3, 4, 2, 1, True),
    "stride_above_kernel": ((1, 2, 3, 3), 2, 2, 3, 0, False),
    "as_wide_as_channels": ((1, 2, 4, 4), 6, 3, 1, 0, True),
    "one_pixel": ((1, 2, 1, 1), 2, 5, 3, 2, True),
}


def _layer_cases(name, shape, channels, kernel, stride, padding, bias):
    X = f32(uniform(600, *shape) - 0.5)
    args = (shape[1], channels, kernel, stride, padding, bias)
    weights = layer_weights((channels, shape[1]), channels, kernel, bias)
    turned = layer_weights((shape[1], channels), channels, kernel, bias)

    @case(
        "segmentation",
        lambda: {"out": conv2d(X, weights, stride, padding)},
        name=f"conv2d_{name}",
    )
    def convolution(d2l):
        layer = d2l.set_weights(d2l.conv2d(*args), weights)
        return {"out": d2l.numpy(layer(d2l.tensor(X)))}

    @case(
        "segmentation",
        lambda: {"out": conv_transpose2d(X, turned, stride, padding)},
        name=f"conv_transpose2d_{name}",
    )
    def transposed(d2l):
        layer = d2l.set_weights(d2l.conv_transpose2d(*args), turned)
        return {"out": d2l.numpy(layer(d2l.tensor(X)))}

    sides = [stride * (n - 1) + kernel - 2 * padding for n in shape[2:]]
    W = f32(uniform(603, shape[0], channels, *sides))

    @case(
        "segmentation",
        lambda: gradients(X, turned, W, stride, padding),
        name=f"conv_transpose2d_{name}_gradients",
        atol=1e-4,
    )
    def gradient(d2l):
        layer = d2l.set_weights(d2l.conv_transpose2d(*args), turned)
        weighting = d2l.tensor(W)
        (found,) = d2l.gradients(
            lambda x: d2l.reduce_sum(weighting * layer(x)), d2l.tensor(X)
        )
        # a step of descent with rate 1 takes the weights' gradients away
        trainer = d2l.Trainer(layer, "sgd", lr=1.0)
        trainer.step(
            lambda x: (d2l.reduce_sum(weighting * layer(x)), ()), d2l.tensor(X)
        )
        moved = turned["weight"] - d2l.get_weights(layer)["weight"]
        return {"X": d2l.numpy(found), "weight": moved}


for _name, _options in LAYERS.items():
    _layer_cases(_name, *_options)


# --- functions of matrices --------------------------------------------------------

MATRIX, KERNEL = f32(uniform(610, 6, 5) - 0.5), f32(uniform(611, 3, 2) - 0.5)
VARIANTS = {"stride_2": (2, 0), "padding_1": (1, 1), "stride_3_padding_2": (3, 2)}


def _trans_conv_case(name, stride, padding):
    @case(
        "segmentation",
        lambda: {"out": oracle.trans_conv(MATRIX, KERNEL, stride, padding)},
        name=f"trans_conv_{name}",
    )
    def run(d2l):
        X, K = d2l.tensor(MATRIX), d2l.tensor(KERNEL)
        return {"out": d2l.numpy(d2l.trans_conv(X, K, stride, padding))}

    worked = WORKED["trans_conv"]
    if name not in worked:
        return

    @case(
        "segmentation",
        lambda: {"out": f32(worked[name])},
        name=f"worked_trans_conv_{name}",
    )
    def run_worked(d2l):
        X, K = d2l.tensor(f32(worked["X"])), d2l.tensor(f32(worked["K"]))
        return {"out": d2l.numpy(d2l.trans_conv(X, K, stride, padding))}


for _name, _options in VARIANTS.items():
    _trans_conv_case(_name, *_options)


@case("segmentation", lambda: {"matrix": oracle.kernel2matrix(KERNEL, 6, 5)})
def kernel2matrix_of_any_size(d2l):
    matrix = d2l.kernel2matrix(d2l.tensor(KERNEL), (6, 5))
    return {"matrix": d2l.numpy(matrix)}


@case(
    "segmentation",
    lambda: {
        # the gradient of a correlation is the transposed one, and the other way round
        "of corr2d": oracle.trans_conv(f32(uniform(612, 4, 4)), KERNEL),
        "of trans_conv": oracle.corr2d(f32(uniform(613, 8, 6)), KERNEL),
        "of kernel": oracle.corr2d(MATRIX, f32(uniform(612, 4, 4))),
    },
    atol=1e-4,
)
def gradients_of_matrix_functions(d2l):
    X, K = d2l.tensor(MATRIX), d2l.tensor(KERNEL)
    V, W = d2l.tensor(f32(uniform(612, 4, 4))), d2l.tensor(f32(uniform(613, 8, 6)))
    of_x, of_k = d2l.gradients(lambda x, k: d2l.reduce_sum(V * d2l.corr2d(x, k)), X, K)
    (of_t,) = d2l.gradients(lambda x: d2l.reduce_sum(W * d2l.trans_conv(x, K)), X)
    answers = {"of corr2d": of_x, "of trans_conv": of_t, "of kernel": of_k}
    return {key: d2l.numpy(value) for key, value in answers.items()}


# --- the fully convolutional network ----------------------------------------------

STEPS, SIDE, CLASSES = 20, 64, 5


def net(d2l, stride=32):
    d2l.seed(31)
    return d2l.FCN(CLASSES, d2l.ResNet(18, 10, width=8), stride)


def calm(d2l, net):
    """Its blocks begin near the identity: rounding then grows less from step to step."""
    weights = {
        name: value * (0.2 if name.endswith("bn2.weight") else 1)
        for name, value in d2l.get_weights(net).items()
    }
    return d2l.set_weights(net, weights)


def any_weights(d2l, net, seed):
    """Fresh nets have added scores, biases and statistics of 0 and 1: here none has."""
    weights = d2l.get_weights(net)
    for i, (name, value) in enumerate(sorted(weights.items())):
        scale = 0.2 if value.ndim == 1 or name.startswith("scores") else 0.0
        weights[name] = f32(value + scale * (uniform(seed + i, *value.shape) - 0.5))
    return d2l.set_weights(net, weights)


def batch(seed, n, height=SIDE, width=SIDE):
    """Smooth pictures, and labels in blocks with a border of the void."""
    X = np.resize(waves(seed, n), (n, 3, height, width)) / 60
    Y = whole(seed + 1, CLASSES, n, 4, 4)
    Y = Y.repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)[:, :height, :width]
    Y[:, 15:18], Y[:, :, 31:33] = 255, 255
    return f32(X), Y.astype(np.int64)


@case("segmentation", atol=0.0)
def fcn_initial_weights(d2l):
    return d2l.get_weights(net(d2l, 8))


@case("segmentation", atol=1e-4)
def fcn_forward(d2l):
    answer = {}
    for stride in (32, 16, 8):
        model = any_weights(d2l, net(d2l, stride), 620)
        for height, width in ((64, 96), (50, 37)):
            X = d2l.tensor(batch(621, 2, height, width)[0])
            scores = d2l.numpy(d2l.predict(model, X))
            answer[f"stride {stride}, {height} × {width}"] = scores
    return answer


def fcn_losses(d2l, model, steps, rate, **options):
    trainer = d2l.Trainer(model, "sgd", lr=rate, **options)

    def step(X, Y):
        return d2l.reduce_mean(d2l.segmentation_loss(model(X), Y)), ()

    losses = []
    for i in range(steps):
        X, Y = map(d2l.tensor, batch(700 + 10 * i, 8))
        losses.append(float(d2l.numpy(trainer.step(step, X, Y)[0])))
    return np.array(losses)


@case("segmentation", atol=0.0, rtol=1e-3)
def fcn_losses_of_20_steps(d2l):
    options = {"momentum": 0.9, "weight_decay": 1e-3}
    return {
        f"stride {stride}": fcn_losses(
            d2l, calm(d2l, net(d2l, stride)), STEPS, 1e-3, **options
        )
        for stride in (32, 8)
    }


@case("segmentation", atol=1e-3)
def fcn_first_gradients(d2l):
    # a step of gradient descent with a huge rate: what it moved is the gradient
    model, rate = any_weights(d2l, net(d2l, 8), 622), 1e4
    before = d2l.get_weights(model)
    fcn_losses(d2l, model, 1, rate)
    moved = {k: (before[k] - v) / rate for k, v in d2l.get_weights(model).items()}
    return {
        k: g / max(np.abs(g).max(), 1e-8)
        for k, g in moved.items()
        if not k.endswith(("running_mean", "running_var"))
    }


def _loss_by_pixel(scores, labels):
    """Mean over the labelled pixels of −log of the softmax, image by image."""
    means = []
    for image, label in zip(scores.astype(np.float64), labels, strict=True):
        losses = [
            np.log(np.exp(image[:, i, j]).sum()) - image[label[i, j], i, j]
            for i, j in np.ndindex(label.shape)
            if label[i, j] != 255
        ]
        means.append(np.mean(losses) if losses else 0.0)
    return np.array(means)


_SCORES = f32(4 * uniform(630, 3, 4, 5, 6) - 2)
_LABELS = whole(631, 4, 3, 5, 6)
_LABELS[0, 1:3], _LABELS[2] = 255, 255


@case("segmentation", lambda: {"loss": _loss_by_pixel(_SCORES, _LABELS)})
def segmentation_loss_of_each_image(d2l):
    loss = d2l.segmentation_loss(d2l.tensor(_SCORES), d2l.tensor(_LABELS))
    return {"loss": d2l.numpy(loss)}


@case("segmentation")
def segmentation_loss_gradient(d2l):
    Y = d2l.tensor(_LABELS)
    (found,) = d2l.gradients(
        lambda X: d2l.reduce_sum(d2l.segmentation_loss(X, Y)), d2l.tensor(_SCORES)
    )
    return {"gradient": d2l.numpy(found)}


# --- segmentation --------------------------------------------------------------------


@case(
    "segmentation",
    lambda: {"out": f32(WORKED["trans_conv"]["expected"])},
)
def worked_trans_conv(d2l):
    w = WORKED["trans_conv"]
    out = d2l.trans_conv(d2l.tensor(f32(w["X"])), d2l.tensor(f32(w["K"])))
    return {"out": d2l.numpy(out)}


@case(
    "segmentation",
    lambda: {
        "corr2d": f32(WORKED["conv_as_matmul"]["corr2d"]),
        "matrix": f32(WORKED["conv_as_matmul"]["kernel_matrix"]),
        "back": f32(WORKED["conv_as_matmul"]["trans_conv_of_Y"]),
    },
)
def worked_conv_as_matmul(d2l):
    w = WORKED["conv_as_matmul"]
    X, K = d2l.tensor(f32(w["X"])), d2l.tensor(f32(w["K"]))
    Y = d2l.corr2d(X, K)
    return {
        "corr2d": d2l.numpy(Y),
        "matrix": d2l.numpy(d2l.kernel2matrix(K)),
        "back": d2l.numpy(d2l.trans_conv(Y, K)),
    }


def _corr_case(name, shape, kernel):
    X, K = f32(uniform(190, *shape)), f32(uniform(191, *kernel) - 0.5)

    @case(
        "segmentation",
        lambda: {"out": oracle.corr2d(X, K)},
        name=f"corr2d_{name}",
    )
    def corr(d2l):
        return {"out": d2l.numpy(d2l.corr2d(d2l.tensor(X), d2l.tensor(K)))}

    @case(
        "segmentation",
        lambda: {"out": oracle.trans_conv(X, K)},
        name=f"trans_conv_{name}",
    )
    def trans(d2l):
        return {"out": d2l.numpy(d2l.trans_conv(d2l.tensor(X), d2l.tensor(K)))}


_corr_case("one_pixel", (1, 1), (1, 1))
_corr_case("kernel_as_large", (3, 4), (3, 4))
_corr_case("unequal_sides", (7, 5), (2, 3))
_corr_case("many", (24, 17), (5, 4))


def _bilinear_case(size, worked, key):
    def expected():
        kernel = np.zeros((3, 3, size, size))
        kernel[range(3), range(3)] = WORKED["bilinear_kernel"][key]
        return {"weights": kernel if worked else oracle.bilinear_kernel(3, 3, size)}

    prefix = "worked_" if worked else ""

    @case(
        "segmentation",
        expected,
        name=f"{prefix}bilinear_kernel_{size}",
    )
    def run(d2l):
        return {"weights": d2l.numpy(d2l.bilinear_kernel(3, 3, size))}


_bilinear_case(4, True, "diagonal_filter")
_bilinear_case(3, True, "kernel_size_3")


@case(
    "segmentation",
    lambda: {
        "64": oracle.bilinear_kernel(2, 2, 64),
        "1": oracle.bilinear_kernel(1, 1, 1),
    },
)
def bilinear_kernel_sizes(d2l):
    return {
        "64": d2l.numpy(d2l.bilinear_kernel(2, 2, 64)),
        "1": d2l.numpy(d2l.bilinear_kernel(1, 1, 1)),
    }
