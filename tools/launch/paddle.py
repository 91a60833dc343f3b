"""`python -m paddle.distributed.launch`."""

import os
import subprocess
import sys
import tempfile


def launch(n: int, script: list[str]) -> int:
    command = [sys.executable, "-m", "paddle.distributed.launch"]
    with tempfile.TemporaryDirectory() as logs:
        options = [f"--nproc_per_node={n}", "--log_dir", logs]
        # of no GPUs, this launcher makes a list of one without a name
        environment = dict(os.environ)
        if not environment.get("CUDA_VISIBLE_DEVICES"):
            environment.pop("CUDA_VISIBLE_DEVICES", None)
        return subprocess.call([*command, *options, *script], env=environment)
