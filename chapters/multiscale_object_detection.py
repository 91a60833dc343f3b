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
# In the [section on anchors](anchor.py) every pixel of the picture had five of them. A
# picture of 561 × 728 pixels then has more than two million anchors, and nearly every one
# is almost equal to its neighbours. A network that classifies all of them would be far too
# slow. Fewer anchors are enough if each size of objects gets as many places as it needs.
#
# Take a picture of 2 × 2 pixels. An object of one pixel can be in four places, an object of
# 1 × 2 pixels in two, and an object of 2 × 2 pixels only in one. The smaller objects are,
# the more places they can have. So we use many small anchors and a few large ones, and lay
# each kind on a grid of its own.

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
for height, width in ((1, 1), (1, 2), (2, 2)):
    places = (3 - height) * (3 - width)
    print(
        f"an object of {height} × {width} pixels fits 2 × 2 pixels in {places} places"
    )

# %% [markdown]
# ## A grid of anchors
#
# A convolutional network turns the picture into **feature maps**, which become smaller from
# block to block. We take a map of height $H$ and width $W$ and lay the anchors around *its*
# pixels. Their middles, at $((j + 0.5)/W, (i + 0.5)/H)$, are spread evenly over the map,
# and therefore also over the picture from which the map was computed. `multibox_prior`
# needs nothing of the map but its shape:

# %%
d2l.show_source(d2l.multibox_prior)

# %% [markdown]
# The anchors are fractions of the map, and the same fractions of the picture. An anchor
# that is square on a square map takes the shape of the picture when it is drawn there.


# %%
def display_anchors(fmap_h, fmap_w, sizes):
    fmap = d2l.zeros((1, 10, fmap_h, fmap_w))  # the channels do not matter
    anchors = d2l.multibox_prior(fmap, sizes, ratios=[1, 2, 0.5])
    d2l.set_figsize((5, 4))
    axes = d2l.plt.imshow(img).axes
    boxes = d2l.numpy(anchors)[0] * np.array([w, h, w, h])
    d2l.show_bboxes(axes, boxes, ["r = 1", "r = 2", "r = 0.5"], ["b", "g", "r"])
    axes.autoscale()  # as far as the anchors reach
    axes.set_axis_off()
    print(f"map of {fmap_h} × {fmap_w}, scale {sizes[0]}: {anchors.shape[1]} anchors")
    print(f"the first pixel's, scale {sizes[0]}:\n{d2l.numpy(anchors)[0, :3]}")
    return anchors


# %% [markdown]
# A map of 4 × 4 pixels with the scale 0.15 has 48 anchors for small objects. Colours show
# the aspect ratio $r$: blue anchors have the ratio 1, green ones 2 and red ones 0.5.

# %%
small = display_anchors(4, 4, [0.15])
d2l.show("scale-015")

# %% [markdown]
# A map of 2 × 2 pixels is half as high and half as wide. It gets larger anchors of the
# scale 0.4, twelve in all. The wide green ones overlap each other and reach a little beyond
# the picture.

# %%
medium = display_anchors(2, 2, [0.4])
d2l.show("scale-040")

# %% [markdown]
# A map of a single pixel has three anchors, all around the middle of the picture. With the
# scale 0.8 they are for objects that fill most of it.

# %%
large = display_anchors(1, 1, [0.8])
d2l.show("scale-080")

# %% [markdown]
# ## Why does each scale get a map of its own?
#
# A pixel of a feature map has been computed from a region of the picture, and it knows
# nothing of the rest. This region is its **receptive field**. The drawing shows it for one
# block of two convolutions and a pooling layer: one pixel of the result has seen 6 × 6
# pixels.

# %%
d2l.show_diagram("receptive_field")

# %% [markdown]
# With every block the map becomes smaller and the receptive field larger. The channels of a
# pixel can say what is in an anchor if the receptive field is about as large as the anchor.
# So the early, large maps get the small anchors and the late, small maps get the large
# ones. From the same $c$ channels of a pixel, the network predicts the classes and offsets
# of all anchors around this pixel.
#
# The detector of the [section on SSD](ssd.py) has six such blocks. We follow the receptive
# field from block to block. A 3 × 3 convolution adds two pixels of its input, and pooling
# adds one and doubles the step from one pixel to the next. The last number is the smallest
# anchor that this detector lays on the map, for pictures of 256 × 256 pixels.

# %%
field, step = 1, 1
smallest = {3: 0.2, 4: 0.37, 5: 0.54, 6: 0.71}  # block → scale of its anchors
for block in range(1, 7):
    field, step = field + 2 * 2 * step + step, 2 * step
    anchor = f", anchors from {256 * smallest[block]:.0f}" if block in smallest else ""
    side = 256 // step
    print(f"block {block}: map of {side} × {side}, receptive field {field}{anchor}")

