"""What every backend is held against: each function written from its definition.

Slow and obvious on purpose: plain loops over anchors, boxes and pixels in float64,
and not one import from the package, so that a mistake cannot be made twice.
Boxes are (x1, y1, x2, y2) unless said otherwise; ties go to the lowest index.
"""

import math

import numpy as np

CENTRE_SCALE = 0.1
SIZE_SCALE = 0.2
LARGEST_EXPONENT = 30.0


def _rows(array, width):
    """A list of lists of Python floats: (n, width), also for n = 0."""
    return np.asarray(array, dtype=np.float64).reshape(-1, width).tolist()


# --- boxes ------------------------------------------------------------------------


def corner_to_center(boxes):
    """(x1, y1, x2, y2) to (centre x, centre y, width, height).

    Dive into Deep Learning, section "Object Detection and Bounding Boxes".
    """
    out = []
    for x1, y1, x2, y2 in _rows(boxes, 4):
        out.append([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])
    return np.array(out).reshape(np.shape(boxes))


def center_to_corner(boxes):
    """(centre x, centre y, width, height) to (x1, y1, x2, y2).

    Dive into Deep Learning, section "Object Detection and Bounding Boxes".
    """
    out = []
    for x, y, w, h in _rows(boxes, 4):
        out.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return np.array(out).reshape(np.shape(boxes))


def _iou(a, b):
    inter_w = min(a[2], b[2]) - max(a[0], b[0])
    inter_h = min(a[3], b[3]) - max(a[1], b[1])
    # Empty and inverted boxes end here: an intersection needs two boxes with an area.
    if inter_w <= 0 or inter_h <= 0:
        return 0.0
    inter = inter_w * inter_h
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return inter / (area_a + area_b - inter)


def box_iou(boxes1, boxes2):
    """Intersection over union of every pair; 0 where the union is 0.

    Jaccard index of two sets of points; an inverted box is the empty set.
    """
    rows1, rows2 = _rows(boxes1, 4), _rows(boxes2, 4)
    out = np.zeros((len(rows1), len(rows2)))
    for i, a in enumerate(rows1):
        for j, b in enumerate(rows2):
            out[i, j] = _iou(a, b)
    return out


# --- anchors ----------------------------------------------------------------------


def anchors_of_pixel(i, j, h, w, sizes, ratios):
    """Anchors (s, r1) of all sizes, then (s1, r) of the other ratios.

    Width s·√r·h/w, height s/√r. Liu et al., "SSD: Single Shot MultiBox Detector".
    """
    x, y = (j + 0.5) / w, (i + 0.5) / h
    out = []
    for s, r in [(s, ratios[0]) for s in sizes] + [(sizes[0], r) for r in ratios[1:]]:
        half_w, half_h = s * math.sqrt(r) * h / w / 2, s / math.sqrt(r) / 2
        out.append([x - half_w, y - half_h, x + half_w, y + half_h])
    return out


def multibox_prior(h, w, sizes, ratios):
    """The anchors of every pixel, row by row: (1, h·w·(n + m − 1), 4).

    Dive into Deep Learning, section "Anchor Boxes".
    """
    out = []
    for i in range(h):
        for j in range(w):
            out += anchors_of_pixel(i, j, h, w, sizes, ratios)
    return np.array(out).reshape(1, -1, 4)


def assign_anchor_to_bbox(ground_truth, anchors, iou_threshold=0.5):
    """Each anchor its best box from the threshold on; then each box its best anchor.

    The greatest IoU left each time, row and column struck. SSD, "Matching strategy".
    """
    iou = box_iou(anchors, ground_truth)
    num_anchors, num_boxes = iou.shape
    assigned = np.full(num_anchors, -1, dtype=np.int64)
    for a in range(num_anchors):
        best = 0
        for b in range(num_boxes):
            if iou[a, b] > iou[a, best]:
                best = b
        if num_boxes and iou[a, best] >= iou_threshold:
            assigned[a] = best
    struck = -1.0
    for _ in range(min(num_boxes, num_anchors)):
        # argmax walks row by row: the lowest anchor, then the lowest box.
        a, b = divmod(int(iou.argmax()), num_boxes)
        assigned[a] = b
        iou[a, :] = struck
        iou[:, b] = struck
    return assigned


