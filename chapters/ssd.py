# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Single-shot multibox detection
#
# A detector has to answer two questions at once: *what* is in the picture, and *where*?
# The **single-shot multibox detector** (SSD, [Liu et al.,
# 2016](https://arxiv.org/abs/1512.02325)) answers both in one pass, fast enough for video.
# It lays a fixed grid of [anchor boxes](anchor.py) over the picture at several scales, and
# for each of them it predicts a class and four numbers that move and stretch the anchor
# onto the object. Here we build a small one, train it to find bananas, and look at what it
# finds.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "ssd",
    quick={"num_epochs": 5, "min_steps": 600, "batch_size": 8, "image_size": 128,
           "optimizer": "adam", "lr": 2e-3, "weight_decay": 0.0, "schedule": "cosine",
           "threshold": 0.3, "exercises": False},
    book={"num_epochs": 20, "min_steps": 0, "batch_size": 32, "image_size": 256,
          "optimizer": "sgd", "lr": 0.2, "weight_decay": 5e-4, "schedule": "constant",
          "threshold": 0.9, "exercises": False},
)  # fmt: skip
d2l.show_diagram("ssd")

# %% [markdown]
# The **base network** turns the picture into a first feature map. Each further block
# halves the map, so that its pixels see larger objects. On every map one convolution
# predicts classes and another one offsets, for all anchors of the map at once. Where the
# original takes VGG or ResNet as its base, ours is a small network that learns in minutes.
#
# ## The model
#
# ### Predicting classes
#
# Let a feature map have height $h$ and width $w$, with $a$ anchors around each pixel, and
# let there be $q$ classes of objects. Class 0 is the background, so each anchor needs
# $q + 1$ scores, and the map $h w a (q + 1)$. A fully connected layer for that many
# outputs would be enormous. A convolution does it with few weights: it keeps the map's
# size and gives $a (q + 1)$ channels, so that the scores of the anchors around a pixel
# stand in the channels of that very pixel. Channel $i (q + 1) + j$ is the score of class
# $j$ for anchor $i$. A 3 × 3 kernel lets each pixel look at its neighbours as well.

# %%
d2l.show_source(d2l.cls_predictor)

# %%
cls_head = d2l.cls_predictor(num_inputs=8, num_anchors=5, num_classes=10)
Y1 = cls_head(d2l.zeros((2, 8, 20, 20)))
Y2 = d2l.cls_predictor(16, 3, 10)(d2l.zeros((2, 16, 10, 10)))
print("class scores of two scales:", tuple(Y1.shape), tuple(Y2.shape))

# %% [markdown]
# ### Predicting boxes
#
# The second predictor has the same form. It gives four offsets for each anchor instead of
# $q + 1$ scores.

# %%
d2l.show_source(d2l.bbox_predictor)

# %%
bbox_head = d2l.bbox_predictor(num_inputs=8, num_anchors=5)
print("offsets:", tuple(bbox_head(d2l.zeros((2, 8, 20, 20))).shape))

# %% [markdown]
# ### Joining the scales
#
# Maps of different sizes cannot be stacked. We therefore move the channels to the end, so
# that the predictions of one pixel stand together, flatten everything but the batch, and
# join the scales one after the other:
# $20 \cdot 20 \cdot 55 + 10 \cdot 10 \cdot 33 = 25300$.

# %%
d2l.show_source(d2l.flatten_pred, d2l.concat_preds)

# %%
print("joined:", tuple(d2l.concat_preds([Y1, Y2]).shape))

# %% [markdown]
# ### Halving the map
#
# Smaller maps see larger objects, because each of their pixels covers more of the picture.
# A down-sampling block applies a 3 × 3 convolution, batch normalisation and ReLU twice and
# then halves the height and width by max pooling. A pixel of its output depends on a patch
# of 6 × 6 pixels of its input, its **receptive field**: the pooling looks at 2 × 2, and
# each of the two convolutions before it adds one pixel on every side, 2 + 2 + 2 = 6.

# %%
d2l.show_diagram("receptive_field")
d2l.show_source(d2l.down_sample_blk)

# %%
block = d2l.down_sample_blk(in_channels=3, out_channels=10)
print("halved:", tuple(d2l.predict(block, d2l.zeros((2, 3, 20, 20))).shape))

