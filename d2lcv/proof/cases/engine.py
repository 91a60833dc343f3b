"""Cases of the training engine: counts, one training by hand, small networks."""

import numpy as np

from ..case import case
from ..inputs import f32, uniform, whole
from .training import waves


def labels(d2l, array):
    """Class labels of the type that the framework's own losses take."""
    return d2l.astype(d2l.tensor(np.asarray(array, np.int32)), d2l.int64)


# --- counts ------------------------------------------------------------------------

SCORES, CLASSES = f32(uniform(700, 6, 4)), whole(701, 4, 6)
MAPS, MASKS = f32(uniform(702, 3, 5, 4, 6)), whole(703, 5, 3, 4, 6)
MASKS[0, 1:3], MASKS[1, :, 0] = 255, 255


def _counted(scores, truth):
    """One by one: is the class of the highest score the right one?"""
    found = 0
    for where in np.ndindex(truth.shape):
        one = scores[(where[0], slice(None), *where[1:])]
        found += sorted(range(len(one)), key=lambda c: (-one[c], c))[0] == truth[where]
    return float(found)


@case(
    "engine",
    lambda: {
        "classes": _counted(SCORES, CLASSES),
        "pixels": _counted(MAPS, MASKS),
        "given": 4.0,
        "ignored": _counted(MAPS, np.where(MASKS == 2, 255, MASKS)),
    },
    exact=("classes", "pixels", "given", "ignored"),
)
def accuracy_counts(d2l):
    maps, masks = d2l.tensor(MAPS), labels(d2l, MASKS)
    given = labels(d2l, [0, 1, 2, 3, 0]), labels(d2l, [0, 1, 2, 0, 0])
    return {
        "classes": d2l.numpy(d2l.accuracy(d2l.tensor(SCORES), labels(d2l, CLASSES))),
        "pixels": d2l.numpy(d2l.accuracy(maps, masks)),
        "given": d2l.numpy(d2l.accuracy(*given)),
        "ignored": d2l.numpy(d2l.accuracy(maps, masks, ignore=2)),
    }


# --- a convolution that classifies pixels, trained in NumPy -------------------------

STEPS, RATE = 5, 0.5
IMAGES = f32(2 * uniform(710, STEPS, 4, 3, 6, 5) - 1)
# what is to be found depends on the image, so that there is something to learn
TRUTH = np.stack([IMAGES.argmax(axis=2) + (IMAGES.sum(axis=2) > 0.5)])[0]


def _windows(x):
    """(B, C, H, W) → (B, C, 3, 3, H, W): what a padded 3 × 3 kernel sees."""
    *_, height, width = x.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows = [
        np.stack([padded[..., a : a + height, b : b + width] for b in range(3)], 2)
        for a in range(3)
    ]
    return np.stack(rows, 2)


def pixels_by_hand():
    """Losses of the whole batch and right pixels of each step, and the last weights."""
    weight, bias = (w.astype(np.float64) for w in pixel_weights())
    losses, rights = [], []
    for X, y in zip(IMAGES, TRUTH, strict=True):
        scores = np.einsum("ncijhw,ocij->nohw", _windows(X), weight)
        scores += bias[:, None, None]
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        one_hot = np.moveaxis(np.eye(len(bias))[y], -1, 1)
        losses.append(-np.log((p * one_hot).sum(axis=1)).mean() * len(X))
        rights.append(_counted(scores, y))
        slope = (p - one_hot) / y.size
        weight = weight - RATE * np.einsum("ncijhw,nohw->ocij", _windows(X), slope)
        bias = bias - RATE * slope.sum(axis=(0, 2, 3))
    return {
        "loss": np.array(losses),
        "right": np.array(rights),
        "weight": weight,
        "bias": bias,
    }


def pixel_weights():
    return f32(uniform(711, 4, 3, 3, 3) - 0.5), f32(uniform(712, 4) - 0.5)


def pixel_net(d2l):
    """A 3 × 3 convolution, (B, 3, H, W) → (B, 4, H, W)."""
    weight, bias = pixel_weights()
    return d2l.set_weights(d2l.cls_predictor(3, 1, 3), {"weight": weight, "bias": bias})


def pixel_batches(d2l):
    return [(d2l.tensor(X), labels(d2l, y)) for X, y in zip(IMAGES, TRUTH, strict=True)]


def pixel_training(d2l, loss, make_trainer, devices=None):
    """As `pixels_by_hand`, by `train_batch_ch13`."""
    net, devices = pixel_net(d2l), devices or d2l.try_all_gpus()[:1]
    net = d2l.to(net, devices[0])
    trainer, sums = make_trainer(net), []
    for X, y in pixel_batches(d2l):
        sums.append(d2l.train_batch_ch13(net, X, y, loss, trainer, devices))
    losses, rights = (
        np.array([d2l.numpy(v) for v in s]) for s in zip(*sums, strict=True)
    )
    return {"loss": losses, "right": rights, **d2l.get_weights(net)}


@case("engine", pixels_by_hand, exact=("right",))
def training_of_pixels(d2l):
    def make_trainer(net):
        return d2l.Trainer(net, "sgd", lr=RATE)

    return pixel_training(d2l, d2l.cross_entropy, make_trainer)


# --- a small residual network: the backends judge each other --------------------------


def residual_batches(d2l, n, size=8):
    """Waves whose height is that of their class, so that there is something to learn."""
    out = []
    for i in range(n):
        y = whole(720 + i, 4, size)
        X = waves(740 + i, size) / 60 + f32(y)[:, None, None, None] / 2
        out.append((d2l.tensor(f32(X)), labels(d2l, y)))
    return out


def residual_net(d2l):
    d2l.seed(21)
    return d2l.to(d2l.ResNet(18, 4, 3, 8), d2l.try_gpu())


def residual_run(d2l, trainer, num_epochs=2, **options):
    batches = residual_batches(d2l, 6)
    return d2l.train_ch13(
        trainer.net,
        batches[:4],
        batches[4:],
        d2l.cross_entropy,
        trainer,
        num_epochs,
        **options,
    )


@case("engine", atol=0.0, rtol=1e-3)
def history_of_a_residual_net(d2l):
    """The rate is low: at higher ones a switched ReLU grows into another run."""
    net = residual_net(d2l)
    run = residual_run(d2l, d2l.Trainer(net, "sgd", lr=1e-4))
    d2l.plt.close("all")
    losses, train_acc, test_acc = map(np.array, zip(*run.history, strict=True))
    return {"loss": losses, "train acc": train_acc, "test acc": test_acc}
