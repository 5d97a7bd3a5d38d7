"""Loader processes where the shared memory, /dev/shm, is too small or cannot be used."""

import os
import subprocess
import sys

import pytest
import torch

from tests.conftest import assemble, small_config
from textclf.dataset.directory import DataDirectory
from textclf.training import shared_memory

LSTM = ["--model=lstm", "--store=files", "--tier=full", "--device=cpu", "--epochs=1", "--hidden-size=8"]


@pytest.fixture
def loader(data_dir, tmp_path):
    def make(workers):
        config = small_config("lstm", data_dir, tmp_path, store="files", num_workers=workers)
        return assemble(config, DataDirectory.open(data_dir)).batches["train"]

    return make


class Disk:
    """What os.statvfs says of a file system with this number of free pages."""

    f_frsize = 4096

    def __init__(self, pages):
        self.f_bavail = pages


@pytest.mark.skipif(sys.platform != "linux", reason="of /dev/shm")
def test_there_must_be_room_for_all_batches_on_their_way(loader, monkeypatch):
    two = loader(2)
    batch = two.collate_fn(two.dataset.__getitems__([0]))
    tensors = [tensor for tensor in batch if isinstance(tensor, torch.Tensor)]
    several = [-(-8 * tensor.nbytes // 4096) for tensor in tensors]  # pages, of eight documents at most as long
    pages = (2 * two.prefetch_factor + 1) * sum(several)
    monkeypatch.setattr(os, "statvfs", lambda _folder: Disk(pages))
    assert shared_memory.lack(two) is None
    monkeypatch.setattr(os, "statvfs", lambda _folder: Disk(pages - 1))
    free = f"{4096 * (pages - 1):,}"
    expected = f"/dev/shm has {free} free bytes, and 2 loader processes may need {4096 * pages:,}"
    assert shared_memory.lack(two) == expected
    assert shared_memory.lack(loader(0)) is None


def test_memory_without_locks_cannot_be_used(loader, monkeypatch):
    def refuse():
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(shared_memory.multiprocessing, "Lock", refuse)
    assert shared_memory.lack(loader(1)) in (None, "/dev/shm cannot be used (Read-only file system)")
    assert shared_memory.lack(loader(0)) is None


def trained_with(shm, fill, data_dir, *more):
    """Train where /dev/shm is mounted so, with this number of bytes used; None if mounting is not allowed."""
    script = f"""
        mount -t tmpfs -o {shm} none /dev/shm || exit 77
        [ {fill} = 0 ] || head -c {fill} /dev/zero > /dev/shm/used
        exec "$@"
    """
    command = [sys.executable, "-m", "textclf", "train", "--data", str(data_dir), "--num-workers=2", *LSTM, *more]
    try:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode in {1, 77} and "textclf" not in done.stderr:
        pytest.skip("mounting is not allowed here")
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shm", "fill", "note"),
    [
        ("ro", 0, "cannot be used (Read-only file system)"),
        pytest.param("size=64m", 64 << 20, "cannot be used (No space left", marks=pytest.mark.long),
        pytest.param("size=48k", 0, "has 49,152 free bytes", marks=pytest.mark.long),
        pytest.param("size=64m", 0, None, marks=pytest.mark.long),
    ],
)
def test_training_goes_on_without_loader_processes(shm, fill, note, data_dir):
    done = trained_with(shm, fill, data_dir)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    notes = [line for line in done.stderr.splitlines() if "/dev/shm" in line]
    assert len(notes) == (note is not None)
    if note:
        assert note in notes[0]
        assert notes[0].endswith("training goes on without loader processes, as with --num-workers 0")


FILLED = """
import sys, os
from textclf.training import shared_memory
shared_memory.lack = lambda _loader: None  # as if another program filled it just after that
from textclf.cli import main
main()
"""


@pytest.mark.slow
def test_memory_that_gets_full_later_ends_training_at_once(data_dir):
    script = f'mount -t tmpfs -o size=16k none /dev/shm || exit 77; exec "{sys.executable}" -c "$0" "$@"'
    command = ["train", "--data", str(data_dir), "--num-workers=2", *LSTM]
    try:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, FILLED, *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode in {1, 77} and "textclf" not in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1]


def test_a_limit_on_open_files_is_told_apart(loader, monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (16, 16))
    assert "2 loader processes may need " in shared_memory.lack(loader(2))
    assert "and the limit is 16 (ulimit -n)" in shared_memory.lack(loader(2))
    assert shared_memory.lack(loader(0)) is None
