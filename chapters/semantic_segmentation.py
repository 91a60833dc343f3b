# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Semantic segmentation and its data
#
# A detector answers with boxes. **Semantic segmentation** answers for every pixel: this one
# belongs to a cat, that one to the background. The answer is as large as the picture, and
# it follows outlines that no box can. Video calls blur the background with it, and cars
# find out which pixels are road.
#
# Two related tasks have similar names. **Image segmentation** cuts a picture into regions
# of similar pixels, without labels and without naming them. **Instance segmentation**
# also tells the pixels of one cat from those of the cat beside it, as the [two-stage
# detector](rcnn.py) does. In semantic segmentation all cats are "cat".
#
# This section is about the best known data set for it, Pascal VOC 2012 ([Everingham et al.,
# 2010](https://doi.org/10.1007/s11263-009-0275-4)): how it is stored on disk, how colours
# become classes, and how pictures of many sizes become a batch.

# %%
from pathlib import Path

import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "semantic_segmentation",
    quick={"batch_size": 16, "height": 96, "width": 128},
    book={"batch_size": 64, "height": 320, "width": 480},
)
np.set_printoptions(precision=4, suppress=True)
d2l.show_diagram("segmentation_kinds")

# %% [markdown]
# The figure shows a picture of two cats on a floor in three ways. On the left are regions
# of similar colour. In the middle each pixel has a class, and both cats are the same. On
# the right each cat also has its own number.
#
# By default a small set is drawn on this machine, in seconds, with thirteen of VOC's
# classes and in VOC's layout. `--data book` downloads the original (2 GB), with crops of
# 320 × 480 in the preset `book`, and `--data FOLDER` reads your own.

# %%
voc_dir = d2l.voc_folder(run.data)
print("data from", voc_dir)

# %% [markdown]
# ## On disk
#
# There are three folders: lists of the names that are for training and for validation,
# the pictures, and labels of the same names.

# %%
for part in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
    files = sorted(path.name for path in Path(voc_dir, part).iterdir())
    first = files[:3] + ["…"] * (len(files) > 3)
    print(f"{part}: {len(files)} files, {', '.join(first)}")

# %% [markdown]
# A label is itself a picture, as large as the photograph, and its colours are classes.
# Below are the first five pictures with their labels. Black is background. Cream is the
# **void**, a narrow border around every object where even people cannot agree.

# %%
train_features, train_labels = d2l.read_voc_images(voc_dir, is_train=True)
print(len(train_features), "pictures to train on")


def as_pixels(image):
    """A picture of the framework's reader as an array (height, width, 3)."""
    array = d2l.numpy(image)
    return array if array.shape[2] == 3 else array.transpose(1, 2, 0)


first = [as_pixels(image) for image in train_features[0:5] + train_labels[0:5]]
d2l.show_images(first, 2, 5, scale=2, row_titles=["picture", "label"])
d2l.show("pictures-and-labels")

# %% [markdown]
# ## From colours to classes
#
# There are 21 classes, the background included, each with its colour.

# %%
_, axes = d2l.plt.subplots(3, 7, figsize=(8, 2.2), layout="compressed")
for ax, name, color in zip(axes.ravel(), d2l.VOC_CLASSES, d2l.VOC_COLORMAP):
    ax.imshow([[color]], aspect="auto")
    ax.set_title(name, fontsize=8, pad=2)
    ax.set_xticks([])
    ax.set_yticks([])
d2l.show("classes")

# %% [markdown]
# To train, we need the number of the class for each pixel, not its colour. A loop over 21
# colours would compare every pixel 21 times. A table does it in one step: a colour
# $(r, g, b)$ is the number $(256 r + g) \cdot 256 + b$, and at that place of the table
# stands its class. It has $2^{24}$ entries, of one byte each, and is made once. This is
# NumPy, on every framework; `voc_colormap2label` and `voc_label_indices` call it.

# %%
d2l.show_source("data.voc.color_table", "data.voc.colors_to_classes")
d2l.show_source(d2l.voc_label_indices, fold="The same for a picture of the framework")

