import json
import os
import shutil
from pathlib import Path

import pytest

from textclf.dataset.data_list import State, summaries


@pytest.fixture
def copy(data_dir):
    """Make a finished data directory of that name and age."""

    def make(name, second=1):
        shutil.copytree(data_dir, Path("data", name))
        os.utime(Path("data", name, "manifest.json"), (second, second))

    return make


def listed():
    return {data.path.name: data for data in summaries(Path("data"))}


def test_a_finished_data_directory_is_described(copy):
    copy("news")
    found = listed()["news"]
    assert (found.state, found.labels, found.made) == (State.FINISHED, 3, 1)
    assert found.splits == {"train": 48, "validation": 6, "test": 6}
    assert found.source.endswith("tiny_corpus.csv")
    assert found.size == sum(path.stat().st_size for path in Path("data/news").rglob("*") if path.is_file())


def test_the_newest_finished_one_comes_first_and_is_marked(copy):
    for second, name in enumerate(("old", "new", "middle"), start=1):
        copy(name, second if name != "new" else 9)
    Path("data/begun").mkdir()
    Path("data/begun/begun.json").touch()
    assert list(listed()) == ["begun", "new", "middle", "old"]
    assert [name for name, data in listed().items() if data.is_latest] == ["new"]


@pytest.mark.parametrize("change", ["{", "[]", {"format_version": 1}, {"labels": 7}])
def test_a_damaged_one_is_listed_and_hides_no_other(change, copy):
    copy("whole")
    copy("damaged")
    path = Path("data/damaged/manifest.json")
    path.write_text(change if isinstance(change, str) else json.dumps(json.loads(path.read_text()) | change))
    found = listed()
    assert {name: data.state for name, data in found.items()} == {"whole": "finished", "damaged": "unreadable"}
    assert "manifest.json" in found["damaged"].error


def test_what_is_no_data_directory_is_passed_over():
    Path("data/notes").mkdir(parents=True)
    Path("data/README.md").touch()
    assert listed() == {}
