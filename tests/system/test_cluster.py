"""Tasks of Ray: their order, their errors, and what is said when a worker dies or a node cannot run them.

Ray is started in processes of its own, and connected to from another: this one stays without threads.
"""

import itertools
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from textclf.errors import DataError, ResourceError, UsageError
from textclf.system import cluster, requirements

held = ExitStack()
"""What the process that is connected holds until it ends."""


def connect(address):
    held.connected = held.enter_context(cluster.connected(address))


def results_of(function, items, most=None, version=None):
    """The first thirty results of tasks, and how many items had been read by then."""
    if version:
        cluster.__version__ = version
    held.connected._most = most
    read, before = [], []
    found = []
    for result in held.connected.map(function, (read.append(item) or item for item in items)):
        found.append(result)
        before.append(len(read))
        if len(found) == 30:
            break
    return found, before


def handlers():
    return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.fixture(scope="module")
def driver(ray_nodes):
    """A process that is connected to the cluster."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=connect, initargs=(ray_nodes.address,)) as process:
        yield process


@pytest.fixture
def mapped(driver):
    """The results of a function, from tasks."""
    return lambda *given, **more: driver.submit(results_of, *given, **more).result(timeout=60)


def double(number):
    time.sleep(0.3 if number == 0 else 0)
    return 2 * number


def refuse(path):
    raise DataError(f"{path}:3: no label")


def fail(number):
    raise KeyError(number)


def fill(path):
    raise OSError(28, "No space left on device", str(path))


def die_once(folder, number):
    """Be killed the first time that a number is doubled."""
    try:
        (folder / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return 2 * number
    return die(number)


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def folder(_):
    return Path.cwd()


def thread_counts(_):
    return os.environ.get("OMP_NUM_THREADS")


class Unknown:
    """What a node cannot make again from what is sent."""

    def __reduce__(self):
        return (made_here, ())


def made_here():
    if "ray._private.workers.default_worker" in sys.modules or "default_worker" in sys.argv[0]:
        raise ImportError("no module of that name")
    return Unknown()


@pytest.mark.slow
def test_results_are_in_order_and_few_tasks_wait(mapped):
    found, before = mapped(double, itertools.count(), 3)
    assert found == [2 * number for number in range(30)]
    assert all(later <= place + cluster.AHEAD * 3 for place, later in enumerate(before))
    assert mapped(double, []) == ([], [])


@pytest.mark.slow
def test_an_error_comes_back_as_it_was_raised(mapped):
    with pytest.raises(DataError, match=r"^rows.csv:3: no label$"):
        mapped(refuse, [Path("rows.csv")])
    with pytest.raises(ResourceError, match=r"^no space left to write out/x; free some"):
        mapped(fill, [Path("out/x")])
    with pytest.raises(KeyError) as bug:
        mapped(fail, [7])
    assert "in fail" in "".join(bug.value.__notes__)


@pytest.mark.slow
def test_a_task_whose_worker_is_killed_runs_again(mapped, tmp_path):
    assert mapped(partial(die_once, tmp_path), [3])[0] == [6]
    with pytest.raises(ResourceError, match=r"^part-7: its worker or its node died 4 times; the same command resumes$"):
        mapped(die, ["part-7"])


@pytest.mark.slow
def test_a_task_is_in_the_folder_of_the_command(mapped, driver):
    assert mapped(folder, [0])[0] == [driver.submit(folder, 0).result()]
    assert mapped(thread_counts, [0])[0] == ["1"]
    assert driver.submit(handlers).result()


@pytest.mark.slow
def test_a_node_that_cannot_run_textclf_is_named(mapped):
    with pytest.raises(
        UsageError, match=r"^a node cannot run textclf \(.*no module of that name\); install textclf [\d.]+ there, as"
    ):
        mapped(partial(double, Unknown()), [1])
    with pytest.raises(UsageError, match=r"^textclf is [\d.]+, not 9.9 as where the command runs; install that$"):
        mapped(double, [1], version="9.9")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://127.0.0.1:10001", "give auto, or HOST:PORT"),
        ("127.0.0.1", "give auto, or HOST:PORT"),
        ("127.0.0.1:1", "^cannot connect to Ray at 127.0.0.1:1: Connection refused$"),
        ("127.0.0.1:99999", "^cannot connect to Ray at 127.0.0.1:99999: "),
    ],
)
def test_a_wrong_address_is_one_line(address, words):
    with pytest.raises(UsageError, match=words), cluster.connected(address):
        pass


class NoRay:
    """Ray that does not start."""

    def __init__(self, error):
        self._error = error

    def init(self, **_):
        raise self._error


@pytest.mark.parametrize(
    ("address", "error", "kind", "words"),
    [
        ("auto", ConnectionError("none"), UsageError, r"^no Ray cluster runs on this machine: start one \(ray start"),
        ("h:1", RuntimeError("Version\nRay: 2.9"), UsageError, "^cannot connect to Ray at h:1: Ray: 2.9$"),
        (None, RuntimeError("no socket"), ResourceError, "^Ray cannot be started: no socket$"),
        (None, OSError(28, "No space left on device"), ResourceError, "^no space left to write a file of Ray"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(address, error, kind, words):
    with pytest.raises(kind, match=words):
        cluster._connect(NoRay(error), address, processors=1)


def test_without_ray_the_command_to_install_it_is_named(monkeypatch):
    monkeypatch.setattr(requirements, "is_installed", lambda _: False)
    message = r"^--engine ray needs ray, which is not installed: pip install ray$"
    with pytest.raises(UsageError, match=message), cluster.connected():
        pass
