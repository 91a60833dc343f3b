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
# For handwritten digits or clothes there are small sets on which a classifier is trained in
# minutes. For detection there is no such standard set. The book therefore made one: photos
# of bananas were turned, scaled, and pasted at random places into other pictures. The set
# of this course is drawn. Each picture has one banana, on a table, in a bowl, in a kitchen
# or in the grass, among things that share its colour or its form: lemons, courgettes,
# peppers, yellow cups, toy boats. It is small enough to train a detector on it in minutes,
# which the [next section](ssd.py) does.
#
# This section shows how such a set lies on the disk, what a label is, how the framework
# reads pictures and labels in batches, and what one should look at before any training.

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
# By default the pictures are drawn on this machine, which takes seconds. `--data book`
# downloads the set of the book, and `--data FOLDER` reads your own.

# %%
folder = d2l.banana_folder(run.data)
print("data from", folder)

# %% [markdown]
# ## On the disk
#
# There is a folder for training and one for validation. Each has its pictures and a table:
#
# ```
# bananas_train/images/0.png, 1.png, …
# bananas_train/label.csv
# bananas_val/…
# ```
#
# A line of `label.csv` is one object: the name of the picture, the class, and the corners
# of the box in pixels. Here are the header and one line.

# %%
tables = sorted(Path(folder).glob("*_train/label.csv"))  # one, in this layout
for table in tables:
    for line in table.read_text().splitlines()[:2]:
        print("label.csv:", line)

# %% [markdown]
# ## Reading it
#
# What do we need to read this set? The class below is all of it. It holds the lines of the
# table and not the pictures, so memory does not grow with the set. `example` reads one
# picture when it is asked for. The corners are divided by the width and height of the
# picture, as explained in the [section on bounding boxes](bounding_box.py); the class
# stays what it is. This part is NumPy and the same for every framework.


# %%
class Pictures:
    """Pictures with one object each: a table and a folder of images."""

    def __init__(self, table, size, classes):
        self.images, self.size, self.classes = table.parent / "images", size, classes
        self.rows = [line.split(",") for line in table.read_text().splitlines()[1:]]

    def __len__(self):
        return len(self.rows)

    def example(self, i):
        name, label, *corners = self.rows[i]
        with d2l.Image.open(self.images / name) as file:
            picture = file.convert("RGB")
        box = np.array(corners, np.float32) / np.tile(picture.size, 2)
        picture = picture.resize(self.size[::-1], d2l.Image.Resampling.BILINEAR)
        image = np.asarray(picture, np.float32).transpose(2, 0, 1)  # (3, H, W)
        label = int(label) if label.isdigit() else self.classes.index(label)
        return image, np.array([[label, *box]], np.float32)  # (1, 5)


# %% [markdown]
# `BananasDataset` does the same, and more: it checks the table, allows several objects in a
# picture, and reads other layouts. The first examples of the two are equal.

# %%
size = (run.image_size, run.image_size)
train_set = d2l.BananasDataset(True, folder, size)
val_set = d2l.BananasDataset(False, folder, size)
print(f"{len(train_set)} pictures for training, {len(val_set)} for validation")
for table in tables:
    ours = Pictures(table, size, train_set.classes).example(0)
    theirs = train_set.example(0)
    differences = [float(np.abs(x - y).max()) for x, y in zip(ours, theirs)]
    print("largest differences of picture and label:", differences)
image, label = train_set[0]
print("one example:", tuple(image.shape), tuple(label.shape))
print("its label:", d2l.numpy(label))

# %% [markdown]
# ## A batch
#
# Every framework has a loader, which asks a set for examples, puts them together into
# batches, and reads ahead while the network computes. Each wants the set in a class of its
# own form. This is the code in your framework; `order` is the order of the examples in one
# pass, shuffled for the training, and `collate` makes tensors of a list of examples.

# %%
d2l.show_source("loading.loader")

# %% [markdown]
# Pictures of equal size can be stacked to (batch, channels, height, width). Labels cannot
# be stacked yet: one picture has one object and another one has five. So every label gets
# as many rows as the fullest picture of the set has objects, $m$, and the rows that are not
# needed get the class −1. A batch of labels has the shape (batch, $m$, 5). Everything that
# reads labels skips rows with a negative class. Our pictures have one banana each, so $m =
# 1$, and there are no such rows.

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
# Here are ten pictures with their boxes. To draw them, the channels are moved to the last
# axis, the values of pixels are divided by 255, and the boxes are multiplied by the size of
# the picture.

# %%
images = d2l.numpy(d2l.transpose(X, (0, 2, 3, 1)))[:10] / 255
labels = d2l.numpy(Y)[:10]
axes = d2l.show_images(images, 2, 5, scale=1.6)
for ax, rows in zip(axes, labels):
    objects = rows[rows[:, 0] >= 0]
    d2l.show_bboxes(ax, objects[:, 1:] * run.image_size, colors=["w"])
d2l.show("batch")

# %% [markdown]
# A second view helps before any training. Where are the objects, and how large are they?
# Each dot is an object. For every size that occurs there should be anchors of about that
# size, and the validation set should look like the training set.

