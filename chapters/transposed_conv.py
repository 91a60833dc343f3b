# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Transposed convolution
#
# Convolutions and poolings keep a feature map's size or shrink it. A network that names
# the class of every pixel must come back up: from a small map of many channels to a map
# as large as the picture. The **transposed convolution** does that ([Dumoulin and Visin,
# 2016](https://arxiv.org/abs/1603.07285)). It is a layer with weights like any other, and
# it undoes what a convolution does to the size. It is also called **deconvolution** or
# **fractionally strided convolution**.

# %%
import numpy as np

import d2lcv as d2l

run = d2l.Chapter(
    "transposed_conv", quick={"image": ""}, book={"image": ""}, data=()
)  # fmt: skip
np.set_printoptions(precision=4, suppress=True)
d2l.show_diagram("transposed")

# %% [markdown]
# ## One channel, stride 1
#
# A convolution goes over the input with a window and gathers: many inputs make one output.
# The transposed convolution spreads: each input element $X_{ij}$ lays a copy of the
# kernel, multiplied by $X_{ij}$, onto the output, with its corner at $(i, j)$. Where
# copies overlap they are added. With an input $n_h \times n_w$ and a kernel
# $k_h \times k_w$ the output has $n_h + k_h - 1$ rows and $n_w + k_w - 1$ columns.

# %%
X = d2l.tensor([[0.0, 1.0], [2.0, 3.0]])
K = d2l.tensor([[0.0, 1.0], [2.0, 3.0]])
Y = d2l.trans_conv(X, K)
print("trans_conv(X, K):\n", d2l.numpy(Y), sep="")

# %% [markdown]
# Here are the four copies, one for each element of the input, and their sum.


# %%
def copies(X, K, stride=1):
    """For each element of X what it adds to the output."""
    elements = np.arange(X.shape[0] * X.shape[1]).reshape(tuple(X.shape))
    for k in range(elements.size):
        alone = d2l.tensor((elements == k).astype(np.float32))
        yield d2l.numpy(d2l.trans_conv(X * alone, K, stride))


def show_copies(X, K, stride, name):
    parts = [*copies(X, K, stride), d2l.numpy(d2l.trans_conv(X, K, stride))]
    _, axes = d2l.plt.subplots(1, len(parts), figsize=(9, 2.1), layout="tight")
    for i, (ax, part) in enumerate(zip(axes, parts)):
        ax.imshow(part, cmap="Blues", vmin=0, vmax=parts[-1].max() * 1.4)
        for (r, c), value in np.ndenumerate(part):
            ax.text(c, r, f"{value:g}", ha="center", va="center", fontsize=9)
        row, column = divmod(i, X.shape[1])
        ax.set_title(
            "sum" if i == len(parts) - 1 else f"{d2l.numpy(X)[row, column]:g} · K",
            fontsize=10,
        )
        ax.set_xticks(np.arange(part.shape[1] + 1) - 0.5, labels=[])
        ax.set_yticks(np.arange(part.shape[0] + 1) - 0.5, labels=[])
        ax.grid(color="0.75")
        ax.tick_params(length=0)
    d2l.show(name)


show_copies(X, K, 1, "copies")

# %% [markdown]
# `trans_conv` is the definition as a loop of a few lines.

# %%
d2l.show_source(d2l.trans_conv)

# %% [markdown]
# ## The layer
#
# Every framework has transposed convolution as a layer for batches and channels. We make it
# with one channel in and out, put our kernel in, and get the same numbers. The frameworks
# lay out its weights in memory in different ways; in `get_weights` and in files it is
# (channels in, channels out, height, width) on all of them.

# %%
d2l.show_source(d2l.conv_transpose2d)

# %%
layer = d2l.conv_transpose2d(1, 1, kernel_size=2, bias=False)
kernel = {"weight": d2l.numpy(K)[None, None]}
d2l.set_weights(layer, kernel)
images = d2l.reshape(X, (1, 1, 2, 2))
print(f"a layer of this framework: {type(layer).__name__}")
print("by the layer:\n", d2l.numpy(layer(images))[0, 0], sep="")
assert np.array_equal(d2l.numpy(layer(images))[0, 0], d2l.numpy(Y))

