"""Preprocess killed or stopped at any moment, and run again: the same files as if nothing had happened."""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textclf.system import folders

pytestmark = pytest.mark.slow

FEW = pytest.param(3, id="3")
MANY = pytest.param(50, id="50", marks=pytest.mark.long)
WORDS = [f"word{number}" for number in range(3_000)]
DOCUMENTS = 2_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Large enough for other processes to be started."""
    path = tmp_path_factory.mktemp("corpus") / "films.csv"
    draw = random.Random(0)
    rows = (f"{' '.join(draw.choices(WORDS, k=320))},{draw.choice('abc')}\n" for _ in range(DOCUMENTS))
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """What an uninterrupted run makes, its seconds, and its seconds once it works."""
    folder = tmp_path_factory.mktemp("whole")
    launch = time.perf_counter()
    process = run(corpus, folder)
    started(process)
    start = time.perf_counter()
    done = process.communicate(timeout=120)
    end = time.perf_counter()
    assert digest(folder), done
    return digest(folder), end - launch, end - start


def run(corpus, folder):
    command = [sys.executable, "-m", "textclf", "preprocess", str(corpus), "--data-dir", str(folder / "data")]
    return subprocess.Popen(
        [*command, "--num-workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=folder,
    )


def finish(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def digest(folder):
    """Of all that is in data/, hidden or not; empty if there is none."""
    data, sha = folder / "data", hashlib.sha256()
    for path in sorted(data.rglob("*")):
        sha.update(f"{path.relative_to(data)}\n".encode())
        sha.update(path.read_bytes() if path.is_file() else b"")
    return sha.hexdigest() if data.exists() else ""


def tensors_left(folder):
    try:
        return sum(1 for path in (folder / "data").glob(".films.*/tensors/*/*.pt"))
    except FileNotFoundError:  # it has just become the data directory
        return 0


def wait_for_tensors(process, folder, count=1):
    while process.poll() is None and tensors_left(folder) < count:
        time.sleep(0.005)


def members(session):
    """Processes of a session that are not dead."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, _group, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


def no_child_is_left(session, seconds=30.0):
    end = time.perf_counter() + seconds
    while members(session) and time.perf_counter() < end:
        time.sleep(0.02)
    left = members(session)
    kill_all(left)
    return not left


def kill_all(numbers):
    """Some may have ended by themselves, perhaps because of those that were killed before them."""
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def moments(count, seconds, *, first=0.0, seed=0):
    """Spread over the time of a run, one drawn from each equal part of it."""
    draw = random.Random(seed)
    return [first + (place + draw.random()) / count * (seconds - first) for place in range(count)]


def started(process):
    """Wait until the command has begun to work, so that the signal meets it and not the start of Python."""
    data = Path(process.args[process.args.index("--data-dir") + 1])
    while process.poll() is None and not data.exists():
        time.sleep(0.005)


