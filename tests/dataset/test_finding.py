import os
from pathlib import Path

import pytest

from textclf.dataset.finding import find, newest
from textclf.errors import UsageError


def make(*names, folder="data"):
    """Empty data directories, finished one second after the other."""
    for second, name in enumerate(names, start=1):
        path = Path(folder, name, "manifest.json")
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (second, second))


def test_data_is_a_name_a_path_a_beginning_or_the_newest():
    make("reviews", "tickets")
    make("mails", folder="elsewhere")
    for given in ("reviews", "rev", "data/reviews", "data/rev", "./data/reviews"):
        assert find(given) == Path("data/reviews")
    for given in (None, "latest", "tickets"):
        assert find(given) == Path("data/tickets")
    for given in ("mails", "m", "latest", None):
        assert find(given, Path("elsewhere")) == Path("elsewhere/mails")
    assert find("elsewhere/mails") == find("elsewhere/m") == Path("elsewhere/mails")


def test_a_name_in_the_folder_of_data_comes_before_one_in_the_current_folder():
    make("reviews", "latest")
    make("reviews", "latest", "mine", folder=".")
    assert find("reviews") == Path("data/reviews")
    assert find("./reviews") == Path("reviews")
    assert find("mine") == Path("mine")
    assert find("latest") == Path("data/latest")


def test_what_is_there_is_listed_the_newest_first_and_ten_at_most():
    make(*(f"old{number}" for number in range(12)))
    listed = ", ".join(f"old{number}" for number in range(11, 1, -1))
    with pytest.raises(UsageError) as caught:
        find("new")
    assert str(caught.value) == f"no data directory data/new; there are {listed} and 2 others"
    assert find("old1") == Path("data/old1")
    with pytest.raises(
        UsageError, match=r"^the names of 12 data directories begin with data/ol: old11.* and 2 others$"
    ):
        find("ol")


def test_the_newest_is_the_one_that_was_finished_last(tmp_path):
    for name, finished in (("a", 2), ("b", 3), ("c", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
        os.utime(tmp_path / name / "manifest.json", (finished, finished))
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "README.md").touch()
    assert newest(tmp_path) == tmp_path / "b"


@pytest.mark.parametrize("name", ["data", "no/such/folder"])
def test_without_data_the_error_says_how_to_make_some(tmp_path, name):
    (tmp_path / "data" / "unfinished").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        newest(tmp_path / name)
    assert str(caught.value) == f"no data under {tmp_path / name}; make some: textclf preprocess"
