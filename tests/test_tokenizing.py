import errno
import os
import signal

import numpy as np
import pytest

from textclf import atomic
from textclf.errors import ResourceError
from textclf.store import packed, tensors
from textclf.store.manifest import Layout
from textclf.text.tokenizer import UNK_ID, Tokenizer, count_tokens
from textclf.tokenizing import CHUNK, count_words, processes, write_tokens

COUNTS = [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3]


def texts(count):
    return [f"The cat{number % 7} sat, number {number}" * (number % 3) for number in range(count)]


def silent(items, _title, _total):
    return items


class Shown:
    """A progress bar that remembers what it showed."""

    def __init__(self):
        self.bars = []

    def __call__(self, items, title, total):
        items = list(items)
        self.bars.append((title, len(items), total))
        return items


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("count", COUNTS)
def test_words_are_counted_over_all_chunks(count, lowercase):
    shown = Shown()
    counts = count_words(texts(count), lowercase=lowercase, spread=map, progress=shown)
    assert counts == count_tokens(texts(count), lowercase=lowercase)
    chunks = -(-count // CHUNK)
    assert shown.bars == [("vocabulary", chunks, chunks)]


def write(folder, count, *, spread=map, progress=silent, words=5, parts=20):
    """Tokenize that many texts into a folder, with a vocabulary of that many words and parts."""
    layout = Layout(folder)
    layout.root.mkdir()
    tokenizer = Tokenizer.fit(texts(count), max_vocab=words, max_parts=parts)
    atomic.write_json(layout.tokenizer, tokenizer.to_json())
    names = [f"train-{number:07}" for number in range(count)]
    encoded = write_tokens(layout, names, texts(count), spread=spread, progress=progress)
    return layout, names, [tokenizer.encode(text) for text in texts(count)], encoded


@pytest.mark.parametrize("count", COUNTS)
def test_each_document_becomes_a_tensor(tmp_path, count):
    shown = Shown()
    layout, names, ids, encoded = write(tmp_path / "x", count, progress=shown)
    assert [tensors.read(layout.tensor(name)).tolist() for name in names] == [run.tolist() for run in ids]
    assert len(list(layout.tensors.glob("*/*"))) == count
    assert encoded.lengths.tolist() == [len(run) for run in ids]
    tokenizer = Tokenizer.from_json(atomic.read_json(layout.tokenizer))
    assert encoded.words.tolist() == [len(tokenizer.tokens(text)) or 1 for text in texts(count)]
    assert encoded.unknown.tolist() == [run.tolist().count(UNK_ID) for run in ids]
    assert encoded.crc32.tolist() == [tensors.checksum(run) for run in ids]
    chunks = -(-count // CHUNK)
    assert shown.bars == [("tokens", chunks, chunks)]


def test_parts_of_unknown_words_are_tokens_and_no_words(tmp_path):
    _, _, ids, with_parts = write(tmp_path / "x", 50)
    _, _, _, without = write(tmp_path / "y", 50, parts=0)
    assert with_parts.words.tolist() == without.words.tolist() == without.lengths.tolist()
    assert with_parts.unknown.tolist() == without.unknown.tolist()
    assert with_parts.lengths.sum() > with_parts.words.sum()
    assert max(map(max, ids)) >= 2 + 5  # <pad>, <unk> and five words


def test_the_packed_copy_has_the_documents_in_order(tmp_path):
    layout, _, ids, encoded = write(tmp_path / "x", CHUNK + 9)
    packed.finish(layout.packed, encoded.lengths, fingerprint="a")
    assert np.array_equal(packed.read(layout.packed).tokens, np.concatenate(ids))


def test_there_is_a_folder_for_every_pair_of_hex_digits(tmp_path):
    layout, *_ = write(tmp_path / "x", 1)
    assert sorted(path.name for path in layout.tensors.iterdir()) == [f"{number:02x}" for number in range(256)]


def test_a_tokenizer_that_was_learnt_anew_is_read_anew(tmp_path):
    _, _, many, _ = write(tmp_path / "x", 50, words=20)
    (tmp_path / "x").rename(tmp_path / "y")
    layout, names, few, _ = write(tmp_path / "x", 50, words=2, parts=0)
    assert [tensors.read(layout.tensor(name)).tolist() for name in names] == [run.tolist() for run in few]
    assert max(map(max, few)) < max(map(max, many))


def test_one_process_is_this_one():
    with processes(1) as spread:
        assert list(spread(lambda _: os.getpid(), [None])) == [os.getpid()]


def test_as_many_processes_as_processors_if_not_told(monkeypatch):
    monkeypatch.setattr("textclf.tokenizing.processors", lambda: 1)
    with processes(None) as spread:
        assert list(spread(lambda _: os.getpid(), [None])) == [os.getpid()]


def where(number):
    return number, os.getpid()


def kill(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def full(number):
    raise ResourceError(f"no space left to write {number}.pt; free some and run the command again")


def broken(_):
    raise OSError(errno.EIO, "the disk is broken")


@pytest.mark.slow
def test_several_processes_keep_the_order():
    with processes(2) as spread:
        results = list(spread(where, range(50)))
    assert [number for number, _ in results] == list(range(50))
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.slow
def test_several_processes_write_the_same_files(tmp_path):
    alone, _, _, expected = write(tmp_path / "alone", 2 * CHUNK + 3)
    with processes(2) as spread:
        together, _, _, encoded = write(tmp_path / "together", 2 * CHUNK + 3, spread=spread)
        counts = count_words(texts(600), lowercase=True, spread=spread, progress=silent)
    assert counts == count_tokens(texts(600))
    for ours, theirs in zip(encoded, expected, strict=True):
        assert ours.tolist() == theirs.tolist()
    one, other = (
        {path.relative_to(layout.root): path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}
        for layout in (alone, together)
    )
    assert one == other
    assert len(one) == 2 * CHUNK + 3 + 2  # with tokenizer.json and packed/tokens.bin


@pytest.mark.slow
def test_a_killed_process_is_a_lack_of_resources():
    with pytest.raises(ResourceError) as caught, processes(2) as spread:
        list(spread(kill, range(10)))
    assert str(caught.value) == "a process that tokenizes was killed, for want of memory perhaps; try --num-workers 1"
    assert caught.value.exit_code == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "kind", "message"),
    [
        (full, ResourceError, "no space left to write 0.pt; free some and run the command again"),
        (broken, OSError, "[Errno 5] the disk is broken"),
    ],
)
def test_an_error_in_another_process_is_the_same_error_here(job, kind, message):
    with pytest.raises(kind) as caught, processes(2) as spread:
        list(spread(job, range(10)))
    assert type(caught.value) is kind
    assert str(caught.value) == message
