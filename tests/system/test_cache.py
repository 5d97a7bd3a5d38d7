"""The user's cache folder."""

import os
from pathlib import Path

import pytest

from textclf.system import cache


def test_it_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache.folder("some") == Path("/elsewhere/textclf/some")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache.folder("some") == Path("/home/me/.cache/textclf/some")


def test_folders_that_nobody_writes_to_are_removed(tmp_path: Path) -> None:
    for name in ("old", "new", "used"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for path in (tmp_path / "old" / "file", tmp_path / "old", tmp_path / "used"):
        os.utime(path, (0, 0))
    cache.remove_old(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "used"}
    cache.remove_old(tmp_path / "nowhere")
