"""Initial weights, and weights that travel through files."""

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from d2lcv.randomness import current_seed


def block_shapes(path, in_channels, out_channels):
    """A down-sampling block: convolution, batch norm, ReLU, twice; then pooling."""
    shapes = {}
    for place, channels in ((0, in_channels), (3, out_channels)):
        shapes[f"{path}.{place}.weight"] = (out_channels, channels, 3, 3)
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{path}.{place + 1}.{name}"] = (out_channels,)
    return shapes


def tiny_ssd_shapes(num_classes):
    """Every tensor of TinySSD, written out from its description."""
    shapes = {
        **block_shapes("blocks.0.0", 3, 16),
        **block_shapes("blocks.0.1", 16, 32),
        **block_shapes("blocks.0.2", 32, 64),
        **block_shapes("blocks.1", 64, 128),
        **block_shapes("blocks.2", 128, 128),
        **block_shapes("blocks.3", 128, 128),
    }
    for i, channels in enumerate((64, 128, 128, 128, 128)):
        for head, outputs in (("cls", 4 * (num_classes + 1)), ("bbox", 16)):
            shapes[f"{head}_predictors.{i}.weight"] = (outputs, channels, 3, 3)
            shapes[f"{head}_predictors.{i}.bias"] = (outputs,)
    return shapes


@pytest.fixture(scope="module")
def net(d2l):
    """A TinySSD that no test changes."""
    d2l.seed(0)
    return d2l.TinySSD(2)


@pytest.fixture
def small(d2l):
    """A convolution, 3 → 4 channels, that a test may change."""
    return d2l.cls_predictor(3, 2, 1)


def check_equal(got, expected):
    assert list(got) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


# ---- the canonical layout ------------------------------------------------------------


def test_canonical_shape(d2l, net):
    found = d2l.get_weights(net)
    assert {k: v.shape for k, v in found.items()} == tiny_ssd_shapes(2)
    for name, array in found.items():
        assert type(array) is np.ndarray and array.dtype == np.float32, name


@pytest.mark.parametrize(
    "make,shapes",
    [
        ("cls_predictor", {"weight": (22, 5, 3, 3), "bias": (22,)}),
        ("bbox_predictor", {"weight": (8, 5, 3, 3), "bias": (8,)}),
        ("down_sample_blk", None),
        ("base_net", None),
    ],
)
def test_canonical_shape_of_parts(d2l, make, shapes):
    arguments = {
        "cls_predictor": (5, 2, 10),
        "bbox_predictor": (5, 2),
        "down_sample_blk": (5, 6),
        "base_net": (),
    }
    if make == "down_sample_blk":
        shapes = {k[1:]: v for k, v in block_shapes("", 5, 6).items()}
    if make == "base_net":
        names = {"0": (3, 16), "1": (16, 32), "2": (32, 64)}
        shapes = {}
        for path, channels in names.items():
            shapes |= block_shapes(path, *channels)
    found = d2l.get_weights(getattr(d2l, make)(*arguments[make]))
    assert {k: v.shape for k, v in found.items()} == shapes


def test_kernels_are_out_in_height_width(d2l):
    """A kernel with one weight that is not 0 moves the image to where it must."""
    net = d2l.cls_predictor(2, 1, 2)  # 2 → 3 channels
    kernel = np.zeros((3, 2, 3, 3), np.float32)
    kernel[2, 1, 0, 2] = 5  # out 2, in 1, the row above, the column to the right
    d2l.set_weights(net, {"weight": kernel, "bias": np.float32([0, 0.5, 0])})
    image = np.arange(40, dtype=np.float32).reshape(1, 2, 4, 5)
    expected = np.zeros((1, 3, 4, 5), np.float32)
    expected[0, 1] = 0.5
    expected[0, 2, 1:, :-1] = 5 * image[0, 1, :-1, 1:]
    np.testing.assert_allclose(d2l.numpy(net(d2l.tensor(image))), expected, rtol=1e-6)


# ---- initial values ------------------------------------------------------------------


def test_equal_seeds_equal_nets(d2l):
    def draw(n):
        d2l.seed(n)
        nets = d2l.cls_predictor(3, 2, 1), d2l.cls_predictor(3, 2, 1)
        return [d2l.get_weights(net)["weight"] for net in nets]

    first, second = draw(7)
    again, second_again = draw(7)
    other, _ = draw(8)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(second, second_again)
    assert (first != second).all() and (first != other).all()


