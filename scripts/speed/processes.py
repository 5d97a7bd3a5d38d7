"""Runs commands and measures whole processes: seconds, processor seconds, memory including child processes."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any, Final, NamedTuple

import click

EVERY: Final = 0.05  # seconds between two samples of the memory
NEW_HIGH: Final = 1.03  # growth of the largest resident size at which proportional sizes are read
COST: Final = 0.02  # share of a processor that reading proportional sizes may take otherwise
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TEXTCLF: Final = (sys.executable, "-m", "textclf")


class Finished(NamedTuple):
    """Measurements of a process that succeeded."""

    seconds: float
    processor: float
    """User and system seconds on all processors, child processes included."""
    memory: float | None
    """Peak bytes of all its processes: see MemoryWatch. None: not measured."""
    output: str


class Failed(click.ClickException):
    """A measured process failed."""


def run(command: Sequence[str | Path], folder: Path, *, memory: bool = True) -> Finished:
    """Run a command in a folder and measure it; raises Failed with its last lines if it fails.

    Measuring the memory takes a thread and some processor time: set ``memory=False`` where milliseconds count.
    """
    words = [str(word) for word in command]
    os.sync()  # so that this process does not wait for the writes of the previous one
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        begin = perf_counter()
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=messages)
        watch = MemoryWatch(process.pid) if memory else None
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = watch.stop() if watch else None
        for file in (output, messages):
            file.seek(0)
        if process.returncode:
            last = "\n".join(messages.read().splitlines()[-20:])
            raise Failed(f"exit code {process.returncode} of {shlex.join(words)}\n{last}")
        return Finished(seconds, usage.ru_utime + usage.ru_stime, peak, output.read().strip())


def together(parts: Sequence[Finished]) -> Finished:
    """The measurements of consecutive processes as those of one."""
    peaks = [part.memory for part in parts if part.memory is not None]
    return Finished(
        sum(part.seconds for part in parts),
        sum(part.processor for part in parts),
        max(peaks) if len(peaks) == len(parts) else None,
        parts[-1].output,
    )


class MemoryWatch:
    """Samples the memory of a process and its descendants in a thread.

    Proportional set sizes are exact but slow: the kernel walks all pages, up to 0.1 s per gigabyte. They are read when
    the resident sizes, which are fast to read, reach a new maximum, otherwise as often as COST allows.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = Event()
        self._peak = 0
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float | None:
        """Stop sampling; returns the largest sum of sizes, None if this system does not report them."""
        self._over.set()
        self._thread.join()
        return self._peak or None

    def _look(self) -> None:
        largest, not_before = 0.0, 0.0
        while not self._over.wait(EVERY):
            pids = family(self._pid)
            resident, begin = sum(map(resident_bytes, pids)), perf_counter()
            if resident > largest * NEW_HIGH or begin > not_before:
                self._peak = max(self._peak, sum(map(proportional_bytes, pids)))
                largest = max(largest, resident)
                not_before = begin + (perf_counter() - begin) / COST


def family(pid: int) -> list[int]:
    """Ids of a process and its descendants; only the process if there is no /proc."""
    children = " ".join(_read(path) for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [pid, *(member for child in children for member in family(int(child)))]


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, shared pages included; 0 if it has ended."""
    fields = _read(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * PAGE if fields else 0


def proportional_bytes(pid: int) -> int:
    """Memory of a process, where a page shared by n processes counts as 1/n; 0 if it has ended.

    So forked processes do not count double. Libraries mapped by other processes count only in part, too, so the
    process that measures must not import torch.
    """
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:  # the process has ended, or this is not Linux
        return ""


def textclf(*arguments: str | Path, folder: Path, memory: bool = True) -> Finished:
    """Run the command line in a folder and measure it."""
    return run([*TEXTCLF, *arguments], folder, memory=memory)


def machine() -> dict[str, Any]:
    """Processor, cores and system of this machine."""
    names = []
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    uname = os.uname()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": names[0] if names else uname.machine, "cores": cores, "system": uname.sysname}
