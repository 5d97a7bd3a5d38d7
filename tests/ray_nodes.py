"""A Ray cluster of several nodes on this machine, in processes of its own, of which a test can kill one.

As a program, it starts the nodes, prints the address, kills the last node when a line comes in, and ends all when stdin
does: also if the tests are killed. No other Ray process of the machine is touched.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
STORE = 80_000_000
"""Bytes of the object store of a node; Ray takes no fewer than 75 MB."""


class Nodes:
    """A cluster; its nodes import textclf and the tests from here."""

    def __init__(self, count: int = 1, *, cpus: int = 2) -> None:
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_nodes", str(count), str(cpus)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, **quiet},
        )
        self.address = self._said()

    def kill_one(self) -> None:
        """Kill the last node, with its tasks; returns when it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        assert self._said() == "killed"

    def close(self) -> None:
        """End the nodes that are left."""
        self._process.communicate(timeout=60)

    def _said(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 90)
        assert ready, "Ray does not start"
        line = self._process.stdout.readline().strip()
        assert line, "Ray has ended"
        return line


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and that these have."""
    found = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, path.read_text().split()):
                found += [child, *descendants(child)]
    return found


def main(count: int, cpus: int) -> None:
    """Start the nodes, and do what stdin says."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    nodes = [cluster.add_node(num_cpus=cpus, object_store_memory=STORE, include_dashboard=False) for _ in range(count)]
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        node = nodes.pop()
        (raylet,) = (each.process.pid for each in node.all_processes["raylet"])
        for pid in [raylet, *descendants(raylet)]:  # all at once, as when a machine loses its power
            with contextlib.suppress(ProcessLookupError):  # it has ended with its parent
                os.kill(pid, signal.SIGKILL)
        cluster.remove_node(node, allow_graceful=False)
        print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
