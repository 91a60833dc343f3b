"""The oracle itself, against the published values and what must hold of any answer."""

import math

import numpy as np
import pytest

from d2lcv.proof import oracle
from d2lcv.proof.inputs import WORKED


def close(actual, expected, atol=1e-6):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def boxes(seed, n):
    rng = np.random.Generator(np.random.PCG64(seed))
    corner, size = rng.random((n, 2)), rng.random((n, 2))
    return np.concatenate([corner, corner + 0.05 + 0.4 * size], axis=1)


# --- the worked examples ----------------------------------------------------------


def test_worked_corner_to_center():
    w = WORKED["box_corner_to_center"]
    close(oracle.corner_to_center(w["boxes"]), w["expected"], atol=0)
    back = oracle.center_to_corner(oracle.corner_to_center(w["boxes"]))
    close(back, w["boxes"], atol=0)


def test_worked_multibox_prior():
    w = WORKED["multibox_prior"]
    height, width = w["data_shape"][2:]
    per_pixel = len(w["sizes"]) + len(w["ratios"]) - 1
    assert w["shape"] == [1, height * width * per_pixel, 4]
    close(
        oracle.anchors_of_pixel(250, 250, height, width, w["sizes"], w["ratios"]),
        w["at_row250_col250"],
    )


@pytest.mark.parametrize(
    "name", ["multiscale_prior_4x4", "multiscale_prior_2x2", "multiscale_prior_1x1"]
)
def test_worked_multiscale(name):
    w = WORKED[name]
    h, wd = w["feature_map"][2:]
    prior = oracle.multibox_prior(h, wd, w["sizes"], w["ratios"])
    close(prior, w["expected_for_unit_aspect"], atol=1.1e-6)


def test_worked_tinyssd_anchors():
    w = WORKED["tinyssd_shapes"]
    anchors = np.concatenate(
        [
            oracle.multibox_prior(h, wd, sizes, ratios)
            for (_, h, wd), sizes, ratios in zip(
                w["feature_maps"], w["sizes"], w["ratios"], strict=True
            )
        ],
        axis=1,
    )
    assert list(anchors.shape) == w["anchors"]
    for row, expected in w["anchor_rows"].items():
        close(anchors[0, int(row)], expected)


def test_worked_box_iou():
    w = WORKED["box_iou"]
    close(oracle.box_iou(w["boxes1"], w["boxes2"]), w["expected"])


def test_worked_assignment():
    w = WORKED["assign_anchor_to_bbox"]
    assigned = oracle.assign_anchor_to_bbox(
        w["ground_truth"], w["anchors"], w["iou_threshold"]
    )
    assert assigned.dtype == np.int64
    assert assigned.tolist() == w["expected"]


def test_worked_multibox_target():
    w = WORKED["multibox_target"]
    offsets, mask, classes = oracle.multibox_target(w["anchors"], w["labels"])
    close(offsets, w["bbox_offset"], atol=2e-6)
    close(mask, w["bbox_mask"], atol=0)
    assert classes.tolist() == w["class_labels"]


def test_worked_multibox_detection():
    w = WORKED["multibox_detection"]
    out = oracle.multibox_detection(
        w["cls_probs"], w["offset_preds"], w["anchors"], w["nms_threshold"]
    )
    close(out, w["expected"])


def test_worked_roi():
    X = np.arange(16.0).reshape(1, 1, 4, 4)
    w = WORKED["roi_pool"]
    rois = w["rois_batchindex_x1_y1_x2_y2"]
    pooled = oracle.roi_pool(X, rois, w["output_size"], w["spatial_scale"])
    close(pooled, w["expected"])
    w = WORKED["roi_align"]
    aligned = oracle.roi_align(
        X, rois, w["output_size"], w["spatial_scale"], w["sampling_ratio"], w["aligned"]
    )
    close(aligned, w["expected"])


def test_worked_transposed_convolution():
    w = WORKED["trans_conv"]
    close(oracle.trans_conv(w["X"], w["K"]), w["expected"])
    close(oracle.trans_conv(w["X"], w["K"], padding=1), w["padding_1"])
    close(oracle.trans_conv(w["X"], w["K"], stride=2), w["stride_2"])


