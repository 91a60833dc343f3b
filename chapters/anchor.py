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
# How does a network with a fixed number of outputs find any number of objects anywhere?
# A common answer: lay many boxes over the picture beforehand, the *anchor boxes*, and
# let the network say of each one which object it holds, if any, and how it would have
# to be moved and stretched to fit. This chapter takes the whole way by hand: laying the
# anchors, measuring overlap, finding out what the right answers are for training, and
# turning predictions into a few boxes at the end.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter("anchor", quick={"image": ""}, book={"image": ""}, data=())
np.set_printoptions(precision=6, suppress=True)

# %% [markdown]
# ## Laying anchors
#
# Around every pixel of a map of height $H$ and width $W$ we centre boxes of several
# *scales* $s$, measured by the map's height, and *aspect ratios* $r$, width over
# height. In pixels the anchor $(s, r)$ is $H s \sqrt{r}$ wide and $H s / \sqrt{r}$
# high: its area is $(Hs)^2$ whatever the ratio. In fractions of the width and of the
# height that is
#
# $$w = s \sqrt{r}\,\frac{H}{W}, \qquad h = \frac{s}{\sqrt{r}}.$$
#
# All pairs of $n$ scales and $m$ ratios would be $nm$ anchors for each pixel. We take
# only those with the first scale or the first ratio,
#
# $$(s_1, r_1), (s_2, r_1), \ldots, (s_n, r_1), (s_1, r_2), \ldots, (s_1, r_m),$$
#
# which are $n + m - 1$. Three scales and three ratios make five anchors for each pixel,
# and two million for our picture.

# %%
img = d2l.cat_and_dog(run.image)
h, w = img.shape[:2]
sizes, ratios = [0.75, 0.5, 0.25], [1, 2, 0.5]
anchors = d2l.multibox_prior(d2l.zeros((1, 3, h, w)), sizes, ratios)
print("anchors:", tuple(anchors.shape))

# %% [markdown]
# They are listed pixel by pixel, row by row. With the shape (height, width, 5, 4) we
# can ask for those of one pixel: $(x_1, y_1, x_2, y_2)$ in fractions of the picture,
# and beyond 0 or 1 where the anchor leaves it.

# %%
of_pixel = d2l.reshape(anchors, (h, w, -1, 4))[min(250, h - 1), min(250, w - 1)]
print("anchors of pixel (250, 250):\n", d2l.numpy(of_pixel), sep="")

# %% [markdown]
# Multiplied by the width and height of the picture they can be drawn. The yellow dot is
# the pixel. Which of the five fits the dog best?

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
# "Fits" needs a number. The *intersection over union* (IoU, also the Jaccard index) of
# two boxes is the area they share over the area they cover together:
#
# $$J(A, B) = \frac{|A \cap B|}{|A \cup B|} = \frac{|A \cap B|}{|A| + |B| - |A \cap B|}.$$
#
# It is 0 for boxes that do not meet and 1 for equal ones, and it does not depend on the
# unit. The shared part is a box itself: its left border is the larger of the two left
# borders, its right border the smaller of the two right ones, and so for the others.

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
# `box_iou` does that for every pair of two lists of boxes at once. On the active
# backend it is

# %%
print(d2l.source(d2l.box_iou))

# %% [markdown]
# ## What should each anchor answer?
#
# To train we need, for every anchor, the right answer: the class of its object, and the
# *offsets* from the anchor to the object's box. But the labels speak of objects, not of
# anchors, so first every anchor gets an object, or none.
#
# Let us follow that with five anchors and two objects, small enough to see every step. A
# label is a row (class, $x_1, y_1, x_2, y_2$), rounded here; the dog is class 0, the cat
# class 1.

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
d2l.show_bboxes(axes, d2l.numpy(ground_truth[:, 1:]) * scale, names, "k")
d2l.show_bboxes(axes, d2l.numpy(five) * scale, ["0", "1", "2", "3", "4"])
axes.set_axis_off()
d2l.show("truth-and-anchors")

# %% [markdown]
# Everything is decided on the matrix of overlaps, a row for each anchor and a column for
# each object.

# %%
iou = d2l.numpy(d2l.box_iou(five, ground_truth[:, 1:]))
print("IoU of the anchors with dog and cat:\n", iou, sep="")

# %% [markdown]
# ### First pass: every anchor looks for an object
#
# An anchor takes the object it overlaps most, if the IoU reaches a threshold, 0.5 here.
# The others get −1, which is none.

# %%
threshold = 0.5
assigned = np.where(iou.max(axis=1) >= threshold, iou.argmax(axis=1), -1)
print("after the first pass:", assigned)

