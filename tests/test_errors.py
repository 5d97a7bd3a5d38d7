import inspect
import pickle
import re

import pytest

from textclf import errors
from textclf.errors import TextclfError

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
DRAWN = re.findall(r"^    ([├└─ ]*)(\w+) +(\d+)  (\S.*)$", errors.__doc__, flags=re.MULTILINE)


def test_the_drawn_tree_is_the_classes_and_their_exit_codes():
    drawn = {name: int(code) for _, name, code, _ in DRAWN}
    assert drawn == {kind.__name__: kind.exit_code for kind in CLASSES}
    assert len(drawn) == len(DRAWN)


def test_the_branches_of_the_drawn_tree_are_the_subclasses():
    trunk, *branches = DRAWN
    assert trunk[:2] == ("", "TextclfError")
    assert {name for branch, name, _, _ in branches if branch.strip()} == {
        kind.__name__ for kind in CLASSES if kind.__bases__ == (TextclfError,)
    }
    assert len(branches) == len(CLASSES) - 1


def test_exit_codes_differ_and_none_means_success():
    codes = [kind.exit_code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_crosses_to_another_process_unchanged(kind):
    error = pickle.loads(pickle.dumps(kind("data/x.pt is missing; make it again")))
    assert type(error) is kind
    assert str(error) == "data/x.pt is missing; make it again"
