"""Several processes in PaddlePaddle, started by `python -m paddle.distributed.launch`."""

import os

import paddle
import paddle.distributed as dist

__all__ = ["average", "join"]


def join():
    if int(os.environ.get("PADDLE_TRAINERS_NUM", "1")) == 1:
        return 0, 1
    if not paddle.device.cuda.device_count():
        os.environ.setdefault("PADDLE_DISTRI_BACKEND", "gloo")  # NCCL is for GPUs
    dist.init_parallel_env()
    return dist.get_rank(), dist.get_world_size()


def average(tensors):
    """The mean of each over the processes, sent as one vector."""
    vector = paddle.concat([x.flatten() for x in tensors])
    dist.all_reduce(vector)
    parts = (vector / dist.get_world_size()).split([int(x.size) for x in tensors])
    return [part.reshape(x.shape) for part, x in zip(parts, tensors, strict=True)]
