# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Computer vision: where this course goes
#
# A camera gives a computer millions of numbers. **Computer vision** turns them into
# something that a person would say: this is a cat, a pedestrian stands on the left, these
# pixels are road. Phones focus on faces with it, doctors look for tumours, farmers count
# fruit, and cars keep their lane. Since about 2012 ([Krizhevsky et al.,
# 2012](https://doi.org/10.1145/3065386)) nearly all of it is done by **deep learning**: a
# network with millions of weights learns from examples what to answer.
#
# This course builds the main methods from their parts, in the framework that you choose:
# PyTorch, MXNet, PaddlePaddle or TensorFlow. It follows the computer-vision chapter of
# [*Dive into Deep Learning*](https://d2l.ai). In the book's earlier editions this was the
# thirteenth chapter, and functions such as `train_ch13` have their names from it.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter("introduction", quick={"image": ""}, book={"image": ""}, data=())
d2l.show_diagram("course")

# %% [markdown]
# ## The way
#
# 1. **Learning from few pictures.** [Image augmentation](image_augmentation.py) makes more
#    of a small set by changing its pictures at random. [Fine-tuning](fine_tuning.py) starts
#    from a network that has already learned from other pictures.
# 2. **Where things are.** A [bounding box](bounding_box.py) says where an object is, and
#    [anchor boxes](anchor.py) turn "find all objects" into questions that a network can
#    answer. [Several scales](multiscale_object_detection.py) find small and large objects.
#    [A data set](object_detection_dataset.py) gives the examples.
# 3. **Detectors.** [SSD](ssd.py) and [YOLO](yolo.py) find objects in one look, the
#    [R-CNN family](rcnn.py) takes two.
# 4. **Every pixel.** [Semantic segmentation](semantic_segmentation.py) gives each pixel a
#    class, with [transposed convolutions](transposed_conv.py) and [fully convolutional
#    networks](fcn.py). [Style transfer](neural_style.py) trains the pixels themselves.
# 5. **Competitions.** [CIFAR-10](kaggle_cifar10.py) and [dog breeds](kaggle_dog.py) go the
#    whole way from files to a submission.
#
# The sections build on each other within a part, and the parts can be read in any order
# after the first.
#
# ## What you should know before
#
# You can read Python with NumPy, you know what a convolution, a loss and a gradient are,
# and you have trained some network before. All other terms are explained where they first
# appear, in **bold**.
#
# ## How a section is run
#
# Each section is a script and a notebook with the same text. `D2L_BACKEND=torch python
# chapters/ssd.py` runs a script; the variable may also name `mxnet`, `paddle` or
# `tensorflow`. The first line of its output says what is used. There are two **presets**:
# `quick`, the default, ends in minutes on two processor cores, and `book` has the sizes of
# the book, for a graphics processor (**GPU**). Every setting is an option of its own, and
# `--help` lists them. Where a section needs pictures it draws them by default, so nothing
# has to be downloaded. `--data book` takes the original pictures, and `--data FOLDER` your
# own.
#
# In a notebook there is no command line. There the options are the argument `argv` of the
# chapter: `d2l.Chapter(…, argv=["--seed", "1"])`. What a section finds is printed at its
# end and written to `result.json` in the folder of its output. Where an answer to an
# exercise speaks of "our run", it had the preset `quick`, unless it says otherwise. Your
# numbers will be near it and not the same: they depend on the processor and the versions.

# %%
print("results of this section are written to", run.out)
print("the device of this run:", d2l.device_name(run.device))

# %% [markdown]
# ## One language and four frameworks
#
# A picture is a **tensor**, a block of numbers with axes. Functions that begin with
# `d2l.` are the same in all four frameworks: they take and give the framework's own
# tensors, and tests hold all four to the same numbers. Behind each stands code in your
# framework's own words, and the sections show it where they teach it. Here is a first
# one: the overlap of two lists of boxes, as the [section on anchors](anchor.py) explains
# it.

# %%
d2l.show_source(d2l.box_iou)

# %% [markdown]
# With this code in front of you nothing is hidden, and you can take it with you: what is
# shown runs without this package. The same call in another framework runs other code and
# gives the same numbers.

# %%
boxes = d2l.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]])
overlaps = d2l.numpy(d2l.box_iou(boxes, boxes))
print("overlaps:\n", overlaps, sep="")
print("a tensor of", type(boxes).__module__.split(".")[0])

# %% [markdown]
# Three things appear in most sections. `run` is the chapter: its options, its device and
# its result. `d2l.Trainer` holds a network and an **optimizer**, the rule by which weights
# follow the gradients. `d2l.train_ch13` trains a classifier for several passes over the
# data and draws its curves. The step that both are built on is short in every framework:

# %%
d2l.show_source("training.train_step")

# %% [markdown]
# ## Pictures as numbers
#
# A colour picture of height $H$ and width $W$ has three numbers for each pixel: red, green
# and blue, whole numbers from 0 to 255. Files and plots keep them as $H × W × 3$. Networks
# take them as a **batch**, batch × channels × height × width, so that one convolution can
# go over all pictures at once.

