"""`textclf vectors`, and `textclf train --vectors`: what is printed where, and the exit codes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TEXTS, invoke
from textclf.word_vectors import kept

TEXT = TEXTS["weather"][0]


@pytest.fixture
def small():
    folder = Path(os.environ["TEXTCLF_VECTORS"]) / "small"
    folder.mkdir(parents=True)
    words = sorted({word for texts in TEXTS.values() for text in texts for word in text.lower().split()})
    table = np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32)
    about = {"name": "small", "source": "somewhere", "licence": "PDDL-1.0"}
    kept.write(folder, "".join(f"{word}\n" for word in words).encode(), table, about=about, texts={})
    return folder


def test_vectors_are_listed_and_removed(runner, small):
    head, row = invoke(runner, "vectors").stdout.splitlines()
    assert head.split()[:3] == ["name", "words", "dimension"]
    assert row.split()[0] == "small"
    (record,) = json.loads(invoke(runner, "vectors", "list", "--format", "json").stdout)
    assert (record["name"], record["dimension"], record["licence"]) == ("small", 4, "PDDL-1.0")
    removed = invoke(runner, "vectors", "remove", "small", "--format", "json")
    assert (json.loads(removed.stdout), removed.stderr) == (record, "removed small\n")
    assert invoke(runner, "vectors").stderr == (
        f"textclf: no vectors in {small.parent}; add some: textclf vectors add glove\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add"], "textclf vectors add needs what to add: glove; see textclf vectors --help"),
        (["remove"], "textclf vectors remove needs the name of the vectors; see textclf vectors --help"),
        (["list", "small"], "textclf vectors list lists all of them: it takes no name; see textclf vectors --help"),
        (["add", "nowhere"], "no vectors of the name nowhere are known (glove); a file is given to train itself"),
        (["remove", "nowhere"], "no vectors nowhere to remove"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line(arguments, said, runner):
    done = invoke(runner, "vectors", *arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"textclf: {said}")


@pytest.mark.slow
def test_every_command_takes_a_run_with_vectors(runner, small, corpus_csv):
    invoke(runner, "preprocess", corpus_csv, "--name", "x", "--num-workers", 1)
    given = ["--tier", "full", "--model", "lstm", "--hidden-size", 8, "--epochs", 1, "--device", "cpu"]
    done = invoke(runner, "train", *given, "--vectors", "small")
    assert done.exit_code == 0, done.stderr
    assert "textclf: vectors small, 4 dimensions: " in done.stderr
    run = Path(done.stdout.strip())
    invoke(runner, "vectors", "remove", "small")
    assert invoke(runner, "predict", "--explain", TEXT).exit_code == 0
    assert "vectors" in invoke(runner, "info", run).stdout
    assert invoke(runner, "check", run).exit_code == 0
    assert invoke(runner, "compare", run, run).exit_code == 0
    assert invoke(runner, "export", "--output", "small", "--max-drop", 100).exit_code == 0
    assert invoke(runner, "predict", "--run", "small", TEXT).exit_code == 0
    assert invoke(runner, "report", "--run", run, "--output", "report.html").exit_code == 0
    assert "small (licence PDDL-1.0" in Path("report.html").read_text()
