"""Image augmentation: each transform against its definition, draws, pipelines, loaders."""

import math

import numpy as np
import pytest
from PIL import Image

from d2lcv import randomness as draws
from d2lcv.proof import cases
from d2lcv.proof.case import compare
from d2lcv.proof.cases.augmentation import (
    IMAGES,
    everything,
    make_folder,
    photo,
    resized,
)

WIDE = IMAGES["wide"]


@pytest.mark.parametrize(
    "case",
    [c for c in cases.of_topic("augmentation") if not c.has_answer],
    ids=lambda case: case.name,
)
def test_case_that_other_backends_judge(case, d2l):
    """Here it must be repeatable, and not constant."""
    answer = case(d2l)
    compare(answer, case(d2l), case)
    images = np.concatenate([x for x in answer.values() if x.ndim == 4])
    assert len(np.unique(images.mean((1, 2, 3)))) == len(images)


def as_array(d2l, image):
    return d2l.numpy(image) if d2l.is_tensor(image) else np.asarray(image)


KINDS = {
    "tensor": lambda d2l, x: d2l.tensor(x),
    "float": lambda d2l, x: d2l.tensor(x.astype(np.float32)),
    "array": lambda d2l, x: x,
    "picture": lambda d2l, x: Image.fromarray(x),
}


@pytest.fixture(params=KINDS)
def make(request, d2l):
    """Make an image of each kind from an array."""
    return lambda x: KINDS[request.param](d2l, x)


# ---- what kind of image comes out ----------------------------------------------------

STEPS = [
    lambda d2l: d2l.RandomHorizontalFlip(0),
    lambda d2l: d2l.RandomVerticalFlip(1),
    lambda d2l: d2l.Resize(15),
    lambda d2l: d2l.Resize(WIDE.shape[:2]),
    lambda d2l: d2l.CenterCrop(9),
    lambda d2l: d2l.RandomCrop(9),
    lambda d2l: d2l.RandomResizedCrop(9),
    lambda d2l: d2l.ColorJitter(0.1, 0.1, 0.1, 0.1),
    lambda d2l: d2l.ColorJitter(),
    lambda d2l: d2l.PCALighting(),
]


@pytest.mark.parametrize("step", STEPS)
def test_an_image_stays_what_it_is(d2l, step):
    transform = step(d2l)
    for given in (WIDE, Image.fromarray(WIDE)):
        image = transform(given)
        assert isinstance(image, Image.Image) and image.mode == "RGB"
    for given in (d2l.tensor(WIDE), d2l.tensor(WIDE.astype(np.float32))):
        image = transform(given)
        assert d2l.is_tensor(image) and image.dtype == d2l.float32
        assert image.shape[2] == 3


@pytest.mark.parametrize("step", STEPS)
def test_the_given_image_is_not_changed(d2l, step):
    tensor, array, picture = d2l.tensor(WIDE), WIDE.copy(), Image.fromarray(WIDE)
    for given in (tensor, array, picture):
        step(d2l)(given)
    for given in (tensor, array, picture):
        np.testing.assert_array_equal(as_array(d2l, given), WIDE)


def test_tensors_and_pictures_differ_by_rounding(d2l):
    for transform, most in (
        (d2l.Resize((20, 30)), 1.001),
        (d2l.ColorJitter(brightness=(1.3, 1.3)), 1.001),
        (d2l.ColorJitter(contrast=(0.7, 0.7)), 1.001),
        (d2l.ColorJitter(saturation=(1.6, 1.6)), 1.5),
        (d2l.ColorJitter(hue=(0.2, 0.2)), 20.0),
    ):
        picture = as_array(d2l, transform(WIDE)).astype(float)
        tensor = d2l.numpy(transform(d2l.tensor(WIDE)))
        assert 0 < np.abs(picture - tensor).max() < most, transform


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_other_modes(d2l, mode):
    picture = Image.fromarray(WIDE).convert(mode)
    expected = np.asarray(picture.convert("RGB"))[:, ::-1]
    flipped = d2l.RandomHorizontalFlip(1)(picture)
    assert flipped.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(flipped), expected)
    tensor = d2l.numpy(d2l.ToTensor()(picture))
    np.testing.assert_allclose(
        tensor[:, :, ::-1], expected.transpose(2, 0, 1) / 255, 1e-6
    )


