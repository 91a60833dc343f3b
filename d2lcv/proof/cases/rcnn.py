"""Cases of the R-CNN family that other backends judge: gradients, the small network."""

import math

import numpy as np

from .. import oracle
from ..case import Case, case, enlist
from ..inputs import WORKED, boxes, f32, uniform, whole
from .training import SIDE, waves

# --- regions of interest ----------------------------------------------------------

MAPS = f32(2 * uniform(300, 3, 2, 9, 12) - 1)


def regions(seed, n, scale=1.0):
    """Rows on three maps of 9 × 12: inside, across the border, far outside, mirrored."""
    corner = uniform(seed, n, 2) * [16, 13] - 3
    size = uniform(seed + 1, n, 2) * [12, 10]
    size[1::7] = 0
    size[3::7, 0] = 0
    size[5::7] *= -1
    rows = np.concatenate([corner, corner + size], axis=1)
    rows[6::7] += 40
    # No corner near a half: it would be rounded one way or the other; and no sample on
    # the border beyond which there is nothing, which multiples of 1/32 rarely meet.
    rows = (np.floor(rows * 16) + 0.37) / 16
    image = np.arange(n)[:, None] % len(MAPS)
    return f32(np.concatenate([image, rows / scale], axis=1))


def adaptive(X, rois, size, scale, aligned):
    """RoI align with as many samples as a cell has pixels, from `oracle`'s bilinear."""
    out = np.zeros((len(rois), X.shape[1], *size))
    shift = 0.5 if aligned else 0.0
    for r, (image, *box) in enumerate(rois.astype(np.float64)):
        x1, y1, x2, y2 = (v * scale - shift for v in box)
        height, width = y2 - y1, x2 - x1
        if not aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        if min(height, width) <= 0:
            continue
        n, m = math.ceil(height / size[0]), math.ceil(width / size[1])
        for c, i, j in np.ndindex(out.shape[1:]):
            samples = [
                oracle._bilinear(
                    X[int(image), c].astype(np.float64),
                    y1 + height / size[0] * (i + (k + 0.5) / n),
                    x1 + width / size[1] * (j + (q + 0.5) / m),
                )
                for k in range(n)
                for q in range(m)
            ]
            out[r, c, i, j] = np.mean(samples)
    return out


VARIANTS = {  # name: output size, scale, samples, aligned
    "small": ((2, 2), 1.0, 2, True),
    "sixteenth": ((3, 5), 1 / 16, 2, True),
    "one_sample": ((7, 7), 0.25, 1, True),
    "not_aligned": ((3, 2), 1.0, 2, False),
    "adaptive": ((2, 3), 1.0, 0, True),
    "adaptive_sixteenth": ((7, 7), 1 / 16, 0, True),
    "adaptive_not_aligned": ((2, 2), 0.5, 0, False),
}


def _weighted(d2l, function, shape):
    """A scalar of a result in which every element has a weight of its own."""
    weights = d2l.tensor(f32(uniform(301, *shape) - 0.5))
    return lambda X: d2l.reduce_sum(function(X) * weights)


def _roi_cases(i, name, size, scale, samples, aligned):
    rois = regions(310 + 4 * i, 42, scale)
    shape = (len(rois), MAPS.shape[1], *size)

    def align_oracle():
        if samples:
            return oracle.roi_align(MAPS, rois, size, scale, samples, aligned)
        return adaptive(MAPS, rois, size, scale, aligned)

    def align(d2l):
        boxes = d2l.tensor(rois)
        return lambda X: d2l.roi_align(X, boxes, size, scale, samples, aligned)

    def pool(d2l):
        boxes = d2l.tensor(rois)
        return lambda X: d2l.roi_pool(X, boxes, size, scale)

    def value(of):
        return lambda d2l: {"out": d2l.numpy(of(d2l)(d2l.tensor(MAPS)))}

    def gradient(of):
        def run(d2l):
            function = _weighted(d2l, of(d2l), shape)
            (found,) = d2l.gradients(function, d2l.tensor(MAPS))
            return {"gradient": d2l.numpy(found)}

        return run

    def add(kind, run, expected=dict, **options):
        new = Case(f"{kind}_{name}", "rcnn", run, expected, **options)
        enlist(new)

    add("roi_align_values", value(align), lambda: {"out": align_oracle()})
    add("roi_align_gradient", gradient(align), atol=1e-4)
    add(
        "roi_pool_values",
        value(pool),
        lambda: {"out": oracle.roi_pool(MAPS, rois, size, scale)},
    )
    add("roi_pool_gradient", gradient(pool), atol=1e-4)


