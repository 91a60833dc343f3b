"""One small net, trained by one process or by several: the losses are the same.

    D2L_BACKEND=torch python tools/distributed.py                  # one process
    D2L_BACKEND=torch python tools/distributed.py --processes 2    # starts two

`--processes` starts the processes as the framework wants them started, on this machine:
`torchrun`, `python -m paddle.distributed.launch`, one `TF_CONFIG` for each process of
TensorFlow; for MXNet a scheduler, a server and the workers. With `--run SCRIPT …` it
starts that script instead. The last line printed is JSON: the loss of each step on the
whole batch and a sum over the weights afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import d2lcv as d2l
from d2lcv.backends import resolve

# ---- what each process does ----------------------------------------------------------


def train(steps: int, batch_size: int) -> dict[str, object]:
    """Steps on shares of equal batches; no batch norm, whose means are of a share."""
    rank, world_size = d2l.join_processes()
    d2l.seed(0)
    net = d2l.cls_predictor(
        3, 2, 4
    )  # a convolution to 10 channels: scores of 10 classes
    trainer = d2l.Trainer(net, "sgd", lr=0.5, momentum=0.9, weight_decay=1e-3)

    def step(X, y):
        scores = d2l.reduce_mean(d2l.tanh(net(X)), (2, 3))
        return d2l.reduce_mean(d2l.cross_entropy(scores, y)), ()

    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        X = rng.normal(size=(batch_size, 3, 8, 8)).astype(np.float32)
        y = rng.integers(0, 10, batch_size).astype(np.int32)
        X, y = X[rank::world_size], y[rank::world_size]
        y = d2l.astype(d2l.tensor(y), d2l.int64)
        loss, _ = trainer.step(step, d2l.tensor(X), y)
        losses.append(float(d2l.numpy(d2l.process_mean(loss))))
    weights = {k: float(np.abs(v).sum()) for k, v in d2l.get_weights(net).items()}
    return {"rank": rank, "processes": world_size, "losses": losses, "weights": weights}


# ---- starting several ----------------------------------------------------------------


def free_ports(n: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def with_torch(n: int, script: list[str]) -> int:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.call([*torchrun, f"--nproc_per_node={n}", *script])


def with_paddle(n: int, script: list[str]) -> int:
    launch = [sys.executable, "-m", "paddle.distributed.launch"]
    with tempfile.TemporaryDirectory() as logs:
        options = [f"--nproc_per_node={n}", "--log_dir", logs]
        return subprocess.call([*launch, *options, *script])


def with_tensorflow(n: int, script: list[str]) -> int:
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


def with_mxnet(n: int, script: list[str]) -> int:
    common = {
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(free_ports(1)[0]),
        "DMLC_NUM_SERVER": "1",
        "DMLC_NUM_WORKER": str(n),
    }
    # these two do their work while the framework is being imported, and then exit
    helper = ["-c", "import d2lcv as d2l; d2l.zeros(1)"]
    roles = [("scheduler", helper), ("server", helper), *[("worker", script)] * n]
    return together(
        [command for _, command in roles],
        [{**common, "DMLC_ROLE": role} for role, _ in roles],
    )


def _gpu(i: int) -> str:
    """The i-th of the GPUs that this process may use, as a list of one."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return str(i) if given is None else (given.split(",") + [""] * (i + 1))[i]


def together(scripts: list[list[str]], environments: list[dict[str, str]]) -> int:
    """Run all until they end; if one fails the others are ended, too."""
    processes = [
        subprocess.Popen([sys.executable, *script], env={**os.environ, **environment})
        for script, environment in zip(scripts, environments, strict=True)
    ]
    try:
        while any(p.poll() is None for p in processes):
            if any(p.poll() for p in processes):
                break
            time.sleep(0.1)
        return next((p.returncode for p in processes if p.poll()), 0)
    finally:
        for p in processes:
            if p.poll() is None:
                p.terminate()
        for p in processes:
            p.wait()


LAUNCHERS = {
    "torch": with_torch,
    "mxnet": with_mxnet,
    "paddle": with_paddle,
    "tensorflow": with_tensorflow,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, metavar="N", help="start so many")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--out", metavar="FILE", help="also write the JSON to FILE")
    parser.add_argument(
        "--run", nargs=argparse.REMAINDER, metavar="SCRIPT", help="start this instead"
    )
    options = parser.parse_args()
    if options.processes:
        own = [str(Path(__file__).resolve()), f"--steps={options.steps}"]
        own += [f"--batch-size={options.batch_size}"]
        own += [f"--out={options.out}"] if options.out else []
        name = resolve(d2l.use())
        return LAUNCHERS[name](options.processes, options.run or own)
    if options.run:
        parser.error("--run: expected --processes N, too")
    if options.batch_size < 1 or options.steps < 1:
        parser.error("--steps, --batch-size: expected at least 1")
    result = train(options.steps, options.batch_size)
    if result["rank"] == 0:
        text = json.dumps(result)
        if options.out:
            Path(options.out).write_text(text + "\n", encoding="utf-8")
        print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
