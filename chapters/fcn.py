# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Fully convolutional networks
#
# Semantic segmentation asks for the class of every pixel. A classifier gives one answer for
# the whole picture, since its last layers squeeze the map into a vector. A **fully
# convolutional network** (FCN, [Long et al., 2015](https://arxiv.org/abs/1411.4038)) keeps
# the map: it takes the features of a classifier, turns their channels into classes by a
# 1 × 1 convolution, and brings the map back to the size of the picture by a [transposed
# convolution](transposed_conv.py). At each pixel of the output, the channels are the scores
# of the classes for that very pixel.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "fcn",
    quick={"num_epochs": 14, "batch_size": 8, "height": 96, "width": 128,
           "weights": "source", "optimizer": "adam", "lr": 3e-3, "weight_decay": 0.0,
           "exercises": False},
    book={"num_epochs": 5, "batch_size": 32, "height": 320, "width": 480,
          "weights": "imagenet", "optimizer": "sgd", "lr": 0.1, "weight_decay": 1e-3,
          "exercises": False},
)  # fmt: skip
d2l.show_diagram("fcn")

# %% [markdown]
# ## The model
#
# ### Features
#
# The features are those of a ResNet-18 that has learned to classify pictures: all of it up
# to the average pooling. They divide height and width by 32. The default, `--weights
# source`, is a small one that comes with this package and was trained on drawn things;
# `--weights imagenet` takes the framework's own, trained on a million photographs (Keras
# has none: on TensorFlow, give a file), and `--weights FILE` reads a file.

# %%
classifier = d2l.pretrained(18, run.weights)
print("weights:", run.weights)
X = d2l.zeros((1, 3, 320, 480))
print("features:", tuple(d2l.predict(classifier.features, X).shape))

# %% [markdown]
# ### Upsampling
#
# A transposed convolution of stride $s$ with padding $s/2$ and kernel $2s$ enlarges the
# map by $s$ exactly: $(h - 1)s - s + 2s = hs$. Its start matters. If the kernel has the
# weights of *bilinear interpolation*, the layer begins as a plain enlargement of the map,
# and training improves it. A pixel of the output lies between four pixels
# of the input, and each of them counts the more the closer it is: the weight falls in a
# straight line with the distance, in both directions. Bilinear interpolation takes three
# steps for each pixel of the output:
#
# 1. Divide its coordinates by the enlargement. This gives a point in the input, which in
#    general lies between pixels.
# 2. Find the four pixels of the input around this point.
# 3. Take the mean of the four, each weighted by its closeness to the point.

# %%
d2l.show_source(d2l.bilinear_kernel)

# %% [markdown]
# To see that it works, we enlarge a picture by two, and look at an eye of the dog: between
# the pixels there were, the new ones change little by little.

# %%
upsample = d2l.conv_transpose2d(3, 3, 4, stride=2, padding=1, bias=False)
weights = {"weight": d2l.numpy(d2l.bilinear_kernel(3, 3, 4))}
d2l.set_weights(upsample, weights)
picture = np.asarray(d2l.cat_and_dog(), np.float32) / 255
X = d2l.tensor(picture.transpose(2, 0, 1)[None].copy())
Y = d2l.numpy(d2l.predict(upsample, X))[0].transpose(1, 2, 0)
print("upsampled from", picture.shape[:2], "to", Y.shape[:2])
eye, large = picture[110:160, 120:180], np.clip(Y, 0, 1)[220:320, 240:360]
d2l.show_images([eye, large], 1, 2, ["60 × 50 pixels", "120 × 100 pixels"], scale=3)
d2l.show("upsampling")

# %% [markdown]
# ### The whole network
#
# `FCN` copies the features, so the classifier stays what it was. For 21 classes, 20 and
# the background, the 1 × 1 convolution has 21 channels, and the transposed convolution
# has kernel 64, stride 32 and padding 16. The 1 × 1 convolution is new and starts from
# random weights, by Xavier initialisation, as explained in the [section on image
# augmentation](image_augmentation.py).

# %%
net = d2l.FCN(len(d2l.VOC_CLASSES), classifier)
d2l.show_source(d2l.FCN)
X = d2l.zeros((1, 3, 320, 480))
print("scores:", tuple(d2l.predict(net, X).shape))