def offset_boxes(anchors, assigned_bb, eps=1e-6):
    """Offsets of a box from its anchor: centre over size over 0.1, log size over 0.2.

    Girshick et al., "R-CNN", box regression. Anchor sizes from eps, ratios from 0 up.
    """
    out = []
    for anchor, box in zip(
        corner_to_center(anchors).reshape(-1, 4).tolist(),
        corner_to_center(assigned_bb).reshape(-1, 4).tolist(),
        strict=True,
    ):
        row = []
        for k in (0, 1):
            size = max(anchor[2 + k], eps)
            row.append((box[k] - anchor[k]) / size / CENTRE_SCALE)
        for k in (2, 3):
            ratio = max(box[k] / max(anchor[k], eps), 0.0)
            row.append(math.log(eps + ratio) / SIZE_SCALE)
        out.append(row)
    return np.array(out).reshape(-1, 4)


def offset_inverse(anchors, offset_preds):
    """The box that lies at the given offsets from its anchor.

    Inverse of the R-CNN parametrisation, without eps; exponents are cut off at 30.
    """
    out = []
    for (x, y, w, h), (dx, dy, dw, dh) in zip(
        corner_to_center(anchors).reshape(-1, 4).tolist(),
        _rows(offset_preds, 4),
        strict=True,
    ):
        x = x + CENTRE_SCALE * dx * w
        y = y + CENTRE_SCALE * dy * h
        w = w * math.exp(min(SIZE_SCALE * dw, LARGEST_EXPONENT))
        h = h * math.exp(min(SIZE_SCALE * dh, LARGEST_EXPONENT))
        out.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return np.array(out).reshape(-1, 4)


def multibox_target(anchors, labels):
    """Offsets, mask and class (0 background, k + 1) of each anchor, image by image.

    SSD training targets; a row of class below 0 is padding and takes no anchor.
    """
    anchors = np.asarray(anchors, dtype=np.float64).reshape(-1, 4)
    labels = np.asarray(labels, dtype=np.float64)
    batch, num_anchors = labels.shape[0], len(anchors)
    offsets = np.zeros((batch, num_anchors * 4))
    mask = np.zeros((batch, num_anchors * 4))
    classes = np.zeros((batch, num_anchors), dtype=np.int64)
    for i in range(batch):
        objects = [row for row in _rows(labels[i], 5) if row[0] >= 0]
        boxes = [row[1:] for row in objects]
        assigned = assign_anchor_to_bbox(boxes, anchors)
        for a, b in enumerate(assigned.tolist()):
            if b < 0:
                continue
            row = offset_boxes(anchors[a : a + 1], [boxes[b]])[0]
            offsets[i, 4 * a : 4 * a + 4] = row
            mask[i, 4 * a : 4 * a + 4] = 1
            classes[i, a] = int(objects[b][0]) + 1
    return offsets, mask, classes


# --- detection --------------------------------------------------------------------


def _by_falling_score(scores):
    scores = np.asarray(scores, dtype=np.float64).reshape(-1).tolist()
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


def nms(boxes, scores, iou_threshold):
    """Kept indices: by falling score, a box goes if a kept one overlaps it by more.

    Greedy non-maximum suppression; IoU equal to the threshold does not remove.
    """
    rows = _rows(boxes, 4)
    kept = []
    for i in _by_falling_score(scores):
        if all(_iou(rows[i], rows[k]) <= iou_threshold for k in kept):
            kept.append(i)
    return np.array(kept, dtype=np.int64)


def batched_nms(boxes, scores, classes, iou_threshold):
    """As nms, but a box can only remove boxes of its own class.

    Kept indices of all classes together by falling score.
    """
    rows, classes = _rows(boxes, 4), np.asarray(classes).tolist()
    kept = []
    for i in _by_falling_score(scores):
        rivals = [k for k in kept if classes[k] == classes[i]]
        if all(_iou(rows[i], rows[k]) <= iou_threshold for k in rivals):
            kept.append(i)
    return np.array(kept, dtype=np.int64)


