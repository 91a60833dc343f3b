"""What each section teaches stands on its page, in the framework's own words."""

import ast

import pytest
from chapter_runs import shown

# Chapter → what its page shows: names of the package, or of a column's file
TAUGHT = {
    "image_augmentation": [
        *("augmentation.flip_left_right", "augmentation.crop", "augmentation.resize"),
        *("augmentation.adjust_contrast", "augmentation.adjust_hue"),
        *("RandomHorizontalFlip", "RandomResizedCrop", "ColorJitter", "Compose"),
        *("ToTensor", "Normalize", "framework_transforms", "loading.loader"),
        *("training.train_step", "split_batch", "train_batch_ch13"),
        *("evaluate_accuracy_gpu", "engine.train_ch13", "distributed.average"),
    ],
    "fine_tuning": [
        *("classification.zoo", "replace_output", "training.make_optimizer"),
        *("training.train_step", "training.freeze"),
    ],
    "bounding_box": ["box_corner_to_center", "box_center_to_corner"],
    "anchor": [
        *("multibox_prior", "box_iou", "assign_anchor_to_bbox", "offset_boxes"),
        *("offset_inverse", "multibox_target", "nms", "multibox_detection"),
    ],
    "multiscale_object_detection": ["multibox_prior"],
    "object_detection_dataset": ["loading.loader", "augmentation.flip_left_right"],
    "ssd": [
        *("cls_predictor", "bbox_predictor", "flatten_pred", "concat_preds"),
        *("down_sample_blk", "base_net", "blk_forward", "TinySSD", "calc_loss"),
        *("cls_eval", "bbox_eval", "training.train_step", "training.predict"),
        "multibox_detection",
    ],
    "yolo": ["TinyYOLO", "yolo_target", "yolo_loss", "yolo_decode"],
    "rcnn": [
        *("roi_pool", "roi_align", "propose", "TinyRCNN"),
        *("rpn_loss", "box_head_loss", "mask_head_loss"),
    ],
    "semantic_segmentation": [
        *("voc_label_indices", "voc_rand_crop", "loading.loader"),
    ],
    "transposed_conv": ["trans_conv", "conv_transpose2d", "kernel2matrix"],
    "fcn": [
        *("bilinear_kernel", "FCN", "segmentation_loss", "training.train_step"),
        *("training.predict", "predict_tiles"),
    ],
    "neural_style": [
        *("extract_features", "content_loss", "style_loss", "tv_loss", "gram"),
        *("SynthesizedImage", "training.train_step"),
    ],
    "kaggle_cifar10": ["Residual", "resnet18", "training.train_step"],
    "kaggle_dog": ["training.freeze", "replace_output", "training.train_step"],
}
# What is NumPy for everybody
NUMPY = {
    "image_augmentation": ["data.cifar.read_records"],
    "semantic_segmentation": [
        *("data.voc.color_table", "data.voc.colors_to_classes"),
        *("data.voc.classes_to_colors", "data.voc.random_window"),
    ],
    "kaggle_cifar10": ["reorg_train_valid", "reorg_test", "write_submission"],
}
# Layers are called, matrices multiplied and parts cut in the same words everywhere
ANYWHERE = {"extract_features", "gram", "Compose", "split_batch", "voc_rand_crop"}
ANYWHERE |= {"augmentation.crop"}
# Subjects of `native.TOKENS` → the chapters that teach them
PAGES = {
    "step": [
        *("image_augmentation", "fine_tuning", "ssd", "fcn", "neural_style"),
        *("kaggle_cifar10", "kaggle_dog"),
    ],
    "prediction": ["ssd", "fcn", "rcnn"],
    "loading": [
        *("image_augmentation", "object_detection_dataset", "semantic_segmentation"),
    ],
    "convolution": [
        *("ssd", "yolo", "rcnn", "fcn", "neural_style", "kaggle_cifar10"),
    ],
    "upsampling": ["transposed_conv", "fcn"],
    "loss": ["ssd", "fcn"],
    "library": ["image_augmentation", "anchor", "fine_tuning", "rcnn"],
}


def all_of(table):
    return [(chapter, name) for chapter, names in table.items() for name in names]


def lesson(d2l, name):
    function = name if "." in name else getattr(d2l, name)
    return d2l.source(function)


@pytest.mark.parametrize(("chapter", "name"), all_of(TAUGHT) + all_of(NUMPY))
def test_the_page_shows_what_it_teaches(d2l, chapter, name):
    def of(code):
        return {n.name for n in ast.parse(code).body if hasattr(n, "name")}

    page = shown(d2l, chapter)
    assert name.rpartition(".")[2] in of(lesson(d2l, name))
    assert of(lesson(d2l, name)) <= of(page)


@pytest.mark.parametrize("name", sorted({name for _, name in all_of(TAUGHT)}))
def test_it_is_the_frameworks_code(d2l, native, name):
    code = lesson(d2l, name)
    assert '"""' not in code and "backend." not in code and "d2l" not in code
    imports = d2l.lesson_imports(name if "." in name else getattr(d2l, name))
    used = (*native.NAMES, *native.METHODS)
    assert name in ANYWHERE or any(word in imports + code for word in used)


@pytest.mark.parametrize("name", sorted({name for _, name in all_of(NUMPY)}))
def test_what_is_numpy_for_everybody_has_no_framework(d2l, native, name):
    code = lesson(d2l, name)
    assert '"""' not in code and "backend." not in code and "d2l." not in code
    assert not any(word in code for word in native.NAMES)


@pytest.mark.parametrize("subject", PAGES)
def test_tokens_of_the_framework_stand_on_the_pages(d2l, native, subject):
    for chapter in PAGES[subject]:
        code = shown(d2l, chapter)
        for token in native.TOKENS[subject]:
            assert token in code, (chapter, token)
