import json
from dataclasses import replace

import numpy as np
import pytest

from textclf.artefacts.model_folder import FORMAT_VERSION
from textclf.errors import ArtefactError
from textclf.export import onnx
from textclf.export.contents import FORMS
from textclf.export.onnx import Feeder

TEXTS = ["the cat sat on the mat number3", "bread with butter and jam", "", "unheardof catty", "wind " * 50, "a dog"]


@pytest.fixture
def folder(trained, tmp_path):
    """What stands beside a graph."""
    for name, content in onnx.contents(trained, precision="float16").items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "tokenizer.json").write_text(json.dumps(trained.tokenizer.to_json()))
    return tmp_path


def test_a_graph_is_fed_what_the_model_reads(folder, trained):
    fed = Feeder(folder)(TEXTS)
    ids = [trained.tokenizer.encode(text) for text in TEXTS]
    expected = trained.inputs(np.concatenate(ids), np.array([len(run) for run in ids]))._asdict()
    assert fed.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(fed[name], array, rtol=1e-3)  # rarity is in float16
        assert fed[name].dtype == array.dtype


@pytest.mark.parametrize(("precision", "difference"), [("float32", 1e-5), ("float16", 1e-3)])
def test_texts_fed_to_the_files_have_the_logits_of_the_model(precision, difference, trained, tmp_path):
    """As a program has them that knows only the folder; rarity and weights are rounded in float16 alone."""
    onnxruntime = pytest.importorskip("onnxruntime")
    random = np.random.default_rng(0)
    weights = {name: random.normal(0, 1, array.shape).astype(np.float32) for name, array in trained.weights.items()}
    wild = replace(trained, weights=weights)
    for name, content in FORMS["onnx"].files(wild, card="", precision=precision).items():
        (tmp_path / name).write_bytes(content)
    texts = [*TEXTS, *(" ".join(random.choice(trained.tokenizer.words[2:], size)) for size in range(1, 200, 7))]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    found, _ = session.run(None, Feeder(tmp_path)(texts))
    expected = wild.logits(*wild.tokenizer.encode_all(texts))
    assert np.abs(found - expected).max() <= difference * np.abs(expected).max()


def test_names_types_and_axes_are_those_of_the_graph(folder, trained):
    fed = Feeder(folder)(TEXTS)
    types = {"INT32": np.int32, "INT64": np.int64, "FLOAT": np.float32}
    assert [(name, array.dtype, array.ndim) for name, array in fed.items()] == [
        (name, types[kind], len(shape)) for name, kind, shape in trained.kind.onnx_graph().inputs
    ]


@pytest.mark.parametrize("change", [{"format_version": FORMAT_VERSION - 1}, {"format_version": None}], ids=str)
def test_the_files_of_another_format_are_refused(change, folder):
    """Their pairs would not be found, which nobody would notice."""
    path = folder / "inputs.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match=rf"this textclf reads format {FORMAT_VERSION}\); export it again"):
        Feeder(folder)


@pytest.mark.parametrize("name", ["inputs.json", "inputs.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\x80\x04."], ids=str)
def test_what_cannot_be_read_is_said_in_one_line(name, content, folder):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ArtefactError, match="export it again: textclf export"):
        Feeder(folder)
