"""`python -m paddle.distributed.launch`."""

import os

__all__ = ["commands"]


def commands(n, script, hosts, number, port, folder):
    options = [f"--nproc_per_node={n}", "--log_dir", folder, "--log_level=ERROR"]
    if hosts:
        options += [f"--master={hosts[0]}:{port}"]
        options += [f"--nnodes={len(hosts)}", f"--rank={number}"]
    # of no GPUs, this launcher would make a list of one without a name
    none = not os.environ.get("CUDA_VISIBLE_DEVICES")
    environment = {"CUDA_VISIBLE_DEVICES": None} if none else {}
    return [(["-m", "paddle.distributed.launch", *options, *script], environment)]