# %% [markdown]
# ## Padding, stride and channels
#
# The three settings are those of the convolution whose effect on the size is undone.
# Therefore they act on the output. **Padding** is not added but taken away: with a padding
# of 1 the first and last row and column of the output are cut off.

# %%
layer = d2l.conv_transpose2d(1, 1, kernel_size=2, padding=1, bias=False)
d2l.set_weights(layer, kernel)
padded = d2l.numpy(layer(images))[0, 0]
print("padding 1:\n", padded, sep="")
assert padded.tolist() == [[4.0]]

# %% [markdown]
# **Stride** is the distance between the copies. With stride 2 our copies of a 2 × 2 kernel
# no longer overlap, and the output is twice as large as the input. In general an input of
# $n$ rows or columns, a kernel of $k$, the stride $s$ and the padding $p$ make an output of
#
# $$n' = s (n - 1) + k - 2p,$$
#
# and with $k = 2s$, $p = s/2$ a map grows exactly $s$-fold.

# %%
layer = d2l.conv_transpose2d(1, 1, kernel_size=2, stride=2, bias=False)
d2l.set_weights(layer, kernel)
strided = d2l.numpy(layer(images))[0, 0]
print("stride 2:\n", strided, sep="")
show_copies(X, K, 2, "copies-of-stride-2")

# %% [markdown]
# **Channels** work as in a convolution. For $c_i$ channels in and $c_o$ out there is a
# kernel for each pair. An output channel is the sum, over the input channels, of their
# transposed convolutions. If a convolution $f$ takes $X$ to $Y$, a transposed convolution
# $g$ with the same kernel size, padding and stride and the channels exchanged takes $Y$
# back to the *shape* of $X$, here a batch with ten channels and then twenty:

# %%
batch = d2l.rand((1, 10, 16, 16))
f = d2l.conv2d(10, 20, kernel_size=5, padding=2, stride=3)
g = d2l.conv_transpose2d(20, 10, kernel_size=5, padding=2, stride=3)
print("X:", tuple(batch.shape))
print("f(X):", tuple(f(batch).shape))
print("g(f(X)):", tuple(g(f(batch)).shape))
assert tuple(g(f(batch)).shape) == tuple(batch.shape)

# %% [markdown]
# The values of $X$ do not come back: $g$ is not the inverse of $f$. The next part shows
# what it is, and why it is called transposed.
#
# ## Why "transposed"?
#
# A convolution is linear, so it is a matrix. Write a 3 × 3 input as a vector of nine
# numbers, row after row. A 2 × 2 kernel gives 2 × 2 outputs, so the matrix is 4 × 9: each
# row has the kernel's four numbers where its window lies, and zeros elsewhere.

# %%
X = d2l.reshape(d2l.arange(9, dtype=d2l.float32), (3, 3))
K = d2l.tensor([[1.0, 2.0], [3.0, 4.0]])
Y = d2l.corr2d(X, K)
print("corr2d(X, K):\n", d2l.numpy(Y), sep="")
d2l.show_source(d2l.corr2d, d2l.kernel2matrix)
W = d2l.kernel2matrix(K)
print("kernel2matrix(K):\n", d2l.numpy(W).astype(int), sep="")

# %%
flat = d2l.matmul(W, d2l.reshape(X, (9, 1)))
print("W times X:", d2l.numpy(flat).ravel())
assert np.array_equal(d2l.numpy(flat).ravel(), d2l.numpy(Y).ravel())

# %% [markdown]
# The transposed matrix, 9 × 4, goes the other way, from four numbers to nine, and what it
# does to them is the transposed convolution with the same kernel.

# %%
Z = d2l.trans_conv(Y, K)
print("trans_conv(Y, K):\n", d2l.numpy(Z), sep="")
back = d2l.matmul(d2l.transpose(W), d2l.reshape(Y, (4, 1)))
print("W transposed times Y:", d2l.numpy(back).ravel())
assert np.array_equal(d2l.numpy(back).ravel(), d2l.numpy(Z).ravel())