# %% [markdown]
# Three of these blocks, with 16, 32 and 64 channels, make the base network, which turns a
# picture into the first and finest feature map.

# %%
d2l.show_source(d2l.base_net)

# %%
X = d2l.zeros((2, 3, 256, 256))
print("base network:", tuple(d2l.predict(d2l.base_net(), X).shape))

# %% [markdown]
# ### The whole detector
#
# TinySSD has five scales: the base network, three more blocks of 128 channels, and a
# global max pooling down to a single pixel. The finer scales carry the smaller anchors.
# Scales grow evenly from 0.2 towards 1.05; each map also gets the geometric mean of its
# own scale and the next ($\sqrt{0.2 \cdot 0.37} = 0.272$, and so on), and the aspect ratios
# 1, 2 and ½. That makes four anchors for each pixel.
#
# `blk_forward` computes one scale: its map, its anchors and its predictions.

# %%
d2l.show_source(d2l.blk_forward)

# %% [markdown]
# The net goes through the five scales and joins what they give.

# %%
net = d2l.TinySSD(num_classes=1)
d2l.show_source(d2l.TinySSD)

# %% [markdown]
# On a picture of 256 × 256 pixels the maps measure 32², 16², 8², 4² and 1², hence
# $(1024 + 256 + 64 + 16 + 1) \cdot 4 = 5444$ anchors.

# %%
anchors, cls_preds, bbox_preds = d2l.predict(net, d2l.zeros((4, 3, 256, 256)))
print("anchors:", tuple(anchors.shape))
print("class scores:", tuple(cls_preds.shape))
print("offsets:", tuple(bbox_preds.shape))

# %% [markdown]
# ## The data
#
# By default we draw pictures with one banana each among other things and store them the
# way the [book's set](object_detection_dataset.py) is stored. `--data book` downloads
# the book's pictures, and `--data FOLDER` reads your own, in this layout or in those of
# COCO, Pascal VOC and YOLO; a picture may have several objects. A label is a row (class,
# x1, y1, x2, y2), with the corners in fractions of the picture.

# %%
folder = d2l.banana_folder(run.data)
print("data from", folder)
size = (run.image_size, run.image_size)
train_set = d2l.BananasDataset(True, folder, size)
val_set = d2l.BananasDataset(False, folder, size)
train_iter = d2l.loader(train_set, run.batch_size, shuffle=True)
val_iter = d2l.loader(val_set, run.batch_size)
print(len(train_set), "pictures to train on,", len(val_set), "to validate")
X, Y = next(iter(train_iter))
print("a batch:", tuple(X.shape), tuple(Y.shape))

# %%
images = d2l.numpy(d2l.transpose(X, (0, 2, 3, 1)))[:10] / 255
axes = d2l.show_images(images, 2, min(5, len(images)), scale=2)
for ax, label in zip(axes, d2l.numpy(Y)):
    real = label[label[:, 0] >= 0]
    d2l.show_bboxes(ax, real[:, 1:] * run.image_size, colors=["w"])
d2l.show("data")

# %% [markdown]
# ## Training
#
# ### Loss
#
# Each anchor is assigned to an object or to the background, which gives it a class to
# predict, and, if it has an object, four offsets. The classes have a cross-entropy loss.
# The offsets have an **$L_1$ loss**, the mean absolute difference, under a mask that leaves
# out the anchors without an object. Both are averaged over the anchors of a picture and
# added.

# %%
d2l.show_source(d2l.calc_loss)

# %% [markdown]
# We watch two numbers that mean something to a person: the share of anchors whose class is
# wrong, and the mean absolute error of the offsets. The first comes from counting right
# classes, the second from summing absolute errors.

# %%
d2l.show_source(d2l.cls_eval, d2l.bbox_eval)

# %% [markdown]
# ### The step
#
# A training step goes from a batch to its loss, from the loss to the gradients of all
# weights, and from the gradients to new weights. Here it is in your framework. `loss_of`
# is what the chapter defines below; `d2l.Trainer.step` calls these lines.

# %%
d2l.show_source("training.train_step")
d2l.show_source("training.make_optimizer", fold="How the optimizer is made")

# %% [markdown]
# For SSD the way from a batch to its loss is: anchors and predictions from the net,
# targets from the labels, the loss of both.

