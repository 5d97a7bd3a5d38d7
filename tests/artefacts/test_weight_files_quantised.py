import json
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from textclf.artefacts import loading, model_folder
from textclf.artefacts.model_folder import FORMAT_VERSION, Layout
from textclf.artefacts.weight_files import PRECISIONS, SCALES, quantise, restore
from textclf.errors import ArtefactError
from textclf.inference.classifier import Classifier, load_model
from textclf.models.model import EMBEDDING

REPEATED = settings(derandomize=True, database=None, deadline=None, max_examples=60)
SMALL = PRECISIONS[1:]
TEXTS = ["the cat sat on the mat", "bread, butter and rain", "", "unheardof", "catty", "wind " * 50]
SHARE = {"float16": 2**-10, "int8": 0.5 / 127 + 2**-9, "int4": 0.5 / 7 + 2**-9}
"""How far a number may be off, as a share of the largest of its row; a float16 scale adds a little to half a step."""


def weights_of(embedding):
    return {EMBEDDING: embedding, "outputs.0.bias": np.array([1.5, -2.25, 1 / 3], dtype=np.float32)}


@pytest.mark.parametrize("precision", SMALL)
@REPEATED
@given(
    embedding=arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 7)),
        elements=st.floats(-1000, 1000, width=32),
    )
)
def test_each_number_is_as_near_as_its_bits_allow(precision, embedding):
    restored = restore(quantise(weights_of(embedding), precision))
    assert restored.keys() == {EMBEDDING, "outputs.0.bias"}
    assert restored[EMBEDDING].dtype == np.float32
    assert restored[EMBEDDING].shape == embedding.shape
    largest = np.abs(embedding).max(axis=1, keepdims=True)
    tiny = 127 * 2**-24  # what is below float16's smallest number
    assert (np.abs(restored[EMBEDDING] - embedding) <= largest * SHARE[precision] + tiny).all()
    np.testing.assert_allclose(restored["outputs.0.bias"], [1.5, -2.25, 1 / 3], rtol=2**-11)


def test_float32_stays_as_it_is():
    weights = weights_of(np.ones((2, 3), dtype=np.float32) / 3)
    stored = quantise(weights, "float32")
    assert all(stored[name] is array for name, array in weights.items())


