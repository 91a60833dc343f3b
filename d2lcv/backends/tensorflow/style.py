"""Style transfer in TensorFlow."""

import keras
import tensorflow as tf

from ...style import vgg19_plan
from .layers import conv2d

__all__ = ["SynthesizedImage", "VGG19", "layers", "zoo_vgg19"]


class VGG19(keras.Sequential):
    def __init__(self, num_layers, width, pooling):
        plan = vgg19_plan(num_layers, width)
        super().__init__([_layer(step, pooling) for step in plan])


def _layer(step, pooling):
    if step == "relu":
        return keras.layers.ReLU()
    if step == "pool":
        kinds = {
            "max": keras.layers.MaxPooling2D,
            "avg": keras.layers.AveragePooling2D,
        }
        return kinds[pooling](2, data_format="channels_first")
    return conv2d(*step)


def layers(net):
    return net.layers


def zoo_vgg19(pretrained):
    raise ValueError(
        "weights: Keras has VGG-19 with other weights: its features are of another size, "
        "and the losses would have to be weighed anew. Give the path of a file with "
        "torchvision's: d2lcv.save_weights(d2lcv.style_network('imagenet'), 'vgg19."
        "safetensors') writes one on a backend that has them"
    )


class SynthesizedImage(keras.Model):
    def __init__(self, img_shape):
        super().__init__()
        self.weight = self.add_weight(shape=img_shape, name="weight")
        self.built = True

    def __call__(self, **options):  # Keras would not call a layer without an input
        return tf.convert_to_tensor(self.weight)