def test_grey_array(d2l):
    flipped = np.asarray(d2l.RandomVerticalFlip(1)(WIDE[..., 0]))
    np.testing.assert_array_equal(flipped, np.stack([WIDE[::-1, :, 0]] * 3, -1))


# ---- definitions ---------------------------------------------------------------------


def test_resize_of_a_step_and_a_constant(d2l, make):
    """Half the size: each new pixel is a mean of four old ones, weights 1, 3, 3, 1."""
    row = np.repeat([10, 210], 8)
    image = np.broadcast_to(row[None, :, None], (4, 16, 3)).astype(np.uint8)
    got = as_array(d2l, d2l.Resize((4, 8))(make(image)))
    expected = [10, 10, 10, 10 + 200 / 8, 210 - 200 / 8, 210, 210, 210]
    np.testing.assert_allclose(got[0, :, 0], expected, atol=0.5001)
    flat = as_array(d2l, d2l.Resize((7, 90))(make(np.full((31, 8, 3), 77, np.uint8))))
    np.testing.assert_allclose(flat, 77, atol=1e-3)


@pytest.mark.parametrize(
    "shape,size,new",
    [
        ((37, 53), 20, (20, 28)),
        ((53, 37), 20, (28, 20)),
        ((30, 30), 17, (17, 17)),
        ((10, 99), 20, (20, 198)),
        ((37, 53), (5, 6), (5, 6)),
        ((37, 53), [6, 5], (6, 5)),
    ],
)
def test_resize_shape(d2l, make, shape, size, new):
    image = make(np.zeros((*shape, 3), np.uint8))
    assert as_array(d2l, d2l.Resize(size)(image)).shape == (*new, 3)


def test_flips_happen_as_often_as_said(d2l, make):
    d2l.seed(1)
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = 200
    places = {"RandomHorizontalFlip": (0, 1), "RandomVerticalFlip": (1, 0)}
    for name, place in places.items():
        flip = getattr(d2l, name)(0.25)
        flipped = [as_array(d2l, flip(make(image)))[place][0] > 0 for _ in range(200)]
        assert 30 <= sum(flipped) <= 70  # 50 ± 3.3 standard deviations
    assert not any(
        as_array(d2l, d2l.RandomHorizontalFlip(0)(make(image)))[0, 1, 0]
        for _ in range(20)
    )


