# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Bounding boxes
#
# A classifier says what a picture shows, as if it showed one thing. Most pictures show
# several, and a car that drives itself must know where each of them is. *Object
# detection* finds all objects of the classes it knows and says of each what it is and
# where. Here we settle how to write down the *where*.
#
# The script is the same for every framework; `D2L_BACKEND` chooses which one computes.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter("bounding_box", quick={"image": ""}, book={"image": ""}, data=())

# %% [markdown]
# The picture for this chapter has a dog and a cat. It is drawn by the package; with
# `--image PATH` a photograph takes its place. The boxes below are those of the drawing,
# and of the book's photograph, which it follows; in another picture measure your own.

# %%
img = d2l.cat_and_dog(run.image)
height, width = img.shape[:2]
print(f"picture: {height} × {width} (height × width)")
d2l.set_figsize((5, 4))
d2l.plt.imshow(img)
d2l.show("picture")

# %% [markdown]
# ## Two ways to write down a box
#
# A *bounding box* is a rectangle around an object, its sides parallel to those of the
# picture, as small as the object allows. Four numbers say which:
#
# - the corners: $(x_1, y_1)$ upper left and $(x_2, y_2)$ lower right;
# - or the centre, the width and the height: $(c_x, c_y, w, h)$.
#
# The origin is the upper left corner of the picture, $x$ grows to the right and $y$
# **downwards**, as rows of pixels are counted. Corners are handy for drawing and for
# overlaps, centres for moving and stretching, and one gives the other:
#
# $$c_x = \frac{x_1 + x_2}{2},\quad c_y = \frac{y_1 + y_2}{2},\quad w = x_2 - x_1,\quad
# h = y_2 - y_1;$$
#
# $$x_1 = c_x - \frac{w}{2},\quad y_1 = c_y - \frac{h}{2},\quad x_2 = c_x + \frac{w}{2},
# \quad y_2 = c_y + \frac{h}{2}.$$
#
# This is the code that runs here, in the framework's own words:

# %%
print(d2l.source(d2l.box_corner_to_center))
print(d2l.source(d2l.box_center_to_corner))

# %% [markdown]
# The boxes of the dog and of the cat, by their corners in pixels, are the rows of one
# tensor of shape (2, 4).

# %%
dog_box, cat_box = d2l.DOG_BOX, d2l.CAT_BOX
boxes = d2l.tensor([dog_box, cat_box], dtype=d2l.float32)
centers = d2l.box_corner_to_center(boxes)
print("corners:", d2l.numpy(boxes).tolist())
print("centres:", d2l.numpy(centers).tolist())

# %% [markdown]
# There and back again must be where we started.

# %%
back = d2l.box_center_to_corner(centers)
print("round trip:", d2l.numpy(back).tolist())
error = float(np.abs(d2l.numpy(back - boxes)).max())
print("largest error of the round trip:", error)

# %% [markdown]
# ## A look at the boxes
#
# Numbers of boxes are hard to check by reading and easy by looking. `show_bboxes` draws
# corner boxes in pixels over a picture. The main outlines of each animal lie inside its
# box and touch it on all four sides. The dots are the centres.

# %%
axes = d2l.plt.imshow(img).axes
d2l.show_bboxes(axes, boxes, ["dog", "cat"], ["b", "r"])
for (x, y, _, _), color in zip(d2l.numpy(centers), ("b", "r")):
    axes.plot(x, y, "o", color=color, markeredgecolor="w")
d2l.show("boxes")

# %% [markdown]
# ## Fractions of the picture
#
# Pictures come in all sizes and are resized before a network sees them. A box divided by
# the width and height of its picture does not change with that, so from here on boxes are
# in fractions of the picture, unless they are to be drawn.

# %%
scale = np.array([width, height, width, height])
print("in fractions:", (d2l.numpy(boxes) / scale).round(3).tolist())

# %% [markdown]
# ## Summary
#
# - Object detection says what is in a picture and where; the where is a bounding box.
# - A box is four numbers: two corners, or a centre and a size. Each gives the other.
# - $y$ points down. Fractions of the picture survive resizing, pixels can be drawn.
#
# ## Exercises
#
# 1. Take a picture of your own (`--image`) and find the box of an object in it. Which
#    takes longer, naming a picture's class or drawing its boxes? What does that mean for
#    the price of a data set?
# 2. Mirror the picture. What becomes of a box?
# 3. What is the smallest box around both animals, and how much of the picture does it
#    cover?
#
# ### A solution of exercise 2
#
# Mirroring takes $x$ to $W - x$. What was the right border is now the left one: the
# corners change roles, or $x_1$ would be greater than $x_2$.


# %%
def mirror(boxes, width):
    x1, y1, x2, y2 = (boxes[:, i] for i in range(4))
    return d2l.stack([width - x2, y1, width - x1, y2], axis=1)


axes = d2l.plt.imshow(img[:, ::-1]).axes
d2l.show_bboxes(axes, mirror(boxes, width), ["dog", "cat"], ["b", "r"])
print("mirrored:", d2l.numpy(mirror(boxes, width)).tolist())
d2l.show("mirrored")

# %% [markdown]
# ### A solution of exercise 3
#
# The smallest left and upper borders, the largest right and lower ones.

# %%
around = d2l.concat(
    [d2l.minimum(boxes[0, :2], boxes[1, :2]), d2l.maximum(boxes[0, 2:], boxes[1, 2:])]
)
_, _, w, h = d2l.numpy(d2l.box_corner_to_center(around))
share = float(w * h / (width * height))
print(f"around both: {d2l.numpy(around).tolist()}, {share:.1%} of the picture")

# %%
run.report({"round_trip_error": error, "share_of_both": share})