# %%
d2l.set_figsize((7, 2.6))
_, axes = d2l.plt.subplots(1, 2, layout="tight", width_ratios=[9, 4])
for ax, matrix, title in zip(
    axes, (W, d2l.transpose(W)), ("convolution", "transposed convolution")
):
    ax.imshow(d2l.numpy(matrix), cmap="Blues", vmax=6)
    for (r, c), value in np.ndenumerate(d2l.numpy(matrix)):
        ax.text(
            c, r, f"{value:g}" if value else "", ha="center", va="center", fontsize=8
        )
    ax.set_title(title, fontsize=10)
    ax.set_xticks(np.arange(matrix.shape[1] + 1) - 0.5, labels=[])
    ax.set_yticks(np.arange(matrix.shape[0] + 1) - 0.5, labels=[])
    ax.grid(color="0.8")
    ax.tick_params(length=0)
d2l.show("matrices")

# %% [markdown]
# This is also why every framework has had the code for it from the start. Backpropagation
# through $\mathbf{y} = \mathbf{W}\mathbf{x}$ multiplies by $\mathbf{W}^\top$. The
# *gradient* of a convolution with respect to its input is therefore a transposed
# convolution, and the other way round: the forward pass of the one is the backward pass
# of the other. The framework's own gradient shows it.

# %%
(gradient,) = d2l.gradients(lambda x: d2l.reduce_sum(Y * d2l.corr2d(x, K)), X)
print("gradient of Σ Y · corr2d(X, K):\n", d2l.numpy(gradient), sep="")
assert np.array_equal(d2l.numpy(gradient), d2l.numpy(Z))

# %% [markdown]
# ## Enlarging a picture
#
# Which kernel enlarges well? One that interpolates. With kernel 4, stride 2 and padding 1
# each output pixel lies under four copies, and if the kernel falls linearly from its
# middle, they mix the four nearest input pixels by their distance. That is **bilinear
# interpolation**. Networks for segmentation start from this kernel and go on learning. A
# kernel drawn at random has other weights at odd than at even pixels, which shows as a
# chequered pattern.

# %%
print("a bilinear kernel:\n", d2l.numpy(d2l.bilinear_kernel(1, 1, 4))[0, 0], sep="")
picture = d2l.cat_and_dog(run.image)
if run.image:
    detail = picture
else:
    x1, y1, x2, y2 = d2l.CAT_BOX
    detail = picture[y1 : y1 + 200, x1:x2]
small = d2l.tensor(detail[::4, ::4].transpose(2, 0, 1)[None] / np.float32(255))
double = d2l.conv_transpose2d(3, 3, kernel_size=4, stride=2, padding=1, bias=False)
rng = np.random.default_rng(run.seed)
chance = np.eye(3, dtype=np.float32)[:, :, None, None] * rng.random((4, 4), np.float32)
kernels = {
    "bilinear": d2l.numpy(d2l.bilinear_kernel(3, 3, 4)),
    "random": chance * 4 / chance[0, 0].sum(),  # as bright as the picture
}
enlarged = {}
for name, weight in kernels.items():
    d2l.set_weights(double, {"weight": weight})
    enlarged[name] = d2l.numpy(double(small))[0].transpose(1, 2, 0)
    print(f"{name}: {tuple(small.shape[2:])} → {enlarged[name].shape[:2]}")
pictures = [d2l.numpy(small)[0].transpose(1, 2, 0), *enlarged.values()]
titles = ["small", "bilinear kernel", "random kernel"]
d2l.show_images([x.clip(0, 1) for x in pictures], 1, 3, titles, scale=3)
d2l.show("enlarged")

# %% [markdown]
# ## Summary
#
# - A transposed convolution spreads each input element over the output by a copy of the
#   kernel; its stride sets the copies apart, its padding is cut off the output.
# - It brings back the shape that a convolution was given, but not the values.
# - As matrices, the two are transposes of each other, and so each is the other's gradient.
# - With a bilinear kernel a transposed convolution enlarges a picture smoothly.
#
# ## Exercises
#
# 1. `kernel2matrix` makes a matrix of zeros for the most part. For a 3 × 3 kernel on a
#    32 × 32 input, how many numbers does it hold, and how many does the kernel?
# 2. Transposed convolution by an ordinary one: which input and which kernel must a
#    convolution be given to compute `trans_conv(X, K)`?
# 3. Is the transposed convolution of a convolution ever the inverse, $g(f(X)) = X$?
# 4. Which kernel, stride and padding enlarge a map threefold? Try it with bilinear weights.
# 5. Is it efficient to compute a convolution by the matrix of `kernel2matrix`?
# 6. Write `trans_conv` and `kernel2matrix` yourself.
#
# ### Answer to exercise 1
#
# Nearly all of the matrix is zero:

