"""A model with a sentence encoder, on the disk."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.encoders import tiny
from textclf.artefacts import integrity, loading, model_folder
from textclf.artefacts.model_folder import Layout
from textclf.encoders import adding
from textclf.errors import ArtefactError, UsageError

TEXTS = ["the cat sat on the mat", "a dog barks!", "", "rain"]


@pytest.fixture
def seeing(trained, tmp_path):
    """The model of `run_dir` with a classifier of vectors that nobody has trained."""
    folder = tiny.write(tmp_path / "published" / "small")
    return replace(trained, view=tiny.view(folder, classes=len(trained.labels)))


@pytest.fixture
def saved(seeing, tmp_path):
    model_folder.save(tmp_path / "model", seeing, card="")
    return tmp_path / "model"


def raw(model):
    return model.raw_logits(*model.read(TEXTS))


def test_its_logits_are_a_weighted_sum(seeing):
    tokens, lengths, vectors = seeing.read(TEXTS)
    hidden = np.maximum(
        vectors.astype(float) @ seeing.view.weights["hidden.weight"].T + seeing.view.weights["hidden.bias"], 0
    )
    own = hidden @ seeing.view.weights["output.weight"].T + seeing.view.weights["output.bias"]
    expected = 0.75 * seeing.own_logits(tokens, lengths) + 0.25 * own
    np.testing.assert_allclose(seeing.raw_logits(tokens, lengths, vectors), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="needs the vectors"):
        seeing.raw_logits(tokens, lengths)


def test_it_comes_back_as_it_was_with_its_encoder(seeing, saved):
    assert sorted(path.name for path in (saved / "encoder").iterdir()) == [
        "LICENSE",
        "encoder.json",
        "vocab.txt",
        "weights.safetensors",
    ]
    loaded = loading.load(saved)
    assert loaded.view.encoder.hash == seeing.view.encoder.hash
    assert (loaded.view.share, loaded.view.is_bundled) == (0.25, True)
    np.testing.assert_array_equal(raw(loaded), raw(seeing))
    assert list(integrity.of_model(saved)) == []
    assert model_folder.size(seeing) > model_folder.size(replace(seeing, view=None)) + 1000


def test_smaller_weights_leave_the_encoder_as_it_is(seeing, tmp_path):
    model_folder.save(tmp_path / "half", seeing, card="", precision="float16")
    loaded = loading.load(tmp_path / "half")
    assert loaded.view.encoder.hash == seeing.view.encoder.hash
    np.testing.assert_allclose(raw(loaded), raw(seeing), atol=0.05)


@pytest.mark.parametrize("name", ["encoder.json", "vocab.txt", "weights.safetensors"])
def test_a_damaged_or_missing_file_of_the_encoder_is_found(name, saved):
    path = saved / "encoder" / name
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(ArtefactError, match=r"the model in .* is damaged .*; train it again: textclf train$"):
        loading.load(saved)
    assert [(found.path, found.what) for found in integrity.of_model(saved)] == [(path, integrity.DAMAGED)]
    path.unlink()
    with pytest.raises(ArtefactError, match="is damaged"):
        loading.load(saved)
    assert [(found.path, found.what) for found in integrity.of_model(saved)] == [(path, integrity.MISSING)]


def test_a_file_beside_the_encoder_is_unexpected(saved):
    (saved / "encoder" / "more").write_text("")
    assert [found.what for found in integrity.of_model(saved)] == [integrity.UNEXPECTED]


@pytest.mark.parametrize("change", [{"share": 0}, {"share": 1.5}, {"hash": "0" * 64}, {"is_bundled": False}], ids=str)
def test_a_record_that_does_not_fit_is_damage(change, saved):
    config = json.loads((saved / "config.json").read_text())
    config["encoder"] |= change
    config["crc32"]["config.json"] = model_folder.own_checksum(config)
    (saved / "config.json").write_text(json.dumps(config))
    if "is_bundled" in change:  # it is there all the same
        assert loading.load(saved).view is not None
        return
    with pytest.raises(ArtefactError, match="is damaged"):
        loading.load(saved)


def test_weights_of_another_shape_are_damage(seeing, tmp_path):
    wrong = {**seeing.view.weights, "hidden.bias": np.zeros(4, dtype=np.float32)}
    model_folder.save(tmp_path / "model", replace(seeing, view=replace(seeing.view, weights=wrong)), card="")
    with pytest.raises(ArtefactError, match="is damaged"):
        loading.load(tmp_path / "model")


def test_without_a_copy_the_encoder_of_the_user_is_found_by_its_hash(seeing, tmp_path):
    adding.add(str(tmp_path / "published" / "small"), name="mine")
    seeing = replace(seeing, view=replace(seeing.view, is_bundled=False))
    model_folder.save(tmp_path / "model", seeing, card="")
    assert not (tmp_path / "model" / "encoder").exists()
    np.testing.assert_array_equal(raw(loading.load(tmp_path / "model")), raw(seeing))
    held = loading.hold(tmp_path / "model")
    shutil.rmtree(os.environ["TEXTCLF_ENCODERS"])
    with pytest.raises(
        UsageError, match=r"with the encoder small \(\w{12}\), which is not in .*textclf encoder add small$"
    ):
        loading.load(tmp_path / "model")
    np.testing.assert_array_equal(raw(loading.restored(held, tmp_path / "model")), raw(seeing))  # on another machine


def test_a_bundled_encoder_is_sent_along(seeing, saved):
    held = loading.hold(saved)
    shutil.rmtree(saved)
    np.testing.assert_array_equal(raw(loading.restored(held, saved)), raw(seeing))


def test_it_can_be_taken_into_memory(seeing, saved):
    view = loading.load(saved).view.in_memory()
    shutil.rmtree(saved)
    np.testing.assert_array_equal(view.logits(view.read(TEXTS)), seeing.view.logits(seeing.view.read(TEXTS)))
    assert all(isinstance(content, bytes) for content in view.encoder.files.values())


def test_an_older_format_is_refused_with_the_way_out(saved):
    config = json.loads(Layout(saved).config.read_text())
    Layout(saved).config.write_text(json.dumps(config | {"format_version": 10}))
    with pytest.raises(ArtefactError, match="has format 10, and this textclf reads format 12; train the model again"):
        loading.load(Path(saved))
