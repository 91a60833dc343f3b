# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Image augmentation
#
# A network with millions of weights can learn a small set of pictures by heart. What it
# should learn instead is that a cat remains a cat when it looks the other way, stands a
# little closer, or sits in the evening sun. Image augmentation shows it exactly that: each
# time a training picture is used, it is changed at random in a way that leaves its class
# as it is. The set becomes larger, in effect, and the network depends less on what
# does not matter. Pictures to test on are never changed at random.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "image_augmentation",
    quick={"num_epochs": 12, "batch_size": 32, "width": 8, "lr": 6e-3,
           "schedule": "cosine", "exercises": False},
    book={"num_epochs": 10, "batch_size": 256, "width": 64, "lr": 1e-3,
          "schedule": "constant", "exercises": False},
)  # fmt: skip

# %% [markdown]
# ## The usual changes
#
# Our example is a picture of a cat. `apply` uses a transform eight times on it. Each time
# the transform draws anew; with one seed, all backends draw the same.

# %%
scene = d2l.cat_and_dog()
x1, y1, x2, y2 = (round(c) for c in d2l.CAT_BOX)
cat = d2l.Image.fromarray(np.asarray(scene)[y1:y2, x1:x2])


def apply(image, transform, name, rows=2, columns=4):
    changed = [transform(image) for _ in range(rows * columns)]
    d2l.show_images(changed, rows, columns, scale=1.5)
    d2l.show(name)


d2l.set_figsize()
d2l.plt.imshow(cat)
d2l.show("cat")

# %% [markdown]
# ### Flips
#
# Left and right change places in half of the cases. Nearly every class allows it, and it
# is the first thing to try. Text and traffic signs are exceptions.

# %%
apply(cat, d2l.RandomHorizontalFlip(), "horizontal")

# %% [markdown]
# A tensor of a picture has the shape (height, width, 3), so a flip turns the order of one
# of its first two axes around. This is the code of your framework for both flips:

# %%
d2l.show_source("augmentation.flip_left_right", "augmentation.flip_up_down")
d2l.show_source(d2l.RandomHorizontalFlip, fold="The transform, and how it draws")

# %% [markdown]
# Top and bottom are another matter. For photographs of animals an upside-down picture is
# no likely test picture; for satellite images or cells it is as good as any other.

# %%
apply(cat, d2l.RandomVerticalFlip(), "vertical")

# %% [markdown]
# ### Crops
#
# Pooling makes a network less sensitive to where a thing is. Random crops do more: the
# thing shows up at different places and in different sizes. Each crop has an area of
# between 10 % and 100 % of the picture and is between half and twice as wide as high. Then
# it is resized to 200 × 200 pixels.

# %%
crop = d2l.RandomResizedCrop((200, 200), scale=(0.1, 1), ratio=(0.5, 2))
apply(cat, crop, "crops")

# %% [markdown]
# The place of the crop is drawn in NumPy: `rng` gives the same numbers on every backend.
# Cutting out and resizing are done by the framework. Where a picture shrinks, each new
# pixel has to be a mean of all the old ones that it covers. Otherwise fine patterns turn
# into coarse ones, which is called aliasing.

# %%
d2l.show_source("augmentation.crop", "augmentation.resize")
d2l.show_source(d2l.RandomResizedCrop, fold="The transform, and how it draws")

# %% [markdown]
# ### Colours
#
# The light of a scene changes brightness, contrast, saturation and hue. A *jitter* of 0.5
# draws the factor of the brightness **uniformly** between 0.5 and 1.5: every value
# between the two is equally likely.

# %%
apply(cat, d2l.ColorJitter(brightness=0.5), "brightness")

# %% [markdown]
# A factor $f$ makes of an image $x$ the image $f x + (1 - f) g$, clipped to the range of
# grey levels. For the brightness $g$ is black, for the contrast it is the mean grey level
# of the image, and for the saturation the grey level of each pixel.

# %%
d2l.show_source(
    "augmentation.adjust_brightness",
    "augmentation.adjust_contrast",
    "augmentation.adjust_saturation",
)

# %% [markdown]
# The hue goes around a circle. A jitter of 0.5 lets it take every place on it.

# %%
apply(cat, d2l.ColorJitter(hue=0.5), "hue")

