# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # You only look once: detection as regression
#
# The single-shot detector of the [section before](ssd.py) classifies thousands of
# anchors. **YOLO** ("you only look once", [Redmon et al.,
# 2016](https://arxiv.org/abs/1506.02640)) asks a simpler question. It divides the picture
# into a grid of cells and lets one network predict, for each cell, a few boxes with their
# confidence and the class of what the cell shows. There are no anchors, nothing is
# matched by overlap before the training, and all numbers are learned by one
# **regression**. This made it fast: 45 pictures per second on a graphics card of its
# time. Here we build a small one, train it on the same bananas, and compare the two.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "yolo",
    quick={"num_epochs": 6, "min_steps": 750, "batch_size": 8, "image_size": 128,
           "lr": 2e-3, "threshold": 0.3, "exercises": False},
    book={"num_epochs": 40, "min_steps": 0, "batch_size": 32, "image_size": 256,
          "lr": 2e-3, "threshold": 0.3, "exercises": False},
)  # fmt: skip
d2l.show_diagram("yolo")

# %% [markdown]
# ## The grid
#
# Let the grid have $S$ rows and $S$ columns. An object belongs to the one cell that holds
# its centre; this cell is **responsible** for it. With pictures of 128 × 128 pixels and
# cells of 16 × 16 the grid is 8 × 8. Here is a picture with its grid. The green cell is
# the responsible one.

# %%
folder = d2l.banana_folder(run.data)
print("data from", folder)
size = (run.image_size, run.image_size)
train_set = d2l.BananasDataset(True, folder, size)
val_set = d2l.BananasDataset(False, folder, size)
train_iter = d2l.loader(train_set, run.batch_size, shuffle=True)
val_iter = d2l.loader(val_set, run.batch_size)
X, Y = next(iter(train_iter))
S = run.image_size // 16
classes, boxes = d2l.yolo_target(Y, S, S)
print(f"labels {tuple(Y.shape)}, classes {tuple(classes.shape)}, "
      f"boxes {tuple(boxes.shape)}")  # fmt: skip

# %%
picture = d2l.numpy(d2l.transpose(X, (0, 2, 3, 1)))[0] / 255
(ax,) = d2l.show_images([picture], 1, 1, scale=4)
for line in range(1, S):
    ax.axhline(16 * line - 0.5, color="w", lw=0.7)
    ax.axvline(16 * line - 0.5, color="w", lw=0.7)
for row, column in np.argwhere(d2l.numpy(classes)[0] >= 0):
    cell = d2l.bbox_to_rect(
        (16 * column, 16 * row, 16 * column + 16, 16 * row + 16), "lime"
    )
    ax.add_patch(cell)
    d2l.show_bboxes(
        ax, d2l.numpy(boxes)[0, row, column] * run.image_size, "banana", "w"
    )
d2l.show("grid")

# %% [markdown]
# `yolo_target` finds the responsible cells of a batch of labels. A cell can answer for one
# object only: of two objects with their centres in one cell the first one counts. This is
# the price of the grid, and small things that stand close together pay it.

# %%
d2l.show_source(d2l.yolo_target)

# %% [markdown]
# ## The network
#
# The network is nothing but convolutions. Four down-sampling blocks turn 16 × 16 pixels
# into one pixel of the map: the cell. Two more convolutions let each cell look further
# around itself, and a 1 × 1 convolution gives its numbers: for each of $K$ boxes
# $x, y, w, h$ and a confidence, and a score for each of $C$ classes, $5K + C$ in all.

# %%
d2l.seed(run.seed)
net = d2l.to(d2l.TinyYOLO(train_set.num_classes), run.device)
# they go into its files, which `d2lcv detect` reads
net.classes, net.image_size = tuple(train_set.classes), size
d2l.show_source(d2l.TinyYOLO)
preds = d2l.predict(net, d2l.to(X, run.device))
print("numbers of the cells:", tuple(preds.shape))

# %% [markdown]
# ### From numbers to boxes
#
# All numbers pass a sigmoid $\sigma$, which keeps them between 0 and 1. The centre of a
# box lies inside its cell: in column $j$ and row $i$ it is
# $x = (j + \sigma(t_x)) / S$ and $y = (i + \sigma(t_y)) / S$. Width and height are
# predicted as **square roots**, $\sqrt w = \sigma(t_w)$: an error of a few pixels matters
# more for a small box than for a large one, and on the scale of roots it also counts more.
# The **confidence** says two things at once, that there is an object and that the box fits
# it: in training it is the IoU of the predicted box with the object, and 0 where there is
# none.

# %%
d2l.show_source(d2l.yolo_decode)