def test_worked_convolution_as_matrix():
    w = WORKED["conv_as_matmul"]
    Y = oracle.corr2d(w["X"], w["K"])
    close(Y, w["corr2d"])
    matrix = oracle.kernel2matrix(w["K"])
    close(matrix, w["kernel_matrix"])
    close(matrix @ np.reshape(w["X"], -1), Y.reshape(-1))
    close(oracle.trans_conv(Y, w["K"]), w["trans_conv_of_Y"])
    close(matrix.T @ Y.reshape(-1), np.reshape(w["trans_conv_of_Y"], -1))


def test_worked_bilinear_kernel():
    w = WORKED["bilinear_kernel"]
    kernel = oracle.bilinear_kernel(
        w["in_channels"], w["out_channels"], w["kernel_size"]
    )
    for i in range(3):
        for j in range(3):
            close(kernel[i, j], w["diagonal_filter"] if i == j else np.zeros((4, 4)))
    close(oracle.bilinear_kernel(1, 1, 3)[0, 0], w["kernel_size_3"])


@pytest.mark.parametrize("sigma", [10, 1, 0.5])
def test_worked_smooth_l1(sigma):
    w = WORKED["smooth_l1"]
    close(oracle.smooth_l1(w["x"], sigma), w[f"sigma_{sigma}"])


@pytest.mark.parametrize("gamma", [0, 1, 5])
def test_worked_focal_loss(gamma):
    w = WORKED["focal_loss"]
    close(oracle.focal_loss(gamma, w["p"]), w[f"gamma_{gamma}"])


def test_worked_style_losses():
    X = np.arange(12.0).reshape(1, 2, 2, 3)
    close(oracle.gram(X), WORKED["gram"]["expected"])
    close(oracle.tv_loss(X), WORKED["tv_loss"]["expected"])


def test_worked_concat_preds():
    w = WORKED["concat_preds"]
    shape = oracle.concat_preds([np.zeros(w["Y1"]), np.zeros(w["Y2"])]).shape
    assert list(shape) == w["result"]


# --- what must hold of any answer -------------------------------------------------


def test_iou_is_symmetric_bounded_and_one_with_itself():
    a, b = boxes(0, 20), boxes(1, 30)
    iou = oracle.box_iou(a, b)
    assert ((iou >= 0) & (iou <= 1)).all()
    close(iou, oracle.box_iou(b, a).T, atol=0)
    close(np.diag(oracle.box_iou(a, a)), 1, atol=1e-12)
    close(oracle.box_iou(a * 100 - 7, b * 100 - 7), iou, atol=1e-12)


def test_iou_of_empty_sets_is_zero():
    point, inverted, box = [0.5, 0.5, 0.5, 0.5], [0.8, 0.1, 0.2, 0.9], [0, 0, 1, 1]
    twice_inverted = [0.8, 0.9, 0.2, 0.1]
    everything = [point, inverted, twice_inverted, box]
    expected = np.zeros((4, 4))
    expected[3, 3] = 1
    close(oracle.box_iou(everything, everything), expected, atol=0)
    assert oracle.box_iou(np.zeros((0, 4)), [box]).shape == (0, 1)
    assert oracle.box_iou([box], np.zeros((0, 4))).shape == (1, 0)


def test_prior_counts_pixels_first_across_then_down():
    prior = oracle.multibox_prior(2, 3, [0.5, 0.25], [4, 1])
    assert prior.shape == (1, 2 * 3 * 3, 4)
    centres = oracle.corner_to_center(prior[0])
    close(centres[::3, 0], [1 / 6, 1 / 2, 5 / 6] * 2, atol=1e-12)
    close(centres[::3, 1], [1 / 4] * 3 + [3 / 4] * 3, atol=1e-12)
    # Width s·√r·H/W, height s/√r: sizes with the first ratio, then the first size.
    close(
        centres[:3, 2:],
        [[0.5 * 2 * 2 / 3, 0.25], [0.25 * 2 * 2 / 3, 0.125], [0.5 * 2 / 3, 0.5]],
        atol=1e-12,
    )


