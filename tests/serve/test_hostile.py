"""Honest clients beside hostile ones of every kind, as `tests.serve.hostile` describes them."""

import re
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.serve import hostile
from tests.serve.conftest import Running, serving

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from textclf.artefacts import loading, model_folder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux")]

DEAF = {"page": 800, "no_body": 128}
"""Clients that never read, and bodies that never come."""
ALL = {
    "page": 250,
    "answers": 250,
    "labels": 100,
    "no_body": 128,
    "part_of_body": 50,
    "slow_body": 50,
    "slow_head": 50,
    "silent": 50,
    "half_closed": 50,
    "half_a_request": 50,
}
FEW = {name: max(count // 5, 10) for name, count in ALL.items()}
CLASSES = 5000


@pytest.fixture(scope="module")
def many_classes(mlp_run, tmp_path_factory):
    """A model with so many classes that answers can be long."""
    path = tmp_path_factory.mktemp("many") / "model"
    model = loading.load(mlp_run / "model")
    weights = {
        name: np.resize(array, (CLASSES, *array.shape[1:])) if name.startswith("outputs") else array
        for name, array in model.weights.items()
        if not name.startswith("linear")
    }
    labels = [f"class number {number}" for number in range(CLASSES)]
    model_folder.save(path, replace(model, weights=weights, labels=labels), card="")
    return path


def memory(running: Running) -> int:
    """Bytes of the server and its workers; what they share counts once."""
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    rollups = [Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8") for each in (pid, *children)]
    return sum(1024 * int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0]) for rollup in rollups)


def most_memory(running: Running, stop: threading.Event) -> list[int]:
    """The largest number of bytes until it is stopped, kept up to date in a list."""
    most = [memory(running)]

    def watch() -> None:
        while not stop.wait(0.2):
            most[0] = max(most[0], memory(running))

    threading.Thread(target=watch, daemon=True).start()
    return most


@pytest.mark.parametrize(
    ("attackers", "seconds", "workers"),
    [
        (FEW, 5, "1"),
        *(
            pytest.param(attackers, seconds, workers, marks=pytest.mark.long)
            for attackers, seconds in ((DEAF, 120), (ALL, 600))
            for workers in "12"
        ),
    ],
)
def test_honest_clients_are_answered_while_hostile_ones_attack(attackers, seconds, workers, many_classes):
    stop = threading.Event()
    with serving("--run", str(many_classes), "--num-workers", workers) as running:
        most = most_memory(running, stop)
        with hostile.attacking(running.port, attackers, seconds + 10):
            time.sleep(1)
            seen = hostile.honest(running.port, seconds)
            stop.set()
            running.process.send_signal(signal.SIGTERM)  # with all of them connected
            assert running.process.wait(timeout=30) == 0
        out, log = running.process.communicate()
    print(f"{workers} workers, {attackers}: {seen}, {most[0] / 1e6:.0f} MB")
    assert seen.failures == []
    assert seen.requests > 2 * seconds  # on a busy machine
    assert (out, log) == ("", "")
    assert most[0] < 200e6
    if seconds >= 120:
        assert seen.p99 < 0.25


def test_a_client_that_reads_slowly_gets_all_of_its_answer(many_classes):
    with serving("--run", str(many_classes)) as running, running.connect() as connection:
        connection.sendall(hostile.post(hostile.LARGE))
        answer = b""
        while not answer.endswith(b"false}]}"):
            time.sleep(0.02)
            piece = connection.recv(8192)
            assert piece
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.count(b'"probability"') == 10 * 1001
