"""Bars for calls from Python: where they are shown, and that they go and count as they should."""

import io
import sys
from types import SimpleNamespace

import pytest

import textclf
from textclf import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stderr", "shell", "asked", "expected"),
    [
        (Terminal(), None, None, True),
        (io.StringIO(), None, None, False),
        (None, None, None, False),
        (io.StringIO(), SimpleNamespace(kernel="a notebook"), None, True),
        (io.StringIO(), SimpleNamespace(), None, False),
        (Terminal(), None, False, False),
        (io.StringIO(), None, True, True),
    ],
)
def test_bars_are_shown_in_a_notebook_and_on_a_terminal_or_as_asked(stderr, shell, asked, expected, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell) if shell else None)
    assert progress.is_wanted(asked) is expected


def test_items_pass_and_no_thread_of_tqdm_starts(capsys):
    from tqdm.auto import tqdm

    before = (tqdm.monitor, tqdm.monitor_interval)
    assert list(progress.of_items([1, 2, 3], "texts", 3)) == [1, 2, 3]
    assert "texts" in capsys.readouterr().err
    assert (tqdm.monitor, tqdm.monitor_interval) == before


def test_preprocess_and_train_show_bars_and_are_silent_if_asked(corpus_csv, capsys):
    settings = {"tier": "full", "epochs": 2, "hidden_size": 8, "device": "cpu"}
    data = textclf.preprocess(corpus_csv, progress=True)
    assert "texts" in capsys.readouterr().err
    run = textclf.train(data, **settings, progress=True)
    last = capsys.readouterr().err.replace("\r", "\n").splitlines()[-1]
    assert last.startswith("trained: 100%")
    assert f"test accuracy {run.metrics['test']['accuracy']:.4f}]" in last
    assert "\n" not in repr(textclf.train(textclf.preprocess(corpus_csv, name="again"), **settings))
    assert capsys.readouterr() == ("", "")