# %% [markdown]
# ## The loss
#
# Each cell predicts $K$ boxes, and the one that overlaps the object most is responsible
# for it. The boxes of a cell therefore specialise during the training, for example one in
# flat objects and one in high ones. The loss sums squared errors:
#
# $$\begin{aligned}
# &\lambda_\text{coord} \sum_\text{responsible}
# (x - \hat x)^2 + (y - \hat y)^2 + (\sqrt w - \sqrt{\hat w})^2
# + (\sqrt h - \sqrt{\hat h})^2\\
# &+ \sum_\text{responsible} (\text{IoU} - \hat c)^2
# + \lambda_\text{noobj} \sum_\text{others} \hat c^2
# + \sum_\text{cells with an object} \sum_k (p_k - \hat p_k)^2.
# \end{aligned}$$
#
# Most cells have no object. Their many small errors would outweigh the few that matter, so
# they count half, $\lambda_\text{noobj} = 0.5$, and the places of objects count five times,
# $\lambda_\text{coord} = 5$.

# %%
d2l.show_source(d2l.yolo_loss)

# %% [markdown]
# ## Training
#
# The loop is that of the [section on SSD](ssd.py): a step goes from a batch to its loss.
# We watch the loss and, after each pass, the mean average precision on pictures that are
# not trained on.


# %%
def step(X, Y):
    preds = net(X)
    classes, boxes = d2l.yolo_target(Y, *preds.shape[1:3])
    loss = d2l.yolo_loss(preds, classes, boxes, train_set.num_classes)
    return d2l.reduce_mean(loss), ()


def detect(X):
    preds = d2l.predict(net, d2l.to(X, run.device))
    return d2l.yolo_detection(preds, train_set.num_classes)


def evaluate(data_iter):
    detections, labels = [], []
    for X, Y in run.progress(data_iter, "validation"):
        detections.extend(d2l.numpy(detect(X)))
        labels.extend(d2l.numpy(Y))
    return d2l.mean_average_precision(detections, np.stack(labels))


untrained = evaluate(val_iter)
print(f"mAP@0.5 before training: {untrained:.3f}")

