"""What a model in one file does not have says so, as an error of textclf."""

import pytest

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import textclf
from textclf import TextclfError

for call in (textclf.train, textclf.preprocess, textclf.resume, lambda: textclf.TextClassifier, lambda: textclf.Run):
    try:
        call()
    except TextclfError as error:
        print(error)
"""


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_what_trains_says_where_it_is(run, pyz_file):
    done = run("-c", CODE, pyz_file)
    assert done.stderr == ""
    assert [line.endswith("pip install textclf") for line in done.stdout.splitlines()] == [True] * 5
