"""The vectors of documents, kept with the data."""

from pathlib import Path

import numpy as np
import pytest

from tests.encoders import tiny
from textclf.artefacts import integrity
from textclf.config import PreprocessConfig
from textclf.dataset import vectors
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.dataset.originals import texts_of
from textclf.dataset.vectors import Watcher, vectors_of
from textclf.encoders import Encoder, encoder, published
from textclf.errors import DataError, UsageError


@pytest.fixture
def small(tmp_path, monkeypatch):
    """An encoder, which notes what it reads in `read`, and whose pieces are small."""
    folder = tiny.write(tmp_path / "published" / "small")
    monkeypatch.setattr(vectors, "PIECE_TOKENS", 100)
    monkeypatch.setattr(vectors, "FIRST_TOKENS", 40)
    return encoder.parse(published.read(folder, name="small"), folder)


@pytest.fixture
def read(monkeypatch):
    """The texts that encoders have read."""
    found = []
    encode = Encoder.encode

    def noting(self, texts):
        found.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(Encoder, "encode", noting)
    return found


@pytest.fixture
def data(corpus_csv):
    Path("own.csv").write_bytes(corpus_csv.read_bytes())
    return DataDirectory.open(preprocess(PreprocessConfig(source="own.csv", num_workers=1))[0])


def pieces(data):
    return sorted(data.layout.vectors.glob("*/*.bin"))


def test_they_are_those_of_the_texts_and_computed_once(data, small, read):
    rows = np.arange(len(data.documents))
    found = vectors_of(data, small, rows)
    texts = texts_of(data, rows.tolist())
    expected = small.encode([texts[row] for row in rows.tolist()]).astype(np.float16)
    np.testing.assert_allclose(found.of(rows).astype(float), expected.astype(float), atol=2e-3)
    assert len(pieces(data)) > 3
    read.clear()
    again = vectors_of(data, small, rows[::-1])
    np.testing.assert_array_equal(again.of(rows[::-1]), found.of(rows[::-1]))
    assert read == []
    assert list(integrity.of_data(data.layout.root)) == []


def test_a_larger_tier_needs_only_what_is_missing(data, small, read):
    rows = np.arange(len(data.documents))
    some = vectors_of(data, small, rows[5:20])
    read.clear()
    every = vectors_of(data, small, rows)
    assert len(read) == len(rows) - 15
    np.testing.assert_array_equal(every.of(rows[5:20]), some.of(rows[5:20]))


def test_what_a_stopped_command_has_computed_stays(data, small, read, monkeypatch):
    rows = np.arange(len(data.documents))

    def stopping(items, _title, total):
        assert total > 2
        yield items[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectors_of(data, small, rows, watcher=Watcher(progress=stopping))
    assert len(pieces(data)) == 2
    before = list(read)
    resumed = vectors_of(data, small, rows)
    assert len(read) == len(rows)
    assert len(before) < len(rows)
    for path in pieces(data):
        path.unlink()
    np.testing.assert_allclose(
        resumed.of(rows).astype(float), vectors_of(data, small, rows).of(rows).astype(float), atol=2e-3
    )


def test_a_damaged_piece_is_found_and_computed_again(data, small):
    rows = np.arange(len(data.documents))
    before = vectors_of(data, small, rows).of(rows)
    path = pieces(data)[1]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert [(finding.path, finding.what) for finding in integrity.of_data(data.layout.root)] == [
        (path, integrity.DAMAGED)
    ]
    np.testing.assert_allclose(vectors_of(data, small, rows).of(rows).astype(float), before.astype(float), atol=2e-3)
    assert list(integrity.of_data(data.layout.root)) == []


def test_another_encoder_has_vectors_of_its_own(data, small, tmp_path):
    folder = tiny.write(tmp_path / "published" / "other", seed=1)
    other = encoder.parse(published.read(folder, name="other"), folder)
    rows = np.arange(10)
    first, second = (vectors_of(data, each, rows).of(rows) for each in (small, other))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(vectors_of(data, small, rows).of(rows), first)


def test_the_user_is_told_beforehand_how_much_it_is(data, small):
    notes = []
    vectors_of(data, small, np.arange(20), watcher=Watcher(note=notes.append))
    texts = texts_of(data, range(20))
    tokens = small.count(list(texts.values())).sum()
    assert notes == [f"encoder small: 20 documents, {tokens} tokens, about 1 s; the vectors are kept with the data"]


def test_too_many_tokens_are_refused_with_what_would_allow_them(data, small, read):
    rows = np.arange(20)
    tokens = small.count([texts_of(data, [row])[row] for row in rows.tolist()]).sum()
    with pytest.raises(UsageError, match=rf"read 20 documents, about {tokens} tokens.*--encoder-limit {tokens}, or"):
        vectors_of(data, small, rows, most=tokens - 1)
    assert read == []
    assert len(vectors_of(data, small, rows, most=tokens).rows) == 20


def test_far_too_many_are_refused_before_the_source_is_read(data, small):
    Path("own.csv").unlink()
    with pytest.raises(UsageError, match="--encoder-limit"):
        vectors_of(data, small, np.arange(20), most=10)


def test_texts_that_have_changed_or_gone_are_said_with_the_remedy(data, small):
    Path("own.csv").write_text("text,label\nrain,weather\nbread,food\n")
    with pytest.raises(
        DataError,
        match=r"own.csv is not what own was made from.*train without --encoder or --unlabelled, or build .* preprocess",
    ):
        vectors_of(data, small, np.arange(5))


def test_documents_given_in_memory_have_no_texts_any_more(small):
    held = [(f"{word} on the mat {place}", word) for word in ("cat", "dog") for place in range(20)]
    data = DataDirectory.open(preprocess(PreprocessConfig(name="held", num_workers=1), held=held)[0])
    with pytest.raises(UsageError, match="were given in memory"):
        vectors_of(data, small, np.arange(5))
    given = {row: held[int(data.documents.source[row]) - 1][0] for row in range(5)}
    assert len(vectors_of(data, small, np.arange(5), texts=given).rows) == 5


def test_a_data_directory_with_vectors_can_be_built_again(data, small):
    vectors_of(data, small, np.arange(5))
    root, _ = preprocess(PreprocessConfig(source="own.csv", num_workers=1, seed=1, overwrite=True))
    assert root == data.layout.root
    assert not pieces(data)
