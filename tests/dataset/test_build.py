import csv
import errno
import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.dataset import tables
from textclf.config import TIERS, PreprocessConfig
from textclf.dataset import build
from textclf.dataset.build import preprocess
from textclf.dataset.data_report import problems
from textclf.dataset.directory import UNSEEN, DataDirectory
from textclf.dataset.documents import NO_TIER
from textclf.dataset.preview import preview
from textclf.dataset.read_corpus import BATCH, BatchSize
from textclf.errors import DataError, ResourceError, UsageError
from textclf.text.tokenizer import UNK_ID, Tokenizer

ANIMALS = ("cat", "cat", "dog")
SMALL = [(f"the cat{number} sat; the cat{number % 3} ran", "ab"[number % 2]) for number in range(12)]
LARGE = [(f"The {('cat', 'dog')[number % 2]} {number} sat", "aaaaabbbcc"[number % 10]) for number in range(600)]


def write_csv(path, rows, header=("text", "label")):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def settings(**given):
    return replace(PreprocessConfig(source="films.csv", num_workers=1), **given)


def make(rows=None, *, batch=BATCH, **given):
    """Preprocess these rows, or films.csv as it is; returns the data directory and the report."""
    if rows is not None:
        write_csv("films.csv", rows)
    return preprocess(settings(**given), batch=batch)