# %% [markdown]
# ## The data
#
# The data are labelled pixels in the layout of Pascal VOC, as in the [section on semantic
# segmentation](semantic_segmentation.py): drawn by default, the original with `--data
# book`, your own with `--data FOLDER`. All crops have one size. The thin border that VOC
# draws around objects belongs to no class; here it has the label 255, and gives neither a
# loss nor an error.

# %%
folder = d2l.voc_folder(run.data)
print("data from", folder)
crop_size = (run.height, run.width)
train_iter, val_iter = d2l.load_data_voc(run.batch_size, crop_size, folder, "ignore")
X, Y = next(iter(train_iter))
print("a batch:", tuple(X.shape), tuple(Y.shape))

# %% [markdown]
# ## Training
#
# The loss is the cross-entropy of each pixel, averaged over the pixels of a picture that
# have a label, and then over the pictures of a batch: the learning rates are for a mean.
# The accuracy counts pixels.

# %%
d2l.show_source(d2l.segmentation_loss)

# %% [markdown]
# Each step goes from the loss to the gradients and to new weights, in the framework's way:

# %%
d2l.show_source("training.train_step")


# %%
def train(net, name, loss=d2l.segmentation_loss):
    d2l.seed(run.seed)  # the same crops for every network
    net.classes = d2l.VOC_CLASSES  # they go into its files, which `d2lcv segment` reads
    trainer = d2l.Trainer(net, run.optimizer, lr=run.lr, weight_decay=run.weight_decay)
    schedule = d2l.warmup_cosine if run.optimizer == "adam" else lambda progress: 1.0

    def set_rate(epochs):
        trainer.lr = run.lr * schedule(epochs / run.num_epochs)

    return d2l.train_ch13(
        net,
        train_iter,
        val_iter,
        loss,
        trainer,
        run.num_epochs,
        ignore=255,
        before_batch=set_rate,
        figure=name,
        checkpoint=run.checkpoint(name),
    )


def evaluate(net):
    confusion = d2l.Confusion(len(d2l.VOC_CLASSES))
    for X, Y in run.progress(val_iter, "validation"):
        confusion.add(d2l.predict(net, d2l.to(X, run.device)), Y)
    return confusion


untrained = evaluate(net)
result = train(net, "curves")
confusion = evaluate(net)

# %% [markdown]
# Most pixels are background, and a network that answers nothing else is often right. The
# **mean IoU** shows that it has learned nothing: for each class, it divides the pixels
# that are this class in both the label and the prediction by those that are in either,
# and averages over the classes.

# %%
background = d2l.Confusion(len(d2l.VOC_CLASSES))
for _, Y in val_iter:
    background.add(0 * Y, Y)
for name, c in {
    "untrained": untrained,
    "all background": background,
    "trained": confusion,
}.items():
    print(f"{name}: accuracy {c.pixel_accuracy:.3f}, mean IoU {c.mean_iou:.3f}")
for name, iou in zip(d2l.VOC_CLASSES, confusion.iou):
    if not np.isnan(iou):
        print(f"  {name}: {iou:.3f}")

# %% [markdown]
# ## Prediction
#
# The class of a pixel is the one with the highest score. `label2image` gives each class
# its colour. The rows show the crops, what the network says, and the labels, whose classes
# stand above. The net is called in evaluation mode, and no gradients are kept:

# %%
d2l.show_source("training.predict")


# %%
ROWS = ["picture", "prediction", "label"]


def names_in(label):
    """The classes of a label (H, W), without background and border."""
    return ", ".join(d2l.VOC_CLASSES[k] for k in np.unique(label) if 0 < k < 21)


def show_predictions(net, name, number=4):
    X, Y = next(iter(val_iter))
    classes = d2l.numpy(d2l.argmax(d2l.predict(net, d2l.to(X, run.device)), 1))
    std, mean = np.array(d2l.IMAGENET_STD), np.array(d2l.IMAGENET_MEAN)
    crops = d2l.numpy(d2l.transpose(X, (0, 2, 3, 1))) * std + mean
    number = min(number, len(crops))
    labels = d2l.numpy(Y)[:number]
    images = [
        *np.clip(crops[:number], 0, 1),
        *d2l.label2image(classes[:number]),
        *d2l.label2image(labels),
    ]
    titles = [names_in(label) for label in labels] + [""] * (2 * number)
    d2l.show_images(images, 3, number, titles, scale=2, row_titles=ROWS)
    d2l.show(name)


