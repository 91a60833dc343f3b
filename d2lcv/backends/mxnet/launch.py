"""The key-value store: a scheduler, a server, and the workers that train."""

__all__ = ["commands"]

# These two do their work while the framework is being imported; at the usual end of a
# process it may abort
HELPER = "import os, d2lcv.backends.mxnet; os._exit(0)"
# A store waits for all workers when its process ends: one that failed must not
WORKER = """
import os, runpy, sys
sys.argv.pop(0)
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
status = 1
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
    status = 0
except SystemExit as error:
    if isinstance(error.code, str):
        print(error.code, file=sys.stderr)
    else:
        status = error.code or 0
except BaseException:
    sys.excepthook(*sys.exc_info())
if status:
    sys.stdout.flush()
    os._exit(status)
"""


def commands(n, script, hosts, number, port, folder):
    common = {
        "DMLC_PS_ROOT_URI": hosts[0] if hosts else "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_SERVER": "1",
        "DMLC_NUM_WORKER": str(n * max(len(hosts), 1)),
    }
    roles = [("worker", ["-c", WORKER, *script])] * n
    if number == 0:
        roles += [(role, ["-c", HELPER]) for role in ("scheduler", "server")]
    return [(command, {**common, "DMLC_ROLE": role}) for role, command in roles]
