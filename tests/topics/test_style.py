"""Style transfer: pictures in and out, the networks, the losses, the trained picture."""

import inspect
import re

import numpy as np
import pytest
from PIL import Image

from d2lcv import filters
from d2lcv.drawn.painting import PAINTING_SHAPE, autumn_painting
from d2lcv.proof import cases
from d2lcv.proof.cases.style import CONTENT, STYLE
from d2lcv.proof.inputs import f32, uniform, whole

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


# ---- pictures ------------------------------------------------------------------------


def pixels(height=6, width=9):
    return whole(700, 256, height, width, 3).astype(np.uint8)


def test_preprocess_value(d2l):
    img = pixels()
    X = d2l.preprocess(img, (6, 9))
    expected = ((img / 255 - MEAN) / STD).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(d2l.numpy(X), expected, atol=1e-5)
    assert X.dtype == d2l.float32


def test_preprocess_takes_every_kind_of_picture(d2l):
    img = pixels()
    expected = d2l.numpy(d2l.preprocess(img, (4, 5)))
    for same in (
        Image.fromarray(img),
        d2l.tensor(img),
        d2l.tensor(f32(img / 255)),
    ):
        found = d2l.numpy(d2l.preprocess(same, (4, 5)))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    grey = Image.fromarray(img[:, :, 0])
    X = d2l.numpy(d2l.preprocess(grey, (6, 9)))[0].transpose(1, 2, 0) * STD + MEAN
    np.testing.assert_allclose(X * 255, np.stack([img[:, :, 0]] * 3, 2), atol=1e-3)


def test_preprocess_resizes_as_pillow_does(d2l):
    img = pixels(30, 40)
    X = d2l.numpy(d2l.preprocess(img, (11, 17)))[0].transpose(1, 2, 0) * STD + MEAN
    whole = Image.fromarray(img).resize((17, 11), Image.Resampling.BILINEAR)
    # which rounds to whole grey levels, once for each direction
    np.testing.assert_allclose(X * 255, np.asarray(whole), atol=1.01)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (0, 5, 3), (1, 3, 4, 5)])
def test_preprocess_exception_of_the_picture(d2l, shape):
    with pytest.raises(ValueError, match=re.escape(f"(H, W, 3), got {shape}")):
        d2l.preprocess(np.zeros(shape, np.float32), (2, 2))


def test_preprocess_exception_of_the_size(d2l):
    with pytest.raises(ValueError, match=r"image_shape: .* got 0"):
        d2l.preprocess(pixels(), (0, 5))


def test_postprocess_value(d2l):
    img = pixels()
    back = d2l.postprocess(d2l.preprocess(img, (6, 9)))
    np.testing.assert_allclose(d2l.numpy(back), img / 255, atol=1e-6)
    wild = f32(10 * uniform(701, 1, 3, 4, 5) - 5)
    expected = np.clip(wild[0].transpose(1, 2, 0) * STD + MEAN, 0, 1)
    assert ((expected == 0) | (expected == 1)).any()
    np.testing.assert_allclose(
        d2l.numpy(d2l.postprocess(d2l.tensor(wild))), expected, atol=1e-6
    )


def test_postprocess_exception(d2l):
    with pytest.raises(ValueError, match=r"img: expected shape \(1, 3, H, W\)"):
        d2l.postprocess(d2l.zeros((2, 3, 4, 5)))
    with pytest.raises(TypeError, match="img: expected a tensor"):
        d2l.postprocess(np.zeros((1, 3, 4, 5)))


def test_painting(tmp_path):
    painting = autumn_painting()
    assert painting.shape == (*PAINTING_SHAPE, 3) and painting.dtype == np.uint8
    np.testing.assert_array_equal(painting, autumn_painting())
    top, bottom = painting[:60].mean((0, 1)), painting[-60:].mean((0, 1))
    assert top[2] > top[0] + 30 and bottom[0] > bottom[2] + 30  # sky, leaves
    # strokes: many colours that change within a few pixels
    assert np.abs(np.diff(painting.astype(int), axis=1)).mean() > 8
    Image.fromarray(pixels()).save(tmp_path / "own.png")
    np.testing.assert_array_equal(autumn_painting(tmp_path / "own.png"), pixels())
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        autumn_painting(tmp_path / "none.png")