# %% [markdown]
# To turn the hue, the three channels are taken as brightness, saturation and hue (HSV).
# The first two stay as they are.

# %%
d2l.show_source("augmentation.adjust_hue")

# %% [markdown]
# All four at once, in a random order:

# %%
jitter = d2l.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.5)
apply(cat, jitter, "jitter")
d2l.show_source(d2l.ColorJitter, fold="The transform, and how it draws")

# %% [markdown]
# ### One after the other
#
# In practice several changes are composed: each one is given what the one before it made.

# %%
d2l.show_source(d2l.Compose)

# %%
augs = d2l.Compose([d2l.RandomHorizontalFlip(), jitter, crop])
apply(cat, augs, "composed")

# %% [markdown]
# ### Pictures and tensors
#
# What a transform draws does not depend on the framework. What then changes the pixels
# depends on what they are in. A picture is changed by Pillow, and comes out the same on
# every backend. A tensor of height × width × 3 numbers from 0 to 255 is changed by the
# code of the framework that was shown above.
#
# Pillow rounds to whole grey levels and keeps a hue in one byte, so the two results differ
# a little. We turn the hue by a quarter of its circle:

# %%
turn = d2l.ColorJitter(hue=(0.25, 0.25))
by_pillow = np.asarray(turn(cat)).astype(np.float32)
by_framework = d2l.numpy(turn(d2l.tensor(np.asarray(cat))))
difference = np.abs(by_framework - by_pillow).mean()
print(f"mean difference: {difference:.2f} of 255 grey levels")

# %% [markdown]
# ### The framework's own
#
# Each framework has the changes of this page itself, under its own names. They draw from
# the framework's random numbers, and some mean another thing by a name: TensorFlow's
# brightness adds to all pixels, for example, where others multiply them.

# %%
d2l.show_source(d2l.framework_transforms)
own = d2l.framework_transforms(200, 200)


def transformed(image):
    return d2l.numpy(own(image)).transpose(1, 2, 0)  # (200, 200, 3)


apply(cat, transformed, "own")

# %% [markdown]
# ## Training with augmentation
#
# CIFAR-10 has pictures of 32 × 32 pixels in ten classes, with objects at many places and
# sizes. The simpler set Fashion-MNIST would show less: its clothes are grey, centred and
# alike in size, so crops and colours have little to add. `--data book` takes the original
# set, `--data FOLDER` a folder of your own with `train/<class>/` and `test/<class>/`. The
# default is drawn: few pictures of the same ten classes, so that learning by heart pays
# and can be seen. We look at 32 of them, chosen at random, since the files lie class by
# class.

# %%
folder = d2l.cifar10_folder(run.data)
print("data from", folder)
pictures = d2l.CIFAR10(True, folder)
print(len(pictures), "pictures to train on,", ", ".join(pictures.classes))
rng = np.random.default_rng(run.seed)
chosen = rng.permutation(len(pictures))[:32]
d2l.show_images([pictures[i][0] for i in chosen], 4, 8, scale=0.8)
d2l.show("pictures")

# %% [markdown]
# The original is six files of records of 3073 bytes: one for the class, then all red
# pixels of a picture, row by row, all green and all blue ones. NumPy reads them on every
# framework:

# %%
d2l.show_source("data.cifar.read_records")

# %% [markdown]
# For CIFAR-10 a horizontal flip is enough. Then the picture becomes a tensor of numbers
# from 0 to 1. The test pictures are turned into tensors only. Networks take the channels
# first, so (height, width, 3) becomes (3, height, width). Some networks, such as those of
# the [next section](fine_tuning.py), also want the channels normalised.

# %%
d2l.show_source(d2l.ToTensor, d2l.Normalize)

# %% [markdown]
# A **loader** reads the pictures of a data set, puts them into batches, and shuffles them
# anew in every pass. `examples.example(i)` is picture number `i` and its class, as arrays;
# `order` gives the indices of a pass.

# %%
d2l.show_source("loading.loader")

# %%
to_tensor = d2l.ToTensor()
flip = d2l.Compose([d2l.RandomHorizontalFlip(), to_tensor])


def load_cifar10(is_train, transform):
    examples = d2l.CIFAR10(is_train, folder, transform)
    return d2l.loader(examples, run.batch_size, shuffle=is_train)


