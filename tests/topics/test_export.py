"""The nets compile, and what is saved in the framework's own format gives the same."""

import json

import numpy as np
import pytest

from d2lcv.proof.inputs import f32, uniform

NETS = {
    "TinySSD": lambda d2l: d2l.TinySSD(2),
    "TinyYOLO": lambda d2l: d2l.TinyYOLO(3),
    "TinyRCNN": lambda d2l: d2l.TinyRCNN(2),  # the first stage
    "resnet18": lambda d2l: d2l.resnet18(10, 3, width=8),
    "ResNet": lambda d2l: d2l.ResNet(34, 10, width=8),
    "FCN": lambda d2l: d2l.FCN(5, d2l.ResNet(18, 10, width=8), 8),
    "VGG19": lambda d2l: d2l.VGG19(width=8),
    "style_network": lambda d2l: d2l.style_network(),
}


@pytest.mark.parametrize("name", NETS)
def test_exported_net_gives_the_same(d2l, native, tmp_path, name):
    d2l.seed(0)
    net, X = NETS[name](d2l), d2l.tensor(f32(255 * uniform(600, 2, 3, 64, 96)))
    expected = arrays(d2l, d2l.predict(net, X))
    path = d2l.export(net, tmp_path / "net", tuple(X.shape[2:]))
    for outputs in native.exported(net, X, path):
        found = arrays(d2l, outputs)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            scale = max(1, np.abs(b).max())
            np.testing.assert_allclose(a, b, atol=1e-5 * scale, rtol=0)


def test_what_an_export_says(d2l, native, tmp_path):
    """A trained net in training mode; the file beside says what its pixels are."""
    net = d2l.ResNet(18, 2, width=4)
    net.classes, net.image_size = ("ape", "bee"), (64, 96)
    path = d2l.export(net, tmp_path / "net")
    about = json.loads((tmp_path / "about-net.json").read_text())
    assert about["kind"] == "ResNet" and about["classes"] == ["ape", "bee"]
    assert about["input"] == [None, 3, 64, 96] and about["scaling"][0][0] == 0.485
    assert about["outputs"] == [[None, 2]]
    X = d2l.tensor(f32(uniform(601, 3, 3, 64, 96)))  # three pictures, of one exported
    expected = d2l.numpy(d2l.predict(net, X))
    for outputs in native.exported(net, X, path):
        (found,) = arrays(d2l, outputs)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_export_exception(d2l, tmp_path):
    with pytest.raises(TypeError, match="net: expected"):
        d2l.export(3, tmp_path / "net")
    with pytest.raises(TypeError, match="path: expected"):
        d2l.export(d2l.TinySSD(1), 3)
    with pytest.raises(ValueError, match="image_size: expected"):
        d2l.export(d2l.TinySSD(1), tmp_path / "net", (1, 2, 3))
    assert not list(tmp_path.iterdir())


def arrays(d2l, outputs):
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [d2l.numpy(x) for x in outputs]
