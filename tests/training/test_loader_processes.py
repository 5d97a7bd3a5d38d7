import multiprocessing
import os
import signal
import sys
import time
from threading import Thread

import pytest
import torch
from torch.utils.data import DataLoader

from textclf.training import loader_processes
from textclf.training.loader_processes import Watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks processes")


@pytest.fixture
def process():
    """A process that does nothing."""
    made = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    made.start()
    yield made
    made.kill()
    made.join()


@pytest.fixture
def watch(process):
    before = signal.getsignal(signal.SIGCHLD)
    made = Watch()
    made.begin()
    made.processes = [process]
    yield made
    made.end()
    assert signal.getsignal(signal.SIGCHLD) == before


def kill(process):
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_a_death_is_reported_only_where_it_is_waited_for(watch, process):
    with watch.waiting():
        pass
    kill(process)
    steps = sum(range(100_000))  # any line of the main thread
    assert steps
    with pytest.raises(RuntimeError, match=rf"^process {process.pid} was killed by SIGKILL$"), watch.waiting():
        pytest.fail("it waits")


def test_a_death_while_waiting_is_reported_at_once(watch, process):
    started = time.monotonic()

    def wait():
        with watch.waiting():
            Thread(target=process.kill).start()
            time.sleep(60)

    with pytest.raises(RuntimeError, match="was killed by SIGKILL"):
        wait()
    assert time.monotonic() - started < 30


def test_a_process_that_ends_by_itself_is_reported_with_its_code():
    made = multiprocessing.get_context("fork").Process(target=os._exit, args=(3,))
    watch = Watch()
    made.start()
    watch.processes = [made]
    made.join()
    with pytest.raises(RuntimeError, match="ended with exit code 3"), watch.waiting():
        pass
    watch.end()


def test_another_error_stays_what_it_is(watch):
    with pytest.raises(ValueError, match="as a bug would"), watch.naming_dead():
        raise ValueError("as a bug would")


def test_an_error_that_a_death_has_caused_names_the_death(watch, process):
    def fail():
        with watch.naming_dead():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # so that it is not noticed by itself
            kill(process)
            raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")

    with pytest.raises(RuntimeError, match="was killed by SIGKILL"):
        fail()


def test_in_another_thread_a_death_is_reported_when_it_is_next_waited_for(process):
    found = []

    def work():
        watch = Watch()
        watch.begin()
        watch.processes = [process]
        kill(process)
        try:
            with watch.waiting():
                found.append("waits")
        except RuntimeError as error:
            found.append(str(error))
        watch.end()

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert found == [f"process {process.pid} was killed by SIGKILL"]


def take(lock):
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def test_ending_them_waits_for_no_lock_that_a_killed_one_holds():
    loader = DataLoader(torch.arange(8), num_workers=2, persistent_workers=True, multiprocessing_context="fork")
    iterator = iter(loader)
    next(iterator)
    lock = iterator._workers_done_event._cond._lock
    holder = multiprocessing.get_context("fork").Process(target=take, args=(lock,))
    holder.start()
    holder.join()
    started = time.monotonic()
    loader_processes.end(iterator)
    assert time.monotonic() - started < 30
    assert not any(process.is_alive() for process in iterator._workers)
    iterator._shutdown_workers()  # what torch does when the iterator is dropped: nothing, by now


def test_a_death_is_not_raised_in_what_torch_does_besides_waiting():
    """It catches any exception in some of it, and logs it with a traceback."""
    loader = DataLoader(torch.arange(8), num_workers=1, persistent_workers=True, multiprocessing_context="fork")
    watch = Watch()
    watch.begin()
    iterator = iter(loader)
    watch.watch(iterator)
    assert next(iterator) == 0
    kill(iterator._workers[0])
    assert sum(range(100_000))
    with pytest.raises(RuntimeError, match="was killed by SIGKILL"), watch.naming_dead():
        list(iterator)
    loader_processes.end(iterator)
    watch.end()
