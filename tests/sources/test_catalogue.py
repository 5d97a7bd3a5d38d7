import subprocess
import sys

import pytest

from textclf.sources.catalogue import CATALOGUE, nearest


def test_names_the_corpora():
    assert list(CATALOGUE) == [
        "bbc_news", "20newsgroups", "20newsgroups_topics", "reuters_r8", "reuters_r52", "ag_news", "dbpedia_14",
        "imdb", "yelp_polarity", "yelp_review_full", "yahoo_answers_topics", "amazon_polarity", "sst2",
        "rotten_tomatoes", "trec", "emotion", "banking77",
    ]  # fmt: skip


def test_only_bbc_news_needs_no_network():
    assert [entry.name for entry in CATALOGUE.values() if not entry.needs_network] == ["bbc_news"]


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_rows_are_whole(entry):
    assert entry.documents > entry.classes >= 2
    assert entry.description
    assert entry.licence
    assert ", http" in entry.citation
    if entry.kind == "hub":
        assert entry.where.count("/") == 1
        assert entry.text_columns
        assert entry.label_column not in entry.text_columns


def test_the_hidden_labels_of_sst2_are_not_its_test_split():
    assert CATALOGUE["sst2"].splits == {"train": "train", "test": "validation"}


@pytest.mark.parametrize(("typed", "meant"), [("bbc_new", "bbc_news"), ("AG-News", "ag_news"), ("xyzzy", None)])
def test_suggests_the_nearest_name(typed, meant):
    assert nearest(typed) == meant


def test_importing_the_corpora_loads_nothing_heavy():
    heavy = {"numpy", "pandas", "pyarrow", "datasets", "huggingface_hub", "torch"}
    code = f"import sys, textclf.sources; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
