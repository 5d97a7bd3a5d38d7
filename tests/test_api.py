"""The public Python API, as docs/python.md shows it."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Never, get_type_hints

import numpy as np
import pandas as pd
import pytest

import textclf
from textclf import api
from textclf.config import TIERS, PreprocessConfig, SuspectsConfig, TrainConfig
from textclf.dataset.manifest import read_manifest
from textclf.errors import DataError, UsageError
from textclf.settings import Choice, rules


def test_preprocess_train_and_predict(corpus_csv: Path, tmp_path: Path) -> None:
    data = textclf.preprocess(source=str(corpus_csv), data_dir="made", text_column="text", seed=3)
    assert data == Path("made/tiny_corpus")
    run = textclf.train(data=data, tier="full", epochs=15, batch_size=8, device="cpu", run_dir="trained")
    assert run.path.parent == Path("trained")
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
    with pytest.raises(textclf.TextclfError, match=r"no setting named 'epoch_s'; did you mean epochs\?"):
        textclf.train(epoch_s=3)


WRONG = [
    {"epochs": 0},
    {"epochs": -1},
    {"epochs": "2"},
    {"epochs": 2.0},
    {"epochs": True},
    {"batch_size": 0},
    {"batch_size": -1},
    {"lr": float("nan")},
    {"lr": "fast"},
    {"dropout": 1.5},
    {"clip_norm": 0},
    {"seed": -1},
    {"seed": 1.5},
    {"hidden_size": 0},
    {"model": "lstm", "max_length": 0},
    {"tier": "huge"},
    {"tier": 3},
    {"model": 3},
    {"model": "bert"},
    {"store": "disk"},
    {"precision": 16},
    {"device": None, "test": 1},
    {"refit": "no"},
    {"data": 5},
    {"run_dir": b"runs"},
    {"num_workers": 10**6},
    {"learning_rate": 0.1},
    {"user_model": 5},
]


@pytest.mark.parametrize("settings", WRONG, ids=str)
def test_a_wrong_setting_is_named_before_anything_is_written(settings: dict[str, object]) -> None:
    with pytest.raises(textclf.TextclfError, match=next(reversed(settings))) as caught:
        textclf.train(**settings)
    assert caught.value.exit_code == 2
    assert not any(Path().iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {"source": None},
        {"source": 5},
        {"data_dir": None},
        {"text_column": 3},
        {"text_column": ["text", None]},
        {"label_column": ["label"]},
        {"validation_size": "0.1"},
        {"test_size": 0},
        {"lowercase": 1},
        {"max_vocab": 0},
        {"max_parts": -1},
        {"num_workers": 0},
        {"seed": True},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_wrong_setting_of_preprocess_is_named_before_anything_is_written(settings: dict[str, object]) -> None:
    (name,) = settings
    with pytest.raises(textclf.TextclfError, match=name) as caught:
        textclf.preprocess(**settings)
    assert caught.value.exit_code == 2
    assert not any(Path().iterdir())


def test_numbers_of_numpy_and_paths_are_settings_like_any_other(corpus_csv: Path) -> None:
    data = textclf.preprocess(corpus_csv, seed=np.int64(1), validation_size=np.float32(0.2), strict=np.bool_(False))
    sizes = {"epochs": np.int8(1), "hidden_size": np.int64(8), "lr": np.float32(0.01), "tier": np.str_("tiny")}
    run = textclf.train(data=data, run_dir=Path("made"), device="cpu", **sizes)
    assert json.loads((run / "config.json").read_text())["settings"]["epochs"] == 1


@pytest.mark.parametrize("wrong", [None, 5, b"runs", ["runs"], float("nan"), "no\0path"])
def test_what_is_no_path_is_named(wrong: object) -> None:
    with pytest.raises(textclf.TextclfError, match=r"^path: .* is not a path$"):
        textclf.load_model(wrong)
    with pytest.raises(textclf.TextclfError, match=r"^run: .* is not a path$"):
        textclf.resume(wrong)


def test_the_public_names_are_shown() -> None:
    assert {"load_model", "preprocess", "resume", "train"} <= set(dir(textclf))


def test_several_files_are_a_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        rows = [f"the {name} {number} sat,{'xy'[number % 2]}" for number in range(20)]
        Path(f"{name}.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    for source in (["a.csv", Path("b.csv")], "[ab].csv"):
        data = textclf.preprocess(source, name="made", test=[Path("c.csv")], overwrite=True)
        assert sum(read_manifest(data.path).splits.values()) == 60
    assert read_manifest(data.path).splits["test"] == 20


def test_documents_in_memory_become_the_same_data_as_a_file_of_them(corpus_csv, data_dir):
    frame = pd.read_csv(corpus_csv)
    data = textclf.preprocess(frame, name="frame")
    made, expected = read_manifest(data.path), read_manifest(data_dir)
    assert made.fingerprint == expected.fingerprint
    assert (made.source, made.settings["source"]) == ("DataFrame", ["in memory"])
    assert textclf.preprocess(frame, name="frame") == data  # it is left as it is
    with pytest.raises(textclf.TextclfError, match=r"was made from other settings \(the revision was"):
        textclf.preprocess(frame[1:], name="frame")
    pairs = textclf.preprocess(zip(frame["text"], frame["label"], strict=True))
    assert pairs.name == f"documents-{made.revision[:8]}"
    assert read_manifest(pairs.path).fingerprint == expected.fingerprint


def test_documents_in_memory_that_cannot_be_used_leave_nothing_behind():
    with pytest.raises(textclf.TextclfError, match=r"^documents\[1\]: no value in the column 'text'$"):
        textclf.preprocess([("a", "x"), (float("nan"), "y")])
    with pytest.raises(textclf.TextclfError, match="documents: needs at least two classes"):
        textclf.preprocess([("a", "x"), ("b", "x")])
    assert not list(Path().glob("data/*"))


# Signatures


def expected_type(rule, *, may_be_none):
    """The annotation of a parameter for a setting with this rule."""
    if isinstance(rule.allowed, Choice):
        kind = Literal[rule.allowed.names]
    else:
        kind = {tuple: str | Sequence[str], Path: str | PathLike[str]}.get(rule.kind, rule.kind)
    return kind | None if may_be_none else kind


SPECIAL = {
    "source": "anything that holds documents",
    "validation": "the same",
    "test": "the same",
    "corrections": str | PathLike[str] | Sequence[str | PathLike[str]],
    "add": "the same",
    "unlabelled": str | PathLike[str] | Sequence[str | PathLike[str]],
    "data": "the same",
    "tier": Literal[tuple(TIERS)],
    "model": str | PathLike[str],
    "class_weights": str | Mapping[str, float],
}
"""Parameters whose types are written otherwise than the rule of their setting."""


@pytest.mark.parametrize(
    ("function", "config", "others"),
    [
        (textclf.preprocess, PreprocessConfig, {"num_workers": 1, "source": "bbc_news"}),
        (textclf.train, TrainConfig, {"tier": "mid", "model": "mlp"}),
        (textclf.suspects, SuspectsConfig, {}),
    ],
)
def test_every_setting_is_a_typed_keyword_with_its_default(function, config, others):
    parameters = dict(inspect.signature(function).parameters)
    settings = {each.name: each for each in fields(config) if each.name != "user_model"}
    assert set(parameters) == {*settings, "progress", "unknown"}
    assert [each.kind for each in parameters.values()].count(inspect.Parameter.KEYWORD_ONLY) == len(settings)
    hints = get_type_hints(function, localns={"Data": Any, "Run": Any, "Suspects": Any, "Documents": None})
    for name, setting in settings.items():
        usual = None if setting.default is MISSING else setting.default
        assert parameters[name].default == others.get(name, usual), name
        rule = rules(config)[name]
        may_be_none = rule.is_optional or parameters[name].default is None
        special = config is TrainConfig and name == "test"
        if name not in SPECIAL or special:
            assert hints[name] == expected_type(rule, may_be_none=may_be_none), name
        elif not isinstance(SPECIAL[name], str):
            assert hints[name] == SPECIAL[name], name


def test_no_public_function_takes_keywords_that_it_does_not_name():
    for name in set(textclf.__all__) - {"TextclfError"}:  # an exception is made of one string
        for each in inspect.signature(getattr(textclf, name)).parameters.values():
            assert each.kind != inspect.Parameter.VAR_KEYWORD or each.annotation is Never


# Types


SCRIPT = """
import os

