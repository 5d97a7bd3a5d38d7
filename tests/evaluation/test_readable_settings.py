from dataclasses import fields

import pytest

from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.evaluation.readable_settings import FOLDERS, WORDINGS, settings_of

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


def shown(run, **others):
    layout = runs.RunLayout(run)
    data = DataDirectory.open(runs.data_of(layout).path)
    found = settings_of({**runs.read_json(layout.config)["settings"], **others}, data)
    return {setting.option: setting for setting in found}


def test_every_setting_has_a_wording():
    assert {field.name for field in fields(TrainConfig)} == {*WORDINGS, *FOLDERS, "user_model"}


def test_settings_are_those_that_were_given_and_the_defaults_of_this_data(run_dir):
    settings = shown(run_dir)
    assert settings["--tier"] == ("Tier", "--tier", "full", "mid", False)
    assert (settings["--hidden-size"].value, settings["--hidden-size"].is_default) == ("8", False)
    assert settings["--epochs"] == ("Maximum epochs", "--epochs", "2", "30", False)
    assert settings["--batch-size"].value == "8 documents"
    assert settings["--patience"] == ("Patience", "--patience", "2 epochs", "", True)
    assert settings["--seed"].is_default
    assert not {"--data", "--data-dir", "--run-dir"} & set(settings)


@mlp
def test_nothing_reads_like_python(run_dir):
    settings = shown(run_dir, lr=0.0078000000000000005)
    assert settings["--lr"].value == "0.0078"
    assert settings["--refit"].value == "if the best epoch is 4 or later"
    assert settings["--test"].value == "yes"
    assert settings["--num-workers"].value == "automatic"
    assert "--embedding-size" not in settings  # which the mlp does not have
    assert not {setting.value for setting in settings.values()} & {"None", "True", "False", ""}


@mlp
def test_a_setting_of_another_version_is_shown_as_it_is(run_dir):
    assert shown(run_dir, warm_up=3)["--warm-up"] == ("Warm up", "--warm-up", "3", "", False)


def test_a_model_of_the_user_has_settings_without_defaults(user_run):
    settings = shown(user_run)
    assert settings["--model"].value == "MyModel"
    assert not any(setting.is_default or setting.default for setting in settings.values())
