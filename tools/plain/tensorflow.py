"""tf.data with tf.io and tf.image, as many readers at once as tf.data chooses."""

import os

import tensorflow as tf


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