import textclf

data = textclf.preprocess([("a cat", "animals"), ("some soup", "food")], text_column=["text"], progress=False)
run = textclf.train(data, tier="small", epochs=3, seed=0)
again = textclf.train({"train": [("a", 1)], "test": [("b", 2)]}, model="lstm")
accuracy: float = run.metrics["test"]["accuracy"]
reveal_type(run)
reveal_type(run.load().predict(["a"])[0].label)
reveal_type(run / "metrics.json")
open(os.fspath(textclf.resume(run)))
textclf.train(tire="small")
textclf.train(tier="huge")
textclf.train(epochs="3")
textclf.preprocess(5)
"""


@pytest.mark.long
def test_a_program_that_uses_textclf_is_type_checked():
    Path("user.py").write_text(SCRIPT)
    environment = {**os.environ, "MYPYPATH": str(Path(textclf.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", "user.py"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    found = [line.removeprefix("user.py:") for line in done.stdout.splitlines()]
    assert [line.partition(": ")[0] for line in found if ": note: Rev" not in line] == ["14", "15", "16", "17"], found
    assert [line.partition("is ")[2] for line in found if ": note: Rev" in line] == [
        '"textclf.results.Run"',
        '"str"',
        '"pathlib.Path"',
    ]


def test_runs_are_listed_newest_first(data_dir):
    assert textclf.runs() == []
    made = [textclf.train(data_dir, epochs=1, hidden_size=8, device="cpu", seed=seed) for seed in (0, 1)]
    assert textclf.runs() == made[::-1]
    assert textclf.runs("elsewhere") == []
    with pytest.raises(textclf.TextclfError, match="run_dir: 5 is not a path"):
        textclf.runs(5)


@pytest.mark.parametrize("source", [None, 5, b"x.csv", {("a", "b")}, object()])
def test_what_holds_no_documents_is_named_with_what_does(source):
    with pytest.raises(textclf.TextclfError, match=r"^source: .* names no documents; give a DataFrame"):
        textclf.preprocess(source)
    if source is not None:
        with pytest.raises(textclf.TextclfError, match=r"^data: .* names no documents; give a DataFrame"):
            textclf.train(source)
    assert not any(Path().iterdir())


def test_splits_in_memory_go_with_documents_in_memory(corpus_csv):
    frame = pd.read_csv(corpus_csv)
    pairs = list(zip(frame["text"], frame["label"], strict=True))
    data = textclf.preprocess(frame[10:], test=frame[:10], validation=pairs)
    assert read_manifest(data.path).splits == {"train": 50, "validation": 60, "test": 10}
    assert textclf.preprocess({"train": frame[10:]}, test=str(corpus_csv)).report.splits["test"].documents == 60
    with pytest.raises(textclf.TextclfError, match="test: documents in memory go with a source in memory"):
        textclf.preprocess(corpus_csv, test=frame)
    with pytest.raises(textclf.TextclfError, match="test: the source has this split of its own"):
        textclf.preprocess({"train": frame, "test": frame}, test=frame)


def test_train_makes_data_of_documents_a_corpus_or_a_file_and_takes_what_is_there(corpus_csv, data_dir):
    settings = {"epochs": 1, "hidden_size": 8, "device": "cpu"}
    for data in (pd.read_csv(corpus_csv), corpus_csv, str(corpus_csv), [corpus_csv], textclf.Data(data_dir)):
        run = textclf.train(data, **settings, run_dir=f"runs{type(data).__name__}")
        assert (run / "model" / "model.safetensors").is_file()
    made = sorted(path.name for path in Path("data").iterdir())
    assert made[1:] == ["tiny_corpus"]
    assert made[0].startswith("dataframe-")
    with pytest.raises(textclf.TextclfError, match=r"add text_column=NAME.*; textclf\.preprocess has settings"):
        textclf.train([{"words": "a", "label": "b"}])
    with pytest.raises(textclf.TextclfError, match="no tier named 'huge'"):
        textclf.train([("a", "b")], tier="huge")


def test_reprs_are_one_line(run_dir):
    model = textclf.load_model(run_dir)
    assert repr(model).endswith("3 labels: 'animals', 'food', 'weather')")
    (prediction,) = model.predict("rain qqq", top_k=2)
    first, second = prediction.top
    assert repr(prediction) == (
        f"Prediction({first.label!r} {first.probability:.4f}, {second.label!r} {second.probability:.4f}, unknown=0.50)"
    )
    assert repr(prediction._replace(unlike=True)).endswith(", unknown=0.50, unlike=True)")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("which column is it? add --text-column NAME; x has a", "which column is it? add text_column=NAME; x has a"),
        ("(--seed was 0 and is 2); with --overwrite,", "(seed was 0 and is 2); with overwrite=True,"),
        ("try less than --lr 0.5, or --no-refit", "try less than lr 0.5, or refit=False"),
        ("train without one: --no-test", "train without one: test=False"),
        ("--label-prefix '' takes the first word", "label_prefix='' takes the first word"),
        ("resume it: textclf train --resume runs/x", "resume it: textclf train --resume runs/x"),
        ("rebuild it: textclf preprocess SOURCE --overwrite", "rebuild it: textclf preprocess SOURCE --overwrite"),
        ("add --code FILE, not --colour", "add code=FILE, not --colour"),
        ("x--seed is none", "x--seed is none"),
        ("name the columns: --columns text,label", "name the columns: columns=['text', 'label']"),
        ("try --encoding cp1252 ('é') or utf-16", "try encoding='cp1252' ('é') or utf-16"),
        ("leave out --encoding and --quote; or add --quote none", "leave out encoding and quote; or add quote=''"),
    ],
)
def test_messages_name_keywords_in_place_of_options(message, expected):
    assert api.in_python(message) == expected


def test_training_on_a_file_says_which_function_knows_how_to_read_it():
    Path("rows.csv").write_text("one thing,x\nanother thing,y\nthe last thing,x\n")
    with pytest.raises(DataError, match=r"columns=\['text', 'label'\]; textclf.preprocess has settings for how data"):
        textclf.train("rows.csv")
    with pytest.raises(UsageError, match=r"^text_column is a setting of textclf.preprocess: make the data with it"):
        textclf.train("rows.csv", text_column="text")
    Path("empty.csv").write_text("")
    with pytest.raises(DataError) as caught:
        textclf.train("empty.csv")
    assert "textclf.preprocess" not in str(caught.value)


def test_errors_keep_their_type_and_exit_code_and_name_keywords(corpus_csv):
    textclf.preprocess(corpus_csv)
    with pytest.raises(UsageError, match=r"\(seed was 0 and is 1\); replace it with overwrite=True, or"):
        textclf.preprocess(corpus_csv, seed=1)
    with pytest.raises(UsageError, match=r"^no column 'nothing'"):
        textclf.preprocess(corpus_csv, text_column="nothing")
