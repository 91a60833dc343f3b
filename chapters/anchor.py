# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Anchor boxes
#
# A network has a fixed number of outputs, but a picture may show any number of objects,
# at any place. How can a fixed number of outputs describe them all? Many detectors use
# the same idea. They lay thousands of boxes over the picture beforehand, the **anchor
# boxes**, or anchors for short. Then the network answers two questions about each anchor:
# which class of object does it hold, if any, and how must it be moved and stretched to
# fit that object?
#
# This section goes the whole way by hand: we lay anchors over a picture, measure how much
# boxes overlap, find the right answers for the training, and turn the answers of a network
# into a few boxes. The detector in the [section on SSD](ssd.py) is built from these parts.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter("anchor", quick={"image": ""}, book={"image": ""}, data=())
np.set_printoptions(precision=6, suppress=True)
d2l.show_diagram("detection")

# %% [markdown]
# ## Laying anchors
#
# We start with anchors around every pixel of a picture of height $H$ and width $W$. Anchors
# differ in two ways. The **scale** $s$ says how large an anchor is, measured by the height
# of the picture. The **aspect ratio** $r$ is its width divided by its height, in pixels.
# The anchor $(s, r)$ is $H s \sqrt{r}$ pixels wide and $H s / \sqrt{r}$ pixels high, so its
# area is $(Hs)^2$ for every ratio. In fractions of the picture's width and height this is
#
# $$w = s \sqrt{r}\,\frac{H}{W}, \qquad h = \frac{s}{\sqrt{r}}.$$
#
# With $n$ scales and $m$ ratios there are $nm$ pairs. That would be many anchors for each
# pixel, so only the pairs with the first scale or the first ratio are used:
#
# $$(s_1, r_1), (s_2, r_1), \ldots, (s_n, r_1), (s_1, r_2), \ldots, (s_1, r_m).$$
#
# These are $n + m - 1$ anchors for each pixel. `multibox_prior` computes the pairs, the
# middles of the pixels, and from both the corners of all anchors. Its result has the shape
# (1, number of anchors, 4); the first axis is there because all pictures of a batch share
# the same anchors.

# %%
d2l.show_source(d2l.multibox_prior)

# %% [markdown]
# Three scales and three ratios make five anchors for each pixel. Our picture has 408 408
# pixels, and therefore more than two million anchors.

# %%
img = d2l.cat_and_dog(run.image)
h, w = img.shape[:2]
sizes, ratios = [0.75, 0.5, 0.25], [1, 2, 0.5]
anchors = d2l.multibox_prior(d2l.zeros((1, 3, h, w)), sizes, ratios)
print("anchors:", tuple(anchors.shape))

# %% [markdown]
# The anchors are listed pixel by pixel and row by row. In the shape (height, width, 5, 4)
# the first two axes name a pixel. Here are the five anchors of one pixel as corners
# $(x_1, y_1, x_2, y_2)$. They are fractions of the picture, and a corner outside of the
# picture is below 0 or above 1.

# %%
of_pixel = d2l.reshape(anchors, (h, w, -1, 4))[min(250, h - 1), min(250, w - 1)]
print("anchors of pixel (250, 250):\n", d2l.numpy(of_pixel), sep="")

# %% [markdown]
# To draw the anchors we multiply them by the width and height of the picture. The yellow
# dot is the pixel.

# %%
scale = np.array([w, h, w, h])
d2l.set_figsize((6, 4.8))
axes = d2l.plt.imshow(img).axes
pairs = [(s, ratios[0]) for s in sizes] + [(sizes[0], r) for r in ratios[1:]]
d2l.show_bboxes(
    axes, d2l.numpy(of_pixel) * scale, [f"s = {s}, r = {r}" for s, r in pairs]
)
axes.plot(250, 250, "o", color="yellow", markeredgecolor="k")
axes.set_axis_off()
d2l.show("anchors-of-a-pixel")