X, y = next(iter(load_cifar10(True, flip)))
print("a batch:", tuple(X.shape), tuple(y.shape))

# %% [markdown]
# The network is a **residual network**, ResNet-18 ([He et al.,
# 2016](https://arxiv.org/abs/1512.03385)), in a form for small pictures. Its blocks add
# what they compute to their input, which lets gradients pass through many layers. Its
# weights start at random, drawn uniformly from $-a$ to $a$ with
# $a = \sqrt{6/(n_{in} + n_{out})}$, where each unit has $n_{in}$ inputs, and each input
# goes to $n_{out}$ units. This start is called **Xavier initialisation** ([Glorot and
# Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)). It keeps the size of
# the signals similar from layer to layer.

# %%
d2l.show_diagram("residual")
d2l.show_source(d2l.resnet18, fold="The network in full")

# %% [markdown]
# One training step computes the loss, its gradients, and new weights. This is the step in
# your framework:

# %%
d2l.show_source("training.train_step")

# %% [markdown]
# ### Several devices
#
# With several graphics processors each gets a part of the batch and has a copy of the
# weights. The gradients of the parts are summed, and one step changes all copies alike:
# **data parallelism**. `split_batch` cuts a batch, and `train_batch_ch13` trains on it:
# each part counts by its share of the examples, so that the result is that of the whole
# batch.

# %%
d2l.show_diagram("data_parallel")
d2l.show_source(d2l.split_batch, d2l.train_batch_ch13)

# %% [markdown]
# Here the batch is cut for two devices; both are this processor where there is no other.

# %%
devices = (d2l.try_all_gpus() * 2)[:2]
parts, _ = d2l.split_batch(X, y, devices)
print("parts of a batch:", [tuple(part.shape) for part in parts])

# %% [markdown]
# Several processes, also on several machines, train in the same way. Each has the whole
# network and its share of a batch. Between the backward pass and the update the gradients
# are replaced by their mean over all processes, and so all of them take the same step. A
# launcher starts the processes, and `join` lets each find the others.

# %%
d2l.show_source("distributed.join", fold="How a process joins the others")
d2l.show_source("distributed.average")

# %% [markdown]
# `d2lcv run image_augmentation --processes 2` trains in two processes on this machine.
# `loader` gives each its share of the pictures, and each batch is divided among them. The
# page `docs/distributed.md` says more, also about several machines.
#
# ### The loop
#
# `train_ch13` goes through all batches for several epochs and measures the accuracy on
# pictures that are not trained on. For that no gradients are needed, and layers such as
# batch normalisation work in evaluation mode.

# %%
d2l.show_source(d2l.accuracy, d2l.evaluate_accuracy_gpu)
d2l.show_source("engine.train_ch13", fold="The loop over epochs")

# %% [markdown]
# We train with Adam. In the quick preset the learning rate goes up first and then down
# along a cosine, which saves epochs. Augmentation concerns only the data: the loop does not
# know of it.


# %%
def train_with_data_aug(train_augs, name):
    d2l.seed(run.seed)
    net = d2l.resnet18(len(pictures.classes), 3, width=run.width)
    trainer = d2l.Trainer(net, "adam", lr=run.lr)

    def schedule(epochs):
        if run.schedule == "cosine":
            trainer.lr = run.lr * d2l.warmup_cosine(epochs / run.num_epochs)

    return d2l.train_ch13(
        net,
        load_cifar10(True, train_augs),
        load_cifar10(False, to_tensor),
        d2l.cross_entropy,
        trainer,
        run.num_epochs,
        before_batch=schedule,
        figure=name,
        checkpoint=run.checkpoint(name),
    )


augmented = train_with_data_aug(flip, "with-augmentation")

# %% [markdown]
# For comparison the same without augmentation. The network gets better on the pictures it
# knows and worse on those it does not: the gap between the two accuracies is what it has
# learned by heart.

# %%
plain = train_with_data_aug(to_tensor, "without-augmentation")


# %%
def gap(result):
    return result.train_acc - result.test_acc


for name, result in {"with": augmented, "without": plain}.items():
    print(
        f"{name} augmentation: train accuracy {result.train_acc:.3f}, "
        f"test accuracy {result.test_acc:.3f}, gap {gap(result):.3f}"
    )

