import pytest
import torch

from textclf.errors import UsageError
from textclf.training import device

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NONE_OF_THESE = "there are auto, cpu, cuda, cuda:N and mps"


@pytest.fixture
def machine(monkeypatch):
    """Pretends what the machine has."""

    def pretend(*, cuda=0, mps=False, bfloat16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("has", "picked"), [({}, "cpu"), ({"cuda": 1}, "cuda"), ({"mps": True}, "mps"), ({"cuda": 2, "mps": True}, "cuda")]
)
def test_auto_takes_the_fastest_there_is(has, picked, machine):
    machine(**has)
    assert device.pick("auto") == torch.device(picked)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1", "mps"])
def test_an_available_device_is_taken(name, machine):
    machine(cuda=2, mps=True)
    assert device.pick(name) == torch.device(name)


@pytest.mark.parametrize("name", ["tpu", "", "cuda:x", "cuda:-1", "CPU", "meta", "xpu"])
def test_a_device_of_another_kind_is_refused(name, machine):
    machine(cuda=2, mps=True)
    with pytest.raises(UsageError) as caught:
        device.pick(name)
    assert str(caught.value) == f"no device {name!r}; {NONE_OF_THESE}"


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_gpu_that_is_not_there_is_refused(name, count, machine):
    machine(cuda=count)
    with pytest.raises(UsageError, match=f"this machine has {count} CUDA devices?, and no {name}"):
        device.pick(name)


def test_mps_elsewhere_than_on_a_mac_is_refused(machine):
    machine()
    with pytest.raises(UsageError, match="no MPS device; try --device auto"):
        device.pick("mps")


@pytest.mark.parametrize(
    ("precision", "where", "supported", "expected"),
    [
        ("auto", CPU, True, None),
        ("auto", CUDA, True, torch.bfloat16),
        ("auto", CUDA, False, None),
        ("float32", CUDA, True, None),
        ("bfloat16", CPU, True, torch.bfloat16),
        ("bfloat16", CUDA, True, torch.bfloat16),
    ],
)
def test_autocast(precision, where, supported, expected, machine):
    machine(cuda=1, bfloat16=supported)
    assert device.autocast(precision, where) is expected


def test_the_name_of_a_gpu_says_its_model(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda of: f"Fastest {of.index}")
    assert device.name(torch.device("cuda:1")) == "cuda:1 (Fastest 1)"
    assert device.name(CPU) == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_real_gpu_is_found_and_named():
    assert device.pick("auto") == CUDA
    assert device.pick("cuda:0") == torch.device("cuda:0")
    with pytest.raises(UsageError, match="CUDA device"):
        device.pick(f"cuda:{torch.cuda.device_count()}")
    assert torch.cuda.get_device_name(0) in device.name(device.pick("cuda"))
