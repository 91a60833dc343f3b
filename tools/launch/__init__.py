"""How each framework wants several processes started: `launch(n, script)` of its file."""

import os
import socket
import subprocess
import sys
import time


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