show_predictions(net, "predictions")

# %% [markdown]
# ### A picture of any size
#
# A test picture need not have the size of the crops. `predict_tiles` covers it with
# overlapping tiles and averages the scores where tiles overlap: at the border of a tile
# half of what surrounds a pixel is unknown, and the other tile knows it. Every pixel of
# the picture gets a class in this way. The sides of a picture need not be divisible by
# 32: the tiles overlap a little more where they would not fit. `FCN` itself also takes
# pictures with other sides. Its map then becomes a little too large, and what is over is
# cut off.

# %%
d2l.show_source(d2l.predict_tiles, fold="How tiles are put together")

# %%
val_set = d2l.VOCSegDataset(False, crop_size, folder, "ignore")


def segment(net, image):
    X = val_set.normalize_image(image).transpose(2, 0, 1)[None]
    X = d2l.to(d2l.tensor(X), run.device)
    scores = d2l.predict_tiles(net, X, crop_size, overlap=run.height // 2)
    return d2l.numpy(d2l.argmax(scores, 1))[0]


whole = [val_set.folder.image(i) for i in range(3)]
segmented = [segment(net, image) for image in whole]
labels = [val_set.folder.classes(i) for i in range(3)]
print("picture and classes:", whole[0].shape, segmented[0].shape)
images = [*whole, *map(d2l.label2image, segmented), *map(d2l.label2image, labels)]
titles = [names_in(label) for label in labels] + [""] * 6
d2l.show_images(images, 3, 3, titles, scale=2, row_titles=ROWS)
d2l.show("whole-pictures")

# %%
print("weights in", d2l.save_weights(net, run.out / "fcn.safetensors"))

# %% [markdown]
# ### Finer maps
#
# The last map knows what there is, but only roughly where: each of its pixels stands for
# 32 × 32. Earlier maps have seen less of the surroundings and know the place better.
# **Skip connections** use both. FCN-16s doubles the scores of the last map and adds those
# that a 1 × 1 convolution makes of the map of stride 16; FCN-8s doubles the sum once more
# and adds the scores of the map of stride 8. What remains is enlarged by 16 or by 8. The
# added scores start at zero: the finer network begins as coarse as the other one. The
# exercises train both.

# %%
for stride in (32, 16, 8):
    d2l.seed(run.seed)
    finer = d2l.FCN(len(d2l.VOC_CLASSES), classifier, stride)
    print(f"FCN-{stride}s:")
    for name, weight in d2l.get_weights(finer).items():
        if name.startswith(("scores", "upsamplers")) and weight.ndim == 4:
            print(f"  {name} {weight.shape}")

# %% [markdown]
# ## Summary
#
# - A fully convolutional network is a classifier's features, a 1 × 1 convolution to the
#   classes, and a transposed convolution back to the size of the picture.
# - The transposed convolution starts as bilinear interpolation.
# - Skip connections add the scores of finer maps, which know better where things are.
# - Where one class is most of the picture, pixel accuracy says little. The mean IoU counts
#   all classes alike.
#
# `python tools/program.py fcn` prints the code of this page as one program of your
# framework that goes from a folder of labelled pictures to a trained net and does not
# need `d2lcv`.
#
# ## Exercises
#
# 1. Start the transposed convolution from random weights instead. What becomes of the
#    curves?
# 2. Train FCN-16s and FCN-8s for as long. Do the outlines become finer?
# 3. Weigh the classes in the loss by how rare they are. Does one of the two measures rise?
# 4. The scores come from the last map. Could earlier layers help, too?
# 5. Write `bilinear_kernel` yourself.
# 6. Tune the settings: `--lr`, `--num-epochs`, `--batch-size`, `--weight-decay`. How high
#    does the mean IoU go?
#
# ### Answer to exercise 4
#
# Yes: this is what the skip connections above do. Earlier maps know better where an outline
# runs, and later ones what is inside it.
#
# ### Answers to exercises 1, 2 and 3
#
# `--exercises true` trains all of these networks. The first one starts the transposed
# convolution from random weights, by Xavier initialisation. It has to learn first how to
# enlarge a map, which the bilinear kernel can do from the beginning. In our run of the
# quick preset on PyTorch its loss was behind: 0.96 instead of 0.73 after three epochs,
# and 0.32 instead of 0.29 at the end. The mean IoU was 0.637 instead of 0.656.

# %%
if run.exercises:
    d2l.seed(run.seed)
    by_chance = d2l.FCN(len(d2l.VOC_CLASSES), classifier)
    layer = d2l.conv_transpose2d(21, 21, 64, stride=32, padding=16, bias=False)
    weights = d2l.get_weights(by_chance)
    weights["upsamplers.0.weight"] = d2l.get_weights(layer)["weight"]
    d2l.set_weights(by_chance, weights)
    train(by_chance, "curves-random-start")
    print(f"random start: mean IoU {evaluate(by_chance).mean_iou:.3f}")

# %% [markdown]
# In our run on PyTorch FCN-16s had a mean IoU of 0.682 and FCN-8s 0.710, where FCN-32s had
# 0.656. The pixel accuracy rose, too: from 0.874 to 0.883 and 0.899. In the figure of
# FCN-16s the outlines are still rounder than the labels, and the wings of the aeroplane are
# still missing. In that of FCN-8s the wings are there.

# %%
metrics = {}
for stride in (16, 8) if run.exercises else ():
    d2l.seed(run.seed)
    finer = d2l.FCN(len(d2l.VOC_CLASSES), classifier, stride)
    train(finer, f"curves-{stride}s")
    c = evaluate(finer)
    print(f"FCN-{stride}s: accuracy {c.pixel_accuracy:.3f}, mean IoU {c.mean_iou:.3f}")
    show_predictions(finer, f"predictions-{stride}s")
    metrics[f"mean_iou_{stride}s"] = c.mean_iou

# %% [markdown]
# For the last one each pixel counts by one over the root of its class's share of all
# pixels, so that the background does not outweigh everything. In our run on PyTorch neither
# measure rose: the pixel accuracy was 0.809 instead of 0.874, and the mean IoU 0.579
# instead of 0.656. With these weights the network misses fewer pixels of the objects, but
# it takes far more of the background for an object, which makes the unions of these classes
# larger. Weights nearer to 1 would be a smaller change.

# %%
if run.exercises:
    counts = np.zeros(256)
    for _, Y in train_iter:
        counts += np.bincount(d2l.numpy(Y).ravel(), minlength=256)
    shares = np.maximum(counts[:21] / counts[:21].sum(), 1e-3)
    class_weights = [float(w) for w in shares**-0.5]

    def weighted_loss(scores, y):
        losses = d2l.cross_entropy(scores, d2l.where(y != 255, y, 0 * y))
        weights = sum(
            w * d2l.astype(y == k, d2l.float32) for k, w in enumerate(class_weights)
        )
        return d2l.reduce_sum(losses * weights) / d2l.reduce_sum(weights)

    d2l.seed(run.seed)
    weighted = d2l.FCN(len(d2l.VOC_CLASSES), classifier)
    train(weighted, "curves-weighted", weighted_loss)
    c = evaluate(weighted)
    print(f"weighted: accuracy {c.pixel_accuracy:.3f}, mean IoU {c.mean_iou:.3f}")
    metrics["mean_iou_weighted"] = c.mean_iou

# %% [markdown]
# ### Exercise 5: write it yourself
#
# Replace `...` by your code. The cell then runs it on the cases that define the function
# and says how many are right.


# %%
@d2l.exercise("bilinear_kernel")
def bilinear_kernel(in_channels, out_channels, kernel_size): ...


# %% [markdown]
# ### Answer to exercise 5
#
# A solution is the code that runs: `bilinear_kernel` stands in this section in full,
# where the upsampling begins. `d2l.source(d2l.bilinear_kernel)` gives it once more, in
# the framework that you use.
#
# ### Answer to exercise 6
#
# The quick preset reaches a mean IoU of about 0.65 on PyTorch, with Adam, a learning rate
# of 0.003 and 14 epochs. Change one setting at a time and compare the mean IoU rather
# than the accuracy, which is high for the background alone. The pictures that choose the
# settings should not be those that judge the final network, since the choice favours
# them.

# %%
run.report(
    {
        "loss": result.loss,
        "train_acc": result.train_acc,
        "test_acc": confusion.pixel_accuracy,
        "mean_iou": confusion.mean_iou,
        "mean_iou_untrained": untrained.mean_iou,
        "mean_iou_background": background.mean_iou,
        **metrics,
    },
    num_examples=result.num_examples,
    seconds=result.seconds,
)
