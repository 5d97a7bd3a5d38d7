"""A small corpus in memory, and an estimator that has learned it."""

import csv
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from textclf import TextClassifier

SMALL = {"hidden_size": 8, "batch_size": 8, "device": "cpu"}
QUICK = {**SMALL, "epochs": 4, "cv": 2}


class Corpus(NamedTuple):
    texts: list[str]
    labels: list[str]


@pytest.fixture(scope="session")
def corpus(corpus_csv: Path) -> Corpus:
    """Sixty texts of three classes."""
    with corpus_csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Corpus([row["text"] for row in rows], [row["label"] for row in rows])


@pytest.fixture(scope="session")
def fitted(corpus: Corpus) -> TextClassifier:
    """Not to be changed by a test."""
    return TextClassifier(**SMALL, epochs=12).fit(*corpus)


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of this test and of the processes that it starts; it must be empty afterwards."""
    folder = tmp_path / "temporary files"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder
