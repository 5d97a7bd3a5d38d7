"""What a training run shows: a header, and below it a line for each epoch that no terminal of 80 columns breaks."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import invoke
from textclf.cli import terminal
from textclf.cli.training_display import epoch_line, header
from textclf.training.loop import Epoch
from textclf.training.meters import Score

SMALL = ["--tier", "full", "--hidden-size", "8", "--device", "cpu"]


def an_epoch(number: int, *, loss: float = 0.5, documents: int = 100, seconds: float = 1.0) -> Epoch:
    score = Score(loss, 0.5, documents, 0.25)
    return Epoch(number, score, score, True, learning_rate=0.1, gradient_norm=1.0, seconds=seconds, profile={})


@pytest.mark.parametrize("loss", [0.0, 12.3456, 999.99996, 1e5, 3.4e38])
@pytest.mark.parametrize(("number", "epochs"), [(1, 1), (7, 30), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("documents", [1, 99_999_999])
def test_an_epoch_fits_below_its_header_whatever_its_numbers(
    loss: float, number: int, epochs: int, documents: int
) -> None:
    line = epoch_line(an_epoch(number, loss=loss, documents=documents), epochs=epochs)
    names = header(epochs)
    assert max(len(line), len(names)) <= terminal.WIDTH
    ends = [
        found.end() for found in re.finditer(r"epoch|train loss|validation: loss|accuracy|macro-F1|documents/s", names)
    ]
    assert [found.end() for found in re.finditer(r"\S+", line)][: len(ends)] == ends
    assert line.endswith("  best")


def test_a_run_shows_its_header_once_and_a_line_for_each_epoch(data_dir: Path) -> None:
    done = invoke(CliRunner(), "train", "--data", data_dir, "--epochs", "2", *SMALL)
    lines = done.stderr.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line == header(2)]
    assert [line.split()[:1] for line in lines[at + 1 : at + 4]] == [["1"], ["2"], []]
    assert "at most 2 epochs; stops after 2 epochs without a better validation loss" in lines
    assert lines[-1] == "epoch 2 was the last, and the loss still fell: try --epochs 30"
    assert not any(len(line) > terminal.WIDTH for line in lines if str(data_dir) not in line)
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.stderr)


def test_a_sentence_is_broken_between_words_and_a_long_value_is_not() -> None:
    path = "/folder" * 20
    lines = terminal.wrapped(f"on cpu, into {path} of the run " + "and a word " * 20, indent="  ").split("\n")
    assert lines[1] == f"  {path}"
    assert all(len(line) <= terminal.WIDTH for line in lines if path not in line)
    assert " ".join(lines).split() == f"on cpu, into {path} of the run {'and a word ' * 20}".split()