# ---- networks ------------------------------------------------------------------------


def numpy_features(plan, weights, X):
    """The outputs of all layers of a network with average pooling, (C, H, W) each."""
    outputs = []
    for i, layer in enumerate(plan):
        if layer == "relu":
            X = X * (X > 0)
        elif layer == "pool":
            H, W = (n // 2 * 2 for n in X.shape[1:])
            X = sum(X[:, i:H:2, j:W:2] for i in (0, 1) for j in (0, 1)) / 4
        else:
            P = np.pad(X, ((0, 0), (1, 1), (1, 1)))
            H, W = X.shape[1:]
            X = weights[f"{i}.bias"][:, None, None] + sum(
                np.einsum("kc,chw->khw", K, P[:, y : y + H, x : x + W])
                for y in range(3)
                for x in range(3)
                for K in [weights[f"{i}.weight"][:, :, y, x].astype(np.float64)]
            )
        outputs.append(X)
    return outputs


def plan_of(num_layers=29, width=8):
    from d2lcv.style import vgg19_plan

    return vgg19_plan(num_layers, width)


def test_random_network_value(d2l):
    """Held against plain NumPy, layer by layer."""
    net = d2l.style_network("random")
    X = f32(2 * uniform(710, 1, 3, 37, 50) - 1)
    expected = numpy_features(plan_of(), d2l.get_weights(net), X[0].astype(np.float64))
    indices = range(29)
    found, _ = d2l.extract_features(d2l.tensor(X), indices, [], net)
    for i, (Y, Y_expected) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose(
            d2l.numpy(Y)[0], Y_expected, atol=1e-4, err_msg=str(i)
        )


def test_random_filters_have_their_spread():
    weights = filters.random_filters(plan_of())
    outputs = numpy_features(plan_of(), weights, filters.pink_picture((128, 192), 0))
    for i in (0, 2, 5, 7, 10, 19, 28):
        spread = filters.SPREAD.get(i, 1.0)
        deviation = np.sqrt(outputs[i].var(axis=(1, 2)).mean())
        assert deviation == pytest.approx(spread, rel=1e-3), i
        # thresholds: about as many channels are mostly on as off
        assert (
            abs((outputs[i].mean((1, 2)) / spread).mean()) < 3 / len(outputs[i]) ** 0.5
        )
    again = filters.random_filters(plan_of())
    other = filters.random_filters(plan_of(), seed=1)
    for name, array in weights.items():
        np.testing.assert_array_equal(array, again[name])
        assert (array != other[name]).all()


def test_pink_picture():
    pictures = np.stack([filters.pink_picture((32, 64), seed) for seed in range(30)])
    assert pictures.shape == (30, 3, 32, 64)
    # red, green and blue go together, and neighbours even more
    colours = pictures.transpose(1, 0, 2, 3).reshape(3, -1)
    assert np.corrcoef(colours).min() > 0.3
    near = np.abs(np.diff(pictures, axis=3)).mean()
    far = np.abs(pictures[..., 30:] - pictures[..., :-30]).mean()
    assert far > 3 * near


def test_vgg19_is_laid_out_as_the_paper_says(d2l):
    shapes = {k: v.shape for k, v in d2l.get_weights(d2l.VGG19(37, 4)).items()}
    convolutions = [int(k.split(".")[0]) for k in shapes if k.endswith(".weight")]
    blocks = [[0, 2], [5, 7], [10, 12, 14, 16], [19, 21, 23, 25], [28, 30, 32, 34]]
    assert sorted(convolutions) == [i for block in blocks for i in block]
    assert shapes["0.weight"] == (4, 3, 3, 3) and shapes["0.bias"] == (4,)
    assert shapes["10.weight"] == (16, 8, 3, 3) and shapes["34.weight"] == (
        32,
        32,
        3,
        3,
    )
    Y, _ = d2l.extract_features(d2l.zeros((1, 3, 70, 99)), [36], [], d2l.VGG19(37, 4))
    assert tuple(Y[0].shape) == (1, 32, 2, 3)


def test_vgg19_pooling(d2l):
    X = d2l.tensor(f32(uniform(711, 1, 3, 6, 8)))
    for pooling, reduce in (("max", np.max), ("avg", np.mean)):
        net = d2l.VGG19(5, 8, pooling)
        before, after = (
            d2l.numpy(Y) for Y in d2l.extract_features(X, [3, 4], [], net)[0]
        )
        expected = reduce(before.reshape(1, 8, 3, 2, 4, 2), axis=(3, 5))
        np.testing.assert_allclose(after, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"num_layers": 0}, "num_layers: expected at least 1, got 0"),
        ({"num_layers": 38}, "num_layers: expected 1 to 37, got 38"),
        ({"width": 0}, "width: expected at least 1"),
        ({"pooling": "mean"}, "'max', 'avg', got str 'mean'"),
    ],
)
def test_vgg19_exception(d2l, options, match):
    with pytest.raises(ValueError, match=match):
        d2l.VGG19(**options)


