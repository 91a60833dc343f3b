"""Several processes in PyTorch, started by `torchrun`."""

import atexit
import os

import torch
import torch.distributed as dist

__all__ = ["average", "join"]


def join():
    if not dist.is_torchelastic_launched():
        return 0, 1
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    # "cpu:gloo,cuda:nccl": each kind of tensor by what serves it
    dist.init_process_group()
    # left running to the end, its threads sometimes abort a process that has done its work
    atexit.register(dist.destroy_process_group)
    return dist.get_rank(), dist.get_world_size()


def average(tensors):
    """The mean of each over the processes, sent as one vector."""
    vector = torch.cat([x.reshape(-1) for x in tensors])
    dist.all_reduce(vector)
    parts = (vector / dist.get_world_size()).split([x.numel() for x in tensors])
    return [part.view(x.shape) for part, x in zip(parts, tensors, strict=True)]
