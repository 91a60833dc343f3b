"""TensorFlow, as its readers write it."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from d2lcv.backends import backend
from d2lcv.proof.cases.engine import RATE, pixel_batches, pixel_net

from . import ANCHORS, DETECTION, LABEL, STEPS, WORKED

ZOO = None
REFUSED = dict.fromkeys(
    ("nms of doubles", "batched_nms of doubles"), "NonMaxSuppressionWithOverlaps"
)  # XLA does not have it
COMPILES, MUTABLE, CHANNELS_FIRST = True, False, True
BFLOAT16 = False
NAMES = ("tensorflow", "keras")
METHODS = ("Keras", ".trainable")
TOKENS = {
    "step": ["tf.GradientTape", "tape.gradient", "optimizer.apply_gradients"],
    "prediction": ["predict"],
    "loading": ["tf.data"],
    "convolution": ["keras.layers.Conv2D"],
    "upsampling": ["keras.layers.Conv2DTranspose"],
    "loss": ["softmax_cross_entropy_with_logits"],
    "library": ["keras"],
}


def reader(d2l):
    device, seen = d2l.try_gpu(), {}

    boxes = tf.constant(WORKED["box_corner_to_center"]["boxes"])
    back = d2l.box_center_to_corner(d2l.box_corner_to_center(boxes))
    seen["round_trip"] = bool(tf.reduce_all(back == boxes))

    img = d2l.cat_and_dog()
    h, w = img.shape[:2]
    X = tf.random.uniform((1, 3, h, w))
    Y = d2l.multibox_prior(X, sizes=[0.75, 0.5, 0.25], ratios=[1, 2, 0.5])
    seen["prior"] = Y.shape, tf.reshape(Y, (h, w, 5, 4))[250, 250, :, :].numpy()
    bbox_scale = tf.constant((w, h, w, h), tf.float32)
    fig = d2l.plt.imshow(img)
    d2l.show_bboxes(
        fig.axes,
        tf.reshape(Y, (h, w, 5, 4))[250, 250] * bbox_scale,
        ["s=0.75, r=1"] * 5,
    )

    with tf.device(device):
        ground_truth, anchors = tf.constant(LABEL), tf.constant(ANCHORS)
        jaccard = tf.Variable(d2l.box_iou(anchors, ground_truth[:, 1:]))
        best, which = tf.reduce_max(jaccard, axis=1), tf.argmax(jaccard, axis=1)
        owner = tf.Variable(tf.where(best >= 0.5, which, -1))
        for _ in range(ground_truth.shape[0]):
            index = int(tf.argmax(tf.reshape(jaccard, [-1])))
            anchor, box = divmod(index, jaccard.shape[1])
            owner[anchor].assign(box)
            jaccard[:, box].assign(-tf.ones(jaccard.shape[0]))
            jaccard[anchor, :].assign(-tf.ones(jaccard.shape[1]))
    seen["own"] = owner.numpy()
    assigned = d2l.assign_anchor_to_bbox(ground_truth[:, 1:], anchors, device, 0.5)
    masked = tf.tensor_scatter_nd_update(
        owner, tf.where(assigned >= 0), tf.fill([3], tf.constant(7, tf.int64))
    )
    seen["assigned"], seen["masked"] = assigned.numpy(), masked.numpy()

    labels = d2l.multibox_target(anchors[tf.newaxis], ground_truth[tf.newaxis])
    seen["target"] = [x.numpy() for x in labels]

    anchors = tf.constant(DETECTION["anchors"][0])
    cls_probs = tf.constant(DETECTION["cls_probs"][0])
    conf, class_id = tf.reduce_max(cls_probs[1:], 0), tf.argmax(cls_probs[1:], 0)
    keep = d2l.nms(anchors, conf, 0.5)
    kept = tf.scatter_nd(keep[:, None], tf.ones_like(keep), [len(anchors)])
    class_id = tf.where(kept == 1, class_id, -1)
    seen["classes"] = tf.gather(class_id, keep).numpy(), class_id.numpy()
    offset_preds = tf.zeros(tf.size(anchors))
    output = d2l.multibox_detection(
        cls_probs[tf.newaxis],
        offset_preds[tf.newaxis],
        anchors[tf.newaxis],
        nms_threshold=0.5,
    )
    for row in output[0].numpy():
        if row[0] == -1:
            continue
        label = ("dog=", "cat=")[int(row[0])] + str(row[1])
        d2l.show_bboxes(fig.axes, [tf.constant(row[2:]) * bbox_scale], label)
    seen["detection"] = output.numpy()

    images, targets = d2l.read_data_bananas(True)
    seen["read"] = tuple(images[0].shape), tuple(targets.shape)
    train_iter, _ = d2l.load_data_bananas(4)
    val_set = d2l.BananasDataset(is_train=False)
    features, label = zip(*[val_set[i] for i in range(2)], strict=True)
    own_iter = tf.data.Dataset.from_tensor_slices(
        (tf.stack(features), tf.stack(label))
    ).batch(2)
    seen["own_batch"] = [tuple(x.shape) for x in next(iter(own_iter))]
    batch = next(iter(train_iter.take(1)))
    imgs = tf.transpose(batch[0][0:4], (0, 2, 3, 1)) / 255
    axes = d2l.show_images(imgs, 1, 4, scale=2)
    for ax, label in zip(axes, batch[1][0:4], strict=True):
        d2l.show_bboxes(ax, [label[0][1:5] * 64], colors=["w"])

    net = d2l.TinySSD(num_classes=1)
    trainer = keras.optimizers.SGD(learning_rate=0.05)
    timer, metric, losses = d2l.Timer(), d2l.Accumulator(4), []
    X, Y = batch
    for _ in range(STEPS):
        timer.start()
        with tf.GradientTape() as tape:
            anchors, cls_preds, bbox_preds = net(X, training=True)
            bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(anchors, Y)
            cls = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(
                    cls_labels, cls_preds, from_logits=True
                ),
                axis=1,
            )
            bbox = tf.reduce_mean(tf.abs((bbox_preds - bbox_labels) * bbox_masks), 1)
            loss = tf.reduce_mean(cls + bbox)
        weights = net.trainable_variables
        trainer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        right = d2l.cls_eval(cls_preds, cls_labels)
        error = d2l.bbox_eval(bbox_preds, bbox_labels, bbox_masks)
        metric.add(right, tf.size(cls_labels), error, tf.size(bbox_labels))
        timer.stop()
        losses.append(float(loss))
    seen["losses"] = losses
    seen["rates"] = 1 - metric[0] / metric[1], metric[2] / metric[3]

    anchors, cls_preds, bbox_preds = net(X[:1], training=False)
    cls_probs = tf.transpose(tf.nn.softmax(cls_preds), (0, 2, 1))
    output = d2l.multibox_detection(cls_probs, bbox_preds, anchors)
    idx = [i for i, row in enumerate(output[0]) if row[0] != -1]
    seen["found"] = tf.gather(output[0], idx).numpy()
    return seen


def optimizer_and_losses(rate):
    def own(y_hat, y):
        classes_last = tf.transpose(y_hat, (0, 2, 3, 1))
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, classes_last)

    kind = keras.losses.SparseCategoricalCrossentropy
    kinds = ("none", "sum", "sum_over_batch_size")
    losses = [kind(from_logits=True, reduction=r) for r in kinds]
    return (lambda net: keras.optimizers.SGD(rate)), [*losses, own]


def adam(net, rate):
    return keras.optimizers.AdamW(rate, beta_1=0.8)


def with_dropout(layer):
    return keras.Sequential([layer, keras.layers.Dropout(0.5)])


def exported(path):
    """The program in the file at `path`."""
    loaded = tf.saved_model.load(path)  # its variables live as long as it does
    return lambda X: loaded.predict(X)


def compiled(net):
    """The net in evaluation mode, compiled."""
    return tf.function(lambda X: net(X, training=False))


def compiled_functions(function):
    def any_length(*inputs):
        """Compiled for any number of rows."""
        specs = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in inputs]
        return tf.function(function, input_signature=specs)(*inputs)

    return [tf.function(function, jit_compile=True), any_length]


def mode(net):
    return net.trainable


def parts(net):
    return None


def test_keras_has_classes_last_where_the_net_has(d2l):
    """Such a net's maps stay as they are; others are turned for Keras's losses."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, 3, (2, 4, 5))
    p = np.exp(maps) / np.exp(maps).sum(1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, y[:, None], 1)).mean()
    values = backend.engine.loss_values
    first = values(loss, d2l.tensor(maps), d2l.tensor(y))
    last = values(loss, d2l.tensor(maps.transpose(0, 2, 3, 1)), d2l.tensor(y))
    np.testing.assert_allclose([d2l.numpy(first), d2l.numpy(last)], expected, rtol=1e-5)


