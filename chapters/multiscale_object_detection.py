# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Detecting at several scales
#
# Five anchors around every pixel of a picture of 561 × 728 pixels are more than two
# million, nearly all of them like their neighbours. Fewer will do: a small object can
# be in many places and needs a dense grid of small anchors; a large one can be in few,
# and a handful of large anchors catch it. This chapter lays such grids.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "multiscale_object_detection", quick={"image": ""}, book={"image": ""}, data=()
)
np.set_printoptions(precision=6, suppress=True)
img = d2l.cat_and_dog(run.image)
h, w = img.shape[:2]
print(f"picture: {h} × {w} pixels, {5 * h * w} anchors with five for each pixel")

# %% [markdown]
# ## A grid of anchors
#
# A convolutional network turns the picture into *feature maps*, smaller from layer to
# layer. Take one of height $H$ and width $W$ and lay the anchors around **its** pixels:
# their middles, at $((j + 0.5)/W, (i + 0.5)/H)$, are spread evenly over the picture,
# whatever its size. `multibox_prior` needs nothing of the map but its shape. Since its
# boxes are in fractions, they fit the picture as they fit the map; an anchor that is
# square on the map takes the aspect of the picture when it is drawn there.


# %%
def display_anchors(fmap_h, fmap_w, sizes):
    fmap = d2l.zeros((1, 10, fmap_h, fmap_w))  # the channels do not matter
    anchors = d2l.multibox_prior(fmap, sizes, ratios=[1, 2, 0.5])
    d2l.set_figsize((5, 4))
    axes = d2l.plt.imshow(img).axes
    boxes = d2l.numpy(anchors)[0] * np.array([w, h, w, h])
    d2l.show_bboxes(axes, boxes, colors=["b", "g", "r"])
    axes.autoscale()  # as far as the anchors reach
    axes.set_axis_off()
    print(f"anchors of a map of {fmap_h} × {fmap_w}: {anchors.shape[1]}")
    print(d2l.numpy(anchors)[0])
    return anchors


# %% [markdown]
# A map of 4 × 4 pixels with the scale 0.15: small objects, 48 anchors. Blue has the
# aspect ratio 1, green 2 and red ½.

# %%
small = display_anchors(4, 4, [0.15])
d2l.show("scale-015")

# %% [markdown]
# Half as high and wide a map, with larger anchors: 12. The long ones overlap, and leave the
# picture a little.

# %%
medium = display_anchors(2, 2, [0.4])
d2l.show("scale-040")

# %% [markdown]
# One pixel alone, its three anchors in the middle of the picture: something that fills
# most of it.

# %%
large = display_anchors(1, 1, [0.8])
d2l.show("scale-080")

# %% [markdown]
# ## Why a map of its own for each scale?
#
# A pixel of a feature map has been computed from a region of the picture, its
# *receptive field*, and it knows nothing else. Deeper maps are smaller and their
# receptive fields larger. So a pixel's channels can tell what is in an anchor of about
# the size of its receptive field around it, and early maps carry the small anchors,
# late ones the large. From the same channels, $c$ at each pixel, the network predicts
# the classes and offsets of all anchors of that pixel.
#
# Which grid answers for which objects? We place squares of many sizes at random and ask
# for the best IoU that each grid offers, on average.

# %%
rng = np.random.default_rng(run.seed)
object_sizes, best = np.linspace(0.05, 0.95, 37), []
for size in object_sizes:
    corner = rng.random((200, 2)) * (1 - size)
    objects = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    grids = (
        d2l.box_iou(d2l.tensor(objects), grid[0]) for grid in (small, medium, large)
    )
    best.append([d2l.numpy(iou).max(axis=1).mean() for iou in grids])
best = np.array(best)

# %%
d2l.set_figsize((5, 3))
grids = ["4 × 4, s = 0.15", "2 × 2, s = 0.4", "1 × 1, s = 0.8"]
for curve, name, style in zip(best.T, grids, ("-", "--", "-.")):
    d2l.plt.plot(object_sizes, curve, style, label=name)
    print(f"{name}: best for objects of size {object_sizes[curve.argmax()]:.2f}")
axes = d2l.plt.gca()
d2l.set_axes(
    axes, "size of the object", "best IoU", None, (0, 1), "linear", "linear", None
)
axes.legend(fontsize=8)
d2l.show("size-and-scale")

# %% [markdown]
# Each grid has its range, and together they cover most sizes. The valleys show what a
# detector does about the rest: more scales, more anchors, and offsets that close the gap.
#
# ## Summary
#
# - Anchors are laid around the pixels of feature maps, evenly over the picture: many
#   small ones on large maps, few large ones on small maps.
# - The receptive field of a map's pixels should match its anchors.
#
# ## Exercises
#
# 1. A detector has maps of 32², 16², 8², 4² and 1² pixels with four anchors at each. How
#    many anchors are that, and how many are on the first map?
# 2. Small objects fall between the anchors of the 4 × 4 map. Which is the better
#    remedy, a map of 8 × 8 or more ratios on the same one?
# 3. A map has the shape (1, $c$, $h$, $w$). Which shapes do the class scores and
#    offsets of its anchors have, if a convolution computes them?
#
# ### A solution of exercise 1

# %%
counts = [4 * side**2 for side in (32, 16, 8, 4, 1)]
print(
    f"{sum(counts)} anchors, {counts[0]} of them ({counts[0] / sum(counts):.0%}) first"
)

# %% [markdown]
# ### A solution of exercise 2
#
# For squares of a size of 0.15 what is missing are places, not shapes.

# %%
corner = rng.random((500, 2)) * 0.85
objects = d2l.tensor(np.concatenate([corner, corner + 0.15], 1).astype(np.float32))
remedies = {
    "as it is": (4, [1, 2, 0.5]),
    "8 × 8 map": (8, [1, 2, 0.5]),
    "more ratios": (4, [1, 2, 0.5, 3, 1 / 3, 1.5, 1 / 1.5]),
}
mean_iou = {}
for name, (side, ratios) in remedies.items():
    grid = d2l.multibox_prior(d2l.zeros((1, 10, side, side)), [0.15], ratios)
    iou = d2l.numpy(d2l.box_iou(objects, grid[0])).max(axis=1)
    mean_iou[name] = iou.mean()
    print(f"{name}: {grid.shape[1]} anchors, mean best IoU {iou.mean():.3f}")

# %%
run.report({f"best_iou {name}": value for name, value in mean_iou.items()})
