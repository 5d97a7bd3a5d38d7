"""A limit to the memory that a test may take beyond what this process has."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
