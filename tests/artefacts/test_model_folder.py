import json
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest

from textclf.artefacts import loading, model_folder, runs
from textclf.artefacts.model_folder import FORMAT_VERSION, Layout
from textclf.errors import ResourceError
from textclf.inference.classifier import Classifier, load_model
from textclf.sources import Columns
from textclf.system import files

TEXTS = ["the cat sat on the mat", "bread, butter and rain", "", "unheardof", "catty", "wind " * 50]
FILES = ["config.json", "labels.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def model(run_dir, tmp_path):
    """A copy of an artefact, elsewhere, to be damaged."""
    return Layout(shutil.copytree(runs.RunLayout(run_dir).model, tmp_path / "elsewhere"))


def test_an_artefact_has_exactly_these_files(model):
    assert sorted(path.name for path in model.root.iterdir()) == ["README.md", *FILES]


def test_no_file_holds_code(model):
    for name in FILES:
        content = (model.root / name).read_bytes()
        assert b"torch" not in content.replace(b'"torch": "', b"")  # the version that it was trained with
        assert not content.startswith((b"\x80", b"PK"))
    json.loads(model.config.read_text())
    json.loads(model.labels.read_text())
    json.loads(model.tokenizer.read_text())


def test_what_is_saved_is_loaded(model, tmp_path):
    first = loading.load(model.root)
    model_folder.save(tmp_path / "again", first, card="# A card\n")
    again = loading.load(tmp_path / "again")
    assert (again.model, again.labels, again.trained) == (first.model, first.labels, first.trained)
    assert again.temperature == first.temperature
    assert again.tokenizer.to_json() == first.tokenizer.to_json()
    assert again.weights.keys() == first.weights.keys()
    for name, array in first.weights.items():
        assert again.weights[name].dtype == array.dtype
        np.testing.assert_array_equal(again.weights[name], array)
    for field in fields(first.inputs):
        np.testing.assert_array_equal(getattr(again.inputs, field.name), getattr(first.inputs, field.name))
    np.testing.assert_array_equal(Classifier(again).logits(TEXTS), Classifier(first).logits(TEXTS))
    assert (tmp_path / "again" / "README.md").read_text() == "# A card\n"


def test_saving_over_an_artefact_replaces_it(model):
    first = loading.load(model.root)
    bias = next(name for name in first.weights if name.startswith("output") and name.endswith("bias"))
    first.weights[bias][:] = 2
    model_folder.save(model.root, replace(first, temperature=1.75), card="")
    again = loading.load(model.root)
    assert (again.weights[bias] == 2).all()
    assert again.temperature == 1.75


def test_a_copy_predicts_without_its_run(model, run_dir):
    assert load_model(model.root).predict(TEXTS, top_k=3) == load_model(run_dir).predict(TEXTS, top_k=3)


def test_the_config_says_what_the_model_is(model, run_dir):
    config = json.loads(model.config.read_text())
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert config["format_version"] == FORMAT_VERSION
    assert (config["model"], config["temperature"]) == (metrics["model"], metrics["temperature"])
    assert config["trained"]["test"] == metrics["test"]
    assert loading.load(model.root).columns == Columns(("text",), "label", None, (), ",", '"', "utf-8")


def test_labels_may_be_in_any_script(model):
    names = ["Zürich", "猫", 'a,b\n"c"']
    model_folder.save(model.root, replace(loading.load(model.root), labels=names), card="")
    assert loading.load(model.root).labels == names
    assert {score.label for score in load_model(model.root).predict("cat", top_k=3)[0].top} == set(names)


def test_an_artefact_that_is_half_written_is_none(model, tmp_path, monkeypatch):
    """The config is written last, so a folder without it counts as unfinished."""

    written = []
    real = files.write_bytes
    monkeypatch.setattr(
        files, "write_bytes", lambda path, content, **_: written.append(path.name) or real(path, content)
    )
    model_folder.save(tmp_path / "made", loading.load(model.root), card="")
    assert sorted(written) == ["README.md", *FILES]
    assert written[-1] == "config.json"


def test_a_full_disk_is_named(model, tmp_path, request):
    first = loading.load(model.root)
    request.getfixturevalue("full_disk")
    with pytest.raises(ResourceError, match="no space left to write"):
        model_folder.save(tmp_path / "made", first, card="")
    assert list((tmp_path / "made").iterdir()) == []
