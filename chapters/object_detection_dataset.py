# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A data set for object detection
#
# There is no small standard set for detection as there is for digits. So that a detector
# can be trained in minutes we use pictures with one banana each, at many angles, sizes
# and places. Here we look at how such a set lies on disk, what a label is, and what a
# batch of it looks like.

# %%
import csv
from pathlib import Path

import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "object_detection_dataset",
    quick={"batch_size": 32, "image_size": 256},
    book={"batch_size": 32, "image_size": 256},
)
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# By default the pictures are drawn on this machine, in seconds. `--data book` downloads
# the book's set, and `--data FOLDER` reads your own.

# %%
folder = d2l.banana_folder(run.data)
print("data from", folder)

# %% [markdown]
# ## On disk
#
# A folder for training and one for validation, each with its pictures and a table:
#
# ```
# bananas_train/images/0.png, 1.png, …
# bananas_train/label.csv
# bananas_val/…
# ```
#
# A line of `label.csv` is one object: `img_name,label,xmin,ymin,xmax,ymax`, the corners
# in pixels. Here are the header and one line.

# %%
(train_folder,) = Path(folder).glob("*_train")
for line in (train_folder / "label.csv").read_text().splitlines()[:2]:
    print("label.csv:", line)

# %% [markdown]
# What becomes of that line is a row (class, $x_1, y_1, x_2, y_2$), the corners in
# fractions of the picture. Only the corners are divided; the class stays what it is.

# %%
size = (run.image_size, run.image_size)
train_set = d2l.BananasDataset(True, folder, size)
val_set = d2l.BananasDataset(False, folder, size)
print(f"{len(train_set)} pictures for training, {len(val_set)} for validation")
image, label = train_set[0]
print("one example:", tuple(image.shape), tuple(label.shape))
print("its label:", d2l.numpy(label))

# %% [markdown]
# The set holds paths, not pictures: each is read when it is asked for, so memory does
# not grow with the set.
#
# ## A batch
#
# Pictures of equal size stack to (batch, channels, height, width). Labels do not: one
# picture has one object, another has five. So every label gets as many rows as the
# fullest picture of the set has objects, $m$, and what is not needed is filled with
# rows of class −1: a batch of labels is (batch, $m$, 5). Everything that reads labels
# skips rows with a negative class. Our pictures have one banana each, so $m = 1$ and
# there is no such row.

# %%
train_iter, val_iter = d2l.load_data_bananas(run.batch_size, folder, size)
X, Y = next(iter(train_iter))
print("a batch:", tuple(X.shape), tuple(Y.shape))
print("batches:", len(train_iter), "for training,", len(val_iter), "for validation")
values = d2l.numpy(X)
print(f"pixels: {X.dtype}, from {values.min():.0f} to {values.max():.0f}")

# %% [markdown]
# ## A look at it
#
# Ten pictures with their boxes. For drawing, the channels go last, pixel values to 0–1
# and boxes to pixels.

# %%
images = d2l.numpy(d2l.transpose(X, (0, 2, 3, 1)))[:10] / 255
labels = d2l.numpy(Y)[:10]
axes = d2l.show_images(images, 2, 5, scale=1.6)
for ax, rows in zip(axes, labels):
    objects = rows[rows[:, 0] >= 0]
    d2l.show_bboxes(ax, objects[:, 1:] * run.image_size, colors=["w"])
d2l.show("batch")

# %% [markdown]
# The other view that helps before any training: where are the objects, and how large? An
# anchor of every size that occurs should exist. Each dot is an object; validation should
# look like training.

# %%
fig, (left, right) = d2l.plt.subplots(1, 2, figsize=(6, 2.9), layout="constrained")
for name, data, color, alpha in (
    ("training", train_set, "tab:blue", 0.35),
    ("validation", val_set, "tab:orange", 0.9),
):
    rows = data.folder.labels.reshape(-1, 5)
    boxes = d2l.tensor(rows[rows[:, 0] >= 0, 1:])
    cx, cy, w, h = d2l.numpy(d2l.box_corner_to_center(boxes)).T
    style = {"s": 5, "color": color, "alpha": alpha, "linewidths": 0}
    left.scatter(cx, cy, **style)
    right.scatter(w, h, label=name, **style)
    print(f"{name}: {len(boxes)} objects, mean size {w.mean():.3f} × {h.mean():.3f}")