# %%
trainer = d2l.Trainer(net, "adam", lr=run.lr)
timer, num_batches = d2l.Timer(), len(train_iter)
num_epochs = max(run.num_epochs, -(-run.min_steps // num_batches))
animator = d2l.Animator(
    xlabel="epoch", yscale="log", xlim=[1, num_epochs], legend=["loss", "mAP@0.5"]
)
epochs = run.epochs(num_epochs, trainer, train_iter, animator)
for epoch in epochs:
    sums = d2l.Accumulator(2)  # loss, pictures
    timer.start()
    batches = run.progress(train_iter, f"epoch {epoch + 1}/{num_epochs}")
    for i, (X, Y) in enumerate(batches):
        trainer.lr = run.lr * d2l.warmup_cosine((epoch + i / num_batches) / num_epochs)
        loss, _ = trainer.step(step, d2l.to(X, run.device), d2l.to(Y, run.device))
        sums.add(loss * len(X), len(X))
    timer.stop()
    epochs.add({"loss": sums[0] / sums[1], "mAP@0.5": evaluate(val_iter)})
loss, precision = epochs.last.values()
d2l.show("curves")

# %% [markdown]
# ## Looking at the result
#
# The surest boxes go through non-maximum suppression, as before: neighbouring cells and
# the two boxes of a cell may claim the same banana. White boxes are labels.

# %%
d2l.show_source(d2l.yolo_detection)

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
    captions = [f"{names[int(k)]} {score:.2f}" for k, score in sure[:, :2]]
    colors = [f"C{int(k)}" for k in sure[:, 0]]  # of classes
    d2l.show_bboxes(ax, sure[:, 2:] * run.image_size, captions, colors)
d2l.show("detections")

# %%
print(f"mAP@0.5: {untrained:.3f} before training, {precision:.3f} after")
print("weights in", d2l.save_weights(net, run.out / "tinyyolo.safetensors"))

# %% [markdown]
# ## One stage, with and without anchors
#
# How do the two one-stage detectors compare in size and speed? We count their parameters
# and let both predict the same batch, decoding and suppression included, in turn.


# %%
def count(net):
    weights = d2l.get_weights(net)
    return sum(w.size for name, w in weights.items() if "running" not in name)


ssd = d2l.to(d2l.TinySSD(train_set.num_classes), run.device)


def detect_with_ssd(X):
    anchors, cls_preds, bbox_preds = d2l.predict(ssd, d2l.to(X, run.device))
    cls_probs = d2l.transpose(d2l.softmax(cls_preds, -1), (0, 2, 1))
    return d2l.multibox_detection(cls_probs, bbox_preds, anchors, background=False)


rates = {}
for _ in range(4):  # the first round compiles and warms up
    for name, function in {"TinySSD": detect_with_ssd, "TinyYOLO": detect}.items():
        clock = d2l.Timer()
        d2l.numpy(function(X))
        rates[name] = len(X) / clock.stop()
for name, model in {"TinySSD": ssd, "TinyYOLO": net}.items():
    print(f"{name}: {count(model)} parameters, {rates[name]:.0f} pictures per second")
anchors = d2l.predict(ssd, d2l.to(X[:1], run.device))[0].shape[1]
print(f"boxes for each picture: {anchors} of TinySSD, {2 * S * S} of TinyYOLO")

# %% [markdown]
# TinyYOLO answers with about a tenth as many boxes, and nothing has to be matched by
# overlap before the training. What it gives up are small objects, several objects in one
# cell, and the precision that anchors of fitting shapes give from the start. Later
# versions of YOLO took up anchors ([Redmon and Farhadi,
# 2017](https://arxiv.org/abs/1612.08242)) and several scales
# ([2018](https://arxiv.org/abs/1804.02767)). The [section on region-based
# detectors](rcnn.py) adds two stages to the comparison, all three trained on the same
# pictures.
#
# ## Summary
#
# - YOLO predicts boxes and classes by one regression over a grid of cells. The cell that
#   holds an object's centre is responsible for it.
# - A box is its centre within the cell, the roots of its width and height, and a
#   confidence, which learns the IoU with the object.
# - The loss weights places up and empty cells down. Of the boxes of a cell only the one
#   that fits best learns the place.
# - One stage is fast. The grid limits how many small objects can be found.
#
# ## Exercises
#
# 1. Two objects of one picture have their centres in the same cell. What does
#    `yolo_target` do, what does SSD's assignment do, and how could YOLO be changed?
# 2. Why does the loss compare the roots of widths and heights? Compute the loss for a
#    width that is wrong by 0.05 at a width of 0.1 and of 0.8, with roots and without.
# 3. Train with one box per cell, and with $\lambda_\text{noobj} = 1$. What becomes of the
#    mAP?
# 4. Write `yolo_target` yourself.
#
# ### Answer to exercise 1
#
# The first label row wins and the other object is not trained on. SSD gives each object
# an anchor of its own, since objects choose among thousands of anchors of different
# shapes. YOLO could use a finer grid, or let each box of a cell have a class of its own,
# so that the boxes of one cell may answer for different objects.

# %%
two = d2l.tensor([[[0, 0.30, 0.30, 0.40, 0.40], [1, 0.28, 0.30, 0.42, 0.42]]])
classes, _ = d2l.yolo_target(two, 4, 4)
print("classes of the cells:\n", d2l.numpy(classes)[0], sep="")

# %% [markdown]
# ### Answer to exercise 2
#
# Without roots both errors cost the same. With roots the error of the small box costs
# nearly seven times as much, as it should: it is half of the width of that box.

# %%
for width in (0.1, 0.8):
    plain, rooted = 0.05**2, (np.sqrt(width + 0.05) - np.sqrt(width)) ** 2
    print(f"width {width}: without roots {plain:.5f}, with roots {rooted:.5f}")

# %% [markdown]
# ### Answer to exercise 3
#
# `--exercises true` trains both for one pass over the pictures, beside the settings of
# the paper. In our run on PyTorch (quick preset, `--num-epochs 1 --min-steps 0`) the
# mAP@0.5 was 0.151 with the settings of the paper, 0.239 with one box and 0.054 with the
# weight 1. A second box can serve other shapes, but it also has to be learned, and in one
# pass it did not pay. The weight 1 lets the many empty cells outweigh the few others even
# more, which may keep the confidences low for longer.


# %%
def one_pass(num_boxes, noobj_weight):
    d2l.seed(run.seed)
    net = d2l.to(d2l.TinyYOLO(train_set.num_classes, num_boxes), run.device)
    trainer = d2l.Trainer(net, "adam", lr=run.lr)

    def step(X, Y):
        preds = net(X)
        truth = d2l.yolo_target(Y, *preds.shape[1:3])
        loss = d2l.yolo_loss(
            preds, *truth, train_set.num_classes, noobj_weight=noobj_weight
        )
        return d2l.reduce_mean(loss), ()

    for i, (X, Y) in enumerate(run.progress(train_iter, f"{num_boxes} boxes")):
        trainer.lr = run.lr * d2l.warmup_cosine(i / len(train_iter))
        trainer.step(step, d2l.to(X, run.device), d2l.to(Y, run.device))
    return net


variants = {"as in the paper": (2, 0.5), "one box": (1, 0.5), "empty cells": (2, 1.0)}
for name, settings in variants.items() if run.exercises else ():
    net = one_pass(*settings)  # `detect` takes it from here
    print(f"{name}: mAP@0.5 {evaluate(val_iter):.3f} after one pass")

# %% [markdown]
# ### Exercise 4: write it yourself
#
# Replace `...` by your code. The cell then runs it on the cases that define the function
# and says how many are right.


# %%
@d2l.exercise("yolo_target")
def yolo_target(labels, height, width): ...  # (B, G, 5)


# %% [markdown]
# ### Answer to exercise 4
#
# A solution is the code that runs: `yolo_target` stands in this section in full, where
# cells get their objects. `d2l.source(d2l.yolo_target)` gives it once more, in the
# framework that you use.

# %%
run.report(
    {"mAP@0.5": precision, "mAP@0.5_untrained": untrained, "loss": loss},
    num_examples=len(timer.times) * len(train_set),
    seconds=timer.sum(),
)