# %% [markdown]
# ## How well do two boxes agree?
#
# Which of the five anchors fits the dog best? To answer this we need a number. The
# **intersection over union** (IoU), also called the **Jaccard index**, of two boxes $A$ and
# $B$ is the area that they share, divided by the area that they cover together:
#
# $$J(A, B) = \frac{|A \cap B|}{|A \cup B|} = \frac{|A \cap B|}{|A| + |B| - |A \cap B|}.$$
#
# It is 0 for boxes that do not overlap and 1 for equal boxes, and it does not depend on the
# unit of length. The shared part is a box, too. Its left border is the larger of the two
# left borders, its right border is the smaller of the two right borders, and the same holds
# for the upper and lower borders.

# %%
A, B = [0.1, 0.15, 0.65, 0.7], [0.35, 0.35, 0.9, 0.9]
both = [*np.maximum(A, B)[:2], *np.minimum(A, B)[2:]]
axes = d2l.plt.figure(figsize=(3.2, 3.2)).gca()
d2l.show_bboxes(axes, [A, B], ["A", "B"], ["b", "r"])
shared = axes.add_patch(d2l.bbox_to_rect(both, "purple"))
shared.set(fill=True, facecolor="plum")
overlap = float(d2l.numpy(d2l.box_iou(d2l.tensor([A]), d2l.tensor([B])))[0, 0])
axes.text(0.5, 0.53, "A ∩ B", ha="center", va="center")
axes.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", xticks=[], yticks=[])
axes.set_title(f"IoU = {overlap:.3f}", fontsize=10)
d2l.show("iou")

# %% [markdown]
# `box_iou` computes this for every pair of boxes from two lists. From (n, 4) and (m, 4) it
# makes a matrix (n, m). If two boxes do not meet, the width or the height of the shared
# part would be negative. It is then set to 0.

# %%
d2l.show_source(d2l.box_iou)

# %% [markdown]
# Now we can compare the five anchors of the pixel with the box of the dog. The square of
# scale 0.75 fits best, closely followed by the high anchor with the ratio 0.5.

# %%
dog_box = d2l.tensor(np.array([d2l.DOG_BOX]) / scale, dtype=d2l.float32)
fits = d2l.numpy(d2l.box_iou(of_pixel, dog_box))[:, 0]
for (s, r), fit in zip(pairs, fits):
    print(f"anchor s = {s}, r = {r}: IoU with the dog {fit:.2f}")

# %% [markdown]
# ## What should each anchor answer?
#
# For the training we need the right answer of every anchor: the class of its object, and
# the **offsets** that lead from the anchor to the box of that object. The box that a person
# has drawn is called the **ground truth**. Ground truth belongs to objects and not to
# anchors. So first we must decide which object each anchor is for.
#
# We follow this with five anchors and two objects, which is small enough to see every step.
# A label is a row (class, $x_1, y_1, x_2, y_2$). The dog is class 0 and the cat class 1.
# Their boxes are rounded here. Dog and cat have their own colours, and the anchors are
# still black.