def test_style_network_is_frozen_and_does_not_disturb_the_seed(d2l):
    d2l.seed(4)
    first = d2l.get_weights(d2l.VGG19(1, 4))["0.weight"]
    d2l.seed(4)
    net = d2l.style_network()
    before = d2l.get_weights(net)
    np.testing.assert_array_equal(d2l.get_weights(d2l.VGG19(1, 4))["0.weight"], first)
    trainer = d2l.Trainer(d2l.SynthesizedImage((1, 3, 32, 32)), "adam", lr=0.3)

    def step():
        contents, styles = d2l.extract_features(trainer.net(), CONTENT, STYLE, net)
        return sum(d2l.reduce_mean(Y**2) for Y in contents + styles), ()

    picture = d2l.get_weights(trainer.net)["weight"]
    trainer.step(step)
    assert (d2l.get_weights(trainer.net)["weight"] != picture).mean() > 0.9
    for name, array in d2l.get_weights(net).items():
        np.testing.assert_array_equal(array, before[name])


# ---- weights from elsewhere ----------------------------------------------------------


def zoo_model(d2l):
    """The framework's own VGG-19 with random weights, or None if there is none."""
    from d2lcv.backends import backend

    try:
        model = backend.style.zoo_vgg19(pretrained=False)
    except ValueError:
        return None
    if hasattr(model, "initialize"):  # where layers learn their sizes from a batch
        model.initialize()
        model(d2l.zeros((1, 3, 32, 32)))
    return model


def test_imagenet_weights_are_those_of_the_frameworks_own(d2l, monkeypatch):
    """Its own network and ours give the same, with the same random weights."""
    from d2lcv.backends import backend

    model = zoo_model(d2l)
    if model is None:
        with pytest.raises(ValueError, match="file with torchvision's"):
            d2l.style_network("imagenet")
        return
    monkeypatch.setattr(backend.style, "zoo_vgg19", lambda pretrained: model)
    net = d2l.style_network("imagenet")
    X = d2l.tensor(f32(2 * uniform(712, 1, 3, 64, 48) - 1))
    indices = [1, 4, 6, 11, 20, 26]  # after ReLUs, which may work in place
    expected, _ = d2l.extract_features(X, indices, [], model.features)
    found, _ = d2l.extract_features(X, indices, [], net)
    for i, Y, Y_expected in zip(indices, found, expected, strict=True):
        limit = np.abs(d2l.numpy(Y_expected)).max()
        assert limit > 0, i
        np.testing.assert_allclose(
            d2l.numpy(Y), d2l.numpy(Y_expected), rtol=0, atol=1e-4 * limit
        )


