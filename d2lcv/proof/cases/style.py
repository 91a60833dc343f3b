"""Cases of style transfer that other backends judge: features, gradients, a short run.

Losses and Gram matrices have an oracle; what the networks make of a picture has none.
"""

import numpy as np

from .. import oracle
from ..case import case
from ..inputs import WORKED, f32, uniform
from .training import waves

CONTENT, STYLE = [7], [0, 5, 10, 19, 28]


# --- losses, against the definitions --------------------------------------------------

Y_HAT, Y = f32(4 * uniform(600, 2, 1, 6, 9, 7) - 2)
OTHERS = [f32(3 * uniform(610 + i, 2, 1, c, 5, 4) - 1) for i, c in enumerate((3, 8))]
PICTURE = f32(2 * uniform(620, 1, 3, 9, 8) - 1)


def mean_square(a, b):
    return np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2)


def weighted_losses():
    contents = [mean_square(Y_HAT, Y) * 2.5]
    styles = [mean_square(oracle.gram(a), oracle.gram(b)) * 40 for a, b in OTHERS]
    tv = oracle.tv_loss(PICTURE) * 3
    total = contents[0] + 10 * styles[0] + 10 * styles[1] + tv
    return {"contents": f32(contents), "styles": f32(styles), "tv": f32(tv),
            "sum": f32(total)}  # fmt: skip


@case(
    "style",
    lambda: {
        "content": f32(mean_square(Y_HAT, Y)),
        "style": f32(mean_square(oracle.gram(Y_HAT), oracle.gram(Y))),
    },
    atol=0.0,
    rtol=1e-5,
)
def content_and_style_loss(d2l):
    Y_hat, other = d2l.tensor(Y_HAT), d2l.tensor(Y)
    return {
        "content": d2l.numpy(d2l.content_loss(Y_hat, other)).reshape(()),
        "style": d2l.numpy(d2l.style_loss(Y_hat, d2l.gram(other))).reshape(()),
    }


@case("style", weighted_losses, rtol=1e-5)
def compute_loss_of_two_style_layers(d2l):
    contents, styles, tv, total = d2l.compute_loss(
        d2l.tensor(PICTURE.astype(np.float64)),
        [d2l.tensor(Y_HAT)],
        [d2l.tensor(a) for a, _ in OTHERS],
        [d2l.tensor(Y)],
        [d2l.gram(d2l.tensor(b)) for _, b in OTHERS],
        content_weight=2.5,
        style_weight=40,
        tv_weight=3,
    )
    as_array = {"contents": d2l.stack(contents), "styles": d2l.stack(styles)}
    as_array = {key: d2l.numpy(value).reshape(-1) for key, value in as_array.items()}
    return as_array | {
        "tv": d2l.numpy(tv).reshape(()),
        "sum": d2l.numpy(total).reshape(()),
    }


# --- pictures -------------------------------------------------------------------------


def picture(seed):
    """A smooth picture of 64 × 64, integers."""
    shades = waves(seed, 1)[0].transpose(1, 2, 0)
    return np.clip(shades + 128, 0, 255).astype(np.uint8)


@case("style")
def preprocessed_and_back(d2l):
    X = d2l.preprocess(picture(630), (48, 80))
    wild = d2l.tensor(f32(8 * uniform(631, 1, 3, 4, 5) - 4))
    return {
        "X": d2l.numpy(X),
        "back": d2l.numpy(d2l.postprocess(X)),
        "clipped": d2l.numpy(d2l.postprocess(wild)),
    }


# --- networks -------------------------------------------------------------------------


def named(styles):
    return {str(layer): Y for layer, Y in zip(STYLE, styles, strict=True)}


@case("style", atol=0.0)
def style_network_weights(d2l):
    return d2l.get_weights(d2l.style_network())


@case("style", atol=1e-4, rtol=1e-4)
def style_network_features(d2l):
    X = d2l.preprocess(picture(640), (61, 83))  # poolings that leave a row behind
    contents, styles = d2l.extract_features(X, CONTENT, STYLE, d2l.style_network())
    features = {"content": contents[0], **named(styles)}
    return {key: d2l.numpy(value) for key, value in features.items()}


