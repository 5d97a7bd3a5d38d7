"""One model in threads, forked and spawned processes and an event loop: the same answers as one after the other."""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import TEXTS
from textclf.inference.classifier import Classifier, load_model
from textclf.inference.explain import Explanation, explain

THREADS = 8

WORDS = [word for texts in TEXTS.values() for text in texts for word in text.split()]


def texts_of(worker: int) -> list[str]:
    """Sixty texts of this worker: known and unknown words, other scripts, none at all.

    They are long enough that the threads turn to the table for many texts while others are at work.
    """
    odd = ["", "zzz qqq", "où ça, ë", "日本語の文", "\N{SNOWMAN} rain"]
    return [f"{WORDS[(7 * worker + number) % len(WORDS)]} {odd[number % 5]} x{worker} " * 30 for number in range(60)]


def answers(model: Classifier, worker: int) -> list[object]:
    """All that a model says of the texts of a worker, in batches of several sizes and one by one."""
    texts = texts_of(worker)
    alone = [model.predict(text, top_k=2) for text in texts[:5]]
    return [model.predict(texts), list(model.stream(texts[:40], top_k=3)), alone, model.logits(texts).tobytes()]


def together(*work):
    """Call functions in threads that start at the same moment; returns their results."""
    start = threading.Barrier(len(work))

    def call(function):
        start.wait(60)
        return function()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(call, work))


def one_by_one(path: Path) -> list[object]:
    model = load_model(path)
    return [answers(model, worker) for worker in range(THREADS)]


def test_threads_that_share_a_model_get_the_answers_of_one_after_the_other(run_dir):
    expected = one_by_one(run_dir)
    for _ in range(3):  # each time a model whose tables are not made yet
        ask = partial(answers, load_model(run_dir))
        assert together(*(partial(ask, worker) for worker in range(THREADS))) == expected


def explanations(model: Classifier, worker: int) -> list[Explanation]:
    return [explain(model.trained, text, "food") for text in texts_of(worker)[:3]]


def test_threads_explain_as_one_after_the_other(run_dir):
    expected = [explanations(load_model(run_dir), worker) for worker in range(THREADS)]
    ask = partial(explanations, load_model(run_dir))
    assert together(*(partial(ask, worker) for worker in range(THREADS))) == expected


def test_two_models_in_one_process_do_not_mix(run_dir, wordless_run):
    paths = [run_dir, wordless_run] * (THREADS // 2)
    expected = [answers(load_model(path), worker) for worker, path in enumerate(paths)]
    models = {path: load_model(path) for path in paths}
    assert together(*(partial(answers, models[path], worker) for worker, path in enumerate(paths))) == expected


def test_an_event_loop_predicts_in_its_threads(run_dir):
    expected = one_by_one(run_dir)
    model = load_model(run_dir)

    async def ask():
        return await asyncio.gather(*(asyncio.to_thread(answers, model, worker) for worker in range(THREADS)))

    assert asyncio.run(ask()) == expected


PROCESSES = """
import multiprocessing, sys
from pathlib import Path
from tests.inference.test_concurrency import answers
from textclf.inference.classifier import load_model

def of_path(path, worker):
    return answers(load_model(path), worker)

def of_shared(_path, worker):
    return answers(shared, worker)

if __name__ == "__main__":
    path = Path(sys.argv[1])
    method, work = ("fork", of_shared) if sys.argv[2] == "fork" else ("spawn", of_path)
    shared = load_model(path)
    expected = [answers(shared, worker) for worker in range(4)] if "used" in sys.argv else None
    with multiprocessing.get_context(method).Pool(4) as pool:
        found = pool.starmap(work, [(path, worker) for worker in range(4)], chunksize=1)
    assert found == [answers(shared, worker) for worker in range(4)]
    assert expected in (None, found)
"""


def run_in_processes(path: Path, *how: str) -> None:
    Path("processes.py").write_text(PROCESSES)
    done = subprocess.run(
        [sys.executable, "processes.py", str(path), *how],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("how", [("fork",), ("fork", "used"), ("spawn",)], ids="-".join)
def test_processes_get_the_answers_of_one_after_the_other(how, wordless_run):
    run_in_processes(wordless_run, *how)