# %%
matrix = d2l.kernel2matrix(d2l.ones((3, 3)), (32, 32))
filled = int((d2l.numpy(matrix) != 0).sum())
print(f"matrix {tuple(matrix.shape)}: {d2l.size(matrix)} numbers for 9 weights,")
print(f"{filled / d2l.size(matrix):.2%} of them not zero")

# %% [markdown]
# ### Answer to exercise 2
#
# Pad the input with $k - 1$ zeros on every side and turn the kernel by 180°.

# %%
padded = d2l.tensor(np.pad(d2l.numpy(Y), 1))
turned = d2l.tensor(d2l.numpy(K)[::-1, ::-1].copy())
again = d2l.corr2d(padded, turned)
print("by a convolution:\n", d2l.numpy(again), sep="")
assert np.array_equal(d2l.numpy(again), d2l.numpy(Z))

# %% [markdown]
# ### Answer to exercise 3
#
# Only in special cases. $g(f(X))$ is $\mathbf W^\top \mathbf W \mathbf x$, and this is
# $\mathbf x$ for all $X$ only if the columns of $\mathbf W$ are orthonormal. A kernel with
# a single 1 and stride 1 shifts the picture and shifts it back, up to the border. In
# general the output is smaller than the input, so information is lost that no layer can
# bring back.

# %%
shift = d2l.tensor([[0.0, 0.0], [0.0, 1.0]])
square = d2l.reshape(d2l.arange(9, dtype=d2l.float32), (3, 3))
print("there and back:\n", d2l.numpy(d2l.trans_conv(d2l.corr2d(square, shift), shift)))

# %% [markdown]
# ### Answer to exercise 4
#
# $3(n - 1) + k - 2p = 3n$ asks for $k = 3 + 2p$. One choice is a kernel of 5 with a padding
# of 1. A kernel of 3 without padding also fits, but then the copies do not overlap, and
# nothing is interpolated. A slope stays a slope, except at the border.

# %%
triple = d2l.conv_transpose2d(1, 1, kernel_size=5, stride=3, padding=1, bias=False)
d2l.set_weights(triple, {"weight": d2l.numpy(d2l.bilinear_kernel(1, 1, 5))})
slope = d2l.reshape(d2l.arange(5, dtype=d2l.float32), (1, 1, 1, 5))
slope = d2l.concat([slope] * 3, axis=2)
threefold = d2l.numpy(triple(slope))[0, 0]
print("threefold:", threefold.shape, "the middle row:", threefold[4])

# %% [markdown]
# ### Answer to exercise 5
#
# No. The matrix needs memory and multiplications for all of its zeros. Frameworks either
# go over the windows directly or copy the windows into a smaller, dense matrix. We measure
# a 3 × 3 kernel on 32 × 32 numbers:

# %%
image, kernel3 = d2l.ones((32, 32)), d2l.ones((3, 3))
layer = d2l.conv2d(1, 1, kernel_size=3, bias=False)
column, stacked = d2l.reshape(image, (-1, 1)), d2l.reshape(image, (1, 1, 32, 32))
timer = d2l.Timer()
for name, product in {
    "matrix": lambda: d2l.matmul(matrix, column),
    "convolution": lambda: layer(stacked),
}.items():
    d2l.numpy(product())  # the first call warms up
    timer.start()
    for _ in range(20):
        d2l.numpy(product())
    print(f"{name}: {timer.stop() / 20 * 1e6:.0f} µs")

# %% [markdown]
# ### Exercise 6: write it yourself
#
# Replace `...` by your code. The cells then run it on the cases that define the functions
# and say how many are right.


# %%
@d2l.exercise("trans_conv")
def trans_conv(X, K, stride=1, padding=0): ...


@d2l.exercise("kernel2matrix")
def kernel2matrix(K, input_size=(3, 3)): ...  # (h, w) → (outputs, inputs)


# %% [markdown]
# ### Answer to exercise 6
#
# A solution is the code that runs: `trans_conv` and `kernel2matrix` stand in this
# section in full, each where it is first used. `d2l.source(d2l.trans_conv)` gives it
# once more, in the framework that you use.

# %%
run.report({"not_zero": filled / d2l.size(matrix), "bilinear_slope": threefold[4, 7]})
