"""`torchrun`, and in one sentence what it says of a process that failed."""

__all__ = ["commands"]

TORCHRUN = """
import sys
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main
try:
    main()
except ChildFailedError as error:
    rank, failure = error.get_first_failure()
    sys.exit(f"torchrun: process {rank} failed, exit status {failure.exitcode}")
except SignalException as error:
    sys.exit(128 + error.sigval)
"""


def commands(n, script, hosts, number, port, folder):
    options = [f"--nproc_per_node={n}"]
    if hosts:
        options += [f"--nnodes={len(hosts)}", f"--node_rank={number}"]
        options += [f"--master_addr={hosts[0]}", f"--master_port={port}"]
    else:
        options.append("--standalone")
    return [(["-c", TORCHRUN, *options, *script], {})]
