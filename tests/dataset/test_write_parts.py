import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD, count_tokens, numbered
from textclf.dataset import tensors
from textclf.dataset.documents import DocumentNames
from textclf.dataset.manifest import DataLayout
from textclf.dataset.near_copies import BANDS, ROWS, signatures
from textclf.dataset.parts import Parts
from textclf.dataset.read_corpus import BATCH, BatchSize, Work
from textclf.dataset.spool import Spool
from textclf.dataset.write_parts import (
    NumberedDocuments,
    PartPlan,
    joined,
    prepare,
    read_written,
    room_needed,
    write_part,
    write_parts,
)
from textclf.system import workers
from textclf.text import arrays, unspaced
from textclf.text.tokenizer import UNK_ID, Tokenizer

TEXTS = ["", *ODD, " ", *reversed(ODD), "the catty", ""]
NAMES = [f"train-{number:07}" for number in range(len(TEXTS))]


def silent(items, _title, _total):
    return items


def write(folder, texts=TEXTS, *, compare=False, progress=silent, batch=BATCH, size=1_000, has_tensors=True):
    """Write texts in the reverse of the order in which they were read; the tokenizer knows half of the words."""
    plans, tokenizer = plan(folder, texts, compare=compare, batch=batch, size=size, has_tensors=has_tensors)
    prepare(plans[0].layout, has_tensors=has_tensors)
    found = [read_written(each) for each in plans]
    with workers.lazy_pool(1, imports="textclf.errors") as pool:
        parts = write_parts(plans, found, work=Work(pool, progress, batch))
    return plans[0].layout, joined([part.documents for part in parts]), tokenizer


def plan(folder, texts=TEXTS, *, compare=False, batch=BATCH, size=1_000, has_tensors=True):
    """How the parts of these texts are written."""
    runs, pre_tokens = numbered(texts)
    counts = count_tokens(ODD[::2])
    tokenizer = Tokenizer.from_counts(list(counts), np.array(list(counts.values())), max_parts=300)
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    np.concatenate([*runs, np.empty(0, dtype=np.int32)]).tofile(scratch / "numbers.bin")
    lengths = np.array([len(run) for run in runs])
    starts = arrays.offsets(lengths)[:-1]
    documents = NumberedDocuments(
        Spool.of(scratch / "numbers.bin", lengths), starts[::-1], lengths[::-1], tokenizer.word_ids
    )
    documents.save(pre_tokens.tokenize().encode(tokenizer))
    names = DocumentNames((len(texts), 0, 0)) if has_tensors else None
    plans = [
        PartPlan(DataLayout(folder), number, rows.start, documents.at(rows), names, compare, False, batch)
        for number, rows in enumerate(Parts(len(texts), size))
    ]
    return plans, tokenizer


@pytest.mark.parametrize("batch", [1, 5, 1_000])
def test_each_document_is_written_as_the_tokenizer_encodes_it(tmp_path, batch):
    layout, written, tokenizer = write(tmp_path, batch=BatchSize(batch))
    ids = [tokenizer.encode(text) for text in reversed(TEXTS)]
    assert [tensors.read_tensor(layout.tensor(name)).tolist() for name in NAMES] == [run.tolist() for run in ids]
    assert len(list(layout.tensors.glob("*/*"))) == len(TEXTS)
    assert written.lengths.tolist() == [len(run) for run in ids]
    words = [[token for token in tokenizer.tokens(text) if token not in unspaced.MARKS] for text in reversed(TEXTS)]
    assert written.words.tolist() == [len(some) or 1 for some in words]
    assert written.unknown.tolist() == [run.tolist().count(UNK_ID) for run in ids]
    assert written.crc32.tolist() == [tensors.checksum(run) for run in ids]
    assert written.lengths.sum() > written.words.sum() > written.unknown.sum() > 0
    assert layout.packed.part(0).read_bytes() == np.concatenate(ids).astype("<i4").tobytes()