for _i, (_name, _options) in enumerate(VARIANTS.items()):
    _roi_cases(_i, _name, *_options)


@case("rcnn")
def roi_pool_cells_whose_borders_float32_moves(d2l):
    """29 in 11 and 57 in 7 cells: all backends put a pixel too much in the last cell."""
    X = d2l.tensor(f32(uniform(302, 1, 2, 60, 60)))
    rois = d2l.tensor(f32([[0, 0, 0, 56, 28], [0, 1, 2, 57, 30]]))
    return {"out": d2l.numpy(d2l.roi_pool(X, rois, (11, 7), 1.0))}


@case("rcnn", lambda: {"out": f32(_OF_28_CELLS)[None, None, :, None]}, atol=0.0)
def roi_pool_inner_cell_whose_border_float32_moves(d2l):
    """Rows 1 to 4 in 28 cells: the 21st ends at 20 · 4 / 28 + 1/7 = 3, and takes row 4."""
    X = d2l.tensor(f32(np.arange(8)).reshape(1, 1, 8, 1))
    rois = d2l.tensor(f32([[0, 0, 1, 0, 4]]))
    return {"out": d2l.numpy(d2l.roi_pool(X, rois, (28, 1), 1.0))}


_OF_28_CELLS = 7 * [1] + 7 * [2] + 6 * [3] + 8 * [4]


_NOTHING = np.zeros((2, 3, 2, 2), np.float32)


@case("rcnn", lambda: {"align": _NOTHING, "pool": _NOTHING}, atol=0.0)
def roi_of_a_map_without_pixels(d2l):
    """All points lie outside of the map, where it is 0."""
    X = d2l.zeros((1, 3, 5, 0))
    rois = d2l.tensor(f32([[0, 0, 0, 4, 4], [0, 1, 1, 2, 3]]))
    align, pool = d2l.roi_align(X, rois, 2, 1.0, 2), d2l.roi_pool(X, rois, 2, 1.0)
    return {"align": d2l.numpy(align), "pool": d2l.numpy(pool)}


# --- the two-stage detector -------------------------------------------------------


def shapes(seed, n, side=SIDE):
    """Smooth pictures with brighter rectangles; their labels and masks, some padding."""
    X = waves(seed, n)
    Y = np.zeros((n, 3, 5), np.float32)
    corners = np.clip(boxes(seed + 1, n * 3, 0.2, 0.6), 0, 1) * side
    Y[..., 1:] = np.round(corners).reshape(n, 3, 4)
    Y[..., 3:] = np.maximum(Y[..., 3:], Y[..., 1:3] + 8)
    Y[..., 0] = whole(seed + 2, 3, n, 3)
    y, x = np.arange(side)[:, None], np.arange(side)
    inside = [Y[..., i][..., None, None] for i in (1, 2, 3, 4)]
    M = (x >= inside[0]) & (y >= inside[1]) & (x < inside[2]) & (y < inside[3])
    Y[..., 1:] /= side
    padding = np.arange(3) > whole(seed + 3, 3, n)[:, None]
    Y[padding], M = (-1, 0, 0, 0, 0), f32(M & ~padding[..., None, None])
    # not 1: half of it, between two pixels, would lie on the threshold of the targets
    return f32(X + 40 * M.sum(1)[:, None]), Y, f32(0.9) * M


