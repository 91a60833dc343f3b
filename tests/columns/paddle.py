"""PaddlePaddle, as its readers write it."""

import signal
import subprocess
import sys

import paddle
import pytest
from paddle import nn
from paddle.nn import functional as F

from . import ANCHORS, DETECTION, LABEL, STEPS, WORKED

ZOO = ("paddle.vision.models", "resnet{}")
REFUSED = dict.fromkeys(
    """
    assign_anchor_to_bbox multibox_detection multibox_target roi_align roi_pool
    yolo_detection yolo_target
    """.split(),
    "expected sizes that are known while a step is compiled",
)
COMPILES, MUTABLE, CHANNELS_FIRST = False, True, True
BFLOAT16 = False
NAMES = ("paddle",)
METHODS = (".transpose(", ".astype(", ".clear_grad()", ".abs()", "stop_gradient")
TOKENS = {
    "step": ["loss.backward()", "optimizer.step()", "optimizer.clear_grad()"],
    "prediction": ["paddle.no_grad"],
    "loading": ["paddle.io", "DataLoader", "Dataset"],
    "convolution": ["nn.Conv2D"],
    "upsampling": ["nn.Conv2DTranspose"],
    "loss": ["F.cross_entropy"],
    "library": ["paddle.vision"],
}


def reader(d2l):
    device, seen = d2l.try_gpu(), {}

    boxes = paddle.to_tensor(WORKED["box_corner_to_center"]["boxes"])
    back = d2l.box_center_to_corner(d2l.box_corner_to_center(boxes))
    seen["round_trip"] = (back == boxes).all().item()

    img = d2l.cat_and_dog()
    h, w = img.shape[:2]
    X = paddle.rand(shape=(1, 3, h, w))
    Y = d2l.multibox_prior(X, sizes=[0.75, 0.5, 0.25], ratios=[1, 2, 0.5])
    seen["prior"] = Y.shape, Y.reshape((h, w, 5, 4))[250, 250, :, :].numpy()
    bbox_scale = paddle.to_tensor((w, h, w, h), dtype="float32")
    fig = d2l.plt.imshow(img)
    d2l.show_bboxes(
        fig.axes, Y.reshape((h, w, 5, 4))[250, 250] * bbox_scale, ["s=0.75, r=1"] * 5
    )

    ground_truth = paddle.to_tensor(LABEL, place=device)
    anchors = paddle.to_tensor(ANCHORS, place=device)
    jaccard = d2l.box_iou(anchors, ground_truth[:, 1:])
    owner = paddle.full((anchors.shape[0],), -1, dtype="int64")
    best, which = jaccard.max(axis=1), jaccard.argmax(axis=1)
    enough = paddle.nonzero(best >= 0.5).flatten()
    owner[enough] = which[enough]
    for _ in range(ground_truth.shape[0]):
        index = paddle.argmax(jaccard).item()
        anchor, box = divmod(index, jaccard.shape[1])
        owner[anchor] = box
        jaccard[:, box] = -1
        jaccard[anchor, :] = -1
    seen["own"] = owner.numpy()
    assigned = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], anchors, device, 0.5)
    owner[assigned >= 0] = 7
    seen["assigned"], seen["masked"] = assigned.numpy(), owner.numpy()

    labels = d2l.multibox_target(
        anchors.unsqueeze(axis=0), ground_truth.unsqueeze(axis=0)
    )
    labels[0][labels[1] == 0] = 0.0
    seen["target"] = [x.numpy() for x in labels]

    anchors = paddle.to_tensor(DETECTION["anchors"][0])
    cls_probs = paddle.to_tensor(DETECTION["cls_probs"][0])
    conf, class_id = paddle.max(cls_probs[1:], 0), paddle.argmax(cls_probs[1:], 0)
    keep = d2l.nms(anchors, conf, 0.5)
    both = paddle.concat((keep, paddle.arange(len(anchors), dtype=keep.dtype)))
    values, counts = both.unique(return_counts=True)
    class_id[values[counts == 1]] = -1
    seen["classes"] = class_id[keep].numpy(), class_id.numpy()
    offset_preds = paddle.to_tensor([0] * anchors.numel().item())
    output = d2l.multibox_detection(
        cls_probs.unsqueeze(axis=0),
        offset_preds.unsqueeze(axis=0),
        anchors.unsqueeze(axis=0),
        nms_threshold=0.5,
    )
    for row in output[0].detach().numpy():
        if row[0] == -1:
            continue
        label = ("dog=", "cat=")[int(row[0])] + str(row[1])
        d2l.show_bboxes(fig.axes, [paddle.to_tensor(row[2:]) * bbox_scale], label)
    seen["detection"] = output.numpy()

    images, targets = d2l.read_data_bananas(True)
    seen["read"] = tuple(images[0].shape), tuple(targets.shape)
    train_iter, _ = d2l.load_data_bananas(4)
    own_iter = paddle.io.DataLoader(
        d2l.BananasDataset(is_train=False), batch_size=2, return_list=True
    )
    seen["own_batch"] = [tuple(x.shape) for x in next(iter(own_iter()))]
    batch = next(iter(train_iter()))
    imgs = (batch[0][0:4].transpose((0, 2, 3, 1))) / 255
    axes = d2l.show_images(imgs, 1, 4, scale=2)
    for ax, label in zip(axes, batch[1][0:4], strict=True):
        d2l.show_bboxes(ax, [label[0][1:5] * 64], colors=["w"])

    net = d2l.TinySSD(num_classes=1)
    trainer = paddle.optimizer.SGD(
        learning_rate=0.05, parameters=net.parameters(), weight_decay=5e-4
    )
    cls_loss = nn.CrossEntropyLoss(reduction="none")
    bbox_loss = nn.L1Loss(reduction="none")
    timer, metric, losses = d2l.Timer(), d2l.Accumulator(4), []
    X, Y = batch
    for _ in range(STEPS):
        timer.start()
        net.train()
        trainer.clear_grad()
        anchors, cls_preds, bbox_preds = net(X)
        bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(anchors, Y)
        cls = cls_loss(cls_preds.reshape((-1, 2)), cls_labels.reshape((-1,)))
        bbox = bbox_loss(bbox_preds * bbox_masks, bbox_labels * bbox_masks)
        loss = cls.reshape((X.shape[0], -1)).mean(axis=1) + bbox.mean(axis=1)
        loss.mean().backward()
        trainer.step()
        right = d2l.cls_eval(cls_preds, cls_labels)
        error = d2l.bbox_eval(bbox_preds, bbox_labels, bbox_masks)
        metric.add(right, cls_labels.numel(), error, bbox_labels.numel())
        timer.stop()
        losses.append(loss.mean().item())
    seen["losses"] = losses
    seen["rates"] = 1 - metric[0] / metric[1], metric[2] / metric[3]

    net.eval()
    anchors, cls_preds, bbox_preds = net(X[:1])
    cls_probs = F.softmax(cls_preds, axis=2).transpose((0, 2, 1))
    output = d2l.multibox_detection(cls_probs, bbox_preds, anchors)
    idx = [i for i, row in enumerate(output[0]) if row[0] != -1]
    seen["found"] = output[0][idx].detach().numpy()
    return seen


