"""MXNet, as its readers write it."""

import numpy
import pytest
from mxnet import autograd, cpu, gluon, init, np, npx

from d2lcv.proof.cases.engine import RATE, pixel_batches, pixel_net

from . import ANCHORS, DETECTION, LABEL, STEPS, WORKED

ZOO = ("mxnet.gluon.model_zoo.vision", "resnet{}_v1")
REFUSED: dict[str, str] = {}
COMPILES, MUTABLE, CHANNELS_FIRST = False, True, False
BFLOAT16 = False
NAMES = ("mxnet", "gluon")
METHODS = (
    ".transpose(",
    "grad_req",
)
TOKENS = {
    "step": ["autograd.record", "loss.backward()", "optimizer.step("],
    "prediction": ["autograd"],
    "loading": ["gluon.data.DataLoader", "gluon.data.Dataset"],
    "convolution": ["nn.Conv2D"],
    "upsampling": ["nn.Conv2DTranspose"],
    "loss": ["npx."],
    "library": ["npx."],
}


def reader(d2l):
    npx.set_np()
    device, seen = d2l.try_gpu(), {}

    boxes = np.array(WORKED["box_corner_to_center"]["boxes"])
    back = d2l.box_center_to_corner(d2l.box_corner_to_center(boxes))
    seen["round_trip"] = (back == boxes).all().item()

    img = d2l.cat_and_dog()
    h, w = img.shape[:2]
    X = np.random.uniform(size=(1, 3, h, w))
    Y = d2l.multibox_prior(X, sizes=[0.75, 0.5, 0.25], ratios=[1, 2, 0.5])
    seen["prior"] = Y.shape, Y.reshape(h, w, 5, 4)[250, 250, :, :].asnumpy()
    bbox_scale = np.array((w, h, w, h))
    fig = d2l.plt.imshow(img)
    d2l.show_bboxes(
        fig.axes, Y.reshape(h, w, 5, 4)[250, 250] * bbox_scale, ["s=0.75, r=1"] * 5
    )

    ground_truth = np.array(LABEL, ctx=device)
    anchors = np.array(ANCHORS, ctx=device)
    jaccard = d2l.box_iou(anchors, ground_truth[:, 1:])
    owner = np.full((anchors.shape[0],), -1, dtype=np.int32, ctx=device)
    best, which = np.max(jaccard, axis=1), np.argmax(jaccard, axis=1)
    enough = np.nonzero(best >= 0.5)[0]
    owner[enough] = which[enough]
    for _ in range(ground_truth.shape[0]):
        index = int(np.argmax(jaccard).item())
        anchor, box = divmod(index, jaccard.shape[1])
        owner[anchor] = box
        jaccard[:, box] = -1
        jaccard[anchor, :] = -1
    seen["own"] = owner.asnumpy()
    assigned = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], anchors, device, 0.5)
    owner[np.nonzero(assigned >= 0)[0]] = 7
    seen["assigned"], seen["masked"] = assigned.asnumpy(), owner.asnumpy()

    labels = d2l.multibox_target(
        np.expand_dims(anchors, axis=0), np.expand_dims(ground_truth, axis=0)
    )
    labels[0][:] = labels[0] * labels[1]
    seen["target"] = [x.asnumpy() for x in labels]

    anchors = np.array(DETECTION["anchors"][0])
    cls_probs = np.array(DETECTION["cls_probs"][0])
    conf, class_id = np.max(cls_probs[1:], 0), np.argmax(cls_probs[1:], 0)
    keep = d2l.nms(anchors, conf, 0.5)
    both = np.concatenate((keep, np.arange(len(anchors), dtype=np.int32)))
    values, counts = np.unique(both, return_counts=True)
    class_id[values[np.nonzero(counts == 1)[0]]] = -1
    seen["classes"] = class_id[keep].asnumpy(), class_id.asnumpy()
    offset_preds = np.array([0] * anchors.size)
    output = d2l.multibox_detection(
        np.expand_dims(cls_probs, axis=0),
        np.expand_dims(offset_preds, axis=0),
        np.expand_dims(anchors, axis=0),
        nms_threshold=0.5,
    )
    for row in output[0].asnumpy():
        if row[0] == -1:
            continue
        label = ("dog=", "cat=")[int(row[0])] + str(row[1])
        d2l.show_bboxes(fig.axes, [np.array(row[2:]) * bbox_scale], label)
    seen["detection"] = output.asnumpy()

    images, targets = d2l.read_data_bananas(True)
    seen["read"] = images[0].shape, targets.shape
    train_iter, _ = d2l.load_data_bananas(4)
    own_iter = gluon.data.DataLoader(d2l.BananasDataset(is_train=False), 2)
    seen["own_batch"] = [x.shape for x in next(iter(own_iter))]
    batch = next(iter(train_iter))
    imgs = (batch[0][0:4].transpose(0, 2, 3, 1)) / 255
    axes = d2l.show_images(imgs, 1, 4, scale=2)
    for ax, label in zip(axes, batch[1][0:4], strict=True):
        d2l.show_bboxes(ax, [label[0][1:5] * 64], colors=["w"])

    net = d2l.TinySSD(num_classes=1)
    net.initialize(init=init.Xavier(), ctx=device)
    options = {"learning_rate": 0.05, "wd": 5e-4}
    trainer = gluon.Trainer(net.collect_params(), "sgd", options)
    cls_loss = gluon.loss.SoftmaxCrossEntropyLoss()
    bbox_loss = gluon.loss.L1Loss()
    timer, metric, losses = d2l.Timer(), d2l.Accumulator(4), []
    features, target = batch
    for _ in range(STEPS):
        timer.start()
        X, Y = features.as_in_ctx(device), target.as_in_ctx(device)
        with autograd.record():
            anchors, cls_preds, bbox_preds = net(X)
            bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(anchors, Y)
            cls = cls_loss(cls_preds, cls_labels)
            bbox = bbox_loss(bbox_preds * bbox_masks, bbox_labels * bbox_masks)
            loss = cls + bbox
        loss.backward()
        trainer.step(X.shape[0])
        right = d2l.cls_eval(cls_preds, cls_labels)
        error = d2l.bbox_eval(bbox_preds, bbox_labels, bbox_masks)
        metric.add(right, cls_labels.size, error, bbox_labels.size)
        timer.stop()
        losses.append(loss.mean().item())
    seen["losses"] = losses
    seen["rates"] = 1 - metric[0] / metric[1], metric[2] / metric[3]

    anchors, cls_preds, bbox_preds = net(X[:1])
    cls_probs = npx.softmax(cls_preds).transpose(0, 2, 1)
    output = d2l.multibox_detection(cls_probs, bbox_preds, anchors)
    idx = [i for i, row in enumerate(output[0]) if row[0] != -1]
    seen["found"] = output[0, idx].asnumpy()
    return seen