# %%
names = ["dog", "cat"]
ground_truth = d2l.tensor([[0.0, 0.1, 0.08, 0.52, 0.92], [1.0, 0.55, 0.2, 0.9, 0.88]])
five = d2l.tensor(
    [
        [0.0, 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ]
)
axes = d2l.plt.imshow(img).axes
d2l.show_bboxes(axes, d2l.numpy(five) * scale, ["0", "1", "2", "3", "4"], "k")
d2l.show_bboxes(axes, d2l.numpy(ground_truth[:, 1:]) * scale, names, ["b", "r"])
axes.set_axis_off()
d2l.show("truth-and-anchors")

# %% [markdown]
# The decision is made on the matrix of overlaps. With $n_a$ anchors and $n_b$ objects it is
# $n_a \times n_b$; here it has five rows and two columns.

# %%
iou = d2l.numpy(d2l.box_iou(five, ground_truth[:, 1:]))
print("IoU of the anchors with dog and cat:\n", iou, sep="")

# %% [markdown]
# ### First pass: every anchor looks for an object
#
# Each anchor takes the object that it overlaps most, which is the largest number of its
# row. It takes it only if this IoU reaches a threshold, 0.5 here. The other anchors get −1,
# which means none.

# %%
threshold = 0.5
assigned = np.where(iou.max(axis=1) >= threshold, iou.argmax(axis=1), -1)
print("after the first pass:", assigned)

# %% [markdown]
# The cat has two anchors, 2 and 4. The dog has none, because no anchor has an IoU of 0.5
# with it. The network would never learn this dog.
#
# ### Second pass: every object gets an anchor
#
# The second pass therefore gives each object at least one anchor of its own, even if it
# fits badly. We look for the largest number of the whole matrix. It stands in the row of an
# anchor and in the column of an object, and this anchor is given to this object, whatever
# the first pass said. Then we remove the row and the column, because both are served, and
# look for the largest number of what is left. This is repeated until each of the $n_b$
# objects has its anchor.


# %%
def table(left):
    """The matrix as text, with – for what is struck."""
    cells = (["     –" if x < 0 else f"{x:.4f}" for x in row] for row in left)
    return "\n".join(f"  anchor {i}:  " + "  ".join(row) for i, row in enumerate(cells))


left, steps = iou.copy(), [iou]
for _ in names:
    anchor, obj = np.unravel_index(left.argmax(), left.shape)
    print(f"largest IoU left {left[anchor, obj]:.6f}: anchor {anchor} → {names[obj]}")
    assigned[anchor] = obj
    left[anchor, :] = left[:, obj] = -1
    print(table(left))
    steps.append(left.copy())
print("after the second pass:", assigned)

# %% [markdown]
# Here are the same steps in colours. Anchor 4 is given to the cat, and its row and the
# column of the cat are removed. Of what is left, anchor 1 is the best one for the dog.

# %%
fig, panels = d2l.plt.subplots(1, 3, figsize=(6, 2.8), layout="constrained")
titles = ["all pairs", "anchor 4 → cat", "anchor 1 → dog"]
for axes, matrix, title in zip(panels, steps, titles):
    axes.imshow(np.ma.masked_less(matrix, 0), cmap="Greens", vmin=0, vmax=1)
    axes.set_facecolor("lightgrey")
    for (i, j), x in np.ndenumerate(matrix):
        text = "struck" if x < 0 else f"{x:.3f}"
        color = "grey" if x < 0 else "k" if x < 0.6 else "w"
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color=color)
    axes.set(xticks=[0, 1], xticklabels=names, yticks=range(5), aspect="auto")
    axes.set_title(title, fontsize=9)
panels[0].set_ylabel("anchor")
d2l.show("assignment")

# %% [markdown]
# `assign_anchor_to_bbox` does both passes. Inside, `assign_anchors` works on a whole batch
# of labels at once, and skips rows of class −1, which only fill up a label. Searching the
# whole matrix once for each object would be slow for thousands of anchors. The second pass
# is therefore done in rounds. Every object asks its best anchor. If several objects ask
# the same anchor, the one with the largest IoU keeps it; the others cross this anchor out
# and ask their next best one. The result is the same as that of our loop (this is the
# "stable matching" of [Gale and Shapley, 1962](https://doi.org/10.2307/2312726)), and a few
# rounds serve all pictures of the batch.

# %%
d2l.show_source(d2l.assign_anchor_to_bbox)

# %% [markdown]
# For our example it finds what we found.

# %%
found = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], five, None, threshold)
print("assign_anchor_to_bbox:", d2l.numpy(found))

