import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.training.helpers import Shown, Stopped, history, only_run, read, resume, same, train
from textclf.errors import InterruptedRunError, TerminatedRunError


@pytest.fixture
def start(data_dir, tmp_path):
    """Starts `textclf train` for ever, and returns it once its first epoch is over."""
    started = []

    def begin(*options):
        sizes = ["--hidden-size=8", "--batch-size=8", "--tier=full", "--device=cpu", "--no-refit"]
        for_ever = ["--epochs=1000000", "--patience=1000000", f"--run-dir={tmp_path / 'runs'}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "textclf", "train", f"--data={data_dir}", *for_ever, *sizes, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as a terminal gives it
        )
        started.append(process)
        shown = []
        for line in process.stderr:
            if line.split()[:1] == ["1"]:
                return process
            shown.append(line)
        raise AssertionError(f"it ended with {process.wait()}: {''.join(shown)}")

    yield begin
    for process in started:
        if group_is_alive(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def group_is_alive(process):
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, InterruptedRunError), (signal.SIGTERM, TerminatedRunError)]
)
def test_a_signal_stops_before_the_next_step_and_the_message_says_how_to_resume(number, error, settings):
    class Signalled(Shown):
        def watch(self, batches, meter):
            for batch in super().watch(batches, meter):
                if self.steps == 9:  # the third step of the second epoch
                    signal.raise_signal(number)
                yield batch

    straight = train(settings(epochs=3))
    handlers = {sent: signal.getsignal(sent) for sent in (signal.SIGINT, signal.SIGTERM)}
    display = Signalled()
    with pytest.raises(error) as caught:
        train(settings(epochs=3), display=display)
    assert str(caught.value) == f"stopped; resume it: textclf train --resume {display.run.root}"
    assert {sent: signal.getsignal(sent) for sent in handlers} == handlers
    assert display.steps == 9
    assert [epoch["number"] for epoch in history(display.run)] == [1]
    assert same(resume(display.run), straight)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "send", "workers", "code"),
    [
        pytest.param(signal.SIGINT, os.kill, 0, 130, marks=pytest.mark.long),
        (signal.SIGTERM, os.kill, 2, 143),
        (signal.SIGINT, os.killpg, 2, 130),  # as Ctrl-C does: to the workers as well
        # as a container or a job scheduler does
        pytest.param(signal.SIGTERM, os.killpg, 2, 143, marks=pytest.mark.long),
    ],
    ids=["Ctrl-C", "SIGTERM to the parent", "Ctrl-C to all", "SIGTERM to all"],
)
@pytest.mark.usefixtures("as_in_another_process")
def test_a_signal_ends_with_its_exit_code_and_the_command_that_resumes(number, send, workers, code, start, settings):
    process = start(f"--num-workers={workers}")
    send(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    stopped = only_run(settings().run_dir)
    assert (process.returncode, stdout) == (code, "")
    *epochs, last = stderr.splitlines()
    assert last == f"textclf: stopped; resume it: textclf train --resume {stopped.root}"
    assert all(line.split()[0].isdecimal() for line in epochs)
    deadline = time.monotonic() + 30
    while group_is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not group_is_alive(process)  # no worker is left

    finish = len(history(stopped)) + 1
    record = read(stopped.config)
    stopped.config.write_text(json.dumps(record | {"settings": record["settings"] | {"epochs": finish}}))
    resumed = resume(stopped)
    straight = train(settings(epochs=finish, patience=1_000_000))
    assert same(resumed, straight)


@pytest.mark.slow
@pytest.mark.parametrize("last", [1, 2, None])
def test_a_run_leaves_no_worker_behind(last, settings):
    """Not even one that fails: workers left to the garbage collector may freeze the program for ten seconds."""
    before = set(multiprocessing.active_children())
    display = Shown(stop_after_epoch=last)
    try:
        train(settings(num_workers=2, epochs=3), display=display)
    except Stopped:
        assert not set(multiprocessing.active_children()) - before
    assert len(display.epochs) == (last or 3)
    assert not set(multiprocessing.active_children()) - before


FAILS_WITH_WORKERS = """
from textclf.config import TrainConfig
from textclf.training import train
from textclf.training.display import Display

class Fails(Display):
    def epoch(self, epoch):
        raise RuntimeError("as a bug would")

if __name__ == "__main__":
    train(TrainConfig.create(tier="full", num_workers=2, device="cpu", data={data!r}), display=Fails())
"""


@pytest.mark.slow
def test_a_run_that_fails_with_workers_ends(data_dir):
    """At its end Python sends SIGTERM to the workers that are left, and then waits for them, however long it takes."""
    code = FAILS_WITH_WORKERS.format(data=str(data_dir))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: as a bug would\n")
