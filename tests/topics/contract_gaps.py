"""Arguments that do not keep the promise of errors yet, seen in the fixed sample of calls.

Their wrong values end in an error of a framework, of NumPy or of Python that does not name
the argument, or the function does more than its arguments ask for. Each is to be mended by
a check of `d2lcv/checks.py` and taken off the list. Those of one backend alone
are in its file of `tests/columns`.
"""

GAPS = set(
    """
    Compose.transforms RandomResizedCrop.ratio RandomResizedCrop.scale
    SynthesizedImage.img_shape SynthesizedImage.start Trainer.X Trainer.name Trainer.net
    Trainer.weight_decay bbox_to_rect.color blk_forward.X blk_forward.bbox_predictor
    blk_forward.blk blk_forward.cls_predictor box_head_loss.net
    compute_loss.content_weight compute_loss.contents_Y compute_loss.contents_Y_hat
    compute_loss.styles_Y_gram compute_loss.styles_Y_hat concat_preds.preds
    detect_instances.net evaluate_accuracy_gpu.data_iter evaluate_accuracy_gpu.device
    evaluate_accuracy_gpu.ignore evaluate_accuracy_gpu.net
    evaluate_accuracy_gpus.data_iter evaluate_accuracy_gpus.ignore
    evaluate_accuracy_gpus.net evaluate_accuracy_gpus.split_f
    extract_features.content_layers extract_features.net focal_cls_loss.cls_preds
    focal_cls_loss.gamma focal_loss.gamma get_weights.net gradients.X gradients.function
    hard_negative_loss.ratio initialize.net load_weights.net load_weights.path
    mask_head_loss.net mask_iou.confidence mask_iou.detections mask_iou.labels
    mask_iou.masks mask_iou.true_masks mean_iou.preds pixel_accuracy.ignore_index
    predict.X predict.net predict_tiles.net pretrained.depth pretrained.weights
    save_weights.net save_weights.path seed.n set_axes.xscale set_weights.weights
    smooth_l1.sigma smooth_l1_loss.sigma split_batch.X split_batch.devices
    style_loss.Y_hat style_network.weights train_batch_ch13.X train_batch_ch13.devices
    train_batch_ch13.loss train_batch_ch13.split_f train_batch_ch13.trainer
    train_batch_ch13.y train_ch13.before_batch train_ch13.devices train_ch13.figure
    train_ch13.net train_ch13.split_f train_ch13.test_iter train_ch13.train_iter
    yolo_loss.num_classes yolo_target.width
    """.split()
)