# %% [markdown]
# The cat has two anchors, 2 and 4. The dog has none: no anchor overlaps it by half. It
# would never be learnt.
#
# ### Second pass: every object gets an anchor
#
# So each object gets at least one anchor of its own, however poor. We look for the
# largest IoU in the whole matrix; that anchor is for that object, whatever the first
# pass said. Then we strike its row and its column and look again, until all objects are
# served.


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
# The same in colours: anchor 4 is given to the cat, and both are out of the game; of what
# is left, anchor 1 is the best for the dog.

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
# `assign_anchor_to_bbox` takes both steps, for millions of anchors as well. It gives
# what we found.

# %%
found = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], five, None, threshold)
print("assign_anchor_to_bbox:", d2l.numpy(found))

# %% [markdown]
# ### Classes and offsets
#
# An anchor with an object of class $k$ shall answer $k + 1$, one without shall answer
# 0, the *background*. From anchor $a$ to its object $b$, with centres $(x, y)$ and
# sizes $(w, h)$, the offsets are
#
# $$\left(\frac{x_b - x_a}{0.1\,w_a},\; \frac{y_b - y_a}{0.1\,h_a},\;
# \frac{1}{0.2}\log\frac{w_b}{w_a},\; \frac{1}{0.2}\log\frac{h_b}{h_a}\right).$$
#
# Distances are measured by the anchor's own size, so that large and small objects count
# the same; the logarithm makes twice as large and half as large equally far apart; and
# the divisors 0.1 and 0.2 bring all four to about the same spread, which suits
# learning. (The code adds $10^{-6}$ inside the logarithm, for empty boxes.) Here are
# those of anchor 1 and the dog, by hand:

# %%
a, b = d2l.box_corner_to_center(d2l.stack([five[1], ground_truth[0, 1:]]))
a, b = d2l.numpy(a), d2l.numpy(b)
move, stretch = (b[:2] - a[:2]) / a[2:] / 0.1, np.log(1e-6 + b[2:] / a[2:]) / 0.2
print("anchor 1 → dog, by hand:", np.concatenate([move, stretch]))
offsets = d2l.offset_boxes(five[1:2], ground_truth[0:1, 1:])
print("anchor 1 → dog, offset_boxes:", d2l.numpy(offsets)[0])

# %% [markdown]
# Read it as a distance: the dog's centre lies $1.4 \cdot 0.1$ widths of the anchor to
# the right and $10 \cdot 0.1$ heights down, and the dog is $e^{2.59 \cdot 0.2} = 1.68$
# times as wide and $e^{7.18 \cdot 0.2} = 4.2$ times as high.

# %%
axes = d2l.plt.imshow(img).axes
pair = d2l.numpy(d2l.stack([ground_truth[0, 1:], five[1]])) * scale
d2l.show_bboxes(axes, pair, ["dog", "anchor 1"], ["k", "g"])
start, end = a[:2] * scale[:2], b[:2] * scale[:2]
axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "b", "lw": 3})
axes.set_axis_off()
d2l.show("offset")

# %% [markdown]
# ### Masks
#
# An anchor of the background has no box to be moved to, so its offsets must not count
# in the loss. A *mask* with a 1 for each of the four offsets of every anchor with an
# object, and 0 elsewhere, multiplies them away. `multibox_target` gives all three, for
# a batch of $b$ pictures with $n$ anchors: offsets (b, 4n), masks (b, 4n) and classes
# (b, n).

# %%
offsets, masks, classes = (
    d2l.numpy(x) for x in d2l.multibox_target(five[None], ground_truth[None])
)
print("shapes:", offsets.shape, masks.shape, classes.shape)
print("offsets:\n", offsets, sep="")
print("masks:\n", masks, sep="")
print("classes:\n", classes, sep="")

# %% [markdown]
# One line for each anchor:

# %%
for i in range(5):
    answer = ["background", *names][classes[0, i]]
    mask, offset = masks[0, 4 * i : 4 * i + 4], offsets[0, 4 * i : 4 * i + 4]
    print(f"anchor {i}: {answer:<10}  mask {mask}  offsets {offset.round(2)}")

# %% [markdown]
# ## From predictions to boxes
#
# A trained network gives each anchor probabilities of the classes and four offsets.
# `offset_inverse` applies the offsets: the inverse of the formula above. Often several
# anchors then end up on one object, all of them sure of themselves. In our example, four
# anchors with offsets of zero, three sit on the dog.

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
# *Non-maximum suppression* (NMS) keeps one of each crowd: take the box of the highest
# score, throw away all that overlap it by more than a threshold, take the best of those
# that are left, and so on. A box that was thrown away throws away no other.


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
# The loop above is the definition, and slow. `nms` gives the same rows; on the active
# backend it is

# %%
print("kept by nms:", d2l.numpy(d2l.nms(boxes, scores, 0.5)).tolist())
print(d2l.source(d2l.nms))