@pytest.mark.parametrize("count", [FEW, MANY])
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(corpus, whole, tmp_path, count):
    expected, seconds, _ = whole
    left = []
    for number, moment in enumerate(moments(count, seconds)):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = run(corpus, folder)
        if number % 3 == 2:  # however slow the machine is, some of them among the tensors
            wait_for_tensors(process, folder, count=1 + number * DOCUMENTS // 100)
        else:
            time.sleep(moment)
        if number % 2:
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert no_child_is_left(process.pid)
        is_begun = any(folder.glob("data/.films.*/begun.json"))  # and not killed on the last steps, when all is there
        left.append(tensors_left(folder) if is_begun else 0)
        again = run(corpus, folder)
        _, errors = again.communicate(timeout=120)
        assert (again.returncode, "Traceback" in errors) == (0, False), errors
        assert digest(folder) == expected, moment
        if left[-1]:
            assert f"{left[-1]:,} of {DOCUMENTS:,} tensors are there" in errors
    print("tensors left by each run that was killed:", left)
    assert any(left)


@pytest.mark.parametrize("count", [pytest.param(2, id="2"), pytest.param(20, id="20", marks=pytest.mark.long)])
def test_stopped_at_any_moment_it_says_so_in_a_line_and_goes_on(corpus, whole, tmp_path, count):
    expected, _, seconds = whole
    codes = []
    for number, moment in enumerate(moments(count, 0.8 * seconds, seed=1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = run(corpus, folder)
        started(process)
        time.sleep(moment)
        which, code = ((signal.SIGINT, 130), (signal.SIGTERM, 143))[number % 2]
        with contextlib.suppress(ProcessLookupError):
            (os.kill if number // 2 % 2 else os.killpg)(process.pid, which)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == (0 if output else code), errors  # 0: when all was done and said
        codes.append(process.returncode)
        if not output:
            assert "stopped; the same command resumes" in errors
            assert len(errors.splitlines()) <= 3, errors
        assert "Traceback" not in errors
        assert no_child_is_left(process.pid)
        finish(run(corpus, folder))
        assert digest(folder) == expected, moment
    print("exit codes:", codes)
    assert sum(code > 0 for code in codes) >= count // 2  # the others had ended before


def test_a_worker_that_is_killed_is_an_error_in_one_line(corpus, tmp_path):
    head, _, rows = corpus.read_text(encoding="utf-8").partition("\n")
    larger = tmp_path / "films.csv"  # so that there is work left for them
    larger.write_text(f"{head}\n{4 * rows}", encoding="utf-8")
    process = run(larger, tmp_path)
    while not any(ticks > 5 for ticks in workers(process.pid).values()):  # until they are at work; see LazyPool
        assert process.poll() is None
        time.sleep(0.005)
    kill_all(workers(process.pid))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 5, errors
    assert errors.splitlines() == [
        "textclf: a process was killed, for want of memory perhaps; try --num-workers 1",
    ]
    assert no_child_is_left(process.pid)


def workers(session):
    """The copies of the program, with the hundredths of a second for which they have worked."""
    ticks = {}
    for number in members(session):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == session:
                ticks[number] = int(fields[11])
    return ticks


def test_two_at_once_do_not_meet(corpus, whole, tmp_path):
    first = run(corpus, tmp_path)
    wait_for_tensors(first, tmp_path)
    os.killpg(first.pid, signal.SIGSTOP)  # or it might have ended before the second has begun
    second = run(corpus, tmp_path)
    _, errors = second.communicate(timeout=60)
    os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode == 5
    assert errors == (f"textclf: another textclf is making {tmp_path}/data/films just now; wait until it has ended\n")
    first.communicate(timeout=120)
    assert (first.returncode, digest(tmp_path)) == (0, whole[0])


def test_tensors_that_are_whole_stay_and_those_that_are_damaged_are_written_again(corpus, whole, tmp_path):
    process = run(corpus, tmp_path)
    wait_for_tensors(process, tmp_path, 10)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    before = {path.name: path for path in sorted((tmp_path / "data").glob(".films.*/tensors/*/*.pt"))}
    whole_ones = {name: path.stat().st_mtime_ns for name, path in before.items() if path.stat().st_size}
    damaged = sorted(whole_ones)[:3]
    before[damaged[0]].write_bytes(b"")
    before[damaged[1]].write_bytes(before[damaged[1]].read_bytes()[:-1])
    content = bytearray(before[damaged[2]].read_bytes())
    content[len(content) // 2] ^= 1
    before[damaged[2]].write_bytes(content)
    finish(run(corpus, tmp_path))
    assert digest(tmp_path) == whole[0]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "data").glob("films/tensors/*/*.pt")}
    again = [name for name, moment in whole_ones.items() if after[name] != moment]
    assert set(damaged) <= set(again)
    assert len(again) <= len(damaged) + 2  # one that each process was at work on when it was killed


def test_a_swap_that_was_killed_in_the_middle_is_undone(tmp_path):
    (tmp_path / ".films.12.old.tmp").mkdir()
    with pytest.raises(OSError, match="broken"), folders.replacing(tmp_path / "films"):
        raise OSError("broken")
    assert [path.name for path in tmp_path.iterdir()] == ["films"]
