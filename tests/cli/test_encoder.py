"""`textclf encoder` on the command line: what is printed where, and the exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import invoke
from tests.encoders import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "published" / "small")


def test_an_encoder_is_added_listed_and_removed(runner: CliRunner, folder: Path, tmp_path: Path) -> None:
    added = invoke(runner, "encoder", "add", folder)
    place = tmp_path / "encoders" / "small"
    assert (added.exit_code, added.stdout) == (0, f"{place}\n")
    assert added.stderr.startswith("small: 8 dimensions, ")
    assert added.stderr.endswith(f", licence Apache-2.0, from {folder}\n")
    head, row = invoke(runner, "encoder").stdout.splitlines()
    assert head.split()[:3] == ["name", "dimension", "size"]
    assert row.split()[:2] == ["small", "8"]
    (record,) = json.loads(invoke(runner, "encoder", "list", "--format", "json").stdout)
    assert (record["name"], record["path"], record["licence"]) == ("small", str(place), "Apache-2.0")
    removed = invoke(runner, "encoder", "remove", "small", "--format", "json")
    assert json.loads(removed.stdout) == record
    assert removed.stderr == "removed small\n"
    assert not place.exists()
    assert invoke(runner, "encoder").stderr == (
        f"textclf: no encoders in {place.parent}; add one: textclf encoder add minilm\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add"], 2, "textclf encoder add needs what to add, such as minilm or a folder; see textclf encoder --help"),
        (["remove"], 2, "textclf encoder remove needs the name of an encoder; see textclf encoder --help"),
        (["list", "small"], 2, "textclf encoder list lists all of them: it takes no name; see textclf encoder --help"),
        (["list", "--name", "x"], 2, "--name goes with textclf encoder add"),
        (["add", "nowhere"], 2, "no folder nowhere, and no encoder of that name is known; known: minilm"),
        (["add", "published/small", "--name", "a/b"], 2, "an encoder cannot be called 'a/b'"),
        (["remove", "nowhere"], 2, "no encoder nowhere to remove"),
        (["add", "published"], 3, "published is no encoder that textclf can use: it has no config.json; it takes"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], code: int, said: str, folder: Path, runner: CliRunner
) -> None:
    assert folder.exists()
    done = invoke(runner, "encoder", *arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(f"textclf: {said}")


def test_a_damaged_one_is_listed_as_unreadable(runner: CliRunner, folder: Path, tmp_path: Path) -> None:
    invoke(runner, "encoder", "add", folder)
    (tmp_path / "encoders" / "small" / "encoder.json").write_text("{")
    listed = invoke(runner, "encoder")
    assert listed.exit_code == 0
    assert "unreadable" in listed.stdout
    assert "damaged" in listed.stderr
    assert listed.stderr.count("\n") == 1


def test_what_hides_in_names_and_sources_is_escaped(runner: CliRunner, folder: Path) -> None:
    folder.rename("odd\x1b[2J")
    added = invoke(runner, "encoder", "add", "odd\x1b[2J", "--name", "plain")
    assert added.exit_code == 0
    for shown in (added, invoke(runner, "encoder"), invoke(runner, "encoder", "add", "odd\x1b[2J")):
        assert "\x1b" not in shown.stdout + shown.stderr