# %%
d2l.seed(run.seed)
net = d2l.to(d2l.TinySSD(train_set.num_classes), run.device)
# they go into its files, which `d2lcv detect` reads
net.classes, net.image_size = tuple(train_set.classes), size
trainer = d2l.Trainer(net, run.optimizer, lr=run.lr, weight_decay=run.weight_decay)


def step(X, Y):
    anchors, cls_preds, bbox_preds = net(X)
    bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(anchors, Y)
    loss = d2l.calc_loss(cls_preds, cls_labels, bbox_preds, bbox_labels, bbox_masks)
    right = d2l.cls_eval(cls_preds, cls_labels)
    error = d2l.bbox_eval(bbox_preds, bbox_labels, bbox_masks)
    return d2l.reduce_mean(loss), (right, error)


# %% [markdown]
# ### Finding objects
#
# To use the detector we turn scores into probabilities and let
# [`multibox_detection`](anchor.py) move the anchors by their predicted offsets and keep
# one box per object. We judge it by the **mean average precision** at an IoU of 0.5
# (mAP@0.5): a detection counts as right if it overlaps an object of its class by at least
# that much and no surer detection has claimed the object already. For each class the
# precision is averaged over all recalls, and the mean over the classes is the result: 1
# is perfect. An untrained net is our baseline. For predictions the net is switched to
# evaluation mode, and no gradients are kept:

# %%
d2l.show_source("training.predict")
d2l.show_source(d2l.multibox_detection, fold="From predictions to boxes")


# %%
def detect(X):
    anchors, cls_preds, bbox_preds = d2l.predict(net, d2l.to(X, run.device))
    cls_probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
    # anchors that are most likely background are left out before suppression
    return d2l.multibox_detection(cls_probs, bbox_preds, anchors, background=False)


def evaluate(data_iter):
    detections, labels = [], []
    for X, Y in run.progress(data_iter, "validation"):
        detections.extend(d2l.numpy(detect(X)))
        labels.extend(d2l.numpy(Y))
    return d2l.mean_average_precision(detections, np.stack(labels))


untrained = evaluate(val_iter)
print(f"mAP@0.5 before training: {untrained:.3f}")

# %% [markdown]
# Now the loop itself. The quick preset uses Adam with a learning rate that rises over the
# first tenth of the steps and then falls along a cosine, and so needs few steps: 600, for
# which a small set is gone through more often (`--min-steps`). The book's preset uses
# stochastic gradient descent without momentum, at a constant rate. `run.epochs` counts
# the epochs, and writes a checkpoint after each: `--resume` goes on from there.

