import json
import os
from pathlib import Path

import pytest

from tests.encoders import tiny
from textclf.encoders import adding, encoder, find, store
from textclf.errors import UsageError


@pytest.fixture
def home() -> Path:
    return Path(os.environ["TEXTCLF_ENCODERS"])


def contents(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["sm", "../small", "small/", "."])
def test_only_a_whole_name_is_removed(name, folder, home):
    adding.add(str(folder))
    with pytest.raises(UsageError, match="there is small"):
        store.remove(name)
    assert (home / "small").is_dir()


def test_a_name_is_not_read_from_the_current_folder(folder, tmp_path, monkeypatch):
    hash_ = adding.add(str(folder)).hash
    tiny.write(tmp_path / "here" / "small", seed=3)
    monkeypatch.chdir(tmp_path / "here")
    assert find("small").hash == hash_
    assert find("./small").hash != hash_


def test_a_damaged_one_is_listed_with_what_is_wrong(folder, home):
    adding.add(str(folder))
    (home / "small" / "encoder.json").write_text("{}")
    (home / "stray.txt").write_text("")
    (found,) = store.summaries()
    assert (found.name, found.dimension, found.hash) == ("small", None, "")
    assert found.error.startswith(f"the encoder in {home / 'small'} is damaged (")
    assert store.remove("small").name == "small"


def test_where_it_is_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("TEXTCLF_ENCODERS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert store.home().folder == tmp_path / "xdg" / "textclf" / "encoders"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert store.home().folder == tmp_path / "me" / ".local" / "share" / "textclf" / "encoders"


def test_one_that_is_in_use_may_be_removed(folder):
    adding.add(str(folder))
    used = find("small")
    expected = used.encode(["the cat"])
    store.remove("small")
    assert (used.encode(["the cat"]) == expected).all()
    copy = Path("copy")
    copy.mkdir()
    used.save(copy)
    assert encoder.load(copy).hash == used.hash


def test_json_has_what_is_known_of_one(folder, home):
    record = store.record(adding.add(str(folder)))
    assert json.loads(json.dumps(record))["path"] == str(home / "small")
    assert record["bytes"] == sum(len(content) for content in contents(home).values())
    assert record["error"] is None