@pytest.fixture(scope="module")
def vgg_file(d2l, tmp_path_factory):
    d2l.seed(5)
    net = d2l.VGG19(29)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    return d2l.save_weights(net, path), d2l.get_weights(net)


def test_style_network_of_a_file(d2l, vgg_file):
    path, weights = vgg_file
    for name, array in d2l.get_weights(d2l.style_network(path)).items():
        np.testing.assert_array_equal(array, weights[name])


def test_style_network_of_a_file_with_the_names_of_torchvision(d2l, vgg_file, tmp_path):
    from safetensors.numpy import save_file

    _, weights = vgg_file
    theirs = {f"features.{name}": array for name, array in weights.items()}
    theirs["features.34.bias"] = np.zeros(512, np.float32)
    theirs["classifier.0.weight"] = np.zeros((8, 8), np.float32)
    save_file(theirs, tmp_path / "theirs.safetensors")
    net = d2l.style_network(tmp_path / "theirs.safetensors")
    for name, array in d2l.get_weights(net).items():
        np.testing.assert_array_equal(array, weights[name])


def test_style_network_exception_of_a_file(d2l, tmp_path):
    path = d2l.save_weights(d2l.VGG19(29, 4), tmp_path / "narrow.safetensors")
    with pytest.raises(ValueError, match=r"narrow\.safetensors: (?s:.)*0\.weight"):
        d2l.style_network(path)
    path = d2l.save_weights(d2l.cls_predictor(3, 1, 1), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"missing: 28\.bias"):
        d2l.style_network(path)
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        d2l.style_network(tmp_path / "none.safetensors")


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("no route")])
def test_style_network_exception_without_a_connection(d2l, monkeypatch, error):
    from d2lcv.backends import backend

    def fail(pretrained):
        assert pretrained
        raise error

    monkeypatch.setattr(backend.style, "zoo_vgg19", fail)
    with pytest.raises(ConnectionError, match=r"no route.*path of a file.*'random'"):
        d2l.style_network("imagenet")


# ---- features ------------------------------------------------------------------------


def test_extract_features_order_and_default(d2l):
    X = d2l.tensor(f32(uniform(713, 1, 3, 32, 32)))
    contents, styles = d2l.extract_features(X, [7, 2], [10, 0, 7])
    assert [Y.shape[1] for Y in contents] == [8, 16]  # in the order of the network
    assert [Y.shape[1] for Y in styles] == [8, 16, 32]
    own, _ = d2l.extract_features(X, [2, 7], [], d2l.style_network("random"))
    for Y, Y_own in zip(contents, own, strict=True):
        np.testing.assert_array_equal(d2l.numpy(Y), d2l.numpy(Y_own))


@pytest.mark.parametrize("layers", [([], []), ([29], [0]), ([0], [-1])])
def test_extract_features_exception(d2l, layers):
    with pytest.raises(ValueError, match="_layers: expected "):
        d2l.extract_features(d2l.zeros((1, 3, 32, 32)), *layers)
    with pytest.raises(ValueError, match=r"X: expected shape"):
        d2l.extract_features(d2l.zeros((1, 1, 32, 32)), [0], [0])


# ---- losses --------------------------------------------------------------------------


def test_gram_forgets_places(d2l):
    X = f32(uniform(714, 1, 5, 6, 7))
    shuffled = X.reshape(1, 5, 42)[:, :, ::-1].reshape(1, 5, 6, 7)
    G, other = (d2l.numpy(d2l.gram(d2l.tensor(x))) for x in (X, shuffled))
    np.testing.assert_allclose(G, other, atol=1e-6)
    np.testing.assert_allclose(G, G.T, atol=1e-7)
    assert np.linalg.eigvalsh(G).min() > -1e-6


def test_losses_of_equal_pictures_are_zero(d2l):
    X = d2l.tensor(f32(uniform(715, 1, 5, 6, 7)))
    assert float(d2l.numpy(d2l.content_loss(X, X))) == 0
    assert float(d2l.numpy(d2l.style_loss(X, d2l.gram(X)))) == 0
    assert float(d2l.numpy(d2l.tv_loss(d2l.ones((1, 3, 4, 5))))) == 0