def test_seed_value(d2l):
    """The very numbers: the same on every backend, and from release to release."""
    d2l.seed(0)
    kernel = d2l.get_weights(d2l.cls_predictor(2, 1, 1))["weight"].ravel()
    np.testing.assert_allclose(
        kernel[:3], [0.3302243, -0.04835146, 0.33184764], rtol=1e-6
    )
    np.testing.assert_allclose(kernel.sum(dtype=np.float64), 2.9278377, rtol=1e-6)
    d2l.seed(1)
    other = d2l.get_weights(d2l.base_net())
    np.testing.assert_allclose(
        other["2.3.weight"][5, 6, 1], [-0.01508857, -0.03590551, 0.04854583], rtol=1e-6
    )


def test_tensors_of_a_net_differ(d2l, net):
    found = d2l.get_weights(net)
    a, b = found["blocks.2.0.weight"], found["blocks.2.3.weight"]
    assert a.shape == b.shape and (a != b).mean() > 0.999
    assert len(np.unique(a)) > 0.9 * a.size


def test_initial_statistics(d2l, net):
    for name, array in d2l.get_weights(net).items():
        if array.ndim == 4:
            out, inp, height, width = array.shape
            bound = np.sqrt(6 / (height * width * (out + inp)))
            assert np.abs(array).max() <= bound * (1 + 1e-6), name
            assert np.abs(array).max() > 0.98 * bound, name
            # five standard deviations of the mean and of the mean square
            n = array.size
            assert abs(array.mean()) < 5 * bound / np.sqrt(3 * n), name
            square = (array.astype(np.float64) ** 2).mean()
            assert abs(square - bound**2 / 3) < 5 * bound**2 * np.sqrt(4 / 45 / n), name
        else:
            is_one = name.endswith((".running_var", ".weight"))
            np.testing.assert_array_equal(array, float(is_one), err_msg=name)


def test_initialize_again(d2l, small):
    before = d2l.get_weights(small)
    assert d2l.initialize(small) is small
    after = d2l.get_weights(small)
    assert (before["weight"] != after["weight"]).all()


@pytest.mark.parametrize("n", [-1, -(2**40)])
def test_seed_exception(d2l, n):
    with pytest.raises(ValueError, match=f"^n: .*at least 0, got {n}"):
        d2l.seed(n)


@pytest.mark.parametrize("n", [0, 2**31, 2**32 + 5, 2**63 - 1])
def test_seed_of_any_size(d2l, n):
    d2l.seed(n)
    assert current_seed() == n


# ---- reading and writing a net -------------------------------------------------------


def test_get_weights_is_a_copy(d2l, small):
    first = d2l.get_weights(small)
    first["weight"][:] = 9
    assert (d2l.get_weights(small)["weight"] != 9).all()


def test_get_weights_stays_when_the_net_moves_on(d2l, small):
    first = d2l.get_weights(small)
    kept = {k: v.copy() for k, v in first.items()}
    d2l.set_weights(small, {k: v + 1 for k, v in kept.items()})
    check_equal(first, kept)


def test_set_weights_value(d2l, small):
    shapes = {"weight": (4, 3, 3, 3), "bias": (4,)}
    rng = np.random.default_rng(0)
    given = {k: rng.normal(size=v) for k, v in shapes.items()}  # float64
    assert d2l.set_weights(small, dict(reversed(given.items()))) is small
    got = d2l.get_weights(small)
    for name, array in given.items():
        np.testing.assert_array_equal(got[name], array.astype(np.float32))
    given["weight"][:] = 0  # the net's own are not the caller's
    assert (d2l.get_weights(small)["weight"] != 0).all()


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_nets_of_other_numbers(d2l, tmp_path, kind):
    """Files are float32, and what a net computes in is its own."""
    net, other = d2l.conv2d(3, 4, 3), d2l.conv2d(3, 4, 3)
    own = {
        "float16": ("half", "cast", "astype"),
        "float64": ("double", "cast", "astype"),
    }
    method = next((m for m in own[kind] if hasattr(net, m)), None)
    if method is None:
        pytest.skip("its layers keep the numbers they were made of")
    getattr(net, method)(*([] if method == own[kind][0] else [kind]))
    before = d2l.get_weights(net)
    d2l.load_weights(other, d2l.save_weights(net, tmp_path / "net.safetensors"))
    check_equal(d2l.get_weights(other), before)
    d2l.load_weights(net, tmp_path / "net.safetensors")
    check_equal(d2l.get_weights(net), before)


