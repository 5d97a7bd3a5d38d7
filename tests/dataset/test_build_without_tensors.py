"""Data directories without a .pt file for each document: `textclf preprocess --tensors none`."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import textclf
from tests.conftest import invoke
from textclf.artefacts import integrity
from textclf.artefacts.integrity import DAMAGED, MISSING, Finding
from textclf.config import TENSORS_UP_TO, PreprocessConfig
from textclf.dataset import manifest
from textclf.dataset.build import tell_room
from textclf.dataset.directory import DataDirectory
from textclf.dataset.manifest import DataLayout
from textclf.errors import ArtefactError, UsageError


@pytest.fixture
def without(corpus_csv):
    """The small corpus, without tensor files."""
    return textclf.preprocess(corpus_csv, data_dir="data", tensors="none").path


def files_in(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_all_else_is_the_same_and_there_are_few_files(without, data_dir):
    lean, whole = files_in(without), files_in(data_dir)
    assert sorted(lean) == sorted(name for name in whole if not name.startswith("tensors"))
    assert len(lean) == 5
    assert [name for name in lean if lean[name] != whole[name]] == ["manifest.json"]
    assert manifest.read_manifest(without).fingerprint == manifest.read_manifest(data_dir).fingerprint


@pytest.mark.parametrize("model", ["mlp", "lstm"])
def test_training_gives_the_same_bits(model, without, data_dir):
    settings = {"model": model, "tier": "full", "epochs": 2, "hidden_size": 8, "device": "cpu", "seed": 1}
    lean, whole = (
        textclf.train(data=data, run_dir=name, **settings) for name, data in (("a", without), ("b", data_dir))
    )
    assert (lean / "model/model.safetensors").read_bytes() == (whole / "model/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("tensors", "documents", "expected"),
    [(None, TENSORS_UP_TO, True), (None, TENSORS_UP_TO + 1, False), ("all", 10**9, True), ("none", 1, False)],
)
def test_by_default_many_documents_have_none(tensors, documents, expected):
    assert PreprocessConfig(tensors=tensors).has_tensors(documents=documents) is expected


def test_many_documents_are_told_how_to_get_them_and_what_they_take():
    lengths, said = np.full(60, 10), []
    tell_room(lengths, None, has_tensors=False, tell=said.append)
    tell_room(lengths, "all", has_tensors=True, tell=said.append, many=59)
    without, written = said
    assert without.startswith("more than 200,000 documents: no .pt file for each, 323 files of ")
    assert without.endswith(" in all; --tensors all writes them")
    assert written.startswith("writing 323 files of ")
    assert written.endswith(" in all, a .pt file for each document; --tensors none leaves those out")
    tell_room(lengths, "none", has_tensors=False, tell=said.append)
    tell_room(lengths, "all", has_tensors=True, tell=said.append, many=60)
    assert len(said) == 2


@pytest.mark.parametrize("tensors", ["all", "none"])
def test_each_document_has_one_if_that_is_asked_for(tensors, corpus_csv, runner):
    assert invoke(runner, "preprocess", corpus_csv, "--tensors", tensors).exit_code == 0
    assert len(list(Path("data/tiny_corpus/tensors").glob("*/*.pt"))) == (60 if tensors == "all" else 0)
    assert invoke(runner, "preprocess", corpus_csv, "--tensors", tensors).exit_code == 0


def test_a_dry_run_says_what_room_each_choice_takes(corpus_csv, runner):
    shown = " ".join(invoke(runner, "preprocess", corpus_csv, "--dry-run").stdout.split())
    with_files, without_files = "about 251 KB in 323 files", "about 5.3 KB in 7 files"
    assert f" it would take {with_files}; with --tensors none {without_files} " in shown
    shown = " ".join(invoke(runner, "preprocess", corpus_csv, "--dry-run", "--tensors", "none").stdout.split())
    assert f" it would take {without_files}; with --tensors all {with_files} " in shown
    result = invoke(runner, "info", corpus_csv)
    assert result.exit_code == 2
    assert f"to see what it would become: textclf preprocess {corpus_csv} --dry-run" in result.stderr


def test_info_says_whether_there_are_any(without, data_dir, runner):
    assert "no .pt files, but the packed copy" in invoke(runner, "info", without).stdout
    assert "a .pt file for each document" in invoke(runner, "info", data_dir).stdout


def test_a_directory_that_was_made_with_or_without_stays_so_unless_it_is_replaced(without, corpus_csv, runner):
    assert textclf.preprocess(corpus_csv, data_dir="data") == without
    assert textclf.preprocess(corpus_csv, data_dir="data", tensors="none") == without
    result = invoke(runner, "preprocess", corpus_csv, "--tensors", "all")
    assert result.exit_code == 2
    assert "(--tensors was none and is all); replace it with --overwrite" in result.stderr
    assert invoke(runner, "preprocess", corpus_csv, "--tensors", "all", "--overwrite").exit_code == 0
    assert len(list((without / "tensors").glob("*/*.pt"))) == 60
    assert textclf.preprocess(corpus_csv, data_dir="data") == without
    textclf.preprocess(corpus_csv, data_dir="data", tensors="none", overwrite=True)
    assert not (without / "tensors").exists()


def test_training_from_tensor_files_says_how_to_make_them(without, runner):
    result = invoke(runner, "train", "--data", without, "--store", "files", "--device", "cpu")
    assert result.exit_code == 2
    assert f"{without} has no .pt files; train with --store packed, or make them: " in result.stderr
    assert "textclf preprocess SOURCE --name tiny_corpus" in result.stderr
    assert "--tensors all --overwrite" in result.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_damage_to_the_packed_copy_is_found_and_not_trained_on(is_there, without):
    assert list(integrity.of_data(without)) == []
    path = without / "packed" / "part-00000.bin"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content) if is_there else path.unlink()
    assert list(integrity.of_data(without)) == [Finding(path, DAMAGED if is_there else MISSING)]
    with pytest.raises(ArtefactError, match=r"00\.bin is damaged; rebuild it: .* SOURCE --name tiny_corpus"):
        DataDirectory.open(without).packed()


def test_an_unexpected_tensor_is_named(without):
    (without / "tensors" / "00").mkdir(parents=True)
    (without / "tensors" / "00" / "train-0000000.pt").touch()
    assert [finding.what for finding in integrity.of_data(without)] == ["unexpected"]


def test_the_words_of_a_document_are_read_from_the_packed_copy(without, data_dir):
    lean, whole = DataDirectory.open(without), DataDirectory.open(data_dir)
    for row in (0, 7, 59):
        assert lean.tokens(row).tolist() == whole.tokens(row).tolist()
    with pytest.raises(UsageError, match=r"no \.pt files"):
        lean.files()


@pytest.mark.parametrize(("before", "now"), [("all", "none"), ("none", "all"), ("none", "none")])
def test_a_killed_run_goes_on_with_or_without(before, now, corpus_csv, data_dir, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("textclf.dataset.build.describe", killed)
        with pytest.raises(KeyboardInterrupt):
            textclf.preprocess(corpus_csv, data_dir="data", tensors=before)
    made = textclf.preprocess(corpus_csv, data_dir="data", tensors=now).path
    has_tensors = now == "all"
    assert DataLayout(made).tensors.exists() is has_tensors
    expected = {name for name in files_in(data_dir) if has_tensors or not name.startswith("tensors")}
    assert set(files_in(made)) == expected
    assert list(integrity.of_data(made)) == []
    shutil.rmtree(made)
