from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import small_config
from textclf.dataset.directory import DataDirectory
from textclf.errors import DataError
from textclf.models import MODELS
from textclf.models.bag_mlp.feature_cache import FeatureCache
from textclf.models.model import Examples
from textclf.training import prepared
from textclf.training.prepared import prepare


@pytest.fixture
def data(data_dir):
    return DataDirectory.open(data_dir)


@pytest.fixture(params=sorted(MODELS))
def config(request, data_dir, tmp_path):
    return small_config(request.param, data_dir, tmp_path)


def test_the_inputs_are_those_that_an_artefact_keeps(config, data):
    assert type(prepare(config, data).inputs) is MODELS[config.model].runtime().features


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_quick_inputs_make_the_same_batches(config, data, batch, monkeypatch):
    monkeypatch.setattr(prepared, "BATCH", batch)
    ready = prepare(config, data)
    assert isinstance(ready.training_inputs, FeatureCache) is (config.model == "mlp")
    for part in ready.parts.values():
        examples = Examples(*ready.tokens.gather(part.rows), part.labels, part.rows)
        collate = MODELS[config.model].architecture().collate
        batches = (collate(examples, inputs=inputs) for inputs in (ready.training_inputs, ready.inputs))
        for one, other in zip(*batches, strict=True):
            assert one.dtype == other.dtype
            assert one.tolist() == other.tolist()


def test_what_is_read_many_times_is_counted_before_training_and_nothing_else(data, data_dir, tmp_path):
    ready = prepare(small_config("mlp", data_dir, tmp_path), data)
    for name in ("train", "validation"):
        assert ready.training_inputs.has(ready.parts[name].rows)
    rows = ready.parts["test"].rows
    ready.training_inputs(*ready.tokens.gather(rows), rows)
    assert not any(ready.training_inputs.has(rows[place : place + 1]) for place in range(len(rows)))


def test_nothing_is_kept_without_room_for_it(data, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "BATCH", 5)
    monkeypatch.setitem(FeatureCache.fit.__func__.__kwdefaults__, "limit", 0)
    ready = prepare(small_config("mlp", data_dir, tmp_path), data)
    rows = ready.parts["train"].rows
    assert not ready.training_inputs.has(rows)
    features, _, _ = ready.training_inputs(*ready.tokens.gather(rows), rows)
    np.testing.assert_array_equal(features, ready.inputs(*ready.tokens.gather(rows)).features)


def test_a_split_without_any_known_label_is_bad_data(config, data):
    label = data.documents.label.copy()
    label[data.rows("validation")] = "unseen"
    with pytest.raises(DataError, match="no validation document has a label that a training document has"):
        prepare(config, replace(data, documents=replace(data.documents, label=label)))
