"""`import d2lcv as d2l` in code as readers of the book write it, in each framework.

One reader for each framework: tensors made, sliced, written into and moved with the
framework's own functions, a training loop with its own optimizer. Everything a reader
gets is held against the same expected values.
"""

import inspect

import numpy as np
import pytest

from d2lcv.proof.inputs import WORKED

TARGET, DETECTION = WORKED["multibox_target"], WORKED["multibox_detection"]
LABEL = TARGET["labels"][0]
ANCHORS = TARGET["anchors"][0]
PRIOR = WORKED["multibox_prior"]

# The argument order of the book's helpers; more arguments may follow.
SIGNATURES = """
    set_figsize figsize
    set_axes axes xlabel ylabel xlim ylim xscale yscale legend
    show_images imgs num_rows num_cols titles scale
    bbox_to_rect bbox color
    show_bboxes axes bboxes labels colors
    Animator xlabel ylabel legend xlim ylim xscale yscale fmts nrows ncols figsize
    Accumulator n
    download name cache_dir
    download_extract name folder
    try_gpu i
    box_corner_to_center boxes
    box_center_to_corner boxes
    multibox_prior data sizes ratios
    box_iou boxes1 boxes2
    assign_anchor_to_bbox ground_truth anchors device iou_threshold
    offset_boxes anchors assigned_bb eps
    offset_inverse anchors offset_preds
    multibox_target anchors labels
    nms boxes scores iou_threshold
    multibox_detection cls_probs offset_preds anchors nms_threshold pos_threshold
    read_data_bananas is_train
    BananasDataset is_train
    load_data_bananas batch_size
    cls_predictor num_inputs num_anchors num_classes
    bbox_predictor num_inputs num_anchors
    flatten_pred pred
    concat_preds preds
    down_sample_blk in_channels out_channels
    base_net
    blk_forward X blk size ratio cls_predictor bbox_predictor
    TinySSD num_classes
    calc_loss cls_preds cls_labels bbox_preds bbox_labels bbox_masks
    cls_eval cls_preds cls_labels
    bbox_eval bbox_preds bbox_labels bbox_masks
    corr2d X K
    trans_conv X K
    kernel2matrix K
    bilinear_kernel in_channels out_channels kernel_size
    voc_colormap2label
    voc_label_indices colormap colormap2label
    voc_rand_crop feature label height width
    VOCSegDataset is_train crop_size voc_dir
    load_data_voc batch_size crop_size
"""


@pytest.mark.parametrize("line", SIGNATURES.strip().splitlines())
def test_argument_order(d2l, line):
    name, *wanted = line.split()
    given = inspect.signature(getattr(d2l, name)).parameters
    assert list(given)[: len(wanted)] == wanted
    for parameter in list(given.values())[len(wanted) :]:
        assert parameter.default is not parameter.empty, f"{name}: {parameter}"
    for parameter in list(given.values())[: len(wanted)]:
        assert parameter.kind is not parameter.KEYWORD_ONLY


def test_argument_defaults(d2l):
    for name, argument, default in (
        ("set_figsize", "figsize", (3.5, 2.5)),
        ("show_images", "scale", 1.5),
        ("assign_anchor_to_bbox", "iou_threshold", 0.5),
        ("offset_boxes", "eps", 1e-6),
        ("multibox_detection", "nms_threshold", 0.5),
        ("multibox_detection", "pos_threshold", 0.009999999),
        ("read_data_bananas", "is_train", True),
    ):
        parameters = inspect.signature(getattr(d2l, name)).parameters
        assert parameters[argument].default == default


# ---- readers -------------------------------------------------------------------------


def with_torch(d2l):
    import torch
    from torch import nn
    from torch.nn import functional as F

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


def with_mxnet(d2l):
    from mxnet import autograd, gluon, init, np, npx

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


def with_paddle(d2l):
    import paddle
    from paddle import nn
    from paddle.nn import functional as F

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


