from dataclasses import replace

import pytest

from textclf.artefacts import runs
from textclf.dataset.data_report import read_report
from textclf.evaluation import facts
from textclf.evaluation.evaluate import score
from textclf.evaluation.predictions import predict

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


@mlp
def test_notes_say_what_the_figures_are_worth(run_dir):
    evaluation = replace(score(predict(run_dir, split="validation")), seen=True)
    by_itself, trained, odd = facts.notes(evaluation, {"warnings": ["it learned nothing"]}, asked=None)
    assert by_itself.startswith("The run was trained with --no-test: these are figures of validation")
    assert (trained, odd) == ("The model was also trained on these documents.", "it learned nothing")
    assert list(facts.notes(replace(evaluation, seen=False), {}, asked="validation")) == []


@mlp
def test_data_facts_are_those_of_the_manifest_and_its_report(run_dir):
    found, figures = predict(run_dir, split="test"), runs.read_json(runs.RunLayout(run_dir).metrics)
    shown = dict(facts.data_facts(found, read_report(found.data.layout.report), figures))
    assert shown["Source"] == found.data.manifest.source
    assert shown["Classes"] == "3"
    assert shown["Train"].startswith("48 documents; ")
    assert "unknown" not in shown["Train"]
    assert "% of them unknown" in shown["Test"]
    assert shown["Tier"] == "full: trained on 48 documents"


@mlp
def test_run_facts_are_those_of_the_run(run_dir):
    layout = runs.RunLayout(run_dir)
    figures = {**runs.read_json(layout.metrics), "refit": {"epochs": 2}}
    shown = dict(facts.run_facts(layout, figures))
    assert shown["Epochs"] == f"2, the best is {figures['best_epoch']}; then 2 more epochs on train and validation"
    assert shown["Time"].startswith(f"{figures['seconds']['total']:.1f} s in all")
    assert shown["Versions"].startswith("textclf ")
    assert layout.root.name[-16:-8] == shown["Started"][:10].replace("-", "")
