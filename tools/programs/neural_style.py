"""Style transfer: the content of one picture in the style of another.

CONTENT and STYLE are pictures on disk, RESULT is the picture that is made. Without a file
of VGG-19's weights, named as torchvision names them, filters that are drawn look at the
pictures. Every tenth step the loss is printed, and at the end that of the result.
"""

import argparse

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from d2lcv.filters import random_filters
from d2lcv.style import (
    RANDOM_WIDTH,
    STYLE_NETWORK_LAYERS,
    VGG19,
    SynthesizedImage,
    compute_loss,
    extract_features,
    gram,
    postprocess,
    preprocess,
    vgg19_plan,
)
from d2lcv.tensors import numpy, to, try_gpu
from d2lcv.training import (
    freeze,
    make_optimizer,
    make_step,
    parameters,
    predict,
    set_rates,
)
from d2lcv.weights import slots

STYLE_LAYERS = [0, 5, 10, 19, 28]  # the first convolutions of the blocks


def read(path, height, width):
    with Image.open(path) as picture:
        pixels = np.float32(picture.convert("RGB")) / 255  # (H, W, 3)
        width = width or round(height * picture.width / picture.height)
    channels = [
        Image.fromarray(np.ascontiguousarray(pixels[:, :, c])).resize(
            (width, height), Image.BILINEAR
        )
        for c in range(3)
    ]
    return preprocess(np.stack(channels, axis=2))


def network(file):
    """The net that looks, and its layers that know the content best."""
    if file:
        net, content_layers = VGG19(STYLE_NETWORK_LAYERS, 64, "max"), [25]
        given = {k.removeprefix("features."): v for k, v in load_file(file).items()}
    else:
        net, content_layers = VGG19(STYLE_NETWORK_LAYERS, RANDOM_WIDTH, "avg"), [7]
        given = random_filters(vgg19_plan(STYLE_NETWORK_LAYERS, RANDOM_WIDTH))
    for name, slot in slots(net).items():
        slot.put(given[name])
    return freeze(net), content_layers


def main():
    options = argparse.ArgumentParser()
    options.add_argument("content")
    options.add_argument("style")
    options.add_argument("result")
    options.add_argument("--weights", help="of VGG-19")
    options.add_argument("--height", type=int, default=240)
    options.add_argument("--width", type=int, help="otherwise that of the content")
    options.add_argument("--steps", type=int, default=150)
    options.add_argument("--decay-steps", type=int, default=10)
    options.add_argument("--lr", type=float, default=0.3)
    args = options.parse_args()

    device = try_gpu()
    net, content_layers = network(args.weights)
    net = to(net, device)
    content = to(read(args.content, args.height, args.width), device)
    style = to(read(args.style, *content.shape[2:]), device)
    contents_Y, _ = extract_features(content, content_layers, STYLE_LAYERS, net)
    _, styles_Y = extract_features(style, content_layers, STYLE_LAYERS, net)
    grams = [gram(Y) for Y in styles_Y]

    image = SynthesizedImage(tuple(content.shape))
    slots(image)["weight"].put(numpy(content))
    image = to(image, device)
    optimizer = make_optimizer([(parameters(image), args.lr)], "adam")

    def loss_of():
        X = image()
        features = extract_features(X, content_layers, STYLE_LAYERS, net)
        *_, loss = compute_loss(X, *features, contents_Y, grams)
        return loss, ()

    step = make_step(image, loss_of, optimizer)
    for i in range(args.steps):
        set_rates(optimizer, [args.lr * 0.8 ** (i // args.decay_steps)])
        loss, _ = step()
        if i % 10 == 0 or i == args.steps - 1:
            print(f"step {i}: loss {float(loss):.6f}")
    pixels = numpy(postprocess(predict(image)))
    Image.fromarray(np.uint8(255 * pixels + 0.5)).save(args.result)
