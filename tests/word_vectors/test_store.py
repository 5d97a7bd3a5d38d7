import os
from pathlib import Path

import numpy as np
import pytest

from textclf.errors import UsageError
from textclf.word_vectors import kept, store

ABOUT = {"name": "small", "source": "somewhere", "licence": "PDDL-1.0"}


@pytest.fixture
def small() -> Path:
    folder = Path(os.environ["TEXTCLF_VECTORS"]) / "small"
    folder.mkdir(parents=True)
    kept.write(folder, b"a\nb\n", np.ones((2, 3), dtype=np.float32), about=ABOUT, texts={})
    return folder


def test_vectors_are_found_by_name_and_by_path(small, tmp_path):
    assert store.find("small") == store.find(str(small)) == (small, ABOUT)
    path = tmp_path / "own.vec"
    path.write_text("a 1\n")
    assert store.find("own.vec") == (Path("own.vec"), {"name": "own.vec", "source": str(path), "licence": "unknown"})


def test_the_names_are_said_where_there_is_no_such_file(small):
    with pytest.raises(
        UsageError, match=r"no vectors smal: there is no such file, and the names are: small; give a file"
    ):
        store.find("smal")


def test_they_are_listed_and_removed(small):
    (found,) = store.summaries()
    assert (found.name, found.words, found.dimension, found.licence, found.error) == ("small", 2, 3, "PDDL-1.0", "")
    assert store.record(found)["bytes"] == sum(path.stat().st_size for path in small.iterdir())
    with pytest.raises(UsageError, match=r"no vectors other to remove from .*; there are small"):
        store.remove("other")
    assert store.remove("small") == found
    assert store.summaries() == []


def test_damaged_ones_say_so(small):
    (small / "vectors.json").write_text("{")
    (found,) = store.summaries()
    assert "are damaged" in found.error
    assert store.record(found)["words"] is None


def test_they_are_in_the_data_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("TEXTCLF_VECTORS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store.home().folder == tmp_path / "textclf" / "vectors"
