"""The Python API in threads and processes: the same data and the same weights as one after the other."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

import textclf
from textclf.errors import ResourceError
from textclf.system import locks

SETTINGS = {"tier": "full", "epochs": 2, "hidden_size": 8, "device": "cpu"}


def weights(run: textclf.Run) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def in_threads(*work):
    with ThreadPoolExecutor(len(work)) as pool:
        return [each.result() for each in [pool.submit(function) for function in work]]


def test_training_in_two_threads_gives_the_weights_of_one_after_the_other(data_dir):
    train = partial(textclf.train, data_dir, **SETTINGS)
    expected = [weights(train(run_dir=f"alone{seed}", seed=seed)) for seed in (0, 1)]
    runs = in_threads(*(partial(train, run_dir="together", seed=seed) for seed in (0, 1)))
    assert [weights(run) for run in runs] == expected
    assert expected[0] != expected[1]


def test_a_model_predicts_while_another_is_trained(data_dir, wordless_run):
    model = textclf.load_model(wordless_run)
    expected = model.predict(["rain and wind", "the cat sat"])
    training = Thread(target=partial(textclf.train, data_dir, **SETTINGS))
    training.start()
    found = [model.predict(["rain and wind", "the cat sat"])]
    while training.is_alive():
        found.append(model.predict(["rain and wind", "the cat sat"]))
    training.join()
    assert all(each == expected for each in found)
    assert textclf.Run("runs/latest").is_finished


def test_a_run_that_one_thread_trains_is_not_resumed_by_another(data_dir):
    run = textclf.train(data_dir, **SETTINGS)
    (run / "metrics.json").unlink()
    with locks.holding(run.path), pytest.raises(ResourceError, match="another textclf is training"):
        in_threads(partial(textclf.resume, run))
    assert in_threads(partial(textclf.resume, run), partial(textclf.resume, run)) == [run, run]
    assert run.is_finished


def test_preprocessing_in_two_threads_gives_the_data_of_one_after_the_other(corpus_csv):
    work = [partial(textclf.preprocess, corpus_csv, name=f"seed{seed}", seed=seed) for seed in (0, 1)]
    expected = [function(data_dir="alone") for function in work]
    found = in_threads(*(partial(function, data_dir="together") for function in work))
    assert list(map(files_of, found)) == list(map(files_of, expected))


def files_of(data: textclf.Data) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.path.rglob("*") if path.is_file()}


IN_A_POOL = """
import multiprocessing, os, sys
import textclf

def train(seed):
    data = textclf.preprocess(sys.argv[1], name=f"made{seed}", num_workers=2)
    run = textclf.train(data, tier="full", epochs=1, hidden_size=8, device="cpu", seed=seed, num_workers=1)
    return run.load().predict("rain and wind")[0].label

if __name__ == "__main__":
    before = train(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(train, [0, 1])[0] == before
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_worker_of_a_pool_trains_though_its_parent_did_and_it_may_start_no_process(corpus_csv):
    Path("pool.py").write_text(IN_A_POOL)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "pool.py", str(corpus_csv)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
