import json

import pytest
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from tests.conftest import small_config
from tests.training.helpers import read_events
from textclf import training


def content(events, tag):
    return plugin_data_pb2.HParamsPluginData.FromString(events.SummaryMetadata(tag).plugin_data.content)


def columns(events):
    """The names of settings by the names that sort them, those that are shown, and the tags of figures by name."""
    experiment = content(events, "_hparams_/experiment").experiment
    names = {info.name: info.display_name for info in experiment.hparam_infos}
    shown = [names[info.name] for info in experiment.hparam_infos if info.differs]
    return names, shown, {info.display_name: info.name.tag for info in experiment.metric_infos}


def test_the_run_is_a_row_of_the_hparams_table(events, finished):
    names, shown, figures = columns(events)
    assert list(figures) == [
        f"{split} {name}" for split in ("test", "best") for name in ("Accuracy", "Macro-F1", "Loss")
    ]
    assert set(figures.values()) <= set(events.Tags()["scalars"])
    assert sorted(names) == list(names)  # TensorBoard sorts them
    assert shown == list(names.values())[:5] == ["model", "tier", "seed", "lr", "batch_size"]
    start = content(events, "_hparams_/session_start_info").session_start_info.hparams
    row = {names[name]: value for name, value in start.items()}
    settings = json.loads(finished.config.read_text())["settings"]
    assert {"data", "run_dir", "device"}.isdisjoint(names.values())
    assert set(row) == {name for name in names.values() if settings[name] not in (None, [])}
    assert (row["lr"].number_value, row["model"].string_value) == (settings["lr"], settings["model"])
    assert row["seed"].string_value == str(settings["seed"])
    assert content(events, "_hparams_/session_end_info").session_end_info.status == api_pb2.STATUS_SUCCESS


def test_all_runs_have_the_same_columns_as_tensorboard_takes_those_of_one(events, data_dir, tmp_path):
    run = training.train(small_config("cnn", data_dir, tmp_path, epochs=1, test=False, dropout=0.25))
    untested = read_events(run.root)
    assert columns(untested) == columns(events)
    assert "Loss/test" not in untested.Tags()["scalars"]
    assert untested.Tags()["images"] == []
    best = untested.Scalars("Macro-F1/best")[-1].value
    assert best == pytest.approx(json.loads(run.metrics.read_text())["validation"]["macro_f1"])