def test_losses_exception(d2l):
    X = d2l.zeros((1, 5, 6, 7))
    with pytest.raises(ValueError, match=r"\(1, 5, 6, 7\) and \(1, 5, 6, 8\)"):
        d2l.content_loss(X, d2l.zeros((1, 5, 6, 8)))
    with pytest.raises(
        ValueError, match=r"gram_Y: expected shape \(C, C\) with C = 5, got \(4, 4\)"
    ):
        d2l.style_loss(X, d2l.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"X: expected shape \(1, C, H, W\)"):
        d2l.gram(d2l.zeros((2, 5, 6, 7)))
    with pytest.raises(ValueError, match="two rows and columns"):
        d2l.tv_loss(d2l.zeros((1, 3, 1, 7)))
    with pytest.raises(TypeError, match="Y: expected a tensor"):
        d2l.content_loss(X, np.zeros((1, 5, 6, 7)))
    with pytest.raises(ValueError, match=r"styles_Y_gram: .* got 1 and 2"):
        d2l.compute_loss(d2l.zeros((1, 3, 6, 7)), [X], [X], [X], [X, X])


def test_signatures_are_those_of_the_book(d2l):
    expected = {
        "preprocess": ["img", "image_shape"],
        "postprocess": ["img"],
        "extract_features": ["X", "content_layers", "style_layers"],
        "content_loss": ["Y_hat", "Y"],
        "gram": ["X"],
        "style_loss": ["Y_hat", "gram_Y"],
        "tv_loss": ["Y_hat"],
        "compute_loss": [
            *("X", "contents_Y_hat", "styles_Y_hat", "contents_Y", "styles_Y_gram")
        ],
        "SynthesizedImage": ["img_shape"],
    }
    for name, wanted in expected.items():
        found = list(inspect.signature(getattr(d2l, name)).parameters)
        assert found[: len(wanted)] == wanted, name


# ---- the picture that is trained -----------------------------------------------------


def test_synthesized_image_value(d2l):
    start = f32(uniform(716, 1, 3, 8, 9))
    for given in (start, d2l.tensor(start)):
        image = d2l.SynthesizedImage(start.shape, start=given)
        np.testing.assert_array_equal(d2l.numpy(image()), start)
        np.testing.assert_array_equal(d2l.numpy(d2l.predict(image)), start)
        assert list(d2l.get_weights(image)) == ["weight"]


def test_synthesized_image_of_noise(d2l):
    images = []
    for seed in (6, 6, 7):
        d2l.seed(seed)
        images.append(d2l.numpy(d2l.SynthesizedImage((1, 3, 40, 50))()))
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).mean() > 0.99
    assert images[0].min() >= 0 and images[0].max() <= 1
    counts, _ = np.histogram(images[0], bins=4, range=(0, 1))
    assert counts.min() > 0.9 * images[0].size / 4


def test_synthesized_image_exception(d2l):
    with pytest.raises(ValueError, match=r"start: .*\(1, 3, 4, 5\).*\(1, 3, 5, 4\)"):
        d2l.SynthesizedImage((1, 3, 4, 5), start=np.zeros((1, 3, 5, 4)))


def test_transfer_lowers_the_style_loss(d2l):
    losses, picture = cases.style.run(d2l, 40, 0.1)
    style = losses[:, 2]
    assert style[-1] < style[0] / 10
    assert losses[0, 1] < 1e-9 < losses[-1, 1] < style[0]
    assert picture.min() >= 0 and picture.max() <= 1
    # the content is still there: bright where it was bright
    content = cases.style.picture(650).mean(2)
    small = np.asarray(Image.fromarray(content).resize((56, 48))).reshape(-1)
    assert np.corrcoef(small, picture.mean(2).reshape(-1))[0, 1] > 0.5
