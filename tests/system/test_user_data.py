"""What a user keeps by name: where it is, and that it is removed whole."""

from pathlib import Path

import pytest

from textclf.errors import UsageError
from textclf.system import user_data


def things(variable="TEXTCLF_THINGS"):
    return user_data.home("thing", "things", variable=variable, remedy="add one")


def test_the_folder_is_that_of_the_variable_or_that_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTCLF_THINGS", str(tmp_path / "given"))
    assert things().folder == tmp_path / "given"
    monkeypatch.delenv("TEXTCLF_THINGS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert things().folder == tmp_path / "textclf" / "things"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert things().folder == tmp_path / "me" / ".local" / "share" / "textclf" / "things"


def test_without_a_home_the_variable_is_asked_for(monkeypatch):
    home = things()._replace(folder=Path("~/things"))
    monkeypatch.delenv("TEXTCLF_THINGS", raising=False)
    with pytest.raises(UsageError, match="there is no home folder for things: name a folder in TEXTCLF_THINGS"):
        user_data.place_for("one", home, variable="TEXTCLF_THINGS")
    monkeypatch.setenv("TEXTCLF_THINGS", "things")
    assert user_data.place_for("one", home, variable="TEXTCLF_THINGS") == Path("~/things/one")


@pytest.mark.parametrize("name", ["on", "../one", ".", ".hidden"])
def test_only_a_whole_name_is_removed(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTCLF_THINGS", str(tmp_path))
    for each in ("one", ".hidden"):
        (tmp_path / each).mkdir()
    with pytest.raises(UsageError, match=r"no thing .* to remove from .*; there is one"):
        user_data.to_remove(name, things())
    folder = user_data.to_remove("one", things())
    (folder / "file").touch()
    user_data.empty(folder)
    assert list(folder.iterdir()) == []
    user_data.remove(folder)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]