# %%
img = d2l.cat_and_dog(run.image)
print("as a picture:", np.asarray(img).shape, np.asarray(img).dtype)
X = d2l.tensor(np.asarray(img).transpose(2, 0, 1)[None].copy())
print("as a batch:", tuple(X.shape))
d2l.set_figsize((5, 4))
d2l.plt.imshow(img)
d2l.show("picture")

# %%
red, green, blue = (np.asarray(img)[..., i] for i in range(3))
d2l.show_images([red, green, blue], 1, 3, ["red", "green", "blue"], scale=2.5)
d2l.show("channels")

# %% [markdown]
# ## On which machine?
#
# All sections run on an ordinary processor. A GPU does the same sums much faster, because
# it does thousands of them at once. `run.device` is a GPU where your framework finds one,
# and the code stays the same. What changes is the size of the batches: small ones leave
# most of a GPU idle, so batches become larger. The mean gradient of a larger batch varies
# less from step to step, so a larger step can be trusted, and a pass over the data has
# fewer steps. The learning rate may therefore grow with the batch. Raise it carefully, and
# watch whether the loss still falls.
#
# ## Where the time goes
#
# Before you look for a faster machine, measure where yours spends the time. To train is
# to repeat two things: pictures are read from files, changed and put into a batch, and
# then the network takes a step on this batch. We put 32 copies of our picture on the
# disk, as a data set would have them, and take the network of the [section on image
# augmentation](image_augmentation.py), a small ResNet.

# %%
folder = run.out / "copies" / "scene"  # a folder for each class; here there is one
folder.mkdir(parents=True, exist_ok=True)
for i in range(32):
    d2l.Image.fromarray(np.asarray(img)).save(folder / f"{i}.jpg")
change = d2l.Compose([d2l.RandomResizedCrop(64), d2l.ToTensor()])
batches = d2l.loader(d2l.ImageFolder(folder.parent, change), batch_size=32)
net = d2l.to(d2l.resnet18(num_classes=2, in_channels=3, width=8), run.device)
trainer = d2l.Trainer(net, "sgd", lr=0.01)
X, y = (d2l.to(part, run.device) for part in next(iter(batches)))


def step(X, y):
    return d2l.reduce_mean(d2l.cross_entropy(net(X), y)), ()


# %% [markdown]
# A framework may compile a function when it is first called, and a GPU goes on computing
# while Python is already in the next line. So the first call is not counted, and each
# call ends with `d2l.numpy`, which waits for the result. Of three calls we take the
# fastest.


# %%
def milliseconds(call):
    call()  # warms up
    timer = d2l.Timer()
    for _ in range(3):
        timer.start()
        call()
        timer.stop()
    return 1e3 * min(timer.times)


times = {
    "read a batch of 32 pictures": lambda: next(iter(batches)),
    "predict one picture": lambda: d2l.numpy(d2l.predict(net, X[:1])),
    "predict the batch": lambda: d2l.numpy(d2l.predict(net, X)),
    "a training step on the batch": lambda: d2l.numpy(trainer.step(step, X, y)[0]),
}
times = {name: milliseconds(call) for name, call in times.items()}
for name, time in times.items():
    print(f"{name}: {time:.1f} ms")
read, single, batch, train = times.values()
print(f"one by one, the batch would take {32 * single / batch:.1f} times as long")
print(f"the step takes {train / batch:.1f} times as long as the prediction")
print(f"reading is {read / (read + train):.0%} of reading and training")

# %% [markdown]
# These are the numbers of the machine and the framework of this run; yours will differ.
# One by one the predictions take longer, because each call has costs of its own and one
# picture does not keep all of a device busy. The step contains a prediction, and then
# computes the gradients of all layers and changes all weights. The last line tells what
# to do first. If reading is the larger part, a faster network or a GPU does not help
# much: store smaller pictures, or let other processes read ahead (`D2L_WORKERS=4` in the
# environment). If it is the smaller part, the network is what a GPU or a smaller size
# makes faster.

# %% [markdown]
# ## Summary
#
# - Computer vision answers what is in a picture, where it is, and which pixels belong to
#   it.
# - Each section runs as a script or a notebook, with drawn data in minutes, with the
#   original data and sizes on a GPU.
# - `d2l.` functions are the same in four frameworks. The code behind them is shown in
#   yours.
# - A picture is a tensor; networks take batch × channels × height × width.
# - A GPU speeds up the network, but not the reading of files. Measure both before you
#   change one.
#
# ## Exercises
#
# 1. Which of the five parts would you need to count the apples on a tree, to blur the
#    background of a video call, and to sort photographs of birds by species?
# 2. How many numbers does a colour picture of 12 million pixels have, and how many bytes
#    of memory do 32 of them take as 32-bit floats?
#
# ### Answer to exercise 1
#
# Counting apples needs boxes: detection. The background of a video call needs the class of
# every pixel: segmentation. Sorting birds needs one answer for each picture:
# classification, with fine-tuning, since photographs of rare birds are few.
#
# ### Answer to exercise 2
#
# Each pixel has three numbers, and a 32-bit float takes four bytes.

# %%
numbers = 3 * 12_000_000
print(f"numbers: {numbers:,}; 32 pictures: {32 * 4 * numbers / 2**30:.1f} GiB")

# %%
run.report({"overlap": overlaps[0, 1]})
