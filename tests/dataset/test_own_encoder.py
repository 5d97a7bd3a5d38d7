"""Encoders of unlabelled texts, kept with the data."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from textclf.artefacts import integrity
from textclf.config import PreprocessConfig
from textclf.dataset import own_encoder
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.dataset.vectors import Watcher
from textclf.encoders import own_text
from textclf.errors import DataError, UsageError

POOL = ["snow and wind over the hills", "the goal decided the match", "snow with wind again", "a match without a goal"]


@pytest.fixture
def data(corpus_csv):
    Path("own.csv").write_bytes(corpus_csv.read_bytes())
    return DataDirectory.open(preprocess(PreprocessConfig(source="own.csv", num_workers=1))[0])


@pytest.fixture
def pool():
    Path("pool.txt").write_text("\n".join(POOL))
    return "pool.txt"


@pytest.fixture
def learned(monkeypatch):
    """The sources of the encoders that were learned."""
    found = []
    learn = own_text.learn

    def noting(texts, *, source):
        found.append(source)
        return learn(texts, source=source)

    monkeypatch.setattr(own_text, "learn", noting)
    return found


def rows_of(data):
    return data.parts("full")["train"].rows


def encoder_of(data, *names, column=None, **given):
    texts = own_encoder.find(names, column=column, data=data)
    return own_encoder.own_encoder(data, texts, rows_of(data), **given)


def test_it_is_learned_once_of_the_same_texts(data, pool, learned):
    notes = []
    first = encoder_of(data, pool, watcher=Watcher(notes.append))
    assert first.count(["snow saturn"]).tolist() == [1]
    assert first.source == "pool.txt"
    assert len(notes) == 1
    assert f"from {len(rows_of(data)) + len(POOL)} texts with " in notes[0]
    assert encoder_of(data, pool).hash == first.hash
    assert learned == ["pool.txt"]
    Path(pool).write_text("\n".join([*POOL, "hail and wind", "hail again"]))
    assert encoder_of(data, pool).hash != first.hash
    assert learned == ["pool.txt"] * 2


def test_a_damaged_one_is_learned_again(data, pool, learned):
    first = encoder_of(data, pool)
    (folder,) = data.layout.vectors.glob("own-*")
    path = folder / "vocab.txt"
    path.write_bytes(path.read_bytes()[:-3])
    assert encoder_of(data, pool).hash == first.hash
    assert len(learned) == 2


def test_its_files_belong_to_the_data_and_damage_is_found(data, pool):
    encoder_of(data, pool)
    assert not list(integrity.of_data(data.layout.root))
    (folder,) = data.layout.vectors.glob("own-*")
    (folder / "vocab.txt").unlink()
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    found = {finding.path.name: finding.what for finding in integrity.of_data(data.layout.root)}
    assert found == {"vocab.txt": integrity.MISSING, "weights.safetensors": integrity.DAMAGED}
    (folder / "encoder.json").write_text("{}")
    found = {finding.path.name: finding.what for finding in integrity.of_data(data.layout.root)}
    assert found == {"encoder.json": integrity.DAMAGED}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pool.csv", "text,label\n" + "\n".join(f"{text},?" for text in POOL)),
        ("pool.jsonl", "\n".join(json.dumps({"body": text, "more": 1}) for text in POOL)),
        ("pool.tsv", "body\tmore\n" + "\n".join(f"{text}\tx" for text in POOL)),
    ],
)
def test_any_table_is_read(data, name, content):
    Path(name).write_text(content)
    assert encoder_of(data, name).count(["snow"]).tolist() == [1]


def test_several_files_are_read_compressed_too(data, pool):
    with gzip.open("more.txt.gz", "wt") as file:
        file.write("hail of stones\nstones and hail\n")
    assert encoder_of(data, pool, "more.txt.gz").count(["snow hail"]).tolist() == [2]


def test_a_column_may_be_named(data):
    Path("pool.csv").write_text("title,notes\n" + "\n".join(f"x,{text}" for text in POOL))
    with pytest.raises(UsageError, match=r"which column is the text.* --unlabelled-column NAME"):
        encoder_of(data, "pool.csv")
    assert encoder_of(data, "pool.csv", column="notes").count(["snow"]).tolist() == [1]
    with pytest.raises(UsageError, match=r"no column 'body'; pool.csv has the columns title, notes"):
        encoder_of(data, "pool.csv", column="body")


def test_rows_that_cannot_be_read_are_left_out_and_named(data):
    lines = [json.dumps({"text": text}) for text in POOL]
    Path("pool.jsonl").write_text("\n".join([lines[0], '{"text": "snow', "", *lines[1:]]))
    said = []
    found = encoder_of(data, "pool.jsonl", watcher=Watcher(said.append))
    assert found.count(["snow"]).tolist() == [1]
    assert len(said) == 2  # with the line about the words
    assert said[0].startswith("1 row is left out, the first: pool.jsonl:2: ")


def test_files_of_the_same_bytes_that_are_read_otherwise_are_learned_from_anew(data, learned):
    for name in ("pool.txt", "pool.csv"):
        Path(name).write_text("\n".join(["text", *POOL]))
        encoder_of(data, name)
    assert len(learned) == 2


def test_what_is_said_names_no_option_that_training_lacks(data):
    Path("latin.txt").write_bytes("café\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin.txt has no text to learn from: .* is not UTF-8; save it as UTF-8$"):
        encoder_of(data, "latin.txt")
    Path("cells.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=r"add --unlabelled-column NAME; cells.csv has the columns a, b$"):
        encoder_of(data, "cells.csv")


@pytest.mark.parametrize("content", ["", "\n\n", "   \n"])
def test_a_file_without_any_text_is_refused(data, content):
    Path("empty.txt").write_text(content)
    with pytest.raises(DataError, match=r"empty.txt (has no text to learn from|is empty)"):
        encoder_of(data, "empty.txt")
    assert not list(data.layout.vectors.glob("own-*"))


def test_a_file_that_is_not_there_or_cannot_be_read_twice_is_refused(data):
    with pytest.raises(UsageError, match=r"no such file: none.txt"):
        own_encoder.find(["none.txt"], column=None)
    with pytest.raises(UsageError, match="stdin cannot be read twice"):
        own_encoder.find(["-"], column=None)
    with pytest.raises(UsageError, match="is a folder"):
        own_encoder.find(["data"], column=None)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_is_refused():
    os.mkfifo("pipe")
    with pytest.raises(UsageError, match=r"pipe cannot be read twice.* name it with --unlabelled"):
        own_encoder.find(["pipe"], column=None)


def test_too_many_documents_are_refused_before_their_texts_are_read(data, pool, learned):
    with pytest.raises(UsageError, match="--encoder-limit"):
        encoder_of(data, pool, most=1)
    assert learned == []


def test_documents_in_memory_are_given(pool):
    data = DataDirectory.open(
        preprocess(
            PreprocessConfig(source=("in memory",), name="held", num_workers=1),
            held=[(f"{word} and {other}", word) for word in ("rain", "bread") for other in "abcdefgh"],
        )[0]
    )
    with pytest.raises(UsageError, match=r"cannot be read again.* train without --encoder or --unlabelled"):
        encoder_of(data, pool)
    texts = dict.fromkeys(rows_of(data).tolist(), "rain and bread")
    assert np.isfinite(encoder_of(data, pool, texts=texts).encode(["rain"])).all()
