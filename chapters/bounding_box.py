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
# several things, and it matters where they are: a car must know on which side the cyclist
# rides, and a robot must know where to put its hand. **Object detection** finds all objects
# of the classes that it knows, and says of each one what it is and where it is. This
# section settles how to write down where an object is.
#
# The text is the same for every framework. `D2L_BACKEND` chooses the one that computes, and
# the code that is shown is always in its words.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter("bounding_box", quick={"image": ""}, book={"image": ""}, data=())

# %% [markdown]
# Here is the picture of this section, with a dog and a cat. The package draws it, and
# `--image PATH` puts a photograph in its place. The boxes below belong to the drawing and
# to the photograph of the book, which has the same size. For another picture you measure
# your own boxes (exercise 1).

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
# A **bounding box** is the smallest rectangle around an object whose sides are parallel to
# those of the picture. Four numbers describe it. There are two usual choices:
#
# - the **corners**, $(x_1, y_1)$ at the upper left and $(x_2, y_2)$ at the lower right;
# - the **centre** $(c_x, c_y)$ with the width $w$ and the height $h$.
#
# The origin is the upper left corner of the picture. $x$ grows to the right, and $y$ grows
# **downwards**, in the order in which the rows of pixels are counted. Corners are useful
# for drawing boxes and for computing how much two of them overlap. Centres are useful for
# moving and stretching boxes. Each form gives the other:
#
# $$c_x = \frac{x_1 + x_2}{2},\quad c_y = \frac{y_1 + y_2}{2},\quad w = x_2 - x_1,\quad
# h = y_2 - y_1;$$
#
# $$x_1 = c_x - \frac{w}{2},\quad y_1 = c_y - \frac{h}{2},\quad x_2 = c_x + \frac{w}{2},
# \quad y_2 = c_y + \frac{h}{2}.$$
#
# The two functions below do this for many boxes at once. A tensor of $n$ boxes has the
# shape (n, 4), and the last axis holds the four numbers of a box.

# %%
d2l.show_source(d2l.box_corner_to_center, d2l.box_center_to_corner)

# %% [markdown]
# We measured the corners of the two animals in pixels. They are the rows of one tensor of
# shape (2, 4).

# %%
dog_box, cat_box = d2l.DOG_BOX, d2l.CAT_BOX
boxes = d2l.tensor([dog_box, cat_box], dtype=d2l.float32)
centers = d2l.box_corner_to_center(boxes)
print("corners:", d2l.numpy(boxes).tolist())
print("centres:", d2l.numpy(centers).tolist())

# %% [markdown]
# If we convert the centres back, we must get the corners with which we started.

# %%
back = d2l.box_center_to_corner(centers)
print("round trip:", d2l.numpy(back).tolist())
error = float(np.abs(d2l.numpy(back - boxes)).max())
print("largest error of the round trip:", error)

# %% [markdown]
# ## A look at the boxes
#
# It is hard to see from four numbers whether a box is right, and easy to see it in the
# picture. `show_bboxes` draws boxes over a picture. It takes corners in pixels. Each box
# should touch the outline of its animal on all four sides. The dots are the centres.

# %%
axes = d2l.plt.imshow(img).axes
d2l.show_bboxes(axes, boxes, ["dog", "cat"], ["b", "r"])
for (x, y, _, _), color in zip(d2l.numpy(centers), ("b", "r")):
    axes.plot(x, y, "o", color=color, markeredgecolor="w")
d2l.show("boxes")

# %% [markdown]
# ## Fractions of the picture
#
# Pictures come in all sizes, and they are resized before a network sees them. Corners in
# pixels would change with every resizing. If we divide $x$ by the width of the picture and
# $y$ by its height, we get numbers between 0 and 1 that stay the same. From here on, boxes
# are given in such fractions of the picture. Only for drawing they are multiplied by
# the width and the height again.

# %%
scale = np.array([width, height, width, height])
print("in fractions:", (d2l.numpy(boxes) / scale).round(3).tolist())

