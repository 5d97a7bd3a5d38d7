"""A limit to the memory that a test may take beyond what this process has, and the memory that a command took."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MB = 1_000_000


@contextmanager
def at_most(more: int) -> Iterator[None]:
    """Let allocations beyond so many bytes more fail with a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def peak(command: list[str], **options: Any) -> int:
    """Run a command that must succeed; the most bytes that it, or one of its processes, had in memory.

    A small process starts it: Linux counts, for a process, what the one that started it had in memory at that moment.
    """
    measure = [sys.executable, "-c", _MEASURE, *command]
    done = subprocess.run(measure, stdout=subprocess.PIPE, check=True, **options)
    return int(done.stdout) * 1024
