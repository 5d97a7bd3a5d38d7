"""Commands of which a child process is killed: run, watched, and ended."""

import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

FRESH = multiprocessing.get_context("forkserver")
"""Starts processes as new ones, from one that has loaded torch and done nothing with it."""
FRESH.set_forkserver_preload(["textclf.training.run", "textclf.cli.train"])


def textclf(*arguments):
    """Run a command in a session of its own, with its output in the files stdout and stderr."""
    import torch

    from textclf.cli import main

    multiprocessing.set_start_method("fork", force=True)  # as in a program of its own
    os.setsid()
    for number, name in enumerate(("stdout", "stderr"), start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    torch.set_num_threads(1)
    main(list(map(str, arguments)))


class Command:
    """A command that runs."""

    def __init__(self, *arguments):
        self._process = FRESH.Process(target=textclf, args=arguments)
        self._process.start()

    def children(self):
        """Its processes that have not ended."""
        with contextlib.suppress(FileNotFoundError):
            return [
                int(child)
                for child in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            ]
        return []

    def has_ended(self):
        return not self._process.is_alive()

    def wait_for_children(self, count):
        while not self.has_ended() and len(self.children()) < count:
            time.sleep(0.002)

    def end(self):
        """Wait for its end; returns its exit code and stderr. No process of its session may be left."""
        self._process.join(60)
        assert not self._process.is_alive(), "it hangs"
        deadline = time.monotonic() + 30
        while any(session == self._process.pid for session in sessions()):
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.02)
        return self._process.exitcode, Path("stderr").read_text()


def sessions():
    """The session of each process that has not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                yield int(fields[3])


def kill_one(command, draw):
    """Kill one of the processes that a command has started; returns whether there was one."""
    children = command.children()
    if children:
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(draw.choice(children), signal.SIGKILL)
    return bool(children)


def only_line(errors):
    """What is said on the one line of an error."""
    assert "Traceback" not in errors, errors
    (line,) = (line for line in errors.splitlines() if line.startswith("textclf: "))
    assert errors.endswith(f"{line}\n")
    return line