# %% [markdown]
# ### Classes and offsets
#
# An anchor without an object shows the **background**, and this is class 0 of the targets.
# An anchor with an object of class $k$ shall answer $k + 1$. An anchor with an object is
# called a **positive anchor**, one of the background a **negative anchor**.
#
# Let the anchor $a$ have the centre $(x_a, y_a)$ and the size $(w_a, h_a)$, and its object
# $b$ the centre $(x_b, y_b)$ and the size $(w_b, h_b)$. The offsets are
#
# $$\left(\frac{\frac{x_b - x_a}{w_a} - \mu_x}{\sigma_x},\;
# \frac{\frac{y_b - y_a}{h_a} - \mu_y}{\sigma_y},\;
# \frac{\log\frac{w_b}{w_a} - \mu_w}{\sigma_w},\;
# \frac{\log\frac{h_b}{h_a} - \mu_h}{\sigma_h}\right).$$
#
# Distances are divided by the size of the anchor, so that small and large objects count
# alike. With the logarithm, twice as large and half as large are equally far from no
# change. The constants $\mu$ and $\sigma$ bring the four numbers to a mean of about 0 and
# similar spreads, which makes learning easier. The usual choice is $\mu = 0$,
# $\sigma_x = \sigma_y = 0.1$ and $\sigma_w = \sigma_h = 0.2$ ([Liu et al.,
# 2016](https://arxiv.org/abs/1512.02325)). `offset_boxes` also adds $10^{-6}$ inside the
# logarithm, which keeps it finite for empty boxes.

# %%
d2l.show_source(d2l.offset_boxes)

# %% [markdown]
# We compute the offsets from anchor 1 to the dog by hand and compare.

# %%
a, b = d2l.box_corner_to_center(d2l.stack([five[1], ground_truth[0, 1:]]))
a, b = d2l.numpy(a), d2l.numpy(b)
move, stretch = (b[:2] - a[:2]) / a[2:] / 0.1, np.log(1e-6 + b[2:] / a[2:]) / 0.2
print("anchor 1 → dog, by hand:", np.concatenate([move, stretch]))
offsets = d2l.offset_boxes(five[1:2], ground_truth[0:1, 1:])
print("anchor 1 → dog, offset_boxes:", d2l.numpy(offsets)[0])

# %% [markdown]
# The four numbers can be read as follows. The centre of the dog lies
# $1.4 \cdot 0.1 = 0.14$ widths of the anchor to the right and $10 \cdot 0.1 = 1$ height of
# the anchor further down. The dog is $e^{2.59 \cdot 0.2} = 1.68$ times as wide and
# $e^{7.18 \cdot 0.2} = 4.2$ times as high as the anchor. The arrow goes from centre to
# centre.

# %%
axes = d2l.plt.imshow(img).axes
pair = d2l.numpy(d2l.stack([ground_truth[0, 1:], five[1]])) * scale
d2l.show_bboxes(axes, pair, ["dog", "anchor 1"], ["b", "k"])
start, end = a[:2] * scale[:2], b[:2] * scale[:2]
axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "k", "lw": 3})
axes.set_axis_off()
d2l.show("offset")

# %% [markdown]
# ### Masks
#
# A negative anchor has no box to which it could be moved, so its offsets must not count in
# the loss. For this there is a **mask**: a 1 for each of the four offsets of a positive
# anchor, and a 0 elsewhere. The loss of the offsets is multiplied by it.
#
# `multibox_target` computes all three targets. For a batch of $b$ pictures and $n$ anchors
# these are the offsets (b, 4n), the masks (b, 4n) and the classes (b, n).

# %%
d2l.show_source(d2l.multibox_target)

# %%
offsets, masks, classes = (
    d2l.numpy(x) for x in d2l.multibox_target(five[None], ground_truth[None])
)
print("shapes:", offsets.shape, masks.shape, classes.shape)
print("offsets:\n", offsets, sep="")
print("masks:\n", masks, sep="")
print("classes:\n", classes, sep="")

# %% [markdown]
# Here are the same numbers with one line for each anchor. In the picture, positive anchors
# have the colour of their class and negative ones are grey.

# %%
for i in range(5):
    answer = ["background", *names][classes[0, i]]
    mask, offset = masks[0, 4 * i : 4 * i + 4], offsets[0, 4 * i : 4 * i + 4]
    print(f"anchor {i}: {answer:<10}  mask {mask}  offsets {offset.round(2)}")

# %%
colors = {"background": "grey", "dog": "b", "cat": "r"}
answers = [["background", *names][k] for k in classes[0]]
captions = [f"{i}: {answer}" for i, answer in enumerate(answers)]
axes = d2l.plt.imshow(img).axes
d2l.show_bboxes(axes, d2l.numpy(five) * scale, captions, [colors[k] for k in answers])
axes.set_axis_off()
d2l.show("targets")

