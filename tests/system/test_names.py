from pathlib import Path

import pytest

from textclf.errors import UsageError
from textclf.system.names import Home, find, is_name, time_of

CATS, DOGS = (
    Home(Path(kind), kind[:-1], kind, f"buy a {kind[:-1]}", lambda path: -len(path.name), Path.is_dir)
    for kind in ("cats", "dogs")
)


def make(*paths):
    for path in paths:
        Path(path).mkdir(parents=True)


def test_a_path_comes_before_a_name_and_a_name_before_a_beginning():
    make("cats/tom", "cats/tommy", "cats/felix", "felix")
    assert find("felix", CATS) == Path("felix")
    assert find("tom", CATS) == Path("cats/tom")
    assert find("tomm", CATS) == find("cats/tomm", CATS) == Path("cats/tommy")
    assert find("cats/felix", CATS) == Path("cats/felix")


def test_homes_are_searched_in_their_order():
    make("cats/tom", "dogs/tom", "dogs/rex")
    assert find("tom", CATS, DOGS) == Path("cats/tom")
    assert find("r", CATS, DOGS) == Path("dogs/rex")
    with pytest.raises(UsageError, match=r"^the names of 2 cats and dogs begin with t: cats/tom, dogs/tom$"):
        find("t", CATS, DOGS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "no cat or dog x; buy a cat, buy a dog"),
        ("dogs/x", "no dog dogs/x; buy a dog"),
        ("elsewhere/x", "no cat elsewhere/x; buy a cat"),
    ],
)
def test_without_any_the_error_says_how_to_get_one(given, message):
    with pytest.raises(UsageError) as caught:
        find(given, CATS, DOGS)
    assert str(caught.value) == message


def test_files_and_hidden_folders_have_no_name():
    make("cats/tom", "cats/.hidden")
    Path("cats/file").touch()
    for given in ("file", ".hid", "x"):
        with pytest.raises(UsageError, match=r"there is tom$"):
            find(given, CATS)


def test_a_name_has_no_folder_before_it():
    assert [is_name(each) for each in ("a", "a.b", Path("a"), "./a", "a/", "a/b", "/a", "..", ".", "")] == [
        *(True, True, True),
        *(False, False, False, False, True, False, False),
    ]


def test_what_is_not_there_has_no_time():
    assert time_of(Path("nowhere")) == 0
    assert time_of(Path()) > 0