def test_evaluation_is_made_once(d2l):
    """It is traced once for each shape of a batch, and after training it has the new
    weights; with an eager trainer it is never traced."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.calls, self.built = pixel_net(d2l), [], True

        def call(self, X, training=None):
            self.calls.append((bool(training), tf.executing_eagerly()))
            return self.conv(X, training=training)

    batches = pixel_batches(d2l)[:3]
    for eager, expected in ((False, [(False, False)]), (True, 6 * [(False, True)])):
        net = Net()
        trainer = d2l.Trainer(net, "sgd", lr=RATE, eager=eager)
        result = d2l.train_ch13(net, batches, batches, d2l.cross_entropy, trainer, 2)
        assert [call for call in net.calls if not call[0]] == expected
        assert len(net.calls) == (2 if not eager else 12)
        assert result.test_acc == d2l.evaluate_accuracy_gpu(net, batches)


def test_a_tensor_decides_in_a_readers_python(d2l):
    """An `if` and a loop of Python become TensorFlow's, in a step and in a net."""
    net = d2l.initialize(d2l.conv2d(1, 1, 1))
    net.set_weights([np.full((1, 1, 1, 1), 3.0), np.zeros(1)])
    trainer = d2l.Trainer(net, "sgd", lr=0.1)

    def step(X):
        loss = d2l.reduce_mean(net(X))
        if loss > 0:
            loss = 2 * loss
        for _ in range(tf.cast(X[0, 0, 0, 0], tf.int32)):
            loss = loss + 1
        return loss, ()

    ones = np.ones((1, 1, 2, 2), np.float32)
    losses = [float(trainer.step(step, d2l.tensor(k * ones))[0]) for k in (1, 1, -1, 2)]
    w, b, expected = 3.0, 0.0, []
    for k in (1, 1, -1, 2):
        y = w * k + b
        factor = 2 if y > 0 else 1
        expected.append(factor * y + max(k, 0))
        w, b = w - 0.1 * factor * k, b - 0.1 * factor
    np.testing.assert_allclose(losses, expected, rtol=1e-5)

    class Sign(keras.Model):
        def call(self, X, training=None):
            return X if tf.reduce_sum(X) > 0 else -X

    sign = Sign()
    for k in (1, -2) * 5:  # the first calls run line by line, the others as a graph
        np.testing.assert_array_equal(
            d2l.numpy(d2l.predict(sign, d2l.tensor(k * ones))), abs(k) * ones
        )


