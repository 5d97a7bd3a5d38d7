"""`textclf completion`, and what the script then asks for."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.artefacts.test_run_list import METRICS, make
from tests.conftest import invoke
from textclf.artefacts import runs
from textclf.cli import main

ODD = ["two words", "x;reboot", "$(reboot)", "`x`", "a*", "new\nline", "\x1b[2J", "--overwrite", "it's", "a,b"]
"""Names that a shell would read as something else."""


@pytest.fixture
def names() -> None:
    for year, name in ((2026, "news"), (2027, "mail")):
        make(f"{name}-tiny-mlp-{year}0101T000000Z", metrics=METRICS)
    for name in ("news", "notes"):
        Path("data", name).mkdir(parents=True)
        Path("data", name, "manifest.json").touch()


def completed(runner: CliRunner, line: str, *, shell: str = "bash") -> list[str]:
    """The lines that the script of a shell gets for a command line."""
    words = line.split(" ")
    place = str(len(words) - 1) if shell != "fish" else words[-1]
    asked = {"_TEXTCLF_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": place}
    done = runner.invoke(main, [], env=asked)
    assert done.stderr == ""
    return done.stdout.splitlines()


NEWS, MAIL = "news-tiny-mlp-20260101T000000Z", "mail-tiny-mlp-20270101T000000Z"


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("textclf pre", ["preprocess", "predict"]),
        ("textclf train --tier t", ["tiny"]),
        ("textclf train --resume n", [NEWS]),
        ("textclf predict --run ", ["latest", MAIL, NEWS]),
        ("textclf serve --run mail --run n", [NEWS]),
        ("textclf compare n", [NEWS]),
        ("textclf verify m", [MAIL]),
        ("textclf train --data no", ["notes"]),
        ("textclf learning-curve --data ne", ["news"]),
        ("textclf train --data-dir nowhere --data ", ["latest"]),
        ("textclf info n", [NEWS, "notes", "news"]),
        ("textclf check ma", [MAIL]),
        ("textclf preprocess 20", ["20newsgroups", "20newsgroups_topics"]),
        ("textclf completion ", ["bash", "zsh", "fish"]),
        ("textclf runs --sort a", ["accuracy", "age"]),
    ],
)
def test_names_are_completed(line: str, expected: list[str], runner: CliRunner) -> None:
    found = [item.removeprefix("plain,") for item in completed(runner, line)]
    assert sorted(found) == sorted(expected)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("textclf predict --run runs/n", "file,runs/n"),
        ("textclf predict --run else", "file,else"),
        ("textclf predict --input ", "file,"),
        ("textclf preprocess ./rev", "file,./rev"),
        ("textclf preprocess reviews.csv --test ", "file,"),
    ],
)
def test_paths_are_left_to_the_shell(line: str, expected: str, runner: CliRunner) -> None:
    assert completed(runner, line) == [expected]


def test_labels_are_those_of_the_run(runner: CliRunner) -> None:
    for name, labels in (("first", ["sports", "science"]), ("second", ["pets", "so so"])):
        run = make(name, metrics=METRICS)
        run.model.mkdir()
        (run.model / "labels.json").write_text(json.dumps(labels))
    runs.set_latest(run)
    assert completed(runner, "textclf explain --top-words ") == ["plain,pets"]
    assert completed(runner, "textclf explain --run fir --top-words s") == ["plain,sports", "plain,science"]


@pytest.mark.usefixtures("names")
def test_names_that_a_shell_would_read_as_something_else_are_left_out(runner: CliRunner) -> None:
    for name in ODD:
        make(name)
        Path("data", name).mkdir()
        Path("data", name, "manifest.json").touch()
    assert len(completed(runner, "textclf info ")) == len(["latest", NEWS, MAIL, "news", "notes"])


@pytest.mark.parametrize("content", [None, b"{", b"[7, null]"])
def test_what_cannot_be_read_completes_to_nothing_in_silence(content: bytes | None, runner: CliRunner) -> None:
    run = make("run", metrics=METRICS)
    run.model.mkdir()
    if content is not None:
        (run.model / "labels.json").write_bytes(content)
    assert "".join(completed(runner, "textclf explain --run run --top-words ")) == ""
    assert completed(runner, "textclf explain --run nix --top-words ") == []


def test_zsh_and_fish_get_descriptions(runner: CliRunner) -> None:
    assert completed(runner, "textclf verif", shell="zsh")[:2] == ["plain", "verify"]
    assert completed(runner, "textclf verif", shell="fish")[0].startswith("plain,verify\t")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_that_of_the_shell(shell: str, runner: CliRunner) -> None:
    script = invoke(runner, "completion", shell)
    assert script.exit_code == 0
    assert f"_TEXTCLF_COMPLETE={shell}_complete" in script.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script.stdout, text=True, check=True, timeout=60)


def test_another_shell_is_refused_with_those_there_are(runner: CliRunner) -> None:
    done = runner.invoke(main, ["completion", "tcsh"])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert all(shell in done.stderr for shell in ("bash", "zsh", "fish"))


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.usefixtures("names")
def test_bash_completes_names_of_runs() -> None:
    Path("bin").mkdir()
    Path("bin/textclf").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m textclf "$@"\n')
    Path("bin/textclf").chmod(0o755)
    script = """
        PATH=$PWD/bin:$PATH
        eval "$(textclf completion bash)"
        COMP_WORDS=(textclf predict --run ma); COMP_CWORD=3
        _textclf_completion textclf
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr.replace("bash: line 4: ", "")) == (f"{MAIL}\n", "")


COMPLETING = """
import sys
from textclf.cli import main
try:
    main([])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("line", ["textclf info n", "textclf train --data n", "textclf preprocess b"])
def test_completing_waits_for_no_library(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_TEXTCLF_COMPLETE", "bash_complete"), ("COMP_WORDS", line), ("COMP_CWORD", "2")):
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", COMPLETING], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout
    assert {"torch", "numpy", "pyarrow", "datasets"} & set(done.stderr.split()) == set()