# %% [markdown]
# ## From predictions to boxes
#
# A trained network gives each anchor the probabilities of the classes and four offsets.
# `offset_inverse` applies the offsets to the anchors. It solves the formula above for the
# box $b$. The growth is limited, so that even an absurd prediction gives a finite box.

# %%
d2l.show_source(d2l.offset_inverse)

# %% [markdown]
# Often several anchors end up on the same object, and all of them are sure of it. In our
# example there are four anchors, and all offsets are 0. Three anchors find the dog, with
# probabilities of 0.9, 0.8 and 0.7.

# %%
four = d2l.tensor(
    [
        [0.1, 0.08, 0.52, 0.92],
        [0.08, 0.2, 0.56, 0.95],
        [0.15, 0.3, 0.62, 0.91],
        [0.55, 0.2, 0.9, 0.88],
    ]
)
offset_preds = d2l.zeros((4, 4))
boxes = d2l.offset_inverse(four, offset_preds)
cls_probs = d2l.tensor(
    [
        [0.0, 0.0, 0.0, 0.0],  # background
        [0.9, 0.8, 0.7, 0.1],  # dog
        [0.1, 0.2, 0.3, 0.9],  # cat
    ]
)
labels = d2l.numpy(d2l.argmax(cls_probs[1:], axis=0))
scores = d2l.tensor(d2l.numpy(cls_probs)[1:].max(axis=0))
captions = [f"{names[k]} {p:.1f}" for k, p in zip(labels, d2l.numpy(scores))]
print("four boxes:", captions)

# %% [markdown]
# ### Non-maximum suppression, written out
#
# **Non-maximum suppression** (NMS) keeps one box for each object. We take the box with the
# highest score and remove all boxes that overlap it too much, those with an IoU above a
# threshold. Of the boxes that are left we take the best one again, and so on, until every
# box is either taken or removed. A box that was removed does not remove any other box.


# %%
def nms_by_hand(boxes, scores, threshold):
    iou = d2l.numpy(d2l.box_iou(boxes, boxes))
    left = np.argsort(-d2l.numpy(scores), kind="stable").tolist()
    kept = []
    while left:
        best, *others = left
        kept.append(best)
        left = [i for i in others if iou[best, i] <= threshold]
        for i in others:
            fate = "stays" if i in left else "goes"
            print(f"  box {best} is taken; box {i} has IoU {iou[best, i]:.3f}: {fate}")
    return kept


print("kept by hand:", nms_by_hand(boxes, scores, 0.5))

# %% [markdown]
# This loop is the definition, and it is slow in Python. Each framework has a compiled
# operator for it, which `nms` calls. The lines around the operator make sure that boxes
# with equal scores are always taken in the same order and that all number types are
# compared in the same way.

# %%
print("kept by nms:", d2l.numpy(d2l.nms(boxes, scores, 0.5)).tolist())
d2l.show_source(d2l.nms)

# %% [markdown]
# ### All of it in one call
#
# `multibox_detection` does everything for a batch. It applies the offsets, takes the
# likeliest class of each anchor besides the background, and runs NMS. Each row of its
# result is (class, confidence, $x_1, y_1, x_2, y_2$). Here the classes count from the first
# class of objects: 0 is the dog again, and not the background. The boxes that were kept
# come first, by falling confidence. The others have the class −1. So have anchors whose
# confidence is below `pos_threshold`: they are background.

# %%
d2l.show_source(d2l.multibox_detection)

# %%
output = d2l.multibox_detection(
    cls_probs[None],
    d2l.reshape(offset_preds, (1, -1)),
    four[None],
    nms_threshold=0.5,
)
print("detections:\n", d2l.numpy(output), sep="")

