from textclf.system import torchrun
from textclf.system.torchrun import Process


def test_what_torchrun_says_is_read_from_the_environment(monkeypatch):
    assert torchrun.launched() is None
    given = {"RANK": 3, "WORLD_SIZE": 4, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 1}
    given |= {"MASTER_ADDR": "node0", "MASTER_PORT": 29500}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    assert torchrun.launched() is None  # as in a cluster that sets them for every program
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert torchrun.launched() == Process(3, 4, 1, 2, 1, "node0", 29500, 0, has_store=False)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    assert torchrun.launched()[-2:] == (2, True)