def numbered(height, width):
    """An image whose red is the row and whose green is the column."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, 0 * x], -1).astype(np.uint8)


def test_random_crop_is_anywhere(d2l, make):
    d2l.seed(2)
    image, crop = make(numbered(6, 9)), d2l.RandomCrop((4, 5))
    corners = set()
    for _ in range(400):
        part = as_array(d2l, crop(image))
        assert part.shape == (4, 5, 3)
        top, left = (int(v) for v in part[0, 0, :2])
        np.testing.assert_array_equal(
            part, numbered(6, 9)[top : top + 4, left : left + 5]
        )
        corners.add((top, left))
    assert corners == {(i, j) for i in range(3) for j in range(5)}


def boxes_of(crop, height, width, n):
    """Top, left, height and width of n random crops."""
    return np.array([crop.draw_box(draws.stream(), height, width) for _ in range(n)])


def test_random_resized_crop_draws(d2l):
    d2l.seed(3)
    crop = d2l.RandomResizedCrop(8, scale=(0.2, 0.6), ratio=(0.5, 2.0))
    top, left, h, w = boxes_of(crop, 400, 400, 2000).T
    assert top.min() >= 0 and left.min() >= 0
    assert (top + h).max() <= 400 and (left + w).max() <= 400
    area, ratio = h * w / 160000, w / h
    assert 0.195 < area.min() < 0.21 and 0.59 < area.max() < 0.605
    assert abs(area.mean() - 0.4) < 0.01
    assert 0.49 < ratio.min() < 0.53 and 1.9 < ratio.max() < 2.03
    # as many are tall as are wide, in the logarithm; those that do not fit are few
    assert abs(np.log(ratio).mean()) < 0.05
    assert np.ptp(top / np.maximum(400 - h, 1)) > 0.98
    assert np.ptp(left / np.maximum(400 - w, 1)) > 0.98


@pytest.mark.parametrize(
    "shape,ratio,box",
    [
        ((10, 100), (1.0, 1.0), (0, 45, 10, 10)),
        ((100, 10), (1.0, 1.0), (45, 0, 10, 10)),
        ((100, 10), (0.5, 2.0), (40, 0, 20, 10)),
        ((10, 100), (0.5, 2.0), (0, 40, 10, 20)),
    ],
)
def test_random_resized_crop_of_what_does_not_fit(d2l, shape, ratio, box):
    """After ten attempts: the middle, as large as the aspect ratio allows."""
    crop = d2l.RandomResizedCrop(8, scale=(0.9, 1.0), ratio=ratio)
    np.testing.assert_array_equal(boxes_of(crop, *shape, 3), [box] * 3)


def test_random_resized_crop_value(d2l, make):
    """What comes out is the part, resized: here the whole image."""
    crop = d2l.RandomResizedCrop((8, 10), scale=(1.0, 1.0), ratio=(53 / 37, 53 / 37))
    got = as_array(d2l, crop(make(WIDE)))
    np.testing.assert_allclose(got, resized(WIDE, 8, 10), atol=1.0)


def test_color_jitter_draws(d2l):
    """Factors and order, seen through a pixel that is linear in the brightness."""
    d2l.seed(4)
    image = d2l.tensor(np.full((1, 1, 3), 100, np.uint8))
    jitter = d2l.ColorJitter(brightness=0.4)
    factors = [float(d2l.numpy(jitter(image))[0, 0, 0]) / 100 for _ in range(400)]
    assert 0.6 <= min(factors) < 0.61 and 1.39 < max(factors) <= 1.4
    assert abs(np.mean(factors) - 1) < 0.04
    jitter = d2l.ColorJitter(brightness=3)  # not below 0
    factors = [float(d2l.numpy(jitter(image))[0, 0, 0]) / 100 for _ in range(200)]
    assert min(factors) < 0.1 and max(factors) == pytest.approx(2.55)


def test_color_jitter_order(d2l):
    """Brightness before contrast is not contrast before brightness: both happen."""
    d2l.seed(5)
    jitter = d2l.ColorJitter(brightness=(2.0, 2.0), contrast=(0.5, 0.5))
    image = np.array([[[200, 200, 200], [20, 20, 20]]], np.uint8)
    results = {tuple(np.asarray(jitter(image))[0, :, 0].tolist()) for _ in range(60)}
    # twice as bright, then half way to the mean of (255, 40); or to that of (200, 20)
    assert results == {(201, 94), (255, 130)}
    orders = {
        tuple(
            n for n, _ in d2l.ColorJitter(0.5, 0.5, 0.5, 0.5).draw_steps(draws.stream())
        )
        for _ in range(600)
    }
    assert len(orders) == 24


def test_color_jitter_against_its_parts(d2l):
    """All four together are the four alone, in the order that was drawn."""
    jitter = d2l.ColorJitter(0.4, 0.4, 0.4, 0.2)
    d2l.seed(6)
    steps = jitter.draw_steps(draws.stream())
    d2l.seed(6)
    got = d2l.numpy(jitter(d2l.tensor(WIDE)))
    x = WIDE.astype(np.float64)
    for name, amount in steps:
        x = cases.augmentation.ADJUSTED[name](x, amount)
    assert len(steps) == 4
    np.testing.assert_allclose(got, x, atol=1e-2)


def test_pca_lighting_value(d2l):
    """One colour is added everywhere; over many images they have ImageNet's covariance."""
    d2l.seed(7)
    image = np.full((2, 3, 3), 128, np.uint8)
    light = d2l.PCALighting(0.2)
    added = []
    for _ in range(1500):
        got = d2l.numpy(light(d2l.tensor(image))) - 128
        assert np.abs(got - got[0, 0]).max() == 0
        added.append(got[0, 0])
    vectors = np.array(
        [
            [-0.5675, 0.7192, 0.4009],
            [-0.5808, -0.0045, -0.8140],
            [-0.5836, -0.6948, 0.4203],
        ]
    )
    values = np.array([55.46, 4.794, 1.148]) * 0.2
    expected = vectors @ np.diag(values**2) @ vectors.T
    np.testing.assert_allclose(np.cov(np.array(added).T), expected, rtol=0.1)
    picture = np.asarray(light(image)).astype(int)
    assert (picture == picture[0, 0]).all() and np.asarray(
        light(image)
    ).dtype == np.uint8


