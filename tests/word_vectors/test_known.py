import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textclf.errors import DataError, UsageError
from textclf.sources.index import Wheel
from textclf.word_vectors import known, read, store
from textclf.word_vectors.known import Known

SMALL = Known(Wheel("small", "1.0", ""), "a/table.npy", "a/words.parquet", "PDDL-1.0", ("info/LICENSE",), "small ones")


@pytest.fixture
def index(monkeypatch):
    """A package index with a small wheel, whose files a test may change."""
    table, words = io.BytesIO(), io.BytesIO()
    np.save(table, np.array([[1, 2], [3, 4]], dtype=np.float32))
    pq.write_table(pa.table({"word": ["river", "bank"]}), words)
    files = {SMALL.table: table.getvalue(), SMALL.words: words.getvalue(), SMALL.licences[0]: b"yours"}

    def download(_wheel, folder):
        if not files:
            raise DataError("no answer")
        with zipfile.ZipFile(folder / "x.whl", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return folder / "x.whl"

    monkeypatch.setattr(known.index, "download", download)
    monkeypatch.setattr(known, "KNOWN", {"small": SMALL})
    return files


def test_vectors_are_fetched_once_and_kept_with_their_licence(index):
    added = known.add("small")
    assert (added.name, added.words, added.dimension, added.licence) == ("small", 2, 2, "PDDL-1.0")
    assert added.source == "small 1.0"
    assert sorted(path.name for path in added.path.iterdir()) == [
        "LICENSE",
        "vectors.json",
        "vectors.safetensors",
        "words.txt",
    ]
    index.clear()
    assert known.add("small") == added
    assert read(store.find("small").path, ["bank"]).values.tolist() == [[3, 4]]


def test_nothing_is_half_added(index):
    del index[SMALL.licences[0]]
    with pytest.raises(DataError, match="the wheel of the vectors small is damaged"):
        known.add("small")
    index.clear()
    with pytest.raises(DataError, match=r"cannot fetch the vectors small \(no answer\); check the network"):
        known.add("small")
    assert store.summaries() == []


def test_other_names_are_refused(index):
    with pytest.raises(UsageError, match=r"no vectors of the name glov are known \(small\); a file is given to train"):
        known.add("glov")
    assert not Path(os.environ["TEXTCLF_VECTORS"]).exists()


def test_the_catalogue_has_a_checksum_of_each_wheel():
    assert all(len(each.wheel.sha256) == 64 for each in known.KNOWN.values())
