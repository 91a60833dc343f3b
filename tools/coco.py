"""pycocotools: COCO's own evaluation, at one overlap and without a limit per image."""

import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def _found(image, number, row, **more):
    x1, y1, x2, y2 = row[-4:].tolist()
    box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
    return box | {"id": number, "image_id": image, "category_id": int(row[0]), **more}


def evaluator(detections, labels):
    """A function that evaluates; reading the annotations is no part of it."""
    objects = [(i, row) for i, rows in enumerate(labels) for row in rows]
    found = [(i, row) for i, rows in enumerate(detections) for row in rows]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(labels))],
        "categories": [{"id": int(c)} for c in {row[0] for _, row in objects}],
        "annotations": [
            _found(i, n, row, iscrowd=0) for n, (i, row) in enumerate(objects, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = truth.loadRes(
            [_found(i, n, row, score=row[1]) for n, (i, row) in enumerate(found, 1)]
        )

    def evaluate():
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(truth, results, "bbox")
            judge.params.iouThrs = judge.params.iouThrs[:1]
            judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
            judge.params.maxDets = [100]
            judge.evaluate()
            judge.accumulate()

    return evaluate