def optimizer_and_losses(rate):
    def optimizer(net):
        return gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": rate})

    softmax = gluon.loss.SoftmaxCrossEntropyLoss(axis=1)
    return optimizer, [softmax, lambda y_hat, y: softmax(y_hat, y).mean()]


def adam(net, rate):
    return gluon.Trainer(
        net.collect_params(), "adam", {"learning_rate": rate, "beta1": 0.8}
    )


def with_dropout(layer):
    net = gluon.nn.HybridSequential()
    net.add(layer, gluon.nn.Dropout(0.5))
    return net


def exported(path):
    """The program in the file at `path`."""
    parameters = path.replace("-symbol.json", "-0000.params")
    return gluon.SymbolBlock.imports(path, ["data"], parameters)


def compiled(net):
    """The net, compiled."""
    net.hybridize()
    return net


def compiled_functions(function):
    return []


def mode(net):
    return net._active


def parts(net):
    return None


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_two_devices_are_as_one(d2l, momentum):
    """Also when a batch has too few examples for all of them."""

    def run(devices, own):
        net = d2l.to(pixel_net(d2l), devices)
        options = {"learning_rate": RATE, "momentum": momentum}
        trainer = (
            d2l.Trainer(net, "sgd", lr=RATE, momentum=momentum)
            if own
            else gluon.Trainer(net.collect_params(), "sgd", options)
        )
        sums = [
            d2l.train_batch_ch13(net, X[:n], y[:n], d2l.cross_entropy, trainer, devices)
            for (X, y), n in zip(pixel_batches(d2l), (4, 1, 3, 1, 4), strict=True)
        ]
        copies = [p.list_data() for p in net.collect_params().values()]
        assert all(len(c) == len(devices) for c in copies)
        share = d2l.evaluate_accuracy_gpus(net, pixel_batches(d2l))
        return [[float(v) for v in pair] for pair in sums], copies, share

    for own in (True, False):
        one, (w, *_), share = run([cpu(0)], own)
        two, (w2, *_), share2 = run([cpu(0), cpu(1)], own)
        numpy.testing.assert_allclose(two, one, rtol=1e-5)
        for copy in w2:
            numpy.testing.assert_allclose(copy.asnumpy(), w[0].asnumpy(), atol=1e-5)
        assert share2 == share