def test_pca_lighting_is_clipped(d2l, make):
    d2l.seed(8)
    for level in (0, 255):
        light = d2l.PCALighting(5.0)
        got = as_array(d2l, light(make(np.full((2, 2, 3), level, np.uint8))))
        assert got.min() >= 0 and got.max() <= 255


def test_to_tensor_is_the_last_of_an_image(d2l):
    tensor = d2l.ToTensor()(WIDE)
    assert tuple(tensor.shape) == (3, 37, 53) and tensor.dtype == d2l.float32
    with pytest.raises(ValueError, match=r"^image: .*\(H, W, 3\).*before ToTensor"):
        d2l.Resize(8)(tensor)


def test_normalize_undoes(d2l):
    mean, std = d2l.IMAGENET_MEAN, d2l.IMAGENET_STD
    x = np.array([mean, np.add(mean, std)], np.float32)  # pixels (2, 3)
    got = d2l.Normalize(mean, std)(d2l.tensor(x.T.reshape(3, 2, 1)))
    np.testing.assert_allclose(d2l.numpy(got)[:, :, 0], [[0, 1]] * 3, atol=1e-5)


def test_compose_takes_any_callable(d2l):
    seen = []

    def look(image):
        seen.append(image.size)
        return image

    transform = d2l.Compose([look, d2l.CenterCrop(5), look, d2l.ToTensor(), d2l.numpy])
    got = transform(Image.fromarray(WIDE))
    assert seen == [(53, 37), (5, 5)] and type(got) is np.ndarray
    assert d2l.Compose([])(WIDE) is WIDE


def test_repr_says_the_settings(d2l):
    transform = d2l.Compose([d2l.RandomResizedCrop(8), d2l.ColorJitter(hue=0.1)])
    for part in ("RandomResizedCrop(size=8, scale=(0.08, 1.0)", "hue=(-0.1, 0.1)"):
        assert part in repr(transform)


# ---- draws ---------------------------------------------------------------------------


def ten(d2l, transform):
    return np.stack([d2l.numpy(transform(WIDE)) for _ in range(10)])


def test_equal_seeds_give_equal_images(d2l):
    def run(seed):
        d2l.seed(seed)
        return ten(d2l, everything(d2l))

    first, again, other = run(1), run(1), run(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first.mean((1, 2, 3)))) == 10


def test_draws_are_those_of_numpy(d2l):
    """What a reader computes by hand from the documented stream is what is drawn."""
    d2l.seed(9)
    coins = draws.stream().random(50) < 0.5
    d2l.seed(9)
    flip = d2l.RandomHorizontalFlip()
    flipped = [not np.array_equal(np.asarray(flip(WIDE)), WIDE) for _ in range(50)]
    np.testing.assert_array_equal(flipped, coins)
    assert 5 < sum(flipped) < 45


def test_weights_do_not_depend_on_augmentation(d2l):
    d2l.seed(1)
    expected = d2l.get_weights(d2l.cls_predictor(2, 1, 1))
    d2l.seed(1)
    ten(d2l, everything(d2l))
    got = d2l.get_weights(d2l.cls_predictor(2, 1, 1))
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)


def test_stream_of_an_example(d2l):
    d2l.seed(3)
    alone = draws.stream().random()
    d2l.seed(3)
    with draws.stream_of(12):
        inside = draws.stream().random()
        assert draws.stream().random() != inside  # it goes on
    with draws.stream_of(12):
        assert draws.stream().random() == inside
    with draws.stream_of(13):
        assert draws.stream().random() != inside
    assert draws.stream().random() == alone  # nothing was taken from it