# %%
schedules = {"cosine": d2l.warmup_cosine, "constant": lambda progress: 1.0}
schedule = schedules[run.schedule]
timer, num_batches = d2l.Timer(), len(train_iter)
num_epochs = max(run.num_epochs, -(-run.min_steps // num_batches))
animator = d2l.Animator(
    xlabel="epoch",
    yscale="log",
    xlim=[1, num_epochs],
    legend=["class error", "bbox mae", "mAP@0.5 (validation)"],
)
anchors_per_image = d2l.predict(net, d2l.to(X[:1], run.device))[0].shape[1]
epochs = run.epochs(num_epochs, trainer, train_iter, animator)
for epoch in epochs:
    sums = d2l.Accumulator(4)  # right classes, classes, offset error, offsets
    timer.start()
    batches = run.progress(train_iter, f"epoch {epoch + 1}/{num_epochs}")
    for i, (X, Y) in enumerate(batches):
        progress = (epoch + i / num_batches) / num_epochs
        trainer.lr = run.lr * schedule(progress)
        X, Y = d2l.to(X, run.device), d2l.to(Y, run.device)
        loss, (right, error) = trainer.step(step, X, Y)
        num_anchors = len(X) * anchors_per_image
        sums.add(right, num_anchors, error, 4 * num_anchors)
    class_error, bbox_mae = 1 - sums[0] / sums[1], sums[2] / sums[3]
    timer.stop()
    trained = evaluate(val_iter)
    epochs.add({"class_error": class_error, "bbox_mae": bbox_mae, "mAP@0.5": trained})
class_error, bbox_mae, trained = epochs.last.values()
d2l.show("curves")

# %% [markdown]
# ## Looking at the result
#
# The white boxes are the labels, the coloured ones what the detector found with a
# confidence above the threshold. These pictures were not used in training.

# %%
X, Y = next(iter(val_iter))
found = d2l.numpy(detect(X))
images = d2l.numpy(d2l.transpose(X, (0, 2, 3, 1)))[:8] / 255
axes = d2l.show_images(images, 2, min(4, len(images)), scale=2.5)
names = val_set.classes
for ax, rows, label in zip(axes, found, d2l.numpy(Y)):
    real = label[label[:, 0] >= 0]
    d2l.show_bboxes(ax, real[:, 1:] * run.image_size, colors="w")
    sure = rows[(rows[:, 0] >= 0) & (rows[:, 1] >= run.threshold)]
    captions = [f"{names[int(k)]} {confidence:.2f}" for k, confidence in sure[:, :2]]
    colors = [f"C{int(k)}" for k in sure[:, 0]]  # of classes
    d2l.show_bboxes(ax, sure[:, 2:] * run.image_size, captions, colors)
d2l.show("detections")

# %%
print(f"mAP@0.5: {untrained:.3f} before training, {trained:.3f} after")
print("weights in", d2l.save_weights(net, run.out / "tinyssd.safetensors"))

# %% [markdown]
# ### One picture from a file
#
# In use a picture comes from a disk and has any size. We make it as large as the pictures
# of the training, and the boxes, which are fractions, fit the original again.

# %%
path = val_set.paths[0]
picture = d2l.Image.open(path).convert("RGB")
pixels = np.asarray(picture.resize(size), np.float32).transpose(2, 0, 1)[None]
(rows,) = d2l.numpy(detect(d2l.tensor(pixels.copy())))
sure = rows[(rows[:, 0] >= 0) & (rows[:, 1] >= run.threshold)]
print(f"{picture.size[0]} × {picture.size[1]} pixels, {len(sure)} objects found")
axes = d2l.plt.imshow(picture).axes
captions = [f"{names[int(k)]} {confidence:.2f}" for k, confidence in sure[:, :2]]
colors = [f"C{int(k)}" for k in sure[:, 0]]
d2l.show_bboxes(axes, sure[:, 2:] * np.tile(picture.size, 2), captions, colors)
d2l.show("one-picture")

# %% [markdown]
# ## Other losses
#
# ### Smooth $L_1$
#
# The $L_1$ loss pulls with the same force however close a box already is. The **smooth
# $L_1$ loss** ([Girshick, 2015](https://arxiv.org/abs/1504.08083)) is a parabola around
# zero and a straight line further out; $\sigma$ sets where the one turns into the other:
#
# $$f(x) = \begin{cases}(\sigma x)^2 / 2 & |x| < 1/\sigma^2\\
# |x| - 0.5/\sigma^2 & \text{otherwise}\end{cases}$$

# %%
d2l.show_source(d2l.smooth_l1)

# %%
x = d2l.linspace(-2, 2, 101)
d2l.set_figsize((5, 3))
for sigma, style in ((10, "-"), (1, "--"), (0.5, "-.")):
    y = d2l.smooth_l1(x, sigma)
    d2l.plt.plot(d2l.numpy(x), d2l.numpy(y), style, label=f"$\\sigma$ = {sigma}")
d2l.set_axes(d2l.plt.gca(), "x", "smooth L1", None, None, "linear", "linear", [])
d2l.plt.legend()
d2l.show("smooth-l1")

# %% [markdown]
# ### Focal loss
#
# Nearly all anchors are background, and nearly all of those are easy. Each adds little to
# the cross-entropy, but together they outweigh the few that matter. The **focal loss**
# ([Lin et al., 2017](https://arxiv.org/abs/1708.02002)), $-\alpha (1 - p)^\gamma \log p$,
# counts an anchor less if its true class already has a high probability $p$. The greater
# $\gamma$ is, the less it counts; with $\gamma = 0$ and $\alpha = 1$ it is the
# cross-entropy. The weight $\alpha$ balances objects against the background; the curves
# below have $\alpha = 1$.

# %%
d2l.show_source(d2l.focal_loss)

# %%
p = d2l.linspace(0.01, 1, 100)
d2l.set_figsize((5, 3))
for gamma, style in ((0, "-"), (1, "--"), (5, "-.")):
    y = d2l.focal_loss(gamma, p)
    d2l.plt.plot(d2l.numpy(p), d2l.numpy(y), style, label=f"$\\gamma$ = {gamma}")
d2l.set_axes(d2l.plt.gca(), "p", "focal loss", None, None, "linear", "linear", [])
d2l.plt.legend()
d2l.show("focal-loss")

# %% [markdown]
# ## Class-aware suppression
#
# `multibox_detection` does not ask which class a box has: a sure cat removes a less sure
# dog that stands in front of it. `batched_nms` compares boxes of one class only. In the
# following four boxes the second has another class than the first, so it stays.

# %%
boxes = d2l.tensor(
    [
        [0.1, 0.1, 0.5, 0.9],
        [0.1, 0.1, 0.5, 0.8],
        [0.1, 0.2, 0.5, 0.9],
        [0.6, 0.2, 0.9, 0.9],
    ]
)
scores, classes = d2l.tensor([0.9, 0.8, 0.7, 0.6]), d2l.tensor([0, 1, 0, 0])
print("whatever the class:", d2l.numpy(d2l.nms(boxes, scores, 0.5)))
print("within each class: ", d2l.numpy(d2l.batched_nms(boxes, scores, classes, 0.5)))

# %% [markdown]
# ## Summary
#
# - A single-shot detector predicts a class and four offsets for every anchor of several
#   feature maps, in one pass. Coarse maps carry the large anchors.
# - Convolutions make these predictions with few weights; the channels of a pixel hold the
#   scores or the offsets of the anchors around it.
# - Training assigns objects to anchors first. Then it is classification and regression,
#   the latter under a mask.
# - The mean average precision judges a detector by its boxes. Smooth $L_1$, hard negatives
#   and the focal loss are other losses for the same targets.
# - Suppression within each class keeps objects of different classes that overlap.
#
# `python tools/program.py ssd` prints the code of this page as one program of your
# framework that goes from a folder of pictures to a trained detector and does not need
# `d2lcv`.
#
# ## Exercises
#
# 1. Replace the $L_1$ loss of the offsets by `d2l.smooth_l1`. What becomes of the mean
#    absolute error?
# 2. Most anchors are background. Keep only the hardest of them in the class loss, three
#    for each anchor with an object. Or take the focal loss. Does the mAP rise?
# 3. Why does the first scale need the most anchors, and which objects would be lost
#    without it? How could smaller objects be found?
# 4. The class loss and the offset loss are added with equal weights. When would you weigh
#    one of them up?
# 5. Which other measure than the error of the classes and offsets tells how good a
#    detector is?
# 6. Write `flatten_pred` and `smooth_l1` yourself.
#
# ### Answers to exercises 1 and 2
#
# `--exercises true` trains a new net with each of four losses, for one pass over the
# pictures. The second differs from the first in nothing but the loss of the offsets, with
# $\sigma = 1$. The third is what SSD itself was trained with: `hard_negative_loss` takes
# the anchors with an object and three times as many of the hardest others,
# `smooth_l1_loss` the offsets, and both are divided by the number of anchors with an
# object. The fourth, `focal_cls_loss`, keeps all anchors and counts the easy ones less,
# with $\gamma = 2$ and $\alpha = 0.25$.
# The errors are those on the pictures that were not trained on.
#
# In our run on PyTorch (quick preset, `--num-epochs 1 --min-steps 0`) the mean absolute
# error was 0.0038 with each of the first three losses, and 0.0039 with the focal loss.
# The mAP@0.5 was 0.252 with $L_1$, 0.275 with smooth $L_1$ and 0.270 with hard negatives.
# One run is not enough to say which of these three is best. With the focal loss it was
# 0.113: after one pass this loss is behind. One reason may be that it counts an anchor
# less as soon as the net is a little sure of it, so that the steps are smaller.


# %%
def smooth(cls_preds, classes, bbox_preds, offsets, masks):
    scores = d2l.transpose(cls_preds, (0, 2, 1))
    bbox = d2l.smooth_l1((bbox_preds - offsets) * masks, 1.0)
    class_loss = d2l.reduce_mean(d2l.cross_entropy(scores, classes), 1)
    return class_loss + d2l.reduce_mean(bbox, 1)


def per_object(class_loss):
    def loss(cls_preds, classes, bbox_preds, offsets, masks):
        bbox = d2l.smooth_l1_loss(bbox_preds, offsets, masks)
        return class_loss(cls_preds, classes) + bbox

    return loss


def one_pass(loss, name):
    d2l.seed(run.seed)
    net = d2l.to(d2l.TinySSD(train_set.num_classes), run.device)
    trainer = d2l.Trainer(net, "adam", lr=2e-3)

    def step(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        losses = loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(losses), ()

    for i, (X, Y) in enumerate(run.progress(train_iter, name)):
        trainer.lr = 2e-3 * d2l.warmup_cosine(i / len(train_iter))
        trainer.step(step, d2l.to(X, run.device), d2l.to(Y, run.device))
    return net


def offset_error(net):
    sums = d2l.Accumulator(2)
    for X, Y in val_iter:
        anchors, _, bbox_preds = d2l.predict(net, d2l.to(X, run.device))
        offsets, masks, _ = d2l.multibox_target(anchors, d2l.to(Y, run.device))
        sums.add(d2l.bbox_eval(bbox_preds, offsets, masks), d2l.size(offsets))
    return sums[0] / sums[1]


losses = {
    "L1": d2l.calc_loss,
    "smooth L1": smooth,
    "hard negatives": per_object(d2l.hard_negative_loss),
    "focal loss": per_object(d2l.focal_cls_loss),
}
for name, loss in losses.items() if run.exercises else ():
    net = one_pass(loss, name)  # `detect` takes it from here
    print(
        f"{name}: bbox mae {offset_error(net):.2e}, mAP@0.5 {evaluate(val_iter):.3f} "
        "after one pass"
    )

# %% [markdown]
# ### Answer to exercise 3
#
# The first map is the finest. Its anchors are the smallest and stand the closest, one every
# eight pixels, since a small object overlaps an anchor well only if the anchor is near.
# Without it, objects below a quarter of the picture's side would have no anchor of their
# size. Smaller objects can be found if the picture is enlarged before it enters the net, so
# that they cover more pixels, or if an even finer map, from an earlier block, gets
# predictors of its own. Both cost time: twice the side means four times the anchors.

# %%
for side in (run.image_size, 2 * run.image_size):
    prior = d2l.predict(net, d2l.to(d2l.zeros((1, 3, side, side)), run.device))[0]
    print(f"{side} × {side} pixels: {prior.shape[1]} anchors")

# %% [markdown]
# ### Answer to exercise 4
#
# The two losses measure different things and need not have the same size. If objects are
# named well but their boxes are loose, the offset loss should count more; if boxes are
# tight but classes are confused, the class loss should. At the end of this run the class
# error and the error of the offsets were:

# %%
print(f"class error {class_error:.2e}, bbox mae {bbox_mae:.2e}")

# %% [markdown]
# ### Answer to exercise 5
#
# The errors of classes and offsets are counted over anchors, and nearly all anchors are
# background. The mean average precision is counted over objects and detections: it asks
# whether each object was found once, and how well the confidences order right and wrong
# detections. `evaluate_detections` also gives it for stricter overlaps and for small and
# large objects.

# %%
detections, labels = [], []
for X, Y in val_iter:
    rows, truth = d2l.numpy(detect(X)), d2l.numpy(Y)
    rows[..., 2:] *= run.image_size
    truth[..., 1:] *= run.image_size
    detections.extend(rows)
    labels.extend(truth)
quality = d2l.evaluate_detections(detections, labels)
for name in ("AP50", "AP75", "AP"):
    print(f"{name}: {quality[name]:.3f}")

# %% [markdown]
# ### Exercise 6: write it yourself
#
# Replace `...` by your code. The cells then run it on the cases that define the functions
# and say how many are right.


# %%
@d2l.exercise("flatten_pred")
def flatten_pred(pred): ...  # (B, K, H, W) → (B, H·W·K)


@d2l.exercise("smooth_l1")
def smooth_l1(x, sigma): ...


# %% [markdown]
# ### Answer to exercise 6
#
# A solution is the code that runs: `flatten_pred` and `smooth_l1` stand in this section
# in full, each where it is first used. `d2l.source(d2l.flatten_pred)` gives it once
# more, in the framework that you use.

# %%
run.report(
    {
        "class_error": class_error,
        "bbox_mae": bbox_mae,
        "mAP@0.5": trained,
        "mAP@0.5_untrained": untrained,
    },
    num_examples=len(timer.times) * len(train_set),
    seconds=timer.sum(),
)