# %%
fig, panels = d2l.plt.subplots(1, 2, figsize=(8, 3.3), layout="constrained")
for axes, title in zip(panels, ("before NMS", "after NMS")):
    axes.imshow(img)
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
d2l.show_bboxes(panels[0], d2l.numpy(boxes) * scale, captions, ["b", "b", "b", "r"])
for label, confidence, *box in d2l.numpy(output)[0]:
    if label >= 0:
        color = "br"[int(label)]
        caption = f"{names[int(label)]} {confidence:.1f}"
        d2l.show_bboxes(panels[1], np.array(box) * scale, caption, color)
d2l.show("nms")

# %% [markdown]
# Three remarks for practice. Boxes with a low confidence can be removed *before* NMS, which
# then has less to do. *After* NMS one usually keeps only the boxes that are sure enough,
# for example those above 0.9. And this NMS ignores the class: a sure dog also removes a cat
# in front of it (exercise 8).
#
# ## Soft suppression
#
# If one dog stands behind another, their boxes overlap, and NMS removes one of them.
# **Soft-NMS** ([Bodla et al., 2017](https://arxiv.org/abs/1704.04503)) removes no box at
# once. When the box $M$ is taken, the score $s_i$ of every other box $b_i$ is lowered, and
# it is lowered more if the box overlaps $M$ more:
#
# $$s_i \leftarrow s_i\, e^{-J(M, b_i)^2 / \sigma} \quad\text{(Gaussian)} \qquad\text{or}$$
#
# $$s_i \leftarrow s_i\,(1 - J(M, b_i)) \text{ if } J(M, b_i) \ge N_t
# \quad\text{(linear)}.$$
#
# A small $\sigma$ lowers scores more. $N_t$ is an IoU, and boxes that overlap $M$ less than
# this keep their whole score. Then the box with the highest score of those that are left is
# taken, as before. Boxes whose score has fallen below a small threshold are removed.

# %%
for method in ("gaussian", "linear"):
    kept, new_scores = d2l.soft_nms(boxes, scores, sigma=0.5, method=method)
    print(
        f"soft-NMS, {method}: boxes", d2l.numpy(kept), "scores", d2l.numpy(new_scores)
    )

# %% [markdown]
# The second and the third box of the dog are still there, but their scores are far lower
# than before. The curves show which share of its score a box keeps, by its IoU with the
# box that was taken.

# %%
x = np.linspace(0, 1, 201)
d2l.set_figsize((4.5, 2.8))
d2l.plt.plot(x, x <= 0.5, label="NMS, threshold 0.5")
d2l.plt.plot(x, np.where(x >= 0.3, 1 - x, 1), "--", label="linear, $N_t$ = 0.3")
d2l.plt.plot(x, np.exp(-(x**2) / 0.5), "-.", label=r"Gaussian, $\sigma$ = 0.5")
axes = d2l.plt.gca()
d2l.set_axes(axes, "IoU", "share of the score", None, None, "linear", "linear", None)
axes.legend(fontsize=8)
d2l.show("soft-nms")

# %% [markdown]
# ## Summary
#
# - Anchors of several scales and ratios around every pixel turn "find the objects" into
#   two questions about each anchor: which class does it hold, and which offsets lead to its
#   object?
# - $n$ scales and $m$ ratios make $n + m - 1$ anchors for each pixel.
# - IoU measures how well two boxes agree.
# - For the training, every anchor is assigned an object or the background. In the first
#   pass it takes the object that it overlaps most, if the IoU is large enough. In the
#   second pass every object gets an anchor of its own.
# - The assignment gives classes, in which 0 is the background, offsets, and a mask that
#   keeps the offsets of negative anchors out of the loss.
# - For prediction, the offsets are applied and NMS keeps one box for each object. Soft-NMS
#   lowers scores instead of removing boxes.
#
# ## Exercises
#
# 1. Construct two boxes whose IoU is 0.5.
# 2. Change `sizes` and `ratios`. How many anchors does a pixel have, and what do they
#    look like?
# 3. Write `box_iou` and `multibox_target` yourself.
# 4. Change anchors in the two worked examples, the assignment and NMS. What changes in the
#    results?
# 5. Change the threshold of the assignment. Which anchors change sides? Does the dog ever
#    lose its anchor?
# 6. Write soft-NMS out as a loop, as we did for NMS.
# 7. NMS is a fixed rule at the end of a network that learns everything else. Could it be
#    learned, too?
# 8. NMS here does not look at the class. How can a cat in front of a dog be kept?
# 9. Why are offsets not simply differences of corners? Think of an ant and an elephant.
#
# ### Answer to exercise 1
#
# Take two equal squares of side 1, one of them moved by $d$. They share $1 - d$ and cover
# $1 + d$ together, so $(1 - d)/(1 + d) = 1/2$ and $d = 1/3$. A box and one half of it will
# do, too.