@case("style", atol=1e-4)
def vgg19_features(d2l):
    """Max pooling, drawn weights, a fourth of the width; in parts of the largest."""
    d2l.seed(31)
    net = d2l.VGG19(30, width=16)
    X = d2l.preprocess(picture(641), (64, 64))
    contents, styles = d2l.extract_features(X, [25], STYLE, net)
    features = {"content": contents[0], **named(styles)}
    arrays = {key: d2l.numpy(value) for key, value in features.items()}
    return {key: array / np.abs(array).max() for key, array in arrays.items()}


# --- the picture that is trained ------------------------------------------------------


def task(d2l, net):
    """Content and style pictures, and the loss of a picture."""
    content_X = d2l.preprocess(picture(650), (48, 56))
    style_X = d2l.preprocess(picture(651)[::-1, ::-1], (48, 56))
    contents_Y, _ = d2l.extract_features(content_X, CONTENT, STYLE, net)
    _, styles_Y = d2l.extract_features(style_X, CONTENT, STYLE, net)
    grams = [d2l.gram(S) for S in styles_Y]

    def loss(X):
        features = d2l.extract_features(X, CONTENT, STYLE, net)
        return d2l.compute_loss(X, *features, contents_Y, grams)

    return content_X, loss


# Rounding must not decide whether one of 100,000 ReLUs is on, for that changes the gradient
# in its receptive field: this noise keeps all of them 1e-4 of their spread away from 0.
@case("style", atol=1e-4)
def gradient_of_the_picture(d2l):
    """Of the sum of all losses, divided by its largest element."""
    content_X, loss = task(d2l, d2l.style_network())
    noise = d2l.tensor(f32(uniform(1038, 1, 3, 48, 56) - 0.5))
    (found,) = d2l.gradients(lambda X: loss(X)[-1], content_X + noise)
    found = d2l.numpy(found)
    return {"gradient": found / np.abs(found).max()}


def run(d2l, steps, lr):
    """The losses of each step, and the picture at the end in 0–1."""
    net = d2l.style_network()
    content_X, loss = task(d2l, net)
    image = d2l.SynthesizedImage(content_X.shape, start=content_X)
    trainer = d2l.Trainer(image, "adam", lr=lr)

    def step():
        contents, styles, tv, total = loss(image())
        return total, (sum(contents), sum(styles), tv)

    rows = []
    for _ in range(steps):
        total, parts = trainer.step(step)
        rows.append([float(d2l.numpy(x)) for x in (total, *parts)])
    return np.array(rows), d2l.numpy(d2l.postprocess(d2l.predict(image)))


@case("style", atol=1e-3, rtol=1e-3)
def losses_of_10_steps(d2l):
    return {"losses": run(d2l, 10, 0.1)[0]}


# Adam's first steps are ±lr wherever there is a gradient at all: a pixel whose gradient is
# smaller than rounding goes up on one backend and down on another.
@case("style", atol=1e-2)
def picture_after_10_steps(d2l):
    return {"picture": run(d2l, 10, 0.1)[1]}


# --- style ---------------------------------------------------------------------------


_TWELVE = f32(np.arange(12).reshape(1, 2, 2, 3))


@case("style", lambda: {"gram": f32(WORKED["gram"]["expected"])})
def worked_gram(d2l):
    return {"gram": d2l.numpy(d2l.gram(d2l.tensor(_TWELVE)))}


@case("style", lambda: {"loss": f32(WORKED["tv_loss"]["expected"])})
def worked_tv_loss(d2l):
    return {"loss": d2l.numpy(d2l.tv_loss(d2l.tensor(_TWELVE))).reshape(())}


_FEATURES = f32(uniform(200, 1, 6, 8, 5))


@case("style", lambda: {"gram": oracle.gram(_FEATURES)})
def gram_many(d2l):
    return {"gram": d2l.numpy(d2l.gram(d2l.tensor(_FEATURES)))}


@case("style", lambda: {"loss": f32(oracle.tv_loss(_FEATURES))})
def tv_loss_many(d2l):
    return {"loss": d2l.numpy(d2l.tv_loss(d2l.tensor(_FEATURES))).reshape(())}