PROCESSORS = [("TF_ENABLE_ONEDNN_OPTS", "0"), ("ONEDNN_MAX_CPU_ISA", "DEFAULT")]
STRIDED = """
import tensorflow as tf
from d2lcv.backends.tensorflow.layers import convolution
from d2lcv.backends.tensorflow.segmentation import conv_transpose2d

X = tf.random.normal((1, 8, 16, 16))
layers = [convolution(8, 16, kernel_size, strides=2) for kernel_size in (1, 3)]
for layer in [*layers, conv_transpose2d(8, 16, 3, stride=2, padding=1)]:
    for _ in range(30):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(X) ** 2)
        tape.gradient(loss, layer.kernel).numpy()
"""


@pytest.mark.parametrize("name, value", PROCESSORS)
def test_gradients_of_a_stride_on_every_processor(name, value):
    """TensorFlow's own layer ends the process, or has the channels first in oneDNN only."""
    done = subprocess.run(
        [sys.executable, "-c", STRIDED],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, name: value},
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_export_onto_a_file(d2l, tmp_path):
    (tmp_path / "net").write_text("mine")
    with pytest.raises(
        NotADirectoryError, match="path: expected a folder, got the file"
    ):
        d2l.export(d2l.cls_predictor(3, 1, 1), tmp_path / "net", image_size=8)
    assert (tmp_path / "net").read_text() == "mine"