def test_set_weights_of_any_memory_order(d2l, small):
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32).transpose(3, 2, 0, 1)
    bias = np.arange(8, dtype=np.float32)[::-2]
    bias.flags.writeable = False
    d2l.set_weights(small, {"weight": kernel, "bias": bias})
    got = d2l.get_weights(small)
    np.testing.assert_array_equal(got["weight"], kernel)
    np.testing.assert_array_equal(got["bias"], [7, 5, 3, 1])
    x = rng.normal(size=(1, 3, 3, 3)).astype(np.float32)
    middle = d2l.numpy(small(d2l.tensor(x)))[0, :, 1, 1]
    np.testing.assert_allclose(middle, (kernel * x).sum((1, 2, 3)) + bias, rtol=1e-4)


def misfits(good):
    """{what is said of it: weights that are not of the net}"""
    weight, bias = good["weight"], good["bias"]
    return {
        "missing: bias": {"weight": weight + 1},
        "missing: weight": {},
        "not in this net: more": {"weight": weight + 1, "bias": bias, "more": bias},
        "bias: the net has shape (4,), given is (5,)": {
            "weight": weight + 1,
            "bias": np.zeros(5, np.float32),
        },
        "weight: the net has shape (4, 3, 3, 3), given is (3, 3, 3, 4)": {
            "bias": bias + 1,
            "weight": weight.transpose(2, 3, 1, 0),
        },
        "bias: the net has shape (4,), given is ()": {
            "weight": weight + 1,
            "bias": np.float32(1),
        },
    }


MISFITS = list(misfits({"weight": np.zeros((4, 3, 3, 3)), "bias": np.zeros(4)}))


@pytest.mark.parametrize("said", MISFITS)
def test_set_weights_exception(d2l, small, said):
    before = d2l.get_weights(small)
    with pytest.raises(ValueError) as error:
        d2l.set_weights(small, misfits(before)[said])
    lines = {line.strip() for line in str(error.value).splitlines()[1:]}
    assert lines == {said} | ({"missing: bias"} if "missing" in said else set())
    check_equal(d2l.get_weights(small), before)


def test_set_weights_lists_all(d2l, small):
    with pytest.raises(ValueError) as error:
        d2l.set_weights(small, {"weight": np.zeros((1, 1)), "a": 0, "b": 0})
    lines = [line.strip() for line in str(error.value).splitlines()]
    assert lines[1:] == [
        "missing: bias",
        "not in this net: a",
        "not in this net: b",
        "weight: the net has shape (4, 3, 3, 3), given is (1, 1)",
    ]


def test_set_weights_no_numbers_exception(d2l, small):
    before = d2l.get_weights(small)
    with pytest.raises(ValueError):
        d2l.set_weights(small, {"weight": before["weight"] + 1, "bias": list("text")})
    check_equal(d2l.get_weights(small), before)


# ---- files ---------------------------------------------------------------------------


