import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing import connection

import pytest

from textclf.errors import ArtefactError, ResourceError
from textclf.system import workers


def double(number):
    time.sleep(0.05 if number % 5 == 0 else 0)
    return 2 * number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_answering(number):
    """Be killed when half of the answer is in the pipe."""

    def send_half(pipe, message):
        os.write(pipe.fileno(), bytes(message)[: len(message) // 2])
        die(number)

    connection.Connection._send = send_half
    return bytes(100)


def refuse(number):
    raise ArtefactError("x.json is damaged")


def is_deaf(_):
    """Whether the signals that stop a program leave this process alone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    return True


def test_results_are_in_order_and_few_items_are_read_ahead():
    read = []
    items = (read.append(number) or number for number in itertools.count())
    with workers.pool(2, imports="textclf.errors") as pool:
        results = pool.map(double, items)
        for number in range(30):
            assert next(results) == 2 * number
            assert len(read) <= number + 2 * workers.QUEUED


def test_threads_switch_faster_while_there_are_workers():
    usual = sys.getswitchinterval()
    with workers.pool(1, imports="operator") as pool:
        assert pool.submit(abs, -1).result() == 1
        assert sys.getswitchinterval() == pytest.approx(workers.SWITCH_SECONDS)
    assert sys.getswitchinterval() == pytest.approx(usual)


def test_every_item_has_a_result_and_workers_ignore_signals():
    with workers.pool(2, imports="textclf.errors") as pool:
        assert list(pool.map(double, range(25))) == [2 * number for number in range(25)]
        assert list(pool.map(double, [])) == []
        assert list(pool.map(is_deaf, range(3))) == [True] * 3


def test_an_error_in_a_worker_is_raised_here():
    with pytest.raises(ArtefactError, match=r"x\.json is damaged"), workers.pool(2, imports="textclf.errors") as pool:
        list(pool.map(refuse, range(9)))


def test_a_killed_worker_is_reported():
    with (
        pytest.raises(ResourceError, match=r"a process was killed.*--num-workers 1"),
        workers.pool(2, imports="textclf.errors") as pool,
    ):
        list(pool.map(die, range(9)))


@pytest.mark.parametrize("how", [die, die_while_answering])
def test_a_killed_worker_is_reported_while_another_works(how):
    with workers.pool(2, imports="textclf.errors") as pool:
        other = pool.submit(time.sleep, 0.5)
        with pytest.raises(ResourceError, match="a process was killed"):
            pool.submit(how, 0).result(timeout=20)
        assert other.result() is None


def where(number):
    time.sleep(0.02)
    return number, os.getpid()


def test_little_work_is_done_without_workers():
    with workers.lazy_pool(2, imports="textclf.errors") as pool:
        assert list(pool.map(double, range(3))) == [0, 2, 4]
        assert list(pool.map(where, [7])) == [(7, os.getpid())]
        assert list(pool.map(where, [])) == []


def test_a_pool_of_one_is_this_process():
    with workers.lazy_pool(1, imports="textclf.errors", alone_seconds=0) as pool:
        assert {process for _, process in pool.map(where, range(5))} == {os.getpid()}


ORPHANS = """
import os, sys, threading, time
from textclf.system import workers
if "beside" in sys.argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
if __name__ == "__main__":
    with workers.pool(2, imports="textclf.errors") as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
        [pool.submit(time.sleep, 60) for _ in range(2)]
"""


@pytest.mark.slow
@pytest.mark.parametrize("thread", ["alone", "beside"])
def test_workers_end_with_the_process_that_started_them(thread, tmp_path):
    (tmp_path / "orphans.py").write_text(ORPHANS)
    parent = subprocess.Popen([sys.executable, tmp_path / "orphans.py", thread], stdout=subprocess.PIPE, text=True)
    children = [int(child) for child in parent.stdout.readline().split()]
    assert children
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    while any(is_alive(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_workers_take_over_much_work_in_order():
    with workers.lazy_pool(2, imports="textclf.errors", alone_seconds=0.05) as pool:
        first = list(pool.map(where, range(200)))
        second = list(pool.map(where, range(20)))
    assert [number for number, _ in first] == list(range(200))
    assert [number for number, _ in second] == list(range(20))
    by = [process == os.getpid() for _, process in first]
    assert by == sorted(by, reverse=True)  # first this process, then workers
    assert by[0]
    assert not by[-1]
    assert os.getpid() not in {process for _, process in second}


@pytest.mark.slow
def test_an_error_while_workers_start_is_raised_without_a_hang():
    def refuse_the_second(number):
        return refuse(number) if number == 1 else number

    with (
        pytest.raises(ArtefactError, match="damaged"),
        workers.lazy_pool(2, imports="textclf.errors", alone_seconds=0) as pool,
    ):
        list(pool.map(refuse_the_second, range(9)))


@pytest.mark.slow
def test_workers_start_at_once_or_never_as_configured():
    with workers.lazy_pool(2, imports="textclf.errors", alone_seconds=0) as pool:
        assert os.getpid() != list(pool.map(where, range(200)))[-1][1]
    with workers.lazy_pool(2, imports="textclf.errors", alone_seconds=float("inf")) as pool:
        assert {process for _, process in pool.map(where, range(50))} == {os.getpid()}


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a copy of a process is safe on Linux alone")


def alone(code):
    """What a program writes that has one thread until it starts more."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )


COPIES = """
import os, signal, stat, time
from multiprocessing import connection
from textclf.system import workers
from textclf.errors import ArtefactError, ResourceError

known = []

def what_is_known(number):
    time.sleep(0.01)
    return number, len(known), os.getpid()

def is_deaf(_):
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    return True

def refuse():
    raise ArtefactError("x.json is damaged")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def die_while_answering():
    connection.Connection._send = lambda pipe, message: (os.write(pipe.fileno(), bytes(message)[:50]), die())
    return bytes(100)

def is_pipe(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False

def open_pipes():
    return sum(map(is_pipe, range(100)))

known.append("what this one knows")
with workers.pool(3, imports="textclf.errors") as pool:
    answers = list(pool.map(what_is_known, range(30)))
    assert [number for number, _, _ in answers] == list(range(30))
    print({count for _, count, _ in answers}, len({process for _, _, process in answers} - {os.getpid()}))
    assert all(pool.map(is_deaf, range(6)))
    print([pool.submit(open_pipes).result() for _ in range(3)])
for function in (refuse, die, die_while_answering):
    with workers.pool(2, imports="textclf.errors") as pool:
        other = pool.submit(time.sleep, 0.2)
        try:
            pool.submit(function).result(timeout=20)
        except (ArtefactError, ResourceError) as error:
            print(type(error).__name__, error)
        other.result()
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("none is left")
"""


@LINUX
def test_with_one_thread_workers_are_forked_copies():
    done = alone(COPIES)
    killed = ["ResourceError a process was killed, for want of memory perhaps; try --num-workers 1"] * 2
    refused = "ArtefactError x.json is damaged"
    assert done.stdout.splitlines() == ["{1} 3", "[1, 1, 1]", refused, *killed, "none is left"]
    assert done.stderr == ""


def test_a_daemon_starts_no_workers_and_works_alone(monkeypatch):
    assert workers.may_start()
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    assert not workers.may_start()
    assert not workers.can_fork()
    with workers.lazy_pool(2, imports="math", alone_seconds=0) as pool:
        assert list(pool.map(abs, [-1, 2])) == [1, 2]
        assert multiprocessing.active_children() == []
