"""A scheduler, a server and the workers."""

from . import free_ports, together


def launch(n: int, script: list[str]) -> int:
    common = {
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(free_ports(1)[0]),
        "DMLC_NUM_SERVER": "1",
        "DMLC_NUM_WORKER": str(n),
    }
    # these two do their work while the framework is being imported; what it does at the
    # usual end of a process may abort it
    work = "import d2lcv as d2l; d2l.zeros(1)"
    helper = ["-c", f"import os\ntry:\n    {work}\nfinally:\n    os._exit(0)"]
    roles = [("scheduler", helper), ("server", helper), *[("worker", script)] * n]
    return together(
        [command for _, command in roles],
        [{**common, "DMLC_ROLE": role} for role, _ in roles],
    )