@pytest.mark.parametrize("has_tensors", [True, False])
@pytest.mark.parametrize("size", [1, 4, 7])
def test_parts_are_the_same_whoever_writes_them_and_in_whatever_order(tmp_path, size, has_tensors):
    options = {"size": size, "compare": True, "has_tensors": has_tensors}
    _, whole, _ = write(tmp_path / "whole", **{**options, "size": 1_000})
    _, together, _ = write(tmp_path / "together", batch=BatchSize(3), **options)
    plans, _ = plan(tmp_path / "apart", **options)
    prepare(plans[0].layout, has_tensors=has_tensors)
    sent = [pickle.loads(pickle.dumps(each)) for each in reversed(plans)]
    apart = joined([write_part(each).documents for each in sent][::-1])
    for one, other, same in zip(whole, together, apart, strict=True):
        assert one.dtype == other.dtype == same.dtype
        assert one.tolist() == other.tolist() == same.tolist()
    files = [
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "together", tmp_path / "apart")
    ]
    assert files[0] == files[1]
    tokens = [path.read_bytes() for path in sorted((tmp_path / "apart" / "packed").iterdir())]
    assert b"".join(tokens) == (tmp_path / "whole" / "packed" / "part-00000.bin").read_bytes()
    assert len(tokens) == -(-len(TEXTS) // size)


def changed(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def missing(plans):
    """The numbers of the parts that are not there, or not whole."""
    return [each.number for each in plans if read_written(each) is None]


@pytest.mark.parametrize("damage", [changed, lambda path: path.write_bytes(path.read_bytes()[:-4]), Path.unlink])
@pytest.mark.parametrize("place", ["packed/part-00001.bin", "written/part-00001.bin"])
def test_parts_that_a_stopped_run_has_written_whole_are_reused(tmp_path, place, damage):
    options = {"size": 7, "compare": True, "has_tensors": False}
    layout, before, _ = write(tmp_path, **options)
    files = sorted(layout.packed.root.iterdir())
    contents = [path.read_bytes() for path in files]
    damage(tmp_path / place)
    for path in files:
        if path.exists():
            os.utime(path, (0, 0))
    assert missing(plan(tmp_path, **options)[0]) == [1]
    _, after, _ = write(tmp_path, **options)
    assert [path.read_bytes() for path in files] == contents
    assert [number for number, path in enumerate(files) if path.stat().st_mtime] == [1]
    assert [column.tolist() for column in after] == [column.tolist() for column in before]


def test_parts_with_tensors_or_of_other_documents_are_not_reused(tmp_path):
    write(tmp_path, size=7, has_tensors=False)
    for options in ({"has_tensors": True}, {"has_tensors": False, "compare": True}):
        assert not any(map(read_written, plan(tmp_path, size=7, **options)[0]))
    others = plan(tmp_path, TEXTS[:-1], size=7, has_tensors=False)[0]
    assert missing(others) == [others[-1].number]


@pytest.mark.parametrize("batch", [1, 5, 1_000])
def test_signatures_are_made_when_asked_for(tmp_path, batch):
    _, written, tokenizer = write(tmp_path, compare=True, batch=BatchSize(batch))
    ids = [tokenizer.encode(text) for text in reversed(TEXTS)]
    expected = signatures(np.concatenate(ids), np.array([len(run) for run in ids]))
    assert np.array_equal(written.signatures, expected)
    (tmp_path / "without").mkdir()
    assert write(tmp_path / "without")[1].signatures.shape == (len(TEXTS), 0)
    assert expected.shape == (len(TEXTS), BANDS * ROWS)


def test_documents_may_all_be_empty(tmp_path):
    layout, written, _ = write(tmp_path, [""] * len(TEXTS))
    assert written.lengths.tolist() == written.unknown.tolist() == [1] * len(TEXTS)
    assert tensors.read_tensor(layout.tensor(NAMES[0])).tolist() == [UNK_ID]


def test_there_is_a_folder_for_every_pair_of_hex_digits(tmp_path):
    layout, *_ = write(tmp_path)
    assert sorted(path.name for path in layout.tensors.iterdir()) == [f"{number:02x}" for number in range(256)]


def test_long_documents_make_smaller_batches(tmp_path):
    bars = []

    def progress(items, title, total):
        items = list(items)
        bars.append((title, len(items), total))
        return items

    layout, _, tokenizer = write(tmp_path, progress=progress, batch=BatchSize(size=10))
    assert bars[0][0] == "tokens"
    assert 5 < bars[0][1] == bars[0][2] < len(TEXTS)
    assert tensors.read_tensor(layout.tensor(NAMES[1])).tolist() == tokenizer.encode("the catty").tolist()


def test_the_room_needed_is_for_tensors_that_are_not_there_the_packed_copy_and_the_tables():
    lengths = np.array([0, 10, 5000])
    whole = room_needed(lengths, reused=0)
    assert whole.bytes == 4096 + 4096 + 6 * 4096 + 4 * 5010 + 64 * 3
    assert room_needed(lengths, reused=3).bytes == 4 * 5010 + 64 * 3
    assert whole.files - room_needed(lengths, reused=2).files == 2


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_a_long_document_is_encoded_in_parts(tmp_path, at_once):
    text = " ".join(ODD)
    runs, pre_tokens = numbered([text])
    tokenizer = Tokenizer.fit(ODD[::2], max_parts=300)
    runs[0].tofile(tmp_path / "numbers.bin")
    documents = NumberedDocuments(
        Spool.of(tmp_path / "numbers.bin", np.array([len(runs[0])])),
        np.array([0]),
        np.array([len(runs[0])]),
        tokenizer.word_ids,
    )
    documents.save(pre_tokens.tokenize().encode(tokenizer, at_once=at_once))
    ids, lengths = documents.encode(at_once=at_once)
    assert ids.tolist() == tokenizer.encode(text).tolist()
    assert lengths.tolist() == [len(ids)]
