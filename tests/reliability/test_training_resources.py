"""Training where loader processes, memory or files give out: exit code 5, in one line that says what to do."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from tests.conftest import assemble, small_config
from textclf import training
from textclf.dataset.directory import DataDirectory
from textclf.errors import ResourceError
from textclf.training import loop
from textclf.training.batches import EpochSampler, LengthSortedSampler, TokenDataset, make_loader

CPU = torch.device("cpu")


def die(_examples):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_examples):
    os._exit(1)


def freeze(_examples):
    os.kill(os.getpid(), signal.SIGSTOP)


def fail(_examples):
    raise ValueError("as a bug would")


def run_out_of_memory(_examples):
    raise MemoryError


@pytest.fixture
def data(data_dir):
    return DataDirectory.open(data_dir)


@pytest.fixture
def broken(data, monkeypatch):
    """A loader of the training documents whose second batch, of two, meets a broken ``collate``."""
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.5)  # before a worker is told to end
    part = data.parts("full")["train"]

    def make(how):
        sampler = EpochSampler(len(part), batch_size=24, seed=0)
        dataset = TokenDataset(data.packed(), *part)
        made = make_loader(dataset, sampler, Second(how), num_workers=1, device=CPU, names=data.documents.names)
        made.timeout = 2
        second = data.documents.names.of(part.rows[list(sampler.batches())[1]].tolist())
        return made, second

    return make


class Second:
    """Makes the first batch that it is asked for, and fails on the second."""

    def __init__(self, how):
        self.how = how
        self.made = 0

    def __call__(self, examples):
        self.made += 1
        if self.made == 2:
            time.sleep(0.2)  # until the first is on its way
            self.how(examples)
        return (torch.from_numpy(examples.labels),)


@pytest.mark.slow
@pytest.mark.parametrize("how", [die, leave, freeze, fail, run_out_of_memory])
def test_a_worker_that_dies_hangs_or_fails_is_reported_with_the_documents_it_had(how, broken):
    made, second = broken(how)
    started = time.monotonic()
    with pytest.raises(ResourceError) as caught:
        list(made)
    made.close()
    assert time.monotonic() - started < 20
    assert caught.value.exit_code == 5
    message = str(caught.value)
    assert message.startswith("a loader process died, hung or failed before it had made ")
    assert f"{', '.join(second[:5])} and 19 more" in message
    assert message.endswith("try --num-workers 0")
    assert "\n" not in message


def test_a_batch_of_a_resumed_epoch_is_named_as_that_of_the_whole_epoch(data):
    part = data.parts("full")["train"]
    sampler = EpochSampler(len(part), batch_size=4, seed=0)
    made = make_loader(
        TokenDataset(data.packed(), *part), sampler, tuple, num_workers=0, device=CPU, names=data.documents.names
    )
    before = [made.names(step) for step in range(len(sampler))]
    sampler.first = 5
    assert [made.names(step) for step in range(len(before))] == before
    assert before[5] == ", ".join(data.documents.names.of(part.rows[next(iter(sampler))].tolist()))


def test_without_workers_a_failure_is_what_it_was(data):
    part = data.parts("full")["validation"]
    made = make_loader(
        TokenDataset(data.packed(), *part),
        LengthSortedSampler(part.lengths, batch_size=4),
        fail,
        num_workers=0,
        device=CPU,
    )
    with pytest.raises(ValueError, match="as a bug would"):
        list(made)


# Memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("size", [8, 1])
def test_lack_of_memory_is_reported_with_the_batch_size_to_try(error, size, data_dir, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(loop.StepOptions, "logits", fails)
    with pytest.raises(ResourceError) as caught:
        training.train(small_config("mlp", data_dir, tmp_path, batch_size=size))
    advice = "try --batch-size 4" if size == 8 else "try a smaller --hidden-size"
    documents = "1 document" if size == 1 else f"{size} documents"
    assert str(caught.value) == f"out of memory with batches of {documents}; {advice}"
    assert caught.value.exit_code == 5


def test_another_error_stays_what_it_is(data_dir, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(loop.StepOptions, "logits", fails)
    with pytest.raises(RuntimeError, match="shapes"):
        training.train(small_config("mlp", data_dir, tmp_path))


LIMITED = """
import resource, sys
import textclf.training.run  # torch alone maps some gigabytes
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000, -1))
sys.argv = ["textclf", "train", "--data", sys.argv[1], "--hidden-size", "2000000", "--num-workers", "0"]
from textclf.cli import main
main()
"""


@pytest.mark.slow
def test_a_model_that_memory_cannot_hold_ends_with_5(data_dir):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(data_dir)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 5
    last = done.stderr.splitlines()[-1]
    assert last.startswith("textclf: out of memory")
    assert "Traceback" not in done.stderr


# Start methods and open files


STARTED = """
import multiprocessing, resource, sys
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv.pop(1))
    multiprocessing.set_forkserver_preload(["textclf.training.run"])
    most = int(sys.argv.pop(1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    from textclf.cli import main
    main()
"""


@pytest.fixture(scope="module")
def expected(data_dir, tmp_path_factory):
    """The weights of a run in this process."""
    config = small_config("lstm", data_dir, tmp_path_factory.mktemp("runs"), epochs=1, store="files", num_workers=0)
    return (training.train(config).model / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "most"),
    [
        pytest.param("fork", 64, marks=pytest.mark.long),  # as every other test starts them
        ("forkserver", 1024),
        pytest.param("spawn", 64, marks=pytest.mark.long),
    ],
)
def test_training_is_the_same_however_processes_start_and_with_few_open_files(
    method, most, expected, data_dir, tmp_path
):
    script = tmp_path / "started.py"
    script.write_text(STARTED)
    sizes = ["--hidden-size=8", "--batch-size=8", "--tier=full", "--device=cpu", "--epochs=1"]
    how = ["--model=lstm", "--store=files", "--num-workers=1", "--data", str(data_dir)]
    done = subprocess.run(
        [sys.executable, str(script), method, str(most), "train", *how, *sizes],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.strip() / "model" / "model.safetensors").read_bytes() == expected


def test_what_is_remembered_is_sent_to_a_worker_without_the_room_that_is_left(data_dir, tmp_path):
    import pickle  # as multiprocessing sends things

    session = assemble(small_config("mlp", data_dir, tmp_path, num_workers=0), DataDirectory.open(data_dir))
    collate = session.batches["train"].collate_fn
    sent = pickle.dumps(collate)
    assert len(sent) < 2_000_000
    examples = session.batches["train"].dataset.__getitems__(np.arange(5))
    for one, other in zip(collate(examples), pickle.loads(sent)(examples), strict=True):
        assert torch.equal(one, other)