def with_tensorflow(d2l):
    import keras
    import tensorflow as tf

    device, seen = d2l.try_gpu(), {}

    boxes = tf.constant(WORKED["box_corner_to_center"]["boxes"])
    back = d2l.box_center_to_corner(d2l.box_corner_to_center(boxes))
    seen["round_trip"] = bool(tf.reduce_all(back == boxes))

    img = d2l.cat_and_dog()
    h, w = img.shape[:2]
    X = tf.random.uniform((1, 3, h, w))
    Y = d2l.multibox_prior(X, sizes=[0.75, 0.5, 0.25], ratios=[1, 2, 0.5])
    seen["prior"] = Y.shape, tf.reshape(Y, (h, w, 5, 4))[250, 250, :, :].numpy()
    bbox_scale = tf.constant((w, h, w, h), tf.float32)
    fig = d2l.plt.imshow(img)
    d2l.show_bboxes(
        fig.axes,
        tf.reshape(Y, (h, w, 5, 4))[250, 250] * bbox_scale,
        ["s=0.75, r=1"] * 5,
    )

    with tf.device(device):
        ground_truth, anchors = tf.constant(LABEL), tf.constant(ANCHORS)
        jaccard = tf.Variable(d2l.box_iou(anchors, ground_truth[:, 1:]))
        best, which = tf.reduce_max(jaccard, axis=1), tf.argmax(jaccard, axis=1)
        owner = tf.Variable(tf.where(best >= 0.5, which, -1))
        for _ in range(ground_truth.shape[0]):
            index = int(tf.argmax(tf.reshape(jaccard, [-1])))
            anchor, box = divmod(index, jaccard.shape[1])
            owner[anchor].assign(box)
            jaccard[:, box].assign(-tf.ones(jaccard.shape[0]))
            jaccard[anchor, :].assign(-tf.ones(jaccard.shape[1]))
    seen["own"] = owner.numpy()
    assigned = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], anchors, device, 0.5)
    masked = tf.tensor_scatter_nd_update(
        owner, tf.where(assigned >= 0), tf.fill([3], tf.constant(7, tf.int64))
    )
    seen["assigned"], seen["masked"] = assigned.numpy(), masked.numpy()

    labels = d2l.multibox_target(anchors[tf.newaxis], ground_truth[tf.newaxis])
    seen["target"] = [x.numpy() for x in labels]

    anchors = tf.constant(DETECTION["anchors"][0])
    cls_probs = tf.constant(DETECTION["cls_probs"][0])
    conf, class_id = tf.reduce_max(cls_probs[1:], 0), tf.argmax(cls_probs[1:], 0)
    keep = d2l.nms(anchors, conf, 0.5)
    kept = tf.scatter_nd(keep[:, None], tf.ones_like(keep), [len(anchors)])
    class_id = tf.where(kept == 1, class_id, -1)
    seen["classes"] = tf.gather(class_id, keep).numpy(), class_id.numpy()
    offset_preds = tf.zeros(tf.size(anchors))
    output = d2l.multibox_detection(
        cls_probs[tf.newaxis],
        offset_preds[tf.newaxis],
        anchors[tf.newaxis],
        nms_threshold=0.5,
    )
    for row in output[0].numpy():
        if row[0] == -1:
            continue
        label = ("dog=", "cat=")[int(row[0])] + str(row[1])
        d2l.show_bboxes(fig.axes, [tf.constant(row[2:]) * bbox_scale], label)
    seen["detection"] = output.numpy()

    images, targets = d2l.read_data_bananas(True)
    seen["read"] = tuple(images[0].shape), tuple(targets.shape)
    train_iter, _ = d2l.load_data_bananas(4)
    val_set = d2l.BananasDataset(is_train=False)
    features, label = zip(*[val_set[i] for i in range(2)], strict=True)
    own_iter = tf.data.Dataset.from_tensor_slices(
        (tf.stack(features), tf.stack(label))
    ).batch(2)
    seen["own_batch"] = [tuple(x.shape) for x in next(iter(own_iter))]
    batch = next(iter(train_iter.take(1)))
    imgs = tf.transpose(batch[0][0:4], (0, 2, 3, 1)) / 255
    axes = d2l.show_images(imgs, 1, 4, scale=2)
    for ax, label in zip(axes, batch[1][0:4], strict=True):
        d2l.show_bboxes(ax, [label[0][1:5] * 64], colors=["w"])

    net = d2l.TinySSD(num_classes=1)
    trainer = keras.optimizers.SGD(learning_rate=0.05)
    timer, metric, losses = d2l.Timer(), d2l.Accumulator(4), []
    X, Y = batch
    for _ in range(STEPS):
        timer.start()
        with tf.GradientTape() as tape:
            anchors, cls_preds, bbox_preds = net(X, training=True)
            bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(anchors, Y)
            cls = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(
                    cls_labels, cls_preds, from_logits=True
                ),
                axis=1,
            )
            bbox = tf.reduce_mean(tf.abs((bbox_preds - bbox_labels) * bbox_masks), 1)
            loss = tf.reduce_mean(cls + bbox)
        weights = net.trainable_variables
        trainer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        right = d2l.cls_eval(cls_preds, cls_labels)
        error = d2l.bbox_eval(bbox_preds, bbox_labels, bbox_masks)
        metric.add(right, tf.size(cls_labels), error, tf.size(bbox_labels))
        timer.stop()
        losses.append(float(loss))
    seen["losses"] = losses
    seen["rates"] = 1 - metric[0] / metric[1], metric[2] / metric[3]

    anchors, cls_preds, bbox_preds = net(X[:1], training=False)
    cls_probs = tf.transpose(tf.nn.softmax(cls_preds), (0, 2, 1))
    output = d2l.multibox_detection(cls_probs, bbox_preds, anchors)
    idx = [i for i, row in enumerate(output[0]) if row[0] != -1]
    seen["found"] = tf.gather(output[0], idx).numpy()
    return seen


