"""One `TF_CONFIG` for each process: TensorFlow has no launcher."""

import json
import os

__all__ = ["commands"]


def commands(n, script, hosts, number, port, folder):
    # worker i of a host listens at the i-th port
    workers = [
        f"{host}:{port + i}" for host in hosts or ["127.0.0.1"] for i in range(n)
    ]
    cluster = {"cluster": {"worker": workers}}
    tasks = [{"type": "worker", "index": number * n + i} for i in range(n)]
    return [
        (
            script,
            {
                "TF_CONFIG": json.dumps({**cluster, "task": task}),
                "CUDA_VISIBLE_DEVICES": gpu(i),
            },
        )
        for i, task in enumerate(tasks)
    ]


def gpu(i):
    # the i-th of the GPUs that this process may use, as a list of one
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return str(i) if given is None else (given.split(",") + [""] * (i + 1))[i]
