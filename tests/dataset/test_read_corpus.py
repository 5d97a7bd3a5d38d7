import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD, count_tokens
from textclf.dataset import spool
from textclf.dataset.engine import Here
from textclf.dataset.read_corpus import BatchSize, Work, _number, _number_long, batches, read_corpus
from textclf.dataset.splits import digest, fold, number_texts
from textclf.errors import DataError, ResourceError
from textclf.sources import SPLITS, Document
from textclf.system import workers
from textclf.text.corpus_encoder import NewPreTokens
from textclf.text.tokenizer import PIECE_CHARACTERS, pieces_of, pre_tokens_of

SOURCE = {
    "train": [Document(f"é{number}", text, "zyx"[number % 3]) for number, text in enumerate([*ODD, "", " \t", *ODD])],
    "test": [Document("1", "THE cat", "new"), Document("", "the\n Cat", "x")],
}


def silent(items, _title, _total):
    return items


def read(folder, splits=SOURCE, *, lowercase=True, progress=silent, batch=1_000):
    with workers.lazy_pool(1, imports="textclf.errors") as pool:
        work = Work(pool, progress, BatchSize(batch))
        return read_corpus(splits, lowercase=lowercase, spool=folder / "numbers.bin", work=work)


def numbers_in(found):
    return np.fromfile(found.spool.paths[0], dtype=np.int32).tolist()


@pytest.mark.parametrize("batch", [1, 7, 1_000])
@pytest.mark.parametrize("lowercase", [True, False])
def test_what_is_read_is_what_the_source_has(tmp_path, lowercase, batch):
    found = read(tmp_path, lowercase=lowercase, batch=batch)
    everything = [document for split in SPLITS for document in SOURCE.get(split, ())]
    assert list(found.ids.strings(np.arange(len(everything)))) == [document.id for document in everything]
    assert found.sets == [("new",), ("x",), ("y",), ("z",)]
    assert [found.sets[place] for place in found.documents.label] == [(document.label,) for document in everything]
    assert [SPLITS[place] for place in found.documents.split] == ["train"] * (len(everything) - 2) + ["test"] * 2
    texts = number_texts(b"".join(digest(fold(document.text)) for document in everything))
    assert found.documents.text.tolist() == texts.tolist()
    lengths = np.diff(found.offsets)
    assert ((lengths == 0) == [not document.text.strip() for document in everything]).all()
    assert (
        found.offsets[-1]
        == len(numbers_in(found))
        >= sum(len(pre_tokens_of(document.text, lowercase=lowercase)) for document in everything)
    )


@pytest.mark.parametrize("batch", [1, 7, 1_000])
@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_pre_tokens_are_counted_in_the_chosen_documents(tmp_path, batch, at_once):
    found = read(tmp_path, batch=batch)
    everything = [document for split in SPLITS for document in SOURCE.get(split, ())]
    chosen = np.arange(len(everything)) % 3 == 0
    counted = spool.count(found.spool.paths[0], found.offsets, chosen, kinds=len(found.pre_tokens), at_once=at_once)
    tokenized = found.pre_tokens.tokenize()
    counts = {tokenized.tokens[place]: count for place, count in enumerate(tokenized.count_tokens(counted)) if count}
    texts = [document.text for document, is_chosen in zip(everything, chosen, strict=True) if is_chosen]
    assert counts == count_tokens(texts)


def test_texts_without_any_pre_token_can_be_read(tmp_path):
    found = read(tmp_path, {"train": [Document("1", "", "a"), Document("2", " ", "b")]})
    assert found.offsets.tolist() == [0, 0, 0]
    assert numbers_in(found) == []
    assert Here(None).count(found, np.array([True, True])).tolist() == []


def test_each_reading_has_numbers_of_its_own(tmp_path):
    first = numbers_in(read(tmp_path, {"train": [Document("1", "a b", "x")]}))
    assert numbers_in(read(tmp_path, {"train": [Document("1", "b a", "x")]})) == first == [0, 1]


def test_batches_end_at_many_documents_or_characters():
    texts = ["a", "b", "c", "d", "x" * 30, "y" * 9, "z", "e"]
    found = batches((Document("", text, "") for text in texts), BatchSize(3, 10))
    assert [len(batch) for batch in found] == [3, 2, 2, 1]
    assert list(batches([], BatchSize())) == []
    long = "x" * (PIECE_CHARACTERS + 1)
    found = batches((Document("", text, "") for text in ["a", long, long, "b"]), BatchSize())
    assert [len(batch) for batch in found] == [1, 1, 1, 1]


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


def test_a_copy_of_a_process_is_another_worker_and_reports_all_its_pre_tokens(monkeypatch):
    first = _number(b"a reading", True, ["the cat"])
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in a copy
    second, third = (_number(b"a reading", True, [text]) for text in ("the cat", "the cat sat"))
    new = [NewPreTokens(0, b"the\ncat\n"), NewPreTokens(0, b"the\ncat\n"), NewPreTokens(2, b"sat\n")]
    assert [*first.new, *second.new, *third.new] == new
    assert first.worker != second.worker == third.worker


def test_each_thread_is_a_worker_of_its_own():
    first = _number(b"threads", True, ["the cat"])
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(_number, b"threads", True, ["the cat"]).result()
    assert first.new == second.new == [NewPreTokens(0, b"the\ncat\n")]
    assert first.worker != second.worker


def test_a_long_text_is_read_in_pieces_as_if_it_were_short(tmp_path, monkeypatch):
    text = " ".join([*ODD, "The  end", *ODD]) + " "
    with monkeypatch.context() as small:
        small.setattr("textclf.dataset.read_corpus.pieces_of", lambda text: pieces_of(text, size=20))
        long = _number_long(b"long", True, text)
    short = _number(b"short", True, [text])
    assert len(long.runs) == len(long.new) > 20
    assert b"".join(long.runs) == short.runs[0]
    assert b"".join(new.strings for new in long.new) == short.new[0].strings
    assert (long.lengths.tolist(), long.digests) == (short.lengths.tolist(), short.digests)
    words = "a B " * (PIECE_CHARACTERS // 4 + 1)
    documents = {"train": [Document(str(number), each, "x") for number, each in enumerate(("a", words, words.upper()))]}
    found = read(tmp_path, documents)
    assert np.diff(found.offsets).tolist() == [1, len(words) // 2, len(words) // 2]
    assert found.documents.text.tolist() == [0, 1, 1]


def test_more_documents_than_rows_can_be_numbered_are_refused(tmp_path):
    with workers.lazy_pool(1, imports="textclf.errors") as pool:
        work, source = Work(pool, silent, BatchSize(2)), {"train": [Document(str(row), "a", "x") for row in range(5)]}
        for most in (4, 5):
            reading = (
                nullcontext() if most == 5 else pytest.raises(DataError, match="more than 4 documents; preprocess")
            )
            with reading:
                read_corpus(source, lowercase=True, spool=tmp_path / "numbers.bin", work=work, most=most)
