# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Neural style transfer
#
# Filters on a phone make photographs look warmer or older. **Style transfer** goes further:
# it gives a photograph the colours and brush strokes of a painting, and leaves in it what
# it shows ([Gatys et al., 2016](https://doi.org/10.1109/CVPR.2016.265)). It uses the tools
# of the other sections in an unusual way: the network stays as it is, and what we train is
# the picture. A network looks at the **content picture**, at the **style picture** and at
# ours. To some layers of the network ours should look like the first, and to others like
# the second.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "neural_style",
    quick={"content": "", "style": "", "weights": "random", "image_height": 240,
           "image_width": 0, "num_steps": 150, "decay_steps": 10, "lr": 0.3},
    book={"content": "", "style": "", "weights": "imagenet", "image_height": 300,
          "image_width": 450, "num_steps": 500, "decay_steps": 50, "lr": 0.3},
    data=(),
)  # fmt: skip
d2l.show_diagram("style_transfer")

# %% [markdown]
# ## The two pictures
#
# Both are drawn by the package. `--content FILE` and `--style FILE` use your own.

# %%
content_img = d2l.cat_and_dog(run.content)
style_img = d2l.autumn_painting(run.style)
print("content:", run.content or "drawn", content_img.shape)
print("style:", run.style or "drawn", style_img.shape)
axes = d2l.show_images([content_img, style_img], 1, 2, ["content", "style"], scale=4)
d2l.show("pictures")

# %% [markdown]
# ## In and out of the network
#
# The network expects pictures as (1, 3, height, width), with the mean of each channel taken
# off and divided by its standard deviation. `preprocess` does that, and gives both pictures
# the size of the result, so that contents can be compared place by place. `postprocess`
# turns what comes out of our training into a picture again. Training does not know that a
# colour lies between 0 and 1, so values beyond are clipped.

# %%
height, width = run.image_height, run.image_width
if not width:  # keep the shape of the content picture
    width = round(height * content_img.shape[1] / content_img.shape[0])
image_shape = (height, width)
d2l.show_source(d2l.preprocess, d2l.postprocess)
X = d2l.preprocess(content_img, image_shape)
print("for the network:", tuple(X.shape))
print("a picture again:", tuple(d2l.postprocess(X).shape))

# %% [markdown]
# ## The network that looks
#
# VGG-19 is a plain sequence of 3 × 3 convolutions, in five blocks with a pooling after
# each. Its first layers see small pieces of the picture: edges and spots of colour. Deeper
# layers see larger pieces, and they know less exactly where these are.
#
# Which weights? `--weights imagenet`, as the preset `book` has it, takes those that were
# trained on ImageNet, from the framework's own collection (on TensorFlow give a file:
# Keras has others, whose features are of another size), and `--weights FILE` reads a
# file. The default needs no download: its filters are **random**, in a network of an
# eighth of the width. It has never seen a picture. That this works at all says something
# about style: to compare how colours and small shapes go together you need many different
# filters, but not particular ones. What training adds is knowledge of objects, and a
# random network has none.

# %%
net = d2l.to(d2l.style_network(run.weights), run.device)
kinds = {
    "random": "random filters, average pooling, an eighth of VGG-19's width, not trained",
    "imagenet": "VGG-19, trained on ImageNet",
}
print("network:", kinds.get(run.weights, f"VGG-19, its weights from {run.weights}"))

# %% [markdown]
# For the style we take the first convolution of each block, from fine to coarse: layers
# 0, 5, 10, 19 and 28. For the content one layer is enough. With trained weights it is a
# deep one, 25, which still knows what is there but not every pixel. The deep layers of a
# random network know neither, so with random filters we take the content early, from
# layer 7. To find a layer, count from 0 in the order of the network: each convolution,
# each ReLU and each pooling is one. The first pooling is layer 4, so the second block
# begins at layer 5.

# %%
style_layers = [0, 5, 10, 19, 28]
content_layers = [7] if run.weights == "random" else [25]
d2l.show_source(d2l.VGG19, fold="The network in full")
d2l.show_source(d2l.extract_features)

# %% [markdown]
# What the two pictures look like to these layers is computed once; it does not change.


