"""The public Python API, as the README shows it."""

import json
from pathlib import Path

import pytest

import textclf


def test_preprocess_train_and_predict(corpus_csv: Path, tmp_path: Path) -> None:
    data = textclf.preprocess(source=str(corpus_csv), data_dir="made", text_column="text", seed=3)
    assert data == Path("made/tiny_corpus")
    run = textclf.train(data=data, tier="full", epochs=15, batch_size=8, device="cpu", run_dir="trained")
    assert run.parent == Path("trained")
    predictions = textclf.load_model(run).predict(["rain and wind", "bread with jam"])
    assert [prediction.label for prediction in predictions] == ["weather", "food"]


def test_a_stopped_run_is_resumed(data_dir: Path, tmp_path: Path) -> None:
    settings = {"data": data_dir, "epochs": 2, "hidden_size": 8, "device": "cpu", "refit": False}
    straight = textclf.train(**settings, run_dir="straight")
    stopped = textclf.train(**settings | {"epochs": 1}, run_dir=tmp_path)
    record = json.loads((stopped / "config.json").read_text())
    record["settings"]["epochs"] = 2
    (stopped / "config.json").write_text(json.dumps(record))
    for name in ("metrics.json", "checksums.json"):
        (stopped / name).unlink()
    assert textclf.resume(str(stopped)) == stopped
    assert (stopped / "model/model.safetensors").read_bytes() == (straight / "model/model.safetensors").read_bytes()


def test_settings_are_strings_paths_or_lists(corpus_csv: Path) -> None:
    data = textclf.preprocess(corpus_csv, data_dir=Path("made"), text_column=["text"])
    assert data == Path("made/tiny_corpus")


def test_mistakes_raise_one_family_of_errors() -> None:
    with pytest.raises(textclf.TextclfError, match="no corpus"):
        textclf.preprocess("bbc_new")
    with pytest.raises(textclf.TextclfError, match="no tier named 'huge'"):
        textclf.train(tier="huge")
    with pytest.raises(TypeError, match="epoch_s"):
        textclf.train(epoch_s=3)