# %%
table = d2l.voc_colormap2label()
print(f"table: {table.size} entries, {table.nbytes / 2**20:.0f} MiB, {table.dtype}")
label = d2l.voc_label_indices(train_labels[0], table)
classes = d2l.numpy(label)
numbers, counts = np.unique(classes, return_counts=True)
for number, count in zip(numbers, counts):
    print(f"class {number:2}, {d2l.VOC_CLASSES[number]}: {count / classes.size:.1%}")

# %% [markdown]
# A window of that label, ten pixels wide and high, at the left end of the first object:

# %%
rows, columns = np.nonzero(classes)
top = min(rows[columns.argmin()] - 5, classes.shape[0] - 10)
left = min(columns.min() - 3, classes.shape[1] - 10)
top, left = max(top, 0), max(left, 0)
print(f"rows {top} to {top + 9}, columns {left} to {left + 9}:")
print(classes[top : top + 10, left : left + 10])

# %% [markdown]
# What about the void? In the book's table it is background. But a net should not be
# taught that the rim of a cat is not cat. We give it a number of its own, 255, and leave
# these pixels out of the loss and of every measure: `void="ignore"`. The labels' PNG
# files hold the classes as palette numbers, 255 for the void, so our reader takes those
# and never sees a colour; the results are the same.

# %%
ignoring = d2l.voc_label_indices(train_labels[0], d2l.voc_colormap2label("ignore"))
share = (d2l.numpy(ignoring) == 255).mean()
print(f"void: {share:.1%} of the pixels")

# %% [markdown]
# What share of the pixels does each class have? Most pixels are background: a net that
# says "background" everywhere has a high accuracy, and has learned nothing. That is why
# segmentation is measured by the mean IoU over the *classes* as well.

# %%
totals = np.zeros(256)
table = d2l.voc_colormap2label("ignore")
for colors in run.progress(train_labels[0:200], "counting"):
    totals += np.bincount(
        d2l.numpy(d2l.voc_label_indices(colors, table)).ravel(), minlength=256
    )
shares = totals[:21] / totals[:21].sum()
there = [i for i in range(21) if shares[i] > 0]
there = sorted(there, key=lambda i: shares[i])
d2l.set_figsize((6, 0.6 + 0.22 * len(there)))
bars = [np.array(d2l.VOC_COLORMAP[i]) / 255 for i in there]
drawn = d2l.plt.barh([d2l.VOC_CLASSES[i] for i in there], shares[there], color=bars)
d2l.plt.bar_label(drawn, [f"{share:.1%}" for share in shares[there]], padding=3)
d2l.plt.xlim(0, 1)
d2l.plt.xlabel("share of the labelled pixels")
d2l.show("shares")
print(f"background: {shares[0]:.1%} of all labelled pixels")

# %% [markdown]
# ## Equal crops
#
# The pictures have many sizes, and a batch needs one. A classifier's pictures are resized,
# but a *label* cannot be interpolated: between two numbers of classes lie other classes.
# The nearest neighbour invents none, and makes ragged outlines. So we cut: a rectangle of
# fixed size at a random place, the same one out of the picture and its label. The book's
# size is 320 × 480, because most VOC pictures are about 375 × 500 and few are lost.
# `voc_rand_crop` draws the rows and columns once, and cuts both with them:

# %%
d2l.show_source("data.voc.random_window")
d2l.show_source(d2l.voc_rand_crop, fold="The same for pictures of the framework")

# %%
n, size = 5, (run.height, run.width)
sides = [min(as_pixels(image).shape[:2]) for image in train_features]
large = int(np.argmax(sides))
crops = []
for _ in range(n):
    crops += d2l.voc_rand_crop(train_features[large], train_labels[large], *size)
crops = [as_pixels(image) for image in crops]
rows = ["picture", "label"]
d2l.show_images(crops[::2] + crops[1::2], 2, n, scale=2, row_titles=rows)
d2l.show("crops")

# %% [markdown]
# ## The data set
#
# `VOCSegDataset` puts it together. Pictures smaller than the crop are left out, and it
# says how many remain. Each example is read when it is asked for: cropped, its channels
# normalised by the mean and deviation of ImageNet, its label turned into classes. In a
# loader the crop depends on the seed, the pass and the picture alone, so runs can be
# repeated, on any framework. For validation the crops stay the same in every pass.