# %% [markdown]
# ### All of it in one call
#
# `multibox_detection` applies the offsets, takes each anchor's likeliest class and runs
# NMS, for a batch. A row of its result is (class, confidence, $x_1, y_1, x_2, y_2$).
# The boxes that were kept come first, by falling confidence; class −1 marks the others.

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
d2l.show_bboxes(panels[0], d2l.numpy(boxes) * scale, captions)
for label, confidence, *box in d2l.numpy(output)[0]:
    if label >= 0:
        color = "br"[int(label)]
        caption = f"{names[int(label)]} {confidence:.1f}"
        d2l.show_bboxes(panels[1], np.array(box) * scale, caption, color)
d2l.show("nms")

# %% [markdown]
# ## Soft suppression
#
# Two dogs behind each other overlap, and NMS drops one of them. *Soft-NMS* (Bodla et
# al., 2017) drops nothing at once: when the box $M$ is taken, every box $b_i$ that is
# left keeps a share of its score $s_i$, and the smaller a share the more it overlaps
# $M$:
#
# $$s_i \leftarrow s_i\, e^{-J(M, b_i)^2 / \sigma} \quad\text{(Gaussian)} \qquad\text{or}$$
#
# $$s_i \leftarrow s_i\,(1 - J(M, b_i)) \text{ if } J(M, b_i) \ge N_t
# \quad\text{(linear)}.$$
#
# The smaller $\sigma$ is, the harsher; $N_t$ is an IoU, and boxes that overlap $M$ less
# than that keep their whole score. Then the highest score of all that are left is next, as
# before, and boxes whose score has fallen below a small threshold go.

# %%
for method in ("gaussian", "linear"):
    kept, new_scores = d2l.soft_nms(boxes, scores, sigma=0.5, method=method)
    print(
        f"soft-NMS, {method}: boxes", d2l.numpy(kept), "scores", d2l.numpy(new_scores)
    )

# %% [markdown]
# The dog's second and third boxes are still there, but with scores that no longer
# compete. What share of its score a box keeps, by its IoU with the one that was taken:

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
#   the same two questions for each anchor: which class, and which offsets?
# - IoU measures how well two boxes agree.
# - For training every anchor is assigned an object or the background: by its best IoU,
#   if that is large enough, and so that every object gets one anchor at least. The
#   assignment gives classes, offsets and a mask.
# - For prediction offsets are applied and NMS keeps one box for each object.
#
# ## Exercises
#
# 1. Construct two boxes whose IoU is 0.5.
# 2. Change `sizes` and `ratios`. How many anchors does a pixel have, and what do they
#    look like?
# 3. Change the threshold of the assignment. Which anchors change sides? Does the dog ever
#    lose its anchor?
# 4. NMS does not look at the class: a sure dog removes a cat in front of it. How should
#    it?
# 5. Why are offsets not simply differences of corners? Think of an ant and an elephant.
#
# ### A solution of exercise 1
#
# Two equal squares of side 1, one moved by $d$: they share $1 - d$ and cover $1 + d$, so
# $(1 - d)/(1 + d) = 1/2$ and $d = 1/3$. Or a box and one half of it.

# %%
one = d2l.tensor([[0.0, 0.0, 1.0, 1.0]])
others = d2l.tensor([[1 / 3, 0.0, 4 / 3, 1.0], [0.0, 0.0, 1.0, 0.5]])
halves = d2l.numpy(d2l.box_iou(one, others))
print("IoU with the moved square and with the half:", halves[0])

# %% [markdown]
# ### A solution of exercise 2
#
# $n$ scales and $m$ ratios make $n + m - 1$ anchors. More scales nest, more ratios cross.

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
# ### A solution of exercise 3
#
# At 0.1 anchor 1 finds the dog by itself; at 0.7 the cat keeps one anchor
# only. No threshold takes the last anchor from an object, since the second pass has
# none.

# %%
for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
    found = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], five, None, threshold)
    print(f"threshold {threshold}: {d2l.numpy(found)}")

# %% [markdown]
# ### A solution of exercise 4
#
# Run NMS for each class by itself. `batched_nms` does it in one call. Here the second
# box is a cat that sits in front of the dog, in nearly the same box.

# %%
boxes = d2l.tensor([[0.1, 0.1, 0.6, 0.9], [0.15, 0.15, 0.6, 0.9], [0.1, 0.2, 0.6, 0.9]])
scores, classes = d2l.tensor([0.9, 0.8, 0.7]), d2l.tensor([0, 1, 0])
print("whatever the class:", d2l.numpy(d2l.nms(boxes, scores, 0.5)))
print("within each class: ", d2l.numpy(d2l.batched_nms(boxes, scores, classes, 0.5)))

# %%
run.report({"iou_of_the_moved_square": halves[0, 0], "iou_of_the_half": halves[0, 1]})
