import numpy as np
import pytest

from tests.text.test_corpus_encoder import ODD, count_tokens, numbered
from textclf.dataset import packed, tensors
from textclf.dataset.manifest import DataLayout
from textclf.dataset.near_copies import BANDS, ROWS, signatures
from textclf.dataset.read_corpus import BATCH, BatchSize, Work
from textclf.dataset.write_tensors import NumberedDocuments, room_needed, write_tensors
from textclf.system import workers
from textclf.text import arrays
from textclf.text.tokenizer import UNK_ID, Tokenizer

TEXTS = ["", *ODD, " ", *reversed(ODD), "the catty", ""]
NAMES = [f"train-{number:07}" for number in range(len(TEXTS))]


def silent(items, _title, _total):
    return items


def write(folder, texts=TEXTS, *, compare=False, progress=silent, batch=BATCH):
    """Write texts in the reverse of the order in which they were read; the tokenizer knows half of the words."""
    runs, pre_tokens = numbered(texts)
    counts = count_tokens(ODD[::2])
    tokenizer = Tokenizer.from_counts(list(counts), np.array(list(counts.values())), max_parts=300)
    scratch = folder / "scratch"
    scratch.mkdir()
    np.concatenate([*runs, np.empty(0, dtype=np.int32)]).tofile(scratch / "numbers.bin")
    lengths = np.array([len(run) for run in runs])
    starts = arrays.offsets(lengths)[:-1]
    documents = NumberedDocuments(scratch / "numbers.bin", starts[::-1], lengths[::-1], tokenizer.size)
    documents.save(pre_tokens.tokenize().encode(tokenizer))
    layout = DataLayout(folder)
    with workers.lazy_pool(1, imports="textclf.errors") as pool:
        written = write_tensors(layout, NAMES, documents, compare=compare, work=Work(pool, progress, batch))
    return layout, written, tokenizer


@pytest.mark.parametrize("batch", [1, 5, 1_000])
def test_each_document_is_written_as_the_tokenizer_encodes_it(tmp_path, batch):
    layout, written, tokenizer = write(tmp_path, batch=BatchSize(batch))
    ids = [tokenizer.encode(text) for text in reversed(TEXTS)]
    assert [tensors.read_tensor(layout.tensor(name)).tolist() for name in NAMES] == [run.tolist() for run in ids]
    assert len(list(layout.tensors.glob("*/*"))) == len(TEXTS)
    assert written.lengths.tolist() == [len(run) for run in ids]
    assert written.words.tolist() == [len(tokenizer.tokens(text)) or 1 for text in reversed(TEXTS)]
    assert written.unknown.tolist() == [run.tolist().count(UNK_ID) for run in ids]
    assert written.crc32.tolist() == [tensors.checksum(run) for run in ids]
    assert written.lengths.sum() > written.words.sum() > written.unknown.sum() > 0
    packed.finish(layout.packed, written.lengths, fingerprint="a")
    assert np.array_equal(packed.open_packed(layout.packed).tokens, np.concatenate(ids))
    assert written.ids.size == 0


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
    documents = NumberedDocuments(tmp_path / "numbers.bin", np.array([0]), np.array([len(runs[0])]), tokenizer.size)
    documents.save(pre_tokens.tokenize().encode(tokenizer, at_once=at_once))
    ids, lengths = documents.encode(at_once=at_once)
    assert ids.tolist() == tokenizer.encode(text).tolist()
    assert lengths.tolist() == [len(ids)]
