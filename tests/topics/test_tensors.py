"""The vocabulary, each name against NumPy, in every way the chapters may call it."""

import ast

import numpy as np
import pytest

from d2lcv import tensors
from d2lcv.tensors import VOCABULARY

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4)).astype(np.float32)
POSITIVE = RNG.uniform(0.1, 4, size=(2, 3, 4)).astype(np.float32)

COVERED = set()


def covers(*names):
    """Note which names a test is about; `test_whole_vocabulary_is_covered` counts."""
    COVERED.update(names)
    return lambda test: test


def check(d2l, got, expected, dtype="float32", atol=1e-6, exact=False):
    """`got` is a native tensor with these values, this shape and this type."""
    assert d2l.is_tensor(got)
    array = d2l.numpy(got)
    expected = np.asarray(expected)
    assert tuple(got.shape) == array.shape == expected.shape
    assert array.dtype == dtype
    if exact:
        np.testing.assert_array_equal(array, expected)
    else:
        np.testing.assert_allclose(array, expected, rtol=1e-6, atol=atol)


# ---- make ----------------------------------------------------------------------------


@covers("tensor", "float32", "int32", "int64")
@pytest.mark.parametrize("name", ["float32", "int32", "int64"])
@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], ((1, 2), (3, 4)), [1.0], 5, []])
def test_tensor_value(d2l, data, name):
    got = d2l.tensor(data, dtype=getattr(d2l, name))
    check(d2l, got, np.array(data, name), dtype=name, exact=True)
    assert got.dtype == getattr(d2l, name)


@pytest.mark.parametrize("data", [0.1, [0.1, 2.0], [[1.5], [2.5]], [1, 2.5]])
def test_tensor_of_python_floats(d2l, data):
    check(d2l, d2l.tensor(data), np.array(data, np.float32), exact=True)


@pytest.mark.parametrize("data", [7, [1, 2], [[0], [-1]]])
def test_tensor_of_python_integers(d2l, data):
    got = d2l.numpy(d2l.tensor(data))
    assert got.dtype.kind == "i"
    np.testing.assert_array_equal(got, data)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8"])
def test_tensor_of_array(d2l, dtype):
    data = np.arange(6).reshape(2, 3).astype(dtype)
    check(d2l, d2l.tensor(data), data, dtype=dtype, exact=True)
    check(d2l, d2l.tensor(data, dtype=d2l.float32), data, exact=True)
    check(d2l, d2l.tensor(data[:, ::-1]), data[:, ::-1], dtype=dtype, exact=True)


@pytest.mark.parametrize("kind", ["int8", "int16", "uint16", "uint32", "uint64"])
def test_tensor_of_any_integers(d2l, kind):
    """Those that a framework lacks become wider ones."""
    data = np.array([0, 1, 100 if kind == "int8" else 30000], kind) * (
        1 + ("u" in kind)
    )
    np.testing.assert_array_equal(d2l.numpy(d2l.tensor(data)), data)


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (2, 0, 3)])
def test_tensor_shape(d2l, shape):
    check(d2l, d2l.tensor(np.ones(shape, np.float32)), np.ones(shape), exact=True)


def test_tensor_of_tensors(d2l):
    a = d2l.tensor([1.0, 2.0])
    check(d2l, d2l.tensor(a), [1, 2], exact=True)
    check(d2l, d2l.tensor(a, dtype=d2l.int32), [1, 2], dtype="int32", exact=True)
    check(d2l, d2l.tensor([a, a]), [[1, 2], [1, 2]], exact=True)


def test_tensor_is_a_copy(d2l):
    data = np.ones(3, np.float32)
    got = d2l.tensor(data)
    data[:] = 7
    check(d2l, got, np.ones(3), exact=True)


@covers("zeros", "ones")
@pytest.mark.parametrize("shape", [(2, 3), (4,), (), (0, 5), [1, 2]])
def test_zeros_ones_value(d2l, shape):
    check(d2l, d2l.zeros(shape), np.zeros(shape), exact=True)
    check(d2l, d2l.ones(shape), np.ones(shape), exact=True)
    got = d2l.ones(shape, dtype=d2l.int32)
    check(d2l, got, np.ones(shape), dtype="int32", exact=True)