def parse_safetensors(path):
    """The format by its specification: a length, a JSON header, and plain numbers."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    arrays, end = {}, 0
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        start, stop = entry["data_offsets"]
        values = np.frombuffer(data[8 + length + start : 8 + length + stop], "<f4")
        arrays[name] = values.reshape(entry["shape"])
        end = max(end, stop)
    assert len(data) == 8 + length + end
    return metadata, arrays


def craft(head, body=b""):
    head = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(head)) + head + body


def test_file_is_plain_safetensors(d2l, net, tmp_path):
    path = tmp_path / "a" / "b" / "net.safetensors"
    assert d2l.save_weights(net, path) == str(path)
    metadata, arrays = parse_safetensors(path)
    (about,) = map(json.loads, metadata.values())
    assert about == {
        "format": 2,
        "version": d2l.__version__,
        "kind": "TinySSD",
        "arguments": {"num_classes": 2},
    }
    assert {k: v.shape for k, v in arrays.items()} == tiny_ssd_shapes(2)
    for name, array in d2l.get_weights(net).items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    assert [p.name for p in path.parent.iterdir()] == ["net.safetensors"]


def test_file_repeats_byte_for_byte(d2l, small, tmp_path):
    files = [d2l.save_weights(small, tmp_path / f"{i}") for i in range(6)]
    assert len({Path(file).read_bytes() for file in files}) == 1


def test_file_of_others_loads(d2l, small, tmp_path):
    """Written by hand, in another order, without metadata."""
    weight = np.arange(108, dtype="<f4")
    bias = np.arange(4, dtype="<f4") + 0.5
    header = {
        "weight": {"dtype": "F32", "shape": [4, 3, 3, 3], "data_offsets": [0, 432]},
        "bias": {"dtype": "F32", "shape": [4], "data_offsets": [432, 448]},
    }
    path = tmp_path / "by-hand"
    path.write_bytes(craft(header, weight.tobytes() + bias.tobytes()))
    assert d2l.load_weights(small, str(path)) is small
    got = d2l.get_weights(small)
    np.testing.assert_array_equal(got["weight"].ravel(), weight)
    np.testing.assert_array_equal(got["bias"], bias)


def test_round_trip_after_training(d2l, tmp_path):
    """With the statistics of the batch norms; the copy predicts the same."""
    d2l.seed(0)
    net = d2l.down_sample_blk(3, 4)
    X = np.random.default_rng(0).normal(2, 3, (4, 3, 8, 8)).astype(np.float32)
    X = d2l.tensor(X)
    trainer = d2l.Trainer(net, "adam", lr=0.01)
    for _ in range(3):
        trainer.step(lambda X: (d2l.reduce_mean(net(X) ** 2), None), X)
    trained = d2l.get_weights(net)
    assert (np.abs(trained["1.running_mean"]) > 0.01).any()
    assert (np.abs(trained["4.running_var"] - 1) > 0.01).any()
    assert (trained["1.weight"] != 1).any() and (trained["4.bias"] != 0).any()

    path = d2l.save_weights(net, tmp_path / "block")
    copy = d2l.down_sample_blk(3, 4)
    d2l.load_weights(copy, path)
    check_equal(d2l.get_weights(copy), trained)
    expected = d2l.numpy(d2l.predict(net, X))
    np.testing.assert_array_equal(d2l.numpy(d2l.predict(copy, X)), expected)
    assert np.abs(expected).max() > 0

    # the copy is not tied to the net, nor to the file
    trainer.step(lambda X: (d2l.reduce_mean(net(X) ** 2), None), X)
    check_equal(d2l.get_weights(copy), trained)
    d2l.load_weights(net, path)
    check_equal(d2l.get_weights(net), trained)


@pytest.mark.parametrize("said", MISFITS)
def test_load_misfit_exception(d2l, small, tmp_path, said):
    from safetensors.numpy import save_file

    before = d2l.get_weights(small)
    path = tmp_path / "misfit"
    arrays = misfits(before)[said]
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, path)
    with pytest.raises(ValueError) as error:
        d2l.load_weights(small, path)
    assert str(error.value).startswith(f"{path}: ")
    if said.endswith("is ()"):
        said = said.replace("()", "(1,)")  # NumPy's contiguous scalar
    assert said in str(error.value)
    check_equal(d2l.get_weights(small), before)


BIAS = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
WEIGHT = {"dtype": "F32", "shape": [4, 3, 3, 3], "data_offsets": [16, 448]}
BODY = np.ones(112, np.float32).tobytes()
HEAD = {"bias": BIAS, "weight": WEIGHT}

ATTACKS = {
    "empty": b"",
    "shorter than a length": b"\x10\x00\x00",
    "a length and no header": struct.pack("<Q", 100),
    "a length beyond all files": struct.pack("<Q", 2**63) + b"{}",
    "noise": np.random.default_rng(0).bytes(4096),
    "zeros": bytes(4096),
    "text": b"these are not weights\n" * 20,
    "no JSON": craft(b"not JSON at all"),
    "not UTF-8": craft(b"\xff\xfe\x00{}"),
    "a list": craft([1, 2, 3]),
    "truncated by one byte": craft(HEAD, BODY[:-1]),
    "truncated in the middle": craft(HEAD, BODY)[:300],
    "one byte more": craft(HEAD, BODY + b"\x00"),
    "overlapping": craft({**HEAD, "bias": {**BIAS, "data_offsets": [4, 20]}}, BODY),
    "beyond the end": craft(
        {**HEAD, "weight": {**WEIGHT, "data_offsets": [16, 10**9]}}, BODY
    ),
    "a shape that is not its size": craft(
        {**HEAD, "weight": {**WEIGHT, "shape": [4, 3, 3, 30]}}, BODY
    ),
    "a negative shape": craft(
        {**HEAD, "weight": {**WEIGHT, "shape": [-4, -3, 3, 3]}}, BODY
    ),
    "an unknown type": craft({**HEAD, "weight": {**WEIGHT, "dtype": "F99"}}, BODY),
    "a type that NumPy lacks": craft(
        {**HEAD, "weight": {**WEIGHT, "dtype": "BF16", "data_offsets": [16, 232]}},
        BODY[:232],
    ),
    "an eight-bit float": craft(
        {**HEAD, "weight": {**WEIGHT, "dtype": "F8_E4M3", "data_offsets": [16, 124]}},
        BODY[:124],
    ),
    "integers": craft({**HEAD, "weight": {**WEIGHT, "dtype": "I32"}}, BODY),
    "a pickle": pickle.dumps({"weight": np.zeros((4, 3, 3, 3)), "bias": np.zeros(4)}),
}


def test_attacks_are_near_misses(d2l, small, tmp_path):
    """The file that the attacks are made from is a good one."""
    path = tmp_path / "good"
    path.write_bytes(craft(HEAD, BODY))
    d2l.load_weights(small, path)
    assert (d2l.get_weights(small)["weight"] == 1).all()


@pytest.mark.parametrize("attack", ATTACKS)
def test_load_exception(d2l, small, tmp_path, attack):
    before = d2l.get_weights(small)
    path = tmp_path / "attack.safetensors"
    path.write_bytes(ATTACKS[attack])
    with pytest.raises(ValueError) as error:
        d2l.load_weights(small, path)
    assert str(path) in str(error.value)
    check_equal(d2l.get_weights(small), before)


def test_load_truncated_exception(d2l, net, tmp_path):
    """A file of our own that was cut off anywhere."""
    whole = Path(d2l.save_weights(net, tmp_path / "whole")).read_bytes()
    before = d2l.get_weights(net)["cls_predictors.0.weight"]
    path = tmp_path / "cut"
    for length in (1, 8, 9, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            d2l.load_weights(net, path)
    after = d2l.get_weights(net)["cls_predictors.0.weight"]
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", ["nowhere", "folder"])
def test_load_missing_exception(d2l, small, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError, match=name):
        d2l.load_weights(small, tmp_path / name)


class Attack:
    """Unpickled, it makes a file."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return Path.touch, (self.flag,)


def test_pickle_is_not_executed(d2l, small, tmp_path):
    flag, path = tmp_path / "executed", tmp_path / "attack"
    path.write_bytes(pickle.dumps(Attack(flag)))
    with pytest.raises(ValueError):
        d2l.load_weights(small, path)
    assert not flag.exists()
    pickle.loads(path.read_bytes())  # it would have worked
    assert flag.exists()


@pytest.mark.parametrize("where", ["write_bytes", "replace"])
def test_failed_save_leaves_the_old_file(d2l, small, tmp_path, monkeypatch, where):
    path = tmp_path / "net.safetensors"
    d2l.save_weights(small, path)
    old = path.read_bytes()
    d2l.initialize(small)

    def fail(self, *arguments):
        if where == "write_bytes":
            with open(self, "wb") as file:  # a disk that is full after some bytes
                file.write(arguments[0][:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, where, fail)
    with pytest.raises(OSError, match="no space left"):
        d2l.save_weights(small, path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    d2l.save_weights(small, path)
    assert path.read_bytes() != old


def test_save_over_a_folder_exception(d2l, small, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        d2l.save_weights(small, tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