# %%
fig, (left, right) = d2l.plt.subplots(1, 2, figsize=(6, 2.9), layout="constrained")
for name, data, color, alpha in (
    ("training", train_set, "tab:blue", 0.35),
    ("validation", val_set, "tab:orange", 0.9),
):
    rows = data.labels.reshape(-1, 5)
    boxes = d2l.tensor(rows[rows[:, 0] >= 0, 1:])
    cx, cy, w, h = d2l.numpy(d2l.box_corner_to_center(boxes)).T
    style = {"s": 5, "color": color, "alpha": alpha, "linewidths": 0}
    left.scatter(cx, cy, **style)
    right.scatter(w, h, label=name, **style)
    print(f"{name}: {len(boxes)} objects, mean size {w.mean():.3f} × {h.mean():.3f}")
left.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", title="centres", xlabel="x")
left.set_ylabel("y")
right.set(xlim=(0, None), ylim=(0, None), aspect="equal", title="sizes")
right.set(xlabel="width (fraction)", ylabel="height (fraction)")
fig.legend(fontsize=8, loc="outside lower center", ncols=2, markerscale=3)
d2l.show("centres-and-sizes")

# %% [markdown]
# ## Summary
#
# - A set for detection consists of pictures and a table of objects: class and corners.
# - A set reads one picture at a time, and the framework's loader makes batches of them.
# - The label of a picture has the shape (m, 5), and a batch of labels (batch, m, 5). Rows
#   of class −1 fill up labels with fewer than $m$ objects.
# - Before the training, look at a batch with its boxes and at the distribution of the
#   boxes.
#
# ## Exercises
#
# 1. Look for another set of pictures with boxes, or make one with two objects in one
#    picture and one in another. How does it differ from the bananas? What does a batch of
#    labels look like?
# 2. Pictures are often mirrored to have more of them. What must become of the labels?
# 3. Cropping is a common augmentation, too. What may happen to an object that does not
#    happen in classification?
#
# ### Answer to exercise 1
#
# Our set has one object of one class in each picture, and the pictures are of one size.
# Photographs that people have labelled are different. Pascal VOC 2012 ([Everingham et al.,
# 2010](https://doi.org/10.1007/s11263-009-0275-4)) has 20 classes, pictures of many sizes,
# and often several objects in a picture, which may be hidden in part. Below is a set of our
# own with two pictures and three lines. The label of the second picture is filled up with a
# row of class −1.

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
# ### Answer to exercise 2
#
# The picture is mirrored by one function of the framework. For a box, $x$ becomes $1 - x$,
# and the left and the right border are exchanged. Rows that only fill up stay as they are.

# %%
d2l.show_source("augmentation.flip_left_right")


# %%
def mirror(images, labels):  # (B, 3, H, W), (B, m, 5)
    flip = d2l.RandomHorizontalFlip(p=1)
    flipped = d2l.stack([flip(d2l.transpose(x, (1, 2, 0))) for x in images])
    x1, y1, x2, y2 = (labels[..., i] for i in range(1, 5))
    mirrored = d2l.stack([labels[..., 0], 1 - x2, y1, 1 - x1, y2], axis=-1)
    is_object = d2l.astype(labels[..., :1] >= 0, d2l.float32)
    labels = is_object * mirrored + (1 - is_object) * labels
    return d2l.transpose(flipped, (0, 3, 1, 2)), labels


X_flipped, Y_flipped = mirror(X_own, Y_own)
print("mirrored labels:\n", d2l.numpy(Y_flipped), sep="")
images = [d2l.transpose(x, (1, 2, 0)) for x in (X_own[0], X_flipped[0])]
axes = d2l.show_images(images, 1, 2, ["own", "mirrored"], scale=2.2)
for ax, rows in zip(axes, (Y_own[0], Y_flipped[0])):
    pixels = d2l.numpy(rows)[:, 1:] * np.array([128, 96, 128, 96])
    d2l.show_bboxes(ax, pixels, ["class 0", "class 1"], ["r", "b"])
d2l.show("mirrored")

# %% [markdown]
# ### Answer to exercise 3
#
# In classification the class of a picture stays what it is. In detection an object may
# lie outside of the crop, and then its row must go. Or only a part of it is left. Its box
# must then be cut at the border of the crop, and one must decide whether the rest still
# counts as the object. A usual rule keeps an object if a certain share of its area is
# left, or if its centre lies inside the crop. Here the right 60 % of the first picture of
# our own set are cropped, and a third of an object must be left.

# %%
crop = np.array([0.4, 0.0, 1.0, 1.0])
boxes = d2l.numpy(Y_own)[0, :, 1:]
cut = np.concatenate(
    [np.maximum(boxes, crop)[:, :2], np.minimum(boxes, crop)[:, 2:]], 1
)
areas = [np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1) for b in (cut, boxes)]
left_over = areas[0] / areas[1]
in_crop = (cut - np.tile(crop[:2], 2)) / np.tile(crop[2:] - crop[:2], 2)
for kind, (share, box) in enumerate(zip(left_over, in_crop)):
    fate = f"kept, box {box.round(3)}" if share >= 1 / 3 else "removed"
    print(f"class {kind}: {share:.0%} is left: {fate}")

# %%
run.report({"train_images": len(train_set), "val_images": len(val_set)})