# %%
def targets(image_shape):
    """The content picture, its content features, and the style picture's Gram matrices."""
    content_X, style_X = (
        d2l.to(d2l.preprocess(img, image_shape), run.device)
        for img in (content_img, style_img)
    )
    contents_Y, _ = d2l.extract_features(content_X, content_layers, style_layers, net)
    _, styles_Y = d2l.extract_features(style_X, content_layers, style_layers, net)
    return content_X, contents_Y, [d2l.gram(Y) for Y in styles_Y]


content_X, contents_Y, styles_Y_gram = targets(image_shape)
print("content features:", [tuple(Y.shape) for Y in contents_Y])
print("Gram matrices:", [tuple(G.shape) for G in styles_Y_gram])

# %% [markdown]
# ## Three losses
#
# **Content.** The mean squared difference of the features of our picture and the content
# picture. Each feature has its place, so shapes stay where they are.

# %%
d2l.show_source(d2l.content_loss)

# %% [markdown]
# **Style.** A style has no place: strokes are the same wherever they are. Let a layer's
# output be a matrix $\mathbf{X}$ with a row for each of its $c$ channels and a column for
# each of its $n$ pixels. The *Gram matrix* $\mathbf{X}\mathbf{X}^\top$ has at $(i, j)$
# the product of channels $i$ and $j$, summed over all pixels: how often and how strongly
# they are active together. It does not say where. Since its numbers grow with the size of
# the layer, we divide by $c n$; the style loss is the mean squared difference of these.
# One can say that the content is described by the features themselves, and the style by
# products of two features: statistics of the first and of the second order.

# %%
d2l.show_source(d2l.gram, d2l.style_loss)

# %%
_, styles_Y_hat = d2l.extract_features(content_X, content_layers, style_layers, net)
pairs = [(d2l.numpy(d2l.gram(Y)), d2l.numpy(G)) for Y, G in
         zip(styles_Y_hat, styles_Y_gram)]  # fmt: skip
fig, axes = d2l.plt.subplots(2, 5, figsize=(9, 4), layout="constrained")
for i, (of_content, of_style) in enumerate(pairs):
    limit = np.abs(of_style).max()
    for ax, matrix in zip(axes[:, i], (of_content, of_style)):
        ax.imshow(matrix, cmap="RdBu", vmin=-limit, vmax=limit)
        ax.set_xticks([])
        ax.set_yticks([])
    axes[0, i].set_title(f"layer {style_layers[i]}")
axes[0, 0].set_ylabel("content picture")
axes[1, 0].set_ylabel("style picture")
d2l.show("gram")

# %% [markdown]
# **Total variation.** Pictures that only satisfy a network may be full of tiny dots. Let
# $x_{i,j}$ be the pixel in row $i$ and column $j$, in each colour. The third loss is half
# of the sum of two means, which the bars stand for: of the absolute differences to the
# pixel below, and of those to the pixel on the right,
#
# $$\frac{1}{2}\left(\overline{|x_{i+1,j} - x_{i,j}|} + \overline{|x_{i,j+1} - x_{i,j}|}
# \right),$$
#
# and pulls neighbours towards each other. The sum of all three is what we minimise. Its
# weights decide how much of each we get: 1 for the content, 1000 for each layer of style,
# 10 for the total variation, and the style terms count ten times in the sum.

# %%
d2l.show_source(d2l.tv_loss, d2l.compute_loss)

# %% [markdown]
# ## A picture as the parameter
#
# `SynthesizedImage` is a module without any layer. Its only weight is the picture, and its
# forward pass returns it. We begin with the content picture, which is a good deal nearer
# to what we want than noise would be. Each step takes the features of the picture as it is
# now, and changes its pixels. Adam moves every pixel about equally far per step, at first
# 0.3 standard deviations; a rate that falls lets the picture settle.

# %%
d2l.show_source(d2l.SynthesizedImage, "training.train_step")


