import itertools
import os
import subprocess
import sys

import pytest

from textclf.artefacts import runs
from textclf.errors import UsageError
from textclf.inference import parallel
from textclf.inference.classifier import BATCH, MOST_CHARACTERS, Classifier, batched, load_model

WORDS = ["cat", "dog", "bread", "butter", "rain", "wind", "catty", "unheardof", "猫", ""]


@pytest.fixture
def model(run_dir):
    return runs.RunLayout(run_dir).model


def texts(count):
    return [" ".join(WORDS[(number * step) % len(WORDS)] for step in range(number % 7)) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 20 * BATCH + 3])
def test_several_processes_answer_as_one_does(count, model):
    classifier = load_model(model)
    expected = classifier.predict(texts(count), top_k=2)
    for workers, alone_seconds in ((1, 0), (2, 0), (3, 0), (2, 60)):
        batches = parallel.predict(
            load_model(model), model, texts(count), top_k=2, num_workers=workers, alone_seconds=alone_seconds
        )
        assert list(itertools.chain.from_iterable(batches)) == expected


COPIES = """
import multiprocessing, sys
from itertools import chain
from pathlib import Path
from textclf.inference import classifier, parallel

model = Path(sys.argv[1])
texts = [f"the cat{number % 3} and number{number % 7}" for number in range(3000)]
loaded = classifier.load_model(model)
expected = loaded.predict(texts, top_k=2)
classifier.loading.load = None  # a copy has no need to
batches = parallel.predict(loaded, model, texts, top_k=2, num_workers=3, alone_seconds=0)
answers = [next(batches), next(batches)]
print(len(multiprocessing.active_children()))
assert list(chain(*answers, *batches)) == expected
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a copy of a process is safe on Linux alone")
def test_forked_copies_use_the_model_that_is_already_loaded(model):
    command = [sys.executable, "-W", "error", "-c", COPIES, str(model)]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    assert subprocess.run(command, env=alone, capture_output=True, text=True, check=True).stdout == "2\n"


def test_only_a_large_file_has_other_processes_started_at_once(model, tmp_path):
    classifier, given = load_model(model), {"top_k": 1, "num_workers": 2}
    small, large = tmp_path / "small", tmp_path / "large"
    for path, size in ((small, 1), (large, parallel.LARGE_FILE)):
        path.touch()
        os.truncate(path, size)
    for file, seconds in ((None, 0.5), (small, 0.5), (tmp_path, 0.5), (large, 0)):
        assert (
            parallel.predictor(classifier, model, files=[file] if file else [], **given).keywords["alone_seconds"]
            == seconds
        )


def test_few_texts_are_read_ahead(model):
    read = []
    endless = (read.append(text) or text for text in itertools.cycle(texts(100)))
    answered = 0
    batches = parallel.predict(load_model(model), model, endless, top_k=1, num_workers=2, alone_seconds=0)
    for batch in itertools.islice(batches, 100):
        answered += len(batch)
        assert len(read) - answered <= (2 * parallel.FINISHED_CHUNKS + 1) * parallel.CHUNK * BATCH
    batches.close()


def test_a_few_texts_start_no_process(model, monkeypatch):
    monkeypatch.setattr("textclf.system.workers.pool", None)
    batches = parallel.predict(load_model(model), model, texts(200), top_k=1, num_workers=2, alone_seconds=60)
    assert sum(map(len, batches)) == 200


def test_an_error_comes_out_once_those_before_it_are_answered(model):
    def failing():
        yield from texts(10 * BATCH)
        raise UsageError("no more")

    batches = parallel.predict(load_model(model), model, failing(), top_k=1, num_workers=2, alone_seconds=0)
    assert len(next(batches)) == BATCH
    with pytest.raises(UsageError, match="no more"):
        list(batches)


def test_a_batch_is_cut_where_texts_are_long():
    long = "x" * (MOST_CHARACTERS // 3 + 1)
    assert [len(batch) for batch in batched([long] * 7)] == [3, 3, 1]
    assert [len(batch) for batch in batched(["x"] * (2 * BATCH + 1))] == [BATCH, BATCH, 1]
    assert list(batched([])) == []


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_several_processes_give_the_same_labels_by_the_same_thresholds(threshold, several_run):
    folder = runs.RunLayout(several_run).model
    learned = load_model(folder)
    classifier = learned if threshold is None else Classifier(learned.trained.with_threshold(threshold))
    expected = classifier.predict(texts(10 * BATCH + 3), top_k=2)
    assert expected != learned.predict(texts(10 * BATCH + 3), top_k=2) or threshold is None
    batches = parallel.predict(classifier, folder, texts(10 * BATCH + 3), top_k=2, num_workers=2, alone_seconds=0)
    assert list(itertools.chain.from_iterable(batches)) == expected
