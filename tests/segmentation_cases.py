"""Cases of segmentation: layers by definition, gradients, the fully convolutional net."""

import cases
import numpy as np
import oracle
from cases import f32, uniform

ALL = []


def case(expected=dict, **options):
    def register(run):
        name = options.pop("name", run.__name__)
        ALL.append(cases.Case(name, "segmentation", run, expected, **options))
        return run

    return register


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

    @case(lambda: {"out": conv2d(X, weights, stride, padding)}, name=f"conv2d_{name}")
    def convolution(d2l):
        layer = d2l.set_weights(d2l.conv2d(*args), weights)
        return {"out": d2l.numpy(layer(d2l.tensor(X)))}

    @case(
        lambda: {"out": conv_transpose2d(X, turned, stride, padding)},
        name=f"conv_transpose2d_{name}",
    )
    def transposed(d2l):
        layer = d2l.set_weights(d2l.conv_transpose2d(*args), turned)
        return {"out": d2l.numpy(layer(d2l.tensor(X)))}

    sides = [stride * (n - 1) + kernel - 2 * padding for n in shape[2:]]
    W = f32(uniform(603, shape[0], channels, *sides))

    @case(
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
        lambda: {"out": oracle.trans_conv(MATRIX, KERNEL, stride, padding)},
        name=f"trans_conv_{name}",
    )
    def run(d2l):
        X, K = d2l.tensor(MATRIX), d2l.tensor(KERNEL)
        return {"out": d2l.numpy(d2l.trans_conv(X, K, stride, padding))}

    worked = cases.WORKED["trans_conv"]
    if name not in worked:
        return

    @case(lambda: {"out": f32(worked[name])}, name=f"worked_trans_conv_{name}")
    def run_worked(d2l):
        X, K = d2l.tensor(f32(worked["X"])), d2l.tensor(f32(worked["K"]))
        return {"out": d2l.numpy(d2l.trans_conv(X, K, stride, padding))}


for _name, _options in VARIANTS.items():
    _trans_conv_case(_name, *_options)


@case(lambda: {"matrix": oracle.kernel2matrix(KERNEL, 6, 5)})
def kernel2matrix_of_any_size(d2l):
    matrix = d2l.kernel2matrix(d2l.tensor(KERNEL), (6, 5))
    return {"matrix": d2l.numpy(matrix)}


@case(
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
