"""Worker processes that are killed, and their parent."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serve.conftest import Running, serving, until_up

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux")]

SECONDS = 30


def is_there(pid: int) -> bool:
    """Whether a process runs: one that has ended may still be waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The workers that run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [int(each) for each in found if is_there(int(each))]


def until(condition, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("stopped", [False, True])
def test_workers_end_with_their_parent_though_it_is_killed(stopped, mlp_run):
    with serving("--run", str(mlp_run), "--num-workers", "3") as running:
        until(lambda: len(children(running.process.pid)) == 3, "three workers")
        workers = children(running.process.pid)
        if stopped:  # one that cannot act on anything must not keep the others
            os.kill(workers[-1], signal.SIGSTOP)
        running.process.kill()
        running.process.wait(timeout=SECONDS)
        ending = workers[:-1] if stopped else workers
        until(lambda: not any(map(is_there, ending)), f"{workers} to end")
        if stopped:
            os.kill(workers[-1], signal.SIGCONT)
        until(lambda: not any(map(is_there, workers)) and is_free(running.port), f"port {running.port} to be free")


def kill_at_random(running: Running, times: int) -> set[int]:
    """Kill a worker, or all, at random moments while requests are answered; returns all that there ever were."""
    seen = set()
    for _ in range(times):
        time.sleep(random.choice([0, 0.05, 0.3, 1]))
        workers = children(running.process.pid)
        seen |= set(workers)
        for worker in workers if random.random() < 0.3 else workers[:1]:
            os.kill(worker, signal.SIGKILL)
        until_up(running)
        assert running.predict({"text": "rain"}).status == 200
        assert running.process.poll() is None
    return seen | set(children(running.process.pid))


@pytest.mark.parametrize("times", [3, pytest.param(50, marks=pytest.mark.long)])
def test_workers_that_are_killed_at_random_are_replaced_and_nobody_is_left(times, mlp_run):
    with serving("--run", str(mlp_run), "--num-workers", "2") as running:
        workers = kill_at_random(running, times)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=SECONDS) == 0
    until(lambda: not any(map(is_there, workers)), f"{workers} to end")


def test_a_worker_that_is_killed_right_after_its_start_stops_nobody(mlp_run):
    with serving("--run", str(mlp_run), "--num-workers", "2") as running:
        healthy, *_ = children(running.process.pid)
        for _ in range(4):
            until(lambda: len(children(running.process.pid)) == 2, "two workers")
            (other,) = set(children(running.process.pid)) - {healthy}
            os.kill(other, signal.SIGKILL)
            until(lambda other=other: not is_there(other), "the worker to end")
            assert running.predict({"text": "rain"}).status == 200
        until(lambda: len(children(running.process.pid)) == 2, "two workers")
        assert is_there(healthy)
        running.process.send_signal(signal.SIGTERM)
        _, log = running.process.communicate(timeout=SECONDS)
    assert log.count("ended with signal 9; another takes its place\n") == log.count("\n") == 4


CANNOT_SERVE = """
import errno, os, sys
from textclf.serve import server
def fail(*_given):
    os._exit(3)
def no_fork():
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
if sys.argv[2] == "serve":
    server._serve = fail
else:
    os.fork = no_fork
from textclf.cli import main
main(["serve", "--port", "0", "--num-workers", "2", "--run", sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("what", "why"),
    [("serve", "ended with exit code 3"), ("fork", "could not be started (Resource temporarily unavailable)")],
)
def test_if_no_worker_can_serve_the_server_ends_with_one_line(what, why, mlp_run):
    done = subprocess.run(
        [sys.executable, "-c", CANNOT_SERVE, str(mlp_run), what],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.splitlines()[-1] == f"textclf: no worker can serve: the last {why}; try --num-workers 1"
    assert "Traceback" not in done.stderr


def test_the_counts_of_a_worker_outlive_it(mlp_run):
    with serving("--run", str(mlp_run), "--num-workers", "2") as running:
        for _ in range(5):
            running.predict({"text": "rain"})
        for worker in children(running.process.pid):
            os.kill(worker, signal.SIGKILL)
        until_up(running)
        text = running.ask("GET", "/metrics").body.decode()
        assert "textclf_texts_total 5" in text
        json.loads(running.ask("GET", "/model").body)