def soft_nms(
    boxes,
    scores,
    sigma=0.5,
    score_threshold=0.001,
    method="gaussian",
    iou_threshold=0.3,
):
    """Kept indices and their lowered scores, in the order in which they are taken.

    Bodla et al., "Soft-NMS: Improving Object Detection With One Line of Code", 2017:
    the pseudo-code, with the two rescoring functions of its section 3.
    """
    rows = _rows(boxes, 4)
    left = dict(enumerate(np.asarray(scores, dtype=np.float64).tolist()))
    left = {i: s for i, s in left.items() if s >= score_threshold}
    taken = []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        taken.append((best, left.pop(best)))
        for i in list(left):
            overlap = _iou(rows[best], rows[i])
            if method == "gaussian":
                left[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= iou_threshold:
                left[i] *= 1 - overlap
            if left[i] < score_threshold:
                del left[i]
    kept = np.array([i for i, _ in taken], dtype=np.int64)
    return kept, np.array([score for _, score in taken], dtype=np.float64)


def confidences(cls_probs):
    """(C+1, A) to each anchor's best class without background, and its probability.

    Dive into Deep Learning, section "Anchor Boxes", prediction.
    """
    cls_probs = np.asarray(cls_probs, dtype=np.float64)
    num_anchors = cls_probs.shape[1]
    classes = np.zeros(num_anchors, dtype=np.int64)
    best = np.zeros(num_anchors)
    for a in range(num_anchors):
        column = cls_probs[1:, a].tolist()
        best[a] = max(column)
        classes[a] = column.index(best[a])
    return classes, best


def multibox_detection(
    cls_probs,
    offset_preds,
    anchors,
    nms_threshold=0.5,
    pos_threshold=0.009999999,
    background=True,
):
    """Rows (class, confidence, box): kept ones by falling confidence, then removed.

    Class-blind NMS over all anchors, or without `background` over those of at least
    pos_threshold; removed and below pos_threshold are class -1.
    """
    cls_probs = np.asarray(cls_probs, dtype=np.float64)
    anchors = np.asarray(anchors, dtype=np.float64).reshape(-1, 4)
    batch, _, num_anchors = cls_probs.shape
    out = np.zeros((batch, num_anchors, 6))
    for i in range(batch):
        classes, scores = confidences(cls_probs[i])
        boxes = offset_inverse(anchors, np.asarray(offset_preds)[i])
        among = np.arange(num_anchors)
        if not background:
            among = among[scores.astype(np.float32) >= pos_threshold]
        kept = among[nms(boxes[among], scores[among], nms_threshold)].tolist()
        removed = sorted(set(range(num_anchors)) - set(kept))
        for row, a in enumerate(kept + removed):
            label = classes[a] if row < len(kept) else -1
            score = scores[a]
            if score < pos_threshold:
                label, score = -1, 1 - score
            out[i, row] = [label, score, *boxes[a]]
    return out


# --- single-shot detection --------------------------------------------------------


def flatten_pred(pred):
    """(B, C, H, W) to (B, H·W·C): a pixel's channels stay side by side.

    Dive into Deep Learning, section "Single Shot Multibox Detection".
    """
    pred = np.asarray(pred)
    batch, channels, height, width = pred.shape
    out = np.zeros((batch, height * width * channels), dtype=pred.dtype)
    for b in range(batch):
        at = 0
        for i in range(height):
            for j in range(width):
                for c in range(channels):
                    out[b, at] = pred[b, c, i, j]
                    at += 1
    return out


def concat_preds(preds):
    """The flattened predictions of all scales, one after the other.

    Dive into Deep Learning, section "Single Shot Multibox Detection".
    """
    return np.concatenate([flatten_pred(pred) for pred in preds], axis=1)


def smooth_l1(x, sigma):
    """(σx)²/2 where |x| < 1/σ², else |x| − 1/(2σ²).

    Girshick, "Fast R-CNN", with the σ of Ren et al., "Faster R-CNN".
    """
    x = np.asarray(x, dtype=np.float64)
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = abs(float(x[index]))
        if value < 1 / sigma**2:
            out[index] = (sigma * value) ** 2 / 2
        else:
            out[index] = value - 0.5 / sigma**2
    return out


def focal_loss(gamma, p):
    """−(1 − p)^γ · log p for the probability p of the true class.

    Lin et al., "Focal Loss for Dense Object Detection".
    """
    p = np.asarray(p, dtype=np.float64)
    out = np.zeros(p.shape)
    for index in np.ndindex(p.shape):
        value = float(p[index])
        out[index] = -((1 - value) ** gamma) * math.log(value)
    return out


def calc_loss(cls_preds, cls_labels, bbox_preds, bbox_labels, bbox_masks):
    """Mean cross-entropy over the anchors plus mean |masked offset error|, per image.

    Dive into Deep Learning, section "Single Shot Multibox Detection".
    """
    cls_preds = np.asarray(cls_preds, dtype=np.float64)
    cls_labels = np.asarray(cls_labels)
    batch, num_anchors, _ = cls_preds.shape
    num_offsets = bbox_preds.shape[1]
    out = np.zeros(batch)
    for i in range(batch):
        for a in range(num_anchors):
            logits = cls_preds[i, a].tolist()
            total = math.log(sum(math.exp(v) for v in logits))
            out[i] += (total - logits[cls_labels[i, a]]) / num_anchors
        for k in range(num_offsets):
            error = (float(bbox_preds[i, k]) - float(bbox_labels[i, k])) * float(
                bbox_masks[i, k]
            )
            out[i] += abs(error) / num_offsets
    return out


def _cross_entropy(logits, label):
    logits = [float(v) for v in logits]
    return math.log(sum(math.exp(v) for v in logits)) - logits[label]


def hard_negative_loss(cls_preds, cls_labels, ratio=3):
    """Cross-entropy of objects and the hardest background, per object, of each image.

    Liu et al., "SSD: Single Shot MultiBox Detector", section 2.2: the negatives are
    sorted by their confidence loss, at most `ratio` of them for each positive are used.
    """
    out = np.zeros(len(cls_preds))
    for i, (preds, labels) in enumerate(zip(cls_preds, cls_labels, strict=True)):
        losses = [_cross_entropy(p, c) for p, c in zip(preds, labels, strict=True)]
        positives = [a for a, c in enumerate(labels) if c > 0]
        negatives = [a for a, c in enumerate(labels) if c == 0]
        negatives.sort(key=lambda a: (-losses[a], a))
        chosen = positives + negatives[: math.ceil(ratio * len(positives))]
        if positives:
            out[i] = sum(losses[a] for a in chosen) / len(positives)
    return out


def focal_cls_loss(cls_preds, cls_labels, gamma=2.0, alpha=0.25):
    """Focal loss of all anchors of each image, per object.

    Lin et al., "Focal Loss for Dense Object Detection", equation 5, section 4.1.
    """
    out = np.zeros(len(cls_preds))
    for i, (preds, labels) in enumerate(zip(cls_preds, cls_labels, strict=True)):
        for logits, label in zip(preds, labels, strict=True):
            p = math.exp(-_cross_entropy(logits, label))
            weight = alpha if label > 0 else 1 - alpha
            out[i] -= weight * (1 - p) ** gamma * math.log(p)
        out[i] /= max(sum(1 for label in labels if label > 0), 1)
    return out


def smooth_l1_loss(bbox_preds, bbox_labels, bbox_masks, sigma=1.0):
    """Smooth L1 of the masked offsets of each image, per object (Liu et al., SSD)."""
    out = np.zeros(len(bbox_preds))
    for i in range(len(out)):
        error = np.asarray(bbox_preds[i], np.float64) - bbox_labels[i]
        num_objects = sum(float(m) for m in bbox_masks[i]) / 4
        out[i] = smooth_l1(error * bbox_masks[i], sigma).sum() / max(num_objects, 1)
    return out


# --- mean average precision -------------------------------------------------------


def _average_precision(hits, num_objects):
    """Area under the curve of the best precision at this recall or a greater one."""
    precision, recall, true_positives = [], [], 0
    for rank, hit in enumerate(hits, 1):
        true_positives += hit
        precision.append(true_positives / rank)
        recall.append(true_positives / num_objects)
    area, reached = 0.0, 0.0
    for k in range(len(hits)):
        if recall[k] > reached:
            area += (recall[k] - reached) * max(precision[k:])
            reached = recall[k]
    return area


def mean_average_precision(detections, labels, iou_threshold=0.5):
    """Mean over the classes in the labels of the all-point average precision.

    Everingham et al., PASCAL VOC: by falling score a detection hits the object of its
    class and image that it overlaps most, if by the threshold and not hit before.
    """
    objects = [[row for row in _rows(image, 5) if row[0] >= 0] for image in labels]
    classes = sorted({row[0] for image in objects for row in image})
    precisions = []
    for label in classes:
        found = [
            (row[1], image, row[2:])
            for image, rows in enumerate(detections)
            for row in _rows(rows, 6)
            if row[0] == label
        ]
        wanted = [[r[1:] for r in image if r[0] == label] for image in objects]
        hit_before = [[False] * len(boxes) for boxes in wanted]
        hits = []
        for _, image, box in sorted(found, key=lambda entry: -entry[0]):
            best, best_iou = -1, -1.0
            for g, truth in enumerate(wanted[image]):
                if _iou(box, truth) > best_iou:
                    best, best_iou = g, _iou(box, truth)
            hit = best_iou >= iou_threshold and not hit_before[image][best]
            if hit:
                hit_before[image][best] = True
            hits.append(int(hit))
        precisions.append(_average_precision(hits, sum(map(len, wanted))))
    return sum(precisions) / len(precisions)


# --- regions of interest ----------------------------------------------------------


def _round(x):
    """Halves away from zero, as the C function does."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def roi_pool(X, rois, output_size, spatial_scale):
    """The greatest value of each cell of a region cut into equal parts; empty: 0.

    Girshick, "Fast R-CNN". rois: (image, x1, y1, x2, y2), borders rounded, inclusive.
    """
    X = np.asarray(X, dtype=np.float64)
    channels, height, width = X.shape[1:]
    rows, cols = output_size
    regions = _rows(rois, 5)
    out = np.zeros((len(regions), channels, rows, cols))
    for r, (image, *box) in enumerate(regions):
        x1, y1, x2, y2 = (_round(v * spatial_scale) for v in box)
        roi_h, roi_w = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        for i in range(rows):
            top = y1 + i * roi_h // rows
            bottom = y1 - (-(i + 1) * roi_h // rows)
            for j in range(cols):
                left = x1 + j * roi_w // cols
                right = x1 - (-(j + 1) * roi_w // cols)
                for c in range(channels):
                    cell = [
                        X[int(image), c, y, x]
                        for y in range(max(top, 0), min(bottom, height))
                        for x in range(max(left, 0), min(right, width))
                    ]
                    out[r, c, i, j] = max(cell, default=0.0)
    return out


def _bilinear(plane, y, x):
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    dy, dx = y - y0, x - x0
    top = plane[y0, x0] * (1 - dx) + plane[y0, x1] * dx
    bottom = plane[y1, x0] * (1 - dx) + plane[y1, x1] * dx
    return top * (1 - dy) + bottom * dy


def roi_align(X, rois, output_size, spatial_scale, sampling_ratio, aligned=True):
    """The mean of sampling_ratio² bilinear samples in each cell, nothing rounded.

    He et al., "Mask R-CNN". aligned: pixel k's centre lies at k, not at k + 0.5.
    """
    X = np.asarray(X, dtype=np.float64)
    channels = X.shape[1]
    rows, cols = output_size
    regions = _rows(rois, 5)
    shift = 0.5 if aligned else 0.0
    out = np.zeros((len(regions), channels, rows, cols))
    for r, (image, *box) in enumerate(regions):
        x1, y1, x2, y2 = (v * spatial_scale - shift for v in box)
        roi_h, roi_w = y2 - y1, x2 - x1
        if not aligned:
            roi_h, roi_w = max(roi_h, 1.0), max(roi_w, 1.0)
        for c, i, j in np.ndindex(channels, rows, cols):
            total = 0.0
            for iy in range(sampling_ratio):
                y = y1 + roi_h / rows * (i + (iy + 0.5) / sampling_ratio)
                for ix in range(sampling_ratio):
                    x = x1 + roi_w / cols * (j + (ix + 0.5) / sampling_ratio)
                    total += _bilinear(X[int(image), c], y, x)
            out[r, c, i, j] = total / sampling_ratio**2
    return out


# --- segmentation -----------------------------------------------------------------


def corr2d(X, K):
    """Two-dimensional cross-correlation of two matrices, no padding, stride 1.

    Dive into Deep Learning, section "Convolutions for Images".
    """
    X, K = np.asarray(X, dtype=np.float64), np.asarray(K, dtype=np.float64)
    height, width = X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[1] + 1
    out = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            for u in range(K.shape[0]):
                for v in range(K.shape[1]):
                    out[i, j] += X[i + u, j + v] * K[u, v]
    return out


def trans_conv(X, K, stride=1, padding=0):
    """Each element of X lays a copy of K times itself on the output; padding is cut.

    Dumoulin and Visin, "A guide to convolution arithmetic", transposed convolution.
    """
    X, K = np.asarray(X, dtype=np.float64), np.asarray(K, dtype=np.float64)
    out = np.zeros(
        [stride * (n - 1) + k for n, k in zip(X.shape, K.shape, strict=True)]
    )
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            for u in range(K.shape[0]):
                for v in range(K.shape[1]):
                    out[stride * i + u, stride * j + v] += X[i, j] * K[u, v]
    return out[padding : out.shape[0] - padding, padding : out.shape[1] - padding]


def kernel2matrix(K, height=3, width=3):
    """The matrix that maps an input, flattened, to its correlation with K, flattened.

    Dive into Deep Learning, section "Transposed Convolution": 2×2 on 3×3 is 4×9.
    """
    K = np.asarray(K, dtype=np.float64)
    columns = []
    for index in range(height * width):
        unit = np.zeros(height * width)
        unit[index] = 1
        columns.append(corr2d(unit.reshape(height, width), K).reshape(-1))
    return np.stack(columns, axis=1)


def bilinear_kernel(in_channels, out_channels, kernel_size):
    """Weights (in, out, k, k) that interpolate; each channel feeds only its own.

    Long et al., "Fully Convolutional Networks": falls linearly from the centre.
    """
    out = np.zeros((in_channels, out_channels, kernel_size, kernel_size))
    reach = (kernel_size + 1) // 2
    centre = (kernel_size - 1) / 2
    for c in range(min(in_channels, out_channels)):
        for i in range(kernel_size):
            for j in range(kernel_size):
                weight_y = 1 - abs(i - centre) / reach
                weight_x = 1 - abs(j - centre) / reach
                out[c, c, i, j] = weight_y * weight_x
    return out


# --- style ------------------------------------------------------------------------


def gram(X):
    """X as (c, n): the products of its rows, divided by c·n.

    Gatys et al., "Image Style Transfer Using Convolutional Neural Networks".
    """
    X = np.asarray(X, dtype=np.float64)
    channels = X.shape[1]
    rows = X.reshape(channels, -1).tolist()
    out = np.zeros((channels, channels))
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            products = [u * v for u, v in zip(a, b, strict=True)]
            out[i, j] = sum(products) / X.size
    return out


def tv_loss(X):
    """Half the sum of the mean vertical and the mean horizontal |difference|.

    Mahendran and Vedaldi, "Understanding Deep Image Representations", first power.
    """
    X = np.asarray(X, dtype=np.float64)
    down = [abs(v) for v in (X[:, :, 1:, :] - X[:, :, :-1, :]).reshape(-1).tolist()]
    across = [abs(v) for v in (X[:, :, :, 1:] - X[:, :, :, :-1]).reshape(-1).tolist()]
    return 0.5 * (sum(down) / len(down) + sum(across) / len(across))


# --- YOLO ---------------------------------------------------------------------------


def yolo_target(labels, height, width):
    """The cell with the centre of an object is responsible; the first object counts."""
    classes = np.full((len(labels), height, width), -1)
    boxes = np.zeros((len(labels), height, width, 4))
    for b, rows in enumerate(labels):
        for label, x1, y1, x2, y2 in np.asarray(rows, dtype=np.float64):
            if label < 0:
                continue
            i = min(max(math.floor((y1 + y2) / 2 * height), 0), height - 1)
            j = min(max(math.floor((x1 + x2) / 2 * width), 0), width - 1)
            if classes[b, i, j] < 0:
                classes[b, i, j] = label
                boxes[b, i, j] = x1, y1, x2, y2
    return classes, boxes


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=np.float64)))


def yolo_decode(preds, num_classes):
    """Boxes, confidences and classes, cell by cell and box by box."""
    B, H, W, N = preds.shape
    K = (N - num_classes) // 5
    boxes, confidence = np.zeros((B, H, W, K, 4)), np.zeros((B, H, W, K))
    classes = np.zeros((B, H, W, num_classes))
    for b, i, j in np.ndindex(B, H, W):
        cell = np.asarray(preds[b, i, j], dtype=np.float64)
        powers = np.exp(cell[5 * K :] - cell[5 * K :].max())
        classes[b, i, j] = powers / powers.sum()
        for k in range(K):
            x, y, root_w, root_h, sure = _sigmoid(cell[5 * k : 5 * k + 5])
            x, y, w, h = (j + x) / W, (i + y) / H, root_w**2, root_h**2
            boxes[b, i, j, k] = x - w / 2, y - h / 2, x + w / 2, y + h / 2
            confidence[b, i, j, k] = sure
    return boxes, confidence, classes


def yolo_loss(preds, classes, boxes, num_classes, coord_weight=5.0, noobj_weight=0.5):
    """The sum of Redmon et al., term by term."""
    guesses, confidence, probs = yolo_decode(preds, num_classes)
    B, H, W, K = confidence.shape
    losses = np.zeros(B)
    for b, i, j in np.ndindex(B, H, W):
        if classes[b, i, j] < 0:
            losses[b] += noobj_weight * (confidence[b, i, j] ** 2).sum()
            continue
        x1, y1, x2, y2 = np.asarray(boxes[b, i, j], dtype=np.float64)
        iou = box_iou(guesses[b, i, j], boxes[b, i, j][None])[:, 0]
        for k in range(K):
            if k != iou.argmax():
                losses[b] += noobj_weight * confidence[b, i, j, k] ** 2
                continue
            gx1, gy1, gx2, gy2 = guesses[b, i, j, k]
            place = ((gx1 + gx2 - x1 - x2) / 2 * W) ** 2
            place += ((gy1 + gy2 - y1 - y2) / 2 * H) ** 2
            size = (math.sqrt(gx2 - gx1) - math.sqrt(x2 - x1)) ** 2
            size += (math.sqrt(gy2 - gy1) - math.sqrt(y2 - y1)) ** 2
            losses[b] += coord_weight * (place + size)
            losses[b] += (confidence[b, i, j, k] - iou[k]) ** 2
        right = np.arange(num_classes) == classes[b, i, j]
        losses[b] += ((probs[b, i, j] - right) ** 2).sum()
    return losses


def yolo_detection(preds, num_classes, nms_threshold, pos_threshold):
    """Rows by falling score, what is left over marked by class −1."""
    boxes, confidence, classes = yolo_decode(preds, num_classes)
    found = []
    for image in range(len(preds)):
        rows = []
        for i, j, k in np.ndindex(confidence.shape[1:]):
            label = classes[image, i, j].argmax()
            score = confidence[image, i, j, k] * classes[image, i, j, label]
            rows.append([label, score, *boxes[image, i, j, k]])
        rows = np.array(rows)
        kept = nms(rows[:, 2:], rows[:, 1], nms_threshold)
        kept = [rows[r] for r in kept if rows[r, 1] >= pos_threshold]
        nothing = [[-1.0, 0, 0, 0, 0, 0]] * (len(rows) - len(kept))
        found.append([*kept, *nothing])
    return np.array(found)
