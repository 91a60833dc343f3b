"""`import d2lcv as d2l` in code as readers of the book write it, in each framework.

One reader for each framework (`tests/columns`): tensors made, sliced, written into and
moved with the framework's own functions, a training loop with its own optimizer.
Everything a reader gets is held against the same expected values.
"""

import inspect

import numpy as np
import pytest
from columns import DETECTION, STEPS, TARGET, WORKED

PRIOR = WORKED["multibox_prior"]

# The argument order of the book's helpers; more arguments may follow.
SIGNATURES = """
    set_figsize figsize
    set_axes axes xlabel ylabel xlim ylim xscale yscale legend
    show_images imgs num_rows num_cols titles scale
    bbox_to_rect bbox color
    show_bboxes axes bboxes labels colors
    Animator xlabel ylabel legend xlim ylim xscale yscale fmts nrows ncols figsize
    Accumulator n
    download name cache_dir
    download_extract name folder
    try_gpu i
    box_corner_to_center boxes
    box_center_to_corner boxes
    multibox_prior data sizes ratios
    box_iou boxes1 boxes2
    assign_anchor_to_bbox ground_truth anchors device iou_threshold
    offset_boxes anchors assigned_bb eps
    offset_inverse anchors offset_preds
    multibox_target anchors labels
    nms boxes scores iou_threshold
    multibox_detection cls_probs offset_preds anchors nms_threshold pos_threshold
    read_data_bananas is_train
    BananasDataset is_train
    load_data_bananas batch_size
    cls_predictor num_inputs num_anchors num_classes
    bbox_predictor num_inputs num_anchors
    flatten_pred pred
    concat_preds preds
    down_sample_blk in_channels out_channels
    base_net
    blk_forward X blk size ratio cls_predictor bbox_predictor
    TinySSD num_classes
    calc_loss cls_preds cls_labels bbox_preds bbox_labels bbox_masks
    cls_eval cls_preds cls_labels
    bbox_eval bbox_preds bbox_labels bbox_masks
    corr2d X K
    trans_conv X K
    kernel2matrix K
    bilinear_kernel in_channels out_channels kernel_size
    voc_colormap2label
    voc_label_indices colormap colormap2label
    voc_rand_crop feature label height width
    VOCSegDataset is_train crop_size voc_dir
    load_data_voc batch_size crop_size
"""


@pytest.mark.parametrize("line", SIGNATURES.strip().splitlines())
def test_argument_order(d2l, line):
    name, *wanted = line.split()
    given = inspect.signature(getattr(d2l, name)).parameters
    assert list(given)[: len(wanted)] == wanted
    for parameter in list(given.values())[len(wanted) :]:
        assert parameter.default is not parameter.empty, f"{name}: {parameter}"
    for parameter in list(given.values())[: len(wanted)]:
        assert parameter.kind is not parameter.KEYWORD_ONLY


def test_argument_defaults(d2l):
    for name, argument, default in (
        ("set_figsize", "figsize", (3.5, 2.5)),
        ("show_images", "scale", 1.5),
        ("assign_anchor_to_bbox", "iou_threshold", 0.5),
        ("offset_boxes", "eps", 1e-6),
        ("multibox_detection", "nms_threshold", 0.5),
        ("multibox_detection", "pos_threshold", 0.009999999),
        ("read_data_bananas", "is_train", True),
    ):
        parameters = inspect.signature(getattr(d2l, name)).parameters
        assert parameters[argument].default == default


# ---- what every reader must see ------------------------------------------------------


@pytest.fixture(scope="module")
def seen(d2l, native, tmp_path_factory):
    """What the reader of the active framework gets, on a set of a few small pictures."""
    from d2lcv.drawn import bananas
    from d2lcv.drawn import sets as synthetic

    folder = tmp_path_factory.mktemp("data") / "bananas"
    bananas.make_bananas(folder, 6, 3, size=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "synthetic", lambda name: str(folder))
        d2l.seed(0)
        try:
            yield native.reader(d2l)
        finally:
            d2l.plt.close("all")


def near(actual, expected):
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=0, atol=1e-5)


def test_boxes(seen):
    assert seen["round_trip"] is True


def test_priors(seen):
    shape, row = seen["prior"]
    assert list(shape) == PRIOR["shape"]
    near(row, PRIOR["at_row250_col250"])


def test_assignment(seen):
    expected = WORKED["assign_anchor_to_bbox"]["expected"]
    assert seen["assigned"].tolist() == expected
    assert seen["own"].tolist() == expected
    assert seen["masked"].tolist() == [7 if x >= 0 else -1 for x in expected]
    assert seen["assigned"].dtype.kind == "i"


def test_targets(seen):
    offsets, masks, classes = seen["target"]
    near(offsets, TARGET["bbox_offset"])
    near(masks, TARGET["bbox_mask"])
    assert classes.tolist() == TARGET["class_labels"]


def test_detections(seen):
    kept, classes = seen["classes"]
    assert kept.tolist() == [0, 1] and classes.tolist() == [0, -1, -1, 1]
    near(seen["detection"], DETECTION["expected"])


def test_bananas(seen):
    assert seen["read"] == ((3, 64, 64), (6, 1, 5))
    assert seen["own_batch"] == [(2, 3, 64, 64), (2, 1, 5)]


def test_training(seen):
    losses, (class_error, bbox_mae) = seen["losses"], seen["rates"]
    assert len(losses) == STEPS and np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert 0 < class_error < 1 and 0 < bbox_mae < 1


def test_prediction(seen):
    found = seen["found"]
    assert found.ndim == 2 and found.shape[1] == 6 and len(found)
    assert (found[:, 0] == 0).all() and np.isfinite(found).all()
    assert (np.diff(found[:, 1]) <= 0).all()