# %% [markdown]
# ## Summary
#
# - Augmentation makes more of the training pictures by random changes that keep the class.
#   It teaches the network what does not matter.
# - Flips, crops and changes of colour are the usual ones. Which of them help depends on
#   what test pictures may look like.
# - Pictures to predict on are not changed at random.
#
# `python tools/program.py image_augmentation` prints the training of this page, with
# mirrored pictures, as one program of your framework. It goes from folders of pictures to
# a trained net and does not need `d2lcv`.
#
# ## Exercises
#
# 1. Train with flips and a jitter of the hue of 0.5. Is it better than flips alone?
# 2. Replace the flip by a random crop: pictures resized to 40 pixels, crops of 32. What
#    becomes of the gap?
# 3. Which changes would you not use for handwritten digits, for X-ray pictures, for leaves?
# 4. Which other changes does your framework offer?
# 5. Write `accuracy` yourself: how many predictions of a batch are right, for a class of
#    each picture and for a class of each pixel? A label `ignore` does not count.
#
# ### Answers to exercises 1 and 2
#
# `--exercises true` trains twice more. In our run of the quick preset on PyTorch, flips
# with hue had a test accuracy of 0.868 and flips alone 0.870, so hue gained nothing.
# Random crops had 0.846, as little as no augmentation (0.847), but the smallest gap:
# 0.038 instead of 0.128 without and 0.094 with flips.
#
# With any hue a bird may become green or purple. Then the colour no longer tells some
# classes apart, and the network cannot use it. On the original CIFAR-10 with the settings
# of the preset `book`, runs of the book's editions on a GPU gave a test accuracy of 0.806
# without augmentation, 0.856 with flips, and 0.820 with flips and hue. So the hue takes
# away more than half of what flips alone gain there.

# %%
solutions = {
    "flips and hue": [d2l.RandomHorizontalFlip(), d2l.ColorJitter(hue=0.5)],
    "random crops": [d2l.Resize(40), d2l.RandomCrop(32)],
}
for name, augs in solutions.items() if run.exercises else ():
    result = train_with_data_aug(
        d2l.Compose([*augs, to_tensor]), name.replace(" ", "-")
    )
    print(f"{name}: test accuracy {result.test_acc:.3f}, gap {gap(result):.3f}")

# %% [markdown]
# ### Answer to exercise 3
#
# Digits must not be mirrored or turned far: a 6 would become a 9. X-ray pictures have no
# colours, and the heart is on one side, so hue and horizontal flips make no sense. Leaves
# may be turned and mirrored in any way, but a change of hue may hide what tells species
# apart.
#
# ### Answer to exercise 4
#
# Rotations, changes of perspective, blur, erasing a random part of the picture, and
# policies that combine many changes at random. For example, PyTorch
# (`torchvision.transforms.v2`) has `RandomRotation`, `GaussianBlur`, `RandomErasing` and
# `RandAugment`; PaddlePaddle (`paddle.vision.transforms`) has `RandomRotation`,
# `RandomPerspective` and `RandomErasing`; Keras (`keras.layers`) has `RandomRotation`,
# `RandomGaussianBlur` and `RandAugment`; MXNet (`gluon.data.vision.transforms`) has
# `RandomRotation` and `RandomLighting`.
#
# ### Exercise 5: write it yourself
#
# Replace `...` by your code, in the framework that you are learning. The cell then runs it
# on the cases that define the function, and says how many are right.


# %%
@d2l.exercise("accuracy")
def accuracy(y_hat, y, ignore=None): ...  # (B, C, …), (B, …) → a number


# %% [markdown]
# ### Answer to exercise 5
#
# A solution is the code that runs: `accuracy` stands in this section in full, at the
# beginning of the loop. `d2l.source(d2l.accuracy)` gives it once more, in the framework
# that you use.

# %%
run.report(
    {
        "loss": augmented.loss,
        "train_acc": augmented.train_acc,
        "test_acc": augmented.test_acc,
        "train_acc_without": plain.train_acc,
        "test_acc_without": plain.test_acc,
        "gap": gap(augmented),
        "gap_without": gap(plain),
    },
    num_examples=augmented.num_examples + plain.num_examples,
    seconds=augmented.seconds + plain.seconds,
)