def test_every_box_is_assigned_while_anchors_last():
    for num_boxes, num_anchors in [(0, 4), (1, 1), (3, 9), (9, 3), (5, 0)]:
        truth, anchors = boxes(2, num_boxes), boxes(3, num_anchors)
        assigned = oracle.assign_anchor_to_bbox(truth, anchors, 2.0)
        assert assigned.shape == (num_anchors,)
        taken = assigned[assigned >= 0]
        assert len(set(taken.tolist())) == len(taken) == min(num_boxes, num_anchors)


def test_threshold_takes_equal_and_forced_choice_overrides():
    half = [[0, 0, 1, 0.5]]
    truth = [[0, 0, 1, 1]]
    two = [half[0], [0, 0, 1, 0.75]]
    assert oracle.assign_anchor_to_bbox(truth, two, 0.5).tolist() == [0, 0]
    assert oracle.assign_anchor_to_bbox(truth, two, 0.501).tolist() == [-1, 0]
    # Both boxes prefer the first anchor; the lower box gets it, the other the rest.
    truth = [[0, 0, 1, 1], [0, 0, 1, 1]]
    assert oracle.assign_anchor_to_bbox(truth, truth, 0.5).tolist() == [0, 1]
    apart = [[5, 5, 6, 6], [7, 7, 8, 8]]
    assert oracle.assign_anchor_to_bbox(truth, apart, 0.5).tolist() == [0, 1]


def test_offsets_and_their_inverse():
    anchors, truth = boxes(4, 30), boxes(5, 30)
    offsets = oracle.offset_boxes(anchors, truth)
    close(oracle.offset_inverse(anchors, offsets), truth, atol=1e-5)
    close(oracle.offset_boxes(anchors, truth, eps=0), offsets, atol=1e-3)
    point = [[0.5, 0.5, 0.5, 0.5]]
    inverted = [[0.6, 0.6, 0.4, 0.4]]
    for a in (point, inverted):
        for b in (point, inverted, [[0, 0, 1, 1]]):
            assert np.isfinite(oracle.offset_boxes(a, b)).all()
    assert np.isfinite(oracle.offset_inverse([[0, 0, 1, 1]], [[1e30] * 4])).all()


def test_padding_takes_no_anchor_wherever_it_stands():
    anchors = boxes(6, 40)
    row = np.concatenate([[3], boxes(7, 1)[0]])
    pad = np.array([-1.0, 0, 0, 1, 1])
    expected = oracle.multibox_target(anchors[None], [[row]])
    for rows in ([row, pad], [pad, row], [pad, row, pad]):
        actual = oracle.multibox_target(anchors[None], [rows])
        for a, b in zip(actual, expected, strict=True):
            close(a, b, atol=0)
    assert set(expected[2].ravel().tolist()) == {0, 4}
    for part in oracle.multibox_target(anchors[None], [[pad, pad]]):
        assert not part.any()


def test_nms_keeps_equal_and_drops_greater():
    pair = [[0, 0, 1, 1], [0, 0, 1, 0.5]]
    assert oracle.nms(pair, [0.5, 0.9], 0.5).tolist() == [1, 0]
    assert oracle.nms(pair, [0.5, 0.9], 0.499).tolist() == [1]
    assert oracle.nms(pair, [0.5, 0.5], 0.499).tolist() == [0]
    assert oracle.batched_nms(pair, [0.5, 0.9], [0, 1], 0.1).tolist() == [1, 0]
    assert oracle.nms(np.zeros((0, 4)), [], 0.5).tolist() == []


def test_nms_leaves_no_overlap_and_drops_only_the_overlapped():
    rows = boxes(8, 60)
    scores = np.arange(60) * 7 % 60 / 60
    kept = oracle.nms(rows, scores, 0.3).tolist()
    iou = oracle.box_iou(rows, rows)
    assert (np.diff(scores[kept]) < 0).all()
    for i in range(60):
        above = [k for k in kept if scores[k] > scores[i]]
        overlapped = any(iou[i, k] > 0.3 for k in above)
        assert (i in kept) != overlapped