# %%
def transfer(image_shape, num_steps, begin=None, watch=None, noise=False, **weights):
    content_X, contents_Y, styles_Y_gram = targets(image_shape)
    start = None if noise else content_X
    image = d2l.SynthesizedImage(content_X.shape, start=start)
    image = d2l.to(image, run.device)
    trainer = d2l.Trainer(image, "adam", lr=run.lr)

    def step():
        X = image()
        features = d2l.extract_features(X, content_layers, style_layers, net)
        contents_l, styles_l, tv_l, loss = d2l.compute_loss(
            X, *features, contents_Y, styles_Y_gram, **weights
        )
        return loss, (sum(contents_l), 10 * sum(styles_l), tv_l)

    first = begin(trainer) if begin else 0
    for i in run.progress(range(first, num_steps), "transfer"):
        trainer.lr = run.lr * 0.8 ** (i // run.decay_steps)
        _, losses = trainer.step(step)  # of the picture before this step
        if watch:
            watch(i, trainer, losses)
    return picture(image)


def picture(image):
    return d2l.numpy(d2l.postprocess(d2l.predict(image)))


# %% [markdown]
# Every ten steps we note the losses and keep the picture, also in a checkpoint, from which
# `--resume` goes on. The first row of numbers is of the content picture itself: its content
# loss is 0, and its style loss is as large as the two styles differ.

# %%
animator = d2l.Animator(
    xlabel="step",
    ylabel="loss",
    yscale="log",
    xlim=[0, run.num_steps],
    legend=["content", "style", "TV"],
    figsize=(5, 3.5),
)
checkpoint = run.checkpoint()
log, stages = [], {}


def begin(trainer):
    if not checkpoint.load(trainer, []):
        return 0
    for row in checkpoint.progress["history"]:
        note(row)
    print("going on after", checkpoint.progress["done"], "of", checkpoint.path)
    return trainer.steps


def watch(i, trainer, losses):
    if i % 10 == 0 or i == run.num_steps - 1:
        content_l, style_l, tv_l = [float(d2l.numpy(x)) for x in losses]
        note({"step": i, "content": content_l, "style": style_l, "TV": tv_l})
    if (i + 1) % 10 == 0:
        stages[i + 1] = picture(trainer.net)
        checkpoint.progress |= {"history": log, "done": f"step {i + 1}"}
        checkpoint.save(trainer, [])


def note(row):
    log.append(row)
    i, content_l, style_l, tv_l = row.values()
    animator.add(i, (content_l if i else None, style_l, tv_l))  # no log of 0
    if i % 50 == 0 or i == run.num_steps - 1:
        print(f"step {i}: content {content_l:.3f}, style {style_l:.3f}, TV {tv_l:.3f}")


timer = d2l.Timer()
result = transfer(image_shape, run.num_steps, begin, watch)
seconds = timer.stop()
d2l.show("curves")

# %% [markdown]
# ## The result
#
# Here is the content picture, and what it has become after every tenth step. The style
# loss above tells the same as the pictures: most of the change happens in the first fifty
# steps.

# %%
stages = {0: d2l.postprocess(content_X), **stages}
columns = 4 if len(stages) <= 16 else 10
rows = -(-len(stages) // columns)
titles = [f"step {i}" for i in stages]
d2l.show_images(stages.values(), rows, columns, titles, scale=9 / columns)
d2l.show("stages")

# %%
d2l.show_images([content_img, style_img, result], 1, 3,
                ["content", "style", "result"], scale=4)  # fmt: skip
d2l.show("result")
path = run.out / "picture.png"
d2l.Image.fromarray(np.uint8(255 * result + 0.5)).save(path)
print("the picture:", path)

# %% [markdown]
# ## Summary
#
# - In style transfer the picture is what is trained. The network only measures.
# - The content loss compares features place by place. The style loss compares Gram
#   matrices, which say what goes together but not where. Total variation takes noise away.
# - Filters that are random can measure style. A trained network knows better what a
#   content is.
#
# `python tools/program.py neural_style` prints the code of this page as one program of
# your framework that goes from two pictures on disk to a third and does not need `d2lcv`.
#
# ## Exercises
#
# 1. What happens if the content counts less, or more?
# 2. Take other layers for the style: only 0 and 5, or only 19 and 28. Which strokes are
#    left?
# 3. Begin with noise. Does the same picture come out?
# 4. Set the weight of the total variation to 0. Why does the picture get noisy?
# 5. Can the style of a text be transferred in the same way?
# 6. Write `gram` and `tv_loss` yourself.
# 7. Take a photograph and a painting of your own. What changes with the pair?
#
# ### Answer to exercise 1
#
# We make the pictures half as large and take half the steps, to be quick. To compare the
# results, their losses are printed with the usual weights, whatever was minimised. In our
# run on PyTorch the weight 10 halved the content loss, from 4.9 to 2.3: lines stay, and
# strokes do not get wide. For that the style loss grew from 3.7 to 9.8. The weight 0.1
# changed less, to 6.1 and 3.6, because the picture begins as the content.

# %%
small = tuple(max(side // 2, 32) for side in image_shape)  # for all poolings
half = run.num_steps // 2


def show_losses(title, image):
    _, contents_Y, styles_Y_gram = targets(small)
    X = d2l.to(d2l.preprocess(np.uint8(255 * image + 0.5), small), run.device)
    features = d2l.extract_features(X, content_layers, style_layers, net)
    losses = d2l.compute_loss(X, *features, contents_Y, styles_Y_gram)
    content_l, style_l, tv_l = sum(losses[0]), 10 * sum(losses[1]), losses[2]
    values = [float(d2l.numpy(x)) for x in (content_l, style_l, tv_l)]
    print("{}: content {:.2f}, style {:.2f}, TV {:.2f}".format(title, *values))


results = {}
for weight in (0.1, 1, 10):
    title = f"content weight {weight}"
    results[title] = transfer(small, half, content_weight=weight)
    show_losses(title, results[title])
d2l.show_images(results.values(), 1, 3, list(results), scale=3)
d2l.show("content-weight")

# %% [markdown]
# ### Answers to exercises 2, 3 and 4
#
# Style in the first layers is little more than colours; in the last ones it is wide
# patches that tear the shapes apart. Neither is the whole style: over all five layers the
# style loss was 14 and 64 in our run on PyTorch, and 3.7 where all five were minimised.
# Noise took on the style (4.6), but in so few steps no content appeared, and its content
# loss was 9.5 where the run from the content picture had 4.9. Without the total variation
# nothing acts against fine grain, because a single pixel hardly changes what the network
# sees: the style loss was as before, and the total variation 2.4 instead of 1.5.

# %%
d2l.seed(run.seed)
every_layer, results = style_layers, {}
for title, (layers, choice) in {
    "style of layers 0 and 5": ([0, 5], {}),
    "style of layers 19 and 28": ([19, 28], {}),
    "from noise": (every_layer, {"noise": True}),
    "no total variation": (every_layer, {"tv_weight": 0}),
}.items():
    style_layers = layers
    results[title] = transfer(small, half, **choice)
    style_layers = every_layer
    show_losses(title, results[title])
d2l.show_images(results.values(), 2, 2, list(results), scale=3)
d2l.show("other-choices")

# %% [markdown]
# ### Answer to exercise 5
#
# Not directly. A picture can be changed a little in every pixel, and gradients say how. A
# text is made of words, and there is nothing between two words. Style transfer for texts
# therefore trains models that rewrite sentences, with examples of both styles.

# %% [markdown]
# ### Exercise 6: write it yourself
#
# Replace `...` by your code. The cells then run it on the cases that define the functions
# and say how many are right.


# %%
@d2l.exercise("gram")
def gram(X): ...  # (1, C, H, W) → (C, C)


@d2l.exercise("tv_loss")
def tv_loss(Y_hat): ...  # (B, C, H, W) → a scalar


# %% [markdown]
# ### Answer to exercise 6
#
# A solution is the code that runs: `gram` and `tv_loss` stand in this section in full,
# where their losses are explained. `d2l.source(d2l.gram)` gives it once more, in the
# framework that you use.
#
# ### Answer to exercise 7
#
# `--content FILE --style FILE` runs this page on them. The style picture is resized to
# the size of the result, so its strokes are stretched if the shapes of the two pictures
# differ. The losses of another pair have other sizes, so the weights of the three losses
# may have to be chosen again.

# %%
before, after = log[0], log[-1]
run.report(
    {
        "style_loss_before": before["style"],
        "style_loss": after["style"],
        "style_ratio": before["style"] / after["style"],
        "content_loss": after["content"],
        "tv_loss_before": before["TV"],
        "tv_loss": after["TV"],
    },
    num_examples=run.num_steps,
    seconds=seconds,
)