@pytest.mark.parametrize("width", [1, 2, 7, 8])
def test_int4_has_two_numbers_a_byte(width):
    embedding = np.arange(-7, 7, 14 / width, dtype=np.float32)[None, :width] * np.ones((5, 1), dtype=np.float32)
    stored = quantise(weights_of(embedding), "int4")
    assert stored[EMBEDDING].dtype == np.uint8
    assert stored[EMBEDDING].shape == (5, (width + 1) // 2)
    np.testing.assert_allclose(restore(stored)[EMBEDDING], np.rint(embedding), atol=0.01)


@pytest.mark.parametrize("precision", SMALL)
def test_a_row_of_zeros_stays_one(precision):
    embedding = np.array([[0, 0], [1, -1]], dtype=np.float32)
    np.testing.assert_allclose(restore(quantise(weights_of(embedding), precision))[EMBEDDING], embedding, rtol=1e-3)


@pytest.mark.parametrize("precision", SMALL)
def test_a_weight_too_large_for_float16_is_refused(precision):
    with pytest.raises(ValueError, match="too large for float16"):
        quantise(weights_of(np.full((1, 2), 1e8, dtype=np.float32)), precision)


@pytest.mark.parametrize(
    "change",
    [
        {SCALES[EMBEDDING]: np.ones(4, dtype=np.float16)},
        {SCALES[EMBEDDING]: np.ones((5, 1), dtype=np.float16)},
        {SCALES[EMBEDDING]: np.ones(5, dtype=np.int32)},
        {EMBEDDING: np.ones((5, 2), dtype=np.float32)},
        {EMBEDDING: np.ones(5, dtype=np.int8)},
        {EMBEDDING: np.array([[0x10]] * 5, dtype=np.uint8)},
    ],
    ids=["too few scales", "a matrix of scales", "whole scales", "other numbers", "no matrix", "half a byte of 0"],
)
def test_what_does_not_go_together_is_refused(change):
    stored = quantise(weights_of(np.ones((5, 2), dtype=np.float32)), "int8")
    with pytest.raises(ValueError, match="embeddings"):
        restore(stored | change)


@pytest.fixture(params=SMALL)
def precision(request):
    return request.param


@pytest.fixture
def quantised(precision, run_dir, tmp_path):
    """A whole artefact in fewer bits."""
    model_folder.save(tmp_path / "small", loading.load(run_dir / "model"), card="", precision=precision)
    return Layout(tmp_path / "small")


def test_a_quantised_artefact_is_smaller_and_predicts_with_the_rounded_weights(precision, quantised, run_dir):
    whole = loading.load(run_dir / "model")
    trained = loading.load(quantised.root)
    assert quantised.weights.stat().st_size < 0.6 * (run_dir / "model" / "model.safetensors").stat().st_size
    assert (trained.tokenizer.to_json(), trained.labels) == (whole.tokenizer.to_json(), whole.labels)
    rounded = replace(whole, weights=restore(quantise(whole.weights, precision)))
    np.testing.assert_allclose(Classifier(trained).logits(TEXTS), Classifier(rounded).logits(TEXTS), atol=2e-3)
    for field in fields(whole.inputs):
        before, after = getattr(whole.inputs, field.name), getattr(trained.inputs, field.name)
        if field.name == "vocabulary":
            assert after == before
            continue
        np.testing.assert_allclose(after, before, rtol=2**-11)
        assert getattr(after, "dtype", None) == getattr(before, "dtype", None)


def test_the_config_says_in_which_precision_the_weights_are(precision, quantised, run_dir):
    for path, expected in ((quantised.config, precision), (run_dir / "model" / "config.json", "float32")):
        config = json.loads(path.read_text())
        assert (config["format_version"], config["precision"]) == (FORMAT_VERSION, expected)


def seal(layout):
    config = json.loads(layout.config.read_text())
    sums = {path.name: zlib.crc32(path.read_bytes()) for path in (layout.weights, layout.labels, layout.tokenizer)}
    layout.config.write_text(json.dumps(config | {"crc32": sums | {"config.json": model_folder.own_checksum(config)}}))


@pytest.mark.parametrize("is_sealed", [False, True], ids=["as it is", "with new checksums"])
def test_damage_is_refused_and_never_a_number_that_is_none(is_sealed, quantised):
    whole = quantised.weights.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    places = np.random.default_rng(0).choice(np.arange(start, len(whole)), 12)
    for place in places.tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 0x7C  # the exponent of a float16
        quantised.weights.write_bytes(damaged)
        if is_sealed:
            seal(quantised)
        try:
            logits = load_model(quantised.root).logits(TEXTS)
        except ArtefactError:
            continue
        assert is_sealed
        assert np.isfinite(logits).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_scale_or_weight_that_is_no_number_is_refused(value, quantised):
    from safetensors.numpy import load_file, save_file

    whole = load_file(quantised.weights)
    for name in [name for name, array in whole.items() if array.dtype == np.float16]:
        changed = whole[name].copy()
        changed.flat[-1] = value
        save_file({**whole, name: changed}, quantised.weights)
        seal(quantised)
        with pytest.raises(ArtefactError):
            loading.load(quantised.root)


def test_fewer_rows_than_features_are_refused(quantised):
    from safetensors.numpy import load_file, save_file

    whole = load_file(quantised.weights)
    save_file({**whole, EMBEDDING: whole[EMBEDDING][1:]}, quantised.weights)
    seal(quantised)
    with pytest.raises(ArtefactError):
        loading.load(quantised.root)
