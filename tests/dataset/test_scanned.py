import numpy as np
import pytest

from textclf.dataset import scanned
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


def test_documents_of_the_same_tokens_have_one_key(there):
    rows = range(len(there.data.documents))
    runs = [there.tokens.gather(np.array([row]))[0].tobytes() for row in rows]
    assert len({*runs}) == len({*there.keys.tolist()})
    assert (near_copies(np.concatenate([there.written.signatures] * 2))[len(rows) :] < len(rows)).all()


def test_splits_are_those_of_the_table(there):
    for place, rows in enumerate(there.data.documents.names.slices().values()):
        assert (there.split[rows] == place).all()
