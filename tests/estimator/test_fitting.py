"""A fit learns what the commands learn, leaves nothing behind, and stops at a signal."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from threading import Thread

import pytest
import torch

import textclf
from tests.conftest import invoke
from tests.estimator.conftest import QUICK, SMALL
from textclf import TextClassifier
from textclf.estimator import fitting


def test_it_answers_as_the_command_line_does_with_the_same_documents_and_seed(corpus_csv, runner, corpus):
    invoke(runner, "preprocess", corpus_csv, "--test", corpus_csv, "--name", "x", "--seed", 3)
    options = ["--hidden-size=8", "--batch-size=8", "--epochs=30", "--device=cpu", "--seed=3"]
    invoke(runner, "train", "--data=x", "--tier=full", *options)
    found = TextClassifier(**SMALL, seed=3).fit(*corpus)
    (run,) = Path("runs").glob("x-*")
    answers = textclf.load_model(run).predict(corpus.texts, top_k=3)
    assert found.predict(corpus.texts).tolist() == [answer.label for answer in answers]
    assert [sorted(row, reverse=True) for row in found.predict_proba(corpus.texts).tolist()] == [
        [score.probability for score in answer.top] for answer in answers
    ]
    weights = (run / "model/model.safetensors").read_bytes()
    assert found.save("saved").joinpath("model.safetensors").read_bytes() == weights
    assert found.metrics_["validation"] == textclf.estimator.TextClassifier.load(run).metrics_["validation"]


def test_a_fit_leaves_random_numbers_files_and_output_alone(corpus, capfd, temporary_files):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    TextClassifier(**QUICK).fit(*corpus)
    assert torch.rand(1) == expected
    assert capfd.readouterr() == ("", "")
    assert not any(temporary_files.iterdir())
    assert [path.name for path in Path().iterdir()] == [temporary_files.name]


def test_threads_train_one_after_the_other_and_find_the_same(corpus):
    found = [TextClassifier(**QUICK, seed=seed) for seed in (0, 1, 0)]
    threads = [Thread(target=each.fit, args=corpus) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    of_threads = [each.predict_proba(corpus.texts) for each in found]
    assert (of_threads[0] == of_threads[2]).all()
    assert (of_threads[0] != of_threads[1]).any()
    alone = TextClassifier(**QUICK).fit(*corpus)
    assert (of_threads[0] == alone.predict_proba(corpus.texts)).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_copy_of_a_process_that_is_training_can_train():
    with fitting._training:
        copy = multiprocessing.get_context("fork").Process(target=_train_here)
        copy.start()
        copy.join()
    assert copy.exitcode == 0


def _train_here():
    sys.exit(not fitting._training.acquire(blocking=False))


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_a_fit_and_leaves_nothing(corpus, temporary_files, number, error):
    found = TextClassifier(**SMALL, epochs=100_000, patience=100_000)

    def stop():
        while not list(temporary_files.glob("*/runs/*/history.jsonl")):
            pass
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    thread = Thread(target=stop)
    thread.start()
    with pytest.raises(error):
        found.fit(*corpus)
    thread.join()
    assert signal.getsignal(number) == before
    assert not any(temporary_files.iterdir())
    assert not hasattr(found, "classes_")
