"""One `TF_CONFIG` for each process."""

import json
import os

from . import free_ports, together


def launch(n: int, script: list[str]) -> int:
    workers = [f"127.0.0.1:{port}" for port in free_ports(n)]
    cluster = {"cluster": {"worker": workers}}
    tasks = [{**cluster, "task": {"type": "worker", "index": i}} for i in range(n)]
    return together(
        [script] * n,
        [
            {"TF_CONFIG": json.dumps(task), "CUDA_VISIBLE_DEVICES": _gpu(i)}
            for i, task in enumerate(tasks)
        ],
    )


def _gpu(i: int) -> str:
    """The i-th of the GPUs that this process may use, as a list of one."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return str(i) if given is None else (given.split(",") + [""] * (i + 1))[i]
