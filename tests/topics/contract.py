"""Wrong arguments for every public function: each must end in a value or a named error.

For every public name there is one valid call; from it a seeded generator makes calls in
which one argument is replaced. Run as a script, this file makes such calls and writes a
line of JSON before and after each, so that whoever started it knows the call that ended
the process:

    python tests/topics/contract.py --calls 300
"""

import argparse
import contextlib
import decimal
import fractions
import json
import math
import os
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
PACKAGE = str(ROOT / "d2lcv") + os.sep

# Public names that are no functions.
VALUES = set(
    """
    CAT_BOX CIFAR10_URL DATA_HUB DATA_URL DOG_BOX IMAGENET_MEAN IMAGENET_STD Image
    SOURCE_CLASSES VOC_CLASSES VOC_COLORMAP float32 int32 int64 plt
    """.split()
)
# What a function returns, with nothing to pass.
RESULTS = {
    *("Classification", "Detections", "Segmentation", "TrainingResult"),
    *("DetectionScores", "PrecisionRecall"),
}
# Functions of the framework itself, or thin wrappers: their errors are the framework's.
# They still must not end the process.
VOCABULARY = "d2lcv.tensors"


@dataclass
class Entry:
    """One valid call: `arguments()` gives what may be replaced, `call` uses it."""

    arguments: Callable[[], dict[str, Any]]
    call: Callable[..., Any] | None = None
    # Slow or with effects outside the process: only the calls that are replaced are made.
    is_run: bool = True