# %%
one = d2l.tensor([[0.0, 0.0, 1.0, 1.0]])
others = d2l.tensor([[1 / 3, 0.0, 4 / 3, 1.0], [0.0, 0.0, 1.0, 0.5]])
halves = d2l.numpy(d2l.box_iou(one, others))
print("IoU with the moved square and with the half:", halves[0])

# %% [markdown]
# ### Answer to exercise 2
#
# $n$ scales and $m$ ratios make $n + m - 1$ anchors. Anchors of different scales lie inside
# each other, and anchors of different ratios cross each other.

# %%
choices = [([0.6, 0.3], [1]), ([0.5], [1, 3, 1 / 3]), ([0.6, 0.4, 0.2], [1, 2, 0.5, 4])]
fig, panels = d2l.plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained")
for axes, (sizes, ratios) in zip(panels, choices):
    axes.imshow(img)
    axes.set_axis_off()
    middle = d2l.multibox_prior(d2l.zeros((1, 3, h, w)), sizes, ratios)
    middle = d2l.reshape(middle, (h, w, -1, 4))[h // 2, w // 2]
    d2l.show_bboxes(axes, d2l.numpy(middle) * scale)
    counts = f"scales {len(sizes)}, ratios {len(ratios)}: anchors {len(middle)}"
    axes.set_title(counts, fontsize=8)
    print(counts)
d2l.show("sizes-and-ratios")

# %% [markdown]
# ### Exercise 3: write it yourself
#
# Replace `...` by your code. The cells then run it on the cases that define these functions
# and say how many are right.


# %%
@d2l.exercise("box_iou")
def box_iou(boxes1, boxes2): ...  # (n, 4), (m, 4) → (n, m)


@d2l.exercise("multibox_target")
def multibox_target(anchors, labels, iou_threshold=0.5): ...  # (1, A, 4), (B, G, 5)


# %% [markdown]
# ### Answer to exercise 3
#
# A solution is the code that runs: `box_iou` and `multibox_target` stand in this
# section in full, each where it is first used. `d2l.source(d2l.box_iou)` gives it once
# more, in the framework that you use.

# %% [markdown]
# ### Answer to exercise 4
#
# We make anchor 1 fit the dog better. Its IoU with the dog becomes 0.748. The dog now takes
# it in the first pass, and the second pass gives it away before anchor 4. The assignment
# stays the same, but the offsets of anchor 1 become smaller. For NMS we move the second
# box to the left, partly out of the picture. Its IoU with the first box falls below 0.5,
# and both are kept.

# %%
better = d2l.numpy(five).copy()
better[1] = [0.12, 0.1, 0.45, 0.9]
better = d2l.tensor(better)
overlap = float(d2l.numpy(d2l.box_iou(better[1:2], ground_truth[:1, 1:]))[0, 0])
found = d2l.numpy(d2l.assign_anchor_to_bbox(ground_truth[:, 1:], better))
print(f"IoU of the new anchor 1 with the dog: {overlap:.3f}; assigned: {found}")
offsets = d2l.offset_boxes(better[1:2], ground_truth[:1, 1:])
print("new offsets of anchor 1:", d2l.numpy(offsets)[0].round(2))
moved = d2l.numpy(boxes) - np.array([[0], [0.2], [0], [0]], np.float32) * [1, 0, 1, 0]
moved = d2l.tensor(moved, dtype=d2l.float32)
overlap = float(d2l.numpy(d2l.box_iou(moved[:1], moved[1:2]))[0, 0])
kept = d2l.numpy(d2l.nms(moved, scores, 0.5)).tolist()
print(f"IoU of the moved box with the first: {overlap:.3f}; kept: {kept}")

# %% [markdown]
# ### Answer to exercise 5
#
# At 0.1 anchor 3 joins the cat, and anchor 1 finds the dog already in the first pass. At
# 0.7 anchor 2 leaves the cat. No threshold takes the last anchor from an object, because
# the second pass does not look at the threshold.

# %%
for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
    found = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], five, None, threshold)
    print(f"threshold {threshold}: {d2l.numpy(found)}")