# %%
d2l.show_source(d2l.VOCSegDataset.example)
d2l.show_source(d2l.VOCSegDataset.normalize_image, fold="How it is normalised")
train_set = d2l.VOCSegDataset(True, size, voc_dir, void="ignore")
val_set = d2l.VOCSegDataset(False, size, voc_dir, void="ignore")
print(f"too small for the crop: {train_set.num_filtered} and {val_set.num_filtered}")
image, label = train_set[0]
print("one example:", tuple(image.shape), tuple(label.shape))

# %% [markdown]
# `load_data_voc` makes such sets and their loaders in one call. A batch of labels has no
# axis of channels: it is (batch, height, width), whole numbers. This is the data set and
# the loader in your framework:

# %%
d2l.show_source("loading.loader")

# %%
train_iter, val_iter = d2l.load_data_voc(run.batch_size, size, voc_dir, void="ignore")
X, Y = next(iter(train_iter))
print("a batch:", tuple(X.shape), tuple(Y.shape), X.dtype, Y.dtype)
values = d2l.numpy(X)
print(f"channels' means: {values.mean((0, 2, 3))}, deviations: {values.std((0, 2, 3))}")

# %% [markdown]
# To look at a batch we undo the normalisation, and let `label2image` colour the classes.
# Whatever goes wrong in a pipeline, such as a label cut elsewhere than its
# picture, shows in this figure at once. The way back to colours is one line:

# %%
d2l.show_source("data.voc.classes_to_colors")

# %%
mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
shown = min(5, len(values))
pictures = (values[:shown].transpose(0, 2, 3, 1) * std + mean).clip(0, 1)
colored = d2l.label2image(d2l.numpy(Y)[:shown])
d2l.show_images([*pictures, *colored], 2, shown, scale=2, row_titles=rows)
d2l.show("batch")

# %% [markdown]
# ## Summary
#
# - Semantic segmentation gives each pixel a class; its labels are pictures of classes.
# - A table turns colours into classes; a border of the void counts nowhere.
# - Picture and label are cropped by the same random rectangle. Labels are not interpolated.
# - Most pixels are background, so the mean IoU over the classes is measured as well.
# - Memory does not grow with the set: it holds names, and reads what it is asked for.
#
# ## Exercises
#
# 1. Where is segmentation of pixels of use? Which of them need to tell instances apart?
# 2. Which augmentations of the [section on image augmentation](image_augmentation.py) can
#    be used here as they are, which must be applied to the label, too, and which make no
#    sense for it?
# 3. Write a mirrored version of `voc_rand_crop`: picture and label are flipped together,
#    with a probability of one half.
# 4. A label was resized with bilinear interpolation of its class numbers. What may stand
#    between sheep (17) and background (0)?
#
# ### Answer to exercise 1
#
# Wherever an outline or an area matters: tumours in medical pictures, fields and forests
# from satellites, roads for cars, the background of a video call. Instances must be told
# apart where things are counted or followed one by one, such as cells, cars and people.
#
# ### Answer to exercise 2
#
# Changes of colour can be used as they are: they leave every pixel's class as it is. Flips,
# crops and changes of size must be applied to the label, too, with the same random numbers,
# and the label takes the nearest neighbour. What mixes two pictures or covers a part of one
# makes sense only if the label is mixed or covered in the same way.
#
# ### Answer to exercise 3


# %%
rng = np.random.default_rng(run.seed)


def flipped_crop(feature, label, height, width):
    crops = d2l.voc_rand_crop(as_pixels(feature), as_pixels(label), height, width)
    return [c[:, ::-1] for c in crops] if rng.random() < 0.5 else list(crops)


pairs = [
    flipped_crop(train_features[large], train_labels[large], *size) for _ in range(5)
]
images = [a for a, _ in pairs] + [b for _, b in pairs]
d2l.show_images(images, 2, 5, scale=2, row_titles=rows)
d2l.show("flipped-crops")

# %% [markdown]
# ### Answer to exercise 4
#
# Classes that are not there: what lies between is a bird, a car, a cow and a motorbike.

# %%
between = np.unique(np.linspace(17, 0, 6).round().astype(int))
print("between sheep and background:", [d2l.VOC_CLASSES[i] for i in between])

# %%
run.report(
    {
        "train_examples": len(train_set),
        "val_examples": len(val_set),
        "background": shares[0],
    }
)