def entries(d2l: Any, folder: Path) -> dict[str, Entry]:
    """{public name: its valid call}."""
    found: dict[str, Entry] = {}

    def t(*shape, dtype="float32", high=1.0):
        n = int(np.prod(shape))
        numbers = (np.arange(n) * 7919 % 101) / 101 * high
        return d2l.tensor(numbers.reshape(shape).astype(dtype))

    def boxes(n):
        low = (np.arange(2 * n).reshape(n, 2) * 37 % 10) / 20
        return d2l.tensor(np.concatenate([low, low + 0.4], 1).astype(np.float32))

    def labels(batch=1):
        row = [[1, 0.1, 0.1, 0.5, 0.6], [-1, 0, 0, 0, 0]]
        return d2l.tensor(np.array([row] * batch, np.float32))

    def whole(*shape, high=3):
        return d2l.tensor((np.arange(int(np.prod(shape))) % high).reshape(shape))

    def image(side=16):
        return np.full((side, side, 3), 100, np.uint8)

    def add(name, /, call=None, is_run=True, **arguments):
        lazy = {k: v if callable(v) else (lambda v=v: v) for k, v in arguments.items()}
        found[name] = Entry(
            lambda: {k: v() for k, v in lazy.items()},
            call or getattr(d2l, name),
            is_run,
        )

    def fn(value):  # a function that is an argument itself
        return lambda: value

    nets: dict[str, Any] = {}

    def net(name, make):
        if name not in nets:
            nets[name] = make()
        return nets[name]

    def conv():
        return net("conv", lambda: d2l.initialize(d2l.conv2d(3, 4, 3)))

    # boxes, anchors, detection
    for name in ("box_corner_to_center", "box_center_to_corner"):
        add(name, boxes=lambda: boxes(3))
    add("box_iou", boxes1=lambda: boxes(3), boxes2=lambda: boxes(2))
    add("multibox_prior", data=lambda: t(1, 3, 4, 5), sizes=[0.5, 0.2], ratios=[1, 2])
    add(
        "assign_anchor_to_bbox",
        ground_truth=lambda: boxes(2),
        anchors=lambda: boxes(4),
        device=None,
        iou_threshold=0.5,
    )
    add(
        "offset_boxes", anchors=lambda: boxes(3), assigned_bb=lambda: boxes(3), eps=1e-6
    )
    add("offset_inverse", anchors=lambda: boxes(3), offset_preds=lambda: t(3, 4))
    add(
        "multibox_target",
        anchors=lambda: boxes(4)[None],
        labels=labels,
        iou_threshold=0.5,
    )
    add("nms", boxes=lambda: boxes(4), scores=lambda: t(4), iou_threshold=0.5)
    add(
        "batched_nms",
        boxes=lambda: boxes(4),
        scores=lambda: t(4),
        classes=lambda: whole(4),
        iou_threshold=0.5,
    )
    add(
        "soft_nms",
        boxes=lambda: boxes(4),
        scores=lambda: t(4),
        sigma=0.5,
        score_threshold=0.01,
        method="linear",
        iou_threshold=0.3,
    )
    add(
        "multibox_detection",
        cls_probs=lambda: t(1, 3, 4),
        offset_preds=lambda: t(1, 16),
        anchors=lambda: boxes(4)[None],
        nms_threshold=0.5,
        pos_threshold=0.01,
    )
    add("average_precision", scores=[0.5, 0.25], is_true=[True, False], num_objects=2)
    rows = [[[1, 0.9, 0.1, 0.1, 0.5, 0.6]]]
    add(
        "mean_average_precision",
        detections=lambda: d2l.tensor(np.array(rows)),
        labels=labels,
        iou_threshold=0.5,
    )
    add(
        "evaluate_detections",
        found=lambda: np.array(rows) * [1, 1, 99, 99, 99, 99],
        truth=lambda: d2l.numpy(labels()) * [1, 99, 99, 99, 99],
        classes=None,
        score_threshold=0.5,
        difficult=lambda: [[False] * len(rows) for rows in d2l.numpy(labels())],
        crowds=lambda: d2l.numpy(labels()) * [1, 99, 99, 99, 99],
        areas=lambda: [[9.0] * len(rows) for rows in d2l.numpy(labels())],
    )
    # ssd
    add("cls_predictor", num_inputs=3, num_anchors=2, num_classes=2)
    add("bbox_predictor", num_inputs=3, num_anchors=2)
    add("down_sample_blk", in_channels=3, out_channels=4)
    add("base_net")
    add("flatten_pred", pred=lambda: t(1, 4, 2, 2))
    add("concat_preds", preds=lambda: [t(1, 4, 2, 2), t(1, 4, 1, 1)])
    predictor = lambda: net("cls", lambda: d2l.initialize(d2l.cls_predictor(4, 2, 1)))  # noqa: E731
    add(
        "blk_forward",
        X=lambda: t(1, 3, 8, 8),
        blk=conv,
        size=[0.2, 0.3],
        ratio=[1],
        cls_predictor=predictor,
        bbox_predictor=predictor,
    )
    add("TinySSD", num_classes=1)
    add(
        "calc_loss",
        cls_preds=lambda: t(1, 4, 3),
        cls_labels=lambda: whole(1, 4),
        bbox_preds=lambda: t(1, 16),
        bbox_labels=lambda: t(1, 16),
        bbox_masks=lambda: d2l.ones((1, 16)),
    )
    add("cls_eval", cls_preds=lambda: t(1, 4, 3), cls_labels=lambda: whole(1, 4))
    masked = {
        "bbox_preds": lambda: t(1, 16),
        "bbox_labels": lambda: t(1, 16),
        "bbox_masks": lambda: d2l.ones((1, 16)),
    }
    add("bbox_eval", **masked)
    add("smooth_l1", x=lambda: t(5), sigma=1.0)
    add("focal_loss", gamma=2.0, p=lambda: t(5))
    classified = {"cls_preds": lambda: t(1, 4, 3), "cls_labels": lambda: whole(1, 4)}
    add("hard_negative_loss", **classified, ratio=3)
    add("focal_cls_loss", **classified, gamma=2.0, alpha=0.25)
    add("smooth_l1_loss", **masked, sigma=1.0)
    # yolo
    add("TinyYOLO", num_classes=1, num_boxes=1)
    add("yolo_target", labels=labels, height=2, width=2)
    cells = {"preds": lambda: t(1, 2, 2, 7), "num_classes": 2}
    add("yolo_decode", **cells)
    add(
        "yolo_loss",
        **cells,
        classes=lambda: whole(1, 2, 2, high=2),
        boxes=lambda: t(1, 2, 2, 4),
        coord_weight=5.0,
        noobj_weight=0.5,
    )
    add("yolo_detection", **cells, nms_threshold=0.5, pos_threshold=0.01)
    # rcnn
    regions = {
        "X": lambda: t(1, 2, 6, 6),
        "rois": lambda: d2l.tensor(np.array([[0, 1, 1, 4, 4]], np.float32)),
        "output_size": (2, 2),
        "spatial_scale": 1.0,
    }
    add("roi_pool", **regions)
    add("roi_align", **regions, sampling_ratio=2, aligned=True)
    add("TinyRCNN", num_classes=1)
    rcnn = lambda: net("rcnn", lambda: d2l.initialize(d2l.TinyRCNN(1)))  # noqa: E731
    scored = {
        "anchors": lambda: boxes(4)[None],
        "scores": lambda: t(1, 4, 2),
        "offsets": lambda: t(1, 16),
    }
    add("propose", **scored, num=2, nms_threshold=0.7)
    add("rpn_loss", **scored, labels=labels)
    headed = {
        "net": rcnn,
        "features": lambda: d2l.predict(rcnn(), t(1, 3, 64, 64))[0],
        "rois": lambda: boxes(2)[None],
        "labels": lambda: labels() * d2l.tensor(np.float32([0, 1, 1, 1, 1])),
    }
    add("box_head_loss", **headed)
    add("mask_head_loss", **headed, masks=lambda: d2l.ones((1, 2, 64, 64)))
    add(
        "detect_instances",
        net=rcnn,
        X=lambda: t(1, 3, 64, 64),
        num_proposals=4,
        num_detections=2,
        nms_threshold=0.3,
        pos_threshold=0.05,
    )
    add(
        "paste_masks",
        masks=lambda: t(2, 14, 14),
        boxes=lambda: boxes(2),
        height=8,
        width=8,
    )
    add(
        "mask_iou",
        detections=lambda: [np.array(rows[0], np.float32)],
        masks=lambda: [np.ones((1, 8, 8), np.float32)],
        labels=lambda: d2l.numpy(labels()),
        true_masks=lambda: [np.ones((2, 8, 8), np.float32)],
        confidence=0.5,
    )
    # segmentation
    add("corr2d", X=lambda: t(4, 4), K=lambda: t(2, 2))
    add("trans_conv", X=lambda: t(4, 4), K=lambda: t(2, 2), stride=1, padding=0)
    add("kernel2matrix", K=lambda: t(2, 2), input_size=(3, 3))
    layer = {"in_channels": 2, "out_channels": 3, "kernel_size": 3}
    add("conv2d", **layer, stride=1, padding=0)
    add("conv_transpose2d", **layer, stride=1, padding=0)
    add("bilinear_kernel", **layer)
    add("FCN", num_classes=2, backbone=lambda: d2l.ResNet(18, 3, 4), stride=32)
    maps = {"preds": lambda: t(1, 3, 4, 4), "labels": lambda: whole(1, 4, 4)}
    add("segmentation_loss", **maps, ignore_index=255)
    add("pixel_accuracy", **maps, ignore_index=255)
    add("mean_iou", **maps, ignore_index=255)
    add(
        "Confusion",
        lambda num_classes, ignore_index, preds, labels: d2l.Confusion(
            num_classes, ignore_index
        ).add(preds, labels),
        num_classes=3,
        ignore_index=255,
        **maps,
    )
    padded = lambda: net("pad", lambda: d2l.initialize(d2l.conv2d(3, 4, 3, padding=1)))  # noqa: E731
    add("predict_tiles", net=padded, X=lambda: t(1, 3, 16, 16), tile=8, overlap=2)
    add("label2image", classes=lambda: whole(4, 4))
    # classification
    add("Residual", in_channels=2, num_channels=4, use_1x1conv=True, strides=2)
    add("resnet18", num_classes=2, in_channels=1, width=4)
    add("ResNet", depth=18, num_classes=2, width=4)
    add("cross_entropy", y_hat=lambda: t(4, 3), y=lambda: whole(4))
    add(
        "replace_output",
        net=lambda: d2l.initialize(d2l.ResNet(18, 3, 4)),
        num_classes=2,
        hidden=0,
    )
    add("pretrained", depth=18, weights="random", is_run=False)
    # style
    add("preprocess", img=image, image_shape=(8, 8))
    add("postprocess", img=lambda: t(1, 3, 8, 8))
    vgg = lambda: net("vgg", lambda: d2l.initialize(d2l.VGG19(3, width=4)))  # noqa: E731
    add("VGG19", num_layers=3, width=4)
    add("style_network", weights="nothing", is_run=False)
    add(
        "extract_features",
        X=lambda: t(1, 3, 16, 16),
        content_layers=[1],
        style_layers=[0, 2],
        net=vgg,
    )
    add("content_loss", Y_hat=lambda: t(1, 2, 4, 4), Y=lambda: t(1, 2, 4, 4))
    add("gram", X=lambda: t(1, 2, 4, 4))
    add("style_loss", Y_hat=lambda: t(1, 2, 4, 4), gram_Y=lambda: t(2, 2))
    add("tv_loss", Y_hat=lambda: t(1, 3, 4, 4))
    add(
        "compute_loss",
        X=lambda: t(1, 3, 4, 4),
        contents_Y_hat=lambda: [t(1, 2, 4, 4)],
        styles_Y_hat=lambda: [t(1, 2, 4, 4)],
        contents_Y=lambda: [t(1, 2, 4, 4)],
        styles_Y_gram=lambda: [t(2, 2)],
        content_weight=1.0,
        style_weight=1e3,
        tv_weight=10.0,
    )
    add("SynthesizedImage", img_shape=(1, 3, 4, 4), start=None)
    add("framework_transforms", height=8, width=8)  # what it gives is the framework's
    # augmentation: made, and used once
    for name, arguments in {
        "RandomHorizontalFlip": {"p": 0.5},
        "RandomVerticalFlip": {"p": 0.5},
        "Resize": {"size": 8},
        "CenterCrop": {"size": (8, 8)},
        "RandomCrop": {"size": 8},
        "RandomResizedCrop": {"size": 8, "scale": (0.5, 1), "ratio": (0.5, 2)},
        "ColorJitter": dict.fromkeys(
            ("brightness", "contrast", "saturation", "hue"), 0.4
        ),
        "PCALighting": {"std": 0.1},
        "ToTensor": {},
    }.items():
        add(
            name,
            lambda image, name=name, **options: getattr(d2l, name)(**options)(image),
            image=image,
            **arguments,
        )
    add(
        "Normalize",
        lambda image, mean, std: d2l.Normalize(mean, std)(image),
        image=lambda: t(3, 4, 4),
        mean=[0.5, 0.5, 0.5],
        std=[0.2, 0.2, 0.2],
    )
    add(
        "Compose",
        lambda image, transforms: d2l.Compose(transforms)(image),
        image=image,
        transforms=lambda: [d2l.Resize(8)],
    )
    # training, engine, weights, loading
    add(
        "Trainer",
        lambda net, optimizer, X, **options: d2l.Trainer(
            net, optimizer, **options
        ).step(lambda X: (d2l.reduce_mean(net(X)), None), X),
        net=lambda: d2l.initialize(d2l.conv2d(3, 4, 3)),
        optimizer="sgd",
        X=lambda: t(1, 3, 8, 8),
        lr=0.1,
        weight_decay=0.0,
        clip_norm=1.0,
        accumulate=2,
        precision="float32",
    )
    add("freeze", module=lambda: d2l.initialize(d2l.conv2d(1, 1, 1)))
    add(
        "predict", lambda net, X: d2l.predict(net, X), net=conv, X=lambda: t(1, 3, 8, 8)
    )
    add(
        "gradients",
        lambda function, tensors: d2l.gradients(function, tensors),
        function=fn(lambda X: d2l.reduce_sum(X * X)),
        tensors=lambda: t(3),
    )
    add("warmup_cosine", progress=0.5, warmup=0.1)
    add("initialize", net=lambda: d2l.conv2d(1, 1, 1))
    add("get_weights", net=conv)
    add("set_weights", net=conv, weights=lambda: d2l.get_weights(conv()))
    add("save_weights", net=conv, path=str(folder / "w.safetensors"))
    saved = folder / "conv.safetensors"
    d2l.save_weights(conv(), saved)
    add("load_weights", net=conv, path=str(saved))
    trainer = lambda: net("trainer", lambda: d2l.Trainer(conv(), lr=0.1))  # noqa: E731
    went = str(folder / "went.safetensors")
    d2l.save_checkpoint(trainer(), went)
    add(
        "save_checkpoint",
        trainer=trainer,
        path=str(folder / "c.safetensors"),
        progress={"epoch": 1},
        loaders=[],
    )
    add("Checkpoint", path=went, resume=False, settings={"lr": 0.1})
    add("load_checkpoint", trainer=trainer, path=went, loaders=[])
    add("accuracy", y_hat=lambda: t(4, 3), y=lambda: whole(4), ignore=None)
    add(
        "split_batch",
        X=lambda: t(4, 3),
        y=lambda: whole(4),
        devices=lambda: [d2l.try_gpu()],
    )
    tiny = lambda: net("tiny", lambda: d2l.initialize(d2l.resnet18(2, 3, 2)))  # noqa: E731
    batches = lambda: [(t(2, 3, 16, 16), whole(2, high=2))]  # noqa: E731
    add("evaluate_accuracy_gpu", net=tiny, data_iter=batches, device=None, ignore=None)
    add(
        "evaluate_accuracy_gpus",
        net=tiny,
        data_iter=batches,
        split_f=fn(d2l.split_batch),
        ignore=None,
    )
    fresh = d2l.get_weights(tiny())
    trained = {
        # a call before may have trained it on NaN
        "net": lambda: d2l.set_weights(tiny(), fresh),
        "loss": fn(d2l.cross_entropy),
        "trainer": lambda: d2l.Trainer(tiny(), "sgd", lr=0.01),
        "devices": lambda: [d2l.try_gpu()],
        "split_f": fn(d2l.split_batch),
        "ignore": None,
    }
    add(
        "train_batch_ch13",
        **trained,
        X=lambda: t(2, 3, 16, 16),
        y=lambda: whole(2, high=2),
    )
    add(
        "train_ch13",
        **trained,
        train_iter=batches,
        test_iter=None,
        num_epochs=1,
        before_batch=None,
        figure=None,
    )

    class Two:
        def __len__(self):
            return 2

        def example(self, i):
            return np.zeros((3, 2), np.float32), np.int64(i)

    add(
        "loader",
        lambda **options: list(d2l.loader(**options)),
        examples=Two,
        batch_size=1,
        shuffle=False,
    )
    add("get_dataloader_workers")
    add("join_processes")
    add("rank")
    add("world_size")
    add("process_mean", x=lambda: t(1))
    add("seed", n=1)
    add("Timer")
    add(
        "Accumulator",
        lambda n, value: d2l.Accumulator(n).add(value),
        n=1,
        value=lambda: t(1),
    )
    # figures
    from matplotlib import pyplot

    axes = lambda: pyplot.figure(num=1, clear=True).add_subplot()  # noqa: E731
    add("bbox_to_rect", bbox=[1, 2, 3, 4], color="blue")
    add(
        "set_axes",
        axes=axes,
        xlabel="x",
        ylabel="y",
        xlim=[0, 1],
        ylim=[0, 1],
        xscale="linear",
        yscale="linear",
        legend=["a"],
    )
    add("set_figsize", figsize=(3.5, 2.5))
    add("set_output", folder=str(folder / "figures"))
    add("show", name=None)
    add("show_bboxes", axes=axes, bboxes=[[1, 2, 3, 4]], labels=["a"], colors=None)
    add("show_diagram", name="ssd")
    add(
        "show_images",
        imgs=lambda: [image()],
        num_rows=1,
        num_cols=1,
        titles=["a"],
        scale=1.5,
    )
    add("use_svg_display")
    add(
        "Animator",
        lambda x, y, **options: d2l.Animator(**options).add(x, y),
        x=1,
        y=[1, 2],
        xlabel="x",
        ylabel="y",
        legend=["a", "b"],
        xlim=[0, 1],
        ylim=[0, 1],
        xscale="linear",
        yscale="linear",
        fmts=("-", "m--"),
        nrows=1,
        ncols=1,
        figsize=(3.5, 2.5),
    )
    # detectors in use
    add("load", path=None)
    add(
        "detect",
        net=lambda: net("detector", d2l.load),
        images=lambda: image(64),
        threshold=0.5,
        nms_threshold=0.5,
    )
    add("classify", net=lambda: net("source", d2l.pretrained), images=lambda: image(64))
    add(
        "segment",
        net=lambda: net("FCN", lambda: d2l.FCN(2, d2l.ResNet(18, 3, width=4))),
        images=lambda: image(64),
    )
    add(
        "stylize",
        net=lambda: net("style", d2l.style_network),
        images=lambda: image(64),
        style=lambda: image(64),
        height=32,
        num_steps=1,
        lr=0.3,
    )
    add(
        "export",
        net=lambda: net("detector", d2l.load),
        path=str(folder / "exported" / "net"),
        image_size=(64, 64),
        to=None,
        nms_threshold=0.5,
        is_run=False,
    )
    # learners' functions
    mine = fn(lambda boxes: boxes)
    add("check", function=mine, name="box_corner_to_center", quiet=True, is_run=False)
    add("exercise", name="box_iou", is_run=False)
    add(
        "using",
        lambda box_iou: d2l.using(box_iou=box_iou).__enter__(),
        box_iou=mine,
        is_run=False,
    )
    # backends and source
    add("backend_name")
    add("use", name=d2l.backend_name(), device=None)
    add("worker", name=d2l.backend_name(), python="no-such-python", is_run=False)
    add("source", function=fn(d2l.box_iou), is_run=False)
    add(
        "show_source",
        lambda functions: d2l.show_source(functions),
        functions=fn(d2l.box_iou),
        is_run=False,
    )
    add("lesson_imports", is_run=False)
    # data
    picture = folder / "data" / "train" / "1.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    d2l.Image.fromarray(image()).save(picture)
    (folder / "data" / "test").mkdir(exist_ok=True)
    d2l.Image.fromarray(image()).save(folder / "data" / "test" / "2.png")
    classes = folder / "classes" / "dog"
    classes.mkdir(parents=True, exist_ok=True)
    d2l.Image.fromarray(image()).save(classes / "1.png")
    (folder / "labels.csv").write_text("id,label\n1,dog\n")
    add("data_dir")
    add("download", name="hotdog", cache_dir=str(folder / "c"), is_run=False)
    add("download_extract", name="hotdog", folder="x", is_run=False)
    for name in """banana_folder cifar10_folder cifar10_tiny_folder dog_tiny_folder
                hotdog_folder shapes_folder voc_folder""".split():
        add(name, data="synthetic", is_run=False)
    add("read_data_bananas", is_train=True, data=str(classes), is_run=False)
    add("BananasDataset", is_train=True, data=str(classes), size=None, is_run=False)
    add("ShapesDataset", is_train=True, data=str(classes), size=None, is_run=False)
    add("load_data_bananas", batch_size=2, data=str(classes), is_run=False)
    add("CIFAR10", is_train=True, data=str(classes), transform=None, is_run=False)
    add(
        "VOCSegDataset",
        is_train=True,
        crop_size=(8, 8),
        voc_dir=str(classes),
        is_run=False,
    )
    add(
        "load_data_voc",
        batch_size=2,
        crop_size=(8, 8),
        data=str(classes),
        is_run=False,
    )
    add("read_voc_images", voc_dir=str(classes), is_train=True, is_run=False)
    add(
        "DetectionDataset",
        d2l.DetectionDataset.from_folder,
        folder=str(classes),
        size=None,
        is_run=False,
    )
    add("ImageFolder", folder=str(folder / "classes"), transform=None)
    add("voc_colormap2label")
    add(
        "voc_label_indices",
        colormap=lambda: image(),
        colormap2label=lambda: d2l.voc_colormap2label(),
        is_run=False,
    )
    crop = {"height": 4, "width": 4}
    add(
        "voc_rand_crop",
        feature=lambda: t(3, 8, 8),
        label=lambda: whole(8, 8),
        **crop,
        is_run=False,
    )
    add("copyfile", filename=str(picture), target_dir=str(folder / "copy"))
    add("read_csv_labels", fname=str(folder / "labels.csv"))
    add(
        "reorg_train_valid",
        data_dir=str(folder / "data"),
        labels={"1": "dog"},
        valid_ratio=0.5,
        target_dir=None,
    )
    add("reorg_test", data_dir=str(folder / "data"), target_dir=None)
    add("write_submission", fname=str(folder / "s.csv"), ids=[1, 2], labels=["a", "b"])
    add(
        "write_probabilities",
        fname=str(folder / "p.csv"),
        ids=[1, 2],
        probabilities=[[0.5, 0.5], [1, 0]],
        classes=["a", "b"],
    )
    add("autumn_painting", image="", is_run=False)
    add("cat_and_dog", image="", is_run=False)
    add(
        "Chapter",
        name="ssd",
        quick={"num_epochs": 1},
        book={"num_epochs": 2},
        data=("synthetic",),
        argv=lambda: ["--out", str(folder / "run")],
    )
    # the vocabulary: what comes from the framework itself
    for (
        name
    ) in "exp log sin cos tanh abs sqrt relu sigmoid size numpy as_float".split():
        add(name, call=lambda x, name=name: getattr(d2l, name)(x), x=lambda: t(2, 3))
    for name in ("reduce_sum", "reduce_mean", "argmax", "softmax"):
        add(
            name,
            lambda x, axis, name=name: getattr(d2l, name)(x, axis),
            x=lambda: t(2, 3),
            axis=1,
        )
    for name in ("maximum", "minimum", "matmul"):
        add(
            name,
            lambda x, y, name=name: getattr(d2l, name)(x, y),
            x=lambda: t(2, 2),
            y=lambda: t(2, 2),
        )
    for name in ("zeros", "ones", "rand", "randn"):
        add(name, lambda shape, name=name: getattr(d2l, name)(shape), shape=(2, 3))
    for name in ("arange", "eye"):
        add(name, lambda n, name=name: getattr(d2l, name)(n), n=3)
    for name in ("stack", "concat"):
        add(
            name,
            lambda xs, axis, name=name: getattr(d2l, name)(xs, axis),
            xs=lambda: [t(2, 3), t(2, 3)],
            axis=0,
        )
    add(
        "astype", lambda x, dtype: d2l.astype(x, dtype), x=lambda: t(3), dtype=d2l.int32
    )
    add("clip", lambda x, a, b: d2l.clip(x, a, b), x=lambda: t(3), a=0.0, b=1.0)
    add("device_name", lambda: d2l.device_name())
    add("is_tensor", lambda x: d2l.is_tensor(x), x=lambda: t(3))
    add("linspace", lambda a, b, n: d2l.linspace(a, b, n), a=0.0, b=1.0, n=3)
    add("meshgrid", lambda x, y: d2l.meshgrid(x, y), x=lambda: t(2), y=lambda: t(3))
    add("normal", lambda m, s, n: d2l.normal(m, s, n), m=0.0, s=1.0, n=(2,))
    add("reshape", lambda x, n: d2l.reshape(x, n), x=lambda: t(2, 3), n=(3, 2))
    add("synchronize")
    add("tensor", lambda x: d2l.tensor(x), x=[1, 2])
    add("to", lambda x, d: d2l.to(x, d), x=lambda: t(3), d=lambda: d2l.try_gpu())
    add("transpose", lambda x, n: d2l.transpose(x, n), x=lambda: t(2, 3), n=(1, 0))
    add("try_gpu", lambda i: d2l.try_gpu(i), i=0)
    add("try_all_gpus")
    add("where", lambda c, x: d2l.where(c, x, x), c=lambda: t(3) > 0.5, x=lambda: t(3))
    return found