def optimizer_and_losses(rate):
    def optimizer(net):
        return paddle.optimizer.SGD(rate, net.parameters())

    losses = [nn.CrossEntropyLoss(axis=1, reduction=r) for r in ("none", "mean", "sum")]
    return optimizer, losses


def adam(net, rate):
    groups = [{"params": [p]} for p in net.parameters()]
    return paddle.optimizer.AdamW(rate, beta1=0.8, beta2=0.9, parameters=groups)


def with_dropout(layer):
    return nn.Sequential(layer, nn.Dropout(0.5))


def exported(path):
    """The program in the file at `path`."""
    return paddle.no_grad()(paddle.jit.load(path).forward)


def compiled(net):
    """The net in evaluation mode, compiled."""
    return paddle.no_grad()(paddle.jit.to_static(net.eval(), full_graph=True))


def compiled_functions(function):
    def any_length(*inputs):
        """Compiled for any number of rows."""
        specs = [paddle.static.InputSpec([None, *x.shape[1:]], x.dtype) for x in inputs]
        whole = paddle.jit.to_static(function, input_spec=specs, full_graph=True)
        return whole(*inputs)

    return [paddle.jit.to_static(function, full_graph=True), any_length]


def mode(net):
    return [layer.training for layer in net.sublayers(include_self=True)]


def parts(net):
    return net.sublayers(include_self=True)


ARRAYS = """
import numpy as np
import d2lcv as d2l

X = d2l.tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
half, one, three = np.array(0.5), np.array(1), np.array(3)
for found, expected in [
    (d2l.linspace(half, one, three), [0.5, 0.75, 1]),
    (d2l.clip(X, half, np.array(2.0)), [[0.5, 1, 2], [2, 2, 2]]),
    (d2l.argmax(X, one), [2, 2]),
    (d2l.concat([X, X], one), [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]]),
    (d2l.transpose(X, np.array([1, 0])), [[0, 3], [1, 4], [2, 5]]),
    (d2l.zeros(np.array([1, 2])), [[0, 0]]),
]:
    np.testing.assert_array_equal(d2l.numpy(found), expected)
"""


def test_an_array_may_stand_for_a_number():
    """Paddle's own functions end the process."""
    done = subprocess.run(
        [sys.executable, "-c", ARRAYS], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    "name, values",
    [
        ("arange", [2**62]),
        ("eye", [2**31]),
        ("linspace", [0, 1, 2**62]),
        ("normal", [0.0, 1.0, (2**31, 2**31)]),
        ("ones", [(2**31, 2**31)]),
        ("rand", [2**62]),
        ("randn", [[2**62]]),
        ("zeros", [(2**31, 2**31)]),
    ],
)
def test_more_numbers_than_64_bits_count(d2l, name, values):
    """Paddle ends the process, or writes without end."""
    with pytest.raises(
        ValueError, match=f"{name}: expected a tensor that memory holds"
    ):
        getattr(d2l, name)(*values)


LOADED = """
import os, signal, sys


class CtrlC:
    def find_spec(self, name, *others):
        if name == "paddle.base.core":
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, CtrlC())
try:
    import d2lcv.backends.paddle
except KeyboardInterrupt:
    print("interrupted", hasattr(sys.modules["paddle"], "to_tensor"))
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="not on Windows")
def test_ctrl_c_waits_until_the_framework_is_loaded():
    """In the middle it would become an ImportError, as of a broken installation."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.split() == ["interrupted", "True"], done.stderr[-2000:]