def detector(d2l):
    d2l.seed(21)
    return d2l.TinyRCNN(3)


def fixed_rois(n):
    """Regions that no rounding of the first stage moves."""
    return np.clip(boxes(400, n * 6).reshape(n, 6, 4), 0, 1)


def loss_parts(d2l, net, X, Y, M, rois):
    features, anchors, scores, offsets = net(X)
    rpn = d2l.reduce_mean(d2l.rpn_loss(anchors, scores, offsets, Y))
    rois = d2l.concat([Y[:, :, 1:], rois], axis=1)
    box = d2l.reduce_mean(d2l.box_head_loss(net, features, rois, Y))
    mask = d2l.mask_head_loss(net, features, rois[:, :4], Y, M)
    return rpn + box + mask, (rpn, box, mask)


def losses(d2l, net, steps, rate, **options):
    """The three losses of each step."""
    trainer = d2l.Trainer(net, "sgd", lr=rate, **options)

    def step(X, Y, M, rois):
        return loss_parts(d2l, net, X, Y, M, rois)

    rows = []
    for i in range(steps):
        batch = [d2l.tensor(a) for a in (*shapes(500 + 10 * i, 4), fixed_rois(4))]
        _, parts = trainer.step(step, *batch)
        rows.append([float(d2l.numpy(part)) for part in parts])
    return np.array(rows)


@case("rcnn", atol=0.0)
def rcnn_initial_weights(d2l):
    return d2l.get_weights(detector(d2l))


@case("rcnn", atol=1e-4)
def rcnn_forward(d2l):
    net = detector(d2l)
    X, rois = d2l.tensor(shapes(410, 4)[0]), d2l.tensor(regions(411, 10, 1 / 8))
    features, anchors, scores, offsets = d2l.predict(net, X)
    rois = d2l.concat([rois[:, :1], d2l.clip(rois[:, 1:], 0, 64)], axis=1)
    box = d2l.predict(net.box_head, d2l.roi_align(features, rois, 7, 1 / 8, 2))
    mask = d2l.predict(net.mask_head, d2l.roi_align(features, rois, 14, 1 / 8, 2))
    answers = {"features": features, "anchors": anchors, "scores": scores}
    answers |= {"offsets": offsets, "box": box, "mask": mask}
    return {key: d2l.numpy(value) for key, value in answers.items()}


@case("rcnn", atol=1e-4)
def rcnn_proposals(d2l):
    """Boxes of scores that are far apart, so that all choose the same."""
    anchors = d2l.multibox_prior(d2l.zeros((1, 1, 4, 4)), (0.2, 0.3, 0.45), (1,))
    scores = np.zeros((3, 48, 2))
    scores[..., 1] = np.argsort(uniform(420, 3, 48)) / 10 - 2.4
    offsets = f32(4 * uniform(421, 3, 48 * 4) - 2)
    boxes = d2l.propose(anchors, d2l.tensor(f32(scores)), d2l.tensor(offsets), 12, 0.5)
    return {"boxes": d2l.numpy(boxes)}


@case("rcnn", atol=0.0, rtol=1e-3)
def rcnn_losses_of_5_steps(d2l):
    return {"loss": losses(d2l, detector(d2l), 5, 0.002, momentum=0.9)}


@case("rcnn", atol=1e-3)
def rcnn_first_gradients(d2l):
    # a step of gradient descent with a huge rate: what it moved is the gradient
    net, rate = detector(d2l), 1e4
    before = d2l.get_weights(net)
    losses(d2l, net, 1, rate)
    moved = {k: (before[k] - v) / rate for k, v in d2l.get_weights(net).items()}
    return {
        k: g / max(np.abs(g).max(), 1e-8)
        for k, g in moved.items()
        if not k.endswith(("running_mean", "running_var"))
    }


# --- worked regions ----------------------------------------------------------------------


