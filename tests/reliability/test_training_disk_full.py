"""Training on a disk that gets full, at any file: exit code 5, one line, nothing half-written, and it can go on."""

import ctypes
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import small_config

NEW_MOUNTS, NEW_USERS = 0x20000, 0x10000000  # of <linux/sched.h>
ROOM = 16 * 1024  # kilobytes in which training fits


def mounted(folder, kilobytes):
    """A file system of that size at the folder; larger than before, if there was one."""
    option = "remount," if os.path.ismount(folder) else ""
    command = ["mount", "-t", "tmpfs", "-o", f"{option}size={kilobytes}k", "tmpfs", folder]
    subprocess.run(command, check=True, capture_output=True)


def see_alone():
    """Let this process mount what no other sees; raises OSError where that is not allowed."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS | (NEW_USERS if user else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def fill(step, data_dir, folder, answer):
    """Train on disks of growing size until one is large enough; write down what happened on each."""
    try:
        see_alone()
        subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True)
        mounted(folder, ROOM)
        subprocess.run(["umount", folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        answer.write_text(json.dumps({"not allowed": str(error)}))
        return
    import torch

    from textclf import training
    from textclf.artefacts import runs
    from textclf.errors import TextclfError
    from textclf.experiments.verify import outcome
    from textclf.training.checkpoint import Pace

    torch.set_num_threads(1)
    pace, seen = Pace(seconds=0.0), []
    for kilobytes in range(4, ROOM, step):
        mounted(folder, kilobytes)
        code, message = 0, ""
        try:
            layout = training.train(small_config("mlp", data_dir, folder / "runs", epochs=2, refit=True), pace=pace)
        except TextclfError as error:
            code, message = error.exit_code, str(error)
            layout = next((runs.RunLayout(path) for path in folder.glob("runs/*-*")), None)
        left = [path.name for path in folder.rglob("*.tmp")]
        broken = [str(path.relative_to(folder)) for path in folder.rglob("*.json*") if not is_whole(path)]
        mounted(folder, ROOM)
        again = training.resume(layout, pace=pace) if layout and layout.config.exists() else None
        seen.append({"code": code, "message": message, "left": left, "broken": broken})
        seen[-1]["outcome"] = again and outcome(again)
        subprocess.run(["umount", folder], check=True)
        if not code:
            break
    answer.write_text(json.dumps(seen))


def is_whole(path):
    """Whether every line is JSON, or all of it is."""
    text = path.read_text()
    try:
        for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
            json.loads(part)
    except ValueError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
@pytest.mark.parametrize("step", [40, pytest.param(4, marks=pytest.mark.long)])
def test_a_disk_that_gets_full_at_any_moment_ends_training_in_order(step, data_dir, tmp_path, capfd):
    folder, answer = tmp_path / "small", tmp_path / "answer.json"
    folder.mkdir()
    process = multiprocessing.get_context("forkserver").Process(target=fill, args=(step, data_dir, folder, answer))
    process.start()
    process.join()
    seen = json.loads(answer.read_text())
    if "not allowed" in seen:
        pytest.skip(seen["not allowed"])
    assert "Traceback" not in capfd.readouterr().err  # of a thread
    *failed, done = seen
    assert len(failed) >= 4
    assert done["code"] == 0
    for each in failed:
        assert each["code"] == 5, each
        assert each["message"].startswith("no space left to write "), each
        assert str(folder) in each["message"]
        assert "\n" not in each["message"]
        assert (each["left"], each["broken"]) == ([], []), each
        assert each["outcome"] in (None, done["outcome"])  # from what was saved, the same
    assert any(each["outcome"] for each in failed)
