"""PyTorch, as its readers write it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models._meta import _IMAGENET_CATEGORIES

from d2lcv.backends.torch.layers import GappedConv2d
from d2lcv.classification import DATA

from . import ANCHORS, DETECTION, LABEL, STEPS, WORKED

ZOO = ("torchvision.models", "resnet{}")
REFUSED: dict[str, str] = {}
COMPILES, MUTABLE, CHANNELS_FIRST = False, True, True
BFLOAT16 = True
NAMES = ("torch",)
METHODS = (
    ".new_zeros(",
    ".permute(",
    ".flip(",
    ".float()",
    ".abs()",
    ".backward()",
    ".requires_grad_(",
    "reduction=",
)
TOKENS = {
    "step": ["loss.backward()", "optimizer.step()", "optimizer.zero_grad()"],
    "prediction": ["torch.no_grad"],
    "loading": ["DataLoader", "Dataset"],
    "convolution": ["nn.Conv2d"],
    "upsampling": ["nn.ConvTranspose2d"],
    "loss": ["F.cross_entropy"],
    "library": ["torchvision"],
}


def reader(d2l):
    device, seen = d2l.try_gpu(), {}

    boxes = torch.tensor(WORKED["box_corner_to_center"]["boxes"])
    back = d2l.box_center_to_corner(d2l.box_corner_to_center(boxes))
    seen["round_trip"] = (back == boxes).all().item()

    img = d2l.cat_and_dog()
    h, w = img.shape[:2]
    X = torch.rand(size=(1, 3, h, w))
    Y = d2l.multibox_prior(X, sizes=[0.75, 0.5, 0.25], ratios=[1, 2, 0.5])
    seen["prior"] = Y.shape, Y.reshape(h, w, 5, 4)[250, 250, :, :].numpy()
    bbox_scale = torch.tensor((w, h, w, h))
    fig = d2l.plt.imshow(img)
    d2l.show_bboxes(
        fig.axes, Y.reshape(h, w, 5, 4)[250, 250] * bbox_scale, ["s=0.75, r=1"] * 5
    )

    ground_truth = torch.tensor(LABEL, device=device)
    anchors = torch.tensor(ANCHORS, device=device)
    jaccard = d2l.box_iou(anchors, ground_truth[:, 1:])
    owner = torch.full((anchors.shape[0],), -1, dtype=torch.long, device=device)
    best, which = torch.max(jaccard, dim=1)
    owner[best >= 0.5] = which[best >= 0.5]
    for _ in range(ground_truth.shape[0]):
        index = torch.argmax(jaccard).item()
        anchor, box = divmod(index, jaccard.shape[1])
        owner[anchor] = box
        jaccard[:, box] = -1
        jaccard[anchor, :] = -1
    seen["own"] = owner.cpu().numpy().copy()
    assigned = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], anchors, device, 0.5)
    owner[assigned >= 0] = 7  # used as a mask
    seen["assigned"], seen["masked"] = assigned.cpu().numpy(), owner.cpu().numpy()

    labels = d2l.multibox_target(
        anchors.unsqueeze(dim=0), ground_truth.unsqueeze(dim=0)
    )
    labels[0][labels[1] == 0] = 0.0
    seen["target"] = [x.cpu().numpy() for x in labels]

    anchors = torch.tensor(DETECTION["anchors"][0])
    cls_probs = torch.tensor(DETECTION["cls_probs"][0])
    conf, class_id = torch.max(cls_probs[1:], 0)
    keep = d2l.nms(anchors, conf, 0.5)
    both = torch.cat((keep, torch.arange(len(anchors))))
    values, counts = both.unique(return_counts=True)
    class_id[values[counts == 1]] = -1
    seen["classes"] = class_id[keep].numpy(), class_id.numpy()
    offset_preds = torch.tensor([0] * anchors.numel())
    output = d2l.multibox_detection(
        cls_probs.unsqueeze(dim=0),
        offset_preds.unsqueeze(dim=0),
        anchors.unsqueeze(dim=0),
        nms_threshold=0.5,
    )
    for row in output[0].detach().numpy():
        if row[0] == -1:
            continue
        label = ("dog=", "cat=")[int(row[0])] + str(row[1])
        d2l.show_bboxes(fig.axes, [torch.tensor(row[2:]) * bbox_scale], label)
    seen["detection"] = output.numpy()

    images, targets = d2l.read_data_bananas(True)
    seen["read"] = tuple(images[0].shape), tuple(targets.shape)
    train_iter, _ = d2l.load_data_bananas(4)
    own_iter = torch.utils.data.DataLoader(d2l.BananasDataset(is_train=False), 2)
    seen["own_batch"] = [tuple(x.shape) for x in next(iter(own_iter))]
    batch = next(iter(train_iter))
    imgs = (batch[0][0:4].permute(0, 2, 3, 1)) / 255
    axes = d2l.show_images(imgs, 1, 4, scale=2)
    for ax, label in zip(axes, batch[1][0:4], strict=True):
        d2l.show_bboxes(ax, [label[0][1:5] * 64], colors=["w"])

    net = d2l.TinySSD(num_classes=1)
    net = net.to(device)
    trainer = torch.optim.SGD(net.parameters(), lr=0.05, weight_decay=5e-4)
    cls_loss = nn.CrossEntropyLoss(reduction="none")
    bbox_loss = nn.L1Loss(reduction="none")
    timer, metric, losses = d2l.Timer(), d2l.Accumulator(4), []
    features, target = batch
    for _ in range(STEPS):
        timer.start()
        net.train()
        trainer.zero_grad()
        X, Y = features.to(device), target.to(device)
        anchors, cls_preds, bbox_preds = net(X)
        bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(anchors, Y)
        cls = cls_loss(cls_preds.reshape(-1, 2), cls_labels.reshape(-1))
        bbox = bbox_loss(bbox_preds * bbox_masks, bbox_labels * bbox_masks)
        loss = cls.reshape(X.shape[0], -1).mean(dim=1) + bbox.mean(dim=1)
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
    cls_probs = F.softmax(cls_preds, dim=2).permute(0, 2, 1)
    output = d2l.multibox_detection(cls_probs, bbox_preds, anchors)
    idx = [i for i, row in enumerate(output[0]) if row[0] != -1]
    seen["found"] = output[0, idx].detach().cpu().numpy()
    return seen


def optimizer_and_losses(rate):
    def optimizer(net):
        return torch.optim.SGD(net.parameters(), lr=rate)

    losses = [nn.CrossEntropyLoss(reduction=r) for r in ("none", "mean", "sum")]
    return optimizer, [*losses, nn.functional.cross_entropy]


def adam(net, rate):
    return torch.optim.AdamW(net.parameters(), lr=rate, betas=(0.8, 0.9))


def with_dropout(layer):
    return nn.Sequential(layer, nn.Dropout(0.5))


def exported(path):
    """The program in the file at `path`."""
    return torch.no_grad()(torch.export.load(path).module())


def compiled(net):
    """The net in evaluation mode, compiled."""
    return torch.no_grad()(torch.compile(net.eval(), fullgraph=True, backend="eager"))


def compiled_functions(function):
    def exported(*inputs):
        module = nn.Module()
        module.forward = function
        return torch.export.export(module, inputs, strict=False).module()(*inputs)

    torch._dynamo.reset()  # each function is a first one
    # up to PyTorch 2.8 a reader has to ask for what has as many rows as it finds
    whole = torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True)
    return [
        *(
            whole(
                torch.compile(
                    function, fullgraph=True, backend="eager", dynamic=dynamic
                )
            )
            for dynamic in (False, True)
        ),
        exported,
    ]


def mode(net):
    return [module.training for module in net.modules()]


def parts(net):
    return net.modules()


@pytest.mark.parametrize("kind", ["cuda", "xpu", "mps"])
@pytest.mark.parametrize("choice", ["", "cpu", "gpu:1"])
def test_accelerators_of_every_maker(d2l, monkeypatch, kind, choice):
    monkeypatch.setattr(
        torch.accelerator, "current_accelerator", lambda: torch.device(kind)
    )
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setenv("D2L_DEVICE", choice)
    both, cpu = [torch.device(kind, 0), torch.device(kind, 1)], torch.device("cpu")
    if kind == "cuda" and choice != "cpu":  # hidden before PyTorch is loaded
        expected = both
    else:
        expected = {"": both, "cpu": [cpu], "gpu:1": both[1:]}[choice]
    assert d2l.try_all_gpus() == expected
    assert d2l.try_gpu() == expected[0] and d2l.try_gpu(2) == d2l.try_gpu(-1) == cpu
    if kind == "mps" and choice != "cpu":
        assert d2l.device_name() == "Apple GPU"


def test_without_an_accelerator_nobody_asks_for_its_kind(d2l, monkeypatch):
    """PyTorch 2.6 fails there."""

    def fails():
        raise RuntimeError("Cannot access accelerator device when none is available.")

    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    for name in ("current_accelerator", "device_count", "synchronize"):
        monkeypatch.setattr(torch.accelerator, name, fails)
    assert d2l.try_all_gpus() == [d2l.try_gpu()] == [torch.device("cpu")]
    d2l.synchronize()


def test_imagenet_classes_are_torchvisions(d2l):
    ours = (DATA / "imagenet_classes.txt").read_text(encoding="utf-8")
    assert ours.splitlines() == _IMAGENET_CATEGORIES


@pytest.mark.parametrize("kernel_size, stride", [(1, 2), (1, 3), (2, 3)])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("size", [8, 9, 16])
def test_a_stride_that_leaves_rows_out_keeps_to_its_memory(
    kernel_size, stride, padding, size
):
    """PyTorch's own layer ends the process here, then or later; in float64 it is right."""
    torch.manual_seed(0)
    layer = GappedConv2d(4, 8, kernel_size, stride, padding)
    layer.to(memory_format=torch.channels_last)
    right = nn.Conv2d(4, 8, kernel_size, stride, padding).double()
    right.load_state_dict(layer.state_dict())
    for _ in range(10):
        X = torch.randn(2, 4, size, size + 1)
        inputs = X.to(memory_format=torch.channels_last), X.double()
        Ys = []
        for X, f in zip(inputs, (layer, right), strict=True):
            f.zero_grad()
            Ys.append(f(X.requires_grad_()))
            Ys[-1].square().sum().backward()
        torch.testing.assert_close(Ys[0].double(), Ys[1], rtol=0, atol=1e-5)
        for a, b in zip(layer.parameters(), right.parameters(), strict=True):
            torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-4, atol=1e-4)
        a, b = (X.grad for X in inputs)
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


def test_a_readers_layer_with_gaps_keeps_to_its_memory(d2l):
    """A layout that the trainer chose would end the process in its gradient."""
    net = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 8, 1, 2))
    trainer = d2l.Trainer(net, "sgd", lr=0.1)
    X = torch.randn(2, 4, 16, 16)
    losses = [
        float(trainer.step(lambda X: (net(X).square().mean(), ()), X)[0])
        for _ in range(20)
    ]
    assert 0 < losses[-1] < losses[0]
