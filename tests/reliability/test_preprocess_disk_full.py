"""Preprocess on a disk that is full at any moment: one line, exit code 5, and all as it was before."""

import errno
import io
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from tests.reliability.test_preprocess_killed import digest
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import ResourceError
from textclf.system.files import refuse_full_disk

pytestmark = pytest.mark.slow


class FullAt:
    """A disk on which one call that needs room fails: making a file or folder, writing, moving."""

    def __init__(self, number, root):
        self.left, self.root = number, str(root)
        self.failed = None

    def take(self, what):
        self.left -= 1
        if self.left == 0:
            self.failed = what
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def install(self, patch):
        for name in ("mkdir", "replace", "write", "fsync"):
            patch.setattr(os, name, self._counting(name, getattr(os, name)))
        make, disk = os.open, self

        def open_there(path, flags, *rest, **more):
            if flags & os.O_CREAT:
                disk.take("open")
            return make(path, flags, *rest, **more)

        class File(io.FileIO):
            def write(self, content):
                disk.take("write to a file")
                return super().write(content)

        usual = io.open

        def open_file(path, mode="r", *rest, **more):
            if mode not in ("wb", "xb") or not str(path).startswith(self.root):
                return usual(path, mode, *rest, **more)
            disk.take("open a file")
            return io.BufferedWriter(File(path, mode))

        patch.setattr(os, "open", open_there)
        patch.setattr(io, "open", open_file)
        patch.setattr("builtins.open", open_file)

    def _counting(self, name, call):
        def counting(*given, **more):
            self.take(name)
            return call(*given, **more)

        return counting


@pytest.mark.parametrize("step", [pytest.param(29, id="each-29th"), pytest.param(1, id="each", marks=pytest.mark.long)])
def test_a_disk_that_is_full_at_any_call_leaves_all_as_it_was(corpus_csv, tmp_path, monkeypatch, step):
    settings = {"source": str(corpus_csv), "data_dir": tmp_path / "data", "num_workers": 1}
    preprocess(PreprocessConfig(**settings))
    before, failed = digest(tmp_path), []
    changed = PreprocessConfig(**settings, seed=1, overwrite=True)
    for number in count(1, step):
        disk = FullAt(number, tmp_path)
        with monkeypatch.context() as patch:
            disk.install(patch)
            said = error_of(changed)
        if disk.failed is None:
            assert said is None
            break
        assert f"no space left to write {tmp_path}" in said, (number, disk.failed)
        failed.append(disk.failed)
        assert digest(tmp_path) == before, (number, disk.failed)
    print(f"{len(failed)} calls failed in turn: { {name: failed.count(name) for name in sorted(set(failed))} }")
    kinds = {"open", "write", "mkdir", "replace", "fsync", "open a file", "write to a file"}
    assert set(failed) >= ({"mkdir", "write", "open"} if step > 1 else kinds)
    assert len(failed) * step > 256 + 2 * 60
    assert digest(tmp_path) != before


def error_of(config):
    """What preprocess says that it lacks; None if it ends."""
    try:
        preprocess(config)
    except ResourceError as error:
        return str(error)
    return None


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="mounting is for root")
@pytest.mark.parametrize(("size", "inodes"), [(100, 0), (264, 0), (40_000, 300), (40_000, 326)])
def test_a_small_disk(corpus_csv, tmp_path, size, inodes):
    """Real, and found full either beforehand or while writing, as the check beforehand is an estimate."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"""
        mount -t tmpfs -o size={size}k,nr_inodes={inodes} none {disk} || exit 77
        {sys.executable} -m textclf preprocess {corpus_csv} --data-dir {disk}/data --num-workers 2 || code=$?
        find {disk} -mindepth 1 | sed 's/^/left: /' >&2
        exit $code
    """
    done = subprocess.run(
        [shutil.which("unshare") or "unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode in {1, 77} and "textclf" not in done.stderr:
        pytest.skip("mounting is not allowed here")
    print(done.stderr)
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"write {disk}/data/tiny_corpus" in done.stderr


class Disk:
    """What os.statvfs says."""

    f_frsize, f_bavail, f_files, f_favail = 4096, 10, 100, 5


@pytest.mark.parametrize(
    ("needed", "files", "limit", "said"),
    [
        (40_960, 5, 100, None),
        (40_961, 5, 100, "about 40,961 bytes are needed and 40,960 free"),
        (40_960, 6, 100, "6 are needed and 5 free (inodes)"),
        (40_960, 6, 0, None),
    ],
)
def test_too_little_room_is_said_beforehand(monkeypatch, needed, files, limit, said):
    monkeypatch.setattr(os, "statvfs", lambda _path: Disk)
    monkeypatch.setattr(Disk, "f_files", limit)
    if said is None:
        refuse_full_disk(Path("data"), needed=needed, count=files)
        return
    with pytest.raises(ResourceError) as caught:
        refuse_full_disk(Path("data"), needed=needed, count=files)
    assert said in str(caught.value)


def test_no_tensor_is_written_to_a_disk_that_is_too_small(corpus_csv, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _path: Disk)
    monkeypatch.setattr("textclf.dataset.engine.write_parts", None)
    with pytest.raises(ResourceError, match=r"too little space to write .*bytes are needed"):
        preprocess(PreprocessConfig(source=str(corpus_csv), data_dir=tmp_path / "data", num_workers=1))
    assert not (tmp_path / "data").exists()
