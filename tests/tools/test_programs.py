"""A chapter's native program trains as the package does, and does not import it."""

import ast
import re

import numpy as np
import program
import pytest
from forked import run_script
from PIL import Image

EPOCHS, BATCH, SIDE = 2, 4, 64


@pytest.fixture
def run(d2l, tmp_path):
    """Assemble a program and run it where only the framework is imported."""

    def run(chapter, *arguments):
        text = program.assembled(chapter)
        assert "d2lcv" not in text and "d2l." not in text and "backend." not in text
        names = [name for name, _ in bound(text)]
        assert len(set(names)) == len(names)  # none stands for two things
        cwd = tmp_path / "cwd"
        cwd.mkdir()
        file = cwd / f"{chapter}.py"
        file.write_text(text, encoding="utf-8")
        # in the package's place: importing it would end the program
        (cwd / "d2lcv.py").write_text("raise SystemExit('imported')")
        done = run_script(file, *arguments, cwd=cwd, timeout=500, without="d2lcv")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return run


def bound(text):
    """(name, what it is) of all that a program defines or imports on its top level."""
    imports, definitions = set(), []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", "")
            imports |= {(a.asname or a.name, f"{module} {a.name}") for a in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions.append((node.name, node.lineno))
    return [*imports, *definitions]


def numbers(output, label):
    return [float(x) for x in re.findall(rf"{re.escape(label)} ([\d.]+)", output)]


def trained(d2l, net, loss, train_iter):
    """Train with the package itself: the mean loss of each epoch."""
    trainer, means = d2l.Trainer(net, "adam", lr=2e-3), []

    def step(X, Y):
        return loss(X, Y), ()

    for epoch in range(EPOCHS):
        losses = []
        for i, (X, Y) in enumerate(train_iter):
            done = (epoch + i / len(train_iter)) / EPOCHS
            trainer.lr = 2e-3 * d2l.warmup_cosine(done)
            losses.append(float(trainer.step(step, X, Y)[0]))
        means.append(np.mean(losses))
    return means


def near(found, expected):
    """The losses of training: the same up to rounding, which steps make larger."""
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def same_weights(d2l, net, file):
    expected, found = d2l.get_weights(net), d2l.weights.read_weights(file)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=5e-3, err_msg=name)


def test_fcn(d2l, run, tmp_path):
    from d2lcv.drawn.voc import make_voc

    folder = make_voc(tmp_path / "voc", 2 * BATCH, 2, size=80)
    weights, start = tmp_path / "weights.safetensors", tmp_path / "start.safetensors"
    d2l.seed(5)
    d2l.save_weights(d2l.ResNet(18, 10, width=8), start)
    crop = (32, 40)
    output = run(
        "fcn", folder, f"--weights={start}", "--height=32", "--width=40", "--seed=3",
        f"--epochs={EPOCHS}", f"--batch-size={BATCH}", f"--save={weights}",
    )  # fmt: skip

    backbone = d2l.pretrained(18, start)
    d2l.seed(3)
    train_iter, val_iter = d2l.load_data_voc(BATCH, crop, folder, "ignore")
    net = d2l.FCN(21, backbone)

    def loss(X, Y):
        return d2l.reduce_mean(d2l.segmentation_loss(net(X), Y))

    near(numbers(output, "loss"), trained(d2l, net, loss, train_iter))
    same_weights(d2l, net, weights)
    confusion = d2l.Confusion(21)
    for X, Y in val_iter:
        confusion.add(d2l.predict(net, X), Y)
    for label in ("pixel accuracy", "mean IoU"):
        (found,) = numbers(output, f"{label}:")
        assert abs(found - getattr(confusion, label.lower().replace(" ", "_"))) < 0.01


