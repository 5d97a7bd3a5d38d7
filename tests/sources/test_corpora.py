"""What a source is by its name, and the splits that options add."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from textclf.errors import UsageError
from textclf.sources import Columns, Corpus, Document, SourceOptions, corpora, load, parts
from textclf.sources.catalogue import CATALOGUE
from textclf.sources.layouts import FILES, Part

PLAIN = SourceOptions()
TWO = "text,label\na,x\nb,y\n"


@pytest.fixture
def asked(monkeypatch):
    """Record what is asked of the Hub, and answer with two documents."""
    calls = SimpleNamespace(repository=None, options=None)

    def read_hub(repository, **options):
        calls.repository, calls.options = repository, options
        return Corpus("a-b", repository, "abc", {"train": [Document("1", "a", "x"), Document("2", "b", "y")]})

    monkeypatch.setattr(corpora, "read_hub", read_hub)
    return calls


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "reviews.csv"
    path.write_text(TWO)
    return path


def failure(error, source, options=PLAIN):
    with pytest.raises(error) as caught:
        load(str(source), options=options)
    return str(caught.value)


def test_reads_the_corpus_that_needs_no_network():
    corpus = load("bbc_news", options=PLAIN)
    assert (corpus.name, len(corpus.splits["train"])) == ("bbc_news", 2225)


def test_a_catalogue_name_brings_its_columns_config_and_splits(asked):
    assert load("trec", options=PLAIN).name == "trec"
    assert asked.repository == "CogComp/trec"
    assert asked.options == {
        "columns": Columns(("text",), "coarse_label"),
        "config": None,
        "revision": "refs/convert/parquet",
        "splits": {},
    }
    load("emotion", options=PLAIN)
    assert asked.options["config"] == "split"
    load("sst2", options=PLAIN)
    assert asked.options["splits"] == CATALOGUE["sst2"].splits


def test_options_replace_what_a_catalogue_name_brings(asked):
    options = SourceOptions(columns=Columns(label="fine_label", id="key"), revision="v1", config="c", name="mine")
    assert load("trec", options=options).name == "mine"
    assert asked.options["columns"] == Columns(("text",), "fine_label", "key")
    assert (asked.options["revision"], asked.options["config"]) == ("v1", "c")


@pytest.mark.parametrize("source", ["owner/name", "mozilla/common_voice_11.0"])
def test_owner_and_name_is_a_hub_dataset(asked, source):
    load(source, options=SourceOptions(revision="v1"))
    assert (asked.repository, asked.options["revision"]) == (source, "v1")


def test_a_catalogue_name_wins_over_a_folder_and_a_folder_over_the_hub(asked, reviews):
    for path in ("imdb", "owner/name"):
        for label in "xy":
            folder = reviews.parent / path / label
            folder.mkdir(parents=True)
            (folder / "1").write_text("text")
    assert load("imdb", options=PLAIN).source == "stanfordnlp/imdb"
    assert load("./imdb", options=PLAIN).revision != "abc"
    assert next(iter(load("owner/name", options=PLAIN).splits["train"])).id == "x/1"
    assert failure(UsageError, "owner/nam") == "no such file or folder: owner/nam"


@pytest.mark.parametrize("source", ["none.csv", "./none", "/none/none", "../none/none"])
def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub(asked, reviews, source):
    assert failure(UsageError, source) == f"no such file or folder: {Path(source)}"


@pytest.mark.parametrize(
    ("source", "hint"), [("bbc_new", "; did you mean bbc_news?"), ("xyzzy", ""), ("", ""), ("a/b/c", "")]
)
def test_an_unknown_name_is_answered_with_the_nearest(source, hint):
    message = f"no corpus, file or folder named {source!r}{hint} (`textclf corpora` lists them)"
    assert failure(UsageError, source) == message


def test_files_become_the_splits_that_the_source_lacks(reviews):
    test = reviews.with_name("held_out.jsonl")
    test.write_text('{"text": "c", "label": "x"}')
    corpus = load(str(reviews), options=SourceOptions(test=(str(test),), validation=(str(reviews),)))
    assert list(corpus.splits["test"]) == [Document("1", "c", "x")]
    assert list(corpus.splits["validation"]) == list(corpus.splits["train"])
    alone = load(str(reviews), options=PLAIN).revision
    assert corpus.revision == f"{alone}+{alone}+{parts.digest(Part(FILES, (test,)))}"


def test_a_split_that_the_source_has_is_not_replaced(reviews):
    (reviews.parent / "data").mkdir()
    for name in ("train", "test"):
        (reviews.parent / "data" / f"{name}.csv").write_text(TWO)
    message = failure(UsageError, "data", SourceOptions(test=(str(reviews),)))
    assert message == f"data has a test split of its own: leave out --test {reviews}"


def test_a_split_that_is_added_has_the_columns_of_the_training_documents_where_it_can(reviews):
    reviews.write_text("body,review,label\nb1,r1,x\nb2,r2,y\n")
    for name, header in (("same.csv", "review,body,label"), ("other.csv", "review,stars,label")):
        Path(name).write_text(f"{header}\none,two,x\n")
    options = SourceOptions(test=("same.csv",), validation=("other.csv",), columns=Columns(id=None))
    corpus = load("reviews.csv", options=options)
    assert corpus.columns.text == ("body",)
    found = {split: [document.text for document in documents] for split, documents in corpus.splits.items()}
    assert found == {"train": ["b1", "b2"], "test": ["two"], "validation": ["one"]}


@pytest.mark.parametrize("options", [SourceOptions(config="c"), SourceOptions(revision="v1")])
def test_hub_options_go_with_the_hub_only(reviews, options):
    for source in ("bbc_news", "reviews.csv"):
        message = f"{source} is not a dataset of the Hugging Face Hub: leave out --subset and --revision"
        assert failure(UsageError, source, options) == message


def test_a_corpus_of_files_has_no_columns():
    message = "bbc_news has no columns: leave out --text-column, --label-column and --id-column"
    assert failure(UsageError, "bbc_news", SourceOptions(columns=Columns(id="key"))) == message


def test_columns_and_encoding_reach_the_file(reviews):
    reviews.write_text("label,other,key,title\nx,y,k1,é\ny,x,k2,b\n", encoding="cp1252")
    columns = Columns(("title",), "other", "key", encoding="cp1252")
    options = SourceOptions(columns=columns)
    assert load("reviews.csv", options=options).columns == replace(columns, delimiter=",", quote='"')
    assert next(iter(load("reviews.csv", options=options).splits["train"])) == Document("k1", "é", "y")


@pytest.mark.parametrize(
    ("file", "name"),
    [("My Reviews (1).csv", "My-Reviews-1"), ("é.csv", "corpus"), ("..-x.csv", "x"), (f"{'n' * 90}.csv", "n" * 60)],
)
def test_names_are_safe_as_folder_names(reviews, file, name):
    reviews.rename(file)
    assert load(f"./{file}", options=PLAIN).name == name


def test_the_folder_one_is_in_has_a_name(reviews):
    (reviews.parent / "train.csv").write_text(TWO)
    assert load(".", options=PLAIN).name == reviews.parent.name


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "-x", "", "a b"])
def test_a_name_that_is_not_safe_is_refused(reviews, name):
    message = f"--name {name!r}: use letters, digits, '.', '_' and '-', and start with none of '.' and '-'"
    assert failure(UsageError, "reviews.csv", SourceOptions(name=name)) == message


def test_the_size_is_that_of_the_files(tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("text,label\na,b\n", encoding="utf-8")
    options = SourceOptions(test=(str(tmp_path / "test.csv"),))
    assert load(str(tmp_path / "train.csv"), options=options).size == 30
    assert load("bbc_news", options=SourceOptions()).size == 0