_PICTURE = f32(np.arange(16).reshape(1, 1, 4, 4))


@case("rcnn", lambda: {"out": f32(WORKED["roi_pool"]["expected"])})
def worked_roi_pool(d2l):
    w = WORKED["roi_pool"]
    out = d2l.roi_pool(
        d2l.tensor(_PICTURE),
        d2l.tensor(f32(w["rois_batchindex_x1_y1_x2_y2"])),
        output_size=tuple(w["output_size"]),
        spatial_scale=w["spatial_scale"],
    )
    return {"out": d2l.numpy(out)}


@case("rcnn", lambda: {"out": f32(WORKED["roi_align"]["expected"])})
def worked_roi_align(d2l):
    w = WORKED["roi_align"]
    out = d2l.roi_align(
        d2l.tensor(_PICTURE),
        d2l.tensor(f32(w["rois_batchindex_x1_y1_x2_y2"])),
        output_size=tuple(w["output_size"]),
        spatial_scale=w["spatial_scale"],
        sampling_ratio=w["sampling_ratio"],
        aligned=w["aligned"],
    )
    return {"out": d2l.numpy(out)}


def _roi_case(name, X, rois, size, scale, samples=2, aligned=True):
    @case(
        "rcnn",
        lambda: {"out": oracle.roi_pool(X, rois, size, scale)},
        name=f"roi_pool_{name}",
    )
    def pool(d2l):
        out = d2l.roi_pool(d2l.tensor(X), d2l.tensor(rois), size, scale)
        return {"out": d2l.numpy(out)}

    @case(
        "rcnn",
        lambda: {"out": oracle.roi_align(X, rois, size, scale, samples, aligned)},
        name=f"roi_align_{name}",
    )
    def align(d2l):
        out = d2l.roi_align(
            d2l.tensor(X), d2l.tensor(rois), size, scale, samples, aligned
        )
        return {"out": d2l.numpy(out)}


# Values of both signs: an empty cell is 0 although every value may lie below.
_MORE_MAPS = f32(2 * uniform(180, 2, 3, 9, 12) - 1)


def random_regions(seed, n, batch, width, height):
    """n rows (image, x1, y1, x2, y2) in pixels, some beyond the border."""
    corner = uniform(seed, n, 2) * [width, height] - 2
    size = uniform(seed + 1, n, 2) * [width, height]
    rows = np.concatenate([corner, corner + size], axis=1)
    # Quarters, so that scaling is exact, and never a half below zero.
    rows = np.where(rows < 0, np.floor(rows), np.round(rows * 4) / 4)
    return f32(np.concatenate([whole(seed + 2, batch, n, 1), rows], axis=1))


_roi_case("none", _MORE_MAPS, np.zeros((0, 5), np.float32), (2, 2), 1.0)
_roi_case("one_pixel", _MORE_MAPS, f32([[1, 3, 2, 3, 2], [0, 3, 2, 4, 3]]), (2, 3), 1.0)
_roi_case("inverted", _MORE_MAPS, f32([[0, 6, 6, 2, 2]]), (2, 2), 1.0)
_roi_case(
    "outside", _MORE_MAPS, f32([[0, 40, 40, 50, 50], [1, 8, 5, 30, 30]]), (2, 2), 1.0
)
_roi_case(
    "halves", _MORE_MAPS, f32([[0, 0.5, 1.5, 6.5, 7.5], [1, 5, 3, 13, 9]]), (4, 2), 0.5
)
_roi_case("many", _MORE_MAPS, random_regions(181, 40, 2, 12, 9), (3, 2), 1.0)
_roi_case(
    "scaled", _MORE_MAPS, random_regions(184, 40, 2, 48, 36), (7, 7), 0.25, samples=1
)
_roi_case(
    "not_aligned",
    _MORE_MAPS,
    random_regions(187, 20, 2, 12, 9),
    (2, 2),
    1.0,
    aligned=False,
)