# %% [markdown]
# ## Which grid is for which objects?
#
# We place squares of many sizes at random and compute the best IoU that each of our three
# grids offers them. The curves show the mean of 200 squares for each size.

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
    largest = object_sizes[curve.argmax()]
    print(f"{name}: best for objects of size {largest:.2f}, IoU {curve.max():.2f}")
axes = d2l.plt.gca()
axes.axhline(0.5, color="grey", lw=1)
d2l.set_axes(axes, "size of the object (fraction of the picture)", "mean best IoU",
             None, (0, 1), "linear", "linear", None)  # fmt: skip
axes.legend(fontsize=8)
d2l.show("size-and-scale")
enough = object_sizes[best.max(axis=1) >= 0.5]
print(f"a mean IoU of 0.5 is reached from size {enough.min():.2f} on")

# %% [markdown]
# Each grid fits best where objects are about as large as its anchors. The height of the
# three curves differs: the mean IoU is at most 0.31 for the map of 4 × 4, 0.42 for 2 × 2
# and 0.82 for 1 × 1. Only from size 0.6 on one of the grids reaches an IoU of 0.5 on
# average, which is the threshold of the assignment (the grey line). Small objects therefore
# mostly lie between the anchors of these grids. Real detectors have larger maps, several
# scales on each map, and offsets that move an anchor onto its object. The second pass of
# the assignment helps, too: it gives every object an anchor even if none fits well.
#
# ## Summary
#
# - Small objects can be in many places and large objects in few. Large maps therefore carry
#   many small anchors, and small maps carry few large ones.
# - Anchors are laid around the pixels of a feature map and are spread evenly over the
#   picture. They depend only on the shape of the map, the scales and the ratios.
# - The receptive field of the pixels of a map should be about as large as its anchors.
# - From the channels of one pixel the network predicts the classes and the offsets of all
#   anchors around it.
#
# ## Exercises
#
# 1. Do feature maps of different sizes stand for different levels of abstraction?
# 2. Lay anchors on the 4 × 4 map that overlap each other.
# 3. A map has the shape (1, $c$, $h$, $w$). A convolution computes the class scores and
#    offsets of its anchors. Which shapes do they have?
# 4. A detector has maps of 32², 16², 8², 4² and 1² pixels with four anchors for each pixel.
#    How many anchors are these, and how many of them are on the first map?
# 5. Small objects lie between the anchors of the 4 × 4 map. Which is the better remedy, a
#    map of 8 × 8 or more ratios on the same map?
#
# ### Answer to exercise 1
#
# In one network, yes. A late map has a larger receptive field, as the numbers of the blocks
# above show, and more layers lie before it. Early maps show edges and patches, late maps
# parts and whole objects. For a detector this is a difficulty as well: small objects are
# looked for on the early maps, whose features are the least abstract. **Feature pyramid
# networks** ([Lin et al., 2017](https://arxiv.org/abs/1612.03144)) therefore bring the late
# maps back to the size of the early ones and add the two.
#
# ### Answer to exercise 2
#
# The middles of two neighbours on the map are a quarter apart. Anchors of one ratio overlap
# if they are wider or higher than that. A square anchor is $s$ high and $s H / W$ wide,
# with $H$ and $W$ of the map. On a square map, every scale above 0.25 makes them overlap:

# %%
overlapping = display_anchors(4, 4, [0.35])
squares = overlapping[0, ::3]
iou = float(d2l.numpy(d2l.box_iou(squares[:1], squares[1:2]))[0, 0])
print(f"IoU of two square neighbours: {iou:.3f}")
d2l.show("overlapping")

# %% [markdown]
# ### Answer to exercise 3
#
# With $a$ anchors for each pixel and $q$ classes, each pixel needs $a(q + 1)$ scores, one
# more for the background, and $4a$ offsets. A convolution that keeps height and width gives
# (1, $a(q + 1)$, $h$, $w$) and (1, $4a$, $h$, $w$). For the loss the channels are moved to
# the end and everything is flattened: $h w a (q + 1)$ and $4 h w a$ numbers, in the order
# of the anchors. For four anchors and ten classes:

# %%
fmap = d2l.zeros((1, 64, 8, 8))
for name, layer in {
    "class scores": d2l.cls_predictor(64, 4, 10),
    "offsets": d2l.bbox_predictor(64, 4),
}.items():
    out = d2l.predict(layer, fmap)
    flat = d2l.flatten_pred(out)
    print(f"{name}: map {tuple(out.shape)}, flattened {tuple(flat.shape)}")

# %% [markdown]
# ### Answer to exercise 4
#
# Three quarters of the anchors are on the first map.

# %%
counts = [4 * side**2 for side in (32, 16, 8, 4, 1)]
print(
    f"{sum(counts)} anchors, {counts[0]} of them ({counts[0] / sum(counts):.0%}) first"
)

# %% [markdown]
# ### Answer to exercise 5
#
# For squares of the size 0.15 the map of 8 × 8 is far better. What these objects lack is
# anchors in more places, and not anchors of other shapes.

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
