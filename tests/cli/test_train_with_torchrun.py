"""`textclf` as one of several processes that torchrun has started."""

import pytest

from tests.conftest import invoke


@pytest.fixture
def launched(monkeypatch):
    """Set what torchrun sets for a process of that rank, of two."""

    def launch(rank):
        given = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0}
        given |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1, "TORCHELASTIC_RUN_ID": "none"}
        for name, value in given.items():
            monkeypatch.setenv(name, str(value))

    return launch


@pytest.mark.parametrize("command", ["predict", "learning-curve", "compare", "preprocess"])
def test_other_commands_are_refused_once(runner, launched, command):
    launched(0)
    refused = invoke(runner, command)
    assert refused.exit_code == 2
    assert refused.stderr == (f"textclf: torchrun goes with textclf train alone: start textclf {command} without it\n")
    launched(1)
    silent = invoke(runner, command)
    assert (silent.exit_code, silent.output) == (2, "")


def test_a_mistake_in_the_command_line_is_said_once(runner, launched):
    launched(0)
    assert "--epochs" in invoke(runner, "train", "--epochs", "few").stderr
    launched(1)
    silent = invoke(runner, "train", "--epochs", "few")
    assert (silent.exit_code, silent.output) == (2, "")
