"""The folder of a fit is gone afterwards, and that of a killed process is removed by the next one."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from textclf.errors import ResourceError
from textclf.estimator.temporary import PREFIX, remove_left_folders, temporary_folder

WAITING = """
import sys
from textclf.estimator.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_private_and_gone_afterwards(temporary_files):
    with temporary_folder() as folder:
        assert folder.parent == temporary_files
        assert os.name == "nt" or folder.stat().st_mode & 0o777 == 0o700
        (folder / "sub").mkdir()
        (folder / "sub" / "file").touch()
    with pytest.raises(ZeroDivisionError), temporary_folder():
        raise ZeroDivisionError
    assert not any(temporary_files.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks of folders")
def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(temporary_files):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        folder = Path(process.stdout.readline().strip())
        remove_left_folders()
        with temporary_folder():
            assert (folder / "file").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert folder.exists()
        remove_left_folders()
        assert not folder.exists()


def test_other_things_with_such_a_name_stay(temporary_files):
    (temporary_files / f"{PREFIX}file").touch()
    (temporary_files / "target").mkdir()
    (temporary_files / f"{PREFIX}link").symlink_to("target")
    remove_left_folders()
    assert len(list(temporary_files.iterdir())) == 3


def test_no_folder_for_temporary_files_is_an_error_in_one_line(monkeypatch):
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(ResourceError, match=r"no folder for temporary files .*; set TMPDIR"), temporary_folder():
        pass
