"""Cases of the R-CNN family that other backends judge: gradients, the small network."""

import math

import cases
import numpy as np
import oracle
from cases import f32, uniform

ALL = []


def case(topic, expected=dict, **options):
    def register(run):
        ALL.append(cases.Case(run.__name__, topic, run, expected, **options))
        return run

    return register


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


def _roi_cases(name, size, scale, samples, aligned):
    rois = regions(310 + len(ALL), 42, scale)
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
        new = cases.Case(f"{kind}_{name}", "rcnn", run, expected, **options)
        ALL.append(new)

    add("roi_align_values", value(align), lambda: {"out": align_oracle()})
    add("roi_align_gradient", gradient(align), atol=1e-4)
    add(
        "roi_pool_values",
        value(pool),
        lambda: {"out": oracle.roi_pool(MAPS, rois, size, scale)},
    )
    add("roi_pool_gradient", gradient(pool), atol=1e-4)


for _name, _options in VARIANTS.items():
    _roi_cases(_name, *_options)