def public_names() -> set[str]:
    """All names that the stub declares."""
    stub = (ROOT / "d2lcv" / "__init__.pyi").read_text(encoding="utf-8")
    return set(re.findall(r"^from \S+ import (\w+) as \1$", stub, re.MULTILINE))


def vocabulary() -> set[str]:
    """Names of the framework's own functions."""
    import d2lcv.tensors

    return set(d2lcv.tensors.VOCABULARY)


# ---- what an argument is replaced by ---------------------------------------------------


class Foreign:
    """Passes for a tensor of a framework by the module that its type is said to be of."""

    shape, dtype, ndim = (2, 4), "float32", 2


def foreign(d2l: Any) -> Any:
    from d2lcv.backends import REGISTRY

    other = next(b for b in REGISTRY.values() if b.name != d2l.backend_name())
    return type("Tensor", (Foreign,), {"__module__": other.package})()


PLAIN: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "1": lambda: 1,
    "-1": lambda: -1,
    "3": lambda: 3,
    "0.5": lambda: 0.5,
    "-0.5": lambda: -0.5,
    "2**70": lambda: 2**70,
    "1e300": lambda: 1e300,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1j": lambda: 1j,
    "float32(.4)": lambda: np.float32(0.4),
    "float64(.4)": lambda: np.float64(0.4),
    "int64(2)": lambda: np.int64(2),
    "array(.5)": lambda: np.array(0.5),
    "array([.5])": lambda: np.array([0.5]),
    "Fraction(1, 2)": lambda: fractions.Fraction(1, 2),
    "Decimal('.5')": lambda: decimal.Decimal("0.5"),
    "''": lambda: "",
    "'text'": lambda: "text",
    "b'x'": lambda: b"x",
    "'\\0'": lambda: "\0",
    "[]": list,
    "()": lambda: (),
    "{}": dict,
    "{1, 2}": lambda: {1, 2},
    "[1, 'a']": lambda: [1, "a"],
    "(1, 2, 3)": lambda: (1, 2, 3),
    "[[1], [2, 3]]": lambda: [[1], [2, 3]],
    "[nan]": lambda: [math.nan],
    "[None]": lambda: [None],
    "object()": object,
    "array('text')": lambda: np.array(["text"]),
    "zeros((0, 4))": lambda: np.zeros((0, 4), np.float32),
    "lambda": lambda: lambda *_: None,
}


