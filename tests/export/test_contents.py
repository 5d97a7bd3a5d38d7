import json
from pathlib import Path

import pytest

from textclf.artefacts import loading
from textclf.export import contents
from textclf.export.contents import Candidate, Exported, Figures
from textclf.export.finished_run import FinishedRun

BEFORE = Figures("float32", 90, 5_000_000, accuracy=0.75, macro_f1=0.5, micro_f1=0.75, loss=0.25)
AFTER = BEFORE._replace(precision="int8", size=1_234_567, accuracy=0.5, micro_f1=0.5)


@pytest.fixture
def run(run_dir):
    return FinishedRun.open(run_dir)


@pytest.fixture
def exported(run):
    return Exported(Path("out"), "safetensors", run.name, "test", 6, BEFORE, AFTER, agreement=0.5, drop=25.0)


def test_the_summary_has_everything_but_where_the_export_was_written(exported):
    summary = exported.summary()
    assert summary.keys() == set(Exported._fields) - {"output"}
    assert summary["after"]["size"] == 1_234_567
    assert json.loads(json.dumps(summary)) == summary


def test_no_size_is_in_the_summary_of_the_artefact(exported):
    summary = exported.summary_without_sizes()
    assert summary["before"].keys() == summary["after"].keys() == set(Figures._fields) - {"size"}
    assert exported.summary()["before"]["size"] == 5_000_000


def test_the_files_of_the_run_say_what_it_was_made_from(run, exported):
    files = contents.run_files(run, run.metrics, exported)
    assert json.loads(files["config.json"]) == {**run.config, "exported": run.name}
    assert json.loads(files["metrics.json"]) == {**run.metrics, "exported": exported.summary()}
    assert files["history.jsonl"] == run.layout.history.read_bytes()
    assert contents.total(files) == sum(map(len, files.values()))


def test_the_artefact_says_how_it_was_exported_and_its_card_how_large_it_is(run, exported, tmp_path):
    for name, content in contents.model_files(run, Candidate(run.trained, "int8"), run.metrics, exported).items():
        (tmp_path / name).write_bytes(content)
    trained = loading.load(tmp_path)
    assert trained.trained["exported"] == exported.summary_without_sizes()
    assert trained.trained["test"] == run.metrics["test"]
    assert "about 1,235 of 5,000 kB" in (tmp_path / "README.md").read_text()


def test_a_figure_is_of_one_split(run):
    figures = Figures.of(Candidate(run.trained, "int4"), run.metrics["test"], size=7)
    assert figures.accuracy == run.metrics["test"]["accuracy"]
    assert figures.features == len(run.trained.weights["embedding.weight"])
    assert (figures.precision, figures.size) == ("int4", 7)