# %% [markdown]
# ## Summary
#
# - Object detection says what is in a picture and where it is. A bounding box says where.
# - A box is four numbers: two corners, or a centre and a size. The two forms can be
#   converted into each other without loss.
# - $y$ grows downwards.
# - Boxes in fractions of the picture do not change when the picture is resized. For drawing
#   we need pixels.
#
# ## Exercises
#
# 1. Take a picture of your own (`--image`), find an object in it, and measure its bounding
#    box. What takes longer, drawing the box or naming the class? What does this mean for
#    the price of a data set?
# 2. Why is the last axis of what `box_corner_to_center` takes always 4? Which other axes
#    may there be?
# 3. Write `box_corner_to_center` yourself.
# 4. Mirror the picture, so that left and right are exchanged. What becomes of a box?
# 5. What is the smallest box around both animals, and how much of the picture does it
#    cover?
#
# ### Answer to exercise 1
#
# The box takes longer. A class is one choice, which an experienced person makes at a
# glance. For a box, one looks for four borders, draws, and corrects. The usual way
# took about 35 seconds for each box; clicking on the four outermost points of the object
# takes about 7 seconds ([Papadopoulos et al., 2017](https://arxiv.org/abs/1708.02750)). Ten
# times the time of a class is therefore a rough estimate, and it must be spent on every
# object of the picture. Labelling every pixel costs more still: more than 90 minutes for a
# street scene ([Cordts et al., 2016](https://arxiv.org/abs/1604.01685)). This is why sets
# for detection are smaller than those for classification. It is also one reason to start
# from a network that was [trained on another task](fine_tuning.py). For our picture the
# answers have these sizes:

# %%
print(f"a class for the picture: 1 number; classes and boxes: {5 * len(boxes)} numbers; "
      f"a class for each pixel: {height * width} numbers")  # fmt: skip

# %% [markdown]
# ### Answer to exercise 2
#
# The last axis holds the numbers of one box, and a rectangle with upright sides needs
# exactly four. The axes before it only count boxes, so there may be none, one or many:

# %%
for shape in ((4,), (2, 4), (32, 5, 4)):
    many = d2l.box_corner_to_center(d2l.zeros(shape))
    print(f"boxes of shape {shape}: centres of shape {tuple(many.shape)}")

# %% [markdown]
# ### Exercise 3: write it yourself
#
# Replace `...` by your code, in the framework that you are learning. The cell then runs it
# on the cases that hold our own version to its definition, and says how many are right.


# %%
@d2l.exercise("box_corner_to_center")
def box_corner_to_center(boxes): ...


# %% [markdown]
# ### Answer to exercise 3
#
# A solution is the code that runs: `box_corner_to_center` stands in this section in
# full, where it is first used. `d2l.source(d2l.box_corner_to_center)` gives it once
# more, in the framework that you use.

# %% [markdown]
# ### Answer to exercise 4
#
# Mirroring takes $x$ to $W - x$, where $W$ is the width. The right border becomes the left
# one, so the two have to be exchanged as well. If we forget this, $x_1$ is greater than
# $x_2$ and the box is empty.


# %%
def mirror(boxes, width):
    x1, y1, x2, y2 = (boxes[:, i] for i in range(4))
    return d2l.stack([width - x2, y1, width - x1, y2], axis=1)


axes = d2l.plt.imshow(img[:, ::-1]).axes
d2l.show_bboxes(axes, mirror(boxes, width), ["dog", "cat"], ["b", "r"])
print("mirrored:", d2l.numpy(mirror(boxes, width)).tolist())
d2l.show("mirrored")

# %% [markdown]
# ### Answer to exercise 5
#
# It has the smallest left and upper borders and the largest right and lower borders. In
# our picture this box covers about 69 % of the area.

# %%
around = d2l.concat(
    [d2l.minimum(boxes[0, :2], boxes[1, :2]), d2l.maximum(boxes[0, 2:], boxes[1, 2:])]
)
_, _, w, h = d2l.numpy(d2l.box_corner_to_center(around))
share = float(w * h / (width * height))
print(f"around both: {d2l.numpy(around).tolist()}, {share:.1%} of the picture")

# %%
run.report({"round_trip_error": error, "share_of_both": share})
