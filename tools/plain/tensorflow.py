"""tf.data with tf.io and tf.image, as many readers at once as tf.data chooses; tf.image's
operators, and ours compiled by `tf.function`, where TensorFlow has none of its own.
"""

import os

import tensorflow as tf

from d2lcv.backends.tensorflow import anchors as own
from d2lcv.backends.tensorflow.boxes import box_iou as own_iou


def loader(folder, batch_size, side, mean, std):
    classes = tf.constant(sorted(os.listdir(folder)))
    whole = tf.zeros((1, 0, 4))

    def read(path):
        image = tf.io.decode_image(tf.io.read_file(path), 3, expand_animations=False)
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            tf.shape(image),
            whole,
            area_range=(0.08, 1.0),
            aspect_ratio_range=(3 / 4, 4 / 3),
            use_image_if_no_bounding_boxes=True,
        )
        # without aliasing, as all others resize
        image = tf.image.resize(
            tf.slice(image, begin, size), (side, side), antialias=True
        )
        image = tf.image.random_flip_left_right(image) / 255
        image = tf.transpose((image - mean) / std, (2, 0, 1))
        name = tf.strings.split(path, os.sep)[-2]
        return image, tf.argmax(name == classes)

    return (
        tf.data.Dataset.list_files(f"{folder}/*/*", shuffle=True)
        .map(read, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


# ---- compiled, called as ours --------------------------------------------------------

box_iou = tf.function(own_iou, jit_compile=True)
offset_boxes = tf.function(lambda a, b: own.offset_boxes(a, b, 1e-6))
offset_inverse = tf.function(own.offset_inverse)
multibox_target = tf.function(lambda a, rows: own.multibox_target(a, rows, 0.5))


def nms(boxes, scores, iou_threshold):
    return tf.image.non_max_suppression(boxes, scores, len(boxes), iou_threshold)


def batched_nms(boxes, scores, classes, iou_threshold):
    # the way of torchvision: each class in a place of its own
    place = tf.cast(classes, tf.float32)[:, None] * (tf.reduce_max(boxes) + 1)
    return nms(boxes + place, scores, iou_threshold)


@tf.function
def multibox_prior(data, sizes, ratios):
    return own.multibox_prior(data, sizes, ratios)


@tf.function
def multibox_detection(cls_probs, offset_preds, anchors):
    B, _, A = cls_probs.shape
    boxes = own.offset_inverse(anchors, tf.reshape(offset_preds, (B, A, 4)))
    return tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        tf.transpose(cls_probs[:, 1:], (0, 2, 1)),
        400,
        400,
        score_threshold=0.01,
        clip_boxes=False,
    )


@tf.function
def roi_align(X, rois, output_size, spatial_scale, sampling_ratio):
    height, width = (sampling_ratio * n for n in output_size)
    maps, (H, W) = tf.transpose(X, (0, 2, 3, 1)), X.shape[2:]
    x1, y1, x2, y2 = tf.unstack(rois[:, 1:] * spatial_scale, axis=1)
    corners = tf.stack((y1 / H, x1 / W, y2 / H, x2 / W), axis=1)
    image = tf.cast(rois[:, 0], tf.int32)
    cut = tf.image.crop_and_resize(maps, corners, image, (height, width))
    return tf.nn.avg_pool2d(cut, sampling_ratio, sampling_ratio, "VALID")


def predictor(net, X):
    compiled = tf.function(lambda X: net(X, training=False))
    compiled(X)
    return compiled


# ---- for `gpu.py` --------------------------------------------------------------------


def place(device):
    """Nothing: TensorFlow makes tensors on the first GPU of its own accord."""


def waits(call):
    return None


def device_memory():
    gpu = tf.config.list_physical_devices("GPU")
    return (
        tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20 if gpu else None
    )