# %% [markdown]
# ### Answer to exercise 6
#
# Instead of a list of boxes that are left, there are scores that fall. The numbers are
# those of `soft_nms`.


# %%
def soft_nms_by_hand(boxes, scores, sigma=0.5, least=0.001):
    iou = d2l.numpy(d2l.box_iou(boxes, boxes))
    scores = d2l.numpy(scores).copy()
    kept = []
    while scores.max() >= least:
        best = int(scores.argmax())
        kept.append((best, float(scores[best])))
        scores[best] = 0  # taken
        scores *= np.exp(-(iou[best] ** 2) / sigma)
    return kept


by_hand = soft_nms_by_hand(boxes, scores)
print("soft-NMS by hand:", [(box, round(score, 6)) for box, score in by_hand])

# %% [markdown]
# ### Answer to exercise 7
#
# Yes. [Hosang et al., 2017](https://arxiv.org/abs/1705.02950) train a network that gets all
# boxes with their scores and neighbours and gives each box a new score. Its loss allows one
# box for each object, so boxes must agree among themselves, and a second box of the same
# object learns a low score. Other detectors avoid the question: if the training matches
# each object with exactly one prediction, as [Carion et al.,
# 2020](https://arxiv.org/abs/2005.12872) do, the network learns to say everything once, and
# no suppression is needed. A fixed rule cannot know whether two boxes show one dog or two.
# In our example NMS at 0.5 removes a box with an IoU of 0.545 in any case; a network could
# look at the picture first. What a learned rule costs are data, training time and a larger
# network.
#
# ### Answer to exercise 8
#
# NMS is run for each class separately. `batched_nms` does it in one call. In the example
# the second box is a cat that sits in front of the dog, in nearly the same box.

# %%
boxes = d2l.tensor([[0.1, 0.1, 0.6, 0.9], [0.15, 0.15, 0.6, 0.9], [0.1, 0.2, 0.6, 0.9]])
scores, classes = d2l.tensor([0.9, 0.8, 0.7]), d2l.tensor([0, 1, 0])
print("whatever the class:", d2l.numpy(d2l.nms(boxes, scores, 0.5)))
print("within each class: ", d2l.numpy(d2l.batched_nms(boxes, scores, classes, 0.5)))

# %% [markdown]
# ### Answer to exercise 9
#
# An error of 0.05 of the picture is most of an ant and almost nothing of an elephant. Plain
# differences would treat both alike, and the loss would mainly see the elephants. Offsets
# are measured by the size of the anchor. Below, a small and a large box are off by the same
# share of their size, and their offsets are equal; the differences of their corners are
# not. Besides, sizes computed from predicted corners can be negative, and $e^x$ cannot.

# %%
ant, elephant = [0.50, 0.50, 0.52, 0.51], [0.1, 0.2, 0.9, 0.8]
for name, (x1, y1, x2, y2) in {"ant": ant, "elephant": elephant}.items():
    anchor = d2l.tensor([[x1, y1, x2, y2]])
    dx, dy = 0.1 * (x2 - x1), 0.1 * (y2 - y1)
    box = d2l.tensor([[x1 + dx, y1 + dy, x2 + dx, y2 + dy]])
    difference = d2l.numpy(box - anchor)[0].round(3)
    offsets = d2l.numpy(d2l.offset_boxes(anchor, box))[0].round(2) + 0.0
    print(f"{name}: differences {difference}, offsets {offsets}")

# %%
run.report({"iou_of_the_moved_square": halves[0, 0], "iou_of_the_half": halves[0, 1]})
