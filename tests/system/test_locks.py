import os
import signal
import subprocess
import sys
from threading import Event, Thread

import pytest

from textclf.system import locks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no locks of folders")

HOLDER = """
import os, sys, time
from pathlib import Path
from textclf.system import locks

with locks.holding(Path(sys.argv[1])) as is_held:
    there, here = os.pipe()
    copy = os.fork() if "fork" in sys.argv else 0
    if copy == 0 and "fork" in sys.argv:
        os.write(here, b"started")
        time.sleep(60)
    if copy:
        os.read(there, 7)
    print(is_held, copy, flush=True)
    time.sleep(60)
"""


def holder(folder, *how):
    """A process that holds the lock of a folder, and the number of its copy, if it has one."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder, *how], stdout=subprocess.PIPE, text=True)
    is_held, copy = process.stdout.readline().split()
    assert is_held == "True"
    return process, int(copy)


def test_a_lock_is_held_by_one_and_is_free_after_it(tmp_path):
    for _ in range(2):
        assert not locks.is_held(tmp_path)
        with locks.holding(tmp_path) as ours:
            assert ours is True
            assert locks.is_held(tmp_path)
            with locks.holding(tmp_path) as again:
                assert again is False
            assert locks.is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_by_one_thread(tmp_path):
    found = []

    def hold():
        with locks.holding(tmp_path) as ours:
            found.append(ours)

    with locks.holding(tmp_path):
        thread = Thread(target=hold)
        thread.start()
        thread.join()
    assert found == [False]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_ends_with_its_process_and_no_copy_of_it_keeps_it(number, tmp_path):
    process, copy = holder(tmp_path, "fork")
    assert locks.is_held(tmp_path)
    os.kill(process.pid, number)
    process.wait()
    process.stdout.close()  # which does not end, as the copy shares it
    try:
        os.kill(copy, 0)  # it is still there
        assert not locks.is_held(tmp_path)
        with locks.holding(tmp_path) as ours:
            assert ours is True
    finally:
        os.kill(copy, signal.SIGKILL)


def test_a_copy_that_ends_leaves_the_lock_to_its_owner(tmp_path):
    process, copy = holder(tmp_path, "fork")
    os.kill(copy, signal.SIGKILL)
    assert locks.is_held(tmp_path)
    process.kill()
    process.communicate()


def test_looking_does_not_refuse_the_lock_to_anybody(tmp_path):
    is_over = []

    def look():
        while not is_over:
            locks.is_held(tmp_path)

    thread = Thread(target=look)
    thread.start()
    for _ in range(50):
        with locks.holding(tmp_path) as ours:
            assert ours is True
    is_over.append(True)
    thread.join()


def test_a_folder_that_is_renamed_stays_locked(tmp_path):
    (tmp_path / "one").mkdir()
    with locks.holding(tmp_path / "one"):
        (tmp_path / "one").rename(tmp_path / "two")
        assert locks.is_held(tmp_path / "two")


def test_what_is_not_there_is_not_held(tmp_path):
    assert not locks.is_held(tmp_path / "gone")
    with pytest.raises(FileNotFoundError), locks.holding(tmp_path / "gone"):
        pass


def test_what_was_replaced_meanwhile_is_not_held(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    usual = locks._lock

    def replace_first(number):
        (tmp_path / "one").rename(tmp_path / "two")
        (tmp_path / "one").mkdir()
        return usual(number)

    monkeypatch.setattr(locks, "_lock", replace_first)
    with pytest.raises(FileNotFoundError), locks.holding(tmp_path / "one"):
        pass


def test_a_file_system_without_locks_is_told_apart(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError("not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locks.holding(tmp_path) as ours:
        assert ours is None
    assert not locks.is_held(tmp_path)


def test_threads_take_turns_and_a_forked_copy_starts_without_them():
    order, first_is_in, first_may_go = [], Event(), Event()

    def first():
        with locks.one_thread("work"), locks.one_thread("work"):  # the same thread may enter again
            first_is_in.set()
            first_may_go.wait(30)
            order.append("first")

    def second():
        with locks.one_thread("work"):
            order.append("second")

    threads = [Thread(target=first), Thread(target=second)]
    threads[0].start()
    assert first_is_in.wait(30)
    threads[1].start()
    with locks.one_thread("other work"):
        assert order == []
    if copy := os.fork():
        assert os.waitpid(copy, 0)[1] == 0
    else:
        with locks.one_thread("work"):
            os._exit(0)
    first_may_go.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second"]
