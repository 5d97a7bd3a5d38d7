"""Processes, measured whole: seconds, processor seconds, and the memory of all that they start."""

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

EVERY: Final = 0.05  # seconds between two looks at the memory
COST: Final = 0.02  # share of a processor that looking may take: adding up the pages of a large process is not free
TEXTCLF: Final = (sys.executable, "-m", "textclf")


class Finished(NamedTuple):
    """A process that has ended well."""

    seconds: float
    processor: float
    """Seconds of all processors, user and system, its own child processes included."""
    memory: float | None
    """Bytes at the peak: see `tree_memory`. None: not measured."""
    output: str


class Failed(click.ClickException):
    """A process that should have ended well did not."""


def run(command: Sequence[str | Path], folder: Path, *, memory: bool = True) -> Finished:
    """Run a command in a folder and measure it; raises Failed, with its last lines, if it fails.

    Looking at the memory starts a thread here and takes a little of a processor: leave it where milliseconds count.
    """
    words = [str(word) for word in command]
    os.sync()  # nobody waits for the disk to take what the one before wrote
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
    """Processes that ran one after the other, as one."""
    peaks = [part.memory for part in parts if part.memory is not None]
    return Finished(
        sum(part.seconds for part in parts),
        sum(part.processor for part in parts),
        max(peaks) if len(peaks) == len(parts) else None,
        parts[-1].output,
    )


class MemoryWatch:
    """Looks at the memory of a process and its descendants while they run, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = Event()
        self._peak = 0
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float | None:
        """The largest sum that was seen; None where this system does not tell."""
        self._over.set()
        self._thread.join()
        return self._peak or None

    def _look(self) -> None:
        while True:
            begin = perf_counter()
            self._peak = max(self._peak, tree_memory(self._pid))
            if self._over.wait(max(EVERY, (perf_counter() - begin) / COST)):
                return


def tree_memory(pid: int) -> int:
    """Bytes of a process and its descendants now: the sum of their proportional set sizes; 0 where there is no /proc.

    A page that several processes share counts once in all, so that processes forked from one are not counted double.
    The libraries that others have mapped, too, count in part, which is why the process that measures loads no torch.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has just ended, or this is not Linux
        return 0
    own = next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return own * 1024 + sum(tree_memory(int(child)) for child in children.split())


def textclf(*arguments: str | Path, folder: Path, memory: bool = True) -> Finished:
    """Run the command line as a user would, in a folder of its own."""
    return run([*TEXTCLF, *arguments], folder, memory=memory)


def machine() -> dict[str, Any]:
    """The machine that measures, for people."""
    names = []
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    uname = os.uname()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": names[0] if names else uname.machine, "cores": cores, "system": uname.sysname}