def test_detection_orders_rows_and_complements_low_confidences():
    anchors = [[0, 0, 1, 1], [0, 0, 1, 0.75], [2, 2, 3, 3], [4, 4, 5, 5]]
    probs = [[[0.9] * 4, [0.5, 0.25, 0.125, 0.75], [0.5, 0.5, 0.25, 0.0]]]
    out = oracle.multibox_detection(
        probs, np.zeros((1, 16)), [anchors], nms_threshold=0.5, pos_threshold=0.5
    )[0]
    close(out[:, 0], [0, 0, -1, -1], atol=0)
    close(out[:, 1], [0.75, 0.5, 0.75, 0.5], atol=0)
    close(out[:, 2], [4, 0, 2, 0], atol=0)


def _perfect(labels):
    return [
        np.array([[r[0], 0.5 + 0.01 * k, *r[1:]] for k, r in enumerate(image)])
        for image in labels
    ]


def test_mean_average_precision_of_known_curves():
    labels = np.array([[[0, 0, 0, 1, 1], [1, 2, 2, 3, 3]], [[0, 0, 0, 1, 1]] * 2])
    labels[1, 1] = [-1, 0, 0, 0, 0]
    assert oracle.mean_average_precision(_perfect(labels), labels) == 1
    nothing = [np.zeros((0, 6)), np.zeros((0, 6))]
    assert oracle.mean_average_precision(nothing, labels) == 0
    # One object, found second: precision 1/2 at recall 1. A repeat changes nothing.
    one = np.array([[[0, 0, 0, 1, 1]]])
    wrong, right = [0, 0.9, 5, 5, 6, 6], [0, 0.8, 0, 0, 1, 1]
    assert oracle.mean_average_precision([[wrong, right]], one) == 0.5
    assert oracle.mean_average_precision([[wrong, right, right]], one) == 0.5
    # Two objects: hit, miss, hit: 1/2 · 1 + 1/2 · 2/3.
    two = np.array([[[0, 0, 0, 1, 1], [0, 2, 2, 3, 3]]])
    rows = [[0, 0.9, 0, 0, 1, 1], [0, 0.8, 0, 0, 1, 1], [0, 0.7, 2, 2, 3, 3]]
    assert oracle.mean_average_precision([rows], two) == pytest.approx(5 / 6)


def test_roi_functions_on_a_constant_picture():
    X = np.full((1, 2, 6, 6), 3.5)
    rois = [[0, 1, 1, 4, 4], [0, 0, 0, 5, 5]]
    close(oracle.roi_pool(X, rois, (2, 3), 1.0), np.full((2, 2, 2, 3), 3.5))
    close(oracle.roi_align(X, rois, (2, 3), 1.0, 2), np.full((2, 2, 2, 3), 3.5))
    outside = [[0, 20, 20, 30, 30]]
    assert not oracle.roi_pool(X, outside, (2, 2), 1.0).any()
    assert not oracle.roi_align(X, outside, (2, 2), 1.0, 2).any()


def test_smooth_l1_joins_and_focal_loss_falls():
    for sigma in (0.5, 1.0, 3.0):
        edge = 1 / sigma**2
        below, above = oracle.smooth_l1([edge * (1 - 1e-9), edge * (1 + 1e-9)], sigma)
        assert below == pytest.approx(above, rel=1e-7)
    p = np.linspace(0.1, 0.9, 9)
    assert (oracle.focal_loss(2, p) < oracle.focal_loss(0, p)).all()
    close(oracle.focal_loss(0, p), -np.log(p), atol=1e-12)


def test_calc_loss_of_even_scores_is_log_of_the_classes():
    loss = oracle.calc_loss(
        np.zeros((2, 5, 4)),
        np.ones((2, 5), dtype=np.int64),
        np.ones((2, 20)),
        np.zeros((2, 20)),
        np.array([[0.0] * 20, [1.0] * 20]),
    )
    close(loss, [math.log(4), math.log(4) + 1], atol=1e-12)
