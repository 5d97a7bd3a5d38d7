import errno
import os

import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD
from textclf.dataset import read_corpus
from textclf.dataset.splits import digest, fold, numbered
from textclf.errors import ResourceError
from textclf.sources import SPLITS, Document
from textclf.system import workers
from textclf.text.tokenizer import chunks_of, count_tokens

SOURCE = {
    "train": [Document(f"é{number}", text, "zyx"[number % 3]) for number, text in enumerate([*ODD, "", " \t", *ODD])],
    "test": [Document("1", "THE cat", "new"), Document("", "the\n Cat", "x")],
}


def silent(items, _title, _total):
    return items


def read(folder, splits=SOURCE, *, lowercase=True, progress=silent):
    with workers.crew(1, imports="textclf.errors") as crew:
        return read_corpus.read(splits, lowercase=lowercase, spool=folder / "numbers.bin", crew=crew, progress=progress)


@pytest.fixture(params=[1, 7, 1_000])
def batch(request, monkeypatch):
    monkeypatch.setattr(read_corpus, "BATCH", request.param)


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize("lowercase", [True, False])
def test_what_is_read_is_what_the_source_has(tmp_path, lowercase):
    found = read(tmp_path, lowercase=lowercase)
    everything = [document for split in SPLITS for document in SOURCE.get(split, ())]
    assert found.source_ids() == [document.id for document in everything]
    assert found.labels == ["new", "x", "y", "z"]
    assert [found.labels[place] for place in found.documents.label] == [document.label for document in everything]
    assert [SPLITS[place] for place in found.documents.split] == ["train"] * (len(everything) - 2) + ["test"] * 2
    texts = numbered(b"".join(digest(fold(document.text)) for document in everything))
    assert found.documents.text.tolist() == texts.tolist()
    lengths = np.diff(found.offsets)
    assert ((lengths == 0) == [not document.text.strip() for document in everything]).all()
    assert (
        found.offsets[-1]
        == len(found.numbers())
        >= sum(len(chunks_of(document.text, lowercase=lowercase)) for document in everything)
    )


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize("at_a_time", [1, 50, 10**6])
def test_chunks_are_counted_in_the_chosen_documents(tmp_path, monkeypatch, at_a_time):
    monkeypatch.setattr(read_corpus, "COUNTED", at_a_time)
    found = read(tmp_path)
    everything = [document for split in SPLITS for document in SOURCE.get(split, ())]
    chosen = np.arange(len(everything)) % 3 == 0
    counts = found.chunks.cut().counts(found.count_chunks(chosen))
    texts = [document.text for document, is_chosen in zip(everything, chosen, strict=True) if is_chosen]
    assert counts == count_tokens(texts)


def test_texts_without_any_chunk_can_be_read(tmp_path):
    found = read(tmp_path, {"train": [Document("1", "", "a"), Document("2", " ", "b")]})
    assert found.offsets.tolist() == [0, 0, 0]
    assert found.numbers().tolist() == found.count_chunks(np.array([True, True])).tolist() == []


def test_each_reading_has_numbers_of_its_own(tmp_path):
    first = read(tmp_path, {"train": [Document("1", "a b", "x")]}).numbers().tolist()
    assert read(tmp_path, {"train": [Document("1", "b a", "x")]}).numbers().tolist() == first == [0, 1]


def test_batches_end_at_many_documents_or_characters(monkeypatch):
    monkeypatch.setattr(read_corpus, "BATCH", 3)
    monkeypatch.setattr(read_corpus, "BATCH_CHARACTERS", 10)
    texts = ["a", "b", "c", "d", "x" * 30, "y" * 9, "z", "e"]
    found = read_corpus.batches(Document("", text, "") for text in texts)
    assert [len(batch) for batch in found] == [3, 2, 2, 1]
    assert list(read_corpus.batches([])) == []


def test_progress_is_shown_a_batch_at_a_time(tmp_path):
    bars = []

    def progress(items, title, total):
        items = list(items)
        bars.append((title, len(items), total))
        return items

    read(tmp_path, progress=progress)
    assert bars == [("texts", 2, None)]  # a split each


def test_a_full_disk_is_named(tmp_path):
    def full(items, _title, _total):
        next(iter(items))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ResourceError, match=r"no space left to write .*numbers\.bin"):
        read(tmp_path, progress=full)


def test_a_copy_of_a_process_tells_of_all_chunks_anew(monkeypatch):
    assert read_corpus._cut("a reading", True, ["the cat"]).new == ["the", "cat"]
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in a copy
    assert read_corpus._cut("a reading", True, ["the cat"]).new == ["the", "cat"]
    assert read_corpus._cut("a reading", True, ["the cat sat"]).new == ["sat"]