def tree(root):
    """The bytes of every file."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def left_over():
    return [path for path in Path().rglob("*") if path.name.endswith(".tmp")]


def tokenizer_of(data):
    return Tokenizer.from_json(json.loads(data.layout.tokenizer.read_text(encoding="utf-8")))


# What is in the directory


def test_the_directory_has_these_files_and_no_others(data_dir):
    data = DataDirectory.open(data_dir)
    named = {str(data.layout.tensor(name).relative_to(data_dir)) for name in data.documents.names.of(range(60))}
    assert len(named) == len(data.documents) == 60
    assert set(tree(data_dir)) == named | {
        "manifest.json",
        "documents/part-00000.parquet",
        "packed/part-00000.bin",
        "tokenizer.json",
        "report.json",
    }
    folders = {str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_dir()}
    assert folders == {"documents", "packed", "tensors", *(f"tensors/{number:02x}" for number in range(256))}


def test_a_tensor_is_the_encoding_of_its_text():
    root, _ = make(LARGE)
    data = DataDirectory.open(root)
    tokenizer = tokenizer_of(data)
    everything = np.arange(len(data.documents))
    tokens, lengths = data.files().gather(everything)
    for row, ids in enumerate(np.split(tokens, np.cumsum(lengths)[:-1])):
        text, label = LARGE[int(data.documents.source[row]) - 1]
        assert ids.tolist() == tokenizer.encode(text).tolist()
        assert data.documents.label_of(row) == label
    tensor = torch.load(data.layout.tensor("test-0000007"), weights_only=True)
    row = int(data.rows("test")[7])
    assert tensor.tolist() == tokenizer.encode(LARGE[int(data.documents.source[row]) - 1][0]).tolist()
    assert sorted(map(int, data.documents.source)) == list(range(1, 601))


def test_the_manifest_says_what_there_is(data_dir):
    data = DataDirectory.open(data_dir)
    made = data.manifest
    assert made.labels == ["animals", "food", "weather"]
    assert made.splits == {"train": 48, "validation": 6, "test": 6}
    assert made.splits == dict(Counter(map(data.documents.split_of, range(60))))
    assert made.tiers == {tier: len(data.rows(tier)) for tier in TIERS}
    assert made.vocabulary == tokenizer_of(data).size
    assert made.checksums.keys() == {"tokenizer.json", "documents/part-00000.parquet", "report.json"}


def test_the_source_s_ids_are_stored_but_never_name_files():
    odd = ["../../x", "/abs", "CON", ".", "a/b", "a\\b", "👍🏽", "é", "e\u0301", "x" * 300, "*", "train-0000000"]
    rows = [(name, text, odd[number % 2]) for number, (name, (text, _)) in enumerate(zip(odd, SMALL, strict=True))]
    write_csv("films.csv", rows, header=("id", "text", "label"))
    before = set(Path().rglob("*"))
    root, _ = make(id_column="id")
    documents = DataDirectory.open(root).documents
    assert sorted(documents.source) == sorted(odd)
    assert sorted(tables.labels(documents)) == sorted(label for _, _, label in rows)
    made = set(Path().rglob("*")) - before
    assert all(path.resolve().is_relative_to(root.resolve()) for path in made - {Path("data")})
    assert len(list((root / "tensors").glob("*/*"))) == len(odd)


def test_an_empty_document_is_one_unknown_word_and_is_counted():
    root, report = make([*SMALL, ("", "a"), (" \t", "a"), ("\u3000", "b")])
    data = DataDirectory.open(root)
    empty = np.flatnonzero(np.isin(list(data.documents.source), ["13", "14", "15"]))
    assert data.documents.tokens[empty].tolist() == [1, 1, 1]
    assert data.packed().gather(empty)[0].tolist() == [UNK_ID] * 3
    assert sum(split.empty for split in report.splits.values()) == 3


def test_the_report_counts_what_is_there(data_dir, corpus_csv, tmp_path):
    _, report = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, data_dir=tmp_path))
    data = DataDirectory.open(tmp_path / data_dir.name)
    for split, described in report.splits.items():
        rows = data.rows(split)
        tokens, _ = data.files().gather(rows)
        assert described.documents == len(rows)
        words = tokens[tokens < data.manifest.vocabulary]  # without the parts of unknown ones
        assert described.tokens == len(words)
        assert described.unknown == pytest.approx(np.mean(words == UNK_ID))
        assert described.labels == Counter(tables.labels(data.documents, rows))
    assert report.tiers == data.manifest.tiers
    assert [report.duplicates[name] for name in ("copies", "crossing", "conflicting")] == [0, 0, 0]


def test_near_copies_are_counted():
    words = [f"word{number}" for number in range(100)]
    changed = [*words[:50], "other", *words[51:]]  # 3 of 98 runs of words differ
    _, report = make([*SMALL, (" ".join(words), "a"), (" ".join(changed), "a"), (" ".join(words[::-1]), "a")])
    assert report.duplicates["near"] == 1


# The vocabulary


def test_the_vocabulary_comes_only_from_the_training_split():
    for split in ("validation", "test"):
        write_csv(f"{split}.csv", [(f"the cat of the {split}", "a"), (f"{split} {split} {split}", "b")])
    root, _ = make(SMALL, validation=Path("validation.csv"), test=Path("test.csv"))
    data = DataDirectory.open(root)
    assert set(tokenizer_of(data).words[2:]) == {"the", "sat", ";", "ran", *(f"cat{number}" for number in range(12))}
    tokens, _ = data.files().gather(data.rows("test"))
    assert np.count_nonzero(tokens == UNK_ID) == 3 + 3  # cat, of, test; and test three times
    assert not np.any(data.files().gather(data.rows("train"))[0] == UNK_ID)


def test_the_vocabulary_has_no_word_of_a_split_that_was_drawn():
    root, _ = make(LARGE)
    data = DataDirectory.open(root)
    numbers = {word for word in tokenizer_of(data).words if word.isdecimal()}
    assert numbers == {str(int(source) - 1) for source in data.documents.source[: len(data.rows("train"))]}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ("the", "cat", ";", "ran", "sat", "dog")),
        ({"max_vocab": 2}, ("the", "cat")),
        ({"min_count": 12}, ("the", "cat", ";", "ran", "sat")),
        ({"lowercase": False}, ("cat", ";", "The", "ran", "sat", "the", "dog")),
    ],
)
def test_the_vocabulary_is_as_asked_for(limits, expected):
    rows = [(f"The {animal} sat; the {animal} ran", "ab"[number % 2]) for number in range(4) for animal in ANIMALS]
    write_csv("same.csv", rows)
    root, _ = make(rows, validation=Path("same.csv"), test=Path("same.csv"), **limits)
    assert tokenizer_of(DataDirectory.open(root)).words[2:] == expected


def test_parts_of_words_come_from_the_training_split_and_follow_unknown_words():
    write_csv("test.csv", [("the cat7777 of zebras", "a"), ("zebras zebras", "b")])
    root, report = make(SMALL, test=Path("test.csv"))
    data = DataDirectory.open(root)
    tokenizer = tokenizer_of(data)
    assert {"<ca", "cat", "<cat", "at1"} <= set(tokenizer.parts)
    assert not [part for part in tokenizer.parts if "z" in part]
    tokens, lengths = data.files().gather(data.rows("test"))
    assert max(tokens) >= data.manifest.vocabulary == tokenizer.size
    assert lengths.tolist() == data.documents.tokens[data.rows("test")].tolist()
    assert (lengths.sum(), report.splits["test"].tokens) == (len(tokens), 4 + 2)
    assert report.splits["test"].unknown == pytest.approx(5 / 6)  # cat7777, of, and zebras three times


@pytest.mark.parametrize(("asked", "most"), [(None, 10**6), (5, 5), (0, 0)])
def test_parts_of_words_are_as_many_as_asked_for(asked, most):
    root, _ = make(SMALL, max_parts=asked)
    parts = tokenizer_of(DataDirectory.open(root)).parts
    assert len(parts) == most or (asked is None and 5 < len(parts) < most)


def test_a_long_training_text_needs_no_parts_unless_they_are_asked_for(monkeypatch):
    monkeypatch.setattr("textclf.config.PARTS_UP_TO", 3)
    root, _ = make(SMALL)
    assert tokenizer_of(DataDirectory.open(root)).parts == ()
    root, _ = make(SMALL, max_parts=5, overwrite=True)
    assert len(tokenizer_of(DataDirectory.open(root)).parts) == 5


# Splits, labels and tiers


def test_labels_that_train_does_not_have_are_a_problem():
    write_csv("test.csv", [("the cat", "z"), ("the cat ran", "a"), ("the", "z"), ("ran", "y")])
    root, report = make(SMALL, test=Path("test.csv"))
    unseen = "no training document has these labels of test, so their documents count as errors: 'y' (1), 'z' (2)"
    assert unseen in [problem.sentence for problem in problems(report)]
    data = DataDirectory.open(root)
    assert data.manifest.labels == ["a", "b"]
    assert data.classes()[data.rows("test")].tolist() == [UNSEEN - 1, 0, UNSEEN - 1, UNSEEN]


def test_labels_that_train_does_not_have_are_refused_if_strict():
    write_csv("test.csv", [("the cat", "z"), ("the cat ran", "a")])
    with pytest.raises(DataError) as caught:
        make(SMALL, test=Path("test.csv"), strict=True)
    assert str(caught.value) == (
        "no training document has these labels, so their documents count as errors: 'z' (1); "
        "leave out --strict to accept that"
    )
    assert not list(Path("data").rglob("*"))


def test_tiers_are_nested_and_stratified():
    root, report = make(LARGE)
    data = DataDirectory.open(root)
    assert report.tiers == {"tiny": 100, "small": 400, "mid": 480, "full": 480}
    tiers = {tier: data.rows(tier) for tier in TIERS}
    assert {tier: len(rows) for tier, rows in tiers.items()} == report.tiers
    assert all(set(smaller) <= set(larger) for smaller, larger in pairwise(tiers.values()))
    assert set(tiers["full"]) == set(data.rows("train"))
    whole = Counter(tables.labels(data.documents, tiers["full"]))
    for rows in tiers.values():
        part = Counter(tables.labels(data.documents, rows))
        assert all(abs(part[label] - len(rows) * count / 480) < 3 for label, count in whole.items())


def test_every_class_is_in_tiny():
    root, report = make([(f"text {number}", f"class {number % 150}") for number in range(750)])
    data = DataDirectory.open(root)
    assert set(tables.labels(data.documents, data.rows("tiny"))) == {f"class {number}" for number in range(150)}
    assert report.tiers["tiny"] == 150


def test_validation_and_test_documents_have_no_tier(data_dir):
    documents = DataDirectory.open(data_dir).documents
    assert set(documents.tier[:48].tolist()) <= set(range(len(TIERS)))
    assert set(documents.tier[48:].tolist()) == {NO_TIER}


# The same again


def test_the_same_source_and_settings_give_the_same_bytes():
    one, _ = make(LARGE, data_dir=Path("one"))
    other, _ = make(data_dir=Path("other"))
    assert tree(one) == tree(other)


@pytest.mark.slow
def test_the_number_of_processes_does_not_matter(monkeypatch):
    one, _ = make(LARGE, data_dir=Path("one"))
    monkeypatch.setattr(build, "LARGE", 0)  # so that workers are started at once
    other, _ = make(data_dir=Path("other"), num_workers=2, batch=BatchSize(50))
    assert tree(one) == tree(other)


@pytest.mark.slow
def test_another_interpreter_gives_the_same_bytes():
    root, _ = make(SMALL)
    command = [sys.executable, "-m", "textclf", "preprocess", "films.csv", "--data-dir", "other", "--num-workers", "1"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert tree(Path("other/films")) == tree(root)


def test_the_seed_decides_the_splits():
    one, other = (make(LARGE, data_dir=Path(str(seed)), seed=seed)[0] for seed in (0, 1))
    first, second = (list(DataDirectory.open(root).documents.source) for root in (one, other))
    assert sorted(first) == sorted(second)
    assert first != second


# What may fail


@contextmanager
def failing_at(number, error):
    """Let the n-th file fail at the moment when it would take its place."""
    taken = iter(range(1, number))
    move = os.replace

    def move_or_fail(*paths):
        if next(taken, None) is None:
            raise error
        return move(*paths)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "replace", move_or_fail)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Every file of the directory that SMALL becomes if nothing is in the way."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("whole"))
        return tree(make(SMALL)[0])


# What was begun, the tokenizer, the report, the table, the manifest, two of the only part; and the directory.
FILES = 7 + 1


@pytest.mark.parametrize("number", range(1, FILES + 1))
def test_a_disk_that_is_full_at_any_file_is_named_and_nothing_is_left_half_written(whole, number):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        failing_at(number, full),
        pytest.raises(ResourceError, match=r"no space left to write data/films[\w./-]*; free some") as caught,
    ):
        make(SMALL)
    assert caught.value.exit_code == 5
    assert not left_over()
    assert not Path("data").exists()
    root, _ = make()
    assert tree(root) == whole


@pytest.mark.parametrize("number", [1, 2, len(SMALL)])
def test_a_disk_that_is_full_at_any_tensor_is_named_and_nothing_is_left(whole, monkeypatch, number):
    write, room = os.write, iter(range(number - 1))

    def write_or_fail(file, content):
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_or_fail)
        with pytest.raises(ResourceError, match=r"no space left to write data/films/tensors/\w\w/\w+-\d+\.pt; free"):
            make(SMALL)
    assert not Path("data").exists()
    assert tree(make()[0]) == whole


@pytest.mark.parametrize("number", [1, 5, FILES])
def test_a_directory_stays_unchanged_until_its_replacement_is_complete(number):
    root, _ = make(SMALL)
    before = tree(root)
    with failing_at(number, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        make(SMALL, overwrite=True, seed=1)
    assert tree(root) == before
    assert not left_over()


def test_there_are_as_many_files_to_fail_at_as_the_test_above_counts():
    with failing_at(FILES + 1, RuntimeError("one file more")):
        make(SMALL)


@pytest.mark.parametrize("number", [1, 5, FILES])
def test_a_run_that_is_stopped_leaves_a_directory_that_can_be_finished(whole, number):
    with failing_at(number, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        make(SMALL)
    assert not left_over()
    assert not Path("data/films").exists()
    root, _ = make()
    assert tree(root) == whole


@pytest.mark.parametrize("made", [0, 3, 258])
def test_a_disk_without_room_for_a_folder_is_named(monkeypatch, made):
    mkdir = os.mkdir
    room = iter(range(made))

    def mkdir_or_fail(*arguments, **options):
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return mkdir(*arguments, **options)

    monkeypatch.setattr(os, "mkdir", mkdir_or_fail)
    with pytest.raises(ResourceError, match="no space left to write data"):
        make(SMALL)


def test_a_write_that_fails_names_the_file(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ResourceError, match=r"no space left to write data/films/tokenizer\.json"):
        make(SMALL)


def test_progress_is_shown_and_changes_nothing():
    bars = []

    def progress(items, title, total):
        items = list(items)
        bars.append((title, len(items), total))
        return items

    root, _ = make(SMALL)
    write_csv("films.csv", SMALL)
    preprocess(settings(data_dir=Path("other")), progress=progress)
    assert bars == [("texts", 1, None), ("tokens", 1, 1)]
    assert tree(Path("other/films")) == tree(root)


def test_a_source_that_cannot_be_used_leaves_no_directory():
    with pytest.raises(DataError) as caught:
        make([("a", "x"), ("b", "x")])
    assert str(caught.value) == "films.csv: needs at least two classes, found one: 'x'"
    with pytest.raises(DataError, match=r"films\.csv:14: 3 fields"):
        make([*SMALL, ("a", "b", "c")])
    with pytest.raises(UsageError, match="no such"):
        make(source="no_such.csv")
    assert not Path("data").exists()


# Labels that look like lists


@pytest.mark.parametrize("cell", ["billing;cancel", "cancel | billing", "['billing', 'cancel']"])
def test_labels_that_look_like_lists_are_refused_unless_they_are_wanted_whole(cell):
    rows = [(f"the cat{number} sat", ["billing", "cancel"][number % 2]) for number in range(40)]
    rows += [(f"a dog{number} ran", cell) for number in range(20)]
    with pytest.raises(
        DataError,
        match=r"films.csv: 1 of 3 labels looks like a list of labels, .* add --label-separator .* or --whole-",
    ) as caught:
        make(rows)
    separator = re.search(r"add --label-separator '(.)'", str(caught.value))[1]
    parted = make(rows, label_separator=separator, name="parted")[1]
    assert {*parted.splits["train"].labels} == {"billing", "cancel"}  # what is advised is right
    root, report = make(rows, whole_labels=True)
    assert report.splits["train"].labels[cell] > 0
    assert make(whole_labels=False)[0] == root  # the option changes nothing of what is made


def test_a_name_with_a_separator_is_no_list():
    rows = [(f"the cat{number} sat", ["billing", "R&D; sales"][number % 2]) for number in range(40)]
    assert set(make(rows)[1].splits["train"].labels) == {"billing", "R&D; sales"}


# No test split


def test_without_a_test_size_train_and_validation_share_the_documents():
    root, report = make(SMALL, test_size=None)
    assert list(report.splits) == ["train", "validation"]
    data = DataDirectory.open(root)
    assert data.manifest.splits == {"train": 11, "validation": 1, "test": 0}
    assert preview(settings(test_size=None)).drawn == {"validation": 0.1}
    write_csv("held_out.csv", [("the cat sat", "a")])
    make(SMALL, test="held_out.csv", name="tested")
    tested = DataDirectory.open(Path("data/tested"))
    assert tables.columns(data.documents)["split"] == tables.columns(tested.documents)["split"][:-1]