left.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", title="centres", xlabel="x")
left.set_ylabel("y")
right.set(xlim=(0, None), ylim=(0, None), aspect="equal", title="sizes")
right.set(xlabel="width", ylabel="height")
fig.legend(fontsize=8, loc="outside lower center", ncols=2, markerscale=3)
d2l.show("centres-and-sizes")

# %% [markdown]
# ## Summary
#
# - A detection set is pictures and a table of objects: class and corners.
# - A label of a picture is (m, 5), a batch of them (batch, m, 5); rows of class −1 fill
#   up.
# - Look at a batch with its boxes, and at the distribution of the boxes, before training.
#
# ## Exercises
#
# 1. Make a set of your own, with two objects in one picture and one in another. What does
#    a batch of labels look like?
# 2. Pictures are often mirrored to have more of them. What must become of the labels?
# 3. Cropping is common, too. What may happen to an object that does not happen in
#    classification?
#
# ### A solution of exercise 1
#
# Two pictures, three lines. The second label is filled up.

# %%
lines = [
    ("a.png", 0, 20, 30, 60, 70),
    ("a.png", 1, 70, 10, 120, 90),
    ("b.png", 0, 40, 40, 110, 80),
]
own = run.out / "own"
for split in ("own_train", "own_val"):
    (own / split / "images").mkdir(parents=True, exist_ok=True)
    pictures = {name: np.full((96, 128, 3), 230, np.uint8) for name, *_ in lines}
    for name, kind, x1, y1, x2, y2 in lines:
        pictures[name][y1:y2, x1:x2] = [(220, 90, 60), (60, 110, 220)][kind]
    for name, pixels in pictures.items():
        d2l.Image.fromarray(pixels).save(own / split / "images" / name)
    with open(own / split / "label.csv", "w", newline="") as file:
        header = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")
        csv.writer(file).writerows([header, *lines])

_, own_iter = d2l.load_data_bananas(2, str(own))
X_own, Y_own = next(iter(own_iter))
print("own batch:", tuple(X_own.shape), tuple(Y_own.shape))
print("own labels:\n", d2l.numpy(Y_own), sep="")

# %% [markdown]
# ### A solution of exercise 2
#
# $x$ goes to $1 - x$, and the corners change roles. Rows that only fill up stay as they
# are.


# %%
def mirror(X, Y):
    x1, y1, x2, y2 = (Y[..., i] for i in range(1, 5))
    mirrored = d2l.stack([Y[..., 0], 1 - x2, y1, 1 - x1, y2], axis=-1)
    is_object = d2l.astype(Y[..., :1] >= 0, d2l.float32)
    columns = np.arange(X.shape[3])[::-1].copy()
    flipped = d2l.tensor(d2l.numpy(X)[..., columns])
    return flipped, is_object * mirrored + (1 - is_object) * Y


X_flipped, Y_flipped = mirror(X_own, Y_own)
print("mirrored labels:\n", d2l.numpy(Y_flipped), sep="")
images = [d2l.transpose(x, (1, 2, 0)) for x in (X_own[0], X_flipped[0])]
axes = d2l.show_images(images, 1, 2, ["own", "mirrored"], scale=2.2)
for ax, rows in zip(axes, (Y_own[0], Y_flipped[0])):
    pixels = d2l.numpy(rows)[:, 1:] * np.array([128, 96, 128, 96])
    d2l.show_bboxes(ax, pixels, ["class 0", "class 1"], ["k"])
d2l.show("mirrored")

# %%
run.report({"train_images": len(train_set), "val_images": len(val_set)})
