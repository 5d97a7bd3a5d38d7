"""A fit learns what the commands learn, leaves nothing behind, and stops at a signal."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
import torch
from click.testing import CliRunner

import textclf
from tests.conftest import invoke
from tests.encoders import tiny
from tests.estimator.conftest import QUICK, SMALL
from textclf import TextClassifier


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
    of_run = TextClassifier.load(run)
    assert of_run.predict(corpus.texts).tolist() == found.predict(corpus.texts).tolist()
    assert of_run.get_params() == TextClassifier(seed=3).get_params()
    assert of_run.metrics_["validation"] == found.metrics_["validation"]


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
    found = [TextClassifier(**QUICK) for _ in range(2)]
    threads = [Thread(target=each.fit, args=corpus) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = TextClassifier(**QUICK).fit(*corpus)
    for each in found:
        assert (each.predict_proba(corpus.texts) == alone.predict_proba(corpus.texts)).all()


def test_progress_is_shown_if_it_is_wanted(corpus, capfd):
    TextClassifier(**QUICK, verbose=True).fit(*corpus)
    out, shown = capfd.readouterr()
    assert out == ""
    assert "trained: 100%" in shown
    assert "validation accuracy" in shown


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_a_fit_and_leaves_nothing(corpus, temporary_files, number, error):
    found = TextClassifier(**SMALL, epochs=100_000, patience=100_000)

    def stop():
        while not list(temporary_files.glob("*/runs/*/history.jsonl")):
            sleep(0.01)
        os.kill(os.getpid(), number)

    def raise_error(*_):
        raise error

    before = signal.signal(number, raise_error)
    try:
        thread = Thread(target=stop)
        thread.start()
        with pytest.raises(error):
            found.fit(*corpus)
        thread.join()
        assert signal.getsignal(number) == raise_error
    finally:
        signal.signal(number, before)
    assert not any(temporary_files.iterdir())
    assert not hasattr(found, "classes_")


STOPPED = """
from sklearn.model_selection import GridSearchCV
from textclf import TextClassifier
texts = [f"{word} number{place}" for place in range(20) for word in ("rain", "bread")]
search = GridSearchCV(TextClassifier(epochs=100_000, patience=100_000), {"seed": [0, 1, 2, 3]}, n_jobs=2, cv=2)
search.fit(texts, ["weather", "food"] * 20)
"""


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for a group of processes")
@pytest.mark.parametrize("signalled", [os.kill, os.killpg])
def test_ctrl_c_in_a_search_with_two_processes_leaves_nothing(temporary_files, signalled):
    with subprocess.Popen([sys.executable, "-c", STOPPED], start_new_session=True, stderr=subprocess.PIPE) as search:
        while len(list(temporary_files.glob("*/runs/*/history.jsonl"))) < 2:
            assert search.poll() is None
            sleep(0.01)
        signalled(search.pid, signal.SIGINT)
        assert b"KeyboardInterrupt" in search.communicate()[1]
    assert not list(temporary_files.glob("textclf*"))


def test_a_sentence_encoder_is_learned_from_and_goes_into_a_pickle(corpus, tmp_path):
    folder = tiny.write(tmp_path / "published" / "small")
    fitted = TextClassifier(**QUICK, encoder=str(folder)).fit(*corpus)
    assert fitted.metrics_["encoder"]["name"] == "small"
    shutil.rmtree(folder)
    for again in (pickle.loads(pickle.dumps(fitted)), TextClassifier.load(fitted.save("saved"))):
        assert (again.predict_proba(corpus.texts) == fitted.predict_proba(corpus.texts)).all()
        assert again.get_params() == fitted.get_params()
    fitted.save("saved")  # over an earlier one
    assert invoke(CliRunner(), "predict", "--run", "saved", "rain").exit_code == 0


def test_unlabelled_texts_are_learned_from_and_go_into_a_pickle(corpus, tmp_path):
    pool = tmp_path / "pool.txt"
    pool.write_text("snow and wind over the hills\nthe goal decided the match\nsnow with wind again\n")
    fitted = TextClassifier(**QUICK, unlabelled=pool).fit(*corpus)
    assert fitted.metrics_["encoder"]["kind"] == "words"
    pool.unlink()
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.predict_proba(corpus.texts) == fitted.predict_proba(corpus.texts)).all()