def _of_array(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any, Any], Any]:
    def replace(d2l, value):
        return d2l.tensor(np.ascontiguousarray(change(d2l.numpy(value))))

    return replace


def _first(number: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(x):
        x = x.astype(np.result_type(x.dtype, np.float32))
        x.reshape(-1)[:1] = number
        return x

    return change


TENSOR: dict[str, Callable[[Any, Any], Any]] = {
    **{
        f"as {dtype}": _of_array(lambda x, dtype=dtype: x.astype(dtype))
        for dtype in "float16 float64 int8 int16 int32 int64 uint8 bool".split()
    },
    "of no axes": _of_array(lambda x: x.reshape(-1)[0].reshape(())),
    "one axis more": _of_array(lambda x: x[None]),
    "one axis less": _of_array(lambda x: x[0] if x.ndim else x),
    "empty": _of_array(lambda x: x[:0] if x.ndim else x),
    "empty at the end": _of_array(lambda x: x[..., :0] if x.ndim else x),
    "longer": _of_array(lambda x: np.concatenate([x, x], -1) if x.ndim else x),
    "more rows": _of_array(lambda x: np.concatenate([x, x], 0) if x.ndim else x),
    "NaN in it": _of_array(_first(math.nan)),
    "infinity in it": _of_array(_first(math.inf)),
    "-infinity in it": _of_array(_first(-math.inf)),
    "3e9 in it": _of_array(_first(3e9)),
    "1e30 in it": _of_array(_first(1e30)),
    "-5 in it": _of_array(_first(-5)),
    "negative": _of_array(lambda x: -x.astype(np.float32) - 1),
    "zeros": _of_array(np.zeros_like),
    "its array": lambda d2l, value: d2l.numpy(value),
    "its list": lambda d2l, value: d2l.numpy(value).tolist(),
}


def replacements(d2l: Any, value: Any) -> list[str]:
    """What a value may be replaced by, by name."""
    tensor = list(TENSOR) if d2l.is_tensor(value) else []
    return ["another framework's", *PLAIN, *tensor]


def replaced(d2l: Any, how: str, value: Any) -> Any:
    """The value that is passed instead."""
    if how == "another framework's":
        return foreign(d2l)
    return PLAIN[how]() if how in PLAIN else TENSOR[how](d2l, value)


# ---- in the process that makes the calls ------------------------------------------------


def plan(d2l: Any, table: dict[str, Entry], calls: int, seed: int) -> list[tuple]:
    """(name, argument, replacement) of each call: first every valid one, then a sample.

    The sample goes through the arguments evenly, each with replacements in a random order.
    """
    random_ = random.Random(seed)
    valid = [(name, None, None) for name, entry in table.items() if entry.is_run]
    pairs = []
    for name, entry in table.items():
        for argument, value in entry.arguments().items():
            ways = replacements(d2l, value)
            random_.shuffle(ways)
            pairs.append([(name, argument, how) for how in ways])
    every = [p[i] for i in range(max(map(len, pairs))) for p in pairs if i < len(p)]
    most = max(calls - len(valid), 0)
    if most > len(every):  # the whole table, again and again in another order
        every *= -(-most // len(every))
    return valid + every[:most]


def outcome(d2l: Any, entry: Entry, name: str, argument: str | None, how: str | None):
    """ "value", "error" as promised, or what was wrong."""
    from d2lcv.backends.worker import WorkerError
    from d2lcv.data.hub import HubError

    arguments = entry.arguments()
    if argument is not None:
        try:
            arguments[argument] = replaced(d2l, how, arguments[argument])
        except Exception:
            return "value"  # the framework has no such tensor
    given = arguments.get(argument)
    try:
        entry.call(**arguments)
        d2l.synchronize()  # what a framework computes later fails in its own call
    except SystemExit as error:  # of the reader of options, with a line of usage
        return "error" if name == "Chapter" and error.code == 2 else "ends the program"
    except Exception as error:
        if argument is None:
            return "valid call: " + "".join(traceback.format_exception(error))[-1500:]
        if name in vocabulary():
            return "error"
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        # of two that do not fit together either may be named
        named = re.search(rf"\b({'|'.join(arguments)})\b", str(error))
        named = named or "the active backend" in str(error)
        # a file is named by its path, a training that diverges by its step
        named = named or isinstance(error, (OSError, HubError, FloatingPointError))
        if isinstance(given, str):
            named = (
                named or repr(given) in str(error) or (given and given in str(error))
            )
        promised = (TypeError, ValueError, OSError, HubError, FloatingPointError)
        promised = (*promised, WorkerError)
        if isinstance(error, promised) and last.startswith(PACKAGE) and named:
            return "error"
        where = Path(last).name
        return f"{type(error).__name__} in {where}: {str(error)[:150]}"
    return "value"


def child(options: argparse.Namespace) -> None:
    """Make the calls from number `start` on, and tell of each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("MPLBACKEND", "Agg")
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    os.chdir(folder)
    os.environ["D2L_DATA"] = str(folder / "data_dir")

    import warnings

    warnings.simplefilter("ignore")
    import d2lcv as d2l

    def say(*message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    table = entries(d2l, folder)
    if options.only:
        table = {k: v for k, v in table.items() if k in options.only}
    calls = plan(d2l, table, options.calls, options.seed)
    say("calls", len(calls))
    for i, (name, argument, how) in enumerate(calls[options.start :], options.start):
        say("begin", i, name, argument, how)
        with np.errstate(all="ignore"):
            say("end", i, outcome(d2l, table[name], name, argument, how))
        with contextlib.suppress(Exception):  # what is left of a call that failed
            d2l.synchronize()
        d2l.plt.close("all")
    say("done")


# ---- the process that watches it -------------------------------------------------------


def _pass_on(stream: Any, put: Callable[[str], None]) -> None:
    """Each line as it comes, and an empty one in the end."""
    for line in stream:
        put(line)
    put("")


def run(calls: int, seed: int = 0, only: tuple[str, ...] = (), patience: float = 120.0):
    """[(name, argument, replacement, outcome)] of all calls, each death among them."""
    found, start, total = [], 0, None
    with tempfile.TemporaryDirectory() as folder:
        while total is None or start < total:
            command = [sys.executable, __file__, "--child", "--folder", folder]
            numbers = {"--calls": calls, "--seed": seed, "--start": start}
            command += [str(x) for option in numbers.items() for x in option]
            command += ["--only", *only] if only else []
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            )
            lines: queue.Queue[str] = queue.Queue()
            printed: list[str] = []
            for stream, put in (
                (process.stdout, lines.put),
                (process.stderr, printed.append),
            ):
                threading.Thread(
                    target=_pass_on, args=(stream, put), daemon=True
                ).start()
            pending = None
            while True:
                try:  # a framework may take long to begin
                    line = lines.get(timeout=patience if pending else 5 * patience)
                except queue.Empty:
                    process.kill()
                    if pending is None:
                        raise RuntimeError("it does not begin") from None
                    found.append((*pending, "hangs"))
                    break
                if not line:
                    process.wait()
                    if pending is None:
                        raise RuntimeError("".join(printed)[-3000:])
                    status = process.returncode
                    found.append((*pending, f"ends the process ({status})"))
                    break
                kind, *rest = json.loads(line)
                if kind == "calls":
                    total = rest[0]
                elif kind == "begin":
                    start, pending = rest[0] + 1, tuple(rest[1:])
                elif kind == "end":
                    found.append((*pending, rest[1]))
                else:
                    process.wait()
                    return found
            process.wait()
    return found


def broken(found: list[tuple]) -> list[tuple]:
    """The calls that ended neither in a value nor in a promised error."""
    return [f for f in found if f[3] not in ("value", "error")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME")
    parser.add_argument("--json", metavar="FILE", help="also write what is broken")
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return 0
    found = run(options.calls, options.seed, tuple(options.only))
    bad = broken(found)
    for name, argument, how, what in bad:
        print(f"{name}({argument} = {how}): {what}")
    if options.json:
        Path(options.json).write_text(json.dumps(bad), encoding="utf-8")
    print(f"{len(found)} calls, {len(bad)} that name nothing, hang or end the process")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
