"""The folder of a search: what it holds is read back as it was written, and refused in one line if it is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from textclf.artefacts import runs
from textclf.config import TuneConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, ResourceError, UsageError
from textclf.experiments import tune_folder
from textclf.system import locks


@pytest.fixture
def folder(data_dir):
    config = TuneConfig(data=str(data_dir), model="my_model.py:MyModel", trials=3, metric="f1:food", seed=7)
    return tune_folder.create(config, DataDirectory.open(data_dir), hashes={"encoder": "1a", "vectors": None})


def test_it_is_named_after_what_is_searched_and_is_no_run(folder):
    assert folder.root.parent == Path("runs")
    assert folder.root.name.startswith("tune-tiny_corpus-mid-my_model-py-MyModel-20")
    assert not runs.is_run(folder.root)
    assert runs.home(Path("runs")).newest_first() == []


def test_the_settings_are_read_back(folder, data_dir):
    config, data = tune_folder.started_with(folder.root)
    assert (config.trials, config.metric, config.seed, config.model) == (3, "f1:food", 7, "my_model.py:MyModel")
    assert (config.data, config.run_dir) == (str(data_dir), Path("runs"))
    assert data.layout.root == data_dir
    longer = tune_folder.with_limits(config, time=60.0, trials=None)
    assert (longer.time, longer.trials) == (60.0, None)
    assert tune_folder.with_limits(config, time=None, trials=None) == config


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda record: record.update(format_version=9), ArtefactError, "has format 9, and this version reads 2"),
        (lambda record: record["settings"].update(folds=1), ArtefactError, "is damaged"),
        (lambda record: record.pop("data"), ArtefactError, "is damaged"),
        (lambda record: record["data"].update(fingerprint="other"), UsageError, "data"),
    ],
)
def test_other_settings_are_refused(folder, change, error, said):
    record = json.loads(folder.settings.read_text())
    change(record)
    folder.settings.write_text(json.dumps(record))
    with pytest.raises(error, match=said):
        tune_folder.started_with(folder.root)


def test_other_vectors_than_it_began_with_are_refused(folder):
    tune_folder.refuse_other_vectors(folder, {"encoder": "1a", "vectors": None})
    for hashes in ({"encoder": "2b", "vectors": None}, {"encoder": "1a", "vectors": "3c"}):
        with pytest.raises(UsageError, match=r"changed since runs/tune-\S+ began; put the first ones there again"):
            tune_folder.refuse_other_vectors(folder, hashes)


def test_what_is_no_search_is_refused(folder):
    with pytest.raises(UsageError, match="no search nowhere; start one: textclf tune"):
        tune_folder.started_with(Path("nowhere"))
    folder.settings.unlink()
    with pytest.raises(UsageError, match=r"has no tune\.json: it is no search"):
        tune_folder.started_with(folder.root)


def test_one_process_has_it_at_a_time(folder):
    with (
        locks.holding(folder.root),
        pytest.raises(ResourceError, match="another textclf is searching in"),
        tune_folder.held(folder),
    ):
        pass


def test_a_line_that_was_not_finished_is_cut_off(folder):
    tune_folder.mend_journal(folder)  # there is none yet
    for content in (b"", b'{"a": 1}\n', b'{"a": 1}\n{"b"'):
        folder.journal.write_bytes(content)
        tune_folder.mend_journal(folder)
        assert folder.journal.read_bytes() == content[: content.rfind(b"\n") + 1]


def test_logits_are_read_back_or_refused(folder):
    logits = np.arange(6, dtype=np.float32).reshape(2, 3)
    folder.trial(4).mkdir(parents=True)
    tune_folder.write_logits(folder, 4, logits)
    np.testing.assert_array_equal(tune_folder.read_logits(folder, 4, shape=(2, 3)), logits)
    with pytest.raises(ArtefactError, match=r"0004/logits\.npy is damaged"):
        tune_folder.read_logits(folder, 4, shape=(3, 3))
    folder.logits(4).write_bytes(b"damaged")
    with pytest.raises(ArtefactError, match=r"logits\.npy is damaged"):
        tune_folder.read_logits(folder, 4, shape=(2, 3))
    folder.logits(4).unlink()
    with pytest.raises(ArtefactError, match=r"logits\.npy is damaged"):
        tune_folder.read_logits(folder, 4, shape=(2, 3))


def test_runs_are_remembered_by_a_plain_name_alone(folder):
    assert tune_folder.read_runs(folder) == {}
    tune_folder.remember_run(folder, "defaults", runs.RunLayout(Path("runs/one")))
    tune_folder.remember_run(folder, "tuned", runs.RunLayout(Path("runs/two")))
    assert tune_folder.read_runs(folder) == {"defaults": "one", "tuned": "two"}
    folder.runs.write_text('{"defaults": "../elsewhere", "tuned": 3}')
    assert tune_folder.read_runs(folder) == {}
    folder.runs.write_text("{")
    assert tune_folder.read_runs(folder) == {}