@covers("arange", "eye", "linspace")
def test_ranges_value(d2l):
    for n in (0, 1, 5):
        got = d2l.numpy(d2l.arange(n))
        np.testing.assert_array_equal(got, np.arange(n))
    check(d2l, d2l.eye(3), np.eye(3), exact=True)
    check(d2l, d2l.linspace(-2, 2, 101), np.linspace(-2, 2, 101))
    check(d2l, d2l.linspace(0.01, 1, 100), np.linspace(0.01, 1, 100))


@covers("meshgrid")
def test_meshgrid_value(d2l):
    got = d2l.meshgrid(d2l.tensor([0.0, 1.0]), d2l.tensor([5.0, 6.0, 7.0]))
    expected = np.meshgrid([0, 1], [5, 6, 7], indexing="ij")
    assert len(got) == 2
    for a, b in zip(got, expected, strict=True):
        check(d2l, a, b, exact=True)


@covers("rand", "randn", "normal")
def test_random_statistics(d2l):
    d2l.seed(0)
    n = 40_000
    uniform, gauss = d2l.rand((n,)), d2l.randn((n // 4, 4))
    shifted = d2l.normal(3.0, 0.5, (2, n // 2))
    for x, shape, mean, std in (
        (uniform, (n,), 0.5, 12**-0.5),
        (gauss, (n // 4, 4), 0, 1),
        (shifted, (2, n // 2), 3, 0.5),
    ):
        array = d2l.numpy(x)
        assert array.shape == shape and array.dtype == np.float32
        # five standard deviations of the mean and of the standard deviation
        assert abs(array.mean() - mean) < 5 * std / n**0.5
        assert abs(array.std() - std) < 5 * std / n**0.5
        assert len(np.unique(array)) > 0.9 * n
    array = d2l.numpy(uniform)
    assert 0 <= array.min() < 0.001 and 0.999 < array.max() <= 1


def test_random_repeats_by_seed(d2l):
    def draw():
        return [d2l.numpy(f((5,))) for f in (d2l.rand, d2l.randn)]

    d2l.seed(3)
    first, second = draw(), draw()
    d2l.seed(3)
    again = draw()
    d2l.seed(4)
    other = draw()
    for a, b, c, d in zip(first, again, second, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).all() and (a != d).all()


# ---- shape ---------------------------------------------------------------------------


@covers("reshape", "transpose", "size")
def test_reshape_transpose_value(d2l):
    x = d2l.tensor(POSITIVE)
    for shape in ((4, 6), (-1,), (2, -1), (3, 1, 8)):
        check(d2l, d2l.reshape(x, shape), POSITIVE.reshape(shape), exact=True)
    check(d2l, d2l.transpose(x), POSITIVE.T, exact=True)
    for axes in ((0, 2, 1), (2, 0, 1), [1, 0, 2]):
        check(d2l, d2l.transpose(x, axes), POSITIVE.transpose(axes), exact=True)
    got = d2l.reshape(d2l.transpose(x, (0, 2, 1)), (2, 12))
    check(d2l, got, POSITIVE.transpose(0, 2, 1).reshape(2, 12), exact=True)


@pytest.mark.parametrize("shape", [(2, 3), (0, 4), (5,), ()])
def test_size_value(d2l, shape):
    got = d2l.size(d2l.zeros(shape))
    assert type(got) is int
    assert got == np.zeros(shape).size


@covers("stack", "concat")
@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_stack_concat_value(d2l, axis, kind):
    arrays = [X, X + 1, X * 2]
    xs = kind(d2l.tensor(a) for a in arrays)
    check(d2l, d2l.stack(xs, axis=axis), np.stack(arrays, axis), exact=True)
    check(d2l, d2l.concat(xs, axis=axis), np.concatenate(arrays, axis), exact=True)
    check(d2l, d2l.concat(xs, axis), np.concatenate(arrays, axis), exact=True)
    if axis == 0:
        check(d2l, d2l.stack(xs), np.stack(arrays), exact=True)
        check(d2l, d2l.concat(xs), np.concatenate(arrays), exact=True)


# ---- compute -------------------------------------------------------------------------


def np_sigmoid(x):
    return 1 / (1 + np.exp(-x))


def np_softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


ELEMENTWISE = {
    "exp": (np.exp, X),
    "log": (np.log, POSITIVE),
    "sin": (np.sin, X),
    "cos": (np.cos, X),
    "tanh": (np.tanh, X),
    "abs": (np.abs, X),
    "sqrt": (np.sqrt, POSITIVE),
    "sigmoid": (np_sigmoid, X),
    "relu": (lambda x: np.maximum(x, 0), X),
}


@covers(*ELEMENTWISE)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_value(d2l, name):
    function, data = ELEMENTWISE[name]
    got = getattr(d2l, name)(d2l.tensor(data))
    check(d2l, got, function(data.astype(np.float64)), atol=1e-6)


@covers("matmul", "maximum", "minimum", "where", "clip")
def test_of_several_value(d2l):
    a, b = d2l.tensor(X), d2l.tensor(X[::-1].copy())
    check(d2l, d2l.matmul(a, d2l.transpose(b)), X @ X[::-1].T, atol=1e-5)
    check(d2l, d2l.maximum(a, b), np.maximum(X, X[::-1]), exact=True)
    check(d2l, d2l.minimum(a, b), np.minimum(X, X[::-1]), exact=True)
    check(d2l, d2l.where(a > b, a, b), np.maximum(X, X[::-1]), exact=True)
    check(d2l, d2l.where(a > 0, a, d2l.zeros((1,))), np.maximum(X, 0), exact=True)
    check(d2l, d2l.where(a > 0, a, 0.0), np.maximum(X, 0), exact=True)
    check(d2l, d2l.where(a > 0, 0.0, a), np.minimum(X, 0), exact=True)
    for function, slope in (
        (lambda x: d2l.where(x > 0, 2 * x, 0.0), 2.0 * (X > 0)),
        (lambda x: d2l.where(x > 0, 0.0, 2 * x), 2.0 * (X <= 0)),
    ):
        (gradient,) = d2l.gradients(lambda x, f=function: d2l.reduce_sum(f(x)), a)
        check(d2l, gradient, slope.astype(np.float32), exact=True)
    check(d2l, d2l.clip(a, -0.5, 0.25), X.clip(-0.5, 0.25), exact=True)


@covers("softmax")
@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_softmax_value(d2l, axis):
    got = d2l.softmax(d2l.tensor(POSITIVE), axis)
    check(d2l, got, np_softmax(POSITIVE.astype(np.float64), axis))
    large = d2l.softmax(d2l.tensor([[1e4, 0.0], [-1e4, -1e4]]), -1)
    check(d2l, large, [[1, 0], [0.5, 0.5]])


@covers("reduce_sum", "reduce_mean", "argmax")
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_reduce_value(d2l, axis):
    x, exact = d2l.tensor(POSITIVE), POSITIVE.astype(np.float64)
    check(d2l, d2l.reduce_sum(x, axis), exact.sum(axis), atol=1e-4)
    check(d2l, d2l.reduce_sum(x, axis=axis), exact.sum(axis), atol=1e-4)
    check(d2l, d2l.reduce_mean(x, axis), exact.mean(axis))
    got = d2l.numpy(d2l.argmax(x, axis))
    np.testing.assert_array_equal(got, POSITIVE.argmax(axis))
    if axis is None:
        check(d2l, d2l.reduce_sum(x), exact.sum(), atol=1e-4)
        check(d2l, d2l.reduce_mean(x), exact.mean())
        assert int(d2l.numpy(d2l.argmax(x))) == POSITIVE.argmax()


def test_argmax_first_of_equals(d2l):
    x = d2l.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    np.testing.assert_array_equal(d2l.numpy(d2l.argmax(x, 1)), [1, 0])


def test_arithmetic_value(d2l):
    """Operators that the chapters use on tensors and numbers, and on both."""
    a, b = d2l.tensor(X), d2l.tensor(X + 3)
    check(d2l, 1 - a, 1 - X)
    check(d2l, (2 * a - b) / 4, (2 * X - (X + 3)) / 4)
    check(d2l, -(a**2) + a * b, -(X**2) + X * (X + 3), atol=1e-5)
    check(d2l, a[1:, 0], X[1:, 0], exact=True)
    check(d2l, a[:1], X[:1], exact=True)
    assert len(a) == 3
    np.testing.assert_array_equal(d2l.numpy(a > b - 3.5), np.full(X.shape, True))


# ---- convert -------------------------------------------------------------------------


@covers("numpy")
def test_numpy_is_a_copy_of_its_own(d2l):
    x = d2l.tensor(X)
    array = d2l.numpy(x)
    assert type(array) is np.ndarray and array.flags.writeable
    array[:] = 9
    check(d2l, x, X, exact=True)


def test_numpy_detaches(d2l):
    """A tensor inside a graph is converted without a word, and stays in the graph."""
    net, inside = d2l.cls_predictor(1, 1, 1), []
    kernel = d2l.get_weights(net)["weight"]
    image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)

    def step(x):
        y = net(x)
        inside.append(d2l.numpy(y))
        return d2l.reduce_sum(y), None

    trainer = d2l.Trainer(net, "sgd", lr=1.0, eager=True)
    trainer.step(step, d2l.tensor(image))
    (values,) = inside
    middle = (kernel[:, 0] * image[0, 0]).sum((1, 2))
    np.testing.assert_allclose(values[0, :, 1, 1], middle, rtol=1e-5)
    # nine pixels each gave the bias a gradient of 1
    np.testing.assert_allclose(d2l.get_weights(net)["bias"], [-9, -9], rtol=1e-6)


@covers("astype", "as_float", "is_tensor")
def test_types_value(d2l):
    x = d2l.tensor([1.0, 2.7, -1.2])
    check(d2l, d2l.astype(x, d2l.int32), [1, 2, -1], dtype="int32", exact=True)
    check(d2l, d2l.astype(x, d2l.int64), [1, 2, -1], dtype="int64", exact=True)
    check(d2l, d2l.astype(x > 0, d2l.float32), [1, 1, 0], exact=True)
    whole = d2l.tensor(np.array([1, 2]), dtype=d2l.int64)
    check(d2l, d2l.as_float(whole), [1, 2], exact=True)
    double = d2l.tensor(np.array([0.1]))
    for real in (x, double):
        assert d2l.as_float(real).dtype == real.dtype


def test_is_tensor_value(d2l):
    assert d2l.is_tensor(d2l.zeros((1,))) is True
    for other in (np.zeros(1), [1.0], 1.0, None, "tensor"):
        assert d2l.is_tensor(other) is False


# ---- devices -------------------------------------------------------------------------


@covers("try_gpu", "try_all_gpus", "device_name", "to", "synchronize")
def test_devices(d2l):
    devices = d2l.try_all_gpus()
    assert isinstance(devices, list) and len(devices) >= 1
    assert d2l.try_gpu() == devices[0]
    assert d2l.device_name() == d2l.device_name(devices[0])
    assert isinstance(d2l.device_name(), str) and d2l.device_name()
    cpu = d2l.try_gpu(1000)
    assert d2l.device_name(cpu) == "cpu"
    if len(devices) == 1 and d2l.device_name() == "cpu":
        assert devices == [cpu]
    assert d2l.synchronize() is None


def test_to_value(d2l):
    x = d2l.tensor(X)
    for device in (*d2l.try_all_gpus(), d2l.try_gpu(1000)):
        check(d2l, d2l.to(x, device), X, exact=True)
        check(d2l, d2l.tensor(X, device=device), X, exact=True)
        check(d2l, d2l.zeros((2,), device=device), np.zeros(2), exact=True)


def test_to_net(d2l):
    net = d2l.cls_predictor(1, 1, 1)
    before = d2l.get_weights(net)
    moved = d2l.to(net, d2l.try_gpu())
    after = d2l.get_weights(moved)
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])
    y = moved(d2l.zeros((1, 1, 2, 2), device=d2l.try_gpu()))
    assert tuple(y.shape) == (1, 2, 2, 2)


# ---- the list ------------------------------------------------------------------------


def test_whole_vocabulary_is_covered():
    assert set(VOCABULARY) == COVERED


def test_vocabulary_says_how_each_is_called_and_what_it_does():
    for name, text in VOCABULARY.items():
        signature, _, about = text.partition(": ")
        assert about.endswith("."), name
        assert bool(signature) == callable(getattr(tensors, name)) or not signature
        if signature:
            ast.parse(f"def {name}{signature}: ...")


def test_module_attribute_exception():
    with pytest.raises(AttributeError, match="no_such_name"):
        tensors.no_such_name  # noqa: B018
    assert set(VOCABULARY) <= set(dir(tensors))