READERS = {
    "torch": with_torch,
    "mxnet": with_mxnet,
    "paddle": with_paddle,
    "tensorflow": with_tensorflow,
}
STEPS = 8


# ---- what every reader must see ------------------------------------------------------


@pytest.fixture(scope="module")
def seen(d2l, tmp_path_factory):
    """What the reader of the active framework gets, on a set of a few small pictures."""
    from d2lcv.drawn import bananas
    from d2lcv.drawn import sets as synthetic

    folder = tmp_path_factory.mktemp("data") / "bananas"
    bananas.make_bananas(folder, 6, 3, size=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "synthetic", lambda name: str(folder))
        d2l.seed(0)
        try:
            yield READERS[d2l.backend_name()](d2l)
        finally:
            d2l.plt.close("all")


def near(actual, expected):
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=0, atol=1e-5)


def test_boxes(seen):
    assert seen["round_trip"] is True


def test_priors(seen):
    shape, row = seen["prior"]
    assert list(shape) == PRIOR["shape"]
    near(row, PRIOR["at_row250_col250"])


def test_assignment(seen):
    expected = WORKED["assign_anchor_to_bbox"]["expected"]
    assert seen["assigned"].tolist() == expected
    assert seen["own"].tolist() == expected
    assert seen["masked"].tolist() == [7 if x >= 0 else -1 for x in expected]
    assert seen["assigned"].dtype.kind == "i"


def test_targets(seen):
    offsets, masks, classes = seen["target"]
    near(offsets, TARGET["bbox_offset"])
    near(masks, TARGET["bbox_mask"])
    assert classes.tolist() == TARGET["class_labels"]


def test_detections(seen):
    kept, classes = seen["classes"]
    assert kept.tolist() == [0, 1] and classes.tolist() == [0, -1, -1, 1]
    near(seen["detection"], DETECTION["expected"])


def test_bananas(seen):
    assert seen["read"] == ((3, 64, 64), (6, 1, 5))
    assert seen["own_batch"] == [(2, 3, 64, 64), (2, 1, 5)]


def test_training(seen):
    losses, (class_error, bbox_mae) = seen["losses"], seen["rates"]
    assert len(losses) == STEPS and np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert 0 < class_error < 1 and 0 < bbox_mae < 1


def test_prediction(seen):
    found = seen["found"]
    assert found.ndim == 2 and found.shape[1] == 6 and len(found)
    assert (found[:, 0] == 0).all() and np.isfinite(found).all()
    assert (np.diff(found[:, 1]) <= 0).all()
