import json
import shutil

import pytest
from click.testing import CliRunner

from textclf.artefacts import runs
from textclf.cli import main
from textclf.errors import UsageError
from textclf.experiments.verify import verify


@pytest.fixture
def copied(run_dir, tmp_path):
    """A run that the test may change."""
    return runs.RunLayout(shutil.copytree(run_dir, tmp_path / "runs" / run_dir.name))


def edit(path, change):
    record = json.loads(path.read_text())
    path.write_text(json.dumps(change(record)))


def test_a_run_repeats_and_is_not_changed(copied):
    before = {path: path.read_bytes() for path in copied.root.rglob("*") if path.is_file()}
    found = verify(copied)
    assert (found.differences, found.circumstances) == ([], [])
    assert len(found.weights) == 64
    assert {path: path.read_bytes() for path in copied.root.rglob("*") if path.is_file()} == before


def test_differing_files_and_circumstances_are_named(copied):
    edit(copied.metrics, lambda metrics: metrics | {"temperature": 7.0})
    edit(copied.config, lambda config: config | {"versions": config["versions"] | {"torch": "1.0"}})
    found = verify(copied)
    assert found.differences == ["metrics.json"]
    assert len(found.circumstances) == 1
    assert found.circumstances[0].startswith("torch was '1.0' and is '2.")
    done = CliRunner().invoke(main, ["verify", str(copied.root)])
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    assert "does not repeat: different metrics.json (torch was '1.0' and is" in last


def test_another_seed_gives_other_weights(copied):
    edit(copied.config, lambda config: config | {"settings": config["settings"] | {"seed": 1}})
    assert "model/model.safetensors" in verify(copied).differences


def test_a_run_that_has_not_ended_cannot_be_verified(copied):
    copied.metrics.unlink()
    with pytest.raises(UsageError, match=r"has not ended; finish it: textclf train --resume"):
        verify(copied)


def test_the_command_says_that_a_run_repeats(copied):
    done = CliRunner().invoke(main, ["verify", str(copied.root)])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{copied.root} repeats to the bit\nweights ")
