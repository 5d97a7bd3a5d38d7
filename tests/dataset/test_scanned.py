import numpy as np
import pytest

from tests.dataset.growing import write
from textclf.config import PreprocessConfig
from textclf.dataset import scanned
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.dataset.near_copies import near_copies
from textclf.dataset.read_corpus import BATCH, Work
from textclf.system import workers
from textclf.text.tokenizer import UNK_ID


@pytest.fixture
def there(data_dir):
    with workers.lazy_pool(1, imports=scanned.__name__, alone_seconds=0) as pool:
        yield scanned.scan(DataDirectory.open(data_dir), Work(pool, lambda items, _title, _total: items, BATCH))


def test_words_and_unknown_ones_are_counted_per_document(there):
    for row in range(0, len(there.data.documents), 7):
        ids = there.tokens.gather(np.array([row]))[0]
        assert there.written.words[row] == (ids < there.tokenizer.size).sum()
        assert there.written.unknown[row] == (ids == UNK_ID).sum()


def test_marks_of_scripts_without_spaces_are_no_words_to_the_report_and_when_read_again(tmp_path):
    rows = [(f"{label}{second} {label}", label) for label in "我你" for second in "一二三四五六"]
    source = str(write(tmp_path / "rows.csv", rows))
    root, report = preprocess(PreprocessConfig(source=source, data_dir=tmp_path, test_size=None, num_workers=1))
    assert {split.lengths["median"] for split in report.splits.values()} == {3}
    with workers.lazy_pool(1, imports=scanned.__name__, alone_seconds=0) as pool:
        found = scanned.scan(DataDirectory.open(root), Work(pool, lambda items, _title, _total: items, BATCH))
    assert found.written.words.tolist() == [3] * len(rows)
    assert (found.written.lengths > 3).all()


def test_documents_of_the_same_tokens_have_one_key(there):
    rows = range(len(there.data.documents))
    runs = [there.tokens.gather(np.array([row]))[0].tobytes() for row in rows]
    assert len({*runs}) == len({*there.keys.tolist()})
    assert (near_copies(np.concatenate([there.written.signatures] * 2))[len(rows) :] < len(rows)).all()


def test_splits_are_those_of_the_table(there):
    for place, rows in enumerate(there.data.documents.names.slices().values()):
        assert (there.split[rows] == place).all()
