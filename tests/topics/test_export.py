"""The nets compile, and what is saved in the framework's own format gives the same."""

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
    for outputs in native.exported(net, X, tmp_path):
        found = arrays(d2l, outputs)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            scale = max(1, np.abs(b).max())
            np.testing.assert_allclose(a, b, atol=1e-5 * scale, rtol=0)


def arrays(d2l, outputs):
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [d2l.numpy(x) for x in outputs]