def test_image_augmentation(d2l, run, tmp_path):
    from d2lcv.drawn.cifar10 import make_cifar10

    folder = make_cifar10(tmp_path / "pictures", 2, 1)
    weights = tmp_path / "weights.safetensors"
    output = run(
        "image_augmentation", folder, "--width=8", f"--epochs={EPOCHS}", "--lr=0.002",
        "--batch-size=10", "--seed=3", f"--save={weights}",
    )  # fmt: skip

    d2l.seed(3)
    net = d2l.resnet18(10, 3, width=8)
    augs = d2l.Compose([d2l.RandomHorizontalFlip(), d2l.ToTensor()])
    train_iter = d2l.loader(d2l.CIFAR10(True, folder, augs), 10, shuffle=True)
    test_iter = d2l.loader(d2l.CIFAR10(False, folder, d2l.ToTensor()), 10)

    def loss(X, y):
        return d2l.reduce_mean(d2l.cross_entropy(net(X), y))

    near(numbers(output, "loss"), trained(d2l, net, loss, train_iter))
    same_weights(d2l, net, weights)
    (found,) = numbers(output, "test accuracy:")
    # of ten pictures: rounding may decide one of them
    assert abs(found - d2l.evaluate_accuracy_gpu(net, test_iter)) < 0.11


def test_neural_style(d2l, run, tmp_path):
    for name in ("cat_and_dog", "autumn_painting"):
        picture = Image.fromarray(np.asarray(getattr(d2l, name)()))
        picture.resize((80, 64)).save(tmp_path / f"{name}.png")
    content, style = (
        d2l.preprocess(Image.open(tmp_path / f"{name}.png"), (48, 60))
        for name in ("cat_and_dog", "autumn_painting")
    )
    output = run(
        "neural_style", tmp_path / "cat_and_dog.png", tmp_path / "autumn_painting.png",
        tmp_path / "result.png", "--height=48", "--steps=12",
    )  # fmt: skip

    net, layers = d2l.style_network(), ([7], [0, 5, 10, 19, 28])
    contents_Y, _ = d2l.extract_features(content, *layers, net)
    grams = [d2l.gram(Y) for Y in d2l.extract_features(style, *layers, net)[1]]
    image = d2l.SynthesizedImage(content.shape, start=content)
    trainer = d2l.Trainer(image, "adam", lr=0.3)

    def step():
        X = image()
        features = d2l.extract_features(X, *layers, net)
        return d2l.compute_loss(X, *features, contents_Y, grams)[3], ()

    losses = []
    for i in range(12):
        trainer.lr = 0.3 * 0.8 ** (i // 10)
        losses.append(float(trainer.step(step)[0]))
    near(numbers(output, "loss"), [losses[0], losses[10], losses[11]])
    expected = d2l.numpy(d2l.postprocess(d2l.predict(image)))
    with Image.open(tmp_path / "result.png") as result:
        found = np.asarray(result) / 255
    assert found.shape == (48, 60, 3) and np.abs(found - expected).mean() < 0.01


def test_ssd(d2l, run, tmp_path):
    from d2lcv.drawn.bananas import make_bananas

    folder = make_bananas(tmp_path / "bananas", 2 * BATCH, 2, size=SIDE)
    weights = tmp_path / "weights.safetensors"
    output = run(
        "ssd", folder, f"--side={SIDE}", f"--epochs={EPOCHS}", "--steps=0",
        f"--batch-size={BATCH}", "--seed=3", f"--save={weights}",
    )  # fmt: skip
    assert re.search(r"^mAP@0.5: [01]\.\d{3}$", output, re.MULTILINE)

    d2l.seed(3)
    train_iter, _ = d2l.load_data_bananas(BATCH, folder, (SIDE, SIDE))
    net = d2l.TinySSD(1)

    def loss(X, Y):
        anchors, cls_preds, bbox_preds = net(X)
        offsets, masks, classes = d2l.multibox_target(anchors, Y)
        losses = d2l.calc_loss(cls_preds, classes, bbox_preds, offsets, masks)
        return d2l.reduce_mean(losses)

    near(numbers(output, "loss"), trained(d2l, net, loss, train_iter))
    same_weights(d2l, net, weights)