# ---- loaders -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("pictures") / "set")


def epochs(d2l, dataset, count=2, **options):
    """{epoch: {index: image}} of a loader, by way of a label that is the index."""
    loader = d2l.loader(Numbered(dataset), 4, **options)
    return [
        {
            int(i): image
            for images, indices in loader
            for i, image in zip(d2l.numpy(indices), d2l.numpy(images), strict=True)
        }
        for _ in range(count)
    ]


class Numbered:
    """A set with the index in the place of the label."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def example(self, i):
        return self.dataset.example(i)[0], np.array(i)


def test_loader_draws_are_of_the_example(d2l, folder):
    """Neither the order nor the size of the batches has a part in them."""
    dataset = d2l.ImageFolder(folder, everything(d2l))

    def run(dataset=dataset, **options):
        d2l.seed(5)
        return epochs(d2l, dataset, **options)

    shuffled, sorted_ = run(shuffle=True), run(shuffle=False)
    assert list(shuffled[0]) != list(shuffled[1]) != list(sorted_[0])
    for epoch in range(2):
        assert sorted(shuffled[epoch]) == list(range(14)) == list(sorted_[epoch])
        for i, image in shuffled[epoch].items():
            np.testing.assert_array_equal(image, sorted_[epoch][i])
    for i in range(14):
        assert not np.array_equal(sorted_[0][i], sorted_[1][i])
    d2l.seed(6)
    assert not np.array_equal(epochs(d2l, dataset, 1)[0][0], sorted_[0][0])


def test_loader_leaves_the_process_its_draws(d2l, folder):
    """What is drawn outside while a loader reads ahead is as without it."""
    d2l.seed(7)
    expected = ten(d2l, everything(d2l))
    d2l.seed(7)
    for _ in d2l.loader(d2l.ImageFolder(folder, everything(d2l)), 4):
        pass
    np.testing.assert_array_equal(ten(d2l, everything(d2l)), expected)


def test_loader_gives_what_the_transform_gives(d2l, folder):
    """`example(i)` takes a short way for pictures: it leads to the same values."""
    mean, std = d2l.IMAGENET_MEAN, d2l.IMAGENET_STD
    endings = [
        [d2l.ToTensor()],
        [d2l.ToTensor(), d2l.Normalize(mean, std)],
        [d2l.ToTensor(), d2l.Normalize(mean, std), d2l.exp],
        [d2l.ToTensor(), d2l.exp, d2l.Normalize(mean, std)],
        [np.array, d2l.tensor, d2l.Resize((9, 9)), d2l.ToTensor()],
        [np.array, d2l.tensor, d2l.ToTensor(), d2l.Normalize(mean, std)],
    ]
    for ending in endings:
        dataset = d2l.ImageFolder(folder, d2l.Compose([d2l.Resize((8, 9)), *ending]))
        for i in (0, 9):
            image, label = dataset[i]
            array, number = dataset.example(i)
            assert d2l.is_tensor(image) and type(array) is np.ndarray
            assert array.dtype == np.float32 and label == number
            np.testing.assert_allclose(array, d2l.numpy(image), atol=1e-6)


# ---- what is refused -----------------------------------------------------------------


def test_loader_refuses_what_the_transform_refuses(d2l, folder):
    """One number does not become three on the short way."""
    steps = [d2l.Resize((8, 9)), d2l.ToTensor(), d2l.Normalize([0.5], [0.5])]
    dataset = d2l.ImageFolder(folder, d2l.Compose(steps))
    for read in (dataset.__getitem__, dataset.example):
        with pytest.raises(ValueError, match=r"image: expected shape \(1, H, W\)"):
            read(0)


@pytest.mark.parametrize(
    "make,match",
    [
        (lambda d2l: d2l.Resize(0), r"^size: .*got 0"),
        (lambda d2l: d2l.Resize((3, -1)), r"^size: .*got -1"),
        (lambda d2l: d2l.Resize((3, 4, 5)), r"^size: "),
        (lambda d2l: d2l.Resize(2.5), r"^size: .*2.5"),
        (lambda d2l: d2l.Resize((2.5, 2)), r"^size: "),
        (lambda d2l: d2l.CenterCrop(0), r"^size: "),
        (lambda d2l: d2l.RandomCrop((0, 3)), r"^size: "),
        (lambda d2l: d2l.RandomResizedCrop(-1), r"^size: "),
        (lambda d2l: d2l.RandomResizedCrop(8, scale=(0.5, 0.1)), r"^scale: .*low"),
        (lambda d2l: d2l.RandomResizedCrop(8, scale=(0, 1)), r"^scale: "),
        (lambda d2l: d2l.RandomResizedCrop(8, ratio=(-1, 1)), r"^ratio: "),
        (lambda d2l: d2l.RandomResizedCrop(8, ratio=(1, math.nan)), r"^ratio: "),
        (lambda d2l: d2l.RandomHorizontalFlip(1.5), r"^p: .*1.5"),
        (lambda d2l: d2l.RandomVerticalFlip(-0.5), r"^p: "),
        (lambda d2l: d2l.ColorJitter(brightness=-1), r"^brightness: "),
        (lambda d2l: d2l.ColorJitter(contrast=(0.5, 0.1)), r"^contrast: "),
        (lambda d2l: d2l.ColorJitter(saturation=(-0.5, 1)), r"^saturation: "),
        (lambda d2l: d2l.ColorJitter(hue=0.6), r"^hue: .*0.5"),
        (lambda d2l: d2l.ColorJitter(hue=(-0.6, 0)), r"^hue: "),
        (lambda d2l: d2l.PCALighting(-1), r"^std: "),
        (lambda d2l: d2l.Normalize([0.5] * 3, [0.5, 0.5]), r"^std: .*3.*got 2"),
        (lambda d2l: d2l.Normalize([0.5] * 3, [0.5, 0, 1]), r"^std: .*positive"),
    ],
)
def test_argument_exception(d2l, make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make(d2l)


@pytest.mark.parametrize("name", ["CenterCrop", "RandomCrop"])
@pytest.mark.parametrize("size", [54, (38, 3), (3, 54)])
def test_crop_of_too_small_an_image_exception(d2l, make, name, size):
    with pytest.raises(ValueError, match=r"^image: .*got 37 × 53.*Resize"):
        getattr(d2l, name)(size)(make(WIDE))


def test_image_exception(d2l):
    flip = d2l.RandomHorizontalFlip()
    for wrong in (WIDE.astype(np.float32), WIDE[None], np.zeros((3, 3, 2), np.uint8)):
        with pytest.raises(TypeError, match=r"^image: .*uint8"):
            flip(wrong)
    for wrong in ("cat.jpg", [1, 2], None):
        with pytest.raises(TypeError, match=r"^image: "):
            flip(wrong)
    for shape in ((3, 8, 9), (8, 9), (1, 8, 9, 3)):
        with pytest.raises(ValueError, match=r"^image: .*\(H, W, 3\), got "):
            flip(d2l.zeros(shape))
    with pytest.raises(TypeError, match=r"^image: "):
        d2l.Normalize([0.5] * 3, [0.5] * 3)(WIDE)
    with pytest.raises(ValueError, match=r"^image: .*\(3, H, W\)"):
        d2l.Normalize([0.5] * 3, [0.5] * 3)(d2l.zeros((8, 9, 3)))


def test_photo_is_a_photo():
    """The images of the cases have colours to adjust and edges to resample."""
    image = photo(1, 40, 30)
    assert (
        image.std((0, 1)).min() > 20 and np.ptp(image.astype(int), axis=-1).max() > 100
    )


def test_framework_transforms(d2l):
    """Each picture comes out in another way, of the size asked for, from 0 to 1."""
    d2l.seed(0)
    own, picture = d2l.framework_transforms(20, 30), Image.fromarray(WIDE)
    made = np.stack([d2l.numpy(own(picture)) for _ in range(4)])
    assert made.shape == (4, 3, 20, 30) and made.dtype == np.float32
    assert made.min() >= 0 and 0.5 < made.max() <= 1
    assert all(np.abs(made[0] - other).mean() > 0.01 for other in made[1:])
