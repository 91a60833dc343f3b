"""`torchrun`."""

import subprocess
import sys


def launch(n: int, script: list[str]) -> int:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.call([*torchrun, f"--nproc_per_node={n}", *script])
